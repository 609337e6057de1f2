"""What alerts show of what they measured: the series behind shares and spend, as the rules themselves measure them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from analyzers.alerts import evaluate
from dashboard.books import Books
from dashboard.filters import parse
from dashboard.frame import Frame
from dashboard.pages.alert_evidence import share_series, spend_series
from dashboard.queries import statement
from ledger.database import connect
from ledger.stated_channels import pause_channel
from tests.agent_traffic import fill
from tests.books import run
from tests.integration.delivering import channel, open_alert, state
from tests.page import database

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def dsn(server: str, template: str) -> Iterator[str]:
    """A week of traffic, and an alert of each rule whose series is drawn."""
    with database(server, template, "pigou_alert_evidence") as made:
        fill(made, NOW, traces=24)
        with connect(made, "writer") as writer:
            for rule, subject in (
                ("unpriced_share", "calls"),
                ("suspense_share", "calls"),
                ("control_difference", "control totals"),
                ("spend_anomaly", "agent fixer, past day"),
                ("spend_anomaly", "layer action, past hour"),
            ):
                if (
                    writer.execute("select 1 from ledger.alerts where rule = %s and subject = %s", (rule, subject)).fetchone()
                    is None
                ):
                    open_alert(writer, rule=rule, subject=subject)
        yield made


def asked(dsn: str, name: str, rule: str, subject: str) -> Frame:
    """A query of the alert of a rule and subject of acme."""
    with connect(dsn, "reader") as reader:
        found = reader.execute(
            "select alert_id from ledger.alerts where tenant = 'acme' and rule = %s and subject = %s", (rule, subject)
        ).fetchone()
    assert found is not None
    books = Books(dsn)
    try:
        return books.run(statement(name, parse("?tenant=acme"), NOW, values={"alert_id": str(found[0])}))
    finally:
        books.close()


@pytest.mark.parametrize(
    ("rule", "subject", "part", "whole", "source"),
    [
        ("unpriced_share", "calls", "unpriced_calls", "calls", "spend_hourly"),
        ("suspense_share", "calls", "suspense_calls", "calls", "spend_hourly"),
        (
            "control_difference",
            "control totals",
            "case when status = 'differs' then parents end",
            "parents",
            "control_totals_hourly",
        ),
    ],
)
def test_a_share_is_that_of_the_day_before_each_hour(
    dsn: str, rule: str, subject: str, part: str, whole: str, source: str
) -> None:
    frame = asked(dsn, "alert_share", rule, subject)
    last = list(frame)[-1]
    known = "status <> 'unchecked'" if source == "control_totals_hourly" else "true"
    query = f"""
        select coalesce(sum({part}), 0)::float8 / sum({whole})::float8, sum({whole})::bigint from ledger.{source}
         where tenant = 'acme' and hour >= %(hour)s - interval '1 day' and hour <= %(hour)s and {known}"""
    with connect(dsn, "reader") as reader:
        expected = reader.execute(query.encode(), {"hour": last["hour"]}).fetchone()
    assert expected is not None
    assert (float(str(last["share"])), last["looked_at"]) == (pytest.approx(expected[0]), expected[1])
    series = share_series(frame, rule)
    assert series is not None
    assert series.limit == 0.02


@pytest.mark.parametrize(
    ("subject", "where", "hours"),
    [("agent fixer, past day", "agent = 'fixer'", 24), ("layer action, past hour", "layer = 'action'", 1)],
)
def test_spend_is_that_of_the_same_hours_of_each_day(dsn: str, subject: str, where: str, hours: int) -> None:
    frame = asked(dsn, "alert_spend", "spend_anomaly", subject)
    rows = list(frame)
    assert 7 <= len(rows) <= 15, "as far as the books go"
    query = f"""
        select coalesce(sum(cost_usd), 0) from ledger.spend_hourly
         where tenant = 'acme' and {where} and hour >= %(day)s - make_interval(hours => {hours}) and hour < %(day)s"""
    with connect(dsn, "reader") as reader:
        for row in rows:
            assert reader.execute(query.encode(), {"day": row["day"]}).fetchone() == (row["usd"],)
    last, before = rows[-1], rows[-8]
    assert last["day"] == before["day"] + timedelta(days=7)  # pyright: ignore[reportOperatorIssue]  # times, as the query has them
    if len(rows) < 15:
        assert float(str(last["usual_usd"])) == pytest.approx(float(str(before["usd"])))
    assert rows[0]["usual_usd"] is None
    assert all(row["limit_usd"] is None for row in rows[:-1])
    series = spend_series(frame)
    assert series is not None
    assert len(series.times) == len(rows)


def test_a_paused_channel_is_no_alert(dsn: str) -> None:
    """Whoever pauses it knows that it takes nothing."""
    with connect(dsn, "owner") as owner:
        state(owner, channel("ops", url="http://127.0.0.1:9"))
        open_alert(owner, rule="books_check", subject="cash", tenant="acme")
        run(owner, "update pigou.channel_state set failing_since = now() - interval '2 hours', failures = 9")
        pause_channel(owner, "ops", None, "test", is_paused=True)
        evaluate(owner, NOW + timedelta(hours=1))
        assert _delivery_alerts(owner) == 0
        pause_channel(owner, "ops", None, "test", is_paused=False)
        run(owner, "update pigou.channel_state set failing_since = now() - interval '2 hours', failures = 9")
        evaluate(owner, NOW + timedelta(hours=2))
        assert _delivery_alerts(owner) == 1


def _delivery_alerts(connection: psycopg.Connection) -> int:
    found = connection.execute("select count(*) from ledger.alerts where rule = 'delivery' and state <> 'resolved'").fetchone()
    return found[0] if found else 0
