"""Figures of single layers: what a router lost and could reach, how engines serve and what their units cost others, what old
rollouts still teach."""

from collections.abc import Sequence
from datetime import datetime

from dashboard import formats, theme
from dashboard.figures.paper import Figure, Trace, iso, label_of, paper
from dashboard.frame import Frame

FRONTIER_PX, CURVES_PX, ENGINES_PX, WAITING_PX, DRAFTING_PX, ROLLOUTS_PX, STOCK_PX = 440, 280, 420, 220, 280, 260, 200
LINES_SHOWN = 4
_RESOURCES = (
    ("kv_usd_per_token_s", "kv", "KV, USD per million tokens held for a second", (0.0, 0.24)),
    ("decode_usd_per_token", "decode", "decode, USD per million tokens", (0.37, 0.61)),
    ("prefill_usd_per_token", "prefill", "prefill, USD per million tokens", (0.74, 0.98)),
)


def classes_of(frame: Frame) -> list[tuple[str, str]]:
    """The tenants' classes of `frontier`, in their order."""
    return list(dict.fromkeys((str(row["tenant"]), str(row["task_class"])) for row in frame))


def has_risk(frame: Frame) -> bool:
    """Whether `frontier` tells what its points risk."""
    return any(row.get("risk_usd") is not None for row in frame)


def frontier(frame: Frame, key: str) -> Figure:
    """Quality, and risk where it is told, against cost: a line per class along which eq. 4 chooses, and a diamond where its
    router stands today."""
    traces: list[Trace] = []
    told = has_risk(frame)
    for place, (tenant, task_class) in enumerate(classes_of(frame)[:LINES_SHOWN]):
        rows = [row for row in frame if (str(row["tenant"]), str(row["task_class"])) == (tenant, task_class)]
        color, name = theme.SERIES[place], label_of(task_class)
        reached, today = ([row for row in rows if (row["scale"] is None) == now] for now in (False, True))
        for column in ("quality", "risk_usd") if told else ("quality",):
            line = (reached, color, f"<b>{name}</b><br>eq. 4 at %{{customdata}} times V", "lines+markers", "circle", 6)
            traces.append(_points(*line, column))
            traces.append(_points(today, theme.ACCENT, f"<b>{name}</b><br>the router today", "markers", "diamond", 12, column))
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["margin"] = {"l": 8, "r": 8, "t": 22, "b": 44}
    still: dict[str, object] = {"fixedrange": True, "zeroline": False}
    cost = {"text": "Mean cost of a task, USD", "font": {"size": 11.5}}
    layout["xaxis"] = {**still, "title": cost, "tickprefix": "$", "nticks": 6, "anchor": "y2" if told else "y"}
    quality, risk = ((0.42, 1.0), (0.0, 0.32)) if told else ((0.0, 1.0), (0.0, 0.0))
    layout["yaxis"] = {**still, "automargin": True, "nticks": 5, "domain": list(quality)}
    layout["annotations"] = [_title("mean quality", quality)]
    if told:
        layout["yaxis2"] = {
            **still, "automargin": True, "nticks": 4, "domain": list(risk), "tickprefix": "$", "rangemode": "tozero"
        }  # fmt: skip
        layout["annotations"] = [_title("mean quality", quality), _title("risk, ρ·R, USD a task", risk)]
    return {"data": traces, "layout": layout}


