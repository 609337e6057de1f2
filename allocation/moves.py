"""What a task would bring and take more if its decisions of one kind had all been for one option: the alternatives of a period.

Outcomes of options are those of whole tasks, and a task has several kinds of decision (a route, a check): two of them may save
the same seconds. So nothing is added up. A task is left as it was, or moved by one comparison to one of its options; what its
other decisions did stays, unless they would not have been made at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from allocation.period import COST, QUALITY, Period
from allocation.problem import Floats, Ints

GONE = 0.05
"""Of how often a decision is made beside the options taken: below this share of it beside another option, it goes with the
move."""


@dataclass(frozen=True, slots=True)
class Part:
    """A comparison among groups of tasks. Shapes: `rows` (n,), the groups that have it; `share` (n, K), of their decisions
    those for each option; `decisions` (n,) of all their tasks; `scale` (n,), how often its effect counts in a task. `first`:
    its first column.
    """

    rows: Ints
    share: Floats
    decisions: Floats
    scale: Floats
    first: int

    @property
    def columns(self) -> slice:
        """Its alternatives among those of a group."""
        return slice(self.first, self.first + self.share.shape[1])


@dataclass(frozen=True, slots=True)
class Beside:
    """Another comparison in some of the groups of one. Shapes: `ours`, `theirs` (n,), the places of these groups in the rows of
    either; `kept` (n, K), which share of the other's decisions is still made when ours are moved to an option."""

    other: int
    ours: Ints
    theirs: Ints
    kept: Floats


@dataclass(frozen=True, slots=True)
class Moves:
    """The alternatives of G groups of tasks: the first is how it was, then each option of each of its class's comparisons."""

    tasks: Floats
    v_usd: Floats
    group: Ints
    parts: tuple[Part, ...]
    beside: tuple[tuple[Beside, ...], ...]
    width: int

    def table(self, means: Sequence[Floats]) -> Floats:
        """Shape (G, 4, width): what one task brings and takes more than it did, at mean outcomes (4, K) of each comparison; NaN
        where a group has no such alternative, or took it. No outcome falls below nothing."""
        table = np.full((len(self.tasks), 4, self.width), np.nan)
        table[:, :, 0] = 0.0
        bases, apart, levels = self._as_it_was(means)
        for place, (part, mean, base) in enumerate(zip(self.parts, means, bases, strict=True)):
            move = part.scale[:, None, None] * (mean[None] - base[:, :, None])
            for beside in self.beside[place]:
                move[beside.ours] -= _lost(beside, apart[beside.other][beside.theirs])
            level = levels[part.rows][:, :, None]
            move = np.maximum(move, -level)
            move[:, QUALITY] = np.minimum(move[:, QUALITY], 1.0 - level[:, QUALITY])
            table[part.rows, :, part.columns] = np.where(part.share[:, None, :] == 1.0, np.nan, move)
        return table

    def levels(self, means: Sequence[Floats]) -> Floats:
        """Shape (G, 4): what one task of each group is expected to have brought and taken as it was."""
        return self._as_it_was(means)[2]

    def _as_it_was(self, means: Sequence[Floats]) -> tuple[list[Floats], list[Floats], Floats]:
        bases = [part.share @ mean.T for part, mean in zip(self.parts, means, strict=True)]
        apart = [self._apart(part, base) for part, base in zip(self.parts, bases, strict=True)]
        return bases, apart, self._levels(bases, apart)

    def taken(self, shares: Floats) -> list[Floats]:
        """Shape (K,) for each comparison: how many of its decisions take each option, when so many tasks (G, width) take each
        alternative. Those of tasks that are moved by another comparison stay as they were."""
        found: list[Floats] = []
        for part in self.parts:
            moved = shares[part.rows, part.columns] / self.tasks[part.rows][:, None]
            stay = 1.0 - moved.sum(axis=1)
            found.append(part.decisions @ (stay[:, None] * part.share + moved))
        return found

    def _apart(self, part: Part, base: Floats) -> Floats:
        """Shape (n, 4): what the options taken did in a task, beyond the mean of all decisions of the comparison."""
        return part.scale[:, None] * (base - part.decisions @ base / part.decisions.sum())

    def _levels(self, bases: Sequence[Floats], apart: Sequence[Floats]) -> Floats:
        """Shape (G, 4): what a task of each group is expected to have brought and taken as it was: the mean of its class, which
        the comparison of most tasks tells, and what each of its comparisons did beyond its mean."""
        beyond = np.zeros((len(self.tasks), 4))
        for part, of in zip(self.parts, apart, strict=True):
            beyond[part.rows] += of
        mean = np.zeros((int(self.group.max(initial=0)) + 1, 4))
        most = np.zeros(len(mean))
        for part, base, of in zip(self.parts, bases, apart, strict=True):
            code, tasks = int(self.group[part.rows[0]]), float(self.tasks[part.rows].sum())
            if tasks > most[code]:
                most[code] = tasks
                mean[code] = part.decisions @ (base - (beyond[part.rows] - of)) / part.decisions.sum()
        level = (mean[self.group] + beyond).clip(0.0)
        level[:, QUALITY] = level[:, QUALITY].clip(None, 1.0)
        return level


