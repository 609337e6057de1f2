"""What is written in PostgreSQL's text format: control totals for COPY, times and arrays for statements.

Source: PostgreSQL's documentation of COPY, "Text Format". What is written most often is written in binary (copy_binary.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from ledger.arrivals import NewControl, NewRecord

CONTROL_COLUMNS = "trace_id, span_id, started_at, name, dialect, input_tokens, output_tokens, cost_usd"

NULL = "\\N"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def at(us: int) -> str:
    """Unix microseconds as PostgreSQL reads a timestamp."""
    second, fraction = divmod(us, 1_000_000)
    return f"{_second(second)}.{fraction:06d}+00"


def text(value: str | None) -> str:
    """A text as a column of a line."""
    if value is None:
        return NULL
    # Most texts have nothing to escape, and looking is cheaper than translating.
    if "\\" in value or "\n" in value or "\t" in value or "\r" in value:
        return value.translate(_ESCAPES)
    return value


def control_line(record: NewRecord, control: NewControl) -> bytes:
    """The line of a control total."""
    return (
        f"{_key(record)}\t{text(record.name)}\t{control.dialect}\t{_number(control.input_tokens)}\t{_number(control.output_tokens)}\t"
        f"{_number(control.cost_usd)}\n"
    ).encode()


def _key(record: NewRecord) -> str:
    return f"\\\\x{record.trace_id.hex()}\t\\\\x{record.span_id.hex()}\t{at(record.started_us)}"


def _number(value: object) -> str:
    return NULL if value is None else str(value)


def text_array(texts: Iterable[str]) -> str:
    """Texts as PostgreSQL writes an array of them."""
    escaped = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in escaped) + "}"


@lru_cache(maxsize=8192)
def _second(second: int) -> str:
    """A whole second; records of one export share most of theirs."""
    return (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%d %H:%M:%S")
