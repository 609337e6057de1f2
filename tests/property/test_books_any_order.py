"""Promise 2: any order, repetition and splitting of the same telemetry gives the same books.

One workload of everything that makes order matter is put into one database many times, each time as another tenant's, and every
tenant's books must say the same.
"""

from __future__ import annotations

import itertools
import random
import threading
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

from analyzers.pipeline import run_round
from analyzers.tasks import settle
from collector.export import Export
from ledger import check
from ledger.budgets import Terms, set_budget
from ledger.database import connect
from ledger.price_policies import add_policies, stated_policy
from tests.books import AT, GATEWAY, PRICES, agent, books, chat, cloned, export, log, one, plain, price, rows, tool
from tests.desk import Collector, collecting

Books = dict[str, list[tuple[Any, ...]]]
_numbers = itertools.count(1)

# (record, scope): what each emitter sends, in the order in which things happened.
WORKLOAD: list[tuple[Span | LogRecord, str | None]] = [
    # An agent with a sub-agent, which state what their calls used; an outer call around the SDK's, a call inside a tool.
    (agent(1, 1, name="fixer", input=430, output=43, task="fix_tests"), None),
    (chat(1, 2, 1, input=100, output=10, id="r1", at=1, seconds=3), "some.framework"),
    (plain(1, 3, 2, name="http", at=1, http__request__body="what?"), None),
    (chat(1, 4, 3, input=100, output=10, cached=40, id="r1", at=1), None),
    (tool(1, 5, 1, at=5), None),
    (chat(1, 6, 5, input=30, output=3, at=5), None),
    (agent(1, 7, 1, name="coder", input=300, output=30, at=6), None),
    (chat(1, 8, 7, input=100, output=10, id="r2", at=6, prompt="said " * 500), None),
    (chat(1, 9, 7, input=100, output=10, id="r3", at=7), None),
    (chat(1, 10, 7, input=100, output=10, at=8), None),
    # The gateway's copies of two of these, in a trace of its own, one with more to tell; and a stream told chunk by chunk.
    (chat(2, 1, input=100, output=10, id="r2", at=6), GATEWAY),
    (chat(2, 2, input=100, output=10, cached=20, reasoning=2, id="r3", at=7), GATEWAY),
    (chat(3, 1, input=50, output=5, id="r4", at=9), None),
    (chat(3, 2, input=50, output=15, id="r4", at=9), None),
    (chat(3, 3, input=50, output=25, id="r4", at=9), None),
    (chat(3, 4, input=50, output=25, id="r4", at=9), None),
    # An outer call that sums two steps, one of which has a copy below it, inside a wrapper that says the same again.
    (chat(4, 1, input=200, output=20, at=10, seconds=9), "langchain"),
    (chat(4, 2, 1, input=200, output=20, at=10, seconds=8), None),
    (chat(4, 3, 2, input=100, output=10, at=11), None),
    (chat(4, 4, 2, input=100, output=10, at=13), None),
    (chat(4, 5, 4, input=100, output=10, cached=5, at=13), None),
    # What cannot be read, has no price, failed before it was sold, or belongs to a parent that never comes.
    (chat(5, 1, input=10, cached=500, id="r5", at=20), None),
    (chat(5, 2, input=10, output=1, id="r5", at=20), GATEWAY),
    (chat(5, 3, input=10, cached=500, at=21), None),
    (chat(5, 4, input=None, output=None, at=22), None),
    (chat(5, 5, model="unknown", at=23, gen_ai__usage__cost=0.5), None),
    (chat(5, 6, input=None, output=None, error=True, at=24), None),
    (chat(5, 7, 99, at=25), None),
    # Unreadable inside what looks like its copy, until the tool between the two is known.
    (chat(6, 1, input=70, output=7, at=30), None),
    (tool(6, 2, 1, at=30), None),
    (chat(6, 3, 2, input=1, cached=9, at=30), None),
    # Logs: one inside a span, one that reports a call.
    (log("something", 1, 8, at=6, response="that"), None),
    (
        log("claude_code.api_request", 7, at=40, event__name="api_request", model="m1", input_tokens=7, output_tokens=2,
            cache_read_tokens=3, cache_creation_tokens=0, request_id="req_1", cost_usd=0.1),
        "com.anthropic.claude_code.events",
    ),
]  # fmt: skip


