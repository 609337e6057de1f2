"""The equimarginal line: eq. 2 drawn, one row per place in which money is spent.

What a dollar buys there is (V·ΔQ − λ·ΔL − ρ·ΔR) / ΔC. Options come in steps, so each row has up to two of them: the last dollar,
from the next cheaper option to the chosen one, which was spent and should buy at least one; and the next dollar, from the chosen
option to the next dearer one, which was not spent and should buy no more than one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from dashboard import formats, theme
from dashboard.figures.paper import Figure, Trace, beside, label_of, paper
from dashboard.frame import Frame

Verdict: TypeAlias = Literal["bloated", "starved", "fits", "unknown"]

ROWS_SHOWN = 12
NO_CLASS = "no class"
_ROW_PX, _AROUND_PX, _LABEL_PX = 50, 92, 10
_LOWEST, _HIGHEST = -1.5, 2.0  # of the log axis; what lies beyond stands in a bin at its edge
_LEFT_BIN, _RIGHT_BIN, _UNKNOWN_BIN = -1.85, 2.35, -2.45
_TICKS = {
    _UNKNOWN_BIN: "not<br>known",
    _LEFT_BIN: "≤ 3¢",
    -1.0: "10¢",
    0.0: "$1",
    1.0: "$10",
    _RIGHT_BIN: "≥ $100",
}
SHAPES = {"demand": "circle", "action": "square", "supply": "diamond", "capital": "triangle-up"}
_SIZE_PX = (8.0, 20.0)


@dataclass(frozen=True, slots=True)
class Step:
    """One dot: a step between two options, what a dollar buys there with its interval, and what that says.

    `worth` is dollars of value less latency and risk per dollar of compute; None where nothing is known. `cost_usd` is the step's
    ΔC a day; `amiss_usd` is what a day loses by it, 0 where it fits.
    """

    place: tuple[str, str, str, str]  # layer, kind, task class (empty: not known), chosen
    spent: bool  # the last dollar, else the next one
    other: str
    decisions: int
    worth: float | None
    low: float | None
    high: float | None
    cost_usd: float
    why: str

    @property
    def verdict(self) -> Verdict:
        """Whether the interval lies on the wrong side of one dollar."""
        if self.worth is None or self.low is None or self.high is None:
            return "unknown"
        if self.spent and self.high < 1:
            return "bloated"
        if not self.spent and self.low > 1:
            return "starved"
        return "fits"

    @property
    def amiss_usd(self) -> float:
        """Dollars a day lost at this step; 0 where its interval does not exclude that it is right."""
        if self.worth is None or self.verdict not in ("bloated", "starved"):
            return 0.0
        return abs(1 - self.worth) * self.cost_usd


@dataclass(frozen=True, slots=True)
class Row:
    """One place of spending and its dots."""

    place: tuple[str, str, str, str]
    steps: tuple[Step, ...]

    @property
    def label(self) -> str:
        """Task class, kind and what was chosen, as a figure shows it."""
        _, kind, task_class, chosen = self.place
        return f"{label_of(task_class or NO_CLASS)} · {label_of(kind)}: {label_of(formats.option(kind, chosen))}"

    @property
    def amiss_usd(self) -> float:
        """Dollars a day lost here by the step that loses most."""
        return max(step.amiss_usd for step in self.steps)


def rows_of(frame: Frame) -> list[Row]:
    """The places of `equimarginal`, those that lose most first, then by the dollars at the margin."""
    places: dict[tuple[str, str, str, str], list[Step]] = {}
    for row in frame:
        step = _step(row)
        places.setdefault(step.place, []).append(step)
    rows = [Row(place, _known_ones(steps)) for place, steps in places.items()]
    return sorted(rows, key=lambda row: (-row.amiss_usd, -max(step.cost_usd for step in row.steps), row.label))


def equimarginal_line(rows: Sequence[Row], key: str, shown: int = ROWS_SHOWN) -> Figure:
    """The picture of the first rows, the first at the top. Its height is `height_px(rows)`."""
    rows = list(rows)[:shown]
    largest = max((step.cost_usd for row in rows for step in row.steps), default=0.0)
    traces: list[Trace] = [_dot(step, len(rows) - 1 - place, largest) for place, row in enumerate(rows) for step in row.steps]
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["margin"] = {"l": 4, "r": 4, "t": 34, "b": 48}
    layout["xaxis"] = {
        "range": [_UNKNOWN_BIN - 0.3, _RIGHT_BIN + 0.3],
        "tickvals": list(_TICKS),
        "tickangle": 0,
        "ticktext": list(_TICKS.values()),
        "fixedrange": True,
        "zeroline": False,
        "showgrid": False,
        "title": {"text": "What one dollar buys: (V·ΔQ − λ·ΔL − ρ·ΔR) / ΔC", "font": {"size": 11.5}, "standoff": 8},
    }
    layout["yaxis"] = {
        "range": [-0.45, len(rows) - 0.25],
        "tickvals": list(range(len(rows))),
        "showticklabels": False,
        "fixedrange": True,
        "zeroline": False,
        "showgrid": True,
    }
    layout["shapes"] = [_line_at_one(), _edge(_LOWEST - 0.15), _edge(_HIGHEST + 0.15), _edge(_UNKNOWN_BIN + 0.3)]
    layout["annotations"] = [
        _side("← buys less than it costs", "right"),
        _side("buys more than it costs →", "left"),
        *(beside(row.label, len(rows) - 1 - place, _LABEL_PX) for place, row in enumerate(rows)),
    ]
    return {"data": traces, "layout": layout}


def height_px(rows: Sequence[Row], shown: int = ROWS_SHOWN) -> int:
    """How high the picture of these rows is."""
    return min(len(rows), shown) * _ROW_PX + _AROUND_PX


def _known_ones(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps with a figure; where none has one, the first of them, which says so."""
    return tuple(step for step in steps if step.worth is not None) or (steps[0],)


