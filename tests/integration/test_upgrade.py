"""A home of an earlier version is brought up to date with what is in it: its books say the same, and the roll-ups are filled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

import migrations
from ledger import check
from ledger.database import HEAD, connect, migrate, version
from tests.books import agent, books, chat, export, price, rows, run
from tests.desk import book, close_desks, collecting

VERSIONS = Path(next(iter(migrations.__path__))) / "versions"


@pytest.fixture(scope="module")
def old(server: str) -> Iterator[str]:
    """A database as version 0001 made it, empty at first."""
    name = "pigou_0001"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    dsn = server.replace("/postgres?", f"/{name}?", 1)
    with psycopg.connect(dsn, autocommit=True) as connection:
        run(connection, "create schema pigou")
        run(connection, "create table pigou.alembic_version (version_num varchar(32) primary key)")
        for part in ("spine.sql", "roles.sql"):
            run(connection, (VERSIONS / part).read_text())
        run(connection, "insert into pigou.alembic_version values ('0001')")
        run(connection, "select pigou.ensure_month(date '2026-11-01')")
    yield dsn
    close_desks()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def fill(dsn: str, writer: psycopg.Connection) -> None:
    """Books with everything that roll-ups tell apart, in two months and two tenants."""
    price(writer)
    twins = [chat(3, 1, input=70, output=7, at=50), chat(3, 2, input=70, output=7, at=50)]
    far = chat(4, 1, at=86400.0 * 40)
    told: dict[str, Any] = {"layer": "supply", "engine": "e1", "engine__queue_s": 0.5}
    served = [chat(5, n, at=n * 1800.0, **{f"allocation__{name}": said for name, said in told.items()}) for n in range(1, 6)]
    book(dsn, [export(agent(1, 1, input=999, output=10, task="fix_tests"), chat(1, 2, 1, id="r"), *twins, far)])
    book(dsn, [export(chat(2, 1, cached=10, id="r"), chat(1, 3, 1, input=1, cached=5), chat(1, 4, model="m9"))])
    book(dsn, [export(chat(1, 2, 1, id="other"), *served, tenant="second")])
    with collecting(dsn) as collector:
        collector.send(export(chat(0, 1)))  # a trace id of zeros is refused


def copy_into(old: str, new: str) -> None:
    """Put the rows of today's tables into the old tables of the same names, as far as these have the columns."""
    columns = (
        "select c.relname, array_agg(quote_ident(a.attname) order by a.attnum)"
        "  from pg_class c join pg_attribute a on a.attrelid = c.oid"
        " where c.relnamespace = 'pigou'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition"
        "   and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and c.relname not in ('alembic_version', 'setting')"
        " group by c.relname order by c.relname not in ('tenant', 'commodity'), c.relname"
    )
    with psycopg.connect(old, autocommit=True) as target, psycopg.connect(new, autocommit=True) as source:
        for table, names in rows(target, columns):
            listed = ", ".join(names)
            with (
                target.cursor().copy(f"copy pigou.{table} ({listed}) from stdin".encode()) as into,
                source.cursor().copy(f"copy (select {listed} from pigou.{table}) to stdout".encode()) as out,
            ):
                for piece in out:
                    into.write(piece)


def test_the_upgraded_books_say_the_same_and_go_on(old: str, dsn: str, writer: psycopg.Connection) -> None:
    fill(dsn, writer)
    copy_into(old, dsn)
    assert migrate(old)
    with connect(old, "owner") as upgraded:
        assert version(upgraded) == HEAD
        for tenant in ("default", "second"):
            said = books(upgraded, tenant)
            assert said == books(writer, tenant)
            assert said["spend_daily"]
        assert rows(upgraded, "select * from ledger.weak_matches") != []
        summed = "select * from ledger.{} order by tenant, hour, signal"
        for view in ("ingest_hourly", "rejections_hourly"):
            assert rows(upgraded, summed.format(view)) == rows(writer, summed.format(view)) != []
        for view in ("serving_hourly", "queues_hourly"):
            counted = f"select hour, engine, requests from ledger.{view} order by hour"
            assert rows(upgraded, counted) == rows(writer, counted) != []
        assert [result for result in check.run(upgraded) if not result.ok] == []
    more = [export(agent(1, 9, name="late"), chat(1, 10, 9, at=90)), export(chat(2, 2, id="r", at=91))]
    book(old, more)
    book(dsn, more)
    with connect(old, "writer") as upgraded:
        assert books(upgraded, "default") == books(writer, "default")
        assert [result for result in check.run(upgraded) if not result.ok] == []


def test_upgrading_again_changes_nothing(old: str) -> None:
    migrate(old)
    assert not migrate(old)
