"""One decision: its options with every term of eq. 1 against the chosen one, as thin bars about zero, and what would turn it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from dashboard import formats, theme
from dashboard.frame import Frame

# Column of the query, heading, sign in the net value, colour.
TERMS = (
    ("value_usd", "V·ΔQ", 1, theme.VALUE),
    ("cost_usd", "ΔC", -1, theme.COMPUTE),
    ("latency_usd", "λ·ΔL", -1, theme.LATENCY),
    ("risk_usd", "ρ·ΔR", -1, theme.RISK),
)
CONFIDENT = 1.959964  # standard errors to either side of a 95 % interval


@dataclass(frozen=True, slots=True)
class Term:
    """One term of one option: dollars against the chosen option, and the bar from zero to it, in percent of the cell's width."""

    usd: float | None
    left_percent: float
    width_percent: float


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `net_usd` is against the chosen one, with its 95 % interval; None where it is not known.

    The interval is drawn from `low_percent` to `high_percent` of the cell's width.
    """

    name: str
    chosen: bool
    best: bool
    propensity: float | None
    predicted_quality: float | None
    terms: tuple[Term, ...]
    net_usd: float | None
    low_usd: float | None
    high_usd: float | None
    net: Term
    low_percent: float
    high_percent: float


def options_of(frame: Frame) -> list[Option]:
    """The options of `decision_options` in their order. All bars share one scale, so that terms can be compared."""
    rows = list(frame)
    base = next((row for row in rows if row["is_chosen"]), None)
    if base is None:
        return []
    differences = [{name: _less(row[name], base[name]) for name in (*(term[0] for term in TERMS), "net_usd")} for row in rows]
    intervals = [_interval(row, difference["net_usd"]) for row, difference in zip(rows, differences, strict=True)]
    amounts = [abs(value) for difference in differences for value in difference.values() if value is not None]
    amounts += [abs(end) for ends in intervals for end in ends if end is not None]
    scale = max(amounts, default=0.0)
    return [
        Option(
            name=str(row["option"]),
            chosen=bool(row["is_chosen"]),
            best=bool(row["is_best"]),
            propensity=_float(row["propensity"]),
            predicted_quality=_float(row["predicted_quality"]),
            terms=tuple(_term(difference[name], scale) for name, _, _, _ in TERMS),
            net_usd=difference["net_usd"],
            low_usd=ends[0],
            high_usd=ends[1],
            net=_term(difference["net_usd"], scale),
            low_percent=_percent(ends[0] or 0.0, scale),
            high_percent=_percent(ends[1] or 0.0, scale),
        )
        for row, difference, ends in zip(rows, differences, intervals, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Crossover:
    """At which price an option and the chosen one are worth the same: a factor on today's price, and that price where known."""

    price: str  # V, λ or ρ
    factor: float
    usd: float | None


def crossovers(option: Option, v_usd: float | None) -> list[Crossover]:
    """Where the comparison with the chosen option turns, for each price that can turn it alone. Source: V* of eq. 1."""
    known = [term.usd for term in option.terms]
    if any(usd is None for usd in known):
        return []
    value, cost, latency, risk = cast("list[float]", known)
    turning = (
        ("V", value, cost + latency + risk, v_usd),
        ("λ", latency, value - cost - risk, None),
        ("ρ", risk, value - cost - latency, None),
    )
    found: list[Crossover] = []
    for price, term, others, today in turning:
        if term and others / term > 0:
            factor = others / term
            found.append(Crossover(price, factor, None if today is None else today * factor))
    return found


def scale_of(options: Sequence[Option]) -> float:
    """The largest difference drawn, in USD: what half a cell stands for."""
    return max((abs(term.usd) for option in options for term in (*option.terms, option.net) if term.usd is not None), default=0.0)


def _interval(row: dict[str, object], net: float | None) -> tuple[float | None, float | None]:
    error = _float(row["error_usd"])
    if net is None or error is None or row["is_chosen"]:
        return None, None
    return net - CONFIDENT * error, net + CONFIDENT * error


def _less(one: object, other: object) -> float | None:
    """The difference of two amounts, taken exactly; None where either is not known."""
    a, b = formats.number(one), formats.number(other)
    return None if a is None or b is None else float(Decimal(str(a)) - Decimal(str(b)))


def _term(usd: float | None, scale: float) -> Term:
    if usd is None:
        return Term(None, 50.0, 0.0)
    at = _percent(usd, scale)
    return Term(usd, round(min(at, 50.0), 3), round(abs(at - 50.0), 3))


def _percent(usd: float, scale: float) -> float:
    """A place in a cell whose middle is zero and whose ends are the scale."""
    return round(50.0 + 50.0 * max(-1.0, min(usd / scale, 1.0)), 3) if scale else 50.0


def _float(value: object) -> float | None:
    amount = formats.number(value)
    return None if amount is None else float(amount)
