"""Budgets: what may be spent, what is, and what will have been by the end of the period."""

from datetime import datetime
from decimal import Decimal
from typing import cast

from dash import html
from dash.development.base_component import Component

from dashboard import formats, theme
from dashboard.components.marks import graph, help_on, known_or
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.figures.forecast import Forecast, month_so_far
from dashboard.filters import Window
from dashboard.pages.page import Page

Row = dict[str, object]
_SCOPES = ("layer", "use", "agent", "model", "task_class")
_PACE = "What is spent over what an even spending would have spent by now: 1 is even, 2 is twice as fast."
_HOW = (
    "The rest is what days like those to come cost on average over the last four weeks; the interval (95 %) is how much such "
    "days vary. It knows no change of plans."
)


def month(view: View) -> Children:
    """What this month costs so far and will have cost by its end, with its interval."""
    row = next((row for row in view.ask("forecasts") if row["budget"] is None), None)
    days = view.ask("month_days")
    if row is None or not len(days):
        return [html.H1("Nothing was spent this month.", className="headline")]
    forecast = forecast_of(row)
    first, end = cast(datetime, row["period_from"]), cast(datetime, row["period_until"])
    figure = month_so_far(days, Window(first, end), view.now, forecast, view.filters.search())
    spent = html.Strong(formats.usd(row["spent_usd"]), className="number")
    said: Children = [spent, f" spent in {first:%B} so far"]
    if forecast is None:
        said.append("; too few days are known to say what its end will be.")
    else:
        end_said = formats.usd_estimate(forecast.forecast_usd, forecast.low_usd, forecast.high_usd)
        said += [
            f"; {first:%B} will end at about ", html.Strong(end_said, className="number"),
            f" ({formats.usd_interval(forecast.low_usd, forecast.high_usd)}).",
        ]  # fmt: skip
    unpriced = cast(int, row["unpriced_calls"])
    note = f"{_HOW} {formats.count(row['days_known'], 'day')} are known."
    note += f" {formats.count(unpriced, 'call')} of this month have no price and are in no sum." if unpriced else ""
    drawing = graph("month_forecast", figure, 300, "What the month cost so far, and the forecast within its interval.")
    return [html.H1(said, className="headline"), html.P(note, className="change"), drawing]


def budgets(view: View) -> Children:
    """Each budget in force: spent, pace, and where its period will end."""
    rows = [row for row in view.ask("forecasts") if row["budget"] is not None]
    if not rows:
        return [
            nothing("No budget is stated."),
            html.P(["State one with ", html.Code("pigou budgets set team --tenant acme --amount 500 --period month"), "."]),
        ]
    heads = ("Budget", "Amount", "Spent", "Pace", "At the end of the period (95 %)", "")
    cells: list[Component] = [html.Th(head, scope="col") for head in heads[:3]]
    cells += [
        html.Th(help_on("Pace", _PACE), scope="col"),
        html.Th(help_on(heads[4], _HOW), scope="col"),
        html.Th("Verdict", scope="col"),
    ]
    body = [_row(row) for row in rows]
    return [
        html.Div(
            html.Table([html.Thead(html.Tr(cells)), html.Tbody(body)], className="options budgets"),
            className="scrolls",
            tabIndex=0,
        )
    ]


def history(view: View) -> Children:
    """What was spent of each budget in each of its periods."""
    frame = view.ask("budget_history")
    if not len(frame):
        return [nothing("No budget has a period yet.")]
    columns = (
        Column("budget", "Budget", grow=1, width=130),
        Column("tenant", "Tenant", width=100),
        Column("period_from", "From, UTC", "time", 162),
        Column("period_until", "Until, UTC", "time", 162),
        Column("amount_usd", "Amount, USD", "usd", 120),
        Column("spent_usd", "Spent, USD", "usd", 120),
        Column("left_usd", "Left, USD", "usd", 110),
        Column("calls", "Calls", "count", 90),
        Column("unpriced_calls", "Unpriced, calls", "count", 120),
        Column("revision", "Revision", "count", 90),
    )
    return [table("budget_history", columns, frame, row_key=("tenant", "budget", "revision", "period_from"))]


