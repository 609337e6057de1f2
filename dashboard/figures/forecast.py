"""What a month costs so far, and what it will have cost by its end."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import cast

from dashboard import formats, theme
from dashboard.figures.paper import Figure, Row, bars_over_time, iso
from dashboard.filters import Window
from dashboard.frame import Frame


@dataclass(frozen=True, slots=True)
class Forecast:
    """What will have been spent by the end of a period, with its interval (95 %), in USD."""

    forecast_usd: Decimal
    low_usd: Decimal
    high_usd: Decimal


def month_so_far(frame: Frame, window: Window, now: datetime, forecast: Forecast | None, key: str) -> Figure:
    """The sum of the days so far as a line, from now on the forecast within its interval. Reads `month_days`."""
    days = [datetime.combine(cast(date, day), time(0), UTC) for day in frame.column("day")]
    costs = [cast("Decimal | None", usd) or Decimal(0) for usd in frame.column("cost_usd")]
    sums = list(accumulate(costs))
    ends = [min(day + timedelta(days=1), now) for day in days]
    spent = [Decimal(0), *sums, *sums[-1:]]
    so_far = _line([*days[:1], *ends, now], spent, theme.COMPUTE, "solid", "Spent")
    traces: list[dict[str, object]] = [so_far]
    if forecast is not None and window.until is not None:
        at = [now, window.until]
        already = spent[-1]
        fan: dict[str, object] = {
            "type": "scatter",
            "mode": "none",
            "x": [iso(now), iso(window.until), iso(window.until), iso(now)],
            "y": [float(usd) for usd in (already, forecast.high_usd, forecast.low_usd, already)],
            "fill": "toself",
            "fillcolor": "rgba(43,124,192,0.16)",
            "hoverinfo": "skip",
            "name": "Interval",
        }
        traces = [fan, so_far, _line(at, [already, forecast.forecast_usd], theme.COMPUTE, "dot", "Forecast")]
    return bars_over_time(traces, window, "day", [Row("USD since the month began", prefix="$")], key)


def _line(at: list[datetime], usd: list[Decimal], color: str, dash: str, name: str) -> dict[str, object]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [iso(moment) for moment in at],
        "y": [float(amount) for amount in usd],
        "line": {"color": color, "width": 2, "dash": dash},
        "customdata": [formats.usd(amount) for amount in usd],
        "hovertemplate": f"<b>{name}</b><br>%{{x|%a %-d %b %Y}}<br>%{{customdata}}<extra></extra>",
    }
