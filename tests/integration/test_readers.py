"""Reading processes: they read as the collector does, are replaced when they are killed, and rest when there is little to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from collector import inbox as inbox_module
from collector import readers as readers_module
from collector.content import ContentPolicy
from collector.export import Answer, Export, Prepared
from collector.infer import Rules
from collector.preparing import ReadingPolicy, prepare
from collector.readers import ReaderProcess
from ledger.copy_binary import RECORD_COLUMNS, columns_of
from ledger.database import connect
from tests.books import agent, chat, export, one, price, tool
from tests.desk import collecting

POLICY = ReadingPolicy(64 * 1024 * 1024, "default", ContentPolicy())
RULES = Rules.default()
TRACE = export(agent(1, 1, input=30, output=3), chat(1, 2, 1, cached=7, id="r1", prompt="x\ty\\"), tool(1, 3, 1))


@pytest.fixture
def reader() -> Iterator[ReaderProcess]:
    """One, not started yet."""
    made = ReaderProcess(POLICY)
    yield made
    made.stop()


def pid_of(reader: ReaderProcess) -> int:
    assert reader._process is not None
    return reader._process.pid


@pytest.mark.parametrize(
    "sent",
    [
        TRACE,
        Export("span", b"\xff", "protobuf", "identity"),
        Export("span", b"", "json", "gzip"),
        Export("log", b"{}", "json", "identity"),
    ],
    ids=["a trace", "no protobuf", "no gzip", "nothing"],
)
def test_it_reads_as_the_collector_itself_does(reader: ReaderProcess, sent: Export) -> None:
    assert reader.prepare(sent, RULES) == prepare(sent, POLICY, RULES)


def test_it_follows_the_use_table(reader: ReaderProcess) -> None:
    before = reader.prepare(TRACE, RULES)
    changed = Rules.from_rows([{"ordinal": 1, "field": "tool", "pattern": "run_tests", "layer": "action", "use": "defer"}])
    after = reader.prepare(TRACE, changed)
    assert isinstance(before, Prepared)
    assert isinstance(after, Prepared)
    assert (
        columns_of(before.arrivals[0].records[2].row, RECORD_COLUMNS)["use"],
        columns_of(after.arrivals[0].records[2].row, RECORD_COLUMNS)["use"],
    ) == (
        "verify",
        "defer",
    )


def test_one_that_was_killed_is_replaced(reader: ReaderProcess) -> None:
    expected = reader.prepare(TRACE, RULES)
    killed = pid_of(reader)
    psutil.Process(killed).kill()
    psutil.Process(killed).wait(10)
    assert reader.prepare(TRACE, RULES) == expected
    assert pid_of(reader) != killed


def test_one_that_is_killed_while_it_reads_loses_nothing(reader: ReaderProcess) -> None:
    reader.start(RULES)
    psutil.Process(pid_of(reader)).suspend()
    answers: list[Prepared | Answer] = []
    asking = threading.Thread(target=lambda: answers.append(reader.prepare(TRACE, RULES)))
    asking.start()
    time.sleep(0.2)
    psutil.Process(pid_of(reader)).kill()
    asking.join(30)
    assert answers == [prepare(TRACE, POLICY, RULES)]


def test_an_export_that_is_not_read_in_time_is_refused_and_the_reader_replaced(
    reader: ReaderProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers_module, "_READ_WITHIN_S", 0.3)
    reader.start(RULES)
    stuck = psutil.Process(pid_of(reader))
    stuck.suspend()
    answer = reader.prepare(TRACE, RULES)
    assert isinstance(answer, Answer)
    assert answer.outcome == "undecodable"
    monkeypatch.setattr(readers_module, "_READ_WITHIN_S", 60.0)
    assert isinstance(reader.prepare(TRACE, RULES), Prepared)
    assert not stuck.is_running()


def test_readers_work_under_load_and_rest_afterwards(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "_READERS_REST_AFTER_S", 1.0)
    with connect(dsn, "writer") as writer:
        price(writer)
    with collecting(dsn, workers=2) as collector:
        assert readers() == []
        replies = [collector.pipeline.submit(export(chat(n, 1, id=f"r{n}"))) for n in range(1, 200)]
        within(lambda: len(readers()) > 0)
        for victim in readers()[:1]:
            victim.kill()
        assert {reply.result(60) for reply in replies} == {Answer("stored")}
        within(lambda: readers() == [])
        collector.book(export(chat(300, 1)))
        assert readers() == []
    with connect(dsn, "reader") as reading:
        assert one(reading, "select count(*) from ledger.calls where status = 'booked'") == 200


def readers() -> list[psutil.Process]:
    """The reading processes that this one has started."""
    return [child for child in psutil.Process().children() if "collector.reader" in " ".join(_command(child))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def within(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