def forecast_of(row: Row) -> Forecast | None:
    """The forecast of a row, or None where too little is known."""
    ends = [row[name] for name in ("forecast_usd", "low_usd", "high_usd")]
    return None if any(end is None for end in ends) else Forecast(*(cast(Decimal, end) for end in ends))


def verdict_of(row: Row) -> tuple[str, bool]:
    """Whether the amount will do, in words, and whether somebody should act."""
    amount, spent, forecast = cast(Decimal, row["amount_usd"]), cast(Decimal, row["spent_usd"]), forecast_of(row)
    if spent > amount:
        return f"overrun by {formats.usd(spent - amount)}", True
    if forecast is None:
        return "no forecast: too few days are known" if row["period_until"] else "no end, so no forecast", False
    if forecast.low_usd > amount:
        return f"will be overrun by about {formats.usd(forecast.forecast_usd - amount)}", True
    if forecast.high_usd > amount:
        return "may be overrun", True
    return f"about {formats.usd(amount - forecast.forecast_usd)} will be left", False


def _row(row: Row) -> Component:
    forecast = forecast_of(row)
    amount, spent = cast(Decimal, row["amount_usd"]), cast(Decimal, row["spent_usd"])
    ends = [amount, spent, *([forecast.high_usd] if forecast else [])]
    reach = float(max(ends)) or 1.0
    said, is_act = verdict_of(row)
    scope = ", ".join(f"{name.replace('_', ' ')} {known_or(str(row[name]))}" for name in _SCOPES if row[name] is not None)
    period = {"day": "a day", "week": "a week", "month": "a month", "total": "in all"}.get(str(row["period"]), str(row["period"]))
    estimate = "not known"
    if forecast:
        estimate = (
            f"{formats.usd_estimate(forecast.forecast_usd, forecast.low_usd, forecast.high_usd)} "
            f"({formats.usd_interval(forecast.low_usd, forecast.high_usd)})"
        )
    return html.Tr(
        [
            html.Th(
                [html.Span(str(row["budget"]), className="name"), html.Small(f"{row['tenant']}{f': {scope}' if scope else ''}")]
            ),
            html.Td([formats.usd(amount), html.Small(period)], className="number"),
            html.Td([formats.usd(spent), html.Small(formats.share(spent, amount))], className="number"),
            html.Td("–" if row["pace"] is None else f"{row['pace']:.2f}", className="number"),
            html.Td([estimate, _bar(spent, amount, forecast, reach), *_usual(row)]),
            html.Td(said, className="act" if is_act else ""),
        ]
    )


def _usual(row: Row) -> Children:
    """What the alert of the budget's pace goes by, where it is known: this period's level, not that of the past weeks."""
    if row["usual_forecast_usd"] is None:
        return []
    return [html.Small(f"{formats.usd(row['usual_forecast_usd'])} at this period's level, by which budget_pace alerts")]


def _bar(spent: Decimal, amount: Decimal, forecast: Forecast | None, reach: float) -> Component:
    """Spent as a bar, the forecast's interval as a whisker over it, the amount as a line."""
    marks: list[Component] = [_mark("net", 0.0, float(spent), reach, theme.COMPUTE)]
    if forecast:
        marks.append(_mark("whisker", float(forecast.low_usd), float(forecast.high_usd), reach, None))
    marks.append(html.Span(className="limit", style={"left": f"{float(amount) / reach * 100:.2f}%"}))
    return html.Span(marks, className="from-zero budget-bar")


def _mark(name: str, low: float, high: float, reach: float, color: str | None) -> Component:
    style = {"left": f"{low / reach * 100:.2f}%", "width": f"{max(high - low, 0) / reach * 100:.2f}%"}
    return html.Span(className=name, style=style | ({"background": color} if color else {}))


PAGE = Page(
    path="/budgets",
    name="budgets",
    label="Budgets",
    key="u",
    under="/spend",
    panels=(
        Panel("month_forecast", "", month, skeleton_px=420, table="month_days"),
        Panel("budgets", "Budgets in force", budgets, "Of the period that holds now.", table="forecasts", skeleton_px=200),
        Panel("budget_history", "Periods", history, "Of all time.", table="budget_history", skeleton_px=200),
    ),
)
