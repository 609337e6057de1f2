"""Files of prices: CSV with a header, or YAML with a list of mappings, one rate each, in the columns of `ledger.stated_rates`."""

from __future__ import annotations

from pathlib import Path

from ledger.cells import Form, read_cells
from ledger.stated_rates import COLUMNS, REQUIRED, SYNONYMS, RateError, StatedRate, stated_rate

_FORM = Form("rate", "rates", COLUMNS, REQUIRED, SYNONYMS, RateError)


def read_rates(path: Path) -> list[StatedRate]:
    """All rates of a file. Raises RateError, naming file, line and column, on the first fault."""
    return [stated_rate(row, f"{path}, line {line}") for line, row in read_cells(path, _FORM)]
