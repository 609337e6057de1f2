"""The three predictions of the paper (arXiv 2605.01214, §4), put to a tenant's own books."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import psycopg
from threadpoolctl import threadpool_limits

from analyzers.attribution.predictions import (
    Banded,
    Prediction,
    Verdict,
    cheap_router_fails_tail,
    verdict,
    verifying_lowers_risk,
)
from analyzers.decisions.load import loss_borne
from analyzers.effects import intervals
from analyzers.effects.estimate import LEVEL, Basis, Estimate, Floats
from analyzers.effects.production import USES
from analyzers.modes.congestion.books import Seen, engines_of, read
from analyzers.modes.congestion.fingerprint import FELT_SHARE, Fingerprint, fingerprint, windows
from analyzers.modes.look import Window
from analyzers.reports.books import SQL, Spent, assignments, regret, spent

_VERIFY = USES.index("verify")
_LONG_TIMES = 4.0
"""A context is long for a tenant that is so many times its own median."""
_WINDOW_S = 300.0
_MORE_MAX = 100.0
_FINGERPRINT, _WINDOWS = "fingerprint within hours, exchanged between days", "windows of five minutes"
CLAIMS = (
    "with V held fixed, more verifying lowers realised risk until a dollar of it saves no more than a dollar",
    "a router that minimises cost loses most on the rare requests of high value",
    "requests with short contexts get slower when other tenants send long contexts",
)


@dataclass(frozen=True, slots=True)
class Checked:
    """One prediction put to one tenant's books.

    `subject`: the engine, or nothing where it is about all tasks. `measures` and `unit`: what the statistic is. `counts`: what
    its n counts. `settled_by`: what would settle it, empty where it is settled.
    """

    tenant: str
    subject: str
    claim: str
    measures: str
    unit: str
    counts: str
    prediction: Prediction
    settled_by: str


def check(connection: psycopg.Connection, tenant_id: int, tenant: str, window: Window, seen: dict[str, Seen]) -> list[Checked]:
    """All three, in order; the third for each engine. `seen` keeps what engines served for the next tenant that they serve."""
    with threadpool_limits(1):  # on arrays of this size threads wait for each other
        return [
            _risk(connection, tenant_id, tenant, window),
            _tail(connection, tenant_id, tenant),
            *_crowding(connection, tenant_id, tenant, window, seen),
        ]


def settled_by(statistic: Estimate, counts: str, mend: str) -> str:
    """What would settle a statistic whose interval includes zero: how much more of the same, else what is to be done first."""
    if statistic.value is None or statistic.low is None or statistic.high is None:
        return mend
    if statistic.excludes(0.0):
        return ""
    reach = statistic.value - statistic.low if statistic.value > 0 else statistic.high - statistic.value
    times = (reach / abs(statistic.value)) ** 2 if statistic.value != 0 else math.inf
    if times > _MORE_MAX:
        return f"nothing near: the difference is too small for {_MORE_MAX:.0f} times as many {counts}"
    return f"about {math.ceil(statistic.n * max(times - 1, 0.01)):,} more {counts}, if the difference stays as it is"


def _risk(connection: psycopg.Connection, tenant_id: int, tenant: str, window: Window) -> Checked:
    of = spent(connection, tenant_id, window)
    stated = assignments(connection, tenant_id, "verify")
    found, mend = risk(of, [name for name, how in stated.items() if how == "recorded"])
    measures = "what the mean loss of a task changes by, from the lowest dose of verifying to the best"
    settled = settled_by(found.statistic, "tasks", mend)
    return Checked(tenant, "", CLAIMS[0], measures, "USD", "tasks", found, settled)


def risk(of: Spent, recorded: Sequence[str]) -> tuple[Prediction, str]:
    """Prediction 1 over the tasks of the classes in which verifying is stated to be `recorded`, and what is to be done where
    nothing can be said.

    Loss is expected where a class's actions state it, else realised. A class in which all tasks were verified by the same dollars
    tells nothing and is left out. Classes differ by a constant; ρ is the tasks' mean, 1 where nobody states it.
    """
    loss, told = _losses(of)
    usable = ~np.isnan(of.v_usd) & ~np.isnan(of.usd[:, _VERIFY]) & ~np.isnan(loss)
    varied = [
        name for name in sorted(set(of.task_class)) if (dose := of.usd[of.of([name]) & usable, _VERIFY]).size and np.ptp(dose)
    ]
    classes = [name for name in varied if name in recorded]
    mask = of.of(classes or varied) & usable
    why, mend = _lacks(of, told, varied, classes)
    basis = Basis(int(mask.sum()), int(mask.sum()), "doubly robust over doses", "tasks as they were")
    if why:
        status = "not_identified" if varied and told and not classes else "not_enough_evidence"
        nothing = basis.nothing(status, why)
        return Prediction(1, CLAIMS[0], nothing, verdict(nothing, above=False), {}, why), mend
    labels = np.array(of.task_class, dtype=np.str_)[mask]
    dummies = (labels[:, None] == np.array(classes[1:], dtype=np.str_)[None, :]).astype(np.float64)
    rho = of.rho[mask]
    found = verifying_lowers_risk(
        of.usd[mask, _VERIFY],
        loss[mask],
        of.v_usd[mask],
        assignment="recorded",
        rho=float(np.nanmean(rho)) if not np.isnan(rho).all() else 1.0,
        features=np.column_stack([of.known(mask), dummies]),
        tasks=of.tasks[mask],
    )
    left = [name or "no class" for name in varied if name not in classes]
    optimum = found.detail.get("optimum_usd")
    said = [
        found.why,
        "" if optimum is None or optimum.value is None else f"the best dose seen is {optimum.value:.2g} USD a task",
        f"not of {', '.join(left)}, where nobody states how verifying is decided" if left else "",
    ]
    return replace(found, why="; ".join(filter(None, said))), "more tasks of each dose"


def _losses(of: Spent) -> tuple[Floats, bool]:
    """Each task's loss, NaN where unknown, by class; and whether any loss is known to differ from nothing."""
    loss = np.full(len(of.tasks), np.nan)
    for name in set(of.task_class):
        mask = of.of([name])
        loss[mask] = loss_borne(of.risk_usd[mask], of.loss_usd[mask])
    return loss, bool((np.nan_to_num(loss) > 0).any())


