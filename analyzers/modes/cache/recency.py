"""How much else a cache was sent since it was sent a piece: what decides whether a full cache still has it."""

from __future__ import annotations

from collections.abc import Hashable


class Recency:
    """Distances in a list that is kept in the order of last use: how many others were used since. Logarithmic in what was
    used."""

    def __init__(self) -> None:
        self._tree: list[int] = [0]
        self._last: dict[Hashable, int] = {}

    def distance(self, key: Hashable) -> float:
        """How many other keys were used since this one was; infinite for one that was not."""
        last = self._last.get(key)
        return float("inf") if last is None else float(len(self._last) - self._sum(last))

    def use(self, key: Hashable) -> None:
        """Put a key at the head."""
        last = self._last.get(key)
        if last is not None:
            self._add(last, -1)
        place = len(self._tree)
        # A new leaf of a Fenwick tree is the sum of the nodes that it covers.
        value, step = 0, 1
        while step < (place & -place):
            value += self._tree[place - step]
            step <<= 1
        self._tree.append(value + 1)
        self._last[key] = place

    def _add(self, place: int, by: int) -> None:
        while place < len(self._tree):
            self._tree[place] += by
            place += place & -place

    def _sum(self, place: int) -> int:
        total = 0
        while place > 0:
            total += self._tree[place]
            place -= place & -place
        return total
