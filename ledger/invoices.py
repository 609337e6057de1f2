"""A provider's invoice or export of usage, line by line, held against what the books say that the same calls cost.

The lines are summed by what the file tells of them (day, provider, model). Names are those of the price book on both sides, so
that `Claude-Sonnet-4-5-20250929` and `claude-sonnet-4-5` are one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from ledger.cells import FILE_BYTES_MAX, CellError
from ledger.model_names import provider_name, resolve

KEYS = ("day", "provider", "model")
COLUMNS = (*KEYS, "amount_usd", "currency")
SYNONYMS = {
    "date": "day", "usage_date": "day", "usage_date_utc": "day", "start_time_iso": "day", "vendor": "provider",
    "line_item": "model", "usd": "amount_usd", "cost_usd": "amount_usd", "cost": "amount_usd",
    "amount": "amount_usd", "amount_value": "amount_usd", "amount_currency": "currency", "currency_code": "currency",
}  # fmt: skip
_AMOUNT = re.compile(r"([-+]?)\$?([-+]?)((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)([eE][-+]?\d{1,2})?")
_TOTAL = re.compile(r"(?:grand |sub[ -]?)?totals?(?: \(?usd\)?)?:?|sum:?", re.IGNORECASE)
_ROUNDED = Decimal("0.005")
"""By which each line of an invoice may be off its sum, being written in cents."""
_DAY_LETTERS = 10


class InvoiceError(CellError):
    """An invoice cannot be read. `place` is the file and line, `column` what is wrong in it."""


class Key(NamedTuple):
    """What tells lines apart; None: the file does not tell it."""

    day: date | None
    provider: str | None
    model: str | None


class Line(NamedTuple):
    """One line: of an invoice, or of the books with how many calls it is of and how many of these have no price (None: all)."""

    key: Key
    amount_usd: Decimal | None
    calls: int = 0
    unpriced_calls: int = 0


class Total(NamedTuple):
    """A line that is the sum of others above it."""

    line_number: int
    amount_usd: Decimal


class Invoice(NamedTuple):
    """A file's lines, which columns it tells them apart by, the headers that were not read, and its sums of lines."""

    lines: list[Line]
    told: tuple[str, ...]
    ignored: tuple[str, ...]
    totals: tuple[Total, ...]


class Compared(NamedTuple):
    """One key on both sides; None: it is not there, or of the books that none of its calls has a price."""

    key: Key
    invoiced_usd: Decimal | None
    booked_usd: Decimal | None
    calls: int
    unpriced_calls: int

    @property
    def difference_usd(self) -> Decimal:
        """Invoiced less booked."""
        return (self.invoiced_usd or Decimal(0)) - (self.booked_usd or Decimal(0))


def read_invoice(path: Path, headers: Mapping[str, str], provider: str | None) -> Invoice:
    """All lines of a CSV file. `headers`: its own header by our name for it; `provider`: who sent it, where no column tells.

    Raises InvoiceError, naming file, line and column, on the first fault.
    """
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise InvoiceError(str(path), None, f"is larger than {FILE_BYTES_MAX} bytes", "compare it month by month")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvoiceError(str(path), None, f"cannot be read ({error.strerror})", "check the name and its permissions") from error
    except UnicodeDecodeError as error:
        raise InvoiceError(str(path), None, f"is not UTF-8 at byte {error.start}", "save it as UTF-8") from error
    if not text.strip():
        raise InvoiceError(str(path), None, "is empty", "export it again, with its lines")
    reader = csv.DictReader(text.splitlines(keepends=True), strict=True, delimiter=_delimiter(text))
    try:
        places = _places(path, reader.fieldnames or (), headers)
        lines, totals = _lines(path, reader, places, provider)
    except csv.Error as error:
        raise InvoiceError(f"{path}, line {reader.line_num}", None, f"is no CSV ({error})", "check its quotes") from error
    if not lines:
        raise InvoiceError(str(path), None, "holds no lines", "export it again, with its lines")
    told = tuple(name for name in KEYS if name in places or (name == "provider" and provider is not None))
    ignored = tuple(header for header in reader.fieldnames or () if header not in places.values())
    return Invoice(lines, told, ignored, totals)


def compare(invoiced: Iterable[Line], booked: Iterable[Line], told: Sequence[str]) -> list[Compared]:
    """Both sides summed by what the invoice tells, the largest difference first."""
    sums: dict[Key, list[Decimal | None]] = {}
    calls: dict[Key, tuple[int, int]] = {}
    for side, lines in enumerate((invoiced, booked)):
        for line in lines:
            day, provider, model = line.key
            key = Key(
                day if "day" in told else None, provider if "provider" in told else None, model if "model" in told else None
            )
            pair = sums.setdefault(key, [None, None])
            if line.amount_usd is not None:
                pair[side] = (pair[side] or Decimal(0)) + line.amount_usd
            known, unpriced = calls.get(key, (0, 0))
            calls[key] = known + line.calls, unpriced + line.unpriced_calls
    found = [Compared(key, one, other, *calls[key]) for key, (one, other) in sums.items()]
    return sorted(found, key=lambda row: (-abs(row.difference_usd), str(row.key)))


