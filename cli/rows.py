"""Rows of an answer as a table, CSV or JSON. Numbers are written exactly, never rounded."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from cli.options import Format

if TYPE_CHECKING:
    import psycopg

NULL = "∅"
_JSON_OIDS = frozenset({114, 3802})
_NUMBER_OIDS = frozenset({20, 21, 23, 26, 700, 701, 790, 1700})
_GAP = "   "
_FOLDED_MAX = 500
"""Rows that a table folds into the terminal's width: it takes some milliseconds each."""


def write_cursor(cursor: psycopg.Cursor[Any], chosen: Format) -> None:
    """Write every result of the statements that were run; one that returns no rows writes its status."""
    while True:
        if cursor.description is None:
            sys.stdout.write(f"{cursor.statusmessage}\n")
        elif chosen is Format.JSON:
            _write_json(cursor)
        else:
            columns = [column.name for column in cursor.description]
            numbers = [column.type_code in _NUMBER_OIDS for column in cursor.description]
            write_text(columns, _texts(cursor), chosen, numbers)
        if not cursor.nextset():
            return


def write_text(columns: Sequence[str], rows: Iterable[Sequence[str | None]], chosen: Format, numbers: Sequence[bool]) -> None:
    """Write rows of text as a table or CSV. `numbers` says which columns are aligned right."""
    if chosen is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        return
    texts = list(rows)
    if sys.stdout.isatty() and len(texts) <= _FOLDED_MAX:
        _write_folded(columns, texts, numbers)
    else:
        _write_table(columns, texts, numbers)


def _write_folded(columns: Sequence[str], rows: Sequence[Sequence[str | None]], numbers: Sequence[bool]) -> None:
    """A table as wide as the terminal, cells folded into it."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, number in zip(columns, numbers, strict=True):
        table.add_column(Text(name), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(NULL, style="dim") if value is None else Text(value) for value in row))
    console = Console(highlight=False)
    console.print(table)
    console.print(_counted(rows), style="dim")


def _write_table(columns: Sequence[str], rows: Sequence[Sequence[str | None]], numbers: Sequence[bool]) -> None:
    """The same as wide as its cells are. Folding costs some milliseconds a row, which thousands of rows cannot wait for."""
    from rich.cells import cell_len
    from rich.control import strip_control_codes

    cells = [[strip_control_codes(NULL if value is None else value).expandtabs().split("\n") for value in row] for row in rows]
    widths = [cell_len(name) for name in columns]
    for row in cells:
        widths = [max(width, *map(cell_len, cell)) for width, cell in zip(widths, row, strict=True)]
    sys.stdout.write(f"{_line(columns, widths, numbers)}\n{'─' * (sum(widths) + len(_GAP) * (len(widths) - 1))}\n")
    for row in cells:
        for line in zip_longest(*row, fillvalue=""):
            sys.stdout.write(f"{_line(line, widths, numbers)}\n")
    sys.stdout.write(f"{_counted(rows)}\n")


def _line(cells: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> str:
    """One line of a table: numbers to the right, all else to the left, as wide as a terminal draws them."""
    from rich.cells import cell_len

    spaces = [" " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)]
    aligned = [space + cell if number else cell + space for cell, space, number in zip(cells, spaces, numbers, strict=True)]
    return _GAP.join(aligned)


def _counted(rows: Sequence[object]) -> str:
    return f"({len(rows)} {'row' if len(rows) == 1 else 'rows'})"


def write_records(
    records: Sequence[Mapping[str, str | int | Decimal | None]], columns: Sequence[str], chosen: Format, numbers: Collection[str]
) -> None:
    """Write records that come from no query. `numbers`: columns that are aligned right."""
    if chosen is Format.JSON:
        import msgspec

        encoder = msgspec.json.Encoder(decimal_format="number")
        lines = [encoder.encode({name: record[name] for name in columns}).decode() for record in records]
        sys.stdout.write("[\n " + ",\n ".join(lines) + "\n]\n" if lines else "[]\n")
        return
    rows = [[_plain(record[name]) for name in columns] for record in records]
    write_text(columns, rows, chosen, [name in numbers for name in columns])


def _plain(value: str | int | Decimal | None) -> str | None:
    """The value in digits: 0.000000000000, where Python's own text would be 0E-12."""
    return f"{value:f}" if isinstance(value, Decimal) else None if value is None else str(value)


def _texts(cursor: psycopg.Cursor[Any]) -> Iterable[list[str | None]]:
    """The values in PostgreSQL's own text."""
    result = cursor.pgresult
    if result is None:
        return
    for row in range(result.ntuples):
        values = (result.get_value(row, column) for column in range(result.nfields))
        yield [None if value is None else value.decode() for value in values]


def _write_json(cursor: psycopg.Cursor[Any]) -> None:
    import msgspec

    columns = _distinct([column.name for column in cursor.description or ()])
    documents = [column.type_code in _JSON_OIDS for column in cursor.description or ()]
    encoder = msgspec.json.Encoder(decimal_format="number")
    separator = "[\n"
    for texts, values in zip(_texts(cursor), cursor, strict=True):
        record = {
            name: msgspec.Raw(text.encode()) if document and text is not None else _sayable(value, text)
            for name, document, value, text in zip(columns, documents, values, texts, strict=True)
        }
        sys.stdout.write(f"{separator} {encoder.encode(record).decode()}")
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


def _sayable(value: Any, text: str | None) -> Any:
    """The value, or PostgreSQL's text for what JSON has no exact way to say (NaN, bytes, ranges, intervals)."""
    return value if _has_json(value) else text


def _has_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_has_json, cast(list[object], value)))
    if isinstance(value, Decimal | float):
        return math.isfinite(value)
    return isinstance(value, bool | int | str | date | time | UUID | None)


def _distinct(names: Sequence[str]) -> list[str]:
    """The names with the second of equals called name_2, and so on: keys of an object are unique."""
    seen: dict[str, int] = {}
    distinct: list[str] = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return distinct
