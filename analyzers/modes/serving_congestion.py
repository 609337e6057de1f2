"""Serving congestion: whose requests delay those of others on a shared engine, and what the delay is worth to these (eq. 2, 9).

An engine serves many tenants, so it is fitted to all its spans; a finding stands with the tenant that causes the delay, and
names of other tenants are not in it: what it imposes on them is one sum. Who imposes how much on whom is
`ledger.externalities`, for operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg

from analyzers.effects.estimate import Bools, Floats, Ints
from analyzers.modes.appraised import decided
from analyzers.modes.congestion import external
from analyzers.modes.congestion.books import Group, Pressure, Seen, engines_of, pressure, read
from analyzers.modes.congestion.change import chances, change
from analyzers.modes.congestion.evidence import detail_of, unseen, weaknesses_of
from analyzers.modes.congestion.external import Imposed, Money, Replays
from analyzers.modes.congestion.fit import REQUESTS_MIN, fit
from analyzers.modes.congestion.timeline import blocks
from analyzers.modes.days import DAY_S, days_of
from analyzers.modes.look import Day, Example, Json, Look, LookAt, Place, Status, Term, Window
from analyzers.modes.wording import listed
from analyzers.modes.wording import usd as worded

INEQUALITY = "λ·ΔL imposed on others > price paid for it (eq. 2, 9)"
METHOD = "replay of the engine without the requests, fitted to its own spans"
_HOUR_S = 3_600.0
_MARGINALS_MAX = 300
_WORTH_A_LOOK_USD = 0.05  # a day; below, nobody asks since when, or what would help
_UNSEEN_MAX = 0.4
_UNLIKELY = 1e-3  # of an hour: that what it costs now began with it
_STEP_HOURS = 3  # at which coming later is tried; around the best of these every hour is
_REPLAYS_REQUESTS_MAX = 50_000  # above, no further hours are tried


@dataclass(frozen=True, slots=True)
class _Viewed:
    """An engine as it was seen in a window. `replays` None: it could not be fitted. `hidden`: share of what it served that has no
    spans."""

    seen: Seen
    replays: Replays | None
    hidden: float
    weaknesses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Marginals:
    """What some of a class's requests cost others, each by itself: their places, and USD; shapes (k,)."""

    places: Ints
    usd: Floats


@dataclass(frozen=True, slots=True)
class _Doubt:
    """What it costs a day since one of several hours, nobody knows which: one from the earliest to the latest with 95 %."""

    per_day: Money
    earliest_s: float
    latest_s: float


@dataclass(frozen=True, slots=True)
class _Culprit:
    """A tenant's class on an engine. `since_s` is where its present cost began, `mask` (n,) are its requests from then on.
    `days` are those that `per_day` divides by. `marginals` are of all its requests, None where they are not worth being asked
    for."""

    seen: Seen
    replays: Replays
    group: Group
    window: Window
    since_s: float
    mask: Bools
    imposed: Imposed
    usd: Money
    days: float
    per_day: Money
    marginals: _Marginals | None
    doubt: _Doubt | None


def look(connection: psycopg.Connection, tenant_id: int, window: Window) -> list[Look]:
    """What each class of a tenant's tasks imposes on others, on each engine that served it.

    Of an engine that only its metrics tell of, the pressure is said and nobody is accused. Reads only; seeded.
    """
    return looking()(connection, tenant_id, window)


def looking() -> LookAt:
    """`look` for one run over many tenants: each engine is read, fitted and replayed once for all that look at the same time."""
    known: dict[tuple[str, Window], _Viewed] = {}

    def look_at(connection: psycopg.Connection, tenant_id: int, window: Window) -> list[Look]:
        found: list[Look] = []
        engines = [each.engine for each in engines_of(connection, tenant_id, window)]
        for engine in engines:
            if (engine, window) not in known:
                known[engine, window] = _view(read(connection, engine, window))
            looks = _looks(known[engine, window], tenant_id, window)
            # What brought a request to the engine is the route of its task.
            found += [replace(each, examples=decided(connection, tenant_id, each.examples, "route")) for each in looks]
        if not engines:
            found += [_by_metrics(one, window) for one in pressure(connection, tenant_id, window)]
        return found

    return look_at


def _view(seen: Seen) -> _Viewed:
    engine = fit(seen.served, blocks(seen.served)) if len(seen.trace_id) >= REQUESTS_MIN else None
    if engine is None:
        return _Viewed(seen, None, 0.0, ())
    hidden = unseen(seen)
    if hidden > _UNSEEN_MAX:
        return _Viewed(seen, None, hidden, ())
    replays = Replays(seen.served, engine)
    return _Viewed(seen, replays, hidden, weaknesses_of(seen, replays.whole_s))


