"""The files of the repository as the tidy tests see them: what git tracks or would track, and nothing that was built."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("allocation", "analyzers", "cli", "collector", "dashboard", "economy", "ledger", "migrations")


@cache
def files(*suffixes: str) -> tuple[Path, ...]:
    """Every file of the repository, or those with one of the suffixes, as paths relative to its root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (Path(name) for name in sorted(set(listed.split("\0"))) if name)
    return tuple(p for p in paths if (not suffixes or p.suffix in suffixes) and (ROOT / p).is_file())


def package_files(*suffixes: str) -> tuple[Path, ...]:
    """The files of the import packages: what an installation runs."""
    return tuple(path for path in files(*suffixes) if path.parts[0] in PACKAGES)


@cache
def text(path: Path) -> str:
    """A file's text; what is not UTF-8 (pictures, recordings) is empty."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def syntax(path: Path) -> ast.Module:
    """A Python file's syntax tree; not kept, since collecting garbage among all of them takes longer than to parse again."""
    return ast.parse(text(path), filename=str(path))


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """All functions and methods with their qualified names, nested ones too."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                continue  # holds no statement, and is most of the tree
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{prefix}{child.name}", child
                yield from walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, f"{prefix}{child.name}.")
            else:
                yield from walk(child, prefix)

    return walk(tree, "")
