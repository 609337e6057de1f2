"""What will be emitted: planned spans and events, and the book of what was really sold.

Times are seconds since the period's start; ids are given here, so that the truth knows them before anything is emitted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Literal, TypeAlias

from economy.cache import Tokens
from economy.parameters import MODELS

Value: TypeAlias = str | bool | int | float | Sequence[str] | Sequence[float]
Attributes: TypeAlias = dict[str, Value]
SpanKind: TypeAlias = Literal["internal", "client", "server"]


@dataclass(slots=True)
class PlannedSpan:
    """A span that will be started and ended at simulated times. `parent_service` tells a remote parent from a local one."""

    service: str
    tenant: str
    name: str
    kind: SpanKind
    trace_id: int
    span_id: int
    parent_id: int | None
    parent_service: str | None
    start_s: float
    end_s: float
    attributes: Attributes
    links: tuple[tuple[int, int], ...] = ()
    error: str | None = None


@dataclass(slots=True)
class PlannedEvent:
    """An OpenTelemetry event (a named log record) in the context of a span."""

    service: str
    tenant: str
    name: str
    at_s: float
    trace_id: int
    span_id: int
    severe: bool
    attributes: Attributes


@dataclass(frozen=True)
class GatewayCopy:
    """A call reported twice: by the client and by a gateway, under one response id."""

    tenant: str
    response_id: str
    span_id: int
    copy_span_id: int
    same_trace: bool


@dataclass(frozen=True)
class WrongTotal:
    """An agent span whose stated totals differ from the sum of its leaves."""

    tenant: str
    trace_id: int
    span_id: int
    stated_input_tokens: int
    actual_input_tokens: int


@dataclass
class Recorder:
    """Collects the plan of everything that is emitted, and counts what was sold.

    `starts_at` is the wall time of second 0. `sold` counts calls and disjoint token leaves per (tenant, model).
    """

    starts_at: datetime
    rng: Random
    spans: list[PlannedSpan] = field(default_factory=list)
    events: list[PlannedEvent] = field(default_factory=list)
    sold: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    copies: list[GatewayCopy] = field(default_factory=list)
    wrong_totals: list[WrongTotal] = field(default_factory=list)

    def new_trace_id(self) -> int:
        """A random non-zero 128-bit id."""
        return self.rng.getrandbits(128) or 1

    def new_span_id(self) -> int:
        """A random non-zero 64-bit id."""
        return self.rng.getrandbits(64) or 1

    def when(self, at_s: float) -> str:
        """The wall time of a simulated second, ISO 8601 in UTC."""
        return datetime.fromtimestamp(self.starts_at.timestamp() + at_s, tz=UTC).isoformat(timespec="seconds")

    def sell(self, tenant: str, model: str, tokens: Tokens) -> None:
        """Count one call and its leaves; each call once, however often it is reported."""
        self.sold[(tenant, model, "calls")] += 1
        for leaf, count in leaves(tokens).items():
            self.sold[(tenant, model, leaf)] += count

    def fork(self) -> Recorder:
        """An empty recorder on the same clock and the same ids, for something that may yet be discarded."""
        return Recorder(self.starts_at, self.rng)

    def absorb(self, other: Recorder) -> None:
        """Take over everything another recorder collected."""
        self.spans += other.spans
        self.events += other.events
        self.sold.update(other.sold)
        self.copies += other.copies
        self.wrong_totals += other.wrong_totals


def leaves(tokens: Tokens) -> dict[str, int]:
    """The disjoint whole token counts of a call, by kind."""
    return {
        "input_tokens": int(tokens.fresh),
        "cache_read_tokens": int(tokens.cache_read),
        "cache_write_tokens": int(tokens.cache_write),
        "output_tokens": int(tokens.output),
        "reasoning_tokens": int(tokens.reasoning),
    }


def sold_cost_usd(model: str, counts: Mapping[str, int]) -> Decimal | None:
    """Exact cash cost of counted leaves; None for a model without price."""
    price = MODELS[model]
    if price.input is None or price.output is None:
        return None
    read = price.cache_read if price.cache_read is not None else price.input
    write = price.cache_write if price.cache_write is not None else price.input
    total = (
        counts.get("input_tokens", 0) * price.input
        + counts.get("cache_read_tokens", 0) * read
        + counts.get("cache_write_tokens", 0) * write
        + (counts.get("output_tokens", 0) + counts.get("reasoning_tokens", 0)) * price.output
    )
    return total / 1_000_000


def usage_attributes(tokens: Tokens) -> Attributes:
    """Usage in the GenAI conventions: totals with caches and reasoning inside; parts only where there are any."""
    usage: Attributes = {
        "gen_ai.usage.input_tokens": int(tokens.input),
        "gen_ai.usage.output_tokens": int(tokens.whole_output),
    }
    if tokens.cache_read:
        usage["gen_ai.usage.cache_read.input_tokens"] = int(tokens.cache_read)
    if tokens.cache_write:
        usage["gen_ai.usage.cache_write.input_tokens"] = int(tokens.cache_write)
    if tokens.reasoning:
        usage["gen_ai.usage.reasoning.output_tokens"] = int(tokens.reasoning)
    return usage