def regret_curves(frame: Frame, key: str) -> Figure:
    """What each class's router lost in sum over the days, with the bound that its intervals set to the sum, dashed."""
    traces: list[Trace] = []
    for place, (tenant, task_class) in enumerate(classes_of(frame)[:LINES_SHOWN]):
        rows = [row for row in frame if (str(row["tenant"]), str(row["task_class"])) == (tenant, task_class)]
        days = [str(row["day"]) for row in rows]
        for column, dash, said in (
            ("cumulative_high_usd", "dot", "at most, at 97.5 %"), ("cumulative_usd", "solid", "lost since then")
        ):  # fmt: skip
            traces.append(
                {
                    "type": "scatter", "mode": "lines", "x": days, "y": [_float(row[column]) for row in rows],
                    "line": {"color": theme.SERIES[place], "width": 2, "dash": dash},
                    "hovertemplate": f"<b>{label_of(task_class)}</b><br>%{{x|%-d %b %Y}}<br>$%{{y:,.2f}} {said}<extra></extra>",
                }
            )  # fmt: skip
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["xaxis"] = {"type": "date", "showgrid": False, "zeroline": False, "fixedrange": True, "nticks": 7}
    layout["yaxis"] = {
        "tickprefix": "$",
        "fixedrange": True,
        "zeroline": False,
        "rangemode": "tozero",
        "automargin": True,
        "nticks": 5,
    }
    layout["annotations"] = [_title("regret in sum, USD; dotted: its bound", (0.0, 1.0))]
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


def regret_by_value(frame: Frame, key: str) -> Figure:
    """What a request lost against what its task was worth: a dot with its interval for each segment that was judged.

    Those that stand as findings are marked. The axis of value is logarithmic, and a band is put where it begins (the lowest,
    which begins nowhere, at half of where it ends).
    """
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["margin"] = {"l": 8, "r": 8, "t": 22, "b": 44}
    title = {"text": "What the task was worth, V, USD", "font": {"size": 11.5}}
    still = {"fixedrange": True, "zeroline": False}
    layout["xaxis"] = {**still, "title": title, "type": "log", "tickprefix": "$", "dtick": 1}
    layout["yaxis"] = {"tickprefix": "$", "fixedrange": True, "zeroline": True, "automargin": True, "nticks": 6}
    layout["annotations"] = [_title("regret of a request, USD, with its bounds", (0.0, 1.0))]
    judged = [row for row in frame if row["usd_each"] is not None and _worth(row) is not None]
    traces = [
        _judged([row for row in judged if bool(row["is_discovery"]) == stands], color)
        for stands, color in ((False, theme.COMPUTE), (True, theme.ACCENT))
    ]
    return {"data": traces, "layout": layout}


def _worth(row: dict[str, object]) -> float | None:
    """Where a band stands on the axis of value."""
    low, high = _float(row["value_low_usd"]), _float(row["value_high_usd"])
    if low:
        return low
    return None if not high else high / 2


def _judged(rows: Sequence[dict[str, object]], color: str) -> Trace:
    usd, low, high = ([_float(row[name]) or 0.0 for row in rows] for name in ("usd_each", "low", "high"))
    return {
        "type": "scatter", "mode": "markers", "x": [_worth(row) for row in rows], "y": usd,
        "marker": {"color": color, "size": 9},
        "error_y": {"type": "data", "symmetric": False, "array": [top - each for top, each in zip(high, usd, strict=True)],
                    "arrayminus": [each - bottom for bottom, each in zip(low, usd, strict=True)], "thickness": 1, "width": 3,
                    "color": color},
        "customdata": [
            f"{label_of(str(row['task_class']))} ({label_of(str(row['tenant']))}), V {label_of(str(row['value_band']))}<br>"
            f"{label_of(str(row['chosen']))}, {formats.count(row['n'], 'request')}" for row in rows
        ],
        "hovertemplate": "<b>%{customdata}</b><br>$%{y:,.4~r} lost by each<extra></extra>",
    }  # fmt: skip


