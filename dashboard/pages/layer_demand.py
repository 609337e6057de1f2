"""The demand layer: what the router loses by what tasks are worth, what it could reach, and a menu in its place (eq. 4 and 5)."""

import re
from typing import cast

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats, theme
from dashboard.components.marks import graph, known_or, series_row
from dashboard.components.panel import Children, View, nothing
from dashboard.components.table import Column, table
from dashboard.figures import layers as figures
from dashboard.figures.heat import Cell, heat_map

Row = dict[str, object]
_NO_ROUTES = (
    "No router was found to lose anything here. Log the menu, the choice and its probability of each route"
    " (allocation.route.*, docs/telemetry.md), and outcomes of tasks: then it is judged."
)


def bands(view: View) -> Children:
    """Class × what tasks are worth: dollars of regret a day."""
    found = heat_map(view.ask("regret_by_band", limit=None))
    if not found.cells:
        return [nothing("No model was chosen in this time.")]
    body: list[Component] = []
    for task_class in found.task_classes:
        own = sorted((band for of, band in found.cells if of == task_class), key=_lower_edge)
        cells = [_band(view, task_class, band, found.cells[task_class, band]) for band in own]
        body.append(html.Tr([html.Th(known_or(task_class), scope="row"), *cells]))
    return [html.Div(html.Table(html.Tbody(body), className="heat"), className="scrolls", tabIndex=0)]


def _lower_edge(band: str) -> float:
    """Where a band of value begins, by its name; what begins with no number comes first, and what is not known last."""
    number = re.search(r"\d+(\.\d+)?", band)
    return float(number[0]) - (0.5 if band.startswith("below") else 0.0) if number else float("inf")


def _band(view: View, task_class: str | None, band: str, cell: Cell) -> Component:
    said = "–" if cell.usd is None else formats.usd_estimate(cell.usd, cell.low, cell.high)
    href = view.link(view.filters.without("layer").only("kind", "route").only("task_class", task_class), "/decisions")
    title = f"{cell.appraised:,} of {formats.count(cell.decisions, 'decision')} judged"
    shade = cast("dict[str, object]", {} if cell.open else {"--strength": f"{cell.strength * 100:.1f}%"})
    link = dcc.Link([said, html.Small(f"V {band}")], href=href, title=title)
    return html.Td(link, className="hatched" if cell.open else "shaded", style=shade)


def by_value(view: View) -> Children:
    """What a request lost against what its task was worth, by segment, with the bound of each."""
    frame = view.ask("route_segments", limit=None)
    judged = [row for row in frame if row["usd_each"] is not None]
    if not judged:
        return [nothing(_NO_ROUTES)]
    said = f"Regret of a request by what its task was worth, in {formats.count(len(judged), 'segment')}."
    drawing = graph("regret_by_value", figures.regret_by_value(frame, view.filters.search()), figures.CURVES_PX, said)
    standing = [row for row in judged if row["is_discovery"]]
    stand = "stands" if len(standing) == 1 else "stand"
    words = f"{len(standing)} of {formats.count(len(judged), 'segment')} {stand} out from chance, although many were looked at"
    rest = len(frame) - len(judged)
    unknown = f"; of {formats.count(rest, 'further one')} no number can be given" if rest else ""
    return [html.P(f"{words}{unknown}. All that was appraised, whatever the time shown.", className="note"), drawing]


def curve(view: View) -> Children:
    """What routers lost in sum since they were looked at, with the bound of their intervals."""
    frame = view.ask("regret_curve", limit=None)
    if not len(frame):
        return [nothing(_NO_ROUTES)]
    drawing = graph(
        "regret_curve", figures.regret_curves(frame, view.filters.search()), figures.CURVES_PX, "Regret in sum by day."
    )
    last = {(str(row["tenant"]), str(row["task_class"])): row for row in frame}
    named: list[Component] = []
    for place, (tenant, task_class) in enumerate(figures.classes_of(frame)[: figures.LINES_SHOWN]):
        row = last[tenant, task_class]
        lost, bound = (round(float(formats.number(row[name]) or 0), 2) for name in ("cumulative_usd", "cumulative_high_usd"))
        under = "Lost in sum, and its bound"
        named.append(
            series_row(theme.SERIES[place], f"{task_class}, {tenant}", formats.usd(lost), f"≤ {formats.usd(bound)}", under)
        )
    flat = "A line that goes flat is a router that has learnt; tries made to learn are in it."
    return [
        html.Div([drawing, html.Div(named, className="beside")], className="graph-beside"),
        html.P(flat, className="note"),
    ]


def frontier(view: View) -> Children:
    """Quality and risk against cost of the router today and of the rule."""
    frame = view.ask("frontier", limit=None)
    if not len(frame):
        return [nothing(_NO_ROUTES)]
    classes = figures.classes_of(frame)
    said = "Mean quality and mean risk against mean cost."
    drawing = graph("frontier", figures.frontier(frame, view.filters.search()), figures.FRONTIER_PX, said)
    named = [
        series_row(theme.SERIES[place], f"{task_class}, {tenant}", "", "")
        for place, (tenant, task_class) in enumerate(classes[: figures.LINES_SHOWN])
    ]
    return [html.Div([drawing, html.Div(named, className="beside")], className="graph-beside")]


def menu(view: View) -> Children:
    """Whether users would choose for themselves what is meant for them, and what that would leave them."""
    frame = view.ask("menus", limit=None)
    if not len(frame):
        return [nothing(f"There is no menu to check yet. {_NO_ROUTES}")]
    columns = (
        Column("task_class", "Task class", width=124, grow=1),
        Column("type", "Users worth", width=150),
        Column("v_usd", "V, USD", "usd", 90),
        Column("option", "Meant for them", width=160, grow=1),
        Column("full_price_usd", "Its full price, USD", "usd", 150, tooltip="C + λ·L + ρ·R: what all that it takes costs"),
        Column(
            "menu_price_usd", "Dearest that they pay, USD", "usd", 200, tooltip="at which each still takes what is meant for it"
        ),
        Column(
            "rent_usd", "Rent left to them, USD", "usd", 174, tooltip="since nobody can see that they are not the users below"
        ),
        Column("tenant", "Tenant", width=100),
    )
    rows = [
        {name: value for name, value in row.items() if name not in ("envies", "why")}
        for row in frame
        if row["option"] is not None
    ]
    said = [html.Li(_choosing(row), className="act" if row["envies"] else "") for row in frame if row["place"] in (1, None)]
    return [
        html.Ul(said, className="sentences"),
        table("menus", columns, rows, row_key=("tenant", "task_class", "place")),
        html.P("Prices are of a task; V, qualities and prices are means of what was appraised.", className="note"),
    ]


def _choosing(row: Row) -> str:
    name = f"{known_or(cast('str | None', row['task_class']))} ({row['tenant']})"
    if row["option"] is None:
        return f"{name}: no menu makes users choose for themselves: {row['why']}."
    envies = cast("list[str]", row["envies"])
    if not envies:
        return (
            f"{name}: at full prices all would choose for themselves what the rule means for them; no router is needed to guess."
        )
    return f"{name}: at full prices {'; '.join(envies)}."
