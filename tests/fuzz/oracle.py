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

from collector.content import CONTENT_KEPT, holds_content
from collector.dialects import dialects
from collector.record import Reading, Record
from collector.stage import grouped
from ledger.arrivals import Arrivals, NewPoint, ReadyCall, ReadyRecord
from ledger.commodities import COMMODITY_BY_NAME
from ledger.copy_binary import CALL_COLUMNS, KEPT_TEXT_COLUMNS, RECORD_COLUMNS, columns_of
from ledger.copy_text import CONTROL_COLUMNS

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


Read = tuple[Record, Reading]


def check_arrivals(groups: Iterable[Arrivals], read: list[Read], points: int, problems: int) -> None:
    """Everything that was taken in is there once, can be stored, and says what it should."""
    found = list(groups)
    _hold(sum(len(group.records) for group in found) == len(read), "records lost or made up", len(read))
    _hold(sum(len(group.points) for group in found) == points, "points lost or made up", points)
    _hold(sum(len(group.rejections) for group in found) == problems, "refusals lost or made up", problems)
    _hold(sum(group.requests for group in found) == 1, "not one request", [group.requests for group in found])
    of_key: dict[tuple[bytes, bytes], list[Read]] = {}
    for record, reading in read:
        of_key.setdefault((record.trace_id, record.span_id), []).append((record, reading))
    for group in found:
        _check_text(group.tenant, "a tenant")
        for record in group.records:
            check_record(record, of_key.get((record.trace_id, record.span_id), []), group.resources)
        for point in group.points:
            check_point(point)
        for resource in group.resources.values():
            _check_json(resource)
        for rejection in group.rejections:
            _check_text(rejection.detail, "a refusal")


def check_record(ready: ReadyRecord, read: list[Read], resources: Mapping[str, str]) -> None:
    """The record's lines for COPY read back as what was read of a record with its key."""
    _hold(len(ready.trace_id) == 16 and len(ready.span_id) == 8 and any(ready.trace_id), "ids that are none", ready)
    _hold(0 <= ready.started_us <= ready.ended_us, "an end before its start", ready)
    row = columns_of(ready.row, RECORD_COLUMNS)
    _check_head(row, ready)
    _hold(row["resource_id"] in resources, "a record of no resource", row)
    for column in ("attributes", "events", "links"):
        if (document := row[column]) is not None:
            _check_json(document)
    shown = tuple(row[column] for column in _SHOWN)
    same = [one for one in read if _shown(*one) == shown and one[0].content_hash == ready.content_hash]
    _hold(bool(same), "a line of no record that was read", (row, [_shown(*one) for one in read]))
    record, reading = same[0]
    stored: dict[str, Any] = json.loads(row["attributes"] or "null")
    _hold(stored.keys() - {"log.body"} == record.attributes.keys() - {"log.body"}, "other attributes", stored)
    _check_kept_text(ready, record)
    _hold((ready.call is None) == (reading.call is None), "a call lost or made up", ready)
    if ready.call is not None:
        check_call(ready.call, ready)
    _hold((ready.control_line is None) == (reading.control is None), "a total lost or made up", ready)
    if ready.control_line is not None:
        control = row_of(ready.control_line, CONTROL_COLUMNS)
        _check_counts(control, ("input_tokens", "output_tokens"))
        _check_claim(control["cost_usd"])


def _check_kept_text(ready: ReadyRecord, record: Record) -> None:
    """Text is stored where it is kept, beside the attributes and not among them."""
    _hold((ready.text_row is None) == (record.text is None), "text lost or made up", ready)
    _hold((CONTENT_KEPT in record.attributes) == (record.text is not None), "text that is not told of", record.attributes)
    _hold(not any(map(holds_content, record.attributes.keys() - {CONTENT_KEPT})), "content among attributes", record.attributes)
    if ready.text_row is None or record.text is None:
        return
    row = columns_of(ready.text_row, KEPT_TEXT_COLUMNS)
    times = (_microseconds(row["started_at"]), row["trace_id"], row["span_id"])
    _hold(times == (ready.started_us, f"\\x{ready.trace_id.hex()}", f"\\x{ready.span_id.hex()}"), "text of another record", row)
    for column in ("attributes", "events", "body"):
        if (document := row[column]) is not None:
            _check_json(document)
    _hold(any(row[column] is not None for column in ("attributes", "events", "body")), "text that is none", row)
    _hold(json.loads(row["attributes"] or "{}").keys() == record.text.attributes.keys(), "other text", row)


