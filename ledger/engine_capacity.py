"""What an engine can do in a second, as its operator states it; never edited: a change is a further revision."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeAlias, get_args

import psycopg

from ledger.errors import PriceError
from ledger.queries import queries

Resource: TypeAlias = Literal["prefill", "decode", "kv"]
"""What an engine has only so much of: fresh prompt tokens, output tokens, token seconds of context held in KV."""
RESOURCES: tuple[Resource, ...] = get_args(Resource)
_SQL = queries("ledger", "engine_capacity")
_PER_S_MAX = 10**15
_NAME_MAX = 200


def state_capacity(connection: psycopg.Connection, engine: str, resource: str, per_s: Decimal | None, source: str) -> int:
    """State how many units of a resource an engine has a second, for all its tenants together; None takes it off.

    Answers the revision. Raises PriceError on what cannot be a capacity or the name of an engine.
    """
    if not 0 < len(engine) <= _NAME_MAX or not engine.isprintable():
        raise PriceError(f"{engine[:_NAME_MAX]!r} is no engine's name", "name it as its spans do")
    if resource not in RESOURCES:
        raise PriceError(f"{resource!r} is no resource of an engine", f"name one of {', '.join(RESOURCES)}")
    if per_s is not None and not (per_s.is_finite() and 0 < per_s <= _PER_S_MAX):
        raise PriceError(
            f"a capacity of {per_s} a second", f"give a number above 0, {_PER_S_MAX:,} at most, or `none` to take it off"
        )
    given = {"engine": engine, "resource": resource, "per_s": per_s, "source": source}
    with connection.transaction():
        connection.execute(_SQL["lock_capacities"])
        row = connection.execute(_SQL["add_capacity"], given).fetchone()
    if row is None:
        raise RuntimeError("the capacity was not written")
    return int(row[0])


def stated_capacity(connection: psycopg.Connection, engine: str, resource: str) -> Decimal | None:
    """Units a second that are stated now; None: nobody states any."""
    row = connection.execute(_SQL["newest_capacity"], {"engine": engine, "resource": resource}).fetchone()
    return None if row is None else row[0]
