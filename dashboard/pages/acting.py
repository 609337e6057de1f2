"""What the act bar does: acknowledge, mute, resolve and note the alerts that are ticked, or the one alert or finding shown."""

from datetime import datetime
from typing import cast

from dash import ALL, Input, Output, State, ctx, no_update, set_props
from flask import request

from dashboard import acts, formats
from dashboard import filters as views
from dashboard.books import BooksUnavailable
from dashboard.components.act_bar import BUTTONS, CHOOSE, MUTES
from dashboard.components.panel import View
from dashboard.pages.page import Shell

Row = dict[str, object]
_ACTS_AT_ONCE = 500
_DONE = {"acknowledge": "acknowledged", "mute": "muted", "resolve": "resolved", "note": "noted"}


def register(shell: Shell) -> None:
    """Tie the bar to the collector."""

    @shell.app.callback(
        Output("act-chosen", "children"),
        Output("act-bar", "className"),
        Input({"type": "grid", "name": ALL}, "selectedRows"),
        Input("url", "search"),
    )
    def chosen(selected: list[list[Row] | None], search: str | None) -> tuple[str, str]:
        filters = views.parse(search)
        if filters.finding is not None:
            return "This finding:", "act-bar of-finding"
        if filters.alert is not None:
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
        what, name = pressed["act"], (who or "").strip()
        try:
            targets = _targets(shell, views.parse(search), _ticked(selected))
        except BooksUnavailable as error:
            return str(error), no_update, no_update
        missing = acts.refusal(request.host, request.headers.get("Sec-Fetch-Site")) or _missing(what, targets, name, note)
        if missing:
            return missing, no_update, no_update
        until = shell.clock() + MUTES.get(length or "4h", MUTES["4h"])[1] if what == "mute" else None
        answers = [(target, acts.act(shell.collector, target, what, who=name, note=note, until=until)) for target in targets]
        shell.books.recent.forget()  # what was done must be seen at once
        failed = [(target, reason) for target, reason in answers if reason]
        if _ticked(selected) and not failed:
            set_props({"type": "grid", "name": "alerts"}, {"selectedRows": []})
        return told(what, targets, failed, until), note if failed else "", (ticks or 0) + 1


def _ticked(selected: list[list[Row] | None]) -> list[Row]:
    return [row for rows in selected for row in rows or () if "alert_id" in row]


def _targets(shell: Shell, filters: views.Filters, ticked: list[Row]) -> list[acts.Target]:
    """The alert or finding of the address, else the alerts that are ticked."""
    view = View(shell.books, filters, shell.clock(), "", "")
    if filters.finding is not None:
        rows = view.ask("finding", values={"finding_id": str(filters.finding)})
        return [acts.Target("findings", str(row["tenant"]), filters.finding) for row in rows][:1]
    if filters.alert is not None:
        rows = view.ask("alert", values={"alert_id": str(filters.alert)})
        return [acts.Target("alerts", str(row["tenant"]), filters.alert) for row in rows][:1]
    return [acts.Target("alerts", str(row["tenant"]), int(cast(int, row["alert_id"]))) for row in ticked[:_ACTS_AT_ONCE]]


def _missing(what: str, targets: list[acts.Target], name: str, note: str | None) -> str | None:
    if not targets:
        return "Nothing was done: tick the alerts it is about."
    if not name:
        return "Nothing was done: write your name, it is kept in the history."
    if what == "note" and not (note or "").strip():
        return "Nothing was done: write the note first."
    return None


def told(what: acts.Act, targets: list[acts.Target], failed: list[tuple[acts.Target, str]], until: datetime | None) -> str:
    """What was done, and of what was not the first with its reason."""
    noun = targets[0].kind.removesuffix("s")
    said = f"{formats.count(len(targets) - len(failed), noun)} {_DONE[what]}"
    said += f" until {until:%Y-%m-%d %H:%M} UTC" if until is not None else ""
    if not failed:
        return f"{said}."
    target, reason = failed[0]
    return f"{said}; {len(failed):,} not, the first of them {target.number} of {target.tenant}: {reason.rstrip('.')}."
