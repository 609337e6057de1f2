"""What could have been: for the decisions of a comparison, what each option would have brought and taken.

Estimated by `analyzers.effects`. Scores are per decision, so that means over any resampling of tasks are sums. Where an option's
effect is not identified it is no alternative; where fewer than two are left the decisions stay as they were, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from allocation.period import COST, LOSS, QUALITY, Compared
from analyzers.attribution.choices import Choices
from analyzers.effects import observational, propensity
from analyzers.effects.estimate import Floats, InputError, Ints
from analyzers.effects.scores import Scores, overlap

SAMPLE_MAX = 20_000
"""Decisions of a comparison that are estimated from; of more, so many are drawn."""
BANDS = 8
"""Bands of V that decisions are taken together in."""
TASKS_MIN = 4.0
"""Independent tasks (Kish) that an option's outcomes must be worth to count as an alternative."""
_MODELLED_MIN = 200  # decisions below which a model of outcomes takes away less noise than it adds


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Decisions with alternatives. Shapes: chosen, task, band (n,) codes; scores (4, n, K): quality, cost in USD, latency in
    seconds, loss in USD, whose mean is an option's; `v_usd` (bands,). Every row stands for `weight` decisions."""

    task_class: str
    kind: str
    options: tuple[str, ...]
    chosen: Ints
    task: Ints
    band: Ints
    v_usd: Floats
    scores: Floats
    weight: float
    tells_loss: bool

    def taken(self) -> Floats:
        """Shape (bands, K): how many decisions took each option."""
        options = len(self.options)
        counted = np.bincount(self.band * options + self.chosen, minlength=len(self.v_usd) * options)
        return np.asarray(counted.reshape(len(self.v_usd), options) * self.weight, dtype=np.float64)

    def means(self, weights: Floats | None = None) -> Floats:
        """Shape (4, K): each option's mean outcomes, over decisions weighted so (n,)."""
        given = np.ones(len(self.chosen)) if weights is None else weights
        means = np.einsum("n,onk->ok", given, self.scores) / max(float(given.sum()), 1e-300)
        means[QUALITY] = means[QUALITY].clip(0.0, 1.0)
        means[[COST, LOSS]] = means[[COST, LOSS]].clip(0.0)
        return means


def compare(decided: Sequence[Alternatives], seed: int, replicates: int) -> tuple[Compared, ...]:
    """What an allocation is solved from. Every replicate draws every task a Poisson(1) number of times; equal input and seed give
    equal draws."""
    draw = np.random.default_rng(seed)
    draws = [np.zeros((replicates, 4, len(one.options))) for one in decided]
    for replicate in range(replicates):
        for one, drawn in zip(decided, draws, strict=True):
            drawn[replicate] = one.means(draw.poisson(1.0, int(one.task.max()) + 1).astype(np.float64)[one.task] + 1e-12)
    return tuple(
        Compared(one.task_class, one.kind, one.options, one.v_usd, one.taken(), one.means(), drawn)
        for one, drawn in zip(decided, draws, strict=True)
    )


def find_alternatives(choices: Choices, task_class: str, kind: str, seed: int) -> Alternatives | str:
    """What the decisions of a comparison could have been, or why that is not known."""
    if choices.assignment == "unknown":
        return "what moved the choice was not recorded"
    usable = np.flatnonzero(~np.isnan(choices.v_usd))
    if not len(usable):
        return "V is not known of any of its tasks"
    weight = 1.0
    if len(usable) > SAMPLE_MAX:
        weight = len(usable) / SAMPLE_MAX
        usable = np.sort(np.random.default_rng(seed).choice(usable, SAMPLE_MAX, replace=False))
    drawn = choices.take(usable.astype(np.int64))
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
    return _kept(drawn, scored, task_class, kind, weight, tells_loss)


def _kept(
    drawn: Choices, scored: list[Scores], task_class: str, kind: str, weight: float, tells_loss: bool
) -> Alternatives | str:
    whys = {k: _unknown(scored, k) for k in range(len(drawn.options))}
    kept = [k for k, why in whys.items() if not why]
    if len(kept) < 2:
        said = "; ".join(f"{drawn.options[k]} {why}" for k, why in whys.items() if why)
        return f"fewer than two of its options have known effects: {said}"
    rows = np.isin(drawn.chosen, kept)
    for one in scored:
        rows &= one.supported(*kept)
    if not rows.any():
        return "in no decision had all options with known effects a chance"
    table = np.zeros((4, int(rows.sum()), len(kept)))
    for place, one in enumerate(scored):
        taken = one.take(rows)
        table[place] = np.column_stack([taken.values(k) for k in kept])
    of = drawn.take(rows)
    band, v_usd = _bands(of.v_usd)
    codes = np.searchsorted(np.array(kept), of.chosen).astype(np.int64)
    task = np.unique(of.tasks, return_inverse=True)[1].astype(np.int64)
    names = tuple(drawn.options[k] for k in kept)
    return Alternatives(task_class, kind, names, codes, task, band, v_usd, table, weight, tells_loss)


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


def _bands(v_usd: Floats) -> tuple[Ints, Floats]:
    """Codes (n,) of bands of V, and the mean V of each: the values themselves where there are few."""
    found, codes = np.unique(v_usd, return_inverse=True)
    if len(found) > BANDS:
        edges = np.quantile(v_usd, np.linspace(0, 1, BANDS + 1)[1:-1])
        codes = np.unique(np.searchsorted(edges, v_usd, side="right"), return_inverse=True)[1]
    codes = codes.reshape(-1).astype(np.int64)
    count = np.bincount(codes)
    return codes, np.asarray(np.bincount(codes, weights=v_usd) / count, dtype=np.float64)