def moves(period: Period) -> Moves:
    """The alternatives of a period's tasks. They are the same at any means, so that they are laid out once."""
    codes = {one.task_class: code for code, one in enumerate(period.classes)}
    of = period.together
    tasks = np.array([one.tasks for one in of], dtype=np.float64)
    ends = dict.fromkeys(codes, 1)
    parts: list[Part] = []
    for place, compared in enumerate(period.compared):
        rows = np.array([row for row, one in enumerate(of) if place in one.chosen], dtype=np.int64)
        chosen = np.array([one.chosen[place] for one in of if place in one.chosen], dtype=np.float64)
        decisions = chosen.sum(axis=1)
        scale = decisions / tasks[rows] / compared.alike
        parts.append(Part(rows, chosen / decisions[:, None], decisions, scale, ends[compared.task_class]))
        ends[compared.task_class] += len(compared.options)
    return Moves(
        tasks, np.array([one.v_usd for one in of]), np.array([codes[one.task_class] for one in of], dtype=np.int64), tuple(parts),
        tuple(tuple(_beside(place, parts, tasks)) for place in range(len(parts))), max(ends.values(), default=1),
    )  # fmt: skip


def _beside(place: int, parts: Sequence[Part], tasks: Floats) -> list[Beside]:
    """The other comparisons in the groups of one."""
    part = parts[place]
    weights = tasks[part.rows][:, None] * part.share
    of_option: Floats = weights.sum(axis=0)
    found: list[Beside] = []
    for other, theirs in enumerate(parts):
        both = np.isin(part.rows, theirs.rows)
        if other == place or not both.any():
            continue
        beside: Floats = weights[both].sum(axis=0)
        made = np.where(of_option > 0, beside / np.maximum(of_option, 1e-300), beside.sum() / weights.sum())
        kept = np.minimum(1.0, made[None, :] / (part.share[both] @ made)[:, None])
        found.append(Beside(other, np.flatnonzero(both), np.searchsorted(theirs.rows, part.rows[both]).astype(np.int64), kept))
    return found


def _lost(beside: Beside, did: Floats) -> Floats:
    """Shape (n, 4, K): what is lost of what another comparison's options did (n, 4) beyond their mean. Where its decisions
    would not be made at all, all of it; where they would be made less often, only what speaks against the move."""
    gone = (beside.kept < GONE)[:, None, :]
    less = (1.0 - beside.kept)[:, None, :] * did[:, :, None]
    less[:, QUALITY] = less[:, QUALITY].clip(0.0)
    less[:, COST:] = less[:, COST:].clip(None, 0.0)
    return np.where(gone, did[:, :, None], less)
