"""Text that is kept: posted with its record or not at all, found by the page and in SQL, and gone before the record."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector import inbox as inbox_module
from dashboard.books import Books
from dashboard.components.panel import View
from dashboard.filters import parse
from dashboard.pages.span import span_details
from ledger import check, retention
from tests.books import AT, any_value, as_export, chat, export, log, one, plain, price, rows, run, tool
from tests.desk import Collector, book, collecting

NOW = datetime.now(UTC)
OLD = (NOW.replace(day=1) - timedelta(days=40)).replace(day=1, hour=12)
"""In a month that ended 28 days ago at least, and less than 90."""
SAID: dict[str, Any] = {"gen_ai__input__messages": "what is it?", "gen_ai__output__messages": ["a", "thing"]}
TEXTS = "select trace_id, span_id, attributes, events, body from ledger.texts order by trace_id, span_id"


@pytest.fixture
def priced(dsn: str, writer: psycopg.Connection) -> str:
    price(writer)
    run(writer, "insert into pigou.setting (setting, value) values ('retained_on', current_date::text)")
    return dsn


@contextmanager
def keeping(dsn: str, **settings: Any) -> Generator[Collector]:
    """A collector whose operator keeps content."""
    with collecting(dsn, keep_content=True, **settings) as collector:
        yield collector


def sound(connection: psycopg.Connection) -> bool:
    """Whether every check of the books passes."""
    broken = [result for result in check.run(connection) if not result.ok]
    assert broken == []
    return True


# ── posting ──────────────────────────────────────────────────────────────────────────────────────────


def test_text_stands_beside_its_record(priced: str, reader: psycopg.Connection, writer: psycopg.Connection) -> None:
    told = plain(1, 2, 1, name="choosing")
    told.events.add(name="tick")
    told.events.add(name="choice").attributes.add(key="gen_ai.completion").value.CopyFrom(any_value("this one"))
    with keeping(priced) as collector:
        collector.book(export(chat(1, 1, **SAID), told, tool(1, 3, 1)), export(log("x.y", 1, 1, prompt="more")))
    texts = rows(reader, TEXTS)
    assert [row[2:] for row in texts if int(row[1], 16) < 4] == [
        ({"gen_ai.input.messages": "what is it?", "gen_ai.output.messages": ["a", "thing"]}, None, None),
        (None, [{"event": 1, "name": "choice", "attributes": {"gen_ai.completion": "this one"}}], None),
    ]
    assert [row[2:] for row in texts if int(row[1], 16) > 3] == [({"prompt": "more"}, None, None)]
    assert rows(reader, "select * from ledger.trace_texts(lpad('1', 32, '0')) order by span_id") == rows(
        reader, "select * from ledger.texts order by span_id"
    )
    marked = "select attributes ->> 'pigou.content_kept' from ledger.spans where signal = 'span' order by span_id"
    assert rows(reader, marked) == [("2",), ("1",), (None,)]
    everything = one(reader, "select string_agg(s::text, '') from ledger.spans s")
    assert not any(word in everything for word in ("what is it?", "this one", "more"))
    assert sound(writer)


def test_resources_and_links_keep_no_text(priced: str, reader: psycopg.Connection) -> None:
    sent = ExportTraceServiceRequest.FromString(export(chat(1, 1)).body)
    resource, span = sent.resource_spans[0].resource, sent.resource_spans[0].scope_spans[0].spans[0]
    link = span.links.add(trace_id=bytes(15) + b"\7", span_id=bytes(7) + b"\7")
    for attributes in (resource.attributes, link.attributes):
        attributes.add(key="gen_ai.prompt").value.CopyFrom(any_value("what is it?"))
    with keeping(priced) as collector:
        collector.book(as_export(sent))
    assert one(reader, "select links -> 0 -> 'attributes' from ledger.spans") == {"pigou.content_dropped": 1}
    assert one(reader, "select resource_attributes ->> 'pigou.content_dropped' from ledger.spans") == "1"
    assert rows(reader, TEXTS) == []


def test_credentials_are_replaced_and_addresses_in_text(priced: str, reader: psycopg.Connection) -> None:
    secret, address = "sk-ant-api03-" + "a" * 40, "ann@example.org"
    said: dict[str, Any] = {"gen_ai__input__messages": f"{address} has {secret}", "note": secret, "user__id": address}
    with keeping(priced, redact=True) as collector:
        collector.book(export(chat(1, 1, **said)))
    assert [row[2] for row in rows(reader, TEXTS)] == [{"gen_ai.input.messages": "[e-mail] has [secret]"}]
    told = "select attributes ->> 'note', attributes ->> 'user.id' from ledger.spans"
    assert rows(reader, told) == [("[secret]", address)]  # books are grouped by users


def test_the_body_of_a_log_is_text(priced: str, reader: psycopg.Connection) -> None:
    said = log("x.y", 1, 1)
    said.body.CopyFrom(any_value("tell me more"))
    with keeping(priced) as collector:
        collector.book(export(said))
    assert one(reader, "select attributes, events, body from ledger.texts") == (None, None, "tell me more")
    assert one(reader, "select attributes from ledger.spans") == {"pigou.content_kept": 1}


def test_nothing_is_stored_again_and_nothing_of_what_contradicts(
    priced: str, reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    first, other = export(chat(1, 1, **SAID), chat(1, 2, 1)), export(chat(1, 1, gen_ai__input__messages="something else"))
    with keeping(priced) as collector:
        collector.book(first, first)
        collector.book(other)
        collector.book(first)
    assert [row[2] for row in rows(reader, TEXTS)] == [
        {"gen_ai.input.messages": "what is it?", "gen_ai.output.messages": ["a", "thing"]}
    ]
    assert one(reader, "select sum(records), sum(duplicates), sum(conflicts) from ledger.ingest") == (2, 4, 1)
    assert "something else" not in str(rows(reader, "select record from ledger.conflicts"))
    assert sound(writer)


def test_who_changes_his_mind_changes_no_identity(priced: str, reader: psycopg.Connection, writer: psycopg.Connection) -> None:
    """What came while nothing was kept is a duplicate afterwards, and so has no text; and the other way round."""
    dropped, kept = export(chat(1, 1, **SAID)), export(chat(2, 1, **SAID))
    with collecting(priced) as collector:
        collector.book(dropped)
    with keeping(priced) as collector:
        collector.book(dropped, kept)
    with collecting(priced) as collector:
        collector.book(dropped, kept)
    assert [int(row[0], 16) for row in rows(reader, TEXTS)] == [2]
    assert one(reader, "select sum(duplicates), sum(conflicts) from ledger.ingest") == (3, 0)
    assert sound(writer)


def test_by_default_nothing_is_kept(priced: str, reader: psycopg.Connection) -> None:
    book(priced, [export(chat(1, 1, **SAID))])
    assert rows(reader, TEXTS) == []
    assert one(reader, "select attributes ->> 'pigou.content_dropped' from ledger.spans") == "2"


@pytest.mark.parametrize("tenants", [1, 3])
def test_reading_processes_come_to_the_same(
    priced: str, reader: psycopg.Connection, writer: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, tenants: int
) -> None:
    """Also where the draft does not hold, so that rows are cut out of it again: each trace comes in two exports, and twice."""
    monkeypatch.setattr(inbox_module, "_UNDER_WAY_STARTS_READERS", 0)
    sent = [
        export(chat(n, span, **SAID, at=n), plain(n, span + 10, span, input__value=f"{n} {span}"), tenant=f"t{n % tenants}")
        for span in (1, 2)
        for n in range(1, 25)
    ]
    with keeping(priced, workers=2) as collector:
        collector.book(*sent)
        collector.book(*sent)
    said = {(int(row[0], 16), int(row[1], 16)): row[2] for row in rows(reader, TEXTS)}
    assert len(said) == 96
    assert all(said[n, span + 10] == {"input.value": f"{n} {span}"} for n in range(1, 25) for span in (1, 2))
    assert sound(writer)


# ── together or not at all ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("workers", [0, 2])
def test_fault_a_record_without_its_text(
    priced: str, owner: psycopg.Connection, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL refuses the text of one record: that record is rejected, and all others are there with theirs."""
    monkeypatch.setattr(inbox_module, "_UNDER_WAY_STARTS_READERS", 0)
    run(owner, "alter table pigou.kept_text add constraint no_poison check (attributes ->> 'prompt' <> 'poison')")
    spans = [chat(1, n, prompt="poison" if n == 3 else f"p{n}") for n in range(1, 6)]
    with keeping(priced, workers=workers) as collector:
        [answer] = collector.send(export(*spans))
    assert (answer.outcome, answer.rejected) == ("stored", 1)
    assert "no_poison" in answer.message
    texts = rows(owner, "select span_id, attributes ->> 'prompt' from ledger.texts order by span_id")
    assert texts == [(f"{n:016x}", f"p{n}") for n in (1, 2, 4, 5)]
    assert rows(owner, "select span_id from ledger.spans order by span_id") == [(span,) for span, _ in texts]
    assert one(owner, "select count(*) from ledger.calls") == 4
    assert sound(owner)


