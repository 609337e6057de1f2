"""Spend: what was spent, where it went, on which tokens, and how far to trust it."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import cast

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dashboard import filters as views
from dashboard import formats, theme
from dashboard.components.marks import graph, known_or, percent_of, series_row, share_row
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.figures.paper import Figure
from dashboard.figures.spend import Series, beside_former, series_of, spend_over_time, tokens_over_time
from dashboard.filters import DIMENSIONS, Window, span_said
from dashboard.frame import Frame
from dashboard.pages.headline import headline
from dashboard.pages.page import Page, Shell
from dashboard.pages.trust import trust
from dashboard.queries import bucket_of

_VALUES_SHOWN = 6
_VALUES_ASKED = 50


def over_time(view: View) -> Children:
    """Dollars over time by the first dimension of the grouping, with its values named beside it in the figure's own shades."""
    window = _span(view)
    if window is None:
        return [_group_choice(view), nothing("No calls in this time.")]
    frame, bucket = _in_steps(view, window, "spend_over_time", "spend_over_minutes")
    if not len(frame):
        return [_group_choice(view), nothing("No calls in this time.")]
    figure = _compared(view, spend_over_time(frame, window, bucket, key=view.filters.search()), bucket)
    said = f"Dollars per {bucket} by {DIMENSIONS[view.filters.by[0]].lower()}; the table below holds the same numbers."
    series = series_of(frame)
    whole = sum((one.cost_usd for one in series if one.cost_usd is not None), Decimal(0))
    return [
        _group_choice(view),
        html.Div(
            [
                graph("spend_over_time", figure, 320, said),
                html.Div([_series_row(view, one, whole) for one in series], className="beside"),
            ],
            className="graph-beside",
        ),
    ]


def _compared(view: View, figure: Figure, bucket: str) -> Figure:
    """With the period before drawn over it, where the address asks for that and there is one."""
    before = view.filters.stepped(view.now, -1) if "former" in view.filters.asked else None
    if before is None or before.since is None or view.window.since is None or bucket == "minute":
        return figure
    former = view.ask("spend_over_time", bucket=bucket, window=before)
    said = span_said(view.filters.between(before), view.now)
    return beside_former(figure, former, view.window.since - before.since, bucket, said)


def breakdown(view: View) -> Children:
    """The same dollars along every dimension, the dearest values first; each value is a link that narrows the page to it."""
    frame = view.ask("spend_by_dimension", limit=_VALUES_ASKED)
    if not len(frame):
        return [nothing("No calls in this time.")]
    return [html.Div([_dimension(view, frame, dimension) for dimension in DIMENSIONS], className="breakdown")]


def token_kinds(view: View) -> Children:
    """Tokens over time by kind, and what each kind sums to."""
    window = _span(view)
    if window is None:
        return [nothing("No calls in this time.")]
    frame, bucket = _in_steps(view, window, "tokens_over_time", "tokens_over_minutes")
    if not len(frame):
        return [nothing("No calls in this time.")]
    figure = tokens_over_time(frame, window, bucket, key=view.filters.search())
    beside: Children = []
    for heading, kinds in (("Output", theme.OUTPUT_KINDS), ("Input", theme.INPUT_KINDS)):
        sums = {kind: sum(cast(Decimal, counted) for counted in frame.column(kind) if counted is not None) for kind in kinds}
        beside.append(html.H3(heading))
        beside += [_kind_row(label, color, sums[kind], sum(sums.values())) for kind, (label, color) in kinds.items()]
    said = f"Tokens per {bucket} by kind, output above, input below."
    drawing = graph("tokens_over_time", figure, 380, said)
    return [html.Div([drawing, html.Div(beside, className="beside")], className="graph-beside")]


def combinations(view: View) -> Children:
    """Dollars, calls and tokens of every combination of the grouping's dimensions."""
    frame = view.ask("spend_cross")
    columns = [Column(name, DIMENSIONS[name], grow=1, width=170 if name == "model" else 115) for name in view.filters.by]
    columns += [
        Column("cost_usd", "Cost, USD", "usd", 110),
        Column("calls", "Calls", "count", 90),
        Column("input_tokens", "Fresh input, tokens", "tokens", 148),
        Column("cache_read_tokens", "Cache read, tokens", "tokens", 148),
        Column("cache_write_tokens", "Cache write, tokens", "tokens", 150),
        Column("output_tokens", "Output, tokens", "tokens", 125),
        Column("reasoning_tokens", "Reasoning, tokens", "tokens", 145),
        Column("unpriced_calls", "Unpriced, calls", "count", 110),
        Column("suspense_calls", "Suspense, calls", "count", 115),
    ]
    choice = dmc.MultiSelect(
        id="cross",
        data=[{"value": name, "label": label} for name, label in DIMENSIONS.items()],
        value=list(view.filters.by),
        size="xs",
        label="Grouped by",
        hidePickedOptions=True,
        className="inline-choice",
        miw=220,
    )
    if not len(frame):
        return [choice, nothing("No calls in this time.")]
    return [choice, table("spend_cross", columns, frame, row_key=view.filters.by, sorted_by="-cost_usd")]


