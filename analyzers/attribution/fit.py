"""What outcomes depend on in a decision set: propensities, and what each option leads one to expect of each term of eq. 1.

Everything here only serves to take noise and confounding away; numbers that anyone sees are made in `segments` from what these
models missed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from analyzers.attribution.choices import Choices
from analyzers.attribution.menus import completed
from analyzers.attribution.rare import tails
from analyzers.attribution.steadiness import averaged, is_steady
from analyzers.effects import nuisance, observational, propensity
from analyzers.effects.estimate import Bools, Floats, InputError, Ints, floats, own_clusters

Name: TypeAlias = Literal["quality", "cost", "latency", "risk", "own"]

_TO_IDENTIFY = (
    ": log how likely each choice was, or state by `pigou assignments set` that the recorded context tells all that moves it"
)
FOLDS = 5
ROWS_LEARNT = 40_000  # decisions that a model learns from; more change no prediction by what an interval would show
OPTION_ROWS_LEARNT = 20_000  # of each option, for its outcomes
_EVIDENT = 2.0  # standard errors by which context has to tell effects apart before it is used for that
_BLP_ROWS_MIN = 60
_WORTH_MAX = 50.0  # passes or fails that one grade is taken for at most
_RANDOM = 17  # a stream of the seed's own
_ACROSS = "compares across changes of policy: that nothing else changed with them is assumed, no drift was seen"


@dataclass(frozen=True, slots=True)
class Part:
    """One term of eq. 1 over n decisions and K options.

    `price` (n,): what a unit of it is worth in USD, signed: V, −1, −λ, −ρ; 0 for `own`, which is only reported. `fitted` (n, K):
    expected of each option. `residual` (n,): outcome less what was expected of the chosen option, 0 where unknown. `weight`
    (n,): one over the probability of becoming known, 0 where unknown. `moves`: whether options can move it at all
    (`Choices.unmoved`); where not, every option is expected to bring the same and nothing is measured. `worth`: passes or
    fails that one outcome in [0, 1] tells as much as (`intervals.bounded`). `unseen` (K,): variance over
    decisions of what an option brings over the most frequent one, beyond what `fitted` tells apart, in the term's unit squared.
    `tail` (K,) and `tail_worth`: variance of one decision's miss with everyone's tail, and how many outcomes it counts as
    (`rare.tails`).
    """

    name: Name
    price: Floats
    fitted: Floats
    residual: Floats
    weight: Floats
    moves: bool
    worth: float
    unseen: Floats
    tail: Floats
    tail_worth: float


@dataclass(frozen=True, slots=True)
class Fit:
    """A decision set ready to be asked. `rows`: which of the choices it holds (those with every price that is needed).

    `propensity` (n, K): probability of each option, logged or estimated; `shared` (n, K): the same averaged over tasks of any
    value, where outcomes do not move with V. `supported` (n, K): where the option had a chance.
    `alike` (n, d): context without V and time, in its own standard deviations.
    `unidentified`: one reason for each option, empty where there is none. `unpriced`: terms that are left out, and why, and what
    else is taken for granted. `fold` (n,): whole tasks together. `alone`: every task has one decision here.
    """

    choices: Choices
    parts: tuple[Part, ...]
    propensity: Floats
    shared: Floats
    supported: Bools
    unidentified: tuple[str, ...]
    unpriced: tuple[str, ...]
    fold: Ints
    tasks: Ints
    alone: bool
    method: str
    told: Floats
    alike: Floats

    def part(self, name: Name) -> Part | None:
        """The term of that name, None where it is left out."""
        return next((part for part in self.parts if part.name == name), None)


def fit(choices: Choices, *, seed: int, controls: Floats | None = None) -> Fit:
    """Fit a decision set. `choices` must be priced (V known in every row); `controls` (n, k) are negative controls, see
    `effects.observational`. Raises: InputError when it is empty."""
    n, options = len(choices), len(choices.options)
    if n == 0:
        raise InputError("a decision set without a decision cannot be appraised")
    tasks = own_clusters(choices.tasks, n)
    alone = int(tasks.max()) + 1 == n
    fold = nuisance.folds(tasks, FOLDS, seed)
    anyone, each = _learnt_from(choices.chosen, options, seed)
    outcomes, unpriced = _outcomes(choices)
    with threadpool_limits(1):  # matrices are small: threads waiting for each other on a busy machine made them ten times slower
        moved = [each for name, each in outcomes.items() if name != "own" and name not in choices.unmoved]
        chances, told, everything = _compared(choices, moved, tasks, fold, anyone, seed)
        if chances.across:
            unpriced = (*unpriced, _ACROSS)
        parts = tuple(
            _part(name, outcome, price, choices, (told, everything), fold, (each, anyone), chances.shared)
            for name, (outcome, price) in outcomes.items()
        )
    unidentified = tuple(
        choices.named(reason) + (_TO_IDENTIFY if reason == observational.NOT_RECORDED else "") for reason in chances.unidentified
    )
    fitted = Fit(
        choices, parts, chances.own, chances.shared, chances.supported, unidentified, unpriced, fold, tasks, alone,
        chances.method, _tilting(choices, time=not chances.across), _standardised(context(choices, time=False, value=False)),
    )  # fmt: skip
    if controls is not None and choices.assignment == "recorded" and not any(fitted.unidentified):
        fitted = replace(fitted, unidentified=_controlled(fitted, floats(controls, "controls", shape=(n, -1)), seed))
    return fitted


def context(choices: Choices, *, time: bool = True, value: bool = True) -> Floats:
    """Shape (n, d): what was known before the choice: the features, log V and time (drift) where wanted. What is expected of
    options is not learnt from V: what a few dear tasks seem to tell of it would be multiplied by it."""
    unknown: Floats = choices.features
    if np.isnan(unknown).any():  # a feature that is sometimes unknown: its mean, and that it is unknown
        missing = np.isnan(unknown)
        with np.errstate(invalid="ignore"):
            means = np.where(missing.all(axis=0), 0.0, np.nansum(unknown, axis=0) / np.maximum(1, (~missing).sum(axis=0)))
        unknown = np.column_stack([np.where(missing, means, unknown), missing[:, missing.any(axis=0)]])
    worth = [np.log(np.maximum(choices.v_usd, 1e-9))] if value else []
    return np.column_stack([unknown, *worth, *([choices.decided_at] if time else [])])


def context_name(choices: Choices, column: int) -> str:
    """What a column of `context` is, for people: after the features stands whether those are known that are not always."""
    names = choices.feature_names
    if column < len(names):
        return names[column]
    missing = np.flatnonzero(np.isnan(choices.features).any(axis=0))
    return f"whether {names[int(missing[column - len(names)])]} is known"


def _tilting(choices: Choices, *, time: bool) -> Floats:
    """Context, without V, as far as it tells who is like whom: with curves wherever all decisions together bear them, since a
    straight line from the easy tasks, which chose an option, to the hard ones takes those between for half as likely to have."""
    n = len(choices)
    if n > ROWS_LEARNT:
        return nuisance.design(context(choices, time=time, value=False), choices.chosen, len(choices.options)).terms
    return nuisance.design(context(choices, time=time, value=False), np.zeros(n, dtype=np.int64), 1).terms


def _standardised(columns: Floats) -> Floats:
    """Columns in their own standard deviations; without those that do not vary 0."""
    spread = columns.std(axis=0)
    return np.where(spread > 1e-12, (columns - columns.mean(axis=0)) / np.maximum(spread, 1e-12), 0.0)


def _learnt_from(chosen: Ints, options: int, seed: int) -> tuple[Bools | None, Bools | None]:
    """Which rows models learn from: a plain sample, and one that takes as many as there are of rare options."""
    n = len(chosen)
    if n <= ROWS_LEARNT:
        return None, None
    draw = np.random.default_rng([seed, _RANDOM]).random(n)
    share = np.minimum(1.0, OPTION_ROWS_LEARNT / np.maximum(1, np.bincount(chosen, minlength=options)))
    return draw < ROWS_LEARNT / n, draw < share[chosen]


@dataclass(frozen=True, slots=True)
class _Chances:
    """Propensities, and whether they compare across changes of policy. `own`, `shared`, `supported`: (n, K), as in `Fit`."""

    own: Floats
    shared: Floats
    supported: Bools
    unidentified: tuple[str, ...]
    method: str
    across: bool = False


def _compared(
    choices: Choices, outcomes: list[tuple[Floats, Floats]], tasks: Ints, fold: Ints, learnt_from: Bools | None, seed: int
) -> tuple[_Chances, nuisance.Design, nuisance.Design]:
    """Propensities, given as little context as the outcomes allow, and the designs for outcomes and for becoming known."""
    options, worth = len(choices.options), np.log(np.maximum(choices.v_usd, 1e-9))
    steady = is_steady(choices, outcomes, choices.decided_at, worth[:, None], tasks)
    level = is_steady(choices, outcomes, worth, choices.decided_at[:, None][:, : 0 if steady else 1], tasks)
    across = steady and choices.assignment == "recorded"
    own = nuisance.design(context(choices, time=not across), choices.chosen, options)
    found = _chances(choices, own, fold, learnt_from)
    everything = context(choices)
    if steady and choices.assignment == "logged":
        alike = averaged(found.own, context(choices, time=False), everything, seed)
        if alike is not None:
            found, across = replace(found, own=alike, shared=alike, supported=alike > 0), True
    told = nuisance.design(context(choices, time=not across, value=False), choices.chosen, options)
    if level and choices.assignment == "logged":
        alike = averaged(found.own, context(choices, time=not across, value=False), everything, seed)
        if alike is not None:
            found = replace(found, shared=alike, supported=alike > 0)
    elif level and len(choices) <= ROWS_LEARNT:
        found = replace(found, shared=_chances(choices, told, fold, learnt_from).own)
        found = replace(found, supported=found.shared >= observational.OVERLAP_MIN)
    method = f"{found.method}, averaged over changes of policy" if across and choices.assignment == "logged" else found.method
    return replace(found, across=across, method=method), told, own


def _chances(choices: Choices, ready: nuisance.Design, fold: Ints, learnt_from: Bools | None) -> _Chances:
    n, options = len(choices), len(choices.options)
    if choices.assignment != "logged":
        chance = nuisance.probability_model(ready, choices.chosen, options, fold, learnt_from=learnt_from)
        reasons = observational.reasons(chance, choices.chosen, choices.assignment)
        return _Chances(chance, chance, chance >= observational.OVERLAP_MIN, reasons, "doubly robust, estimated propensities")
    own = choices.propensity
    menu = choices.menu
    if menu is not None and np.isnan(menu).any():
        menu = None
    log = propensity.read_log(choices.chosen, np.zeros(n), own, options=options, clusters=choices.tasks, menu=menu)
    reasons = propensity.snips(log).unidentified
    chance = log.menu
    if chance is None:  # only the chosen option's is known
        modelled = nuisance.probability_model(ready, choices.chosen, options, fold, learnt_from=learnt_from)
        chance = completed(choices.chosen, own, context(choices), modelled)
    return _Chances(chance, chance, chance > 0, reasons, "doubly robust, logged propensities")


def _outcomes(choices: Choices) -> tuple[dict[Name, tuple[Floats, Floats]], tuple[str, ...]]:
    """Each term's outcome and price, and what is left out of net, with the reason."""
    n = len(choices)
    found: dict[Name, tuple[Floats, Floats]] = {
        "quality": (choices.quality, choices.v_usd),
        "cost": (choices.cost_usd, np.full(n, -1.0)),
    }
    left_out: list[str] = []
    others: tuple[tuple[Name, Floats, Floats, str], ...] = (
        ("latency", choices.latency_s, choices.lam, "λ"),
        ("risk", choices.loss_usd, choices.rho, "ρ"),
    )
    for name, outcome, price, symbol in others:
        if np.isnan(price).any():
            left_out.append(f"{name}: {symbol} is not known, so that net leaves it out")
        elif not price.any():
            left_out.append(f"{name}: {symbol} is 0")
        elif np.isnan(outcome).all():
            left_out.append(f"{name}: nothing tells it, so that net leaves it out")
        else:
            found[name] = (outcome, -price)
    if not np.isnan(choices.own_cost_usd).all():
        found["own"] = (choices.own_cost_usd, np.zeros(n))
    return found, tuple(left_out)


