"""Looks as a mode answers them, and what becomes of them in the books, for tests of what is made of findings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg

from analyzers.detect import Detected, detect
from analyzers.modes.look import Day, Example, Look, Place, Term, Window
from ledger.post import open_tenants

BEGAN = datetime(2026, 11, 20, 12, tzinfo=UTC)
PLACE = Place("demand", "route", "support.faq", "large", "support", "below 3 USD")
TRACE, DECISION = "0af7651916cd43dd8448eb211c80319c", "0d1f7b4c-5b0f-4c58-9d4d-7f2f1f0f9b2e"


_KNOWN = Look(
    mode="over_routing", place=PLACE, since=BEGAN - timedelta(days=10), until=BEGAN, n=200, tasks=180, status="appraised",
    usd_per_day=0, low=0, high=0, is_discovery=True, sentence="frequent questions go to the largest model.",
    change="route them to the middle model.", inequality="V·ΔQ < ΔC", method="doubly robust 1",
    terms=(Term("ΔC", 5.0, 4.5, 5.5), Term("V·ΔQ", None)), weaknesses=("difficulty is not recorded",),
    examples=(Example(TRACE, 0.25, DECISION), Example("ff" * 16, None)), days=(Day(BEGAN - timedelta(days=1), 4.0, 3.0, 5.0),),
    detail={"frontier": [np.float64(1.0), float("nan")]},
)  # fmt: skip
_UNKNOWN = replace(
    _KNOWN,
    status="not_enough_evidence",
    usd_per_day=None,
    low=None,
    high=None,
    is_discovery=False,
    sentence="needs 40 more outcomes",
)


def look_of(usd: float | None, place: Place = PLACE, half: float = 0.5, **more: Any) -> Look:
    """A look at a place that loses so much a day; None: not enough evidence."""
    if usd is None:
        return replace(_UNKNOWN, place=place, **more)
    return replace(_KNOWN, place=place, usd_per_day=usd, low=usd - half, high=usd + half, **more)


def found(connection: psycopg.Connection, looks: Sequence[Look], now: datetime = BEGAN, tenant: str = "acme") -> Detected:
    """What `detect` makes of such looks at a tenant; of others nothing is seen."""
    tenant_id = open_tenants(connection, [tenant])[tenant]

    def look_at(_connection: psycopg.Connection, of_tenant_id: int, _window: Window) -> list[Look]:
        return list(looks) if of_tenant_id == tenant_id else []

    return detect(connection, modes={"over_routing": look_at}, now=now)


def told_usd(text: str) -> float:
    """The sum of the amounts that a text tells, in USD."""
    return sum(float(amount.replace(",", "")) for amount in re.findall(r"\$([\d,]*\d(?:\.\d+)?)", text))
