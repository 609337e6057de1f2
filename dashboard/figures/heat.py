"""Task class × kind of decision: where regret is, and where nothing can be said. A table whose cells are shaded."""

from dataclasses import dataclass

from dashboard import formats
from dashboard.frame import Frame


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of decision in one task class.

    `usd` is regret a day with its interval, None where no decision of it has a number; `strength` is between 0 and 1, against the
    largest cell. A cell is `open` where nothing is identified: it is hatched, since 0 would be a claim.
    """

    usd: float | None
    low: float | None
    high: float | None
    decisions: int
    appraised: int
    strength: float

    @property
    def open(self) -> bool:
        """Whether no decision of it could be appraised."""
        return self.usd is None


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Rows are task classes, columns kinds, both by their regret; a missing cell means that there were no such decisions."""

    task_classes: tuple[str | None, ...]
    kinds: tuple[str, ...]
    cells: dict[tuple[str | None, str], Cell]


def heat_map(frame: Frame) -> HeatMap:
    """The map of `regret_by_class_and_kind`."""
    largest = max((_float(row["usd_per_day"]) or 0.0 for row in frame), default=0.0)
    cells: dict[tuple[str | None, str], Cell] = {}
    for row in frame:
        usd = _float(row["usd_per_day"])
        task_class = None if row["task_class"] is None else str(row["task_class"])
        cells[task_class, str(row["kind"])] = Cell(
            usd=usd,
            low=_float(row["low_usd_per_day"]),
            high=_float(row["high_usd_per_day"]),
            decisions=int(formats.number(row["decisions"]) or 0),
            appraised=int(formats.number(row["appraised"]) or 0),
            strength=(usd or 0.0) / largest if largest else 0.0,
        )
    classes: dict[str | None, float] = {}
    kinds: dict[str, float] = {}
    for (task_class, kind), cell in cells.items():
        classes[task_class] = classes.get(task_class, 0.0) + (cell.usd or 0.0)
        kinds[kind] = kinds.get(kind, 0.0) + (cell.usd or 0.0)
    return HeatMap(
        tuple(sorted(classes, key=lambda name: (-classes[name], name or "\U0010ffff"))),
        tuple(sorted(kinds, key=lambda name: (-kinds[name], name))),
        cells,
    )


def _float(value: object) -> float | None:
    amount = formats.number(value)
    return None if amount is None else float(amount)
