"""What a period lost in all: dollars that the best allocation known would have gained, by layer and failure mode, counted once.

Decisions of one task act on each other. A request sent to too weak a model makes its agent verify more: the route's effect on the
*whole* task already holds what it caused downstream, and the verification's own regret was measured with the route as it was. So
the decomposition is sequential, in the order in which a task takes its decisions: each kind's share is what setting it right
gains once everything upstream *is* right and everything downstream answers as it did. These shares telescope to the gain of
setting all right. Shapley values would average over orders that cannot happen (a verification set right before the route that
provoked it), and need joint effects of every subset of kinds, for which logs hold too little.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from analyzers.attribution.appraise import Appraised
from analyzers.attribution.choices import Choices
from analyzers.effects import intervals
from analyzers.effects.estimate import LEVEL, Basis, Bools, Estimate, Floats, Ints

LAYERS = ("demand", "action", "supply", "capital")
_LOW_SHARE = (
    0.2  # of the level's misses, on the lower side: where nothing is better, one fold chooses for several segments at once
)
_CLEAN_MIN = 12  # tasks with everything upstream at its best, before they tell what is lost downstream of such

_MODES = {  # kind → mode when the best option costs more, and when it costs less
    "route": ("under_routing", "over_routing"),
    "verify": ("under_verification", "over_verification"),
    "delegate": ("under_delegation", "over_delegation"),
    "confirm": ("over_delegation", "over_delegation"),
    "defer": ("over_delegation", "over_delegation"),
    "cache": ("cache_misuse", "cache_misuse"),
    "reuse": ("cache_misuse", "cache_misuse"),
    "serve": ("serving_congestion", "serving_congestion"),
    "rollout": ("stale_rollouts", "stale_rollouts"),
    "update": ("stale_rollouts", "stale_rollouts"),
}


@dataclass(frozen=True, slots=True)
class Lost:
    """What one segment lost: see `segments.Segment`. `cost_usd`: what its policy saves in cost, below 0 where it spends more."""

    band: str
    regret: Estimate
    most_usd: float
    cost_usd: float
    downstream: Estimate | None
    status: str


@dataclass(frozen=True, slots=True)
class DecisionSet:
    """n decisions that were appraised together, as far as the period's sum needs them.

    Shapes (n,): `tasks`, the same number for the same task in every set of the period; `decided_at`, seconds; `chosen` and
    `best`, options' codes, best −1 where not known; `regret_usd`, NaN where there is none; `pull`, see `Appraised`; `segment`, a
    code into `segments`; `is_explored`, taken at random to learn; `is_counted`, of the period that is asked about (the others
    were appraised with them, and say how much of a segment's loss is the period's).
    """

    name: str
    layer: str
    kind: str
    tasks: Ints
    decided_at: Floats
    chosen: Ints
    best: Ints
    regret_usd: Floats
    pull: Floats
    segment: Ints
    is_explored: Bools
    is_counted: Bools
    segments: tuple[Lost, ...]

    def __len__(self) -> int:
        return len(self.chosen)


def decision_set(name: str, layer: str, kind: str, choices: Choices, appraised: Appraised) -> DecisionSet:
    """One decision set with its appraisal, all of it counted."""
    segments = tuple(
        Lost(s.band.label, s.regret, s.most_usd, s.changes.get("cost", 0.0), s.downstream, s.status) for s in appraised.segments
    )
    return DecisionSet(
        name, layer, kind, choices.tasks, choices.decided_at, choices.chosen, appraised.best, appraised.regret_usd,
        appraised.pull, appraised.segment, _explored(choices), np.ones(len(choices), dtype=np.bool_), segments,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Share:
    """What one kind of decision lost in one way.

    `lost`: USD once everything upstream is right. `alone_usd`: the same with upstream as it was; the difference is counted
    upstream already.
    """

    layer: str
    kind: str
    mode: str
    lost: Estimate
    alone_usd: float
    decisions: int


@dataclass(frozen=True, slots=True)
class Misallocation:
    """The period's global misallocation.

    `total`: USD that the best allocation known would have gained, with its interval; it equals the sum of the shares' values.
    `counted_twice_usd`: by how much the kinds' regrets, each taken alone, add up to more. `downstream`: by kind, what its
    switching would change in whole tasks' cost beyond its own calls (below 0: the fault makes others spend); None where own
    costs are not known. `explored_usd`: of the total, what decisions lost that were taken at random to learn. `without`:
    decisions that have no number, by status.
    """

    total: Estimate
    shares: tuple[Share, ...]
    counted_twice_usd: float
    downstream: dict[str, Estimate]
    explored_usd: float
    without: dict[str, int]


def mode_of(kind: str, cost_usd: float) -> str:
    """The failure mode that a segment's loss is: by kind, and by whether the better options cost more or less."""
    dearer, cheaper = _MODES.get(kind, (kind, kind))
    return cheaper if cost_usd > 0 else dearer


