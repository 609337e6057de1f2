"""Why a segment, or a pair of options, has no number, and what would bring one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analyzers.attribution.contrast import Contrast
from analyzers.attribution.fit import Fit
from analyzers.effects import power
from analyzers.effects.estimate import Basis, Estimate, Ints, Needs, distinct
from analyzers.effects.observational import SUPPORT_MIN
from analyzers.effects.scores import EFFECTIVE_MIN

_UNTOLD = {
    "quality": ("how it went", "tasks without an outcome"),
    "cost": ("what it cost", "calls without a price, or in suspense"),
    "latency": ("how long it took", "tasks without an end"),
    "risk": ("what was risked", "actions that state no probability or loss"),
}


def unidentified(fit: Fit, pool: Ints, option: int, chosen: int) -> str:
    """Why two options cannot be compared in a pool; nothing where they can."""
    if fit.choices.assignment != "logged":
        share = float((fit.supported[pool, option] & fit.supported[pool, chosen]).mean())
        if share < SUPPORT_MIN:
            why = f"no overlap: in {share:.0%} of decisions had {fit.choices.options[option]} and the chosen option a chance"
            return fit.unidentified[option] or fit.unidentified[chosen] or why
    return fit.unidentified[option] or fit.unidentified[chosen]


def untold(fit: Fit, contrast: Contrast) -> str:
    """Which term of which option is seldom known, where it is that, and not how many tasks there are, that leaves too little."""
    for of, option in zip(contrast.arms, (contrast.option, contrast.base), strict=True):
        least = of.scarce
        if least is None or of.sizes[least] >= EFFECTIVE_MIN[False] or of.counts[least] == (tasks := distinct(of.tasks)):
            continue
        what, why = _UNTOLD[fit.parts[least].name]
        return f": with {fit.choices.options[option]} {what} is known in {of.counts[least]} of {tasks} tasks ({why})"
    return ""


def nothing(
    fit: Fit, pool: Ints, basis: Basis, every: dict[int, Contrast | None], chosen: int, materiality_usd: float
) -> Estimate:
    """Why there is no number, and how many more decisions like today's would bring one that settles whether `materiality_usd` was
    lost: as many as an interval needs at least, and as many as one as wide as what is known so far."""
    if not every:
        reasons = [unidentified(fit, pool, b, chosen) for b in range(len(fit.choices.options)) if b != chosen]
        return basis.nothing("not_identified", next((why for why in reasons if why), "there is no alternative"))
    wanted = EFFECTIVE_MIN[False]
    most = max((each.effective for each in every.values() if each is not None), default=0.0)
    why = f"the better known alternative has outcomes worth {most:.1f} independent tasks here, an interval needs {wanted:.0f}"
    needs = None
    if most > 0:
        known = [each for each in every.values() if each is not None and each.effective > 0]
        n = max(len(each.arms[1].rows) for each in known) + sum(len(each.arms[0].rows) for each in known)
        settled = more([each.gain for each in known], n, materiality_usd, len(known))
        needs = Needs(outcomes=max(settled, math.ceil(basis.n * (wanted / most - 1))))
    why += next((untold(fit, each) for each in every.values() if each is not None and each.effective == most), "")
    unlike = next((each.unlike for each in every.values() if each is not None and each.effective >= wanted), "")
    if unlike:
        why, needs = (
            f"the alternatives were taken on other work: their {unlike} is another, and what they bring here is not seen",
            None,
        )
    if all(each is None for each in every.values()):
        possible = any(fit.supported[:, b].any() for b in every)
        why = "no alternative was taken on such tasks" + ("" if possible else ", nor could it have been")
    return basis.nothing("not_enough_evidence", why, needs)


def more(of: Sequence[Estimate], n: int, materiality_usd: float, alternatives: int) -> int:
    """How many more outcomes than n, mixed as these are, tell a material gain from none by the widest of some estimates.

    Formula: `power.outcomes_needed` of their largest error, and n·width/(2·materiality) where that is more: outcomes that are all
    alike have no error, and limits that close in as 1/n.
    """
    error = max(each.numbers()[1] for each in of)
    width = max(high - low for _, _, low, high in (each.numbers() for each in of))
    needed = power.outcomes_needed(error, n, materiality_usd, alternatives=alternatives)
    return max(1, needed - n, math.ceil(n * (width / 2 / materiality_usd - 1)))
