"""Findings: where dollars are lost by the rule of allocation, by failure mode, with what was looked at and is right."""

from dataclasses import replace
from typing import cast

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.marks import interval_bar
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.components.terms import term
from dashboard.filters import FINDING_DIMENSIONS, FINDING_STATES
from dashboard.pages.dismissed import until_said
from dashboard.pages.mode_words import MODES, mode_name
from dashboard.pages.page import Page
from dashboard.queries import ROWS_SHOWN

Row = dict[str, object]
_COLUMNS = (
    Column("sentence", "What is wrong", "sentence", 440, grow=3),
    Column("usd_per_day", "USD a day", "usd", 112, tooltip="What is lost, and so what the change would save"),
    Column("interval", "95 % interval", width=128, sortable=False),
    Column("spark", "By day", "spark", 90, sortable=False, tooltip="Dollars lost on each day it was looked at"),
    Column("mode_said", "Mode", width=148),
    Column("tenant", "Tenant", width=90),
    Column("since", "Since, UTC", "time", 160, tooltip="When it began to go wrong, by the world's clock"),
    Column("opened_at", "Found, UTC", "finding", 168),
    Column("status_said", "Status", width=164, tooltip="Unclear: no look of a day could say whether it goes on"),
    Column("task_class", "Task class", width=130),
    Column("agent", "Agent", width=100),
    Column("n", "Rests on, cases", "count", 130),
)
_DISMISSED = (  # of those that somebody wants left as they are: why, by whom, until when
    Column("dismissed_as", "Dismissed as", width=126),
    Column("dismissed_note", "Why", "sentence", 240, grow=2),
    Column("dismissed_by", "By", width=100),
    Column("holds_said", "Holds", width=170),
)
_LOOK_COLUMNS = (
    Column("sentence", "What was seen", "sentence", 480, grow=3),
    Column("verdict", "Verdict", width=160),
    Column("usd_per_day", "USD a day", "usd", 104),
    Column("interval", "95 % interval", width=150, sortable=False),
    Column("mode_said", "Mode", width=150),
    Column("n", "Rests on, cases", "count", 130),
    Column("segment", "Where", width=240),
    Column("looked_at", "Looked at, UTC", "time", 172),
    Column("tenant", "Tenant", width=100),
)


def headline(view: View) -> Children:
    """What the findings lose together, and how that changed within a week."""
    total = view.ask("findings_total").only()
    if not total["findings"]:
        return _nothing_found(view)
    amount = html.Strong(formats.usd_estimate(total["usd_per_day"], total["low"], total["high"]), className="number")
    said: Children = [
        amount,
        " a day recoverable ",
        html.Span(f"({formats.usd_interval(total['low'], total['high'])})", className="number"),
        f" in {formats.count(total['findings'], 'finding')}.",
    ]
    return [html.H1(said, className="headline"), html.P([_new(total), *_left_out(view)], className="change")]


def _new(total: Row) -> str:
    """How many of the findings were found within a week."""
    new = total["new_findings"]
    if not new:
        return "None of them was found within a week."
    if new == total["findings"]:
        return "All of them were found within a week." if new != 1 else "It was found within a week."
    said = formats.count(new, "of them was", "of them were")
    return f"{said} found within a week: {formats.usd(total['new_usd_per_day'])} a day."


def _left_out(view: View) -> Children:
    """What is dismissed, and so not in the sum."""
    row = next((row for row in view.ask("findings_by_status") if row["status"] == "dismissed"), None)
    if row is None:
        return []
    words = f"{formats.count(row['findings'], 'finding')} of {formats.usd(row['usd_per_day'])} a day"
    link = dcc.Link("dismissed", href=view.link(replace(view.filters, status="dismissed")), className="act")
    return [f" {words} {'is' if row['findings'] == 1 else 'are'} ", link, " and not in this sum."]


def _nothing_found(view: View) -> Children:
    looked = list(view.ask("looks_by_mode"))
    if not looked:
        return [
            html.H1("Nothing has been looked at yet.", className="headline"),
            html.P(
                ["The analyzers look for losses once traces are settled and appraised: ", html.Code("pigou appraise"), "."],
                className="change",
            ),
        ]
    places = sum(cast(int, row["places"]) for row in looked)
    judged = sum(cast(int, row["appraised"]) for row in looked)
    return [
        html.H1("No loss is found that stands out from chance and is worth acting upon.", className="headline"),
        html.P(f"{judged:,} of {formats.count(places, 'place')} looked at could be judged.", className="change"),
    ]


def modes(view: View) -> Children:
    """Each failure mode with its dollars, its findings and what it looked at."""
    found = {str(row["mode"]): row for row in view.ask("findings_by_mode")}
    looked = {str(row["mode"]): row for row in view.ask("looks_by_mode")}
    had_none = {str(row["mode"]) for row in view.ask("modes_that_looked")} - looked.keys()
    problems = {str(row["mode"]): str(row["problem"]) for row in view.ask("detection_problems")}
    reach = max((float(formats.number(row["high"]) or 0) for row in found.values()), default=0.0)
    order = sorted(MODES, key=lambda mode: -float(formats.number(found[mode]["usd_per_day"]) or 0) if mode in found else 0.0)
    head = html.Thead(
        html.Tr(
            [
                html.Th("Failure mode", scope="col"),
                html.Th(["USD a day, ", term("95 % interval")], scope="col", className="number"),
                html.Th("Findings", scope="col", className="number"),
                html.Th("Places looked at", scope="col", className="number"),
            ]
        )
    )
    places: dict[str, Children] = {mode: ["0"] if mode in had_none else _looked(looked.get(mode)) for mode in order}
    rows = [_mode(view, mode, found.get(mode), places[mode], problems.get(mode), reach) for mode in order]
    return [html.Div(html.Table([head, html.Tbody(rows)], className="options modes"), className="scrolls", tabIndex=0)]


