"""One decision: its options with every term of eq. 1 against the chosen one, as thin bars about zero, and what would turn it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from dashboard import formats, theme
from dashboard.frame import Frame

# Column of the query, that of its standard error against the chosen option, heading, colour.
TERMS = (
    ("value_usd", "value_error_usd", "V·ΔQ", theme.VALUE),
    ("cost_usd", "cost_error_usd", "ΔC", theme.COMPUTE),
    ("latency_usd", "latency_error_usd", "λ·ΔL", theme.LATENCY),
    ("risk_usd", "risk_error_usd", "ρ·ΔR", theme.RISK),
)
CONFIDENT = 1.959964  # standard errors to either side of a 95 % interval


@dataclass(frozen=True, slots=True)
class Term:
    """One term of one option: dollars against the chosen option with their 95 % interval (None: not known), and the bar from zero
    to it, in percent of the cell's width; the interval is drawn from `low_percent` to `high_percent`."""

    usd: float | None
    low_usd: float | None
    high_usd: float | None
    left_percent: float
    width_percent: float
    low_percent: float
    high_percent: float


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `terms` and `net` are against the chosen one."""

    name: str
    chosen: bool
    best: bool
    propensity: float | None
    predicted_quality: float | None
    terms: tuple[Term, ...]
    net: Term


def options_of(frame: Frame, kind: str = "") -> list[Option]:
    """The options of `decision_options` in their order, named as in decisions of their kind. All bars share one scale, so that
    terms can be compared."""
    rows = list(frame)
    base = next((row for row in rows if row["is_chosen"]), None)
    if base is None:
        return []
    named = (*((name, error) for name, error, _, _ in TERMS), ("net_usd", "error_usd"))
    known = [[_known(row, base, name, error) for name, error in named] for row in rows]
    scale = max((abs(end) for option in known for term in option for end in term if end is not None), default=0.0)
    return [
        Option(
            name=formats.option(kind, row["option"]),
            chosen=bool(row["is_chosen"]),
            best=bool(row["is_best"]),
            propensity=_float(row["propensity"]),
            predicted_quality=_float(row["predicted_quality"]),
            terms=tuple(_term(*ends, scale) for ends in option[:-1]),
            net=_term(*option[-1], scale),
        )
        for row, option in zip(rows, known, strict=True)
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


def _known(
    row: dict[str, object], base: dict[str, object], name: str, error_name: str
) -> tuple[float | None, float | None, float | None]:
    """A term against the chosen option's with its interval; the chosen one has none against itself."""
    usd, error = _less(row[name], base[name]), _float(row[error_name])
    if usd is None or error is None or row["is_chosen"]:
        return usd, None, None
    return usd, usd - CONFIDENT * error, usd + CONFIDENT * error


def _less(one: object, other: object) -> float | None:
    """The difference of two amounts, taken exactly; None where either is not known."""
    a, b = formats.number(one), formats.number(other)
    return None if a is None or b is None else float(Decimal(str(a)) - Decimal(str(b)))


def _term(usd: float | None, low: float | None, high: float | None, scale: float) -> Term:
    ends = _percent(low or 0.0, scale), _percent(high or 0.0, scale)
    if usd is None:
        return Term(None, None, None, 50.0, 0.0, *ends)
    at = _percent(usd, scale)
    return Term(usd, low, high, round(min(at, 50.0), 3), round(abs(at - 50.0), 3), *ends)


def _percent(usd: float, scale: float) -> float:
    """A place in a cell whose middle is zero and whose ends are the scale."""
    return round(50.0 + 50.0 * max(-1.0, min(usd / scale, 1.0)), 3) if scale else 50.0


def _float(value: object) -> float | None:
    amount = formats.number(value)
    return None if amount is None else float(amount)
