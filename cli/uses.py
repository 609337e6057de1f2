"""`pigou uses`: the table by which layer and use are inferred from the names in telemetry."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.options import Format, FormatOption, HomeOption
from cli.terminal import say

uses_app = typer.Typer(name="uses", help="How layer and use are inferred from names in telemetry.", no_args_is_help=True)
_FIELDS = ("operation", "tool", "agent", "name", "scope", "kind")
_REQUIRED = ("ordinal", "field", "pattern", "layer", "use")


@uses_app.command("list")
def list_uses(home: HomeOption = None, chosen: FormatOption = Format.TABLE) -> None:
    """List the rules in the order in which they are tried. As CSV it can be edited and imported again."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        query = "select ordinal, field, pattern, layer, use, action_class from ledger.use_rules where tenant is null"
        write_cursor(books.execute(f"{query} order by ordinal"), chosen)


@uses_app.command("import")
def import_uses(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="CSV or YAML rules.")],
    home: HomeOption = None,
) -> None:
    """Put the rules of a CSV or YAML file in the place of the present ones; calls that arrive later follow them."""
    from ledger.use_rules import replace_use_rules

    rules = read_rules(file)
    with open_database("writer", home) as books:
        replace_use_rules(books, rules)
    say(f"{len(rules)} rules imported from {file}")


def read_rules(file: Path) -> list[dict[str, Any]]:
    """The rules of a file. Raises CommandError (exit 2) naming the first line that is wrong and why."""
    rows = _yaml(file) if file.suffix in (".yaml", ".yml") else _csv(file)
    rules = [_rule(file, number, row) for number, row in rows]
    seen: dict[int, int] = {}
    for (number, _), rule in zip(rows, rules, strict=True):
        if rule["ordinal"] in seen:
            raise _wrong(file, number, f"ordinal {rule['ordinal']} stands in line {seen[rule['ordinal']]} too")
        seen[rule["ordinal"]] = number
    if not rules:
        raise CommandError(f"{file} holds no rules", "`pigou uses list --format csv` shows the form", exit_code=2)
    return rules


def _rule(file: Path, number: int, row: dict[str, Any]) -> dict[str, Any]:
    missing = [name for name in _REQUIRED if row.get(name) in (None, "")]
    if missing:
        raise _wrong(file, number, f"{', '.join(missing)} is missing")
    if not str(row["ordinal"]).isdigit():
        raise _wrong(file, number, f"ordinal {row['ordinal']!r} is no whole number")
    if row["field"] not in _FIELDS:
        raise _wrong(file, number, f"field {row['field']!r} is none of {', '.join(_FIELDS)}")
    try:
        re.compile(str(row["pattern"]))
    except re.error as error:
        raise _wrong(file, number, f"pattern {row['pattern']!r} is no regular expression ({error})") from error
    rule = {name: str(row[name]) for name in _REQUIRED}
    return {**rule, "ordinal": int(row["ordinal"]), "action_class": row.get("action_class") or None}


def _csv(file: Path) -> list[tuple[int, dict[str, Any]]]:
    with file.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        return [(reader.line_num, row) for row in reader]


def _yaml(file: Path) -> list[tuple[int, dict[str, Any]]]:
    import msgspec
    import yaml

    try:
        found = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise CommandError(f"{file} is no YAML: {error}", exit_code=2) from error
    try:
        rows = msgspec.convert(found, type=list[dict[str, Any]])
    except msgspec.ValidationError as error:
        raise CommandError(f"{file} is no list of rules ({error})", f"each with {', '.join(_REQUIRED)}", exit_code=2) from error
    return list(enumerate(rows, start=1))


def _wrong(file: Path, number: int, why: str) -> CommandError:
    return CommandError(f"{file}, line or item {number}: {why}", exit_code=2)