def _step(row: dict[str, object]) -> Step:
    return Step(
        place=(str(row["layer"]), str(row["kind"]), str(row["task_class"] or ""), str(row["chosen"])),
        spent=row["step"] == "last",
        other=str(row["other"] or "–"),
        decisions=int(cast(int, row["decisions"])),
        worth=_float(row["worth"]),
        low=_float(row["worth_low"]),
        high=_float(row["worth_high"]),
        cost_usd=abs(_float(row["cost_usd_per_day"]) or 0.0),
        why=str(row["why"] or ""),
    )


def _float(value: object) -> float | None:
    amount = formats.number(value)
    return None if amount is None else float(amount)


def _dot(step: Step, height: int, largest_usd: float) -> Trace:
    """One dot with its whiskers: filled where the dollar was spent, hollow where it was not."""
    color = {"bloated": theme.ACCENT, "starved": theme.ACCENT, "fits": theme.COMPUTE, "unknown": theme.UNKNOWN}[step.verdict]
    at = _UNKNOWN_BIN if step.worth is None else _position(step.worth)
    symbol = SHAPES.get(step.place[0], "circle") + ("" if step.spent else "-open")
    trace: Trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [at],
        "y": [height],
        "marker": {
            "color": color,
            "size": _size(step.cost_usd, largest_usd),
            "symbol": symbol,
            "opacity": 0.9,
            "line": {"width": 2, "color": color},
        },
        "customdata": [[step.place[1], step.place[2], step.place[3], step.place[0]]],
        "text": [_said(step)],
        "hovertemplate": "%{text}<extra></extra>",
    }
    if step.low is not None and step.high is not None:
        trace["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": [max(_position(step.high) - at, 0.0)],
            "arrayminus": [max(at - _position(step.low), 0.0)],
            "color": color,
            "thickness": 1.5,
            "width": 4,
        }
    return trace


def _position(worth: float) -> float:
    """A place on the axis: the logarithm, and beyond its ends (nothing and less than nothing included) a bin at the edge."""
    if worth <= 10**_LOWEST:
        return _LEFT_BIN
    if worth >= 10**_HIGHEST:
        return _RIGHT_BIN
    return math.log10(worth)


def _size(cost_usd: float, largest_usd: float) -> float:
    """An area in proportion to the dollars, but never too small to be hit."""
    if largest_usd <= 0:
        return _SIZE_PX[0]
    return max(_SIZE_PX[0], _SIZE_PX[1] * math.sqrt(cost_usd / largest_usd))


def _said(step: Step) -> str:
    layer, kind, task_class = (label_of(part or NO_CLASS) for part in step.place[:3])
    chosen, other = (label_of(formats.option(step.place[1], name)) for name in (step.place[3], step.other))
    head = f"<b>{task_class} · {kind}: {chosen}</b> ({layer})<br>"
    n = formats.count(step.decisions, "decision")
    if step.worth is None:
        return f"{head}{n}; what a dollar buys is not known{': ' + label_of(step.why, 140) if step.why else ''}"
    which = (
        f"The last dollar, for {chosen} instead of {other},"
        if step.spent
        else f"A further dollar, for {other} instead of {chosen},"
    )
    buys = f"{'buys' if step.spent else 'would buy'} {formats.usd_estimate(step.worth, step.low, step.high)}"
    said = f"{head}{which}<br>{buys} ({formats.usd_interval(step.low, step.high)}, 95 %)<br>"
    said += f"{formats.usd(step.cost_usd)} a day at this step, {n}"
    verdict = {
        "bloated": "Bloated: the cheaper option is the better one.",
        "starved": "Starved: the dearer option is the better one.",
        "fits": "No fault is shown.",
        "unknown": "",
    }[step.verdict]
    return f"{said}<br>{verdict}"


def _line_at_one() -> dict[str, object]:
    return {"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1, "line": {"color": theme.UNKNOWN, "width": 2}}


def _edge(at: float) -> dict[str, object]:
    line = {"color": theme.UNKNOWN, "width": 1, "dash": "dot"}
    return {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "line": line, "opacity": 0.5, "layer": "below"}


def _side(text: str, anchor: str) -> dict[str, object]:
    place = {"x": 0, "xref": "x", "xshift": -8 if anchor == "right" else 8, "xanchor": anchor}
    return {**place, "text": text, "yref": "paper", "y": 1, "yanchor": "bottom", "showarrow": False, "font": {"size": 11.5}}
