"""What if a limit were another: the reader moves one, and sees the prices, the allocation and the dollars respond."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import dash_mantine_components as dmc
from dash import Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from dashboard import filters as views
from dashboard import formats
from dashboard.books import BooksUnavailable
from dashboard.components.labelled import labelled
from dashboard.components.marks import graph
from dashboard.components.panel import Children, View, nothing, shown_statements, trouble
from dashboard.components.refresh import view_key
from dashboard.figures.what_if import HEIGHT_PX, curve_figure, reach
from dashboard.pages.page import Shell
from dashboard.pages.what_if_tables import allocation_table, left_out, limits_table, prices_table, taken_table
from dashboard.what_if import Answer, Asked, Solver, asked_of, current, further_limits, stated_limits
from dashboard.what_if_words import KINDS, of_whom, sentence

if TYPE_CHECKING:
    from allocation.problem import Kind

Row = dict[str, object]
FOLLOWS = ("whose", "limit", "level")
"""The names of the address that are this panel's."""
_UNITS: dict[Kind, str] = {"compute_budget": "USD a day", "latency_sla": "seconds a task", "risk_envelope": "USD of loss a day"}
_STEPS = 200
_NOT_YET = "Prices were not looked at yet: that happens by itself once tasks are settled."
_OUTDATED = (
    "These prices were solved by an earlier version, in another way. They are looked at again by themselves within a few minutes."
)
_solver = Solver()


def what_if(view: View) -> Children:
    """The controls, and what the prices would be."""
    found = list(view.ask("price_periods"))
    periods = current(found)
    asked = asked_of(view.filters, periods)
    if asked is None:
        return [
            nothing(_OUTDATED if found else _NOT_YET),
            html.P(["To look now: ", html.Code("pigou prices solve"), "."], className="note"),
        ]
    row, answer = _answer(view, asked, periods)
    return [
        html.Div(
            [
                dmc.Select(
                    id="if-whose", data=[str(one["tenant"]) for one in periods], value=asked.tenant, label="Whose",
                    allowDeselect=False, size="xs", w=140,
                ),
                dmc.Select(
                    id="if-limit", data=_limits(row), value=asked.limit, label="Which limit", allowDeselect=False,
                    searchable=True, size="xs", w=280,
                ),
                dmc.NumberInput(
                    id="if-level", value=cast(Any, answer.supposed.level), label=_label(asked.kind), min=0, debounce=500,
                    hideControls=True, size="xs", w=190, thousandSeparator=",", decimalScale=6,
                ),
                labelled(html.Div(_slider(answer), id="if-slider-place", className="slider"), "Move the limit"),
            ],
            className="what-if-controls",
        ),
        html.Div(_answered(asked, row, answer), id="if-answer", className="what-if", role="status"),
        dcc.Store(id="if-shown", data=_key(replace(asked, level=answer.supposed.level))),
    ]  # fmt: skip


def register(shell: Shell) -> None:
    """Answer whenever the limit is moved, and write it into the address."""

    @shell.app.callback(
        Output("if-answer", "children"),
        Output("if-limit", "data"),
        Output("if-limit", "value"),
        Output("if-level", "value"),
        Output("if-level", "label"),
        Output("if-slider-place", "children"),
        Output("if-slider", "value"),
        Output("if-shown", "data"),
        Output({"type": "statements", "panel": "what_if"}, "data"),
        Output({"type": "shape", "panel": "what_if"}, "data", allow_duplicate=True),
        Output("url", "search", allow_duplicate=True),
        Input("if-whose", "value"),
        Input("if-limit", "value"),
        Input("if-level", "value"),
        Input("if-slider", "value"),
        State("if-shown", "data"),
        State("url", "search"),
        State({"type": "shape", "panel": "what_if"}, "data"),
        prevent_initial_call=True,
    )
    def moved(
        whose: str | None, limit: str | None, level: float | str | None, slid: float | None, shown: str | None,
        search: str | None, shape: dict[str, Any] | None,
    ) -> Any:  # fmt: skip
        view = View(shell.books, views.parse(search), shell.clock(), "/prices", "")
        try:
            periods = current(list(view.ask("price_periods")))
            asked = _meant(str(ctx.triggered_id), views.parse(shown), periods, whose, limit, level, slid)
            if asked is None or _key(asked) == shown:
                return (no_update,) * 11
            row, answer = _answer(view, asked, periods)
        except BooksUnavailable as error:
            return [trouble(error)], *(no_update,) * 10
        told = replace(asked, level=answer.supposed.level)
        after = told.within(view.filters)
        is_other = ctx.triggered_id in ("if-whose", "if-limit")
        return (
            _answered(told, row, answer),
            _limits(row) if ctx.triggered_id == "if-whose" else no_update,
            told.limit if ctx.triggered_id == "if-whose" else no_update,
            answer.supposed.level if ctx.triggered_id != "if-level" else no_update,
            _label(told.kind) if is_other else no_update,
            _slider(answer) if is_other else no_update,
            answer.supposed.level if ctx.triggered_id == "if-level" else no_update,
            _key(told),
            shown_statements(view),
            {**(shape or {"skeleton": "", "parts": {}}), "view": view_key(after, "/prices")},
            after.search(),
        )


