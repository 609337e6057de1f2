"""Spend by any two things: a table whose totals equal the sum, the largest by themselves and all others together."""

from collections.abc import Sequence

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dashboard import filters as views
from dashboard import formats
from dashboard.address import GROUPINGS, MEASURES
from dashboard.components.marks import graph
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, Kind, table
from dashboard.figures.pivot import Line, Pivot, pivot_of, say, stacked
from dashboard.filters import Window, describe
from dashboard.pages.page import Page, Shell
from dashboard.pieces import CROSS, TOP, is_time

_KINDS: dict[str, Kind] = {"cost": "usd", "calls": "count", "tokens": "tokens"}
_TOPS = ("5", "10", "20", "50")


def pivot(view: View) -> Children:
    """The controls, and the table they ask for."""
    rows, columns = (view.filters.asked.get("cross") or CROSS).split(",")
    measure = view.filters.asked.get("of", "cost")
    frame = view.ask("spend_pivot")
    controls = _controls(view, rows, columns, measure)
    if not len(frame):
        return [controls, nothing("No calls in this time.")]
    made = pivot_of(frame, measure)
    unpriced = sum(int(str(row["unpriced_calls"] or 0)) for row in frame)
    return [
        controls,
        html.P(_sum_said(view, made, measure, unpriced), className="note"),
        *_drawing(view, made, columns, measure),
        _table(made, GROUPINGS[rows], measure),
    ]


def _drawing(view: View, made: Pivot, columns: str, measure: str) -> list[Component]:
    """Bars where the columns are steps of time."""
    first = next((column.value for column in made.columns if column.value), None)
    if not is_time(columns) or first is None:
        return []
    window = view.window
    if window.since is None or window.until is None:
        window = Window(None, None)
    figure = stacked(made, window, columns, measure, view.filters.search())
    said = f"{MEASURES[measure]} per {columns}; the table below holds the same numbers."
    return [graph("spend_pivot", figure, 280, said)]


def _table(made: Pivot, of: str, measure: str) -> Component:
    kind = _KINDS[measure]
    columns = [Column("row", of, width=190, pinned=True), Column("total", "Sum", kind, 120)]
    columns += [Column(f"c{column.rank}", column.label, kind, 122) for column in made.columns]
    rows: list[dict[str, object]] = [
        {"rank": row.rank, "row": row.label, "total": made.of_row(row)} | _cells(made, row, made.columns) for row in made.rows
    ]
    total: dict[str, object] = {"row": "Sum", "total": made.whole}
    total |= {f"c{column.rank}": made.of_column(column) for column in made.columns}
    return table("spend_pivot", columns, rows, row_key=("rank", "row"), total=total)


def _cells(made: Pivot, row: Line, columns: Sequence[Line]) -> dict[str, object]:
    return {f"c{column.rank}": made.cells.get((row.rank, column.rank)) for column in columns}


def _sum_said(view: View, made: Pivot, measure: str, unpriced: int) -> str:
    unit = "" if measure == "cost" else f" {MEASURES[measure].lower()}"
    said = f"{say(made.whole, measure)}{unit} {describe(view.filters, view.now)}: the sum of every row, and of every column."
    if unpriced and measure == "cost":
        said += f" {formats.count(unpriced, 'call')} without a price are in no sum."
    return said


def _controls(view: View, rows: str, columns: str, measure: str) -> Component:
    choices = [{"value": name, "label": label} for name, label in GROUPINGS.items()]
    of = [_choice(view.link(view.filters.asking(of=name)), label, name == measure) for name, label in MEASURES.items()]
    top = view.filters.asked.get("top", TOP)
    tops = [_choice(view.link(view.filters.asking(top=number)), number, number == top) for number in _TOPS]
    swapped = view.link(view.filters.asking(cross=f"{columns},{rows}"))
    return html.Div(
        [
            dmc.Select(id="pivot-rows", data=choices, value=rows, label="Rows", size="xs", w=140, allowDeselect=False),
            dmc.Select(id="pivot-columns", data=choices, value=columns, label="Columns", size="xs", w=140, allowDeselect=False),
            dcc.Link("⇄ exchange", href=swapped, className="choice", title="Rows to columns and columns to rows"),
            html.Div([html.Span("of"), *of], className="choices"),
            html.Div([html.Span("largest"), *tops], className="choices"),
        ],
        className="give-line",
    )


def _choice(href: str, label: str, is_here: bool) -> Component:
    return dcc.Link(label, href=href, className="choice here" if is_here else "choice")


def _register(shell: Shell) -> None:
    @shell.app.callback(
        Output("url", "search", allow_duplicate=True),
        Input("pivot-rows", "value"),
        Input("pivot-columns", "value"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def regroup(rows: str | None, columns: str | None, search: str | None) -> object:
        before = views.parse(search)
        was = before.asked.get("cross") or CROSS
        if not rows or not columns or f"{rows},{columns}" == was:
            return no_update
        wanted = f"{rows},{columns}" if rows != columns else ",".join(reversed(was.split(",")))  # one chosen twice exchanges them
        return before.asking(cross=wanted).search()


PAGE = Page(
    path="/explore",
    name="explore",
    label="Explore",
    key="x",
    under="/spend",
    register=_register,
    panels=(Panel("spend_pivot", "Spend by any two things", pivot, table="spend_pivot", skeleton_px=620),),
)
