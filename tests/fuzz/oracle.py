"""What must hold of anything that was read, whatever it was: written naively and apart from the code that it judges.

Each check raises `Broken` and says what it found.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NoReturn

from collector.dialects import dialects
from collector.record import Reading, Record
from ledger.arrivals import Arrivals, NewCall, NewControl, NewPoint, NewRecord
from ledger.commodities import COMMODITY_BY_NAME

COUNT_MAX = 10**12
SUM_MAX = 100 * COUNT_MAX
"""No call adds up more than a few dozen counts."""
CLAIM_MAX = Decimal(10**9)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = frozenset("0123456789")
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}


class Broken(Exception):
    """Something that must hold does not."""


def count_of(value: object) -> int | None:
    """The count that a value is; None when it is not one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        value = int(text) if text and set(text) <= _DIGITS and len(text) <= 13 else None
    if isinstance(value, float):
        value = int(value) if math.isfinite(value) and value % 1 == 0 else None
    return value if isinstance(value, int) and 0 <= value <= COUNT_MAX else None


def check_reading(record: Record, reading: Reading) -> None:
    """A call has leaves or a problem; a count that is none leaves no leaves."""
    _hold((reading.role == "call") == (reading.call is not None), "a call without its role", reading)
    _hold((reading.role == "control") == (reading.control is not None), "a total without its role", reading)
    call = reading.call
    if call is None:
        return
    _hold((call.problem is None) == bool(call.leaves), "neither or both of leaves and a problem", call)
    check_leaves(call.leaves)
    unread = unreadable_counts(record, reading)
    _hold(not unread or call.problem is not None, f"booked although {unread} cannot be read", call)


_TABLES: dict[str, Mapping[str, Any]] = {dialect.NAME: getattr(dialect, "COUNTS", {}) for dialect in dialects()}
# Where counts may come from somewhere else than the record's own attributes, these are not all that was read.
_ATTACHED = frozenset({
    "metadata.usage_object",
    "gcp.vertex.agent.llm_response", "ai.response.providerMetadata", "langfuse.observation.usage_details",
    "output.value", "response_data",
})  # fmt: skip


def unreadable_counts(record: Record, reading: Reading) -> list[str]:
    """Names of a record's own counts that are there and are no counts, in its dialect; none where an answer is attached."""
    if not (_ATTACHED.isdisjoint(record.attributes) and _ATTACHED.isdisjoint(record.content)):
        return []
    table = _TABLES.get(reading.dialect) or _TABLES["otel_genai"]
    if reading.dialect == "beeai":
        table = _TABLES["openinference"]
    if reading.dialect == "raw" or (reading.dialect == "langfuse" and "langfuse.observation.type" not in record.attributes):
        return []
    if reading.dialect in ("codex", "vercel_ai", "langfuse"):  # they fall back to OTel's names: only what both read is certain
        table = {name: place for name, place in table.items() if name in _TABLES["otel_genai"]}
    own = record.attributes
    return sorted(name for name in table if own.get(name) is not None and count_of(own[name]) is None)


def check_leaves(leaves: Mapping[str, int]) -> None:
    """Known commodities, and whole numbers that are neither negative nor beyond sense."""
    for name, quantity in leaves.items():
        _hold(name in COMMODITY_BY_NAME, "a leaf of no commodity", name)
        _hold(type(quantity) is int and 0 <= quantity <= SUM_MAX, f"a leaf {name} that is no count", quantity)


def check_arrivals(groups: Iterable[Arrivals], records: int, points: int, problems: int) -> None:
    """Everything that was taken in is there once, can be stored, and says what it should."""
    found = list(groups)
    _hold(sum(len(group.records) for group in found) == records, "records lost or made up", records)
    _hold(sum(len(group.points) for group in found) == points, "points lost or made up", points)
    _hold(sum(len(group.rejections) for group in found) == problems, "refusals lost or made up", problems)
    _hold(sum(group.requests for group in found) == 1, "not one request", [group.requests for group in found])
    for group in found:
        _check_text(group.tenant, "a tenant")
        keys = {(record.trace_id, record.span_id) for record in group.records}
        _hold(keys >= group.calls.keys() | group.controls.keys(), "a call of no record", group.calls.keys() - keys)
        for record in group.records:
            check_record(record)
            _hold(record.resource_id in group.resources, "a record of no resource", record.resource_id)
        for call in group.calls.values():
            check_call(call)
        for control in group.controls.values():
            check_control(control)
        for point in group.points:
            check_point(point)
        for resource in group.resources.values():
            _check_json(resource)
        for rejection in group.rejections:
            _check_text(rejection.detail, "a refusal")


