"""How much an unrecorded cause would have to matter before a loss found without logged propensities is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analyzers.attribution.fit import Fit
from analyzers.attribution.segments import Segment
from analyzers.effects.estimate import own_clusters
from analyzers.effects.observational import SUPPORT_MIN, Observed
from analyzers.effects.scores import Scores
from analyzers.effects.sensitivity import GAMMA_STATED, Sensitivity, sensitivity

_ROWS = 8_000  # a bound over weights needs no more, and is made forty times over


def doubts(fit: Fit, segments: tuple[Segment, ...], *, seed: int) -> tuple[Segment, ...]:
    """The segments, each clear loss with the sensitivity of its switch (`doubt`); as they are where propensities were logged."""
    if fit.choices.assignment != "recorded":
        return segments
    names = fit.choices.options
    known: dict[tuple[str, str], Sensitivity | None] = {}
    told: list[Segment] = []
    for each in segments:
        pair = each.best, each.chosen
        if not each.best or each.regret.low is None or each.regret.low <= 0:
            told.append(each)
            continue
        if pair not in known:
            known[pair] = doubt(fit, names.index(each.best), names.index(each.chosen), seed=seed)
        found = known[pair]
        if found is None:
            told.append(replace(each, why="; ".join(filter(None, [each.why, "no bound on what an unrecorded cause could do"]))))
            continue
        note = (
            f"an unrecorded cause that moves the odds of the choice by Γ = {found.tipping_gamma:.2g} would explain the gain of "
            f"{each.best} away (E-value {found.e_value_limit:.2g})"
        )
        told.append(replace(each, why="; ".join(filter(None, [each.why, note])), tipping_gamma=found.tipping_gamma))
    return tuple(told)


def doubt(fit: Fit, option: int, base: int, *, gamma: float = GAMMA_STATED, seed: int = 0) -> Sensitivity | None:
    """Sensitivity of the difference in net (USD per decision) between two options over the whole decision set, by
    `effects.sensitivity`; None where the data give no interval. On at most 8,000 decisions, drawn by `seed`."""
    n = len(fit.choices)
    rows = np.arange(n) if n <= _ROWS else np.sort(np.random.default_rng(seed).choice(n, _ROWS, replace=False))
    chosen = fit.choices.chosen[rows]
    priced = [part for part in fit.parts if part.name != "own"]
    none = np.zeros((len(rows), len(fit.choices.options)))
    fitted = sum((part.price[rows][:, None] * part.fitted[rows] for part in priced), none)
    missed = sum((part.price[rows] * part.residual[rows] for part in priced), none[:, 0])
    known = np.all([part.weight[rows] > 0 for part in priced], axis=0)
    response = 1 / np.max([np.maximum(part.weight[rows], 1.0) for part in priced], axis=0)
    own = np.arange(len(rows)), chosen
    outcome = np.where(known, fitted[own] + missed, np.nan)
    weights = np.zeros(fitted.shape)
    weights[own] = known / (np.maximum(fit.propensity[rows][own], 1e-12) * response)
    weights[~fit.supported[rows]] = np.nan
    scores = Scores(
        outcome, weights, fitted, own_clusters(fit.tasks[rows], len(rows)), np.nan_to_num(outcome), False, True, fit.method,
        "all decisions", fit.unidentified, SUPPORT_MIN,
    )  # fmt: skip
    return sensitivity(Observed(scores, fit.propensity[rows], response), option, base, gamma=gamma)
