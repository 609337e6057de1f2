"""The what-if of the prices page: what is asked, and the period solved again for it.

The solver is loaded when it is first asked for, and what it answered is remembered until the prices are looked at again. Nothing
is written by asking.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from allocation import METHOD
from dashboard.filters import Filters

if TYPE_CHECKING:
    from allocation.curve import Curve
    from allocation.period import Period
    from allocation.prices import Found
    from allocation.problem import Kind
    from allocation.what_if import Response, Supposed

Row = dict[str, object]
_REMEMBERED_MAX = 64
_EVERY = "*"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: whose limit, of which kind and for whom, and the level it is moved to; None leaves it where it is."""

    tenant: str
    kind: Kind
    pattern: str
    level: float | None = None

    @property
    def limit(self) -> str:
        """The limit as an address names it."""
        return f"{self.kind}:{self.pattern}"

    def within(self, filters: Filters) -> Filters:
        """The view that asks this."""
        level = None if self.level is None else f"{self.level:.6g}"
        return filters.asking(whose=self.tenant, limit=self.limit, level=level)


@dataclass(frozen=True, slots=True)
class Answer:
    """How prices and allocation respond. `curve` is None where nothing that is known could move."""

    supposed: Supposed
    response: Response
    curve: Curve | None


def current(periods: Sequence[Row]) -> list[Row]:
    """Those that were solved as periods are solved now: of others nothing can be supposed before prices are looked at again."""
    return [one for one in periods if one["method"] == METHOD]


def asked_of(filters: Filters, periods: Sequence[Row]) -> Asked | None:
    """What an address asks; what it leaves open is a limit that binds, else a stated one, else a budget for all: of the tenant
    that is named, else of the first that has such a one."""
    if not periods:
        return None
    tenant = filters.asked.get("whose")
    row = next((one for one in periods if one["tenant"] == tenant), None) or max(periods, key=_holds)
    kind, _, pattern = filters.asked.get("limit", "").partition(":")
    level = filters.asked.get("level")
    if not kind or row["tenant"] != (tenant or row["tenant"]):
        kind, pattern = _first(row)
        level = None
    return Asked(str(row["tenant"]), cast("Kind", kind), pattern, None if level is None else float(level))


def stated_limits(row: Row) -> list[tuple[str, str]]:
    """The limits that a tenant states, by kind and whom they are for."""
    limits = cast("list[dict[str, Any]]", row["limits"])
    return list(dict.fromkeys((str(one["kind"]), str(one["pattern"])) for one in limits))


def further_limits(row: Row) -> list[tuple[str, str]]:
    """Those that it could state: of each kind for all, and for each class whose tasks tell something of it."""
    classes = [one for one in cast("list[dict[str, Any]]", row["classes"]) if one["tasks"]]
    stated = set(stated_limits(row))
    found = [("compute_budget", _EVERY), ("latency_sla", _EVERY)]
    found += [("risk_envelope", _EVERY)] if any(one["loss_usd"] for one in classes) else []
    for one in sorted(classes, key=lambda one: str(one["task_class"])):
        if one["task_class"]:
            found += [("latency_sla", one["task_class"]), ("compute_budget", one["task_class"])]
            found += [("risk_envelope", one["task_class"])] if one["loss_usd"] else []
    return [one for one in found if one not in stated]


def _holds(row: Row) -> tuple[bool, bool]:
    """Whether some limit of a tenant binds, and whether it states any."""
    return any(one["is_binding"] for one in cast("list[dict[str, Any]]", row["constraints"])), bool(row["limits"])


def _first(row: Row) -> tuple[str, str]:
    limits = {str(one["name"]): one for one in cast("list[dict[str, Any]]", row["limits"])}
    binding = [str(one["name"]) for one in cast("list[dict[str, Any]]", row["constraints"]) if one["is_binding"]]
    name = next((name for name in (*binding, *limits) if name in limits), None)
    return ("compute_budget", _EVERY) if name is None else (str(limits[name]["kind"]), str(limits[name]["pattern"]))


class Solver:
    """Periods solved so far; safe to share between threads. One question is solved at a time: others wait for its answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._periods: dict[tuple[str, object], tuple[Period, Found]] = {}
        self._answers: dict[tuple[tuple[str, object], Asked], Answer] = {}

    def answer(self, asked: Asked, row: Row, alternatives: Sequence[Row]) -> Answer:
        """How the period of a tenant responds. A limit that is not stated is supposed at half its way to slack."""
        key = (asked.tenant, row["solved_at"])
        with self._lock:
            found = self._answers.get((key, asked))
            if found is None:
                period, now = self._period(key, row, alternatives)
                found = _solved(asked, period, now)
                if len(self._answers) >= _REMEMBERED_MAX:
                    self._answers.clear()
                self._answers[key, asked] = found
        return found

    def _period(self, key: tuple[str, object], row: Row, alternatives: Sequence[Row]) -> tuple[Period, Found]:
        from allocation.prices import find_prices  # the solver weighs seconds and tens of megabytes
        from allocation.stored import period_of

        if key not in self._periods:
            period = period_of(row, alternatives)
            self._periods = {kept: found for kept, found in self._periods.items() if kept[0] != key[0]}
            self._periods[key] = period, find_prices(period)
        return self._periods[key]


def _solved(asked: Asked, period: Period, now: Found) -> Answer:
    from allocation.curve import curve_of
    from allocation.what_if import Supposed, level_of, respond

    level = asked.level
    if level is None:
        level = level_of(period, asked.kind, asked.pattern)
    supposed = Supposed(asked.kind, asked.pattern, level)
    response = respond(period, supposed, now=now)
    curve = curve_of(period, supposed, response)
    if level is None and curve is not None:
        halfway = _rounded((max(curve.least, 0.0) + curve.enough) / 2)
        return _solved(replace(asked, level=halfway if halfway >= curve.least else curve.enough), period, now)
    return Answer(supposed, response, curve)


def _rounded(level: float) -> float:
    """Three digits: a level to begin with."""
    return float(f"{level:.3g}")
