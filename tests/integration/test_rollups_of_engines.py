"""What engines served is, by hour, what its spans say one by one: however they come, late, torn apart, twice, or told by two."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias, cast

import psycopg
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analyzers.pipeline import run_round
from dashboard.books import Books
from dashboard.components.panel import View
from dashboard.filters import parse
from dashboard.pages import layer_supply as supply
from dashboard.queries import statement
from ledger import check
from ledger.database import connect
from ledger.rerate import rerate
from tests.books import AT, agent, chat, export, one, plain, price, rows, run
from tests.desk import book, collecting

NOW = AT + timedelta(days=5, minutes=20)
TENANTS = ("default", "it's <other>")
STEPS = ("1", "1.25", "1.6", "2", "2.5", "3.15", "4", "5", "6.3", "8")
EDGES = [Decimal(0), *(Decimal(step).scaleb(decade) for decade in range(-3, 3) for step in STEPS), Decimal(1000)]
MEASURES = {
    "queue": ("allocation.engine.queue_s", "gen_ai.latency.time_in_queue"),
    "prefill": ("allocation.engine.prefill_s", "gen_ai.latency.time_in_model_prefill"),
    "decode": ("allocation.engine.decode_s", "gen_ai.latency.time_in_model_decode"),
    "kv": ("allocation.engine.kv_tokens",),
    "batch": ("allocation.engine.batch",),
    "drafted": ("allocation.spec.proposed",),
    "accepted": ("allocation.spec.accepted",),
}

Row: TypeAlias = tuple[Any, ...]
Place: TypeAlias = tuple[str, datetime, str, str | None]
Told: TypeAlias = dict[str, Decimal | None]


# ── a second implementation, one by one ──────────────────────────────────────────────────────────────


def requests(owner: psycopg.Connection) -> dict[Place, list[Told]]:
    """The requests that engines served, by tenant, hour, engine and class, from the records themselves."""
    found: dict[Place, list[Told]] = defaultdict(list)
    for tenant, started_at, task_class, service, attributes in rows(
        owner,
        "select t.tenant, r.started_at, r.task_class, r.service, r.attributes"
        "  from pigou.record r join pigou.tenant t using (tenant_id) where r.layer = 'supply' and r.role = 'call'",
    ):
        told = {name: number(next((attributes[k] for k in keys if k in attributes), None)) for name, keys in MEASURES.items()}
        engine = attributes.get("allocation.engine")
        if engine is None and any(told[name] is not None for name in ("queue", "prefill", "decode")):
            engine = service
        if engine is not None:
            hour = started_at.replace(minute=0, second=0, microsecond=0)
            found[tenant, hour, engine[:150], (task_class or "")[:150] or None].append(told)
    return found


def number(said: object) -> Decimal | None:
    """What counts as told: a number from 0 to a trillion."""
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    return round(Decimal(repr(said)), 12) if 0 <= said <= 1e12 else None


def known(of: Iterable[Told], name: str) -> list[Decimal]:
    """What those said that said anything."""
    return [value for told in of if (value := told[name]) is not None]


def total(values: list[Decimal]) -> Decimal | None:
    """Their sum; of nothing it is unknown."""
    return sum(values, Decimal(0)) if values else None


def summed(place: Place, of: list[Told]) -> Row:
    """A row of ledger.serving_hourly."""
    both = [told for told in of if told["drafted"] is not None and told["accepted"] is not None]
    queue = known(of, "queue")
    sums = [x for name in ("prefill", "decode", "kv", "batch") for x in (len(known(of, name)), total(known(of, name)))]
    drafts = (len(both), total(known(both, "drafted")), total(known(both, "accepted")))
    return (*place, len(of), len(queue), total(queue), max(queue, default=None), *sums, *drafts)


def waits(place: Place, of: list[Told]) -> list[Row]:
    """Its rows of ledger.queues_hourly."""
    bins: dict[int, int] = defaultdict(int)
    for wait in known(of, "queue"):
        bins[max(k for k, edge in enumerate(EDGES) if edge <= wait)] += 1
    return [(*place, EDGES[k], EDGES[k + 1] if k + 1 < len(EDGES) else None, n) for k, n in bins.items()]


def in_order(found: Iterable[Row]) -> list[Row]:
    """Rows of which some texts are unknown, in an order."""
    return sorted(found, key=repr)


def differences(owner: psycopg.Connection) -> list[Row]:
    """Rows that are in the views only, or in the second implementation only."""
    one_by_one = requests(owner)
    served = {summed(place, of) for place, of in one_by_one.items()}
    queued = {row for place, of in one_by_one.items() for row in waits(place, of)}
    columns = "tenant, hour, engine, task_class"
    kept = set(
        rows(
            owner,
            f"select {columns}, requests, queue_known, queue_s, queue_max_s, prefill_known, prefill_s, decode_known, decode_s,"
            " kv_known, kv_tokens, batch_known, batch, drafts_known, spec_proposed, spec_accepted from ledger.serving_hourly",
        )
    )
    counted = set(rows(owner, f"select {columns}, from_s, below_s, requests from ledger.queues_hourly"))
    return in_order((served ^ kept) | (queued ^ counted))


def is_proved(connection: psycopg.Connection) -> bool:
    """Whether `pigou check` finds the sums to be right."""
    with connection.transaction():
        return check.one(connection, "rollups_are_sums").examples == []


# ── a load ───────────────────────────────────────────────────────────────────────────────────────────


def request(draw: random.Random, trace: int, at: float) -> Span:
    """A request as an engine tells it, or as it fails to."""
    odd: tuple[Any, ...] = (None, None, "0.5", -1.0, True, 3e12, 0)
    said: dict[str, Any] = {
        draw.choice(keys).replace(".", "__"): draw.choice(
            (round(draw.lognormvariate(-1, 3), draw.randrange(12)), draw.randrange(5), draw.choice(odd))
        )
        for keys in MEASURES.values()
    }
    return chat(
        trace, 9, 2, at=at, model="own", id=f"r{trace}", allocation__layer=draw.choice(("supply", "supply", "supply", "action")),
        allocation__engine=draw.choice(("e1", "e 'two' <b>", "é" * 5_000, None)),
        allocation__task__class=draw.choice((None, "fix", "", "long" * 5_000)), **said,
    )  # fmt: skip


def load(draw: random.Random, traces: int) -> list[Span]:
    """Tasks of an agent that asks a model, which an engine serves: the call is told by both. Some come from long before."""
    spans: list[Span] = []
    for trace in range(1, traces + 1):
        at = draw.uniform(0.0, 4 * 86_400.0) - draw.choice((0.0, 0.0, 0.0, 40 * 86_400.0))
        asked = chat(trace, 2, 1, at=at, model="own", id=f"r{trace}")
        spans += [agent(trace, 1, task="fix", at=at), asked, request(draw, trace, at + 0.1)]
    return spans


@pytest.mark.parametrize("seed", range(3))
def test_sums_are_what_spans_say_however_they_come(dsn: str, owner: psycopg.Connection, seed: int) -> None:
    draw = random.Random(seed)
    price(owner, model="own")
    with collecting(dsn) as collector:
        for tenant in TENANTS:
            spans = load(draw, 120)
            other = [request(draw, trace, 0.0) for trace in range(1, 20)]  # of the same ids: conflicts, and nothing else
            sent = [*spans, *draw.sample(spans, 100), *other]
            draw.shuffle(sent)
            sent = [*spans[:30], *sent]
            while sent:
                some = draw.randrange(1, 60)
                collector.book(export(*sent[:some], tenant=tenant, service=draw.choice(("vllm-1", "agents"))))
                del sent[:some]
                if draw.random() < 0.2:
                    assert differences(owner) == []
    run_round(owner)
    assert sum(map(len, requests(owner).values())) > 100
    assert one(owner, "select count(*) from ledger.conflicts") > 0
    assert one(owner, "select count(*) from ledger.calls where status = 'duplicate'") > 20
    assert differences(owner) == []
    assert is_proved(owner)


def test_what_is_booked_again_is_not_served_again(dsn: str, owner: psycopg.Connection) -> None:
    said: dict[str, Any] = {"allocation__layer": "supply", "allocation__engine": "e1", "allocation__engine__queue_s": 0.5}
    book(dsn, [export(chat(1, 2, model="own", id="r", **said))])
    assert one(owner, "select status from ledger.calls") == "unpriced"
    before = rows(owner, "select * from ledger.serving_hourly")
    price(owner, model="own")
    with connect(dsn, "writer") as writer:
        rerate(writer, one(owner, "select tenant_id from pigou.tenant where tenant = 'default'"))
    book(dsn, [export(chat(1, 1, model="own", id="r", seconds=9, operation__cost=0.1), agent(1, 3, name="late"))])
    assert one(owner, "select count(*) from pigou.entry where kind in ('adjustment', 'reversal')") > 0
    assert rows(owner, "select * from ledger.serving_hourly") == before != []
    assert differences(owner) == []


def test_an_engine_that_names_itself_by_its_service_is_told(dsn: str, owner: psycopg.Connection) -> None:
    said: dict[str, Any] = {"gen_ai__latency__time_in_queue": 0.25, "gen_ai__latency__time_in_model_decode": 1.5}
    counts: dict[str, Any] = {"gen_ai__usage__prompt_tokens": 384, "gen_ai__usage__completion_tokens": 32}
    told, mute = (plain(1, n, name="llm_request", gen_ai__latency__e2e=2.0, **counts, **more) for n, more in ((1, said), (2, {})))
    book(
        dsn,
        [export(told, service="llama on gpu-3", scope="vllm.llm_engine"), export(mute, service="mute", scope="vllm.llm_engine")],
    )
    served = rows(owner, "select engine, requests, queue_s, queue_max_s, prefill_s, decode_s from ledger.serving_hourly")
    assert served == [("llama on gpu-3", 1, Decimal("0.25"), Decimal("0.25"), None, Decimal("1.5"))]
    assert rows(owner, "select from_s, below_s, requests from ledger.queues_hourly") == [(Decimal("0.25"), Decimal("0.315"), 1)]
    assert rows(owner, "select engine, queue_s from ledger.serving order by 2") == [("llama on gpu-3", 0.25), (None, None)]


def test_what_retention_dropped_stays_summed(dsn: str, owner: psycopg.Connection) -> None:
    book(dsn, [export(*load(random.Random(5), 60))])
    before = rows(owner, "select * from ledger.serving_hourly order by hour, engine, task_class")
    gone = "delete from pigou.record where started_at < %s"
    assert run(owner, gone, AT).rowcount > 0
    assert not is_proved(owner)
    run(owner, "update pigou.retention set kept_since = %s where kind = 'records'", AT)
    assert is_proved(owner)
    assert rows(owner, "select * from ledger.serving_hourly order by hour, engine, task_class") == before


@pytest.mark.parametrize(
    "damage",
    [
        "update pigou.serving_hour set queue_s = queue_s + 0.001 where queue_known > 0",
        "update pigou.serving_hour set queue_max_s = queue_max_s / 2",
        "update pigou.serving_hour set engine = engine || '!'",
        "update pigou.queue_hour set wait = -1 - wait",
        "delete from pigou.serving_hour where task_class = ''",
        "delete from pigou.queue_hour",
    ],
)
def test_a_sum_that_is_wrong_is_found(dsn: str, owner: psycopg.Connection, damage: str) -> None:
    book(dsn, [export(*load(random.Random(4), 40))])
    assert is_proved(owner)
    assert run(owner, damage).rowcount > 0
    assert not is_proved(owner)


def test_edges_are_ten_a_decade(owner: psycopg.Connection) -> None:
    assert one(owner, "select pigou.queue_edges()") == EDGES[1:]


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────

WINDOWS = (
    "range=all", "range=3h", "range=7d", "range=all&tenant=default", "range=all&task_class=fix",
    "range=7d&task_class=&tenant=it's <other>", "since=2026-11-02T12:00Z&until=2026-11-04T03:00Z", "range=all&tenant=nobody",
)  # fmt: skip


def test_the_page_says_what_single_requests_do(dsn: str, owner: psycopg.Connection, reader: psycopg.Connection) -> None:
    draw = random.Random(11)
    for tenant in TENANTS:
        book(dsn, [export(*load(draw, 150), tenant=tenant)])
    one_by_one = requests(owner)
    met = 0
    for search in WINDOWS:
        filters = parse("?" + search)
        window = filters.window(NOW)
        wanted: dict[tuple[str, datetime], list[Told]] = defaultdict(list)
        for (tenant, hour, engine, task_class), of in one_by_one.items():
            if (
                (window.since or datetime.min.replace(tzinfo=UTC)) <= hour < (window.until or datetime.max.replace(tzinfo=UTC))
                and tenant in filters.where.get("tenant", (tenant,))
                and task_class in filters.where.get("task_class", (task_class,))
            ):
                wanted[engine, hour] += of
        got = rows(reader, statement("engines", filters, NOW, limit=None).text)
        assert {row[:2] for row in got} == wanted.keys()
        assert [row[0] for row in got] == sorted(row[0] for row in got)
        since = max((row[1] for row in got), default=NOW) - timedelta(days=14)
        for row in got:
            _is_said(row, wanted[row[0], row[1]], is_of_the_fortnight=row[1] > since)
            met += row[1] > since
    assert met > 100


def _is_said(row: Row, of: list[Told], *, is_of_the_fortnight: bool) -> None:
    """One row of the page's query against the requests of its hour."""
    assert row[2] == len(of)
    for place, name in ((3, "queue"), (6, "prefill"), (8, "decode"), (10, "kv"), (12, "batch")):
        told = known(of, name)
        assert row[place] == len(told)
        mean = row[place + 1]
        assert mean == pytest.approx(sum(told) / len(told)) if told else mean is None
    both = [told for told in of if told["drafted"] is not None and told["accepted"] is not None]
    assert row[14:] == (total(known(both, "drafted")), total(known(both, "accepted")))
    queue = sorted(known(of, "queue"))
    if not queue or not is_of_the_fortnight:
        assert row[5] is None
        return
    exact = queue[-(-95 * len(queue) // 100) - 1]  # so many of them at least are no longer
    assert exact <= row[5] <= min([queue[-1], *(edge for edge in EDGES if edge > exact)])


def test_an_engine_is_told_by_the_requests_that_tell(dsn: str) -> None:
    """An hour of one request weighs less than one of many; what nobody tells is not 0, nor no drafts."""
    of_e1: dict[str, Any] = {"allocation__layer": "supply", "allocation__engine": "e1"}
    told = [
        chat(1, 1, at=0, allocation__engine__queue_s=0.1, allocation__engine__kv_tokens=500, **of_e1),
        chat(1, 2, at=1, allocation__engine__queue_s=0.3, **of_e1),
        chat(1, 3, at=2, **of_e1),
        chat(1, 4, at=7200, allocation__engine__queue_s=5.0, allocation__spec__proposed=0, allocation__spec__accepted=0, **of_e1),
    ]
    other = chat(2, 1, at=0, allocation__layer="supply", allocation__engine="e2", allocation__engine__decode_s=2.0)
    book(dsn, [export(*told, other)])
    books = Books(dsn)
    try:
        drawn = supply.serving(View(books, parse("?range=all"), NOW, "/layers", ""))
    finally:
        books.close()
    e1, e2 = cast("Any", drawn[0]).rowData
    shown = {name: e1[name] for name in ("engine", "requests", "queue_ms", "longest_ms", "decode_ms", "kv_tokens", "batch")}
    assert shown == {
        "engine": "e1", "requests": 4, "queue_ms": pytest.approx(1800.0), "longest_ms": pytest.approx(5000.0), "decode_ms": None,
        "kv_tokens": pytest.approx(500.0), "batch": None,
    }  # fmt: skip
    assert (e1["accepted"], e2["accepted"]) == ("none made", "–")
    assert (e2["queue_ms"], e2["longest_ms"], e2["decode_ms"]) == (None, None, 2000.0)
    assert "rounded up" in str(drawn[-1])
