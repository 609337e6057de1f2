"""The three predictions of arXiv 2605.01214, §4, checked on a user's own logs: each a statistic, its interval and a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from analyzers.attribution.segments import Segment
from analyzers.effects import intervals, observational
from analyzers.effects.estimate import LEVEL, Basis, Bools, Estimate, Floats, InputError, Ints, floats, own_clusters
from analyzers.effects.observational import Assignment
from analyzers.effects.scores import Scores, contrast

Verdict: TypeAlias = Literal["holds", "does not hold", "not enough evidence", "not identified"]

_DOSES = 3  # groups of tasks that verified, by dose
_DOSE_TASKS_MIN = 30
_WINDOWS_MIN = 48
_LAGS = 4  # windows over which errors may go together


@dataclass(frozen=True, slots=True)
class Prediction:
    """One prediction: `statistic` decides `verdict` by the side of zero its interval lies on; `detail` is what stands behind."""

    number: int
    claim: str
    statistic: Estimate
    verdict: Verdict
    detail: dict[str, Estimate]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Banded:
    """What `n` decisions for the cheapest option lost on tasks of one value band, which begins at `low_usd`. `of` names what they
    were compared with: bands of one comparison are held against each other. `why`: why `regret` is unknown."""

    of: str
    band: str
    low_usd: float
    n: int
    tasks: int
    regret: Estimate
    why: str


def banded(of: str, segments: Sequence[Segment], name: str) -> tuple[Banded, ...]:
    """The segments that chose the option of this name."""
    return tuple(Banded(of, s.band.label, s.band.low_usd, s.n, s.tasks, s.regret, s.why) for s in segments if s.chosen == name)


def verdict(statistic: Estimate, *, above: bool) -> Verdict:
    """`holds` when the interval lies on the predicted side of zero, `does not hold` when on the other."""
    if statistic.status == "not_identified":
        return "not identified"
    if statistic.value is None or not statistic.excludes(0.0):
        return "not enough evidence"
    return "holds" if (statistic.numbers()[0] > 0) == above else "does not hold"


def verifying_lowers_risk(
    verify_usd: ArrayLike,
    loss_usd: ArrayLike,
    v_usd: ArrayLike,
    *,
    assignment: Assignment,
    rho: float = 1.0,
    features: ArrayLike | None = None,
    tasks: ArrayLike | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> Prediction:
    """Prediction 1: with V held fixed, more verifying lowers realised risk until a dollar of it saves no more than a dollar.

    Shapes: (n,) each, one task per row; features (n, d) known before. Tasks are grouped by dose (none, then thirds of those that
    verified); each step's effect on loss is doubly robust given features and log V. Statistic: change of mean loss, USD per task,
    from the lowest dose to the dose up to which the marginal saving ρ·ΔR exceeds the marginal cost (`detail["optimum_usd"]`,
    the mean dose there); the prediction is that it is below zero. `detail` has each step; `non_monotone` counts as refutation:
    a step before the optimum that certainly *raises* loss. Raises: InputError.
    """
    dose = floats(verify_usd, "verify_usd", shape=(-1,))
    n = len(dose)
    loss, value = floats(loss_usd, "loss_usd", shape=(n,)), floats(v_usd, "v_usd", shape=(n,))
    group, means = _dose_groups(dose)
    claim = "with V fixed, more verifying lowers realised risk until its margin meets its cost"
    clusters = own_clusters(None if tasks is None else np.asarray(tasks), n)
    basis = Basis(n, len(np.unique(clusters)), "doubly robust over doses", "tasks as they were", level)
    if len(means) < 2 or int(np.bincount(group).min()) < _DOSE_TASKS_MIN:
        nothing = basis.nothing("not_enough_evidence", f"each dose of verifying needs {_DOSE_TASKS_MIN} tasks")
        return Prediction(1, claim, nothing, "not enough evidence", {}, nothing.why)
    known = np.zeros((n, 0)) if features is None else floats(features, "features", shape=(n, -1))
    context = np.column_stack([known, np.log(np.maximum(value, 1e-9))])
    made = observational.doubly_robust(
        group, loss, context, options=len(means), assignment=assignment, clusters=clusters, seed=seed
    ).scores
    steps = {f"dose {k} against {k - 1}": contrast(made, k, k - 1, level=level) for k in range(1, len(means))}
    last, raised = _optimum(list(steps.values()), means, rho)
    detail = dict(steps)
    detail["optimum_usd"] = basis.found(means[last], 0.0, means[last], means[last])
    statistic = contrast(made, max(last, 1), 0, level=level)
    answer = "does not hold" if raised else verdict(statistic, above=False)
    below = _below_optimum(made, group, last, level)
    if below is not None:
        detail["tasks below the optimum, what the optimal dose would change"] = below
    return Prediction(1, claim, statistic, answer, detail, "a larger dose raises loss" if raised else statistic.why)


def cheap_router_fails_tail(cheap: Sequence[Banded], *, level: float = LEVEL) -> Prediction:
    """Prediction 2: a cost-minimising router loses most on long-tail, high-V requests.

    `cheap`: decisions for the cheapest option, by comparison and value band. Statistic: regret per decision in the highest band
    of a comparison less that in its others, USD, averaged over comparisons by the decisions of their highest bands; the
    prediction is that it is above zero. Only bands with a number count, and only comparisons whose highest band has one.
    """
    claim = "a cost-minimising router shows systematic regret on long-tail, high-V requests"
    basis = Basis(sum(b.n for b in cheap), sum(b.tasks for b in cheap), "regret by value band", "the cheapest option", level)
    pairs = [pair for of in dict.fromkeys(b.of for b in cheap) if (pair := _tail([b for b in cheap if b.of == of])) is not None]
    if not pairs:
        unidentified = bool(cheap) and all(b.regret.status == "not_identified" for b in cheap)
        why = next(
            (b.why for b in cheap if b.regret.value is None), "the cheapest option was chosen in fewer than two value bands"
        )
        nothing = basis.nothing("not_identified" if unidentified else "not_enough_evidence", why)
        return Prediction(2, claim, nothing, verdict(nothing, above=True), {}, why)
    weights = [tail.n / sum(other.n for other, _ in pairs) for tail, _ in pairs]
    gaps = [_gap(tail, body) for tail, body in pairs]
    value = sum(weight * gap.value for weight, gap in zip(weights, gaps, strict=True))
    below = math.sqrt(sum((weight * (gap.value - gap.low)) ** 2 for weight, gap in zip(weights, gaps, strict=True)))
    above = math.sqrt(sum((weight * (gap.high - gap.value)) ** 2 for weight, gap in zip(weights, gaps, strict=True)))
    error = (below + above) / 2 / intervals.quantile(math.inf, level)
    statistic = basis.found(value, error, value - below, value + above)
    detail = {f"{b.of}: {b.band}": b.regret for tail, body in pairs for b in (tail, *body)}
    return Prediction(2, claim, statistic, verdict(statistic, above=True), detail)


def long_contexts_slow_others(
    latency_s: ArrayLike,
    others_long_tokens: ArrayLike,
    *,
    own_tokens: ArrayLike,
    hour: ArrayLike | None = None,
    level: float = LEVEL,
) -> Prediction:
    """Prediction 3: under flat prices, short-context tenants' latency follows *other* tenants' long-context traffic.

    Shapes: (w,) each, one window of time per row, in order: mean latency (or −quality) of short requests of a tenant, seconds;
    tokens of other tenants' long contexts in it; the tenant's own tokens; hour of day in 0 … 23, for the daily rhythm. Windows
    without short requests must be left out. Statistic: seconds per thousand tokens of others, given own volume, rhythm and
    trend; the prediction is that it is above zero. Standard errors allow for neighbouring windows going together (Newey & West
    1987) with four lags. It is a correlation, as the prediction is: what else moves with others' long contexts is not excluded.
    Raises: InputError.
    """
    claim = "short-context tenants' latency rises with other tenants' long-context traffic"
    delay = floats(latency_s, "latency_s", shape=(-1,))
    w = len(delay)
    others, own = floats(others_long_tokens, "others_long_tokens", shape=(w,)), floats(own_tokens, "own_tokens", shape=(w,))
    basis = Basis(w, w, "regression over windows, Newey–West", "windows of time", level)
    if w < _WINDOWS_MIN or others.std() == 0:
        why = f"{w} windows, {_WINDOWS_MIN} are needed, in which others' long contexts vary"
        return Prediction(3, claim, basis.nothing("not_enough_evidence", why), "not enough evidence", {}, why)
    rhythm = np.zeros((w, 0))
    if hour is not None:
        angle = floats(hour, "hour", shape=(w,)) * (2 * math.pi / 24)
        rhythm = np.column_stack([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)])
    controls = np.column_stack([np.ones(w), _scaled(own), np.linspace(-1, 1, w), rhythm])
    statistic = _partial(others / 1000, delay, controls, basis)
    unit = others.std() / 1000
    value, error, low, high = statistic.numbers()
    typical = basis.found(value * unit, error * unit, low * unit, high * unit)
    return Prediction(
        3, claim, statistic, verdict(statistic, above=True), {"seconds for one deviation of others' tokens": typical}
    )


def _dose_groups(dose: Floats) -> tuple[Ints, list[float]]:
    """Each task's dose group, none first, and the groups' mean doses in USD. Few different doses are groups of their own."""
    if (dose < 0).any():
        raise InputError("verify_usd must not be negative")
    positive = dose[dose > 0]
    levels = np.unique(positive)
    cuts = levels if len(levels) <= _DOSES else np.unique(np.quantile(positive, np.arange(_DOSES) / _DOSES))
    raw = np.searchsorted(cuts, dose, side="right")
    group = np.unique(raw, return_inverse=True)[1].astype(np.int64)
    return group, [float(dose[group == k].mean()) for k in range(int(group.max()) + 1 if len(group) else 0)]


def _optimum(steps: list[Estimate], means: list[float], rho: float) -> tuple[int, bool]:
    """The last dose whose step saves more than it costs, by its value; and whether a step before certainly raises loss."""
    last, raised = 0, False
    for k, step in enumerate(steps, 1):
        if step.value is None or -rho * step.value < means[k] - means[k - 1]:
            raised = bool(step.value is not None and step.excludes(0.0) and step.value > 0 and k == 1)
            break
        last = k
    return last, raised


def _below_optimum(made: Scores, group: Ints, last: int, level: float) -> Estimate | None:
    """What the optimal dose would change in tasks like those that got no verifying, in USD of loss per task."""
    if last == 0 or made.unidentified[0]:
        return None
    none: Bools = group == 0
    weight = np.nan_to_num(made.weights[:, 0])
    chance = np.divide(1.0, weight, out=np.full(len(weight), float(none.mean())), where=weight > 0)
    return contrast(made, last, 0, tilt=np.clip(chance, 0.0, 1.0), level=level)


def _tail(of: Sequence[Banded]) -> tuple[Banded, list[Banded]] | None:
    """The highest band of a comparison and its others, as far as they have numbers; None where either is missing."""
    known = sorted((b for b in of if b.regret.value is not None), key=lambda b: b.low_usd)
    if len(known) < 2 or known[-1].low_usd < max(b.low_usd for b in of):
        return None
    return known[-1], known[:-1]


def _gap(tail: Banded, body: Sequence[Banded]) -> intervals.Bounds:
    """Regret per decision in the tail less that in the body."""
    return intervals.difference(_per_decision([tail]), _per_decision(body))


def _per_decision(bands: Sequence[Banded]) -> intervals.Bounds:
    n = sum(band.n for band in bands)
    numbers = [band.regret.numbers() for band in bands]
    value = sum(one[0] for one in numbers)
    below = math.sqrt(sum((one[0] - one[2]) ** 2 for one in numbers))
    above = math.sqrt(sum((one[3] - one[0]) ** 2 for one in numbers))
    return intervals.Bounds(value / n, (value - below) / n, (value + above) / n)


def _scaled(column: Floats) -> Floats:
    return (column - column.mean()) / column.std() if column.std() > 0 else np.zeros(len(column))


def _partial(x: Floats, y: Floats, controls: Floats, basis: Basis) -> Estimate:
    """Slope of y on x given controls, with Newey–West errors (Bartlett weights, small-sample factor)."""
    own = x - controls @ np.linalg.lstsq(controls, x, rcond=None)[0]
    left = y - controls @ np.linalg.lstsq(controls, y, rcond=None)[0]
    below = float(own @ own)
    if below <= 1e-12 * float(x @ x):
        return basis.nothing("not_identified", "others' long contexts cannot be told from the controls")
    slope = float(own @ left) / below
    pull = own * (left - slope * own)
    variance = float(pull @ pull)
    for lag in range(1, _LAGS + 1):
        variance += 2 * (1 - lag / (_LAGS + 1)) * float(pull[lag:] @ pull[:-lag])
    free = len(x) - controls.shape[1] - 1
    error = math.sqrt(max(variance, 0.0) * len(x) / free) / below
    half = intervals.quantile(free, basis.level) * error
    return basis.found(slope, error, slope - half, slope + half, degrees=float(free))
