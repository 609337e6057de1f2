"""How appraisals whose truth is known went, counted over replications, and the row of the table that this makes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analyzers.attribution.appraise import Appraised
from analyzers.attribution.choices import Choices
from analyzers.attribution.misallocation import decision_set, misallocation
from analyzers.attribution.segments import Segment, discoveries
from analyzers.effects import intervals
from analyzers.effects.estimate import Bools, Floats
from bench.truth.powered import Against, Asked, Cell, Powered, recall

_COLUMNS = (
    "economy", "n", "replications", "effects cover", "means cover", "regrets cover", "precision", "recall (powered)",
    "runs raising anything", "total lost", "median error", "computed", "of means", "total covers", "answers", "promise kept",
)  # fmt: skip
HEADER = ("| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS))


@dataclass(frozen=True, slots=True)
class Known:
    """One decision set as it was appraised, with the expected net (n, K) of every option in USD, which it has not seen."""

    layer: str
    kind: str
    choices: Choices
    appraised: Appraised
    net: Floats


@dataclass
class Tally:
    """Counts over replications; pairs are (hits, of). `promise`: what is promised here, see `kept`. `material`: the segments that
    lost something material, each with its computed chance of being found, from `settle` on."""

    title: str
    n: int
    promise: str
    effects: list[int] = field(default_factory=lambda: [0, 0])
    means: list[int] = field(default_factory=lambda: [0, 0])
    regrets: list[int] = field(default_factory=lambda: [0, 0])
    right: list[int] = field(default_factory=lambda: [0, 0])
    found: list[int] = field(default_factory=lambda: [0, 0])
    raised: list[int] = field(default_factory=lambda: [0, 0])
    covers: list[int] = field(default_factory=lambda: [0, 0])
    answers: list[int] = field(default_factory=lambda: [0, 0])
    lost: list[float] = field(default_factory=list[float])
    errors: list[float] = field(default_factory=list[float])
    computed: list[float] = field(default_factory=list[float])
    naive: list[float] = field(default_factory=list[float])
    powered: Powered = field(default_factory=Powered)
    material: list[tuple[Asked, float]] = field(default_factory=list[tuple[Asked, float]])

    def add(self, strata: Sequence[Known]) -> None:
        """Count one replication."""
        segments = [segment for each in strata for segment in each.appraised.segments]
        flags = discoveries(segments)
        truths: list[float] = []
        options: list[dict[int, Against]] = []
        naive_lost = 0.0
        for each in strata:
            naive_lost += _naive_total(each)
            for code in range(len(each.appraised.segments)):
                truth, against = self.segment(each, code)
                truths.append(truth)
                options.append(against)
        lost = sum(truths)
        self.findings(flags, truths)
        cells = [cell for place, each in enumerate(strata) for cell in segment_cells(each, place)]
        self.powered.runs.append(asked(flags, cells, truths, options))
        whole = misallocation([decision_set(str(k), s.layer, s.kind, s.choices, s.appraised) for k, s in enumerate(strata)])
        if whole.total.n and any(segment.regret.value is not None for segment in segments):
            value, error, low, high = whole.total.numbers()
            self.covers[0] += low <= lost <= high
            self.covers[1] += 1
            self.lost.append(lost)
            if lost > 0:
                self.errors.append(abs(value - lost) / lost)
                self.computed.append(0.6745 * error / lost)
                self.naive.append(abs(naive_lost - lost) / lost)

    def segment(self, each: Known, code: int) -> tuple[float, dict[int, Against]]:
        """Count one segment. Answers its true regret against the options that it could be compared with, and these."""
        segment, inside = each.appraised.segments[code], each.appraised.segment == code
        self.answers[0] += segment.n * (segment.regret.value is not None)
        self.answers[1] += segment.n
        chosen = int(each.choices.chosen[inside][0])
        gains = each.net[inside] - each.net[inside][:, [chosen]]
        best = np.zeros(len(gains))
        against: dict[int, Against] = {}
        for option, estimate in enumerate(segment.options):
            if estimate is None:
                continue
            compared = np.isfinite(each.appraised.error_usd[inside, option])
            truth = float(gains[compared, option].sum())
            _, _, low, high = estimate.numbers()
            self.effects[0] += low <= truth <= high
            self.effects[1] += 1
            naive = _naive_interval(each, inside, option)
            if naive is not None:
                whole = float(gains[:, option].sum())
                self.means[0] += naive[0] <= whole <= naive[1]
                self.means[1] += 1
            best[compared] = np.maximum(best[compared], gains[compared, option])
            against[option] = _against(each, segment, option, chosen, truth, inside)
        if segment.regret.value is None:
            return 0.0, {}
        truth = float(best.sum())
        if truth > segment.materiality_usd:
            _, _, low, high = segment.regret.numbers()
            self.regrets[0] += max(low, 0.0) <= truth <= high
            self.regrets[1] += 1
        return truth, against

    def findings(self, segments: Sequence[Segment], truths: Sequence[float]) -> None:
        """Count which segments are findings, of true regrets."""
        material = [truth > each.materiality_usd for truth, each in zip(truths, segments, strict=True)]
        raised = [each.discovery for each in segments]
        self.raised[0] += any(raised)
        self.raised[1] += 1
        self.right[0] += sum(found and true for found, true in zip(raised, material, strict=True))
        self.right[1] += sum(raised)

    def settle(self, material: list[tuple[Asked, float]] | None = None) -> None:
        """Count what was found of what computation says is found nine times in ten, once all replications are there; by default
        of its own segments."""
        self.material = self.powered.material() if material is None else material
        self.found = recall(self.material)

    def kept(self) -> tuple[bool, str]:
        """Whether the promise is kept, allowing two standard errors of the replications, and what was promised."""
        if self.promise == "refuse":
            return self.answers[0] == 0, "no number"
        runs = max(1, self.raised[1])
        if self.promise == "nothing":
            return self.raised[0] / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs), "raises ≤ 5 %, effects cover"
        slack = 2 * math.sqrt(0.05 * 0.95 / runs)
        good = 0.93 - slack <= _share(self.effects) and _share(self.regrets) >= 0.93 - slack
        good &= not self.right[1] or _share(self.right) >= 0.95 - slack
        good &= self.found[1] < 10 or _share(self.found) >= 0.85 - slack
        return bool(good), "cover ≥ 93 %, precision ≥ 95 %, recall ≥ 85 %"

    def row(self) -> str:
        """The tally as one row of the table."""
        good, promised = self.kept()
        cells = [
            self.title,
            f"{self.n:,}",
            str(self.raised[1]),
            _percent(self.effects),
            _percent(self.means),
            _percent(self.regrets),
            _percent(self.right),
            f"{_percent(self.found)} of {self.found[1]:,}" if self.found[1] else "–",
            _percent(self.raised),
            f"{np.median(self.lost):.3g} USD" if self.lost else "–",
            _median(self.errors),
            _median(self.computed),
            _median(self.naive),
            _percent(self.covers),
            _percent(self.answers),
            f"{'yes' if good else 'NO'}: {promised}",
        ]
        return "| " + " | ".join(cells) + " |"


def asked(
    segments: Sequence[Segment],
    cells: Sequence[Cell],
    truths: Sequence[float],
    options: Sequence[dict[int, Against]],
) -> list[Asked]:
    """The segments of one replication that have a number, as computation wants them."""
    return [
        Asked(cell, against, truth, each.materiality_usd, each.discovery)
        for each, cell, truth, against in zip(segments, cells, truths, options, strict=True)
        if each.regret.value is not None
    ]


def segment_cells(each: Known, place: int) -> list[Cell]:
    """Which segment each one of a decision set is, in every replication; `place`: of the set among all."""
    lows = sorted({segment.band.low_usd for segment in each.appraised.segments})
    names = each.choices.options
    return [
        (place, names.index(segment.chosen) if segment.chosen in names else -1, lows.index(segment.band.low_usd))
        for segment in each.appraised.segments
    ]


def _against(each: Known, segment: Segment, option: int, chosen: int, gain: float, inside: Bools) -> Against:
    """One alternative of a segment, `option`, in place of `chosen`."""
    choices, estimate = each.choices, segment.options[option]
    if estimate is None:
        raise ValueError(f"{segment.label} could not be compared with option {option}")
    variances = {term: (errors[option] or 0.0) ** 2 for term, errors in segment.option_errors.items()}
    prices = {"quality": choices.v_usd, "latency": choices.lam, "risk": choices.rho}
    sums = {term: float(prices[term][inside].sum()) if term in prices else float(inside.sum()) for term in variances}
    taken = int((choices.chosen == option).sum()), int((choices.chosen == chosen).sum())
    return Against(gain, estimate, variances, sums, taken)


def _share(pair: list[int]) -> float:
    return pair[0] / pair[1] if pair[1] else 1.0


def _percent(pair: list[int]) -> str:
    return f"{100 * pair[0] / pair[1]:.1f} %" if pair[1] else "–"


def _median(values: list[float]) -> str:
    return f"{100 * float(np.median(values)):.0f} %" if values else "–"


def _realised(choices: Choices) -> Floats:
    """Each decision's realised net, as a comparison of means would take it; terms unknown everywhere are left out."""
    net = choices.v_usd * choices.quality - choices.cost_usd
    for outcome, price in ((choices.latency_s, choices.lam), (choices.loss_usd, choices.rho)):
        if not np.isnan(outcome).all() and not np.isnan(price).any():
            net = net - price * outcome
    return net


