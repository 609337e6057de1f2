"""What caches would have saved, had they been used as they were where they worked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from analyzers.effects.estimate import Bools, Floats
from analyzers.modes.cache.prompts import LIFETIME_S, Prompts, Resends
from analyzers.modes.cache.survival import Survival, survival

Evidence: TypeAlias = Literal["worked", "keys", "equal writes", "growing prompts", "none"]
"""What tells which part of a prompt repeats: it was read where caching worked; keys say so; writes of one length follow each other; or
every prompt is longer than the one before and its answer together."""

_PAIRS_MIN, _PAIRS_SHARE = 20, 0.95
_EQUAL_WITHIN = 0.02


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected of each call under caching, in tokens. Shapes: (n,); NaN where nothing tells. `evidence` by stratum."""

    read: Floats
    written: Floats
    evidence: tuple[Evidence, ...]

    def saved_usd(self, prompts: Prompts) -> Floats:
        """What that saves on each call, in USD; NaN where nothing tells."""
        return self.read * prompts.read_gain - self.written * prompts.write_premium


def survivals(prompts: Prompts, sent: Resends, works: Bools) -> dict[int, Survival]:
    """By provider, how long what was stored was kept, from calls that `works` (n,) says are of a cache at work."""
    again = evidence_of_survival(prompts, sent) & works
    return {
        int(provider): survival(sent.age_s[chosen], prompts.read[chosen] > 0, prompts.whole[chosen])
        for provider in np.unique(prompts.provider)
        if (chosen := again & (prompts.provider == provider)).any()
    }


def evidence_of_survival(prompts: Prompts, sent: Resends) -> Bools:
    """Calls that tell whether something was still stored: what they send again was stored, so far as anybody can see.

    Where storing costs nothing nobody reports it; there what was sent is taken for stored if calls of its stratum ever read. A call
    with a key of its own that was never sent before tells nothing, and one that follows a call of another upstream does not either.
    """
    before = np.maximum(sent.previous, 0)
    is_free = (prompts.write_premium <= 0) & (np.bincount(prompts.stratum, weights=prompts.read)[prompts.stratum] > 0)
    stored = (prompts.read[before] + prompts.written[before] > 0) | is_free[before]
    keyed = np.array([len(keys) > 0 for keys in prompts.keys], dtype=bool)
    same = sent.is_same | ~keyed
    return (sent.previous >= 0) & prompts.is_told & stored & same & (prompts.upstream == prompts.upstream[before])


def kept_share(prompts: Prompts, sent: Resends, by_provider: dict[int, Survival]) -> Floats:
    """The share of what each call sends again that would still be there (n,): as seen of its provider, otherwise as promised."""
    share = np.where(sent.age_s <= np.where(np.isnan(prompts.lifetime_s), LIFETIME_S, prompts.lifetime_s), 1.0, 0.0)
    for provider, seen in by_provider.items():
        inside = (prompts.provider == provider) & (sent.previous >= 0)
        if len(seen.age_s):
            share[inside] = seen.at(sent.age_s[inside])
    return share


def expected(prompts: Prompts, sent: Resends, works: Bools, share: Floats) -> Expected:
    """What each call would have read and written. `works` (n,): calls of a cache at work; `share` (n,): see `kept_share`."""
    n, strata = len(prompts), int(prompts.stratum.max(initial=-1)) + 1
    read, written = np.full(n, np.nan), np.full(n, np.nan)
    evidence: list[Evidence] = []
    for stratum in range(strata):
        rows = prompts.stratum == stratum
        later = rows & (sent.previous >= 0)
        kind = _evidence(prompts, sent, rows, later, works)
        evidence.append(kind)
        if kind != "none":
            again = _repeated(prompts, sent, kind, rows, later, works)
            _fill(prompts, kind, rows, later, works, again, share, read, written)
    return Expected(read, written, tuple(evidence))


def _evidence(prompts: Prompts, sent: Resends, rows: Bools, later: Bools, works: Bools) -> Evidence:
    if (later & works & (prompts.read > 0)).any():
        return "worked"
    if (later & ~np.isnan(sent.tokens) & (sent.tokens > 0)).any():
        return "keys"
    pairs = later & prompts.is_told
    if pairs.sum() < _PAIRS_MIN or (prompts.read[rows] > 0).any():
        return "none"
    before = sent.previous[pairs]
    one, other = prompts.written[pairs], prompts.written[before]
    if ((one > 0) & (other > 0) & (np.abs(one - other) <= _EQUAL_WITHIN * other)).mean() >= _PAIRS_SHARE:
        return "equal writes"
    grows = prompts.whole[pairs] >= prompts.whole[before] + prompts.output[before]
    return "growing prompts" if grows.mean() >= _PAIRS_SHARE and not (prompts.written[rows] > 0).any() else "none"


def _repeated(
    prompts: Prompts, sent: Resends, kind: Evidence, rows: Bools, later: Bools, works: Bools
) -> Floats:
    """How many tokens of each call repeat (n,), whether or not they would still be stored; 0 for the first of a sequence."""
    before, again = np.maximum(sent.previous, 0), np.zeros(len(prompts))
    if kind == "worked":
        hits = later & works & (prompts.read > 0)
        again[later] = prompts.whole[later] * prompts.read[hits].sum() / prompts.whole[hits].sum()
    elif kind == "equal writes":
        again[later] = np.minimum(prompts.written, prompts.written[before])[later]
    elif kind == "growing prompts":
        again[later] = np.minimum(prompts.whole, prompts.whole[before])[later]
    told = rows & ~np.isnan(sent.tokens) & (sent.tokens > 0)
    again[told] = sent.tokens[told]
    return again


def _fill(
    prompts: Prompts, kind: Evidence, rows: Bools, later: Bools, works: Bools, again: Floats, share: Floats,
    read: Floats, written: Floats,
) -> None:  # fmt: skip
    """Put the expectations of one stratum in place. What is lost, and what is new, is written."""
    first = rows & ~later
    read[rows], written[rows] = again[rows] * share[rows], again[rows] * (1 - share[rows])
    read[first] = 0.0
    if kind == "worked":
        for part in (first, later):
            at_work = part & works & ((prompts.read + prompts.written > 0) | (prompts.write_premium <= 0))
            whole = prompts.whole[at_work].sum()
            if part is first and whole > 0:
                read[first] = prompts.whole[first] * prompts.read[at_work].sum() / whole
            # Writes of hits are what a growing prompt adds; those of misses are counted above already.
            hits = at_work & (prompts.read > 0) if part is later else at_work
            whole = prompts.whole[hits].sum()
            new = prompts.written[hits].sum() / whole if whole > 0 else 0.0
            written[part] = prompts.whole[part] * new + (written[part] if part is later else 0.0)
    elif kind == "growing prompts":
        written[rows] = prompts.whole[rows] - read[rows]
    else:
        following = np.zeros(len(prompts))
        heads = rows & (again > 0)
        np.maximum.at(following, _heads(prompts, first, heads), again[heads])
        written[first] = np.maximum(following[first], prompts.written[first])


def _heads(prompts: Prompts, first: Bools, rows: Bools) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """For each of `rows` the first call of its sequence."""
    head = np.zeros(int(prompts.sequence.max(initial=0)) + 1, dtype=np.int64)
    starts = np.flatnonzero(first)[::-1]
    head[prompts.sequence[starts]] = starts
    return head[prompts.sequence[np.flatnonzero(rows)]]
