"""What could have been: for the decisions of a comparison, what each option would have brought and taken.

Estimated by `analyzers.effects`. Scores are per decision, so that means over any resampling of tasks are sums. Where an option's
effect is not identified it is no alternative; where fewer than two are left the decisions stay as they were, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allocation.period import COST, LOSS, QUALITY
from analyzers.attribution.choices import Choices
from analyzers.effects import observational, propensity
from analyzers.effects.estimate import Bools, Floats, InputError, Ints
from analyzers.effects.scores import Scores, overlap

SAMPLE_MAX = 20_000
"""Decisions of a comparison that are estimated from; of more, tasks are drawn that have about so many."""
TASKS_MIN = 4.0
"""Independent tasks (Kish) that an option's outcomes must be worth to count as an alternative."""
_MODELLED_MIN = 200  # decisions below which a model of outcomes takes away less noise than it adds


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Decisions with alternatives. Shapes: `chosen` (n,) codes; `task` (n,), a hash of the task, the same in every comparison;
    `v_usd` (n,); `scores` (4, n, K): quality, cost in USD, latency in seconds, loss in USD, whose mean is an option's. `alike`
    as in `Compared`. Tasks whose `drawn_at` is below `share` were drawn; every row stands for `weight` decisions."""

    task_class: str
    kind: str
    options: tuple[str, ...]
    chosen: Ints
    task: Ints
    v_usd: Floats
    scores: Floats
    tells_loss: bool = True
    alike: float = 1.0
    share: float = 1.0
    weight: float = 1.0

    @property
    def name(self) -> str:
        """What it is called where it is left out."""
        return f"{self.kind} of {self.task_class or 'unclassified tasks'} ({', '.join(self.options)})"

    def means(self, weights: Floats | None = None) -> Floats:
        """Shape (4, K): each option's mean outcomes, over decisions weighted so (n,)."""
        given = np.ones(len(self.chosen)) if weights is None else weights
        means = np.einsum("n,onk->ok", given, self.scores) / max(float(given.sum()), 1e-300)
        means[QUALITY] = means[QUALITY].clip(0.0, 1.0)
        means[[COST, LOSS]] = means[[COST, LOSS]].clip(0.0)
        return means


