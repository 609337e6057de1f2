"""Arrivals: which tasks come when, how hard they are and what they are worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from economy.appraisal import Cell
from economy.classes import CLASSES, MIX, REPORT_TENANT
from economy.faults import fault_by_key, night_slot_s
from economy.parameters import (
    DIFFICULTIES,
    DIFFICULTY_SHARE,
    HOUR_WEIGHT,
    REPORT_SHARE,
    REPORT_SLOTS_OFFICE_S,
    REPORT_SPREAD_S,
    REUSE_AVAILABLE,
    WEEKDAY_WEIGHT,
    Difficulty,
)

DAY_S = 86_400.0


@dataclass(frozen=True)
class Task:
    """A task as it arrives. `at_s` counts from the period's start; `fraction` is its place in the period (0 to 1).

    `stored_answer` says that the answer cache holds something similar. `night_at_s` is set for reports: when the same
    report would have started in its night slot.
    """

    number: int
    tenant: str
    cell: Cell
    at_s: float
    fraction: float
    stored_answer: bool = False
    night_at_s: float | None = None

    @property
    def agent(self) -> str:
        """The agent that works on it."""
        return self.cell.kind.agent


def draw_cell(task_class: str, rng: Random) -> Cell:
    """Difficulty and value of a task; independent of each other and of the tenant."""
    difficulty: Difficulty = rng.choices(DIFFICULTIES, [DIFFICULTY_SHARE[d] for d in DIFFICULTIES])[0]
    values = CLASSES[task_class].values
    value = rng.choices([usd for usd, _ in values], [share for _, share in values])[0]
    return Cell(task_class, difficulty, value)


def draw_task(number: int, at_s: float, fraction: float, rng: Random) -> Task:
    """One task of the steady stream, at a given time."""
    pairs = [(tenant, name, weight) for tenant, mix in MIX.items() for name, weight in mix.items()]
    tenant, task_class, _ = rng.choices(pairs, [weight for _, _, weight in pairs])[0]
    cell = draw_cell(task_class, rng)
    stored = rng.random() < REUSE_AVAILABLE.get(task_class, 0.0)
    return Task(number, tenant, cell, at_s, fraction, stored)


def arrival_times(starts_at: datetime, days: float, per_day: float, rng: Random) -> list[float]:
    """Seconds since the start of a Poisson stream with the daily and weekly rhythm, in order.

    The same draws give the same stream at any hour that the period starts, earlier or later as the rhythm has it: the k-th task
    comes when as much is expected to have come as the k-th arrival of a stream of rate one says. Source: Çinlar, Introduction to
    Stochastic Processes (1975), §4.7.
    """
    times: list[float] = []
    ahead = rng.expovariate(1.0)
    for hour in range(math.ceil(days * 24)):
        wall = starts_at + timedelta(hours=hour)
        share = min(1.0, days * 24 - hour)
        mean = per_day / 24 * HOUR_WEIGHT[wall.hour] * WEEKDAY_WEIGHT[wall.weekday()] * share
        while ahead < mean:
            times.append((hour + share * ahead / mean) * 3_600.0)
            ahead += rng.expovariate(1.0)
        ahead -= mean
    return times


def stream(starts_at: datetime, days: float, tasks_per_day: int, rng: Random) -> list[Task]:
    """The steady stream of the period: every class but the reports. The same draws give the same tasks at any hour."""
    what = Random(rng.getrandbits(64))
    working_week = sum(WEEKDAY_WEIGHT) / 7
    bursts = 5 / 7 * len(REPORT_SLOTS_OFFICE_S) * report_burst(tasks_per_day)
    per_day = max(0.0, tasks_per_day - bursts) / working_week
    times = arrival_times(starts_at, days, per_day, rng)
    return [draw_task(number, at_s, at_s / (days * DAY_S), what) for number, at_s in enumerate(times)]


def report_burst(tasks_per_day: int) -> int:
    """Reports launched in one burst."""
    return max(1, round(tasks_per_day * REPORT_SHARE))


def reports(starts_at: datetime, days: float, tasks_per_day: int, first_number: int, rng: Random) -> list[Task]:
    """The long-context reports of working days: in night slots, and from the congestion's onset in office slots."""
    onset = fault_by_key("serving_congestion").onset
    midnight = starts_at.replace(hour=0, minute=0, second=0, microsecond=0)
    found: list[Task] = []
    for day in range(math.ceil(days) + 1):
        date = midnight + timedelta(days=day)
        if date.weekday() >= 5:
            continue
        day_s = (date - starts_at).total_seconds()
        for slot_s in REPORT_SLOTS_OFFICE_S:
            fraction = (day_s + slot_s) / (days * DAY_S)
            night_s = day_s + night_slot_s(slot_s)
            for offset_s in _burst(report_burst(tasks_per_day), rng):
                cell = draw_cell("research.report", rng)
                at_s = (day_s + slot_s if fraction >= onset else night_s) + offset_s
                if 0.0 <= at_s < days * DAY_S and night_s >= 0.0:
                    place = at_s / (days * DAY_S)
                    number = first_number + len(found)
                    found.append(Task(number, REPORT_TENANT, cell, at_s, place, False, night_s + offset_s))
    return found


def _burst(count: int, rng: Random) -> Sequence[float]:
    return sorted(rng.random() * REPORT_SPREAD_S for _ in range(count))
