"""The modes of appraised decisions against worlds whose truth is known: harmful, innocent, and innocent ones that look wrong.

usage: python -m bench truth modes [--replications 200] [--seed 1] [--only WORDS] [--processes 2] [--kept FILE]
           [--data DIR] [--write]

Each replication plays a fortnight of one class of tasks, appraises it and looks. Found: a finding of the mode at the place that
is wrong. Raises: a finding of the mode anywhere. Since: median distance of the onset found from the true one. Dollars: median
distance of the dollars a day from the true ones, all decisions that went wrong counted, and how often the interval holds them.
Plain means: how often a comparison of means would have said that the option in question loses money; of silent checks, how often
none failed. `--data` looks at recorded
attempts and runs besides (`recorded_modes.py`). `--kept` writes every replication down as it is done, and does not do again what
is there. `--write` puts the table into docs/modes.md. Exit 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from analyzers.attribution.appraise import Appraised as Opinion
from analyzers.attribution.appraise import appraise
from analyzers.attribution.choices import Choices
from analyzers.attribution.segments import Segment, discoveries, explored
from analyzers.modes import over_delegation, routing, silent_checks, under_verification
from analyzers.modes.appraised import Appraised
from analyzers.modes.look import Window
from analyzers.modes.places import Found
from analyzers.modes.standing_regret import Flow, Part
from bench.truth import recorded_modes
from bench.truth.mode_worlds import DAYS, STARTS_S, Played, World, play
from bench.truth.replications import replicated
from bench.truth.silent_worlds import Checks, play_checks

MODES = Path(__file__).resolve().parents[2] / "docs" / "modes.md"
WINDOW = Window(datetime.fromtimestamp(STARTS_S, UTC), datetime.fromtimestamp(STARTS_S, UTC) + timedelta(days=DAYS))
_BIN_S = 3600.0
_LAYERS = {"route": "demand"}
_COLUMNS = (
    "economy", "mode", "replications", "found", "raises", "median days from the onset", "true USD a day", "median error",
    "covers", "plain means raise", "promise kept",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One row: what is promised of it is that the mode finds `place` (its subject), or raises nothing (None)."""

    title: str
    mode: str
    world: World | Checks
    place: str | None


_ROUTE = World(
    "route",
    ("cheap", "middle", "strong"),
    (0.0, 0.6, 0.9),
    (0.01, 0.03, 0.12),
    (0.4, 1.2),
    (0.0, 0.1, 0.3),
    seconds=(2.0, 4.0, 6.0),
)
_VERIFY = World(
    "verify", ("0", "1", "2"), (0.0, 1.1, 1.4), (0.02, 0.05, 0.09), (1.0, 3.0), (0.0, 0.0, 0.0), logged=False,
    loss=(0.3, 0.3, 0.3), loss_usd=2.0,
)  # fmt: skip
_CONFIRM = World(
    "confirm", ("human", "none"), (-0.1, 0.0), (0.02, 0.02), (3.0, 6.0), (0.0, 0.0), base=1.8, seconds=(120.0, 1.0),
    loss=(0.05, 0.9), loss_usd=12.0, lam=0.002, logged=False, explored=0.1,
)  # fmt: skip
_DELEGATE = World(
    "delegate",
    ("alone", "delegate"),
    (0.0, 0.02),
    (0.05, 0.25),
    (0.5, 1.5),
    (0.0, 0.0),
    seconds=(5.0, 20.0),
    lam=0.001,
    logged=False,
)
_OVER = replace(_ROUTE, quality=(0.0, 0.1, 0.15), forced=2, values_usd=(0.3, 0.6))
_UNDER = replace(_ROUTE, quality=(0.0, 1.2, 1.6), values_usd=(1.0, 3.0))
_HARD_STRONG = replace(_ROUTE, hard=(0.0, 0.3, 0.9), quality=(0.0, 0.3, 0.3))
_HARD_HANDED = replace(_DELEGATE, hard=(0.0, 1.2), quality=(0.0, 0.3))
_HARD_VERIFIED = replace(_VERIFY, quality=(0.0, 0.5, 0.6), hard=(0.0, 0.5, 0.7))
_WORTHLESS = replace(_VERIFY, quality=(0.0, 0.0, 0.0), forced=2, cost_usd=(0.02, 0.1, 0.2))
_SILENT = "under_verification, silent checks"
_DEAREST = Checks(0.05, (0.5, 0.5, 0.5, 0.5, 20.0), brings=1.5, is_dearest=True, tasks=(100, 1_500))
_TOGETHER = Checks(0.0075, (2.0,), brings=1.2, is_together=True)

