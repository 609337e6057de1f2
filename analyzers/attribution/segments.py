"""Segments: decisions of a decision set that chose alike and are worth alike, what they lost together, and which is a finding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from scipy import special

from analyzers.attribution.choices import Choices
from analyzers.attribution.contrast import Contrast
from analyzers.attribution.fit import Fit
from analyzers.attribution.lending import Lending
from analyzers.attribution.policy import policy
from analyzers.attribution.reasons import more, nothing, unidentified, untold
from analyzers.effects import intervals, multiplicity, power
from analyzers.effects.estimate import Basis, Bools, Estimate, Floats, InputError, Ints, Needs, distinct, ranks
from analyzers.effects.scores import EFFECTIVE_MIN

Status: TypeAlias = Literal["appraised", "not_enough_evidence", "not_identified"]

_SHARES_MANY = (0.05, 0.35, 0.65, 0.95)  # quantiles of V between bands: both tails are bands of their own
_SHARES_FEW = (0.5, 0.95)
_MANY, _FEW = 2_000, 300  # decisions from which the decision set is cut at these
_TOGETHER_MAX = 0.95
_VALUES_MAX = 6  # different values up to which each is a band


@dataclass(frozen=True, slots=True)
class Band:
    """Tasks worth at least `low_usd` and less than `high_usd`."""

    low_usd: float
    high_usd: float

    @property
    def label(self) -> str:
        """For people: 3 … 8 USD."""
        if math.isinf(self.high_usd):
            return f"{self.low_usd:.3g} USD and more"
        return f"below {self.high_usd:.3g} USD" if self.low_usd <= 0 else f"{self.low_usd:.3g} to {self.high_usd:.3g} USD"


@dataclass(frozen=True, slots=True)
class Segment:
    """What a decision set's decisions for `chosen`, on tasks of one value band, lost against the best that could be known.

    `best`: the alternative that gains most over them, "" where none does. `regret`: their total in USD with its interval. Its
    value is not pushed up by choosing among noisy options and may be below 0, which the truth cannot. `changes`: the policy's
    total of each term (V·ΔQ, −ΔC, −λ·ΔL, −ρ·ΔR), in USD, that add up to it; `change_errors` their standard errors.
    `downstream`: ΔC of the whole tasks less ΔC of the decisions' own calls, in USD; None where own costs are not known.
    `options`: each option's total against the chosen one, in their order; None for the chosen one and where nothing is known.
    `most_usd`: the same as `regret` with each decision's best looking option taken at its word, and what no model tells apart
    known: too much on average, and so a ceiling for sums. `status` judges the interval against `materiality_usd`; `needs` says
    what would settle it. `discovery`: whether it is a finding among all segments of a run (`discoveries`). `tipping_gamma`: see
    `doubt`; NaN where propensities were logged or nothing was clearly lost. `option_errors`: by term, for each
    option the standard error of its mean against the chosen one's, per unit of the term's price; None where nothing is known.
    `together`: correlation of the regret's error with those of the same option in other value bands, on average, which lend to
    each other; 0 where they do not. `intended`: the same of those decisions that were not made to learn, where propensities were
    logged and some were; else None.
    """

    label: str
    band: Band
    chosen: str
    best: str
    n: int
    tasks: int
    regret: Estimate
    changes: dict[str, float]
    downstream: Estimate | None
    options: tuple[Estimate | None, ...]
    most_usd: float
    status: Status
    why: str
    needs: Needs | None
    materiality_usd: float
    discovery: bool = False
    adjusted_p: float = math.nan
    tipping_gamma: float = math.nan
    change_errors: dict[str, float] = field(default_factory=dict[str, float])
    option_errors: dict[str, tuple[float | None, ...]] = field(default_factory=dict[str, "tuple[float | None, ...]"])
    intended: Segment | None = None
    together: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """A segment with what its decisions' own numbers are made from. `contrasts`: by option, where the segment's own evidence
    allows; `pulls`: rows of the fit with what each adds to the error of the segment's regret."""

    segment: Segment
    rows: Ints
    chosen: int
    contrasts: dict[int, Contrast]
    pulls: list[tuple[Ints, Floats]]


