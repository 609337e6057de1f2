"""Team production drawn: what one more dollar of reading, planning, acting and verifying brings in each class of tasks (eq. 8).

Where money is spent well, all of them bring the same, and what they bring is a dollar. The axis is linear about 0 and logarithmic
further out (asinh), since margins are of any size and either sign.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from dashboard import formats, theme
from dashboard.figures.paper import Figure, Trace, beside, label_of, paper
from dashboard.frame import Frame

Verdict: TypeAlias = Literal["starved", "bloated", "fits", "unknown"]

USES = ("read", "plan", "act", "verify")
CLASSES_SHOWN = 6
_ROW_PX, _AROUND_PX, _LABEL_PX = 38, 74, 8
_TICKS = (-1000, -100, -10, -1, 1, 10, 100, 1000)


@dataclass(frozen=True, slots=True)
class Use:
    """One use: dollars of it in a task, and what one more dollar brings in USD with its interval; None where not known."""

    use: str
    usd_per_task: float
    brings: float | None
    low: float | None
    high: float | None

    @property
    def verdict(self) -> Verdict:
        """Whether the interval lies on one side of the dollar that is spent."""
        if self.low is None or self.high is None:
            return "unknown"
        return "starved" if self.low > 1 else "bloated" if self.high < 1 else "fits"


@dataclass(frozen=True, slots=True)
class Made:
    """One class of a tenant's tasks. `equal_p`: p-value of all margins being equal; `together` and `instead`: pairs of uses of
    which each makes the other worth more, or less, as far as their intervals say; `settled_by`: what would make it known."""

    tenant: str
    task_class: str | None
    tasks: int
    uses: tuple[Use, ...]
    equal_p: float | None
    together: tuple[str, ...]
    instead: tuple[str, ...]
    settled_by: str | None

    @property
    def is_known(self) -> bool:
        """Whether any use of it has a number."""
        return any(use.brings is not None for use in self.uses)

    @property
    def usd_per_task(self) -> float:
        """What a task spends on all uses."""
        return sum(use.usd_per_task for use in self.uses)


def classes_of(frame: Frame) -> list[Made]:
    """The classes of `production`: those known first, then by the dollars spent on them."""
    grouped: dict[tuple[str, object], list[dict[str, object]]] = {}
    for row in frame:
        grouped.setdefault((str(row["tenant"]), row["task_class"]), []).append(row)
    made = [_made(rows) for rows in grouped.values()]
    return sorted(made, key=lambda one: (not one.is_known, -one.usd_per_task * one.tasks, one.tenant, one.task_class or ""))


def height_px(made: Sequence[Made]) -> int:
    """The height that the picture wants."""
    return _AROUND_PX + _ROW_PX * sum(1 + len(known_uses(one)) for one in made[:CLASSES_SHOWN])


def known_uses(one: Made) -> list[Use]:
    """The uses of a class that have a number."""
    return [use for use in one.uses if use.brings is not None]


def production(made: Sequence[Made], key: str) -> Figure:
    """A bar for each use from the dollar spent to what it brings, with its interval; classes below each other."""
    rows: list[tuple[str, Use | None]] = []
    for one in made[:CLASSES_SHOWN]:
        rows.append((f"<b>{label_of(one.task_class or 'no class')}</b> {label_of(one.tenant)}", None))
        rows += [(_label(use), use) for use in known_uses(one)]
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["margin"] = {"l": 4, "r": 4, "t": 26, "b": 48}
    traces: list[Trace] = []
    notes: list[dict[str, object]] = []
    for place, (label, use) in enumerate(rows):
        height = len(rows) - 1 - place
        notes.append(beside(label, height, -14 if use is None else _LABEL_PX))
        if use is not None:
            traces.append(_bar(use, height))
    ends = [end for _, use in rows if use is not None for end in (use.low, use.high) if end is not None]
    low, high = _reach(min([-1.0, *ends])), _reach(max([3.0, *ends]))
    layout["annotations"] = [*notes, _side("← brings less than it costs", "right"), _side("brings more →", "left")]
    layout["xaxis"] = {
        "range": [low - 0.12, high + 0.12], "tickvals": [_reach(tick) for tick in _TICKS], "fixedrange": True, "zeroline": False,
        "ticktext": [f"−${-tick:,}" if tick < 0 else f"${tick:,}" for tick in _TICKS], "side": "bottom",
        "title": {"text": "What one more dollar brings, V·∂Q/∂$", "font": {"size": 11.5}},
    }  # fmt: skip
    layout["yaxis"] = {"visible": False, "fixedrange": True, "range": [-0.7, len(rows) - 0.4]}
    layout["shapes"] = [
        {
            "type": "line", "x0": _reach(1), "x1": _reach(1), "y0": 0, "y1": 1, "yref": "paper",
            "line": {"color": theme.UNKNOWN, "width": 1.5},
        }
    ]  # fmt: skip
    return {"data": traces, "layout": layout}


def _made(rows: Sequence[dict[str, object]]) -> Made:
    by_use = {str(row["use"]): row for row in rows}
    first = rows[0]
    together, instead = _pairs(by_use)
    return Made(
        str(first["tenant"]),
        None if first["task_class"] is None else str(first["task_class"]),
        int(formats.number(first["tasks"]) or 0),
        tuple(_use(by_use[use]) for use in USES if use in by_use),
        _float(first["equal_p"]),
        together,
        instead,
        None if first["settled_by"] is None else str(first["settled_by"]),
    )


def _use(row: Mapping[str, object]) -> Use:
    net, low, high = (_float(row[name]) for name in ("net_per_usd", "net_low", "net_high"))
    known = None if net is None or low is None or high is None else (net + 1, low + 1, high + 1)
    return Use(str(row["use"]), _float(row["usd_per_task"]) or 0.0, *(known or (None, None, None)))


def _pairs(by_use: Mapping[str, Mapping[str, object]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    together: list[str] = []
    instead: list[str] = []
    for place, use in enumerate(USES):
        others = cast("dict[str, dict[str, float]]", by_use.get(use, {}).get("complements") or {})
        for other in USES[place + 1 :]:
            limits = others.get(other)
            if limits is not None and limits["low"] > 0:
                together.append(f"{use} and {other}")
            elif limits is not None and limits["high"] < 0:
                instead.append(f"{use} and {other}")
    return tuple(together), tuple(instead)


def _label(use: Use) -> str:
    return f"{use.use}: {_said(use)}, {formats.usd(round(use.usd_per_task, 6))} a task"


def _said(use: Use) -> str:
    brings = formats.usd_estimate(use.brings, use.low, use.high)
    return f"{brings} ({formats.usd_interval(use.low, use.high)})"


def _bar(use: Use, height: int) -> Trace:
    value, low, high = (_reach(end or 0.0) for end in (use.brings, use.low, use.high))
    color = theme.ACCENT if use.verdict in ("starved", "bloated") else theme.COMPUTE
    return {
        "type": "bar", "orientation": "h", "y": [height], "x": [value - _reach(1)], "base": [_reach(1)], "width": 0.26,
        "marker": {"color": color, "opacity": 0.85},
        "error_x": {"type": "data", "symmetric": False, "array": [high - value], "arrayminus": [value - low], "thickness": 1.2,
                    "width": 3, "color": theme.UNKNOWN},
        "hovertemplate": f"<b>{use.use}</b>, {use.verdict}<br>one more dollar brings {_said(use)}<extra></extra>",
    }  # fmt: skip


def _side(text: str, anchor: str) -> dict[str, object]:
    return {
        "text": text, "x": _reach(1), "y": 1, "yref": "paper", "yanchor": "bottom", "xanchor": anchor, "showarrow": False,
        "xshift": -8 if anchor == "right" else 8, "font": {"size": 11.5},
    }  # fmt: skip


def _reach(usd: float) -> float:
    """Where an amount stands on the axis: a step for each power of ten."""
    return math.asinh(usd) / math.log(10)


def _float(value: object) -> float | None:
    amount = formats.number(value)
    return None if amount is None else float(amount)
