"""Every model call, one row each; a click opens its trace."""

from dataclasses import replace
from decimal import Decimal
from typing import cast

from dash import Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dashboard import filters as views
from dashboard import formats
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.filters import SORTS, STATUSES
from dashboard.pages.page import Page, Shell
from dashboard.queries import ROWS_SHOWN

_COLUMNS = (
    Column("started_at", "Started, UTC", "link", 162, pinned=True),
    Column("model", "Model", grow=1, width=170, sortable=False),
    Column("agent", "Agent", width=130, sortable=False),
    Column("layer", "Layer", width=105, sortable=False),
    Column("use", "Use", width=105, sortable=False),
    Column("status", "Status", "status", 105, sortable=False),
    Column("cost_usd", "Cost, USD", "usd", 112),
    Column("latency_ms", "Latency", "duration", 105),
    Column("input_tokens", "Fresh input, tokens", "tokens", 148),
    Column("cache_read_tokens", "Cache read, tokens", "tokens", 148),
    Column("output_tokens", "Output, tokens", "tokens", 125),
    Column("reasoning_tokens", "Reasoning, tokens", "tokens", 145),
    Column(
        "claimed_cost_usd", "Sender's cost, USD", "usd", 130, sortable=False, tooltip="What the sender says it cost; never booked"
    ),
    Column("task_class", "Task class", width=120, sortable=False),
    Column("tenant", "Tenant", width=110, sortable=False),
    Column("provider", "Provider", width=110, sortable=False),
    Column("service", "Service", width=120, sortable=False),
    Column("dialect", "Dialect", width=120, sortable=False),
    Column("reason", "Reason", width=220, sortable=False, tooltip="Why it is unpriced, in suspense or a copy"),
)
_ORDERS = {  # how the first rows are called: ascending, descending
    "started_at": ("oldest", "newest"),
    "cost_usd": ("cheapest", "dearest"),
    "latency_ms": ("fastest", "slowest"),
    "input_tokens": ("smallest in fresh input", "largest in fresh input"),
    "cache_read_tokens": ("smallest in cache reads", "largest in cache reads"),
    "output_tokens": ("smallest in output", "largest in output"),
    "reasoning_tokens": ("smallest in reasoning", "largest in reasoning"),
}
_MEANINGS = {
    "booked": "priced and in the books",
    "unpriced": "in the books, cost not known yet",
    "suspense": "counts could not be read",
    "duplicate": "a second record of a call that is booked once",
}


def every_call(view: View) -> Children:
    """The calls of the window in the order asked for; a header that is clicked sorts all of them, not only those shown."""
    by_status = {str(row["status"]): row for row in view.ask("calls_by_status")}
    whole = sum(cast(int, row["calls"]) for row in by_status.values())
    if not whole:
        return [nothing("No calls in this time with these filters.")]
    frame = view.ask("calls")
    chosen = by_status.get(view.filters.status, {}).get("calls", 0) if view.filters.status else whole
    grid = table(
        "calls",
        _COLUMNS,
        frame,
        row_key=("tenant", "trace_id", "span_id"),
        height_px=640,
        sorted_by=view.filters.sort,
        opens="trace",
    )
    return [
        _statuses(view, by_status, whole),
        grid,
        html.P(_how_many(len(frame), cast(int, chosen), view.filters.sort), className="note"),
    ]


def _statuses(view: View, by_status: dict[str, dict[str, object]], whole: int) -> Component:
    choices: list[tuple[str | None, str, int, str]] = [(None, "All", whole, "every record of a call")]
    choices += [
        (status, status.capitalize(), cast(int, by_status[status]["calls"]), _MEANINGS[status])
        for status in STATUSES
        if status in by_status
    ]
    links = [
        dcc.Link(
            [label, html.Span(f"{calls:,}", className="count")],
            href=view.link(replace(view.filters, status=status)),
            className="choice here" if status == view.filters.status else "choice",
            title=meaning,
        )
        for status, label, calls, meaning in choices
    ]
    spent = sum((cast(Decimal, row["cost_usd"]) for row in by_status.values() if row["cost_usd"] is not None), Decimal(0))
    return html.Div([*links, html.Span(f"{formats.usd(spent)} booked", className="aside")], className="choices")


def _how_many(shown: int, whole: int, sort: str) -> str:
    if shown < ROWS_SHOWN:
        return f"{formats.count(shown, 'call')}. Click one to see its trace."
    order = _ORDERS[sort.removeprefix("-")][sort.startswith("-")]
    return f"The {order} {shown:,} of {whole:,} calls; the CSV has every one. Click a call to see its trace."


def _register(shell: Shell) -> None:
    @shell.app.callback(
        Output("url", "search", allow_duplicate=True),
        Input({"type": "grid", "name": "calls"}, "columnState"),
        State("url", "search"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def sort(columns: list[dict[str, object]] | None, search: str | None, pathname: str | None) -> object:
        before = views.parse(search)
        chosen = next(
            (f"{'-' if c.get('sort') == 'desc' else ''}{c['colId']}" for c in columns or () if c.get("sort")), before.sort
        )
        if pathname != PAGE.path or chosen == before.sort or chosen.removeprefix("-") not in SORTS:
            return no_update
        return replace(before, sort=chosen).search()


PAGE = Page(
    path="/calls",
    name="calls",
    label="Calls",
    key="c",
    register=_register,
    panels=(Panel("calls", "Calls", every_call, table="calls", skeleton_px=640),),
)
