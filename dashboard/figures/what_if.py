"""What a limit is worth at every level: what is gained, and below it the price of one unit more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard import theme
from dashboard.figures.paper import Figure, Trace, paper

if TYPE_CHECKING:
    from allocation.curve import Curve
    from allocation.problem import Kind

HEIGHT_PX = 360
COLORS: dict[Kind, str] = {"compute_budget": theme.COMPUTE, "latency_sla": theme.LATENCY, "risk_envelope": theme.RISK}
_STEEP = 0.15  # of the way from the least level to the slack one: what is below may run out of the picture
_GAIN, _PRICE = (0.5, 0.94), (0.0, 0.34)
_AXES: dict[Kind, tuple[str, str]] = {  # what the level counts, and what one more of it is
    "compute_budget": ("USD a day", "dollar"),
    "latency_sla": ("seconds a task", "second"),
    "risk_envelope": ("USD of expected loss a day", "dollar"),
}


def curve_figure(curve: Curve, kind: Kind, before: float | None, after: float | None, key: str) -> Figure:
    """The curve of a limit with marks for its level now and the one supposed; beyond the last corner more brings nothing."""
    first, last = reach(curve, before, after)
    corners = _drawn(curve, first, last)
    levels, gains, prices = ([one[place] for one in corners] for place in range(3))
    bottom, top, steepest = _heights(curve, first, before, after)
    unit, more = _AXES[kind]
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["margin"] = {"l": 8, "r": 8, "t": 18, "b": 40}
    layout["xaxis"] = {
        "range": [first, last], "fixedrange": True, "zeroline": False, "showgrid": False, "nticks": 6, "anchor": "y",
        "tickprefix": "" if kind == "latency_sla" else "$",
        "title": {"text": f"The limit, {unit}", "font": {"size": 11.5}, "standoff": 6},
    }  # fmt: skip
    layout["yaxis"] = {"domain": list(_PRICE), **_dollars(), "range": [0.0, 1.15 * steepest]}
    layout["yaxis2"] = {
        "domain": list(_GAIN),
        **_dollars(),
        "range": [bottom - 0.08 * (top - bottom), top + 0.08 * (top - bottom)],
    }
    layout["annotations"] = [
        _title("What it brings against now, USD a day", _GAIN[1]), _title(f"What one {more} more brings, USD a day", _PRICE[1]),
    ]  # fmt: skip
    marks = ((before, theme.UNKNOWN), (after, theme.ACCENT))
    layout["shapes"] = [_line(level, color) for level, color in marks if level is not None]
    traces = [
        _trace(levels, gains, "y2", COLORS[kind], "linear", unit),
        _trace(levels, prices, "y", COLORS[kind], "hv", unit),
    ]
    at = None if after is None else curve.at(after)
    if after is not None and at is not None:
        traces.append(_mark(after, at))
    return {"data": traces, "layout": layout}


def reach(curve: Curve, before: float | None, after: float | None) -> tuple[float, float]:
    """The levels that are worth showing: from the least that can be kept to somewhat beyond where more brings nothing."""
    first = max(0.0, min(curve.least, *(level for level in (before, after, curve.least) if level is not None)))
    told = [level for level in (before, after) if level is not None]
    last = max(curve.enough + 0.25 * (curve.enough - first), *(1.05 * level for level in told), first + 1e-6)
    return first, last


def _heights(curve: Curve, first: float, before: float | None, after: float | None) -> tuple[float, float, float]:
    """The least and the most gain, and the greatest price, worth showing: near the least level that can be kept a limit may cost
    so much that nothing else would be seen beside it."""
    told = [level for level in (before, after) if level is not None and level >= curve.least]
    lowest = min([first + _STEEP * (curve.enough - first), *told])
    gains = [
        0.0,
        curve.points[-1].gain_usd_per_day,
        *(gain for level in (lowest, *told) if (gain := curve.at(level)) is not None),
    ]
    prices = [one.price for one in curve.points if one.level <= lowest][-1:] or [curve.points[0].price]
    bottom, top = min(gains), max(gains)
    return (bottom, top, prices[0] or 1.0) if top > bottom else (bottom - 1.0, top + 1.0, prices[0] or 1.0)


def _drawn(curve: Curve, first: float, last: float) -> list[tuple[float, float, float]]:
    """The corners within sight, with the ends of the picture: level, gain and price of each."""
    corners = [(one.level, one.gain_usd_per_day, one.price) for one in curve.points]
    hidden = [corner for corner in corners if corner[0] < first]
    kept = [corner for corner in corners if first <= corner[0] <= last]
    if hidden and (at := curve.at(first)) is not None:
        kept.insert(0, (first, at, hidden[-1][2]))
    return [*kept, (last, curve.points[-1].gain_usd_per_day, 0.0)]


def _dollars() -> dict[str, object]:
    return {
        "tickformat": "$,.4~r", "nticks": 5, "fixedrange": True, "zeroline": False, "automargin": True,
    }  # fmt: skip


def _title(text: str, height: float) -> dict[str, object]:
    return {
        "text": text, "xref": "paper", "yref": "paper", "x": 0, "y": height, "xanchor": "left", "yanchor": "bottom",
        "showarrow": False, "font": {"size": 11.5},
    }  # fmt: skip


def _line(level: float, color: str) -> dict[str, object]:
    return {
        "type": "line", "xref": "x", "yref": "paper", "x0": level, "x1": level, "y0": 0, "y1": _GAIN[1],
        "line": {"color": color, "width": 1.5, "dash": "dot"},
    }  # fmt: skip


def _trace(levels: list[float], values: list[float], axis: str, color: str, shape: str, unit: str) -> Trace:
    return {
        "type": "scatter", "mode": "lines", "x": levels, "y": values, "xaxis": "x", "yaxis": axis,
        "line": {"color": color, "width": 2, "shape": shape},
        "hovertemplate": f"%{{x:,.4~r}} {unit}<br>%{{y:$,.4~r}} a day<extra></extra>",
    }  # fmt: skip


def _mark(level: float, gain: float) -> Trace:
    return {
        "type": "scatter", "mode": "markers", "x": [level], "y": [gain], "xaxis": "x", "yaxis": "y2", "hoverinfo": "skip",
        "marker": {"color": theme.ACCENT, "size": 9},
    }  # fmt: skip
