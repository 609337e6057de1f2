"""A home of an earlier version is brought up to date with what is in it: its books say the same, and the roll-ups are filled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

import migrations
from ledger import check, retention
from ledger.database import HEAD, connect, migrate, version
from tests.books import agent, books, chat, export, one, price, rows, run
from tests.desk import book, close_desks, collecting
from tests.integration.delivering import channel, open_alert, resolve, state

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
        assert dict(rows(upgraded, "select kind, keep_days from ledger.retention"))["texts"] == 30
    more = [export(agent(1, 9, name="late"), chat(1, 10, 9, at=90)), export(chat(2, 2, id="r", at=91))]
    book(old, more)
    book(dsn, more)
    with connect(old, "writer") as upgraded:
        assert books(upgraded, "default") == books(writer, "default")
        assert [result for result in check.run(upgraded) if not result.ok] == []


def test_books_of_before_get_a_table_of_text_and_keep_what_they_have(dsn: str, owner: psycopg.Connection) -> None:
    """Text that was kept among attributes stays there and is not missed; what comes afterwards is kept apart."""
    said: dict[str, Any] = {"gen_ai__input__messages": "what?"}
    with connect(dsn, "writer") as writer:
        price(writer)
        book(dsn, [export(chat(1, 1), agent(1, 2, name="fixer"))])
        state(writer, channel(url="http://127.0.0.1:9/"))
        resolve(writer, open_alert(writer))
    run(owner, "update pigou.delivery set state = 'sent', settled_at = now() - interval '200 days'")
    run(owner, """update pigou.record set attributes = attributes || '{"gen_ai.input.messages": "of old"}' where role = 'call'""")
    run(owner, "update pigou.retention set keep_days = 14 where kind = 'records'")
    close_desks()
    _take_back(owner)
    assert migrate(dsn)
    assert version(owner) == HEAD
    kept = dict(rows(owner, "select kind, keep_days from pigou.retention"))
    assert (kept["records"], kept["texts"], kept["deliveries"]) == (14, 14, 90)
    assert one(owner, "select attributes ->> 'gen_ai.input.messages' from ledger.spans where role = 'call'") == "of old"
    book(dsn, [export(chat(1, 1, **said), chat(2, 1, **said))], keep_content=True)
    assert [int(trace, 16) for (trace,) in rows(owner, "select trace_id from ledger.texts")] == [2]
    assert retention.drop_expired(owner) == []
    assert retention.delete_deliveries(owner) > 0
    assert [result for result in check.run(owner) if not result.ok] == []


def _take_back(owner: psycopg.Connection) -> None:
    """Make of these books what the version before the table of text left."""
    text = (VERSIONS / "rollups.sql").read_text()
    begin = text.index("case when checked_at is null then 'unchecked'")
    status = text[begin : text.index(") stored", begin)]
    run(owner, f"alter table pigou.control_total alter column status set expression as ({status})")
    run(owner, "alter table pigou.control_total drop column booked_cost_is_whole cascade")
    run(owner, "alter table pigou.finding drop column unsaid_since cascade, drop column is_unclear cascade")
    run(owner, "drop trigger period_is_closed_by_somebody on pigou.tenant")
    run(owner, "drop table pigou.period_event, pigou.retention_revision cascade")
    run(owner, "drop function pigou.refuse_untold_closing(), pigou.valid_in_words(tstzrange) cascade")
    run(owner, "drop table pigou.action_risk, pigou.latency_effect cascade")
    run(owner, "drop function pigou.actions_between(integer, timestamptz, timestamptz)")
    for column in ("together", "usd", "low_usd", "high_usd", "own", "segments", "sets"):
        name = column if column == "together" else f"pooled_{column}"
        run(owner, f"alter table pigou.segment drop column {name} cascade")
    run(owner, "drop table pigou.autonomy_requirement, pigou.autonomy_breach cascade")
    run(owner, "drop function pigou.required_confirmation(integer, text, text, timestamptz)")
    run(owner, "drop function pigou.confirmation_rank(text), pigou.action_class_of(text)")
    run(owner, "alter table pigou.alert_rule disable trigger alert_rule_is_append_only")
    run(owner, "delete from pigou.alert_rule where rule = 'autonomy_breach'")
    run(owner, "alter table pigou.alert_rule enable trigger alert_rule_is_append_only")
    run(owner, "drop table pigou.credential cascade")
    run(owner, "drop function pigou.refuse_credential_change()")
    run(owner, "drop table pigou.serving_hour, pigou.queue_hour cascade")
    run(owner, "drop function pigou.sum_served(), pigou.queue_edges(), pigou.as_served(jsonb, text) cascade")
    run(owner, "drop table pigou.kept_text, pigou.month_dropped cascade")
    run(owner, "drop function pigou.delete_deliveries(integer), pigou.delete_texts(integer)")
    run(
        owner,
        "drop index pigou.delivery_settled, pigou.delivery_message_settled, pigou.call_copied_elsewhere, pigou.entry_posted_late",
    )
    run(owner, "delete from pigou.retention where kind in ('texts', 'deliveries')")
    run(owner, "alter table pigou.retention drop constraint retention_kind_is_known")
    known = "check (kind in ('records', 'metrics', 'minutes', 'rejections'))"
    run(owner, f"alter table pigou.retention add constraint retention_kind_is_known {known}")
    for function in ("pigou.drop_expired", "pigou.retained"):
        run(owner, f"drop function {function}()")
    text = (VERSIONS / "partitions.sql").read_text()
    retained = text[text.index("create function pigou.retained()") : text.index("revoke all on function pigou.take_default")]
    run(owner, retained)
    run(owner, "delete from pigou.setting where setting = 'views'")
    run(owner, "update pigou.alembic_version set version_num = '0024'")


def test_upgrading_again_changes_nothing(old: str) -> None:
    migrate(old)
    assert not migrate(old)
