"""The designs that the estimators are run on, and what each promises there.

Kinds of promise: `cover` (93–97 % of intervals hold the truth), `bound` (93 % or more: exact or conservative by construction),
`refuse` (no number may be given), `shown` (what happens when an assumption is asserted that does not hold).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analyzers.effects import observational, propensity, scores, sensitivity
from analyzers.effects.estimate import Basis, Estimate
from bench.truth.other_cases import OTHER
from bench.truth.outcomes import Outcome, one, welch
from bench.truth.worlds import Design, Draw, draw, effect


@dataclass(frozen=True, slots=True)
class Case:
    """One estimator on one design. `run` gives estimates with their truths; `thinned`: run on one replication in so many."""

    title: str
    kind: Literal["cover", "bound", "refuse", "shown"]
    run: Callable[[np.random.Generator], Outcome]
    truth: Callable[[], float]
    thinned: int = 1


def _naive(sample: Draw, target: float) -> bool:
    """Whether Welch's interval of a plain comparison of means covers."""
    known = ~np.isnan(sample.outcome)
    return welch(sample.outcome[known & (sample.chosen == 1)], sample.outcome[known & (sample.chosen == 0)], target)


def _logged(title: str, design: Design, method: str = "doubly robust", kind: Literal["cover", "refuse"] = "cover") -> Case:
    def run(rng: np.random.Generator) -> Outcome:
        sample = draw(design, rng)
        probability, menu = sample.propensity, sample.menu
        if "wrong" in title:
            probability, menu = np.where(sample.chosen == 1, 0.5, 0.5), np.full(sample.menu.shape, 0.5)
        log = propensity.read_log(
            sample.chosen,
            sample.outcome,
            probability,
            options=design.options,
            clusters=sample.clusters,
            features=sample.features,
            menu=menu,
        )
        made = {"ips": propensity.ips, "snips": propensity.snips, "doubly robust": propensity.doubly_robust}[method](log)
        target = effect(design)
        return Outcome([(scores.contrast(made, 1, 0), target)], [_naive(sample, target)])

    return Case(f"logged, {method}: {title}", kind, run, lambda: effect(design))


def _observed(
    title: str, design: Design, kind: Literal["cover", "refuse", "shown"] = "cover", *, controlled: bool = False
) -> Case:
    assignment = "unknown" if "unknown" in title else "recorded"

    def run(rng: np.random.Generator) -> Outcome:
        sample = draw(design, rng)
        control = (sample.hidden + rng.normal(size=design.n))[:, None] if controlled else None
        made = observational.doubly_robust(
            sample.chosen,
            sample.outcome,
            sample.features,
            options=design.options,
            assignment=assignment,
            clusters=sample.clusters,
            controls=control,
        )
        target = effect(design)
        return Outcome([(scores.contrast(made.scores, 1, 0), target)], [_naive(sample, target)])

    return Case(f"observed: {title}", kind, run, lambda: effect(design))


def _bounded(title: str, design: Design, gamma: float) -> Case:
    """The sensitivity interval as an estimate, with a hidden confounder that Γ covers in all but the rarest decisions."""

    def run(rng: np.random.Generator) -> Outcome:
        sample = draw(design, rng)
        made = observational.doubly_robust(sample.chosen, sample.outcome, sample.features, options=2, assignment="unknown")
        found = sensitivity.sensitivity(made, 1, 0, gamma=gamma)
        basis = Basis(design.n, design.n, "bound", "all decisions")
        if found is None:
            return one(basis.nothing("not_enough_evidence", "no data"), effect(design))
        middle = (found.point_low + found.point_high) / 2
        answer = basis.found(middle, (found.high - found.low) / 4, found.low, found.high)
        return Outcome([(answer, effect(design))], [_naive(sample, effect(design))])

    return Case(title, "bound", run, lambda: effect(design))


