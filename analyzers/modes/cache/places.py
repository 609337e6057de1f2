"""What caches lost at each place, against the better of two policies: to cache as it worked, or not to cache at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from analyzers.effects.estimate import Bools, Floats, Ints
from analyzers.effects.intervals import quantile
from analyzers.modes.cache.causes import CAUSES, causes
from analyzers.modes.cache.expected import Expected, ages, expected, survivals
from analyzers.modes.cache.prompts import LIFETIME_S, Prompts, Resends, resends, touches_of
from analyzers.modes.cache.survival import Depreciation, depreciation
from analyzers.modes.cache.writes import Writes, writes
from analyzers.modes.onset import onset

Subject: TypeAlias = Literal["writes never repaid", "missed hits"]
SEQUENCES_MIN = 12
"""Sequences below which a place is not judged."""
_CALIBRATED_MIN = 5
_LOST_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Judged:
    """One place and subject. `usd` lost from `since_s` on, with its interval; all None where nothing tells, and `why`.

    `reads_usd`: what reading would have saved; `writes_usd`: premiums that it would have taken. `unrepaid_usd`: premiums less
    what they saved, with their interval: what not to cache at all would have saved. `calls` (k,) are those that lost, `lost_usd`
    (k,).
    """

    place: int
    subject: Subject
    since_s: float
    sequences: int
    usd: float | None
    low: float | None
    high: float | None
    unrepaid_usd: tuple[float, float, float] | None
    reads_usd: float
    writes_usd: float
    calls: Ints
    lost_usd: Floats
    causes: dict[str, int]
    evidence: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Looked:
    """All that caches tell: what was judged, what each call would have read and written, every write, and δ_S by provider."""

    judged: tuple[Judged, ...]
    expected: Expected
    writes: Writes
    write_call: Ints
    depreciation: dict[int, Depreciation]


@dataclass(frozen=True, slots=True)
class _Known:
    """What all places are judged by."""

    prompts: Prompts
    sent: Resends
    expected: Expected
    lost_usd: Floats
    cause: Ints
    since_s: Floats
    writes: Writes
    write_call: Ints
    works: Bools


def look(prompts: Prompts, since_s: float, until_s: float) -> Looked:
    """Judge every place from `since_s` on. Calls before that are evidence of how caching worked."""
    sent = resends(prompts)
    reach = _reach(prompts, sent)
    since = _onsets(prompts, sent, reach, since_s)
    works = prompts.at_s < since
    by_provider = survivals(prompts, sent, works)
    would = expected(prompts, sent, works, by_provider)
    lost = np.where(prompts.is_told, would.saved_usd(prompts) - prompts.saved_usd, np.nan)
    touches = touches_of(prompts)
    lifetime = np.maximum(np.where(np.isnan(prompts.lifetime_s), LIFETIME_S, prompts.lifetime_s), reach)
    made = writes(touches, until_s, lifetime[touches.call])
    starts = np.where(np.isfinite(since), since, _first_seen(prompts, since_s))
    known = _Known(
        prompts,
        sent,
        would,
        lost,
        causes(prompts, sent, reach),
        starts,
        made,
        touches.call[made.touch],
        works | ~np.isfinite(since),
    )
    judged = [one for place in np.unique(prompts.place) for one in _judge(known, int(place), since_s)]
    inside = {int(p): works & prompts.is_told & (prompts.provider == p) for p in np.unique(prompts.provider)}
    lives = {p: depreciation(*ages(prompts, sent, rows)) for p, rows in inside.items()}
    return Looked(tuple(judged), would, made, known.write_call, {p: one for p, one in lives.items() if one is not None})


def _reach(prompts: Prompts, sent: Resends) -> Floats:
    """Up to which age what was stored was ever found, of the call's provider (n,); as promised where nothing was."""
    reach = np.where(np.isnan(prompts.lifetime_s), LIFETIME_S, prompts.lifetime_s)
    hits = (sent.previous >= 0) & (prompts.read > 0)
    for provider in np.unique(prompts.provider[hits]):
        reach[prompts.provider == provider] = float(sent.age_s[hits & (prompts.provider == provider)].max())
    return reach


