"""What one place of decisions lost since its present regime began: segments' regrets cut down to it, a day, with their interval.

A *place* is one option chosen in decisions of one kind and class of tasks. What the appraisal says of its segments (over value
bands, and over comparisons) covers all that was ever chosen; a failure is what is lost by the policy in force, since it has been
in force. So what was taken at random to learn is left out, and so is what came before the onset. Pure: no database, no clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from analyzers.effects.estimate import Bools, Floats, InputError, Ints
from analyzers.modes.days import DAY_S, days_of
from analyzers.modes.look import Day, Status, Term, Window
from analyzers.modes.onset import Onset, onset

EXPLORED_MAX = 0.2
"""Share of its chances up to which an option counts as tried to learn, where no propensity tells."""

LEFT_OUT_MAX = 0.05
"""Share of a place's decisions that may lie in segments which cannot be judged, where the others say that nothing is lost."""

_CONFIDENT = 1.959964  # standard errors to either side of a 95 % interval
_TERMS = (("quality", "V·ΔQ", 1.0), ("cost", "ΔC", -1.0), ("latency", "λ·ΔL", -1.0), ("risk", "ρ·ΔR", -1.0))


@dataclass(frozen=True, slots=True)
class Part:
    """A segment as the appraisal left it: see `ledger.segments`. Amounts are sums over its `n` decisions, None where unknown.

    Where propensities are logged, it holds no decision that was chosen to learn, unless all were: these lose on purpose, and how
    much of a loss is theirs is not known by what models expect of each. `told_usd`: what its decisions' own regrets add up to,
    None for `regret_usd`. `everything`: n, regret and its upper limit with all that was chosen to learn, where that is more.
    """

    comparison: int
    segment: int
    layer: str
    kind: str
    task_class: str | None
    options: tuple[str, ...]
    assignment: str
    method: str
    band: str
    v_low_usd: float | None
    chosen: str
    best: str
    n: int
    tasks: int
    regret_usd: float | None
    low_usd: float | None
    high_usd: float | None
    changes: Mapping[str, float]
    downstream: tuple[float, float, float] | None
    materiality_usd: float
    status: Status
    why: str
    needs_outcomes: int | None
    needs_exploration: float | None
    is_discovery: bool
    change_errors: Mapping[str, float] = field(default_factory=dict[str, float])
    told_usd: float | None = None
    everything: tuple[int, float | None, float | None] | None = None

    @property
    def told(self) -> float | None:
        """What its decisions' own regrets add up to."""
        return self.regret_usd if self.told_usd is None else self.told_usd

    @property
    def with_learning(self) -> tuple[int, float | None, float | None]:
        """Decisions, regret and its upper limit with what was chosen to learn."""
        return self.everything or (self.n, self.regret_usd, self.high_usd)

    @property
    def stands(self) -> bool:
        """Its interval excludes zero, and it is a finding among all segments."""
        return self.is_discovery and self.low_usd is not None and self.low_usd > 0


