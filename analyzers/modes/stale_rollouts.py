"""Stale rollouts (eq. 11): batches consumed so many versions late that what they gain is less than what fades meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg

from analyzers.effects.estimate import Floats
from analyzers.effects.intervals import quantile
from analyzers.modes.appraised import decided
from analyzers.modes.days import DAY_S, days_of
from analyzers.modes.look import Day, Example, Json, Look, Place, Status, Term, Window
from analyzers.modes.rollouts.drift import UPDATES_MIN, decay, trend
from analyzers.modes.rollouts.stale import Stale, Updates, stale
from analyzers.modes.rollouts.tokens import USES, frontier, marginals
from analyzers.modes.wording import noun
from analyzers.modes.wording import usd as worded
from ledger.queries import queries

INEQUALITY = "δ·A > g(s) at the margin: updates consume rollouts of policies s versions old (eq. 11)"
METHOD = "rollouts/1: gain by lag, trend held fixed"
_SQL = queries("analyzers", "rollouts")
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Loaded:
    """Updates of one trainer with what they were made of: `tokens` and `usd` (n, 3) by use, in the order of USES."""

    trainer: str
    updates: Updates
    traces: tuple[str, ...]
    spans: tuple[str, ...]
    methods: tuple[str, ...]
    ratio: Floats
    kl: Floats
    tokens: Floats
    usd: Floats


def look(connection: psycopg.Connection, tenant_id: int, window: Window) -> list[Look]:
    """A look at every trainer, by those of its updates that say which version generated their rollouts and which one consumed
    them."""
    of = {"tenant_id": tenant_id, "since": window.since, "until": window.until}
    silent: dict[str, int] = dict(connection.execute(_SQL["updates_without_lag"], of).fetchall())
    looks = [_look(each, window, silent.pop(each.trainer, 0)) for each in load(connection, tenant_id, window)]
    looks += [_unversioned(trainer, count, window) for trainer, count in silent.items()]
    return [replace(each, examples=decided(connection, tenant_id, each.examples, "update")) for each in looks]


def load(connection: psycopg.Connection, tenant_id: int, window: Window) -> list[Loaded]:
    """The tenant's updates by trainer."""
    of = {"tenant_id": tenant_id, "since": window.since, "until": window.until}
    rows = connection.execute(_SQL["policy_updates"], of).fetchall()
    batches = sorted({trace for row in rows for trace in row[12]})
    ids = [bytes.fromhex(trace) for trace in batches]
    spent = connection.execute(_SQL["batch_spend"], {"tenant_id": tenant_id, "trace_ids": ids}).fetchall() if ids else []
    by_batch = {(trace, use): (tokens, usd) for trace, use, tokens, usd in spent}
    return [
        _loaded(trainer, [row for row in rows if row[3] == trainer], by_batch) for trainer in sorted({row[3] for row in rows})
    ]


def _loaded(trainer: str, rows: Sequence[Sequence[Any]], by_batch: dict[tuple[str, str], tuple[float, float | None]]) -> Loaded:
    (traces, spans, at, _, methods, lag, _, gain, capability, ratio, kl, value, batches, own_usd, error) = (
        list(column) for column in zip(*rows, strict=True)
    )
    updates = Updates(_numbers(at), _numbers(lag), _numbers(gain), _numbers(error), _numbers(capability), _numbers(value))
    tokens, usd = np.full((len(rows), len(USES)), np.nan), np.full((len(rows), len(USES)), np.nan)
    for place, linked in enumerate(batches):
        for column, use in enumerate(USES):
            parts = [by_batch[trace, use] for trace in linked if (trace, use) in by_batch]
            if parts:
                tokens[place, column] = sum(part[0] for part in parts)
                usd[place, column] = sum(np.nan if part[1] is None else part[1] for part in parts)
        if own_usd[place] is not None:
            usd[place, 2] = own_usd[place]
    return Loaded(trainer, updates, tuple(traces), tuple(spans), tuple(methods), _numbers(ratio), _numbers(kl), tokens, usd)


