"""`pigou stated`: what people stated and did, for whoever audits."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.home import open_database
from cli.known import refuse_reversed, refuse_unheard, words
from cli.options import Format, FormatOption, HomeOption, SinceOption, TenantOption, UntilOption
from cli.tenants import refuse_unknown
from cli.terminal import remark

_STATED = """
select recorded_at, stated_by, tenant, kind, subject, summary, note
  from ledger.statements
 where (%(tenant)s::text is null or tenant is null or tenant = %(tenant)s) and (%(kind)s::text is null or kind = %(kind)s)
   and (%(who)s::text is null or stated_by = %(who)s or starts_with(stated_by, %(who)s || ', '))
   and (%(since)s::date is null or recorded_at >= %(since)s) and (%(until)s::date is null or recorded_at < %(until)s + 1)
 order by recorded_at nulls first, kind, tenant nulls first, subject"""
_KINDS = "select distinct kind from ledger.statements order by kind"
_PEOPLE = """
select distinct word from ledger.statements, unnest(array[stated_by, split_part(stated_by, ', ', 1)]) word
 where stated_by is not null order by word"""
_LEFT_OUT = (
    "not among them: outcomes and holds of budgets, which programs say (ledger.outcomes, ledger.budget_holds), and rules of use,"
    " which are exchanged as a whole and keep nobody's name (ledger.use_rules)"
)


def stated(
    home: HomeOption = None,
    tenant: TenantOption = None,
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Of this kind only: rate, budget, period, …")] = None,
    who: Annotated[str | None, typer.Option("--who", metavar="NAME", help="By this person or source only.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List what people stated and did, oldest first: who said what of whose books, and when."""
    from cli.rows import write_cursor

    refuse_reversed(since, until)
    wanted = {"tenant": tenant, "kind": kind, "who": who, "since": since, "until": until}
    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        if kind is not None:
            refuse_unheard("--kind", kind, words(books, _KINDS))
        if who is not None:
            refuse_unheard("--who", who, words(books, _PEOPLE))
        write_cursor(books.execute(_STATED, wanted), chosen)
    if chosen is Format.TABLE:
        remark(_LEFT_OUT)
