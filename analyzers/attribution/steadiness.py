"""What decisions may be compared across: other times, and tasks of other value.

A policy that changed at some time, or that treats dear tasks otherwise, is the best experiment that most logs hold: the same
kind of task under another option. Comparing across it assumes that outcomes do not move with time, or with V, by themselves. So
that is looked for first, and where propensities were logged these must follow from context, time and V alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from scipy import linalg

from analyzers.attribution.choices import Choices
from analyzers.effects import intervals
from analyzers.effects.estimate import Bools, Floats, Ints, ranks
from analyzers.effects.nuisance import Regressor

_DRIFT = 0.9975  # level of a slope's interval: with four outcomes to look at, one steady decision set in a hundred seems to drift
_MATTERS = 0.5  # share of what is worth knowing of a decision below which a slope is let pass
_ROWS_PER_TERM = 10
_ROWS = 40_000  # decisions that are looked at; more find drifts that move nothing
_EXPLAINED = 0.9  # share of the menus' variance that context and time have to explain
_NOTHING = 1e-10  # of the largest: what a control adds to the others by rounding
_CHANGES = 0.02  # root mean square by which menus have to leave their average over time before anything is gained
_LEAF_TELLING, _LEAF_AVERAGED = 5, 20


def is_steady(choices: Choices, outcomes: Sequence[tuple[Floats, Floats]], along: Floats, others: Floats, tasks: Ints) -> bool:
    """Whether none of the outcomes (n,), each with its prices (n,), has a slope along `along` (n,), time or log V, within options
    and given the context and `others` (n, d), by which a standard deviation of it matters.

    Slope after partialling out options, context and, where there are rows enough, their products (Frisch, Waugh and Lovell), with
    tasks as the unit and residuals as MacKinnon and White's HC3 takes them.
    """
    n = len(choices)
    rows = np.arange(n) if n <= _ROWS else np.linspace(0, n - 1, _ROWS).astype(np.int64)
    if float(np.ptp(along[rows])) == 0:
        return True
    controls = _controls(choices, others, rows)
    least = _MATTERS * choices.stake_usd()
    cleared = _Cleared(controls, along[rows])
    return not any(
        _drifts(outcome[rows], cleared, tasks[rows], least / max(float(np.abs(price).mean()), 1e-12))
        for outcome, price in outcomes
    )


def averaged(menu: Floats, told: Floats, everything: Floats, seed: int) -> Floats | None:
    """Shape (n, K): logged propensities averaged among decisions of like context `told` (n, d).

    None where that changes nothing, and where `everything` recorded (n, e) does not tell them: then something that was not
    recorded moved them, which only the propensities themselves keep from confounding.
    """
    n = len(menu)
    rng = np.random.default_rng(seed)
    learnt = np.arange(n) if n <= _ROWS else np.sort(rng.choice(n, _ROWS, replace=False))
    spread = float(((menu - menu.mean(axis=0)) ** 2).mean())
    if spread < _CHANGES**2:
        return None
    alike = _tree(told, menu, learnt, max(_LEAF_AVERAGED, int(2 * len(learnt) ** 0.5)))
    if float(((menu - alike) ** 2).mean()) < _CHANGES**2:
        return None
    left = float(((menu - _tree(everything, menu, learnt, _LEAF_TELLING)) ** 2).mean())
    return alike if left <= (1 - _EXPLAINED) * spread else None


def _controls(choices: Choices, others: Floats, rows: Ints) -> Floats:
    options = np.eye(len(choices.options))[choices.chosen[rows]]
    options = options[:, options.sum(axis=0) > 0]
    told = np.column_stack([np.nan_to_num(choices.features[rows]), others[rows]])
    told = told[:, told.std(axis=0) > 1e-12 * (1 + np.abs(told.mean(axis=0)))]
    told = (told - told.mean(axis=0)) / told.std(axis=0)
    products = (options[:, :, None] * told[:, None, :]).reshape(len(rows), -1)
    pairs = [told[:, one] * told[:, other] for one in range(told.shape[1]) for other in range(one)]
    wholes = [
        np.column_stack([options, products, *pairs]),
        np.column_stack([options, products]),
        np.column_stack([options, told]),
    ]
    return next((each for each in wholes if len(rows) >= _ROWS_PER_TERM * each.shape[1]), wholes[-1])


class _Cleared:
    """Time, or log V, less what the controls tell of it, for the outcomes that are known in the same rows."""

    def __init__(self, controls: Floats, when: Floats) -> None:
        self.terms = controls.shape[1]
        self._controls, self._when = controls, when
        self._last: tuple[Bools, Floats, Floats, Floats] | None = None

    def among(self, known: Bools) -> tuple[Floats, Floats, Floats]:
        """An orthonormal basis (m, k) of the controls in these rows, what is left of time (m,), and both's leverage (m,)."""
        last = self._last
        if last is None or not np.array_equal(last[0], known):
            kept, when = self._controls[known], self._when[known]
            found, triangle, _ = linalg.qr(kept, mode="economic", pivoting=True)
            sizes = np.abs(np.diag(triangle))
            basis = np.ascontiguousarray(found[:, sizes > _NOTHING * sizes[0]], dtype=np.float64)
            time = (when - when.mean()) / max(float(when.std()), 1e-9)
            left = time - basis @ (basis.T @ time)
            leverage = (basis**2).sum(axis=1) + left**2 / max(float((left**2).sum()), 1e-300)
            last = self._last = known, basis, left, np.asarray(leverage, dtype=np.float64)
        return last[1:]


def _drifts(outcome: Floats, cleared: _Cleared, tasks: Ints, least: float) -> bool:
    """Whether an outcome's slope is at least so much per standard deviation, and its interval leaves out zero; False where the
    outcome does not tell one."""
    known = ~np.isnan(outcome)
    if int(known.sum()) < 2 * cleared.terms:
        return False
    y = outcome[known]
    basis, time, leverage = cleared.among(known)
    left = y - basis @ (basis.T @ y)
    below = float((time**2).sum())
    if below <= 1e-9 * len(y) or float(np.abs(left).max()) < 1e-9 * (1 + float(np.abs(y).max())):
        return False
    slope = float((left * time).sum()) / below
    pulls = time * (left - slope * time) / below / np.maximum(1 - leverage, 0.1)
    sums = np.bincount(ranks(tasks[known]), weights=pulls)
    of = intervals.of_sums(slope, np.asarray(sums, dtype=np.float64))
    return abs(slope) >= least and abs(slope) > intervals.quantile(of.degrees, _DRIFT) * of.standard_error


def _tree(told: Floats, menu: Floats, learnt: Ints, leaf: int) -> Floats:
    from sklearn.tree import DecisionTreeRegressor  # takes a second to load, and most commands do not need it

    if told.shape[1] == 0:
        return np.broadcast_to(menu.mean(axis=0), menu.shape)
    tree = cast("Regressor", DecisionTreeRegressor(min_samples_leaf=leaf, random_state=0))
    tree.fit(told[learnt], menu[learnt])
    return np.asarray(tree.predict(told), dtype=np.float64).reshape(menu.shape)
