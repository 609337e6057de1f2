"""What a tenant's tasks are judged by: the price policy and the rules of classes, as they stand now."""

from __future__ import annotations

import msgspec
import psycopg

from analyzers.tasks.classes import ClassRule, ClassRules
from analyzers.tasks.prices import PriceBook, Solved, Statement
from ledger.queries import queries

_SQL = queries("analyzers", "tasks")


class Judges(msgspec.Struct, frozen=True):
    """The price book and the rules of classes of one tenant."""

    book: PriceBook
    rules: ClassRules


def judges_of(connection: psycopg.Connection, tenant_id: int) -> Judges:
    """A tenant's judges; of tenant 0 what is stated for all."""
    of = {"tenant_id": tenant_id}
    statements = [Statement.read(row) for row in connection.execute(_SQL["price_statements"], of)]
    has_duals = any(one.lambda_is_dual or one.rho_is_dual for one in statements)
    solved = [Solved.read(row) for row in connection.execute(_SQL["solved_prices"], of)] if has_duals else []
    rules = [ClassRule(*row) for row in connection.execute(_SQL["class_rules"], of)]
    return Judges(PriceBook(statements, solved), ClassRules(rules))
