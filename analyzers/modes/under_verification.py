"""Under-verification: a check would bring more than it costs and is not made; and its reverse, checks that never pay (eq. 1 and
8)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg

from analyzers.attribution.production import spending
from analyzers.effects.estimate import Floats, InputError
from analyzers.effects.production import USES
from analyzers.modes import silent_checks, wording
from analyzers.modes.appraised import SQL, Appraised, Means, read
from analyzers.modes.look import Json, Look, Window
from analyzers.modes.places import Found, Told, amounts, gathered, numbers, of_chosen
from analyzers.modes.places import look as look_of
from analyzers.modes.standing_regret import Part

UNCHECKED = "V·ΔQ > ΔC + λ·ΔL + ρ·ΔR, of more passes of verification against those made (eq. 1, 8)"
WORTHLESS = "V·ΔQ < ΔC + λ·ΔL + ρ·ΔR, of the passes of verification made against fewer (eq. 1, 8)"

_ROWS_MAX = 20_000


def look(connection: psycopg.Connection, tenant_id: int, window: Window) -> list[Look]:
    """Every number of passes that could have been larger, every number that could have been smaller, and checks that never fail
    where no other number was tried."""
    of = read(connection, tenant_id, window, ("verify",))
    fewer, more = places(of)
    given = {"tenant_id": tenant_id, "since": window.since, "until": window.until}
    checks = {row[0]: row[1:] for row in connection.execute(SQL["checks_of_classes"], given)} if of.parts else {}
    answered: list[Look] = []
    for found, is_reverse in [*((each, False) for each in fewer), *((each, True) for each in more)]:
        told = _told_worthless(found) if is_reverse else _told_unchecked(found)
        made, failed = checks.get(found.place.task_class or "", (0, 0))
        told.detail["checks"] = {"passes": made, "failed": failed}
        if found.standing.is_discovery:
            told.detail.update(_margins(connection, found))
        answered.append(look_of(connection, found, told))
    known = {each.place.task_class or "" for each in more if each.standing.status == "appraised"}
    stated = [each for each in silent_checks.read(connection, tenant_id, window) if each.task_class not in known]
    return answered + silent_checks.looks(stated, of.tenant, window)


def places(of: Appraised) -> tuple[list[Found], list[Found]]:
    """Where more passes may be better, and where fewer may be."""
    return (
        gathered(of, "under_verification", _may_be_too_few, lambda part, _subject: passes(part.chosen)),
        gathered(of, "under_verification", _may_be_too_many, lambda part, _subject: f"{passes(part.chosen)}, too many"),
    )


def passes(option: str) -> str:
    """A number of passes, for people."""
    return "no pass" if option == "0" else f"{option} pass" if option == "1" else f"{option} passes"


def _order(part: Part, option: str) -> int:
    return part.options.index(option) if option in part.options else -1


def _may_be_too_few(part: Part) -> bool:
    better = _order(part, part.best) if part.best else len(part.options) - 1
    return better > _order(part, part.chosen)


def _may_be_too_many(part: Part) -> bool:
    better = _order(part, part.best) if part.best else 0
    return better < _order(part, part.chosen)


def _checks(option: str) -> str:
    """How often something is checked, for people."""
    return "no check" if option == "0" else f"{option} check" if option == "1" else f"{option} checks"


def _told_unchecked(found: Found) -> Told:
    terms = found.standing.terms
    known, chosen = amounts(terms), _checks(found.standing.parts[0].chosen)
    detail: dict[str, Json] = {"best": found.best, "reverse": False}
    if not found.best or not (found.standing.usd_per_day or 0.0) > 0:
        sentence = f"{found.of.tenant} works on {found.task_class} with {chosen}; more are not known to pay."
        return Told(sentence, "Nothing.", UNCHECKED, terms, detail)
    sentence = (
        f"{found.of.tenant} works on {found.task_class} with {chosen}; {_checks(found.best)} would {wording.brings(known)} a day,"
        f" for {wording.takes(known)}."
    )
    change = f"Verify {found.work} with {_checks(found.best)} before the work is handed over."
    return Told(sentence, change, UNCHECKED, terms, detail)


def _told_worthless(found: Found) -> Told:
    terms = of_chosen(found.standing.terms)
    known, chosen = amounts(terms), _checks(found.standing.parts[0].chosen)
    detail: dict[str, Json] = {"best": found.best, "reverse": True}
    if not found.best or not (found.standing.usd_per_day or 0.0) > 0:
        sentence = f"{found.of.tenant} verifies {found.task_class} with {chosen}; fewer are not known to be better."
        return Told(sentence, "Nothing.", WORTHLESS, terms, detail)
    sentence = (
        f"{found.of.tenant} verifies {found.task_class} with {chosen}; {_checks(found.best)} would do: to check so"
        f" often takes {wording.takes(known)} a day more, to {wording.brings(known)}."
    )
    return Told(sentence, f"Verify {found.work} with {_checks(found.best)}.", WORTHLESS, terms, detail)


def _margins(connection: psycopg.Connection, found: Found) -> dict[str, Json]:
    """What the next dollar of verifying brings, and what each number of passes brings within each value band."""
    of = {
        "tenant_id": found.of.tenant_id, "comparisons": sorted({part.comparison for part in found.standing.parts}),
        "task_class": found.place.task_class, "since": found.of.window.since, "until": found.of.window.until, "most": _ROWS_MAX,
    }  # fmt: skip
    rows = connection.execute(SQL["doses_of_class"], of).fetchall()
    bands: list[Json] = [
        {
            "band": part.band,
            "chosen": part.chosen,
            "passes": [_mean(one) for one in found.of.means.get((part.comparison, part.segment), ())],
        }
        for part in found.standing.parts
    ]
    return {"marginal_product": marginal_product(rows), "strata": bands}


def _mean(of: Means) -> Json:
    return {
        "option": of.option,
        "quality": of.quality,
        "cost_usd": of.cost_usd,
        "risk_usd": of.risk_usd,
        "net_usd": of.net_usd,
        "n": of.n,
    }


def marginal_product(rows: Sequence[Sequence[Any]]) -> dict[str, Json]:
    """The marginal product of a dollar of verifying, within tasks that were alike in what was known before: quality per USD, and
    V·∂Q/∂$ − 1. Rows are those of `doses_of_class`; where nothing can be said, `why`."""
    priced = [row for row in rows if row[6]]
    if not priced:
        return {"why": "no task has both an outcome and calls that are all priced"}
    quality, v_usd, read_usd, plan_usd, act_usd, verify_usd, _, tasks, features, assignments = zip(*priced, strict=True)
    if len({len(known) for known in features}) != 1:
        return {"why": "the context of these decisions is not of one shape"}
    dollars = np.array([read_usd, plan_usd, act_usd, verify_usd], dtype=np.float64).T
    try:
        made = spending(
            np.array(quality, dtype=np.float64),
            dollars,
            _floats(v_usd),
            assignment="unknown" if "unknown" in assignments else "recorded",
            controls=_complete(np.stack([_floats(known) for known in features])),
            tasks=np.array(tasks, dtype=np.int64),
        )
    except InputError as error:
        return {"why": str(error)}
    verify = made.uses[USES.index("verify")]
    return {"dollars_per_task": verify.dollars, "quality_per_usd": numbers(verify.per_dollar), "net_per_usd": numbers(verify.net)}


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([math.nan if one is None else one for one in values], dtype=np.float64)


def _complete(features: Floats) -> Floats:
    """Features that differ between tasks, with their mean where one is not known."""
    known = ~np.isnan(features)
    counts = known.sum(axis=0)
    means = np.divide(np.where(known, features, 0.0).sum(axis=0), counts, out=np.zeros(len(counts)), where=counts > 0)
    filled = np.where(known, features, means)
    return np.asarray(filled[:, filled.std(axis=0) > 0])
