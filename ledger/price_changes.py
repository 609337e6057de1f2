"""What a newer price list adds to the price book, without ever re-valuing the past.

A price that the newer list dates itself holds from its date, however late we hear of it. A price that merely differs from the one
held is taken to hold from now on: nobody said that yesterday's calls were billed with it. Where nothing was priced before, the
newer price holds for all of its validity. What the newer list no longer has stays as it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from ledger.list_rates import ListRate

Group: TypeAlias = tuple[str, str, int, str]
"""(provider, model, commodity_id, service_tier): what competes to price one line."""

Slot: TypeAlias = tuple[int, time, time]
"""(context_above, daily_from, daily_until): a case within a group."""

_BEGINNING = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)


class HeldRate(NamedTuple):
    """A list rate as the database holds it."""

    provider: str
    model: str
    commodity_id: int
    service_tier: str
    context_above: int
    daily_from: time
    daily_until: time
    revision: int
    valid_from: datetime | None
    valid_until: datetime | None
    price_usd: Decimal
    per: int


class NewRate(NamedTuple):
    """A row to add."""

    rate: ListRate
    revision: int


class _Span(NamedTuple):
    start: datetime
    end: datetime
    price: tuple[Decimal, int]
    rate: ListRate | None = None


def changes(held: Iterable[HeldRate], listed: Iterable[ListRate], now: datetime) -> list[NewRate]:
    """Rows that make the price book agree with `listed` from `now` on, and before where the list itself gives a date."""
    held_by_group: dict[Group, list[HeldRate]] = defaultdict(list)
    for rate in held:
        held_by_group[rate[:4]].append(rate)
    listed_by_group: dict[Group, list[ListRate]] = defaultdict(list)
    for rate in listed:
        listed_by_group[rate[:4]].append(rate)
    return [
        new
        for group, rates in listed_by_group.items()
        for new in (_changes_of_group(held_by_group[group], rates, now) if group in held_by_group else _all_new(rates))
    ]


def _all_new(rates: list[ListRate]) -> Iterator[NewRate]:
    return (NewRate(rate, 1) for rate in rates)


def _changes_of_group(held: list[HeldRate], listed: list[ListRate], now: datetime) -> Iterator[NewRate]:
    charged = _charged(held)
    offered: dict[Slot, list[_Span]] = defaultdict(list)
    for rate in listed:
        start, end = rate.valid_from or _BEGINNING, rate.valid_until or _END
        offered[rate.context_above, rate.daily_from, rate.daily_until].append(_Span(start, end, (rate.price_usd, rate.per), rate))
    known_starts = {rate.valid_from for rate in held}
    for slot in sorted(charged.keys() | offered.keys()):
        # A slot that only one side has is priced on the other side by the slot that would win there instead.
        wanted = offered.get(slot) or _instead(slot, offered)
        current = charged.get(slot) or _instead(slot, charged)
        for span in _joined(_differences(wanted, current, known_starts, now)):
            revision = 1 + max((r.revision for r in held if _slot(r) == slot and _overlaps(r, span)), default=0)
            yield NewRate(_at(span, slot), revision)


def _charged(held: list[HeldRate]) -> dict[Slot, list[_Span]]:
    """What each slot charges over time: later revisions painted over earlier ones."""
    slots: dict[Slot, list[_Span]] = defaultdict(list)
    for rate in sorted(held, key=lambda r: r.revision):
        layer = _Span(rate.valid_from or _BEGINNING, rate.valid_until or _END, (rate.price_usd, rate.per))
        below = slots[_slot(rate)]
        kept = [part for span in below for part in _outside(span, layer)]
        slots[_slot(rate)] = sorted([*kept, layer], key=lambda span: span.start)
    return slots


def _outside(span: _Span, hidden: _Span) -> Iterator[_Span]:
    if span.start < hidden.start:
        yield span._replace(end=min(span.end, hidden.start))
    if span.end > hidden.end:
        yield span._replace(start=max(span.start, hidden.end))


def _instead(slot: Slot, slots: dict[Slot, list[_Span]]) -> list[_Span]:
    """The spans that a lookup finds for a call of this slot when the slot itself is missing."""
    above, start, _ = slot
    fitting = [s for s in slots if s[0] <= above and _contains(s, start)]
    return slots[max(fitting, key=lambda s: (s[0], s[1] != s[2]))] if fitting else []


def _contains(slot: Slot, moment: time) -> bool:
    _, start, end = slot
    if start == end:
        return True
    return start <= moment < end if start < end else moment >= start or moment < end


def _differences(wanted: list[_Span], current: list[_Span], known_starts: set[datetime | None], now: datetime) -> Iterator[_Span]:
    for span in wanted:
        dated = span.start != _BEGINNING and span.start not in known_starts
        unpriced = [span]
        for other in current:
            unpriced = [part for piece in unpriced for part in _outside(piece, other)]
            start, end = max(span.start, other.start), min(span.end, other.end)
            if not dated:
                start = max(start, now)
            if start < end and other.price != span.price:
                yield span._replace(start=start, end=end)
        yield from unpriced


def _joined(spans: Iterable[_Span]) -> Iterator[_Span]:
    """Neighbouring spans at one price as one."""
    last: _Span | None = None
    for span in sorted(spans, key=lambda s: s.start):
        if last is not None and last.end == span.start and last.price == span.price and last.rate == span.rate:
            last = last._replace(end=span.end)
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last


def _slot(rate: HeldRate) -> Slot:
    return (rate.context_above, rate.daily_from, rate.daily_until)


def _overlaps(rate: HeldRate, span: _Span) -> bool:
    return (rate.valid_from or _BEGINNING) < span.end and span.start < (rate.valid_until or _END)


def _at(span: _Span, slot: Slot) -> ListRate:
    if span.rate is None:
        raise ValueError("a price to add must come from the list")
    return span.rate._replace(
        context_above=slot[0], daily_from=slot[1], daily_until=slot[2],
        valid_from=None if span.start == _BEGINNING else span.start, valid_until=None if span.end == _END else span.end,
    )  # fmt: skip
