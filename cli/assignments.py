"""`pigou assignments`: what is known of how decisions are made, which decides what can be learnt from them."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.options import Format, FormatOption, HomeOption, TenantOption, WhoOption, stated_by
from cli.tenants import refuse_unknown
from cli.terminal import nearest, say

assignments_app = typer.Typer(name="assignments", help="What is known of how decisions are made.", no_args_is_help=True)

_KNOWN = ("recorded", "unknown")


@assignments_app.command("list")
def list_assignments(home: HomeOption = None, chosen: FormatOption = Format.TABLE) -> None:
    """List what is stated of how decisions are made; what is not listed is unknown, unless its probabilities are logged."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        query = """select tenant, kind, task_class, assignment, source, recorded_at from ledger.assignments
                    order by kind, task_class, tenant nulls first"""
        write_cursor(books.execute(query), chosen)


@assignments_app.command("set")
def set_assignment(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="Of decision: verify, confirm, cache …; dose: how much of each use a task gets.")
    ],
    assignment: Annotated[str, typer.Argument(metavar="ASSIGNMENT", help="recorded or unknown.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    task_class: Annotated[str, typer.Option("--task-class", metavar="NAME", help="Of this class of tasks only.")] = "*",
    who: WhoOption = None,
) -> None:
    """State how a kind of decision is made: `recorded` if its context and V tell all that moved it and its outcome alike.

    Only then can effects be told from context where no probabilities were logged; nothing in the data can prove it.
    """
    from analyzers.decisions.derive import DOSE, KINDS, state_assignment

    for word, known in ((kind, (*KINDS, DOSE)), (assignment, _KNOWN)):
        if word not in known:
            raise CommandError(f"{word!r} is none of {', '.join(known)}", nearest(word, known), exit_code=2)
    with open_database("writer", home) as books:
        tenant_id = 0
        if tenant is not None:
            refuse_unknown(books, tenant)
            [(tenant_id,)] = books.execute("select tenant_id from pigou.tenant where tenant = %s", (tenant,)).fetchall()
        state_assignment(books, tenant_id, kind, task_class, assignment, stated_by(who, "pigou assignments set"))
    shown = "pigou production" if kind == DOSE else "pigou appraise"
    say(f"{kind} of {'every class' if task_class == '*' else task_class}: {assignment}; run `{shown}` to see what follows")
