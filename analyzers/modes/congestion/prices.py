"""Shadow prices of an engine's prefill, decode and KV: what one unit more would cost others in delay, hour by hour.

At random times of the hour a request more is replayed that asks for one resource only, and the delay of all others is priced at
their λ. Prefill: a prompt without output. Decode: output without context. KV: the same output with context, less the one
without. They name their constraint: time in prefill, steps of decoding, room in KV.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

import numpy as np

from analyzers.effects import intervals
from analyzers.effects.estimate import Floats
from analyzers.modes.congestion.external import MODEL_ERROR, until_quiet
from analyzers.modes.congestion.fit import Engine
from analyzers.modes.congestion.replay import Jobs, Run, jobs, latencies
from analyzers.modes.congestion.timeline import Served

_PROBES = 24
_PREFILL, _DECODE, _HELD = 0, 1, 2  # the three kinds of probe, in the order of their places behind the requests


@dataclass(frozen=True, slots=True)
class Price:
    """USD per unit in one part of time, as a mean over `n` probes with its 95 % interval (infinite with one probe)."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Hour:
    """The prices of one part of time from `begins_s` on: of a token prefilled, decoded, and held in KV for a second."""

    begins_s: float
    prefill_usd_per_token: Price
    decode_usd_per_token: Price
    kv_usd_per_token_s: Price


@dataclass(frozen=True, slots=True)
class Unit:
    """Of what size a probe is: tokens and seconds of prefill, steps, KV tokens, and output tokens in a step."""

    tokens: float
    prefill_s: float
    steps: float
    kv_tokens: float
    tokens_per_step: float


def unit(served: Served, engine: Engine, tokens_per_step: float) -> Unit:
    """A probe of ordinary size: the medians of the requests."""
    tokens = float(np.nanmedian(served.prefill_tokens)) if np.isfinite(served.prefill_tokens).any() else math.nan
    known = math.isfinite(tokens) and engine.prefill_per_token_s > 0
    prefill = tokens * engine.prefill_per_token_s if known else float(np.median(served.prefill_s))
    return Unit(
        tokens if known else math.nan, prefill, max(1.0, float(np.median(served.steps))),
        max(1.0, float(np.median(served.kv_tokens))), max(1.0, tokens_per_step),
    )  # fmt: skip


def prices(
    served: Served, engine: Engine, begins_s: Floats, lasts_s: float, of: Unit, probes: int = _PROBES, seed: int = 0
) -> list[Hour]:
    """The prices in each part of time that begins at `begins_s` (h,), ascending, and lasts so long.

    Probes are spread evenly over each part, each at random within its share of it, with a generator of the part's own, so that a
    part's prices do not depend on which others are asked for.
    """
    work = jobs(served, engine)
    whole, lam = np.append(latencies(engine, work), [math.nan] * 3), np.append(np.nan_to_num(served.lam), [0.0] * 3)
    first_s, last_s = float(served.arrived_s[0]), float(served.ended_s.max())
    run = Run(engine, _probing(work, of))
    found: list[Hour] = []
    for begins in begins_s.tolist():
        rng = np.random.default_rng([seed, int(begins) % (1 << 31)])
        at = begins + lasts_s * (np.arange(probes) + rng.random(probes)) / probes
        usd = [_probe(run, at_s, whole, lam) if first_s < at_s < last_s else [0.0, 0.0, 0.0] for at_s in at.tolist()]
        found.append(_hour(begins, np.array(usd), of))
    return found


def _probing(work: Jobs, of: Unit) -> Jobs:
    """The requests, and behind them the three probes, which arrive only where they are put."""
    return Jobs(
        [*work.arrived_s, 0.0, 0.0, 0.0],
        [*work.prefill_s, of.prefill_s, 0.0, 0.0],
        [*work.steps, 0.0, of.steps, of.steps],
        [*work.kv, 0.0, 0.0, of.kv_tokens],
        [*work.again, -1, -1, -1],
        [*work.gap_s, 0.0, 0.0, 0.0],
        work.heads,
    )


def _probe(run: Run, at_s: float, whole: Floats, lam: Floats) -> list[float]:
    """What a probe of each kind would cost others in USD if it came at a time; the last, per second for which it holds KV."""
    first = len(whole) - 3
    heapq.heappush(run.asked, (at_s, first))
    run.until(arrival=first)
    heapq.heappop(run.asked)
    costs: list[float] = []
    held_s = 1.0
    for kind in (_PREFILL, _DECODE, _HELD):
        branch = run.copy()
        heapq.heappush(branch.asked, (at_s, first + kind))
        costs.append(-until_quiet(branch, whole, lam, at_s, probe=first + kind)[1])
        held_s = branch.latency_s.get(first + kind, held_s)
    return [costs[0], costs[1], (costs[2] - costs[1]) / max(held_s, 1e-9)]


def _hour(begins_s: float, usd: Floats, of: Unit) -> Hour:
    per = (of.tokens, of.steps * of.tokens_per_step, of.kv_tokens)
    made = [_price(usd[:, kind] / per[kind]) for kind in range(3)]
    return Hour(begins_s, *made)


def _price(each: Floats) -> Price:
    """A mean that is never negative, with the error of its probes and of the replay's rules."""
    n = len(each)
    if n == 0:
        return Price(0.0, 0.0, 0.0, 0)
    value = max(0.0, float(each.mean()))
    if n == 1:
        return Price(value, 0.0, math.inf, 1)
    error = math.hypot(float(each.std(ddof=1)) / math.sqrt(n), MODEL_ERROR * value)
    half = intervals.quantile(float(n - 1)) * error
    return Price(value, max(0.0, value - half), value + half, n)
