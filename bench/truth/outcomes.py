"""What one replication of a case gives."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from scipy import stats

from analyzers.effects.estimate import Estimate, Floats


@dataclass(frozen=True, slots=True)
class Outcome:
    """Estimates with the truth of each, and whether the naive interval covered, where there is one to compare with."""

    answers: list[tuple[Estimate, float]]
    naive: list[bool] = field(default_factory=list[bool])


def welch(one_arm: Floats, other: Floats, target: float) -> bool:
    """Whether Welch's interval of a plain comparison of means covers; not, where an arm has no spread to make one of."""
    if min(len(one_arm), len(other)) < 2:
        return False
    parts = [float(arm.var(ddof=1)) / len(arm) for arm in (one_arm, other)]
    if sum(parts) == 0:
        return False
    degrees = sum(parts) ** 2 / sum(part**2 / (len(arm) - 1) for part, arm in zip(parts, (one_arm, other), strict=True))
    half = float(stats.t.ppf(0.975, degrees)) * math.sqrt(sum(parts))
    return bool(abs(float(one_arm.mean() - other.mean()) - target) <= half)


def one(estimate: Estimate, truth: float) -> Outcome:
    """A single estimate with its truth."""
    return Outcome([(estimate, truth)])
