"""Make the database fit for this version: schema, roles, list prices. Runs as a part before the others."""

from __future__ import annotations

import argparse
import sys

from cli.terminal import one_line
from ledger.database import connect, migrate
from ledger.errors import LedgerError
from ledger.pricelist import load_list_prices


def main(arguments: list[str] | None = None) -> int:
    """Bring the database named by --dsn up to date; answers the exit code."""
    parser = argparse.ArgumentParser(prog="python -m cli.prepare")
    parser.add_argument("--dsn", required=True)
    dsn: str = parser.parse_args(arguments).dsn
    try:
        prepare(dsn)
    except LedgerError as error:
        sys.stderr.write(one_line(str(error)) + "\n")
        return 1
    return 0


def prepare(dsn: str) -> None:
    """Bring schema and list prices up to date. Raises LedgerError when the database is away or ahead of us."""
    migrate(dsn)
    with connect(dsn, "owner", application="pigou-prepare") as connection:
        if load_list_prices(connection).loaded:
            connection.execute("analyze pigou.rate")  # the first calls are priced before autovacuum comes by


if __name__ == "__main__":
    sys.exit(main())
