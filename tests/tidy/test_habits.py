"""Habits that no linter checks for us: reasons beside broad excepts, exact money, who may ask the environment."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from pathlib import Path

import pytest

from tests.tidy.tree import files, package_files, syntax, text

BROAD = {"Exception", "BaseException"}
MEASUREMENTS = {"NewPoint"}  # a metric's data point is what a gauge showed, never money
LIKENESSES = {"cutoff"}  # arguments that say how alike two words must be
# A file without these words has nothing to find, and need not be parsed.
_MAY_BE_BROAD = re.compile(r"\bexcept\s*:|Exception")
_MAY_READ_ENVIRONMENT = re.compile(r"environ|getenv")
_UNFINISHED = re.compile("|".join((r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bXX" + r"X\b", "NotImplemented" + "Error")))


def test_every_broad_except_carries_a_reason() -> None:
    suspects = [path for path in files(".py") if _MAY_BE_BROAD.search(text(path))]
    assert suspects
    assert not [f"{path}:{line}" for path in suspects for line in broad_excepts_without_reason(text(path))]


def test_the_ledger_has_no_floats() -> None:
    assert not [f"{path}:{line}" for path in package_files(".py") if path.parts[0] == "ledger" for line in floats(syntax(path))]


def test_only_the_edges_read_the_environment() -> None:
    inside = [path for path in package_files(".py") if path.parts[0] != "cli" and path.name != "__main__.py"]
    suspects = [path for path in inside if _MAY_READ_ENVIRONMENT.search(text(path))]
    assert not [f"{path}:{line}" for path in suspects for line in environment_reads(syntax(path))]


def test_nothing_is_left_for_later() -> None:
    assert not [
        f"{path}: {match[0]}" for path in files(".py", ".sql", ".md", ".yml") for match in _UNFINISHED.finditer(text(path))
    ]


def test_every_package_says_what_it_is_for() -> None:
    assert not [str(path) for path in package_files(".py") if text(path).strip() and not says_what_it_is_for(text(path))]


def test_every_folder_of_tests_is_run() -> None:
    """By `make test`, which runs `testpaths`, or by a make target that names it."""
    run = tomllib.loads(text(Path("pyproject.toml")))["tool"]["pytest"]["testpaths"] + text(Path("Makefile")).split()
    folders = {f"tests/{path.parts[1]}" for path in files(".py") if path.parts[0] == "tests" and path.name.startswith("test_")}
    assert "tests/tidy" in folders
    assert not folders - set(run)


@pytest.mark.parametrize(
    ("handler", "lines"),
    [
        ("except:", [3]),
        ("except Exception:", [3]),
        ("except (OSError, Exception) as error:", [3]),
        ("except Exception:  # noqa: BLE001", [3]),
        ("except Exception:  # noqa: BLE001 - the edge: the sender is told, the loop goes on", []),
        ("except Exception:  # the process's edge, recorded below", []),
        ("except ValueError:", []),
    ],
)
def test_broad_excepts_are_found(handler: str, lines: list[int]) -> None:
    assert broad_excepts_without_reason(f"try:\n    work()\n{handler}\n    pass\n") == lines
    assert broad_excepts_without_reason(f"try:\n    work()\n{handler}\n    undo()\n    raise\n") == []


def test_floats_and_environment_reads_are_found() -> None:
    assert floats(ast.parse("a = 1\nb = 0.1\ndef f(x: float) -> None: ...\nclass NewPoint:\n    y: float\nm(cutoff=0.5)")) == [
        2,
        3,
    ]
    assert environment_reads(ast.parse("import os\nos.environ['A']\nos.getenv('B')\nos.path")) == [2, 3]


def test_modules_without_a_docstring_are_found() -> None:
    spoken = ('"""For this."""\nimport os\n', "# Licence.\n\n'''For\n\nthis.'''\n", 'r"For"\n')
    silent = ("import os\n", '""""""\n', 'b"For"\n', 'f"For"\n', 'x = """For"""\n', '"For" + this\n', "# For this.\n")
    assert [says_what_it_is_for(source) for source in (*spoken, *silent)] == [True] * 3 + [False] * 7


def says_what_it_is_for(source: str) -> bool:
    """Whether a module begins with a docstring; told from its first statement alone, the rest is not parsed."""
    first = ""
    for word in tokenize.generate_tokens(io.StringIO(source).readline):
        if word.type in {tokenize.NEWLINE, tokenize.ENDMARKER}:
            break
        if word.type not in {tokenize.COMMENT, tokenize.NL}:
            first += f"{word.string} "
            if word.type != tokenize.STRING:
                return False
    return bool(ast.get_docstring(ast.parse(first)))


def broad_excepts_without_reason(source: str) -> list[int]:
    """Lines of handlers for everything that neither raise it again nor give a reason on their line."""
    lines = source.splitlines()
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ExceptHandler)
        and is_broad(node)
        and not isinstance(node.body[-1], ast.Raise)
        and not reason(lines[node.lineno - 1])
    ]


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether the handler takes whatever is raised."""
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in BROAD for kind in kinds)


def reason(line: str) -> bool:
    """Whether a line's comment says why, in at least three words."""
    _, _, comment = line.partition("#")
    return len(re.sub(r"noqa:\s*\w+|pyright:\s*ignore\S*", "", comment).replace("-", " ").split()) >= 3


def floats(tree: ast.Module) -> list[int]:
    """Lines with a float constant or the type's name, outside of what is a measurement or a likeness."""
    exempt = [
        node
        for node in ast.walk(tree)
        if (isinstance(node, ast.ClassDef) and node.name in MEASUREMENTS)
        or (isinstance(node, ast.keyword) and node.arg in LIKENESSES)
    ]
    measured = {id(inner) for node in exempt for inner in ast.walk(node)}
    return sorted(
        node.lineno
        for node in ast.walk(tree)
        if id(node) not in measured
        and (
            (isinstance(node, ast.Constant) and isinstance(node.value, float))
            or (isinstance(node, ast.Name) and node.id == "float")
        )
    )


def environment_reads(tree: ast.Module) -> list[int]:
    """Lines that ask `os.environ` or `os.getenv`."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in {"environ", "getenv"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    ]