def _part(
    name: Name,
    outcome: Floats,
    price: Floats,
    choices: Choices,
    designs: tuple[nuisance.Design, nuisance.Design],
    fold: Ints,
    learnt_from: tuple[Bools | None, Bools | None],
    chance: Floats,
) -> Part:
    n, options, chosen = len(outcome), len(choices.options), choices.chosen
    (ready, everything), (each, anyone) = designs, learnt_from
    known = ~np.isnan(outcome)
    moves = name not in choices.unmoved
    if moves:
        fitted = nuisance.outcome_model(ready, outcome, chosen, options, fold, bounded=name == "quality", learnt_from=each)
    else:
        same = np.zeros(n, dtype=np.int64)
        alike = nuisance.outcome_model(ready, outcome, same, 1, fold, bounded=name == "quality", learnt_from=anyone)
        fitted = np.repeat(alike, options, axis=1)
    weight = known.astype(np.float64)
    if not known.all():
        told = everything.terms if n <= ROWS_LEARNT else context(choices)  # not a second table of a million curved terms
        state = nuisance.design(np.column_stack([told, np.eye(options)[chosen][:, 1:]]), known.astype(np.int64), 2, "linear")
        seen = nuisance.probability_model(state, known.astype(np.int64), 2, fold, learnt_from=anyone)[:, 1]
        weight = known / np.maximum(seen, 0.01)
    own = np.arange(n), chosen
    residual = np.where(known, outcome - fitted[own], 0.0)
    none = np.zeros(options)
    part = Part(name, price, fitted, residual, weight, moves, _worth(fitted[own], residual, known), none, none, 0.0)
    if not moves:
        return part
    part = _shrunk(part, chosen, chance)
    if name == "quality":  # has an interval of its own for few outcomes that are all alike
        return part
    tail, tail_worth = tails(outcome, part.residual, known, chosen, options)
    return replace(part, tail=tail, tail_worth=tail_worth)


