"""A period as it is kept in rows, and made of them again: what is written is what was solved, to the last digit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import groupby
from typing import Any, cast

import numpy as np

from allocation.period import UNCLASSIFIED, ClassTotals, Compared, Limit, Period, Stated, Together
from allocation.problem import Floats, Kind

_OUTCOMES = ("quality", "cost", "latency", "loss")
_COLUMNS = ("quality", "cost_usd", "latency_s", "loss_usd")
Row = Mapping[str, Any]


def class_rows(period: Period) -> list[dict[str, Any]]:
    """What the tasks of each class took and what policy states of it; of patterns only the latter."""
    totals = {one.task_class: one for one in period.classes}
    names = [*totals, *sorted(set(period.stated) - set(totals))]
    return [{"task_class": name, **_took(totals.get(name)), **_said(period.stated.get(name))} for name in names]


def limit_rows(period: Period) -> list[dict[str, Any]]:
    """The limits as they are stated."""
    return [
        {"name": one.name, "kind": one.kind, "pattern": one.pattern, "amount": one.amount, "period_s": one.period_s}
        for one in period.limits
    ]


def together_rows(period: Period) -> list[dict[str, Any]]:
    """The groups of tasks whose decisions are chosen together."""
    return [
        {
            "task_class": one.task_class, "tasks": one.tasks, "v_usd": one.v_usd,
            "chosen": {str(place): chosen.tolist() for place, chosen in one.chosen.items()},
        }
        for one in period.together
    ]  # fmt: skip


def alternative_rows(period: Period) -> list[dict[str, Any]]:
    """A row for each option of each comparison."""
    rows: list[dict[str, Any]] = []
    for comparison, one in enumerate(period.compared):
        v_bands = [_exact(v) for v in one.v_usd]
        for place, option in enumerate(one.options):
            quality, cost, latency, loss = (float(mean) for mean in one.means[:, place])
            draws = {f"{name}_draws": one.draws[:, of, place].tolist() for of, name in enumerate(_OUTCOMES)}
            rows.append(
                {
                    "comparison": comparison, "place": place, "task_class": one.task_class, "kind": one.kind, "option": option,
                    "v_bands": v_bands, "chosen": one.chosen[:, place].tolist(), "quality": quality, "cost_usd": _exact(cost),
                    "latency_s": latency, "loss_usd": _exact(loss), "alike": one.alike, **draws,
                }
            )  # fmt: skip
    return rows


def period_of(row: Row, alternatives: Iterable[Row]) -> Period:
    """The period that was kept. `row`: its `period_s`, `classes`, `limits` and `together`; `alternatives` ordered by comparison
    and place. Raises: AllocationError where it was not kept by this METHOD."""
    classes = cast("list[dict[str, Any]]", row["classes"])
    return Period(
        float(row["period_s"]),
        tuple(_totals(one) for one in classes if one["tasks"] is not None),
        tuple(_limit(one) for one in cast("list[dict[str, Any]]", row["limits"])),
        {one["task_class"]: Stated(one["v_stated_usd"], one["lambda_usd_per_s"], one["rho"]) for one in classes},
        tuple(_compared(list(options)) for _, options in groupby(alternatives, key=lambda one: one["comparison"])),
        tuple(_together(one) for one in cast("list[dict[str, Any]]", row["together"])),
    )


def _together(row: dict[str, Any]) -> Together:
    chosen = cast("dict[str, list[float]]", row["chosen"])
    return Together(
        row["task_class"], float(row["tasks"]), float(row["v_usd"]),
        {int(place): np.array(counts, dtype=np.float64) for place, counts in chosen.items()},
    )  # fmt: skip


def _compared(options: list[Row]) -> Compared:
    first = options[0]
    return Compared(
        first["task_class"] or UNCLASSIFIED, str(first["kind"]), tuple(str(one["option"]) for one in options),
        np.array([float(v) for v in first["v_bands"]]),
        np.array([one["chosen"] for one in options], dtype=np.float64).T,
        np.array([[float(one[column]) for one in options] for column in _COLUMNS]),
        np.stack([_draws(options, f"{name}_draws") for name in _OUTCOMES], axis=1),
        float(first["alike"]),
    )  # fmt: skip


def _draws(options: list[Row], column: str) -> Floats:
    """Shape (replicates, K)."""
    return np.array([one[column] for one in options], dtype=np.float64).T


def _totals(row: dict[str, Any]) -> ClassTotals:
    return ClassTotals(
        row["task_class"], row["tasks"], row["priced"], row["cost_usd"], row["latency_s"], row["loss_usd"], row["valued"],
        row["v_usd"], row["v_deviation"],
    )  # fmt: skip


def _limit(row: dict[str, Any]) -> Limit:
    return Limit(row["name"], cast(Kind, row["kind"]), row["pattern"], float(row["amount"]), row["period_s"])


def _took(of: ClassTotals | None) -> dict[str, Any]:
    if of is None:
        return dict.fromkeys(("tasks", "priced", "cost_usd", "latency_s", "loss_usd", "valued", "v_usd", "v_deviation"))
    return {
        "tasks": of.tasks, "priced": of.priced, "cost_usd": of.cost_usd, "latency_s": of.latency_s, "loss_usd": of.loss_usd,
        "valued": of.valued, "v_usd": of.v_usd, "v_deviation": of.v_deviation,
    }  # fmt: skip


def _said(of: Stated | None) -> dict[str, Any]:
    said = of or Stated()
    return {"v_stated_usd": said.v_usd, "lambda_usd_per_s": said.lambda_usd_per_s, "rho": said.rho}


def _exact(number: float) -> Decimal:
    """Every digit of a number, so that it is read as what it was."""
    return Decimal(repr(float(number)))
