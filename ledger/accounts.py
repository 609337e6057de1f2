"""The chart of accounts: names, kinds, and the ids a tenant's accounts were opened under.

assets:cache:<provider>:<model>  assets:rollouts:<run>  assets:value:<task class>
expenses:<layer>:<use>:<provider>:<model>  expenses:latency:<task class>  expenses:risk:<task class>
expenses:capitalised:<asset>  expenses:depreciation:<asset>  expenses:written_off:<asset>
liabilities:payable:<provider>  liabilities:latency:<task class>  liabilities:risk_reserve:<task class>
liabilities:losses:<task class>  income:value:<task class>
suspense:unpriced  suspense:unreadable  suspense:invoice_difference
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import psycopg

from ledger.errors import LedgerError
from ledger.queries import queries

LAYERS = frozenset({"demand", "action", "supply", "capital"})
LAYER_OF_USE = {
    "route": "demand",
    **dict.fromkeys(("read", "plan", "act", "verify", "delegate", "defer"), "action"),
    **dict.fromkeys(("prefill", "decode", "kv", "store"), "supply"),
    **dict.fromkeys(("rollout", "reward", "update"), "capital"),
}
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
    return "expenses:" + ":".join(level(part) for part in parts)


def payable_account(provider: str | None) -> str:
    """What is owed to a provider."""
    return f"liabilities:payable:{level(provider or UNKNOWN)}"


def level(name: str) -> str:
    """A name as one level of an account's name."""
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
        self._ids: dict[int, dict[str, int]] = {}
        self._opening: set[int] = set()

    def open(self, connection: psycopg.Connection, tenant_id: int, names: Iterable[str] = ()) -> Mapping[str, int]:
        """Ids of a tenant's accounts, these among them; within the tenant's lock. The two of suspense are always there."""
        ids = self._ids.setdefault(tenant_id, {})
        missing = sorted({UNPRICED, UNREADABLE, *names}.difference(ids))
        if missing:
            self._opening.add(tenant_id)
            rows = connection.execute(
                _SQL["open_accounts"],
                {"tenant_id": tenant_id, "accounts": missing, "kinds": [kind_of(name) for name in missing]},
            )
            ids |= dict(rows.fetchall())
        return ids

    def committed(self) -> None:
        """The transaction that opened accounts was committed: keep them."""
        self._opening.clear()

    def rolled_back(self) -> None:
        """The transaction was not committed: forget the tenants for which it opened any."""
        for tenant_id in self._opening:
            del self._ids[tenant_id]
        self._opening.clear()
