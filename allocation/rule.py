"""The allocation rule and its equimarginal condition (eq. 1 and 2) on a menu of options.

    i* = argmax_i [ V·Q_i − C_i − λ·L_i − ρ·R_i ]                       (1)
    V·ΔQ_i − λ·ΔL_i − ρ·ΔR_i = ΔC_i   for every use that is active        (2)

A term that is not known refuses its option by name: it is never taken for zero. A term whose quantity or price is exactly zero is
zero, whatever the other is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from allocation.errors import AllocationError


@dataclass(frozen=True, slots=True)
class Prices:
    """The price vector: V in USD for quality 1 against 0, λ in USD per second, ρ in USD per USD of expected loss.

    None: not known. A dollar of cost is priced at 1.
    """

    v_usd: float | None
    lambda_usd_per_s: float | None
    rho: float | None

    def __post_init__(self) -> None:
        for name in ("v_usd", "lambda_usd_per_s", "rho"):
            _refuse_number(name, getattr(self, name), "the price vector", low=0.0)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a menu, or the next unit of a use (then all are differences, and may be negative).

    `quality` Q in [0, 1]; `cost_usd` C; `latency_s` L in seconds; `risk_usd` R, the expected loss: probability of a wrong action
    × what it costs. None: not known.
    """

    name: str
    quality: float | None
    cost_usd: float | None
    latency_s: float | None
    risk_usd: float | None

    def __post_init__(self) -> None:
        for name in ("quality", "cost_usd", "latency_s", "risk_usd"):
            _refuse_number(name, getattr(self, name), f"option {self.name!r}", low=-math.inf)


@dataclass(frozen=True, slots=True)
class Terms:
    """An option's terms of eq. 1 in USD, and what they come to."""

    option: str
    value_usd: float
    cost_usd: float
    latency_usd: float
    risk_usd: float
    surplus_usd: float

    @property
    def full_price_usd(self) -> float:
        """C + λ·L + ρ·R: all that the option takes, whoever pays for it."""
        return self.cost_usd + self.latency_usd + self.risk_usd


@dataclass(frozen=True, slots=True)
class Refusal:
    """An option that cannot be compared, and which of its terms are not known."""

    option: str
    why: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What eq. 1 says of a menu: the best option (None when none could be compared), all that could be compared in the order of
    the menu, and those refused."""

    best: Terms | None
    terms: tuple[Terms, ...]
    refused: tuple[Refusal, ...]

    @property
    def worth_it(self) -> bool | None:
        """Whether the best option brings more than it takes: if not, the task is better left alone. None: not known."""
        return None if self.best is None else self.best.surplus_usd >= 0


@dataclass(frozen=True, slots=True)
class Crossover:
    """The value V* of a task from which one option takes the place of another as the best."""

    below: str
    above: str
    v_usd: float


@dataclass(frozen=True, slots=True)
class Gap:
    """How far a use is from eq. 2. `gap_usd` is V·ΔQ − λ·ΔL − ρ·ΔR − ΔC of its next unit: positive, spend more on it; `ratio` is
    what a dollar more brings, 1 at the optimum, None where the unit costs nothing."""

    use: str
    gap_usd: float
    ratio: float | None


def appraise(option: Option, prices: Prices) -> Terms | Refusal:
    """The terms of eq. 1 for one option, or which of them are not known."""
    value = _term(option.quality, prices.v_usd, "quality", "V")
    latency = _term(option.latency_s, prices.lambda_usd_per_s, "latency_s", "λ")
    risk = _term(option.risk_usd, prices.rho, "risk_usd", "ρ")
    cost = option.cost_usd if option.cost_usd is not None else "cost_usd is not known"
    if isinstance(value, str) or isinstance(latency, str) or isinstance(risk, str) or isinstance(cost, str):
        return Refusal(option.name, ", ".join(term for term in (value, cost, latency, risk) if isinstance(term, str)))
    return Terms(option.name, value, cost, latency, risk, value - cost - latency - risk)


def choose(options: Sequence[Option], prices: Prices) -> Choice:
    """Eq. 1 on a menu. Of equal surpluses the cheaper option wins, and of equal costs the first.

    Raises: AllocationError on an empty menu, or one that names an option twice.
    """
    refuse_menu(options)
    found = [appraise(option, prices) for option in options]
    terms = tuple(one for one in found if isinstance(one, Terms))
    best = min(terms, key=lambda one: (-one.surplus_usd, one.cost_usd), default=None)
    return Choice(best, terms, tuple(one for one in found if isinstance(one, Refusal)))


def crossovers(options: Sequence[Option], prices: Prices) -> tuple[Crossover, ...]:
    """How the best option changes as V rises from 0: the upper envelope of the lines V·Q − (C + λ·L + ρ·R).

    V itself is not asked for. Between two options V* = (their difference in full price) / (their difference in quality). Options
    that cannot be compared are left out, and one that is never the best appears nowhere.
    """
    refuse_menu(options)
    any_value = Prices(0.0, prices.lambda_usd_per_s, prices.rho)
    lines: list[tuple[float, float, str]] = []  # full price, quality, name
    for option in options:
        terms = appraise(option, any_value)
        if isinstance(terms, Terms) and option.quality is not None:
            lines.append((terms.full_price_usd, option.quality, option.name))
    if not lines:
        return ()
    price, quality, name = min(lines, key=lambda line: (line[0], -line[1]))
    found: list[Crossover] = []
    while steeper := [line for line in lines if line[1] > quality]:
        at, above = min(
            (((line[0] - price) / (line[1] - quality), line) for line in steeper), key=lambda one: (one[0], -one[1][1])
        )
        if not math.isfinite(at):  # qualities that differ by less than can be divided by
            break
        found.append(Crossover(name, above[2], at))
        price, quality, name = above
    return tuple(found)


def equimarginal_gaps(uses: Sequence[Option], prices: Prices) -> tuple[Gap | Refusal, ...]:
    """Eq. 2 for the next unit of each active use: the options are differences ΔQ, ΔC, ΔL, ΔR."""
    refuse_menu(uses)
    gaps: list[Gap | Refusal] = []
    for use in uses:
        terms = appraise(use, prices)
        if isinstance(terms, Refusal):
            gaps.append(terms)
            continue
        ratio = (terms.surplus_usd + terms.cost_usd) / terms.cost_usd if terms.cost_usd > 0 else None
        gaps.append(Gap(use.name, terms.surplus_usd, ratio))
    return tuple(gaps)


def refuse_menu(options: Sequence[Option]) -> None:
    """Raises AllocationError on a menu without options, or with two of one name."""
    if not options:
        raise AllocationError("the menu is empty", "give at least one option")
    names = [option.name for option in options]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise AllocationError(
            f"the menu names {', '.join(map(repr, twice))} more than once", "give each option a name of its own"
        )


def _term(quantity: float | None, price: float | None, name: str, symbol: str) -> float | str:
    """Price × quantity, or which of the two is not known."""
    if quantity == 0 or price == 0:
        return 0.0
    if price is None:
        return f"{symbol} is not known while {name} is not 0" if quantity is not None else f"neither {symbol} nor {name} is known"
    if quantity is None:
        return f"{name} is not known while {symbol} is {price:g}"
    return price * quantity


def _refuse_number(name: str, number: float | None, of: str, *, low: float) -> None:
    if number is not None and not (math.isfinite(number) and number >= low):
        raise AllocationError(
            f"{name} of {of} is {number}", "give a finite number" + (f" of at least {low:g}" if low > -math.inf else "")
        )
