"""The database: connections under one of three roles, and the migrations that shape it.

`owner` migrates, `writer` is what collector and analyzers run as (it cannot change what is booked), `reader` is for people.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import Literal, TypeAlias

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ledger.commodities import COMMODITIES
from ledger.errors import DatabaseUnavailable, SchemaTooNew

Role: TypeAlias = Literal["owner", "writer", "reader"]
HEAD = "0038"


def connect(
    dsn: str,
    role: Role,
    *,
    autocommit: bool = True,
    application: str = "pigou",
    by_index: bool = False,
    answers_within_s: int | None = None,
) -> psycopg.Connection:
    """Open a connection that acts under one of the three roles, in UTC.

    `by_index` is for those who only ever look things up by key while the tables grow under them: a plan made and kept while a
    table was empty would otherwise read all of it, ever after, and planning anew would cost more than the look-up. Of a table
    that was never analyzed PostgreSQL supposes that a tenant has a 200th of the rows, and goes through them in any key that
    begins with the tenant, rather than ten times down the right one; so an entry passed by is said to cost as much as many pages,
    and nothing that seems dear by that is given to parallel workers.
    `answers_within_s` (2 at least) is how long the server may take to let us in, and then for each statement; None: as long as it
    likes. Raises DatabaseUnavailable when the server does not answer or the role does not exist yet.
    """
    options = options_of(role)
    if by_index:
        options += " -c enable_seqscan=off -c enable_bitmapscan=off -c cpu_index_tuple_cost=100"
        options += " -c max_parallel_workers_per_gather=0 -c plan_cache_mode=force_generic_plan"
    if answers_within_s is not None:
        options += f" -c statement_timeout={answers_within_s}s"
        dsn = make_conninfo(dsn, connect_timeout=answers_within_s)
    try:
        return psycopg.connect(dsn, autocommit=autocommit, options=options, application_name=application)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(
            f"the database does not answer: {str(error).strip()}",
            "start it with `pigou up`, or check PIGOU_DATABASE_URL",
        ) from error


def options_of(role: Role) -> str:
    """What a session of the role is started with."""
    options = "-c timezone=UTC -c jit=off"
    return options if role == "owner" else f"{options} -c role=pigou_{role}"


def migrate(dsn: str) -> bool:
    """Bring the database to this version's shape; answers whether anything changed.

    One query when it is up to date already. Several callers at once are serialised by an advisory lock.
    Raises SchemaTooNew when the database is ahead of this program.
    """
    with connect(dsn, "owner") as connection:
        connection.execute("select pg_advisory_lock(hashtextextended('pigou.migrate', 0))")
        changed = _upgrade(dsn, connection)
        return _apply_views(connection) or changed


def version(connection: psycopg.Connection) -> str | None:
    """The schema's version, or None for a database that was never migrated."""
    if connection.execute("select to_regclass('pigou.alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("select version_num from pigou.alembic_version").fetchone()
    return row[0] if row else None


def _upgrade(dsn: str, connection: psycopg.Connection) -> bool:
    current = version(connection)
    if current == HEAD:
        return False
    if current is not None and current > HEAD:
        raise SchemaTooNew(
            f"the database has schema {current}, this program knows up to {HEAD}",
            "upgrade Pigou, or use another home",
        )
    connection.execute("create schema if not exists pigou")
    _run_alembic(dsn)
    _seed(connection)
    return True


def _run_alembic(dsn: str) -> None:
    """Alembic and SQLAlchemy are imported only when there is something to migrate: they cost half a second and 15 MB."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    with engine.begin() as bind:
        config = Config()
        config.set_main_option("script_location", str(Path(str(resources.files("migrations")))))
        config.attributes["connection"] = bind
        command.upgrade(config, "head")
    engine.dispose()


def _seed(connection: psycopg.Connection) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into pigou.commodity (commodity_id, commodity, unit, direction, kind) values (%s, %s, %s, %s, %s)"
            " on conflict (commodity_id) do nothing",
            [(c.commodity_id, c.commodity, c.unit, c.direction, c.kind) for c in COMMODITIES],
        )
    connection.execute(
        "select pigou.ensure_month((date_trunc('month', now()) + make_interval(months => m))::date) from generate_series(0, 1) m"
    )


def _apply_views(connection: psycopg.Connection) -> bool:
    """Views are code, not data: they are replaced whenever their text differs from what was last applied."""
    text = resources.files("ledger").joinpath("sql/views.sql").read_text()
    digest = hashlib.sha256(text.encode()).hexdigest()
    known = connection.execute("select value from pigou.setting where setting = 'views'").fetchone()
    if known == (digest,):
        return False
    with connection.transaction():
        connection.execute(sql.SQL(text))  # pyright: ignore[reportArgumentType]  # our own file, not user input
        connection.execute(
            "insert into pigou.setting (setting, value) values ('views', %s)"
            " on conflict (setting) do update set value = excluded.value",
            (digest,),
        )
    return True
