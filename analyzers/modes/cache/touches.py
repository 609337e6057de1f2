"""What was sent to a cache, piece by piece: each time that a piece of a prompt that may repeat was sent is a touch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyzers.effects.estimate import Floats, Ints


@dataclass(frozen=True, slots=True)
class Touches:
    """Touches in order of time, and of one call in the order of its prompt. Shapes: (t,).

    `chain`: which piece it is; `call`: of which call. `tokens` is how long the piece is, `read` and `written` how much of it the
    cache read and wrote. Rates in USD per token; NaN where a cache has none, which is then as dear as fresh input.
    """

    chain: Ints
    call: Ints
    at_s: Floats
    tokens: Floats
    read: Floats
    written: Floats
    input_rate: Floats
    read_rate: Floats
    write_rate: Floats

    @property
    def read_gain(self) -> Floats:
        """What one token read instead of paid in full saves, in USD."""
        return self.input_rate - np.where(np.isnan(self.read_rate), self.input_rate, self.read_rate)

    @property
    def write_premium(self) -> Floats:
        """What one token written costs beyond fresh input, in USD."""
        return np.where(np.isnan(self.write_rate), self.input_rate, self.write_rate) - self.input_rate


def previous_of(group: Ints) -> Ints:
    """For each row the one before it of the same group, -1 for a group's first. Rows stand in order of time."""
    order = np.argsort(group, kind="stable")
    previous = np.full(len(group), -1, dtype=np.int64)
    same = group[order[1:]] == group[order[:-1]]
    previous[order[1:][same]] = order[:-1][same]
    return previous


def break_even_reads(read_gain: float, write_premium: float) -> float:
    """Reads of what was written that repay its writing: (write − input) / (input − read) rates; infinite where reading saves
    nothing. Source: eq. 10 at equality."""
    if write_premium <= 0:
        return 0.0
    return write_premium / read_gain if read_gain > 0 else float("inf")
