"""How prices and allocation respond to a limit, as tables: what is taken, which limits bind, the prices, and who takes what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dash import html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.panel import Children
from dashboard.what_if_words import KINDS, of_whom

if TYPE_CHECKING:
    from allocation.prices import Allocated, ClassPrices, Estimate, Found
    from allocation.problem import Kind
    from allocation.what_if import Side
    from dashboard.what_if import Answer

_SAME = 1e-6
Tell = Callable[[object], str]


def taken_table(answer: Answer) -> Children:
    """What is brought and taken: as it was, at best under the limits of now, and at best under the one supposed."""
    response = answer.response
    sides = (response.as_it_was, response.before.taken, response.after.taken)
    rows = [
        html.Tr(
            [
                html.Th([name, html.Small(unit)], scope="row"),
                *(html.Td(_with_interval(getattr(side, column), tell), className="number") for side in sides),
            ]
        )
        for column, name, unit, tell in _TAKEN
    ]
    of = f"Compute, latency and losses are those of {of_whom(answer.supposed.pattern)}. At best, one kind of decision "
    of += "changes in each task: what changing two would bring together is not known."
    if any(
        getattr(response.as_it_was, name).value is not None and getattr(side, name).value is None
        for side in sides[1:]
        for name in ("cost_usd_per_day", "latency_s", "loss_usd_per_day")
    ):
        of += f" {formats.UNKNOWN}: estimates of the options come out below nothing, which cannot be; so it is not told."
    return [_table(("", "As it was", "Best now", "Best if moved"), rows, "taken"), html.P(of, className="note")]


def limits_table(answer: Answer) -> Component:
    """Every limit, now and if it is moved: what it allows, what is used, and whether it binds. Money is told by the day."""
    now, then = (_held(side) for side in (answer.response.before, answer.response.after))
    rows = [
        html.Tr(
            [
                html.Th([KINDS[key[0]][1], html.Small(of_whom(key[1]), className="name")], scope="row"),
                *(_state(side.get(key), key[0]) for side in (now, then)),
            ]
        )
        for key in dict.fromkeys([*now, *then])
    ]
    own = KINDS[answer.supposed.kind][0]
    unit = "a second more" if answer.supposed.kind == "latency_sla" else "a dollar more"
    sides = (answer.response.before.price, answer.response.after.price)
    price = html.Tr(
        [
            html.Th([f"Price of the {own}", html.Small(f"a day, for {unit}")], scope="row"),
            *(html.Td(_with_interval(one, formats.usd), className="number") for one in sides),
        ]
    )
    return _table(("Limit", "Now", "If moved"), [*rows, price], "bound")


def prices_table(answer: Answer) -> Children:
    """The prices that move, by class; those that do not are only counted."""
    before, after = answer.response.before.found, answer.response.after.found
    lines = [(row.task_class, _lines(before.of(row.task_class), row)) for row in after.rows]
    moved = [(name, line) for name, line in lines if not all(_is_same(was, now) for _, was, now, _ in line)]
    if not moved:
        return [html.P("No price of quality, latency or risk moves.", className="note")]
    rows = [
        html.Tr([html.Th(name, scope="row", className="name"), *(_moved(was, now, tell) for _, was, now, tell in line)])
        for name, line in moved
    ]
    still = len(lines) - len(moved)
    others = f"The prices of {formats.count(still, 'other class', 'other classes')} stay."
    table = _table(("Task class", *(name for name, *_ in lines[0][1])), rows, "moved")
    return [table, html.P(others, className="note")] if still else [table]


def allocation_table(answer: Answer) -> Children:
    """The share of decisions that each option takes, where it moves; the others are counted."""
    before = _shares(answer.response.before.found)
    after = _shares(answer.response.after.found)
    rows: list[Component] = []
    still = 0
    for (task_class, kind), options in after.items():
        former = {one.option: share for one, _, share in before[task_class, kind]}
        if all(abs(former[one.option] - share) < _SAME for one, _, share in options):
            still += 1
            continue
        for place, (one, was, share) in enumerate(options):
            name: Children | str = [task_class or "unclassified", html.Small(kind)] if not place else ""
            rows.append(_share_row(name, formats.option(kind, one.option), (was, former[one.option], share)))
    kinds = formats.count(still, "kind of decision", "kinds of decision")
    if not rows:
        return [html.P(f"No decision would be taken otherwise, in {kinds}.", className="note")]
    table = _table(("Task class, decision", "Option", "As it was", "Best now", "Best if moved"), rows, "shares")
    return [table, html.P(f"{kinds} would be taken as now.", className="note")] if still else [table]


def left_out(reasons: Sequence[Sequence[object]]) -> Children:
    """Decisions that stay as they were in every what-if, with what is missing."""
    if not reasons:
        return []
    lines = [html.Li([html.Span(str(what), className="name"), f": {why}"]) for what, why in reasons]
    counted = formats.count(len(lines), "kind of decision", "kinds of decision")
    said_so = f"{counted} stay as they were: too little is known of their options"
    return [html.Details([html.Summary(said_so), html.Ul(lines, className="plain")])]


def _moved(was: Estimate, now: Estimate, tell: Tell) -> Component:
    """A price before and after, with the interval of the latter below."""
    before, after = (formats.UNKNOWN if one.value is None else tell(one.value) for one in (was, now))
    if _is_same(was, now):
        return html.Td(after, className="number still")
    said = _with_interval(now, tell).removeprefix(after).strip(" ()")
    return html.Td([f"{before} → {after}", *([html.Small(said)] if said else [])], className="number")


def _share_row(name: Children | str, option: str, shares: tuple[float, float, float]) -> Component:
    cells = [html.Td([_percent(part), _bar(part)], className="number") for part in shares]
    head = html.Th(name, scope="row", className="name") if name else html.Td()
    return html.Tr([head, html.Td(option, className="name"), *cells], className="first" if name else "")


def _lines(former: ClassPrices | None, row: ClassPrices) -> list[tuple[str, Estimate, Estimate, Tell]]:
    """V, λ, ρ and what a dollar is worth: before, now, and how each is said."""
    from allocation.prices import NOTHING

    was = (NOTHING, NOTHING, NOTHING, NOTHING) if former is None else (former.v, former.lam, former.rho, former.budget_worth)
    tells: tuple[tuple[str, Estimate, Tell], ...] = (
        ("V", row.v, formats.usd),
        ("λ", row.lam, formats.usd),
        ("ρ", row.rho, _plain),
        ("A dollar", row.budget_worth, formats.usd),
    )
    return [(name, was[place], now, tell) for place, (name, now, tell) in enumerate(tells)]


def _is_same(a: Estimate, b: Estimate) -> bool:
    if a.value is None or b.value is None:
        return a.value is b.value
    return abs(a.value - b.value) <= _SAME * max(abs(a.value), abs(b.value), 1e-9)


def _shares(found: Found) -> dict[tuple[str, str], list[tuple[Allocated, float, float]]]:
    """By class and kind each option with its share as it was and at best; several menus of one kind are taken together."""
    groups: dict[tuple[str, str], dict[str, list[Allocated]]] = {}
    for one in found.allocation:
        groups.setdefault((one.task_class, one.kind), {}).setdefault(one.option, []).append(one)
    shares: dict[tuple[str, str], list[tuple[Allocated, float, float]]] = {}
    for key, options in groups.items():
        whole = sum(one.decisions for same in options.values() for one in same) or 1.0
        shares[key] = [
            (same[0], sum(one.decisions for one in same) / whole, sum(one.best for one in same) / whole)
            for same in options.values()
        ]
    return shares


def _held(side: Side) -> dict[tuple[Kind, str], tuple[float, float, bool]]:
    """By kind and whom it is for: what is used of a limit, its level, and whether it binds; of several the tightest."""
    found: dict[tuple[Kind, str], tuple[float, float, bool]] = {}
    for one, told in zip(side.found.solved.held, side.found.constraints, strict=True):
        daily = 86_400.0 / one.limit.period_s if one.limit.period_s else 1.0
        state = (float(told["used"]) * daily, float(told["limit"]) * daily, bool(told["is_binding"]))
        key = one.limit.kind, one.limit.pattern
        if key not in found or state[1] < found[key][1]:
            found[key] = state
    return found


def _state(one: tuple[float, float, bool] | None, kind: Kind) -> Component:
    if one is None:
        return html.Td("none", className="number")
    used, level, binds = one
    tell: Tell = _seconds if kind == "latency_sla" else formats.usd
    mark = html.Span("binds" if binds else "slack", className="mark best" if binds else "mark")
    return html.Td([f"{tell(used)} of {tell(level)}", mark], className="number")


def _with_interval(one: Estimate, tell: Tell) -> str:
    if one.value is None:
        return formats.UNKNOWN
    if one.low is None or (one.high is not None and one.high - one.low <= _SAME * max(1e-9, abs(one.value))):
        return tell(one.value)
    return f"{tell(one.value)} ({tell(one.low)} to {'without limit' if one.high is None else tell(one.high)})"


def _plain(value: object) -> str:
    return f"{float(str(value)):,.3g}"


def _seconds(value: object) -> str:
    return f"{_plain(value)}{formats.THIN_SPACE}s".replace("-", "−")


def _percent(part: float) -> str:
    return f"{part * 100:.0f}{formats.THIN_SPACE}%"


def _bar(part: float) -> Component:
    return html.Span(html.Span(style={"width": f"{max(0.0, min(part, 1.0)) * 100:.1f}%"}), className="share-bar")


def _table(heads: Sequence[str], rows: Sequence[Component], name: str) -> Component:
    cells = [
        html.Th(head, scope="col", className="" if head in _TEXT else "number") if head else html.Td(className="corner")
        for head in heads
    ]
    table = html.Table([html.Thead(html.Tr(cells)), html.Tbody(list(rows))], className=f"options what-if-{name}")
    return html.Div(table, className="scrolls", tabIndex=0)


_TEXT = ("Limit", "Task class", "Price", "Task class, decision", "Option")
_TAKEN: tuple[tuple[str, str, str, Tell], ...] = (
    ("net_usd_per_day", "Net of compute", "a day, beyond how it was", formats.usd),
    ("value_usd_per_day", "Value", "a day, beyond how it was", formats.usd),
    ("cost_usd_per_day", "Compute", "a day", formats.usd),
    ("latency_s", "Latency", "a task", _seconds),
    ("loss_usd_per_day", "Expected losses", "a day", formats.usd),
)