def _numbers(values: list[Any]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _unversioned(trainer: str, count: int, window: Window) -> Look:
    """A look at a trainer none of whose updates tells how old its rollouts were."""
    return Look(
        mode="stale_rollouts", place=_place(trainer), since=window.since, until=window.until, n=count, tasks=count,
        status="not_identified", usd_per_day=None, low=None, high=None, is_discovery=False,
        sentence=f"What stale rollouts cost {_named(trainer)} cannot be told: none of its {noun(count, 'update')} says how many"
        " versions old its rollouts were.",
        change="State allocation.policy.version and allocation.policy.trained_version on updates, as numbers.",
        inequality=INEQUALITY, method=METHOD,
    )  # fmt: skip


def _place(trainer: str) -> Place:
    return Place("capital", "trainer", None, "stale rollouts", trainer or None)


def _named(trainer: str) -> str:
    return trainer or "a trainer without a name"


def _look(loaded: Loaded, window: Window, without_lag: int) -> Look:
    updates, found = loaded.updates, stale(loaded.updates)
    since = datetime.fromtimestamp(updates.at_s[0 if found is None else found.since], UTC)
    lost = np.zeros(len(updates.lag)) if found is None else found.lost_each
    days = days_of(updates.at_s, lost, since.timestamp(), window.until.timestamp())
    usd, low, high = _usd_per_day(updates, found, days)
    status: Status = "not_enough_evidence" if found is None else "not_identified" if usd is None else "appraised"
    sentence, change = _words(loaded, found, usd)
    return Look(
        mode="stale_rollouts", place=_place(loaded.trainer), since=since, until=window.until, n=len(updates.lag),
        tasks=len(set(loaded.traces)), status=status, usd_per_day=usd, low=low, high=high,
        is_discovery=found is not None and found.is_finding and usd is not None, sentence=sentence, change=change,
        inequality=INEQUALITY, method=METHOD, terms=_terms(updates, found, days),
        weaknesses=_weaknesses(updates, found, without_lag), examples=_examples(loaded, found), days=_days(updates, found),
        detail=_detail(loaded, found, days),
    )  # fmt: skip


def _usd_per_day(updates: Updates, found: Stale | None, days: float) -> tuple[float | None, float | None, float | None]:
    """Dollars a day of the capability lost, at the value that each update states; none where one of those counted states none."""
    if found is None:
        return None, None, None
    if not found.counted.any():
        return (0.0, 0.0, 0.0) if not np.isnan(updates.value_usd).all() else (None, None, None)
    value = updates.value_usd[found.counted]
    if np.isnan(value).any():
        return None, None, None
    lost = float((found.lost_each[found.counted] * value).sum())
    total, low, high = found.lost
    scale = lost / total if total != 0 else 0.0
    return lost / days, low * scale / days, high * scale / days


def _terms(updates: Updates, found: Stale | None, days: float) -> tuple[Term, ...]:
    """V·g of what was consumed, what V·g of batches as they were before would have been, and V·δ·A."""
    if found is None or np.isnan(updates.value_usd[found.counted]).any():
        return ()
    value = np.where(found.counted, updates.value_usd, 0.0)
    gained = float(np.nansum(value * np.where(found.counted, found.own, 0.0)))
    lost = float(np.nansum(value * found.lost_each))
    _, low, high = _usd_per_day(updates, found, days)
    late = gained / days
    noise = np.where(found.counted, value * updates.gain_error, 0.0)  # not a number where an update states no error of its gain
    reach = quantile(float("inf")) * float(np.sqrt((noise**2).sum())) / days
    terms = [
        Term("V·g of the late batches", late)
        if np.isnan(reach)
        else Term("V·g of the late batches", late, late - reach, late + reach),
        Term(
            "V·g of batches no later than before",
            (gained + lost) / days,
            *(None if end is None else late + end for end in (low, high)),
        ),
    ]
    if found.delta is not None:
        level = float(np.nansum(value * updates.capability))
        terms.append(Term("V·δ·A", *(part * level / days for part in found.delta)))
    return tuple(terms)


def _words(loaded: Loaded, found: Stale | None, usd: float | None) -> tuple[str, str]:
    name = _named(loaded.trainer)
    if found is None:
        wanted = f"{UPDATES_MIN} updates with allocation.training.gain and of more than one lag are wanted"
        return f"What stale rollouts cost {name} cannot be told: {wanted}.", "State allocation.training.gain on updates."
    late, lags = int(found.counted.sum()), loaded.updates.lag[found.counted]
    if not late or not found.fade.is_falling:
        return f"{name} consumes its rollouts before their age takes most of what they teach.", "Nothing."
    what = (
        f"{late} updates of {name} learned from rollouts {np.median(lags):.0f} versions old, where {found.reference:.0f} is usual"
        f": {found.lost[0]:.3g} of capability lost"
    )
    usual = noun(round(found.reference), "version")
    change = f"Keep the rollout queue short: consume batches no more than {usual} after they were generated."
    if usd is None:
        return (
            f"{what}; what that is worth nobody says.",
            f"State allocation.task.value_usd on updates, or V of their class by `pigou policy import`. {change}",
        )
    return f"{what}, worth {worded(usd)} a day.", change


def _weaknesses(updates: Updates, found: Stale | None, without_lag: int) -> tuple[str, ...]:
    whole = len(updates.lag) + without_lag
    told = [f"{without_lag} of {whole} updates do not tell how old their rollouts were, and are left out"] if without_lag else []
    if found is None:
        return tuple(told)
    told += ["what else changed at the moment when batches became older, and not gradually, is taken for their age's doing"]
    silent = int((found.counted & np.isnan(updates.gain)).sum())
    if silent:
        late = int(found.counted.sum())
        told.append(f"{silent} of the {late} late updates tell no gain: they are taken to gain what others of their age do")
    if found.delta is None:
        told.append("capability before each update is not told, so that gains are what is left after fading (δ·A)")
    if found.fade.low == 0.0 and found.fade.high > 0.9:
        told.append("too few lags were seen to tell the curve from a line")
    return tuple(told)


def _examples(loaded: Loaded, found: Stale | None) -> tuple[Example, ...]:
    if found is None:
        return ()
    usd = found.lost_each * loaded.updates.value_usd
    order = sorted(np.flatnonzero(found.counted).tolist(), key=lambda i: (-found.lost_each[i], loaded.traces[i]))[:_EXAMPLES]
    return tuple(Example(loaded.traces[i], None if np.isnan(usd[i]) else float(usd[i]), None, loaded.spans[i]) for i in order)


def _days(updates: Updates, found: Stale | None) -> tuple[Day, ...]:
    if found is None or np.isnan(updates.value_usd[found.counted]).any():
        return ()
    day = (updates.at_s // DAY_S).astype(np.int64)
    usd = np.where(found.counted, found.lost_each * updates.value_usd, 0.0)
    return tuple(
        Day(datetime.fromtimestamp(float(each) * DAY_S, UTC), float(usd[found.counted & (day == each)].sum()))
        for each in np.unique(day[found.counted])
    )


def _detail(loaded: Loaded, found: Stale | None, days: float) -> dict[str, Json]:
    """For the plot: gain by lag with its curve, δ, what tokens bring, the frontier, and what was spent on batches past the
    point."""
    updates = loaded.updates
    if found is None:
        seen: list[Json] = [float(lag) for lag in np.unique(updates.lag)]
        return {"lags": seen}
    told = ~np.isnan(updates.gain)
    controls = np.column_stack([np.ones(int(told.sum())), found.fade.gain(updates.lag[told]), trend(int(told.sum()))])
    spent = loaded.usd[found.is_past]
    lags: list[Json] = [
        {"lag": float(lag), "updates": int(own.sum()), "gain": float(updates.gain[own].mean()),
         "variance": float(updates.gain[own].var(ddof=1)) if own.sum() > 1 else None,
         "fitted": float(found.fade.gain(np.array([lag]))[0])}
        for lag in np.unique(updates.lag[told])
        if (own := told & (updates.lag == lag)).any()
    ]  # fmt: skip
    drifts: dict[str, Json] = {
        name: [rate[0], rate[1], rate[2]]
        for name, measure in (("importance_ratio", loaded.ratio), ("kl", np.exp(-loaded.kl)))
        if (rate := decay(updates.lag, measure)) is not None
    }
    return {
        "by_lag": lags,
        "reference_lag": found.reference,
        "fade_per_version": [found.fade.rate, found.fade.low, found.fade.high],
        "delta": None if found.delta is None else list(found.delta),
        "drift": drifts,
        "past_the_point": int(found.is_past.sum()),
        "spent_past_the_point_usd_per_day": None if np.isnan(spent).all() and len(spent) else float(np.nansum(spent)) / days,
        "capability_lost": list(found.lost),
        "marginals": [asdict(each) for each in marginals(updates.gain[told], loaded.tokens[told], loaded.usd[told], controls)],
        "frontier": [asdict(each) for each in frontier(loaded.methods, updates.gain)],
    }
