"""Any message that OTLP can carry, through the real line into a real database: nothing is lost, PostgreSQL refuses nothing, and
the books prove.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from collector.export import Export
from ledger import check
from ledger.database import connect
from tests.books import cloned, one, price, rows
from tests.desk import Collector, collecting
from tests.fuzz import seeds
from tests.fuzz.any_message import DAY_NS, logs, metrics, traces
from tests.fuzz.harnesses import POLICIES, Signal, decoded
from tests.fuzz.mutators import MUTATORS
from tests.fuzz.to_json import to_json
from tests.unit.collector.traffic import START_NS

# Months are partitions, and making one takes a while: a few of them, the first and the last that can be among them.
TIMES = st.sampled_from([*range(START_NS, START_NS + DAY_NS, DAY_NS // 16), 0, 1, 7_258_118_399 * 10**9])

SIGNALS: list[Signal] = ["span", "span", "log", "log", "metric"]


class Desk:
    """A collector over a database of its own, and what was sent to it."""

    def __init__(self, collector: Collector, connection: psycopg.Connection) -> None:
        self.collector = collector
        self.connection = connection
        self.sent = 0


@pytest.fixture(scope="module")
def desk(server: str, template: str) -> Iterator[Desk]:
    with cloned(server, template, "pigou_any_message") as dsn, connect(dsn, "writer") as writer, collecting(dsn) as collector:
        price(writer, model="m", provider="openai")
        yield Desk(collector, writer)


@st.composite
def exports(draw: st.DrawFn) -> Export:
    """A message as an export, in either encoding."""
    kind: Signal = draw(st.sampled_from(SIGNALS))
    message: Any = draw({"span": traces, "log": logs, "metric": metrics}[kind](TIMES))
    if draw(st.booleans()):
        return Export(kind, to_json(message), "json", "identity")
    return Export(kind, message.SerializeToString(), "protobuf", "identity")


@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(exports(), min_size=3, max_size=6))
def test_whatever_is_sent_is_stored_or_refused_by_name(desk: Desk, sent: list[Export]) -> None:
    send(desk, sent)


def test_whatever_emitters_may_come_to_send_is_stored_or_refused_by_name(desk: Desk) -> None:
    """The traffic of every emitter known, with some of it changed: most of it still are calls."""
    luck = Random(1)
    for _ in range(5):
        send(desk, [changed(luck) for _ in range(80)])


def changed(luck: Random) -> Export:
    """A request of a known emitter with ids of its own, changed once or twice."""
    kind = luck.choice(("traces", "logs"))
    request: Any = luck.choice(list(traffic()[kind]))
    for group in request.resource_spans if kind == "traces" else request.resource_logs:
        for listed in group.scope_spans if kind == "traces" else group.scope_logs:
            for record in listed.spans if kind == "traces" else listed.log_records:
                record.trace_id, record.span_id = luck.choice(_TRACES), luck.randbytes(8)
    body = request.SerializeToString()
    for _ in range(luck.randrange(3)):
        body = MUTATORS[kind](body, 1 << 16, luck, lambda data, _: data)
    return Export("span" if kind == "traces" else "log", body, "protobuf", "identity")


@cache
def traffic() -> dict[str, list[Any]]:
    return {"traces": list(seeds.traces()), "logs": list(seeds.logs())}


_TRACES = [bytes([number]) * 16 for number in range(1, 200)]


def send(desk: Desk, sent: list[Export]) -> None:
    """Send, and count what was sent; every record is stored or refused as the decoder alone would."""
    for export, answer in zip(sent, desk.collector.send(*sent), strict=True):
        found = decoded(export.signal, export.body, export.encoding, POLICIES[0])
        if found is None:
            assert answer.outcome in ("undecodable", "too_large")
            continue
        assert (answer.outcome, answer.rejected) == ("stored", len(found.problems)), answer
        desk.sent += len(found.problems) + len(getattr(found, "records", ())) + len(getattr(found, "points", ()))


def test_the_books_hold_what_was_sent_and_prove(desk: Desk) -> None:
    """After everything above: each record is stored, a repetition, a conflict or refused, and none was refused by PostgreSQL."""
    assert desk.sent > 200, desk.sent
    counted = "select sum(records + duplicates + conflicts + rejected) from ledger.ingest"
    assert one(desk.connection, counted) == desk.sent
    assert rows(desk.connection, "select code, detail from ledger.rejections where stage = 'post'") == []
    statuses = dict(rows(desk.connection, "select status, count(*) from ledger.calls group by 1"))
    assert statuses.keys() >= {"booked", "unpriced", "suspense"}
    assert sum(statuses.values()) > 200, statuses
    assert one(desk.connection, "select count(*) from ledger.calls where status = 'suspense' and reason is null") == 0
    assert [result for result in check.run(desk.connection) if not result.ok] == []
