"""What over-routing and under-routing share: which segments are whose, the router's regret over time, its frontier and its
menu."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import psycopg

from analyzers.modes import frontier
from analyzers.modes.appraised import SQL, Appraised, read
from analyzers.modes.look import Json, Look, Mode, Window
from analyzers.modes.places import Found, Told, gathered, look
from analyzers.modes.standing_regret import Part

KINDS = ("route",)
_ROWS_MAX = 4_000
_DAY_S = 86_400.0


def looks(
    connection: psycopg.Connection, tenant_id: int, window: Window, mode: Mode, told: Callable[[Found], Told]
) -> list[Look]:
    """The looks of one of the two modes at a tenant's routes."""
    answered: list[Look] = []
    for found in places(read(connection, tenant_id, window, KINDS), mode):
        words = told(found)
        if found.standing.is_discovery:
            words = replace(words, detail={**words.detail, **_detail(connection, found)})
        answered.append(look(connection, found, words))
    return answered


def places(of: Appraised, mode: Mode) -> list[Found]:
    """The places of one of the two modes; two where an option is too dear for some tasks and too cheap for others."""
    over = mode == "over_routing"
    found = gathered(of, mode, lambda part: over in directions(of, part), lambda part, _subject: part.chosen)
    both = {(part.task_class, part.chosen) for part in of.parts if part.stands and directions(of, part) == {not over}}
    band = "low values" if over else "high values"
    return [
        replace(each, place=replace(each.place, band=band)) if (each.place.task_class, each.place.subject) in both else each
        for each in found
    ]


def directions(of: Appraised, part: Part) -> set[bool]:
    """Whether what would be better than a segment's choice is cheaper (True), dearer (False), or, unknown, may be either."""
    if not part.chosen:
        return set()
    if part.changes.get("cost", 0.0) != 0.0 and part.regret_usd is not None:
        return {part.changes["cost"] > 0}
    own = of.mean_cost(part, part.chosen)
    others = [cost for option in part.options if option != part.chosen and (cost := of.mean_cost(part, option)) is not None]
    if own is None or not others:
        return {True, False}
    return {cost < own for cost in others}


def _detail(connection: psycopg.Connection, found: Found) -> dict[str, Json]:
    parts = [part for part in found.of.parts if part.task_class == found.place.task_class]
    return {"regret_curve": _curve(found.of, parts), "frontier": _frontier(connection, found), "menu": _menu(found.of, parts)}


def _curve(of: Appraised, parts: list[Part]) -> list[Json]:
    """The router's regret by day and in sum, tries to learn included, with the limit that its intervals set to the sum."""
    sums: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for part in parts:
        flow = of.flows.get(part.comparison)
        decisions, regret, high = part.with_learning
        if flow is None or regret is None or high is None:
            continue
        mine = flow.segment == part.segment
        wide = high / regret if regret > 0 else 0.0
        for first_s, usd, n in zip(flow.first_s[mine].tolist(), flow.usd[mine].tolist(), flow.n[mine].tolist(), strict=True):
            day = sums[math.floor(first_s / _DAY_S)]
            day[0] += 0.0 if math.isnan(usd) else usd
            day[1] += n * high / decisions if wide == 0.0 else 0.0 if math.isnan(usd) else usd * wide
    told: list[Json] = []
    total = bound = 0.0
    for day in sorted(sums):
        total, bound = total + sums[day][0], bound + sums[day][1]
        at = datetime.fromtimestamp(day * _DAY_S, UTC).date().isoformat()
        told.append({"day": at, "usd": sums[day][0], "cumulative_usd": total, "cumulative_high_usd": bound})
    return told


def _frontier(connection: psycopg.Connection, found: Found) -> list[Json]:
    """Points of the latest decisions: the router as it is, and eq. 4 at multiples of V."""
    groups: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for part in found.standing.parts:
        groups[part.options].add(part.comparison)
    options = max(groups, key=lambda one: (len(groups[one]), one))
    of = {
        "tenant_id": found.of.tenant_id, "comparisons": sorted(groups[options]), "most": _ROWS_MAX,
        "since": found.of.window.since, "until": found.of.window.until,
    }  # fmt: skip
    rows = connection.execute(SQL["route_terms"], of).fetchall()
    if not rows:
        return []
    value, cost, latency, risk = (
        np.array([[math.nan if one is None else one for one in row[place]] for row in rows], dtype=np.float64)
        for place in range(2, 6)
    )
    other = np.nan_to_num(latency) + np.nan_to_num(risk)
    points = frontier.frontier(
        np.array([row[1] for row in rows], dtype=np.float64),
        value,
        cost,
        other,
        np.array([row[0] for row in rows], dtype=np.int64),
        risk_usd=risk,
    )
    return [
        {"scale": point.scale, "quality": point.quality, "cost_usd": point.cost_usd, "risk_usd": point.risk_usd}
        for point in points
    ]


def _menu(of: Appraised, parts: list[Part]) -> dict[str, Json]:
    """A menu for the value bands as types of users, at each option's mean quality and full price over all bands."""
    means = of.means_of(parts)
    quality = {each.option: each.quality for each in means if each.quality is not None}
    price = {
        each.option: each.cost_usd + (each.latency_usd or 0.0) + (each.risk_usd or 0.0)
        for each in means
        if each.cost_usd is not None
    }
    types: dict[str, float] = {}
    for band in dict.fromkeys(part.band for part in parts if part.band):
        values = [
            (one.v_usd, one.n) for one in of.means_of([part for part in parts if part.band == band]) if one.v_usd is not None
        ]
        if values:
            types[band] = sum(v * n for v, n in values) / sum(n for _, n in values)
    made = frontier.menu(quality, price, types)
    return {
        "offers": [{"option": one.option, "quality": one.quality, "price_usd": one.price_usd} for one in made.offers],
        "full_prices_usd": dict(price),
        "types": [{"type": one.name, "v_usd": one.v_usd, "option": one.option} for one in made.types],
        "information_rents_usd": dict(made.rents_usd),
        "would_choose_otherwise_at_full_prices": list(made.envies),
        "why": made.why,
    }
