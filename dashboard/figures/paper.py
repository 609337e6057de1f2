"""What every figure has in common: paper, type, margins and the axis of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from typing import TypeAlias

from dashboard import theme
from dashboard.filters import Window

Figure: TypeAlias = dict[str, object]
Trace: TypeAlias = dict[str, object]


@dataclass(frozen=True, slots=True)
class Row:
    """One vertical axis: what it counts, with its unit, the part of the height it takes, and a sign before its ticks."""

    title: str
    domain: tuple[float, float] = (0.0, 1.0)
    prefix: str = ""


_STEPS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=31),
}
_HOVER_TIME = {
    "minute": "%a %-d %b %Y, %H:%M UTC",
    "hour": "%a %-d %b %Y, %H:00 UTC",
    "day": "%a %-d %b %Y",
    "week": "week of %-d %b %Y",
    "month": "%B %Y",
}
_BAR_SHARE = 0.84  # of a step; the rest is air


def bars_over_time(traces: Sequence[Trace], window: Window, bucket: str, rows: Sequence[Row], key: str) -> Figure:
    """Stacked bars on an axis of time in UTC, in one or more rows above each other that share it, the first at the bottom.

    `key` names what the reader looks at: while it stays the same, new data does not move a zoom.
    """
    layout = paper(key)
    layout["barmode"] = "stack"
    layout["hovermode"] = "closest"  # a click must know its series; a label for all series would not
    layout["dragmode"] = "zoom"
    layout["xaxis"] = {**_time_axis(window, bucket), "anchor": "y"}
    layout["annotations"] = [_row_title(row) for row in rows]
    for number, row in enumerate(rows, start=1):
        layout[f"yaxis{number if number > 1 else ''}"] = _amount_axis(row)
    return {"data": list(traces), "layout": layout}


def bars(
    label: str,
    starts: Sequence[datetime],
    values: Sequence[float | None],
    said: Sequence[str],
    color: str,
    bucket: str,
    key: str,
    row: int = 1,
) -> Trace:
    """One series of bars that fill their step of time.

    `said` is each bar's text under the pointer, `key` what a click filters by, `row` the vertical axis it stands on.
    """
    width_ms = [_length(start, bucket) / timedelta(milliseconds=1) for start in starts]
    return {
        "type": "bar",
        "name": label_of(label),
        "x": [iso(start) for start in starts],
        "y": list(values),
        "xaxis": "x",
        "yaxis": f"y{row if row > 1 else ''}",
        "width": [width * _BAR_SHARE for width in width_ms],
        "offset": [width * (1 - _BAR_SHARE) / 2 for width in width_ms],
        "customdata": [[escape(text), key] for text in said],
        "hovertemplate": f"<b>%{{fullData.name}}</b><br>%{{x|{_HOVER_TIME[bucket]}}}<br>%{{customdata[0]}}<extra></extra>",
        "marker": {"color": color, "line": {"width": 0}},
    }


def label_of(text: str, most: int = 60) -> str:
    """Text from outside as a figure shows it: cut to what a label bears, never markup, and unable to turn its neighbours."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return escape(cut if cut.isascii() else f"\N{FIRST STRONG ISOLATE}{cut}\N{POP DIRECTIONAL ISOLATE}")


def beside(text: str, height: float, shift_px: int) -> dict[str, object]:
    """A label at the left edge, some pixels above the middle of its row: it needs no margin, which a phone has no room for."""
    place = {"xref": "paper", "x": 0, "xanchor": "left", "yref": "y", "y": height, "yanchor": "bottom", "yshift": shift_px}
    return {**place, "text": text, "showarrow": False, "font": {"size": 12}}


def iso(at: datetime) -> str:
    """A time as plotly reads it: UTC without an offset, since the axis knows no zones."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _length(start: datetime, bucket: str) -> timedelta:
    if bucket != "month":
        return _STEPS[bucket]
    return (start.replace(day=1) + timedelta(days=32)).replace(day=1) - start


def _amount_axis(row: Row) -> dict[str, object]:
    return {
        "domain": list(row.domain),
        "tickprefix": row.prefix,
        "tickformat": "" if row.prefix else "~s",
        "exponentformat": "SI",
        "separatethousands": True,
        "rangemode": "tozero",
        "nticks": 5 if row.domain[1] - row.domain[0] > 0.6 else 4,
        "fixedrange": True,
        "zeroline": False,
        "showline": False,
        "automargin": True,
    }


def _row_title(row: Row) -> dict[str, object]:
    return {
        "text": row.title,
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": row.domain[1],
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 11.5},
    }


def _time_axis(window: Window, bucket: str) -> dict[str, object]:
    axis: dict[str, object] = {
        "type": "date",
        "showgrid": False,
        "zeroline": False,
        "showline": False,
        "nticks": 9,
        "ticks": "outside",
        "ticklen": 4,
        "tickformatstops": [
            {"dtickrange": [None, 3_600_000 * 12], "value": "%H:%M\n%-d %b"},
            {"dtickrange": [3_600_000 * 12, "M1"], "value": "%-d %b"},
            {"dtickrange": ["M1", None], "value": "%b %Y"},
        ],
    }
    if window.since is not None and window.until is not None:
        axis["range"] = [iso(_floor(window.since, bucket)), iso(_ceiling(window.until, bucket))]
    return axis


def _floor(at: datetime, bucket: str) -> datetime:
    """The start of the step that a time falls in; weeks begin on Monday, as PostgreSQL's do."""
    minute = at.replace(second=0, microsecond=0)
    if bucket in ("minute", "hour"):
        return minute if bucket == "minute" else minute.replace(minute=0)
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if bucket == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if bucket == "month" else day


def _ceiling(at: datetime, bucket: str) -> datetime:
    start = _floor(at, bucket)
    return at if start == at else start + _length(start, bucket)


def paper(key: str) -> dict[str, object]:
    """What every figure stands on: no background of its own, the page's type, no legend. `key` names what the reader looks at."""
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": theme.FONT, "size": 12, "color": theme.UNKNOWN},
        "margin": {"l": 8, "r": 8, "t": 22, "b": 36},
        "showlegend": False,
        "hoverlabel": {"font": {"family": theme.FONT, "size": 12.5}, "align": "left"},
        "uirevision": key,
        "autosize": True,
    }
