"""What is particular to a layer: the router's bands and frontier, autonomy, engines, caches and rollouts."""

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
from dashboard.frame import Frame

Row = dict[str, object]
_LOOKED = "Nothing of it is known yet: it is drawn of what the analyzers could judge."


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


def frontier(view: View) -> Children:
    """Quality against cost of the router today and of the rule."""
    frame = view.ask("frontier", limit=None)
    if not len(frame):
        return [nothing(_LOOKED)]
    classes = figures.classes_of(frame)
    drawing = graph(
        "frontier", figures.frontier(frame, view.filters.search()), figures.FRONTIER_PX, "Mean quality against mean cost."
    )
    named = [
        _named(theme.SERIES[place], task_class, tenant)
        for place, (tenant, task_class) in enumerate(classes[: figures.LINES_SHOWN])
    ]
    return [html.Div([drawing, html.Div(named, className="beside")], className="graph-beside")]


def _named(color: str, name: str, after: str) -> Component:
    return series_row(color, name, after, "")


def autonomy(view: View) -> Children:
    """Is against should, by class of action."""
    frame = view.ask("autonomy", limit=None)
    if not len(frame):
        return [nothing(_LOOKED)]
    columns = (
        Column("action_class", "Action", width=150, pinned=True),
        Column("tenant", "Tenant", width=100),
        Column("task_class", "Task class", width=150),
        Column("reversible", "Can be undone", width=120),
        Column("actions", "Actions", "count", 90),
        Column("now_said", "Confirmed today", width=220, grow=1),
        Column("recommended", "Should be", width=130),
        Column("basis", "By", width=160),
        Column("why", "Why", "sentence", 260, grow=2),
    )
    words = {True: "yes", False: "no"}
    rows = [
        {
            **row,
            "confirmed_now": None,
            "gain_usd": None,
            "reversible": words.get(cast(bool, row["is_reversible"]), "not known"),
            "now_said": _shares(row["confirmed_now"]),
            "basis": "what was appraised" if row["is_appraised"] else "what is usual",
        }
        for row in frame
    ]
    return [table("autonomy", columns, rows, row_key=("tenant", "task_class", "action_class"))]


def _shares(now: object) -> str:
    if not isinstance(now, dict):
        return formats.UNKNOWN
    shares = cast("dict[str, float]", now)
    return ", ".join(f"{name} {formats.share(share, 1)}" for name, share in sorted(shares.items(), key=lambda one: -one[1]))


def engines(view: View) -> Children:
    """The shadow prices of prefill, decode and KV by hour."""
    frame = view.ask("engine_prices")
    if not len(frame):
        return [nothing(f"No engine that tells its times is shared in this time. {_LOOKED}")]
    names = list(dict.fromkeys(str(row["engine"]) for row in frame))[: figures.LINES_SHOWN]
    figure = figures.engine_lines(frame, view.filters.search())
    drawing = graph("engine_prices", figure, figures.ENGINES_PX, "Shadow prices of prefill, decode and KV by hour.")
    named = [_named(theme.SERIES[place], name, "") for place, name in enumerate(names)]
    return [html.Div([drawing, html.Div(named, className="beside")], className="graph-beside")]


def externalities(view: View) -> Children:
    """Tenant × tenant: what the rows' requests cost the columns in delay."""
    frame = view.ask("externalities", limit=None)
    if not len(frame):
        return [nothing(f"Nobody is seen to delay anybody. {_LOOKED}")]
    return [
        html.Div(_matrix(frame), className="scrolls", tabIndex=0),
        html.P("Rows delay columns; on the diagonal a tenant delays its own other classes.", className="note"),
    ]


def _matrix(frame: Frame) -> Component:
    causes = list(dict.fromkeys(str(row["tenant"]) for row in frame))
    victims = sorted({str(row["victim"]) for row in frame})
    cells = {(str(row["tenant"]), str(row["victim"])): row for row in frame}
    most = max((float(formats.number(row["usd_per_day"]) or 0) for row in frame), default=0.0) or 1.0
    head = html.Thead(html.Tr([html.Th("Delays", scope="col"), *(html.Th(name, scope="col") for name in victims)]))
    body = [
        html.Tr([html.Th(cause, scope="row"), *(_cost(cells.get((cause, victim)), most) for victim in victims)])
        for cause in causes
    ]
    return html.Table([head, html.Tbody(body)], className="heat")


def _cost(row: Row | None, most: float) -> Component:
    if row is None:
        return html.Td("")
    usd, low, high = row["usd_per_day"], row["low_usd_per_day"], row["high_usd_per_day"]
    seconds = formats.duration(float(formats.number(row["delay_s_per_day"]) or 0) * 1000)
    if usd is None:
        return html.Td(html.Span(seconds, className="cell", title="nobody states what a second is worth"), className="hatched")
    share = max(float(formats.number(usd) or 0), 0) / most
    title = f"{formats.usd_interval(low, high)} a day (95 %); {seconds} a day"
    shade = cast("dict[str, object]", {"--strength": f"{share * 100:.1f}%"})
    return html.Td(
        html.Span(formats.usd_estimate(usd, low, high), className="cell", title=title), className="shaded", style=shade
    )


def caches(view: View) -> Children:
    """Tokens written and read, by model."""
    frame = view.ask("cache_by_model")
    if not len(frame):
        return [nothing("No call reports tokens of a cache in this time.")]
    columns = (
        Column("model", "Model", width=190, grow=1),
        Column("cache_write_tokens", "Written, tokens", "tokens", 140),
        Column("cache_read_tokens", "Read, tokens", "tokens", 140),
        Column("per_written", "Read per written", "quantity", 140),
        Column("hit_rate", "Of its input read from cache", "share", 200),
        Column("calls", "Calls", "count", 90),
    )
    rows = [
        {
            **row,
            "per_written": _ratio(row["cache_read_tokens"], row["cache_write_tokens"]),
            "hit_rate": formats.share(row["cache_read_tokens"], row["whole_input_tokens"]),
        }
        for row in frame
    ]
    return [table("cache_by_model", columns, rows, row_key=("model",))]


def _ratio(part: object, whole: object) -> float | None:
    a, b = formats.number(part), formats.number(whole)
    return None if a is None or not b else round(float(a) / float(b), 2)


def writes(view: View) -> Children:
    """Unpaid writes and what is written off, by place."""
    frame = view.ask("cache_writes")
    if not len(frame):
        return [nothing(_LOOKED)]
    columns = (
        Column("task_class", "Task class", width=160, grow=1),
        Column("agent", "Agent", width=120),
        Column("written_off_usd", "Written off, USD", "usd", 130),
        Column("unpaid", "Writes not paid back", "count", 160),
        Column("closed", "of closed writes", "count", 130),
        Column("reads_per_write", "Reads a write", "quantity", 120),
        Column("break_even_reads", "Reads that pay it", "quantity", 140),
        Column("hit_said", "Hit rate", "share", 90),
        Column("tenant", "Tenant", width=100),
    )
    rows = [{**row, "hit_said": formats.share(row["hit_rate"], 1)} for row in frame]
    return [table("cache_writes", columns, rows, row_key=("tenant", "task_class", "agent"))]


def rollouts(view: View) -> Children:
    """Gain of updates by the age of their rollouts."""
    frame = view.ask("rollouts_by_lag", limit=None)
    if not len(frame):
        return [nothing(_LOOKED)]
    figure = figures.gain_by_lag(frame, view.filters.search())
    return [graph("rollouts", figure, figures.ROLLOUTS_PX, "Gain of an update by how many versions old its rollouts were.")]
