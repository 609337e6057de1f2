"""What was: the tasks of a tenant's period by class, what is stated about their prices, and the limits they are held to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from allocation.period import EVERY, UNCLASSIFIED, ClassTotals, Limit, Period, Stated
from analyzers.tasks.prices import PriceBook, Statement
from ledger.queries import queries

_SQL = queries("analyzers", "prices")
_TASKS = queries("analyzers", "tasks")
_SHORTEST_S = 3_600.0  # a period of a few minutes says nothing of a day


@dataclass(frozen=True, slots=True)
class Loaded:
    """A tenant's period, without alternatives yet, and which budgets say nothing here and why."""

    tenant_id: int
    since: datetime
    until: datetime
    period: Period
    left_out: tuple[tuple[str, str], ...]


def load_period(connection: psycopg.Connection, tenant_id: int, days: int) -> Loaded:
    """The `days` up to a tenant's last task, or as many of them as there are tasks in."""
    of = {"tenant_id": tenant_id, "days": days}
    row = connection.execute(_SQL["extent"], of).fetchone()
    moment = connection.execute("select now()").fetchone()
    if moment is None:
        raise RuntimeError("the database did not say what time it is")
    since, until = row if row is not None else (moment[0] - timedelta(days=days), moment[0])
    totals = connection.execute(_SQL["class_totals"], {**of, "since": since, "until": until}).fetchall()
    classes = tuple(
        ClassTotals(name, n, priced, cost, latency, loss if telling else None, valued, _float(v), _float(deviation))
        for name, n, priced, cost, latency, telling, loss, valued, v, deviation in totals
    )
    stated = [Statement.read(row) for row in connection.execute(_TASKS["price_statements"], of)]
    constraints = connection.execute(_SQL["constraints_in_force"], of).fetchall()
    budgets, left_out = _budgets(connection.execute(_SQL["budgets_in_force"], of).fetchall())
    limits = (*budgets, *_limits(constraints))
    labels = {EVERY, UNCLASSIFIED, *(one.task_class for one in (*classes, *stated)), *(row[0] for row in constraints)}
    period = Period(
        max(_SHORTEST_S, (until - since).total_seconds()), classes, limits, stated_prices(labels, PriceBook(stated), moment[0])
    )
    return Loaded(tenant_id, since, until, period, left_out)


def stated_prices(labels: Iterable[str], book: PriceBook, at: datetime) -> dict[str, Stated]:
    """What policy states for classes and patterns at a time."""
    found: dict[str, Stated] = {}
    for label in labels:
        prices = book.prices_of(_probe(label), at)
        found[label] = Stated(_float(prices.v_usd), _float(prices.lambda_usd_per_s), _float(prices.rho))
    return found


def _probe(label: str) -> str | None:
    """A class that a label stands for, as policy is asked: of a pattern one that nothing more special speaks of."""
    if label in (EVERY, UNCLASSIFIED):
        return None
    return f"{label[:-1]}\0" if label.endswith(EVERY) else label


def _limits(rows: Iterable[tuple[str, float | None, float | None]]) -> list[Limit]:
    limits: list[Limit] = []
    for pattern, latency_s, risk_usd in rows:
        if latency_s is not None:
            limits.append(Limit(f"latency_sla {pattern}", "latency_sla", pattern, latency_s))
        if risk_usd is not None:
            limits.append(Limit(f"risk_envelope {pattern}", "risk_envelope", pattern, risk_usd))
    return limits


def _budgets(
    rows: Iterable[tuple[str, str | None, float, float | None, bool]],
) -> tuple[list[Limit], tuple[tuple[str, str], ...]]:
    limits: list[Limit] = []
    left_out: list[tuple[str, str]] = []
    for name, task_class, amount, length_s, is_of_tasks in rows:
        if not is_of_tasks:
            left_out.append((f"budget {name}", "it is of a layer, use, agent or model, not of whole tasks"))
        elif length_s is None:
            left_out.append((f"budget {name}", "it has no end, so that it allows nothing for a period"))
        else:
            limits.append(Limit(f"budget {name}", "compute_budget", task_class or EVERY, amount, length_s))
    return limits, tuple(left_out)


def _float(number: object) -> float | None:
    return None if number is None else float(str(number))
