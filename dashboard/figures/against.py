"""A series against its limit: what an alert measured over time, and from where on it is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dashboard import formats, theme
from dashboard.figures.paper import Figure, Trace, iso, paper

HEIGHT_PX = 240
Unit = Literal["usd", "share"]


@dataclass(frozen=True, slots=True)
class Series:
    """Values at times, in USD or as shares of 1; None breaks the line. `limit` is drawn over the whole width.

    `usual` is what is usual at each time, where that is known; `until` how far the axis reaches beyond the last value,
    `is_stepped` that values hold until the next one.
    """

    name: str
    times: Sequence[datetime]
    values: Sequence[float | None]
    limit: float | None
    limit_name: str
    unit: Unit
    usual: Sequence[float | None] | None = None
    until: datetime | None = None
    is_stepped: bool = False


def against(series: Series, key: str) -> Figure:
    """The line of the series, dots where there are few, and a dashed line at the limit with its name at the left."""
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["margin"] = {"l": 8, "r": 12, "t": 20, "b": 32}
    span = [iso(series.times[0]), iso(series.until or series.times[-1])] if series.times else None
    layout["xaxis"] = {
        "type": "date", "showgrid": False, "zeroline": False, "fixedrange": True, "nticks": 7,
        **({"range": span} if span else {}),
    }  # fmt: skip
    layout["yaxis"] = {
        "tickprefix": "$" if series.unit == "usd" else "",
        "tickformat": "" if series.unit == "usd" else ".3~%",
        "separatethousands": True,
        "rangemode": "tozero",
        "nticks": 5,
        "fixedrange": True,
        "zeroline": False,
        "automargin": True,
    }
    traces = [_line(series, series.name, series.values, theme.ACCENT, has_dots=len(series.times) <= 60)]
    if series.usual is not None:
        traces.append(_line(series, "usual at this time of the week", series.usual, theme.UNKNOWN, has_dots=False))
    if series.limit is not None and span:
        traces.append(_limit(series, series.limit, span))
        layout["annotations"] = [
            {
                "text": f"{series.limit_name}: {said(series.limit, series.unit)}", "xref": "paper", "x": 0, "xanchor": "left",
                "y": series.limit, "yanchor": "bottom", "showarrow": False, "font": {"size": 11.5},
            }
        ]  # fmt: skip
    return {"data": traces, "layout": layout}


def said(value: float, unit: Unit) -> str:
    """A value with its unit."""
    return formats.usd(value) if unit == "usd" else f"{value * 100:.3g}{formats.THIN_SPACE}%"


def _line(series: Series, name: str, values: Sequence[float | None], color: str, *, has_dots: bool) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines+markers" if has_dots else "lines",
        "name": name,
        "x": [iso(at) for at in series.times],
        "y": list(values),
        "connectgaps": False,
        "line": {"color": color, "width": 2, "shape": "hv" if series.is_stepped else "linear"},
        "marker": {"color": color, "size": 5},
        "customdata": [formats.UNKNOWN if value is None else said(value, series.unit) for value in values],
        "hovertemplate": f"<b>{name}</b><br>%{{x|%a %-d %b %Y, %H:%M UTC}}<br>%{{customdata}}<extra></extra>",
    }


def _limit(series: Series, limit: float, span: list[str]) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": series.limit_name,
        "x": span,
        "y": [limit, limit],
        "line": {"color": theme.UNKNOWN, "width": 1.5, "dash": "dash"},
        "hoverinfo": "skip",
    }