def cache_by_day(frame: Frame, key: str) -> Figure:
    """Tokens written to caches and read from them, by day, side by side."""
    layout = paper(key)
    layout["barmode"] = "group"
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["xaxis"] = {"type": "date", "showgrid": False, "zeroline": False, "fixedrange": True, "nticks": 7}
    layout["yaxis"] = {"tickformat": "~s", "fixedrange": True, "zeroline": False, "rangemode": "tozero", "automargin": True,
                       "nticks": 4}  # fmt: skip
    layout["annotations"] = [_title("tokens a day: written, and lighter read", (0.0, 1.0))]
    days = [str(row["day"]) for row in frame]
    traces: list[Trace] = []
    for column, color, said in (
        ("cache_write_tokens", theme.SERIES[0], "written"), ("cache_read_tokens", theme.SERIES[2], "read")
    ):  # fmt: skip
        amounts = [_float(row[column]) for row in frame]
        traces.append(
            {
                "type": "bar", "x": days, "y": amounts, "marker": {"color": color, "line": {"width": 0}},
                "hovertemplate": f"%{{x|%-d %b %Y}}<br>%{{y:,.0f}} tokens {said}<extra></extra>",
            }
        )  # fmt: skip
    return {"data": traces, "layout": layout}


def waiting(frame: Frame, key: str) -> Figure:
    """Seconds that requests waited for each engine by hour: the mean, and what nineteen of twenty waited at most, dotted."""
    engines = list(dict.fromkeys(str(row["engine"]) for row in frame))[:LINES_SHOWN]
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["xaxis"] = {"type": "date", "showgrid": False, "zeroline": False, "fixedrange": True, "nticks": 7}
    layout["yaxis"] = {
        "ticksuffix": " s",
        "fixedrange": True,
        "zeroline": False,
        "rangemode": "tozero",
        "automargin": True,
        "nticks": 4,
    }
    layout["annotations"] = [_title("seconds in the queue: mean, and dotted what 95 % waited at most", (0.0, 1.0))]
    traces: list[Trace] = []
    for place, engine in enumerate(engines):
        rows = [row for row in frame if str(row["engine"]) == engine and isinstance(row["hour"], datetime)]
        hours = [iso(row["hour"]) for row in rows if isinstance(row["hour"], datetime)]
        for column, dash, said in (("queue_p95_s", "dot", "at most, 95 %"), ("queue_s", "solid", "on average")):
            traces.append(
                {
                    "type": "scatter", "mode": "lines", "x": hours, "y": [_float(row[column]) for row in rows],
                    "line": {"color": theme.SERIES[place], "width": 1.6, "dash": dash},
                    "hovertemplate": f"<b>{label_of(engine)}</b><br>%{{x|%-d %b %Y, %H:00}} UTC<br>%{{y:,.3~r}} s {said}"
                    "<extra></extra>",
                }
            )  # fmt: skip
    return {"data": traces, "layout": layout}


def drafting(frame: Frame, key: str) -> Figure:
    """The share of drafts accepted by the length of the context, a line per engine.

    Dashed across it the share at which drafting pays for itself, and down it the length from which on it does not, with its
    interval as a band; each where it is known.
    """
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["margin"] = {"l": 8, "r": 8, "t": 22, "b": 44}
    layout["xaxis"] = {"title": {"text": "Context, tokens", "font": {"size": 11.5}}, "fixedrange": True, "zeroline": False,
                       "rangemode": "tozero", "tickformat": "~s"}  # fmt: skip
    layout["yaxis"] = {
        "tickformat": ".0%",
        "range": [0, 1],
        "fixedrange": True,
        "zeroline": False,
        "automargin": True,
        "nticks": 5,
    }
    layout["annotations"] = [_title("drafts accepted", (0.0, 1.0))]
    traces: list[Trace] = []
    shapes: list[dict[str, object]] = []
    for place, engine in enumerate(list(dict.fromkeys(str(row["engine"]) for row in frame))[:LINES_SHOWN]):
        rows = [row for row in frame if str(row["engine"]) == engine]
        color = theme.SERIES[place]
        traces.append(
            {
                "type": "scatter", "mode": "lines+markers", "x": [_float(row["context_tokens"]) for row in rows],
                "y": [_float(row["accepted_share"]) for row in rows], "line": {"color": color, "width": 2, "shape": "vh"},
                "error_y": {"type": "data", "array": [_share_error(row) for row in rows], "thickness": 1, "width": 0},
                "customdata": [formats.count(row["requests"], "request") for row in rows],
                "hovertemplate": f"<b>{label_of(engine)}</b><br>up to %{{x:,.0f}} tokens<br>%{{y:.1%}} accepted, "
                "%{customdata}<extra></extra>",
            }
        )  # fmt: skip
        shapes += _thresholds(rows[0], color)
    layout["shapes"] = shapes
    return {"data": traces, "layout": layout}


