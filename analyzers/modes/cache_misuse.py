"""Cache misuse (eq. 10): writes that are never repaid, hits that are missed, and stored answers given where V differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg

from analyzers.effects import multiplicity
from analyzers.effects.estimate import Estimate
from analyzers.effects.intervals import quantile
from analyzers.modes import reuse
from analyzers.modes.appraised import decided
from analyzers.modes.cache.load import Loaded, load
from analyzers.modes.cache.places import Judged, Looked
from analyzers.modes.cache.places import look as judge
from analyzers.modes.cache.touches import break_even_reads
from analyzers.modes.cache.values import hit_rates
from analyzers.modes.days import DAY_S, days_of
from analyzers.modes.look import Day, Example, Json, Look, Place, Status, Term, Window
from analyzers.modes.wording import usd as worded

HISTORY = timedelta(days=28)
"""How long before the window's end calls still tell how caching worked, if the window is shorter."""
INEQUALITIES = {
    "writes never repaid": "savings by reads < write premium: what was written is not repaid while it lives (eq. 10)",
    "missed hits": "savings by reads > write premium of a prefix that is sent again within its lifetime and not cached (eq. 10)",
}
METHOD = "cache/2: survival of prefixes; calls against those of a cache at work"
_EXAMPLES = 5


def look(connection: psycopg.Connection, tenant_id: int, window: Window) -> list[Look]:
    """A look at every agent and task class whose calls sent anything again, for writes and for missed hits; and at every class in
    which stored answers are given, for what working on the tasks instead would have been worth."""
    since = min(window.since, window.until - HISTORY)
    loaded = load(connection, tenant_id, since, window.until)
    answers = reuse.looks(connection, tenant_id, window)
    if len(loaded.prompts) == 0:
        return answers
    seen = judge(loaded.prompts, window.since.timestamp(), window.until.timestamp())
    looks = [_look(loaded, seen, one, window) for one in seen.judged]
    looks = [replace(each, examples=decided(connection, tenant_id, each.examples, "cache")) for each in looks]
    return [replace(each, is_discovery=stands) for each, stands in zip(looks, discovered_of(seen.judged), strict=True)] + answers


def discovered_of(judged: Sequence[Judged]) -> list[bool]:
    """Which of the places judged stand after the false discoveries among them are controlled."""
    estimates = [_estimate(each) for each in judged]
    flagged = frozenset(multiplicity.false_discovery(estimates, side="above").flagged)
    return [index in flagged and (each.low or 0.0) > 0 for index, each in enumerate(judged)]


def _estimate(each: Judged) -> Estimate:
    if each.usd is None or each.low is None or each.high is None:
        why = each.why or "no number"
        return Estimate(None, None, None, None, len(each.calls), each.sequences, METHOD, "", "not_enough_evidence", why=why)
    error = (each.high - each.low) / (2 * quantile(float("inf")))
    return Estimate(each.usd, error, each.low, each.high, len(each.calls), each.sequences, METHOD, "", "identified")


def _look(loaded: Loaded, seen: Looked, one: Judged, window: Window) -> Look:
    agent, task_class = loaded.places[one.place]
    since = datetime.fromtimestamp(one.since_s, UTC)
    lost = np.maximum(np.nan_to_num(one.lost_usd), 0.0)
    days = days_of(loaded.prompts.at_s[one.calls], lost, one.since_s, window.until.timestamp())
    usd, low, high = (None if value is None else value / days for value in (one.usd, one.low, one.high))
    detail = _detail(loaded, seen, one)
    status: Status = "appraised" if usd is not None else "not_enough_evidence" if one.evidence else "not_identified"
    name = f"{agent or 'an agent without a name'} on {task_class or 'tasks without a class'}"
    sentence, change = _words(one, name, usd, detail)
    return Look(
        mode="cache_misuse", place=Place("capital", "cache", task_class or None, one.subject, agent or None),
        since=since, until=window.until, n=len(one.calls), tasks=one.sequences, status=status,
        usd_per_day=usd, low=low, high=high, is_discovery=False, sentence=sentence, change=change,
        inequality=INEQUALITIES[one.subject], method=METHOD,
        terms=_terms(one, days), weaknesses=_weaknesses(one), examples=_examples(loaded, one), days=_days(loaded, one),
        detail=detail,
    )  # fmt: skip


def _terms(one: Judged, days: float) -> tuple[Term, ...]:
    """What was paid for nothing, and what reading would have saved for which premium; the premium's error is in the savings'."""
    terms: list[Term] = []
    if one.unrepaid_usd is not None:
        value, low, high = (part / days for part in one.unrepaid_usd)
        terms.append(Term("premiums paid less what they saved", value, low, high))
        if one.usd == one.unrepaid_usd[0]:
            return tuple(terms)
    below, above = (0.0, 0.0) if one.usd is None else ((one.usd - (one.low or 0.0)) / days, ((one.high or 0.0) - one.usd) / days)
    reads = one.reads_usd / days
    stable = " once the prefix stays the same" if one.subject == "writes never repaid" else ""
    saved = Term(f"savings by reads{stable}", reads, reads - below, reads + above)
    terms += [saved if one.usd is not None else Term(saved.name, reads), Term("write premium for them", one.writes_usd / days)]
    return tuple(terms)


