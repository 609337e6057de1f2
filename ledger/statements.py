"""Statements of account, trial balance and chart: the books as an accountant reads them.

Each answers an open cursor, so that the figures reach the reader exactly as the database holds them. They read the
views of the contract only, and so run under the reader's role.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Literal, TypeAlias

import msgspec
import psycopg

from ledger.queries import queries

Book: TypeAlias = Literal["cash", "shadow", "accrual"]
Rows: TypeAlias = psycopg.Cursor[tuple[Any, ...]]
_SQL = queries("ledger", "statements")


class Extent(msgspec.Struct, frozen=True):
    """Which days of the books (`since` and `until`, both included; None: open) as known at a moment (None: now)."""

    since: date | None = None
    until: date | None = None
    known_at: datetime | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The limits as the named queries take them."""
        return {
            "since": self.since or "-infinity",
            "until": self.until or "infinity",
            "as_of": self.until or "infinity",
            "known_at": self.known_at or "infinity",
        }


def statement(
    connection: psycopg.Connection, tenant: str, account: str, extent: Extent, *, book: Book = "cash", by_day: bool = False
) -> Rows:
    """Opening balance, postings with the running balance, and closing balance of an account and all below it.

    Amounts in USD, debit positive; an unpriced posting has no amount and leaves the running balance as it is.
    """
    query = _SQL["statement_by_day" if by_day else "statement"]
    return connection.execute(query, {"tenant": tenant, "account": account, "book": book, **extent.parameters})


def tenants_with_account(connection: psycopg.Connection, account: str, tenant: str | None = None) -> list[str]:
    """Whose books have the account, or accounts below it."""
    found = connection.execute(_SQL["accounts_matching"], {"account": account, "tenant": tenant})
    return [row[0] for row in found]


def account_names(connection: psycopg.Connection, tenant: str | None = None) -> list[str]:
    """Every name that a statement can be asked for: accounts and the levels above them."""
    return [row[0] for row in connection.execute(_SQL["account_names"], {"tenant": tenant})]


def trial_balance(connection: psycopg.Connection, tenant: str | None = None, extent: Extent | None = None) -> Rows:
    """Each account's balance on its side and the totals, per tenant and book, up to `until` as known at a moment."""
    limits = extent or Extent()
    known_now = limits.known_at is None or limits.known_at >= datetime.now(UTC)
    query = _SQL["trial_balance" if known_now else "trial_balance_known_at"]
    return connection.execute(query, {"tenant": tenant, **limits.parameters})


def unbalanced(connection: psycopg.Connection, tenant: str | None = None) -> list[tuple[Any, ...]]:
    """Tenant, book, commodity, quantity and amount of what does not cancel; empty unless the books are wrong."""
    return connection.execute(_SQL["unbalanced"], {"tenant": tenant}).fetchall()


def chart(connection: psycopg.Connection, tenant: str | None = None) -> Rows:
    """Every account with its kind and what stands on it."""
    return connection.execute(_SQL["chart"], {"tenant": tenant})


def assets(connection: psycopg.Connection, tenant: str | None = None, extent: Extent | None = None) -> Rows:
    """What caches and rollouts were capitalised at, what of it was used up and written off in some days, and what is left."""
    return connection.execute(_SQL["assets"], {"tenant": tenant, **(extent or Extent()).parameters})
