"""Routing's losses by value band, tails included: what is found and how intervals hold where tasks are worth least and most.

usage: python -m bench truth bands [--replications 500] [--seed 1] [--only WORDS] [--write]

The routing economies of `truth economies`, five thousand decisions each, cut at the bands that an appraisal cuts them at: the
twentieth of tasks worth least, the twentieth worth most, and three between. Findings are controlled over all bands, as there.
`--write` puts the table between the markers of docs/methods.md. Exit 1 when a promise is broken.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits

from analyzers.attribution.appraise import appraise
from analyzers.attribution.segments import discoveries
from bench.truth.command import arguments, write
from bench.truth.economies import ECONOMIES
from bench.truth.markets import Economy, play
from bench.truth.powered import Powered
from bench.truth.tally import Known, Tally, asked, segment_cells

_ROUTING = (
    "under-routing, 15 % explored",
    "over-routing, 15 % explored",
    "heavy tails of V (Pareto 1.5) and losses",
    "effects grow with V",
)
BANDS = ("the twentieth worth least", "the next 30 %", "the middle 30 %", "the next 30 %, dearer", "the twentieth worth most")
_COLUMNS = ("economy", "tasks", "replications", "effects cover", "regrets cover", "precision", "recall (powered)", "promise kept")


def main() -> int:
    """Run the economies, print the table; exit 1 when a promise is broken."""
    options = arguments("bands", __doc__ or "")
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    print(*lines, sep="\n")
    broken = False
    with threadpool_limits(1):
        for place, (title, economy, _) in enumerate(ECONOMIES):
            if title not in _ROUTING or options.only not in title:
                continue
            started = time.monotonic()
            tallies, powered = [Tally(f"{title}: {band}", 0, "found") for band in BANDS], Powered()
            for replication in range(options.replications):
                _once(economy, tallies, powered, np.random.default_rng([options.seed, place, replication]), replication)
            material = powered.material()
            for place_of_band, tally in enumerate(tallies):
                tally.settle([one for one in material if one[0].cell[2] == place_of_band])
                lines.append(_row(tally))
                broken |= not tally.kept()[0]
                print(lines[-1], flush=True)
            print(f"{title}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    if options.write:
        write("bands", lines, options)
    return int(broken)


def _once(economy: Economy, tallies: list[Tally], powered: Powered, rng: np.random.Generator, seed: int) -> None:
    drawn = play(economy, rng)
    known = Known("demand", "route", drawn.choices, appraise(drawn.choices, seed=seed), drawn.net)
    flags, cells = discoveries(known.appraised.segments), segment_cells(known, 0)
    told = [tallies[band].segment(known, code) for code, (_, _, band) in enumerate(cells)]
    truths, options = [truth for truth, _ in told], [against for _, against in told]
    powered.runs.append(asked(flags, cells, truths, options))
    for place, tally in enumerate(tallies):
        mine = [code for code, (_, _, band) in enumerate(cells) if band == place]
        tally.findings([flags[code] for code in mine], [truths[code] for code in mine])


def _row(tally: Tally) -> str:
    """The tally as one row: of a band nothing is said of totals."""
    cells = tally.row().strip("| ").split(" | ")
    tasks = f"{tally.answers[1] / max(1, tally.raised[1]):,.0f}"
    return "| " + " | ".join([cells[0], tasks, cells[2], cells[3], cells[5], cells[6], cells[7], cells[15]]) + " |"