def _words(one: Judged, name: str, usd: float | None, detail: dict[str, Json]) -> tuple[str, str]:
    """The sentence, and what to change."""
    if usd is None:
        return (
            f"Whether {name} misses its cache cannot be told: {one.why}.",
            "State allocation.cache.key on calls that share a prefix.",
        )
    written: Any = detail["writes"]
    if one.subject == "writes never repaid":
        counts = f"{written['unpaid']:,} of {written['closed']:,} cache writes of {name} were not repaid by reads"
        if usd <= 0:
            return f"Writing the cache pays for {name}: {counts}.", "Nothing."
        change = f"Do not mark for the cache what is sent once: writing pays from {written['break_even_reads']:.2f} reads on."
        if one.causes.get("prefix unstable", 0):
            change = (
                "Let prompts begin with what stays the same (time stamps and ids after it), or do not mark them for the cache."
            )
        return f"{counts}: {worded(usd)} a day.", change
    if usd <= 0 or not one.causes:
        return f"{name} reads what it sends again from the cache.", "Nothing."
    cause = max(one.causes, key=lambda each: one.causes[each])
    changes = {
        "upstream switched": "Keep calls of one task on one upstream.",
        "upstream never caches": "Route calls that share a prefix to upstreams that cache.",
        "expired just before": "Pay for the longer lifetime, or send such calls closer together.",
    }
    change = changes.get(cause, "Turn prompt caching on for these calls.")
    calls = sum(one.causes.values())
    return (
        f"{name} pays in full for prefixes that it sent shortly before, in {calls} calls ({cause}): {worded(usd)} a day.",
        change,
    )


def _weaknesses(one: Judged) -> tuple[str, ...]:
    told = {
        "worked": "what repeats in a prompt is taken from the calls here that did read the cache",
        "keys": "that pieces of one key are the same is the emitter's word",
        "equal writes": "that writes of one length are of one prefix is inferred from their lengths",
        "growing prompts": "that prompts contain the ones before is inferred from how they grow",
    }
    return tuple(told[each] for each in one.evidence if each in told) + ((one.why,) if one.why else ())


def _examples(loaded: Loaded, one: Judged) -> tuple[Example, ...]:
    by_trace: dict[str, float] = {}
    worst: dict[str, tuple[float, str]] = {}
    for call, usd in zip(map(int, one.calls), map(float, one.lost_usd), strict=True):
        trace = loaded.traces[call]
        by_trace[trace] = by_trace.get(trace, 0.0) + usd
        worst[trace] = max(worst.get(trace, (-np.inf, "")), (usd, loaded.spans[call]))
    top = sorted(by_trace, key=lambda trace: (-by_trace[trace], trace))[:_EXAMPLES]
    return tuple(Example(trace, by_trace[trace], None, worst[trace][1]) for trace in top if by_trace[trace] > 0)


def _days(loaded: Loaded, one: Judged) -> tuple[Day, ...]:
    day = (loaded.prompts.at_s[one.calls] // DAY_S).astype(np.int64)
    return tuple(
        Day(datetime.fromtimestamp(float(each) * DAY_S, UTC), float(one.lost_usd[day == each].sum())) for each in np.unique(day)
    )


def _detail(loaded: Loaded, seen: Looked, one: Judged) -> dict[str, Json]:
    """What the place's cache did: single writes, what repays them, δ_S of its providers, hit rates by V, causes."""
    prompts, made = loaded.prompts, seen.writes
    rows = (prompts.place == one.place) & (prompts.at_s >= one.since_s)
    own = rows[seen.write_call]
    repaid = made.is_closed & ~made.is_unpaid
    saving = rows & (prompts.written > 0)
    gain = float(np.average(prompts.read_gain[saving], weights=prompts.written[saving])) if saving.any() else 0.0
    premium = float(np.average(prompts.write_premium[saving], weights=prompts.written[saving])) if saving.any() else 0.0
    whole = float(prompts.whole[rows].sum())
    lives: dict[str, Json] = {
        loaded.providers[provider]: {
            "per_hour": list(life.per_hour), "n": life.n, "lifetime_s": None if life.lifetime_s is None else list(life.lifetime_s)
        }
        for provider, life in seen.depreciation.items()
        if (rows & (prompts.provider == provider)).any()
    }  # fmt: skip
    return {
        "causes": dict(one.causes),
        "evidence": list(one.evidence),
        "writes": {
            "closed": int((own & made.is_closed).sum()),
            "unpaid": int((own & made.is_unpaid).sum()),
            "premium_usd": float(np.nansum(made.premium_usd[own])),
            "saved_usd": float(np.nansum(made.saved_usd[own])),
            "reads_per_write": float(made.reads[own].mean()) if own.any() else 0.0,
            "break_even_reads": _finite(break_even_reads(gain, premium)),
            "written_off_usd": float(np.nansum((made.premium_usd - made.saved_usd)[own & made.is_unpaid])),
            "repaid": int((own & repaid).sum()),
        },
        "depreciation": lives,
        "hit_rate": float(prompts.read[rows].sum()) / whole if whole > 0 else 0.0,
        "hit_rate_by_value": [asdict(band) for band in hit_rates(prompts, rows)],
    }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
