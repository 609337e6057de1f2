"""What caches would have saved, had they been used as they were where they worked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from analyzers.effects.estimate import Bools, Floats
from analyzers.modes.cache.pieces import Pieces
from analyzers.modes.cache.prompts import LIFETIME_S, Prompts, Resends
from analyzers.modes.cache.survival import Limits, Survival, depreciation, limits, survival

Evidence: TypeAlias = Literal["worked", "keys", "equal writes", "growing prompts", "none"]
"""What tells which part of a prompt repeats: it was read where caching worked; keys say so; writes of one length follow each
other; or every prompt is longer than the one before and its answer together."""

_PAIRS_MIN, _PAIRS_SHARE = 20, 0.95
_EQUAL_WITHIN = 0.02
_AS_WELL = 1.1
CACHEABLE_MIN_TOKENS = 1024.0
"""Providers do not cache shorter prefixes (some none below twice that)."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected of each call under caching, in tokens. Shapes: (n,); NaN where nothing tells. `evidence` by family."""

    read: Floats
    written: Floats
    evidence: tuple[Evidence, ...]

    def saved_usd(self, prompts: Prompts) -> Floats:
        """What that saves on each call, in USD; NaN where nothing tells."""
        return self.read * prompts.read_gain - self.written * prompts.write_premium


@dataclass(frozen=True, slots=True)
class Kept:
    """How long one provider's cache keeps what is sent to it; None where nothing was seen. `calls`: whole prefixes, by age.

    Stated pieces by whichever tells best: the greatest age in front of them (`pieces`, a lifetime), how many others were cached
    since (`pieces` and `by_distance`, a cache that is full), both at once (`within`: a full cache with a lifetime), or δ_S
    (`rate`: each is lost for itself, at random)."""

    calls: Survival | None
    pieces: Survival | None = None
    by_distance: bool = False
    rate: float | None = None
    within: Limits | None = None

    def share(self, age_s: Floats, distance: Floats, sum_s: Floats) -> Floats | None:
        """The share of pieces that would be read; None where nothing was seen of pieces."""
        if self.rate is not None:
            return np.exp(-self.rate * sum_s)
        if self.within is not None:
            return self.within.at(age_s, distance)
        return None if self.pieces is None else self.pieces.at(distance if self.by_distance else age_s)


def survivals(prompts: Prompts, sent: Resends, works: Bools) -> dict[int, Kept]:
    """By provider, how long what was stored was kept, from calls that `works` (n,) says are of a cache at work."""
    tells = evidence_of_survival(prompts, sent) & works
    pieces = sent.pieces
    some = (works & (prompts.read + prompts.written > 0))[pieces.call] & ~np.isnan(pieces.stored_age_s)
    kept: dict[int, Kept] = {}
    for provider in np.unique(prompts.provider):
        rows = tells & (prompts.provider == provider)
        calls = (
            survival(sent.age_s[rows], (prompts.read[rows] > 0).astype(np.float64), prompts.whole[rows]) if rows.any() else None
        )
        inside = some & (prompts.provider[pieces.call] == provider)
        kept[int(provider)] = _of_pieces(calls, pieces, inside) if inside.any() else Kept(calls)
    return kept


def _of_pieces(calls: Survival | None, pieces: Pieces, inside: Bools) -> Kept:
    """How pieces are kept, by whichever leaves the smallest squared error.

    Pieces that follow one that was lost count as lost: what matters is how much would be read, not how much is kept.
    """
    read, weights = pieces.is_read[inside].astype(np.float64), pieces.tokens[inside]
    axes = (pieces.stored_age_s[inside], pieces.stored_distance[inside], pieces.stored_sum_s[inside])
    fits = [Kept(calls, survival(axes[0], read, weights)), Kept(calls, survival(axes[1], read, weights), by_distance=True)]
    seen = inside & pieces.is_seen
    few = [Kept(calls, within=limits(axes[0], axes[1], read, weights))]
    constant = depreciation(pieces.own_age_s[seen], pieces.is_read[seen])
    if constant is not None:
        few.append(Kept(calls, rate=constant.value))

    def error(fit: Kept) -> float:
        share = fit.share(*axes)
        return float("inf") if share is None else float((weights * (read - share) ** 2).sum())

    # A rate or two limits are one number or two where the steps have many: they are believed when they fit about as well.
    plain, stepped = min(few, key=error), min(fits, key=error)
    return plain if error(plain) <= _AS_WELL * error(stepped) else stepped


def ages(prompts: Prompts, sent: Resends, inside: Bools) -> tuple[Floats, Bools]:
    """Ages of what was sent again to one cache, and whether it was kept: what δ_S is read from. `inside` (n,): the cache's calls.

    Of a call with several pieces those up to the first that was lost are seen.
    """
    calls, pieces = evidence_of_survival(prompts, sent) & inside, sent.pieces
    some = inside[pieces.call] & ~np.isnan(pieces.own_age_s) & pieces.is_seen
    return np.concatenate([sent.age_s[calls], pieces.own_age_s[some]]), np.concatenate(
        [prompts.read[calls] > 0, pieces.is_read[some]]
    )