_SHOWN = (
    "signal", "role", "name", "kind", "status_code", "status_message", "service", "scope_name", "scope_version", "agent",
    "task_class", "layer", "use",
)  # fmt: skip


def _shown(record: Record, reading: Reading) -> tuple[str | None, ...]:
    scope = record.scope
    return (
        record.signal, reading.role, record.name[:2000], str(record.kind), str(record.status_code), record.status_message or None,
        grouped(record.resource.service), scope.name or None, scope.version or None, grouped(reading.agent),
        grouped(reading.task_class), reading.layer, reading.use,
    )  # fmt: skip


def _check_head(row: Mapping[str, str | None], ready: ReadyRecord) -> None:
    ids = [f"\\x{ready.trace_id.hex()}", f"\\x{ready.span_id.hex()}"]
    _hold([row["trace_id"], row["span_id"]] == ids, "a line of another record", (row, ready))
    times = [_microseconds(row["started_at"]), _microseconds(row["ended_at"])]
    _hold(times == [ready.started_us, ready.ended_us], "a line of another time", (row, ready))


def check_call(call: ReadyCall, ready: ReadyRecord) -> None:
    """What is staged of a call can be booked, or says why not."""
    check_leaves(call.leaves)
    _hold(bool(call.leaves) == (call.problem is None), "neither or both of leaves and a problem", call)
    row = columns_of(call.row, CALL_COLUMNS)
    _check_head(row, ready)
    _hold(json.loads(row["leaves"] or "null") == call.leaves, "a line with other leaves", row)
    told = (row["problem"], row["provider"], row["model"], row["response_id"], row["strength"])
    _hold(told == (call.problem, call.provider, call.model, call.response_id, str(call.strength)), "another call's line", row)
    counts = (
        "total_input_tokens",
        "input_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "output_tokens",
        "reasoning_tokens",
    )
    _check_counts(row, counts)
    known = [int(row[name] or 0) for name in counts[1:]]
    tokens = [quantity for name, quantity in call.leaves.items() if COMMODITY_BY_NAME[name].unit == "token"]
    _hold(sum(known) == sum(tokens), "columns that do not add up to the leaves", row)
    _check_claim(row["claimed_cost_usd"])
    for key in call.keys:
        _check_text(key, "of a key")


def _check_counts(row: Mapping[str, str | None], columns: Iterable[str]) -> None:
    for column in columns:
        value = row[column]
        _hold(value is None or (set(value) <= _DIGITS and int(value) <= SUM_MAX), f"a {column} that is no count", row)


def check_point(point: NewPoint) -> None:
    """A data point has a finite number or a detail, and text that can be stored."""
    _hold(point.value is None or math.isfinite(point.value), "a point that is no number", point)
    _hold((point.value is None) != (point.detail_json is None), "neither or both of a value and a detail", point)
    _check_text(point.name, "a metric's name")
    _check_text(point.unit, "a metric's unit")
    _check_json(point.attributes_json)
    if point.detail_json is not None:
        _check_json(point.detail_json)


def row_of(line: bytes, columns: str) -> dict[str, str | None]:
    """The values of a line by the names of its columns. Raises: Broken when it is not one line of these."""
    text = line.decode()
    _hold(text.endswith("\n"), "a line without its end", text)
    values = copy_values(text[:-1])
    names = columns.split(", ")
    _hold(len(values) == len(names), "a line of other columns", (names, values))
    for value in values:
        _check_text(value, "of a line")
    return dict(zip(names, values, strict=True))


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


def _microseconds(text: str | None) -> int:
    _hold(text is not None and text.endswith("+00"), "a time without its zone", text)
    return (datetime.fromisoformat(f"{text}:00") - _EPOCH) // timedelta(microseconds=1)


def _check_claim(claim: str | None) -> None:
    amount = Decimal(claim or "0")
    _hold(amount.is_finite() and 0 <= amount <= CLAIM_MAX, "a claim that is no amount", claim)


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
