"""`pigou reconcile`: a provider's invoice or export of usage beside what the books say that the same calls cost."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.bill import MonthOption, days_of
from cli.errors import CommandError
from cli.home import open_database
from cli.options import Format, FormatOption, HomeOption, SinceOption, TenantOption, UntilOption
from cli.tenants import refuse_unknown
from cli.terminal import remark

if TYPE_CHECKING:
    import psycopg

    from ledger.bill import Days
    from ledger.invoices import Compared, Invoice, Line

_BOOKED = """select day, provider, model, sum(cost_usd) as cost_usd, sum(calls)::bigint as calls,
       sum(unpriced_calls + suspense_calls)::bigint as unpriced_calls
  from ledger.spend_daily where day >= {since} and day < {until}{whose} group by day, provider, model"""
_SHOWN = ("invoiced_usd", "booked_usd", "difference_usd", "calls", "unpriced_calls", "verdict")


def _amount(text: str) -> Decimal:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        raise CommandError(f"--tolerance {text!r} is no amount", "write USD as in 0.01", exit_code=2)
    return Decimal(text)


def reconcile(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV of the provider, with a header.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    provider: Annotated[
        str | None, typer.Option("--provider", metavar="NAME", help="Who sent it; needed where no column tells.")
    ] = None,
    month: MonthOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="NAME=HEADER", help="What the file calls day, provider, model, amount_usd or currency."),
    ] = None,
    tolerance: Annotated[
        str, typer.Option("--tolerance", metavar="USD", help="Up to which difference a line is equal.")
    ] = "0.01",
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Compare an invoice or an export of usage with the books, by day, provider and model. Exit 1 when they differ."""
    from ledger.invoices import InvoiceError, compare, read_invoice

    allowed = _amount(tolerance)
    try:
        invoice = read_invoice(file, _headers(column), provider)
    except InvoiceError as error:
        raise CommandError(error.message, error.mend, exit_code=2) from error
    if "provider" not in invoice.told:
        raise CommandError("nothing tells whose invoice it is", "give --provider, or --column provider=HEADER", exit_code=2)
    days = _days(invoice, month, since, until)
    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        sellers = {line.key.provider for line in invoice.lines}
        query, booked, others = _booked(books, days, tenant, sellers)
    if not booked and others:
        named = " and ".join(sorted(map(str, sellers)))
        remark(f"nothing of {named} is booked on these days; what is, is of {', '.join(sorted(others))}")
    compared = compare(invoice.lines, booked, invoice.told)
    apart = _write(compared, invoice.told, allowed, chosen)
    if chosen is Format.TABLE:
        remark(
            f"calls that began from {days.since} to {days.last} (UTC), as they are priced now; difference: invoiced less booked"
        )
        for total in invoice.totals:
            remark(f"line {total.line_number} of {file.name}, {total.amount_usd} USD, is the total of lines above it: left out")
        if invoice.ignored:
            remark(f"not read of {file.name}: {', '.join(invoice.ignored)}")
        remark(f"sql: {query};")
    if apart:
        unpriced = sum(row.unpriced_calls for row in compared)
        waits = f"; {unpriced:,} calls have no price or cannot be read and are in no booked sum" if unpriced else ""
        mend = "a price that is another one is stated by `pigou rates add`; calls that no telemetry told are in no book"
        raise CommandError(f"{apart} of {len(compared)} lines are not equal within {allowed} USD{waits}", mend)


def _headers(given: list[str] | None) -> dict[str, str]:
    from ledger.invoices import COLUMNS

    headers: dict[str, str] = {}
    for text in given or ():
        name, equals, header = text.partition("=")
        if name not in COLUMNS or not equals:
            raise CommandError(f"--column {text!r} names none of {', '.join(COLUMNS)}", "write NAME=HEADER", exit_code=2)
        headers[name] = header
    return headers


def _days(invoice: Invoice, month: date | None, since: date | None, until: date | None) -> Days:
    """The days asked for, else those of the file."""
    from ledger.bill import Days

    known = [line.key.day for line in invoice.lines if line.key.day is not None]
    if month is None and since is None and until is None:
        if not known:
            raise CommandError("the file tells no days", "give --month, or --since and --until", exit_code=2)
        return Days(min(known), max(known) + timedelta(days=1))
    days = days_of(month, since, until)
    outside = [day for day in known if not days.since <= day < days.until]
    if outside:
        what = f"{len(outside)} lines of the file are of days outside {days.since} to {days.last}, the first of {min(outside)}"
        raise CommandError(what, "leave the days out to compare all of the file", exit_code=2)
    return days


def _booked(
    books: psycopg.Connection, days: Days, tenant: str | None, providers: set[str | None]
) -> tuple[str, list[Line], set[str]]:
    """The query, its rows of these providers under the price book's names, and what other providers it has rows of."""
    from psycopg import sql

    from ledger.invoices import Key, Line, known_as

    whose = sql.SQL("") if tenant is None else sql.SQL(" and tenant = {}").format(sql.Literal(tenant))
    query = sql.SQL(_BOOKED).format(since=sql.Literal(days.since), until=sql.Literal(days.until), whose=whose)
    lines: list[Line] = []
    others: set[str] = set()
    for day, provider, model, cost_usd, calls, unpriced_calls in books.execute(query):
        seller, name = known_as(provider, model)
        if seller in providers:
            lines.append(Line(Key(day, seller, name), cost_usd, calls, unpriced_calls))
        else:
            others.add(seller)
    return query.as_string(books), lines, others


def _write(compared: list[Compared], told: tuple[str, ...], tolerance: Decimal, chosen: Format) -> int:
    """Write each line and the total; answers how many differ."""
    from cli.rows import write_records

    records: list[dict[str, str | int | Decimal | None]] = []
    for row in compared:
        named = {name: None if value is None else str(value) for name, value in zip(row.key._fields, row.key, strict=True)}
        records.append(named | _figures(row, tolerance))
    apart = sum(record["verdict"] != "equal" for record in records)
    whole: dict[str, str | int | Decimal | None] = dict.fromkeys(told)
    whole |= {told[0]: "total", "verdict": f"{apart} differ" if apart else "equal"}
    for name in _SHOWN[:-1]:
        whole[name] = sum((value for record in records if isinstance(value := record[name], int | Decimal)), 0)
    write_records([*records, whole], (*told, *_SHOWN), chosen, _SHOWN[:-1])
    return apart


def _figures(row: Compared, tolerance: Decimal) -> dict[str, str | int | Decimal | None]:
    verdict = "differs"
    if row.booked_usd is None and row.unpriced_calls:
        verdict = "no price"
    elif abs(row.difference_usd) <= tolerance:
        verdict = "equal"
    elif row.booked_usd is None:
        verdict = "not in the books"
    elif row.invoiced_usd is None:
        verdict = "not invoiced"
    return {
        "invoiced_usd": row.invoiced_usd, "booked_usd": row.booked_usd, "difference_usd": row.difference_usd, "calls": row.calls,
        "unpriced_calls": row.unpriced_calls, "verdict": verdict,
    }  # fmt: skip
