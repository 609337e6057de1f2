"""`pigou budgets` and `pigou alerts` as they are typed: what they print, and how they refuse."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from analyzers.alerts import evaluate
from ledger.budgets import hold, release
from ledger.post import open_tenants
from tests.books import AT, chat, export, price, rows
from tests.desk import book
from tests.typed import Typed


def table(output: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(output)))


SET = ("budgets", "set", "team", "--tenant", "default")


def test_a_list_says_of_which_calls_and_days_each_is(pigou: Typed) -> None:
    assert pigou(*SET, "--amount", "5.10", "--period", "day")[0] == 0
    terms = ("--tenant", "default", "--amount", "7", "--period", "week", "--zone", "Europe/Berlin")
    scope = ("--agent", "coder", "--layer", "action", "--use", "act", "--model", "m1", "--task-class", "fix")
    assert pigou("budgets", "set", "one", *terms, *scope)[0] == 0
    listed = table(pigou("budgets", "list", "--format", "csv")[1])
    assert [(row["budget"], row["scope"], row["time_zone"], row["amount_usd"]) for row in listed] == [
        ("one", "layer action, use act, agent coder, model m1, tasks fix", "Europe/Berlin", "7"),
        ("team", "all calls", "UTC", "5.1"),
    ]


def test_a_budget_is_stated_changed_and_listed(pigou: Typed, dsn: str, writer: psycopg.Connection) -> None:
    price(writer)
    assert pigou(*SET, "--amount", "5", "--period", "total", "--from", "2026-11-02T00:00", "--model", "m1") == (
        0, "default: budget team stated\n", "",
    )  # fmt: skip
    assert pigou(*SET, "--amount", "6") == (0, "default: budget team changed, revision 2\n", "")
    book(dsn, [export(chat(1, 1), chat(1, 2, model="m2"))])
    [listed] = table(pigou("budgets", "list", "--format", "csv")[1])
    assert (listed["budget"], Decimal(listed["amount_usd"]), Decimal(listed["spent_usd"]), listed["period_until"]) == (
        "team", 6, Decimal("0.0003"), "",
    )  # fmt: skip
    assert (listed["scope"], listed["period"], listed["time_zone"]) == ("model m1", "total", "UTC")
    assert (listed["amount_usd"], listed["spent_usd"]) == ("6", "0.0003")
    assert pigou(*SET, "--model", "*", "--until", "2099-01-01")[0] == 0
    [listed] = table(pigou("budgets", "list", "--tenant", "default", "--format", "csv")[1])
    assert (listed["unpriced_calls"], listed["period_until"]) == ("1", "2099-01-02 00:00:00+00")
    assert pigou(*SET, "--until", "never")[0] == 0
    assert table(pigou("budgets", "list", "--format", "csv")[1])[0]["period_until"] == ""
    assert pigou("budgets", "list", "--tenant", "defualt") == (
        2,
        "",
        "pigou: there is no tenant 'defualt'; did you mean default?\n",
    )
    assert pigou("budgets", "show", "taem") == (2, "", "pigou: no period of a budget taem has calls; did you mean team?\n")
    shown = table(pigou("budgets", "show", "team", "--format", "csv")[1])
    assert [(row["revision"], row["model"], row["calls"]) for row in shown] == [("2", "m1", "1"), ("3", "", "2"), ("4", "", "2")]


def test_a_budget_that_counts_nothing_says_so(pigou: Typed, dsn: str) -> None:
    """Providers answer with dated names, which is how calls report their model: a budget of the plain name is never spent."""
    assert pigou(*SET, "--amount", "5", "--model", "gpt-4o", "--agent", "fixer")[2] == ""
    book(dsn, [export(chat(1, 1, model="gpt-4o-2024-11-20"))])
    said = "pigou: it counts nothing yet: no call of default is of"
    code, out, err = pigou(*SET, "--amount", "6")
    assert (code, out) == (0, "default: budget team changed, revision 2\n")
    assert err == f"{said} agent fixer; there is none yet\n{said} model gpt-4o; did you mean gpt-4o-2024-11-20?\n"
    assert pigou(*SET, "--model", "gpt-4o-2024-11-20", "--agent", "*")[2] == ""


def test_holds_are_listed(pigou: Typed, writer: psycopg.Connection) -> None:
    pigou(*SET, "--amount", "5")
    for hold_id in ("a", "b"):
        hold(writer, "default", "team", hold_id, Decimal(1), 600)
    release(writer, "default", "team", "a")
    listed = table(pigou("budgets", "holds", "--format", "csv")[1])
    assert [(row["hold_id"], row["state"]) for row in listed] == [("b", "held")]
    listed = table(pigou("budgets", "holds", "--budget", "team", "--ended", "--format", "csv")[1])
    assert [(row["hold_id"], row["state"]) for row in listed] == [("a", "released"), ("b", "held")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--amount", "much"), "--amount 'much' is no amount; write USD as in 250 or 0.50"),
        (("--amount", "-1"), "budget team: -1 is no amount"),
        ((), "budget team has no amount yet; give one, in USD"),
        (("--amount", "1", "--period", "year"), "period 'year' is none of day, week, month, total"),
        (("--amount", "1", "--zone", "Mars"), "there is no time zone 'Mars'; name one as in Europe/Berlin"),
        (("--amount", "1", "--until", "soon"), "--until: 'soon' is not a day"),
        (("--amount", "1", "--from", "25:00"), "--from: '25:00' is not a time"),
    ],
)
def test_a_budget_that_cannot_be(pigou: Typed, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = pigou(*SET, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.fixture
def alert(dsn: str, writer: psycopg.Connection) -> str:
    """An alert with the number 1."""
    price(writer)
    book(dsn, [export(*(chat(1, n, model="m9") for n in range(1, 61)))])
    for minutes in (60, 65, 70):
        evaluate(writer, AT + timedelta(minutes=minutes))
    return "1"


def test_an_alert_is_listed_shown_and_acted_on(pigou: Typed, alert: str) -> None:
    [listed] = table(pigou("alerts", "list", "--format", "csv")[1])
    assert (listed["alert_id"], listed["rule"], listed["state"], listed["value"]) == ("1", "unpriced_share", "open", "1.0000")
    assert pigou("alerts", "ack", alert, "--note", "on it", "--who", "ann")[1] == "default: alert 1 acknowledged\n"
    assert pigou("alerts", "mute", alert, "--for", "2h", "--who", "ann")[1].startswith("default: alert 1 muted until ")
    muted = pigou("alerts", "mute", alert, "--until", "2999-01-02T03:00+02:00", "--who", "ann")[1]
    assert muted == "default: alert 1 muted until 2999-01-02 01:00 UTC\n"
    for either in ((), ("--for", "2h", "--until", "2999-01-02")):
        assert pigou("alerts", "mute", alert, *either)[0] == 2
    _, shown, _ = pigou("alerts", "show", alert)
    assert shown.startswith("default unpriced_share calls: muted\n60 of 60 calls of default in the past day have no price")
    assert "to mend it: pigou sql" in shown
    assert pigou("alerts", "resolve", alert, "--tenant", "default")[1] == "default: alert 1 resolved\n"
    assert table(pigou("alerts", "list", "--format", "csv")[1]) == []
    assert [row["state"] for row in table(pigou("alerts", "list", "--all", "--format", "csv")[1])] == ["resolved"]
    events = table(pigou("alerts", "show", alert, "--format", "csv")[1])
    assert [(row["event"], row["note"]) for row in events] == [
        ("opened", ""), ("acknowledged", "on it"), ("muted", ""), ("muted", ""), ("resolved", ""),
    ]  # fmt: skip
    assert events[1]["who"] == "ann"
    assert events[4]["who"] != ""


def test_thresholds_are_listed_and_changed(pigou: Typed, writer: psycopg.Connection) -> None:
    open_tenants(writer, ["acme"])
    changed = ("--open-at", "0.5", "--close-at", "0.1", "--renotify", "90m", "--stay-for", "2d", "--evidence", "5")
    assert pigou("alerts", "set", "unpriced_share", *changed)[1] == "unpriced_share for all: revision 2\n"
    assert pigou("alerts", "set", "unpriced_share", "--tenant", "acme", "--off")[1] == "unpriced_share for acme: revision 1\n"
    listed = [row for row in table(pigou("alerts", "rules", "--format", "csv")[1]) if row["rule"] == "unpriced_share"]
    assert [(row["tenant"], row["open_at"], row["renotify_every"], row["stay_for"], row["is_on"]) for row in listed] == [
        ("", "0.5", "01:30:00", "2 days", "t"), ("acme", "0.5", "01:30:00", "2 days", "f"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ack", "7"), "there is no alert 7; see `pigou alerts list --all`"),
        (("mute", "7", "--for", "long"), "'long' is no length of time; write 90s, 30m, 4h or 2d"),
        (("mute", "7", "--for", "0m"), "an alert is muted until a time to come"),
        (("set", "x", "--open-at", "1"), "there is no rule 'x'; see `pigou alerts rules`"),
        (("set", "unpriced_share", "--open-at", "NaN"), "'NaN' is no number"),
        (("set", "unpriced_share", "--close-at", "9"), "would close at 9, above where it opens"),
    ],
)
def test_what_cannot_be_done(pigou: Typed, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = pigou("alerts", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_showing_an_alert_that_is_not_there(pigou: Typed) -> None:
    assert pigou("alerts", "show", "7") == (1, "", "pigou: there is no alert 7; see `pigou alerts list --all`\n")


def test_a_day_begins_and_ends_where_the_days_of_the_budget_do(pigou: Typed, writer: psycopg.Connection) -> None:
    price(writer)
    days = ("--from", "2026-11-01", "--until", "2099-01-01")
    for zone, offset in (("UTC", 0), ("Europe/Berlin", 1), ("America/New_York", -5)):
        name = zone.rpartition("/")[2]
        assert (
            pigou("budgets", "set", name, "--tenant", "default", "--amount", "5", "--period", "total", "--zone", zone, *days)[0]
            == 0
        )
        began, ends = rows(writer, "select valid_from, valid_until from ledger.budgets where budget = %s", name)[0]
        summer = 1 if zone == "America/New_York" else 0  # its clocks go back in that night
        assert began == datetime(2026, 11, 1, tzinfo=UTC) - timedelta(hours=offset + summer), zone
        assert ends == datetime(2099, 1, 2, tzinfo=UTC) - timedelta(hours=offset), zone


def test_maintenance_of_a_day_begins_with_it(pigou: Typed, writer: psycopg.Connection) -> None:
    price(writer)
    assert pigou("maintenance", "plan", "--from", "2099-01-01", "--until", "2099-01-01")[:2] == (
        0, "maintenance 1 of all tenants, 2099-01-01 00:00 to 2099-01-01 23:59 UTC\n",
    )  # fmt: skip
