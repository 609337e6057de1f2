"""Whole menus of decisions of which only the chosen option's probability was logged.

What a router would have given the options that it did not choose is what it gave them where it did: a probability that follows
from the context is the same whichever option the draw fell on. So it is read off decisions of like context in which that option
was chosen. A model of *choices* would do worse: of an option that is tried in one of twenty it has a few draws to learn from, and
what it takes for a tenth of the true probability makes ten times too much of every one of them.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from analyzers.effects.estimate import Floats, Ints
from analyzers.effects.nuisance import Regressor

ROWS_MIN = 4
"""Decisions for an option from which its probability is learnt; of fewer it is what the model of choices says."""

_ROWS = 10_000  # of an option, that are learnt from
_LEAVES = (1, 4, 16)  # decisions that a probability is averaged over: as many as predict left out ones best
_PARTS = 5
_LEAST = 1e-4


def completed(chosen: Ints, own: Floats, context: Floats, modelled: Floats) -> Floats:
    """Shape (n, K): each option's probability, the chosen one's as logged.

    `own` (n,): the logged probability of the chosen option; `context` (n, d): all that was recorded before the choice; `modelled`
    (n, K): what a model of choices says. What is left of one is shared in proportion to what each other option was logged with
    where it was chosen in such a context.
    """
    rows = np.arange(len(chosen))
    found = modelled.copy()
    for option in range(modelled.shape[1]):
        took = np.flatnonzero(chosen == option)
        if len(took) >= ROWS_MIN and context.shape[1]:
            found[:, option] = _followed(took, own, context)
    found[rows, chosen] = 0.0
    found *= ((1 - own) / np.maximum(found.sum(axis=1), 1e-12))[:, None]
    found[rows, chosen] = own
    return found


def _followed(took: Ints, own: Floats, context: Floats) -> Floats:
    """Shape (n,): the probability of an option everywhere, from the decisions that took it: a tree on its logarithm."""
    if len(took) > _ROWS:
        took = took[np.linspace(0, len(took) - 1, _ROWS).astype(np.int64)]
    told, logged = context[took], np.log(np.maximum(own[took], _LEAST))
    if float(np.ptp(logged)) < 1e-9:
        return np.full(len(context), float(own[took[0]]))
    parts = min(_PARTS, len(took))  # none of them is empty
    part = np.random.default_rng(0).permutation(len(took)) % parts
    errors = [sum(_missed(told, logged, part == held, leaf) for held in range(parts)) for leaf in _LEAVES]
    tree = _tree(_LEAVES[int(np.argmin(errors))])
    tree.fit(told, logged)
    return np.exp(tree.predict(context))


def _missed(told: Floats, logged: Floats, held: np.ndarray, leaf: int) -> float:
    tree = _tree(leaf)
    tree.fit(told[~held], logged[~held])
    return float(((tree.predict(told[held]) - logged[held]) ** 2).sum())


def _tree(leaf: int) -> Regressor:
    from sklearn.tree import DecisionTreeRegressor  # takes a second to load, and most commands do not need it

    return cast("Regressor", DecisionTreeRegressor(min_samples_leaf=leaf, random_state=0))
