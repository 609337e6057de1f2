"""`python -m cli.play`: the demo's economy played into a running installation, run as a part of `pigou demo`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from importlib import resources
from pathlib import Path

import psycopg

from analyzers.decisions.derive import DOSE, state_assignment
from cli.replay import credential_headers
from cli.terminal import one_line
from economy.emit import EmissionError
from economy.play import EconomySettings, play
from economy.truth import Truth
from ledger.budgets import Terms, set_budget
from ledger.database import connect
from ledger.errors import LedgerError
from ledger.price_policies import add_policies, read_policies
from ledger.price_vector import Limits, constrain
from ledger.rates import import_rates

_RECORDED = ("verify", "confirm", "cache", "reuse")
"""Decisions of the fleet that follow from a task's value and difficulty, which its prompt tells, and are explored at random."""

_DOSED = "code.fix_test"
"""The class in whose tasks value and difficulty, which their prompts tell, decide how much is read, planned, done and checked."""

_BUDGETS = (
    ("acme", "coding", Terms(Decimal(35), "week", agent="coder")),
    ("globex", "research", Terms(Decimal(400), "month", agent="research")),
    ("initech", "coding-a-day", Terms(Decimal(25), "day", agent="coder")),
)
"""A week that costs more than its budget, a month that does not, and a day. Of one agent each: a budget of all tasks would be a
limit that prices answer to."""

_LIMITS = (
    ("initech", "support.refund", Limits(risk_usd_per_day=Decimal(20))),
    ("acme", "support.faq", Limits(latency_s=Decimal(15))),
)
"""What two tenants are held to: an envelope that binds at the best allocation, and an SLA that is slack there, though tasks took
longer. Tasks and decisions are priced by policy all the same; what is injected, and what is found of it, stays as it was."""


def main(
    arguments: list[str] | None = None, player: Callable[[EconomySettings, Callable[[int, int], None]], Truth] = play
) -> int:
    """Import the fleet's rates and price policy, play the period, state budgets, write its truth; answers the exit code.

    `player` plays it: all at once, unless somebody wants it otherwise.
    """
    options = _parser().parse_args(arguments)
    progress: Path = options.progress
    settings = EconomySettings(
        endpoint=options.endpoint, seed=options.seed, until=options.until, days=options.days, headers=credential_headers()
    )
    try:
        with (
            connect(options.dsn, "writer", application="pigou-demo") as books,
            resources.as_file(resources.files("economy")) as economy,
        ):
            import_rates(books, economy / "rates.yaml")
            add_policies(books, None, read_policies(economy / "policy.yaml"), "policy.yaml")
            for kind in _RECORDED:
                state_assignment(books, 0, kind, "*", "recorded", "the economy's own page")
            state_assignment(books, 0, DOSE, _DOSED, "recorded", "the economy's own page")
        truth = player(settings, lambda done, total: _tell(progress, done, total))
        with connect(options.dsn, "writer", application="pigou-demo") as books:
            _state_budgets(books)
            for tenant, task_class, limits in _LIMITS:
                constrain(books, tenant, task_class, limits, "the economy's own page")
        truth.write(options.truth)
    except (LedgerError, EmissionError, OSError) as error:
        sys.stderr.write(one_line(f"the demo could not be played: {error}") + "\n")
        return 1
    return 0


def _state_budgets(books: psycopg.Connection) -> None:
    """Those that an earlier play did not state: on a period that is played in part nothing would be said rightly of them."""
    stated = set(books.execute("select tenant, budget from ledger.budgets").fetchall())
    for tenant, budget, terms in _BUDGETS:
        if (tenant, budget) not in stated:
            set_budget(books, tenant, budget, terms, "the demo")


def _tell(file: Path, done: int, total: int) -> None:
    """For the progress bar of the one who started us."""
    new = file.with_suffix(".new")
    new.write_text(f"{done} {total}\n")
    new.replace(file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cli.play")
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--days", type=float, required=True)
    parser.add_argument("--until", type=datetime.fromisoformat, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--progress", type=Path, required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
