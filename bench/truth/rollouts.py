"""Stale rollouts against a small trainer that really learns, forked with and without every batch, and against made-up trainers.

usage: python -m bench truth rollouts [--replications N] [--write]

First the trainer (bench/truth/trainers.py) under several rates at which its world changes, with queues whose depth wanders, and
with batches that are fresh or very old: the sign of each batch's own gain against what it really added, where that exceeds the
noise of measuring, and δ against the rate at which the world really changes. Then trainers made up, some of whom only look as if
they wasted their rollouts. Exit 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np

from analyzers.modes.rollouts.drift import depreciation, fit, own_gains
from analyzers.modes.rollouts.stale import Updates, stale
from bench.tables import replace_section, table
from bench.truth.trainers import train, wandering_lags

MODES = Path(__file__).resolve().parents[2] / "docs" / "modes.md"
Story: TypeAlias = Literal[
    "nothing",
    "older but as good",
    "less and less to learn",
    "older while there is less to learn",
    "noisier gains",
    "too old",
    "too old, sharply",
]
_HARMFUL = ("too old", "too old, sharply")
_UPDATES, _NOISE, _ONSET = 300, 0.015, 0.45
_FRESH, _VALUE = 0.004, 300.0


def _signs(replications: int, seed: int) -> Iterator[tuple[list[str], bool]]:
    for place, (queue, drift) in enumerate((q, d) for q in ("wandering", "fresh or very old") for d in (0.03, 0.06, 0.12)):
        right, harmful, covered, values = [0, 0], [0, 0], 0, list[float]()
        for replication in range(replications):
            rng = np.random.default_rng([seed, place, replication])
            lags = wandering_lags(_UPDATES, 10, rng)
            if queue != "wandering":
                is_old = rng.random(_UPDATES) < 0.4
                lags = np.where(is_old, rng.integers(15, 40, size=_UPDATES), rng.integers(0, 4, size=_UPDATES))
            run = train(lags, drift, _NOISE, rng)
            fade, delta = fit(lags.astype(np.float64), run.gain), depreciation(run.capability, run.gain)
            if fade is None or delta is None:
                raise ValueError("300 updates of several lags are enough to fit")
            own = own_gains(fade, lags.astype(np.float64), run.gain, np.full(_UPDATES, _NOISE))
            large = np.abs(run.true_gain) > _NOISE
            agrees = np.sign(own) == np.sign(run.true_gain)
            for pair, rows in ((right, large), (harmful, large & (run.true_gain < 0))):
                pair[0] += int(agrees[rows].sum())
                pair[1] += int(rows.sum())
            covered += delta[1] <= drift <= delta[2]
            values.append(delta[0])
        slack = 2 * np.sqrt(0.05 * 0.95 / replications)
        kept = right[0] / right[1] >= 0.9 and 0.93 - slack <= covered / replications <= 0.97 + slack
        yield [
            f"{queue}, δ = {drift}", f"{replications}", f"{right[0] / right[1]:.1%} of {right[1]:,}",
            f"{harmful[0] / harmful[1]:.1%} of {harmful[1]:,}" if harmful[1] else "–", f"{np.mean(values):.4f}",
            f"{covered / replications:.1%}",
        ], bool(kept)  # fmt: skip


def trainer(story: Story, rng: np.random.Generator) -> tuple[Updates, float]:
    """A made-up trainer of 140 updates, and the capability that it lost by staleness beyond what was usual."""
    n, noise = 140, 0.0006 * (2.0 if story == "noisier gains" else 1.0)
    time, is_late = np.linspace(0.0, 1.0, n), np.arange(n) >= _ONSET * n
    deepens = story in ("older but as good", "older while there is less to learn", *_HARMFUL)
    depth = np.minimum(1 + np.maximum(np.arange(n) - int(_ONSET * n), 0), 8) if deepens else np.ones(n)
    lag = np.maximum(depth + rng.integers(-1, 2, size=n), 0).astype(np.float64)
    gain = np.full(n, _FRESH) * (np.exp(-2.0 * time) if "less" in story else 1.0)
    lost = np.zeros(n)
    if story in _HARMFUL or story == "nothing":
        share = lag / 5 if story != "too old, sharply" else 2 * (1 - 0.8**lag)
        usual = 1 / 5 if story != "too old, sharply" else 2 * (1 - 0.8)
        lost = _FRESH * (share - usual)
        gain = gain - _FRESH * share
    measured = gain + noise * rng.standard_normal(n)
    unknown = np.full(n, np.nan)
    truth = float(lost[is_late].sum()) if story in _HARMFUL else 0.0
    return Updates(time * 14 * 86_400, lag, measured, unknown, unknown, np.full(n, _VALUE)), truth


def _stories(replications: int, seed: int) -> Iterator[tuple[list[str], bool]]:
    for place, story in enumerate(get_args(Story)):
        raised, covered, errors = 0, 0, list[float]()
        for replication in range(replications):
            updates, truth = trainer(story, np.random.default_rng([seed, 100 + place, replication]))
            found = stale(updates)
            if found is None or not found.is_finding:
                continue
            raised += 1
            if truth > 0:
                errors.append(found.lost[0] / truth - 1)
                covered += found.lost[1] <= truth <= found.lost[2]
        is_harmful = story in _HARMFUL
        within = float(np.mean(np.abs(errors) <= 0.25)) if errors else 0.0
        slack = 2 * np.sqrt(0.05 * 0.95 / replications)
        kept = raised / replications >= 0.95 - slack and within >= 0.9 if is_harmful else raised / replications <= 0.05 + slack
        yield [
            story, f"{replications}", f"{raised / replications:.1%}", f"{np.median(errors):+.1%}" if errors else "–",
            f"{within:.0%}" if is_harmful else "–", f"{covered / max(1, raised):.0%}" if is_harmful else "–",
        ], bool(kept)  # fmt: skip


def main() -> int:
    """Print the tables, and write them where asked."""
    parser = argparse.ArgumentParser(prog="python -m bench truth rollouts", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/modes.md")
    options = parser.parse_args()
    signs, stories = (list(made(options.replications, options.seed)) for made in (_signs, _stories))
    head = ["trainer", "runs", "right sign, beyond noise", "of harmful batches", "δ, mean", "δ covered"]
    parts = [table(head, [cells for cells, _ in signs])]
    head = ["trainer made up", "runs", "raise a finding", "median error", "within ±25 %", "covered"]
    parts.append(table(head, [cells for cells, _ in stories]))
    command = (
        f"`python -m bench truth rollouts --replications {options.replications} --seed {options.seed} --write` made these tables."
    )
    print("\n\n".join([command, *parts]))
    if options.write:
        replace_section(MODES, "rollouts", "\n\n".join([command, *parts]))
    broken = not all(kept for _, kept in signs + stories)
    print("A PROMISE IS BROKEN" if broken else "promises kept", file=sys.stderr)
    return int(broken)
