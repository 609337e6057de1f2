"""The delay that requests impose on others, in seconds and at the victims' λ: what is not in a flat price (eq. 2, 9).

Imposed by a group: the latency of everybody else as it was, less their latency in a replay without the group. Imposed by one
request: the same without that one, which is its marginal external delay and what the first-best price of it would be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from analyzers.effects import intervals
from analyzers.effects.estimate import Bools, Floats, Ints
from analyzers.modes.congestion.fit import Engine
from analyzers.modes.congestion.replay import Jobs, Run, jobs, latencies
from analyzers.modes.congestion.timeline import Served, timeline

_Z = 1.959963984540054
_UNMOVED = 0.002
MODEL_ERROR = 0.05
"""What the rules of the replay leave out, as a share of a delay: measured against engines whose truth is known."""


@dataclass(frozen=True, slots=True)
class Imposed:
    """Delay that one culprit imposed on each request, (n,): 0 for its own. `error_s` (k, n): its change with each of k directions
    in which the engine's parameters are uncertain, one standard error far."""

    delay_s: Floats
    error_s: Floats


@dataclass(frozen=True, slots=True)
class Money:
    """A sum with its 95 % interval."""

    value: float
    low: float
    high: float


class Replays:
    """An engine's requests replayed with nobody left out, by the engine and by its neighbours: what replays without a culprit are
    compared with, made once for all culprits.

    `whole_s` (n,): the latencies by the engine itself.
    """

    def __init__(self, served: Served, engine: Engine) -> None:
        self.served, self.engine = served, engine
        engines = [engine, *_neighbours(served, engine)]
        works = [jobs(served, one) for one in engines]
        self._parts = [(one, work, latencies(one, work)) for one, work in zip(engines, works, strict=True)]
        self.work, self.whole_s = works[0], self._parts[0][2]

    def imposed(self, culprit: Bools) -> Imposed:
        """What a culprit, a mask (n,) over requests, imposed on all others."""
        delays: list[Floats] = []
        for engine, work, whole in self._parts:
            delay = whole - latencies(engine, work, culprit)
            delays.append(np.where(culprit | ~np.isfinite(delay), 0.0, delay))
        return Imposed(delays[0], np.array([one - delays[0] for one in delays[1:]]).reshape(-1, len(self.whole_s)))


def imposed(served: Served, engine: Engine, culprits: Sequence[Bools]) -> list[Imposed]:
    """What each culprit, a mask (n,) over requests, imposed on all others."""
    replays = Replays(served, engine)
    return [replays.imposed(culprit) for culprit in culprits]


def total(one: Imposed, weight: Floats) -> Money:
    """The sum of weight·delay over requests where the weight is known, (n,), with its interval.

    The interval is of what happened, given who came when: from the engine's parameters, and from the rules of the replay.
    """
    known = np.where(np.isfinite(weight), weight, 0.0)
    value = float(one.delay_s @ known)
    sway = one.error_s @ known if len(one.error_s) else np.zeros(0)
    error = math.hypot(float(np.sqrt((sway**2).sum())), MODEL_ERROR * float(np.abs(one.delay_s) @ np.abs(known)))
    return Money(value, value - _Z * error, value + _Z * error)


def mixed(sums: Sequence[Money], chances: Floats) -> Money:
    """One of several sums, nobody knows which: the likeliest, with the 95 % interval of all by their chances, (k,)."""
    values, errors = np.array([one.value for one in sums]), np.array([(one.high - one.low) / (2 * _Z) for one in sums])
    errors = np.maximum(errors, 1e-12)

    def quantile(share: float) -> float:
        ends = values + stats.norm.ppf(share) * errors
        least, most = float(ends.min()), float(ends.max())
        if most - least < 1e-9:
            return least
        return float(brentq(lambda x: float(chances @ stats.norm.cdf((x - values) / errors)) - share, least, most))

    return Money(float(values[int(np.argmax(chances))]), quantile(0.025), quantile(0.975))


def _neighbours(served: Served, engine: Engine) -> Iterator[Engine]:
    """Engines one standard error away, along the axes in which the parameters are uncertain independently of each other.

    Axes along which no part of a usual step moves by more than `_UNMOVED` of it are left out: they cannot matter beside the
    error of the rules, and each costs as many replays as there are culprits.
    """
    unit = np.sqrt(np.maximum(np.diag(engine.covariance), 1e-300))
    values, vectors = np.linalg.eigh(engine.covariance / np.outer(unit, unit))
    usual = _usual(served, engine)
    for value, vector in zip(values, vectors.T, strict=True):
        if value <= 0:
            continue
        step = math.sqrt(value) * vector * unit
        if float(np.abs(step * usual).max()) < _UNMOVED:
            continue
        a, b, c, w = np.maximum(engine.parameters() + step, [0.3 * engine.step_s, 0.0, 0.0, 0.0]).tolist()
        yield replace(engine, step_s=a, per_sequence_s=b, per_kv_token_s=c, mixing=w)


def _usual(served: Served, engine: Engine) -> Floats:
    """By how much of a usual step it changes with one of each parameter."""
    line = timeline(served, engine.parts)
    weight = line.lasts_s * (line.decoding > 0)
    if float(weight.sum()) <= 0:
        return np.zeros(4)
    batch, kv = float(np.average(line.decoding, weights=weight)), float(np.average(line.kv, weights=weight))
    step_s = engine.step_s + engine.per_sequence_s * batch + engine.per_kv_token_s * kv
    return np.array([1 / step_s, batch / step_s, kv / step_s, step_s])


