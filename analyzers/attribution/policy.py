"""Which option a segment's decisions should have taken, as other tasks tell it: the policy whose gain is their regret."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from analyzers.attribution.contrast import Contrast
from analyzers.attribution.fit import FOLDS, Fit
from analyzers.attribution.lending import Lending
from analyzers.effects.estimate import Bools, Floats, Ints

_PRUDENCE = 1.0  # standard errors of the sum that a policy is worth less


def policy(lending: Lending, pool: Ints, chosen: int, evident: dict[int, Contrast]) -> list[Contrast]:
    """The contrasts that switching by eq. 4 consists of: each alternative where it looks best from other tasks.

    Decisions of other bands lend what they know where the policy would decide alike on them, were they worth what these are.
    """
    fit, donors = lending.fit, lending.donors(pool)
    own = np.isin(donors, pool, assume_unique=True)
    prices = np.stack([part.price[donors] for part in fit.parts])
    for place, part in enumerate(fit.parts):
        if part.name == "quality" and not own.all():
            prices[place, ~own] = float(part.price[pool].mean())
    worth = np.stack([_worth(fit, donors, option, chosen, each, prices) for option, each in evident.items()])
    doubt = np.stack([_doubt(fit, donors, option, chosen, each, prices) for option, each in evident.items()])
    asked = own & (fit.choices.chosen[donors] == chosen)
    best = _prudent(worth, doubt, asked)
    steps = _steps(lending, donors, own, chosen, evident, best)
    plainer = _plainer(worth, asked, best, fit.fold[donors], _reach(steps), [_reach([each]) for each in evident.values()])
    return steps if plainer is None else _steps(lending, donors, own, chosen, evident, plainer)


def _steps(lending: Lending, donors: Ints, own: Bools, chosen: int, evident: dict[int, Contrast], best: Ints) -> list[Contrast]:
    """The contrasts of a policy, given by the place of each donor's option, −1 for staying."""
    steps: list[Contrast] = []
    for place, option in enumerate(evident):
        alike = best == place
        inside = donors[alike & own]
        whole = alike | ~(lending.fit.supported[donors, option] & lending.fit.supported[donors, chosen])
        step = evident[option] if whole.all() else lending.contrast(inside, option, chosen, donors[alike])
        if step is None or not step.is_evident:  # too little is known just there: what is known on the whole, and less sure
            step = lending.contrast(inside, option, chosen)
            step = None if step is None else replace(step, elsewhere=True)
        if step is not None and step.is_evident:
            steps.append(step)
    return steps


def _reach(steps: list[Contrast]) -> float:
    """How far below its value the limit of a policy's gain lies, in USD; infinite where nothing is known."""
    apart = [each.gain.numbers() for each in steps]
    return math.sqrt(sum((value - low) ** 2 for value, _, low, _ in apart)) if apart else math.inf


def _plainer(worth: Floats, asked: Bools, best: Ints, fold: Ints, reach: float, reaches: list[float]) -> Ints | None:
    """The policy with one option for all in those folds where, from other tasks, its lower limit is the higher; None where it is
    in none. Telling decisions apart divides the evidence. Only widths of intervals are taken from the fold's own tasks."""
    chosen, changed = best.copy(), False
    for k in range(FOLDS):
        here = fold == k
        of = asked & here
        scale = float(asked.sum()) / max(1, int(of.sum()))
        taken = of & (best >= 0)
        told = scale * float(worth[best[taken], np.flatnonzero(taken)].sum()) - reach if taken.any() else 0.0
        limits = [
            scale * float(np.where(np.isfinite(gains[of]), gains[of], 0.0).sum()) - width
            for gains, width in zip(worth, reaches, strict=True)
        ]
        single = int(np.argmax(limits))
        if limits[single] > max(told, 0.0):
            chosen[here] = np.where(np.isfinite(worth[single, here]), single, -1)
            changed = True
    return chosen if changed else None


def _worth(fit: Fit, rows: Ints, option: int, chosen: int, each: Contrast, prices: Floats) -> Floats:
    """Shape (rows,): what an option gains in each decision at these prices (P, rows), as other tasks tell; −∞ without support."""
    offsets = np.stack([each.arms[0].without(k) - each.arms[1].without(k) for k in range(FOLDS)], axis=1)[:, fit.fold[rows]]
    for place, part in enumerate(fit.parts):
        offsets[place] += part.fitted[rows, option] - part.fitted[rows, chosen]
    supported = fit.supported[rows, option] & fit.supported[rows, chosen]
    return np.where(supported, (prices * offsets).sum(axis=0), -np.inf)


def _doubt(fit: Fit, rows: Ints, option: int, chosen: int, each: Contrast, prices: Floats) -> Floats:
    """Shape (rows,): what giving a decision to an option adds to the variance of the sum, in USD²: of one outcome at these
    prices, times e_chosen/e_option, since one task that took the option speaks for so many."""
    own = [part.moves and part.name != "own" for part in fit.parts]
    deviations = np.array([each.arms[0].deviation(place) if own[place] else 0.0 for place in range(len(own))])
    variance = ((prices * deviations[:, None]) ** 2).sum(axis=0)
    return variance * fit.shared[rows, chosen] / np.maximum(fit.shared[rows, option], 1e-6)


def _prudent(worth: Floats, doubt: Floats, asked: Bools) -> Ints:
    """Shape (rows,): the place of the best option of each row, −1 for staying, given what options are worth and how much each
    adds to the variance of the sum over the rows that are asked about, (K, rows).

    Best is what adds most to the sum less `_PRUDENCE` standard errors of it: where options are nearly alike, the one that more
    is known of. The error's slope is that of the first choice made so.
    """
    error = math.sqrt(max(float(np.where(np.isfinite(worth), doubt, 0.0)[:, asked].sum(axis=1).min()), 1e-300))
    best = np.full(worth.shape[1], -1)
    for _ in range(2):
        left = worth - _PRUDENCE * doubt / (2 * error)
        best = left.argmax(axis=0)
        best = np.where(np.take_along_axis(worth, best[None], axis=0)[0] > 0, best, -1)
        taken = asked & (best >= 0)
        if not taken.any():
            break
        error = math.sqrt(max(float(doubt[best[taken], np.flatnonzero(taken)].sum()), 1e-300))
    return best
