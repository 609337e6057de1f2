"""What every estimator answers with: a number with its interval, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Status: TypeAlias = Literal["identified", "not_identified", "not_enough_evidence"]

LEVEL = 0.95
_TABLE = 4  # times as long as the labels that it counts


class InputError(ValueError):
    """Arrays that cannot be what they are said to be: a fault of the caller, not of the data's luck."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What would settle the question: this many more outcomes at today's mix, or this share of random choices."""

    outcomes: int | None = None
    exploration_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A quantity as far as the data know it.

    `value`, `standard_error`, `low` and `high` are in the outcome's unit. `low` and `high` enclose the truth in `level` of all
    repetitions. `n` counts the decisions used, `clusters` the independent tasks among them; `degrees` are the degrees of
    freedom of the standard error. `estimand` names whose effect it is, `why` gives reasons in words.

    Status: `identified`: numbers are present and the interval keeps its promise. `not_identified`: no amount of such data
    would answer, and no number is given. `not_enough_evidence`: more of the same data would answer; numbers are present only
    when an interval exists that does not yet decide; `needs` says how much more.
    """

    value: float | None
    standard_error: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int
    method: str
    estimand: str
    status: Status
    why: str = ""
    level: float = LEVEL
    degrees: float = math.inf
    needs: Needs | None = None

    def __post_init__(self) -> None:
        numbers = (self.value, self.standard_error, self.low, self.high)
        if self.status == "not_identified" and any(number is not None for number in numbers):
            raise InputError("an effect that is not identified has no numbers")
        if self.status != "identified" and not self.why:
            raise InputError(f"status {self.status} needs a reason in `why`")
        if self.status == "identified" and any(number is None or math.isnan(number) for number in numbers):
            raise InputError(f"an identified estimate needs all its numbers, got {numbers}")

    def numbers(self) -> tuple[float, float, float, float]:
        """Value, standard error, low and high of an estimate that has them. Raises: InputError when it has none."""
        if self.value is None or self.standard_error is None or self.low is None or self.high is None:
            raise InputError(f"this estimate has no number: {self.status}: {self.why}")
        return self.value, self.standard_error, self.low, self.high

    def excludes(self, null: float = 0.0) -> bool:
        """Whether the estimate is identified and its interval lies wholly on one side of `null`."""
        return (
            self.status == "identified" and self.low is not None and self.high is not None and not self.low <= null <= self.high
        )


@dataclass(frozen=True, slots=True)
class Basis:
    """What an answer rests on: whose effect, from how many decisions and tasks, by which method. It makes the answer."""

    n: int
    clusters: int
    method: str
    estimand: str
    level: float = LEVEL

    def found(
        self, value: float, standard_error: float, low: float, high: float, *, degrees: float = math.inf, why: str = ""
    ) -> Estimate:
        """An identified estimate; the interval is widened to hold its value."""
        return Estimate(
            value,
            standard_error,
            min(low, value),
            max(high, value),
            self.n,
            self.clusters,
            self.method,
            self.estimand,
            "identified",
            why,
            self.level,
            degrees,
        )

    def nothing(self, status: Literal["not_identified", "not_enough_evidence"], why: str, needs: Needs | None = None) -> Estimate:
        """An answer without a number, and why there is none."""
        return Estimate(
            None,
            None,
            None,
            None,
            self.n,
            self.clusters,
            self.method,
            self.estimand,
            status,
            why,
            self.level,
            math.inf,
            needs,
        )


def floats(values: ArrayLike, name: str, *, shape: tuple[int, ...] | None = None, missing: bool = False) -> Floats:
    """Values as an array of floats, checked: finite (NaN too where `missing` is allowed) and of the shape told (-1: any)."""
    array = np.asarray(values, dtype=np.float64)
    if shape is not None and (
        array.ndim != len(shape) or any(want not in (-1, have) for want, have in zip(shape, array.shape, strict=False))
    ):
        raise InputError(f"{name} has shape {array.shape}, expected {shape}")
    if np.isinf(array).any() or (not missing and np.isnan(array).any()):
        raise InputError(
            f"{name} holds values that are not finite{'' if missing else ' (an unknown one must be left out before)'}"
        )
    return array


def codes(values: ArrayLike, name: str, *, n: int, below: int | None = None) -> Ints:
    """Whole numbers from 0 on, of length n; below `below` where given."""
    array = np.asarray(values)
    if array.shape != (n,) or array.dtype.kind not in "iu":
        raise InputError(f"{name} must be {n} whole numbers, got shape {array.shape} of {array.dtype}")
    result = array.astype(np.int64)
    if n and (result.min() < 0 or (below is not None and result.max() >= below)):
        raise InputError(f"{name} must lie in 0 … {'' if below is None else below - 1}, got {result.min()} … {result.max()}")
    return result


def own_clusters(clusters: ArrayLike | None, n: int) -> Ints:
    """The task of each row, renumbered from 0; each row its own when none are told."""
    if clusters is None:
        return np.arange(n, dtype=np.int64)
    labels = np.asarray(clusters)
    if labels.shape != (n,):
        raise InputError(f"clusters must have one label for each of {n} rows, got shape {labels.shape}")
    return ranks(labels)


def ranks(labels: NDArray[Any]) -> Ints:
    """Each label's place among the different ones, from 0. Whole numbers that are not far apart are counted, which takes a tenth
    of what sorting them does."""
    if not _is_dense(labels):
        return np.unique(labels, return_inverse=True)[1].astype(np.int64)
    places = labels.astype(np.int64) - int(labels.min())
    present: Bools = np.zeros(int(places.max()) + 1, dtype=np.bool_)
    present[places] = True
    return places if present.all() else (np.cumsum(present) - 1)[places]


def distinct(labels: NDArray[Any]) -> int:
    """How many different labels there are, counted as `ranks` counts them."""
    if not _is_dense(labels):
        return len(np.unique(labels))
    present: Bools = np.zeros(int(labels.max()) - int(labels.min()) + 1, dtype=np.bool_)
    present[labels.astype(np.int64) - int(labels.min())] = True
    return int(present.sum())


def _is_dense(labels: NDArray[Any]) -> bool:
    """Whether labels are whole numbers that lie no further apart than a table of a few times their number."""
    return len(labels) > 0 and labels.dtype.kind in "iu" and int(labels.max()) - int(labels.min()) < _TABLE * (len(labels) + 64)
