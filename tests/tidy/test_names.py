"""Names say what things are, in the words of docs/glossary.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from tests.tidy.tree import files, package_files, syntax, text

SAYS_NOTHING = frozenset({"utils", "util", "helpers", "common", "misc", "manager", "managers", "stuff"})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[A-Z]")
_SQL_NAME = re.compile(
    r"^\s*create\s+(?:or\s+replace\s+)?(?:table|view|function|index|unique\s+index)\s+(?:\w+\.)?(\w+)|^\s{4}(\w+)\s+(?:text|integer|bigint|numeric|timestamptz)",
    re.MULTILINE | re.IGNORECASE,
)
_GLOSSARY_ROW = re.compile(r"^\|\s*\*\*(?P<term>[^*]+)\*\*\s*\|(?P<meaning>[^|]*)\|(?P<never>[^|]*)\|\s*$", re.MULTILINE)


def test_no_file_or_name_says_nothing() -> None:
    in_paths = [str(path) for path in files() for part in path.parts if words(Path(part).stem) & SAYS_NOTHING]
    suspects = [path for path in files(".py") if mentions(path, SAYS_NOTHING)]
    assert suspects, "this file names them"
    in_code = [f"{path}: {name}" for path in suspects for name in defined(syntax(path)) if words(name) & SAYS_NOTHING]
    assert not in_paths + in_code


def test_one_thing_has_one_word() -> None:
    never = forbidden_synonyms(text(Path("docs/glossary.md")))
    offenders = [
        f"{path}: {name} says {word!r}, the glossary says {never[word]!r}"
        for path in package_files(".py", ".sql")
        if mentions(path, never)
        for name in names_in(path)
        for word in sorted(never.keys() & (words(name) | {name.lower()}))
    ]
    assert not offenders


def test_the_glossary_has_terms_and_refuses_synonyms() -> None:
    never = forbidden_synonyms(text(Path("docs/glossary.md")))
    terms = {match["term"].strip() for match in _GLOSSARY_ROW.finditer(text(Path("docs/glossary.md")))}
    assert {"entry", "transfer", "posting", "account", "commodity", "rate", "suspense", "regret"} <= terms
    assert len(never) >= 20
    assert not {word for word in never if word in terms}, "a word is a term and forbidden at once"


def test_offenders_are_found() -> None:
    tree = ast.parse("class SpanManager:\n    common_count: int\n\ndef parse_utils(arg): x = arg")
    assert [name for name in defined(tree) if words(name) & SAYS_NOTHING] == [
        "SpanManager",
        "parse_utils",
        "common_count",
    ]
    assert forbidden_synonyms("| **entry** | an economic event | journal, voucher |\n") == {
        "journal": "entry",
        "voucher": "entry",
    }
    assert sql_names("create table pigou.journal (\n    voucher_id bigint not null") == [
        "journal",
        "voucher_id",
    ]


def mentions(path: Path, of: Iterable[str]) -> bool:
    """Whether any of the words occurs in a file, in whatever case and inside of others: without, no name can hold it."""
    whole = text(path).lower()
    return any(word in whole for word in of)


def words(name: str) -> set[str]:
    """The words of an identifier in lower case, whether joined by underscores or by capitals."""
    return {word.lower() for word in _WORD.findall(name)}


def defined(tree: ast.Module) -> list[str]:
    """The names a module gives: classes, functions, arguments, variables and fields."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.arg):
            names.append(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
    return names


def sql_names(sql: str) -> list[str]:
    """The names a piece of SQL gives: tables, views, functions, indexes and columns."""
    return [match[1] or match[2] for match in _SQL_NAME.finditer(sql)]


def names_in(path: Path) -> list[str]:
    """The names a file gives."""
    return defined(syntax(path)) if path.suffix == ".py" else sql_names(text(path))


def forbidden_synonyms(glossary: str) -> dict[str, str]:
    """Each forbidden word with the term to use instead, from the glossary's last column."""
    return {
        word.strip().strip("`").lower(): match["term"].strip()
        for match in _GLOSSARY_ROW.finditer(glossary)
        for word in match["never"].split(",")
        if word.strip(" –-")
    }