def _worth(expected: Floats, residual: Floats, known: Bools) -> float:
    """How much less an outcome in [0, 1] varies than passing or failing would: Σf(1−f)/Σ(y−f)², at least 1."""
    spread = float((residual[known] ** 2).sum())
    passing = float((expected[known] * (1 - expected[known])).clip(0.0).sum())
    return float(min(max(passing / spread, 1.0), _WORTH_MAX)) if spread > 0 else 1.0


def _shrunk(part: Part, chosen: Ints, chance: Floats) -> Part:
    """Expected outcomes whose *differences between options* vary with context only as far as the data bear them out.

    Best linear predictor of the effect by the model's effect, on rows where either option had a chance, weighted by overlap;
    the slope κ is kept within [0, 1] and 0 unless it is two standard errors above. Source: Chernozhukov, Demirer, Duflo &
    Fernández-Val 2018, with the overlap weights of Li, Morgan & Zaslavsky 2018.
    """
    options = part.fitted.shape[1]
    base = int(np.argmax(np.bincount(chosen, minlength=options)))
    fitted, residual, unseen = part.fitted.copy(), part.residual, np.zeros(options)
    for option in range(options):
        if option == base:
            continue
        effect = part.fitted[:, option] - part.fitted[:, base]
        overlap = chance[:, option] * chance[:, base] / np.maximum(chance[:, option] + chance[:, base], 1e-12)
        middle = float((overlap * effect).sum()) / max(float(overlap.sum()), 1e-12)
        slope, error = _slope(part, chosen, chance, option, base, effect - middle, overlap)
        keep = min(slope, 1.0) if error == 0 or slope > _EVIDENT * error else 0.0
        fitted[:, option] = part.fitted[:, base] + middle + keep * (effect - middle)
        unseen[option] = _unseen(keep, min(max(slope + error, 0.0), 1.0)) * float(((effect - middle) ** 2).mean())
    own = np.arange(len(chosen)), chosen
    known = part.weight > 0
    left = np.where(known, residual + part.fitted[own] - fitted[own], 0.0)
    return replace(part, fitted=fitted, residual=left, unseen=unseen)


