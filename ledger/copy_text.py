"""Rows of records in PostgreSQL's text format for COPY, made while the row's transaction has not begun yet.

What is made here, in the thread that reads exports, need not be made in the one that posts while it holds the tenants' locks.
Source: PostgreSQL's documentation of COPY, "Text Format".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from ledger.arrivals import NewRecord

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def at(us: int) -> str:
    """Unix microseconds as PostgreSQL reads a timestamp."""
    second, fraction = divmod(us, 1_000_000)
    return f"{_second(second)}.{fraction:06d}+00"


def record_line(record: NewRecord) -> str:
    """A record's columns in the order of RECORD_COLUMNS, separated by tabs."""
    parent = _NULL if record.parent_span_id is None else "\\\\x" + record.parent_span_id.hex()
    return (
        f"\\\\x{record.trace_id.hex()}\t\\\\x{record.span_id.hex()}\t{at(record.started_us)}\t{at(record.ended_us)}\t"
        f"{parent}\t{record.signal}\t{record.role}\t{_text(record.name)}\t"
        f"{record.kind}\t{record.status_code}\t{_text(record.status_message)}\t{_text(record.service)}\t"
        f"{_text(record.scope_name)}\t{_text(record.scope_version)}\t{record.resource_id}\t{_text(record.agent)}\t"
        f"{_text(record.task_class)}\t{_text(record.layer)}\t{_text(record.use)}\t{_text(record.attributes_json)}\t"
        f"{_text(record.events_json)}\t{_text(record.links_json)}\t\\\\x{record.content_hash.hex()}"
    )


def _text(value: str | None) -> str:
    if value is None:
        return _NULL
    # Most texts have nothing to escape, and looking is cheaper than translating.
    if "\\" in value or "\n" in value or "\t" in value or "\r" in value:
        return value.translate(_ESCAPES)
    return value


@lru_cache(maxsize=8192)
def _second(second: int) -> str:
    """A whole second; records of one export share most of theirs."""
    return (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%d %H:%M:%S")
