"""What is to hold of any table of spend."""

from __future__ import annotations

from decimal import Decimal

from dashboard.figures.pivot import Pivot


def sums_agree(made: Pivot) -> bool:
    """Whether rows and columns each sum to the whole, exactly."""
    zero = Decimal(0)
    by_row = sum((made.of_row(row) or zero for row in made.rows), zero)
    by_column = sum((made.of_column(column) or zero for column in made.columns), zero)
    return by_row == by_column == (made.whole or zero)
