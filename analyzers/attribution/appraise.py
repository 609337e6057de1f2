"""The appraisal of one decision set: every option's terms of eq. 1 for every decision, what was lost, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analyzers.attribution.choices import Choices
from analyzers.attribution.contrast import Contrast, contrast
from analyzers.attribution.doubt import doubts
from analyzers.attribution.fit import Fit, fit
from analyzers.attribution.later import Later, later
from analyzers.attribution.lending import Lending
from analyzers.attribution.reasons import unidentified
from analyzers.attribution.segments import Band, Found, Segment, bands, correlated, explored, segment
from analyzers.effects import intervals
from analyzers.effects.estimate import LEVEL, Basis, Bools, Floats, InputError, Ints

STATUSES = ("appraised", "not_enough_evidence", "not_identified")
METHOD = "attribution/10"  # changes with every change that makes other numbers

_APPRAISED, _TOO_LITTLE, _UNIDENTIFIED = range(3)
_NO_VALUE = Band(math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Appraised:
    """What is thought of n decisions over K options.

    `value_usd`, `cost_usd`, `latency_usd`, `risk_usd` (n, K): V·Q, C, λ·L, ρ·R expected of each option; `net_usd` their net,
    without the terms that are not known (a segment's `why` names them); `error_usd`: standard error of net against the chosen
    option's, 0 for that itself. NaN where unknown. `best` (n,): −1 where not known. `regret_usd`, `low_usd`, `high_usd` (n,):
    NaN where there is no number. Regrets of a segment's decisions add up to its regret, or to 0 where that is below. `status`
    (n,): codes of STATUSES. `segment` (n,): code into `segments`. `pull` (n,): what the decision adds to the error of the sum of
    all segments' regrets, for intervals of sums over decision sets (tasks are the unit). `later`: what options do to the
    quantiles of latency.
    """

    value_usd: Floats
    cost_usd: Floats
    latency_usd: Floats
    risk_usd: Floats
    net_usd: Floats
    error_usd: Floats
    best: Ints
    regret_usd: Floats
    low_usd: Floats
    high_usd: Floats
    status: Ints
    segment: Ints
    segments: tuple[Segment, ...]
    pull: Floats
    method: str
    later: tuple[Later, ...] = ()


def appraise(
    choices: Choices,
    *,
    seed: int,
    edges: Sequence[float] | None = None,
    materiality_usd: float | None = None,
    controls: Floats | None = None,
) -> Appraised:
    """Appraise a decision set.

    `edges` of value bands (`segments.bands`); `materiality_usd` per decision: what is worth knowing, by default
    `Choices.stake_usd`; `controls` (n, k): negative controls. Decisions whose V is not known have neither net nor regret.
    Repeatable by `seed`. Raises: InputError for arrays that cannot be.
    """
    if len(choices) == 0:
        raise InputError("a decision set without a decision cannot be appraised")
    valued = np.flatnonzero(~np.isnan(choices.v_usd))
    blank = _blank(choices)
    if len(valued) == 0 or len(choices.options) < 2:
        why = "V is not known: state it on the task or in the price policy" if len(valued) == 0 else "there is no alternative"
        return replace(blank, segments=_unvalued(choices, np.arange(len(choices)), why))
    kept = choices if len(valued) == len(choices) else choices.take(valued)
    fitted = fit(kept, seed=seed, controls=controls if controls is None else controls[valued])
    material = kept.stake_usd() if materiality_usd is None else materiality_usd
    if not material > 0:
        raise InputError(f"materiality_usd must be positive, got {material}")
    divided, places = bands(kept.v_usd, edges)
    found: list[tuple[int, Found]] = []
    lending, learning = Lending(fitted, places), explored(kept)
    meant = lending.about(~learning)
    for place, band in enumerate(divided):
        pool = np.flatnonzero(places == place)
        for option in range(len(kept.options)):
            made = segment(lending, pool, option, band, material)
            if made is not None:
                found.append((place, _with_intended(made, meant, pool, learning, material)))
    shared = _Shared(fitted)
    _fill(blank, fitted, [each for _, each in found], valued, material, shared)
    kin = correlated([each for _, each in found], fitted.tasks) if lending.lends else [0.0] * len(found)
    made = tuple(
        replace(each.segment, option_errors=_option_errors(fitted, each, shared), together=together)
        for (_, each), together in zip(found, kin, strict=True)
    )
    segments = doubts(fitted, made, seed=seed)
    unvalued = np.flatnonzero(np.isnan(choices.v_usd))
    if len(unvalued):
        more = _unvalued(choices, unvalued, "V is not known: state it on the task or in the price policy")
        blank.segment[unvalued] = len(segments)
        segments = segments + more
    return replace(blank, segments=segments, method=f"{METHOD}: {fitted.method}", later=later(fitted))


def _with_intended(made: Found, meant: Lending, pool: Ints, learning: Bools, materiality_usd: float) -> Found:
    """The segment with what is said of its decisions that were not made to learn, where some were and some were not."""
    if not 0 < np.count_nonzero(learning[made.rows]) < len(made.rows):
        return made
    rest = pool[~learning[pool] | (meant.fit.choices.chosen[pool] != made.chosen)]
    of = segment(meant, rest, made.chosen, made.segment.band, materiality_usd)
    return made if of is None else replace(made, segment=replace(made.segment, intended=of.segment))


def _blank(choices: Choices) -> Appraised:
    n, options = len(choices), len(choices.options)

    def unknown() -> Floats:
        return np.full((n, options), np.nan)

    def missing() -> Floats:
        return np.full(n, np.nan)

    nothing = np.full(n, -1, dtype=np.int64)
    status, place = np.full(n, _UNIDENTIFIED, dtype=np.int64), np.zeros(n, dtype=np.int64)
    return Appraised(
        unknown(), unknown(), unknown(), unknown(), unknown(), unknown(), nothing, missing(), missing(), missing(), status, place,
        (), np.zeros(n), METHOD,
    )  # fmt: skip


def _unvalued(choices: Choices, rows: Ints, why: str) -> tuple[Segment, ...]:
    tasks = len(np.unique(choices.tasks[rows]))
    regret = Basis(len(rows), tasks, "none", "these decisions").nothing("not_identified", why)
    label = "without V" if "V is" in why else "without alternative"
    return (
        Segment(
            label, _NO_VALUE, "", "", len(rows), tasks, regret, {}, None, (None,) * len(choices.options), 0.0, "not_identified",
            why, None, 0.0,
        ),
    )  # fmt: skip


def _fill(into: Appraised, fitted: Fit, found: list[Found], valued: Ints, materiality_usd: float, shared: _Shared) -> None:
    """Write every decision's numbers into the arrays of `into` (rows `valued`)."""
    for place, each in enumerate(found):
        rows = valued[each.rows]
        into.segment[rows] = place
        _terms(into, fitted, each, rows, shared)
        _regrets(into, fitted, each, rows, shared, materiality_usd)
        for pulled, pull in each.pulls:
            into.pull[valued[pulled]] += pull


class _Shared:
    """What segments borrow where they have too little themselves: the whole decision set's effects."""

    def __init__(self, fitted: Fit) -> None:
        self._fit = fitted
        self._whole: dict[tuple[int, int], Contrast | None] = {}

    def offsets(self, each: Found, option: int) -> tuple[Floats, Floats] | None:
        """Mean misses of `option` against the segment's own, (P,), and their covariance; None where nothing is known."""
        own = each.contrasts.get(option)
        if own is not None:
            return own.arms[0].missed - own.arms[1].missed, own.covariance
        whole = self._of_all(option, each.chosen)
        return None if whole is None else (whole.arms[0].missed - whole.arms[1].missed, whole.covariance)

    def _of_all(self, option: int, base: int) -> Contrast | None:
        key = option, base
        if key not in self._whole:
            named = unidentified(self._fit, np.arange(len(self._fit.choices)), option, base)
            made = None if named else contrast(self._fit, np.arange(len(self._fit.choices)), option, base)
            self._whole[key] = made if made is not None and made.is_evident else None
        return self._whole[key]


def _terms(into: Appraised, fitted: Fit, each: Found, rows: Ints, shared: _Shared) -> None:
    """V·Q, C, λ·L, ρ·R and net of every option in one segment's decisions."""
    of = {"quality": into.value_usd, "cost": into.cost_usd, "latency": into.latency_usd, "risk": into.risk_usd}
    own = _own_offsets(fitted, each)
    for option in range(len(fitted.choices.options)):
        offsets = (np.zeros(len(fitted.parts)), None) if option == each.chosen else shared.offsets(each, option)
        if offsets is None:
            continue
        net = np.zeros(len(rows))
        reachable = fitted.supported[each.rows, option] | (option == each.chosen)
        for k, part in enumerate(fitted.parts):
            if part.name == "own":
                continue
            amount = part.price[each.rows] * (part.fitted[each.rows, option] + own[k] + offsets[0][k])
            amount = np.where(reachable, amount, np.nan)
            net += amount
            of[part.name][rows, option] = amount if part.name == "quality" else -amount
        into.net_usd[rows, option] = net if _is_net_known(fitted) else np.nan
    for name, array, price in (("latency", into.latency_usd, fitted.choices.lam), ("risk", into.risk_usd, fitted.choices.rho)):
        if fitted.part(name) is None and not price.any():  # type: ignore[arg-type]
            array[rows] = 0.0


def _option_errors(fitted: Fit, each: Found, shared: _Shared) -> dict[str, tuple[float | None, ...]]:
    """By term and option, the standard error per unit of price that `_regrets` has of the net; see `Segment.option_errors`."""
    options = range(len(fitted.choices.options))
    offsets = [None if option == each.chosen else shared.offsets(each, option) for option in options]
    errors: dict[str, tuple[float | None, ...]] = {}
    for place, part in enumerate(fitted.parts):
        if part.name == "own":
            continue
        errors[part.name] = tuple(
            0.0 if option == each.chosen else None if known is None
            else math.sqrt(max(0.0, float(known[1][place, place])) + float(part.unseen[option] + part.unseen[each.chosen]))
            for option, known in zip(options, offsets, strict=True)
        )  # fmt: skip
    return errors


def _is_net_known(fitted: Fit) -> bool:
    return all((part.weight > 0).any() for part in fitted.parts if part.name in ("quality", "cost"))


def _own_offsets(fitted: Fit, each: Found) -> Floats:
    """Shape (P,): what the models missed of the chosen option in these decisions."""
    missed = np.zeros(len(fitted.parts))
    for k, part in enumerate(fitted.parts):
        weight = part.weight[each.rows]
        if weight.sum() > 0:
            missed[k] = float((weight * part.residual[each.rows]).sum() / weight.sum())
    return missed


def _regrets(into: Appraised, fitted: Fit, each: Found, rows: Ints, shared: _Shared, materiality_usd: float) -> None:
    """Best option, regret and status of one segment's decisions, at each one's own prices."""
    chosen = each.chosen
    prices = np.stack([part.price[each.rows] for part in fitted.parts])
    gains, errors = np.full((len(rows), len(fitted.choices.options)), -np.inf), np.zeros((len(rows), len(fitted.choices.options)))
    for option in range(len(fitted.choices.options)):
        offsets = shared.offsets(each, option) if option != chosen else None
        if option == chosen or offsets is None or not _is_net_known(fitted):
            continue
        gain = into.net_usd[rows, option] - into.net_usd[rows, chosen]
        gain = np.where(fitted.supported[each.rows, chosen], gain, np.nan)
        unseen = np.array([part.unseen[option] + part.unseen[chosen] for part in fitted.parts])
        error = np.sqrt(np.maximum(np.einsum("pi,pq,qi->i", prices, offsets[1], prices), 0.0) + unseen @ prices**2)
        gains[:, option] = np.where(np.isnan(gain), -np.inf, gain)
        errors[:, option] = error
        into.error_usd[rows, option] = np.where(np.isnan(gain), np.nan, error)
    into.error_usd[rows, chosen] = 0.0
    known = np.isfinite(gains).any(axis=1)
    status = STATUSES.index(each.segment.status)
    into.status[rows] = np.where(known, status, status if status == _UNIDENTIFIED else _TOO_LITTLE)
    if not known.any():
        return
    gains[:, chosen] = 0.0
    best = np.argmax(gains, axis=1)
    alternatives = max(1, int(np.isfinite(gains).any(axis=0).sum()) - 1)
    critical = intervals.quantile(math.inf, 1 - (1 - LEVEL) / alternatives)
    plain = np.maximum(gains.max(axis=1), 0.0)
    regret = plain
    if each.segment.regret.status == "identified":
        total = float(plain[known].sum())
        regret = plain * (max(each.segment.regret.numbers()[0], 0.0) / total) if total > 0 else plain
    low = np.maximum((gains - critical * errors).max(axis=1), 0.0)
    high = np.maximum((gains + critical * errors).max(axis=1), 0.0)
    into.best[rows] = np.where(known, best, -1)
    into.regret_usd[rows] = np.where(known, regret, np.nan)
    into.low_usd[rows] = np.where(known, np.minimum(low, regret), np.nan)
    into.high_usd[rows] = np.where(known, np.maximum(high, regret), np.nan)
    if each.segment.regret.status == "identified":
        sure = known & ((into.low_usd[rows] > 0) | (into.high_usd[rows] < materiality_usd))
        into.status[rows] = np.where(sure, _APPRAISED, _TOO_LITTLE)
