"""Why an alert stands: the finding behind it with its inequality and cases, or the series against its limit."""

from datetime import datetime
from typing import cast

from dash import dcc, html

from dashboard import formats
from dashboard.components.marks import graph
from dashboard.components.panel import Children, View, nothing
from dashboard.components.table import Column, table
from dashboard.figures.against import HEIGHT_PX, Series, against, said
from dashboard.figures.finding import bars_of, height_px, term_bars
from dashboard.filters import Filters
from dashboard.frame import Frame

Row = dict[str, object]
_DAYS_IN_A_MONTH = 30
_BUDGETS, _SHARES = ("budget_overrun", "budget_pace"), ("unpriced_share", "suspense_share", "control_difference")
_SHARE_NAMES = {
    "unpriced_share": "share of calls without a price",
    "suspense_share": "share of calls that cannot be read",
    "control_difference": "share of totals that differ",
}


def absent() -> Children:
    """What a panel draws that this view has no place for: the style sheet takes it out."""
    return [html.Div(className="absent")]


def alert_terms(view: View) -> Children:
    """Of the alert of a finding: the inequality with intervals, what to change and what that saves."""
    row = view.ask("alert_finding", values=_number(view)).first() if _rule(view) == "misallocation" else None
    if row is None:
        return absent()
    children: Children = [html.P(str(row["inequality"]), className="inequality name")]
    bars = bars_of(view.ask("alert_terms", values=_number(view)))
    if bars:
        described = "; ".join(f"{bar.name} {formats.usd(bar.usd)}" for bar in bars)
        figure = term_bars(bars, key=view.filters.search())
        children.append(graph("alert_terms", figure, height_px(bars), f"Terms in dollars a day: {described}."))
    return [*children, *_change(row)]


def _change(row: Row) -> Children:
    usd, low, high = (float(formats.number(row[name]) or 0) * _DAYS_IN_A_MONTH for name in ("usd_per_day", "low", "high"))
    saving = f"{formats.usd_estimate(usd, low, high)} in {_DAYS_IN_A_MONTH} days ({formats.usd_interval(low, high)}, 95 %)"
    filters = Filters(where={"tenant": (str(row["tenant"]),)}, finding=cast(int, row["finding_id"]))
    link = dcc.Link("The finding, and why it is believed", href=f"/finding{filters.search()}", className="act")
    return [
        html.H3("What to change"),
        html.P(str(row["change"]), className="to-change name"),
        html.P(
            ["It would save ", html.Strong(saving, className="number"), " if nothing else changes. ", link], className="change"
        ),
    ]


def alert_cases(view: View) -> Children:
    """Of the alert of a finding: decisions and traces to look at."""
    if _rule(view) != "misallocation":
        return absent()
    frame = view.ask("alert_cases", values=_number(view))
    if not len(frame):
        return [nothing("It names no single case.")]
    columns = (
        Column("usd", "Lost, USD", "usd", 104),
        Column("decision_id", "Decision", "decision", 310, grow=1),
        Column("trace_id", "Trace", "link", 280, grow=1),
    )
    rows = [{**row, "decision_id": None if row["decision_id"] is None else str(row["decision_id"])} for row in frame]
    return [table("alert_cases", columns, rows, row_key=("tenant", "example"))]


def alert_series(view: View) -> Children:
    """Of alerts of budgets, of shares and of spend: what was measured over time, against where it is wrong."""
    rule = _rule(view)
    made = None
    if rule in _BUDGETS:
        made = budget_series(view.ask("alert_budget", values=_number(view)))
    elif rule in _SHARES:
        made = share_series(view.ask("alert_share", values=_number(view)), rule)
    elif rule == "spend_anomaly":
        made = spend_series(view.ask("alert_spend", values=_number(view)))
    else:
        return absent()
    if made is None:
        return [nothing("The books hold nothing of that time any more.")]
    last = next((value for value in reversed(made.values) if value is not None), None)
    described = f"{made.name}: {formats.UNKNOWN if last is None else said(last, made.unit)} at last"
    if made.limit is not None:
        described += f"; {made.limit_name}: {said(made.limit, made.unit)}"
    return [
        graph("alert_series", against(made, key=view.filters.search()), HEIGHT_PX, f"{described}."),
        html.P(f"{described}.", className="note"),
    ]


def budget_series(frame: Frame) -> Series | None:
    """What was spent of a budget in its period, added up, against its amount."""
    rows = list(frame)
    if not rows:
        return None
    until = cast("datetime | None", rows[0]["period_until"])
    begun = cast(datetime, rows[0]["period_from"])
    times = [cast(datetime, row["hour"]) for row in rows]
    spent = [_float(row["spent_usd"]) for row in rows]
    reach = None if until is None or until.year > 9000 else until  # a budget may be without an end
    return Series(
        "spent", [begun, *times], [0.0, *spent], _float(rows[0]["limit_usd"]), "the budget", "usd", until=reach, is_stepped=True
    )


def share_series(frame: Frame, rule: str) -> Series | None:
    """A share of the 24 hours before each hour, against where it is wrong."""
    rows = list(frame)
    if not rows:
        return None
    times = [cast(datetime, row["hour"]) for row in rows]
    limit = _float(rows[-1]["limit_share"])
    return Series(
        f"{_SHARE_NAMES[rule]}, past 24 hours", times, [_float(row["share"]) for row in rows], limit, "wrong from here", "share"
    )


def spend_series(frame: Frame) -> Series | None:
    """Spend at one hour of each day, against what is usual there and where it is wrong."""
    rows = list(frame)
    if not rows:
        return None
    usual = [_float(row["usual_usd"]) for row in rows]
    times = [cast(datetime, row["day"]) for row in rows]
    spent = [_float(row["usd"]) for row in rows]
    return Series("spent", times, spent, _float(rows[-1]["limit_usd"]), "wrong from here", "usd", usual=usual)


def _rule(view: View) -> str:
    """The rule of the alert shown; empty where there is none, or several tenants have one of the number."""
    if view.filters.alert is None:
        return ""
    rows = list(view.ask("alert", values=_number(view)))
    return str(rows[0]["rule"]) if len(rows) == 1 else ""


def _number(view: View) -> dict[str, str]:
    return {"alert_id": str(view.filters.alert)}


def _float(value: object) -> float | None:
    number = formats.number(value)
    return None if number is None else float(number)
