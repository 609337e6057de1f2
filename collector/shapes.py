"""What follows from the names of a record's attributes alone, remembered by these names.

An emitter writes the same names in the same order into each of its records of one kind. Which of them tell facts, which tell
counts, and to which dialect they belong is found out once for each such shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeAlias, TypeVar

Shape: TypeAlias = tuple[str, ...]
_T = TypeVar("_T")

# Senders choose the names: what is remembered is bounded in number and in size.
_SHAPES_MAX = 10_000
_NAMES_MAX = 200
_LETTERS_MAX = 10_000


class ByShape(Generic[_T]):
    """A function of the names of attributes, in their order, that is worked out once for each shape."""

    __slots__ = ("_answers", "_find")

    def __init__(self, find: Callable[[Shape], _T]) -> None:
        self._find = find
        self._answers: dict[Shape, _T] = {}

    def of(self, attributes: Iterable[str]) -> _T:
        """The answer for attributes of these names."""
        shape = tuple(attributes)
        try:
            return self._answers[shape]
        except KeyError:
            answer = self._find(shape)
        if len(shape) <= _NAMES_MAX and sum(map(len, shape)) <= _LETTERS_MAX:
            if len(self._answers) >= _SHAPES_MAX:
                self._answers.clear()
            self._answers[shape] = answer
        return answer
