"""The price book: adding what people state, listing what is held, and showing what would be charged.

Nothing is edited. A rate that covers what another covers becomes its next revision and supersedes it for the period it is valid
for; what was booked at the earlier one is adjusted by `ledger.rerate`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from ledger.list_rates import STANDARD
from ledger.model_names import RateName, resolve
from ledger.post import open_tenants
from ledger.pricelist import LIST_TENANT_ID, validity
from ledger.queries import queries
from ledger.rate_files import read_rates
from ledger.stated_rates import RateError, StatedRate, periods_overlap, refuse_contradictions, windows_overlap

_SQL = queries("ledger", "rates")


@dataclass(frozen=True, slots=True)
class AddedRates:
    """What was added: rows, those among them that supersede an earlier rate, and whose they are (name: id)."""

    rates: int
    corrections: int
    tenants: dict[str, int]


class RateFilter(NamedTuple):
    """Which rates to list; None means any. `at` asks for those valid at a moment."""

    tenant: str | None = None
    provider: str | None = None
    model: str | None = None
    commodity: str | None = None
    service_tier: str | None = None
    at: datetime | None = None
    with_list: bool = True


class _Held(NamedTuple):
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


def import_rates(connection: psycopg.Connection, path: Path, tenant: str | None = None) -> AddedRates:
    """Add every rate of a CSV or YAML file, or none. `tenant` owns the rows that name none. Raises RateError."""
    return add_rates(connection, tenant, read_rates(path), path.name)


def add_rates(connection: psycopg.Connection, tenant: str | None, rates: Sequence[StatedRate], source: str) -> AddedRates:
    """Add stated rates in one transaction; tenants that are not known yet are opened.

    `source` says where they come from and is kept with each. Raises RateError for a rate without a tenant, and for two that
    price the same line.
    """
    owned = [_owned(rate, tenant) for rate in rates]
    refuse_contradictions(owned)
    with connection.transaction():
        connection.execute(_SQL["lock_price_book"])
        tenant_ids = open_tenants(connection, sorted({name for name, _ in owned}))
        rows: list[tuple[Any, ...]] = []
        corrections = 0
        for name, tenant_id in sorted(tenant_ids.items()):
            held = _held_by(connection, tenant_id, [rate for owner, rate in owned if owner == name])
            for owner, rate in owned:
                if owner == name:
                    revision = _next_revision(held.setdefault(rate.group, []), rate)
                    corrections += revision > 1
                    rows.append(_row(tenant_id, rate, revision, source))
        with connection.cursor() as cursor, cursor.copy(_SQL["copy_rates"]) as copy:
            for row in rows:
                copy.write_row(row)
    return AddedRates(len(rows), corrections, tenant_ids)


def list_rates(connection: psycopg.Connection, wanted: RateFilter) -> psycopg.Cursor[Any]:
    """Rates held, superseded ones included, as rows of `ledger.rates`: the tenant's own first, then the list."""
    names = {"provider": wanted.provider and wanted.provider.lower(), "model": wanted.model and _pattern(wanted.model)}
    return connection.execute(_SQL["list_rates"], wanted._asdict() | names)


def show(
    connection: psycopg.Connection,
    provider: str | None,
    model: str,
    *,
    at: datetime | None = None,
    known_at: datetime | None = None,
    tenant: str | None = None,
    service_tier: str = STANDARD,
    total_input_tokens: int | None = None,
) -> tuple[RateName, psycopg.Cursor[Any]]:
    """What a call would be charged per commodity, found as posting finds it; and the names its price stands under.

    `at` is when the call happens, `known_at` asks the price book as it stood then (default for both: now). `total_input_tokens`
    is the call's whole input, which decides about context tiers.
    """
    name = resolve(provider, model)
    now = datetime.now(UTC)
    parameters = {
        "tenant": tenant, "reported_provider": provider or name.provider, "reported_model": model, "provider": name.provider,
        "model": name.model, "service_tier": service_tier, "total_input_tokens": total_input_tokens, "at": at or now,
        "known_at": known_at or now,
    }  # fmt: skip
    return name, connection.execute(_SQL["show_rates"], parameters)


def _pattern(model: str) -> str:
    """A model's name for LIKE, where * stands for anything."""
    return re.sub(r"([\\%_])", r"\\\1", model.lower()).replace("*", "%")


def _owned(rate: StatedRate, tenant: str | None) -> tuple[str, StatedRate]:
    owner = rate.tenant or tenant
    if not owner:
        raise RateError(rate.place, "tenant", "is missing", "name the tenant whose price it is")
    return owner, rate


def _held_by(
    connection: psycopg.Connection, tenant_id: int, rates: Iterable[StatedRate]
) -> dict[tuple[str, str, int, str, int], list[_Held]]:
    held: dict[tuple[str, str, int, str, int], list[_Held]] = {}
    models = sorted({rate.model for rate in rates})
    for row in connection.execute(_SQL["held_stated_rates"], {"tenant_id": tenant_id, "models": models}):
        known = _Held(*row)
        held.setdefault(known[:5], []).append(known)
    return held


def _next_revision(held: list[_Held], rate: StatedRate) -> int:
    rivals = [
        h.revision
        for h in held
        if periods_overlap((h.valid_from, h.valid_until), (rate.valid_from, rate.valid_until))
        and windows_overlap((h.daily_from, h.daily_until), (rate.daily_from, rate.daily_until))
    ]
    return 1 + max(rivals, default=0)


def _row(tenant_id: int, rate: StatedRate, revision: int, source: str) -> tuple[Any, ...]:
    if tenant_id == LIST_TENANT_ID:
        raise RateError(rate.place, "tenant", "is the price list's own", "name the tenant whose price it is")
    return (
        tenant_id, rate.provider, rate.model, rate.commodity.commodity_id, rate.service_tier, rate.context_above, rate.daily_from,
        rate.daily_until, revision, validity(rate.valid_from, rate.valid_until), rate.price_usd, rate.per, "stated", source,
    )  # fmt: skip
