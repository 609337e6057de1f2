"""The three predictions of arXiv 2605.01214, §4, checked on a user's own logs: each a statistic, its interval and a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from analyzers.attribution.appraise import Appraised
from analyzers.attribution.choices import Choices
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


def cheap_router_fails_tail(appraised: Appraised, choices: Choices, cheapest: int, *, level: float = LEVEL) -> Prediction:
    """Prediction 2: a cost-minimising router loses most on long-tail, high-V requests.

    Statistic: regret per decision in the highest value band less that in all others, among decisions for the cheapest option
    (`cheapest`: its code), USD; the prediction is that it is above zero. Only segments with a number count.
    """
    claim = "a cost-minimising router shows systematic regret on long-tail, high-V requests"
    name = choices.options[cheapest]
    cheap = [segment for segment in appraised.segments if segment.chosen == name]
    known = sorted((s for s in cheap if s.regret.value is not None), key=lambda s: s.band.low_usd)
    basis = Basis(sum(s.n for s in cheap), sum(s.tasks for s in cheap), "regret by value band", f"decisions for {name}", level)
    if len(known) < 2 or known[-1] is not max(cheap, key=lambda s: s.band.low_usd):
        unidentified = bool(cheap) and all(s.status == "not_identified" for s in cheap)
        why = next((s.why for s in cheap if s.regret.value is None), f"{name} was chosen in fewer than two value bands")
        nothing = basis.nothing("not_identified" if unidentified else "not_enough_evidence", why)
        return Prediction(2, claim, nothing, verdict(nothing, above=True), {}, why)
    tail, body = known[-1], known[:-1]
    top, low, high = _per_decision([tail])
    rest, rest_low, rest_high = _per_decision(body)
    joined = intervals.difference(intervals.Bounds(top, low, high), intervals.Bounds(rest, rest_low, rest_high))
    error = (joined.high - joined.low) / 2 / intervals.quantile(math.inf, level)
    statistic = basis.found(joined.value, error, joined.low, joined.high)
    detail = {"tail": tail.regret, **{f"body: {segment.band.label}": segment.regret for segment in body}}
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


def _per_decision(segments: Sequence[Segment]) -> tuple[float, float, float]:
    n = sum(segment.n for segment in segments)
    numbers = [segment.regret.numbers() for segment in segments]
    value = sum(one[0] for one in numbers)
    below = math.sqrt(sum((one[0] - one[2]) ** 2 for one in numbers))
    above = math.sqrt(sum((one[3] - one[0]) ** 2 for one in numbers))
    return value / n, (value - below) / n, (value + above) / n


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
