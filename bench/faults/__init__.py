"""Faults, as rounds that can fail: something breaks under load, and nothing acknowledged may be lost, doubled or wrong.

usage: python -m bench faults [--rounds 100] [--seed 1] [--kinds kill_collector,cut_connection] [--markdown]

Each round has a database and a collector of its own on a PostgreSQL with fsync on, a seeded load, and one kind of fault that
strikes at seeded moments. Afterwards the database is compared with what the load itself says, and the books are checked.
"""

from bench.faults.command import main

__all__ = ["main"]