def _meant(
    moved: str, shown: views.Filters, periods: Sequence[Row], whose: str | None, limit: str | None,
    level: float | str | None, slid: float | None,
) -> Asked | None:  # fmt: skip
    """What the controls ask once one of them was moved: another limit begins at its own level. None while it cannot be read, and
    where a control only says what is shown, as each does when it appears."""
    if moved == "if-whose":
        return None if whose == shown.asked.get("whose") else asked_of(views.Filters(asked={"whose": whose or ""}), periods)
    kind, _, pattern = (limit or "").partition(":")
    if not whose or not pattern or (moved == "if-limit" and limit == shown.asked.get("limit")):
        return None
    asked = Asked(whose, cast("Kind", kind), pattern)
    if moved == "if-limit":
        return asked
    number = slid if moved == "if-slider" else level
    if not isinstance(number, int | float) or not math.isfinite(number) or number < 0:
        return None
    return replace(asked, level=float(f"{number:.6g}"))


def _key(asked: Asked) -> str:
    return asked.within(views.Filters()).search()


def _answer(view: View, asked: Asked, periods: Sequence[Row]) -> tuple[Row, Answer]:
    row = next(one for one in periods if one["tenant"] == asked.tenant)
    alternatives = list(view.ask("price_alternatives", values={"whose": asked.tenant}))
    return row, _solver.answer(asked, row, alternatives)


def _answered(asked: Asked, row: Row, answer: Answer) -> Children:
    response, of = answer.response, answer.supposed
    said = html.P(sentence(of, response, answer.curve), className="to-change name")
    unkept = [html.P(f"Under it: {response.after.found.why}.", className="note")] if response.after.found.why else []
    reasons = cast("list[list[object]]", row["left_out"])
    if answer.curve is None:
        return [said, *unkept, _limits_only(answer), *left_out(reasons)]
    drawing = graph(
        "what_if", curve_figure(answer.curve, of.kind, response.before.level, of.level, key=asked.limit), HEIGHT_PX,
        "What the limit brings at every level, and what one unit more of it brings.",
    )  # fmt: skip
    lines = "The pink line is the limit as it is moved"
    lines += ", the grey one as it is now." if response.before.level is not None else "."
    return [
        said,
        *unkept,
        html.Div(
            [
                html.Div([*taken_table(answer), limits_table(answer)]),
                html.Div([drawing, html.P(lines, className="note")]),
            ],
            className="what-if-beside",
        ),
        html.H3("Who takes what"),
        *allocation_table(answer),
        html.H3("Prices that move"),
        *prices_table(answer),
        html.P(_how(row), className="note"),
        *left_out(reasons),
    ]


def _limits_only(answer: Answer) -> Component:
    return html.Div(limits_table(answer), className="what-if-only")


def _how(row: Row) -> str:
    since, until = (formats.day(cast(Any, row[name])) for name in ("since", "until"))
    decisions, tasks = formats.count(row["decisions"], "decision"), formats.count(row["tasks"], "task")
    return (
        f"Solved over {decisions} with known alternatives in {tasks}, {since} to {until}. Best is by what is known of each "
        "option; intervals are 95 %, over tasks drawn anew. Nothing is changed by looking; pigou prices what-if prints the same."
    )


def _limits(row: Row) -> list[dict[str, object]]:
    """The limits to choose from, those that are stated first."""
    groups = (("Stated", stated_limits(row)), ("Not stated yet", further_limits(row)))
    return [
        {
            "group": name,
            "items": [{"value": f"{kind}:{pattern}", "label": _named(kind, pattern)} for kind, pattern in found],
        }
        for name, found in groups
        if found
    ]


def _named(kind: str, pattern: str) -> str:
    return f"{KINDS[cast('Kind', kind)][1]}, {of_whom(pattern)}"


def _label(kind: Kind) -> str:
    return f"Moved to, {_UNITS[kind]}"


def _slider(answer: Answer) -> Component:
    """From the least level that can be kept to somewhat beyond where more brings nothing."""
    level, before = answer.supposed.level, answer.response.before.level
    if answer.curve is None:
        first, last = 0.0, 2 * (level or 1.0)
    else:
        first, last = reach(answer.curve, before, level)
    step = _step(last - first)
    marks = [{"value": before, "label": "now"}] if before is not None and first <= before <= last else []
    return dmc.Slider(
        id="if-slider", value=cast(Any, level), min=first, max=last, step=step, marks=cast(Any, marks), label=None, size="sm",
        thumbLabel="Move the limit", updatemode="mouseup", color="compute", mt=6, mb=14,
    )  # fmt: skip


def _step(whole: float) -> float:
    """A round number of which there are some hundred in a range."""
    least = max(whole, 1e-9) / _STEPS
    size = 10.0 ** math.floor(math.log10(least))
    return next(size * times for times in (1, 2, 5, 10) if size * times >= least)
