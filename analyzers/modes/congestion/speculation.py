"""Speculative decoding as make or buy: drafts are bought with time, and the acceptance rate is what they fetch.

A step that drafts k tokens yields 1 + k·α of them and takes 1 + k·c times as long as a plain one, c being the time of a draft
as a share of a plain step: drafting pays where α > c. Acceptance falls with the length of the context, so there is a length
from which on it should be off. Source of the speed-up: Leviathan, Kalman & Matias 2023, with the tokens per step as counted
rather than modelled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from analyzers.effects.estimate import Bools, Floats, floats
from analyzers.modes.congestion.fit import Engine
from analyzers.modes.congestion.timeline import Served, timeline

REQUESTS_MIN = 60
_DRAWS = 199
Answer: TypeAlias = Literal["drafting pays everywhere", "drafting pays nowhere", "off from a length on", "not enough evidence"]


@dataclass(frozen=True, slots=True)
class Speculation:
    """`off_from_tokens` with its 95 % interval: contexts as long or longer should be decoded without drafts; None unless the
    answer is that there is such a length (an infinite bound: not in sight).

    `break_even` is the acceptance at which drafting pays for itself, c. `acceptance` has, for bands of context, the upper edge
    in tokens, the accepted share, and the requests. `saved_share` is the decode time of those above the length that would be
    saved.
    """

    answer: Answer
    off_from_tokens: float | None
    low: float | None
    high: float | None
    break_even: float
    acceptance: tuple[tuple[float, float, int], ...]
    saved_share: float | None
    n: int
    why: str = ""


def make_or_buy(
    context_tokens: ArrayLike,
    proposed: ArrayLike,
    accepted: ArrayLike,
    *,
    break_even: float,
    drafted: float,
    seed: int = 0,
) -> Speculation:
    """From which context on drafting costs more than it brings.

    Shapes: (n,), one request per row: context, drafted and accepted tokens (rows without drafts are left out). `break_even`: c,
    the time of a draft as a share of a plain step (see `draft_cost`); `drafted`: k, drafts per step. Acceptance is a falling
    step function of the context, weighted by drafts; the interval is a bootstrap over requests. Raises: InputError.
    """
    context = floats(context_tokens, "context_tokens", shape=(-1,))
    n = len(context)
    offered, taken = floats(proposed, "proposed", shape=(n,)), floats(accepted, "accepted", shape=(n,))
    used = offered > 0
    context, offered, taken = context[used], offered[used], taken[used]
    n = len(context)
    if n < REQUESTS_MIN:
        return Speculation("not enough evidence", None, None, None, break_even, (), None, n, f"{n} requests with drafts")
    bands = _bands(context, offered, taken)
    length = _crossing(context, offered, taken, break_even)
    rng = np.random.default_rng(seed)
    drawn = np.array([_crossing(*_again(context, offered, taken, rng), break_even) for _ in range(_DRAWS)])
    low, high = (float(np.quantile(drawn, q, method="nearest")) for q in (0.025, 0.975))
    if length <= float(context.min()):
        return Speculation(
            "drafting pays nowhere", None, None, None, break_even, bands, _saved(offered, taken, break_even, drafted), n
        )
    if math.isinf(length):
        return Speculation("drafting pays everywhere", None, None, None, break_even, bands, None, n)
    beyond: Bools = context >= length
    saved = _saved(offered[beyond], taken[beyond], break_even, drafted)
    return Speculation("off from a length on", length, low, high, break_even, bands, saved, n)


def draft_cost(served: Served, engine: Engine, proposed: Floats) -> tuple[float, float] | None:
    """c, the time of one draft as a share of a plain step, and its standard error, from requests that drafted more or fewer (or
    none).

    Shapes: proposed (n,), drafted tokens; 0 without. The excess of each decode time over what the engine's steps would take is
    regressed on drafts per step. None when all drafted alike, since a draft's time cannot be told from a step's then.
    """
    known = (served.steps >= 5) & (served.decode_s > 0) & np.isfinite(proposed)
    if int(known.sum()) < REQUESTS_MIN:
        return None
    per_step = proposed[known] / served.steps[known]
    if float(per_step.std()) < 0.05:
        return None
    line = timeline(served, engine.parts)
    beside = np.maximum(line.decoding, 1.0)
    busy, seats, held = (line.until(rate) for rate in ((line.prefilling > 0).astype(float), beside, line.kv))
    begins, ends = line.decodes[known], line.ends[known]
    lasted = np.maximum(served.decode_s[known], 1e-9)
    each = served.decode_s[known] / served.steps[known]
    columns = [np.ones(len(each)), per_step, *((of[ends] - of[begins]) / lasted for of in (seats, held, busy))]
    scales = np.array([max(float(np.abs(column).max()), 1e-12) for column in columns])
    design = np.column_stack(columns) / scales
    weight = np.sqrt(served.steps[known])
    solved = np.linalg.lstsq(design * weight[:, None], each * weight, rcond=None)[0]
    left = (each - design @ solved) * weight
    bread = np.linalg.pinv((design * weight[:, None]).T @ (design * weight[:, None]))
    pulled = design * (weight * left)[:, None]
    covariance = bread @ (pulled.T @ pulled) @ bread
    plain = float(np.median(design @ solved - design[:, 1] * solved[1]))
    if plain <= 0:
        return None
    return float(solved[1] / scales[1]) / plain, math.sqrt(float(covariance[1, 1])) / float(scales[1]) / plain


def _crossing(context: Floats, offered: Floats, taken: Floats, break_even: float) -> float:
    """The least context from which acceptance stays below break-even; infinite when it never does."""
    order = np.argsort(context, kind="stable")
    lengths, first = np.unique(context[order], return_index=True)
    drafts = np.add.reduceat(offered[order], first)
    share = optimize.isotonic_regression(np.add.reduceat(taken[order], first) / drafts, weights=drafts, increasing=False).x
    below = np.asarray(share, dtype=np.float64) < break_even
    return float(lengths[int(np.argmax(below))]) if bool(below.any()) else math.inf


def _again(context: Floats, offered: Floats, taken: Floats, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    drawn = rng.integers(0, len(context), len(context))
    return context[drawn], offered[drawn], taken[drawn]


def _bands(context: Floats, offered: Floats, taken: Floats) -> tuple[tuple[float, float, int], ...]:
    edges = np.unique(np.quantile(context, np.arange(1, 9) / 8))
    band = np.minimum(np.searchsorted(edges, context), len(edges) - 1)
    some = [(float(edge), band == place) for place, edge in enumerate(edges)]
    return tuple(
        (edge, float(taken[inside].sum() / offered[inside].sum()), int(inside.sum())) for edge, inside in some if inside.any()
    )


def _saved(offered: Floats, taken: Floats, break_even: float, drafted: float) -> float:
    """Share of decode time saved by not drafting: 1 − (1 + kα)/(1 + kc)."""
    alpha = float(taken.sum() / offered.sum())
    return 1.0 - (1.0 + drafted * alpha) / (1.0 + drafted * break_even)
