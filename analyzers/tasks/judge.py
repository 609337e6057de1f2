"""What a trace comes to as a task. Pure: facts, outcomes, rules and prices in, a row out.

The same facts give the same row, whenever and however often it is judged; only when it is judged depends on time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TypeVar
from uuid import UUID

import msgspec

from analyzers.tasks.classes import ClassRules, Names
from analyzers.tasks.prices import ROOT_STATUS, PriceBook, Prices

ROOTLESS_FACTOR = 20
"""A trace whose root never came is waited for so many times as long."""
VALUE_MAX_USD = Decimal(10) ** 12
DEADLINE_MAX_S = 1e9
_STATUS_ERROR = 2
_Price = TypeVar("_Price", Decimal, float)
_PLACES = 12

# Evaluations of what is bad: the higher, the worse. They count where policy names them, and there is 1 bad.
_ADVERSE = (
    "toxic",
    "bias",
    "hallucinat",
    "harm",
    "hate",
    "violen",
    "profan",
    "refus",
    "risk",
    "leak",
    "jailbreak",
    "error",
    "fail",
)


class Facts(msgspec.Struct, frozen=True):
    """A trace as its records and calls tell it. Amounts in USD; None where nothing tells.

    `top`: of what its outermost records are: 0 roots, 1 spans whose parents never came, 2 spans that form a loop, 3 calls told by
    logs only, 4 other logs and spans that only tell of an outcome. `value` and `deadline` are as stated, in the text of JSON.
    """

    trace_id: bytes
    top: int
    root_span_id: bytes | None
    root_status: int
    agent_span_id: bytes | None
    started_at: datetime
    ended_at: datetime
    task_class: str | None
    agent: str | None
    root_name: str | None
    service: str | None
    operation: str | None
    tools: list[str]
    user: str | None
    conversation_id: str | None
    value: str | None
    deadline: str | None
    spans: int
    other_spans: int
    calls: int
    unpriced_calls: int
    copies: int
    cost_usd: Decimal
    risk_usd: Decimal | None
    unstated_risks: int
    bad_risks: int

    @property
    def is_task(self) -> bool:
        """Whether it is work of its own, and not merely the echo of another trace's calls, or lines of a log."""
        return self.calls > 0 or (self.top < 3 and not (self.copies > 0 and self.other_spans == 0))


class Said(msgspec.Struct, frozen=True):
    """An outcome of a trace, as it is in the books of outcomes."""

    outcome_id: UUID
    span_id: bytes | None
    source: str
    name: str
    quality: float | None
    loss_usd: Decimal | None
    occurred_at: datetime
    kind: str | None


class Task(msgspec.Struct, frozen=True):
    """A row of `pigou.task` but for when it was settled and its entry."""

    trace_id: bytes
    root_span_id: bytes | None
    started_at: datetime
    ended_at: datetime
    settled_by: str
    agent: str | None
    root_name: str | None
    conversation_id: str | None
    task_class: str | None
    class_source: str
    value_usd: Decimal | None
    value_source: str
    lambda_usd_per_s: Decimal | None
    rho: Decimal | None
    price_source: str
    deadline_s: float | None
    deadline_source: str
    quality: float | None
    outcome_source: str | None
    outcome_id: UUID | None
    cost_usd: Decimal | None
    latency_s: float
    late_s: float | None
    risk_usd: Decimal | None
    loss_usd: Decimal
    calls: int
    unpriced_calls: int
    spans: int
    problems: list[str]

    @property
    def content_hash(self) -> bytes:
        """Of all of it: equal hashes are equal rows."""
        return hashlib.blake2b(msgspec.msgpack.encode(msgspec.structs.astuple(self)), digest_size=16).digest()


def judge(facts: Facts, said: Sequence[Said], book: PriceBook, rules: ClassRules) -> Task:
    """The task that a trace is."""
    names = Names(facts.agent, facts.root_name, facts.service, facts.operation, tuple(facts.tools), facts.user)
    task_class, class_source = rules.class_of(facts.task_class, names)
    prices = book.prices_of(task_class, facts.started_at)
    problems: list[str] = []
    value, value_source = _stated(_value(facts.value, problems), prices.v_usd)
    deadline, deadline_source = _stated(_deadline(facts.deadline, problems), prices.deadline_s)
    if facts.bad_risks:
        problems.append(f"{facts.bad_risks} actions state a risk that is no probability in [0, 1] of a loss in USD")
    latency_s = (facts.ended_at - facts.started_at).total_seconds()
    quality, outcome_source, outcome_id = _quality(facts, said, prices)
    losses = [outcome.loss_usd for outcome in said if outcome.loss_usd is not None]
    risk = None if facts.unstated_risks or facts.bad_risks else facts.risk_usd or Decimal(0)
    by = "outcome" if outcome_id is not None or losses else "ended" if facts.top == 0 else "quiet"
    return Task(
        facts.trace_id, facts.root_span_id, facts.started_at, facts.ended_at, by, facts.agent, facts.root_name,
        facts.conversation_id, task_class, class_source, value, value_source, prices.lambda_usd_per_s, prices.rho, prices.source,
        deadline, deadline_source, quality, outcome_source, outcome_id, None if facts.unpriced_calls else facts.cost_usd,
        latency_s, None if deadline is None else max(0.0, latency_s - deadline), risk, sum(losses, Decimal(0)), facts.calls,
        facts.unpriced_calls, facts.spans, problems,
    )  # fmt: skip


