"""How much later, or sooner, a decision set's other options would let its tasks end: at the median, and for the slowest.

The mean of seconds is a term of eq. 1 and part of every net. What people promise are quantiles, so these are told beside it, in
seconds, for all decisions of the set at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analyzers.attribution.fit import Fit, context_name
from analyzers.effects import intervals, power
from analyzers.effects.estimate import Bools, Estimate, Floats
from analyzers.effects.latency import Ordered, basis_of, estimate, ordered, too_few
from analyzers.effects.scores import Scores

SHARES = (0.5, 0.95)
_MATERIAL = 0.1
"""Of the quantile as it would be under the usual option: a smaller difference is nothing to act on."""
_UNLIKE, _BY_CHANCE = 0.25, 2.0
"""As `Contrast.unlike` has them: standard deviations of the context by which an arm may be off, and errors that are chance."""
_CHANCE_MIN = 1e-6
_UNKNOWN = "λ is not known: state it (`pigou policy`), so that latency is a term of what is appraised"
_FREE = "λ is 0, so that latency is no term of what is appraised"
_UNTOLD = "nothing tells how long these tasks took"


@dataclass(frozen=True, slots=True)
class Later:
    """How much later the `share` quantile of the tasks' seconds would come had `option` always been chosen instead of `base`, the
    option of most decisions. `base_s`: that quantile under `base`; None where it is not known."""

    option: str
    base: str
    share: float
    base_s: float | None
    later: Estimate


def later(fit: Fit) -> tuple[Later, ...]:
    """What every other option does to the quantiles of latency, against the one that was chosen most. Nothing where no option can
    move it.

    An interval that holds both nothing and a tenth of the base's quantile is `not_enough_evidence` and says what would settle it.
    Without a latency term there is no number: what moves seconds was not looked at.
    """
    choices = fit.choices
    part = fit.part("latency")
    counts = np.bincount(choices.chosen, minlength=len(choices.options))
    base = int(np.argmax(counts))
    others = [option for option in range(len(choices.options)) if option != base]
    if "latency" in choices.unmoved:
        return ()
    scores = _scores(fit)
    if part is None:
        why = _UNKNOWN if np.isnan(choices.lam).any() else _FREE if not choices.lam.any() else _UNTOLD
        return tuple(_nothing(fit, scores, option, base, share, why) for option in others for share in SHARES)
    whole = ordered(scores, base) if not fit.unidentified[base] and (scores.weights[:, base] > 0).any() else None
    return tuple(each for option in others for each in _of_pair(fit, scores, option, base, whole))


def _scores(fit: Fit) -> Scores:
    choices, part = fit.choices, fit.part("latency")
    n, options = len(choices), len(choices.options)
    known = np.ones(n) if part is None else part.weight
    weights = np.zeros((n, options))
    own = np.arange(n), choices.chosen
    weights[own] = known / np.maximum(fit.shared[own], _CHANCE_MIN)
    weights[~fit.supported] = np.nan
    none = np.zeros(n)
    return Scores(
        choices.latency_s, weights, np.broadcast_to(none[:, None], weights.shape), fit.tasks, none, False, True, fit.method,
        "all decisions", fit.unidentified,
    )  # fmt: skip


def _of_pair(fit: Fit, scores: Scores, option: int, base: int, whole: Ordered | None) -> list[Later]:
    names, both = fit.choices.options, scores.supported(option, base)
    why = fit.unidentified[option] or fit.unidentified[base] or ("" if both.any() else "in no decision had both a chance")
    if why:
        return [_nothing(fit, scores, option, base, share, why) for share in SHARES]
    kept = scores if both.all() else scores.take(both)
    basis = basis_of(kept)
    if not all((kept.weights[:, each] > 0).any() for each in (option, base)):
        lacking = basis.nothing("not_enough_evidence", "where both had a chance one of them was never taken")
        return [Later(names[option], names[base], share, None, lacking) for share in SHARES]
    one, other = ordered(kept, option), whole if whole is not None and both.all() else ordered(kept, base)
    unlike = _unlike(fit, kept, both, option, one) or _unlike(fit, kept, both, base, other)
    if unlike:
        lacking = basis.nothing("not_enough_evidence", f"the options were taken on other work: their {unlike} is another")
        return [Later(names[option], names[base], share, None, lacking) for share in SHARES]
    found: list[Later] = []
    for share in SHARES:
        few = next(
            (too_few(basis, of, share, names[each]) for each, of in ((option, one), (base, other)) if of.lacks(share) > 1), None
        )
        if few is not None:
            found.append(Later(names[option], names[base], share, None, few))
            continue
        first, second = one.at(share), other.at(share)
        plain = estimate(basis, intervals.difference(first, second))
        found.append(Later(names[option], names[base], share, second.value, _judged(plain, (first, one), (second, other))))
    return found


def _judged(plain: Estimate, *arms: tuple[intervals.Bounds, Ordered]) -> Estimate:
    """The estimate as a verdict on a difference that matters, with what would settle it."""
    material = _MATERIAL * abs(arms[1][0].value)
    if material <= 0:
        return plain
    reach = intervals.quantile(math.inf, plain.level)
    deviations = [(bounds.high - bounds.low) / 2 / reach * math.sqrt(of.effective) for bounds, of in arms]
    return power.judge(plain, material, deviations=(deviations[0], deviations[1]))


def _unlike(fit: Fit, kept: Scores, both: Bools, option: int, of: Ordered) -> str:
    """By what of the context those who took an option are another lot, though weighted to be like all; "" by nothing."""
    alike: Floats = fit.alike if both.all() else fit.alike[both]
    if not alike.shape[1]:
        return ""
    weights = np.nan_to_num(kept.weights[:, option])
    off = np.abs(weights @ alike / weights.sum() - alike.mean(axis=0))
    place = int(np.argmax(off))
    allowed = _UNLIKE + _BY_CHANCE * math.sqrt(1 / of.effective + 1 / len(alike))
    return context_name(fit.choices, place) if float(off[place]) > allowed else ""


def _nothing(fit: Fit, scores: Scores, option: int, base: int, share: float, why: str) -> Later:
    names = fit.choices.options
    return Later(names[option], names[base], share, None, basis_of(scores).nothing("not_identified", why))
