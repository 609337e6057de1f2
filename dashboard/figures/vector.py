"""What each layer realised, and what the best options known would have made of it: value, compute, latency, risk and net."""

from collections.abc import Mapping
from dataclasses import dataclass

from dashboard import formats
from dashboard.frame import Frame

LAYERS = ("demand", "action", "supply", "capital")
TERMS = ("value_usd", "cost_usd", "latency_usd", "risk_usd")
_SURE = 1.959964  # standard errors to either side hold 95 %
_FOUND_IN = {"serving_congestion": "latency_usd", "stale_rollouts": "value_usd"}  # the term in which such a loss stands


@dataclass(frozen=True, slots=True)
class Change:
    """What the best options known change of a term, USD a day; with limits where they are known."""

    usd: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class LayerVector:
    """One layer. `realised` by term and `net_usd`, USD a day, None where no task of it is known whole; `changes` by term, of what
    would have been better; `gain` is their net."""

    layer: str
    tasks: int
    realised: Mapping[str, float | None]
    changes: Mapping[str, Change]
    gain: Change | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of it."""
        return not self.tasks and self.gain is None


def vectors_of(realised: Frame, terms: Frame, regret: Frame, found: Frame, errors: Frame | None = None) -> list[LayerVector]:
    """The layers' vectors from `layer_realised`, `layer_terms`, `layer_regret`, `layer_found` and `layer_errors`.

    Regret of decisions and losses that no decision tells are of different things, so that squares of their errors add up. Errors
    of terms are of all that was appraised: they are cut down to the time shown as the regret is that they go with.
    """
    done, better, lost = ({str(row["layer"]): row for row in frame} for frame in (realised, terms, regret))
    unsure = {str(row["layer"]): row for row in errors or ()}
    vectors: list[LayerVector] = []
    for layer in LAYERS:
        own = done.get(layer, {})
        besides = [row for row in found if str(row["layer"]) == layer]
        halves = _halves(unsure.get(layer, {}), _float(lost.get(layer, {}).get("usd_per_day")))
        changes = _changes(better.get(layer, {}), halves, besides)
        vectors.append(
            LayerVector(
                layer,
                int(formats.number(own.get("tasks")) or 0),
                {name: _float(own.get(name)) for name in (*TERMS, "net_usd")},
                changes,
                _gain(lost.get(layer, {}), besides),
            )
        )
    return vectors


def _halves(errors: Mapping[str, object], usd_per_day: float | None) -> dict[str, float]:
    """Half the interval of each term, USD a day; none of what is not known."""
    whole = _float(errors.get("regret_usd"))
    if not whole or usd_per_day is None:
        return {}
    known = {name: _float(errors.get(name.replace("_usd", "_error_usd"))) for name in TERMS}
    return {name: _SURE * error * usd_per_day / whole for name, error in known.items() if error is not None}


def _changes(terms: Mapping[str, object], halves: Mapping[str, float], besides: list[dict[str, object]]) -> dict[str, Change]:
    changes = {
        name: Change(usd) if (half := halves.get(name)) is None else Change(usd, usd - half, usd + half)
        for name in TERMS
        if (usd := _float(terms.get(name))) is not None
    }
    for row in besides:
        name = _FOUND_IN[str(row["mode"])]
        usd, below, above = (_float(row[end]) or 0.0 for end in ("usd_per_day", "below_usd", "above_usd"))
        less, more = (below, above) if name == "value_usd" else (above, below)
        own = Change(usd, usd - less, usd + more) if name == "value_usd" else Change(-usd, -usd - less, -usd + more)
        changes[name] = own if name not in changes else _together(changes[name], own)
    return changes


def _together(one: Change, other: Change) -> Change:
    """The sum of two changes that err independently."""
    usd = one.usd + other.usd
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return Change(usd)
    return Change(
        usd, usd - _root([one.usd - one.low, other.usd - other.low]), usd + _root([one.high - one.usd, other.high - other.usd])
    )


def _gain(regret: Mapping[str, object], besides: list[dict[str, object]]) -> Change | None:
    usd, low, high = (_float(regret.get(name)) for name in ("usd_per_day", "low_usd_per_day", "high_usd_per_day"))
    if usd is None and not besides:
        return None
    whole = (usd or 0.0) + sum(_float(row["usd_per_day"]) or 0.0 for row in besides)
    below = [0.0 if usd is None or low is None else usd - low, *(_float(row["below_usd"]) or 0.0 for row in besides)]
    above = [0.0 if usd is None or high is None else high - usd, *(_float(row["above_usd"]) or 0.0 for row in besides)]
    return Change(whole, whole - _root(below), whole + _root(above))


def _root(errors: list[float]) -> float:
    return sum(error * error for error in errors) ** 0.5


def _float(value: object) -> float | None:
    amount = formats.number(value)
    return None if amount is None else float(amount)
