"""Alerts: what is wrong, since when and what to do; one of them with its history; and the rules and channels behind them."""

from dataclasses import replace
from datetime import datetime
from typing import cast

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dashboard import filters as views
from dashboard import formats
from dashboard.address import AGES
from dashboard.components.act_bar import act_bar
from dashboard.components.labelled import labelled
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.filters import ALERT_DIMENSIONS
from dashboard.pages import acting
from dashboard.pages.alert import alert, alert_deliveries, alert_history
from dashboard.pages.alert_evidence import absent, alert_cases, alert_series, alert_terms
from dashboard.pages.alert_words import evidence_said, for_all, meant, value_said
from dashboard.pages.mode_words import mode_name
from dashboard.pages.page import Page, Shell
from dashboard.pages.stating import length_said
from dashboard.queries import ROWS_SHOWN

Row = dict[str, object]
_COLUMNS = (
    Column("message", "What is wrong", "sentence", 440, grow=3),
    Column("severity", "Severity", "severity", 92),
    Column("state", "State", width=112),
    Column("value_said", "Value", width=120),
    Column("threshold_said", "Opens at", width=120),
    Column("opened_at", "Since, UTC", "alert", 162),
    Column("lasted", "For", width=80, sortable=False, tooltip="From when it opened until it was resolved, or until now"),
    Column("tenant", "Tenant", width=90),
    Column("rule_said", "Rule", width=140),
    Column("subject", "About", width=120),
)
_HOW = "Click one for what to do and its history; tick some to act upon them."
_SELECTION: dict[str, object] = {
    "rowSelection": {"mode": "multiRow", "checkboxes": True, "headerCheckbox": True, "enableClickSelection": False},
    "selectionColumnDef": {"pinned": "left", "width": 44},
}


def inbox(view: View) -> Children:
    """What is wrong in one sentence, the states as choices, and the alerts."""
    if view.filters.alert is not None:
        return absent()
    by_state = {str(row["state"]): row for row in view.ask("alerts_by_state")}
    frame = view.ask("alerts")
    said: Children = [html.H1(_headline(view, by_state), className="headline"), _states(view, by_state), _narrowing(view)]
    if not len(frame):
        return [*said, nothing("No alert in this state in this time, with these filters.")]
    grid = table(
        "alerts",
        _COLUMNS,
        [_row(view, row) for row in frame],
        row_key=("tenant", "alert_id"),
        options=_SELECTION,
        opens="alert",
    )
    whole = f"{formats.count(len(frame), 'alert')}."
    if len(frame) == ROWS_SHOWN:
        whole = f"The {ROWS_SHOWN:,} gravest; the CSV has every one."
    return [
        *said,
        grid,
        html.P(f"{whole} Click one for what to do and its history; tick some to act upon them.", className="note"),
    ]


def _headline(view: View, by_state: dict[str, Row]) -> str:
    unresolved = [row for state, row in by_state.items() if state != "resolved"]
    count = sum(cast(int, row["alerts"]) for row in unresolved)
    if not count:
        return "Nothing is wrong that a rule looks at."
    open_ones = cast(int, by_state["open"]["alerts"]) if "open" in by_state else 0
    critical = sum(cast(int, row["critical"]) for row in unresolved)
    oldest = min(cast(datetime, row["oldest_at"]) for row in unresolved)
    said = f"{formats.count(count, 'alert')} not resolved"
    said += f", {critical:,} of them critical" if critical else ""
    said += "; nobody looks after " + ("any of them" if open_ones == count else f"{open_ones:,}") if open_ones else ""
    return f"{said}; the oldest opened {formats.minutes_ago(oldest, view.now)}."


def _states(view: View, by_state: dict[str, Row]) -> Component:
    counts = {state: cast(int, row["alerts"]) for state, row in by_state.items()}
    unresolved = sum(alerts for state, alerts in counts.items() if state != "resolved")
    choices: list[tuple[str | None, str, int]] = [(None, "Not resolved", unresolved)]
    choices += [(state, state.capitalize(), counts.get(state, 0)) for state in ("open", "acknowledged", "muted", "resolved")]
    choices.append(("every", "All", sum(counts.values())))
    return html.Div(
        [
            dcc.Link(
                [label, html.Span(f"{alerts:,}", className="count")],
                href=view.link(replace(view.filters, status=state)),
                className="choice here" if state == view.filters.status else "choice",
            )
            for state, label, alerts in choices
        ],
        className="choices",
    )


def _narrowing(view: View) -> Component:
    """Words that are looked for in what alerts say, and how long they have been open."""
    sought = dmc.TextInput(
        id="alert-sought", value=view.filters.sought or "", placeholder="Search", size="xs", debounce=True, w=170
    )
    ages: list[tuple[str | None, str]] = [(None, "Of any age"), *((age, words.capitalize()) for age, (words, *_) in AGES.items())]
    links = [
        dcc.Link(
            words,
            href=view.link(view.filters.asking(age=age)),
            className="choice here" if age == view.filters.asked.get("age") else "choice",
        )
        for age, words in ages
    ]
    return html.Div([labelled(sought, "Search in what alerts say"), *links], className="choices narrowing")


def _row(view: View, row: Row) -> Row:
    ended = cast("datetime | None", row["resolved_at"]) or view.now
    return {
        **row,
        "message": _without_amounts(row),
        "lasted": formats.lasting(ended - cast(datetime, row["opened_at"])).replace("less than two minutes", "moments"),
        "value_said": value_said(row["rule"], row["value"]),
        "threshold_said": value_said(row["rule"], row["threshold"]),
        "rule_said": row["rule"] if row["mode"] is None else mode_name(row["mode"]),
    }


