"""`pigou tasks`: settled tasks, and the rules that tell their kinds apart."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import typer

from cli.contents import Contents
from cli.errors import CommandError
from cli.home import open_database
from cli.known import refuse_reversed, refuse_unheard, words
from cli.options import Format, FormatOption, HomeOption, NewTenantOption, SinceOption, TenantOption, UntilOption
from cli.tenants import refuse_slips, refuse_unknown
from cli.terminal import say

tasks_app = typer.Typer(name="tasks", help="Settled tasks, and how their kinds are told apart.", no_args_is_help=True)
rules_app = typer.Typer(name="rules", help="Which class a task has that does not say so.", no_args_is_help=True)
tasks_app.add_typer(rules_app, cls=Contents)
_CLASSES = "select distinct task_class from ledger.tasks_daily where task_class is not null order by task_class"


@tasks_app.command("list")
def list_tasks(
    home: HomeOption = None,
    tenant: TenantOption = None,
    task_class: Annotated[str | None, typer.Option("--class", metavar="NAME", help="Of this class only.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most so many, the latest first.")] = 100,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List settled tasks: what each was worth, cost, risked, and what of it is unknown."""
    from cli.rows import write_cursor

    refuse_reversed(since, until)
    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        if task_class is not None:
            refuse_unheard("--class", task_class, words(books, _CLASSES))
        query = """
            select tenant, trace_id, task_class, started_at, value_usd, quality, outcome_source, cost_usd, latency_s, risk_usd,
                   loss_usd, net_usd, unknown
              from ledger.tasks
             where (%(tenant)s::text is null or tenant = %(tenant)s) and (%(class)s::text is null or task_class = %(class)s)
               and started_at >= coalesce(%(since)s::date, '-infinity') and started_at < coalesce(%(until)s::date + 1, 'infinity')
             order by started_at desc, trace_id limit %(limit)s"""
        wanted = {"tenant": tenant, "class": task_class, "since": since, "until": until, "limit": limit}
        write_cursor(books.execute(query, wanted), chosen)


@tasks_app.command("settle")
def settle_tasks(home: HomeOption = None, since: SinceOption = None, until: UntilOption = None) -> None:
    """Settle what is due now instead of when the clock comes to it; with --since or --until look at that period again."""
    from datetime import UTC, datetime, time, timedelta

    from analyzers.tasks import settle

    refuse_reversed(since, until)
    start = datetime.combine(since, time(0), UTC) if since else None
    end = datetime.combine(until, time(0), UTC) + timedelta(days=1) if until else None
    with open_database("writer", home) as books:
        done = settle(books, since=start, until=end, is_all=True)
    refused = f"; {done.refused} words about outcomes were refused, see ledger.rejections" if done.refused else ""
    say(f"{done.traces} traces were due, {done.changed} tasks are new or changed, {done.outcomes} outcomes read{refused}")


@rules_app.command("list")
def list_rules(home: HomeOption = None, tenant: TenantOption = None, chosen: FormatOption = Format.TABLE) -> None:
    """List the rules in the order in which they are tried: a tenant's own first."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        query = """
            select tenant, ordinal, field, pattern, task_class from ledger.task_class_rules
             where %(tenant)s::text is null or tenant is null or tenant = %(tenant)s
             order by (tenant is null), tenant, ordinal"""
        write_cursor(books.execute(query, {"tenant": tenant}), chosen)


@rules_app.command("add")
def add_rule(
    task_class: Annotated[str, typer.Argument(metavar="CLASS", help="The class, such as code.fix_test.")],
    field: Annotated[str, typer.Option("--field", metavar="NAME", help="agent, name, service, operation, tool or user.")],
    pattern: Annotated[str, typer.Option("--pattern", metavar="REGEX", help="Found anywhere in it, whatever the case.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    ordinal: Annotated[int | None, typer.Option("--at", min=0, metavar="N", help="Its place; last by default.")] = None,
    new_tenant: NewTenantOption = False,
) -> None:
    """Add a rule; without --tenant it is for all. Tasks that are settled already are judged again by it."""
    from ledger.task_class_rules import NewRule, add_rule

    with open_database("writer", home) as books, _refusals():
        refuse_slips(books, [tenant], is_meant=new_tenant)
        place = add_rule(books, tenant, NewRule(field, pattern, task_class, ordinal))
    say(f"{tenant or 'all tenants'}: rule {place} added")


@rules_app.command("remove")
def remove_rule(
    ordinal: Annotated[int, typer.Argument(metavar="PLACE", help="The rule's place, as `list` shows it.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
) -> None:
    """Take a rule away; without --tenant one of those for all."""
    from ledger.task_class_rules import remove_rule

    with open_database("writer", home) as books, _refusals():
        remove_rule(books, tenant, ordinal)
    say(f"{tenant or 'all tenants'}: rule {ordinal} removed")


@contextmanager
def _refusals() -> Generator[None]:
    """A rule that cannot be is the caller's to mend: exit 2."""
    from ledger.task_class_rules import ClassRuleError

    try:
        yield
    except ClassRuleError as error:
        raise CommandError(error.message, error.mend, exit_code=2) from error