def _onsets(prompts: Prompts, sent: Resends, reach: Floats, since_s: float) -> Floats:
    """Since when caching fails at the call's place (n,); infinite where it fails no more often than before."""
    size = int(prompts.sequence.max(initial=-1)) + 1
    is_active = (
        np.bincount(prompts.family, weights=prompts.read + prompts.written)[prompts.family] > 0 if len(prompts) else reach > 0
    )
    could = (sent.previous >= 0) & (sent.age_s <= reach) & prompts.is_told & is_active
    asked, found = np.bincount(prompts.sequence[could], minlength=size), np.zeros(size)
    np.add.at(found, prompts.sequence[could], prompts.read[could] > 0)
    _, first = np.unique(prompts.sequence, return_index=True)
    since = np.full(len(prompts), np.inf)
    for place in np.unique(prompts.place):
        heads = np.sort(first[(prompts.place[first] == place) & (asked[prompts.sequence[first]] > 0)])
        change = onset((found[prompts.sequence[heads]] == 0).astype(np.float64), np.ones(len(heads)))
        if change.has_risen:
            since[prompts.place == place] = max(float(prompts.at_s[heads[change.place]]), since_s)
    return since


def _first_seen(prompts: Prompts, since_s: float) -> Floats:
    """When the first call of the call's place was seen, from `since_s` on (n,): days before it are no days without a loss."""
    first = np.full(int(prompts.place.max(initial=-1)) + 1, np.inf)
    inside = prompts.at_s >= since_s
    np.minimum.at(first, prompts.place[inside], prompts.at_s[inside])
    return first[prompts.place]


def _judge(known: _Known, place: int, since_s: float) -> list[Judged]:
    prompts = known.prompts
    rows = (prompts.place == place) & (prompts.at_s >= np.maximum(known.since_s, since_s))
    if not rows.any():
        return []
    size = int(prompts.sequence.max(initial=-1)) + 1
    read, written = (
        np.bincount(prompts.sequence[rows], weights=x[rows], minlength=size) for x in (prompts.read, prompts.written)
    )
    silent = rows & (read[prompts.sequence] <= 0)
    wrote: Bools = silent & (written[prompts.sequence] > 0)
    never: Bools = silent & ~wrote
    judgeable = rows & ~np.isnan(known.lost_usd)
    # Where a cache was used, what one sequence had more than expected is set off against what another had less: some prefixes are
    # lost whoever sends them. Where storing costs nothing, nobody sees whether a cache was used that lost everything.
    is_free = prompts.write_premium <= 0
    made: list[Judged] = []
    if (written[prompts.sequence[rows]] > 0).any():
        made.append(_unrepaid(known, place, rows, judgeable & wrote, judgeable & ~never & ~(is_free & ~wrote)))
    if (rows & (known.sent.previous >= 0)).any():
        made.append(_missed(known, place, rows, judgeable & never, judgeable & (never | (is_free & ~wrote))))
    return made


def _missed(known: _Known, place: int, rows: Bools, part: Bools, netted: Bools) -> Judged:
    """Hits that a cache as it worked would have had."""
    sequences = len(np.unique(known.prompts.sequence[rows & ~np.isnan(known.lost_usd)]))
    if sequences < SEQUENCES_MIN:
        why = f"of {sequences} sequences of calls anything tells what repeats in their prompts, {SEQUENCES_MIN} are wanted"
        return _judged(known, place, "missed hits", rows, part, None, None, why)
    usd = float(known.lost_usd[netted].sum())
    half = _half_width(known, place, netted)
    if half is None:
        return _judged(known, place, "missed hits", rows, part, None, None, "too few sequences show how caching works here")
    return _judged(known, place, "missed hits", rows, part, (usd, usd - half, usd + half), None, "")


def _unrepaid(known: _Known, place: int, rows: Bools, part: Bools, netted: Bools) -> Judged:
    """Writes that were not repaid, against not writing at all or writing once what repeats, whichever is better."""
    subject: Subject = "writes never repaid"
    net = _unrepaid_usd(known, rows)
    if net is None:
        return _judged(known, place, subject, rows, part, None, None, f"fewer than {SEQUENCES_MIN} sequences wrote")
    value = net
    if len(np.unique(known.prompts.sequence[part])) >= SEQUENCES_MIN:
        usd, half = float(known.lost_usd[netted].sum()), _half_width(known, place, netted)
        if half is not None and usd > value[0]:
            # Not to write at all saves the premiums for certain; no interval of the better policy goes below that.
            value = (usd, max(usd - half, min(net[1], usd)), usd + half)
    return _judged(known, place, subject, rows, part, value, net, "")