def bands(v_usd: Floats, edges: Sequence[float] | None = None) -> tuple[tuple[Band, ...], Ints]:
    """Value bands and each decision's place among them, (n,). V must be known.

    `edges`: between bands, in USD; by default each value is a band where there are at most six, else quantiles of V, with the
    highest (and, from 2,000 decisions on, the lowest) twentieth as bands of their own.
    """
    distinct = np.unique(v_usd)
    if edges is not None:
        inner = [float(edge) for edge in edges]
        if sorted(set(inner)) != inner:
            raise InputError(f"edges of value bands must rise, got {inner}")
    elif len(distinct) <= _VALUES_MAX:
        inner = [float(value) for value in distinct[1:]]
    else:
        shares = _SHARES_MANY if len(v_usd) >= _MANY else _SHARES_FEW if len(v_usd) >= _FEW else ()
        cuts = np.unique(np.quantile(v_usd, shares)) if shares else np.zeros(0)
        inner = [float(cut) for cut in cuts if cut > distinct[0]]
    limits = [0.0, *inner, math.inf]
    places = np.searchsorted(np.array(inner), v_usd, side="right").astype(np.int64)
    return tuple(Band(low, high) for low, high in pairwise(limits)), places


def segment(lending: Lending, pool: Ints, chosen: int, band: Band, materiality_usd: float) -> Found | None:
    """The segment of `pool` (rows of one value band) that chose `chosen`; None where nobody did. What other bands know of the
    options is lent to it.

    Its regret is the gain of the best policy known *from other tasks*: eq. 4 at each decision's own V and context, cross-fitted,
    so that choosing among noisy options does not flatter it. The upper limit is the largest of the policy's and of each single
    option's. `materiality_usd` is per decision.
    """
    fit = lending.fit
    rows = pool[fit.choices.chosen[pool] == chosen]
    if len(rows) == 0:
        return None
    tasks = len(rows) if fit.alone else distinct(fit.tasks[rows])
    every = {
        b: lending.contrast(pool, b, chosen)
        for b in range(len(fit.choices.options))
        if b != chosen and not unidentified(fit, pool, b, chosen)
    }
    evident = {b: each for b, each in every.items() if each is not None and each.is_evident}
    basis = Basis(len(rows), tasks, f"regret, {fit.method}", "these decisions", intervals.LEVEL)
    totals = {b: each.gain for b, each in evident.items()}
    pulls: list[tuple[Ints, Floats]] = []
    best, changes, errors, downstream = "", {}, {}, None
    if evident:
        steps = policy(lending, pool, chosen, evident)
        regret, pulls = _regret(fit, steps, totals, basis)
        gainer = max(totals, key=lambda b: totals[b].numbers()[0])
        best = fit.choices.options[gainer] if totals[gainer].numbers()[0] > 0 else ""
        changes, errors, downstream = _changes(fit, steps), _change_errors(fit, steps), _downstream(fit, steps, basis)
    else:
        regret = nothing(fit, pool, basis, every, chosen, materiality_usd * len(rows))
    status, why, needs = _judged(fit, pool, regret, every, chosen, materiality_usd * len(rows))
    options = tuple(totals.get(b) for b in range(len(fit.choices.options)))
    name = fit.choices.options[chosen]
    made = Segment(
        f"{name}, {band.label}", band, name, best, len(rows), tasks, regret, changes, downstream, options,
        _most(fit, pool, evident), status, why, needs,
        materiality_usd * len(rows), change_errors=errors,
    )  # fmt: skip
    return Found(made, rows, chosen, evident, pulls)


def correlated(found: Sequence[Found], tasks: Ints) -> list[float]:
    """Of each segment how its regret's error goes with those of the same option's other segments, between 0 and 1.

    `tasks` (n,): of the fit's rows. Formula: ρ = (|Σ_k p_k|² − Σ_k |p_k|²)/((Σ_k |p_k|)² − Σ_k |p_k|²) over an option's
    segments k, with the pulls p_k of tasks on each: the one correlation that gives their sum its error.
    """
    pulls = [_by_task(each, tasks) for each in found]
    errors = np.array([math.sqrt(float((pull**2).sum())) for pull in pulls])
    made: list[float] = []
    for each in found:
        kin = [k for k, other in enumerate(found) if other.chosen == each.chosen]
        apart = float((errors[kin] ** 2).sum())
        above = float((np.sum([pulls[k] for k in kin], axis=0) ** 2).sum()) - apart
        below = float(errors[kin].sum()) ** 2 - apart
        made.append(min(max(above / below, 0.0), _TOGETHER_MAX) if below > 0 else 0.0)
    return made


