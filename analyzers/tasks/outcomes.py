"""What records say of how tasks went: explicit attributes, evaluations, test results, incidents. Pure: a record in, words out.

Read from OTel's GenAI conventions (`gen_ai.evaluation.result`, as an event of a log or of a span, or as a span of its own),
OTel's `test.*`, OpenInference's EVALUATOR spans, exit codes of verifying tools, `allocation.outcome` and `allocation.incident`.
A score that is no share of 1 is not made one: it is refused with the reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeAlias, cast

import msgspec

from ledger.outcomes import LOSS_MAX_USD, Outcome, Source, share

Attributes: TypeAlias = Mapping[str, Any]

EVALUATION = "gen_ai.evaluation.result"
INCIDENT = "allocation.incident"
OUTCOME = "allocation.outcome"
LOSS = "allocation.risk.loss_usd"
_SCORE, _LABEL, _NAME = "gen_ai.evaluation.score.value", "gen_ai.evaluation.score.label", "gen_ai.evaluation.name"
_EXIT_CODES = ("process.exit.code", "exit_code", "tool.exit_code")
_SUITE, _CASE = "test.suite.run.status", "test.case.result.status"
KEYS = (OUTCOME, _SCORE, _LABEL, _SUITE, _CASE, *_EXIT_CODES)
"""A record says something if it carries one of these, is an event or a span of these names, or an evaluator's span."""
NAMES = (EVALUATION, INCIDENT)

_LABELS = {
    **dict.fromkeys(("pass", "passed", "correct", "success", "yes", "true", "good", "positive"), 1.0),
    **dict.fromkeys(("fail", "failed", "incorrect", "failure", "no", "false", "bad", "negative"), 0.0),
}
_SUITE_QUALITY = {"success": 1.0, "failure": 0.0, "timed_out": 0.0, "aborted": 0.0}
_CASE_QUALITY = {"pass": 1.0, "fail": 0.0}
_NAME_LENGTH_MAX = 200
_TIME_MAX_NS = 7_258_118_400 * 10**9


