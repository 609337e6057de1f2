"""Rows in PostgreSQL's text format for COPY, made before the row's transaction has begun.

What is made here, in the process that reads exports, need not be made in the one that posts while it holds the tenants' locks.
A record's and a control total's line want only their tenant in front; a call's also what posting decides (`CALL_DECIDED`).
Source: PostgreSQL's documentation of COPY, "Text Format".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import orjson

from ledger.arrivals import NewCall, NewControl, NewRecord, ReadyCall, ReadyRecord
from ledger.commodities import COMMODITY_BY_NAME

RECORD_COLUMNS = (
    "trace_id, span_id, started_at, ended_at, parent_span_id, signal, role, name, kind, status_code, status_message, service,"
    " scope_name, scope_version, resource_id, agent, task_class, layer, use, attributes, events, links, content_hash"
)
CALL_DECIDED = (
    "tenant_id, status, reason, agent, task_class, copy_of_trace_id, copy_of_span_id, cost_usd, entry_id, expense_account_id,"
    " payable_account_id, revision"
)
CALL_COLUMNS = (
    "trace_id, span_id, started_at, ended_at, problem, dialect, confidence, operation, provider, model, rate_provider,"
    " rate_model, service_tier, layer, layer_source, use, use_source, conversation_id, user_id, service, leaves,"
    " total_input_tokens, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,"
    " claimed_cost_usd, response_id, keys, strength"
)
CONTROL_COLUMNS = "trace_id, span_id, started_at, name, dialect, input_tokens, output_tokens, cost_usd"

NULL = "\\N"
_HEAD_LENGTH = len("\\\\x" + 32 * "0" + "\t\\\\x" + 16 * "0" + "\t1970-01-01 00:00:00.000000+00")
TIME_FROM = _HEAD_LENGTH - len("1970-01-01 00:00:00.000000+00")
"""Where in a head the time begins."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_UNESCAPES = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}
_COLUMNS_OF_KIND = ("fresh", "cache_read", "cache_write", "plain", "reasoning")


def ready(record: NewRecord, call: NewCall | None = None, control: NewControl | None = None) -> ReadyRecord:
    """A record with what was read from it, its lines written."""
    key = f"\\\\x{record.trace_id.hex()}\t\\\\x{record.span_id.hex()}\t{at(record.started_us)}"
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
        _record_line(record, key),
        None if call is None else _ready_call(record, call, key),
        None if control is None else _control_line(record, control, key),
    )


def head_of(record: ReadyRecord) -> str:
    """Trace, span and time of a record, as the first columns of its lines hold them (they are of a fixed length)."""
    return record.line[:_HEAD_LENGTH].decode()


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


def columns(line: bytes) -> list[str | None]:
    """The columns of a line as texts again; for the rare record that is kept apart."""
    return [None if column == NULL else _unescaped(column) for column in line.decode().rstrip("\n").split("\t")]


def _unescaped(column: str) -> str:
    if "\\" not in column:
        return column
    parts: list[str] = []
    position = 0
    while position < len(column):
        pair = column[position : position + 2]
        known = _UNESCAPES.get(pair)
        parts.append(pair[:1] if known is None else known)
        position += 1 if known is None else 2
    return "".join(parts)


def _record_line(record: NewRecord, key: str) -> bytes:
    parent = NULL if record.parent_span_id is None else "\\\\x" + record.parent_span_id.hex()
    return (
        f"{key}\t{at(record.ended_us)}\t{parent}\t{record.signal}\t{record.role}\t{text(record.name)}\t"
        f"{record.kind}\t{record.status_code}\t{text(record.status_message)}\t"
        f"{texts(record.service, record.scope_name, record.scope_version)}\t{record.resource_id}\t"
        f"{texts(record.agent, record.task_class, record.layer, record.use)}\t{text(record.attributes_json)}\t"
        f"{text(record.events_json)}\t{text(record.links_json)}\t\\\\x{record.content_hash.hex()}\n"
    ).encode()


def _ready_call(record: NewRecord, call: NewCall, key: str) -> ReadyCall:
    sums = _by_kind(call.leaves)
    by_kind = "\t".join([str(sums[kind]) if kind in sums else NULL for kind in _COLUMNS_OF_KIND])
    leaves = text(orjson.dumps(call.leaves).decode())
    line = (
        f"{key}\t{at(record.ended_us)}\t{text(call.problem)}\t{call.dialect}\t{call.confidence}\t"
        f"{texts(call.operation, call.provider, call.model, call.rate_provider, call.rate_model, call.service_tier)}\t"
        f"{text(call.layer)}\t{call.layer_source}\t{text(call.use)}\t{call.use_source}\t"
        f"{text(call.conversation_id)}\t{text(call.user_id)}\t{text(record.service)}\t{leaves}\t"
        f"{_number(call.total_input_tokens)}\t{by_kind}\t{_number(call.claimed_cost_usd)}\t{text(call.response_id)}\t"
        f"{text(text_array(call.keys)) if call.keys else '{}'}\t{call.strength}\n"
    ).encode()
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
        line,
    )


def _control_line(record: NewRecord, control: NewControl, key: str) -> bytes:
    return (
        f"{key}\t{text(record.name)}\t{control.dialect}\t{_number(control.input_tokens)}\t{_number(control.output_tokens)}\t"
        f"{_number(control.cost_usd)}\n"
    ).encode()


def _number(value: object) -> str:
    return NULL if value is None else str(value)


def _by_kind(leaves: Mapping[str, int]) -> dict[str, int]:
    """Tokens by kind, over modalities and cache lifetimes; a kind of which nothing is reported is absent."""
    sums: dict[str, int] = {}
    for leaf, quantity in leaves.items():
        kind = COMMODITY_BY_NAME[leaf].kind
        sums[kind] = sums.get(kind, 0) + quantity
    return sums


def text_array(texts: Iterable[str]) -> str:
    """Texts as PostgreSQL writes an array of them."""
    escaped = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in escaped) + "}"


@lru_cache(maxsize=8192)
def texts(*values: str | None) -> str:
    """Several columns at once, of names that few combinations occur of."""
    return "\t".join([text(value) for value in values])


@lru_cache(maxsize=8192)
def _second(second: int) -> str:
    """A whole second; records of one export share most of theirs."""
    return (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%d %H:%M:%S")
