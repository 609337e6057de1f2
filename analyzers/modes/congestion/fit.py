"""What a decode step costs on an engine, fitted to its own spans: by batch, by KV in use, and while a prefill runs.

A step takes m·(a + b·batch + c·kv) seconds, where m is the pace of the hour: an engine that is slower at noon for reasons of
its own is slower for everybody, and that is nobody's doing. While a prompt is prefilled, decoding goes on at the share
w·step/(1 + w·step) of its speed: w = 0 is an engine that stalls, a large w one that mixes small pieces of prefill with its
steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from analyzers.effects.estimate import Floats, Ints
from analyzers.modes.congestion.timeline import Blocks, Served, Timeline, blocks, timeline

REQUESTS_MIN = 60
_ROUNDS = 4
_SHRINK = 25.0  # a block's pace counts as so many requests at pace 1 beside its own
_STEPS_ERROR = 1.0  # a span's times are exact to about a step
_SHARE_ERROR = 0.03
_GANG_SHARE = 0.8  # of the time that prompts share
_TICK_S = 1e-4  # spans' times are told in microseconds: who leaves and who enters at once may seem to be there together


@dataclass(frozen=True, slots=True)
class Engine:
    """A fitted engine. `step_s`, `per_sequence_s` and `per_kv_token_s` are a, b, c; `mixing` is w; `pace` is m by block.

    `prefill_s` and `prefill_per_token_s` give a prompt's prefill by its tokens. `lanes` prompts are prefilled at once, and
    share the time; `in_gangs`: they begin and end together; `batch_max` sequences run and `kv_max` tokens are held at most
    (infinite: never seen to bind). `covariance` (4, 4) of a, b, c, w. `misfit` is the median relative error of decode times.
    """

    step_s: float
    per_sequence_s: float
    per_kv_token_s: float
    mixing: float
    pace: Floats
    parts: Blocks
    lanes: int
    in_gangs: bool
    batch_max: float
    kv_max: float
    prefill_s: float
    prefill_per_token_s: float
    covariance: Floats
    n: int
    misfit: float

    def parameters(self) -> Floats:
        """a, b, c, w."""
        return np.array([self.step_s, self.per_sequence_s, self.per_kv_token_s, self.mixing])


def rates(parameters: Floats, pace: Floats, line: Timeline) -> tuple[Floats, Floats]:
    """Decode steps per second, and how much of a second's prefill gets done in one, in each stretch."""
    a, b, c, w = (float(one) for one in parameters)
    step = pace[line.block] * (a + b * np.maximum(line.decoding, 1.0) + c * line.kv)
    beside: Floats = 1.0 / (1.0 + w * step)
    decode: Floats = np.where(line.prefilling > 0, w * beside, 1.0 / step)
    return decode, beside


def fit(served: Served, parts: Blocks | None = None) -> Engine | None:
    """The engine that fits the spans best; None when there are too few, or when they have no decode steps.

    Nonlinear least squares of the steps that a request took against those that its time allows, with a soft loss, so that single
    odd spans do not matter. The pace of the blocks and the other parameters are found in turn.
    """
    known = (served.steps >= 1) & (served.decode_s > 0)
    if int(known.sum()) < REQUESTS_MIN:
        return None
    parts = blocks(served) if parts is None else parts
    line = timeline(served, parts)
    n_steps = served.steps[known]
    scale = np.sqrt(_STEPS_ERROR**2 + (_SHARE_ERROR * n_steps) ** 2)
    begins, ends = line.decodes[known], line.ends[known]
    pace = np.ones(parts.count)
    typical = float(np.median(served.decode_s[known] / n_steps))
    unit = np.array([typical, typical / 10, typical / (10 * max(1.0, float(np.median(served.kv_tokens)))), 1.0 / typical])

    def allowed(x: Floats) -> Floats:
        done = line.until(rates(x * unit, pace, line)[0])
        return done[ends] - done[begins]

    def residual(x: Floats) -> Floats:
        return (allowed(x) - n_steps) / scale

    x = np.array([0.7, 0.2, 0.2, 0.1])
    block = parts.of((served.decoding_s + served.ended_s)[known] / 2)
    found = None
    for _ in range(_ROUNDS if parts.count > 1 else 1):
        found = optimize.least_squares(
            residual, x, bounds=([1e-3, 0.0, 0.0, 0.0], [10.0, 50.0, 500.0, 1e3]), loss="soft_l1", max_nfev=40
        )
        x = found.x
        pace = _pace(pace, allowed(x), n_steps, block)
    if found is None:
        return None
    covariance = _covariance(np.asarray(found.jac, dtype=np.float64), residual(x)) * np.outer(unit, unit)
    misfit = float(np.median(np.abs(allowed(x) / n_steps - 1.0)))
    a, b, c, w = (x * unit).tolist()
    alpha, beta = _prefill(served)
    lanes, batch_max, kv_max = _limits(served, line, a + b)
    gangs = lanes > 1 and _in_gangs(served, line)
    return Engine(a, b, c, w, pace, parts, lanes, gangs, batch_max, kv_max, alpha, beta, covariance, int(known.sum()), misfit)


