"""`pigou bill`: what some days cost, beside the days before, as price, volume and mix."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.options import Format, FormatOption, HomeOption, SinceOption, TenantOption, UntilOption
from cli.tenants import refuse_unknown
from cli.terminal import nearest, remark

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

    from ledger.bill import Days

_COUNTS_FOR_MS = 15_000
_OF_BILLS = ("tenant", "provider", "model", "commodity")
_OF_SPEND = ("layer", "use", "agent", "task_class", "day")
_CARRIED = """
select coalesce(sum(cost_usd), 0), coalesce(sum(posted_usd), 0), coalesce(sum(brought_usd), 0), coalesce(sum(carried_usd), 0)
  from ledger.carried(%(since)s, %(until)s) where %(tenant)s::text is null or tenant = %(tenant)s"""
_WAITING = """
select coalesce(sum(unpriced_calls), 0), coalesce(sum(suspense_calls), 0) from ledger.spend_daily
 where (%(tenant)s::text is null or tenant = %(tenant)s) and day >= %(since)s and day < %(until)s"""
_BY_SPEND = "select {0}, sum(cost_usd) from ledger.spend_daily where day >= '{1}' and day < '{2}' group by {0}"
_HELD = """
select (min(first_hour) at time zone 'UTC')::date, (max(last_hour) at time zone 'UTC')::date
  from ledger.extent where %(tenant)s::text is null or tenant = %(tenant)s"""
_CLOSED = """
select count(*) filter (where closed_through >= %(last)s), count(*) from ledger.periods
 where %(tenant)s::text is null or tenant = %(tenant)s"""


def _parse_month(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no month; write 2026-01") from None


MonthOption: TypeAlias = Annotated[
    date | None, typer.Option("--month", parser=_parse_month, metavar="MONTH", help="A month: 2026-01.")
]


def bill(
    home: HomeOption = None,
    tenant: TenantOption = None,
    month: MonthOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    by: Annotated[
        str, typer.Option("--by", metavar="COLUMNS", help=f"What tells sums apart: {', '.join(_OF_BILLS)}; comma-separated.")
    ] = "provider,model",
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Show what a month or some days cost against those before, and why: price, volume and mix, which sum to the change."""
    from cli.rows import write_cursor
    from ledger.bill import former

    days = days_of(month, since, until)
    before = former(days)
    columns = _columns(by, days)
    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        begun, ended = _held(books, tenant)
        if begun is None or begun >= days.until:
            what = "hold no calls yet" if begun is None else f"begin on {begun}"
            raise CommandError(f"nothing is known of what {days.since} to {days.last} cost: the books {what}", "name later days")
        query, cursor = _asked(books, columns, days, before, tenant)
        write_cursor(cursor, chosen)
        if chosen is Format.TABLE:
            if ended is not None and ended < days.since:
                remark(f"the last call that the books hold is of {ended}: nothing came in these days")
            _say_what_it_is(books, days, before, tenant, begun)
            remark(f"sql: {query.as_string(books)};")


def days_of(month: date | None, since: date | None, until: date | None) -> Days:
    """The days asked for, not beyond today. Raises CommandError where there are none."""
    from ledger.bill import Days, month_of

    if month is not None and (since is not None or until is not None):
        raise CommandError("--month and --since, --until are two ways to name days", "keep one of them", exit_code=2)
    today = datetime.now(UTC).date()
    last = until or today
    first = month or since or last.replace(day=1)
    end = min(month_of(month).until, today + timedelta(days=1)) if month else last + timedelta(days=1)
    if end <= first:
        what = f"{first:%Y-%m} has not begun" if month else f"--since {first} is after {last}"
        raise CommandError(what, "name a day that was" if month else "exchange them", exit_code=2)
    return Days(first, end)


def _asked(
    books: psycopg.Connection, columns: tuple[str, ...], days: Days, before: Days, tenant: str | None
) -> tuple[sql.Composed, psycopg.Cursor]:
    """The rows, and the query they came by; with what of each line is of earlier days, where anything is and is counted soon."""
    from psycopg.errors import QueryCanceled

    if _carried(books, days, tenant)[2]:
        query = _query(columns, days, before, tenant, has_earlier=True)
        try:
            with books.transaction():
                books.execute(f"set local statement_timeout = {_COUNTS_FOR_MS}".encode())
                return query, books.execute(query)
        except QueryCanceled:
            remark("what of each line is of earlier days takes longer to count; see ledger.posted_late")
    query = _query(columns, days, before, tenant, has_earlier=False)
    return query, books.execute(query)


def _carried(books: psycopg.Connection, days: Days, tenant: str | None) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """What calls of some days cost by now, what is posted to these, brought from earlier ones and carried to later ones."""
    limits = {"tenant": tenant, "since": days.since, "until": days.until}
    return books.execute(_CARRIED, limits).fetchone() or (Decimal(0), Decimal(0), Decimal(0), Decimal(0))


