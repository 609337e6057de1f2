"""Decisions, one row each, those that lost most first; a click opens one."""

from dataclasses import replace
from typing import cast

from dash import Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dashboard import filters as views
from dashboard import formats
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.components.terms import MEANINGS
from dashboard.filters import DECISION_DIMENSIONS, DECISION_SORTS, VERDICTS
from dashboard.pages.allocation import VERDICT_WORDS
from dashboard.pages.page import Page, Shell
from dashboard.queries import ROWS_SHOWN

_COLUMNS = (
    Column("decided_at", "Decided, UTC", "decision", 162, pinned=True),
    Column("kind", "Kind", width=84, sortable=False),
    Column("task_class", "Task class", width=130, grow=1, sortable=False),
    Column("chosen", "Chosen", width=140, grow=1, sortable=False),
    Column(
        "best",
        "Best",
        width=140,
        grow=1,
        sortable=False,
        tooltip="The option with the largest net value; – where it is not known",
    ),
    Column("regret_usd", "Regret, USD", "usd", 128, tooltip=MEANINGS["regret"]),
    Column("regret_low_usd", "from (95 %)", "usd", 105, sortable=False),
    Column("regret_high_usd", "to (95 %)", "usd", 105, sortable=False),
    Column("status_said", "Status", width=168, sortable=False),
    Column("propensity", "Propensity", "quantity", 105, tooltip=MEANINGS["propensity"]),
    Column("layer", "Layer", width=90, sortable=False),
    Column("agent", "Agent", width=110, sortable=False),
    Column("tenant", "Tenant", width=100, sortable=False),
    Column("n", "Compared on, decisions", "count", 165, sortable=False),
    Column("method", "Method", width=180, sortable=False),
    Column("why", "Why", width=260, sortable=False),
)
_ORDERS = {  # how the first rows are called: ascending, descending
    "regret_usd": ("with the least regret", "with the most regret"),
    "decided_at": ("oldest", "newest"),
    "value_usd": ("with the least value", "with the most value"),
    "cost_usd": ("cheapest", "dearest"),
    "latency_usd": ("fastest", "slowest"),
    "risk_usd": ("safest", "riskiest"),
    "net_usd": ("with the least net value", "with the most net value"),
    "propensity": ("least likely", "likeliest"),
}


def every_decision(view: View) -> Children:
    """The decisions of the window in the order asked for, counted by what is thought of them."""
    by_status = {cast("str | None", row["status"]): row for row in view.ask("decisions_by_status")}
    whole = sum(cast(int, row["decisions"]) for row in by_status.values())
    if not whole:
        return [nothing("No decisions in this time with these filters.")]
    frame = view.ask("decisions")
    shown = view.filters.status if view.filters.status in VERDICTS else None
    counted = cast(int, by_status[shown]["decisions"]) if shown in by_status else 0 if shown else whole
    rows = [
        {
            **row,
            **{name: formats.option(row["kind"], row[name]) for name in ("chosen", "best") if row[name] is not None},
            "status_said": VERDICT_WORDS[cast("str | None", row["status"])],
        }
        for row in frame
    ]
    grid = table(
        "decisions",
        _COLUMNS,
        rows,
        row_key=("tenant", "decision_id"),
        height_px=640,
        sorted_by=view.filters.decision_sort,
        opens="decision",
    )
    return [
        _statuses(view, by_status, whole),
        grid,
        html.P(_how_many(len(frame), counted, view.filters.decision_sort), className="note"),
    ]


def _statuses(view: View, by_status: dict[str | None, dict[str, object]], whole: int) -> Component:
    choices: list[tuple[str | None, str, int]] = [(None, "All", whole)]
    choices += [
        (verdict, VERDICT_WORDS[verdict].capitalize(), cast(int, by_status[verdict]["decisions"]))
        for verdict in VERDICTS
        if verdict in by_status
    ]
    links = [
        dcc.Link(
            [label, html.Span(f"{decisions:,}", className="count")],
            href=view.link(replace(view.filters, status=verdict)),
            className="choice here" if verdict == view.filters.status else "choice",
        )
        for verdict, label, decisions in choices
    ]
    lost = by_status.get("appraised", {}).get("regret_usd")
    return html.Div([*links, html.Span(f"{formats.usd(lost or 0)} lost beyond chance", className="aside")], className="choices")


def _how_many(shown: int, whole: int, sort: str) -> str:
    if shown < ROWS_SHOWN:
        return f"{formats.count(shown, 'decision')}. Click one to see its options."
    order = _ORDERS[sort.removeprefix("-")][sort.startswith("-")]
    return f"The {shown:,} {order}, of {whole:,} decisions; the CSV has every one. Click one to see its options."


def _register(shell: Shell) -> None:
    @shell.app.callback(
        Output("url", "search", allow_duplicate=True),
        Input({"type": "grid", "name": "decisions"}, "columnState"),
        State("url", "search"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def sort(columns: list[dict[str, object]] | None, search: str | None, pathname: str | None) -> object:
        before = views.parse(search)
        chosen = next(
            (f"{'-' if c.get('sort') == 'desc' else ''}{c['colId']}" for c in columns or () if c.get("sort")),
            before.decision_sort,
        )
        if pathname != PAGE.path or chosen == before.decision_sort or chosen.removeprefix("-") not in DECISION_SORTS:
            return no_update
        return replace(before, sort=chosen).search()


PAGE = Page(
    path="/decisions",
    name="decisions",
    label="Decisions",
    key="d",
    dimensions=DECISION_DIMENSIONS,
    offers="decision_filter_values",
    register=_register,
    panels=(Panel("decisions", "Decisions", every_decision, table="decisions", skeleton_px=640),),
)
