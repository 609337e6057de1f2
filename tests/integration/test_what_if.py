"""What a look was solved over is kept, and solved again under other limits: from the views, to the last digit."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest
from psycopg.rows import dict_row

from allocation import METHOD
from allocation.curve import curve_of
from allocation.period import Period
from allocation.stored import period_of
from allocation.what_if import Supposed, level_of, respond
from analyzers.prices.refresh import refresh_prices
from analyzers.prices.vector import look
from ledger.database import connect
from ledger.post import open_tenants
from ledger.price_vector import Limits, constrain
from tests.books import cloned, one, rows
from tests.decided import decide

N = 400


def kept(reader: psycopg.Connection) -> Period:
    with reader.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute("select * from ledger.price_periods").fetchone()
        options = cursor.execute("select * from ledger.price_alternatives order by comparison, place").fetchall()
    assert row is not None
    return period_of(row, options)


@pytest.fixture(scope="module")
def dsn(server: str, template: str) -> Iterator[str]:
    """Books that were looked at once, for all these tests: those that look again come last, and count from what is there."""
    with cloned(server, template, "pigou_what_if") as dsn:
        with connect(dsn, "owner") as owner, connect(dsn, "writer") as writer:
            decide(owner, N, v_usd=0.5)
            constrain(writer, "default", "code.fix", Limits(latency_s=Decimal(7)), "test")
            refresh_prices(writer)
        yield dsn


def looks(writer: psycopg.Connection) -> int:
    return int(one(writer, "select count(*) from pigou.price_solution"))


def test_the_period_that_is_kept_is_the_one_that_was_solved(writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    period, looked = kept(reader), look(writer, open_tenants(writer, ["default"])["default"])
    supposed = Supposed("latency_sla", "code.fix", 6.0)
    ours, theirs = respond(period, supposed), respond(looked.period, supposed)
    assert ours.before.found.rows == looked.found.rows
    assert ours.after.found.rows == theirs.after.found.rows
    assert (ours.gain, ours.after.taken, ours.as_it_was) == (theirs.gain, theirs.after.taken, theirs.as_it_was)
    stored = rows(
        reader, "select lambda_usd_per_s, lambda_low, lambda_high from ledger.price_vector where task_class = 'code.fix'"
    )
    lam = ours.before.found.rows[1].lam
    assert [float(one) for one in stored[0]] == pytest.approx([lam.value, lam.low, lam.high], rel=1e-11)


def test_a_limit_responds_along_its_curve(reader: psycopg.Connection) -> None:
    period = kept(reader)
    assert level_of(period, "latency_sla", "code.fix") == 7.0
    tight = Supposed("latency_sla", "code.fix", 5.0)
    response = respond(period, tight)
    curve = curve_of(period, tight, response)
    assert curve is not None
    assert response.gain.value == pytest.approx(curve.at(5.0), abs=1e-9)
    low, value, high = response.gain.low, response.gain.value, response.gain.high
    assert None not in (low, value, high)
    assert (low or 0) < (value or 0) < (high or 0) < 0
    frontier = next(one for one in response.after.found.allocation if one.option == "frontier")
    assert frontier.best == pytest.approx(N * 5 / 6, rel=1e-6)
    assert response.after.taken.latency_s.value == pytest.approx(5.0)
    assert (curve.least, curve.enough) == pytest.approx((4.0, 10.0), abs=1e-6)
    # Between them the frontier is bought by the second: one straight piece.
    assert [round(one.level, 3) for one in curve.points] == [4.0, 5.0, 7.0, 10.0]
    assert response.before.price.value == pytest.approx(curve.points[0].price, rel=1e-6)


def test_supposing_changes_nothing(reader: psycopg.Connection) -> None:
    before = rows(reader, "select count(*), max(revision) from ledger.price_vector")
    respond(kept(reader), Supposed("compute_budget", "*", 10.0))
    assert rows(reader, "select count(*), max(revision) from ledger.price_vector") == before


def test_prices_that_were_solved_in_another_way_are_looked_at_again(
    writer: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = looks(writer)
    refresh_prices(writer)
    assert rows(writer, "select count(*), min(method) from pigou.price_solution") == [(before, METHOD)]
    monkeypatch.setattr("analyzers.prices.refresh.METHOD", "of another version")
    refresh_prices(writer)
    assert looks(writer) == before + 1


def test_only_the_last_look_is_kept(writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    before = looks(writer)
    constrain(writer, "default", "code.fix", Limits(latency_s=Decimal(9)), "test")
    refresh_prices(writer)
    assert level_of(kept(reader), "latency_sla", "code.fix") == 9.0
    assert rows(reader, "select option, decisions from ledger.price_alternatives order by place")[0][0] == "cheap"
    assert rows(reader, "select count(*), sum(decisions) from ledger.price_alternatives") == [(2, N)]
    assert looks(writer) == before + 1