def _looks(viewed: _Viewed, tenant_id: int, window: Window) -> list[Look]:
    seen, replays = viewed.seen, viewed.replays
    own = [group for group in seen.groups if group.tenant_id == tenant_id]
    if viewed.hidden > _UNSEEN_MAX:
        why = f"{100 * viewed.hidden:.0f} % of what the engine says it served has no spans, as where only a sample is kept"
        return [_unknown(seen, group, window, "not_identified", why) for group in own]
    if replays is None:
        why = f"{len(seen.trace_id)} requests that tell their times and tokens, {REQUESTS_MIN} are needed"
        return [_unknown(seen, group, window, "not_enough_evidence", why) for group in own]
    looks: list[Look] = []
    for group in own:
        mask = seen.of(tenant_id, group.task_class)
        if not np.isfinite(seen.served.lam[~mask]).any():
            why = "nobody states what a second is worth to those who wait: `pigou policy` can"
            looks.append(_unknown(seen, group, window, "not_identified", why))
            continue
        imposed = replays.imposed(mask)
        culprit = _culprit(seen, replays, group, window, mask, imposed)
        looks.append(_look(culprit, imposed, viewed.weaknesses, len(own)))
    return looks


def _culprit(seen: Seen, replays: Replays, group: Group, window: Window, mask: Bools, whole: Imposed) -> _Culprit:
    """With the time since when it costs others what it costs them now."""
    since_s = _hour(float(seen.served.arrived_s[mask][0]))
    imposed, usd = whole, external.total(whole, seen.served.lam)
    usual = seen.served.arrived_s[mask]
    days = _days_since(seen, imposed, usual, since_s, window)
    if usd.value < _WORTH_A_LOOK_USD * days:
        return _Culprit(seen, replays, group, window, since_s, mask, imposed, usd, days, _divided(usd, days), None, None)
    some = _some(np.flatnonzero(mask), _MARGINALS_MAX)
    marginals = _Marginals(some, external.marginal(seen.served, replays.engine, some, replays)[1])
    hours, level = _levels(seen, marginals)
    place = change(level).place
    if place:
        since_s = float(hours[place])
        mask = mask & (seen.served.arrived_s >= since_s)
        imposed = replays.imposed(mask)
        usd = external.total(imposed, seen.served.lam)
        days = _days_since(seen, imposed, usual, since_s, window)
    per_day = _divided(usd, days)
    doubt = _doubt(seen, whole, usual, window, hours, chances(level))
    if doubt is not None:
        per_day = Money(per_day.value, min(per_day.low, doubt.per_day.low), max(per_day.high, doubt.per_day.high))
    return _Culprit(seen, replays, group, window, since_s, mask, imposed, usd, days, per_day, marginals, doubt)


def _levels(seen: Seen, of: _Marginals) -> tuple[Floats, Floats]:
    """The hours in which some requests came, as they begin, and what one of each hour cost others on average; shapes (h,)."""
    hours, inside = np.unique(np.floor(seen.served.arrived_s[of.places] / _HOUR_S), return_inverse=True)
    return hours * _HOUR_S, np.bincount(inside, of.usd) / np.bincount(inside)


def _doubt(seen: Seen, whole: Imposed, usual: Floats, window: Window, hours: Floats, likely: Floats) -> _Doubt | None:
    """What it costs a day since each hour with which that may have begun, by how likely these are; None where one alone is."""
    places = np.flatnonzero(likely >= _UNLIKELY)
    if len(places) < 2:
        return None
    arrived_s, lam = seen.served.arrived_s, seen.served.lam
    rates = [
        _divided(external.total(whole, np.where(arrived_s >= at_s, lam, np.nan)), _days_since(seen, whole, usual, at_s, window))
        for at_s in hours[places].tolist()
    ]
    first, last = np.searchsorted(np.cumsum(likely), (0.025, 0.975)).tolist()
    return _Doubt(external.mixed(rates, likely[places] / likely[places].sum()), float(hours[first]), float(hours[last]))


def _divided(sum_of: Money, days: float) -> Money:
    return Money(sum_of.value / days, sum_of.low / days, sum_of.high / days)


def _days_since(seen: Seen, imposed: Imposed, usual_s: Floats, since_s: float, window: Window) -> float:
    """The days since then that the delays of those who came since are spread over; `usual_s` are the times of all the culprit's
    requests."""
    came = seen.served.arrived_s >= since_s
    usd = np.maximum(imposed.delay_s * np.nan_to_num(seen.served.lam), 0.0)[came]
    usual = (usual_s, np.ones(len(usual_s)))
    return max(days_of(seen.served.arrived_s[came], usd, since_s, window.until.timestamp(), usual), 1 / 24)