CASES: tuple[Case, ...] = (
    Case("the strongest model by default", "over_routing", _OVER, "strong"),
    Case("the best model always", "over_routing", _ROUTE, None),
    Case("strong for hard prompts, which fail more", "over_routing", _HARD_STRONG, None),
    Case("the cheapest model by default", "under_routing", replace(_UNDER, forced=0), "cheap"),
    Case("the best model always", "under_routing", _UNDER, None),
    Case("cheap for tasks of little value", "under_routing", replace(_UNDER, values_usd=(0.02, 3.0)), None),
    Case("acting without asking", "over_delegation", replace(_CONFIRM, forced=1), "transfer: none"),
    Case("asking where it pays", "over_delegation", _CONFIRM, None),
    Case("unasked where asking prevents nothing", "over_delegation", replace(_CONFIRM, loss=(0.9, 0.9)), None),
    Case("handing on what one agent does as well", "over_delegation", replace(_DELEGATE, forced=1), "delegate"),
    Case("working alone", "over_delegation", _DELEGATE, None),
    Case("handing on what is hard, which fails more", "over_delegation", _HARD_HANDED, None),
    Case("nothing is verified", "under_verification", replace(_VERIFY, forced=0), "no pass"),
    Case("as much is verified as pays", "under_verification", _VERIFY, None),
    Case("what is hard is verified, and fails more", "under_verification", _HARD_VERIFIED, None),
    Case("checks that never pay", "under_verification, reverse", _WORTHLESS, "2 passes, too many"),
    Case("what is hard is verified, and fails more", "under_verification, reverse", _HARD_VERIFIED, None),
    Case("checks that cannot fail", _SILENT, Checks(0.1, (1.0, 3.0), onset=0.3), silent_checks.SUBJECT),
    Case("checks that rarely find what costs much", _SILENT, Checks(0.05, (60.0,), brings=2.0, tasks=(100, 1_500)), None),
    Case("checks that just pay", _SILENT, Checks(0.05, (3.0,), brings=1.05, tasks=(100, 400)), None),
    Case("checks that find what is wrong in the dearest tasks", _SILENT, _DEAREST, None),
    Case("checks that find what fails for an hour at a time", _SILENT, _TOGETHER, None),
)


class Outcome(msgspec.Struct, frozen=True):
    """What one replication came to. The last four are of the place that is wrong, None where it was not found."""

    is_raised: bool
    do_means_raise: bool
    days_off: float | None = None
    true_usd: float | None = None
    error: float | None = None
    is_covered: bool | None = None


@dataclass
class Tally:
    """One row, counted over replications."""

    case: Case
    runs: int = 0
    found: int = 0
    raised: int = 0
    means: int = 0
    days_off: list[float] = field(default_factory=list[float])
    true: list[float] = field(default_factory=list[float])
    errors: list[float] = field(default_factory=list[float])
    covered: int = 0

    def add(self, one: Outcome) -> None:
        """Count one replication."""
        self.runs += 1
        self.raised += one.is_raised
        self.means += one.do_means_raise
        if one.days_off is None or one.true_usd is None or one.error is None:
            return
        self.found += 1
        self.days_off.append(one.days_off)
        self.true.append(one.true_usd)
        self.errors.append(one.error)
        self.covered += bool(one.is_covered)

    def kept(self) -> bool:
        """Whether the promise is kept, allowing two standard errors: found in 90 % and more, or raised in 5 % at most."""
        slack = 2 * math.sqrt(0.05 * 0.95 / max(1, self.runs))
        if self.case.place is None:
            return self.raised / max(1, self.runs) <= 0.05 + slack
        return self.found / max(1, self.runs) >= 0.9 - slack

    def row(self) -> str:
        """The row of the table."""
        promised = "found ≥ 90 %" if self.case.place is not None else "raises ≤ 5 %"
        cells = [
            self.case.title, self.case.mode, f"{self.runs}", _percent(self.found, self.runs) if self.case.place else "–",
            _percent(self.raised, self.runs), f"{np.median(self.days_off):.2g}" if self.days_off else "–",
            f"{np.mean(self.true):.3g}" if self.true else "–", _percent(float(np.median(self.errors)), 1) if self.errors else "–",
            _percent(self.covered, self.found) if self.found else "–", _percent(self.means, self.runs),
            f"{'yes' if self.kept() else 'NO'}: {promised}",
        ]  # fmt: skip
        return "| " + " | ".join(cells) + " |"