def known_as(provider: str | None, model: str | None) -> tuple[str, str]:
    """The price book's names for those of a call or of an invoice."""
    found = resolve(provider, model)
    return found.provider, found.model


def _delimiter(text: str) -> str:
    """What stands most often between the names of the first line."""
    head = text.lstrip().partition("\n")[0]
    return max(",;\t", key=head.count)


def _places(path: Path, found: Sequence[str], headers: Mapping[str, str]) -> dict[str, str]:
    """The file's header for each of our columns that it has."""
    places: dict[str, str] = {}
    for name, header in headers.items():
        if header not in found:
            raise InvoiceError(str(path), header, "is no column", f"the columns are {', '.join(found) or 'none'}")
        places[name] = header
    for header in found:
        name = header.strip().lower().replace(" ", "_")
        name = SYNONYMS.get(name, name)
        if name in COLUMNS and name not in headers:
            if name in places:
                raise InvoiceError(str(path), header, f"is {name} as {places[name]} is", f"say which: --column {name}=HEADER")
            places[name] = header
    if "amount_usd" not in places:
        mend = f"say which it is: --column amount_usd=HEADER, of {', '.join(found) or 'none'}"
        raise InvoiceError(str(path), None, "no column is known to be the amount", mend)
    return places


def _lines(
    path: Path, reader: csv.DictReader[str], places: dict[str, str], provider: str | None
) -> tuple[list[Line], tuple[Total, ...]]:
    """The lines, and those that say that they are the sum of others, held against these."""
    lines: list[Line] = []
    totals: list[Total] = []
    whole = since_last = Decimal(0)
    of_part = 0
    for row in reader:
        place = f"{path}, line {reader.line_num}"
        if not _is_total(row, places):
            lines.append(_line(row, places, provider, place))
            amount_usd = lines[-1].amount_usd or Decimal(0)
            whole, since_last, of_part = whole + amount_usd, since_last + amount_usd, of_part + 1
            continue
        said = _usd(row, places, place)
        if abs(said - whole) > _ROUNDED * (len(lines) + 1) and abs(said - since_last) > _ROUNDED * (of_part + 1):
            about = f"says that it is a total, of {said} USD, and the lines above it are {whole} USD"
            raise InvoiceError(
                place, places["amount_usd"], about, "export the file again, with all its lines, or take the total out"
            )
        totals.append(Total(reader.line_num, said))
        since_last, of_part = Decimal(0), 0
    return lines, tuple(totals)


def _is_total(row: dict[str, str], places: dict[str, str]) -> bool:
    """Whether a line says so in its first cell with text, or where another line has its day, provider or model."""
    cells = [cell.strip() for cell in row.values() if isinstance(cell, str) and cell.strip()]
    keys = [(row[places[name]] or "").strip() for name in KEYS if name in places]
    return any(_TOTAL.fullmatch(cell) for cell in (*cells[:1], *keys))


def _usd(row: dict[str, str], places: dict[str, str], place: str) -> Decimal:
    text = (row[places["amount_usd"]] or "").strip()
    amount_usd = _amount(text)
    if amount_usd is None:
        mend = "write USD as in 1,234.50, a credit as in -12.50"
        raise InvoiceError(place, places["amount_usd"], f"{text[:60]!r} is no amount", mend)
    return amount_usd


def _line(row: dict[str, str], places: dict[str, str], provider: str | None, place: str) -> Line:
    cells = {name: (row[header] or "").strip() for name, header in places.items()}
    amount_usd = _usd(row, places, place)
    if cells.get("currency", "").upper() not in ("", "USD"):
        said = f"{cells['currency'][:60]!r} is not USD, which the books are kept in"
        raise InvoiceError(place, places["currency"], said, "convert the amounts first")
    day = None
    if "day" in cells:
        try:
            day = _day(cells["day"])
        except ValueError:
            raise InvoiceError(place, places["day"], f"{cells['day'][:60]!r} is no day", "write it as 2026-01-31") from None
    seller, model = cells.get("provider") or provider, None
    if "model" in cells:
        seller, model = known_as(seller, cells["model"].partition(",")[0].strip())  # of `gpt-4.1, input`
    return Line(Key(day, provider_name(seller) if seller else None, model), amount_usd)


def _amount(text: str) -> Decimal | None:
    """An amount as invoices write it: 12.50, $1,234.50, -3, (3.00) for a credit. None: it is none, or has a comma for a point."""
    is_credit = text.startswith("(") and text.endswith(")")
    found = _AMOUNT.fullmatch(text[1:-1] if is_credit else text)
    if found is None or (found[1] and found[2]):
        return None
    amount = Decimal(found[3].replace(",", "") + (found[4] or ""))
    return -amount if is_credit or "-" in (found[1], found[2]) else amount


def _day(text: str) -> date:
    """The day of a day or a time; of a time with an offset, the day in UTC. Raises ValueError."""
    if len(text) <= _DAY_LETTERS:
        return date.fromisoformat(text)
    at = datetime.fromisoformat(text.removesuffix(" UTC"))
    return (at.astimezone(UTC) if at.tzinfo else at).date()
