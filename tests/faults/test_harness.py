"""The harness itself can fail: what is broken on purpose is reported as what it is."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

import psutil
import psycopg
import pytest

from bench.faults import workload
from bench.faults.clock import Clock, is_available
from bench.faults.command import aligned, markdown
from bench.faults.kinds import KINDS
from bench.faults.processes import outliving
from bench.faults.proxy import Place, Proxy
from bench.faults.rounds import Outcome, run_round
from bench.faults.sender import Sending
from bench.faults.server import Server, state_prices
from bench.faults.verify import Findings, verify
from bench.faults.workload import Expected, Outgoing, SpanKey
from collector.inbox import Export
from tests.books import one, run
from tests.desk import collecting

# ── the comparison ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def booked(dsn: str, writer: psycopg.Connection) -> dict[SpanKey, Expected]:
    """What was sent to a database that holds all of it."""
    state_prices(writer)
    sent = workload.plain(2, "harness")
    with collecting(dsn, keep_content=True) as collector:
        collector.book(*(Export("span", out.body, "protobuf", "identity") for out in sent))
    return {key: expected for out in sent for key, expected in out.spans.items()}


def meddle(owner: psycopg.Connection, statement: str, *values: object) -> None:
    """Change what nobody may change: as the owner, with all triggers off."""
    with owner.transaction():
        owner.execute("set local session_replication_role = replica")
        assert run(owner, statement, *values).rowcount > 0


def a_call(owner: psycopg.Connection) -> tuple[bytes, bytes]:
    return one(owner, "select trace_id, span_id from pigou.call order by span_id limit 1")


def test_a_whole_database_has_no_findings(dsn: str, booked: dict[SpanKey, Expected]) -> None:
    assert sum(expected.leaves is not None for expected in booked.values()) == 24
    assert verify(dsn, booked, booked.keys()) == Findings()


def test_a_deleted_span_is_lost(dsn: str, owner: psycopg.Connection, booked: dict[SpanKey, Expected]) -> None:
    trace, span = one(owner, "select trace_id, span_id from pigou.record where role = 'tool' order by span_id limit 1")
    meddle(owner, "delete from pigou.kept_text where trace_id = %s and span_id = %s", trace, span)
    meddle(owner, "delete from pigou.record where trace_id = %s and span_id = %s", trace, span)
    found = verify(dsn, booked, booked.keys())
    assert len(found.lost) == 1
    assert span.hex() in found.lost[0]
    assert (found.doubled, found.wrong) == ([], [])


@pytest.mark.parametrize(
    ("damage", "kind", "said"),
    [
        ("delete from pigou.kept_text", "lost", "is recorded without its text"),
        ('update pigou.kept_text set attributes = \'{"gen_ai.input.messages": "other"}\'', "wrong", "is 'other', not"),
    ],
)
def test_text_that_is_not_as_it_was_sent_is_found(
    dsn: str, owner: psycopg.Connection, booked: dict[SpanKey, Expected], damage: str, kind: str, said: str
) -> None:
    meddle(owner, f"{damage} where span_id = (select min(span_id) from pigou.kept_text)")
    [line] = getattr(verify(dsn, booked, booked.keys()), kind)
    assert said in line


def test_text_of_no_record_is_wrong(dsn: str, owner: psycopg.Connection, booked: dict[SpanKey, Expected]) -> None:
    meddle(
        owner,
        "delete from pigou.record where role = 'tool' and span_id = (select min(span_id) from pigou.record where role = 'tool')",
    )
    found = verify(dsn, booked, set())
    assert ["has text and no record" in line for line in found.wrong] == [True]
    assert len(found.checks) == 1


def test_a_span_that_nobody_acknowledged_may_be_missing(
    dsn: str, owner: psycopg.Connection, booked: dict[SpanKey, Expected]
) -> None:
    trace, span = one(owner, "select trace_id, span_id from pigou.record where role = 'tool' order by span_id limit 1")
    meddle(owner, "delete from pigou.kept_text where trace_id = %s and span_id = %s", trace, span)
    meddle(owner, "delete from pigou.record where trace_id = %s and span_id = %s", trace, span)
    assert verify(dsn, booked, {key for key in booked if key[1:] != (trace, span)}) == Findings()


def test_a_span_recorded_twice_is_doubled(dsn: str, owner: psycopg.Connection, booked: dict[SpanKey, Expected]) -> None:
    _, span = a_call(owner)
    columns = one(
        owner,
        "select string_agg(attname, ', ' order by attnum) from pg_attribute"
        " where attrelid = 'pigou.record'::regclass and attnum > 0 and attname <> 'started_at'",
    )
    copied = f"insert into pigou.record (started_at, {columns}) select started_at + interval '1 second', {columns}"
    meddle(owner, f"{copied} from pigou.record where span_id = %s", span)
    found = verify(dsn, booked, booked.keys())
    assert len(found.doubled) == 1
    assert f"{span.hex()}" in found.doubled[0]


def test_a_call_without_an_entry_is_lost(dsn: str, owner: psycopg.Connection, booked: dict[SpanKey, Expected]) -> None:
    _, span = a_call(owner)
    meddle(owner, "delete from pigou.entry where span_id = %s", span)
    found = verify(dsn, booked, booked.keys())
    assert len(found.lost) == 1
    assert "has no live entry" in found.lost[0]
    assert found.checks


def test_a_reversed_call_is_lost(dsn: str, owner: psycopg.Connection, booked: dict[SpanKey, Expected]) -> None:
    _, span = a_call(owner)
    reversal = (
        "insert into pigou.entry (tenant_id, entry_id, kind, source, occurred_at, posted_on, trace_id, span_id, reverses, reason)"
        " select tenant_id, gen_random_uuid(), 'reversal', 'test', occurred_at, posted_on, trace_id, span_id, entry_id, 'test'"
        "   from pigou.entry where span_id = %s"
    )
    meddle(owner, reversal, span)
    assert [span.hex() in line for line in verify(dsn, booked, booked.keys()).lost] == [True]


def test_a_call_booked_twice_is_doubled(dsn: str, owner: psycopg.Connection, booked: dict[SpanKey, Expected]) -> None:
    _, span = a_call(owner)
    second = (
        "insert into pigou.entry (tenant_id, entry_id, kind, source, occurred_at, posted_on, trace_id, span_id)"
        " select tenant_id, gen_random_uuid(), kind, source, occurred_at, posted_on, trace_id, span_id"
        "   from pigou.entry where span_id = %s"
    )
    meddle(owner, second, span)
    found = verify(dsn, booked, booked.keys())
    assert len(found.doubled) == 1
    assert "has 2 live entries" in found.doubled[0]
    assert found.checks


def test_a_wrong_amount_is_wrong(dsn: str, owner: psycopg.Connection, booked: dict[SpanKey, Expected]) -> None:
    """Changed everywhere alike, so that the books agree with themselves: only the load knows better."""
    trace, span = a_call(owner)
    meddle(owner, "update pigou.call set cost_usd = cost_usd * 2 where span_id = %s", span)
    found = verify(dsn, booked, booked.keys())
    assert [trace.hex() in line for line in found.wrong] == [True]


def test_a_refused_span_must_not_be_there(dsn: str, booked: dict[SpanKey, Expected]) -> None:
    refused = min(booked)
    found = verify(dsn, {key: expected for key, expected in booked.items() if key != refused}, set())
    assert len(found.wrong) == 1
    assert "although its export was refused" in found.wrong[0]


def test_the_expectation_is_that_of_the_load() -> None:
    """A second look at one export: as many input tokens as its spans say, cached ones included."""
    [out] = workload.plain(1, "one")
    calls = [expected for expected in out.spans.values() if expected.leaves is not None]
    assert len(calls) == 12
    assert all(expected.cost_usd is not None and expected.cost_usd > 0 for expected in calls)
    assert workload.plain(1, "one")[0].spans.keys() == out.spans.keys()
    torn = workload.repeated(8, "one")
    assert {key for out in torn for key in out.spans} == {key for out in workload.plain(4, "one") for key in out.spans}
    assert len({out.body for out in torn}) < len(torn)


# ── the instruments ──────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def answering(*answers: bytes) -> Generator[int]:
    """A server that reads one request a connection, answers these bytes in turn, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    while b"end of request" not in connection.recv(65536):
                        pass
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def head(status: str, length: int) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("answers", "acknowledged", "refused"),
    [
        ([head("200 OK", 0)], True, None),
        ([b"", head("200 OK", 0)], True, None),
        ([head("503 Busy", 0), head("200 OK", 0)], True, None),
        ([head("200 OK", 10) + b"cut", head("503 Busy", 0), head("400 Bad", 0)], False, 400),
    ],
    ids=["at once", "hung up", "later", "an answer cut off is none"],
)
def test_only_a_whole_answer_acknowledges(answers: list[bytes], acknowledged: bool, refused: int | None) -> None:
    with answering(*answers) as port:
        sending = Sending([Outgoing(b"end of request", "identity", {})], port, "1", pace_s=0.0, within_s=20.0)
        sending.start()
        sending.finish()
    [sent] = sending.sent
    assert (sent.tries, sent.acknowledged_at is not None, sent.refused) == (len(answers), acknowledged, refused)