def moved(served: Served, engine: Engine, culprit: Bools, later_s: Sequence[float], work: Jobs | None = None) -> list[Floats]:
    """What a culprit would impose on each of the others, (n,) in seconds, if it came so much later; one for each of `later_s`.

    `work` None: that of the requests, made here.
    """
    work = jobs(served, engine) if work is None else work
    without = latencies(engine, work, culprit)
    found: list[Floats] = []
    for shift in later_s:
        arrived = served.arrived_s + np.where(culprit, shift, 0.0)
        heads = sorted(work.heads, key=lambda place: float(arrived[place]))
        delay = latencies(engine, replace(work, arrived_s=arrived.tolist(), heads=heads)) - without
        found.append(np.where(culprit | ~np.isfinite(delay), 0.0, delay))
    return found


_QUIET_ENDS = 40
_QUIET_SHARE = 1e-3
_PIECE = 40
_ENDS_MAX = 4_000


def marginal(served: Served, engine: Engine, requests: Ints, replays: Replays | None = None) -> tuple[Floats, Floats]:
    """What each of some requests imposed on all others: seconds, and USD at the others' λ; shapes (k,).

    `replays` None: made here.

    The replay without a request begins where it arrives, and ends when nobody's answer comes at another time any more.
    """
    work = jobs(served, engine) if replays is None else replays.work
    whole, price = latencies(engine, work) if replays is None else replays.whole_s, np.nan_to_num(served.lam)
    seconds, usd = np.zeros(len(requests)), np.zeros(len(requests))
    run = Run(engine, work)
    came = np.where(np.isfinite(whole), whole, 0.0)
    for place in np.argsort(_arrivals(run, came, requests), kind="stable").tolist():
        request = int(requests[place])
        run.until(arrival=request)
        if run.coming()[1] != request:  # two that come at the very same time, in the other order
            run = Run(engine, work)
            run.until(arrival=request)
        branch = run.copy()
        branch.absent[request] = 1
        gone_s = branch.coming()[0] + float(came[request])
        seconds[place], usd[place] = until_quiet(branch, whole, price, gone_s)
    return seconds, usd


def _arrivals(run: Run, latency_s: Floats, requests: Ints) -> Floats:
    """When some requests arrive in the replay: as observed, or so long after the answer before."""
    at, work = list(run.jobs.arrived_s), run.jobs
    for request in range(len(at)):  # in order of arrival, so that what is asked after an answer comes later
        if work.again[request] >= 0:
            at[work.again[request]] = at[request] + float(latency_s[request]) + work.gap_s[request]
    return np.array(at)[requests]


def until_quiet(branch: Run, whole: Floats, price: Floats, gone_s: float, probe: int = -1) -> tuple[float, float]:
    """Run until the answers come when they came anyway; the sums of delay and of delay·λ, both less than `whole` says.

    Not before `gone_s`, when the request that is left out would have ended, or before a `probe` that is one too many has ended.
    """
    seconds = usd = largest = 0.0
    quiet = counted = 0
    gone_s = gone_s if probe < 0 else math.inf
    while counted < _ENDS_MAX and quiet < _QUIET_ENDS:
        branch.until(ends=_PIECE if probe < 0 else 1)
        fresh = branch.ended[counted:]
        if not fresh:
            break
        counted += len(fresh)
        for request in fresh:
            if request == probe:
                gone_s, quiet = branch.now_s, 0
                if branch.is_empty:  # and so it would be without the probe
                    return seconds, usd
                continue
            delay = float(whole[request]) - branch.latency_s[request]
            seconds += delay
            usd += delay * float(price[request])
            largest = max(largest, abs(delay))
            if branch.now_s >= gone_s and probe >= 0 and branch.is_empty:
                return seconds, usd
            quiet = 0 if abs(delay) > max(_QUIET_SHARE * largest, 1e-7) or branch.now_s < gone_s else quiet + 1
    return seconds, usd


def rate(by_day: Floats, seed: int = 0, draws: int = 999) -> Money:
    """Mean of a sum by day with the interval of days like these: a bootstrap over days, for what further days would bring."""
    value = float(by_day.mean()) if len(by_day) else 0.0
    if len(by_day) < 2:
        return Money(value, -math.inf, math.inf)
    rng = np.random.default_rng(seed)
    means = by_day[rng.integers(0, len(by_day), (draws, len(by_day)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975]).tolist()
    return Money(value, low, high)


FELT_SHARE = 0.05
"""A delay of less than this share of the time that its victims spend at the engine is room enough, whatever its dollars."""


def is_felt(one: Imposed, latency_s: Floats, lam: Floats, tests: int = 1) -> bool:
    """Whether a culprit is in others' way: dollars that are certainly above zero, and delays that somebody would notice.

    Shapes: (n,). Those whose seconds have no price are left out on both sides. `tests`: how many culprits are judged at once,
    whose errors are shared out among them (Bonferroni).
    """
    priced = np.isfinite(lam) & (lam > 0)
    victims = priced & (one.delay_s != 0)
    if not victims.any():
        return False
    found = total(one, lam)
    error = (found.high - found.low) / (2 * _Z)
    least = found.value - intervals.quantile(math.inf, 1 - 0.05 / max(1, tests)) * error
    return least > 0 and float(one.delay_s[victims].sum()) >= FELT_SHARE * float(latency_s[priced].sum())