class Evidence(msgspec.Struct, frozen=True):
    """A record that may say something of an outcome."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes | None
    signal: str
    name: str
    role: str
    use: str | None
    ended_at: datetime
    attributes: dict[str, Any]
    events: list[dict[str, Any]]
    links: list[dict[str, Any]]


class Refused(msgspec.Struct, frozen=True):
    """A word that cannot be taken, and why; kept where the operator sees it."""

    code: str
    detail: str


Words: TypeAlias = Generator[Outcome | Refused]


def read_outcomes(record: Evidence) -> list[Outcome | Refused]:
    """All that a record says of outcomes."""
    words = list(_of_record(record))
    for number, event in enumerate(record.events):
        words += _of_event(record, number, event)
    return words


def _of_record(record: Evidence) -> Words:
    attributes = record.attributes
    if record.name == INCIDENT:
        yield _incident(record, "record", attributes, record.ended_at)
    elif record.name == EVALUATION or _SCORE in attributes or _LABEL in attributes:
        yield from _evaluation(record, "record", attributes, _evaluated(record), record.ended_at)
    elif attributes.get("openinference.span.kind") == "EVALUATOR":
        yield from _evaluator(record)
    elif OUTCOME in attributes:
        span_id = record.span_id if record.signal == "span" else record.parent_span_id
        yield _quality(record, "record", "attribute", "outcome", attributes[OUTCOME], span_id, record.ended_at)
    yield from _tests(record)


def _of_event(record: Evidence, number: int, event: Mapping[str, Any]) -> Words:
    attributes = cast("Attributes", event.get("attributes") or {})
    if event.get("name") not in NAMES:
        return
    at_ns = event.get("at_ns")
    known = isinstance(at_ns, int) and 0 < at_ns <= _TIME_MAX_NS
    at = datetime.fromtimestamp(cast(int, at_ns) // 1000 / 1e6, UTC) if known else record.ended_at
    if event["name"] == INCIDENT:
        yield _incident(record, f"event {number}", attributes, at)
    else:
        yield from _evaluation(record, f"event {number}", attributes, record.span_id, at)


def _evaluated(record: Evidence) -> bytes | None:
    """The span that an evaluation is of: the one it was made inside of, else itself."""
    if record.signal == "log" or record.name == EVALUATION or record.name.lower().startswith("evaluat"):
        return record.parent_span_id
    return record.span_id


def _evaluation(record: Evidence, place: str, attributes: Attributes, span_id: bytes | None, at: datetime) -> Words:
    name = _text(attributes.get(_NAME)) or "evaluation"
    score = attributes.get(OUTCOME, attributes.get(_SCORE))
    label = _text(attributes.get(_LABEL))
    if score is None and label is None:
        error = _text(attributes.get("error.type"))
        why = f" ({error})" if error else ""
        yield Refused("outcome_unsaid", f"evaluation {name!r} of {_where(record)} has neither score nor label{why}")
        return
    if score is None:
        score = _LABELS.get((label or "").strip().lower())
        if score is None:
            yield Refused(
                "outcome_unread",
                f"evaluation {name!r} of {_where(record)}: label {label!r} is no yes or no; send a score in [0, 1]",
            )
            return
    response = _text(attributes.get("gen_ai.response.id"))
    is_lost = span_id is None and not record.links and record.signal == "log" and response is not None
    yield _quality(
        record, place, "evaluation", name, score, span_id, at, detail={"label": label} if label else {},
        response=response if is_lost else None,
    )  # fmt: skip


def _evaluator(record: Evidence) -> Words:
    """OpenInference's span of an evaluator: its result stands in the span's metadata."""
    said = _mapping(record.attributes.get("metadata"))
    score: Any = said.get("score", record.attributes.get("metadata.score"))
    label: Any = said.get("label", record.attributes.get("metadata.label"))
    if score is None and label is not None:
        score = _LABELS.get(str(label).strip().lower())
    if score is None:
        return  # an evaluator that tells its result as text only
    name = _text(said.get("evaluator_name")) or _text(record.attributes.get("metadata.evaluator_name")) or record.name
    yield _quality(record, "record", "score", name, score, record.parent_span_id, record.ended_at)


def _tests(record: Evidence) -> Words:
    attributes = record.attributes
    span_id = record.span_id if record.signal == "span" else record.parent_span_id
    suite, case = _text(attributes.get(_SUITE)), _text(attributes.get(_CASE))
    if suite is not None:
        if suite in _SUITE_QUALITY:
            name = _text(attributes.get("test.suite.name")) or "suite"
            yield _quality(record, "suite", "test", name, _SUITE_QUALITY[suite], span_id, record.ended_at, {"kind": "suite"})
    elif case is not None:
        if case in _CASE_QUALITY:
            name = _text(attributes.get("test.case.name")) or "case"
            yield _quality(record, "case", "test", name, _CASE_QUALITY[case], span_id, record.ended_at, {"kind": "case"})
    elif record.role == "tool" and record.use == "verify":
        code = next((number for key in _EXIT_CODES if (number := _number(attributes.get(key))) is not None), None)
        if code is not None:
            name = _text(attributes.get("gen_ai.tool.name")) or record.name
            detail: dict[str, Any] = {"kind": "exit_code", "exit_code": int(code)}
            yield _quality(record, "exit", "test", name, float(code == 0), span_id, record.ended_at, detail)


def _quality(
    record: Evidence, place: str, source: Source, name: str, score: object, span_id: bytes | None, at: datetime,
    detail: dict[str, Any] | None = None, response: str | None = None,
) -> Outcome | Refused:  # fmt: skip
    number = float(score) if isinstance(score, bool) else _number(score)
    said = f"{source} {name!r} of {_where(record)}"
    if number is None:
        return Refused("outcome_unread", f"{said}: {str(score)[:100]!r} is no number")
    if not 0 <= number <= 1:
        return Refused("outcome_out_of_range", f"{said}: {number:g} is not in [0, 1]; scale it before it is sent")
    trace_id, linked = _target(record)
    subject, subject_id = ("response", response) if response else ("trace", trace_id.hex())
    return Outcome(
        source, _key(record, place), subject, subject_id, linked or span_id, name[:_NAME_LENGTH_MAX], share(number), None, at,
        detail or {},
    )  # fmt: skip


def _incident(record: Evidence, place: str, attributes: Attributes, at: datetime) -> Outcome | Refused:
    loss = _number(attributes.get(LOSS))
    if loss is None or not 0 <= loss < LOSS_MAX_USD:
        said = attributes.get(LOSS)
        return Refused("loss_unread", f"incident of {_where(record)}: {LOSS} {str(said)[:100]!r} is no amount of USD")
    trace_id, linked = _target(record)
    span_id = linked or (record.parent_span_id if record.signal == "log" else record.span_id)
    detail = {key: attributes[key] for key in ("allocation.action.class",) if isinstance(attributes.get(key), str)}
    exact = round(Decimal(str(attributes[LOSS])), 12)
    return Outcome("incident", _key(record, place), "trace", trace_id.hex(), span_id, INCIDENT, None, exact, at, detail)


def _target(record: Evidence) -> tuple[bytes, bytes | None]:
    """Trace and span that a record speaks of: of a span that tells of another trace, what it links to; else its own trace."""
    if record.links and record.name in NAMES:
        linked = record.links[0]
        try:
            trace_id, span_id = bytes.fromhex(linked["trace_id"]), bytes.fromhex(linked["span_id"])
        except (KeyError, TypeError, ValueError):
            return record.trace_id, None
        if len(trace_id) == 16:
            return trace_id, span_id if len(span_id) == 8 and any(span_id) else None
    return record.trace_id, None


def _key(record: Evidence, place: str) -> str:
    return f"{record.trace_id.hex()}/{record.span_id.hex()}/{place}"


def _where(record: Evidence) -> str:
    return f"trace {record.trace_id.hex()}, record {record.span_id.hex()}"


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and len(value) > 40:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _mapping(value: object) -> Attributes:
    """A map, as it is or as the JSON of one; empty if it is neither."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return cast("Attributes", value) if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        value = cast("Sequence[object]", value)[0]
    return value if isinstance(value, str) and value else None