def main() -> int:
    """Run the cases, print their table; 1 when a promise is broken."""
    given = _arguments()
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    print(*lines, sep="\n")
    broken = False
    for place, case in enumerate(CASES):
        if given.only not in f"{case.mode}: {case.title}":
            continue
        tally, started = Tally(case), time.monotonic()
        runs = [(place, given.seed, replication) for replication in range(given.replications)]
        for outcome in replicated(once, runs, Outcome, given.processes, given.kept):
            tally.add(outcome)
        lines.append(tally.row())
        broken |= not tally.kept()
        print(lines[-1], flush=True)
        print(f"{case.title}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    recorded = [] if given.data is None else recorded_modes.rows(Path(given.data))
    if recorded:
        print("", *recorded_modes.HEADER, *recorded, sep="\n")
    if given.write:
        _write("modes", lines, f"--replications {given.replications} --seed {given.seed} --write")
        if recorded:
            _write("recorded-modes", [*recorded_modes.HEADER, *recorded], "--data DIR --write")
    return int(broken)


def once(run: tuple[int, int, int]) -> Outcome:
    """One replication: of which case, with which seed, the how manyth."""
    place, seed, replication = run
    case = CASES[place]
    if isinstance(case.world, Checks):
        return _silent(case, case.world, np.random.default_rng([seed, place, replication]))
    played = play(case.world, np.random.default_rng([seed, place, replication]))
    with threadpool_limits(1):
        found = findings(case.mode, played, replication)
    raised, means = bool(found), plain_means_raise(case.world, played)
    at = next((one.standing for one in found if one.place.subject == case.place), None)
    if at is None or at.usd_per_day is None or at.low is None or at.high is None:
        return Outcome(raised, means)
    onset_s = STARTS_S + case.world.onset * DAYS * 86_400
    true = _true_usd(played) / (DAYS * (1 - case.world.onset))
    days_off = abs(at.since.timestamp() - onset_s) / 86_400
    return Outcome(raised, means, days_off, true, abs(at.usd_per_day - true) / true, at.low <= true <= at.high)


def _silent(case: Case, world: Checks, rng: np.random.Generator) -> Outcome:
    """One replication of checks that say what they found."""
    played = play_checks(world, rng)
    [at] = silent_checks.looks([played.stated], "bench", WINDOW)
    if case.place is None or not at.is_discovery or at.usd_per_day is None or at.low is None or at.high is None:
        return Outcome(at.is_discovery, played.stated.failed == 0)
    days_off = (at.since.timestamp() - STARTS_S) / 86_400 - world.onset * DAYS
    true = played.lost_usd_per_day
    error = abs(at.usd_per_day - true) / true
    return Outcome(at.is_discovery, played.stated.failed == 0, abs(days_off), true, error, at.low <= true <= at.high)


def findings(mode: str, played: Played, seed: int) -> list[Found]:
    """What a mode finds in a period: the places that stand."""
    of = seen(played.choices, appraise(played.choices, seed=seed))
    return [found for found in _places(mode, of) if found.standing.is_discovery]


def seen(choices: Choices, opinion: Opinion) -> Appraised:
    """A period as the store would hold it."""
    kind = _kind(choices)
    parts = tuple(_part(choices, kind, place, *each) for place, each in enumerate(_meant(choices, opinion)))
    costs = {(0, name): float(choices.cost_usd[choices.chosen == k].mean())
             for k, name in enumerate(choices.options) if (choices.chosen == k).any()}  # fmt: skip
    return Appraised(1, "bench", WINDOW, _BIN_S, parts, {0: _flow(choices, opinion, kind)}, {}, costs)


def plain_means_raise(world: World, played: Played) -> bool:
    """Whether a comparison of mean nets says, at 95 %, that the option in question loses against another: that chosen by the
    wrong policy, or, of an innocent one, any."""
    choices = played.choices
    net = choices.v_usd * choices.quality - choices.cost_usd - choices.lam * choices.latency_s - choices.loss_usd
    groups = [net[choices.chosen == k] for k in range(len(choices.options))]
    means = [(float(one.mean()), float(one.var(ddof=1)) / len(one)) if len(one) > 1 else None for one in groups]
    of = [place for place, mean in enumerate(means) if mean and world.forced in (None, place)]
    return any(
        other[0] - own[0] > 1.96 * math.sqrt(own[1] + other[1])
        for place in of
        if (own := means[place]) is not None
        for other in means
        if other is not None and other is not own
    )


def _places(mode: str, of: Appraised) -> list[Found]:
    if mode in ("over_routing", "under_routing"):
        return routing.places(of, "over_routing" if mode == "over_routing" else "under_routing")
    if mode == "over_delegation":
        unasked, chains = over_delegation.places(of)
        return unasked + chains
    fewer, more = under_verification.places(of)
    return more if "reverse" in mode else fewer


def _true_usd(played: Played) -> float:
    rows = np.flatnonzero(played.is_forced)
    return float((played.net[rows].max(axis=1) - played.net[rows, played.choices.chosen[rows]]).sum())


def _kind(choices: Choices) -> str:
    return {"0": "verify", "human": "confirm", "alone": "delegate"}.get(choices.options[0], "route")


def _meant(choices: Choices, opinion: Opinion) -> list[tuple[Segment, float | None]]:
    """The segments without what was chosen to learn, which of them are findings among all of which anything is left, and what
    the regrets of their decisions add up to where that is not all of a segment."""
    learning, codes = explored(choices), opinion.segment
    is_left = [not learning[codes == place].all() for place in range(len(opinion.segments))]
    meant = [each.intended or each for each in opinion.segments]
    found = iter(discoveries([each for each, left in zip(meant, is_left, strict=True) if left]))
    usd = np.bincount(codes, weights=np.where(learning, 0.0, np.nan_to_num(opinion.regret_usd)), minlength=len(meant))
    told = [None if each.intended is None else one for each, one in zip(opinion.segments, usd.tolist(), strict=True)]
    return [(next(found) if left else each, one) for each, left, one in zip(meant, is_left, told, strict=True)]


def _part(choices: Choices, kind: str, place: int, each: Segment, told_usd: float | None) -> Part:
    regret, needs = each.regret, each.needs
    down = each.downstream
    return Part(
        0, place, _LAYERS.get(kind, "action"), kind, "bench", choices.options, choices.assignment, regret.method, each.band.label,
        each.band.low_usd, each.chosen, each.best, each.n, each.tasks, regret.value, regret.low, regret.high, each.changes,
        None if down is None else (down.numbers()[0], *down.numbers()[2:]), each.materiality_usd, each.status, each.why,
        None if needs is None else needs.outcomes, None if needs is None else needs.exploration_rate, each.discovery,
        told_usd=told_usd,
    )  # fmt: skip


def _flow(choices: Choices, opinion: Opinion, kind: str) -> Flow:
    n = len(choices)
    time = np.floor((choices.decided_at - STARTS_S) / _BIN_S).astype(np.int64)
    numbered = np.array([each.regret.value is not None for each in opinion.segments])
    usd = np.where(numbered[opinion.segment], opinion.regret_usd, np.nan)
    zeros = np.zeros(n, dtype=np.int64)
    subjects = ("transfer",) if kind == "confirm" else ("",)
    return Flow(opinion.segment, zeros, opinion.best, explored(choices), time, np.ones(n), usd, choices.decided_at, subjects)


def _percent(part: float, of: float) -> str:
    return f"{100 * part / of:.0f} %"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench truth modes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replications", type=int, default=200, help="of each row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose mode and title hold these words")
    parser.add_argument("--processes", type=int, default=1, help="that replicate at once")
    parser.add_argument("--kept", type=Path, help="file in which every replication is written down")
    parser.add_argument("--data", help="folder of recorded attempts and runs (verification/, delegation/)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/modes.md")
    return parser.parse_args()


def _write(name: str, lines: Sequence[str], options: str) -> None:
    text = MODES.read_text(encoding="utf-8")
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    if start not in text or end not in text:
        raise SystemExit(f"{MODES}: no markers {start} … {end}: put them where the table is to stand")
    command = f"`python -m bench truth modes {options}` made this table."
    before, _, rest = text.partition(start)
    after = rest.partition(end)[2]
    MODES.write_text(before + "\n".join([start, "", command, "", *lines, "", end]) + after, encoding="utf-8")
