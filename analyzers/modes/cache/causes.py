"""Why what was sent again was not read from the cache."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np

from analyzers.effects.estimate import Bools, Floats, Ints
from analyzers.modes.cache.prompts import Prompts, Resends

Cause: TypeAlias = Literal[
    "prefix unstable",
    "upstream never caches",
    "upstream switched",
    "expired",
    "expired just before",
    "caching off",
    "lost early",
]
CAUSES: tuple[Cause, ...] = get_args(Cause)
_NEVER_MIN = 5
_JUST = 2.0
"""Expired just before: up to so many times the age that would still have been found."""


def causes(prompts: Prompts, sent: Resends, reach_s: Floats) -> Ints:
    """For each call (n,) the place in CAUSES of why it read nothing of what it sent again; -1 where it did, or sent nothing
    again.

    `reach_s` (n,): up to which age what was stored would be found. The first that applies is the cause, in this order: it wrote
    the prefix again under another key or without having lost it; its upstream never reads although another one of the same model
    does; another upstream had been sent it; its age; nobody cached at all; and what is left was stored and lost before its time.
    """
    before = np.maximum(sent.previous, 0)
    missed: Bools = (sent.previous >= 0) & (prompts.read <= 0) & prompts.is_told
    stored = prompts.read[before] + prompts.written[before] > 0
    is_free = prompts.write_premium <= 0
    age = np.where(np.isnan(sent.age_s), 0.0, sent.age_s)
    cases: list[tuple[Cause, Bools]] = [
        ("prefix unstable", (prompts.written > 0) & (prompts.written[before] > 0) & (age <= reach_s) & ~sent.is_same),
        ("upstream never caches", _never(prompts, sent)),
        ("upstream switched", prompts.upstream != prompts.upstream[before]),
        ("expired just before", (age > reach_s) & (age <= _JUST * reach_s)),
        ("expired", age > reach_s),
        ("caching off", ~stored & ~(is_free & _reads_here(prompts))),
        ("lost early", np.ones(len(prompts), dtype=bool)),
    ]
    found = np.full(len(prompts), -1, dtype=np.int64)
    for cause, holds in cases:
        found[missed & holds & (found < 0)] = CAUSES.index(cause)
    return found


def _never(prompts: Prompts, sent: Resends) -> Bools:
    """Calls answered by an upstream that cached nothing of a family although it was sent enough again, while another did."""
    width = int(prompts.upstream.max(initial=-1)) + 1
    pair = prompts.family * width + prompts.upstream
    size = int(pair.max(initial=-1)) + 1
    again = np.bincount(pair[sent.previous >= 0], minlength=size)
    used = np.bincount(pair, weights=prompts.read + prompts.written, minlength=size)
    elsewhere = np.bincount(prompts.family, weights=prompts.read)
    return (again[pair] >= _NEVER_MIN) & (used[pair] <= 0) & (elsewhere[prompts.family] > 0)


def _reads_here(prompts: Prompts) -> Bools:
    """Calls of sequences in which anything was read: where storing costs nothing, that is how to see that it was done."""
    return np.bincount(prompts.sequence, weights=prompts.read)[prompts.sequence] > 0
