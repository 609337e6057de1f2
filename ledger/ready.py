"""Records ready to be posted: what the books decide by, and how each is stored, written where it was read."""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

import orjson

from ledger.arrivals import NewCall, NewControl, NewRecord, ReadyCall, ReadyRecord
from ledger.commodities import COMMODITY_BY_NAME
from ledger.copy_binary import (
    EPOCH_US,
    count_field,
    decimal_field,
    json_field,
    kept_text_row,
    record_row,
    text_field,
    text_fields,
    texts_field,
)
from ledger.copy_text import control_line

_CALL = Struct(">" + "i16s" + "i8s" + "iq" + "iq" + "ii")
_COLUMNS_OF_KIND = ("fresh", "cache_read", "cache_write", "plain", "reasoning")


def ready(record: NewRecord, call: NewCall | None = None, control: NewControl | None = None) -> ReadyRecord:
    """A record with what was read from it, its rows written."""
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
        None if call is None else _ready_call(record, call),
        None if control is None else control_line(record, control),
        None if record.text is None else kept_text_row(record, record.text),
    )


def _ready_call(record: NewRecord, call: NewCall) -> ReadyCall:
    return ReadyCall(
        call.dialect,
        call.provider,
        call.model,
        call.rate_provider,
        call.rate_model,
        call.service_tier,
        call.layer,
        call.use,
        call.leaves,
        call.total_input_tokens,
        call.response_id,
        call.keys,
        call.strength,
        call.problem,
        _call_row(record, call),
    )


def _call_row(record: NewRecord, call: NewCall) -> bytes:
    """The columns of a call that are known where it is read, in the order of `CALL_COLUMNS`."""
    leaves = call.leaves
    counts = [_sum(leaves, names) for names in _names_by_kind(tuple(leaves))]
    return b"".join((
        _CALL.pack(16, record.trace_id, 8, record.span_id, 8, record.started_us - EPOCH_US, 8, record.ended_us - EPOCH_US,
                   4, call.strength),
        text_fields(call.dialect, call.confidence, call.operation, call.provider, call.model, call.rate_provider, call.rate_model,
                    call.service_tier, call.layer, call.layer_source, call.use, call.use_source, record.service),
        text_field(call.problem), text_field(call.conversation_id), text_field(call.user_id), text_field(call.response_id),
        count_field(call.total_input_tokens), *map(count_field, counts),
        json_field(orjson.dumps(leaves)), decimal_field(call.claimed_cost_usd), texts_field(call.keys),
    ))  # fmt: skip


def _sum(leaves: dict[str, int], names: tuple[str, ...]) -> int | None:
    """The leaves of one kind together; None where there is none."""
    if len(names) == 1:
        return leaves[names[0]]
    return sum([leaves[name] for name in names]) if names else None


@lru_cache(maxsize=4096)
def _names_by_kind(leaves: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Which leaves are tokens of each kind that has a column, over modalities and cache lifetimes."""
    return tuple(tuple([leaf for leaf in leaves if COMMODITY_BY_NAME[leaf].kind == kind]) for kind in _COLUMNS_OF_KIND)
