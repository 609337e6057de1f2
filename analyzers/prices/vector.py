"""Looking at a tenant's prices, and keeping them: history is only ever added to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from allocation import METHOD
from allocation.period import UNCLASSIFIED, Period
from allocation.prices import NOTHING, ClassPrices, Estimate, Found, find_prices
from allocation.stored import alternative_rows, class_rows, limit_rows, together_rows
from analyzers.prices.period import Loaded, load_period
from ledger.queries import queries

if TYPE_CHECKING:
    from analyzers.prices.alternatives import Alternatives

REPLICATES = 200

DAYS = 28
"""How far back decisions are looked at, from the last task."""
KINDS_LEFT_OUT = ("update", "rollout", "reward")
"""Kinds of decision that no task is served by."""
_SQL = queries("analyzers", "prices")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a tenant's prices: the period with its alternatives, what was found, and what was left out of it and why."""

    loaded: Loaded
    period: Period
    found: Found
    left_out: tuple[tuple[str, str], ...]


def look(
    connection: psycopg.Connection, tenant_id: int, *, days: int = DAYS, seed: int = 0, replicates: int = REPLICATES
) -> Look:
    """What a tenant's prices are, by what is stated and what was; writes nothing. Same data, statements and seed: same prices."""
    loaded = load_period(connection, tenant_id, days)
    decided, left_out = _decided(connection, loaded, seed)
    period = loaded.period
    if decided:
        from analyzers.prices.together import compare

        compared, together = compare(decided, seed, replicates)
        period = replace(period, compared=compared, together=together)
    return Look(loaded, period, find_prices(period), (*loaded.left_out, *left_out))


def write(connection: psycopg.Connection, looked: Look, seed: int, inputs: str) -> int:
    """Keep a look: its solution, the alternatives it was solved over in place of those of the look before, and a further revision
    of every class whose prices are not what they were. Answers how many."""
    tenant = {"tenant_id": looked.loaded.tenant_id}
    found = looked.found
    with connection.transaction():
        connection.execute(_SQL["lock_pricing"], tenant)
        with connection.cursor(row_factory=dict_row) as cursor:
            before = {row["task_class"]: row for row in cursor.execute(_SQL["newest_rows"], tenant).fetchall()}
        solution = connection.execute(
            _SQL["add_solution"],
            {
                **tenant, "since": looked.loaded.since, "until": looked.loaded.until, "seed": seed, "method": METHOD,
                "tasks": looked.period.tasks, "decisions": found.decisions, "inputs": inputs, "status": found.status,
                "why": found.why, "constraints": Jsonb(found.constraints),
                "left_out": Jsonb([list(one) for one in looked.left_out]), "period_s": looked.period.seconds,
                "classes": Jsonb(class_rows(looked.period)), "limits": Jsonb(limit_rows(looked.period)),
                "together": Jsonb(together_rows(looked.period)),
            },
        ).fetchone()  # fmt: skip
        if solution is None:
            raise RuntimeError("the solution was not written")
        connection.execute(_SQL["forget_alternatives"], tenant)
        with connection.cursor() as cursor:
            kept = [{**tenant, "solution_id": solution[0], **row} for row in alternative_rows(looked.period)]
            cursor.executemany(_SQL["add_alternative"], kept)
        rows = {row.task_class: row for row in found.rows}
        gone = [_nothing(label) for label, row in before.items() if label not in rows and row["source"] != "none"]
        return _revise(connection, tenant, before, (*found.rows, *gone), solution[0])


def _revise(
    connection: psycopg.Connection,
    tenant: dict[str, int],
    before: dict[str, dict[str, Any]],
    rows: Sequence[ClassPrices],
    solution_id: int,
) -> int:
    changed = 0
    for row in rows:
        columns = _columns(row)
        former = before.get(row.task_class)
        if (former is None and row.source == "none") or (former is not None and _is_same(former, columns)):
            continue
        revision = former["revision"] + 1 if former is not None else 1
        values = {**columns, "constraints": Jsonb(row.constraints), "revision": revision, "solution_id": solution_id}
        connection.execute(_SQL["add_vector"], {**tenant, **values})
        changed += 1
    return changed


def _decided(connection: psycopg.Connection, loaded: Loaded, seed: int) -> tuple[list[Alternatives], list[tuple[str, str]]]:
    """The period's decisions with their alternatives, and those that have none we know of."""
    decided: list[Alternatives] = []
    left_out: list[tuple[str, str]] = []
    until = loaded.until + timedelta(microseconds=1)
    parameters = {"tenant_id": loaded.tenant_id, "since": loaded.since, "until": until}
    known = {one.task_class for one in loaded.period.classes}
    rows = connection.execute(_SQL["period_comparisons"], parameters).fetchall()
    if not rows:
        return [], []
    # The arrays and estimators cost seconds to import; a tenant without decisions needs none of them.
    from threadpoolctl import threadpool_limits

    from analyzers.decisions.load import comparison_of, load
    from analyzers.prices.alternatives import find_alternatives
    from analyzers.prices.together import class_rows

    for row in rows:
        comparison = comparison_of(loaded.tenant_id, row)
        name = f"{comparison.kind} of {comparison.task_class or 'unclassified tasks'} ({', '.join(comparison.options)})"
        task_class = comparison.task_class or UNCLASSIFIED
        if comparison.kind in KINDS_LEFT_OUT:
            left_out.append((name, "no task is served by it"))
            continue
        if task_class not in known:
            left_out.append((name, "its task is of another class, or began before the period"))
            continue
        read = load(connection, comparison, loaded.since, until)
        with threadpool_limits(1):  # on arrays of this size BLAS's threads wait for each other: 16 s of CPU instead of 2
            found = find_alternatives(read.choices, read.task_keys, task_class, comparison.kind, seed)
        if isinstance(found, str):
            left_out.append((name, found))
        else:
            decided.append(found)
    drawn = [bool(of.any()) for of in class_rows(decided, seed)]
    left_out += [
        (one.name, "its class has so many tasks that none of these was drawn")
        for one, is_drawn in zip(decided, drawn, strict=True)
        if not is_drawn
    ]
    return [one for one, is_drawn in zip(decided, drawn, strict=True) if is_drawn], left_out


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
