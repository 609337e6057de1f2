"""Budgets: what may be spent in a period, and holds, which set an amount aside before a call is made.

A budget is never edited; a change is a further revision. What calls cost is counted for it in the transaction that writes them,
so that a hold is granted or refused by what is committed, in one look (see `pigou.hold` in the migrations).
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal, TypeAlias, cast

import msgspec
import psycopg
from psycopg.rows import dict_row

from ledger.accounts import LAYER_OF_USE, LAYERS
from ledger.errors import BudgetError
from ledger.post import lock_tenants, open_tenants
from ledger.queries import queries
from ledger.tenants import unknown_tenant

_SQL = queries("ledger", "budgets")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_AMOUNT_MAX = Decimal(10) ** 26
_PLACES = 12
_UP = timedelta(minutes=1) - timedelta(microseconds=1)

PERIODS = ("day", "week", "month", "total")
ANY = "*"
"""Takes a filter off a budget's scope."""
SCOPE = ("layer", "use", "agent", "model", "task_class")

Outcome: TypeAlias = Literal["granted", "refused", "conflict", "ended", "absent"]


class Terms(msgspec.Struct, frozen=True):
    """What to state of a budget. None leaves what the revision before says; in the first: a month of UTC, and everything."""

    amount_usd: Decimal | None = None
    period: str | None = None
    time_zone: str | None = None
    layer: str | None = None
    use: str | None = None
    agent: str | None = None
    model: str | None = None
    task_class: str | None = None
    valid_from: datetime | date | None = None
    """A day begins at its midnight in the budget's zone."""
    valid_until: datetime | date | None = None
    """A day is the last one, as a whole."""
    is_endless: bool = False
    """Takes the end off that the revision before has."""


class Held(msgspec.Struct, frozen=True):
    """The answer to a hold: whether it was granted, and how the budget stands with it. Amounts in USD.

    outcome: granted; refused, for want of room; conflict, when the id is held with another amount; ended, when the id was used
    before; absent, when no such budget is in force (then nothing else is known).
    """

    outcome: Outcome
    state: str | None
    expires_at: datetime | None
    period_from: datetime | None
    period_until: datetime | None
    amount_usd: Decimal | None
    spent_usd: Decimal | None
    held_usd: Decimal | None
    left_usd: Decimal | None
    unpriced_calls: int | None


def set_budget(connection: psycopg.Connection, tenant: str, budget: str, terms: Terms, source: str) -> int:
    """State a budget, or a further revision of it; answers the revision. A tenant that is not known yet is opened.

    It holds from the beginning of the period that holds now unless `valid_from` says otherwise (of the minute it is in, and up to
    the end of the minute of `valid_until`), and what was spent since then is counted; meanwhile nothing is posted for the tenant.
    Raises BudgetError on terms that cannot hold.
    """
    if not _NAME.fullmatch(budget):
        raise BudgetError(f"budget {budget!r} is no name", "use letters, digits, '.', '_' and '-', at most 100")
    with connection.transaction():
        tenant_id = open_tenants(connection, [tenant])[tenant]
        lock_tenants(connection, [tenant_id])
        key = {"tenant_id": tenant_id, "budget": budget}
        with connection.cursor(row_factory=dict_row) as cursor:
            before = cursor.execute(_SQL["newest_revision"], key).fetchone()
        row = _stated(connection, budget, terms, before)
        revision = before["revision"] + 1 if before else 1
        connection.execute(_SQL["add_revision"], {**key, **row, "revision": revision, "source": source})
        connection.execute(_SQL["count_spend"], {**key, "revision": revision, "valid_from": row["valid_from"]})
    return revision


def unheard_scopes(connection: psycopg.Connection, tenant: str, budget: str, revision: int) -> list[tuple[str, str, list[str]]]:
    """Names in a revision's scope that no call of the tenant has, so that it counts nothing: scope, name, names that calls have.

    Empty while the tenant has no calls. Raises UnknownTenant.
    """
    parameters = {"tenant_id": _tenant_id(connection, tenant), "budget": budget, "revision": revision}
    return connection.execute(_SQL["unheard_scopes"], parameters).fetchall()


def hold(connection: psycopg.Connection, tenant: str, budget: str, hold_id: str, amount_usd: Decimal, ttl_s: int) -> Held:
    """Set `amount_usd` of a budget aside for a call, for `ttl_s` seconds at most, if there is room for it.

    Concurrent holds never exceed the budget together, and none is refused while there was room when it was decided. The same id
    with the same amount is the same hold. Raises UnknownTenant; BudgetError on an amount that cannot be held.
    """
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE or not connection.autocommit:
        raise BudgetError("a hold is a transaction of its own", "call it on an idle connection with autocommit")
    _refuse_amount(amount_usd, "hold")
    parameters = {
        "tenant_id": _tenant_id(connection, tenant),
        "budget": budget,
        "hold_id": hold_id,
        "amount_usd": amount_usd,
        "ttl_s": ttl_s,
    }
    row = connection.execute(_SQL["hold"], parameters).fetchone()
    if row is None:
        raise RuntimeError("pigou.hold answered nothing")
    return Held(*row)


