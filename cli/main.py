"""`pigou`: the commands, and the edge where every failure becomes one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import typer
from typer.core import TyperGroup
from typer.main import get_group

from cli.alerts import alerts_app
from cli.appraise import appraise, regret
from cli.assignments import assignments_app
from cli.autonomy import autonomy_app
from cli.beside import latency, pooling
from cli.bill import bill
from cli.books import accounts, assets, check, migrate, rerate, statement, trial_balance
from cli.budgets import budgets_app
from cli.channels import channels_app
from cli.contents import Contents
from cli.credentials import credentials_app
from cli.demo import demo
from cli.doctor import doctor, version
from cli.errors import CommandError
from cli.explain import explain
from cli.findings import findings_app
from cli.home import Home, home_at
from cli.maintenance import maintenance_app
from cli.outcomes import outcomes_app
from cli.periods import periods_app
from cli.policy import policy_app
from cli.prices import prices_app, quote
from cli.rates import rates_app
from cli.reconcile import reconcile
from cli.replay import replay
from cli.reports import misallocation, predictions, production, risk
from cli.retention import retention_app
from cli.sql import dsn, sql
from cli.stated import stated
from cli.tasks import tasks_app
from cli.terminal import one_line, remark
from cli.up import up
from cli.uses import uses_app

COMMANDS = (
    up, demo, replay, dsn, sql, bill, reconcile, check, statement, stated, trial_balance, accounts, assets, rerate, appraise,
    regret, misallocation, production, predictions, latency, pooling, risk, explain, migrate, doctor, version, quote,
)  # fmt: skip
GROUPS = (
    rates_app, periods_app, retention_app, uses_app, budgets_app, alerts_app, findings_app, prices_app, assignments_app,
    autonomy_app, tasks_app, outcomes_app, policy_app, channels_app, maintenance_app, credentials_app,
)  # fmt: skip
HELP = "Where AI agents waste tokens and how many dollars a day that costs, from double-entry books of what they spend."
_BY_PYDANTIC = "Value error, "  # what it puts before the words of a check that is not its own
_BY_NAME = {command.__name__.replace("_", "-"): command for command in COMMANDS} | {
    str(group.info.name): group for group in GROUPS
}


def options(
    debug: bool = typer.Option(False, "--debug", envvar="PIGOU_DEBUG", help="Show the traceback of an unexpected error."),
) -> None:
    """What `pigou` itself takes."""
    if debug:
        os.environ["PIGOU_DEBUG"] = "1"


@cache
def command_line(name: str | None = None) -> TyperGroup:
    """What reads the arguments: with all commands, or with the one named alone.

    To build all takes seventy milliseconds, longer than many of them run.
    """
    app = typer.Typer(
        name="pigou",
        cls=Contents,
        help=HELP,
        add_completion=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        rich_markup_mode=None,  # plain help: drawing it with rich triples the time it takes
        pretty_exceptions_enable=False,
    )
    app.callback()(options)
    for part in _BY_NAME.values() if name is None else (_BY_NAME[name],):
        if isinstance(part, typer.Typer):
            app.add_typer(part, cls=Contents)
        else:
            app.command()(part)
    return get_group(app)


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 failed or found something wrong, 2 called wrongly."""
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    chosen: dict[str, Path | None] = {}  # what the command's --home was, for the log
    try:
        read = command_line(given[0] if given and given[0] in _BY_NAME else None)
        return read(args=given, standalone_mode=False, prog_name="pigou", obj=chosen) or 0
    except CommandError as error:
        remark(str(error))
        return error.exit_code
    except typer.TyperException as error:
        # click's own line, ended by the command's --help; a missing command is answered with the help itself.
        message = error.format_message().replace(_BY_PYDANTIC, "")
        sys.stderr.write(message + "\n" if message.startswith("Usage:") else f"pigou: {one_line(message)}\n")
        return error.exit_code
    except typer.Abort:
        remark("stopped")
        return 130
    except Exception as error:  # noqa: BLE001  # the edge: recorded in the log, said in one line
        return _unexpected(error, home_at(chosen.get("home")))


def _unexpected(error: Exception, home: Home) -> int:
    import psycopg

    from ledger.errors import LedgerError

    if os.environ.get("PIGOU_DEBUG"):
        traceback.print_exc()
        return 1
    if isinstance(error, LedgerError):
        remark(str(error))
        return 1
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
        remark(f"{error.diag.message_primary}; the database has no books of this version: run `pigou migrate`")
        return 1
    if isinstance(error, psycopg.Error):
        from cli.sql import describe

        remark(f"the database refused: {describe(error, '')}")
        return 1
    kind = f"{type(error).__name__}: {one_line(str(error))}"
    try:
        home.make()
        log = home.logs / "cli.log"
        with log.open("a") as file:
            file.write(f"{datetime.now(UTC).isoformat()} {sys.argv}\n{''.join(traceback.format_exception(error))}\n")
        remark(f"unexpected {kind}; the traceback is in {log}")
    except (CommandError, OSError):
        remark(f"unexpected {kind}; --debug shows the traceback")
    return 1