def misallocation(strata: Sequence[DecisionSet], *, level: float = LEVEL) -> Misallocation:
    """The global misallocation of a period's decision sets.

    Value: what a policy learnt elsewhere gains is too little on average where a segment clearly lost something, what the best
    looking options gain in-sample (`Segment.most_usd`) too much by about as much; so half the gap between them is added where
    the segment's interval excludes zero. Interval: tasks are the unit, over all sets;
    its lower side is the learnt policy's, its upper side allows for what no policy learnt from these data can
    reach (the distance to `Segment.most_usd`). Shares of a kind whose upstream was never at its best in 12 tasks of the cell
    stay as they are alone. Of a period, a segment's numbers count by the share of its loss that the period's decisions have.
    """
    ordered = [strata[place] for place in _order(strata)]
    weights = _weights(ordered)
    tasks = np.unique(np.concatenate([each.tasks for each in ordered])) if ordered else np.zeros(0, dtype=np.int64)
    pulls = np.zeros(len(tasks))
    sums: dict[tuple[str, str, str], _Sum] = defaultdict(_Sum)
    explored = 0.0
    for each, whole in zip(ordered, weights, strict=True):
        weight = whole * each.is_counted
        left = each.pull * _left(each.regret_usd, weight)
        pulls += np.bincount(np.searchsorted(tasks, each.tasks), weights=left, minlength=len(tasks))
        here: dict[tuple[str, str, str], list[_Kept]] = defaultdict(list)
        for code, lost in enumerate(each.segments):
            inside = each.segment == code
            counted = inside & each.is_counted
            if lost.regret.value is None or not counted.any():
                continue
            kept = _left(each.regret_usd[inside], weight[inside])
            alone = _left(each.regret_usd[inside], each.is_counted[inside].astype(np.float64))
            own = _Kept(lost, kept, alone, int(counted.sum()), len(np.unique(each.tasks[counted])))
            here[each.layer, each.kind, mode_of(each.kind, lost.cost_usd)].append(own)
        for key, found in here.items():
            sums[key].add(found)
        explored += float(np.nansum((each.regret_usd * weight)[each.is_explored]))
    decisions = sum(int(each.is_counted.sum()) for each in ordered)
    total = _total(list(sums.values()), pulls, decisions, level)
    shares = tuple(Share(*key, one.estimate(level), one.alone, one.decisions) for key, one in sums.items())
    twice = sum(one.alone - one.value for one in sums.values())
    return Misallocation(total, shares, twice, _downstream(ordered, level), explored, _without(ordered))


class _Kept(NamedTuple):
    """A segment, of whose regret `alone` is the period's share and `kept` what is left of it once upstream is right."""

    lost: Lost
    kept: float
    alone: float
    decisions: int
    tasks: int


@dataclass
class _Sum:
    """Segments of one share: what a policy learnt elsewhere gains, how much more the best looking options seem to, and limits."""

    value: float = 0.0
    learnt: float = 0.0
    gap: float = 0.0
    alone: float = 0.0
    error: float = 0.0
    below: float = 0.0
    above: float = 0.0
    decisions: int = 0
    tasks: int = 0

    def add(self, found: list[_Kept]) -> None:
        """Count the segments of one decision set. They may be measured on the same tasks, so that their errors are taken to go
        together."""
        error = below = above = 0.0
        for each in found:
            value, own_error, low, high = each.lost.regret.numbers()
            gap = max(0.0, each.lost.most_usd - value)
            better = value + (gap / 2 if low > 0 else 0.0)
            self.value += each.kept * better
            self.learnt += each.kept * value
            self.gap += each.kept * gap
            self.alone += each.alone * better
            error += each.kept * own_error
            below += each.kept * (value - low)
            above += each.kept * (high - value)
            self.decisions += each.decisions
            self.tasks += each.tasks
        self.error += error**2
        self.below += below**2
        self.above += above**2

    def estimate(self, level: float) -> Estimate:
        """The share, its decision sets taken as independent."""
        basis = Basis(self.decisions, self.tasks, "sum of segments", "decisions of the period", level)
        high = self.learnt + max(math.sqrt(self.above), self.gap)
        return basis.found(self.value, math.sqrt(self.error), self.learnt - math.sqrt(self.below), high)


def _order(strata: Sequence[DecisionSet]) -> list[int]:
    """Strata in the order in which tasks decide: by mean rank within tasks; at ties as the layers stand."""
    if not strata:
        return []
    tasks = np.concatenate([each.tasks for each in strata])
    times = np.concatenate([each.decided_at for each in strata])
    owner = np.repeat(np.arange(len(strata)), [len(each) for each in strata])
    order = np.lexsort((times, tasks))
    starts = np.r_[True, tasks[order][1:] != tasks[order][:-1]]
    first = np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    rank = np.empty(len(order))
    rank[order] = np.arange(len(order)) - first
    means = np.bincount(owner, weights=rank) / np.bincount(owner)
    layers = [LAYERS.index(each.layer) if each.layer in LAYERS else len(LAYERS) for each in strata]
    return sorted(range(len(strata)), key=lambda place: (round(float(means[place]), 6), layers[place], place))