def _by_task(each: Found, tasks: Ints) -> Floats:
    sums: Floats = np.zeros(int(tasks.max()) + 1)
    for rows, pull in each.pulls:
        sums += np.bincount(tasks[rows], weights=pull, minlength=len(sums))
    return sums


def explored(choices: Choices) -> Bools:
    """Shape (n,): which decisions were made to learn: with less than the probability that chance would give; none
    where propensities were not logged."""
    if choices.assignment != "logged":
        return np.zeros(len(choices), dtype=np.bool_)
    return choices.propensity < 1 / len(choices.options)


def discoveries(segments: Sequence[Segment], *, rate: float = multiplicity.RATE) -> tuple[Segment, ...]:
    """The segments of *all* strata of a run, in order, each told whether it is a finding: at most `rate` of the findings are
    false on average, and where nothing is wrong anywhere, at most that share of runs raises anything.

    A finding's one-sided p-value passes at the level that false-discovery control leaves, and its regret is not below
    materiality. Segments that look again at the same tasks (a route and a verification of one task) depend on each other
    positively, which the rate allows. Source: Benjamini & Hochberg, JRSS B 57 (1995).
    """
    flags = multiplicity.false_discovery([each.regret for each in segments], rate=rate, side="above")
    flagged = set(flags.flagged)
    return tuple(
        replace(
            each,
            discovery=place in flagged and each.regret.numbers()[0] >= each.materiality_usd,
            adjusted_p=float(flags.adjusted[place]),
        )
        for place, each in enumerate(segments)
    )


def _regret(
    fit: Fit, steps: list[Contrast], totals: dict[int, Estimate], basis: Basis
) -> tuple[Estimate, list[tuple[Ints, Floats]]]:
    pulls = [pull for step in steps for pull in step.pull()]
    ceiling = max(0.0, *(total.numbers()[3] for total in totals.values()))
    if not steps:
        return basis.found(0.0, 0.0, 0.0, ceiling), pulls
    found = [step.gain for step in steps]
    value = sum(each.numbers()[0] for each in found)
    if len(found) == 1:
        _, error, low, high = found[0].numbers()
        return basis.found(value, error, low, max(high, ceiling), degrees=found[0].degrees), pulls
    joint = _spread(fit, value, pulls)
    apart = math.sqrt(sum(each.numbers()[1] ** 2 for each in found))
    measured = math.sqrt(max(0.0, apart**2 - sum(step.unseen() for step in steps)))
    together = joint.standard_error / measured if measured > 0 else 1.0  # decisions of one task in several steps move together
    below = together * math.sqrt(sum((each.numbers()[0] - each.numbers()[2]) ** 2 for each in found))
    above = together * math.sqrt(sum((each.numbers()[3] - each.numbers()[0]) ** 2 for each in found))
    return basis.found(value, together * apart, value - below, max(value + above, ceiling), degrees=joint.degrees), pulls


def _most(fit: Fit, pool: Ints, evident: dict[int, Contrast]) -> float:
    """Sum over the segment's decisions of the best looking option's gain, in USD, were it known what no model tells apart.

    Formula: E max(0, m + s·Z), with the gain m and the deviation s of unseen effects at the decision's prices.
    """
    gain = np.zeros(len(pool))
    for option, each in evident.items():
        places = np.searchsorted(pool, each.decisions)  # rows of a pool stand in order
        prices = each.prices()
        worth = (prices * each.changed).sum(axis=0)
        unseen = np.array([part.unseen[option] + part.unseen[each.base] if part.moves else 0.0 for part in fit.parts])
        deviation = np.maximum(np.sqrt(unseen @ prices**2), 1e-12)
        ratio = worth / deviation
        below = np.asarray(special.ndtr(ratio), dtype=np.float64)
        expected = worth * below + deviation * np.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
        gain[places] = np.maximum(gain[places], expected)
    return float(gain.sum())


def _spread(fit: Fit, value: float, pulls: list[tuple[Ints, Floats]]) -> intervals.Spread:
    rows, pull = np.concatenate([r for r, _ in pulls]), np.concatenate([p for _, p in pulls])
    codes = ranks(fit.tasks[rows])
    return intervals.of_sums(value, np.asarray(np.bincount(codes, weights=pull), dtype=np.float64))