def drawn_at(tasks: Ints, seed: int) -> Floats:
    """Shape (n,): a number from 0 to 1 for each task, the same whatever it is asked for; so comparisons draw the same tasks."""
    mixed = (tasks.view(np.uint64) ^ np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray((mixed >> np.uint64(11)).astype(np.float64) / 2.0**53, dtype=np.float64)


def find_alternatives(choices: Choices, tasks: Ints, task_class: str, kind: str, seed: int) -> Alternatives | str:
    """What the decisions of a comparison could have been, or why that is not known. `tasks` (n,): a hash of each one's task."""
    if choices.assignment == "unknown":
        return "what moved the choice was not recorded"
    usable = np.flatnonzero(~np.isnan(choices.v_usd))
    if not len(usable):
        return "V is not known of any of its tasks"
    share = min(1.0, SAMPLE_MAX / len(usable))
    kept = usable[drawn_at(tasks[usable], seed) < share].astype(np.int64)
    drawn = choices.take(kept)
    tells_loss = not bool(np.isnan(drawn.loss_usd).all())
    outcomes = {"quality": drawn.quality, "cost": drawn.cost_usd, "latency": drawn.latency_s}
    if tells_loss:
        outcomes["loss"] = drawn.loss_usd
    unknown = [name for name, outcome in outcomes.items() if np.isnan(outcome).all()]
    if unknown:
        return f"{' and '.join(unknown)} not known of any of its tasks"
    try:
        scored = [_scores(drawn, outcome, seed) for outcome in outcomes.values()]
    except InputError as error:
        return str(error)
    found = _kept(drawn, tasks[kept], scored, task_class, kind)
    if isinstance(found, str):
        return found
    return replace(found, share=share, weight=len(usable) / len(kept), tells_loss=tells_loss)


def _kept(drawn: Choices, tasks: Ints, scored: list[Scores], task_class: str, kind: str) -> Alternatives | str:
    whys = {k: _unknown(scored, k) for k in range(len(drawn.options))}
    while True:
        kept = [k for k, why in whys.items() if not why]
        if len(kept) < 2:
            said = "; ".join(f"{drawn.options[k]} {why}" for k, why in whys.items() if why)
            return f"fewer than two of its options have known effects: {said}"
        rows = np.isin(drawn.chosen, kept)
        for one in scored:
            rows &= one.supported(*kept)
        if not rows.any():
            return "in no decision had all options with known effects a chance"
        unseen = [k for k in kept if not all((one.weights[rows, k] > 0).any() for one in scored)]
        if not unseen:
            break
        whys |= dict.fromkeys(unseen, "has no known outcome where the others had a chance")
    table = np.zeros((4, int(rows.sum()), len(kept)))
    for place, one in enumerate(scored):
        taken = one.take(rows)
        table[place] = np.column_stack([taken.values(k) for k in kept])
    of = drawn.take(rows)
    codes = np.searchsorted(np.array(kept), of.chosen).astype(np.int64)
    names = tuple(drawn.options[k] for k in kept)
    most = max(scored, key=lambda one: int((~np.isnan(one.outcome[rows])).sum())).take(rows)
    alike = chosen_alike(most.weights[:, kept], ~np.isnan(most.outcome), of.tasks)
    return Alternatives(task_class, kind, names, codes, tasks[rows], of.v_usd, table, alike=alike)


def chosen_alike(weights: Floats, known: Bools, tasks: Ints) -> float:
    """How many decisions of its task the effect of one speaks for: 1 where a task's decisions are chosen independently, their
    number where they are all chosen alike, as a router does that keeps to its choice.

    Shapes: weights (n, K), inverse probabilities of the options chosen, 0 elsewhere; known (n,), whether the outcome is; tasks
    (n,). Formula: Σ_tk (Σ_j d_jk)² / Σ_tkj d_jk² over the decisions j of tasks t, with d_jk = w_jk / mean(w_k) − 1: an effect
    weighted by w_jk holds what all decisions i of the task did that were for k with it, Σ_i d_jk·d_ik.
    """
    given, codes = weights[known], np.unique(tasks[known], return_inverse=True)[1].reshape(-1)
    size = np.bincount(codes).astype(np.float64)
    if not len(given) or size.max() == 1:
        return 1.0
    beyond = given / given.mean(axis=0) - 1.0
    sums = np.stack([np.bincount(codes, weights=column) for column in beyond.T])
    return float(np.clip((sums**2).sum() / max(float((beyond**2).sum()), 1e-300), 1.0, (size**2).sum() / size.sum()))


def _unknown(scored: list[Scores], option: int) -> str:
    """Why an option's outcomes are not known, or nothing. A price needs a mean of each, and its interval tells how sure that is;
    so less evidence will do than for a claim about the option itself."""
    for one in scored:
        if one.unidentified[option]:
            return one.unidentified[option].replace(f"option {option} ", "")
    effective = min(overlap(one, option).effective for one in scored)
    return f"has outcomes worth {effective:.1f} independent tasks of {TASKS_MIN:.0f}" if effective < TASKS_MIN else ""


def _scores(of: Choices, outcome: Floats, seed: int) -> Scores:
    features = of.features if of.features.shape[1] else None
    options = len(of.options)
    if of.assignment == "logged":
        log = propensity.read_log(
            of.chosen, outcome, of.propensity, options=options, clusters=of.tasks, features=features, menu=of.menu
        )
        if features is None or len(of) < _MODELLED_MIN:
            return propensity.snips(log)
        return propensity.doubly_robust(log, seed=seed)
    return observational.doubly_robust(
        of.chosen, outcome, features, options=options, assignment="recorded", clusters=of.tasks, seed=seed
    ).scores