def _within(title: str, design: Design) -> Case:
    """Ten decisions in a task whose difficulty, unrecorded, moves both choice and outcome: compared inside tasks only."""

    def run(rng: np.random.Generator) -> Outcome:
        tasks = np.repeat(np.arange(design.n // 6), 6)
        difficulty = rng.normal(size=design.n // 6)[tasks]
        chosen = (rng.random(design.n) < 1 / (1 + np.exp(-difficulty))).astype(np.int64)
        outcome = 0.3 * chosen - difficulty + rng.normal(size=design.n)
        made = observational.within_tasks(chosen, outcome, tasks, options=2)
        answer: Estimate = scores.contrast(made, 1, 0)
        return Outcome([(answer, 0.3)], [welch(outcome[chosen == 1], outcome[chosen == 0], 0.3)])

    return Case(title, "cover", run, lambda: 0.3)


_QUALITY, _COST = Design(300), Design(300, outcome="lognormal")
_CONTEXT = Design(400, explored=None, confounding=0.8)
_HIDDEN = Design(600, outcome="normal", explored=None, confounding=0.4, hidden=0.5, effect=0.4)
_NO_OVERLAP = Design(400, explored=None, confounding=60.0)

CASES: tuple[Case, ...] = (
    *(_logged("quality, 50 %, n 300", _QUALITY, method) for method in ("ips", "snips", "doubly robust")),
    *(_logged(f"quality, 50 %, n {n}", replace(_QUALITY, n=n)) for n in (50, 100, 1000)),
    _logged("quality, zero effect, n 300", replace(_QUALITY, effect=0.0)),
    *(_logged(f"quality, exploration 5 %, n {n}", replace(_QUALITY, n=n, explored=0.05)) for n in (300, 1000)),
    _logged("quality, exploration 5 %, zero effect, n 300", replace(_QUALITY, explored=0.05, effect=0.0)),
    _logged("rare outcome 2 %, 50 %, n 300", replace(_QUALITY, base=-4.2, effect=0.7)),
    _logged("rare failure 2 %, exploration 5 %, n 1000", replace(_QUALITY, n=1000, explored=0.05, base=4.2, effect=-0.7)),
    _logged("quality, 4 decisions a task, n 400", replace(_QUALITY, n=400, explored=0.3, tasks_of=4)),
    _logged("quality, drift, n 400", replace(_QUALITY, n=400, drift=1.0)),
    _logged("quality, 30 % of outcomes missing, n 400", replace(_QUALITY, n=400, missing=0.3)),
    _logged("quality, three options, n 400", replace(_QUALITY, n=400, explored=0.6, options=3)),
    *(_logged(f"cost, lognormal, 50 %, n {n}", replace(_COST, n=n)) for n in (100, 300)),
    _logged("cost, lognormal, zero effect, n 300", replace(_COST, effect=0.0)),
    _logged("cost, lognormal, exploration 5 %, n 1000", replace(_COST, n=1000, explored=0.05)),
    _logged("cost, Pareto, 50 %, n 300", Design(300, outcome="pareto")),
    _logged("cost, lognormal, 4 decisions a task, n 400", replace(_COST, n=400, tasks_of=4)),
    _logged("quality, propensities wrong, n 1000", replace(_QUALITY, n=1000, explored=0.2), kind="refuse"),
    _logged("quality, never explored, n 300", replace(_QUALITY, explored=0.0), kind="refuse"),
    _observed("quality, confounded, n 400", _CONTEXT),
    _observed("quality, confounded, n 150", replace(_CONTEXT, n=150)),
    _observed("quality, confounded, n 1500", replace(_CONTEXT, n=1500)),
    _observed("quality, confounded, zero effect, n 400", replace(_CONTEXT, effect=0.0)),
    _observed("quality, curved confounding, n 1500", replace(_CONTEXT, n=1500, curved=True, confounding=0.5)),
    _observed("quality, confounded, drift, n 400", replace(_CONTEXT, drift=1.0)),
    _observed("quality, confounded, 4 decisions a task, n 600", replace(_CONTEXT, n=600, tasks_of=4)),
    _observed("quality, rare 3 %, confounded, n 600", replace(_CONTEXT, n=600, base=-3.8, effect=0.7)),
    _observed("quality, confounded, three options, n 600", replace(_CONTEXT, n=600, options=3)),
    _observed("cost, lognormal, confounded, n 400", replace(_CONTEXT, outcome="lognormal")),
    _observed("effect equal for all, weak overlap trimmed, n 600", replace(_CONTEXT, n=600, outcome="normal", confounding=2.0)),
    _observed("no overlap, n 400", _NO_OVERLAP, "refuse"),
    _observed("hidden confounder, assignment unknown, n 600", _HIDDEN, "refuse"),
    _observed("hidden confounder, noisy negative control, n 600", _HIDDEN, "shown", controlled=True),
    _observed("hidden confounder, wrongly called recorded, n 600", _HIDDEN, "shown"),
    _bounded("sensitivity, Γ 2.7: hidden confounder, n 600", _HIDDEN, 2.7),
    _bounded("sensitivity, Γ 2.7: hidden confounder, zero effect, n 600", replace(_HIDDEN, effect=0.0), 2.7),
    _within("within tasks: hidden difficulty, n 600", Design(600)),
    *(Case(*other) for other in OTHER),
)