def _in_steps(view: View, window: Window, name: str, name_by_minute: str) -> tuple[Frame, str]:
    """A query's answer in steps that suit the window; in hours where minutes are past their retention."""
    bucket = bucket_of(window)
    if bucket == "minute":
        frame = view.ask(name_by_minute)
        if len(frame):
            return frame, bucket
        bucket = "hour"
    return view.ask(name, bucket=bucket), bucket


def _span(view: View) -> Window | None:
    """The window to draw; for "all time" the one that the calls themselves span, None where there are none."""
    if view.window.since is not None and view.window.until is not None:
        return view.window
    extent = view.ask("spend_extent").only()
    first, last = cast("datetime | None", extent["first_hour"]), cast("datetime | None", extent["last_hour"])
    return None if first is None or last is None else Window(first, last + timedelta(hours=1))


def _group_choice(view: View) -> Component:
    """Which dimension the shades stand for, as links, so that the choice is in the address."""
    chosen = view.filters.by[0]
    links = [
        dcc.Link(
            label, href=view.link(view.filters.grouped_first_by(name)), className="choice here" if name == chosen else "choice"
        )
        for name, label in DIMENSIONS.items()
    ]
    is_compared = "former" in view.filters.asked
    compare = dcc.Link(
        "beside the period before",
        href=view.link(view.filters.asking(former=None if is_compared else "1")),
        className="choice here" if is_compared else "choice",
    )
    return html.Div([html.Span("by"), *links, html.Span(compare, className="aside")], className="choices")


def _series_row(view: View, series: Series, whole: Decimal) -> Component:
    href = view.link(view.filters.only(view.filters.by[0], series.values[0])) if len(series.values) == 1 else None
    amount = "no price" if series.cost_usd is None else formats.usd(series.cost_usd)
    said = f"{formats.count(series.calls, 'call')}" + (f", {series.unpriced_calls:,} unpriced" if series.unpriced_calls else "")
    title = said if href is None else f"{said}. Click to see only {series.label}."
    return series_row(series.color, series.label, amount, formats.share(series.cost_usd, whole), title, href)


def _kind_row(label: str, color: str, counted: Decimal | int, whole: Decimal | int) -> Component:
    return series_row(color, label, formats.tokens(counted), formats.share(counted, whole), f"{counted:,} tokens")


def _dimension(view: View, frame: Frame, dimension: str) -> Component:
    rows = [row for row in frame if row["dimension"] == dimension]
    shown, rest = rows[:_VALUES_SHOWN], rows[_VALUES_SHOWN:]
    whole = rows[0]["total_cost_usd"] if rows else None
    dearest = next((row["cost_usd"] for row in rows if row["cost_usd"] is not None), None)
    items = [_value_row(view, dimension, row, whole, dearest) for row in shown]
    if rest:
        href = view.link(replace(view.filters, by=(dimension,))) + "#section-combinations"
        hidden = cast(int, rows[0]["total_values"]) - len(shown)
        items.append(dcc.Link(f"{hidden:,} more", href=href, className="more"))
    return html.Div([html.H3(DIMENSIONS[dimension]), *items])


def _value_row(view: View, dimension: str, row: dict[str, object], whole: object, dearest: object) -> Component:
    value = cast("str | None", row["value"])
    label = known_or(value)
    said = f"{label}: {formats.count(row['calls'], 'call')}, {formats.tokens(row['tokens'])} tokens"
    said += f", {row['unpriced_calls']:,} unpriced" if row["unpriced_calls"] else ""
    return share_row(
        label,
        "no price" if row["cost_usd"] is None else formats.usd(row["cost_usd"]),
        formats.share(row["cost_usd"], whole),
        percent_of(row["cost_usd"], dearest),
        view.link(view.filters.only(dimension, value)),
        said,
        theme.UNKNOWN if value is None else theme.COMPUTE,
        muted=row["cost_usd"] is None,
    )


def _register(shell: Shell) -> None:
    @shell.app.callback(
        Output("url", "search", allow_duplicate=True), Input("cross", "value"), State("url", "search"), prevent_initial_call=True
    )
    def regroup(chosen: list[str] | None, search: str | None) -> object:
        before = views.parse(search)
        by = tuple(name for name in chosen or () if name in DIMENSIONS)
        return no_update if not by or by == before.by else replace(before, by=by).search()


PAGE = Page(
    path="/spend",
    name="spend",
    label="Spend",
    key="s",
    register=_register,
    panels=(
        Panel("headline", "", headline, skeleton_px=90),
        Panel("over_time", "Spend over time", over_time, skeleton_px=330),
        Panel(
            "breakdown",
            "Where it went",
            breakdown,
            caption="Click a value to see only that.",
            table="spend_by_dimension",
            skeleton_px=360,
        ),
        Panel(
            "token_kinds",
            "Tokens by kind",
            token_kinds,
            caption="The kinds do not overlap: each token is counted once.",
            skeleton_px=380,
        ),
        Panel("trust", "How far to trust this", trust, skeleton_px=160),
        Panel("combinations", "Every combination", combinations, table="spend_cross", skeleton_px=300),
    ),
)