def _mode(view: View, mode: str, found: Row | None, places: Children, problem: str | None, reach: float) -> Component:
    name, meaning = MODES[mode]
    link = dcc.Link(name, href=view.link(view.filters.only("mode", mode)), className="mode-link")
    amount: Children = ["–"]
    if found is not None:
        usd, low, high = found["usd_per_day"], found["low"], found["high"]
        amount = [
            f"{formats.usd_estimate(usd, low, high)} ({formats.usd_interval(low, high)})",
            interval_bar(usd, low, high, reach),
        ]
    return html.Tr(
        [
            html.Th([link, html.Small(f"Could not look: {problem}" if problem else meaning)], scope="row"),
            html.Td(amount, className="number"),
            html.Td("0" if found is None else f"{found['findings']:,}", className="number"),
            html.Td(places, className="number"),
        ]
    )


def _looked(looked: Row | None) -> Children:
    if looked is None:
        return ["not looked at yet"]
    unknown = cast(int, looked["places"]) - cast(int, looked["appraised"])
    said: Children = [f"{looked['places']:,}"]
    return [*said, html.Small(f"{unknown:,} could not be judged")] if unknown else said


def every_finding(view: View) -> Children:
    """The findings, those that lose most first; a click opens one."""
    by_status = {str(row["status"]): cast(int, row["findings"]) for row in view.ask("findings_by_status")}
    frame = view.ask("findings")
    choices = _statuses(view, by_status)
    if not len(frame):
        return [choices, nothing("No finding in this state in this time, with these filters.")]
    rows = [_row(row) for row in frame]
    columns = (*_COLUMNS[:3], *_DISMISSED, *_COLUMNS[3:]) if view.filters.status == "dismissed" else _COLUMNS
    grid = table("findings", columns, rows, row_key=("tenant", "finding_id"), opens="finding", sorted_by="-usd_per_day")
    whole = f"{formats.count(len(frame), 'finding')}." if len(frame) < ROWS_SHOWN else f"The {ROWS_SHOWN:,} that lose most."
    return [choices, grid, html.P(f"{whole} Click one for why it is believed and what to change.", className="note")]


def _statuses(view: View, by_status: dict[str, int]) -> Component:
    counting = by_status.get("open", 0) + by_status.get("acknowledged", 0)
    choices: list[tuple[str | None, str, int]] = [(None, "What counts", counting)]
    choices += [(status, status.capitalize(), by_status.get(status, 0)) for status in FINDING_STATES if status != "every"]
    choices.append(("every", "All", sum(by_status.values())))
    return html.Div(
        [
            dcc.Link(
                [label, html.Span(f"{findings:,}", className="count")],
                href=view.link(replace(view.filters, status=status)),
                className="choice here" if status == view.filters.status else "choice",
            )
            for status, label, findings in choices
        ],
        className="choices",
    )


def _row(row: Row) -> Row:
    days = cast("list[dict[str, float | None]] | None", row["days"]) or []
    return {
        **row,
        "days": None,
        "interval": formats.usd_interval(row["low"], row["high"]),
        "mode_said": mode_name(row["mode"]),
        "status_said": row["status"] if row["unclear_since"] is None else f"{row['status']}, unclear",
        "holds_said": until_said(row) if row["status"] == "dismissed" else None,
        "spark": ",".join(f"{day.get('usd') or 0:.4g}" for day in days[-28:]),
    }


def looks(view: View) -> Children:
    """Everything that was looked at last: what is right, and what could not be judged and why."""
    frame = view.ask("looks")
    if not len(frame):
        return [nothing("No place was looked at yet.")]
    words = {"not_enough_evidence": "not enough evidence", "not_identified": "not identified"}
    rows = [
        {
            **row,
            "verdict": words.get(str(row["status"]), _judged(row)),
            "interval": None if row["low"] is None else formats.usd_interval(row["low"], row["high"]),
            "mode_said": mode_name(row["mode"]),
        }
        for row in frame
    ]
    return [table("looks", _LOOK_COLUMNS, rows, row_key=("tenant", "mode", "segment"))]


def _judged(row: Row) -> str:
    if row["finding_id"] is not None:
        return "a finding"
    low = formats.number(row["low"])
    if low is None or low <= 0:
        return "no loss shown"
    return "not material" if row["is_discovery"] else "may be chance"


PAGE = Page(
    path="/findings",
    name="findings",
    label="Findings",
    key="f",
    dimensions=FINDING_DIMENSIONS,
    offers="finding_filter_values",
    panels=(
        Panel("findings_headline", "", headline, skeleton_px=90),
        Panel("findings", "Findings", every_finding, table="findings", skeleton_px=300),
        Panel("modes", "By failure mode", modes, "Click one to see only that.", table="findings_by_mode", skeleton_px=360),
        Panel(
            "looks",
            "Everything that was looked at",
            looks,
            "What is right is said, and what could not be judged.",
            table="looks",
            skeleton_px=300,
        ),
    ),
)