def release(connection: psycopg.Connection, tenant: str, budget: str, hold_id: str) -> str:
    """Give a hold back; answers what became of it: released, now or before, settled or expired.

    Raises UnknownTenant, and BudgetError when there is no such hold.
    """
    parameters = {"tenant_id": _tenant_id(connection, tenant), "budget": budget, "hold_id": hold_id}
    row = connection.execute(_SQL["release"], parameters).fetchone()
    row = row or connection.execute(_SQL["hold_state"], parameters).fetchone()
    if row is None:
        raise BudgetError(f"budget {budget} of {tenant} has no hold {hold_id!r}", "see `pigou budgets holds`")
    return row[0]


def expire_holds(connection: psycopg.Connection) -> int:
    """Write down which holds' time is over; answers how many. They do not count from that time on, whenever this runs."""
    return connection.execute(_SQL["expire_holds"]).rowcount


def _stated(connection: psycopg.Connection, budget: str, terms: Terms, before: dict[str, object] | None) -> dict[str, object]:
    """The columns of the next revision."""
    given = {name: value for name, value in msgspec.structs.asdict(terms).items() if value is not None}
    if given.pop("is_endless"):
        given["valid_until"] = None
    row: dict[str, object] = {"period": "month", "time_zone": "UTC", "amount_usd": None, "valid_until": None}
    row |= dict.fromkeys(SCOPE)
    row |= {name: value for name, value in (before or {}).items() if name not in ("revision", "valid_from")} | given
    row |= {name: None for name in SCOPE if row[name] == ANY}
    for scope, known in (("layer", sorted(LAYERS)), ("use", list(LAYER_OF_USE))):
        if given.get(scope) not in (None, ANY, *known):
            raise BudgetError(f"there is no {scope} {given[scope]!r}", f"name one of {', '.join(known)}, or * for any")
    if row["amount_usd"] is None:
        raise BudgetError(f"budget {budget} has no amount yet", "give one, in USD")
    _refuse_amount(cast(Decimal, row["amount_usd"]), f"budget {budget}")
    if row["period"] not in PERIODS:
        raise BudgetError(f"period {row['period']!r} is none of {', '.join(PERIODS)}", "name one of them")
    if connection.execute(_SQL["has_time_zone"], row).fetchone() != (True,):
        raise BudgetError(f"there is no time zone {row['time_zone']!r}", "name one as in Europe/Berlin")
    if "valid_from" not in given:
        row["valid_from"] = _begins(connection, row, before)
    begins, ends = cast(date, row["valid_from"]), cast("date | None", row["valid_until"])
    begins = _whole_minute(_moment(connection, begins, row))
    if ends is not None:
        ends = _whole_minute(_moment(connection, ends if isinstance(ends, datetime) else ends + timedelta(days=1), row) + _UP)
        if ends <= begins:
            raise BudgetError(f"budget {budget} would end at {ends}, before it begins", "name a later end")
    return row | {"valid_from": begins, "valid_until": ends}


def _moment(connection: psycopg.Connection, at: date, row: dict[str, object]) -> datetime:
    """The moment itself, or the midnight at which a day begins where the budget's days do."""
    if isinstance(at, datetime):
        return at
    found = connection.execute(_SQL["midnight"], {"day": at, "time_zone": row["time_zone"]}).fetchone()
    if found is None:
        raise RuntimeError("the database did not say when a day begins")
    return found[0]


def _begins(connection: psycopg.Connection, row: dict[str, object], before: dict[str, object] | None) -> datetime:
    """Where a revision begins that does not say: with the period that holds now, but not before the budget itself did."""
    began = connection.execute(_SQL["period_began"], row).fetchone()
    if began is None:
        raise RuntimeError("the database did not say what time it is")
    if before is None:
        return began[0]
    first = cast(datetime, before["valid_from"])
    return first if row["period"] == before["period"] == "total" else max(first, began[0])


def _whole_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _refuse_amount(amount_usd: Decimal, what: str) -> None:
    exponent = amount_usd.as_tuple().exponent
    if not isinstance(exponent, int) or not 0 < amount_usd < _AMOUNT_MAX or -exponent > _PLACES:
        raise BudgetError(f"{what}: {amount_usd} is no amount", f"give USD above 0 with at most {_PLACES} decimal places")


def _tenant_id(connection: psycopg.Connection, tenant: str) -> int:
    row = connection.execute(_SQL["tenant_of"], {"tenant": tenant}).fetchone()
    if row is None:
        raise unknown_tenant(connection, tenant, "see `pigou budgets list`")
    return row[0]
