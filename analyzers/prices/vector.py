"""Looking at a tenant's prices, and keeping them: history is only ever added to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from analyzers.prices.period import UNCLASSIFIED, Limit, Period, load_period
from analyzers.prices.solve import METHOD, NOTHING, REPLICATES, ClassPrices, Estimate, Look, find_prices
from ledger.queries import queries

if TYPE_CHECKING:
    from analyzers.prices.alternatives import Alternatives

DAYS = 28
"""How far back decisions are looked at, from the last task."""
KINDS_LEFT_OUT = ("update", "rollout", "reward")
"""Kinds of decision that no task is served by."""
_SQL = queries("analyzers", "prices")


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Limits that do not hold, to see what prices would be under them. None: as they are. `task_class` is whom they are for."""

    budget_usd: float | None = None
    budget_days: float = 30.0
    sla_s: float | None = None
    risk_usd_per_day: float | None = None
    task_class: str = "*"


def look(
    connection: psycopg.Connection,
    tenant_id: int,
    *,
    days: int = DAYS,
    seed: int = 0,
    what_if: WhatIf | None = None,
    replicates: int = REPLICATES,
) -> Look:
    """What a tenant's prices are, by what is stated and what was; writes nothing. Same data, statements and seed: same prices."""
    period = load_period(connection, tenant_id, days)
    if what_if is not None:
        period = supposed(period, what_if)
    decided, left_out = _decided(connection, period, seed) if period.limits else ([], [])
    return find_prices(period, decided, left_out, seed, replicates)


def supposed(period: Period, what_if: WhatIf) -> Period:
    """The period under other limits: one that is supposed takes the place of every one of its kind."""
    pattern = what_if.task_class
    new = [
        Limit("budget supposed", "compute_budget", pattern, what_if.budget_usd, what_if.budget_days * 86_400)
        if what_if.budget_usd is not None
        else None,
        Limit(f"latency_sla {pattern}", "latency_sla", pattern, what_if.sla_s) if what_if.sla_s is not None else None,
        Limit(f"risk_envelope {pattern}", "risk_envelope", pattern, what_if.risk_usd_per_day)
        if what_if.risk_usd_per_day is not None
        else None,
    ]
    added = [one for one in new if one is not None]
    kinds = {one.kind for one in added}
    return replace(
        period,
        limits=(*(one for one in period.limits if one.kind not in kinds), *added),
        patterns=period.patterns | {pattern},
    )


def write(connection: psycopg.Connection, found: Look, seed: int, inputs: str) -> int:
    """Keep a look: its solution, and a further revision of every class whose prices are not what they were. Answers how many."""
    tenant = {"tenant_id": found.period.tenant_id}
    with connection.transaction():
        connection.execute(_SQL["lock_pricing"], tenant)
        with connection.cursor(row_factory=dict_row) as cursor:
            before = {row["task_class"]: row for row in cursor.execute(_SQL["newest_rows"], tenant).fetchall()}
        solution = connection.execute(
            _SQL["add_solution"],
            {
                **tenant, "since": found.period.since, "until": found.period.until, "seed": seed, "method": METHOD,
                "tasks": found.period.tasks, "decisions": found.decisions, "inputs": inputs, "status": found.status,
                "why": found.why,
                "constraints": Jsonb(found.constraints), "left_out": Jsonb([list(one) for one in found.left_out]),
            },
        ).fetchone()  # fmt: skip
        if solution is None:
            raise RuntimeError("the solution was not written")
        rows = {row.task_class: row for row in found.rows}
        gone = [_nothing(label) for label, row in before.items() if label not in rows and row["source"] != "none"]
        changed = 0
        for row in (*found.rows, *gone):
            columns = _columns(row)
            former = before.get(row.task_class)
            if (former is None and row.source == "none") or (former is not None and _is_same(former, columns)):
                continue
            revision = former["revision"] + 1 if former is not None else 1
            values = {**columns, "constraints": Jsonb(row.constraints), "revision": revision, "solution_id": solution[0]}
            connection.execute(_SQL["add_vector"], {**tenant, **values})
            changed += 1
    return changed


def _decided(connection: psycopg.Connection, period: Period, seed: int) -> tuple[list[Alternatives], list[tuple[str, str]]]:
    """The period's decisions with their alternatives, and those that have none we know of."""
    # The arrays and estimators cost seconds to import; most looks need none of them.
    from analyzers.decisions.load import comparison_of, load
    from analyzers.prices.alternatives import find_alternatives

    decided: list[Alternatives] = []
    left_out: list[tuple[str, str]] = []
    until = period.until + timedelta(microseconds=1)
    parameters = {"tenant_id": period.tenant_id, "since": period.since, "until": until}
    known = {one.task_class for one in period.classes}
    for row in connection.execute(_SQL["period_comparisons"], parameters).fetchall():
        comparison = comparison_of(period.tenant_id, row)
        name = f"{comparison.kind} of {comparison.task_class or 'unclassified tasks'} ({', '.join(comparison.options)})"
        task_class = comparison.task_class or UNCLASSIFIED
        if comparison.kind in KINDS_LEFT_OUT:
            left_out.append((name, "no task is served by it"))
            continue
        if task_class not in known:
            left_out.append((name, "its task is of another class, or began before the period"))
            continue
        loaded = load(connection, comparison, period.since, until)
        found = find_alternatives(loaded.choices, task_class, comparison.kind, seed)
        if isinstance(found, str):
            left_out.append((name, found))
        else:
            decided.append(found)
    return decided, left_out


def _nothing(label: str) -> ClassPrices:
    """The row that says that a class has no prices any more."""
    return ClassPrices(
        label, NOTHING, None, "none", Estimate(1.0, 1.0, 1.0), NOTHING, "none", NOTHING, "none", "none", [],
        "nothing states its prices any more",
    )  # fmt: skip


_ESTIMATES: tuple[tuple[LiteralString, LiteralString, LiteralString, LiteralString], ...] = (
    ("v", "v_usd", "v_low_usd", "v_high_usd"),
    ("budget_worth", "budget_worth", "budget_worth_low", "budget_worth_high"),
    ("lam", "lambda_usd_per_s", "lambda_low", "lambda_high"),
    ("rho", "rho", "rho_low", "rho_high"),
)


def _columns(row: ClassPrices) -> dict[str, Any]:
    columns: dict[str, Any] = {
        key: value for key, value in asdict(row).items() if key not in ("v", "budget_worth", "lam", "rho", "v_stated_usd")
    }
    for name, point, low, high in _ESTIMATES:
        estimate = getattr(row, name)
        columns |= {point: _exact(estimate.value), low: _exact(estimate.low), high: _exact(estimate.high)}
    return columns | {"v_stated_usd": _exact(row.v_stated_usd)}


def _exact(number: float | None) -> Decimal | None:
    """Twelve digits: what is beyond is rounding, and would make equal prices look different."""
    return None if number is None else Decimal(f"{number:.12g}")


def _is_same(former: dict[str, Any], columns: dict[str, Any]) -> bool:
    return all(former[name] == value for name, value in columns.items() if name in former and name != "task_class")
