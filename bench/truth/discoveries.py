"""Findings among many segments: false alarms when nothing is there, precision and recall when something is, power as computed."""

from __future__ import annotations

import math

import numpy as np

from analyzers.effects import multiplicity, power, propensity, regret, scores
from analyzers.effects.estimate import Estimate

_SEGMENTS = 30


def discoveries(replications: int, seed: int) -> list[str]:
    """Lines of a table: what false-discovery control lets through, and whether computed power is what is observed."""
    runs = max(2, replications // 5)
    rows = [
        ("30 segments, nothing there: runs that raise anything", "≤ 5 %", _alarms(runs, seed, heavy=False)),
        ("30 segments, nothing there, lognormal cost: runs that raise anything", "≤ 5 %", _alarms(runs, seed, heavy=True)),
        ("regret of 30 segments, nothing better: runs that raise anything", "≤ 5 %", _regret_alarms(runs, seed)),
    ]
    precision, recall = _precision(runs, seed)
    rows.append(("30 segments, 10 with a material effect at 90 % power: precision", "≥ 95 %", precision))
    rows.append(("the same: recall", "≥ 85 %", recall))
    rows.append(("computed power 90 %: intervals that exclude zero", "90 %", _observed_power(replications, seed)))
    lines = ["| findings | promise | observed |", "|---|---|---|"]
    return [
        *lines,
        *(f"| {what} | {promise} | {observed:.1%} |".replace("%", " %").replace("  %", " %") for what, promise, observed in rows),
    ]


def _segments(effects: list[float], n: int, rng: np.random.Generator, *, heavy: bool = False) -> list[Estimate]:
    total = n * len(effects)
    places = np.repeat(np.arange(len(effects)), n)
    chosen = rng.integers(0, 2, size=total)
    noise = np.exp(rng.normal(size=total)) if heavy else rng.normal(size=total)
    outcome = noise + chosen * np.array(effects)[places]
    made = propensity.snips(propensity.read_log(chosen, outcome, np.full(total, 0.5), options=2))
    return list(scores.by_segment(made, places, 1, 0).values())


def _alarms(runs: int, seed: int, *, heavy: bool) -> float:
    raised = 0
    for run in range(runs):
        estimates = _segments([0.0] * _SEGMENTS, 100, np.random.default_rng([seed, 1, run]), heavy=heavy)
        raised += bool(multiplicity.false_discovery(estimates).flagged)
    return raised / runs


def _regret_alarms(runs: int, seed: int) -> float:
    raised = 0
    for run in range(runs):
        rng = np.random.default_rng([seed, 2, run])
        total = 100 * _SEGMENTS
        places, chosen = np.repeat(np.arange(_SEGMENTS), 100), rng.integers(0, 3, size=total)
        log = propensity.read_log(chosen, rng.normal(size=total), np.full(total, 1 / 3), options=3)
        found = regret.by_segment(propensity.snips(log), places)
        raised += bool(multiplicity.false_discovery([each.estimate for each in found.values()], side="above").flagged)
    return raised / runs


def _precision(runs: int, seed: int) -> tuple[float, float]:
    n = 200
    left = 1 - multiplicity.RATE * 10 / _SEGMENTS  # the level that ten findings leave
    effect = power.detectable(2 / math.sqrt(n), level=left)
    flagged = right = 0
    for run in range(runs):
        truths = [effect] * 10 + [0.0] * (_SEGMENTS - 10)
        found = multiplicity.false_discovery(_segments(truths, n, np.random.default_rng([seed, 3, run]))).flagged
        flagged += len(found)
        right += sum(index < 10 for index in found)
    return right / max(flagged, 1), right / (10 * runs)


def _observed_power(replications: int, seed: int) -> float:
    n = 200
    effect = power.detectable(2 / math.sqrt(n))
    found = 0
    for run in range(replications):
        [estimate] = _segments([effect], n, np.random.default_rng([seed, 4, run]))
        found += estimate.excludes(0.0)
    return found / replications
