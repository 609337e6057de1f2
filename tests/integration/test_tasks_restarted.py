"""Settlement that is stopped, goes on, and looks again; and what commits late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from analyzers.tasks import settle, settlement
from ledger.queries import queries
from tests.books import AT, one, price, run
from tests.desk import Collector, collecting
from tests.integration.test_tasks import PRICES, fixed, policy, sound

# Every record once more, in another trace, as a transaction that began before writes it.
SEEN = "select value::timestamptz from pigou.setting where setting = 'settled_seen'"
COPY = """
insert into pigou.record
select tenant_id, '\\x00000000000000000000000000000002', span_id, started_at, ended_at, parent_span_id, signal, role, name, kind,
       status_code, status_message, service, scope_name, scope_version, resource_id, agent, task_class, layer, use, attributes,
       events, links, content_hash, now()
  from pigou.record
"""


@pytest.fixture
def collector(dsn: str, writer: psycopg.Connection) -> Iterator[Collector]:
    price(writer)
    with collecting(dsn) as running:
        yield running


def test_what_commits_late_is_not_missed(
    dsn: str, collector: Collector, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    policy(writer, **PRICES)
    collector.book(fixed(1))
    settle(writer)
    with psycopg.connect(dsn, options="-c role=pigou_writer") as late:
        began = one(late, "select now()")
        late.execute("select pg_advisory_xact_lock(1885956981, 1)")  # as posting does in its transaction
        for _ in range(3):
            settle(writer)
        assert one(writer, SEEN) <= began  # the next look begins before what this transaction will have written
        run(late, COPY)
        settle(writer)
        assert one(reader, "select count(*) from ledger.tasks") == 1
    settle(writer)
    assert one(writer, SEEN) > began
    assert one(reader, "select count(*) from ledger.tasks") == 2


@pytest.mark.parametrize("stop_at", [1, 2, 3])
def test_it_goes_on_where_it_was_killed(
    monkeypatch: pytest.MonkeyPatch, collector: Collector, writer: psycopg.Connection, owner: psycopg.Connection, stop_at: int
) -> None:
    policy(writer, **PRICES)
    monkeypatch.setattr(settlement, "_BATCH", 2)
    collector.book(*[fixed(trace, allocation__outcome=0.5) for trace in range(1, 6)])
    done = 0

    def stopping(write: Callable[..., None]) -> Callable[..., None]:
        def stops(*arguments: Any) -> None:
            nonlocal done
            done += 1
            write(*arguments)
            if done == stop_at:
                raise KeyboardInterrupt

        return stops

    monkeypatch.setattr(settlement, "write", stopping(settlement.write))
    with pytest.raises(KeyboardInterrupt):
        settle(writer)
    assert one(owner, "select count(*) from ledger.tasks") == 2 * (stop_at - 1)  # whole batches, or nothing of them
    told: list[tuple[int, int]] = []
    settle(writer, progress=lambda part, whole: told.append((part, whole)))
    assert told[-1][0] == told[-1][1]
    assert one(owner, "select count(*) from ledger.tasks") == 5
    assert sound(owner)


def test_a_period_can_be_looked_at_again(collector: Collector, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    collector.book(fixed(1, allocation__outcome=0.5), fixed(2, allocation__outcome=0.5))
    settle(writer)
    owner.execute("update pigou.task set content_hash = ''")
    assert settle(writer, since=AT + timedelta(days=1)).changed == 0
    assert settle(writer, since=AT, until=AT + timedelta(days=1)).changed == 2
    assert sound(owner)


def test_why_settling_failed_is_what_is_raised(
    monkeypatch: pytest.MonkeyPatch, collector: Collector, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    """And not that the transaction was aborted by it, which is all that the analyzers' log said of a deadlock."""
    policy(writer, **PRICES)
    collector.book(fixed())
    with monkeypatch.context() as broken:
        broken.setattr(settlement, "_SQL", {**queries("analyzers", "tasks"), "facts": "select 1 / 0"})
        with pytest.raises(psycopg.errors.DivisionByZero):
            settle(writer, is_all=True)
    settle(writer, is_all=True)
    assert one(reader, "select count(*) from ledger.tasks") == 1
