"""Loading the list prices: one COPY into an empty price book, and afterwards only what a newer list changes.

Tenant 0 is the list. Its rows are never edited: a newer list adds rows of a higher revision (see `ledger.price_changes`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from ledger.queries import queries

if TYPE_CHECKING:
    from ledger.list_rates import ListRate
    from ledger.price_changes import NewRate

SOURCE = "genai-prices"
LIST_TENANT_ID = 0

# Raised when the same library data would give other rows, so that existing price books are brought up to date.
_DERIVATION = "1"


@dataclass(frozen=True, slots=True)
class PriceListLoad:
    """What a load did. `rates` counts added rows; `left_out` names prices of things that there is no commodity for."""

    version: str
    loaded: bool
    rates: int
    left_out: tuple[str, ...] = ()


def load_list_prices(connection: psycopg.Connection, *, now: datetime | None = None) -> PriceListLoad:
    """Bring the list prices up to the installed genai-prices; nothing happens when that version is loaded already.

    Takes its own transaction; callers at once are serialised. `now` is when an undated change begins to hold (the clock's time).
    """
    version = metadata.version(SOURCE)
    digest = content_hash()
    named = queries("ledger", "rates")
    with connection.transaction():
        connection.execute(named["lock_price_book"])
        if connection.execute(named["price_source_is_loaded"], (SOURCE, version, digest)).fetchone() == (True,):
            return PriceListLoad(version, loaded=False, rates=0)
        # A second to import, and needed only when there is something to load.
        from genai_prices.data import providers

        from ledger.list_rates import list_rates, unknown_price_keys

        rates = insert_list_rates(connection, list_rates(providers), f"{SOURCE} {version}", now or datetime.now(UTC))
        connection.execute(named["mark_price_source"], (SOURCE, version, digest, rates))
    # Pricing is a join with this table: without statistics the planner would not find its index.
    connection.execute("analyze pigou.rate")
    return PriceListLoad(version, loaded=True, rates=rates, left_out=tuple(sorted(unknown_price_keys(providers))))


def content_hash() -> str:
    """Hash of the library's data files and of our way of reading them, taken without importing the library's data."""
    digest = hashlib.sha256(_DERIVATION.encode())
    library = metadata.distribution(SOURCE)
    for name in ("data.py", "data_units.py"):
        digest.update(Path(str(library.locate_file(f"genai_prices/{name}"))).read_bytes())
    digest.update(resources.files("ledger").joinpath("commodities.py").read_bytes())
    return digest.hexdigest()


def insert_list_rates(connection: psycopg.Connection, listed: Iterable[ListRate], source: str, now: datetime) -> int:
    """Add what `listed` says beyond the list prices held, and answer how many rows that took."""
    from ledger.price_changes import HeldRate, changes

    named = queries("ledger", "rates")
    held = [HeldRate(*row) for row in connection.execute(named["held_list_rates"], (LIST_TENANT_ID,))]
    new = changes(held, listed, now)
    with connection.cursor() as cursor, cursor.copy(named["copy_rates"]) as copy:
        for rate in new:
            copy.write_row(_row(rate, source))
    return len(new)


def _row(new: NewRate, source: str) -> tuple[Any, ...]:
    rate = new.rate
    listed_by = "" if rate.listed_by == rate.provider else f", list of {rate.listed_by}"
    return (
        LIST_TENANT_ID, rate.provider, rate.model, rate.commodity_id, rate.service_tier, rate.context_above, rate.daily_from,
        rate.daily_until, new.revision, validity(rate.valid_from, rate.valid_until), rate.price_usd, rate.per, rate.basis,
        source + listed_by,
    )  # fmt: skip


def validity(start: datetime | None, end: datetime | None) -> str:
    """A half-open period as PostgreSQL writes it; None is open."""
    return f"[{start.isoformat() if start else ''},{end.isoformat() if end else ''})"
