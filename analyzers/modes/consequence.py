"""What of a place's loss is a consequence of a crowded engine, and is counted there.

A place may lose because its option waits: where the engine that answers is crowded by somebody, another model looks better, and
is, while that lasts. But what is to be mended is the crowd. So the part of the loss that is waiting for those who are found to be
in the way is told apart: the seconds that the replay of the engine says each task waited for them, at its λ, less what tasks with
the better option waited. It is at most what the appraisal says latency has to do with the loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import psycopg

from analyzers.modes import wording
from analyzers.modes.appraised import SQL
from analyzers.modes.congestion.external import MODEL_ERROR
from analyzers.modes.look import Day, Look, Term
from analyzers.modes.standing_regret import Part, Standing

_Z = 1.959963984540054
_LATENCY = "λ·ΔL"


@dataclass(frozen=True, slots=True)
class Waits:
    """Decisions of one segment that chose one option (its place in the menu): how many, and what their tasks waited for others at
    engines that are found to be crowded, in USD at their λ."""

    comparison: int
    segment: int
    option: int
    is_explored: bool
    n: int
    usd: float
    engines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Consequence:
    """USD a day of a place's loss that are waiting for others, and at which engines."""

    usd_per_day: float
    engines: tuple[str, ...]


def consequence(place: Standing, waits: Sequence[Waits]) -> Consequence | None:
    """The part of a place's loss since its onset that is a consequence of crowded engines; None where there is none."""
    latency = next((term.usd_per_day for term in place.terms if term.name == _LATENCY), None)
    if latency is None or latency >= 0 or place.usd_per_day is None:
        return None
    usd = sum(_longer(part, waits) for part in place.counted)
    usd_per_day = min(usd / place.spread_days, -latency)
    if usd_per_day <= 0:
        return None
    comparisons = {part.comparison for part in place.counted}
    engines = {engine for each in waits if each.comparison in comparisons for engine in each.engines}
    return Consequence(usd_per_day, tuple(sorted(engines)))


def _longer(part: Part, waits: Sequence[Waits]) -> float:
    """By what a segment's decisions waited longer for others than if they had chosen what is better, in USD."""
    mine = [each for each in waits if (each.comparison, each.segment) == (part.comparison, part.segment) and not each.is_explored]
    best = part.options.index(part.best) if part.best in part.options else -1
    others = [each for each in waits if each.comparison == part.comparison and each.option == best]
    n_best = sum(each.n for each in others)
    if not n_best:
        return 0.0
    return sum(each.usd for each in mine) - sum(each.n for each in mine) * sum(each.usd for each in others) / n_best


def read_waits(connection: psycopg.Connection, tenant_id: int, place: Standing, subject: str | None) -> list[Waits]:
    """What decisions of a place's comparisons waited since its onset."""
    wanted = {
        "tenant_id": tenant_id, "since": place.since, "until": place.until, "subject": subject,
        "comparisons": sorted({part.comparison for part in place.counted}),
    }  # fmt: skip
    rows = connection.execute(SQL["waits_of_options"], wanted).fetchall()
    return [
        Waits(comparison, segment, option, is_explored, n, usd, tuple(engines))
        for comparison, segment, option, is_explored, n, usd, engines in rows
    ]


def without(look: Look, of: Consequence) -> Look:
    """The look with what is lost beside its consequence, which is named; a place that loses nothing else is no discovery."""
    value, low, high = look.usd_per_day, look.low, look.high
    if value is None or low is None or high is None:
        return look
    error = _Z * MODEL_ERROR * of.usd_per_day
    rest = value - of.usd_per_day
    least, most = rest - math.hypot(value - low, error), rest + math.hypot(high - value, error)
    share = max(0.0, rest / value) if value > 0 else 0.0
    engines = wording.listed(of.engines)
    sentence = (
        f"{look.sentence} {wording.usd(min(of.usd_per_day, value))} of these {wording.usd(value)} a day are waiting on {engines}"
        " for requests that crowd it, and are counted as serving congestion."
    )
    return replace(
        look,
        usd_per_day=rest,
        low=least,
        high=most,
        is_discovery=look.is_discovery and least > 0,
        sentence=sentence,
        change=look.change if least > 0 else f"Nothing here: mend the crowding of {engines} first.",
        terms=(*look.terms, Term(f"of {_LATENCY}, waiting for others on {engines}", of.usd_per_day)),
        weaknesses=(*look.weaknesses, f"what was waited on {engines} is an estimate of the replay of it"),
        days=tuple(_scaled(day, share) for day in look.days),
        detail={**look.detail, "consequence_of": {"mode": "serving_congestion", "engines": list(of.engines),
                                                  "usd_per_day": of.usd_per_day, "before_usd_per_day": value}},
    )  # fmt: skip


def _scaled(day: Day, share: float) -> Day:
    low, high = (None if limit is None else share * limit for limit in (day.low, day.high))
    return Day(day.day, share * day.usd, low, high)
