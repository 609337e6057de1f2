"""Clearing prices of engines whose capacity is stated, kept on the clock: an hour after the last, if prices were looked at."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb

from ledger.engine_capacity import Resource
from ledger.errors import PriceError
from ledger.queries import queries

if TYPE_CHECKING:
    from allocation.market import Taking
    from analyzers.prices.clearing import Answer

_SQL = queries("analyzers", "clearing")
log = logging.getLogger(__name__)


def engines_due(connection: psycopg.Connection) -> list[tuple[str, Resource]]:
    """Engines and resources that are to be cleared."""
    return connection.execute(_SQL["capacities_due"]).fetchall()


def refresh_clearing(connection: psycopg.Connection, *, seed: int = 0) -> int:
    """Clear every engine that is due; answers how many. An engine of which nothing can be told gets rows that say why, where it
    served anybody. Wants an idle connection in autocommit."""
    due = engines_due(connection)
    if not due:
        return 0
    from analyzers.prices.clearing import Asked, find_clearing  # solvers, which most rounds do without

    cleared = 0
    for engine, resource in due:
        moment = connection.execute("select clock_timestamp()").fetchone()
        if moment is None:
            raise RuntimeError("the database did not say what time it is")
        answer: Answer | None = None
        try:
            answer = find_clearing(connection, Asked(engine, resource), seed=seed)
        except PriceError as error:
            log.info("engine %r is not cleared: %s", engine, error)
        with connection.transaction():
            for row in [] if answer is None else clearing_rows(answer, moment[0], seed):
                connection.execute(_SQL["add_clearing"], {**row, "left_out": Jsonb(row["left_out"])})
            connection.execute(_SQL["mark_cleared"], {"engine": engine, "resource": resource, "at": moment[0]})
        cleared += answer is not None
    return cleared


def clearing_rows(answer: Answer, cleared_at: datetime, seed: int) -> list[dict[str, Any]]:
    """A row for each tenant that the engine served or could serve, as `pigou.clearing_price` holds them."""
    found = answer.cleared
    market: dict[str, Any] = {
        "engine": answer.asked.engine, "resource": answer.asked.resource, "cleared_at": cleared_at, "since": answer.window.since,
        "until": answer.window.until, "capacity_per_s": _exact(answer.capacity_per_s), "why": answer.why, "seed": seed,
        "price": None, "price_low": None, "price_high": None, "dual_low": None, "dual_high": None, "groped": None, "agrees": None,
    }  # fmt: skip
    takings: dict[str, Taking] = {}
    if found is not None:
        price = found.price if found.clears else None
        market |= {
            "price": _exact(price and price.value), "price_low": _exact(price and price.low),
            "price_high": _exact(price and price.high), "dual_low": _exact(found.low), "dual_high": _exact(found.high),
            "groped": _exact(found.groped), "agrees": found.agrees, "why": found.why,
        }  # fmt: skip
        takings = {one.tenant: one for one in found.takings}
    rows: list[dict[str, Any]] = []
    for tenant in sorted({*answer.served, *takings}):
        one = takings.get(tenant)
        taken = {f"{name}_per_s": one and _exact(getattr(one, name)) for name in ("free", "takes", "least", "most")}
        rows.append(
            {
                **market, **taken, "tenant": tenant, "is_moved": one is not None and one.fixed < max(one.free, one.most),
                "was_per_s": _exact(answer.served.get(tenant, 0.0)), "pays_usd_per_day": one and _exact(one.pays_usd_per_day),
                "left_out": [asdict(left) for left in answer.left_out if left.tenant == tenant],
            }
        )  # fmt: skip
    return rows


def _exact(number: float | None) -> Decimal | None:
    """Twelve digits: what is beyond is rounding."""
    return None if number is None else Decimal(f"{number:.12g}")