def exports(order: list[int], sizes: Iterator[int]) -> list[Export]:
    """The records of the workload in this order, cut into requests of these sizes at most; a request has one scope."""
    made: list[Export] = []
    pending = list(order)
    while pending:
        size = next(sizes)
        scope = WORKLOAD[pending[0]][1]
        is_log = isinstance(WORKLOAD[pending[0]][0], LogRecord)
        batch: list[Span | LogRecord] = []
        while pending and len(batch) < size:
            record, its_scope = WORKLOAD[pending[0]]
            if its_scope != scope or isinstance(record, LogRecord) != is_log:
                break
            batch.append(record)
            pending.pop(0)
        made.append(export(*batch, scope=scope))
    return made


class Desk:
    """Two collectors of different slots over one database, and a connection to look at the books with."""

    def __init__(self, dsn: str, collectors: list[Collector], connection: psycopg.Connection) -> None:
        self.dsn = dsn
        self.collectors = collectors
        self.connection = connection

    def books_of(self, *shares: list[Export], with_clock: bool = False) -> Books:
        """What a new tenant's books say after each collector took in its share, at the same time.

        The clock goes round once at the end; `with_clock`: after every request, too.
        """
        tenant = f"t{next(_numbers)}"
        for name, agent_name in (("all", None), ("fixer", "fixer")):
            terms = Terms(amount_usd=Decimal(1), period="day", agent=agent_name, valid_from=AT - timedelta(days=30))
            set_budget(self.connection, tenant, name, terms, "test")
        failures: list[BaseException] = []

        def send(collector: Collector, share: list[Export]) -> None:
            try:
                for request in share:
                    collector.book(Export(request.signal, request.body, request.encoding, request.compression, tenant))
                    if with_clock:
                        run_round(self.connection)
            except BaseException as failure:  # noqa: BLE001 - carried to the test's own thread
                failures.append(failure)

        threads = [threading.Thread(target=send, args=pair) for pair in zip(self.collectors, shares, strict=False)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        if failures:
            raise failures[0]
        run_round(self.connection)
        return books(self.connection, tenant)


@pytest.fixture(scope="module")
def desk(server: str, template: str) -> Iterator[Desk]:
    with cloned(server, template, "pigou_any_order") as dsn, connect(dsn, "writer") as writer:
        price(writer, {**PRICES, "output_reasoning_tokens": "20"})
        price(writer, {"cache_write_5m_tokens": "3", "cache_write_1h_tokens": "4"})
        with (
            collecting(dsn, slot=1, keep_content=True) as one_collector,
            collecting(dsn, slot=2, keep_content=True) as other,
        ):
            yield Desk(dsn, [one_collector, other], writer)


@pytest.fixture(scope="module")
def reference(desk: Desk) -> Books:
    """The books after everything came in the order in which it happened, one record at a time."""
    return desk.books_of(exports(list(range(len(WORKLOAD))), itertools.repeat(1)))


def test_the_workload_holds_what_makes_order_matter(reference: Books, desk: Desk) -> None:
    """Otherwise the other tests of this module would prove little."""
    tenant = "t1"
    statuses = dict(
        desk.connection.execute("select status, count(*) from ledger.calls where tenant = %s group by 1", (tenant,)).fetchall()
    )
    assert statuses == {"booked": 11, "duplicate": 10, "suspense": 3, "unpriced": 2}
    kinds = desk.connection.execute("select distinct kind from ledger.entries where tenant = %s order by 1", (tenant,)).fetchall()
    assert kinds == [("call",), ("reversal",)]
    assert len(reference["budget_periods"]) == 2
    assert len(reference["texts"]) == 3
    assert len(reference["control totals" if "control totals" in reference else "control_totals"]) == 2
    assert (
        one(desk.connection, "select count(distinct copy_of_trace_id) from ledger.calls where copy_of_trace_id <> trace_id") >= 1
    )


ORDERS = st.permutations(range(len(WORKLOAD)))
SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=6)
BOUNDED = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@BOUNDED
@given(order=ORDERS, sizes=SIZES)
def test_any_order_in_any_batches(desk: Desk, reference: Books, order: list[int], sizes: list[int]) -> None:
    assert desk.books_of(exports(order, itertools.cycle(sizes))) == reference


