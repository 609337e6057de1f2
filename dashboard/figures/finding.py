"""A finding drawn: the terms of its inequality as bars with intervals, and what it lost day by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dashboard import formats, theme
from dashboard.figures.paper import Figure, Trace, beside, iso, label_of, paper
from dashboard.frame import Frame

_ROW_PX, _AROUND_PX, _LABEL_PX = 46, 58, 9
_HALF_A_DAY = timedelta(hours=13)
WORDS = {"V·ΔQ": "value", "ΔC": "compute", "λ·ΔL": "waiting", "ρ·ΔR": "expected loss"}
"""The terms of eq. 1 as a stranger calls them."""
_HUES = (("V", theme.VALUE), ("λ", theme.LATENCY), ("ρ", theme.RISK), ("C", theme.COMPUTE))


@dataclass(frozen=True, slots=True)
class Bar:
    """One term in USD a day with its interval; None where it is not known."""

    name: str
    usd: float | None
    low: float | None
    high: float | None


def bars_of(frame: Frame) -> list[Bar]:
    """The terms of `finding_terms`, in the order of the inequality."""
    return [Bar(str(row["name"]), *(_float(row[name]) for name in ("usd_per_day", "low", "high"))) for row in frame]


def term_bars(bars: Sequence[Bar], key: str) -> Figure:
    """One bar per term about zero, the first at the top, each named above its left end. A term that is not known has no bar."""
    last = len(bars) - 1
    ends = [end for bar in bars for end in (bar.usd, bar.low, bar.high) if end is not None]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    air = (high - low or 1.0) * 0.04
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["margin"] = {"l": 4, "r": 12, "t": 8, "b": 42}
    layout["bargap"] = 0.66
    layout["xaxis"] = {
        "range": [low - air, high + air],
        "tickprefix": "$",
        "separatethousands": True,
        "nticks": 6,
        "fixedrange": True,
        "zeroline": True,
        "zerolinecolor": theme.UNKNOWN,
        "title": {"text": "USD a day", "font": {"size": 11.5}, "standoff": 8},
    }
    layout["yaxis"] = {
        "range": [-0.45, last + 0.75],
        "showticklabels": False,
        "fixedrange": True,
        "zeroline": False,
        "showgrid": False,
    }
    layout["annotations"] = [beside(_label(bar), last - place, _LABEL_PX) for place, bar in enumerate(bars)]
    return {"data": [_bar(bar, last - place) for place, bar in enumerate(bars) if bar.usd is not None], "layout": layout}


def height_px(bars: Sequence[Bar]) -> int:
    """How high the picture of these terms is."""
    return len(bars) * _ROW_PX + _AROUND_PX


def days_lost(frame: Frame, key: str) -> Figure:
    """A bar per day of `finding_days`, with its interval where there is one."""
    days = [row["day"].astimezone(UTC) for row in frame if isinstance(row["day"], datetime)]
    lost = [_float(row["usd"]) or 0.0 for row in frame]
    reach = [(_float(row["low"]), _float(row["high"])) for row in frame]
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["margin"] = {"l": 8, "r": 8, "t": 12, "b": 32}
    layout["xaxis"] = {
        "type": "date",
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "nticks": 8,
        "tickformat": "%-d %b",
    }
    layout["yaxis"] = {
        "tickprefix": "$",
        "separatethousands": True,
        "nticks": 5,
        "fixedrange": True,
        "zeroline": True,
        "zerolinecolor": theme.UNKNOWN,
        "automargin": True,
    }
    trace: Trace = {
        "type": "bar",
        "x": [iso(day) for day in days],
        "y": lost,
        "width": [timedelta(hours=20) / timedelta(milliseconds=1)] * len(days),
        "marker": {"color": theme.ACCENT, "line": {"width": 0}},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [max(high - usd, 0.0) if high is not None else 0.0 for usd, (_, high) in zip(lost, reach, strict=True)],
            "arrayminus": [max(usd - low, 0.0) if low is not None else 0.0 for usd, (low, _) in zip(lost, reach, strict=True)],
            "color": theme.UNKNOWN,
            "thickness": 1.5,
            "width": 3,
        },
        "customdata": [
            f"{formats.day(day)}<br>{_amount(Bar('', usd, *ends))}" for day, usd, ends in zip(days, lost, reach, strict=True)
        ],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    return {"data": [trace], "layout": layout}


def _bar(bar: Bar, height: int) -> Trace:
    trace: Trace = {
        "type": "bar",
        "orientation": "h",
        "x": [bar.usd],
        "y": [height],
        "marker": {"color": hue_of(bar.name), "line": {"width": 0}},
        "customdata": [f"{label_of(bar.name, 140)}<br>{_amount(bar)}"],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    if bar.usd is not None and bar.low is not None and bar.high is not None:
        trace["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": [max(bar.high - bar.usd, 0.0)],
            "arrayminus": [max(bar.usd - bar.low, 0.0)],
            "color": theme.UNKNOWN,
            "thickness": 1.5,
            "width": 4,
        }
    return trace


def hue_of(term: str) -> str:
    """The colour of a term by the letter of its price: V value, λ latency, ρ risk, C compute; grey for what is none of them."""
    places = [(term.find(letter), hue) for letter, hue in _HUES if letter in term]
    return min(places)[1] if places else theme.UNKNOWN


def _label(bar: Bar) -> str:
    words = f"{WORDS[bar.name]}, " if bar.name in WORDS else ""
    return f"{words}{label_of(bar.name, 52)}: {_amount(bar, short=True)}"


def _amount(bar: Bar, short: bool = False) -> str:
    if bar.usd is None:
        return formats.UNKNOWN
    said = formats.usd_estimate(bar.usd, bar.low, bar.high)
    if bar.low is None or bar.high is None:
        return said
    return f"{said} ({formats.usd_interval(bar.low, bar.high)}{'' if short else ', 95 %'})"


def _float(value: object) -> float | None:
    amount = formats.number(value)
    return None if amount is None else float(amount)