def _lacks(of: Spent, told: bool, varied: Sequence[str], classes: Sequence[str]) -> tuple[str, str]:
    """Why prediction 1 cannot be looked at, and what to do about it; nothing where it can."""
    if not len(of.tasks):
        return "no task with calls is settled in this time", "tasks, with outcomes and prices"
    if np.isnan(of.v_usd).all():
        return "V is not known", "state V on tasks (allocation.task.value_usd) or in the price policy (`pigou policy`)"
    if not told:
        return (
            "no loss is known of any task",
            "say what actions may lose (allocation.risk.*), or report incidents (POST /v1/outcomes)",
        )
    if not varied:
        return (
            "no class of tasks was verified with more dollars here than there",
            "verify by calls that are priced, not in every task",
        )
    if not classes:
        why = "nobody states how it is decided how much to verify: hard tasks are verified more and fail more"
        return (
            why,
            "if context and V tell all that moves it, `pigou assignments set verify recorded`; else verify some tasks at random",
        )
    return "", ""


def _tail(connection: psycopg.Connection, tenant_id: int, tenant: str) -> Checked:
    costs: dict[int, dict[str, float]] = {}
    for comparison, option, cost in connection.execute(SQL["own_costs"], {"tenant_id": tenant_id}).fetchall():
        costs.setdefault(comparison, {})[option] = cost
    cheapest = {comparison: min(of, key=lambda option: (of[option], option)) for comparison, of in costs.items()}
    rows = connection.execute(SQL["route_segments"], {"tenant_id": tenant_id}).fetchall()
    names: dict[int, str] = {}
    for row in rows:
        names.setdefault(row[0], f"{row[1] or 'no class'}{f' ({len(names) + 1})' if row[1] in names.values() else ''}")
    cheap = [
        Banded(names[row[0]], row[2], row[3], row[5], row[6], regret(row[7:11], row[5], row[6], row[11], row[12]), row[12])
        for row in rows
        if cheapest.get(row[0]) == row[4]
    ]
    found = cheap_router_fails_tail(cheap)
    if not rows:
        mend = (
            "`pigou appraise`, with routes in the telemetry (a span with allocation.route.candidates, or tasks on several models)"
        )
    elif found.verdict == "not identified":
        mend = "log each route's probability (allocation.route.propensity), and choose at random now and then"
    else:
        mend = "more outcomes of tasks of the highest values, some of them routed to another model at random"
    measures = "regret of a decision for the cheapest model on the tasks of highest value, beyond that on the others"
    settled = settled_by(found.statistic, "decisions for the cheapest model", mend)
    return Checked(tenant, "", CLAIMS[1], measures, "USD", "decisions", found, settled)


