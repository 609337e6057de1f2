"""The rates of recent lines, remembered between transactions, so that pricing a call costs no question.

Which rate a call is charged is said once, by the function `pigou.rate_of`; what stands here is the same choice over the rates it
would choose among, and a test holds the two against each other. Rates are never edited, only added: what was looked up stays true
until a rate is added, which every transaction asks for under its tenants' locks. A rate added later than that reaches the call by
`ledger.rerate`, as it would have had it been added after the commit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import psycopg

from ledger.arrivals import ReadyCall
from ledger.commodities import COMMODITY_BY_NAME
from ledger.queries import queries

_SQL = queries("ledger", "post")
_REMEMBERED_MAX = 50_000
_PICODOLLARS = 12
REQUESTS = COMMODITY_BY_NAME["requests"].commodity_id

LineName: TypeAlias = tuple[str | None, str | None, str | None, str | None, str]
"""Provider and model as reported, provider and model as the price book calls them, service tier."""


class Rate(NamedTuple):
    """One rate as pricing needs it. Times are Unix microseconds, a part of the day is microseconds after midnight UTC."""

    rate_id: int
    rate_usd: str
    digits: int
    places: int
    from_us: int | None
    until_us: int | None
    context_above: int
    daily_from_us: int
    daily_until_us: int

    def applies(self, at_us: int, whole_input_tokens: int | None) -> bool:
        """Whether a call at this time with this whole input is within its validity, its context tier and its part of the day."""
        if self.from_us is not None and at_us < self.from_us:
            return False
        if self.until_us is not None and at_us >= self.until_us:
            return False
        if self.context_above and (whole_input_tokens is None or whole_input_tokens <= self.context_above):
            return False
        first, last = self.daily_from_us, self.daily_until_us
        if first == last:
            return True
        time_us = at_us % 86_400_000_000
        return first <= time_us < last if first < last else time_us >= first or time_us < last

    def amount(self, quantity: int) -> int:
        """What a quantity costs, in picodollars, rounded half up as PostgreSQL rounds."""
        if self.places <= _PICODOLLARS:
            return quantity * self.digits * 10 ** (_PICODOLLARS - self.places)
        unit = 10 ** (self.places - _PICODOLLARS)
        return (quantity * self.digits + unit // 2) // unit


class RateBook:
    """Rates by tenant, line and commodity, the preferred first."""

    def __init__(self) -> None:
        self._rates: dict[tuple[int, LineName, int], tuple[Rate, ...]] = {}
        self._newest_rate_id = -1

    def refresh(self, newest_rate_id: int) -> None:
        """Forget everything when a rate was added since. The price book's own lock gives rates their ids in order of commit."""
        if newest_rate_id != self._newest_rate_id or len(self._rates) > _REMEMBERED_MAX:
            self._rates.clear()
            self._newest_rate_id = newest_rate_id

    def look_up(self, connection: psycopg.Connection, tenant_id: int, calls: Iterable[ReadyCall]) -> None:
        """Have the rates of everything these calls used; one question when something is not remembered yet."""
        rates = self._rates
        missing = {
            (line, commodity_id)
            for call in calls
            for line in (line_of(call),)
            for commodity_id in (REQUESTS, *(COMMODITY_BY_NAME[leaf].commodity_id for leaf in call.leaves))
            if (tenant_id, line, commodity_id) not in rates
        }
        if missing:
            self._ask(connection, tenant_id, missing)

    def rate_of(self, tenant_id: int, line: LineName, commodity_id: int, at_us: int, whole_input: int | None) -> Rate | None:
        """The one rate of a line that was looked up, or none."""
        for rate in self._rates[tenant_id, line, commodity_id]:
            if rate.applies(at_us, whole_input):
                return rate
        return None

    def _ask(self, connection: psycopg.Connection, tenant_id: int, missing: set[tuple[LineName, int]]) -> None:
        asked = list(missing)
        found: list[list[Rate]] = [[] for _ in asked]
        parameters = {
            "tenant_id": tenant_id,
            "reported_providers": [line[0] for line, _ in asked],
            "reported_models": [line[1] for line, _ in asked],
            "providers": [line[2] for line, _ in asked],
            "models": [line[3] for line, _ in asked],
            "tiers": [line[4] for line, _ in asked],
            "commodities": [commodity_id for _, commodity_id in asked],
        }
        for place, rate_id, rate_usd, *rest in connection.execute(_SQL["rates_of_lines"], parameters):
            whole, _, fraction = rate_usd.partition(".")
            found[place - 1].append(Rate(rate_id, rate_usd, int(whole + fraction), len(fraction), *rest))
        for (line, commodity_id), rates in zip(asked, found, strict=True):
            self._rates[tenant_id, line, commodity_id] = tuple(rates)


def line_of(call: ReadyCall) -> LineName:
    """What a call's rates are looked up by."""
    return (call.provider, call.model, call.rate_provider, call.rate_model, call.service_tier)
