"""Prices: what quality, seconds and expected losses are worth now, who says so, what holds them, how they moved, and quotes."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import cast

from dash import html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.marks import graph, interval_bar, series_row
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.terms import term
from dashboard.figures.prices import HEIGHT_PX, LINES_SHOWN, Line, color_of, lines_of, price_history
from dashboard.pages import allocation
from dashboard.pages import quote as quoting
from dashboard.pages import what_if as supposing
from dashboard.pages.clearing import clearing
from dashboard.pages.layer_supply import engines
from dashboard.pages.page import Page, Shell
from dashboard.pages.quote import quote
from dashboard.pages.what_if import FOLLOWS, what_if

Row = dict[str, object]
_KINDS = {  # its name, what its amounts are of, one unit more of it, and how an amount of it is said
    "latency_sla": ("Latency agreement", "a task", "a second of a task", lambda amount: formats.duration(amount * 1000)),
    "risk_envelope": ("Risk envelope", "of expected loss a day", "a dollar of loss", formats.usd),
    "compute_budget": ("Budget", "in its period", "a dollar", formats.usd),
}
_PRICE_DIMENSIONS = {"tenant": "Tenant"}


def limits(view: View) -> Children:
    """The limits that prices are solved from: how much of each is used, and what one unit more would bring."""
    rows = list(view.ask("price_limits"))
    if not rows:
        return [
            nothing("No limit is stated: prices are as policy states them."),
            html.P(["To have λ or ρ solved instead, state what must hold: ", html.Code(_EXAMPLE), "."], className="note"),
        ]
    names = ("Limit", "Used, of what is allowed", "Left", "What more would bring", "Holds for")
    head = html.Thead(html.Tr([html.Th(name, scope="col") for name in names]))
    body = html.Tbody([_limit(row) for row in rows])
    return [
        html.Div(html.Table([head, body], className="options limits"), className="scrolls", tabIndex=0),
        html.P(
            ["A limit that is ", term("binding"), " has a price; more of a slack one is worth nothing."],
            className="note",
        ),
    ]


_EXAMPLE = "pigou prices constrain code.fix_test --tenant acme --sla-s 90"


def _limit(row: Row) -> Component:
    kind, unit, one, said = _KINDS.get(str(row["kind"]), (str(row["kind"]), "", "one", _plain))
    binding = bool(row["is_binding"])
    mark: Children = [html.Span("binds", className="mark best")] if binding else [html.Span("slack", className="mark")]
    used, allowed, left = (
        formats.UNKNOWN if row[name] is None else said(float(cast(Decimal, row[name]))) for name in ("used", "limit_set", "slack")
    )
    bar = interval_bar(row["used"], row["used"], row["used"], _most(row))
    return html.Tr(
        [
            html.Th([kind, *mark, html.Small(f"{str(row['name']).partition(' ')[2]}, {row['tenant']}")], scope="row"),
            html.Td([f"{used} of {allowed} {unit}", bar]),
            html.Td(left, className="number"),
            html.Td([formats.usd(row["price"]), html.Small(f"for {one} more")], className="number"),
            html.Td(str(row["classes"]), className="name"),
        ]
    )


def _most(row: Row) -> float:
    return max(float(formats.number(row[name]) or 0) for name in ("used", "limit_set"))


def _plain(amount: float) -> str:
    return f"{amount:,.4g}"


def history(view: View) -> Children:
    """How V, λ and ρ moved, for the classes whose prices moved most."""
    lines = lines_of(view.ask("price_history", limit=None))
    if not lines:
        return [nothing("No price held in this time.")]
    if not lines[0].moves:  # the first is the one that moved most
        begun = min(row["since"] for line in lines for row in line.rows if isinstance(row["since"], datetime))
        return [nothing(f"No price moved since {formats.moment(begun)[:16]} UTC, when they were first looked at.")]
    figure = price_history(lines, view.window, view.now, key=view.filters.search())
    beside: list[Component] = [_named(line, place) for place, line in enumerate(lines[:LINES_SHOWN])]
    said = _drawn(lines)
    return [
        html.Div(
            [
                graph("price_history", figure, HEIGHT_PX, "V, λ and ρ over time; the CSV holds the same numbers."),
                html.Div([*beside, html.P(said, className="note")], className="beside"),
            ],
            className="graph-beside",
        )
    ]


def _named(line: Line, place: int) -> Component:
    known = [formats.number(row["v_usd"]) for row in line.rows if row["v_usd"] is not None]
    return series_row(
        color_of(place), f"{_class_said(line.task_class)} ({line.tenant})", formats.usd(known[-1]) if known else "–", "V"
    )


def _class_said(task_class: str) -> str:
    return "every other class" if task_class == "*" else task_class


def _drawn(lines: Sequence[Line]) -> str:
    if len(lines) <= LINES_SHOWN:
        return "Where a price is not known its line is broken."
    return f"The {LINES_SHOWN} that moved most, of {formats.count(len(lines), 'class', 'classes')}; the CSV has every one."


def _register(shell: Shell) -> None:
    quoting.register(shell)
    supposing.register(shell)


_OF_ALLOCATION = {panel.name: panel for panel in allocation.PAGE.panels}

PAGE = Page(
    path="/prices",
    name="prices",
    label="Prices",
    key="p",
    dimensions=_PRICE_DIMENSIONS,
    register=_register,
    panels=(
        _OF_ALLOCATION["prices"],
        Panel(
            "what_if",
            "What if",
            what_if,
            "Move a limit, and see what prices and choices answer. Nothing is changed by looking.",
            table="price_periods",
            skeleton_px=620,
            follows=FOLLOWS,
        ),
        Panel("limits", "What holds the prices", limits, table="price_limits", skeleton_px=160),
        Panel("price_history", "How they moved", history, table="price_history", skeleton_px=HEIGHT_PX),
        Panel(
            "engine_shadow",
            "What a unit more of an engine costs others",
            engines,
            "Shadow prices of prefill, decode and KV by hour: the delay that one unit more would cause, at the others' λ.",
            table="engine_prices",
            skeleton_px=300,
        ),
        Panel(
            "clearing",
            "Who shares an engine",
            clearing,
            "The price at which what tenants want of an engine fits what it can do: none while there is enough for everybody.",
            table="clearing",
            skeleton_px=160,
        ),
        Panel("quote", "A quote", quote, "What to choose from a menu at these prices.", skeleton_px=360),
    ),
)
