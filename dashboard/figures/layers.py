"""Figures of single layers: what a router could reach, what engines' units cost others, what old rollouts still teach."""

from collections.abc import Sequence
from datetime import datetime

from dashboard import formats, theme
from dashboard.figures.paper import Figure, Trace, iso, label_of, paper
from dashboard.frame import Frame

FRONTIER_PX, ENGINES_PX, ROLLOUTS_PX = 340, 420, 260
LINES_SHOWN = 4
_RESOURCES = (
    ("kv_usd_per_token_s", "kv", "KV, USD per million tokens held for a second", (0.0, 0.24)),
    ("decode_usd_per_token", "decode", "decode, USD per million tokens", (0.37, 0.61)),
    ("prefill_usd_per_token", "prefill", "prefill, USD per million tokens", (0.74, 0.98)),
)


def classes_of(frame: Frame) -> list[tuple[str, str]]:
    """The tenants' classes of `frontier`, in their order."""
    return list(dict.fromkeys((str(row["tenant"]), str(row["task_class"])) for row in frame))


def frontier(frame: Frame, key: str) -> Figure:
    """Quality against cost: a line per class along which eq. 4 chooses, and a diamond where its router stands today."""
    traces: list[Trace] = []
    for place, (tenant, task_class) in enumerate(classes_of(frame)[:LINES_SHOWN]):
        rows = [row for row in frame if (str(row["tenant"]), str(row["task_class"])) == (tenant, task_class)]
        color, name = theme.SERIES[place], label_of(task_class)
        reached, today = ([row for row in rows if (row["scale"] is None) == now] for now in (False, True))
        traces.append(_points(reached, color, f"<b>{name}</b><br>eq. 4 at %{{customdata}} times V", "lines+markers", "circle", 6))
        traces.append(_points(today, theme.ACCENT, f"<b>{name}</b><br>the router today", "markers", "diamond", 12))
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["margin"] = {"l": 8, "r": 8, "t": 22, "b": 44}
    layout["xaxis"] = {
        "title": {"text": "Mean cost of a task, USD", "font": {"size": 11.5}},
        "tickprefix": "$",
        "fixedrange": True,
        "zeroline": False,
        "nticks": 6,
    }
    layout["yaxis"] = {"title": {"text": "Mean quality", "font": {"size": 11.5}}, "fixedrange": True, "zeroline": False,
                       "automargin": True, "nticks": 5}  # fmt: skip
    return {"data": traces, "layout": layout}


def engine_lines(frame: Frame, key: str) -> Figure:
    """The shadow prices of prefill, decode and KV by hour, a line per engine."""
    engines = list(dict.fromkeys(str(row["engine"]) for row in frame))[:LINES_SHOWN]
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["xaxis"] = {"type": "date", "showgrid": False, "zeroline": False, "fixedrange": True, "nticks": 7, "anchor": "y"}
    layout["annotations"] = [_title(title, domain) for _, _, title, domain in _RESOURCES]
    traces: list[Trace] = []
    for row, (column, name, _, domain) in enumerate(_RESOURCES, start=1):
        layout[f"yaxis{row if row > 1 else ''}"] = {
            "domain": list(domain), "tickprefix": "$", "nticks": 4, "fixedrange": True, "zeroline": False, "rangemode": "tozero",
            "automargin": True, "exponentformat": "none",
        }  # fmt: skip
        traces += [_hours(frame, engine, (column, name), place, row) for place, engine in enumerate(engines)]
    return {"data": traces, "layout": layout}


def gain_by_lag(frame: Frame, key: str) -> Figure:
    """What an update gained by the age of its rollouts: dots as seen, the line as fitted."""
    lags = [float(formats.number(row["lag"]) or 0) for row in frame]
    said = [f"{formats.count(row['updates'], 'update')}, {label_of(str(row['subject']))}" for row in frame]
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["margin"] = {"l": 8, "r": 8, "t": 12, "b": 44}
    layout["xaxis"] = {"title": {"text": "Versions old", "font": {"size": 11.5}}, "fixedrange": True, "zeroline": False}
    layout["yaxis"] = {"title": {"text": "Gain of an update", "font": {"size": 11.5}}, "fixedrange": True, "automargin": True}
    seen: Trace = {
        "type": "scatter", "mode": "markers", "x": lags, "y": [_float(row["gain"]) for row in frame], "customdata": said,
        "marker": {"color": theme.COMPUTE, "size": 9},
        "hovertemplate": "%{x} versions old: %{y:.3~r}<br>%{customdata}<extra></extra>",
    }  # fmt: skip
    fitted: Trace = {
        "type": "scatter", "mode": "lines", "x": lags, "y": [_float(row["fitted"]) for row in frame],
        "line": {"color": theme.UNKNOWN, "width": 2}, "hoverinfo": "skip",
    }  # fmt: skip
    return {"data": [fitted, seen], "layout": layout}


def _points(rows: Sequence[dict[str, object]], color: str, said: str, mode: str, symbol: str, size: int) -> Trace:
    return {
        "type": "scatter",
        "mode": mode,
        "x": [_float(row["cost_usd"]) for row in rows],
        "y": [_float(row["quality"]) for row in rows],
        "customdata": [str(row["scale"]) for row in rows],
        "line": {"color": color, "width": 2},
        "marker": {"color": color, "size": size, "symbol": symbol},
        "hovertemplate": f"{said}<br>$%{{x:,.4~r}} a task, quality %{{y:.3~r}}<extra></extra>",
    }


def _hours(frame: Frame, engine: str, named: tuple[str, str], place: int, row: int) -> Trace:
    column, name = named
    known = [one for one in frame if str(one["engine"]) == engine and isinstance(one["hour"], datetime)]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [iso(one["hour"]) for one in known if isinstance(one["hour"], datetime)],
        "y": [_million(one[column]) for one in known],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [_reach(one[column], one[f"{name}_high"]) for one in known],
            "arrayminus": [_reach(one[f"{name}_low"], one[column]) for one in known],
            "thickness": 1,
            "width": 0,
        },
        "xaxis": "x",
        "yaxis": f"y{row if row > 1 else ''}",
        "line": {"color": theme.SERIES[place], "width": 2},
        "marker": {"size": 4},
        "hovertemplate": f"<b>{label_of(engine)}</b><br>%{{x|%-d %b %Y, %H:00}} UTC<br>$%{{y:.3~r}}<extra></extra>",
    }


def _million(value: object) -> float | None:
    amount = _float(value)
    return None if amount is None else amount * 1e6


def _reach(low: object, high: object) -> float:
    """From one end to the other; 0 where an end is not known."""
    a, b = _million(low), _million(high)
    return 0.0 if a is None or b is None else max(b - a, 0.0)


def _title(title: str, domain: tuple[float, float]) -> dict[str, object]:
    return {
        "text": title, "xref": "paper", "yref": "paper", "x": 0, "y": domain[1], "xanchor": "left", "yanchor": "bottom",
        "showarrow": False, "font": {"size": 11.5},
    }  # fmt: skip


def _float(value: object) -> float | None:
    amount = formats.number(value)
    return None if amount is None else float(amount)