def test_fault_text_without_its_record(priced: str, owner: psycopg.Connection, reader: psycopg.Connection) -> None:
    """What fails after the text was copied takes it back; sent again, both are stored once."""
    run(owner, "revoke insert on pigou.entry from pigou_writer")
    sent = export(chat(1, 1, **SAID))
    with keeping(priced) as collector:
        assert [answer.outcome for answer in collector.send(sent)] == ["unavailable"]
        assert rows(reader, TEXTS) == rows(reader, "select span_id from ledger.spans") == []
        run(owner, "grant insert on pigou.entry to pigou_writer")
        collector.book(sent, sent)
    assert len(rows(reader, TEXTS)) == one(reader, "select count(*) from ledger.spans") == 1
    assert sound(owner)


def test_fault_a_connection_cut_while_text_is_posted(priced: str, owner: psycopg.Connection) -> None:
    with keeping(priced) as collector:
        collector.book(export(chat(9, 1, prompt="first")))
        for n in range(1, 6):
            waiting = collector.pipeline.submit(export(*(chat(n, span, prompt="x" * 2000) for span in range(1, 40))))
            run(owner, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pigou-collector'")
            while waiting.result(60).outcome != "stored":
                waiting = collector.pipeline.submit(export(*(chat(n, span, prompt="x" * 2000) for span in range(1, 40))))
    assert one(owner, "select count(*) from ledger.spans") == one(owner, "select count(*) from ledger.texts") == 1 + 5 * 39
    assert sound(owner)


# ── the page, and retention ──────────────────────────────────────────────────────────────────────────


def page(dsn: str, trace: int, span: int) -> str:
    """What the page says of a span."""
    pages = Books(dsn)
    try:
        view = View(pages, parse(""), NOW, f"/trace/{trace:032x}", "")
        return str(span_details(view, f"{trace:032x}", f"{span:016x}"))
    finally:
        pages.close()


def test_the_page_shows_what_is_kept_and_says_what_is_not(priced: str) -> None:
    told = plain(1, 2, 1, input__value="arguments")
    told.events.add(name="choice").attributes.add(key="gen_ai.completion").value.CopyFrom(any_value("this one"))
    with keeping(priced) as collector:
        collector.book(export(chat(1, 1, **SAID), told, tool(1, 3, 1), chat(1, 4)))
    book(priced, [export(chat(2, 1, **SAID))])
    kept = page(priced, 1, 1)
    assert all(word in kept for word in ("Show the text that was kept", "gen_ai.input.messages", "what is it?"))
    assert all(word in page(priced, 1, 2) for word in ("'Text'", "arguments", "event 1, choice: gen_ai.completion", "this one"))
    assert "'Text'" not in page(priced, 1, 3)
    assert "came without text" in page(priced, 1, 4)
    assert "--keep-content" in page(priced, 2, 1)


def test_text_from_before_it_had_a_table_is_still_shown(priced: str, owner: psycopg.Connection) -> None:
    book(priced, [export(chat(1, 1))])
    run(owner, """update pigou.record set attributes = attributes || '{"gen_ai.input.messages": "of old"}'""")
    assert all(word in page(priced, 1, 1) for word in ("Show the text that was kept", "of old"))
    assert sound(owner)


@pytest.fixture
def aged(priced: str, owner: psycopg.Connection) -> str:
    """Text of a month that is over for more than 30 days, which came in time, and of today."""
    with keeping(priced) as collector:
        old, new = ((at - AT).total_seconds() for at in (OLD, NOW - timedelta(hours=1)))
        collector.book(export(chat(1, 1, at=old, **SAID)), export(chat(2, 1, at=new, **SAID)))
    for table in ("record", "call", "kept_text"):
        run(owner, f"update pigou.{table} set recorded_at = started_at")
    retention.keep(owner, "texts", 28, "test")
    return priced


def texts_dropped(connection: psycopg.Connection) -> list[str]:
    """Which partitions of text retention drops now."""
    return [gone for kind, gone in retention.drop_expired(connection) if kind == "texts"]


def test_text_goes_before_its_record_and_the_page_says_when(aged: str, writer: psycopg.Connection) -> None:
    assert texts_dropped(writer) == [f"kept_text_{OLD:%Y%m}"]
    assert [int(row[0], 16) for row in rows(writer, TEXTS)] == [2]
    assert one(writer, "select count(*) from ledger.spans") == 2
    assert rows(writer, "select month from ledger.months_dropped where kind = 'texts'") == [(OLD.date(),)]
    gone = page(aged, 1, 1)
    assert f"Their text was kept until {NOW:%-d %b %Y} and is gone: text is kept for 28 days" in gone
    assert "Show the text that was kept" in page(aged, 2, 1)
    assert sound(writer)
    assert texts_dropped(writer) == []


def test_a_month_that_is_made_again_and_stays_empty_changes_no_date(aged: str, writer: psycopg.Connection) -> None:
    assert texts_dropped(writer) != []
    when = "select dropped_at from ledger.months_dropped where kind = 'texts'"
    dropped_at = one(writer, when)
    book(aged, [export(chat(3, 1, at=(OLD - AT).total_seconds() + 60))])  # the collector makes the months it needs
    assert texts_dropped(writer) == [f"kept_text_{OLD:%Y%m}"]
    assert one(writer, when) == dropped_at


def test_text_that_came_late_is_kept_as_long_as_text_that_came_in_time(priced: str, writer: psycopg.Connection) -> None:
    with keeping(priced) as collector:
        collector.book(export(chat(1, 1, at=(OLD - timedelta(days=40) - AT).total_seconds(), **SAID)))
    assert texts_dropped(writer) == []
    assert len(rows(writer, TEXTS)) == 1


def test_text_of_a_month_that_stays_goes_to_the_day(priced: str, owner: psycopg.Connection, writer: psycopg.Connection) -> None:
    days = (29.5, 30.5, 31.5, 40.5)
    with keeping(priced) as collector:
        collector.book(
            *(export(chat(n, 1, at=(NOW - timedelta(days=ago) - AT).total_seconds(), **SAID)) for n, ago in enumerate(days, 1))
        )
    for table in ("record", "call", "kept_text"):
        run(owner, f"update pigou.{table} set recorded_at = started_at where trace_id <> decode(lpad('3', 32, '0'), 'hex')")
    assert retention.delete_texts(writer) == 2
    assert [int(row[0], 16) for row in rows(writer, TEXTS)] == [1, 3], "the third came today"
    assert one(writer, "select count(*) from ledger.spans") == 4
    assert "Their text was kept and is gone: text is kept for 30 days" in page(priced, 2, 1)
    assert one(writer, "select now() - gone_before from ledger.retention where kind = 'texts'") >= timedelta(days=30)
    assert sound(writer)
    assert retention.delete_texts(writer) == 0


def test_text_is_deleted_so_much_at_a_time_and_by_the_bound_alone(aged: str, owner: psycopg.Connection) -> None:
    with keeping(aged) as collector:
        collector.book(export(*(chat(n, 1, at=(OLD - AT).total_seconds() + n, **SAID) for n in range(3, 8))))
    run(owner, "update pigou.kept_text set recorded_at = started_at")
    assert one(owner, "select pigou.delete_texts(2)") == 2
    assert one(owner, "select pigou.delete_texts(2)") == 2
    retention.keep(owner, "texts", None, "test")
    retention.keep(owner, "records", 365, "test")
    assert one(owner, "select pigou.delete_texts(9)") == 0, "records are kept for a year, and text is to be kept as long"
    retention.keep(owner, "texts", 28, "test")
    assert retention.delete_texts(owner) == 2
    assert [int(row[0], 16) for row in rows(owner, TEXTS)] == [2]


def test_the_clock_deletes_text_once_a_day(aged: str, owner: psycopg.Connection, writer: psycopg.Connection) -> None:
    run(owner, "update pigou.kept_text set recorded_at = now() - interval '28.5 days', started_at = now() - interval '28.5 days' "
               "where trace_id = decode(lpad('2', 32, '0'), 'hex')")  # fmt: skip
    assert not retention.retain_daily(writer), "today's turn is taken"
    assert len(rows(writer, TEXTS)) == 2
    run(owner, "delete from pigou.setting where setting = 'retained_on'")
    assert retention.retain_daily(writer)
    assert rows(writer, TEXTS) == []


def test_text_is_never_kept_longer_than_records(aged: str, owner: psycopg.Connection) -> None:
    retention.keep(owner, "texts", None, "test")
    retention.keep(owner, "records", 28, "test")
    assert one(owner, "select keep_days from ledger.retention where kind = 'texts'") == 28
    gone = {part for _, part in retention.drop_expired(owner)}
    assert {f"record_{OLD:%Y%m}", f"kept_text_{OLD:%Y%m}"} <= gone
    assert len(rows(owner, TEXTS)) == 1
    assert sound(owner)


def test_text_of_times_without_a_month_goes_too(priced: str, owner: psycopg.Connection) -> None:
    with keeping(priced) as collector:
        collector.book(export(chat(1, 1, at=-3e8, **SAID), chat(2, 1, at=3e8, **SAID)))
    assert retention.strays(owner)["kept_text"] == 2
    for table in ("record", "call", "kept_text"):
        run(owner, f"update pigou.{table} set recorded_at = started_at where started_at < now()")
    retention.keep(owner, "records", None, "test")
    assert texts_dropped(owner) == ["kept_text_default"]
    assert [int(row[0], 16) for row in rows(owner, TEXTS)] == [2]
    gone = page(priced, 1, 1)
    assert "Their text was kept and is gone: text is kept for 30 days" in gone
    assert sound(owner)


def test_content_of_metrics_is_not_kept(priced: str, owner: psycopg.Connection) -> None:
    message = ExportMetricsServiceRequest()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="queue")
    point = metric.gauge.data_points.add(time_unix_nano=int(NOW.timestamp()) * 10**9, as_int=3)
    point.attributes.add(key="prompt").value.string_value = "what?"
    with keeping(priced) as collector:
        collector.book(as_export(message, "metric"))
    assert one(owner, "select attributes from pigou.metric_point") == {"pigou.content_dropped": 1}
