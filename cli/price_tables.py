"""Two looks at prices side by side: those that hold and those that would, with what is left of limits and who would take what."""

from __future__ import annotations

from analyzers.prices.solve import Estimate, Look
from cli.options import Format
from cli.rows import write_text
from cli.terminal import remark, say


def write_looks(now: Look, then: Look, chosen: Format) -> None:
    """Write prices, limits and allocation of both."""
    if chosen is Format.JSON:
        import msgspec

        told = {name: _told(found) for name, found in (("now", now), ("then", then))}
        say(msgspec.json.format(msgspec.json.encode(told), indent=1).decode())
        return
    prices = [
        [label, name, *_numbers(_price(now, label, name)), *_numbers(_price(then, label, name))]
        for label in sorted({row.task_class for row in (*now.rows, *then.rows)})
        for name in ("v_usd", "lambda_usd_per_s", "rho", "budget_worth")
    ]
    columns = ["task_class", "price", "now", "now_low", "now_high", "then", "then_low", "then_high"]
    write_text(columns, prices, chosen, [False, False, *[True] * 6])
    limits = [
        [when, str(one["name"]), *(f"{one[key]:.6g}" for key in ("limit", "used", "slack", "price"))]
        for when, found in (("now", now), ("then", then))
        for one in found.constraints
    ]
    write_text(["when", "limit", "allowed", "used", "slack", "multiplier"], limits, chosen, [False, False, *[True] * 4])
    best = {(one.task_class, one.kind, one.option): one.best for one in now.allocation}
    allocation = [
        [one.task_class, one.kind, one.option, f"{one.decisions:.0f}", _number(best.get((one.task_class, one.kind, one.option))),
         f"{one.best:.1f}"]
        for one in then.allocation
    ]  # fmt: skip
    columns = ["task_class", "decision", "option", "as it was", "best now", "best then"]
    write_text(columns, allocation, chosen, [False, False, False, True, True, True])
    for when, found in (("now", now), ("then", then)):
        if found.why:
            remark(f"{when}: {found.why}")
    for what, why in then.left_out:
        remark(f"left as they were: {what}: {why}")


def _told(found: Look) -> dict[str, object]:
    return {
        "status": found.status, "why": found.why, "since": found.period.since, "until": found.period.until,
        "net_usd": found.net_usd,
        "prices": found.rows, "constraints": found.constraints, "allocation": found.allocation, "left_out": found.left_out,
    }  # fmt: skip


def _price(found: Look, label: str, name: str) -> Estimate:
    for row in found.rows:
        if row.task_class == label:
            return {"v_usd": row.v, "lambda_usd_per_s": row.lam, "rho": row.rho, "budget_worth": row.budget_worth}[name]
    return Estimate()


def _numbers(of: Estimate) -> list[str | None]:
    return [_number(of.value), _number(of.low), _number(of.high)]


def _number(number: float | None) -> str | None:
    return None if number is None else f"{number:.6g}"