def _changes(fit: Fit, steps: list[Contrast]) -> dict[str, float]:
    """What switching changes in each priced term, in USD; they add up to the regret."""
    sums: dict[str, float] = {part.name: 0.0 for part in fit.parts if part.name != "own"}
    for step in steps:
        worth = (step.prices() * step.changed).sum(axis=1)
        for place, part in enumerate(fit.parts):
            if part.name != "own":
                sums[part.name] += float(worth[place])
    return sums


def _change_errors(fit: Fit, steps: list[Contrast]) -> dict[str, float]:
    """Standard errors of `_changes`, in USD: of what was measured, tasks being the unit, and of what no model tells apart."""
    errors: dict[str, float] = {}
    for place, part in enumerate(fit.parts):
        if part.name == "own" or not steps:
            continue
        pulls, unseen = list[tuple[Ints, Floats]](), 0.0
        for step in steps:
            prices = np.zeros((len(fit.parts), len(step.decisions)))
            prices[place] = part.price[step.decisions]
            pulls += step.pull(prices)
            unseen += step.unseen(prices)
        errors[part.name] = math.sqrt(_spread(fit, 0.0, pulls).standard_error ** 2 + unseen)
    return errors


def _downstream(fit: Fit, steps: list[Contrast], basis: Basis) -> Estimate | None:
    """What of the change in whole tasks' cost the decisions' own calls do not explain: what travelled downstream, in USD."""
    if fit.part("own") is None or not steps:
        return None
    signs = np.array([{"cost": 1.0, "own": -1.0}.get(part.name, 0.0) for part in fit.parts])
    value, pulls = 0.0, list[tuple[Ints, Floats]]()
    for step in steps:
        prices = np.repeat(signs[:, None], len(step.decisions), axis=1)
        value += step.total(prices).numbers()[0]
        pulls += step.pull(prices)
    of = _spread(fit, value, pulls)
    bounds = intervals.skewed(of)
    return replace(basis, method=f"whole cost less own, {fit.method}").found(
        value, of.standard_error, bounds.low, bounds.high, degrees=of.degrees
    )


def _judged(
    fit: Fit,
    pool: Ints,
    regret: Estimate,
    every: dict[int, Contrast | None],
    chosen: int,
    materiality_usd: float,
) -> tuple[Status, str, Needs | None]:
    """Status, why and needs of a segment; what its terms leave out is said in either case."""
    names = fit.choices.options
    evident = {b: each for b, each in every.items() if each is not None and each.is_evident}
    notes = list(fit.unpriced)
    reasons: dict[str, list[str]] = {}
    for b in (b for b in range(len(names)) if evident and b != chosen and b not in evident):
        one = every.get(b)
        known = one is not None and one.effective >= EFFECTIVE_MIN[False]
        few = f"too few outcomes here{untold(fit, one) if one else ''}"
        why = f"taken on other work ({one.unlike})" if one is not None and known else few
        reason = unidentified(fit, pool, b, chosen) or why
        reasons.setdefault(reason, []).append(names[b])
    notes += [f"{', '.join(options)}: {reason}" for reason, options in reasons.items()]
    if regret.status != "identified":
        status: Status = "not_identified" if regret.status == "not_identified" else "not_enough_evidence"
        return status, "; ".join([regret.why, *notes]), regret.needs
    _, _, low, high = regret.numbers()
    if low > 0 or high < materiality_usd:
        return "appraised", "; ".join(notes), None
    why = f"the interval {max(low, 0.0):.3g} … {high:.3g} USD holds both nothing and a material loss ({materiality_usd:.3g})"
    widest = max(evident.values(), key=lambda each: each.gain.numbers()[1])
    n = len(widest.arms[1].rows) + sum(len(each.arms[0].rows) for each in evident.values())
    wanted = more([regret, *(each.gain for each in evident.values())], n, materiality_usd, len(evident))
    per_decision = materiality_usd / max(1, len(widest.decisions))
    rate = power.exploration_needed(_deviation(widest, 0), _deviation(widest, 1), n, per_decision, alternatives=len(evident))
    return "not_enough_evidence", "; ".join([why, *notes]), Needs(wanted, rate)


def _deviation(of: Contrast, side: int) -> float:
    """Standard deviation of one decision's net in an arm, in USD, beyond what the models expected."""
    each = of.arms[side]
    mean_price = of.prices().mean(axis=1)
    return math.sqrt(float(((mean_price @ each.pulls) ** 2).sum()) * each.effective)
