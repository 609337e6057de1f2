"""Records ready to be posted: what the books decide by, and how each is stored, written where it was read."""

from __future__ import annotations

from ledger.arrivals import NewCall, NewControl, NewRecord, ReadyRecord
from ledger.copy_binary import record_row
from ledger.copy_text import control_line, ready_call


def ready(record: NewRecord, call: NewCall | None = None, control: NewControl | None = None) -> ReadyRecord:
    """A record with what was read from it, its row and its lines written."""
    return ReadyRecord(
        record.trace_id,
        record.span_id,
        record.parent_span_id,
        record.started_us,
        record.ended_us,
        record.role,
        record.agent,
        record.task_class,
        record.scope_name,
        record.content_hash,
        record_row(record),
        None if call is None else ready_call(record, call),
        None if control is None else control_line(record, control),
    )
