"""On what terms calls are booked: the accounts and rates of each kind of call, remembered between transactions.

Calls of one layer, use, model, tier and set of leaves are booked on the same accounts and priced among the same rates; there are
few such kinds, so that booking a call costs one look-up here and no question to the database.

Which rate a call is charged is said once, by the function `pigou.rate_of`; what stands here is the same choice over the rates it
would choose among, and a test holds the two against each other. Rates are never edited, only added: what was looked up stays true
until a rate is added, which every transaction asks for under its tenants' locks. A rate added later than that reaches the call by
`ledger.rerate`, as it would have had it been added after the commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import NamedTuple, TypeAlias

import psycopg

from ledger.accounts import UNPRICED, UNREADABLE, AccountBook, expense_account, payable_account
from ledger.arrivals import ReadyCall
from ledger.commodities import COMMODITY_BY_NAME
from ledger.queries import queries

_SQL = queries("ledger", "post")
_REMEMBERED_MAX = 20_000
_PICODOLLARS = 12
REQUESTS = "requests"

CallKind: TypeAlias = tuple[str | None, ...]
"""Layer, use, provider and model as reported, provider and model as the price book calls them, service tier, then the leaves."""
_LEAVES_FROM = 7


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

    @classmethod
    def read(
        cls,
        rate_id: int,
        rate_usd: str,
        from_us: int | None,
        until_us: int | None,
        context_above: int,
        daily_from_us: int,
        daily_until_us: int,
    ) -> Rate:
        """A rate whose amount is given as PostgreSQL writes it."""
        whole, _, fraction = rate_usd.partition(".")
        digits = int(whole + fraction)
        return cls(rate_id, rate_usd, digits, len(fraction), from_us, until_us, context_above, daily_from_us, daily_until_us)

    def as_read(self) -> tuple[int, str, int | None, int | None, int, int, int]:
        """What `read` makes it of."""
        return (
            self.rate_id, self.rate_usd, self.from_us, self.until_us, self.context_above, self.daily_from_us, self.daily_until_us
        )  # fmt: skip

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


class LeafTerms(NamedTuple):
    """A commodity and the rates it may be charged at, the preferred first."""

    commodity_id: int
    commodity: str
    rates: tuple[Rate, ...]

    def rate(self, at_us: int, whole_input_tokens: int | None) -> Rate | None:
        """The one rate that holds for a call at this time with this whole input, or none."""
        for rate in self.rates:
            if rate.applies(at_us, whole_input_tokens):
                return rate
        return None


class Terms(NamedTuple):
    """Accounts of one kind of call, the terms of its leaves in their order, and of a fee per request that it does not report."""

    expense: int
    payable: int
    unpriced: int
    unreadable: int
    leaves: tuple[LeafTerms, ...]
    fee: LeafTerms | None


KnownTerms: TypeAlias = dict[CallKind, Terms]

_EDITIONS = count()


def kind_of(call: ReadyCall) -> CallKind:
    """What a call's terms depend on."""
    return (
        call.layer, call.use, call.provider, call.model, call.rate_provider, call.rate_model, call.service_tier, *call.leaves
    )  # fmt: skip


class TermsBook:
    """Terms by tenant and kind of call."""

    def __init__(self) -> None:
        self.accounts = AccountBook()
        self._terms: dict[int, KnownTerms] = {}
        self._newest_rate_id = -1
        self.edition = next(_EDITIONS)
        """Changes whenever what was handed out before may not hold any more. No two books have the same."""
        self.added: list[tuple[int, CallKind, Terms]] = []
        """Everything that was looked up in this edition, in order."""

    def known(self, tenant_id: int) -> Mapping[CallKind, Terms]:
        """The terms of a tenant that are remembered. May be asked from any thread; `edition` must be asked before."""
        return self._terms.get(tenant_id, {})

    def refresh(self, newest_rate_id: int) -> None:
        """Forget everything when a rate was added since. The price book's own lock gives rates their ids in order of commit."""
        if newest_rate_id != self._newest_rate_id or sum(map(len, self._terms.values())) > _REMEMBERED_MAX:
            self.forget()
            self._newest_rate_id = newest_rate_id

    def of(self, connection: psycopg.Connection, tenant_id: int, kinds: Sequence[CallKind]) -> Mapping[CallKind, Terms]:
        """The terms of the tenant's calls of these kinds; within the tenant's lock, for accounts may have to be opened."""
        known = self._terms.setdefault(tenant_id, {})
        missing = {kind for kind in kinds if kind not in known}
        if missing:
            found = self._look_up(connection, tenant_id, sorted(missing, key=str))
            known.update(found)
            self.added += [(tenant_id, kind, terms) for kind, terms in found.items()]
        return known

    def committed(self) -> None:
        """The transaction was committed: the accounts it opened exist."""
        self.accounts.committed()

    def rolled_back(self) -> None:
        """The transaction was not committed: terms may name accounts that do not exist."""
        self.accounts.rolled_back()
        self.forget()

    def forget(self) -> None:
        """Begin a new edition."""
        # In this order: what is taken for the old edition may hold too little, never what is not known in it.
        self._terms, self.added = {}, []
        self.edition = next(_EDITIONS)

    def _look_up(self, connection: psycopg.Connection, tenant_id: int, kinds: Sequence[CallKind]) -> dict[CallKind, Terms]:
        named = {kind: (expense_account(*kind[:2], *kind[4:6]), payable_account(kind[4])) for kind in kinds}
        accounts = self.accounts.open(connection, tenant_id, {name for pair in named.values() for name in pair})
        asked = [(kind, leaf) for kind in kinds for leaf in _leaves(kind)]
        rates = iter(_rates(connection, tenant_id, asked))
        found: dict[CallKind, Terms] = {}
        for kind in kinds:
            leaves = tuple([LeafTerms(COMMODITY_BY_NAME[leaf].commodity_id, leaf, next(rates)) for leaf in _leaves(kind)])
            own = kind[_LEAVES_FROM:]
            expense, payable = named[kind]
            found[kind] = Terms(
                accounts[expense], accounts[payable], accounts[UNPRICED], accounts[UNREADABLE],
                leaves[: len(own)], leaves[-1] if len(leaves) > len(own) else None,
            )  # fmt: skip
        return found


def _leaves(kind: CallKind) -> list[str]:
    """The leaves of a kind of call, and the fee per request that is charged wherever there is a rate for it."""
    leaves = [leaf for leaf in kind[_LEAVES_FROM:] if leaf is not None]
    return leaves if REQUESTS in leaves else [*leaves, REQUESTS]


def _rates(connection: psycopg.Connection, tenant_id: int, asked: Sequence[tuple[CallKind, str]]) -> list[tuple[Rate, ...]]:
    """Every rate that each of these leaves could be charged at."""
    found = [list[Rate]() for _ in asked]
    parameters = {
        "tenant_id": tenant_id,
        "reported_providers": [kind[2] for kind, _ in asked],
        "reported_models": [kind[3] for kind, _ in asked],
        "providers": [kind[4] for kind, _ in asked],
        "models": [kind[5] for kind, _ in asked],
        "tiers": [kind[6] for kind, _ in asked],
        "commodities": [COMMODITY_BY_NAME[leaf].commodity_id for _, leaf in asked],
    }
    for row in connection.execute(_SQL["rates_of_lines"], parameters):
        found[int(row[0]) - 1].append(Rate.read(*row[1:]))
    return [tuple(rates) for rates in found]
