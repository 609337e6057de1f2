"""What an allocation is solved over: comparisons with their options' outcomes, and the tasks whose decisions are chosen together.

Tasks are alike when they are worth alike and their decisions took the same options; so thousands of tasks are some hundred
groups.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allocation.period import Compared, Together
from analyzers.effects.estimate import Bools, Floats, Ints
from analyzers.prices.alternatives import Alternatives, drawn_at

BANDS = 8
"""Bands of V that tasks are taken together in."""
GROUPS_MAX = 200
"""Groups of tasks of a class; of more, first V tells them apart no longer, then the options taken."""


def compare(decided: Sequence[Alternatives], seed: int, replicates: int) -> tuple[tuple[Compared, ...], tuple[Together, ...]]:
    """The comparisons, and the tasks they are of. Every replicate draws every task a Poisson(1) number of times, the same in
    all its comparisons; equal input and seed give equal draws."""
    if not decided:
        return (), ()
    draw = np.random.default_rng(seed)
    known, codes = np.unique(np.concatenate([one.task for one in decided]), return_inverse=True)
    tasks = np.split(codes.reshape(-1), np.cumsum([len(one.task) for one in decided])[:-1])
    draws = [np.zeros((replicates, 4, len(one.options))) for one in decided]
    for replicate in range(replicates):
        times = draw.poisson(1.0, len(known)).astype(np.float64) + 1e-12
        for one, drawn, of in zip(decided, draws, tasks, strict=True):
            drawn[replicate] = one.means(times[of])
    rows = class_rows(decided, seed)
    weights = class_weights(decided, rows)
    compared: list[Compared] = []
    for one, drawn, drawn_rows in zip(decided, draws, rows, strict=True):
        band, v_usd = _bands(one.v_usd[drawn_rows])
        chosen = _counted(band, len(v_usd), one, drawn_rows) * weights[one.task_class]
        compared.append(Compared(one.task_class, one.kind, one.options, v_usd, chosen, one.means(), drawn, one.alike))
    together: list[Together] = []
    for task_class, weight in weights.items():
        places = [place for place, one in enumerate(decided) if one.task_class == task_class]
        together += _groups([(place, decided[place], rows[place]) for place in places], task_class, weight)
    return tuple(compared), tuple(together)


def class_rows(decided: Sequence[Alternatives], seed: int) -> list[Bools]:
    """Shape (n,) for each: its decisions in tasks that were drawn in every comparison of its class."""
    least: dict[str, float] = {}
    for one in decided:
        least[one.task_class] = min(one.share, least.get(one.task_class, 1.0))
    return [drawn_at(one.task, seed) < least[one.task_class] for one in decided]


def class_weights(decided: Sequence[Alternatives], rows: Sequence[Bools]) -> dict[str, float]:
    """How many tasks of each class one that was drawn stands for."""
    all_of, drawn = (
        dict.fromkeys((one.task_class for one in decided), 0.0),
        dict.fromkeys((one.task_class for one in decided), 0.0),
    )
    for one, of in zip(decided, rows, strict=True):
        all_of[one.task_class] += len(of) * one.weight
        drawn[one.task_class] += float(of.sum())
    return {name: whole / max(drawn[name], 1.0) for name, whole in all_of.items()}


def _groups(of: Sequence[tuple[int, Alternatives, Bools]], task_class: str, weight: float) -> list[Together]:
    """The tasks of a class, alike in their band of V and in the option that most of each comparison's decisions took."""
    keys, first, codes = np.unique(
        np.concatenate([one.task[rows] for _, one, rows in of]), return_index=True, return_inverse=True
    )
    tasks = np.split(codes.reshape(-1), np.cumsum([int(rows.sum()) for *_, rows in of])[:-1])
    v_usd = np.concatenate([one.v_usd[rows] for _, one, rows in of])[first]
    counts = [_counted(task, len(keys), one, rows) for (_, one, rows), task in zip(of, tasks, strict=True)]
    most = np.column_stack([np.where(count.any(axis=1), 1 + count.argmax(axis=1), 0) for count in counts])
    for columns in (np.column_stack([_bands(v_usd)[0], most]), most, most > 0):
        found, group = np.unique(columns, axis=0, return_inverse=True)
        if len(found) <= GROUPS_MAX:
            break
    group = group.reshape(-1)
    size = np.bincount(group)
    worth = np.bincount(group, weights=v_usd) / size
    sums = [np.stack([np.bincount(group, weights=column) for column in count.T], axis=1) * weight for count in counts]
    return [
        Together(
            task_class, float(size[row] * weight), float(worth[row]),
            {place: chosen[row] for (place, *_), chosen in zip(of, sums, strict=True) if chosen[row].any()},
        )
        for row in range(len(size))
    ]  # fmt: skip


def _counted(codes: Ints, length: int, of: Alternatives, rows: Bools) -> Floats:
    """Shape (length, K): how many of the decisions in some rows took each option, by code."""
    options = len(of.options)
    counted = np.bincount(codes * options + of.chosen[rows], minlength=length * options)
    return counted.reshape(length, options).astype(np.float64)


def _bands(v_usd: Floats) -> tuple[Ints, Floats]:
    """Codes (n,) of bands of V, and the mean V of each: the values themselves where there are few."""
    found, codes = np.unique(v_usd, return_inverse=True)
    if len(found) > BANDS:
        edges = np.quantile(v_usd, np.linspace(0, 1, BANDS + 1)[1:-1])
        codes = np.unique(np.searchsorted(edges, v_usd, side="right"), return_inverse=True)[1]
    codes = codes.reshape(-1).astype(np.int64)
    count = np.bincount(codes)
    return codes, np.asarray(np.bincount(codes, weights=v_usd) / count, dtype=np.float64)
