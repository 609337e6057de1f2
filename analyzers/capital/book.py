"""Assets into the database, and their entries into the accrual book: staged by COPY, then one statement for each table.

A step that changed is reversed and booked again; its ids follow from the asset, the step, its cause and the revision. All within
the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from analyzers.capital.assets import Asset, Kind, Step
from ledger.accounts import AccountBook
from ledger.commodities import COMMODITY_BY_NAME
from ledger.post import lock_tenants
from ledger.queries import queries

_SQL = queries("analyzers", "asset_books")
_SLOT = 32_766
"""Of the balances' rows: this step's own, so that it waits for nobody who posts or settles."""
_COMMODITY = COMMODITY_BY_NAME["capital_usd"].commodity_id
_EXPENSES: dict[Step, str] = {"capitalised": "capitalised", "depreciated": "depreciation", "written off": "written_off"}
_ASSETS = (
    "copy stage_asset (asset_id, item, trace_id, span_id, since, tokens, capitalised_usd, depreciated_usd, written_off_usd,"
    " ends_at, why) from stdin"
)
_ENTRIES = (
    "copy stage_asset_entry (asset_id, asset_entry_id, step, at, trace_id, span_id, usd, debit_account_id, credit_account_id,"
    " reason) from stdin"
)


class Booked(NamedTuple):
    """How many entries were booked, and how many reversed."""

    entries: int = 0
    reversals: int = 0


def accounts_of(asset: Asset, step: Step) -> tuple[str, str]:
    """The accounts that a step debits and credits: the asset against an expense account of the step's own.

    The expense account of the call is in the cash book and stays as it is.
    """
    of = f"{asset.kind}:{asset.item}"
    stock, expense = f"assets:{of}", f"expenses:{_EXPENSES[step]}:{of}"
    return (stock, expense) if step == "capitalised" else (expense, stock)


def write(
    connection: psycopg.Connection, tenant_id: int, kind: Kind, since: datetime, until: datetime, assets: Sequence[Asset]
) -> Booked:
    """Make the tenant's assets of a kind that began from `since` to before `until` be these, and their entries with them."""
    row = connection.execute(_SQL["open_day"], {"tenant_id": tenant_id}).fetchone()
    if row is None:
        raise LookupError(f"tenant {tenant_id} is not there")
    accounts = _accounts(connection, tenant_id, assets)
    of: dict[str, Any] = {
        "tenant_id": tenant_id, "tenant": row[0], "closed_through": row[1], "kind": kind, "since": since, "until": until,
        "slot": _SLOT, "commodity_id": _COMMODITY,
    }  # fmt: skip
    connection.execute(_SQL["make_stage"])
    _stage(connection, assets, accounts)
    reversals = connection.execute(_SQL["find_former"], of).rowcount
    connection.execute(_SQL["drop_booked"], of)
    entries = connection.execute(_SQL["number_stage"], of).rowcount
    if entries or reversals:
        for step in ("book_entries", "book_transfers", "take_back", "write_steps"):
            connection.execute(_SQL[step], of)
    for step in ("drop_gone", "write_assets"):
        connection.execute(_SQL[step], of)
    return Booked(entries, reversals)


def _stage(connection: psycopg.Connection, assets: Sequence[Asset], accounts: dict[str, int]) -> None:
    with connection.cursor() as cursor:
        with cursor.copy(_ASSETS) as copy:
            for asset in assets:
                usd = [asset.usd(step) for step in _EXPENSES]
                own = (UUID(bytes=asset.asset_id), asset.item, asset.trace_id, asset.span_id, asset.since, asset.tokens)
                copy.write_row((*own, *usd, asset.ends_at, asset.why))
        with cursor.copy(_ENTRIES) as copy:
            for asset in assets:
                asset_id = UUID(bytes=asset.asset_id)
                for entry in asset.entries:
                    debit, credit = (accounts[name] for name in accounts_of(asset, entry.step))
                    cause = (entry.at, entry.trace_id, entry.span_id, entry.usd)
                    entry_id = UUID(bytes=asset.entry_id(entry))
                    copy.write_row((asset_id, entry_id, entry.step, *cause, debit, credit, entry.reason))


def _accounts(connection: psycopg.Connection, tenant_id: int, assets: Sequence[Asset]) -> dict[str, int]:
    """Ids of the accounts by name. The tenant's lock, which posting waits for, is taken only to open some."""
    names = {name for asset in assets for step in _EXPENSES for name in accounts_of(asset, step)}
    ids: dict[str, int] = dict(connection.execute(_SQL["accounts"], {"tenant_id": tenant_id, "names": sorted(names)}).fetchall())
    missing = sorted(names - ids.keys())
    if missing:
        lock_tenants(connection, [tenant_id])
        ids |= AccountBook().open(connection, tenant_id, missing)
    return ids