def due_at(facts: Facts, said: Sequence[Said], seen_at: datetime, book: PriceBook, rules: ClassRules) -> datetime | None:
    """When a trace is settled if nothing more comes; None: at once, since its outcome is known."""
    if any(outcome.quality is not None or outcome.loss_usd is not None for outcome in said):
        return None
    names = Names(facts.agent, facts.root_name, facts.service, facts.operation, tuple(facts.tools), facts.user)
    task_class, _ = rules.class_of(facts.task_class, names)
    grace_s = book.prices_of(task_class, facts.started_at).grace_s
    return seen_at + timedelta(seconds=grace_s if facts.top == 0 else ROOTLESS_FACTOR * grace_s)


def _stated(explicit: _Price | None, policy: _Price | None) -> tuple[_Price | None, str]:
    if explicit is not None:
        return explicit, "explicit"
    return policy, "none" if policy is None else "policy"


def _value(text: str | None, problems: list[str]) -> Decimal | None:
    value = _exact(text)
    if text is not None and (value is None or not 0 <= value <= VALUE_MAX_USD):
        problems.append(f"allocation.task.value_usd {text[:60]!r} is no amount of USD")
        return None
    return value


def _deadline(text: str | None, problems: list[str]) -> float | None:
    deadline = _exact(text)
    if text is not None and (deadline is None or not 0 < deadline <= Decimal(DEADLINE_MAX_S)):
        problems.append(f"allocation.task.deadline_s {text[:60]!r} is no number of seconds")
        return None
    return None if deadline is None else float(deadline)


def _exact(text: str | None) -> Decimal | None:
    if text is None or len(text) > 60:
        return None
    try:
        number = Decimal(text.strip().strip('"'))
    except InvalidOperation:
        return None
    return round(number, _PLACES) if number.is_finite() and number.adjusted() < 16 else None


# ── quality ──────────────────────────────────────────────────────────────────────────────────────────


def _quality(facts: Facts, said: Sequence[Said], prices: Prices) -> tuple[float | None, str | None, UUID | None]:
    """Q, its source and its outcome: of the first source in the policy's order that says anything of the whole task."""
    for wanted in prices.outcome_sources:
        if wanted == ROOT_STATUS:
            if facts.root_span_id is not None and facts.top == 0:
                return (0.0 if facts.root_status == _STATUS_ERROR else 1.0), ROOT_STATUS, None
            continue
        source, _, name = wanted.partition(":")
        found = [
            outcome for outcome in said
            if outcome.source == source and outcome.quality is not None
            and (outcome.name == name if name else not _is_adverse(outcome)) and _is_of_task(outcome, facts)
        ]  # fmt: skip
        chosen = _test(found) if source == "test" else _latest(found)
        if chosen is not None:
            return chosen.quality, chosen.source, chosen.outcome_id
    return None, None, None


def _is_of_task(outcome: Said, facts: Facts) -> bool:
    """Whether it is of the whole: of its root or of its outermost agent, or a test, wherever it ran."""
    return outcome.source == "test" or outcome.span_id in (None, facts.root_span_id, facts.agent_span_id)


def _is_adverse(outcome: Said) -> bool:
    return outcome.source in ("evaluation", "score") and any(word in outcome.name.lower() for word in _ADVERSE)


def _latest(found: Iterable[Said]) -> Said | None:
    return max(found, key=lambda outcome: (outcome.occurred_at, outcome.outcome_id), default=None)


def _test(found: Sequence[Said]) -> Said | None:
    """The last run as a whole; where only cases are told, the worst of their last results."""
    whole = _latest(outcome for outcome in found if outcome.kind != "case")
    if whole is not None:
        return whole
    last: dict[str, Said] = {}
    for outcome in sorted(found, key=lambda outcome: (outcome.occurred_at, outcome.outcome_id)):
        last[outcome.name] = outcome
    return min(last.values(), key=lambda outcome: (outcome.quality or 0.0, outcome.outcome_id), default=None)
