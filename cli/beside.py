"""`pigou latency` and `pigou pooling`: what is said of decisions beside their regret, as it was appraised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.options import Format, FormatOption, HomeOption, TenantOption
from cli.tenants import refuse_unknown
from cli.terminal import nearest, remark

if TYPE_CHECKING:
    import psycopg

KindOption = Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Of this kind of decision: route, verify, …")]


def latency(
    home: HomeOption = None,
    tenant: TenantOption = None,
    kind: KindOption = None,
    by_use: Annotated[bool, typer.Option("--by-use", help="Classes of tasks together, weighted by their decisions.")] = False,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Show how much later each option lets tasks end, at the median and for the slowest twentieth, with intervals."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        _check(books, kind)
        write_cursor(books.execute(_BY_USE if by_use else _BY_SET, {"tenant": tenant, "kind": kind}), chosen)
    if chosen is Format.TABLE:
        remark("seconds that a quantile of the tasks comes later than under the base; below 0: sooner; intervals are of 95 %")


def pooling(
    home: HomeOption = None, tenant: TenantOption = None, kind: KindOption = None, chosen: FormatOption = Format.TABLE
) -> None:
    """Show what segments without enough evidence borrow from their siblings, beside what they know themselves."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        _check(books, kind)
        write_cursor(books.execute(_POOLED, {"tenant": tenant, "kind": kind}), chosen)
    if chosen is Format.TABLE:
        remark(
            "pooled intervals hold for 95 % of segments, not for each; findings are claimed from a segment's own;"
            " own_share: how much of the pooled number is the segment's own"
        )


def _check(books: psycopg.Connection, kind: str | None) -> None:
    """Raises CommandError where nothing was appraised, or nothing of the kind."""
    kinds = [row[0] for row in books.execute("select distinct kind from ledger.segments order by 1").fetchall()]
    if not kinds:
        raise CommandError("nothing is appraised yet", "run `pigou appraise`")
    if kind is not None and kind not in kinds:
        raise CommandError(
            f"no decision of kind {kind!r} is appraised", nearest(kind, kinds) or f"there are {', '.join(kinds)}", exit_code=2
        )


_BY_SET = """
select tenant, kind, task_class, option, base, case share when 0.5 then 'median' else 'p' || round(share * 100) end as quantile,
       round(base_s::numeric, 3) as base_s, round(later_s::numeric, 3) as later_s, round(later_low_s::numeric, 3) as low_s,
       round(later_high_s::numeric, 3) as high_s, n, tasks, status, is_discovery as stands, needs_outcomes,
       round(needs_exploration::numeric, 3) as needs_exploration, why
  from ledger.latency_effects
 where (%(tenant)s::text is null or tenant = %(tenant)s) and (%(kind)s::text is null or kind = %(kind)s)
 order by tenant, kind, task_class nulls first, comparison, option, share"""
_BY_USE = """
select tenant, kind, option, base, case share when 0.5 then 'median' else 'p' || round(share * 100) end as quantile,
       round(base_s::numeric, 3) as base_s, round(later_s::numeric, 3) as later_s, round(later_low_s::numeric, 3) as low_s,
       round(later_high_s::numeric, 3) as high_s, n, decisions, sets, of_sets, standing
  from ledger.latency_by_use
 where (%(tenant)s::text is null or tenant = %(tenant)s) and (%(kind)s::text is null or kind = %(kind)s)
 order by tenant, kind, option, base, share"""
_POOLED = """
select tenant, kind, task_class, value_band, chosen, n, round(regret_usd, 6) as regret_usd, round(regret_low_usd, 6) as low_usd,
       round(regret_high_usd, 6) as high_usd, round(pooled_usd, 6) as pooled_usd, round(pooled_low_usd, 6) as pooled_low_usd,
       round(pooled_high_usd, 6) as pooled_high_usd, round(pooled_own::numeric, 3) as own_share, pooled_segments as siblings,
       pooled_sets as sets, needs_outcomes, round(needs_exploration::numeric, 3) as needs_exploration,
       case when pooled_usd is null then 'fewer than three such sets of decisions have a number' end as why
  from ledger.segments
 where status = 'not_enough_evidence' and (%(tenant)s::text is null or tenant = %(tenant)s)
   and (%(kind)s::text is null or kind = %(kind)s)
 order by pooled_usd desc nulls last, n desc, tenant, kind, task_class, chosen, value_band"""