def evidence_of_survival(prompts: Prompts, sent: Resends) -> Bools:
    """Calls that tell whether something was still stored: what they send again was stored, so far as anybody can see.

    Where storing costs nothing nobody reports it; there what was sent is taken for stored if calls of its family ever read. A
    call with a key of its own that was never sent before tells nothing, nor does one that follows a call of another upstream, nor
    one that did not use the cache: it would have written what it did not find.
    """
    before = np.maximum(sent.previous, 0)
    is_free = (prompts.write_premium <= 0) & (np.bincount(prompts.family, weights=prompts.read)[prompts.family] > 0)
    uses = prompts.read + prompts.written > 0
    stored = (uses[before] | is_free[before]) & (uses | (prompts.write_premium <= 0))
    keyed = np.array([len(keys) > 0 for keys in prompts.keys], dtype=bool)
    same = sent.is_same | ~keyed
    single = np.array([len(keys) < 2 for keys in prompts.keys], dtype=bool)
    told = prompts.is_told & stored & same & single
    return (sent.previous >= 0) & told & (prompts.upstream == prompts.upstream[before])


def kept_tokens(prompts: Prompts, sent: Resends, by_provider: dict[int, Kept]) -> tuple[Floats, Floats]:
    """The share of what each call sends again that would still be there (n,), and of calls that state several pieces the tokens
    of them that would be (n,): as seen of the provider, otherwise as promised."""
    pieces = sent.pieces
    promised = np.where(np.isnan(prompts.lifetime_s), LIFETIME_S, prompts.lifetime_s)
    calls: Floats = np.where(sent.age_s <= promised, 1.0, 0.0)
    single = np.where(pieces.age_s <= promised[pieces.call], 1.0, 0.0)
    for provider, seen in by_provider.items():
        inside = (prompts.provider == provider) & (sent.previous >= 0)
        if seen.calls is not None:
            calls[inside] = seen.calls.at(sent.age_s[inside])
        of = prompts.provider[pieces.call] == provider
        share = seen.share(pieces.age_s[of], pieces.distance[of], pieces.sum_s[of])
        if share is not None:
            single[of] = share
    return calls, np.asarray(np.bincount(pieces.call, weights=pieces.tokens * single, minlength=len(prompts)), dtype=np.float64)


def expected(prompts: Prompts, sent: Resends, works: Bools, by_provider: dict[int, Kept]) -> Expected:
    """What each call would have read and written. `works` (n,): calls of a cache at work; `by_provider`: how long it keeps
    things."""
    share, by_piece = kept_tokens(prompts, sent, by_provider)
    several = np.array([len(keys) > 1 for keys in prompts.keys], dtype=bool)
    n, families = len(prompts), int(prompts.family.max(initial=-1)) + 1
    read, written = np.full(n, np.nan), np.full(n, np.nan)
    evidence: list[Evidence] = []
    for family in range(families):
        rows = prompts.family == family
        later = rows & (sent.previous >= 0)
        kind = _evidence(prompts, sent, rows, later, works)
        evidence.append(kind)
        if kind != "none":
            again = _repeated(prompts, sent, kind, rows, later, works)
            aims = np.where(several, by_piece, again * share)
            _fill(prompts, kind, rows, later, works, again, aims, read, written)
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


def _repeated(prompts: Prompts, sent: Resends, kind: Evidence, rows: Bools, later: Bools, works: Bools) -> Floats:
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
    return np.where(again >= CACHEABLE_MIN_TOKENS, again, 0.0)


def _fill(
    prompts: Prompts, kind: Evidence, rows: Bools, later: Bools, works: Bools, again: Floats, aims: Floats,
    read: Floats, written: Floats,
) -> None:  # fmt: skip
    """Put the expectations of one family in place. What is lost, and what is new, is written."""
    first = rows & ~later
    read[rows], written[rows] = aims[rows], again[rows] - aims[rows]
    if kind == "worked":
        for part in (first, later):
            at_work = part & works & ((prompts.read + prompts.written > 0) | (prompts.write_premium <= 0))
            whole = float(prompts.whole[at_work].sum())
            cached = float((prompts.read + prompts.written)[at_work].sum()) / whole if whole > 0 else 0.0
            if part is first:
                read[part] = prompts.whole[part] * (float(prompts.read[at_work].sum()) / whole if whole > 0 else 0.0)
            whole_part = np.where(prompts.whole * cached >= CACHEABLE_MIN_TOKENS, prompts.whole * cached, 0.0)
            written[part] = np.maximum(whole_part[part] - read[part], 0.0)
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