def _hour(at_s: float) -> float:
    return at_s // _HOUR_S * _HOUR_S


def _some(places: Ints, most: int) -> Ints:
    """At most so many, evenly."""
    if len(places) <= most:
        return places
    return places[np.linspace(0, len(places) - 1, most).astype(np.int64)]


def _look(culprit: _Culprit, whole: Imposed, weaknesses: tuple[str, ...], tests: int) -> Look:
    seen, usd, per_day = culprit.seen, culprit.usd, culprit.per_day
    days = culprit.days
    late = seen.served.arrived_s >= culprit.since_s
    lam = np.where(late, seen.served.lam, np.nan)
    felt = external.is_felt(culprit.imposed, seen.served.latency_s, lam, tests)
    tasks = len({seen.trace_id[place] for place in np.flatnonzero(culprit.mask).tolist()})
    delay_s = float(culprit.imposed.delay_s.sum()) / days
    later = _later(culprit) if felt else []
    detail = (
        detail_of(seen, culprit.replays.engine, culprit.group, culprit.mask, culprit.imposed, days) if felt else dict[str, Json]()
    )
    detail["if_later"] = [{"hours": hours, "usd_per_day": left} for hours, left in later]
    detail["usd_per_task"] = usd.value / max(1, tasks)
    return Look(
        "serving_congestion", _place(seen, culprit.group), _at(culprit.since_s), culprit.window.until,
        int(culprit.mask.sum()), tasks, "appraised", per_day.value, per_day.low, per_day.high, felt,
        _sentence(culprit, per_day, delay_s, felt=felt),
        _change(culprit, later, usd.value / max(1, tasks), felt=felt), INEQUALITY, METHOD,
        terms=(
            Term("λ·ΔL imposed on others", per_day.value, per_day.low, per_day.high),
            Term("price paid for it", 0.0, 0.0, 0.0),
        ),
        weaknesses=(*weaknesses, *_doubted(culprit)),
        examples=_examples(culprit) if felt else (),
        days=_days(seen, whole),
        detail=detail,
    )  # fmt: skip


def _doubted(culprit: _Culprit) -> tuple[str, ...]:
    """What is not sure of when it began."""
    doubt = culprit.doubt
    if doubt is None or doubt.earliest_s == doubt.latest_s:
        return ()
    first, last = (f"{_at(hour_s):%Y-%m-%d %H:%M}" for hour_s in (doubt.earliest_s, doubt.latest_s))
    return (f"It may have begun at any time from {first} to {last}: the interval holds what it costs a day by either.",)


def _place(seen: Seen, group: Group) -> Place:
    return Place("supply", "engine", group.task_class or None, seen.engine)


def _sentence(culprit: _Culprit, per_day: Money, delay_s: float, *, felt: bool) -> str:
    what = f"Requests of {culprit.group.task_class or 'tasks without a class'} on {culprit.seen.engine}"
    if not felt:
        return f"{what} are hardly in anybody's way: they delay others by {delay_s:,.0f} s a day, worth {worded(per_day.value)}."
    since = _at(culprit.since_s).date().isoformat()
    return (
        f"{what} make others wait {delay_s:,.0f} s a day since {since}, worth {worded(per_day.value)} a day to these, "
        "and nothing is charged for the delay."
    )


def _change(culprit: _Culprit, later: list[tuple[int, float]], usd_per_task: float, *, felt: bool) -> str:
    if not felt:
        return "Nothing."
    dues = f"charge {worded(usd_per_task)} a task for the delay, or give them an engine or a lower priority of their own"
    best = min(later, key=lambda one: one[1], default=None)
    if best is None or best[1] > 0.7 * culprit.per_day.value:
        return f"{dues[0].upper()}{dues[1:]}."
    hour = _usual_hour(culprit)
    when = f"around {(hour + best[0]) % 24:02d}:00 UTC instead of {hour:02d}:00"
    return f"Run them {best[0]} hours later, {when}: that leaves {worded(max(best[1], 0.0))} a day of it. Or {dues}."


