"""One mode's looks at one tenant written down, with what became of its findings. Set-based, within the caller's transaction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np
import psycopg
from psycopg.rows import dict_row

from analyzers.findings.state import EventName, Finding, step
from analyzers.modes.look import Look, Mode
from ledger.queries import queries

_SQL = queries("analyzers", "findings")
_DIGITS = 6  # of dollars: what an estimate cannot know better anyway


class Refused(ValueError):
    """A mode answered what no look can be."""


class Became(NamedTuple):
    """What became of a mode's looks at one tenant."""

    places: int
    opened: int
    resolved: int


class Of(NamedTuple):
    """Whose looks, by which mode, held against what, from when on evidence counts, and when."""

    tenant_id: int
    mode: Mode
    materiality_usd_per_day: float
    evidence_since: datetime
    now: datetime


def store(connection: psycopg.Connection, of: Of, looks: Sequence[Look]) -> Became:
    """Write the looks, open, keep or resolve the mode's findings. Raises Refused on looks that contradict themselves."""
    check(of.mode, looks)
    key = {"tenant_id": of.tenant_id, "mode": of.mode, "now": of.now}
    connection.execute(_SQL["put_looks"], {**key, "rows": _encoded([_look_row(look, of) for look in looks])})
    connection.execute(_SQL["forget_looks"], key)
    by_segment = {look.place.segment: look for look in looks}
    standing = _standing(connection, key)
    changes = [
        (segment, *step(standing.get(segment), by_segment.get(segment), of.materiality_usd_per_day, of.evidence_since, of.now))
        for segment in sorted(standing.keys() | by_segment.keys())
    ]
    happened = _write(connection, key, changes, by_segment)
    connection.execute(_SQL["lapse_dismissals"], key)
    return Became(len(looks), happened.count("opened"), happened.count("resolved"))


def check(mode: Mode, looks: Sequence[Look]) -> None:
    """Raises Refused when looks are of another mode, two are of one place, or dollars are missing, endless or upside down."""
    seen: set[str] = set()
    for look in looks:
        segment = look.place.segment
        numbers = [number for number in (look.usd_per_day, look.low, look.high) if number is not None]
        if look.mode != mode:
            raise Refused(f"{segment!r}: a look of {look.mode}")
        if segment in seen:
            raise Refused(f"{segment!r}: two looks at one place")
        if len(numbers) != (3 if look.status == "appraised" else 0):
            raise Refused(f"{segment!r}: {look.status} with {len(numbers)} of three numbers")
        if not all(map(math.isfinite, numbers)) or (numbers and not numbers[1] <= numbers[0] <= numbers[2]):
            raise Refused(f"{segment!r}: {numbers[0]} USD a day within {numbers[1]} to {numbers[2]}")
        seen.add(segment)


def _standing(connection: psycopg.Connection, key: dict[str, Any]) -> dict[str, Finding]:
    """The findings that are not resolved, held against people who act on them at the same time."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_SQL["standing"], key).fetchall()
    return {row.pop("segment"): Finding(**row) for row in found}


def _write(
    connection: psycopg.Connection,
    key: dict[str, Any],
    changes: Sequence[tuple[str, Finding | None, EventName | None]],
    looks: dict[str, Look],
) -> list[EventName]:
    opened: list[dict[str, Any]] = []
    known: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    happened: list[EventName] = []
    for segment, finding, event in changes:
        if finding is None:
            continue
        row = {"segment": segment, "event": event, **msgspec.structs.asdict(finding)}
        (opened if finding.finding_id is None else known).append(row)
        if event is not None:
            happened.append(event)
            if finding.finding_id is not None:
                told.append({**row, "note": finding.resolution, **_numbers(looks.get(segment))})
    for query, rows in (("keep_findings", known), ("add_events", told), ("open_findings", opened)):
        if rows:
            connection.execute(_SQL[query], {**key, "rows": _encoded(rows)})
    return happened


def _look_row(look: Look, of: Of) -> dict[str, Any]:
    return {
        **asdict(look.place), "segment": look.place.segment, "since": look.since, "until": look.until, "n": look.n,
        "tasks": look.tasks, "status": look.status, **_numbers(look), "is_discovery": look.is_discovery,
        "materiality_usd_per_day": of.materiality_usd_per_day, "sentence": look.sentence, "change": look.change,
        "inequality": look.inequality, "method": look.method,
        "evidence": {
            "terms": look.terms, "weaknesses": look.weaknesses, "examples": look.examples, "days": look.days,
            "detail": look.detail,
        },
    }  # fmt: skip


def _numbers(look: Look | None) -> dict[str, float | None]:
    if look is None:
        return {"usd_per_day": None, "low": None, "high": None}
    numbers = {"usd_per_day": look.usd_per_day, "low": look.low, "high": look.high}
    return {name: None if number is None else round(number, _DIGITS) for name, number in numbers.items()}


def _encoded(rows: Sequence[dict[str, Any]]) -> str:
    """As JSON, in which what is no number (NaN) is null, and numpy's numbers are numbers."""
    return msgspec.json.encode(rows, enc_hook=_plain).decode()


def _plain(value: Any) -> Any:
    number: Any = value  # numpy's type says nothing of what it holds
    if isinstance(value, np.generic):
        return number.item()
    raise Refused(f"{value!r} in what a look tells")