def _weights(ordered: Sequence[DecisionSet]) -> list[Floats]:
    """Each decision's weight once everything upstream is right.

    0 where something upstream was clearly not at its best, and more where it was, so that the latter speak for the former within
    a cell (decision set and segment's value band).
    """
    wrong: set[int] = set()
    weights: list[Floats] = []
    for each in ordered:
        tasks = each.tasks
        affected: Bools = (
            np.isin(tasks, np.fromiter(wrong, dtype=np.int64, count=len(wrong))) if wrong else np.zeros(len(tasks), bool)
        )
        weight = np.ones(len(tasks))
        labels = np.array([lost.band for lost in each.segments])[each.segment]
        for label in np.unique(labels) if affected.any() else ():
            cell = labels == label
            hit, clean = cell & affected, cell & ~affected
            if hit.any() and len(np.unique(tasks[clean])) >= _CLEAN_MIN:
                weight[hit] = 0.0
                weight[clean] = 1.0 + hit.sum() / clean.sum()
        weights.append(weight)
        wrong |= {int(task) for task in np.unique(tasks[_clearly_wrong(each)])}
    return weights


def _clearly_wrong(each: DecisionSet) -> Bools:
    sure = np.array([lost.regret.low is not None and lost.regret.low > 0 for lost in each.segments], dtype=np.bool_)
    return sure[each.segment] & (each.best >= 0) & (each.best != each.chosen)


def _left(regret_usd: Floats, weight: Floats) -> float:
    """What is left of a sum of regrets under weights, as a share; of regrets that sum to nothing, the mean weight."""
    whole = float(np.nansum(regret_usd))
    return float(np.nansum(regret_usd * weight)) / whole if whole > 0 else float(weight.mean())


def _explored(choices: Choices) -> Bools:
    """Decisions taken at random to learn: logged with less than half the chance of the likeliest option."""
    if choices.menu is None:
        return np.zeros(len(choices), dtype=np.bool_)
    return np.asarray(choices.propensity < 0.5 * np.nanmax(choices.menu, axis=1))


def _total(sums: Sequence[_Sum], pulls: Floats, n: int, level: float) -> Estimate:
    value, learnt, gap = (sum(getattr(one, name) for one in sums) for name in ("value", "learnt", "gap"))
    present = pulls[pulls != 0]
    basis = Basis(n, len(present), "sum of segments, tasks as the unit", "decisions of the period", level)
    if len(present) < 2:
        return basis.found(value, 0.0, learnt, learnt + gap)
    of = intervals.of_sums(learnt, present)
    bounds = intervals.skewed(of, level, skew_share=0.5)
    strict = 1 - (1 - level) * _LOW_SHARE
    low = intervals.skewed(of, strict, skew_share=0.5).low
    apart = math.sqrt(sum(one.error for one in sums))
    if apart > 0:  # arms in which every outcome was alike look certain to their spread, not to their segments' own limits
        scale = of.standard_error / apart * intervals.quantile(math.inf, strict) / intervals.quantile(math.inf, level)
        # What is not known of how effects go with V, or of whom context picks out, moves all segments of a set the same way.
        low = min(low, learnt - max(1.0, scale) * math.sqrt(sum(one.below for one in sums)))
    return basis.found(value, of.standard_error, low, bounds.high + gap, degrees=of.degrees)


def _downstream(ordered: Sequence[DecisionSet], level: float) -> dict[str, Estimate]:
    """Per kind: what switching changes in whole tasks' cost beyond own calls. Segments are summed as independent."""
    found: dict[str, Estimate] = {}
    for kind in dict.fromkeys(each.kind for each in ordered):
        parts = [
            (lost.downstream, float(each.is_counted[each.segment == code].mean()))
            for each in ordered
            if each.kind == kind
            for code, lost in enumerate(each.segments)
            if lost.downstream is not None
        ]
        if not parts:
            continue
        numbers = [tuple(share * number for number in one.numbers()) for one, share in parts]
        value = sum(one[0] for one in numbers)
        below = math.sqrt(sum((one[0] - one[2]) ** 2 for one in numbers))
        above = math.sqrt(sum((one[3] - one[0]) ** 2 for one in numbers))
        error = math.sqrt(sum(one[1] ** 2 for one in numbers))
        n, tasks = sum(one.n for one, _ in parts), sum(one.clusters for one, _ in parts)
        found[kind] = Basis(n, tasks, "whole cost less own", kind, level).found(value, error, value - below, value + above)
    return found


def _without(ordered: Sequence[DecisionSet]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for each in ordered:
        silent = np.isnan(each.regret_usd) & each.is_counted
        missing = np.bincount(each.segment, weights=silent, minlength=len(each.segments))
        for count, lost in zip(missing, each.segments, strict=True):
            if count:
                counts[lost.status] += int(count)
    return dict(counts)
