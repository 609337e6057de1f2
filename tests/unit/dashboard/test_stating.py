"""Forms, the menu of views and what alerts are drawn from: pure functions of what was typed and of frames."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast

import pytest

from dashboard import filters as views
from dashboard.acts import Refused
from dashboard.books import Books
from dashboard.components.form import Field, fields_of, form_bar
from dashboard.components.panel import View
from dashboard.components.views_menu import listed
from dashboard.figures.against import Series, against
from dashboard.frame import Frame
from dashboard.pages.alert_evidence import budget_series, share_series, spend_series
from dashboard.pages.channel import test_said as said_of_test
from dashboard.pages.channel_fields import KINDS, fields, is_secret, stated
from dashboard.pages.dismissed import dismissal_said, until_said
from dashboard.pages.rule import fields as rule_fields
from dashboard.pages.stating import Asked, Done, Value, length_said, shown
from dashboard.queries import statement
from dashboard.saved_views import wanted

NOW = datetime(2026, 3, 14, 13, 26, tzinfo=UTC)
HOUR = timedelta(hours=1)


def asked(**values: Value) -> Asked:
    view = View(cast(Books, None), views.Filters(), NOW, "/channel", "")
    return Asked("save", "ann", values, view)


# ── forms ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_refusal_stands_beside_its_field() -> None:
    names = ["name", "url"]
    assert shown(Refused("'x' is no address", "url"), names) == (
        [None, "'x' is no address"],
        "Nothing was done: see what is marked.",
    )
    assert shown(Refused("the database is away", "elsewhere"), names) == ([None, None], "Nothing was done: the database is away.")
    assert shown(Refused("Nothing was done: write your name."), names)[1] == "Nothing was done: write your name."
    assert shown(Done("Stated."), names) == ([None, None], "Stated.")


@pytest.mark.parametrize(
    ("length", "text"),
    [(None, ""), (timedelta(0), "0s"), (timedelta(seconds=90), "90s"), (timedelta(minutes=90), "90m"), (timedelta(days=2), "2d")],
)
def test_lengths_of_time_are_written_as_they_are_read(length: timedelta | None, text: str) -> None:
    assert length_said(length) == text


def test_a_form_has_a_control_for_each_kind_of_field() -> None:
    kinds = [
        Field("a", "A", value="1"),
        Field("b", "B", kind="choice", value="x", choices={"x": "X"}),
        Field("c", "C", kind="many", value=["x"], choices={"x": "X"}),
        Field("d", "D", kind="lines", placeholder="as it is stated"),
    ]
    drawn = str(fields_of("f", kinds))
    assert [name for name in ("TextInput", "MultiSelect", "Textarea") if f"{name}(" in drawn] == [
        "TextInput",
        "MultiSelect",
        "Textarea",
    ]
    assert "form-remove" in str(form_bar("f", {"remove": ("Remove", "for good")}))


def test_a_rules_fields_hold_what_is_in_force() -> None:
    row: dict[str, object] = {
        "rule": "unpriced_share", "tenant": None, "is_on": False, "severity": "warning", "open_at": Decimal("0.0200"),
        "close_at": Decimal("0.01"), "evidence_min": 50, "open_for": timedelta(0), "close_for": HOUR, "stay_for": 24 * HOUR,
        "renotify_every": 4 * HOUR, "grown_by": None,
    }  # fmt: skip
    values = {field.name: field.value for field in rule_fields(row, "")}
    assert values | {"is_on": "off", "open_at": "0.02", "stay_for": "1d", "renotify_every": "4h", "grown_by": ""} == values
    assert "tenant" in values
    assert "tenant" not in {field.name for field in rule_fields(row, "acme")}


STATED: dict[str, object] = {
    "tenant": None, "settings": {"url": "https://ops.example", "secret": "env:OPS", "headers": {"x-key": "env:KEY"}},
    "severity_min": "warning", "rules": ["delivery"], "tenants": None, "escalate_after": None, "group_for": timedelta(seconds=5),
    "give_up_after": timedelta(days=3),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(KINDS))
def test_secrets_are_not_shown_again(kind: str) -> None:
    settings = {"url": "env:SLACK", "secret": "env:OPS", "password": "file:/p", "headers": {"x": "env:K"}, "host": "smtp.example"}
    for field in fields(kind, STATED | {"settings": settings}, ["delivery"]):
        if is_secret(kind, field.name):
            assert (field.value, field.placeholder) == (None, "as it is stated")
    assert {field.name for field in fields(kind, None, [])} > {"name", "tenant", "severity", "rules"}


def test_what_is_typed_is_stated_as_a_file_would() -> None:
    typed = asked(
        url=" https://new.example ", secret="", headers="", severity="info", rules=[], tenants="", group_for="7s", page=""
    )
    assert stated(typed, "webhook", STATED) == {
        "kind": "webhook", "url": "https://new.example", "secret": "env:OPS", "headers": {"x-key": "env:KEY"}, "severity": "info",
        "group_for": "7s",
    }  # fmt: skip
    mail = asked(
        host="h", port="25x", to="a@b, c@d", security="tls", user="", password="env:P", tenants="acme, beta", rules=["x"]
    )
    assert stated(mail, "email", None) == {
        "kind": "email", "host": "h", "port": "25x", "security": "tls", "password": "env:P", "to": ["a@b", "c@d"],
        "rules": ["x"], "tenants": ["acme", "beta"],
    }  # fmt: skip
    lines = asked(url="http://a", headers="authorization: env:T\n\nx-b: file:/b:c", repeat_every_s="30")
    assert stated(lines, "alertmanager", None) == {
        "kind": "alertmanager", "url": "http://a", "repeat_every_s": 30,
        "headers": {"authorization": "env:T", "x-b": "file:/b:c"},
    }  # fmt: skip


def test_what_came_of_a_test_is_said() -> None:
    assert said_of_test({"result": None}, 3) == ("Asked whoever delivers to send a test…", True)
    assert said_of_test({"result": "sent", "answer": "200 ok"}, 3) == ("The receiver took the test: 200 ok", False)
    assert said_of_test({"result": "failed", "answer": "refused"}, 3) == ("The test was not taken: refused", False)
    assert said_of_test(None, 45)[0].startswith("Nobody has sent the test yet")


def test_views_are_asked_of_the_collector() -> None:
    assert wanted("save", "Mine", None, None, "/alerts?range=7d") == (
        "/v1/views",
        {"name": "Mine", "address": "/alerts?range=7d"},
    )
    assert wanted("rename", None, "Ours", "3", "/") == ("/v1/views/3/rename", {"name": "Ours"})
    assert wanted("remove", None, None, "3", "/") == ("/v1/views/3/remove", {})
    assert isinstance(wanted("remove", None, None, "../3", "/"), Refused)
    assert "None is saved yet." in str(listed([]))
    assert "saved by ann" in str(listed([{"name": "<b>", "address": "/", "made_by": "ann"}]))


# ── dismissals ───────────────────────────────────────────────────────────────────────────────────────


def test_a_dismissal_says_who_why_and_until_when() -> None:
    row: dict[str, object] = {
        "status": "dismissed", "dismissed_by": "ann", "dismissed_at": NOW, "dismissed_as": "intended",
        "dismissed_note": "promised",
        "dismissed_until": None, "dismissed_until_usd_per_day": None,
    }  # fmt: skip
    assert until_said(row) == "for good"
    both = row | {"dismissed_until": NOW, "dismissed_until_usd_per_day": Decimal(8)}
    assert until_said(both) == "until 2026-03-14 13:26 UTC or until it loses $8.00 a day"
    assert "Dismissed by ann on 2026-03-14 as intended, for good: " in str(dismissal_said(row))
    assert dismissal_said(row | {"status": "open"}) == []


def test_findings_that_count_are_neither_dismissed_nor_resolved() -> None:
    for search, said in (
        ("", "status in ('open', 'acknowledged')"),
        ("?status=dismissed", "status = 'dismissed'"),
        ("?status=muted", "status in ('open', 'acknowledged')"),
    ):
        assert said in statement("findings", views.parse(search), NOW).text
    assert "status" not in statement("findings", views.parse("?status=every"), NOW).text.partition("where")[2]


# ── alerts ───────────────────────────────────────────────────────────────────────────────────────────


def test_alerts_are_narrowed_by_age_and_words() -> None:
    filters = views.parse("?q=it%27s&age=7d&mode=cache_misuse")
    assert (filters.problems, filters.asked, filters.search()) == ((), {"age": "7d"}, "?mode=cache_misuse&q=it%27s&age=7d")
    text = statement("alerts", filters, NOW).text
    assert "opened_at < timestamptz '2026-03-07 13:26Z'" in text
    assert "lower('it''s')" in text
    assert "opened_at >= timestamptz '2026-03-13 13:26Z'" in statement("alerts", views.parse("?age=new"), NOW).text
    assert views.parse("?age=old").problems == ("age=old",)


def test_the_series_of_a_budget_begins_with_nothing_spent() -> None:
    columns = ("hour", "spent_usd", "limit_usd", "period_from", "period_until")
    rows = tuple((NOW + n * HOUR, Decimal(n), Decimal(3), NOW, NOW + 48 * HOUR) for n in (1, 2))
    series = budget_series(Frame(columns, rows))
    assert series is not None
    assert (list(series.values), series.limit, series.until) == ([0.0, 1.0, 2.0], 3.0, NOW + 48 * HOUR)
    assert budget_series(Frame(columns, ())) is None


def test_a_share_and_a_spend_are_held_against_where_they_are_wrong() -> None:
    shares = share_series(
        Frame(("hour", "share", "limit_share"), ((NOW, None, Decimal("0.02")), (NOW + HOUR, Decimal("0.5"), Decimal("0.02")))),
        "unpriced_share",
    )
    assert shares is not None
    assert (list(shares.values), shares.limit, shares.unit) == ([None, 0.5], 0.02, "share")
    spend = spend_series(Frame(("day", "usd", "usual_usd", "limit_usd"), ((NOW, Decimal(9), Decimal(2), Decimal(5)),)))
    assert spend is not None
    assert (list(spend.values), list(spend.usual or ()), spend.limit) == ([9.0], [2.0], 5.0)
    assert spend_series(Frame(("day",), ())) is None


def test_a_series_is_drawn_with_its_limit() -> None:
    series = Series("spent", [NOW, NOW + HOUR], [1.0, None], 3.0, "the budget", "usd", usual=[0.5, 0.6], until=NOW + 9 * HOUR)
    figure = against(series, "key")
    traces, layout = cast("list[dict[str, object]]", figure["data"]), cast("dict[str, object]", figure["layout"])
    assert [trace["name"] for trace in traces] == ["spent", "usual at this time of the week", "the budget"]
    assert traces[0]["customdata"] == ["$1.00", "not known"]
    assert traces[2]["x"] == ["2026-03-14 13:26:00", "2026-03-14 22:26:00"]
    assert cast("list[dict[str, object]]", layout["annotations"])[0]["text"] == "the budget: $3.00"
    bare = against(Series("share", [], [], None, "", "share"), "key")
    assert len(cast("list[object]", bare["data"])) == 1
