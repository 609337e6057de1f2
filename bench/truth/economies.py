"""Appraisals of seeded economies in which every ΔQ, ΔC, ΔL and ΔR is known.

usage: python -m bench truth economies [--replications 500] [--seed 1] [--only WORDS] [--write]

Each replication plays a period, appraises it, picks findings and sums up what was lost; the table says how often intervals held
the truth, how precise and complete the findings were, and how far off the total was, beside a plain comparison of means.
Powered: true loss above materiality, and found with 90 % by computation (its true size over the error of its estimate, at the
level that false discovery control leaves). `--write` puts the table between the markers of docs/methods.md. Exit 1 when a
promise is broken.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analyzers.attribution.appraise import appraise
from bench.truth.command import Case, run
from bench.truth.markets import Economy, play
from bench.truth.tally import Known, Tally

_GOOD = Economy(quality=(0.0, 1.5, 1.9), scale_usd=2.0)
_FAINT = Economy(quality=(0.0, 0.6, 0.8), scale_usd=2.0, base=1.0)
_OVER = Economy(
    quality=(0.0, 0.05, 0.1), cost=(1.0, 2.0, 6.0), cost_usd=0.1, scale_usd=0.5, how="explored", policy=2, loss=(1.0, 1.0, 1.0)
)
_NOTHING = Economy(quality=(0.0,) * 3, cost=(1.0,) * 3, latency=(0.0,) * 3, loss=(1.0,) * 3)
_UNDER = replace(_GOOD, how="explored", policy=0)
_CROWDED = replace(_NOTHING, how="explored", exploration=0.05, n=2_000, lam=0.005, crowded=0.02)
_CONFOUNDED = replace(_GOOD, how="confounded")

ECONOMIES: tuple[tuple[str, Economy, str], ...] = (
    ("randomised", _GOOD, "found"),
    ("randomised, small", replace(_GOOD, n=600), "found"),
    ("randomised, faint effects", _FAINT, "found"),
    ("under-routing, 15 % explored", _UNDER, "found"),
    ("under-routing, 5 % explored", replace(_UNDER, exploration=0.05), "found"),
    ("over-routing, 15 % explored", _OVER, "found"),
    ("confounded by recorded context", _CONFOUNDED, "found"),
    ("confounded, drifting", replace(_CONFOUNDED, drift=0.7), "found"),
    ("explored, drifting", replace(_UNDER, drift=0.7), "found"),
    ("explored, 30 % of outcomes missing", replace(_UNDER, missing=0.3), "found"),
    ("heavy tails of V (Pareto 1.5) and losses", replace(_GOOD, tail=1.5, loss_spread=1.0), "found"),
    ("four decisions a task", replace(_UNDER, tasks_of=4, n=6_000), "found"),
    ("5 % explored, few wait long", replace(_CROWDED, quality=_GOOD.quality, scale_usd=2.0), "found"),
    ("effects grow with V", replace(_UNDER, by_value=0.8), "found"),
    ("effects grow with V, small", replace(_GOOD, by_value=0.8, n=600), "found"),
    ("nothing better, randomised", _NOTHING, "nothing"),
    ("nothing better, 15 % explored", replace(_NOTHING, how="explored"), "nothing"),
    ("nothing better, 5 % explored, few wait long", _CROWDED, "nothing"),
    ("nothing better, confounded", replace(_NOTHING, how="confounded"), "nothing"),
    ("a fixed rule chooses", replace(_GOOD, how="deterministic"), "refuse"),
    ("hidden cause, assignment unknown", replace(_GOOD, how="hidden"), "refuse"),
)


def _case(title: str, economy: Economy, promise: str) -> Case:
    def once(tally: Tally, rng: np.random.Generator, seed: int) -> None:
        drawn = play(economy, rng)
        choices = replace(drawn.choices, assignment="unknown") if "unknown" in title else drawn.choices
        tally.add([Known("demand", "route", choices, appraise(choices, seed=seed), drawn.net)])

    return Case(title, economy.n, promise, once)


def main() -> int:
    """Run the economies, print the table; exit 1 when a promise is broken."""
    return run("economies", __doc__ or "", [_case(*economy) for economy in ECONOMIES])
