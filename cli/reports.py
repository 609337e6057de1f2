"""`pigou predictions`, `pigou production`, `pigou risk` and `pigou misallocation`: reports on the books, which write nothing."""

from __future__ import annotations

import math
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.known import refuse_reversed
from cli.options import Format, FormatOption, HomeOption, SinceOption, TenantOption, UntilOption
from cli.tenants import refuse_unknown
from cli.terminal import remark, say

if TYPE_CHECKING:
    import psycopg

    from analyzers.effects.estimate import Estimate
    from analyzers.modes.look import Window
    from analyzers.reports.misallocation import Period
    from analyzers.reports.predictions import Checked
    from analyzers.reports.production import Produced
    from analyzers.reports.risk import Risk

Value: TypeAlias = str | int | float | bool | Sequence["Value"] | Mapping[str, "Value"] | None

_PREDICTED = (
    "tenant", "prediction", "claim", "subject", "verdict", "statistic", "unit", "value", "low", "high", "n", "counts", "method",
    "why", "settled_by",
)  # fmt: skip
_PRODUCED = (
    "tenant", "task_class", "use", "usd_per_task", "quality_per_usd", "quality_low", "quality_high", "net_per_usd", "net_low",
    "net_high", "status", "why",
)  # fmt: skip
_LOST = ("tenant", "layer", "kind", "mode", "lost_usd", "low_usd", "high_usd", "alone_usd", "decisions")
_RISKS = (
    "tenant", "action_class", "task_class", "tasks", "incidents", "rate", "pooled_rate", "loss_usd", "worst_twentieth_usd",
    "counts", "rho", "risk_usd", "status", "why",
)  # fmt: skip
_WITH_LIMITS = ("rate", "pooled_rate", "loss_usd", "worst_twentieth_usd", "risk_usd")
_CENT = 0.01
_WRITTEN = {Format.CSV, Format.JSON}

ClassOption = Annotated[str | None, typer.Option("--task-class", metavar="NAME", help="Of this class of tasks.")]


