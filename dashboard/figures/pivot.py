"""A table of spend by any two things, with all others together and totals that equal the sum."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

from dashboard import formats, theme
from dashboard.figures.paper import Figure, Row, Trace, bars, bars_over_time
from dashboard.figures.spend import NOT_ATTRIBUTED
from dashboard.filters import Window
from dashboard.frame import Frame

_MEASURES = {"cost": "cost_usd", "calls": "calls", "tokens": "tokens"}
_UNITS = {"cost": ("USD", "$"), "calls": ("Calls", ""), "tokens": ("Tokens", "")}


@dataclass(frozen=True, slots=True)
class Line:
    """One row or column: its place, its name, and the value it stands for; `is_rest` where it is all others together."""

    rank: int
    label: str
    value: str | None
    is_rest: bool = False


@dataclass(frozen=True, slots=True)
class Pivot:
    """Rows, columns and cells by their ranks; a cell that is missing had no calls, one of None had none with a price."""

    rows: list[Line]
    columns: list[Line]
    cells: dict[tuple[int, int], Decimal | None]

    def of_row(self, row: Line) -> Decimal | None:
        """The sum of a row, of what is known in it."""
        return _sum([usd for (rank, _), usd in self.cells.items() if rank == row.rank])

    def of_column(self, column: Line) -> Decimal | None:
        """The sum of a column, of what is known in it."""
        return _sum([usd for (_, rank), usd in self.cells.items() if rank == column.rank])

    @property
    def whole(self) -> Decimal | None:
        """The sum of all cells."""
        return _sum(list(self.cells.values()))


def pivot_of(frame: Frame, measure: str) -> Pivot:
    """The table of `spend_pivot` for a measure: cost, calls or tokens."""
    cells: dict[tuple[int, int], Decimal | None] = {}
    for row in frame:
        known = row[_MEASURES[measure]]
        cells[cast(int, row["row_rank"]), cast(int, row["column_rank"])] = None if known is None else Decimal(str(known))
    return Pivot(_lines(frame, "row", "rows"), _lines(frame, "column", "columns"), cells)


def stacked(pivot: Pivot, window: Window, step: str, measure: str, key: str) -> Figure:
    """The rows of a table whose columns are steps of time, as stacked bars: the largest three, and all others together."""
    unit, prefix = _UNITS[measure]
    known = [column for column in pivot.columns if not column.is_rest and column.value]
    starts = [datetime.fromisoformat(cast(str, column.value)).replace(tzinfo=UTC) for column in known]
    shades = theme.SERIES if len(pivot.rows) <= len(theme.SERIES) else theme.SERIES[:3]
    groups: list[tuple[str, list[Line], str]] = [
        (row.label, [row], color) for row, color in zip(pivot.rows, shades, strict=False)
    ]
    if rest := pivot.rows[len(shades) :]:
        groups.append(("all others", rest, theme.OTHERS))
    traces: list[Trace] = []
    for label, rows, color in groups:
        sums = [_sum([pivot.cells.get((row.rank, column.rank)) for row in rows]) for column in known]
        said = [say(amount, measure) for amount in sums]
        heights = [None if amount is None else float(amount) for amount in sums]
        traces.append(bars(label, starts, heights, said, color, step, label))
    return bars_over_time(traces, window, step, [Row(f"{unit} per {step}", prefix=prefix)], key)


def say(amount: Decimal | None, measure: str) -> str:
    """An amount of a measure in words."""
    if amount is None:
        return "–"
    return {"cost": formats.usd, "tokens": formats.tokens}.get(measure, lambda calls: f"{calls:,.0f}")(amount)


def _lines(frame: Frame, name: str, of: str) -> list[Line]:
    found: dict[int, Line] = {}
    for row in frame:
        rank, value, is_rest = cast(int, row[f"{name}_rank"]), cast("str | None", row[name]), bool(row[f"{name}_is_rest"])
        label = f"{cast(int, row[of]) - rank + 1} others" if is_rest else value if value is not None else NOT_ATTRIBUTED
        found[rank] = Line(rank, label, value, is_rest)
    return [found[rank] for rank in sorted(found)]


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None
