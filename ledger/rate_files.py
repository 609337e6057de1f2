"""Files of prices: CSV with a header, or YAML with a list of mappings, one rate each, in the columns of `ledger.stated_rates`."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import yaml

from ledger.stated_rates import COLUMNS, REQUIRED, SYNONYMS, RateError, StatedRate, stated_rate

FILE_BYTES_MAX = 20_000_000
_FORMS = {".csv": "csv", ".yaml": "yaml", ".yml": "yaml"}

Cells: TypeAlias = tuple[int, dict[str, str]]
"""(line in the file, text by column)."""


def read_rates(path: Path) -> list[StatedRate]:
    """All rates of a file. Raises RateError, naming file, line and column, on the first fault."""
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        raise RateError(str(path), None, "is neither CSV nor YAML by its name", "name it .csv, .yaml or .yml")
    text = _text(path)
    cells = _csv_cells(path, text) if form == "csv" else _yaml_cells(path, text)
    rates = [stated_rate(row, f"{path}, line {line}") for line, row in cells]
    if not rates:
        raise RateError(str(path), None, "holds no rates", f"state at least {', '.join(REQUIRED)} of one")
    return rates


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise RateError(str(path), None, f"is larger than {FILE_BYTES_MAX} bytes", "import it in parts")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RateError(str(path), None, f"cannot be read ({error.strerror})", "check the name and its permissions") from error
    except UnicodeDecodeError as error:
        raise RateError(str(path), None, f"is not UTF-8 at byte {error.start}", "save it as UTF-8") from error


def _csv_cells(path: Path, text: str) -> Iterator[Cells]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    columns: list[str] | None = None
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            place = f"{path}, line {reader.line_num}"
            if columns is None:
                columns = [_column(name, place) for name in row]
                _refuse_twice(columns, place)
                continue
            if len(row) != len(columns):
                what = f"has {len(row)} values for {len(columns)} columns"
                raise RateError(place, None, what, "write one value for each column")
            yield reader.line_num, dict(zip(columns, row, strict=True))
    except csv.Error as error:
        raise RateError(f"{path}, line {reader.line_num}", None, f"is no CSV ({error})", "check its quotes") from error


def _yaml_cells(path: Path, text: str) -> Iterator[Cells]:
    # The nodes rather than the values: they know their lines, and their numbers are still text.
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RateError(f"{path}, line {line}", None, f"is no YAML ({error.problem})", "check its indentation") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise RateError(str(path), None, "is no YAML", "write a list of rates") from error
    if isinstance(root, yaml.MappingNode) and [key.value for key, _ in root.value] == ["rates"]:
        root = root.value[0][1]
    if not isinstance(root, yaml.SequenceNode):
        raise RateError(str(path), None, "holds no list of rates", "begin each rate with a dash, under `rates:` or alone")
    for item in root.value:
        line = item.start_mark.line + 1
        if not isinstance(item, yaml.MappingNode):
            raise RateError(f"{path}, line {line}", None, "is no rate", f"write {', '.join(REQUIRED)} with their values")
        yield line, _yaml_row(path, item)


def _yaml_row(path: Path, item: yaml.MappingNode) -> dict[str, str]:
    row: dict[str, str] = {}
    for key, value in item.value:
        place = f"{path}, line {key.start_mark.line + 1}"
        column = _column(str(key.value), place)
        if column in row:
            raise RateError(place, column, "stands twice", "state it once")
        if not isinstance(value, yaml.ScalarNode):
            raise RateError(place, column, "is no single value", "write text or a number")
        row[column] = "" if value.tag == "tag:yaml.org,2002:null" else value.value
    return row


def _column(name: str, place: str) -> str:
    column = name.strip().lower()
    column = SYNONYMS.get(column, column)
    if column not in COLUMNS:
        raise RateError(place, name.strip()[:60], "is no column", f"the columns are {', '.join(COLUMNS)}")
    return column


def _refuse_twice(columns: list[str], place: str) -> None:
    for column in columns:
        if columns.count(column) > 1:
            raise RateError(place, column, "stands twice", "state it once")
