"""An account over time: what moved each day, and what stood on it at the day's end."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from html import escape
from typing import cast

from dashboard import formats, theme
from dashboard.figures.paper import Figure, Row, bars, bars_over_time, iso
from dashboard.filters import Window
from dashboard.frame import Frame


def balance_over_time(frame: Frame, window: Window, key: str) -> Figure:
    """Movements as bars below, the balance as steps above, each on its own scale. Reads `statement_days`."""
    starts = [_start(cast(date, day)) for day in frame.column("day")]
    moved = [cast(Decimal, usd) for usd in frame.column("moved_usd")]
    stood = [cast(Decimal, usd) for usd in frame.column("balance_usd")]
    said = [f"{formats.usd(usd)} moved" for usd in moved]
    movements = bars("Moved", starts, [float(usd) for usd in moved], said, theme.SERIES[1], "day", "moved")
    balance: dict[str, object] = {
        "type": "scatter",
        "mode": "lines+markers" if len(starts) < 40 else "lines",
        "name": "Balance",
        "x": [iso(start.replace(hour=12)) for start in starts],
        "y": [float(usd) for usd in stood],
        "xaxis": "x",
        "yaxis": "y2",
        "line": {"shape": "linear", "color": theme.SERIES[0], "width": 2},
        "marker": {"size": 5, "color": theme.SERIES[0]},
        "customdata": [escape(formats.usd(usd)) for usd in stood],
        "hovertemplate": "<b>Balance</b><br>end of %{x|%a %-d %b %Y}<br>%{customdata}<extra></extra>",
    }
    rows = [Row("USD moved per day", (0.0, 0.36), "$"), Row("USD on the account at the day's end", (0.54, 1.0), "$")]
    figure = bars_over_time([movements, balance], window, "day", rows, key)
    layout = cast("dict[str, dict[str, object]]", figure["layout"])
    for axis in ("yaxis", "yaxis2"):  # credits lie below zero
        layout[axis] |= {
            "rangemode": "normal" if axis == "yaxis2" else "tozero",
            "zeroline": True,
            "zerolinecolor": theme.UNKNOWN,
        }
    return figure


def _start(day: date) -> datetime:
    return datetime.combine(day, time(0), UTC)