def _columns(by: str, days: Days) -> tuple[str, ...]:
    columns = tuple(dict.fromkeys(part.strip() for part in by.split(",") if part.strip()))
    for column in columns:
        if column not in _OF_BILLS:
            known = nearest(column, _OF_BILLS) or f"there are {', '.join(_OF_BILLS)}; `pigou sql` tells calls apart by all else"
            if column in _OF_SPEND:
                known = f'what calls cost is told apart by it too: pigou sql "{_BY_SPEND.format(column, *days)}"'
            raise CommandError(f"--by {column!r} is nothing that bills are told apart by", known, exit_code=2)
    if not columns:
        raise CommandError("--by names no column", f"there are {', '.join(_OF_BILLS)}", exit_code=2)
    return columns


def _query(columns: tuple[str, ...], days: Days, before: Days, tenant: str | None, *, has_earlier: bool) -> sql.Composed:
    """Sums by the columns, the largest change first, and the total of them as the last row.

    Where the days hold something of earlier ones, a column says how much of each line it is.
    """
    from psycopg import sql

    names = [sql.Identifier(column) for column in columns]
    of_days = sql.SQL(", ").join(sql.Literal(day) for day in (*days, *before))
    lines = sql.SQL(_LINES_WITH_EARLIER if has_earlier else _LINES).format(
        days=of_days, since=sql.Literal(days.since), until=sql.Literal(days.until)
    )
    named = sql.SQL("case when grouping({0}) = 1 then 'total' else {0} end as {0}").format(names[0])
    return sql.SQL(_BILL).format(
        named=sql.SQL(", ").join([named, *names[1:]]),
        columns=sql.SQL(", ").join(names),
        first=names[0],
        sums=sql.SQL(",\n       ").join(
            sql.SQL(_SUM).format(sql.Identifier(name)) for name in (*_SUMMED, *((_EARLIER,) if has_earlier else ()))
        ),
        lines=lines,
        whose=sql.SQL("") if tenant is None else sql.SQL(" where tenant = {}").format(sql.Literal(tenant)),
    )


_SUMMED = ("former_usd", "amount_usd", "change_usd", "price_usd", "volume_usd", "mix_usd")
_EARLIER = "earlier_usd"
_SUM = "round(coalesce(sum({0}), 0), 12) as {0}"
_BILL = """select {named}, {sums}
  from {lines}{whose}
 group by grouping sets (({columns}), ()) order by grouping({first}), abs(sum(change_usd)) desc, {columns}"""
_LINES = "ledger.bill({days})"
_LINES_WITH_EARLIER = """(
       select tenant, provider, model, commodity, former_usd, amount_usd, change_usd, price_usd, volume_usd, mix_usd,
              0 as earlier_usd
         from ledger.bill({days})
        union all
       select tenant, provider, model, commodity, 0, 0, 0, 0, 0, 0, amount_usd
         from ledger.posted_late
        where posted_on >= {since} and posted_on < {until} and day < {since}) lines"""


def _held(books: psycopg.Connection, tenant: str | None) -> tuple[date, date] | tuple[None, None]:
    """The days of the first and of the last call that the books hold."""
    return books.execute(_HELD, {"tenant": tenant}).fetchone() or (None, None)


def _say_what_it_is(books: psycopg.Connection, days: Days, before: Days, tenant: str | None, begun: date) -> None:
    """Which days are compared, what is in no sum, and whether the sums can still change."""
    given = {"tenant": tenant, "since": days.since, "until": days.until, "last": days.last}
    so_far = " so far" if days.last >= datetime.now(UTC).date() else ""
    remark(f"{days.since} to {days.last}{so_far} against {before.since} to {before.last}; USD, days of the books (UTC)")
    if begun > before.since:
        remark(f"the books begin on {begun}: the change is not one of what was spent, but of what they know")
    for name, span in (("these days", days), ("the days before", before)):
        for said in _set_apart(name, *_carried(books, span, tenant)):
            remark(said)
    unpriced, unreadable = books.execute(_WAITING, given).fetchone() or (0, 0)
    if unpriced or unreadable:
        remark(f"in no sum: {unpriced:,} calls of these days without a price, {unreadable:,} not readable; see ledger.suspense")
    closed, tenants = books.execute(_CLOSED, given).fetchone() or (0, 0)
    if closed < tenants:
        whose = "these days are not closed" if closed == 0 else f"these days are closed for {closed} of {tenants} tenants"
        remark(f"{whose}: what comes late or is priced anew still changes them (`pigou periods`)")


def _set_apart(name: str, cost_usd: Decimal, posted_usd: Decimal, brought_usd: Decimal, carried_usd: Decimal) -> Iterator[str]:
    """What closed days set apart: the bill of days, called by a name, and what the calls of these days cost by now."""
    if not brought_usd and not carried_usd:
        return
    yield f"calls of {name} cost {cost_usd:f} USD by now (ledger.spend_daily), posted to them is {posted_usd:f}"
    if brought_usd:
        yield (
            f"{brought_usd:f} USD of earlier calls are posted to {name}{' or later' if carried_usd else ''}, since their own "
            "were closed when it came: late calls count as volume and mix, corrections as price"
        )
    if carried_usd:
        whose = f"up to the end of {name}" if brought_usd else f"of {name}"
        yield f"{carried_usd:f} USD of calls {whose} are posted to later ones, since their own were closed when it came"
