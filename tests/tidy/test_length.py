"""Files and functions stay short enough to be read in one go. The exceptions may only shrink."""

from __future__ import annotations

import ast
from collections.abc import Mapping

import pytest

from tests.tidy.tree import files, functions, syntax, text

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60

# What is longer today, with its length. Nothing may be added here, and a figure may only be lowered.
LONG_FILES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}


def test_files_are_short() -> None:
    lengths = {str(path): text(path).count("\n") for path in files(".py")}
    assert not complaints(lengths, FILE_LINES_MAX, LONG_FILES)


def test_functions_are_short() -> None:
    lengths = {f"{path}:{name}": function_lines(function) for path in files(".py") for name, function in functions(syntax(path))}
    assert not complaints(lengths, FUNCTION_LINES_MAX, LONG_FUNCTIONS)


@pytest.mark.parametrize(
    ("lines", "known", "complaint"),
    [
        (10, {}, []),
        (11, {}, ["f: 11 lines, at most 10"]),
        (12, {"f": 12}, []),
        (13, {"f": 12}, ["f: 13 lines, at most 12"]),
        (11, {"f": 12}, ["f: shrank to 11, lower its figure from 12"]),
        (10, {"f": 12}, ["f: is short now, take it off the list"]),
        (None, {"f": 12}, ["f: is gone, take it off the list"]),
    ],
)
def test_the_ratchet_only_turns_one_way(lines: int | None, known: dict[str, int], complaint: list[str]) -> None:
    lengths = {} if lines is None else {"f": lines}
    assert complaints(lengths, 10, known) == complaint


def test_a_docstring_does_not_count() -> None:
    tree = ast.parse('def f():\n    """One.\n\n    Two.\n    """\n    return 1\n')
    [(_, function)] = functions(tree)
    assert function_lines(function) == 2


def function_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end without the docstring: explaining is not what makes a function long."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def complaints(lengths: Mapping[str, int], limit: int, known: Mapping[str, int]) -> list[str]:
    """What is longer than allowed, and what the list of exceptions still allows without need."""
    found = [
        f"{name}: {lines} lines, at most {known.get(name, limit)}"
        for name, lines in lengths.items()
        if lines > known.get(name, limit)
    ]
    for name, allowed in known.items():
        lines = lengths.get(name)
        if lines is None:
            found.append(f"{name}: is gone, take it off the list")
        elif lines <= limit:
            found.append(f"{name}: is short now, take it off the list")
        elif lines < allowed:
            found.append(f"{name}: shrank to {lines}, lower its figure from {allowed}")
    return found
