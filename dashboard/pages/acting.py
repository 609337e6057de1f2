"""What the act bar does: to the alerts that are ticked, or the one alert or finding shown."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

from dash import ALL, Input, Output, State, ctx, no_update, set_props

from dashboard import acts, formats
from dashboard import filters as views
from dashboard.books import BooksUnavailable
from dashboard.components.act_bar import BUTTONS, CHOOSE, GROUNDS, LASTS, MUTES
from dashboard.components.panel import View
from dashboard.pages.page import Shell

Row = dict[str, object]
_ACTS_AT_ONCE = 500
_DONE = {
    "acknowledge": "acknowledged",
    "mute": "muted",
    "resolve": "resolved",
    "reopen": "reopened",
    "note": "noted",
    "dismiss": "dismissed",
    "restore": "restored",
}


def register(shell: Shell) -> None:
    """Tie the bar to the collector."""
    _say_what_is_chosen(shell)
    _act(shell)


def _say_what_is_chosen(shell: Shell) -> None:
    @shell.app.callback(
        Output("act-chosen", "children"),
        Output("act-bar", "className"),
        Input({"type": "grid", "name": ALL}, "selectedRows"),  # also when tables come and go with another address
        State("url", "search"),  # as an input it would ask for the bar while another page takes its place
    )
    def chosen(selected: list[list[Row] | None], search: str | None) -> tuple[str, str]:
        filters = views.parse(search)
        if filters.finding is not None:
            return "This finding:", "act-bar of-finding"
        if filters.alert is not None:
            return "This alert:", "act-bar"
        count = len(_ticked(selected))
        return (f"{formats.count(count, 'alert')} ticked:", "act-bar") if count else (CHOOSE, "act-bar idle")


def _act(shell: Shell) -> None:
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
        State("act-ground", "value"),
        State("act-lasts", "value"),
        State("act-until", "value"),
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
        ground: str | None,
        lasts: str | None,
        day: str | None,
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
        missing = acts.refused_here() or _missing(what, targets, name, note)
        if missing:
            return missing, no_update, no_update
        more = asked_with(what, shell.clock(), length=length, ground=ground, lasts=lasts, day=day)
        answers = [(target, acts.act(shell.collector, target, what, who=name, note=note, more=more)) for target in targets]
        shell.books.recent.forget()  # what was done must be seen at once
        failed = [(target, reason) for target, reason in answers if reason]
        if _ticked(selected) and not failed:
            set_props({"type": "grid", "name": "alerts"}, {"selectedRows": []})
        return told(what, targets, failed, more), note if failed else "", (ticks or 0) + 1


def asked_with(
    what: acts.Act, now: datetime, *, length: str | None, ground: str | None, lasts: str | None, day: str | None
) -> dict[str, object]:
    """What is asked besides who and why: until when, and of a dismissal what it is. A day that was chosen wins over a length."""
    until = None if not day else datetime.fromisoformat(day[:10]).replace(tzinfo=UTC)
    if what == "mute":
        return {"until": (until or now + MUTES.get(length or "4h", MUTES["4h"])[1]).isoformat()}
    if what == "dismiss":
        _, holds, grown_by = LASTS.get(lasts or "good", LASTS["good"])
        until = until or (now + holds if holds else None)
        said: dict[str, object] = {"ground": ground if ground in GROUNDS else "intended"}
        if until is not None:
            return {**said, "until": until.isoformat()}
        return {**said, "grown_by": grown_by} if grown_by else said
    return {}


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
    if what == "dismiss" and not (note or "").strip():
        return "Nothing was done: write why in the note, it is kept with the dismissal."
    return None


def told(what: acts.Act, targets: list[acts.Target], failed: list[tuple[acts.Target, str]], more: Mapping[str, object]) -> str:
    """What was done, and of what was not the first with its reason."""
    noun = targets[0].kind.removesuffix("s")
    said = f"{formats.count(len(targets) - len(failed), noun)} {_DONE[what]}"
    until = more.get("until")
    said += f" until {datetime.fromisoformat(until):%Y-%m-%d %H:%M} UTC" if isinstance(until, str) else ""
    if not failed:
        return f"{said}."
    target, reason = failed[0]
    return f"{said}; {len(failed):,} not, the first of them {target.number} of {target.tenant}: {reason.rstrip('.')}."