def _share_error(row: dict[str, object]) -> float:
    """Half the interval of a share over requests; drafts of one request go together."""
    share, n = _float(row["accepted_share"]) or 0.0, _float(row["requests"]) or 1.0
    return float(1.96 * (share * (1 - share) / n) ** 0.5)


def _thresholds(row: dict[str, object], color: str) -> list[dict[str, object]]:
    line = {"color": color, "width": 1, "dash": "dash"}
    found: list[dict[str, object]] = []
    if (pays := _float(row["break_even"])) is not None:
        found.append({"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": pays, "y1": pays, "line": line})
    off, low, high = (_float(row[name]) for name in ("off_from_tokens", "low", "high"))
    if off is not None:
        found.append({"type": "line", "yref": "paper", "x0": off, "x1": off, "y0": 0, "y1": 1, "line": line})
    if low is not None and high is not None:
        band = {"type": "rect", "yref": "paper", "x0": low, "x1": high, "y0": 0, "y1": 1, "line": {"width": 0}}
        found.append({**band, "fillcolor": theme.ACCENT, "opacity": 0.12})
    return found


def gain_by_lag(frame: Frame, key: str) -> Figure:
    """What an update gained by the age of its rollouts: dots as seen, the line as fitted."""
    lags = [float(formats.number(row["lag"]) or 0) for row in frame]
    said = [f"{formats.count(row['updates'], 'update')}, {label_of(str(row['subject']))}" for row in frame]
    margins = [1.96 * (_float(row.get("error")) or 0.0) for row in frame]
    layout = paper(key)
    layout["hovermode"] = "closest"
    layout["dragmode"] = False
    layout["margin"] = {"l": 8, "r": 8, "t": 12, "b": 44}
    layout["xaxis"] = {"title": {"text": "Versions old", "font": {"size": 11.5}}, "fixedrange": True, "zeroline": False}
    layout["yaxis"] = {"title": {"text": "Gain of an update", "font": {"size": 11.5}}, "fixedrange": True, "automargin": True}
    seen: Trace = {
        "type": "scatter", "mode": "markers", "x": lags, "y": [_float(row["gain"]) for row in frame], "customdata": said,
        "marker": {"color": theme.COMPUTE, "size": 9},
        "error_y": {"type": "data", "array": margins, "thickness": 1, "width": 0},
        "hovertemplate": "%{x} versions old: %{y:.3~r}<br>%{customdata}<extra></extra>",
    }  # fmt: skip
    fitted: Trace = {
        "type": "scatter", "mode": "lines", "x": lags, "y": [_float(row["fitted"]) for row in frame],
        "line": {"color": theme.UNKNOWN, "width": 2}, "hoverinfo": "skip",
    }  # fmt: skip
    return {"data": [fitted, seen], "layout": layout}


def _points(rows: Sequence[dict[str, object]], color: str, said: str, mode: str, symbol: str, size: int, column: str) -> Trace:
    worth = "quality %{y:.3~r}" if column == "quality" else "ρ·R $%{y:,.4~r}"
    return {
        "type": "scatter",
        "mode": mode,
        "x": [_float(row["cost_usd"]) for row in rows],
        "y": [_float(row[column]) for row in rows],
        "xaxis": "x",
        "yaxis": "y" if column == "quality" else "y2",
        "customdata": [str(row["scale"]) for row in rows],
        "line": {"color": color, "width": 2},
        "marker": {"color": color, "size": size, "symbol": symbol},
        "hovertemplate": f"{said}<br>$%{{x:,.4~r}} a task, {worth}<extra></extra>",
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