def _crowding(
    connection: psycopg.Connection, tenant_id: int, tenant: str, window: Window, seen: dict[str, Seen]
) -> list[Checked]:
    engines = [each.engine for each in engines_of(connection, tenant_id, window)]
    for engine in engines:
        if engine not in seen:
            seen[engine] = read(connection, engine, window)
    found = [(engine, *crowding(seen[engine], tenant_id)) for engine in engines]
    if not engines:
        found = [
            (
                "",
                *_unseen(
                    "no engine told how it served this tenant", "an engine's spans with its times in queue, prefill and decode"
                ),
            )
        ]
    measures = "what a short request's latency rises by for each thousand tokens of others' long contexts"
    return [
        Checked(tenant, engine, CLAIMS[2], measures, "s", "windows", one, settled_by(one.statistic, _WINDOWS, mend))
        for engine, one, mend in found
    ]


def crowding(seen: Seen, tenant_id: int) -> tuple[Prediction, str]:
    """Prediction 3 for one tenant on one engine, and what is lacking where nothing can be said; by the fingerprint, see
    `analyzers/modes/congestion/fingerprint.py`."""
    own = np.isin(seen.served.group, [k for k, group in enumerate(seen.groups) if group.tenant_id == tenant_id])
    if not own.any():
        return _unseen("none of its requests tells its times and tokens", "an engine's spans with its times and tokens")
    if own.all():
        return _unseen("this tenant has the engine to itself", "nothing, while it is alone")
    tokens = seen.served.kv_tokens
    length = _LONG_TIMES * float(np.median(tokens[own]))
    short, long = own & (tokens < length), ~own & (tokens >= length)
    if not long.any():
        why = f"no other tenant sent contexts of {length:,.0f} tokens, {_LONG_TIMES:.0f} times this tenant's median"
        return _unseen(why, "nothing, while its own contexts are as long as anybody's")
    made = windows(seen.served, short, long, _WINDOW_S)
    test = fingerprint(made.latency_s, made.others_long_tokens, traffic=made.traffic, hour=made.hour, day=made.day)
    return told(test, f"contexts of {length:,.0f} tokens and more are long"), "more days with traffic of several tenants"


def _unseen(why: str, mend: str) -> tuple[Prediction, str]:
    nothing = Basis(0, 0, _FINGERPRINT, _WINDOWS).nothing("not_enough_evidence", why)
    return Prediction(3, CLAIMS[2], nothing, "not enough evidence", {}, why), mend


def told(test: Fingerprint, said: str) -> Prediction:
    """A fingerprint as a prediction: its permutations decide whether it holds, its interval whether it does not."""
    basis = Basis(test.windows, test.windows, _FINGERPRINT, _WINDOWS)
    if test.slope is None or test.low is None or test.high is None or test.typical_s is None or test.p is None:
        return Prediction(3, CLAIMS[2], basis.nothing("not_enough_evidence", test.why), "not enough evidence", {}, test.why)
    error = (test.high - test.low) / 2 / intervals.quantile(math.inf, LEVEL)
    why = f"{said}; p {test.p:.3f}"
    if test.verdict == "not found" and test.p <= 1 - LEVEL:
        why += f"; it is there and too little to be felt, less than {100 * FELT_SHARE:.0f} % of what a request takes"
    statistic = basis.found(test.slope, error, test.low, test.high, why=why)
    answer: Verdict = "holds" if test.verdict == "found" else "does not hold" if test.high < 0 else "not enough evidence"
    unit = test.typical_s / test.slope if test.slope else 0.0
    typical = basis.found(test.typical_s, abs(unit) * error, unit * test.low, unit * test.high)
    return Prediction(3, CLAIMS[2], statistic, answer, {"seconds for one deviation of others' tokens": typical}, statistic.why)