def _pace(pace: Floats, allowed: Floats, steps: Floats, block: Ints) -> Floats:
    """Each block's pace corrected by how many steps its time would have allowed, drawn to 1 where requests are few."""
    weight = np.sqrt(steps)
    count = np.bincount(block, minlength=len(pace)).astype(float)
    total = np.bincount(block, weight, len(pace))
    ratio = np.clip(allowed / steps, 0.2, 5.0)
    mean = np.divide(np.bincount(block, weight * ratio, len(pace)), total, out=np.ones(len(pace)), where=total > 0)
    share = count / (count + _SHRINK)
    corrected = pace * mean**share
    return corrected / np.exp(np.average(np.log(corrected), weights=count + 1e-9))


def _covariance(jacobian: Floats, residual: Floats) -> Floats:
    """Sandwich covariance of the parameters from the last step's Jacobian (White 1980)."""
    bread = np.linalg.pinv(jacobian.T @ jacobian)
    pulled = jacobian * residual[:, None]
    return bread @ (pulled.T @ pulled) @ bread


def _prefill(served: Served) -> tuple[float, float]:
    """Seconds of a prompt without tokens, and per token: iterated least squares with bounded weights (Huber 1964)."""
    known = np.isfinite(served.prefill_tokens) & (served.prefill_tokens > 0)
    if int(known.sum()) < REQUESTS_MIN:
        return float("nan"), float("nan")
    x, y = served.prefill_tokens[known], served.prefill_s[known]
    design = np.column_stack([np.ones(len(x)), x])
    weight, line = 1.0 / np.maximum(x, 1.0), np.zeros(2)
    base = weight.copy()
    for _ in range(15):
        root = np.sqrt(weight)
        line = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
        if line[0] < 0:
            line = np.array([0.0, float((weight * x) @ y / ((weight * x) @ x))])
        off = np.abs(y - design @ line) * np.sqrt(base)
        bound = 1.345 * max(float(np.median(off)) / 0.6745, 1e-12)
        weight = base * np.minimum(1.0, bound / np.maximum(off, 1e-15))
    return float(line[0]), float(max(line[1], 0.0))


def gangs(served: Served) -> Ints:
    """Which requests were admitted at the same moment as others: the code of each one's gang, shape (n,)."""
    return np.unique(np.round(served.admitted_s / _TICK_S), return_inverse=True)[1].astype(np.int64)


def _in_gangs(served: Served, line: Timeline) -> bool:
    """Whether prompts that are prefilled at once mostly begin and end together."""
    gang = gangs(served)
    size = np.bincount(gang)
    apart = np.abs(served.decoding_s - (np.bincount(gang, served.decoding_s) / size)[gang]) > _TICK_S
    together = (size[gang] > 1) & ~apart
    many = line.prefilling > 1
    shared = float((line.prefilling * line.lasts_s)[many].sum())
    return shared > 0 and float(served.prefill_s[together].sum()) >= _GANG_SHARE * shared


def _limits(served: Served, line: Timeline, step_s: float) -> tuple[int, float, float]:
    """How many prompts at once, and the limits of batch and KV (infinite where nobody ever waited for them).

    KV: between what was held at most just after somebody was let in beside others, and the least that whoever waited, although
    a prompt could have been prefilled and places were free, would have needed. Batch: what was reached while somebody waited
    whom KV did not keep out.
    """
    solid = line.lasts_s > 3 * step_s
    busy = line.prefilling[solid & (line.prefilling > 0)]
    lanes = max(1, int(np.quantile(busy, 0.95))) if len(busy) else 1
    inside = line.decoding + line.prefilling
    most = float(inside[line.lasts_s > _TICK_S].max())
    beside = (inside > 1) & (line.lasts_s > _TICK_S)
    reached = float(line.kv[beside].max()) if beside.any() else 0.0
    came, left = _counts(served, line)
    kept_out = solid & (line.prefilling < lanes) & (came > left) & (inside > 0)
    if not kept_out.any():
        return lanes, math.inf, math.inf
    order = np.argsort(served.admitted_s, kind="stable")
    needed = (line.kv + served.kv_tokens[order[np.minimum(left, len(order) - 1)]])[kept_out]
    room = needed[inside[kept_out] < most]
    refused = float(np.quantile(room[room > reached], 0.02)) if (room > reached).any() else math.inf
    kv_max = (reached + refused) / 2 if math.isfinite(refused) else math.inf
    full = (inside[kept_out] >= most) & (needed <= kv_max)
    return lanes, most if full.any() else math.inf, kv_max


def _counts(served: Served, line: Timeline) -> tuple[Ints, Ints]:
    """How many had come, and how many of them had been admitted, at the beginning of each stretch."""
    at = float(served.admitted_s.min()) + np.concatenate([[0.0], np.cumsum(line.lasts_s)])[:-1] + 1e-7
    came = np.searchsorted(served.arrived_s, at, side="right")
    return came, np.searchsorted(np.sort(served.admitted_s), at, side="right")
