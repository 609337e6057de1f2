"""Partial pooling of segments that come in groups, whose members are measured on the same tasks.

Segments of one class of tasks share evidence, so that their errors move together, and may be alike beyond that. `pooling.pool`
takes all segments for strangers: it would count what one class tells several times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analyzers.effects.estimate import Estimate, Floats, InputError, Ints
from analyzers.effects.pooling import Pooled, error_of, shrunk

GROUPS_MIN = 3
"""Fewer say nothing about how groups differ (Gelman 2006, §2.2); from three on intervals hold (docs/methods.md)."""
_POINTS = 24
_LIGHT = 1e-5
"""Weight of a point of the grid that changes nothing any more."""


@dataclass(frozen=True, slots=True)
class _Group:
    """The segments of one group: places of all (S,) and of those with a number (O,), values (O,), covariance of errors (O, O)."""

    places: Ints
    known: Ints
    values: Floats
    covariance: Floats


@dataclass(frozen=True, slots=True)
class _Solved:
    """A group at each of T pairs of deviations: inverse (T, O, O) of its values' covariance, and the covariance (T, S, O) of its
    effects with them."""

    inverse: Floats
    reach: Floats


def pool_groups(
    estimates: Sequence[Estimate], groups: Sequence[int], correlations: Sequence[float], wanted: Sequence[int] | None = None
) -> Pooled | None:
    """Shrunken estimates of segments' effects, with what each group and all groups tell; None where fewer than three groups have
    a number.

    `groups`: of each segment; `correlations`: of its error with those of the others in its group; `wanted`: places of those that
    are to be shrunken, by default all. Segments that are `not_enough_evidence` without a number are given what their siblings
    tell alone; others without a number stay as they are.
    Model: own estimates ~ N(θ, Σ), θ = μ + a + b, a ~ N(0, τ²) for each group, b ~ N(0, ω²) for each segment; μ, τ and ω are
    integrated over, flat in all three. Σ has the errors of `pooling.pool` and in each group the least of the correlations. The
    intervals cover `level` of the *segments* on average, not each of them.
    Source: Gelman, Bayesian Analysis 1 (2006), §2, for flat deviations; Gelman et al., Bayesian Data Analysis, §15.
    Raises: InputError for correlations outside [0, 1) or of another length.
    """
    if not len(estimates) == len(groups) == len(correlations) or not all(0 <= r < 1 for r in correlations):
        raise InputError("pool_groups needs one group and one correlation in [0, 1) for each estimate")
    made = _grouped(estimates, groups, correlations)
    if sum(len(group.known) > 0 for group in made) < GROUPS_MIN:
        return None
    between, within = _grid(made)
    solved = [_solved(group, between, within) for group in made]
    precision = np.sum([each.inverse.sum(axis=(1, 2)) for each in solved], axis=0)
    pulled = np.sum([each.inverse.sum(axis=1) @ group.values for each, group in zip(solved, made, strict=True)], axis=0)
    mean, variance = pulled / precision, 1 / precision
    weight = _posterior(made, solved, mean, variance)
    kept: Floats = np.zeros(len(estimates))
    pooled, asked = list(estimates), frozenset(range(len(estimates)) if wanted is None else wanted)
    for group, each in zip(made, solved, strict=True):
        slope = each.reach @ each.inverse  # (T, S, O)
        lent = np.einsum("tso,to->ts", slope, group.values[None] - mean[:, None])
        centres = np.asarray(mean[:, None] + lent, dtype=np.float64)
        prior = (between**2 + within**2)[:, None]
        own = prior - np.einsum("tso,tso->ts", slope, each.reach)
        left = np.maximum(own + (1 - slope.sum(axis=2)) ** 2 * variance[:, None], 1e-300)
        spread = np.asarray(np.sqrt(left), dtype=np.float64)
        for row, place in enumerate(map(int, group.places)):
            if place in asked:
                pooled[place] = shrunk(estimates[place], centres[:, row], spread[:, row], weight)
        for column, place in enumerate(group.known):
            kept[place] = float(weight @ slope[:, int(np.flatnonzero(group.places == place)[0]), column])
    return Pooled(tuple(pooled), float(weight @ mean), float(weight @ np.sqrt(between**2 + within**2)), kept)


def _grouped(estimates: Sequence[Estimate], groups: Sequence[int], correlations: Sequence[float]) -> list[_Group]:
    found: list[_Group] = []
    for code in sorted(set(groups)):
        places = [k for k, (of, one) in enumerate(zip(groups, estimates, strict=True)) if of == code and _takes_part(one)]
        known = [k for k in places if estimates[k].status == "identified"]
        if not places:
            continue
        errors = np.array([error_of(estimates[k]) for k in known], dtype=np.float64)
        together = min((correlations[k] for k in known), default=0.0)
        covariance = np.outer(errors, errors) * (together + (1 - together) * np.eye(len(known)))
        values = np.array([estimates[k].numbers()[0] for k in known], dtype=np.float64)
        found.append(_Group(np.array(places, dtype=np.int64), np.array(known, dtype=np.int64), values, covariance))
    return found


def _takes_part(one: Estimate) -> bool:
    return one.status == "identified" or (one.status == "not_enough_evidence" and one.value is None)


def _grid(made: Sequence[_Group]) -> tuple[Floats, Floats]:
    """Pairs of deviations, between groups and within, (T,) each."""
    values = np.concatenate([group.values for group in made])
    errors = np.concatenate([np.sqrt(np.diag(group.covariance)) for group in made])
    reach = 3 * float(values.std()) + float(np.median(errors))
    steps = (np.arange(_POINTS) + 0.5) / _POINTS * max(reach, 1e-9)
    between, within = np.meshgrid(steps, steps, indexing="ij")
    return between.ravel(), within.ravel()


def _solved(group: _Group, between: Floats, within: Floats) -> _Solved:
    own = (group.places[:, None] == group.known[None, :]).astype(np.float64)
    reach = between[:, None, None] ** 2 + within[:, None, None] ** 2 * own
    shown = np.flatnonzero(own.any(axis=1))
    return _Solved(np.asarray(np.linalg.inv(reach[:, shown, :] + group.covariance), dtype=np.float64), reach)


def _posterior(made: Sequence[_Group], solved: Sequence[_Solved], mean: Floats, variance: Floats) -> Floats:
    log = 0.5 * np.log(variance)
    for group, each in zip(made, solved, strict=True):
        if len(group.known) == 0:
            continue
        off = group.values[None] - mean[:, None]
        log = log + 0.5 * np.linalg.slogdet(each.inverse)[1] - 0.5 * np.einsum("to,top,tp->t", off, each.inverse, off)
    weight = np.exp(log - log.max())
    weight[weight < _LIGHT * weight.max()] = 0.0
    return weight / weight.sum()
