"""What prices are and what they would be, side by side: with what is left of limits, what is taken, and who would take what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli.options import Format
from cli.rows import write_text
from cli.terminal import remark, say

if TYPE_CHECKING:
    from allocation.curve import Curve
    from allocation.prices import Estimate, Found
    from allocation.what_if import Response, Side, Supposed
    from cli.supposed import Looked


def write_response(looked: Looked, supposed: Sequence[Supposed], chosen: Format) -> None:
    """Solve under what is supposed, and write how prices and allocation respond; the curve is of the last limit supposed."""
    from allocation.curve import curve_of
    from allocation.what_if import respond, suppose
    from dashboard.what_if_words import sentence

    response = respond(looked.period, *supposed)
    others = suppose(looked.period, *supposed[:-1]) if len(supposed) > 1 else looked.period
    curve = curve_of(others, supposed[-1], response)
    if chosen is Format.JSON:
        import msgspec

        told = {
            "says": sentence(supposed[-1], response, curve) if len(supposed) == 1 else None,
            "since": looked.since, "until": looked.until, "gain_usd_per_day": response.gain, "as_it_was": response.as_it_was,
            "now": _told(response.before), "then": _told(response.after), "curve": curve, "left_out": looked.left_out,
        }  # fmt: skip
        say(msgspec.json.format(msgspec.json.encode(told), indent=1).decode())
        return
    if chosen is Format.TABLE and len(supposed) == 1:
        say(sentence(supposed[-1], response, curve))
    _write_prices(response, chosen)
    _write_limits(response, chosen)
    _write_taken(response, chosen)
    _write_allocation(response, chosen)
    if curve is not None:
        _write_curve(curve, chosen)
    for when, side in (("now", response.before), ("then", response.after)):
        if side.found.why:
            remark(f"{when}: {side.found.why}")
    for what, why in looked.left_out:
        remark(f"left as they were: {what}: {why}")


def _write_prices(response: Response, chosen: Format) -> None:
    now, then = response.before.found, response.after.found
    rows = [
        [label, name, *_numbers(_price(now, label, name)), *_numbers(_price(then, label, name))]
        for label in sorted({row.task_class for row in (*now.rows, *then.rows)})
        for name in ("v_usd", "lambda_usd_per_s", "rho", "budget_worth")
    ]
    columns = ["task_class", "price", "now", "now_low", "now_high", "then", "then_low", "then_high"]
    write_text(columns, rows, chosen, [False, False, *[True] * 6])


def _write_limits(response: Response, chosen: Format) -> None:
    rows = [
        [when, str(one["name"]), *(f"{one[key]:.6g}" for key in ("limit", "used", "slack", "price"))]
        for when, side in (("now", response.before), ("then", response.after))
        for one in side.found.constraints
    ]
    write_text(["when", "limit", "allowed", "used", "slack", "multiplier"], rows, chosen, [False, False, *[True] * 4])


def _write_taken(response: Response, chosen: Format) -> None:
    rows = [
        [name, _number(getattr(response.as_it_was, name).value), *_numbers(getattr(response.before.taken, name)),
         *_numbers(getattr(response.after.taken, name))]
        for name in type(response.as_it_was).__dataclass_fields__
    ]  # fmt: skip
    rows.append(["gain_usd_per_day", None, None, None, None, *_numbers(response.gain)])
    columns = ["what", "as it was", "now", "now_low", "now_high", "then", "then_low", "then_high"]
    write_text(columns, rows, chosen, [False, *[True] * 7])


def _write_allocation(response: Response, chosen: Format) -> None:
    best = {(one.task_class, one.kind, one.option): one.best for one in response.before.found.allocation}
    rows = [
        [one.task_class, one.kind, one.option, f"{one.decisions:.0f}", _number(best.get((one.task_class, one.kind, one.option))),
         f"{one.best:.1f}"]
        for one in response.after.found.allocation
    ]  # fmt: skip
    columns = ["task_class", "decision", "option", "as it was", "best now", "best then"]
    write_text(columns, rows, chosen, [False, False, False, True, True, True])


def _write_curve(curve: Curve, chosen: Format) -> None:
    rows = [[_number(one.level), _number(one.gain_usd_per_day), _number(one.price)] for one in curve.points]
    write_text(["level", "gain_usd_per_day", "one unit more brings"], rows, chosen, [True, True, True])


def _told(side: Side) -> dict[str, object]:
    found = side.found
    return {
        "status": found.status, "why": found.why, "net_usd": found.net_usd, "level": side.level,
        "unit_more_usd_per_day": side.price, "prices": found.rows, "constraints": found.constraints, "taken": side.taken,
        "allocation": found.allocation,
    }  # fmt: skip


def _price(found: Found, label: str, name: str) -> Estimate | None:
    row = found.of(label)
    if row is None:
        return None
    return {"v_usd": row.v, "lambda_usd_per_s": row.lam, "rho": row.rho, "budget_worth": row.budget_worth}[name]


def _numbers(of: Estimate | None) -> list[str | None]:
    return [None] * 3 if of is None else [_number(of.value), _number(of.low), _number(of.high)]


def _number(number: float | None) -> str | None:
    return None if number is None else f"{number:.6g}"
