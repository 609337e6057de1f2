"""How far the estimators of `analyzers.effects` keep their promises, in worlds whose truth is known.

usage: python -m bench truth effects [--replications 500] [--seed 1] [--only WORDS] [--write]

Prints, for each estimator and design: bias, share of intervals that cover the truth, their median width, how often they exclude
zero (power, or false alarms where the effect is zero), how often the answer is a number at all, and what a plain comparison of
means would have covered. `--write` puts the tables between the markers of docs/methods.md and draws docs/images/effects-*.svg
(needs matplotlib). Exit 1 when a row misses its band.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from analyzers.effects.estimate import Estimate
from bench.truth.cases import CASES, Case
from bench.truth.discoveries import discoveries

METHODS = Path(__file__).resolve().parents[2] / "docs" / "methods.md"
_BANDS = {"cover": (0.93, 0.97), "bound": (0.93, 1.0), "refuse": (0.0, 1.0), "shown": (0.0, 1.0)}


@dataclass(frozen=True, slots=True)
class Row:
    """What one case gave over its replications. `slack`: two standard errors of the coverage, from the replications' number."""

    case: Case
    answered: float
    bias: float
    coverage: float
    width: float
    excluded: float
    naive: float
    slack: float
    why: str

    def within(self) -> bool:
        """Whether the row keeps the promise of its kind, allowing for the replications' own noise."""
        low, high = _BANDS[self.case.kind]
        if self.case.kind == "refuse":
            return self.answered <= 0.05
        return math.isnan(self.coverage) or low - self.slack <= self.coverage <= high + self.slack


def main() -> int:
    """Run the cases, print the tables; exit 1 when a promise is broken."""
    arguments = _arguments()
    cases = [case for case in CASES if arguments.only in case.title]
    rows: list[Row] = []
    with threadpool_limits(1):  # matrices are small: threads would only get into each other's way
        for case in cases:
            started = time.process_time()
            rows.append(_replicate(case, arguments.replications, arguments.seed))
            print(f"{time.process_time() - started:6.1f} s  {case.title}", file=sys.stderr, flush=True)
        found = discoveries(arguments.replications, arguments.seed) if not arguments.only else []
    table = "\n".join([*_table(rows), "", *found])
    print(table)
    if arguments.write:
        from bench.truth.plots import draw_plots  # matplotlib is asked for here alone

        _write(table, arguments.replications, arguments.seed)
        draw_plots(rows, METHODS.parent / "images")
    broken = [row.case.title for row in rows if not row.within()]
    print(f"\n{len(rows) - len(broken)} of {len(rows)} rows keep their promise", *broken, sep="\n  ", file=sys.stderr)
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench truth effects", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--replications", type=int, default=500, help="draws of each design")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only the cases whose title holds these words")
    parser.add_argument("--write", action="store_true", help="put the tables and plots into docs/")
    return parser.parse_args()


def _replicate(case: Case, replications: int, seed: int) -> Row:
    answers: list[tuple[Estimate, float]] = []
    naive: list[bool] = []
    for replication in range(max(1, replications // case.thinned)):
        outcome = case.run(np.random.default_rng([seed, replication]))
        answers += outcome.answers
        naive += outcome.naive
    numbers = [(*estimate.numbers(), truth) for estimate, truth in answers if estimate.status == "identified"]
    values = np.array(numbers, dtype=np.float64).reshape(-1, 5)
    value, low, high, truth = values[:, 0], values[:, 2], values[:, 3], values[:, 4]
    tolerance = 1e-12 + 1e-9 * np.abs(truth)
    covered = (low - tolerance <= truth) & (truth <= high + tolerance)
    many = len(values) > 0
    reasons = [estimate.why for estimate, _ in answers if estimate.status != "identified"]
    draws = max(1, replications // case.thinned)
    return Row(
        case,
        len(values) / len(answers),
        float((value - truth).mean()) if many else math.nan,
        float(covered.mean()) if many else math.nan,
        float(np.median(high - low)) if many else math.nan,
        float(((low > 0) | (high < 0)).mean()) if many else math.nan,
        float(np.mean(naive)) if naive else math.nan,
        2 * math.sqrt(0.95 * 0.05 / draws),
        reasons[0] if reasons else "",
    )


def _table(rows: Sequence[Row]) -> list[str]:
    head = "| estimator and design | truth | bias | covers | median width | excludes 0 | answers | means cover | promise |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        promise = {"cover": "93–97 %", "bound": "≥ 93 %", "refuse": "no number", "shown": "none"}[row.case.kind]
        cells = (
            row.case.title,
            _figure(row.case.truth()),
            _figure(row.bias),
            _share(row.coverage),
            _figure(row.width),
            _share(row.excluded),
            _share(row.answered),
            _share(row.naive),
            promise if row.within() else f"{promise} (missed)",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _figure(number: float) -> str:
    return "–" if math.isnan(number) else "0" if number == 0 else f"{number:.2g}"


def _share(share: float) -> str:
    return "–" if math.isnan(share) else f"{share:.1%}".replace("%", " %")


def _write(table: str, replications: int, seed: int) -> None:
    text = METHODS.read_text()
    start, end = "<!-- effects:start -->", "<!-- effects:end -->"
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    made = f"`python -m bench truth effects --replications {replications} --seed {seed} --write` made these tables."
    METHODS.write_text(f"{before}{start}\n\n{made}\n\n{table}\n\n{end}{after}")


if __name__ == "__main__":
    sys.exit(main())
