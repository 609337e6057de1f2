"""The price vector as a strip: what quality, a second and a dollar of risk are worth, and who says so."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import cast

from dash import html
from dash.development.base_component import Component

from dashboard import formats, theme
from dashboard.components.marks import spark
from dashboard.components.panel import Children, View, nothing
from dashboard.components.table import Column, table
from dashboard.components.terms import term
from dashboard.figures.prices import Line, course, lines_of, moved

Row = dict[str, object]
_PRICES = (
    ("v_usd", "V", "a task that succeeds is worth", theme.VALUE, "v_source"),
    ("lambda_usd_per_s", "λ", "a second of waiting costs", theme.LATENCY, "lambda_source"),
    ("rho", "ρ", "a dollar of expected loss counts as", theme.RISK, "rho_source"),
)
_YOUNG = timedelta(hours=1)  # prices that are younger have not moved yet
_STEADY = 0.005  # of itself: a smaller move is none
_NOTHING = Decimal("1e-9")  # the solver's zero
_SOURCES = {"policy": "policy", "dual": "dual", "tasks": "stated by the tasks"}
_COLUMNS = (
    Column("task_class", "Task class", width=150, grow=1),
    Column("v_usd", "V, USD", "usd", 100),
    Column("v_range", "V (95 %)", width=140, sortable=False),
    Column("v_source", "V from", width=90),
    Column("lambda_usd_per_s", "λ, USD a second", "usd", 130),
    Column("lambda_range", "λ (95 %)", width=150, sortable=False),
    Column("lambda_source", "λ from", width=90),
    Column("rho", "ρ, USD a USD", "quantity", 110),
    Column("rho_range", "ρ (95 %)", width=120, sortable=False),
    Column("rho_source", "ρ from", width=90),
    Column("constraint", "Tightest constraint", width=170, grow=1),
    Column("slack", "Slack", "quantity", 100, tooltip="How far the constraint is from binding, in its own unit; 0: it binds"),
    Column("tenant", "Tenant", width=100),
    Column("why", "What is not known", width=220),
)


def prices(view: View) -> Children:
    """V, λ and ρ over the classes shown, where each comes from, and whether its constraint binds; every row below."""
    rows = list(view.ask("price_vector"))
    if not rows:
        return [
            nothing("No price is stated or solved yet: value, latency and risk cannot be compared with compute without one."),
            html.P(
                ["State them in a file: ", html.Code("pigou policy import prices.yaml"), " (docs/tasks.md)."], className="note"
            ),
        ]
    shown = [
        {
            **row,
            "v_range": _interval(row["v_low_usd"], row["v_high_usd"], formats.usd_interval),
            "lambda_range": _interval(row["lambda_low"], row["lambda_high"], formats.usd_interval),
            "rho_range": _interval(row["rho_low"], row["rho_high"], _plain_interval),
        }
        for row in rows
    ]
    grid = table("price_vector", _COLUMNS, shown, row_key=("tenant", "task_class"))
    lines = lines_of(view.ask("price_history", limit=None))
    return [
        html.Div(
            [*(_price(rows, *price, _course(view, lines, *price)) for price in _PRICES), _binding(rows)], className="price-strip"
        ),
        html.Details([html.Summary(f"By class of tasks ({formats.count(len(rows), 'row')})"), grid]),
    ]


def _course(view: View, lines: Sequence[Line], column: str, name: str, _of: str, color: str, _source: str) -> Children:
    """How a price moved in the time shown; nothing where it is newer than that."""
    if all(line.is_newer_than(view.now - _YOUNG) for line in lines):
        return []
    values = course(lines, column, view.window, view.now)
    if len([value for value in values if value is not None]) < len(values) / 2 or not any(values):
        return []
    share = moved(lines, column, view.window, view.now)
    said = "not known all along" if share is None else "steady" if abs(share) < _STEADY else f"{share:+.0%}".replace("-", "−")
    drawn = spark(values, f"{name} over the time shown, mean over classes: {said}", color)
    return [html.Span([drawn, html.Span(said)], className="fact-label course")]


def _price(
    rows: Sequence[Row], column: str, name: str, of_what: str, color: str, source: str, course_drawn: Children
) -> Component:
    known = [cast(Decimal, row[column]) for row in rows if row[column] is not None]
    said = "not known" if not known else _range(min(known), max(known))
    sources = sorted({str(row[source]) for row in rows if row[column] is not None})
    words = [term(word) if word in ("policy", "dual") else _SOURCES.get(word, word) for word in sources]
    return html.Div(
        [
            html.Span(
                [html.Span(className="swatch", style={"background": color}), term(name), f" {of_what}"], className="fact-label"
            ),
            html.Span(said, className="fact-number"),
            html.Span([part for word in words for part in (" and ", word)][1:], className="fact-label"),
            *course_drawn,
        ],
        className="price",
    )


def _binding(rows: Sequence[Row]) -> Component:
    """How many of the constraints hold anything back."""
    constrained = [row for row in rows if row["constraint"] is not None]
    binding = sum(1 for row in constrained if abs(cast(Decimal, row["slack"])) < _NOTHING)
    said = f"{binding} of {len(constrained)}" if constrained else "none stated"
    return html.Div(
        [
            html.Span(["Limits that are ", term("binding")], className="fact-label"),
            html.Span(said, className="fact-number"),
            html.Span("of budgets, latency agreements, risk envelopes", className="fact-label"),
        ],
        className="price",
    )


def _interval(low: object, high: object, said: Callable[[object, object], str]) -> str | None:
    return None if low is None or high is None else said(low, high)


def _plain_interval(low: object, high: object) -> str:
    return f"{_plain(cast(Decimal, low))} to {_plain(cast(Decimal, high))}"


def _range(low: Decimal, high: Decimal) -> str:
    return formats.usd(low) if low == high else f"{formats.usd(low)} to {formats.usd(high)}"


def _plain(amount: Decimal) -> str:
    return f"{float(amount):,.3g}"
