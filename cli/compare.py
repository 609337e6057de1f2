"""What was found against what was injected: a truth file of the economy beside the findings of the books."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from cli.errors import CommandError

if TYPE_CHECKING:
    import psycopg


class Place(msgspec.Struct, frozen=True):
    """Where a misallocation was injected. `task_class` None: it serves no task."""

    tenant: str
    agent: str
    task_class: str | None


class Injected(msgspec.Struct, frozen=True):
    """A misallocation as a truth file tells of it; what it tells beyond that is not read."""

    key: str
    mode: str
    layer: str
    decision: str
    segment: Place
    onset: str
    usd_per_day: float


class Truth(msgspec.Struct, frozen=True):
    """A truth file."""

    format: Literal["pigou-economy-truth/1"]
    misallocations: list[Injected]


class Found(NamedTuple):
    """A finding, or a look that is none, at its place."""

    finding_id: int | None
    tenant: str
    mode: str
    segment: str
    kind: str
    task_class: str | None
    agent: str | None
    usd_per_day: Decimal | None
    low: Decimal | None
    high: Decimal | None
    since: str
    says: str


@dataclass(frozen=True)
class Beside:
    """An injected misallocation with the findings at its place, their dollars a day added up, or why there is none."""

    injected: Injected
    findings: tuple[Found, ...]
    why_not: str = ""

    @property
    def usd_per_day(self) -> float | None:
        """What the findings lose together."""
        return sum(float(found.usd_per_day or 0) for found in self.findings) if self.findings else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its limits: the findings' own tasks err independently, so that their half widths add in squares."""
        total = self.usd_per_day
        if total is None:
            return None
        below = [float(found.usd_per_day or 0) - float(found.low or 0) for found in self.findings]
        above = [float(found.high or 0) - float(found.usd_per_day or 0) for found in self.findings]
        return total - math.hypot(*below), total + math.hypot(*above)

    @property
    def off_by(self) -> float | None:
        """How far the dollars are from the truth, as a share of it."""
        total = self.usd_per_day
        return None if total is None or self.injected.usd_per_day == 0 else total / self.injected.usd_per_day - 1


class Compared(NamedTuple):
    """Every injected misallocation, and findings that are at none of their places."""

    beside: list[Beside]
    others: list[Found]


def read_truth(path: Path) -> list[Injected]:
    """The misallocations of a truth file. Raises CommandError (exit 2) when it is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Truth).misallocations
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", "name the demo's truth.json", exit_code=2) from error
    except msgspec.DecodeError as error:  # a ValidationError too
        raise CommandError(
            f"{path} is no truth of an economy: {error}", "name the truth.json that the demo left in its home", exit_code=2
        ) from error


def compare(books: psycopg.Connection, injected: Sequence[Injected]) -> Compared:
    """Put the findings that are not resolved beside what was injected."""
    findings = [Found(*row) for row in books.execute(_FINDINGS).fetchall()]
    looks = [Found(*row) for row in books.execute(_LOOKS).fetchall()]
    return match(injected, findings, looks)


_FINDINGS = """
select finding_id, tenant, mode, segment, kind, task_class, agent, usd_per_day, low, high,
       to_char(since at time zone 'UTC', 'YYYY-MM-DD'), sentence
  from ledger.findings where status <> 'resolved' order by usd_per_day desc, tenant, finding_id"""

_LOOKS = """
select null, tenant, mode, segment, kind, task_class, agent, usd_per_day, low, high,
       to_char(since at time zone 'UTC', 'YYYY-MM-DD'),
       case status when 'appraised' then
            format('looked at: %s USD a day (%s to %s)', round(usd_per_day, 2), round(low, 2), round(high, 2))
       else format('looked at: %s', replace(status, '_', ' ')) end
  from ledger.looks where finding_id is null order by n desc, tenant, segment"""


def match(injected: Sequence[Injected], findings: Sequence[Found], looks: Sequence[Found]) -> Compared:
    """Each finding goes to the misallocation of its mode that is nearest to its place; of these, only the nearest stay with it.

    Several stay when they are equally near, as value bands of one place are.
    """
    of: dict[str, list[Found]] = defaultdict(list)
    others: list[Found] = []
    for found in findings:
        nearest = max(injected, key=lambda each: _nearness(each, found), default=None)
        if nearest is not None and _nearness(nearest, found) > 0:
            of[nearest.key].append(found)
        else:
            others.append(found)
    for each in injected:
        most = max((_nearness(each, found) for found in of[each.key]), default=0)
        others += [found for found in of[each.key] if _nearness(each, found) < most]
        of[each.key] = [found for found in of[each.key] if _nearness(each, found) == most]
    beside = [Beside(each, tuple(of[each.key]), "" if of[each.key] else _why_not(each, looks)) for each in injected]
    return Compared(beside, others)


def _nearness(injected: Injected, found: Found) -> int:
    """How much of the place agrees; 0: another one. A shared engine's finding may stand with any tenant that uses it."""
    place, is_shared = injected.segment, injected.layer == "supply"
    of_another = (
        found.tenant != place.tenant,
        None not in (found.task_class, place.task_class) and found.task_class != place.task_class,
        found.agent is not None and found.agent != place.agent,
    )
    if found.mode != injected.mode or (any(of_another) and not is_shared):
        return 0
    agrees = (
        found.agent in {None, place.agent},
        found.kind == injected.decision,
        found.task_class == place.task_class,
        found.tenant == place.tenant,
    )
    return 1 + sum(2**weight for weight, is_so in enumerate(agrees) if is_so)


def _why_not(injected: Injected, looks: Sequence[Found]) -> str:
    nearest = max(looks, key=lambda look: _nearness(injected, look), default=None)
    return nearest.says if nearest is not None and _nearness(injected, nearest) > 0 else "not looked at"