def _unseen(keep: float, real: float) -> float:
    """Share of the model's variance of effects that is real and not kept: of its spread, the share `real` is signal (the slope of
    a signal on itself with noise), of which a prediction that keeps `keep` misses so much."""
    return real - 2 * keep * real + keep**2


def _slope(
    part: Part, chosen: Ints, chance: Floats, option: int, base: int, spread: Floats, overlap: Floats
) -> tuple[float, float]:
    """How much of the model's spread of effects is real: slope of the doubly robust pseudo-effect on it, and its error; all or
    none of it, by (0, 1), where nothing can be measured."""
    rows = np.flatnonzero(((chosen == option) | (chosen == base)) & (part.weight > 0))
    if len(rows) < _BLP_ROWS_MIN or float(np.abs(spread).max()) < 1e-9:
        return 0.0, 1.0
    # On rows of the two options, overlap × 1/propensity is the other option's share of the two: no weight is extreme.
    sign = np.where(chosen[rows] == option, 1.0, -1.0)
    own = chance[rows, chosen[rows]]
    weight = np.minimum(overlap[rows] / np.maximum(own, 1e-12), 1.0) * part.weight[rows]
    x, y = spread[rows], sign * part.residual[rows]
    # Normal equation of Σ overlap·(ψ − middle − κ·x)²: ψ − model effect = sign·residual/propensity, so κ = 1 + Σwxy/Σo·x².
    below = float((overlap * spread**2).sum())
    if below <= 0:
        return 0.0, 1.0
    pull = weight * x * (y - np.average(y, weights=np.maximum(weight, 1e-12)))
    return 1.0 + float(pull.sum()) / below, float(np.sqrt((pull**2).sum())) / below


def _controlled(fitted: Fit, controls: Floats, seed: int) -> tuple[str, ...]:
    choices = fitted.choices
    checked = observational.doubly_robust(
        choices.chosen,
        np.nan_to_num(choices.cost_usd),
        context(choices),
        options=len(choices.options),
        assignment="recorded",
        clusters=choices.tasks,
        controls=controls,
        seed=seed,
    )
    return tuple(map(choices.named, checked.scores.unidentified))