def _unrepaid_usd(known: _Known, rows: Bools) -> tuple[float, float, float] | None:
    """Premiums less what they saved, of closed writes, with the interval of their sum over sequences like these."""
    made = known.writes
    chosen = rows[known.write_call] & made.is_closed & ~np.isnan(made.premium_usd)
    codes = np.unique(known.prompts.sequence[known.write_call[chosen]], return_inverse=True)[1]
    if len(codes) == 0 or codes.max() + 1 < SEQUENCES_MIN:
        return None
    sums = np.bincount(codes, weights=(made.premium_usd - made.saved_usd)[chosen])
    half = quantile(len(sums) - 1.0) * math.sqrt(len(sums)) * float(sums.std(ddof=1))
    total = float(sums.sum())
    return total, total - half, total + half


def _half_width(known: _Known, place: int, part: Bools) -> float | None:
    """How far the sum over `part` may be off: as far as expectations were from what was saved where caching worked, for each
    sequence and on their mean. Where no caching worked, what repeats is known exactly but for the prefixes that might have been
    lost."""
    prompts, at_work = known.prompts, (known.prompts.place == place) & known.works & ~np.isnan(known.lost_usd)
    gross = known.expected.read * prompts.read_gain
    size = int(prompts.sequence.max(initial=-1)) + 1
    aims = np.bincount(prompts.sequence[part], weights=gross[part], minlength=size)
    if part.any() and "worked" not in _evidence(known, part):
        return _LOST_SHARE * float(aims.sum())
    worked = np.bincount(prompts.sequence[at_work], weights=gross[at_work], minlength=size)
    misses = np.bincount(prompts.sequence[at_work], weights=known.lost_usd[at_work], minlength=size)
    use = worked > 0
    if use.sum() < _CALIBRATED_MIN:
        return None
    relative = float(np.mean((misses[use] / worked[use]) ** 2))
    variance = relative * (float((aims**2).sum()) + float(aims.sum()) ** 2 / int(use.sum()))
    return quantile(float(use.sum() - 1)) * math.sqrt(variance)


def _judged(
    known: _Known, place: int, subject: Subject, rows: Bools, part: Bools, value: tuple[float, float, float] | None,
    net: tuple[float, float, float] | None, why: str,
) -> Judged:  # fmt: skip
    prompts, calls = known.prompts, np.flatnonzero(part)
    # Sums that cancel leave dust, which is no finding.
    usd, low, high = (None, None, None) if value is None else (round(part, 9) for part in value)
    counts = np.bincount(known.cause[part & (known.cause >= 0)], minlength=len(CAUSES))
    reads, writing = known.expected.read * prompts.read_gain, known.expected.written * prompts.write_premium
    if subject == "writes never repaid" and net is not None and value == net:
        calls, lost = _by_call(known, rows)
    else:
        lost = known.lost_usd[calls]
    return Judged(
        place, subject, float(known.since_s[rows].min()), len(np.unique(prompts.sequence[rows])),
        usd, low, high, net, float(np.nansum(reads[part])), float(np.nansum(writing[part])), calls, lost,
        {CAUSES[c]: int(n) for c, n in enumerate(counts) if n},
        _evidence(known, rows), why,
    )  # fmt: skip


def _evidence(known: _Known, rows: Bools) -> tuple[str, ...]:
    """What tells which parts of these calls' prompts repeat."""
    kinds = [known.expected.evidence[int(family)] for family in np.unique(known.prompts.family[rows])]
    return tuple(sorted({kind for kind in kinds if kind != "none"}))


def _by_call(known: _Known, rows: Bools) -> tuple[Ints, Floats]:
    """Calls that wrote, with what of their premiums was not repaid."""
    made = known.writes
    chosen = rows[known.write_call] & made.is_closed & ~np.isnan(made.premium_usd - made.saved_usd)
    sums = np.zeros(len(known.prompts))
    np.add.at(sums, known.write_call[chosen], (made.premium_usd - made.saved_usd)[chosen])
    calls = np.unique(known.write_call[chosen])
    return calls, sums[calls]
