"""Prices that people state: one from the command line, or many in a CSV or YAML file.

Every fault is refused with its place and its mend before anything is written. Money is read as text and kept exact.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, localcontext

from ledger.cells import CellError
from ledger.commodities import COMMODITIES, COMMODITY_BY_NAME, Commodity
from ledger.list_rates import ALL_DAY, service_tier
from ledger.model_names import NAME_LENGTH_MAX

PER_MILLION = 1_000_000
PRICE_USD_MAX = Decimal(1_000_000)
PRICE_DECIMALS_MAX = 12
PER_MAX = 1_000_000_000
CONTEXT_MAX = 10**12

COLUMNS = (
    "tenant", "provider", "model", "commodity", "price_usd", "per", "service_tier", "context_above", "valid_from", "valid_until",
    "daily_from", "daily_until",
)  # fmt: skip
REQUIRED = ("provider", "model", "commodity", "price_usd")
SYNONYMS = {"usd": "price_usd"}

_NUMBER = re.compile(r"\d{1,40}(\.\d{0,40})?(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
_BILLABLE = tuple(c.commodity for c in COMMODITIES if c.kind not in ("latency", "risk", "quality", "capital"))


class RateError(CellError):
    """A stated price cannot be taken. `place` is the file and line, `column` what is wrong in it."""


@dataclass(frozen=True, slots=True)
class StatedRate:
    """A price somebody stated: `price_usd` buys `per` units of a commodity, from `valid_from` until before `valid_until`.

    A tenant of None is filled in by whoever adds it. Times are UTC; `daily_from` = `daily_until` means all day. Names of
    providers and models are in lower case.
    """

    tenant: str | None
    provider: str
    model: str
    commodity: Commodity
    price_usd: Decimal
    per: int
    service_tier: str
    context_above: int
    valid_from: datetime | None
    valid_until: datetime | None
    daily_from: time
    daily_until: time
    place: str = ""

    @property
    def group(self) -> tuple[str, str, int, str, int]:
        """What a rate must share with another to be able to contradict it."""
        return (self.provider, self.model, self.commodity.commodity_id, self.service_tier, self.context_above)


def stated_rate(cells: Mapping[str, str], place: str = "") -> StatedRate:
    """A rate from text by column. Absent and empty cells take their defaults. Raises RateError."""
    values = {column: text.strip() for column, text in cells.items() if text.strip()}
    for column in REQUIRED:
        if column not in values:
            raise RateError(place, column, "is missing", f"state {', '.join(REQUIRED)}")
    commodity = _commodity(values["commodity"], place)
    start, end = (moment(values.get(column), place, column) for column in ("valid_from", "valid_until"))
    if start and end and end <= start:
        what = f"{values['valid_until']} is not after valid_from"
        raise RateError(place, "valid_until", what, "name the first day it no longer holds")
    daily_from, daily_until = _window(values, place)
    return StatedRate(
        tenant=values.get("tenant"),
        provider=_name(values["provider"], place, "provider"),
        model=_name(values["model"], place, "model"),
        commodity=commodity,
        price_usd=_price(values["price_usd"], place),
        per=_per(values.get("per"), commodity, place),
        service_tier=service_tier(values.get("service_tier")),
        context_above=_whole(values.get("context_above", "0"), place, "context_above", 0, CONTEXT_MAX),
        valid_from=start,
        valid_until=end,
        daily_from=daily_from,
        daily_until=daily_until,
        place=place,
    )


def contradict(one: StatedRate, other: StatedRate) -> bool:
    """Whether two rates of one tenant would price the same line, so that only a revision could tell them apart."""
    return (
        one.group == other.group
        and periods_overlap((one.valid_from, one.valid_until), (other.valid_from, other.valid_until))
        and windows_overlap((one.daily_from, one.daily_until), (other.daily_from, other.daily_until))
    )


def refuse_contradictions(rates: Iterable[tuple[str, StatedRate]]) -> None:
    """Raise RateError when two of these rates, given with their owners, price the same line."""
    by_group: dict[object, list[StatedRate]] = {}
    for owner, rate in rates:
        rivals = by_group.setdefault((owner, rate.group), [])
        for rival in rivals:
            if contradict(rate, rival):
                line = rival.place.rpartition(", ")[2] or "another rate"
                what = f"prices what {line} prices already"
                raise RateError(rate.place, None, what, "let their periods or times of day not overlap")
        rivals.append(rate)


def periods_overlap(one: tuple[datetime | None, datetime | None], other: tuple[datetime | None, datetime | None]) -> bool:
    """Whether two half-open periods share a moment; None is open."""
    return (one[0] is None or other[1] is None or one[0] < other[1]) and (other[0] is None or one[1] is None or other[0] < one[1])


def windows_overlap(one: tuple[time, time], other: tuple[time, time]) -> bool:
    """Whether two parts of the day compete. The whole day competes only with the whole day: a part of the day goes before it."""
    if one[0] == one[1] or other[0] == other[1]:
        return one[0] == one[1] and other[0] == other[1]
    return _within(one, other[0]) or _within(other, one[0])


def _within(window: tuple[time, time], moment: time) -> bool:
    start, end = window
    return start <= moment < end if start < end else moment >= start or moment < end


def _name(text: str, place: str, column: str) -> str:
    if len(text) > NAME_LENGTH_MAX or not text.isprintable():
        raise RateError(place, column, f"{text[:40]!r} is no name", f"write at most {NAME_LENGTH_MAX} printable characters")
    return text.lower()


def _commodity(text: str, place: str) -> Commodity:
    if text in _BILLABLE:
        return COMMODITY_BY_NAME[text]
    if text in COMMODITY_BY_NAME:
        raise RateError(place, "commodity", f"{text} is not sold by providers", "its price comes from the policy")
    near = difflib.get_close_matches(text.lower(), _BILLABLE, n=3, cutoff=0.5)
    mend = f"did you mean {', '.join(near)}?" if near else "such as input_tokens, cache_read_tokens or output_tokens"
    raise RateError(place, "commodity", f"{text[:60]!r} is no commodity", mend)


def _price(text: str, place: str) -> Decimal:
    mend = "write US dollars as a number such as 2.50"
    if text.startswith("-") and _NUMBER.fullmatch(text[1:]):
        raise RateError(place, "price_usd", f"{text[:60]} is negative", "a price is 0 or more")
    if not _NUMBER.fullmatch(text):
        raise RateError(place, "price_usd", f"{text[:60]!r} is no price", mend)
    price = Decimal(text)
    if price > PRICE_USD_MAX:
        what = f"{text[:60]} is more than {PRICE_USD_MAX} USD"
        raise RateError(place, "price_usd", what, "check the number of units it buys (per)")
    with localcontext(prec=200):
        is_exact = price == round(price, PRICE_DECIMALS_MAX)
    if not is_exact:
        what = f"{text[:60]} has more than {PRICE_DECIMALS_MAX} decimals"
        raise RateError(place, "price_usd", what, "state it for more units (per)")
    return price


def _per(text: str | None, commodity: Commodity, place: str) -> int:
    if text is not None:
        return _whole(text, place, "per", 1, PER_MAX)
    if commodity.unit != "token":
        what = f"is missing, and {commodity.commodity} is not counted in tokens"
        raise RateError(place, "per", what, f"say how many ({commodity.unit}) the price buys, such as 1 or 1000")
    return PER_MILLION


def _whole(text: str, place: str, column: str, least: int, most: int) -> int:
    number = Decimal(text) if _NUMBER.fullmatch(text) else None
    if number is None or not least <= number <= most or number != number.to_integral_value():
        raise RateError(place, column, f"{text[:60]!r} is no whole number from {least} to {most}", "such as 1000000")
    return int(number)


def moment(text: str | None, place: str, column: str, error: type[CellError] = RateError) -> datetime | None:
    """A day or a time as people write it, in UTC; None stays None. Raises the given error."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text) if len(text) > 10 else datetime.combine(date.fromisoformat(text), time(0), UTC)
    except ValueError:
        raise error(place, column, f"{text[:60]!r} is no date", "write 2026-01-31, or 2026-01-31T12:00:00+00:00") from None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    if not 1970 <= at.year <= 2200:
        raise error(place, column, f"{text[:60]} is out of reach", "write a day between 1970 and 2200, or leave it open")
    return at.astimezone(UTC)


def _window(values: Mapping[str, str], place: str) -> tuple[time, time]:
    given = [column for column in ("daily_from", "daily_until") if column in values]
    if not given:
        return ALL_DAY
    if len(given) == 1:
        raise RateError(place, given[0], "stands alone", "state daily_from and daily_until, or neither for all day")
    start, end = (_time_of_day(values[column], place, column) for column in given)
    if start == end:
        raise RateError(place, "daily_until", "equals daily_from", "leave both out for all day")
    return start, end


def _time_of_day(text: str, place: str, column: str) -> time:
    try:
        moment = time.fromisoformat("00:00" if text == "24:00" else text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None:
        raise RateError(place, column, f"{text[:60]!r} is no time of day", "write UTC as 16:30")
    return moment