def copy_thousand(connection: psycopg.Connection) -> None:
    with connection.cursor() as cursor, cursor.copy("copy public.cut from stdin") as copy:
        for number in range(1000):
            copy.write_row((number,))
    connection.commit()


@pytest.mark.parametrize(("place", "rows"), [("copy", 0), ("commit", 1000)])
def test_the_proxy_cuts_where_it_is_told(dsn: str, owner: psycopg.Connection, tmp_path: Path, place: Place, rows: int) -> None:
    """A connection cut inside a COPY leaves nothing; one cut before the answer to a COMMIT leaves all, and the client unsure."""
    owner.execute("create table public.cut (n integer)")
    proxy = Proxy(tmp_path / "p", Path(one(owner, "show unix_socket_directories")))
    struck: list[bool] = []
    try:
        waiting = threading.Thread(target=lambda: struck.append(proxy.cut(place, 500, 10.0)))
        with psycopg.connect(dsn, host=str(proxy.folder)) as connection:
            waiting.start()
            with pytest.raises(psycopg.OperationalError):
                copy_thousand(connection)
        waiting.join()
    finally:
        proxy.close()
    assert struck == [True]
    assert one(owner, "select count(*) from public.cut") == rows


@pytest.mark.skipif(not is_available(), reason="the collector's own clock needs a C compiler (cc)")
def test_the_clock_jumps_for_a_running_process(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    program = "import time\nfor _ in range(2): print(int(time.time() - time.monotonic()), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], env=clock.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        before = int(process.stdout.readline())
        clock.jump(-100_000)
        process.stdin.write("\n")
        process.stdin.flush()
        assert abs(int(process.stdout.readline()) - before + 100_000) < 60
        process.stdin.write("\n")


def test_the_guard_ends_what_a_killed_harness_leaves(tmp_path: Path) -> None:
    """Killed itself, the harness ends nothing: the guard kills the process and removes the folder it was told of."""
    left = tmp_path / "left"
    left.mkdir()
    sleeper = "import time; time.sleep(300)"
    harness = (
        "import os, subprocess, sys; from pathlib import Path; from bench.guard import Guard\n"
        f"guard = Guard(); child = subprocess.Popen([sys.executable, '-c', {sleeper!r}])\n"
        f"guard.process(child.pid); guard.folder(Path({str(left)!r})); print(child.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", harness], stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    assert ended.returncode == -9
    with contextlib.suppress(psutil.NoSuchProcess):
        assert outliving([psutil.Process(int(ended.stdout))], 20.0) == []
    deadline = time.monotonic() + 20.0
    while left.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left.exists()


# ── a whole round ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.timeout(300)
def test_a_collector_that_lies_is_caught(postgres: Server) -> None:
    """It says 200 while PostgreSQL is away and it has no room: what it then loses is found."""
    kind = KINDS["spool_full"]
    outcome = run_round(postgres, kind, "liar", outage_s=1.0, module="tests.faults.liar", drain_within_s=5.0)
    assert outcome.findings.lost
    assert any("503 never came" in line for line in outcome.findings.wrong)
    assert any("bytes were acknowledged while PostgreSQL was away" in line for line in outcome.findings.wrong)


def test_the_table_has_a_row_a_kind_and_one_for_all() -> None:
    outcomes = [
        Outcome("kill_worker", "1", 10, 9, findings=Findings(lost=["a", "b"])),
        Outcome("kill_worker", "2", not_counted="no worker"),
        Outcome("repeated", "3", 5, 5),
    ]
    outcomes[0].answers.update({"503": 4, "broken off": 2})
    assert markdown(outcomes).splitlines()[2:] == [
        "| kill_worker | 1 | 1 | 10 | 9 | 4 | 2 | 2 | 0 | 0 | 0 |",
        "| repeated | 1 | 0 | 5 | 5 | 0 | 0 | 0 | 0 | 0 | 0 |",
        "| all | 2 | 1 | 15 | 14 | 4 | 2 | 2 | 0 | 0 | 0 |",
    ]
    assert len(aligned(outcomes).splitlines()) == 4