def _without_amounts(row: Row) -> object:
    """What an alert says; of a finding without its dollars and its day, which stand beside it."""
    said = str(row["message"])
    return said if row["mode"] is None else said.rpartition(f"; {row['tenant']}: $")[0] or said


def rules(view: View) -> Children:
    """When alerts open, are told again and resolve; a click opens one to be changed."""
    if view.filters.alert is not None:
        return absent()
    columns = (
        Column("rule", "Rule", "rule", 160, pinned=True),
        Column("meant", "What is looked at", "sentence", 320, grow=2),
        Column("opens_said", "Opens at", "sentence", 176),
        Column("closes_said", "Closes below", width=164),
        Column("severity", "Severity", "severity", 96),
        Column("whose", "For", width=80),
        Column("on_said", "On", width=62),
        Column("evidence_said", "At least", width=110, tooltip="How much must have been looked at for it to count"),
        Column("again_said", "Told again every", width=140),
        Column("source", "Stated by", width=150),
    )
    rows = [
        {
            **row,
            "meant": meant(row["rule"]),
            "evidence_said": evidence_said(row["rule"], row["evidence_min"]),
            "whose": for_all(row["tenant"]),
            "on_said": "on" if row["is_on"] else "off",
            "opens_said": _opens(row),
            "again_said": length_said(row["renotify_every"]),
            "closes_said": value_said(row["rule"], row["close_at"]),
        }
        for row in view.ask("alert_rules")
    ]
    return [
        table("alert_rules", columns, rows, row_key=("rule", "whose"), opens="rule"),
        html.P(
            "Click one to change it or to switch it off, for all tenants or for one. A change is a further revision.",
            className="note",
        ),
    ]


def _opens(row: Row) -> str:
    """Where a rule opens. Findings are held against what is material, before the rule looks at them."""
    material, opens = formats.number(row["material_usd_per_day"]), formats.number(row["open_at"])
    if material is not None and opens is not None and material > opens:
        return f"what is material: {value_said(row['rule'], material)}"
    return value_said(row["rule"], row["open_at"])


def channels(view: View) -> Children:
    """Who is told, and whether it arrives."""
    if view.filters.alert is not None:
        return absent()
    frame = view.ask("alert_channels")
    if not len(frame):
        return [
            nothing("Nobody is told of alerts yet: they are only shown here."),
            html.P(
                [_add(), ", or state many in a file: ", html.Code("pigou channels import channels.yaml"), "."],
                className="note",
            ),
        ]
    columns = (
        Column("channel", "Channel", "channel", 130, pinned=True),
        Column("kind", "Kind", width=110),
        Column("state", "State", width=124),
        Column("whose", "Hears of", width=140, grow=1),
        Column("severity_min", "From severity", width=110),
        Column("waiting", "Waiting", "count", 90),
        Column("dead", "Given up", "count", 90),
        Column("last_sent_at", "Last taken, UTC", "time", 172),
        Column("last_error", "Last error", width=200, grow=1),
        Column("tested", "Last test", width=200, grow=1),
    )
    grid = table("alert_channels", columns, [_channel(row) for row in frame], row_key=("channel", "whose"), opens="channel")
    return [grid, html.P(["Click one to change, test, pause or remove it. ", _add(), "."], className="note")]


def _add() -> Component:
    return dcc.Link("Add a channel", href="/channel", className="act")


def _channel(row: Row) -> Row:
    tenants = [str(name) for name in cast("list[str] | None", row["tenants"]) or ()]
    rules = [str(name) for name in cast("list[str] | None", row["rules"]) or ()]
    whose = str(row["tenant"]) if row["tenant"] is not None else ", ".join(tenants) or "all tenants"
    tested = None if row["tested_at"] is None else f"{row['test_result'] or 'under way'}: {row['test_answer'] or ''}".rstrip(": ")
    said = {"tested": tested, "whose": f"{whose}: {', '.join(rules)}" if rules else whose}
    return {**row, "tenants": None, "rules": None, **said}


def _register(shell: Shell) -> None:
    acting.register(shell)

    @shell.app.callback(
        Output("url", "search", allow_duplicate=True),
        Input("alert-sought", "value"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def seek(words: str | None, search: str | None) -> object:
        before = views.parse(search)
        after = replace(before, sought=(words or "").strip() or None)
        return no_update if after == before else after.search()


PAGE = Page(
    path="/alerts",
    name="alerts",
    label="Alerts",
    key="a",
    dimensions=ALERT_DIMENSIONS,
    offers="alert_filter_values",
    register=_register,
    around=lambda: [act_bar()],
    panels=(
        Panel("alert", "", alert, skeleton_px=110),
        Panel("alert_terms", "Why: the inequality, in dollars a day", alert_terms, table="alert_terms", skeleton_px=260),
        Panel("alert_cases", "Cases to look at", alert_cases, table="alert_cases", skeleton_px=160),
        Panel("alert_series", "What was measured, against its limit", alert_series, skeleton_px=240),
        Panel("alert_history", "What happened to it", alert_history, table="alert_history", skeleton_px=160),
        Panel("alert_deliveries", "Who was told", alert_deliveries, table="alert_deliveries", skeleton_px=160),
        Panel("alerts", "", inbox, table="alerts", skeleton_px=420),
        Panel(
            "alert_rules",
            "Rules in force",
            rules,
            "From which value on something is wrong.",
            table="alert_rules",
            skeleton_px=300,
        ),
        Panel("alert_channels", "Who is told", channels, table="alert_channels", skeleton_px=120),
    ),
)
