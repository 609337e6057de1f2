"""Any order and repetition of spans, events and outcomes, settled at any time, gives the same tasks and shadow book."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analyzers.tasks import settle
from collector.export import Export
from ledger import check
from ledger.database import connect
from ledger.outcomes import Outcome, Subject, share, tell
from ledger.price_policies import add_policies, stated_policy
from tests.books import AT, GATEWAY, agent, chat, cloned, export, log, plain, price, rows, tool
from tests.desk import Collector, collecting

RISK: dict[str, Any] = {
    "allocation__action__class": "deploy",
    "allocation__risk__probability": 0.1,
    "allocation__risk__loss_usd": 30,
}


def incident_of(trace: int, span: int) -> Span:
    made = plain(90 + trace, 1, name="allocation.incident", at=4_000, allocation__risk__loss_usd=2)
    link = made.links.add()
    link.trace_id, link.span_id = trace.to_bytes(16, "big"), span.to_bytes(8, "big")
    return made


def told(key: str, subject: Subject, subject_id: str, quality: float) -> Outcome:
    return Outcome("feedback", key, subject, subject_id, None, "thumbs", share(quality), None, AT + timedelta(hours=2))


# What makes order matter: roots last, outcomes before their traces, incidents elsewhere, copies, tasks that are none.
WORKLOAD: list[tuple[Span | LogRecord | Outcome, str | None]] = [
    (agent(1, 1, name="fixer", task="code.fix", allocation__task__value_usd=20.0, allocation__task__deadline_s=4.5), None),
    (chat(1, 2, 1, id="r1", at=1), None),
    (tool(1, 3, 1, at=2), None),
    (plain(1, 4, 1, name="deploy", at=3, **RISK), None),
    (log("gen_ai.evaluation.result", 1, 1, at=70, gen_ai__evaluation__score__value=0.5), None),
    (log("gen_ai.evaluation.result", 1, 1, at=80, gen_ai__evaluation__score__value=0.75), None),
    (log("allocation.incident", 1, 4, at=900, allocation__risk__loss_usd=7.5), None),
    (incident_of(1, 4), None),
    (agent(2, 1, name="writer", allocation__outcome=0.25), None),
    (chat(2, 2, 1, id="r2", at=1), None),
    (plain(2, 3, 1, name="send", at=3, **RISK), None),
    (told("a", "response", "r2", 1.0), None),
    (chat(3, 1, id="r3", at=1, cached=5), None),
    (told("b", "trace", f"{3:032x}", 0.5), None),
    (chat(4, 2, 99, at=1, model="unknown"), None),
    (chat(4, 3, 99, at=5), None),
    (chat(5, 1, id="r1", at=1), GATEWAY),
    (chat(6, 1, id="r3", at=1), GATEWAY),
    (log("something", 7, at=1), None),
    (plain(8, 1, 2, at=1), None),
    (plain(8, 2, 1, at=2), None),
]
NOT_ALWAYS_THE_SAME = ("settled_at", "revision", "entry_id", "tenant", "outcome_id")
_numbers = itertools.count(1)
Said = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]


class Desk:
    """A collector, and a connection that settles."""

    def __init__(self, collector: Collector, connection: psycopg.Connection) -> None:
        self.collector = collector
        self.connection = connection

    def after(self, order: list[int], settle_after: set[int]) -> Said:
        """Tasks and shadow book of a new tenant to whom all this came, one at a time, settled after some and at the end."""
        tenant = f"t{next(_numbers)}"
        for place, number in enumerate(order):
            record, scope = WORKLOAD[number]
            if isinstance(record, Outcome):
                tell(self.connection, tenant, [record])
            else:
                sent = export(record, scope=scope)
                self.collector.book(Export(sent.signal, sent.body, sent.encoding, sent.compression, tenant))
            if place in settle_after:
                settle(self.connection)
        settle(self.connection)
        cursor = self.connection.execute("select * from ledger.tasks where tenant = %s order by trace_id", (tenant,))
        shown = [n for n, column in enumerate(cursor.description or ()) if column.name not in NOT_ALWAYS_THE_SAME]
        tasks = [tuple(row[n] for n in shown) for row in cursor.fetchall()]
        stands = (
            "select account, commodity, sum(quantity), sum(amount_usd) from ledger.balances where tenant = %s and book = 'shadow'"
            " group by 1, 2 having sum(quantity) <> 0 or sum(amount_usd) <> 0 order by 1, 2"
        )
        return tasks, rows(self.connection, stands, tenant)


@pytest.fixture(scope="module")
def desk(server: str, template: str) -> Iterator[Desk]:
    with cloned(server, template, "pigou_tasks_any_order") as dsn, connect(dsn, "writer") as writer:
        price(writer)
        prices = {"task_class": "*", "v_usd": "8", "lambda_usd_per_s": "0.02", "rho": "1.5", "grace_s": "0"}
        add_policies(writer, None, [stated_policy(prices)], "test")
        with collecting(dsn) as collector:
            yield Desk(collector, writer)


@pytest.fixture(scope="module")
def reference(desk: Desk) -> Said:
    """Everything in the order above, settled once."""
    return desk.after(list(range(len(WORKLOAD))), set())


def test_the_workload_is_what_it_should_be(reference: Said) -> None:
    tasks, stands = reference
    assert [row[0][-1:] for row in tasks] == ["1", "2", "3", "4", "8"]  # 5 and 6 are copies, 7 is a line, 91 tells of 1
    balances = {account: usd for account, _, _, usd in stands}
    assert balances["income:value:code.fix"] == -15
    assert balances["liabilities:losses:code.fix"] == Decimal("-14.25")
    assert balances["income:value:clustered"] == -6  # of trace 2 its own 0.25, which goes before feedback, and 0.5 of trace 3


BOUNDED = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@BOUNDED
@given(
    order=st.permutations(range(len(WORKLOAD))),
    again=st.lists(st.integers(0, len(WORKLOAD) - 1), max_size=10),
    settle_after=st.sets(st.integers(0, len(WORKLOAD) + 10), max_size=4),
)
def test_any_order_repetition_and_settling(
    desk: Desk, reference: Said, order: list[int], again: list[int], settle_after: set[int]
) -> None:
    mixed = [*order, *again]
    random.Random(len(again)).shuffle(mixed)
    assert desk.after(mixed, settle_after) == reference


def test_all_these_books_are_proven(desk: Desk) -> None:
    assert [result for result in check.run(desk.connection) if not result.ok] == []


def test_what_is_taken_back_returns_to_zero(desk: Desk) -> None:
    """A trace that turns out to be a copy of another's call is no task, and nothing of it is left in the shadow book."""
    tenant = f"t{next(_numbers)}"

    def book(record: Span, scope: str | None = None) -> None:
        sent = export(record, scope=scope)
        desk.collector.book(Export(sent.signal, sent.body, sent.encoding, sent.compression, tenant))
        settle(desk.connection)

    book(chat(2, 1, id="same"), GATEWAY)
    tell(desk.connection, tenant, [told("x", "trace", f"{2:032x}", 1.0)])
    settle(desk.connection)
    book(chat(1, 1, id="same", cached=3))
    of_the_copy = (
        "select account, commodity, count(*) > 1, sum(quantity), sum(amount_usd) from ledger.postings"
        " where tenant = %s and book = 'shadow' and right(trace_id, 1) = '2' group by 1, 2"
    )
    found = rows(desk.connection, of_the_copy, tenant)
    assert len(found) == 4
    assert {row[2:] for row in found} == {(True, 0, 0)}
