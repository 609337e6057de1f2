"""Cache writes as assets: their premium is what later reads save; what no read repays is written off when their life is over.

Nothing is estimated: which read found what was written is followed as the mode of cache misuse does (eq. 10), and what a read
saved and a write cost beyond fresh input are sums over the transfers of their calls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from analyzers.capital.assets import Asset, AssetEntry, picodollars, summed
from analyzers.modes.cache.load import Loaded
from analyzers.modes.cache.prompts import touches_of
from analyzers.modes.cache.writes import Writes, writes

LIFE_MAX = timedelta(days=1)
"""Reads of what was written longer ago are not followed: no premium buys a longer life, and days stay independent."""
_PARTS = 1_000_000
"""Tokens are counted in millionths, as touches are rounded."""


@dataclass(frozen=True, slots=True)
class Money:
    """What the books say of one call: when it began, its cache's item, the premium of what it wrote and what its reads saved.

    None where a rate is not known. `is_rollout`: its whole cost belongs to a batch of rollouts, so that nothing of it is
    capitalised here.
    """

    started_at: datetime
    item: str
    premium_usd: Decimal | None
    saved_usd: Decimal | None
    is_rollout: bool


@dataclass(frozen=True, slots=True)
class _Piece:
    """What became of one piece of a write."""

    entries: tuple[AssetEntry, ...]
    ends_at: datetime | None
    is_replaced: bool


def cache_assets(
    loaded: Loaded, money: Mapping[tuple[str, str], Money], since: datetime, until: datetime, known_to: datetime
) -> list[Asset]:
    """The assets of calls that wrote from `since` to before `until` and paid a premium for it.

    `loaded` holds the calls from `since` on and LIFE_MAX beyond `until`. Lives that were over before `known_to` have come to
    their end; others may still be read.
    """
    calls = [money.get(key) for key in zip(loaded.traces, loaded.spans, strict=True)]
    touches = touches_of(loaded.prompts)
    lifetime_s = loaded.prompts.lifetime_s[touches.call]
    made = writes(touches, known_to.timestamp(), lifetime_s)
    uses = _uses_by_write(made)
    by_call: defaultdict[int, list[int]] = defaultdict(list)
    for write, touch in enumerate(made.touch.tolist()):
        by_call[int(touches.call[touch])].append(write)
    follow = _Follow(loaded, calls, made, touches.call.tolist(), lifetime_s.tolist(), uses, known_to)
    found: list[Asset] = []
    for call, own in by_call.items():
        of = calls[call]
        if of is None or of.is_rollout or not of.premium_usd or of.premium_usd < 0 or not since <= of.started_at < until:
            continue
        shares = _shares(picodollars(of.premium_usd), [float(made.tokens[write]) for write in own])
        pieces = [follow.piece(write, share) for write, share in zip(own, shares, strict=True) if share > 0]
        found.append(_asset(loaded, call, of, pieces, sum(float(made.tokens[write]) for write in own)))
    return found


def _uses_by_write(made: Writes) -> dict[int, list[tuple[int, float]]]:
    uses: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
    for write, touch, tokens in zip(made.uses.write.tolist(), made.uses.touch.tolist(), made.uses.tokens.tolist(), strict=True):
        uses[write].append((touch, tokens))
    return uses


def _shares(whole: int, tokens: Sequence[float]) -> list[int]:
    """A whole number shared out by tokens so that the shares sum to it."""
    ends = np.cumsum([round(each * _PARTS) for each in tokens]).tolist()
    cuts = [whole * end // ends[-1] for end in ends]
    return [cut - before for before, cut in zip([0, *cuts], cuts, strict=False)]


@dataclass(frozen=True, slots=True)
class _Follow:
    """All that the pieces of writes are followed by; `call_of` and `lifetime_s` by touch."""

    loaded: Loaded
    calls: Sequence[Money | None]
    made: Writes
    call_of: Sequence[int]
    lifetime_s: Sequence[float]
    uses: Mapping[int, Sequence[tuple[int, float]]]
    known_to: datetime

    def piece(self, write: int, premium: int) -> _Piece:
        """Depreciate a piece's premium by what each read of it saved; what is left when its life is over is written off."""
        own = int(self.made.touch[write])
        written = self._at(own)
        last, left, entries = written, premium, [self._entry("capitalised", own, premium, "premium of a cache write")]
        ends_by = written + LIFE_MAX
        for touch, tokens in self.uses.get(write, ()):
            at = self._at(touch)
            if at > ends_by:
                break
            last, saved = at, min(left, self._saved(self.call_of[touch], tokens))
            if saved > 0:
                entries.append(self._entry("depreciated", touch, saved, "a read of it saved as much"))
                left -= saved
        ends_at = min(last + timedelta(seconds=self.lifetime_s[own]), ends_by)
        replaced_by = int(self.made.replaced_by[write])
        is_replaced = replaced_by >= 0 and self._at(replaced_by) <= ends_at
        if is_replaced:
            ends_at = self._at(replaced_by)
        if left == 0:
            return _Piece(tuple(entries), None, is_replaced)
        if not (is_replaced or ends_at < self.known_to):
            return _Piece(tuple(entries), ends_at, is_replaced)
        reason = "another write took its place" if is_replaced else "its lifetime passed"
        trace_id, span_id = self._ids(own)
        entries.append(AssetEntry("written off", ends_at, left, trace_id, span_id, reason))
        return _Piece(tuple(entries), None, is_replaced)

    def _at(self, touch: int) -> datetime:
        """When a touch's call began, as the books have it."""
        call = self.calls[self.call_of[touch]]
        if call is None:
            raise LookupError(f"call {self.call_of[touch]} was loaded without its money")
        return call.started_at

    def _saved(self, call: int, tokens: float) -> int:
        """What a read of so many tokens saved, of all that the call's reads did."""
        of = self.calls[call]
        if of is None or of.saved_usd is None or of.saved_usd <= 0:
            return 0
        return picodollars(of.saved_usd) * round(tokens * _PARTS) // round(float(self.loaded.prompts.read[call]) * _PARTS)

    def _ids(self, touch: int) -> tuple[bytes, bytes]:
        call = self.call_of[touch]
        return bytes.fromhex(self.loaded.traces[call]), bytes.fromhex(self.loaded.spans[call])

    def _entry(self, step: str, touch: int, pico_usd: int, reason: str) -> AssetEntry:
        trace_id, span_id = self._ids(touch)
        named = "capitalised" if step == "capitalised" else "depreciated"
        return AssetEntry(named, self._at(touch), pico_usd, trace_id, span_id, reason)


def _asset(loaded: Loaded, call: int, of: Money, pieces: Sequence[_Piece], tokens: float) -> Asset:
    ends = [piece.ends_at for piece in pieces if piece.ends_at is not None]
    entries = summed(entry for piece in pieces for entry in piece.entries)
    return Asset(
        "cache", of.item, bytes.fromhex(loaded.traces[call]), bytes.fromhex(loaded.spans[call]), of.started_at,
        Decimal(round(tokens * _PARTS)) / _PARTS, entries, min(ends, default=None), _why(entries, bool(ends)),
    )  # fmt: skip


def _why(entries: Sequence[AssetEntry], is_open: bool) -> str:
    """What became of it, in words."""
    steps = {entry.step for entry in entries}
    if is_open:
        return "reads may still save what is left"
    if "written off" not in steps:
        return "reads repaid it"
    reasons = sorted({entry.reason for entry in entries if entry.step == "written off"})
    return f"{'reads repaid a part' if 'depreciated' in steps else 'no read saved anything'}; {' and '.join(reasons)}"
