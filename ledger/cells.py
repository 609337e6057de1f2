"""Files that people write: CSV with a header, or YAML with a list of mappings; one statement each, as text by column.

Every fault is refused with its place and its mend before anything is written.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import yaml

from ledger.errors import LedgerError

FILE_BYTES_MAX = 20_000_000
_FORMS = {".csv": "csv", ".yaml": "yaml", ".yml": "yaml"}

Cells: TypeAlias = tuple[int, dict[str, str]]
"""(line in the file, text by column)."""


class CellError(LedgerError):
    """What is stated cannot be taken. `place` is the file and line, `column` what is wrong in it."""

    def __init__(self, place: str, column: str | None, what: str, mend: str) -> None:
        where = f"{place}, column {column}" if place and column else place or column or ""
        super().__init__(f"{where}: {what}" if where else what, mend)
        self.place = place
        self.column = column


class Form(NamedTuple):
    """What a file may hold: what one of its lines and all of them are called, and the columns. In `lists` YAML names several."""

    one: str
    many: str
    columns: Sequence[str]
    required: Sequence[str]
    synonyms: dict[str, str]
    error: type[CellError]
    lists: frozenset[str] = frozenset()


def read_cells(path: Path, form: Form) -> Iterator[Cells]:
    """All statements of a file. Raises the form's error, naming file, line and column, on the first fault."""
    kind = _FORMS.get(path.suffix.lower())
    if kind is None:
        raise form.error(str(path), None, "is neither CSV nor YAML by its name", "name it .csv, .yaml or .yml")
    text = _text(path, form)
    is_empty = True
    for cells in _csv_cells(path, text, form) if kind == "csv" else _yaml_cells(path, text, form):
        is_empty = False
        yield cells
    if is_empty:
        raise form.error(str(path), None, f"holds no {form.many}", f"state at least {', '.join(form.required)} of one")


def _text(path: Path, form: Form) -> str:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise form.error(str(path), None, f"is larger than {FILE_BYTES_MAX} bytes", "import it in parts")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise form.error(str(path), None, f"cannot be read ({error.strerror})", "check the name and its permissions") from error
    except UnicodeDecodeError as error:
        raise form.error(str(path), None, f"is not UTF-8 at byte {error.start}", "save it as UTF-8") from error


def _csv_cells(path: Path, text: str, form: Form) -> Iterator[Cells]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    columns: list[str] | None = None
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            place = f"{path}, line {reader.line_num}"
            if columns is None:
                columns = [_column(name, place, form) for name in row]
                _refuse_twice(columns, place, form)
                continue
            if len(row) != len(columns):
                what = f"has {len(row)} values for {len(columns)} columns"
                raise form.error(place, None, what, "write one value for each column")
            yield reader.line_num, dict(zip(columns, row, strict=True))
    except csv.Error as error:
        raise form.error(f"{path}, line {reader.line_num}", None, f"is no CSV ({error})", "check its quotes") from error


def _yaml_cells(path: Path, text: str, form: Form) -> Iterator[Cells]:
    # The nodes rather than the values: they know their lines, and their numbers are still text.
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise form.error(f"{path}, line {line}", None, f"is no YAML ({error.problem})", "check its indentation") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise form.error(str(path), None, "is no YAML", f"write a list of {form.many}") from error
    if isinstance(root, yaml.MappingNode) and [key.value for key, _ in root.value] == [form.many]:
        root = root.value[0][1]
    if not isinstance(root, yaml.SequenceNode):
        mend = f"begin each {form.one} with a dash, under `{form.many}:` or alone"
        raise form.error(str(path), None, f"holds no list of {form.many}", mend)
    for item in root.value:
        line = item.start_mark.line + 1
        if not isinstance(item, yaml.MappingNode):
            what = f"write {', '.join(form.required)} with their values"
            raise form.error(f"{path}, line {line}", None, f"is no {form.one}", what)
        yield line, _yaml_row(path, item, form)


def _yaml_row(path: Path, item: yaml.MappingNode, form: Form) -> dict[str, str]:
    row: dict[str, str] = {}
    for key, value in item.value:
        place = f"{path}, line {key.start_mark.line + 1}"
        column = _column(str(key.value), place, form)
        if column in row:
            raise form.error(place, column, "stands twice", "state it once")
        if isinstance(value, yaml.SequenceNode) and column in form.lists:
            row[column] = " ".join(str(part.value) for part in value.value)
        elif isinstance(value, yaml.ScalarNode):
            row[column] = "" if value.tag == "tag:yaml.org,2002:null" else value.value
        else:
            raise form.error(place, column, "is no single value", "write text or a number")
    return row


def _column(name: str, place: str, form: Form) -> str:
    column = name.strip().lower()
    column = form.synonyms.get(column, column)
    if column not in form.columns:
        raise form.error(place, name.strip()[:60], "is no column", f"the columns are {', '.join(form.columns)}")
    return column


def _refuse_twice(columns: list[str], place: str, form: Form) -> None:
    for column in columns:
        if columns.count(column) > 1:
            raise form.error(place, column, "stands twice", "state it once")
