"""Rows in PostgreSQL's text format for COPY, made before the row's transaction has begun.

What is made here, in the process that reads exports, need not be made in the one that posts while it holds the tenants' locks.
A control total's line wants only its tenant in front; a call's also what posting decides (`CALL_DECIDED`).
Source: PostgreSQL's documentation of COPY, "Text Format".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import orjson

from ledger.arrivals import NewCall, NewControl, NewRecord, ReadyCall
from ledger.commodities import COMMODITY_BY_NAME

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
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_COLUMNS_OF_KIND = ("fresh", "cache_read", "cache_write", "plain", "reasoning")


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


def ready_call(record: NewRecord, call: NewCall) -> ReadyCall:
    """A call that a record reports, its line written."""
    key = _key(record)
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