def _usual_hour(culprit: _Culprit) -> int:
    """The middle of the busiest eight hours of the culprit's day."""
    hours = (culprit.seen.served.arrived_s[culprit.mask] // _HOUR_S % 24).astype(np.int64)
    by_hour = np.bincount(hours, minlength=24)
    around = np.convolve(np.tile(by_hour, 3), np.ones(8), mode="same")[24:48]
    return int(np.argmax(around))


def _later(culprit: _Culprit) -> list[tuple[int, float]]:
    """What the culprit would cost others a day if it came hours later, as far as its deadline and its own λ let it wait."""
    seen, mask = culprit.seen, culprit.mask
    own = seen.served.lam[mask]
    deadline = seen.deadline_s[seen.groups.index(culprit.group)]
    if deadline is None or not np.isfinite(own).all() or float(own.max(initial=0.0)) > 0:
        return []
    lam, days = np.nan_to_num(seen.served.lam), culprit.days

    def left(hours: Sequence[int]) -> dict[int, float]:
        shifts = [hour * _HOUR_S for hour in hours]
        delays = external.moved(seen.served, culprit.replays.engine, mask, shifts, culprit.replays.work)
        return {hour: float(delay @ lam) / days for hour, delay in zip(hours, delays, strict=True)}

    last = min(23, int(deadline // _HOUR_S))
    found = left(range(min(_STEP_HOURS, last), last + 1, _STEP_HOURS)) if last else {}
    if found and len(seen.trace_id) <= _REPLAYS_REQUESTS_MAX:
        best = min(found, key=lambda hour: found[hour])
        around = range(max(1, best - _STEP_HOURS + 1), min(last, best + _STEP_HOURS - 1) + 1)
        found |= left([hour for hour in around if hour not in found])
    return sorted(found.items())


def _examples(culprit: _Culprit) -> tuple[Example, ...]:
    """The requests that cost others most, each by itself."""
    seen, of = culprit.seen, culprit.marginals
    if of is None:
        return ()
    best: dict[str, Example] = {}
    for place in np.argsort(-of.usd, kind="stable").tolist():
        request = int(of.places[place])
        trace = seen.trace_id[request]
        if of.usd[place] > 0 and culprit.mask[request] and trace not in best:
            best[trace] = Example(trace, float(of.usd[place]), None, seen.span_id[request])
        if len(best) == 5:
            break
    return tuple(best.values())


def _days(seen: Seen, imposed: Imposed) -> tuple[Day, ...]:
    """What was imposed by the day on which the victims came, over the whole window."""
    days = np.floor(seen.served.arrived_s / DAY_S)
    found: list[Day] = []
    for day in range(int(days[0]), int(days[-1]) + 1):
        on: Floats = np.where(days == day, seen.served.lam, np.nan)
        usd = external.total(imposed, on)
        found.append(Day(_at(day * DAY_S), usd.value, usd.low, usd.high))
    return tuple(found)


def _unknown(seen: Seen, group: Group, window: Window, status: Status, why: str) -> Look:
    mask = seen.of(group.tenant_id, group.task_class)
    tasks = len({seen.trace_id[place] for place in np.flatnonzero(mask).tolist()})
    sentence = f"What requests of {group.task_class or 'tasks without a class'} cost others on {seen.engine} is not known: {why}."
    return Look(
        "serving_congestion", _place(seen, group), window.since, window.until, int(mask.sum()), tasks, status, None, None, None,
        is_discovery=False, sentence=sentence, change="Nothing yet.", inequality=INEQUALITY, method=METHOD, weaknesses=(why,),
    )  # fmt: skip


def _by_metrics(of: Pressure, window: Window) -> Look:
    """An engine that sends metrics and no spans: how full it is, and that nobody can be named."""
    said = [] if of.waiting is None else [f"{of.waiting:.1f} requests wait on average"]
    said += [] if of.kv_share is None else [f"KV is {100 * of.kv_share:.0f} % full in one observation of twenty"]
    said += [] if of.held_share is None else [f"{100 * of.held_share:.0f} % of prompt tokens were in its prefix cache"]
    why = "metrics do not tell whose requests wait for whose; spans of the engine would"
    pressed = listed(said) or "nothing is said of queue or KV"
    detail: dict[str, Json] = {
        "waiting": of.waiting, "kv_share": of.kv_share, "held_share": of.held_share, "points": of.points,
    }  # fmt: skip
    return Look(
        "serving_congestion", Place("supply", "engine", None, of.engine or "engine"), window.since, window.until, of.points, 0,
        "not_identified", None, None, None, is_discovery=False,
        sentence=f"On {of.engine or 'an engine'} {pressed}; who causes it is not known.",
        change="Let the engine export its request spans, with their times in queue, prefill and decode.", inequality=INEQUALITY,
        method="the engine's own metrics", weaknesses=(why,), detail=detail,
    )  # fmt: skip


def _at(seconds: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
