"""The chart of accounts: names, kinds, and the ids a tenant's accounts were opened under.

assets:budget:…  assets:cache:…  assets:rollouts:…
expenses:<layer>:<use>:<provider>:<model>  expenses:depreciation:…
liabilities:payable:<provider>  liabilities:risk_reserve
income:value:…
suspense:unpriced  suspense:unreadable  suspense:invoice_difference
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import psycopg

from ledger.arrivals import ReadyCall
from ledger.errors import LedgerError
from ledger.queries import queries

UNPRICED = "suspense:unpriced"
UNREADABLE = "suspense:unreadable"
UNCLASSIFIED = "unclassified"
UNKNOWN = "unknown"

# Senders choose the names of models; a whole account's name must fit into an index (2,704 bytes).
_LEVEL_LENGTH_MAX = 150

_KINDS = {
    "assets": "asset",
    "expenses": "expense",
    "liabilities": "liability",
    "income": "income",
    "suspense": "suspense",
}
_SQL = queries("ledger", "post")


def expense_account(layer: str | None, use: str | None, provider: str | None, model: str | None) -> str:
    """The account that a call's tokens are spent on. Colons inside names become full stops, for they separate levels."""
    parts = (layer or UNCLASSIFIED, use or UNCLASSIFIED, provider or UNKNOWN, model or UNKNOWN)
    return "expenses:" + ":".join(_level(part) for part in parts)


def payable_account(provider: str | None) -> str:
    """What is owed to a provider."""
    return f"liabilities:payable:{_level(provider or UNKNOWN)}"


def _level(name: str) -> str:
    return name[:_LEVEL_LENGTH_MAX].replace(":", ".")


def kind_of(account: str) -> str:
    """Kind of an account by the first level of its name. Raises LedgerError on a name outside the chart."""
    kind = _KINDS.get(account.partition(":")[0])
    if kind is None:
        raise LedgerError(f"account {account!r} is not in the chart", f"its name must begin with one of {', '.join(_KINDS)}")
    return kind


_CallPlace: TypeAlias = tuple[str | None, str | None, str | None, str | None]
"""Layer, use, and the price book's names of provider and model."""


class TenantAccounts:
    """One tenant's accounts as posting asks for them."""

    def __init__(self) -> None:
        self.unpriced = 0
        self.unreadable = 0
        self.pairs: dict[_CallPlace, tuple[int, int]] = {}

    def of_call(self, call: ReadyCall) -> tuple[int, int]:
        """The account that a call's tokens are spent on, and the one that says to whom they are owed."""
        return self.pairs[place_of(call)]


def place_of(call: ReadyCall) -> _CallPlace:
    """What a call's accounts depend on."""
    return (call.layer, call.use, call.rate_provider, call.rate_model)


class AccountBook:
    """Accounts that are open, by tenant. What a transaction opened is forgotten again unless it was committed."""

    def __init__(self) -> None:
        self._tenants: dict[int, TenantAccounts] = {}
        self._opening: set[int] = set()

    def open(self, connection: psycopg.Connection, tenant_id: int, calls: Iterable[ReadyCall]) -> TenantAccounts:
        """The tenant's accounts, with everything these calls need; within the tenant's lock."""
        known = self._tenants.get(tenant_id)
        accounts = known or TenantAccounts()
        missing = {place_of(call) for call in calls}.difference(accounts.pairs)
        if known is not None and not missing:
            return known
        named = {place: (expense_account(*place), payable_account(place[2])) for place in missing}
        wanted = sorted({UNPRICED, UNREADABLE}.union(*named.values()))
        rows = connection.execute(
            _SQL["open_accounts"],
            {"tenant_id": tenant_id, "accounts": wanted, "kinds": [kind_of(name) for name in wanted]},
        ).fetchall()
        ids: dict[str, int] = dict(rows)
        accounts.unpriced, accounts.unreadable = ids[UNPRICED], ids[UNREADABLE]
        accounts.pairs |= {place: (ids[expense], ids[payable]) for place, (expense, payable) in named.items()}
        self._opening.add(tenant_id)
        self._tenants[tenant_id] = accounts
        return accounts

    def committed(self) -> None:
        """The transaction that opened accounts was committed: keep them."""
        self._opening.clear()

    def rolled_back(self) -> None:
        """The transaction was not committed: forget the tenants for which it opened any."""
        for tenant_id in self._opening:
            del self._tenants[tenant_id]
        self._opening.clear()
