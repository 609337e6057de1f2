"""The schedule of autonomy that is adopted: kept as revisions, held against what is done from then on by the clock's alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import psycopg

from analyzers.modes.autonomy_policy import AutonomyError, Required
from analyzers.modes.autonomy_schedule import USUAL
from ledger.post import open_tenants
from ledger.queries import queries

_SQL = queries("analyzers", "autonomy")


class Adopted(NamedTuple):
    """What adopting changed: statements that say something new, and those that are taken off."""

    stated: int
    withdrawn: int


def adopt(connection: psycopg.Connection, tenant: str | None, schedule: Sequence[Required], source: str) -> Adopted:
    """Put a schedule in the place of the one that held, of a tenant (those of all stay) or (None) of everybody.

    Statements that name no tenant are `tenant`'s. What is said already is not written again; tenants that are not known are
    opened. Raises AutonomyError where a statement is another tenant's.
    """
    for one in schedule:
        if tenant is not None and one.tenant not in (None, tenant):
            raise AutonomyError(one.place, "tenant", f"is {one.tenant}, not {tenant}", "adopt it for all, without a tenant")
    with connection.transaction():
        connection.execute(_SQL["lock_autonomy"])
        names = sorted({name for one in schedule if (name := one.tenant or tenant) is not None} | ({tenant} if tenant else set()))
        ids = open_tenants(connection, names) if names else {}
        stated = [
            {
                "tenant_id": ids[name] if (name := one.tenant or tenant) is not None else 0,
                "action_class": one.action_class,
                "task_class": one.task_class,
                "confirmation": one.confirmation,
            }
            for one in schedule
        ]
        given = {"tenant_id": ids[tenant] if tenant else None, "source": source, "stated": msgspec.json.encode(stated).decode()}
        written = [confirmation for (confirmation,) in connection.execute(_SQL["adopt"], given)]
    withdrawn = written.count(None)
    return Adopted(len(written) - withdrawn, withdrawn)


def adopted(connection: psycopg.Connection) -> list[Required]:
    """The schedule that is adopted, of everybody."""
    rows = connection.execute(_SQL["adopted"]).fetchall()
    return [Required(*row, place="the adopted schedule") for row in rows if row[3] is not None]


def strangers(connection: psycopg.Connection, schedule: Sequence[Required]) -> list[str]:
    """Classes of action that a schedule names and nobody has met yet, perhaps by a slip."""
    action_classes = sorted({one.action_class for one in schedule} - USUAL.keys())
    return [name for (name,) in connection.execute(_SQL["strangers"], {"action_classes": action_classes})]
