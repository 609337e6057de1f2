"""What a failure mode answers: one look at one place, harmful or not, with its dollars a day and why to believe them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

import psycopg

Mode: TypeAlias = Literal[
    "over_routing",
    "under_routing",
    "over_delegation",
    "under_verification",
    "serving_congestion",
    "stale_rollouts",
    "cache_misuse",
]
Layer: TypeAlias = Literal["demand", "action", "supply", "capital"]
Status: TypeAlias = Literal["appraised", "not_enough_evidence", "not_identified"]
Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


_WORD_MAX = 150  # a segment is a key: four words of it, in letters of four bytes, must fit an index


def _short(word: str) -> str:
    """A word of a segment; of one too long for an index its beginning, and what tells it from others that begin so."""
    if len(word) <= _WORD_MAX:
        return word
    told_apart = hashlib.blake2b(word.encode(), digest_size=8).hexdigest()
    return f"{word[: _WORD_MAX - len(told_apart) - 1]}…{told_apart}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something goes wrong, in words that stay the same from look to look: they tell one finding from another.

    `kind`: what is decided there (route, verify, confirm, cache, reuse, …), or engine, trainer. `subject`: the option that is
    chosen too often, the engine, the policy, the action class. `band`: of value; "" for all. None and "" say that it is not
    narrowed down by that.
    """

    layer: Layer
    kind: str
    task_class: str | None
    subject: str
    agent: str | None = None
    band: str = ""

    @property
    def segment(self) -> str:
        """For people, and the finding's identity within tenant and mode."""
        words = (self.task_class or "", self.agent or "", f"{self.kind} {self.subject}".strip(), self.band)
        return ", ".join(_short(word) for word in words if word)


@dataclass(frozen=True, slots=True)
class Term:
    """One side or summand of the inequality, in USD a day with its interval (None: not known)."""

    name: str
    usd_per_day: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A case to look at: where its trace is, which decision, and its own dollars (None: not known)."""

    trace_id: str
    usd: float | None
    decision_id: str | None = None
    span_id: str | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """Dollars lost on one day (UTC midnight) at the place, with their interval where there is one."""

    day: datetime
    usd: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one place.

    `usd_per_day` with its 95 % interval is what is lost since `since`, by the days from then until `until` (`days_of`): what the
    change would save. All three are None unless `status` is appraised. `is_discovery`: whether it stands after the false
    discoveries among all that was looked at are controlled. `sentence`: what is wrong, for somebody who has not read the manual;
    `change`: what to do.
    `terms` are the inequality's, named as in `inequality`; `weaknesses` say what would make the number wrong. `detail`: what the
    mode's plot needs.
    """

    mode: Mode
    place: Place
    since: datetime
    until: datetime
    n: int
    tasks: int
    status: Status
    usd_per_day: float | None
    low: float | None
    high: float | None
    is_discovery: bool
    sentence: str
    change: str
    inequality: str
    method: str
    terms: tuple[Term, ...] = ()
    weaknesses: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    days: tuple[Day, ...] = ()
    detail: dict[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True)
class Window:
    """What is looked at: from `since` to before `until`, by the world's clock."""

    since: datetime
    until: datetime


LookAt: TypeAlias = Callable[[psycopg.Connection, int, Window], list[Look]]
"""A mode: its looks at one tenant (by id) within a window. Reads only; equal books give equal looks."""
