"""The chart of accounts: names, kinds, and the ids a tenant's accounts were opened under.

assets:cache:…  assets:rollouts:…
expenses:<layer>:<use>:<provider>:<model>  expenses:depreciation:…
liabilities:payable:<provider>  liabilities:risk_reserve
income:value:…
suspense:unpriced  suspense:unreadable  suspense:invoice_difference
"""

from __future__ import annotations

from collections.abc import Iterable

import psycopg

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


class AccountBook:
    """Ids of accounts by tenant and name. What a transaction opened is forgotten again unless it was committed."""

    def __init__(self) -> None:
        self._ids: dict[tuple[int, str], int] = {}
        self._opened: dict[tuple[int, str], int] = {}

    def open(self, connection: psycopg.Connection, tenant_id: int, names: Iterable[str]) -> None:
        """Make sure that the accounts exist; within the tenant's lock."""
        wanted = {UNPRICED, UNREADABLE, *names}
        missing = [name for name in wanted if not self._has(tenant_id, name)]
        if not missing:
            return
        rows = connection.execute(
            _SQL["open_accounts"],
            {"tenant_id": tenant_id, "accounts": missing, "kinds": [kind_of(name) for name in missing]},
        ).fetchall()
        self._opened.update({(tenant_id, name): account_id for name, account_id in rows})

    def id_of(self, tenant_id: int, name: str) -> int:
        """Id of an opened account. Raises LedgerError when it was never opened."""
        key = (tenant_id, name)
        account_id = self._opened.get(key) or self._ids.get(key)
        if account_id is None:
            raise LedgerError(f"account {name!r} of tenant {tenant_id} was used before it was opened")
        return account_id

    def committed(self) -> None:
        """The transaction that opened accounts was committed: keep them."""
        self._ids.update(self._opened)
        self._opened.clear()

    def rolled_back(self) -> None:
        """The transaction was not committed: forget what it opened."""
        self._opened.clear()

    def _has(self, tenant_id: int, name: str) -> bool:
        return (tenant_id, name) in self._ids or (tenant_id, name) in self._opened
