"""What some decisions of one option would have brought under another: every term of eq. 1 at once, with joint uncertainty.

The estimand is a sum over *these* decisions, each at its own prices: Σ_i p_i·(Y_i(b) − Y_i(a)). What the models expect of each
decision is summed at its prices; what they missed on average is measured where the options were taken, weighted to be like these
decisions. It may be measured on more decisions than are asked about: V is a price, and what an option brings is the same whatever
it is worth, unless the data show otherwise (`lending`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from analyzers.attribution.arms import Arm, Loan, asked, measured
from analyzers.attribution.fit import Fit, context_name
from analyzers.effects import intervals
from analyzers.effects.estimate import LEVEL, Basis, Bools, Estimate, Floats, Ints, ranks
from analyzers.effects.horseshoe import NOTHING, Belief
from analyzers.effects.scores import EFFECTIVE_MIN

_UNLIKE = 0.25  # standard deviations by which an arm's context may be off that of the decisions that are asked about
_BY_CHANCE = 2.0  # standard errors of both means that are chance
_NET = ("quality", "cost", "latency", "risk")


@dataclass(frozen=True)
class Contrast:
    """`option` against `base` over `decisions` (rows of the fit in which `base` was chosen and `option` had a chance)."""

    fit: Fit
    decisions: Ints
    option: int
    base: int
    arms: tuple[Arm, Arm]  # of option, of base
    tasks: int
    elsewhere: bool = False  # whether it is about a part of what was measured that context picked out
    slopes: tuple[Belief, ...] = ()  # (P,) by which what the option brings changes with log V; none: it does not
    away: tuple[float, ...] = ()  # (P,) log V of these decisions, as they are priced, less that of the arms

    @cached_property
    def expected(self) -> Floats:
        """Shape (P, decisions): what the models expect the option to change, in each term's unit."""
        rows = self.decisions
        return np.stack([part.fitted[rows, self.option] - part.fitted[rows, self.base] for part in self.fit.parts])

    @property
    def changed(self) -> Floats:
        """Shape (P, decisions): what the option changes in each decision, in each term's unit."""
        return self.expected + (self.arms[0].missed - self.arms[1].missed)[:, None]

    @property
    def covariance(self) -> Floats:
        """Shape (P, P): of the mean misses' difference, with tasks as the unit."""
        parts = len(self.fit.parts)
        known = np.diag(self._by_value + self._rare)
        if self.fit.alone:
            return sum((each.pulls @ each.pulls.T for each in self.arms), known)
        sums = np.stack([self._sums(0, place) - self._sums(1, place) for place in range(parts)])
        return np.asarray(sums @ sums.T) + known

    def moved(self, log_v: Floats, slopes: tuple[Belief, ...]) -> Contrast:
        """The contrast at its decisions' V, where what the option brings changes by `slopes` (P,) per unit of log V (n,): from
        the arms' mean to the mean of the decisions, weighted as they are priced."""
        if not any(slope.variance for slope in slopes):
            return self
        paid = np.abs(self.prices())
        places = log_v[self.decisions]
        sums = paid.sum(axis=1)
        wanted = np.asarray(np.where(sums > 0, (paid @ places) / np.maximum(sums, 1e-300), places.mean()), dtype=np.float64)
        one, other = self.arms
        away = wanted - (one.along(log_v) + other.along(log_v)) / 2
        by = np.array([slope.mean for slope in slopes]) * away
        return replace(self, arms=(one.shifted(by), other), slopes=slopes, away=tuple(away.tolist()))

    @property
    def _by_value(self) -> Floats:
        """Shape (P,): variance of what the option brings more at these decisions' V than at the arms'."""
        if not self.slopes:
            return np.zeros(len(self.fit.parts))
        return np.array([slope.variance * away**2 for slope, away in zip(self.slopes, self.away, strict=True)])

    @property
    def _rare(self) -> Floats:
        """Shape (P,): variance of the mean misses' difference for large misses that either arm may not have met."""
        return self.arms[0].rare + self.arms[1].rare

    @property
    def effective(self) -> float:
        """Independent tasks behind the arm that has fewer."""
        return min(each.effective for each in self.arms)

    @property
    def is_evident(self) -> bool:
        """Whether an interval for it keeps its promise: outcomes enough (`effects.scores.EFFECTIVE_MIN`), of such work."""
        return self.effective >= EFFECTIVE_MIN[False] and not self.unlike

    @cached_property
    def unlike(self) -> str:
        """By what of the context an arm is of other work than these decisions, though weighted to be like them; "" by nothing.

        A mean that is off by more than a quarter of a standard deviation beyond what so few outcomes are off by chance: what an
        option brings here would be extrapolated from where it was taken, and no interval knows by how much that errs.
        Source: the limit of Rubin 2001 and of Stuart, Statistical Science 25 (2010), §3.4.
        """
        alike = self.fit.alike
        if not alike.shape[1]:
            return ""
        paid = np.abs(self.prices())
        for place, part in enumerate(self.fit.parts):
            total = float(paid[place].sum())
            if not part.moves or total <= 0:
                continue
            wanted = paid[place] @ alike[self.decisions] / total
            n = total**2 / float((paid[place] ** 2).sum())
            for each in self.arms:
                if each.counts[place] == 0:
                    continue
                off = np.abs(each.shares[place] @ alike[each.rows] - wanted)
                allowed = _UNLIKE + _BY_CHANCE * math.sqrt(1 / float(each.sizes[place]) + 1 / n)
                if float(off.max()) > allowed:
                    return context_name(self.fit.choices, int(np.argmax(off)))
        return ""

    def prices(self) -> Floats:
        """Shape (P, decisions): each decision's prices."""
        return np.stack([part.price[self.decisions] for part in self.fit.parts])

    @cached_property
    def gain(self) -> Estimate:
        """The total at the decisions' own prices: their net under the option less that under the base, in USD."""
        return self.total()

    def total(self, prices: Floats | None = None, *, level: float = LEVEL) -> Estimate:
        """Σ over the decisions, in USD, at their own prices or at others (P, decisions).

        Interval: quality's part of each arm by Wilson's formula with the observations its weighted variance is worth, money's
        by a gamma's, joined limit by limit (MOVER) with the correlations between the terms of one task. What is believed of the
        slope along log V that matters most is added as it is distributed, what else is not known by its variance.
        """
        priced = self.prices() if prices is None else prices
        sums = priced.sum(axis=1)
        value = float((priced * self.expected).sum() + sums @ (self.arms[0].missed - self.arms[1].missed))
        joint = intervals.of_sums(value, self._joint(sums))
        low, high = self._limits(sums, intervals.skew_share_of(joint), level)
        basis = Basis(len(self.decisions), self.tasks, self.fit.method, "these decisions", level)
        unseen, reach = self.unseen(priced), intervals.quantile(math.inf, level)
        error = math.sqrt(joint.standard_error**2 + unseen)
        slope, scale = self._steepest(sums)
        rest = max(0.0, unseen - slope.variance * scale**2)
        below, above = (math.sqrt((limit / reach) ** 2 + rest) for limit in (low, high))
        low, high = slope.limits(scale, below, above, level)
        return basis.found(value, error, value - low, value + high, degrees=joint.degrees)

    def _steepest(self, sums: Floats) -> tuple[Belief, float]:
        """The slope that is least known, in USD, at these sums of prices (P,), and how many of its units the total holds."""
        scales = [float(price) * away for price, away in zip(sums, self.away, strict=False)]
        found = max(zip(self.slopes, scales, strict=True), key=lambda one: one[0].variance * one[1] ** 2, default=None)
        return found or (NOTHING, 0.0)

    def unseen(self, prices: Floats | None = None) -> float:
        """Variance of the total, in USD², that comes from these decisions being others than those that were measured, and some of
        them dearer, where effects differ in ways that the models do not tell; and from what was measured without what is rare.

        Formula: g·(Σ_t p_t² − (Σp)²/N) over tasks t, with the variance g of unseen effects and N decisions in the base's arm;
        g·(Σp)² where context picked the decisions out of those that were measured, since then they may all differ alike.
        """
        priced = self.prices() if prices is None else prices
        variance, by_all = 0.0, self._by_value + self._rare
        for place, part in enumerate(self.fit.parts):
            left = float(part.unseen[self.option] + part.unseen[self.base])
            variance += float(by_all[place]) * float(priced[place].sum()) ** 2
            if left == 0 or not part.moves:
                continue
            if self.elsewhere:
                variance += left * float(priced[place].sum()) ** 2
                continue
            of_tasks = priced[place]
            if not self.fit.alone:
                of_tasks = np.bincount(ranks(self.fit.tasks[self.decisions]), weights=of_tasks)
            n = max(len(of_tasks), int(self.arms[1].counts[place]))
            variance += left * max(0.0, float((of_tasks**2).sum()) - float(of_tasks.sum()) ** 2 / n)
        return variance

    def pull(self, prices: Floats | None = None) -> list[tuple[Ints, Floats]]:
        """Rows with what each adds to the error of `total`."""
        sums = (self.prices() if prices is None else prices).sum(axis=1)
        return [(each.rows, sign * (sums @ each.pulls)) for sign, each in zip((1.0, -1.0), self.arms, strict=True)]

    def _sums(self, side: int, place: int) -> Floats:
        each = self.arms[side]
        return np.asarray(np.bincount(each.tasks, weights=each.pulls[place], minlength=self.tasks), dtype=np.float64)

    def _joint(self, sums: Floats) -> Floats:
        """Shape (tasks,): each task's pull on the total."""
        if self.fit.alone:
            return np.concatenate([sums @ self.arms[0].pulls, -(sums @ self.arms[1].pulls)])
        return np.asarray(sum(sums[k] * (self._sums(0, k) - self._sums(1, k)) for k in range(len(sums)) if sums[k]))

    def _limits(self, sums: Floats, skew_share: float, level: float) -> tuple[float, float]:
        """Distances of the total's limits below and above."""
        pieces = [(side, *piece) for side in (0, 1) for piece in self._pieces(side, sums, skew_share, level)]
        below = np.array([b.value - b.low if side == 0 else b.high - b.value for side, b, _ in pieces])
        above = np.array([b.high - b.value if side == 0 else b.value - b.low for side, b, _ in pieces])
        relation = np.eye(len(pieces))
        for i, (side, _, pulls) in enumerate(pieces):
            for j, (other, _, others) in enumerate(pieces[:i]):
                scale = math.sqrt(float((pulls**2).sum()) * float((others**2).sum()))
                if scale > 0 and (side == other or not self.fit.alone):
                    together = float(pulls @ others) / scale
                    relation[i, j] = relation[j, i] = together if side == other else -together
        one, other = (math.sqrt(max(0.0, float(distance @ relation @ distance))) for distance in (below, above))
        return one, other

    def _pieces(self, side: int, sums: Floats, skew_share: float, level: float) -> list[tuple[intervals.Bounds, Floats]]:
        """Quality in one arm, if it is known, and money: what each contributes to the total, and its pulls by task."""
        parts, each = self.fit.parts, self.arms[side]
        asked = [place for place, part in enumerate(parts) if sums[place] and part.moves]
        money = [place for place in asked if parts[place].name != "quality"]
        found: list[tuple[intervals.Bounds, Floats]] = []
        for place in (place for place in asked if parts[place].name == "quality"):
            option = self.option if side == 0 else self.base
            mean = float(self.fit.parts[place].fitted[self.decisions, option].mean()) + float(each.missed[place])
            pulls = each.pulls[place] if self.fit.alone else self._sums(side, place)
            of = intervals.of_sums(min(1.0, max(0.0, mean)), self._own(side, pulls))
            known = intervals.bounded(of, max(each.effective, 1e-9), level, worth=parts[place].worth)
            scale = float(sums[place])
            found.append((intervals.Bounds(scale * known.value, scale * known.low, scale * known.high), scale * pulls))
        if money:
            pulls = sums[money] @ each.pulls[money] if self.fit.alone else sum(sums[k] * self._sums(side, k) for k in money)
            of = intervals.of_sums(0.0, self._own(side, np.asarray(pulls)))
            found.append((intervals.skewed(of, level, skew_share=skew_share), np.asarray(pulls)))
        return found

    def _own(self, side: int, pulls: Floats) -> Floats:
        """The pulls of those tasks alone that the arm has."""
        if self.fit.alone:
            return pulls
        present: Bools = np.zeros(self.tasks, dtype=np.bool_)
        present[self.arms[side].tasks] = True
        return pulls[present]


def contrast(fit: Fit, pool: Ints, option: int, base: int, loan: Loan | None = None) -> Contrast | None:
    """What `option` would have brought in those decisions of `pool` (rows) in which `base` was chosen; None where there is none,
    or where nobody took the option where it is measured: in the pool, or where a loan says.

    Source: doubly robust effect on those who took `base`: weights e_base/e_option (Hirano, Imbens & Ridder 2003; Robins,
    Rotnitzky & Zhao 1994), normalised (Hájek).
    """
    decisions = asked(fit, pool, option, base)
    arms = measured(fit, pool, option, base, loan) if len(decisions) else None
    return None if arms is None else Contrast(fit, decisions, option, base, arms[:2], arms[2])
