"""Alerts: what is wrong, since when and what to do; one of them with its history; and the rules and channels behind them."""

from dataclasses import replace
from datetime import datetime
from typing import cast

from dash import ALL, Input, Output, State, ctx, dcc, html, no_update, set_props
from dash.development.base_component import Component
from flask import request

from dashboard import acts, formats
from dashboard import filters as views
from dashboard.components.act_bar import BUTTONS, CHOOSE, MUTES, act_bar
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.filters import ALERT_DIMENSIONS
from dashboard.pages.alert import absent, alert, alert_deliveries, alert_history
from dashboard.pages.alert_words import for_all, value_said
from dashboard.pages.page import Page, Shell
from dashboard.queries import ROWS_SHOWN

Row = dict[str, object]
_ACTS_AT_ONCE = 500
_COLUMNS = (
    Column("message", "What is wrong", "sentence", 380, grow=3),
    Column("severity", "Severity", "severity", 96),
    Column("state", "State", width=116),
    Column("opened_at", "Since, UTC", "alert", 162),
    Column("lasted", "For", width=84, sortable=False, tooltip="From when it opened until it was resolved, or until now"),
    Column("value_said", "Value", width=150),
    Column("threshold_said", "Opens at", width=130),
    Column("tenant", "Tenant", width=100),
    Column("rule", "Rule", width=140),
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
    said: Children = [html.H1(_headline(view, by_state), className="headline"), _states(view, by_state)]
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


def _row(view: View, row: Row) -> Row:
    ended = cast("datetime | None", row["resolved_at"]) or view.now
    return {
        **row,
        "lasted": formats.lasting(ended - cast(datetime, row["opened_at"])).replace("less than two minutes", "moments"),
        "value_said": value_said(row["rule"], row["value"]),
        "threshold_said": value_said(row["rule"], row["threshold"]),
    }


def rules(view: View) -> Children:
    """When alerts open, are told again and resolve; a change is a further revision, made by command."""
    if view.filters.alert is not None:
        return absent()
    columns = (
        Column("rule", "Rule", width=160, pinned=True),
        Column("whose", "For", width=90),
        Column("on_said", "On", width=70),
        Column("severity", "Severity", "severity", 96),
        Column("opens_said", "Opens at", width=180, grow=1),
        Column("closes_said", "Closes below", width=180, grow=1),
        Column("evidence_min", "Evidence, at least", "count", 140, tooltip="How much must have been looked at for it to count"),
        Column("renotify_every", "Told again every", width=140),
        Column("source", "Stated by", width=150),
    )
    rows = [
        {
            **row,
            "whose": for_all(row["tenant"]),
            "on_said": "on" if row["is_on"] else "off",
            "opens_said": value_said(row["rule"], row["open_at"]),
            "closes_said": value_said(row["rule"], row["close_at"]),
        }
        for row in view.ask("alert_rules")
    ]
    return [
        table("alert_rules", columns, rows, row_key=("rule", "whose")),
        html.P(["To change one: ", html.Code("pigou alerts set RULE --open-at 0.05 --severity critical"), "."], className="note"),
    ]


def channels(view: View) -> Children:
    """Who is told, and whether it arrives."""
    if view.filters.alert is not None:
        return absent()
    frame = view.ask("alert_channels")
    if not len(frame):
        return [
            nothing("Nobody is told of alerts yet: they are only shown here."),
            html.P(
                ["State who is to be told in a file and import it: ", html.Code("pigou channels import channels.yaml"), "."],
                className="note",
            ),
        ]
    columns = (
        Column("channel", "Channel", width=130, pinned=True),
        Column("kind", "Kind", width=110),
        Column("state", "State", width=100),
        Column("whose", "Hears of", width=140, grow=1),
        Column("severity_min", "From severity", width=110),
        Column("waiting", "Waiting", "count", 90),
        Column("dead", "Given up", "count", 90),
        Column("last_sent_at", "Last taken, UTC", "time", 172),
        Column("last_error", "Last error", width=200, grow=1),
    )
    return [table("alert_channels", columns, [_channel(row) for row in frame], row_key=("channel", "whose"))]


def _channel(row: Row) -> Row:
    tenants = [str(name) for name in cast("list[str] | None", row["tenants"]) or ()]
    rules = [str(name) for name in cast("list[str] | None", row["rules"]) or ()]
    whose = str(row["tenant"]) if row["tenant"] is not None else ", ".join(tenants) or "all tenants"
    return {**row, "tenants": None, "rules": None, "whose": f"{whose}: {', '.join(rules)}" if rules else whose}


def _register(shell: Shell) -> None:
    @shell.app.callback(
        Output("act-chosen", "children"),
        Output("act-bar", "className"),
        Input({"type": "grid", "name": ALL}, "selectedRows"),
        Input("url", "search"),
    )
    def chosen(selected: list[list[Row] | None], search: str | None) -> tuple[str, str]:
        if views.parse(search).alert is not None:
            return "This alert:", "act-bar"
        count = len(_ticked(selected))
        return (f"{formats.count(count, 'alert')} ticked:", "act-bar") if count else (CHOOSE, "act-bar idle")

    @shell.app.callback(
        Output("act-said", "children"),
        Output("act-note", "value"),
        Output("tick", "n_intervals", allow_duplicate=True),
        Input({"type": "act", "act": ALL}, "n_clicks"),
        State({"type": "grid", "name": ALL}, "selectedRows"),
        State("url", "search"),
        State("act-who", "value"),
        State("act-note", "value"),
        State("act-length", "value"),
        State("tick", "n_intervals"),
        prevent_initial_call=True,
    )
    def press(
        _clicks: list[int | None],
        selected: list[list[Row] | None],
        search: str | None,
        who: str | None,
        note: str | None,
        length: str | None,
        ticks: int | None,
    ) -> object:
        pressed = cast("dict[str, str] | None", ctx.triggered_id)
        if pressed is None or pressed["act"] not in BUTTONS or not ctx.triggered[0]["value"]:
            return no_update, no_update, no_update
        what: acts.Act = pressed["act"]
        targets = _targets(views.parse(search), _ticked(selected))
        missing = acts.refusal(request.host, request.headers.get("Sec-Fetch-Site")) or _missing(what, targets, who, note)
        if missing:
            return missing, no_update, no_update
        until = shell.clock() + MUTES.get(length or "4h", MUTES["4h"])[1] if what == "mute" else None
        answers = [
            (target, acts.act(shell.collector, target, what, who=(who or "").strip(), note=note, until=until))
            for target in targets
        ]
        failed = [(target, reason) for target, reason in answers if reason]
        if _ticked(selected) and not failed:
            set_props({"type": "grid", "name": "alerts"}, {"selectedRows": []})
        return _told(what, len(targets), failed, until), note if failed else "", (ticks or 0) + 1


def _ticked(selected: list[list[Row] | None]) -> list[Row]:
    return [row for rows in selected for row in rows or () if "alert_id" in row]


def _targets(filters: views.Filters, ticked: list[Row]) -> list[acts.Target]:
    """The alert of the address, else those that are ticked."""
    tenants = filters.where.get("tenant", ())
    if filters.alert is not None:
        return [acts.Target(tenants[0], filters.alert)] if tenants and tenants[0] else []
    return [acts.Target(str(row["tenant"]), int(cast(int, row["alert_id"]))) for row in ticked[:_ACTS_AT_ONCE]]


def _missing(what: acts.Act, targets: list[acts.Target], who: str | None, note: str | None) -> str | None:
    if not targets:
        return "Nothing was done: tick the alerts it is about."
    if not (who or "").strip():
        return "Nothing was done: write your name, it is kept in the history."
    if what == "note" and not (note or "").strip():
        return "Nothing was done: write the note first."
    return None


def _told(what: acts.Act, whole: int, failed: list[tuple[acts.Target, str]], until: datetime | None) -> str:
    done = whole - len(failed)
    words = {"acknowledge": "acknowledged", "mute": "muted", "resolve": "resolved", "note": "noted"}
    said = f"{formats.count(done, 'alert')} {words[what]}"
    said += f" until {until:%Y-%m-%d %H:%M} UTC" if until is not None else ""
    if not failed:
        return f"{said}."
    target, reason = failed[0]
    return f"{said}; {len(failed):,} not, the first of them {target.alert_id} of {target.tenant}: {reason}."


PAGE = Page(
    path="/alerts",
    name="alerts",
    label="Alerts",
    dimensions=ALERT_DIMENSIONS,
    offers="alert_filter_values",
    register=_register,
    around=lambda: [act_bar()],
    panels=(
        Panel("alert", "", alert, skeleton_px=110),
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
