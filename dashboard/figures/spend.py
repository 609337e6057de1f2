"""Dollars and tokens over time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import cast

from dashboard import formats, theme
from dashboard.figures.paper import Figure, Row, Trace, bars, bars_over_time, iso
from dashboard.filters import Window
from dashboard.frame import Frame

NOT_ATTRIBUTED = "not attributed"
OTHERS = "\0others"  # no value of a dimension can be this: PostgreSQL's text holds no NUL


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a stacked figure: the values of the dimension it stands for, their dollars and calls, and its shade."""

    label: str
    values: tuple[str | None, ...]
    cost_usd: Decimal | None
    calls: int
    unpriced_calls: int
    color: str

    @property
    def key(self) -> str:
        """What a click on this series says: its value, empty for what is not attributed, a mark of its own for all others."""
        if len(self.values) != 1:
            return OTHERS
        (value,) = self.values
        return value or ""


def series_of(frame: Frame) -> list[Series]:
    """The dearest values of `spend_over_time` in order, then all others as one; what is not attributed keeps its own grey.

    Costs are None where no call of the series has a price.
    """
    totals: dict[str | None, list[dict[str, object]]] = {}
    for row in frame:
        totals.setdefault(cast("str | None", row["series"]), []).append(row)
    ranked = sorted(totals, key=lambda value: (-(_cost(totals[value]) or 0), -_sum(totals[value], "calls"), value or ""))
    known = [value for value in ranked if value is not None]
    shown = known if len(known) <= len(theme.SERIES) else known[: len(theme.SERIES) - 1]
    rest = tuple(value for value in known if value not in shown)
    series = [_series(value, (value,), totals, color) for value, color in zip(shown, theme.SERIES, strict=False)]
    if rest:
        series.append(_series(f"{len(rest)} others", rest, totals, theme.OTHERS))
    if None in totals:
        series.append(_series(NOT_ATTRIBUTED, (None,), totals, theme.UNATTRIBUTED))
    return series


def spend_over_time(frame: Frame, window: Window, bucket: str, key: str) -> Figure:
    """Dollars per bucket, stacked by series, the dearest at the bottom. Reads `spend_over_time` or `spend_over_minutes`."""
    starts = sorted({cast(datetime, row["bucket"]) for row in frame})
    traces: list[Trace] = []
    for series in series_of(frame):
        cells: dict[datetime, list[dict[str, object]]] = {}
        for row in frame:
            if row["series"] in series.values:
                cells.setdefault(cast(datetime, row["bucket"]), []).append(row)
        costs = [_cost(cells.get(start, [])) for start in starts]
        said = [_said(cells.get(start, [])) for start in starts]
        heights = [None if cost is None else float(cost) for cost in costs]
        traces.append(bars(series.label, starts, heights, said, series.color, bucket, series.key))
    return bars_over_time(traces, window, bucket, [Row(f"USD per {bucket}", prefix="$")], key)


def beside_former(figure: Figure, former: Frame, shift: timedelta, bucket: str, said: str) -> Figure:
    """The same figure with what the period before cost in all, as a line over the bars, moved on by so much. `said` names it."""
    sums: dict[datetime, list[dict[str, object]]] = {}
    for row in former:
        sums.setdefault(cast(datetime, row["bucket"]), []).append(row)
    starts = sorted(sums)
    costs = [_cost(sums[start]) for start in starts]
    middle = {"minute": 0.5 / 60, "hour": 0.5, "day": 12, "week": 84, "month": 360}[bucket]
    line: Trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": said,
        "x": [iso(start + shift + timedelta(hours=middle)) for start in starts],
        "y": [None if cost is None else float(cost) for cost in costs],
        "customdata": [f"{formats.usd(cost)}, {start:%-d %b %Y}" for start, cost in zip(starts, costs, strict=True)],
        "hovertemplate": "<b>%{fullData.name}</b><br>%{customdata}<extra></extra>",
        "line": {"color": theme.UNKNOWN, "width": 1.5, "dash": "dot"},
        "marker": {"size": 5, "color": theme.UNKNOWN},
    }
    return {**figure, "data": [*cast("list[Trace]", figure["data"]), line]}


def tokens_over_time(frame: Frame, window: Window, bucket: str, key: str) -> Figure:
    """Tokens per bucket by kind, output above input, each on its own scale: input is often fifty times the output.

    Reads `tokens_over_time` or `tokens_over_minutes`.
    """
    starts = [cast(datetime, start) for start in frame.column("bucket")]
    traces: list[Trace] = []
    for row, kinds in ((1, theme.INPUT_KINDS), (2, theme.OUTPUT_KINDS)):
        for kind, (label, color) in kinds.items():
            counts = frame.column(kind)
            if any(counts):
                said = [f"{formats.tokens(counted)} tokens" for counted in counts]
                heights = [None if counted is None else float(cast(Decimal, counted)) for counted in counts]
                side = "input" if row == 1 else "output"
                traces.append(bars(f"{label} {side}", starts, heights, said, color, bucket, kind, row))
    rows = [Row(f"Input tokens per {bucket}", (0.0, 0.52)), Row(f"Output tokens per {bucket}", (0.68, 1.0))]
    return bars_over_time(traces, window, bucket, rows, key)


def records_over_time(frame: Frame, window: Window, bucket: str, key: str) -> Figure:
    """Records received per bucket by signal. Reads `ingest_over_time`."""
    traces: list[Trace] = []
    in_order = sorted(frame, key=lambda row: (str(row["signal"]), cast(datetime, row["bucket"])))
    for color, (signal, group) in zip(theme.SERIES, groupby(in_order, key=lambda row: str(row["signal"])), strict=False):
        cells = list(group)
        said = [formats.count(cell["records"], "record") for cell in cells]
        heights: list[float | None] = [float(cast(Decimal, cell["records"])) for cell in cells]
        traces.append(bars(signal, [cast(datetime, cell["bucket"]) for cell in cells], heights, said, color, bucket, signal))
    return bars_over_time(traces, window, bucket, [Row(f"Records per {bucket}")], key)


def _series(label: str, values: tuple[str | None, ...], totals: dict[str | None, list[dict[str, object]]], color: str) -> Series:
    rows = [row for value in values for row in totals[value]]
    return Series(label, values, _cost(rows), _sum(rows, "calls"), _sum(rows, "unpriced_calls"), color)


def _said(rows: list[dict[str, object]]) -> str:
    if not rows:
        return "–"
    unpriced = _sum(rows, "unpriced_calls")
    said = f"{formats.usd(_cost(rows))} · {formats.count(_sum(rows, 'calls'), 'call')}"
    return f"{said}, {unpriced:,} unpriced" if unpriced else said


def _cost(rows: list[dict[str, object]]) -> Decimal | None:
    known = [cast(Decimal, row["cost_usd"]) for row in rows if row["cost_usd"] is not None]
    return sum(known, Decimal(0)) if known else None


def _sum(rows: list[dict[str, object]], column: str) -> int:
    return sum(int(cast(int, row[column]) or 0) for row in rows)
