"""Why a segment, or a pair of options, has no number, and what would bring one."""

from __future__ import annotations

import math

from analyzers.attribution.contrast import Contrast
from analyzers.attribution.fit import Fit
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


def nothing(fit: Fit, pool: Ints, basis: Basis, every: dict[int, Contrast | None], chosen: int) -> Estimate:
    """Why there is no number, and how many more decisions like today's would bring one."""
    if not every:
        reasons = [unidentified(fit, pool, b, chosen) for b in range(len(fit.choices.options)) if b != chosen]
        return basis.nothing("not_identified", next((why for why in reasons if why), "there is no alternative"))
    wanted = EFFECTIVE_MIN[False]
    most = max((each.effective for each in every.values() if each is not None), default=0.0)
    why = f"the better known alternative has outcomes worth {most:.1f} independent tasks here, an interval needs {wanted:.0f}"
    more = Needs(outcomes=math.ceil(basis.n * (wanted / most - 1))) if most > 0 else None
    why += next((untold(fit, each) for each in every.values() if each is not None and each.effective == most), "")
    unlike = next((each.unlike for each in every.values() if each is not None and each.effective >= wanted), "")
    if unlike:
        why, more = (
            f"the alternatives were taken on other work: their {unlike} is another, and what they bring here is not seen",
            None,
        )
    if all(each is None for each in every.values()):
        possible = any(fit.supported[:, b].any() for b in every)
        why = "no alternative was taken on such tasks" + ("" if possible else ", nor could it have been")
    return basis.nothing("not_enough_evidence", why, more)
