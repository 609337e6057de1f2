"""Alerts from what is in the books: what each rule sees, one alert per subject, what people do with it, and its history."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from analyzers.alerts import evaluate
from analyzers.pipeline import run_round
from ledger.alerts import AlertError, act, set_rule
from ledger.budgets import Terms, set_budget
from ledger.database import connect
from ledger.queries import queries
from tests.books import AT, agent, chat, export, price, rows, run
from tests.desk import book

TENANT = "default"
NOON = AT + timedelta(hours=3)


def look(connection: psycopg.Connection, times: int = 3, since: datetime = NOON, every_s: float = 300) -> datetime:
    """Evaluate so often; answers when it was done last."""
    for number in range(times):
        evaluate(connection, since + timedelta(seconds=number * every_s))
    return since + timedelta(seconds=(times - 1) * every_s)


def alerts(connection: psycopg.Connection, columns: str = "rule, subject, state") -> list[tuple[Any, ...]]:
    return rows(connection, f"select {columns} from ledger.alerts order by tenant, alert_id")


def history(connection: psycopg.Connection, alert_id: int) -> list[tuple[Any, ...]]:
    return rows(
        connection,
        "select event, is_to_be_told, who, note from ledger.alert_events where alert_id = %s order by event_id",
        alert_id,
    )


def unpriced(dsn: str, calls: int, of: int, *, trace: int = 1, at: float = 0.0) -> None:
    book(dsn, [export(*(chat(trace, n + 1, model="m9" if n < calls else "m1", at=at) for n in range(of)))])


@pytest.fixture
def priced(dsn: str, writer: psycopg.Connection) -> str:
    price(writer)
    return dsn


# ── what each rule sees ──────────────────────────────────────────────────────────────────────────────


def test_nothing_is_wrong(priced: str, writer: psycopg.Connection) -> None:
    set_budget(writer, TENANT, "b", Terms(amount_usd=Decimal(1000), valid_from=AT), "test")
    unpriced(priced, 0, 60)
    evaluated = evaluate(writer, NOON)
    assert (evaluated.rules, evaluated.opened, evaluated.resolved) == (11, 0, 0)
    look(writer, 20, NOON + timedelta(hours=1))
    assert alerts(writer) == []
    assert rows(writer, "select * from pigou.alert_pending") == []


def test_calls_without_a_price(priced: str, writer: psycopg.Connection) -> None:
    unpriced(priced, 3, 60)
    look(writer)
    [found] = alerts(writer, "rule, subject, state, value, threshold, message, mend")
    assert found[:5] == ("unpriced_share", "calls", "open", Decimal("0.05"), Decimal("0.02"))
    assert found[5] == "3 of 60 calls of default in the past day have no price, so that their cost is unknown: m9"
    assert found[6] == "pigou sql \"select mend from ledger.suspense where tenant = 'default'\""


def test_calls_that_cannot_be_read(priced: str, writer: psycopg.Connection) -> None:
    book(priced, [export(*(chat(1, n + 1, input=5, cached=50 if n < 6 else 0) for n in range(60)))])
    look(writer)
    assert alerts(writer, "rule, subject, value") == [("suspense_share", "calls", Decimal("0.1"))]


def test_control_totals_that_differ(priced: str, writer: psycopg.Connection) -> None:
    parents = [agent(n, 1, input=100 if n < 20 else 99, output=10) for n in range(1, 23)]
    book(priced, [export(*parents, *(chat(n, 2, 1) for n in range(1, 23)))])
    look(writer)
    [(rule, value, message)] = alerts(writer, "rule, value, message")
    assert (rule, round(value, 4)) == ("control_difference", Decimal("0.1364"))
    assert message.startswith("3 of 22 parents of default in the past day say other totals")


@pytest.mark.parametrize(("amount", "rule", "value"), [("0.01", "budget_overrun", "1.8"), ("0.1", "budget_pace", "2.16")])
def test_budgets(priced: str, writer: psycopg.Connection, amount: str, rule: str, value: str) -> None:
    """Overrun as soon as it is seen; the pace when a twelfth of the time has gone and more than a twelfth of the amount."""
    ends = NOON + timedelta(hours=33)  # began three hours before noon
    set_budget(writer, TENANT, "b", Terms(amount_usd=Decimal(amount), period="total", valid_from=AT, valid_until=ends), "test")
    unpriced(priced, 0, 60)
    look(writer, 1 if rule == "budget_overrun" else 3, every_s=60)
    [found] = alerts(writer, "rule, subject, value, message, mend")
    assert found[:2] == (rule, "b")
    assert found[2] == pytest.approx(Decimal(value), rel=Decimal("0.05"))
    assert found[3].startswith("budget b of default: ")
    assert "--tenant 'default'" in found[4]


def test_books_that_do_not_balance(priced: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    unpriced(priced, 0, 5)
    owner.execute("update pigou.balance set debit_usd = debit_usd + 1 where debit_usd > 0")
    look(writer, 2)
    [found] = alerts(writer, "rule, subject, value, message")
    assert found == (
        "books_check",
        "trial balance",
        2,
        "the books of default do not balance: cash input_tokens, cash output_tokens",
    )


# ── silence ──────────────────────────────────────────────────────────────────────────────────────────


def arrive(owner: psycopg.Connection, service: str, weeks: float, until: datetime, when: str) -> None:
    """Arrivals of a service every five minutes of some weeks up to a moment, where a condition on `at` holds."""
    run(
        owner,
        "with piece as (select at from generate_series(%s::timestamptz - %s * interval '7 days', %s, '5 minutes') at"
        f"               where {when}),"
        " there as (insert into pigou.arrival select 1, %s, at from piece)"
        " insert into pigou.arrival_service select 1, %s, min(at), max(at) from piece",
        until, weeks, until, service, service,
    )  # fmt: skip
    owner.execute("analyze pigou.arrival")  # as autovacuum does where weeks of it came in


OFFICE = "extract(isodow from at) <= 5 and extract(hour from at) between 9 and 16"
MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)
FRIDAY = datetime(2026, 10, 30, 16, 55, tzinfo=UTC)


@pytest.mark.parametrize(
    ("service", "weeks", "until", "when", "asked", "missed"),
    [
        ("always", 3, MONDAY, "true", MONDAY + timedelta(minutes=9), None),  # the last arrival is not old
        ("always", 3, MONDAY, "true", MONDAY + timedelta(minutes=20), 3),
        ("always", 3, MONDAY, "true", MONDAY + timedelta(minutes=60), 11),
        ("office", 3, FRIDAY, OFFICE, FRIDAY + timedelta(hours=40), 0),  # the weekend
        ("office", 3, FRIDAY, OFFICE, MONDAY - timedelta(minutes=1), 0),
        ("office", 3, FRIDAY, OFFICE, MONDAY + timedelta(minutes=50), 10),
        ("new", 0.5, MONDAY, "true", MONDAY + timedelta(hours=20), 0),  # not there for a week: no rhythm is known
        ("half", 2, MONDAY, "at < '2026-10-26' or at > '2026-11-02 08:00'", MONDAY + timedelta(minutes=60), 5.5),
        ("gone", 3, MONDAY, "true", MONDAY + timedelta(days=32), 0),  # nobody expects it any more
    ],
)  # fmt: skip
def test_silence_is_measured_by_a_services_own_rhythm(
    dsn: str,
    writer: psycopg.Connection,
    owner: psycopg.Connection,
    service: str,
    weeks: float,
    until: datetime,
    when: str,
    asked: datetime,
    missed: float | None,
) -> None:
    price(writer, tenant=TENANT)
    arrive(owner, service, weeks, until, when)
    found = writer.execute(queries("analyzers", "alert_rules")["ingest_silence"], {"now": asked}).fetchall()
    assert [float(round(row[2], 2)) for row in found] == ([] if missed is None else [missed])


def test_a_service_that_fell_silent(dsn: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    price(writer, tenant=TENANT)
    arrive(owner, "agents", 3, MONDAY, "true")
    look(writer, 12, MONDAY)
    [found] = alerts(writer, "rule, subject, state, value, message")
    assert found[:3] == ("ingest_silence", "agents", "open")
    assert found[3] >= 6
    assert "nothing arrived from service agents of default since 2026-11-02 09:00:00+00" in found[4]
    owner.execute("update pigou.arrival_service set last_at = %s", [MONDAY + timedelta(days=2)])
    look(writer, 3, MONDAY + timedelta(days=2))
    assert alerts(writer, "state") == [("resolved",)]


def test_arrivals_are_noted_by_service_as_they_come(priced: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    """Noted on the clock from what was recorded since, and again without effect."""
    book(priced, [export(chat(1, 1), service="a"), export(chat(1, 2), service="b"), export(chat(1, 3), tenant="t", service="a")])
    noted = (
        "select tenant, service, count(*) > 0, max(arrived_at) > now() - interval '6 minutes'"
        "  from pigou.arrival join pigou.tenant using (tenant_id) group by 1, 2 order by 1, 2"
    )
    assert rows(writer, noted) == [("default", "a", True, True), ("default", "b", True, True), ("t", "a", True, True)]
    before = rows(writer, "select * from pigou.arrival_service order by 1, 2")
    owner.execute("delete from pigou.setting where setting = 'arrivals_noted'")
    evaluate(writer)
    assert rows(writer, "select * from pigou.arrival_service order by 1, 2") == before


# ── one alert per subject ────────────────────────────────────────────────────────────────────────────


def test_many_evaluations_of_one_condition_are_one_alert(priced: str, writer: psycopg.Connection) -> None:
    """Told when it opens, and at its interval while it lasts."""
    set_rule(writer, "unpriced_share", None, "test", renotify_every=timedelta(hours=4))
    unpriced(priced, 5, 60)
    look(writer, 400, every_s=150)
    [found] = alerts(writer, "state, evaluations, notifications")
    assert found == ("open", 400, 5)
    assert [event[0] for event in history(writer, 1)] == ["opened", *["told again"] * 4]


def test_a_rule_that_is_not_due_is_not_evaluated(priced: str, writer: psycopg.Connection) -> None:
    assert evaluate(writer, NOON).rules == 11
    assert evaluate(writer, NOON).rules == 0
    assert evaluate(writer, NOON + timedelta(seconds=10)).rules == 2
    assert evaluate(writer, NOON + timedelta(seconds=61)).rules == 9


def test_several_clocks_at_once_open_one_alert(priced: str, writer: psycopg.Connection) -> None:
    unpriced(priced, 5, 60)

    def clock(number: int) -> None:
        with connect(priced, "writer") as connection:
            look(connection, 5, NOON + timedelta(seconds=number))

    with ThreadPoolExecutor(4) as clocks:
        list(clocks.map(clock, range(4)))
    assert alerts(writer) == [("unpriced_share", "calls", "open")]
    assert history(writer, 1)[0] == ("opened", True, None, None)


def test_the_database_holds_one_alert_per_subject(priced: str, writer: psycopg.Connection) -> None:
    unpriced(priced, 5, 60)
    look(writer)
    with pytest.raises(psycopg.errors.UniqueViolation):
        writer.execute(
            "insert into pigou.alert select tenant_id, 99, rule, subject, state, opened_at, last_seen_at, quiet_since, quiet,"
            " resolved_at, muted_until, notified_at, notifications, evaluations, value, threshold, message, mend from pigou.alert"
        )


def test_what_ends_resolves_and_what_comes_back_is_another_alert(priced: str, writer: psycopg.Connection) -> None:
    unpriced(priced, 5, 60)
    at = look(writer)
    at = look(writer, 15, at + timedelta(hours=25))  # the calls are older than a day now
    assert alerts(writer, "state, quiet_since is null") == [("resolved", False)]
    assert [event[:2] for event in history(writer, 1)] == [("opened", True), ("resolved", True)]
    unpriced(priced, 5, 60, trace=2, at=(at - AT).total_seconds())
    look(writer, 3, at + timedelta(minutes=5))
    assert alerts(writer, "alert_id, state, former_alert_id") == [(1, "resolved", None), (2, "open", 1)]
    assert history(writer, 2) == [("reopened", True, None, None)]


def test_alerts_of_tenants_are_told_apart(priced: str, writer: psycopg.Connection) -> None:
    for tenant in ("a", "b"):
        book(priced, [export(*(chat(1, n, model="m9") for n in range(1, 51)), tenant=tenant)])
    look(writer)
    assert alerts(writer, "tenant, alert_id, rule") == [("a", 1, "unpriced_share"), ("b", 1, "unpriced_share")]
    with pytest.raises(AlertError, match="several tenants have an alert 1: a, b"):
        act(writer, 1, "acknowledged", who="ann")
    assert act(writer, 1, "acknowledged", who="ann", tenant="b") == "b"
    assert alerts(writer, "tenant, state") == [("a", "open"), ("b", "acknowledged")]


def test_the_clock_evaluates(priced: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    """In its round, by the real time: calls of now."""
    unpriced(priced, 5, 60, at=(datetime.now(UTC) - AT).total_seconds())
    for _ in range(3):
        owner.execute("delete from pigou.setting where setting like 'alerts_evaluated%'")
        run_round(writer)
    assert ("unpriced_share", "calls", "open") in alerts(writer)


# ── what people do ───────────────────────────────────────────────────────────────────────────────────


def test_acknowledged_and_muted_ones_are_not_told_again(priced: str, writer: psycopg.Connection) -> None:
    unpriced(priced, 5, 60)
    at = look(writer)
    act(writer, 1, "acknowledged", who="ann", note="the price is asked for")
    at = look(writer, 30, at + timedelta(minutes=30), every_s=1800)
    assert history(writer, 1) == [("opened", True, None, None), ("acknowledged", False, "ann", "the price is asked for")]
    act(writer, 1, "muted", who="bob", until=datetime.now(UTC) + timedelta(days=400))
    look(writer, 3, at + timedelta(hours=1))
    assert alerts(writer) == [("unpriced_share", "calls", "muted")]
    writer.execute("update pigou.alert set muted_until = %s", [at])
    look(writer, 1, at + timedelta(hours=2))
    assert alerts(writer) == [("unpriced_share", "calls", "open")]
    assert [event[:3] for event in history(writer, 1)[2:]] == [("muted", False, "bob"), ("unmuted", True, None)]


def test_resolved_by_hand_and_still_wrong_opens_again(priced: str, writer: psycopg.Connection) -> None:
    unpriced(priced, 5, 60)
    at = look(writer)
    act(writer, 1, "resolved", who="ann", note="priced")
    assert alerts(writer, "state, resolved_at is null") == [("resolved", False)]
    look(writer, 3, at + timedelta(minutes=5))
    assert alerts(writer, "alert_id, state, former_alert_id") == [(1, "resolved", None), (2, "open", 1)]
    with pytest.raises(AlertError, match="alert 1 of default is resolved already"):
        act(writer, 1, "acknowledged", who="ann")


def test_what_cannot_be_done(writer: psycopg.Connection) -> None:
    with pytest.raises(AlertError, match="there is no alert 7 of t"):
        act(writer, 7, "resolved", who="ann", tenant="t")
    with pytest.raises(AlertError, match="until a time to come"):
        act(writer, 7, "muted", who="ann", until=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(AlertError, match="there is no rule 'x'"):
        set_rule(writer, "x", None, "test", open_at=Decimal(1))
    with pytest.raises(AlertError, match="above where it opens"):
        set_rule(writer, "unpriced_share", None, "test", close_at=Decimal(1))
    with pytest.raises(AlertError, match="alert_rule_times_are_not_negative"):
        set_rule(writer, "unpriced_share", None, "test", renotify_every=timedelta(0))


def test_a_tenants_own_thresholds(priced: str, writer: psycopg.Connection) -> None:
    assert set_rule(writer, "unpriced_share", "default", "test", open_at=Decimal("0.1")) == 1
    assert set_rule(writer, "unpriced_share", "default", "test", evidence_min=10) == 2
    for tenant in ("default", "other"):
        book(priced, [export(*(chat(1, n, model="m9" if n < 4 else "m1") for n in range(1, 61)), tenant=tenant)])
    look(writer)
    assert alerts(writer, "tenant, rule") == [("other", "unpriced_share")]
    assert rows(writer, "select revision, open_at, evidence_min from ledger.alert_rules where tenant = 'default' order by 1") == [
        (1, Decimal("0.1"), 50), (2, Decimal("0.1"), 10),
    ]  # fmt: skip
    assert set_rule(writer, "unpriced_share", None, "test", is_on=False) == 2
    look(writer, 1, NOON + timedelta(hours=1))
    assert alerts(writer, "tenant, state") == [("other", "resolved")]
    assert history(writer, 1)[-1] == ("resolved", False, None, "the rule is off")


@pytest.mark.parametrize("table", ["alert_rule", "alert_event"])
def test_history_is_append_only(priced: str, writer: psycopg.Connection, owner: psycopg.Connection, table: str) -> None:
    unpriced(priced, 5, 60)
    look(writer)
    for connection in (writer, owner):
        for change in (f"update pigou.{table} set tenant_id = 5", f"delete from pigou.{table}", f"truncate pigou.{table}"):
            with pytest.raises((psycopg.errors.RestrictViolation, psycopg.errors.InsufficientPrivilege)):
                run(connection, change)
