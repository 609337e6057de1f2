"""What each layer realised, and what the best options known would have made of it: value, compute, latency, risk and net."""

from collections.abc import Mapping
from dataclasses import dataclass

from dashboard import formats
from dashboard.frame import Frame

LAYERS = ("demand", "action", "supply", "capital")
TERMS = ("value_usd", "cost_usd", "latency_usd", "risk_usd")
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


def vectors_of(realised: Frame, terms: Frame, regret: Frame, found: Frame) -> list[LayerVector]:
    """The layers' vectors from `layer_realised`, `layer_terms`, `layer_regret` and `layer_found`.

    Regret of decisions and losses that no decision tells are of different things, so that squares of their errors add up.
    """
    done, better, lost = ({str(row["layer"]): row for row in frame} for frame in (realised, terms, regret))
    vectors: list[LayerVector] = []
    for layer in LAYERS:
        own = done.get(layer, {})
        besides = [row for row in found if str(row["layer"]) == layer]
        changes = _changes(better.get(layer, {}), besides)
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


def _changes(terms: Mapping[str, object], besides: list[dict[str, object]]) -> dict[str, Change]:
    changes = {name: Change(usd) for name in TERMS if (usd := _float(terms.get(name))) is not None}
    for row in besides:
        name = _FOUND_IN[str(row["mode"])]
        usd, below, above = (_float(row[end]) or 0.0 for end in ("usd_per_day", "below_usd", "above_usd"))
        sign = 1.0 if name == "value_usd" else -1.0
        limits = (usd - below, usd + above) if sign > 0 else (-usd - above, -usd + below)
        former = changes.get(name)
        changes[name] = Change(sign * usd, *limits) if former is None else Change(former.usd + sign * usd)
    return changes


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
