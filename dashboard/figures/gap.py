"""From the net value that was realised to the best one: what each kind of decision would have added, one bar after the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard import formats, theme
from dashboard.figures.paper import Figure, Trace, beside, label_of, paper
from dashboard.frame import Frame

_ROW_PX, _AROUND_PX, _LABEL_PX = 44, 66, 8


@dataclass(frozen=True, slots=True)
class Gain:
    """What one kind of decision would have added a day: regret claimed, with its interval."""

    kind: str
    usd: float
    low: float
    high: float
    decisions: int


def gains_of(frame: Frame) -> list[Gain]:
    """The kinds of `regret_by_kind` with a number, the largest first. Kinds of which nothing is claimed are left out."""
    gains = [
        Gain(str(row["kind"]), *(float(formats.number(row[name]) or 0) for name in _AMOUNTS), decisions=_count(row["decisions"]))
        for row in frame
        if row["usd_per_day"] is not None
    ]
    return sorted((gain for gain in gains if gain.usd), key=lambda gain: (-gain.usd, gain.kind))


_AMOUNTS = ("usd_per_day", "low_usd_per_day", "high_usd_per_day")


def gap(gains: Sequence[Gain], net_usd: float | None, key: str) -> Figure:
    """Bars that begin where the one above ended, between a mark for what was realised and one for the best.

    The axis counts dollars a day beyond what was realised, so that a small gap beside a large net value can be seen.
    `net_usd` is the realised net value a day, None where it is not known.
    """
    last = len(gains) + 1
    ends = [sum(gain.usd for gain in gains[: place + 1]) for place in range(len(gains))]
    whole = ends[-1] if ends else 0.0
    labels = [f"Realised net{_amount(net_usd)}"]
    labels += [f"{label_of(gain.kind)}: {formats.usd_estimate(gain.usd, gain.low, gain.high)}" for gain in gains]
    labels += [f"Best net{_amount(None if net_usd is None else net_usd + whole)}"]
    reach = max([whole, *(end - gain.usd + gain.high for gain, end in zip(gains, ends, strict=True))])
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["margin"] = {"l": 4, "r": 12, "t": 8, "b": 44}
    layout["bargap"] = 0.62
    layout["xaxis"] = {
        "range": [-0.02 * reach, 1.04 * reach],
        "tickprefix": "$",
        "separatethousands": True,
        "nticks": 5,
        "fixedrange": True,
        "zeroline": False,
        "title": {"text": "USD a day beyond what was realised", "font": {"size": 11.5}, "standoff": 8},
    }
    layout["yaxis"] = {
        "range": [-0.4, last + 0.75],
        "showticklabels": False,
        "fixedrange": True,
        "zeroline": False,
        "showgrid": False,
    }
    layout["annotations"] = [beside(label, last - place, _LABEL_PX) for place, label in enumerate(labels)]
    return {"data": [_bars(gains, ends, last), _ends(whole, last)], "layout": layout}


def height_px(gains: Sequence[Gain]) -> int:
    """How high the picture of these kinds is."""
    return (len(gains) + 2) * _ROW_PX + _AROUND_PX


def _bars(gains: Sequence[Gain], ends: Sequence[float], last: int) -> Trace:
    return {
        "type": "bar",
        "orientation": "h",
        "x": [gain.usd for gain in gains],
        "base": [end - gain.usd for gain, end in zip(gains, ends, strict=True)],
        "y": [last - 1 - place for place in range(len(gains))],
        "marker": {"color": theme.ACCENT, "line": {"width": 0}},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [max(gain.high - gain.usd, 0.0) for gain in gains],
            "arrayminus": [max(gain.usd - gain.low, 0.0) for gain in gains],
            "color": theme.UNKNOWN,
            "thickness": 1.5,
            "width": 4,
        },
        "customdata": [[_said(gain), label_of(gain.kind)] for gain in gains],
        "hovertemplate": "%{customdata[0]}<extra></extra>",
    }


def _ends(whole: float, last: int) -> Trace:
    """Marks for what was and what could have been: places on the axis, not lengths."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [0.0, whole],
        "y": [last, 0],
        "marker": {"color": theme.VALUE, "size": 12, "symbol": "diamond"},
        "hoverinfo": "skip",
    }


def _said(gain: Gain) -> str:
    interval = formats.usd_interval(gain.low, gain.high)
    better = f"{formats.count(gain.decisions, 'decision')} with a better option"
    return f"<b>{label_of(gain.kind)}</b><br>{interval} a day (95 %)<br>{better}"


def _amount(usd: float | None) -> str:
    return " (not known)" if usd is None else f": {formats.usd(usd)} a day"


def _count(value: object) -> int:
    return int(formats.number(value) or 0)
