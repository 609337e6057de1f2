"""The price vector over time: V, λ and ρ in rows above each other, a line per class of tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from dashboard import formats, theme
from dashboard.figures.paper import Figure, Trace, iso, label_of, paper
from dashboard.filters import Window
from dashboard.frame import Frame

HEIGHT_PX = 420
STEPS = 24  # bars of a price's course
LINES_SHOWN = 4  # as many as there are shades
_ROWS = (  # price, title with its unit, the part of the height it takes
    ("rho", "ρ, USD per USD of expected loss", (0.0, 0.24)),
    ("lambda_usd_per_s", "λ, USD a second", (0.37, 0.61)),
    ("v_usd", "V, USD", (0.74, 0.98)),
)


@dataclass(frozen=True, slots=True)
class Line:
    """The prices of one tenant's class: when each began to hold, and for how long."""

    tenant: str
    task_class: str
    rows: tuple[dict[str, object], ...]

    @property
    def moves(self) -> float:
        """By what share its prices changed in all: what moved is worth being drawn first."""
        moved = 0.0
        for price, _, _ in _ROWS:
            values = [float(number) for row in self.rows if (number := formats.number(row[price])) is not None]
            moved += sum(abs(b - a) / (abs(a) or 1.0) for a, b in pairwise(values))
        return moved

    def at(self, moment: datetime, price: str) -> float | None:
        """What a price was at a moment."""
        for row in self.rows:
            since, until = row["since"], row["until"]
            if isinstance(since, datetime) and since <= moment and (not isinstance(until, datetime) or moment < until):
                number = formats.number(row[price])
                return None if number is None else float(number)
        return None


def lines_of(frame: Frame) -> list[Line]:
    """The classes of `price_history`, those whose prices moved most first."""
    classes: dict[tuple[str, str], list[dict[str, object]]] = {}
    for row in frame:
        classes.setdefault((str(row["tenant"]), str(row["task_class"])), []).append(row)
    lines = [Line(tenant, task_class, tuple(rows)) for (tenant, task_class), rows in classes.items()]
    return sorted(lines, key=lambda line: (-line.moves, line.tenant, line.task_class))


def course(lines: Sequence[Line], price: str, window: Window, now: datetime, steps: int = STEPS) -> list[float | None]:
    """The mean of a price over classes at moments evenly spaced through a window; None before any class had it."""
    first, last = _ends(lines, window, now)
    moments = [first + (last - first) * (place + 1) / steps for place in range(steps)]
    return [_mean([known for line in lines if (known := line.at(moment, price)) is not None]) for moment in moments]


def moved(lines: Sequence[Line], price: str, window: Window, now: datetime) -> float | None:
    """By what share a price moved through a window, over the classes that had it all along; None where none had."""
    first, last = _ends(lines, window, now)
    pairs = [(line.at(first, price), line.at(last, price)) for line in lines]
    both = [(was, now_is) for was, now_is in pairs if was is not None and now_is is not None]
    before, after = (sum(pair[end] for pair in both) for end in (0, 1))
    if not both or (before == 0 and after > 0):
        return None
    return after / before - 1.0 if before else 0.0


def _ends(lines: Sequence[Line], window: Window, now: datetime) -> tuple[datetime, datetime]:
    """From when to when prices are looked at: the window, as far as there were any."""
    begun = [row["since"] for line in lines for row in line.rows if isinstance(row["since"], datetime)]
    first = min(begun, default=now)
    last = min(window.until or now, now)
    return (max(first, window.since) if window.since else first), max(last, first)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def color_of(place: int) -> str:
    """The shade of the line at a place."""
    return theme.SERIES[place] if place < len(theme.SERIES) else theme.OTHERS


def price_history(lines: Sequence[Line], window: Window, now: datetime, key: str) -> Figure:
    """Steps of the first lines; a price that is not known breaks its line."""
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["margin"] = {"l": 8, "r": 8, "t": 22, "b": 32}
    begun = [row["since"] for line in lines for row in line.rows if isinstance(row["since"], datetime)]
    first = max(window.since, min(begun)) if window.since and begun else min(begun, default=now)
    axis: dict[str, object] = {
        "type": "date", "showgrid": False, "zeroline": False, "fixedrange": True, "nticks": 7, "anchor": "y",
        "range": [iso(first), iso(min(window.until or now, now))],
    }  # fmt: skip
    layout["xaxis"] = axis
    layout["annotations"] = [
        {
            "text": title, "xref": "paper", "yref": "paper", "x": 0, "y": domain[1], "xanchor": "left", "yanchor": "bottom",
            "showarrow": False, "font": {"size": 11.5},
        }
        for _, title, domain in _ROWS
    ]  # fmt: skip
    traces: list[Trace] = []
    for row, (price, _, domain) in enumerate(_ROWS, start=1):
        layout[f"yaxis{row if row > 1 else ''}"] = {
            "domain": list(domain), "tickprefix": "" if price == "rho" else "$", "nticks": 4, "fixedrange": True,
            "zeroline": False, "rangemode": "tozero", "automargin": True,
        }  # fmt: skip
        traces += [_trace(line, price, color_of(place), row, first, now) for place, line in enumerate(lines[:LINES_SHOWN])]
    return {"data": traces, "layout": layout}


def _trace(line: Line, price: str, color: str, row: int, first: datetime, now: datetime) -> Trace:
    named = f"<b>{label_of(line.task_class)}</b> ({label_of(line.tenant)})"
    times: list[str] = []
    values: list[float | None] = []
    for held in line.rows:
        since, until = held["since"], held["until"]
        number = formats.number(held[price])
        if isinstance(since, datetime):
            times += [iso(max(since, first)), iso(until if isinstance(until, datetime) else now)]
            values += [None if number is None else float(number)] * 2
    return {
        "type": "scatter",
        "mode": "lines",
        "x": times,
        "y": values,
        "xaxis": "x",
        "yaxis": f"y{row if row > 1 else ''}",
        "line": {"color": color, "width": 2, "shape": "hv"},
        "connectgaps": False,
        "hovertemplate": f"{named}<br>%{{x|%-d %b %Y, %H:%M}} UTC<br>%{{y:,.4~r}}<extra></extra>",
    }