@dataclass(frozen=True, slots=True)
class Flow:
    """The decisions of one comparison in the window, counted: shapes (m,) each.

    `segment`; `subject`: a code into `subjects`; `best`: the option, −1 where not known; `is_explored`: taken with a probability
    below that of chance; `bin`: of time, from 0; `n`; `usd`: their regrets' sum, NaN where none is known; `first_s`: the
    earliest of them, seconds since 1970.
    """

    segment: Ints
    subject: Ints
    best: Ints
    is_explored: Bools
    bin: Ints
    n: Floats
    usd: Floats
    first_s: Floats
    subjects: tuple[str, ...] = ("",)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a place lost, in USD a day since `since`.

    `usd_per_day` with `low` and `high`: None unless `status` is appraised; `spread_days` is what they are divided by. `counted`:
    the segments whose dollars these are; `left_out`: decisions of the others. `decisions` since then that count. `explored`:
    decisions since then that were taken to learn. `is_exploration`: all of them were, as far as one can tell. `share`: of the
    chances to choose what is known to be worse, those that were taken since; NaN where there was none.
    """

    parts: tuple[Part, ...]
    counted: tuple[Part, ...]
    since: datetime
    until: datetime
    spread_days: float
    onset: Onset
    share: float
    usd_per_day: float | None
    low: float | None
    high: float | None
    status: Status
    is_discovery: bool
    decisions: int
    explored: int
    is_exploration: bool
    left_out: int
    terms: tuple[Term, ...]
    days: tuple[Day, ...]
    downstream: tuple[float, float, float] | None

    @property
    def n(self) -> int:
        """Decisions behind the estimates, whenever they were made."""
        return sum(part.n for part in self.parts)

    @property
    def tasks(self) -> int:
        """Independent tasks behind the estimates: of comparisons that share tasks the largest count, never the sum."""
        by_comparison: dict[int, int] = {}
        for part in self.parts:
            by_comparison[part.comparison] = by_comparison.get(part.comparison, 0) + part.tasks
        return max(by_comparison.values(), default=0)


def standing(
    parts: Sequence[Part],
    everyone: Sequence[Part],
    flows: Mapping[int, Flow],
    window: Window,
    bin_s: float,
    subject: str | None = None,
) -> Standing:
    """The loss of a place: `parts` are its segments, all of one chosen option; `everyone` all segments of the same comparisons.

    `flows` by comparison, in bins of `bin_s` seconds from the window's beginning. `subject`: only decisions about that.
    Dollars: of each counted segment the share of its regret (by its decisions' own) that fell since the onset and was not
    explored. Segments of one comparison share evidence, so that their limits add up; comparisons are of other tasks, so that
    squares of the distances do. Counted are all segments with a number where one stands; where none does, those that are
    appraised, and only if hardly a decision lies outside them: what is not known there may be all that is lost.
    """
    if not parts or len({part.chosen for part in parts}) != 1:
        raise InputError("a place has segments, all of one chosen option")
    rows = [_Rows.of(part, flows, subject) for part in parts]
    bins = max(1, math.ceil((window.until - window.since).total_seconds() / bin_s))
    seen = _chances(parts, everyone, flows, bins, subject)
    when = onset(seen.taken, seen.let_pass + seen.taken)
    since = _since(when, rows, seen.first_s, window, bin_s)
    share = seen.share(when.place)
    is_exploration = share < EXPLORED_MAX and not all(part.assignment == "logged" for part in parts)
    shares = {id(each.part): each.share(when.place, explored=is_exploration) for each in rows}
    counted, status = _counted(rows, when.place)
    kept = [each for each in rows if each.part in counted]
    days = _length(kept or rows, flows, when.place, since, window)
    value, low, high = _sum(counted, shares)
    known = status == "appraised"
    # What is left of a finding once tries to learn are taken away has to be worth knowing still.
    material = sum(each.part.materiality_usd * each.policy_share(when.place) for each in rows if each.part in counted)
    return Standing(
        parts=tuple(parts), counted=tuple(counted), since=since, until=window.until, spread_days=days, onset=when, share=share,
        usd_per_day=value / days if known else None, low=low / days if known else None, high=high / days if known else None,
        status=status,
        is_discovery=known and low > 0 and value >= material and any(part.stands and shares[id(part)] > 0 for part in counted),
        decisions=sum(each.count(when.place, explored=False) for each in kept),
        explored=sum(each.count(when.place, explored=True) for each in rows),
        is_exploration=is_exploration, left_out=sum(part.n for part in parts if part not in counted),
        terms=_terms(counted, shares, days) if known else (), days=_days(kept) if known else (),
        downstream=_downstream(counted, shares, days) if known else None,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Rows:
    """The flow of one segment."""

    part: Part
    is_not_best: Bools  # its option, as far as is known
    is_explored: Bools
    bin: Ints
    n: Floats
    usd: Floats
    first_s: Floats

    @classmethod
    def of(cls, part: Part, flows: Mapping[int, Flow], subject: str | None) -> _Rows:
        flow = flows.get(part.comparison, EMPTY)
        mine = (flow.segment == part.segment) & _about(flow, subject)
        chosen = part.options.index(part.chosen) if part.chosen in part.options else -1
        return cls(
            part,
            flow.best[mine] != chosen,
            flow.is_explored[mine],
            flow.bin[mine],
            flow.n[mine],
            flow.usd[mine],
            flow.first_s[mine],
        )

    def share(self, since: int, *, explored: bool) -> float:
        """Share of the segment's regret that was lost from a bin on by what was not explored; nothing where all of it was."""
        if explored:
            return 0.0
        inside = (self.bin >= since) & ~self.is_explored
        told = self.part.told
        if told is not None and told > 0:
            return min(1.0, float(np.nansum(self.usd[inside])) / told)
        return min(1.0, float(self.n[inside].sum()) / max(1, self.part.n))

    def policy_share(self, since: int) -> float:
        """Share of the segment's decisions that were made from a bin on and not explored."""
        return min(1.0, self.count(since, explored=False) / max(1, self.part.n))

    def count(self, since: int, *, explored: bool) -> int:
        """Decisions from a bin on."""
        return int(self.n[(self.bin >= since) & (self.is_explored == explored)].sum())


_NO_CODES, _NO_NUMBERS = np.zeros(0, dtype=np.int64), np.zeros(0)
EMPTY = Flow(
    _NO_CODES, _NO_CODES, _NO_CODES, np.zeros(0, dtype=np.bool_), _NO_CODES, _NO_NUMBERS, _NO_NUMBERS, _NO_NUMBERS
)  # fmt: skip
"""No decision at all."""


def _about(flow: Flow, subject: str | None) -> Bools:
    if subject is None:
        return np.ones(len(flow.segment), dtype=np.bool_)
    return flow.subject == (flow.subjects.index(subject) if subject in flow.subjects else -1)


@dataclass(frozen=True, slots=True)
class _Chances:
    """By bin, shapes (b,): how often the place's option was taken where it is not known to be the best, of these how often
    another is known to be better, and how often something else was taken where it is not known to be the best. `first_s`: of the
    first decision."""

    taken: Floats
    known_worse: Floats
    let_pass: Floats
    first_s: float

    def share(self, since: int) -> float:
        """Of the chances to choose what is known to be worse those that were taken from a bin on; NaN where there was none."""
        worse, passed = float(self.known_worse[since:].sum()), float(self.let_pass[since:].sum())
        return worse / (worse + passed) if worse + passed > 0 else math.nan


def _chances(
    parts: Sequence[Part], everyone: Sequence[Part], flows: Mapping[int, Flow], bins: int, subject: str | None
) -> _Chances:
    """What was explored to learn is among them: it is what the share was before a policy changed."""
    taken, worse, passed, first_s = np.zeros(bins), np.zeros(bins), np.zeros(bins), math.inf
    chosen = parts[0].chosen
    for comparison in dict.fromkeys(part.comparison for part in parts):
        flow = flows.get(comparison, EMPTY)
        bands = {part.band for part in parts if part.comparison == comparison}
        there = [part for part in everyone if part.comparison == comparison and part.band in bands]
        code = there[0].options.index(chosen) if chosen in there[0].options else -1
        of = np.isin(flow.segment, [part.segment for part in there]) & _about(flow, subject)
        if of.any():
            first_s = min(first_s, float(flow.first_s[of].min()))
        of &= (flow.best != code) & (flow.bin >= 0) & (flow.bin < bins)
        mine = of & np.isin(flow.segment, [part.segment for part in parts if part.comparison == comparison])
        for sums, rows in ((taken, mine), (worse, mine & (flow.best >= 0)), (passed, of & ~mine)):
            np.add.at(sums, flow.bin[rows], flow.n[rows])
    return _Chances(taken, worse, passed, first_s)


def _since(when: Onset, rows: Sequence[_Rows], first_s: float, window: Window, bin_s: float) -> datetime:
    """The first bad choice of the regime; without a change the window's beginning, or the first decision where that is later."""
    if when.place == 0:
        return window.since if math.isinf(first_s) else max(window.since, datetime.fromtimestamp(first_s, UTC))
    begins = window.since + timedelta(seconds=when.place * bin_s)
    if not when.has_risen:
        return begins
    bad = [float(each.first_s[inside].min()) for each in rows
           if (inside := each.is_not_best & ~each.is_explored & (each.bin >= when.place)).any()]  # fmt: skip
    return max(begins, datetime.fromtimestamp(min(bad), UTC)) if bad else begins


def _length(rows: Sequence[_Rows], flows: Mapping[int, Flow], place: int, since: datetime, window: Window) -> float:
    """The days that the decisions from a bin on were spread over, those taken to learn left out."""
    everything = [flows.get(comparison, EMPTY) for comparison in {each.part.comparison for each in rows}]
    usual = (np.concatenate([of.first_s for of in everything]), np.concatenate([of.n for of in everything]))
    inside = [(each, (each.bin >= place) & ~each.is_explored) for each in rows]
    at_s, n = np.concatenate([each.first_s[of] for each, of in inside]), np.concatenate([each.n[of] for each, of in inside])
    return days_of(at_s, n, since.timestamp(), window.until.timestamp(), usual)


def _counted(rows: Sequence[_Rows], since: int) -> tuple[list[Part], Status]:
    """The segments whose dollars are told: of a place that stands all with a number, else those that are appraised, if of what
    was decided from a bin on nearly all lies in them."""
    numbered = [each.part for each in rows if each.part.regret_usd is not None]
    decided = [part for part in numbered if part.status == "appraised"]
    if decided and any(each.part.stands for each in rows):
        return numbered, "appraised"
    open_n = sum(each.count(since, explored=False) for each in rows if each.part not in decided)
    if decided and open_n <= LEFT_OUT_MAX * sum(each.count(since, explored=False) for each in rows):
        return decided, "appraised"
    if any(each.part.status == "not_enough_evidence" for each in rows):
        return [], "not_enough_evidence"
    return [], "not_identified"


def _sum(counted: Sequence[Part], shares: Mapping[int, float]) -> tuple[float, float, float]:
    """Regrets with their limits. None is truly below 0, so that no segment takes from the lower limit of the others."""
    sums: dict[int, list[float]] = {}
    for part in counted:
        if part.regret_usd is None or part.low_usd is None or part.high_usd is None:
            continue
        of = sums.setdefault(part.comparison, [0.0, 0.0, 0.0])
        for place, number in enumerate((part.regret_usd, max(part.low_usd, 0.0), part.high_usd)):
            of[place] += shares[id(part)] * number
    values = [(max(value, low), low, max(high, low)) for value, low, high in sums.values()]
    value = sum(of[0] for of in values)
    below = math.sqrt(sum((of[0] - of[1]) ** 2 for of in values))
    above = math.sqrt(sum(max(of[2] - of[0], 0.0) ** 2 for of in values))
    return value, value - below, value + above


def _terms(counted: Sequence[Part], shares: Mapping[int, float], days: float) -> tuple[Term, ...]:
    """What the best known options would change a day in each term of eq. 1; their sum (the first less the others) is the loss.

    Limits: errors of one comparison's segments add up, since they share evidence; those of comparisons add as squares.
    """
    terms: list[Term] = []
    for name, label, sign in _TERMS:
        known = [part for part in counted if name in part.changes]
        value = sign * sum(shares[id(part)] * part.changes[name] for part in known) / days
        errors: dict[int, float] = {}
        for part in known:
            error = shares[id(part)] * part.change_errors.get(name, math.nan)
            errors[part.comparison] = errors.get(part.comparison, 0.0) + error
        reach = _CONFIDENT * math.sqrt(sum(error**2 for error in errors.values())) / days
        if not known:
            terms.append(Term(label, None))
        elif math.isnan(reach):
            terms.append(Term(label, value))
        else:
            terms.append(Term(label, value, value - reach, value + reach))
    return tuple(terms)


def _days(rows: Sequence[_Rows]) -> tuple[Day, ...]:
    """Lost by what was not explored, by day (UTC), from the window's beginning on; intervals in proportion to the segments'."""
    sums: dict[int, list[float]] = {}
    for each in rows:
        part = each.part
        told = part.told
        if part.regret_usd is None or part.low_usd is None or part.high_usd is None or not part.regret_usd > 0 or not told:
            continue
        kept = ~each.is_explored
        day = np.floor(each.first_s[kept] / DAY_S).astype(np.int64)
        for one, usd in zip(day.tolist(), np.nan_to_num(each.usd[kept]).tolist(), strict=True):
            of = sums.setdefault(one, [0.0, 0.0, 0.0])
            for place, number in enumerate((part.regret_usd, part.low_usd, part.high_usd)):
                of[place] += usd * number / told
    return tuple(Day(datetime.fromtimestamp(day * DAY_S, UTC), *sums[day]) for day in sorted(sums))


def _downstream(counted: Sequence[Part], shares: Mapping[int, float], days: float) -> tuple[float, float, float] | None:
    """ΔC of whole tasks less that of the decisions' own calls, USD a day with limits added up; None where own costs are not
    known."""
    known = [(part.downstream, shares[id(part)] / days) for part in counted if part.downstream is not None]
    if not known:
        return None
    value, low, high = (sum(numbers[place] * share for numbers, share in known) for place in range(3))
    return value, low, high