def predictions(
    home: HomeOption = None,
    tenant: TenantOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Check the paper's three predictions on the books: whether each holds here, how sure that is, and what would settle it."""
    from analyzers.modes.congestion.books import Seen
    from analyzers.reports.predictions import check

    window = _window(since, until)
    seen: dict[str, Seen] = {}
    with _reading(home, tenant) as (books, owners):
        found = [one for tenant_id, name in owners for one in check(books, tenant_id, name, window, seen)]
    if chosen in _WRITTEN:
        _write([_predicted(one, with_detail=chosen is Format.JSON) for one in found], _PREDICTED, chosen)
        return
    for one in found:
        say("\n".join(_told(one)))


def production(
    home: HomeOption = None,
    tenant: TenantOption = None,
    task_class: ClassOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Show what the next dollar of reading, planning, acting and verifying brings in each class of tasks, where it is known."""
    from analyzers.reports.production import produced

    window = _window(since, until)
    with _reading(home, tenant) as (books, owners):
        found = [one for tenant_id, name in owners for one in produced(books, tenant_id, name, window, task_class)]
    if task_class is not None and not found:
        raise CommandError(
            f"no settled task with calls is of class {task_class!r}", "`pigou tasks list` shows classes", exit_code=2
        )
    if chosen is Format.JSON:
        _write([_produced(one) for one in found], (), chosen)
        return
    _write([row for one in found for row in _uses(one)], _PRODUCED, chosen)
    if chosen is Format.TABLE:
        for one in found:
            for line in _of_class(one):
                remark(line)


def risk(
    home: HomeOption = None,
    tenant: TenantOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Show what actions risk by their class: how often it goes wrong, what that costs, and the mean of the worst."""
    from analyzers.reports.risk import risks

    window = _window(since, until)
    with _reading(home, tenant) as (books, owners):
        found = [one for tenant_id, name in owners for one in risks(books, tenant_id, name, window)]
    if not found:
        raise CommandError(
            "no settled task did an action whose class is known", "state it: allocation.action.class (docs/telemetry.md)"
        )
    if chosen is Format.JSON:
        _write([_risked(one) for one in found], (), chosen)
    elif chosen is Format.TABLE:
        _write([_in_short(_risked(one)) for one in found], _RISKS, chosen)
        remark("per task that did any such action, with 95 % intervals; pooled rates hold for 95 % of classes, not for each")
    else:
        _write([_risked(one) for one in found], _risk_columns(), chosen)


def misallocation(
    home: HomeOption = None,
    tenant: TenantOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Show what a period lost in all against the best allocation known, by layer and failure mode, each dollar counted once."""
    from analyzers.reports.misallocation import period, together

    window = _window(since, until)
    with _reading(home, tenant) as (books, owners):
        found = [period(books, tenant_id, name, window) for tenant_id, name in owners]
    found = [one for one in found if one.comparisons]
    if not found:
        raise CommandError("nothing is appraised yet", "run `pigou appraise`")
    total = together(found)
    if chosen is Format.JSON:
        _write([_lost(one) for one in found], (), chosen)
        return
    _write(
        [*(row for one in found for row in _shares(one)), _sum("all tenants", total, any(one.is_told for one in found))],
        _LOST,
        chosen,
    )
    if chosen is Format.TABLE:
        for one in found:
            for line in _of_tenant(one):
                remark(line)


@contextmanager
def _reading(home: Path | None, tenant: str | None) -> Generator[tuple[psycopg.Connection, list[tuple[int, str]]]]:
    """One state of the books, and whom to report on."""
    from analyzers.reports.books import tenants, unchanging

    with open_database("writer", home) as books, unchanging(books):
        refuse_unknown(books, tenant)
        yield books, [owner for owner in tenants(books, None) if tenant in (None, owner[1])]


def _window(since: date | None, until: date | None) -> Window:
    """Whole days; all that is there where neither is named."""
    from analyzers.appraise import BEGINNING, END
    from analyzers.modes.look import Window

    refuse_reversed(since, until)
    first = BEGINNING if since is None else datetime.combine(since, time.min, UTC)
    return Window(first, END if until is None else datetime.combine(until + timedelta(days=1), time.min, UTC))


# ── predictions ──────────────────────────────────────────────────────────────────────────────────────


def _predicted(one: Checked, *, with_detail: bool) -> dict[str, Value]:
    of = one.prediction.statistic
    row: dict[str, Value] = {
        "tenant": one.tenant, "prediction": one.prediction.number, "claim": one.claim, "subject": one.subject or None,
        "verdict": one.prediction.verdict, "statistic": one.measures, "unit": one.unit, **_numbers(of), "n": of.n,
        "counts": one.counts, "method": of.method, "why": one.prediction.why or None, "settled_by": one.settled_by or None,
    }  # fmt: skip
    if with_detail:
        row["detail"] = {name: _estimate(estimate) for name, estimate in one.prediction.detail.items()}
    return row


def _told(one: Checked) -> list[str]:
    """One prediction in words, a blank line after it."""
    of = one.prediction.statistic
    about = f" ({one.subject})" if one.subject else ""
    lines = [f"{one.tenant}, prediction {one.prediction.number}{about}: {one.claim}", f"  {one.prediction.verdict.upper()}"]
    if of.value is not None:
        interval = f"{_short(of.value)} {one.unit} ({_short(of.low)} to {_short(of.high)})"
        lines.append(f"  {one.measures}: {interval}, from {of.n:,} {one.counts}; {of.method}")
    lines += [f"  why: {one.prediction.why}"] if one.prediction.why else []
    lines += [f"  what would settle it: {one.settled_by}"] if one.settled_by else []
    return [*lines, ""]


# ── production ───────────────────────────────────────────────────────────────────────────────────────


def _uses(one: Produced) -> list[dict[str, Value]]:
    return [
        {
            "tenant": one.tenant, "task_class": one.task_class, "use": use.use, "usd_per_task": _known(use.dollars),
            "quality_per_usd": _known(use.per_dollar.value), "quality_low": _known(use.per_dollar.low),
            "quality_high": _known(use.per_dollar.high), "net_per_usd": _known(use.net.value), "net_low": _known(use.net.low),
            "net_high": _known(use.net.high), "status": use.net.status, "why": use.net.why or None,
        }
        for use in one.spending.uses
    ]  # fmt: skip


def _produced(one: Produced) -> dict[str, Value]:
    made = one.spending.production
    return {
        "tenant": one.tenant, "task_class": one.task_class, "tasks": one.tasks, "assignment": one.assignment, "form": made.form,
        "uses": [{name: row[name] for name in _PRODUCED[2:]} for row in _uses(one)],
        "equal_margins_p": _known(made.equal_p), "best": one.spending.best or None,
        "complements": [
            {"of": first, "with": second, **_numbers(estimate)} for (first, second), estimate in made.complements.items()
        ],
        "scale": _estimate(made.scale), "is_concave": made.concave if made.diminishing else None,
        "settled_by": one.settled_by or None,
    }  # fmt: skip


def _of_class(one: Produced) -> list[str]:
    made, name = one.spending.production, f"{one.tenant}, {one.task_class or 'no class'}"
    if one.settled_by:
        return [f"{name}: not known; what would settle it: {one.settled_by}"]
    lines: list[str] = []
    if not math.isnan(made.equal_p):
        best = f"; the next dollar brings most in {one.spending.best}" if one.spending.best else ""
        lines.append(f"{name}: p = {made.equal_p:.3g} that all margins are equal{best} ({made.form}, {one.tasks:,} tasks)")
    for (first, second), of in made.complements.items():
        if of.excludes(0.0) and of.value is not None:
            lines.append(f"{name}: {first} and {second} are {'complements' if of.value > 0 else 'substitutes'}")
    return lines


# ── risk ─────────────────────────────────────────────────────────────────────────────────────────────


def _risk_columns() -> list[str]:
    """Every number beside its limits."""
    return [part for name in _RISKS for part in ((name, *_limits_of(name)) if name in _WITH_LIMITS else (name,))]


def _limits_of(name: str) -> tuple[str, str]:
    stem, unit = (name.removesuffix("_usd"), "_usd") if name.endswith("_usd") else (name, "")
    return f"{stem}_low{unit}", f"{stem}_high{unit}"


def _risked(one: Risk) -> dict[str, Value]:
    estimates = dict(
        zip(_WITH_LIMITS, (one.of.rate, one.pooled, one.of.expected, one.worst, one.priced), strict=True)
    )  # fmt: skip
    needs = (one.worst if one.is_tail else one.of.expected).needs
    row: dict[str, Value] = {
        "tenant": one.tenant, "action_class": one.acted.action_class, "task_class": one.acted.task_class,
        "actions": one.acted.actions, "tasks": one.acted.tasks, "told": one.acted.told, "incidents": len(one.acted.losses_usd),
        "is_reversible": one.acted.is_reversible, "worst_case_usd": one.acted.worst_usd, "stated_usd": one.acted.stated_usd,
        "counts": "worst twentieth" if one.is_tail else "expectation", "rho": one.acted.rho, "status": one.priced.status,
        "why": one.why or None, "needs_outcomes": None if needs is None else needs.outcomes,
    }  # fmt: skip
    for name, of in estimates.items():
        low, high = _limits_of(name)
        row |= (
            dict.fromkeys((name, low, high))
            if of is None
            else {name: _known(of.value), low: _known(of.low), high: _known(of.high)}
        )
    return row


def _in_short(row: dict[str, Value]) -> dict[str, Value]:
    """The row with each interval behind its number, for people."""
    said: dict[str, Value] = {}
    for name in _WITH_LIMITS:
        value, low, high = (row[part] for part in (name, *_limits_of(name)))
        if isinstance(value, float) and isinstance(low, float) and isinstance(high, float):
            said[name] = f"{_short(value)} ({_short(low)} to {_short(high)})"
    return {**row, **dict.fromkeys(_WITH_LIMITS), **said}


# ── misallocation ────────────────────────────────────────────────────────────────────────────────────


def _shares(one: Period) -> list[dict[str, Value]]:
    """A tenant's shares, the largest first, and its sum."""
    rows: list[dict[str, Value]] = [
        {
            "tenant": one.tenant, "layer": share.layer, "kind": share.kind, "mode": share.mode,
            "lost_usd": _known(share.lost.value), "low_usd": _known(share.lost.low), "high_usd": _known(share.lost.high),
            "alone_usd": _known(share.alone_usd), "decisions": share.decisions,
        }
        for share in sorted(one.lost.shares, key=lambda share: -share.lost.numbers()[0])
    ]  # fmt: skip
    return [*rows, _sum(one.tenant, one.lost.total, one.is_told)]


def _sum(tenant: str, of: Estimate, is_told: bool) -> dict[str, Value]:
    row: dict[str, Value] = dict.fromkeys(_LOST)
    row.update(tenant=tenant, mode="total", decisions=of.n)
    if is_told:
        row.update(lost_usd=_known(of.value), low_usd=_known(of.low), high_usd=_known(of.high))
    return row


def _lost(one: Period) -> dict[str, Value]:
    *shares, total = _shares(one)
    named = [{name: row[name] for name in _LOST[1:]} for row in shares]
    return {
        "tenant": one.tenant, **{name: total[name] for name in ("lost_usd", "low_usd", "high_usd", "decisions")},
        "comparisons": one.comparisons, "shares": named, "counted_twice_usd": _known(one.lost.counted_twice_usd),
        "explored_usd": _known(one.lost.explored_usd), "without_number": dict(one.lost.without),
        "downstream": {kind: _estimate(estimate) for kind, estimate in one.lost.downstream.items()},
    }  # fmt: skip


def _of_tenant(one: Period) -> list[str]:
    of = one.lost
    if not one.is_told:
        none = f"none of {of.total.n:,} decisions has a number yet" if of.total.n else "no decision of these days is appraised"
        return [f"{one.tenant}: {none}, so that nothing can be told; see `pigou regret`"]
    without = sum(of.without.values())
    lines = [f"{one.tenant}: {without:,} of {of.total.n:,} decisions have no number and are not in the sum"] if without else []
    if of.counted_twice_usd >= _CENT / 2:
        lines.append(f"{one.tenant}: each kind taken alone, {of.counted_twice_usd:,.2f} USD would be counted twice")
    if of.explored_usd >= _CENT / 2:
        lines.append(f"{one.tenant}: {of.explored_usd:,.2f} USD of it were spent on choices at random, to learn")
    for kind, estimate in of.downstream.items():
        if estimate.excludes(0.0) and estimate.value is not None:
            lines.append(
                f"{one.tenant}: better choices of {kind} would change what the rest of their tasks cost by"
                f" {_short(estimate.value)} USD ({_short(estimate.low)} to {_short(estimate.high)})"
            )
    return lines


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────


def _write(rows: Sequence[Mapping[str, Value]], columns: Sequence[str], chosen: Format) -> None:
    if chosen is Format.JSON:
        import msgspec

        lines = [msgspec.json.encode(row).decode() for row in rows]
        sys.stdout.write("[\n " + ",\n ".join(lines) + "\n]\n" if lines else "[]\n")
        return
    from cli.rows import write_text

    texts = [[_text(row[column], chosen) for column in columns] for row in rows]
    write_text(columns, texts, chosen, [any(isinstance(row[column], int | float) for row in rows) for column in columns])


def _text(value: Value, chosen: Format) -> str | None:
    if value is None:
        return None
    return _short(value) if isinstance(value, float) and chosen is Format.TABLE else str(value)


def _short(value: float | None) -> str:
    """Four digits, for people."""
    if value is None:
        return "?"
    return f"{value:,.2f}" if abs(value) >= 10 else f"{value:.4g}"


def _known(value: float | None) -> float | None:
    """A plain number; unknown where it is none."""
    return None if value is None or math.isnan(value) else float(value)


def _numbers(of: Estimate) -> dict[str, Value]:
    return {"value": _known(of.value), "low": _known(of.low), "high": _known(of.high)}


def _estimate(of: Estimate) -> dict[str, Value]:
    return {**_numbers(of), "status": of.status, "why": of.why or None}