@BOUNDED
@given(order=ORDERS, again=st.lists(st.integers(0, len(WORKLOAD) - 1), max_size=40), sizes=SIZES)
def test_any_repetition(desk: Desk, reference: Books, order: list[int], again: list[int], sizes: list[int]) -> None:
    mixed = [*order, *again]
    random.Random(len(again)).shuffle(mixed)
    assert desk.books_of(exports(mixed, itertools.cycle(sizes))) == reference


@BOUNDED
@given(
    order=ORDERS, first=st.sets(st.integers(0, len(WORKLOAD) - 1)), both=st.sets(st.integers(0, len(WORKLOAD) - 1)), sizes=SIZES
)
def test_two_collectors_at_once(
    desk: Desk, reference: Books, order: list[int], first: set[int], both: set[int], sizes: list[int]
) -> None:
    """Each takes in some of it at the same time, and some of it is sent to both."""
    shares = [[n for n in order if n in first or n in both], [n for n in order if n not in first or n in both]]
    assert desk.books_of(*(exports(share, itertools.cycle(sizes)) for share in shares)) == reference


@pytest.mark.parametrize("seed", range(3))
def test_the_clock_may_go_round_at_any_time(desk: Desk, reference: Books, seed: int) -> None:
    luck = random.Random(seed)
    order = luck.sample(range(len(WORKLOAD)), len(WORKLOAD))
    assert desk.books_of(exports(order, itertools.repeat(4)), with_clock=True) == reference


def test_all_these_books_are_proven(desk: Desk) -> None:
    """After everything above in one database: no fault in any tenant's books. Totals that differ are reported, not faults."""
    prices = {"task_class": "*", "v_usd": "3", "lambda_usd_per_s": "0.01", "rho": "1", "grace_s": "0"}
    add_policies(desk.connection, None, [stated_policy({**prices, "outcome_sources": "root_status"})], "test")
    desk.connection.execute("update pigou.task_due set due_at = now()")  # the grace was another when the rounds above looked
    assert settle(desk.connection).changed > 0
    found = [result for result in check.run(desk.connection) if not result.name.startswith("assets")]  # which nobody capitalised
    results = {result.name: (result.checked > 0, result.ok) for result in found}
    assert set(results.values()) == {(True, True)}, results


def test_reversing_everything_returns_to_zero(desk: Desk) -> None:
    """When each call turns out to be a copy of another, every entry is reversed, and only that other's remains."""
    tenant = f"t{next(_numbers)}"
    weak = [chat(1, n, input=10 * n, output=n, id="same", at=n) for n in range(1, 8)]
    strong = chat(2, 1, input=10, output=2, cached=3, reasoning=1, id="same", at=9)
    collector = desk.collectors[0]
    for span in [*weak, strong]:
        sent = export(span)
        collector.book(Export(sent.signal, sent.body, sent.encoding, sent.compression, tenant))
    of_weak = rows(
        desk.connection,
        "select account, commodity, sum(quantity), sum(amount_usd) from ledger.postings"
        " where tenant = %s and right(trace_id, 1) = '1' group by 1, 2",
        tenant,
    )
    assert len(of_weak) == 4
    assert {row[2:] for row in of_weak} == {(0, 0)}
    assert one(desk.connection, "select count(*) from ledger.balances where tenant = %s", tenant) == 8
    kinds = "select kind, count(*) from ledger.entries where tenant = %s group by 1 order by 1"
    assert rows(desk.connection, kinds, tenant) == [("call", 8), ("reversal", 7)]
