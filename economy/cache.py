"""Tokens of a call under a way of caching, and the provenance of what a cache holds.

Token kinds are disjoint leaves here; the telemetry states inclusive totals, as the conventions want.
"""

from __future__ import annotations

from dataclasses import dataclass

from economy.classes import TaskClass
from economy.parameters import DIFFICULTY_TOKENS, Caching, Difficulty, Model


@dataclass(frozen=True)
class Tokens:
    """Disjoint token counts of a call: means (fractions allowed) in the model, whole numbers once realised."""

    fresh: float = 0
    cache_read: float = 0
    cache_write: float = 0
    output: float = 0
    reasoning: float = 0

    @property
    def input(self) -> float:
        """All input, caches inside."""
        return self.fresh + self.cache_read + self.cache_write

    @property
    def whole_output(self) -> float:
        """All output, reasoning inside."""
        return self.output + self.reasoning

    def realised(self, input_factor: float, output_factor: float) -> Tokens:
        """Whole counts, scaled by a task's own factors."""
        return Tokens(
            fresh=round(self.fresh * input_factor),
            cache_read=round(self.cache_read * input_factor),
            cache_write=round(self.cache_write * input_factor),
            output=round(self.output * output_factor),
            reasoning=round(self.reasoning * output_factor),
        )


def call_tokens(kind: TaskClass, difficulty: Difficulty, model: Model, caching: Caching, index: int) -> Tokens:
    """Mean tokens of the task's call number `index`.

    `prefix`: the first call stores the shared prefix (billed as a write where the provider bills writes), later calls read
    it. `none`: every call pays the prefix in full. `churn`: every call's prefix is new, so it is written again and never
    read; providers that do not bill writes make it the same as `none`.
    """
    factor = DIFFICULTY_TOKENS[difficulty]
    prefix, fresh, answer = (n * factor for n in (kind.prefix_tokens, kind.fresh_tokens, kind.output_tokens))
    reasoning = answer * model.reasoning_share
    read = write = 0.0
    if caching == "prefix" and index > 0:
        read = prefix
    elif model.cache_write is not None and caching != "none":
        write = prefix
    else:
        fresh += prefix
    return Tokens(fresh, read, write, answer - reasoning, reasoning)
