"""Commands on the books: `check`, `statement`, `trial-balance`, `accounts`, `assets`, `rerate` and `migrate`."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.errors import CommandError
from cli.home import database_address, open_database, without_password
from cli.known import refuse_reversed
from cli.options import (
    Format,
    FormatOption,
    HomeOption,
    SinceOption,
    TenantOption,
    UntilOption,
    parse_day,
    parse_moment,
)
from cli.tenants import refuse_unknown
from cli.terminal import nearest, remark, say

if TYPE_CHECKING:
    import psycopg


class BookName(StrEnum):
    """The three books."""

    CASH = "cash"
    SHADOW = "shadow"
    ACCRUAL = "accrual"


KnownAtOption: TypeAlias = Annotated[
    datetime | None,
    typer.Option("--known-at", parser=parse_moment, metavar="TIME", help="As the books stood at that time."),
]


def check(home: HomeOption = None, chosen: FormatOption = Format.TABLE) -> None:
    """Prove the books: trial balance, balances, live entries, control totals. Exit 1 when a check fails."""
    from ledger.check import run

    with open_database("writer", home) as books:
        results = run(books)
    if chosen is Format.JSON:
        import msgspec

        say(msgspec.json.format(msgspec.json.encode(results), indent=1).decode())
    else:
        from cli.rows import write_text

        rows = [
            ["ok" if found.ok else "FAILED", found.name, str(found.checked), str(found.violations), found.detail]
            for found in results
        ]
        columns = ["result", "check", "checked", "violations", "what holds"]
        write_text(columns, rows, chosen, numbers=[False, False, True, True, False])
    for found in results:
        for example in found.examples:
            remark(f"{found.name}: {example}")
    failed = [found.name for found in results if not found.ok]
    if failed:
        mend = "keep the home as it is and report the lines above"
        raise CommandError(f"the books fail {', '.join(failed)}", mend)


def statement(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="An account, or a level above several.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    known_at: KnownAtOption = None,
    book: Annotated[BookName, typer.Option("--book", help="Which of the books.")] = BookName.CASH,
    by_day: Annotated[bool, typer.Option("--by-day", help="One line per day and commodity.")] = False,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Show an account in USD, debit positive: opening balance, postings, running and closing balance."""
    from cli.rows import write_cursor
    from ledger.statements import Extent
    from ledger.statements import statement as statement_of

    refuse_reversed(since, until)
    account = account.rstrip(":")
    extent = Extent(since, until, known_at)
    with open_database("reader", home) as books:
        whose = _tenant_with(books, account, tenant)
        write_cursor(statement_of(books, whose, account, extent, book=book.value, by_day=by_day), chosen)


def trial_balance(
    home: HomeOption = None,
    tenant: TenantOption = None,
    as_of: Annotated[
        date | None, typer.Option("--as-of", parser=parse_day, metavar="DAY", help="The last day that counts.")
    ] = None,
    known_at: KnownAtOption = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Show every account's balance on its side, and the totals. Exit 1 when a book does not balance."""
    from cli.rows import write_cursor
    from ledger import statements

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        extent = statements.Extent(until=as_of, known_at=known_at)
        write_cursor(statements.trial_balance(books, tenant, extent), chosen)
        faults = statements.unbalanced(books, tenant)
    if faults:
        whose, book, commodity, quantity, amount_usd = faults[0]
        what = f"{commodity} in the {book} book of {whose} is off by {quantity} ({amount_usd} USD)"
        raise CommandError(f"the books do not balance: {what}", "run `pigou check`")


def accounts(home: HomeOption = None, tenant: TenantOption = None, chosen: FormatOption = Format.TABLE) -> None:
    """List the chart of accounts with what stands on each."""
    from cli.rows import write_cursor
    from ledger.statements import chart

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        write_cursor(chart(books, tenant), chosen)


def assets(
    home: HomeOption = None,
    tenant: TenantOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Show what caches and rollouts were capitalised at, what was used up or written off, and what is left, in USD."""
    from cli.rows import write_cursor
    from ledger import statements

    refuse_reversed(since, until)
    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        write_cursor(statements.assets(books, tenant, statements.Extent(since, until)), chosen)


def rerate(home: HomeOption = None, tenant: TenantOption = None, since: SinceOption = None) -> None:
    """Book again, at the price that holds now, what was booked unpriced or at a price since corrected."""
    from datetime import UTC, time

    from ledger.rerate import rerate as book_again

    beginning = datetime.combine(since, time.min, UTC) if since else None
    with open_database("writer", home) as books:
        refuse_unknown(books, tenant)
        whose = books.execute("select tenant_id, tenant from pigou.tenant order by tenant").fetchall()
        for tenant_id, name in whose:
            if tenant in (None, name):
                done = book_again(books, tenant_id, beginning)
                left = f", {done.still_unpriced:,} still without a price" if done.still_unpriced else ""
                say(f"{name}: {done.adjusted:,} calls booked again{left}")


def migrate(home: HomeOption = None) -> None:
    """Make or update the database's schema, roles and list prices; `up` does it by itself."""
    from cli.prepare import prepare
    from ledger.database import HEAD

    with database_address("owner", home) as dsn:
        prepare(dsn)
        say(f"{without_password(dsn)} has schema {HEAD} and the list prices")


def _tenant_with(books: psycopg.Connection, account: str, tenant: str | None) -> str:
    """Whose account it is. Raises CommandError (exit 2) for one that nobody has, or several have."""
    from ledger.statements import account_names, tenants_with_account

    refuse_unknown(books, tenant)
    whose = tenants_with_account(books, account, tenant)
    if len(whose) == 1:
        return whose[0]
    if whose:
        mend = f"choose with --tenant: {', '.join(whose)}"
        raise CommandError(f"several tenants have {account}", mend, exit_code=2)
    hint = nearest(account, account_names(books, tenant)) or "`pigou accounts` lists them"
    raise CommandError(f"there is no account {account}", hint, exit_code=2)
