"""What a supposed limit does, in words: one sentence for the page and the command line alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard import formats

if TYPE_CHECKING:
    from allocation.curve import Curve
    from allocation.prices import Estimate
    from allocation.problem import Kind
    from allocation.what_if import Response, Supposed

KINDS: dict[Kind, tuple[str, str]] = {
    "compute_budget": ("budget", "Budget"),
    "latency_sla": ("latency agreement", "Latency agreement"),
    "risk_envelope": ("risk envelope", "Risk envelope"),
}
_SAME = 1e-9
_CENT_USD = 0.005


def sentence(supposed: Supposed, response: Response, curve: Curve | None) -> str:
    """What moving the limit would bring, and from which level on more of it brings nothing."""
    if curve is None:
        return _unmoved(supposed, response)
    level, before = supposed.level, response.before.level
    if level is not None and curve.least > level:
        return (
            f"No choice among the options that are known keeps {_named(supposed, 'a')} of {said(supposed, level)}: "
            f"the least that can be had is {said(supposed, curve.least)}."
        )
    if level is None or (before is not None and abs(level - before) <= _SAME * max(1.0, abs(level))):
        return _standing(supposed, response, curve)
    if response.gain.value is None and any(one.found.solved.unidentified for one in (response.before, response.after)):
        return f"What is used of some limits at best is not known well enough to tell what {_named(supposed, 'a')} would bring."
    if response.gain.value is None:
        return f"Limits that are stated cannot be kept, so that what {_named(supposed, 'a')} would bring cannot be told."
    instead = _instead(supposed, response)
    gain = response.gain.value
    if min(level, level if before is None else before) >= curve.enough and abs(gain) < _CENT_USD:
        only = f"it binds only below {said(supposed, curve.enough)}."
        return f"{_moved(supposed, before, level)} would change nothing: {only}{instead}"
    return f"{_moved(supposed, before, level)} {_brings(response.gain)}{_beyond(supposed, curve)}{instead}"


def said(supposed: Supposed, level: float) -> str:
    """A level with its unit: `$40.00 a day`, `12.5 s a task`."""
    if supposed.kind == "latency_sla":
        return f"{level:,.4g}{formats.THIN_SPACE}s a task"
    return f"{formats.usd(level)} a day"


def of_whom(pattern: str) -> str:
    """Whom a limit is for, in words."""
    return "all tasks" if pattern == "*" else f"{pattern} tasks"


def _named(supposed: Supposed, article: str = "the") -> str:
    return f"{article} {KINDS[supposed.kind][0]} for {of_whom(supposed.pattern)}"


def _moved(supposed: Supposed, before: float | None, level: float) -> str:
    if before is None:
        return f"{_named(supposed, 'A')} of {said(supposed, level)}"
    verb = "Raising" if level > before else "Lowering"
    return f"{verb} {_named(supposed)} from {said(supposed, before)} to {said(supposed, level)}"


def _brings(gain: Estimate) -> str:
    value = gain.value or 0.0
    if abs(value) < _CENT_USD:
        return "would change nothing"
    sure = f" (95 %: {formats.usd_interval(*_bounds(gain))})" if gain.low is not None and gain.high is not None else ""
    low, high = (abs(end) for end in _bounds(gain))
    amount = formats.usd_estimate(abs(value), min(low, high), max(low, high))
    return f"would {'bring' if value > 0 else 'cost'} {amount} a day{sure}, net of compute"


def _bounds(gain: Estimate) -> tuple[float, float]:
    """The interval as amounts that are brought, or that it costs."""
    low, high = gain.low or 0.0, gain.high or 0.0
    return (low, high) if (gain.value or 0.0) >= 0 else (-high, -low)


def _beyond(supposed: Supposed, curve: Curve) -> str:
    return f"; beyond {said(supposed, curve.enough)} more of it brings nothing."


def _instead(supposed: Supposed, response: Response) -> str:
    """That a limit stands in place of a price that policy states, so that what it allows counts for nothing."""
    if response.before.level is not None or supposed.kind == "compute_budget":
        return ""
    price, what = ("λ", "seconds") if supposed.kind == "latency_sla" else ("ρ", "losses")
    former = {row.task_class: row for row in response.before.found.rows}
    replaced = [
        row.task_class
        for row in response.after.found.rows
        if (one := former.get(row.task_class)) is not None
        and ((row.lambda_source, one.lambda_source) if price == "λ" else (row.rho_source, one.rho_source)) == ("dual", "policy")
        and (one.lam.value if price == "λ" else one.rho.value)
    ]
    return (
        f" It would stand in place of the {price} that policy states: {what} within it would count for nothing."
        if replaced
        else ""
    )


def _standing(supposed: Supposed, response: Response, curve: Curve) -> str:
    """The limit where it is."""
    level = response.after.level
    if level is None:
        what = f"No {KINDS[supposed.kind][0]} is stated for {of_whom(supposed.pattern)}"
        return f"{what}; it would begin to bind below {said(supposed, curve.enough)}."
    price = response.after.price
    if not price.value:
        return (
            f"{_capital(_named(supposed))} of {said(supposed, level)} is slack: "
            f"more of it brings nothing. It begins to bind below {said(supposed, curve.enough)}."
        )
    unit = "a second more" if supposed.kind == "latency_sla" else "a dollar more"
    return (
        f"{_capital(_named(supposed))} of {said(supposed, level)} binds: {unit} would bring {formats.usd(price.value)} a day, "
        f"net of compute{_beyond(supposed, curve)}"
    )


def _unmoved(supposed: Supposed, response: Response) -> str:
    why = "there is not enough evidence yet of what other choices would have brought"
    if _is_below_nothing(supposed, response):
        why = "at best less than nothing of it would be used, so the estimates behind it are not good enough"
    level = said(supposed, response.after.level) if response.after.level is not None else "any level"
    return f"What {_named(supposed, 'a')} of {level} would change cannot be told: {why}."


def _is_below_nothing(supposed: Supposed, response: Response) -> bool:
    """Whether what was taken of a limit is known, and what would be taken at best is not."""
    name = {"compute_budget": "cost_usd_per_day", "latency_sla": "latency_s", "risk_envelope": "loss_usd_per_day"}[supposed.kind]
    sides = (response.before, response.after)
    is_told = getattr(response.as_it_was, name).value is not None
    return is_told and any(getattr(one.taken, name).value is None or one.found.solved.unidentified for one in sides)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