def check_call(call: NewCall) -> None:
    """What is staged of a call can be booked, or says why not."""
    check_leaves(call.leaves)
    _hold(bool(call.leaves) == (call.problem is None), "neither or both of leaves and a problem", call)
    _hold(call.total_input_tokens is None or 0 <= call.total_input_tokens <= SUM_MAX, "an input that is no count", call)
    _check_claim(call.claimed_cost_usd)
    for text in (
        call.operation, call.provider, call.model, call.rate_provider, call.rate_model, call.service_tier, call.layer, call.use,
        call.conversation_id, call.user_id, call.response_id, call.problem, *call.keys,
    ):  # fmt: skip
        _check_text(text, "of a call")


def check_control(control: NewControl) -> None:
    """A parent's totals are counts, or unknown."""
    for total in (control.input_tokens, control.output_tokens):
        _hold(total is None or (type(total) is int and 0 <= total <= SUM_MAX), "a total that is no count", control)
    _check_claim(control.cost_usd)


def check_point(point: NewPoint) -> None:
    """A data point has a finite number or a detail, and text that can be stored."""
    _hold(point.value is None or math.isfinite(point.value), "a point that is no number", point)
    _hold((point.value is None) != (point.detail_json is None), "neither or both of a value and a detail", point)
    _check_text(point.name, "a metric's name")
    _check_text(point.unit, "a metric's unit")
    _check_json(point.attributes_json)
    if point.detail_json is not None:
        _check_json(point.detail_json)


def check_record(record: NewRecord) -> None:
    """The record's line for COPY reads back as the record."""
    _hold(len(record.trace_id) == 16 and len(record.span_id) == 8 and any(record.trace_id), "ids that are none", record)
    _hold(0 <= record.started_us <= record.ended_us, "an end before its start", record)
    values = copy_values(record.line)
    wanted = [
        record.trace_id, record.span_id, record.started_us, record.ended_us, record.parent_span_id, record.signal, record.role,
        record.name, record.kind, record.status_code, record.status_message, record.service, record.scope_name,
        record.scope_version, record.resource_id, record.agent, record.task_class, record.layer, record.use,
        record.attributes_json, record.events_json, record.links_json, record.content_hash,
    ]  # fmt: skip
    found = [_as(type(want), text) for want, text in zip(wanted, values, strict=False)]
    found[2:4] = [_microseconds(values[2]), _microseconds(values[3])]
    _hold(len(values) == len(wanted) and found == wanted, "a line that is another record", (found, wanted))
    for text in values:
        _check_text(text, "of a record")
    for document in (record.attributes_json, record.events_json, record.links_json):
        if document is not None:
            _check_json(document)


def copy_values(line: str) -> list[str | None]:
    """The values of a line in COPY's text format, as PostgreSQL's documentation has it. Raises: Broken."""
    values: list[str | None] = []
    for field in line.split("\t"):
        if field == "\\N":
            values.append(None)
            continue
        _hold("\n" not in field and "\r" not in field, "a line break inside a line", field)
        before, *escaped = field.split("\\")
        text, parts = before, iter(escaped)
        for part in parts:
            if part == "":  # a backslash that is escaped, and what follows it as it is
                following = next(parts, None)
                if following is None:
                    broken("an escape that breaks off", field)
                text += "\\" + following
                continue
            _hold(part[0] in _ESCAPED, "an escape that is none", field)
            text += _ESCAPED[part[0]] + part[1:]
        values.append(text)
    return values


def _as(kind: type, text: str | None) -> object:
    if text is None or kind is type(None):
        return text
    if kind is bytes:
        return bytes.fromhex(text.removeprefix("\\x"))
    return int(text) if kind is int and text.isdigit() else text


def _microseconds(text: str | None) -> int:
    _hold(text is not None and text.endswith("+00"), "a time without its zone", text)
    return (datetime.fromisoformat(f"{text}:00") - _EPOCH) // timedelta(microseconds=1)


def _check_claim(claim: Decimal | None) -> None:
    _hold(claim is None or (claim.is_finite() and 0 <= claim <= CLAIM_MAX), "a claim that is no amount", claim)
    _hold(claim is None or len(format(claim, "f")) < 60, "a claim of endless digits", claim)


def _check_text(text: str | None, what: str) -> None:
    if text is None:
        return
    _hold("\0" not in text, f"NUL in a text {what}", text[:200])
    try:
        text.encode()
    except UnicodeEncodeError:
        broken(f"half a character in a text {what}", text[:200])


def _check_json(document: str) -> None:
    _check_text(document, "of JSON")
    _hold("\\u0000" not in document.replace("\\\\", ""), "NUL in JSON", document[:200])
    json.loads(document, parse_constant=lambda name: broken("no JSON number", name))


def _hold(condition: bool, what: str, found: object) -> None:
    if not condition:
        broken(what, found)


def broken(what: str, found: object) -> NoReturn:
    raise Broken(f"{what}: {found!r:.800}")
