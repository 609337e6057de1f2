"""How modes speak: amounts and shares in words, and what would make an appraised loss wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from analyzers.modes.standing_regret import Standing

RARELY = 0.1
"""Share of cases below which what was not chosen is hardly known of any more."""


_NOTHING_USD = 5e-7
"""Below this an amount is no amount to speak of."""

_SPENT = ("ΔC", "λ·ΔL", "ρ·ΔR")
_OF = {"V·ΔQ": "value", "ΔC": "cost", "λ·ΔL": "waiting", "ρ·ΔR": "expected losses"}


def usd(amount: float) -> str:
    """An amount for people: $1,240, $3.50, $0.0042, −$0.51; $0 for what is nothing to speak of."""
    size, sign = abs(amount), "−" if amount < 0 else ""
    if size < _NOTHING_USD:
        return "$0"
    if size >= 999.995:
        return f"{sign}${size:,.0f}"
    places = 2 if size >= 0.0995 else 1 - math.floor(math.log10(size))
    return f"{sign}${size:.{places}f}"


def brings(known: Mapping[str, float]) -> str:
    """What something brings and spares by the terms of it that are known, USD a day by name: `bring $34.05 of value and spare
    $8.65 of expected losses`. What is a hundredth of the largest term is in the terms, and not told."""
    value = known.get("V·ΔQ", 0.0)
    told = [f"bring {usd(value)} of value"] if _is_told(value, known) else []
    spared = listed(_amounts({name: -known.get(name, 0.0) for name in _SPENT}, known))
    return listed([*told, f"spare {spared}"] if spared else told) or "bring nothing"


def takes(known: Mapping[str, float]) -> str:
    """What something takes for that: `$11.90 of cost and $1.04 of waiting`."""
    given_up = {"V·ΔQ": -known.get("V·ΔQ", 0.0)}
    return listed(_amounts({name: known.get(name, 0.0) for name in _SPENT} | given_up, known)) or "nothing"


def _amounts(sizes: Mapping[str, float], known: Mapping[str, float]) -> list[str]:
    return [f"{usd(size)} of {_OF[name]}" for name, size in sizes.items() if _is_told(size, known)]


def _is_told(size: float, known: Mapping[str, float]) -> bool:
    return size >= _NOTHING_USD and size > max(map(abs, known.values())) / 100


def fraction(ratio: float) -> str:
    """One amount as a part of another: 1/5, 80 %."""
    return f"1/{round(1 / ratio)}" if 0 < ratio <= 0.55 else f"{ratio:.0%}".replace("%", " %")


def listed(words: Iterable[str]) -> str:
    """Words as people list them: a, b and c."""
    known = list(dict.fromkeys(words))
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} and {known[-1]}" if known else ""


def weaknesses(place: Standing) -> tuple[str, ...]:
    """What would make the number of a place wrong."""
    told: list[str] = []
    assignments = {part.assignment for part in place.counted or place.parts}
    if "recorded" in assignments:
        told.append(
            "that the context tells all that moved the choice is the operator's word (`pigou assignments`), and in no log"
        )
    if "unknown" in assignments:
        told.append("nobody says how options were chosen: log propensities, or state the assignment")
    if place.is_exploration:
        told.append(
            "so few of the chances were taken that this looks like trying to learn, and is not counted as a policy's fault"
        )
    elif place.explored:
        told.append(f"{place.explored} decisions that were taken to learn are not counted")
    if place.share > 1 - RARELY and not place.is_exploration:
        rest = f"{1 - place.share:.0%}".replace("%", " %")
        told.append(f"since then something else was chosen in {rest} of the cases: it is known mostly from other times")
    if place.left_out and place.counted:
        told.append(
            f"{place.left_out} of {place.n} decisions lie in segments that do not stand by themselves and are not counted"
        )
    if place.onset.place == 0:
        told.append("no change was found: the loss may have begun before the window")
    for part in place.counted or place.parts:
        told += [note for note in part.why.split("; ") if note and not note.startswith("the interval ")]
    told.append("a task's outcome is shared by all its decisions: what later steps mended is in the figure")
    return tuple(dict.fromkeys(told))


def noun(count: int, one: str) -> str:
    """A count with its noun: 1 task, 3 tasks."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"
