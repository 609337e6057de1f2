"""A query's answer as it came: column names and rows. Light on purpose; no data-frame library is loaded here."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows of one statement, in its order. Unknown values stay None."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, object]]:
        for row in self.rows:
            yield dict(zip(self.columns, row, strict=True))

    def column(self, name: str) -> list[object]:
        """The values of one column. Raises: ValueError when the statement has no such column."""
        index = self.columns.index(name)
        return [row[index] for row in self.rows]

    def only(self) -> dict[str, object]:
        """The single row of an aggregate. Raises: ValueError when there is not exactly one."""
        if len(self.rows) != 1:
            raise ValueError(f"one row expected, {len(self.rows)} came")
        return dict(zip(self.columns, self.rows[0], strict=True))

    def first(self) -> dict[str, object] | None:
        """The first row, or None when the answer is empty."""
        return dict(zip(self.columns, self.rows[0], strict=True)) if self.rows else None
