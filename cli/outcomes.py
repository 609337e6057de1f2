"""`pigou outcomes`: how tasks went, told by hand and listed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.options import Format, FormatOption, HomeOption, NewTenantOption, OwnerOption, TenantOption, parse_moment
from cli.tenants import refuse_slips, refuse_unknown
from cli.terminal import say

if TYPE_CHECKING:
    from ledger.outcomes import Subject

outcomes_app = typer.Typer(name="outcomes", help="How well tasks went, as somebody or something said.", no_args_is_help=True)
_TRACE_DIGITS = 32


@outcomes_app.command("add")
def add_outcome(
    tenant: OwnerOption,
    home: HomeOption = None,
    trace: Annotated[str | None, typer.Option("--trace", metavar="ID", help="The task's trace.")] = None,
    response: Annotated[str | None, typer.Option("--response", metavar="ID", help="Or one of its responses.")] = None,
    conversation: Annotated[str | None, typer.Option("--conversation", metavar="ID", help="Or its conversation.")] = None,
    quality: Annotated[float | None, typer.Option("--quality", metavar="Q", help="From 0, worthless, to 1.")] = None,
    loss: Annotated[str | None, typer.Option("--loss", metavar="USD", help="What it cost somebody.")] = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What was measured.")] = "feedback",
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="The same key is the same outcome; by default of subject and name.")
    ] = None,
    at: Annotated[
        datetime | None, typer.Option("--at", parser=parse_moment, metavar="TIME", help="When it was known; now by default.")
    ] = None,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Kept beside it.")] = None,
    new_tenant: NewTenantOption = False,
) -> None:
    """Say how a task went. Its trace need not be known yet."""
    from ledger.outcomes import AHEAD_MAX, LATE, Outcome, share, tell

    subject, subject_id = _subject(trace, response, conversation)
    loss_usd = _usd(loss)
    if quality is None and loss_usd is None:
        raise CommandError("nothing is said", "give --quality, --loss, or both", exit_code=2)
    if quality is not None and not 0 <= quality <= 1:
        raise CommandError(f"--quality {quality} is not in [0, 1]", "scale it to a share of all it could be", exit_code=2)
    if at is not None and at > datetime.now(UTC) + AHEAD_MAX:
        raise CommandError(f"--at {at:%Y-%m-%d %H:%M} lies in the future", "say when this was known", exit_code=2)
    outcome = Outcome(
        "feedback", key or f"{subject} {subject_id} {name}", subject, subject_id, None, name,
        None if quality is None else share(quality), loss_usd,
        at or datetime.now(UTC), {"note": note} if note else {}, is_dated=at is not None,
    )  # fmt: skip
    with open_database("writer", home) as books:
        refuse_slips(books, [tenant], is_meant=new_tenant)
        [became] = tell(books, tenant, [outcome])
    if became == "conflict":
        mend = "give a --key of its own to say something new; of several the latest counts"
        raise CommandError(f"another outcome of {subject} {subject_id} was told under this key, and stands", mend, exit_code=1)
    said = {
        "taken": "taken",
        "known": "known already",
        "late": f"taken; {LATE}",
        "waiting": f"taken; it waits until the {subject} is reported",
    }
    say(f"{tenant}: {said[became]}")


@outcomes_app.command("list")
def list_outcomes(
    home: HomeOption = None,
    tenant: TenantOption = None,
    trace: Annotated[str | None, typer.Option("--trace", metavar="ID", help="Of this trace only.")] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those whose trace is not known yet.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most so many, the latest first.")] = 100,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List what was said, and whether it counts."""
    from cli.rows import write_cursor

    trace = None if trace is None else _trace_id(trace)
    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        query = """
            select tenant, trace_id, span_id, source, name, quality, loss_usd, occurred_at, status, detail
              from ledger.outcomes
             where (%(tenant)s::text is null or tenant = %(tenant)s) and (%(trace)s::text is null or trace_id = %(trace)s)
               and (not %(waiting)s or status = 'waiting')
             order by occurred_at desc, outcome_id limit %(limit)s"""
        write_cursor(books.execute(query, {"tenant": tenant, "trace": trace, "waiting": waiting, "limit": limit}), chosen)


def _subject(trace: str | None, response: str | None, conversation: str | None) -> tuple[Subject, str]:
    options: list[tuple[Subject, str | None]] = [("trace", trace), ("response", response), ("conversation", conversation)]
    given: list[tuple[Subject, str]] = [(subject, value) for subject, value in options if value]
    if len(given) != 1:
        raise CommandError("it is not said of what", "give one of --trace, --response and --conversation", exit_code=2)
    [(subject, value)] = given
    return subject, _trace_id(value) if subject == "trace" else value


def _trace_id(text: str) -> str:
    if len(text) != _TRACE_DIGITS or not all(digit in "0123456789abcdefABCDEF" for digit in text):
        raise CommandError(f"--trace {text!r} is no trace id", f"write its {_TRACE_DIGITS} hexadecimal digits", exit_code=2)
    return text.lower()


def _usd(text: str | None) -> Decimal | None:
    from ledger.outcomes import LOSS_MAX_USD

    try:
        amount = None if text is None else Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if amount is not None and not (amount.is_finite() and 0 <= amount < LOSS_MAX_USD):
        raise CommandError(f"--loss {text!r} is no amount", "write USD as in 250 or 0.50", exit_code=2)
    return amount