def _naive_interval(each: Known, inside: Bools, option: int) -> tuple[float, float] | None:
    """What a plain comparison of means within the value band says an option would change, in USD (Welch)."""
    net = _realised(each.choices)
    v = each.choices.v_usd
    band = (v >= v[inside].min()) & (v <= v[inside].max())
    one = net[band & (each.choices.chosen == option) & ~np.isnan(net)]
    other = net[inside & ~np.isnan(net)]
    if min(len(one), len(other)) < 2:
        return None
    parts = [float(arm.var(ddof=1)) / len(arm) for arm in (one, other)]
    if sum(parts) == 0:
        return None
    degrees = sum(parts) ** 2 / sum(part**2 / (len(arm) - 1) for part, arm in zip(parts, (one, other), strict=True))
    half = intervals.quantile(degrees) * math.sqrt(sum(parts))
    value, n = float(one.mean() - other.mean()), int(inside.sum())
    return n * (value - half), n * (value + half)


def _naive_total(each: Known) -> float:
    """The total by a plain comparison of means: in every segment the best looking option's mean less the chosen one's."""
    net = _realised(each.choices)
    total = 0.0
    for code in range(len(each.appraised.segments)):
        inside = each.appraised.segment == code
        v = each.choices.v_usd
        band = (v >= v[inside].min()) & (v <= v[inside].max()) & ~np.isnan(net)
        own = net[inside & ~np.isnan(net)]
        others = [net[band & (each.choices.chosen == option)] for option in range(len(each.choices.options))]
        means = [float(arm.mean()) for arm in others if len(arm)]
        if len(own) and means:
            total += float(inside.sum()) * max(0.0, max(means) - float(own.mean()))
    return total
