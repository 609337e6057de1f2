"""What a finding rests on, drawn: a router's regret as it adds up, and what would be left if requests came later."""

from collections.abc import Sequence
from datetime import UTC, datetime

from dashboard import formats, theme
from dashboard.figures.paper import Figure, Trace, iso, paper

REGRET_PX, LATER_PX = 240, 240

Row = dict[str, object]


def regret_curve(days: Sequence[Row], key: str) -> Figure:
    """A router's regret in sum, by day, with the limit that its intervals set above it."""
    at = [iso(datetime.fromisoformat(str(row["day"])).replace(tzinfo=UTC)) for row in days]
    layout = _layout(key)
    layout["xaxis"] = {
        "type": "date",
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "nticks": 8,
        "tickformat": "%-d %b",
    }
    most, summed = ([_float(row[name]) for row in days] for name in ("cumulative_high_usd", "cumulative_usd"))
    limit: Trace = {
        "type": "scatter", "mode": "lines", "x": at, "y": most, "line": {"color": theme.UNKNOWN, "width": 1.5, "dash": "dot"},
        "hovertemplate": "%{x|%-d %b}: $%{y:,.2f} at most<extra></extra>",
    }  # fmt: skip
    lost: Trace = {
        "type": "scatter", "mode": "lines+markers", "x": at, "y": summed, "line": {"color": theme.ACCENT, "width": 2},
        "marker": {"size": 5}, "hovertemplate": "%{x|%-d %b}: $%{y:,.2f} in all<extra></extra>",
    }  # fmt: skip
    return {"data": [limit, lost], "layout": layout}


def if_later(hours: Sequence[Row], key: str) -> Figure:
    """USD a day that requests would still cost others if they came so many hours later."""
    layout = _layout(key)
    layout["xaxis"] = {
        "title": {"text": "Hours later", "font": {"size": 11.5}}, "showgrid": False, "zeroline": False, "fixedrange": True,
        "dtick": 2,
    }  # fmt: skip
    bars: Trace = {
        "type": "bar", "x": [_float(row["hours"]) for row in hours], "y": [_float(row["usd_per_day"]) for row in hours],
        "marker": {"color": theme.LATENCY, "line": {"width": 0}},
        "hovertemplate": "%{x} h later: $%{y:,.2f} a day<extra></extra>",
    }  # fmt: skip
    return {"data": [bars], "layout": layout}


def _layout(key: str) -> Figure:
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["margin"] = {"l": 8, "r": 8, "t": 12, "b": 40}
    layout["yaxis"] = {
        "tickprefix": "$", "separatethousands": True, "nticks": 5, "fixedrange": True, "zeroline": True,
        "zerolinecolor": theme.UNKNOWN, "automargin": True, "rangemode": "tozero",
    }  # fmt: skip
    return layout


def _float(value: object) -> float | None:
    amount = formats.number(value)
    return None if amount is None else float(amount)
