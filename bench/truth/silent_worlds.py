"""Checks that say what they found: some that cannot fail, some that fail rarely and are worth it, and some that fail together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from analyzers.modes.silent_checks import Stated
from bench.truth.mode_worlds import DAYS, STARTS_S


@dataclass(frozen=True, slots=True)
class Checks:
    """How the checks of one class of tasks come about.

    `taken_usd`: what they take in a task, and `brings`, what they bring for each dollar of it (0: they cannot fail).
    `at_stake_usd`: in a task, equally often. `is_dearest`: only those at which most is at stake can fail. `is_together`: what
    fails, fails for an hour and in all its tasks. `tasks` in a fortnight, fewest and most; `onset` (a share of it): when the
    checks began.
    """

    taken_usd: float
    at_stake_usd: tuple[float, ...]
    brings: float = 0.0
    is_dearest: bool = False
    is_together: bool = False
    tasks: tuple[int, int] = (300, 4_000)
    onset: float = 0.0


@dataclass(frozen=True, slots=True)
class PlayedChecks:
    """A fortnight: what the books would tell of it, and what was lost a day, in USD, by checking rather than not."""

    stated: Stated
    lost_usd_per_day: float


def play_checks(world: Checks, rng: np.random.Generator) -> PlayedChecks:
    """Draw a fortnight of a world: tasks at any time, what checking each of them took, and which of them a check failed."""
    n = int(rng.integers(*world.tasks, endpoint=True))
    at = np.sort(world.onset + (1 - world.onset) * rng.random(n)) * DAYS
    stake = rng.choice(np.array(world.at_stake_usd), size=n)
    can_fail = stake == max(world.at_stake_usd) if world.is_dearest else np.ones(n, dtype=np.bool_)
    loses = max(world.at_stake_usd) / len(world.at_stake_usd) if world.is_dearest else float(np.mean(world.at_stake_usd))
    share = world.brings * world.taken_usd / loses
    hour = np.floor(at * 24).astype(np.int64)
    drawn = rng.random(int(DAYS * 24))[hour] if world.is_together else rng.random(n)
    failed = can_fail & (drawn < share)
    taken = world.taken_usd * np.exp(0.3 * rng.normal(size=n) - 0.045)
    usd, began = float(taken.sum()), datetime.fromtimestamp(STARTS_S, UTC) + timedelta(days=float(at[0]))
    hours, failures = len(np.unique(hour)), int(failed.sum())
    stated = Stated("fix", n, hours, n, failures, 0.8 * usd, 0.2 * usd, float(stake.max()), began)
    return PlayedChecks(stated, usd * (1 - world.brings) / (DAYS * (1 - world.onset)))
