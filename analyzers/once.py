"""`python -m analyzers.once`: the line of appraisal, once and to its end; what the clock and the demo start beside themselves."""

from __future__ import annotations

import argparse
import os
import sys

import psycopg

from analyzers.appraise import appraise
from ledger.database import connect
from ledger.errors import LedgerError


def main(arguments: list[str] | None = None) -> int:
    """Appraise what has changed, and answer the exit code. It yields to whatever else the machine has to do."""
    parser = argparse.ArgumentParser(prog="python -m analyzers.once", description="Appraise what was decided, once.")
    parser.add_argument("--dsn", default=os.environ.get("PIGOU_DATABASE_URL"), help="database, default PIGOU_DATABASE_URL")
    options = parser.parse_args(arguments)
    if not options.dsn:
        parser.error("no database: give --dsn or set PIGOU_DATABASE_URL")
    os.nice(10)
    try:
        with connect(options.dsn, "writer", application="pigou-appraisal") as connection:
            appraise(connection)
    except (psycopg.Error, LedgerError) as error:
        sys.stderr.write(f"appraisal: this one failed and is tried again: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
