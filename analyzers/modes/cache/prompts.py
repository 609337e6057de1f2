"""Calls and their prompts, as the books and their telemetry tell them: which were sent one after another, and what caches did."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np

from analyzers.effects.estimate import Bools, Floats, Ints
from analyzers.modes.cache.pieces import Pieces, pieces_of
from analyzers.modes.cache.touches import Touches, previous_of

LIFETIME_S, LONG_LIFETIME_S = 300.0, 3600.0
"""What providers promise of what is written: five minutes from its last use, or an hour where that was paid for."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """Calls in order of time. Shapes: (n,), codes are whole numbers from 0.

    `whole` input tokens, of which `read` and `written` by the cache; `is_told`: its emitter tells of caches at all. Rates in USD
    per token, NaN where there is none. `sequence`: calls of one model for one agent within a trace or conversation; `family`:
    agent, task class, model and kind of work; `place`: agent and task class; `provider`; `upstream`: who answered. `keys`: what
    the emitter says it sent, a piece of the prompt each, in order; empty where it says nothing. `value_usd`: V of the task, NaN
    if unknown.
    """

    at_s: Floats
    whole: Floats
    read: Floats
    written: Floats
    output: Floats
    is_told: Bools
    input_rate: Floats
    read_rate: Floats
    write_rate: Floats
    lifetime_s: Floats
    sequence: Ints
    family: Ints
    place: Ints
    provider: Ints
    upstream: Ints
    keys: tuple[tuple[int, ...], ...]
    value_usd: Floats

    def __len__(self) -> int:
        return len(self.at_s)

    @property
    def read_gain(self) -> Floats:
        """What one token read instead of paid in full saves, in USD."""
        return self.input_rate - np.where(np.isnan(self.read_rate), self.input_rate, self.read_rate)

    @property
    def write_premium(self) -> Floats:
        """What one token written costs beyond fresh input, in USD."""
        return np.where(np.isnan(self.write_rate), self.input_rate, self.write_rate) - self.input_rate

    @property
    def saved_usd(self) -> Floats:
        """What the cache saved on each call, less what writing cost beyond fresh input: negative where it only wrote."""
        return self.read * self.read_gain - self.written * self.write_premium


@dataclass(frozen=True, slots=True)
class Resends:
    """What each call sent again. Shapes: (n,). `previous`: the call that sent it last, -1 if none; `age_s` since then, NaN if
    none.

    `tokens`: how many were sent again where the emitter's keys tell; NaN where only the order of calls does. `is_same`: what was
    sent before is known by its key to be the same; false also where nothing tells. `pieces`: of calls that state several keys.
    """

    previous: Ints
    age_s: Floats
    tokens: Floats
    is_same: Bools
    pieces: Pieces


def resends(prompts: Prompts) -> Resends:
    """Find what was sent again: by keys where they are stated, otherwise by the order of calls in a sequence.

    A call that states no key may have sent the prefix of its sequence too, so that the next one is no older than it.
    """
    previous = previous_of(prompts.sequence)
    tokens, same = np.full(len(prompts), np.nan), np.zeros(len(prompts), dtype=bool)
    held: dict[int, int] = {}
    cached: dict[int, float] = {}
    for index, keys in enumerate(prompts.keys):
        if not keys:
            continue
        known = _leading(keys, held)
        if known:
            before = int(previous[index])
            unkeyed = before if before >= 0 and not prompts.keys[before] else -1
            previous[index], same[index] = max(held[keys[known - 1]], unkeyed), True
            tokens[index] = prompts.whole[index] * known / len(keys)
        if len(keys) == 1:
            (key,) = keys
            if known:
                last = held[key]  # perhaps one piece of several then
                tokens[index] = cached.get(key, float(prompts.whole[last]) / len(prompts.keys[last]))
            cached[key] = max(float(prompts.read[index] + prompts.written[index]), cached.get(key, 0.0))
        held.update(dict.fromkeys(keys, index))
    age = np.where(previous >= 0, prompts.at_s - prompts.at_s[previous], np.nan)
    pieces = pieces_of(prompts.keys, prompts.at_s, prompts.whole, prompts.read, prompts.written, prompts.provider)
    return Resends(previous, age, tokens, same, pieces)


def _leading(keys: tuple[int, ...], held: dict[int, int]) -> int:
    """How many of the leading pieces were sent before: what follows a piece that is new cannot be found again."""
    for place, key in enumerate(keys):
        if key not in held:
            return place
    return len(keys)


def touches_of(prompts: Prompts) -> Touches:
    """The touches of the calls: a piece for every key, or the whole of what was cached where none is stated.

    Pieces of a call with several keys are equally long; the cache reads its leading ones and writes what follows.
    """
    counts = np.array([max(1, len(keys)) for keys in prompts.keys], dtype=np.int64)
    call = np.repeat(np.arange(len(prompts)), counts)
    place = np.arange(len(call)) - np.repeat(np.cumsum(counts) - counts, counts)
    keyed = max((max(keys) for keys in prompts.keys if keys), default=-1) + 1
    sequence = prompts.sequence.tolist()
    pieces = chain.from_iterable(keys or (keyed + own,) for keys, own in zip(prompts.keys, sequence, strict=True))
    which = np.fromiter(pieces, np.int64, len(call))
    single = counts[call] == 1
    read, written, whole = prompts.read[call], prompts.written[call], prompts.whole[call]
    length = np.where(single, read + written, whole / counts[call])
    # To the millionth of a token: dust of the division is no read.
    start = place * length
    by_piece = [np.round(np.clip(cached - start, 0.0, length), 6) for cached in (read, read + written)]
    return Touches(
        which,
        call,
        prompts.at_s[call],
        length,
        np.where(single, read, by_piece[0]),
        np.where(single, written, by_piece[1] - by_piece[0]),
        prompts.input_rate[call],
        prompts.read_rate[call],
        prompts.write_rate[call],
    )
