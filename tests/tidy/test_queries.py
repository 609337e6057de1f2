"""Named SQL is used, and what is used exists; see `ledger/queries.py`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.tidy.tree import package_files, syntax, text

_HEAD = re.compile(r"^-- name: (\w+)\s*\n(?P<purpose>(?:--.*\n)*)", re.MULTILINE)


def test_every_named_query_is_used() -> None:
    used = {name for path in package_files(".py") for name in read(path).strings}
    made = [pattern for path in package_files(".py") for pattern in read(path).made_names]
    unused = [
        f"{path}: {name}"
        for path, name, _ in named_queries()
        if name not in used and not any(pattern.fullmatch(name) for pattern in made)
    ]
    assert not unused


def test_every_used_query_exists() -> None:
    assert not [f"{path}: {use}" for path in package_files(".py") for use in read(path).missing]


def test_every_named_query_says_what_it_is_for() -> None:
    told = {(path, name) for path, name, purpose in named_queries() if purpose.strip("- \n")}
    # How many things a check looked at is explained by the check.
    told |= {(path, f"{name}_checked") for path, name in told}
    assert not [f"{path}: {name}" for path, name, _ in named_queries() if (path, name) not in told]


def test_every_sql_file_is_loaded() -> None:
    mentioned = {name for path in package_files(".py") for name in read(path).strings}
    forgotten = [str(path) for path in query_files() if not mentioned & {path.stem, path.name, f"sql/{path.name}"}]
    assert not forgotten


def test_offenders_are_found() -> None:
    known = {("ledger", "post"): {"insert_entries"}}
    tree = ast.parse(
        "POST = queries('ledger', 'post')\nPOST['insert_entries']\nPOST['insert_entrys']\n"
        "queries('ledger', 'gone')['x']\nother['insert_entrys']\n"
    )
    assert missing_queries([*ast.walk(tree)], known) == ["ledger/post: insert_entrys", "ledger/gone: no such file"]
    assert [p.pattern for p in made_names(ast.walk(ast.parse("SQL[f'{x}_checked']; SQL[f'{x}']")))] == [r"\w+_checked"]
    assert [(m[1], m["purpose"]) for m in _HEAD.finditer("-- name: a\n-- For b.\nselect 1;\n")] == [("a", "-- For b.\n")]


def query_files() -> list[Path]:
    """The files of SQL beside the packages' code; migrations are found by Alembic."""
    return [path for path in package_files(".sql") if path.parts[0] != "migrations"]


def named_queries() -> Iterable[tuple[Path, str, str]]:
    """File, name and purpose of every named query."""
    for path in query_files():
        for match in _HEAD.finditer(text(path)):
            yield path, match[1], match["purpose"]


@cache
def known_queries() -> dict[tuple[str, str], set[str]]:
    """The names in each file of SQL, by its package and its own name."""
    known = {(path.parts[0], path.stem): set[str]() for path in query_files()}
    for path, name, _ in named_queries():
        known[path.parts[0], path.stem].add(name)
    return known


class Read(NamedTuple):
    """What the rules need of one module."""

    strings: set[str]
    made_names: list[re.Pattern[str]]
    missing: list[str]


@cache
def read(path: Path) -> Read:
    """A module's text constants, the names it puts together, and the queries it uses that are not there."""
    nodes = [*ast.walk(syntax(path))]
    strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return Read(strings, made_names(nodes), missing_queries(nodes, known_queries()))


def made_names(of: Iterable[ast.AST]) -> list[re.Pattern[str]]:
    """The query names that subscripts of a module put together, such as `_SQL[f"{name}_checked"]`, as patterns."""
    made = [node.slice for node in of if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.JoinedStr)]
    return [
        re.compile("".join(re.escape(str(p.value)) if isinstance(p, ast.Constant) else r"\w+" for p in name.values))
        for name in made
        if any(isinstance(part, ast.Constant) for part in name.values)
    ]


def missing_queries(of: Sequence[ast.AST], known: dict[tuple[str, str], set[str]]) -> list[str]:
    """Uses of `queries(package, file)[name]`, direct or through a variable, that name nothing."""
    variables: dict[str, tuple[str, str]] = {}
    for node in of:
        if isinstance(node, ast.Assign) and (source := queries_call(node.value)):
            variables.update({target.id: source for target in node.targets if isinstance(target, ast.Name)})
    missing: list[str] = []
    for node in of:
        if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Constant):
            continue
        source = variables.get(node.value.id) if isinstance(node.value, ast.Name) else queries_call(node.value)
        if source is None:
            continue
        if source not in known:
            missing.append(f"{'/'.join(source)}: no such file")
        elif node.slice.value not in known[source]:
            missing.append(f"{'/'.join(source)}: {node.slice.value}")
    return missing


def queries_call(node: ast.expr) -> tuple[str, str] | None:
    """Package and file of a call `queries("package", "file")`, else None."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "queries":
        return None
    given = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
    return (str(given[0]), str(given[1])) if len(given) == 2 else None
