"""One trace: its spans in time, with what each cost; and one span with everything it said."""

from dataclasses import replace
from typing import Any, cast

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dashboard import filters as views
from dashboard import formats
from dashboard.books import BooksUnavailable
from dashboard.components.belongs import belongs_to
from dashboard.components.marks import fact
from dashboard.components.panel import Children, Panel, View, nothing, trouble
from dashboard.components.table import Column, table
from dashboard.figures.waterfall import Bar, waterfall
from dashboard.pages.page import Page, Shell
from dashboard.pages.span import span_details
from dashboard.pages.trace_decisions import trace_decisions

SPANS_SHOWN = 10_000
_COLUMNS = (
    Column("name", "Span", "text", 280, sortable=False, pinned=True),
    Column("latency_ms", "Duration", "duration", 92, sortable=False),
    Column("left", "Time in the trace", grow=1, width=210, sortable=False),
    Column("total_tokens", "Tokens", "tokens", 82, sortable=False),
    Column(
        "cost_usd",
        "Cost, USD",
        "usd",
        106,
        sortable=False,
        tooltip="The span's own booked cost; the column sums to the trace's cost",
    ),
    Column(
        "cost_below_usd",
        "With below, USD",
        "usd",
        128,
        sortable=False,
        tooltip="Its own cost and that of all spans under it",
    ),
    Column(
        "risk_usd",
        "At risk, USD",
        "usd",
        106,
        sortable=False,
        tooltip="What an action may lose, as it states: probability times loss",
    ),
    Column(
        "decided", "Decided here", "decision", 190, sortable=False, tooltip="The choice taken at this span: its options and why"
    ),
    Column("model", "Model", width=150, sortable=False),
    Column("layer", "Layer", width=100, sortable=False),
    Column("use", "Use", width=100, sortable=False),
)


def summary(view: View) -> Children:
    """What the trace was, how long it took, what it cost."""
    frame = view.ask("trace_summary", values={"trace_id": _trace_id(view.path)})
    if not len(frame):
        return _unknown(view)
    total = next(iter(frame))
    name = str(total["root_name"] or "A trace")
    spent = "cost not known" if total["cost_usd"] is None else formats.usd(total["cost_usd"])
    calls = formats.count(total["calls"], "call")
    said: Children = [html.Span(name, className="name"), ": ", html.Strong(spent, className="number"), f" for {calls} in "]
    said.append(html.Span(formats.duration(total["latency_ms"]), className="number"))
    found = view.ask("trace_findings", values={"trace_id": _trace_id(view.path)})
    return [
        html.P(
            [
                dcc.Link("Calls", href=view.link(replace(view.filters, status=None), "/calls")),
                " / trace ",
                html.Code(_trace_id(view.path)),
            ],
            className="crumbs",
        ),
        html.H1([*said, *_open(total), "."], className="headline"),
        html.Div(_facts(total), className="facts"),
        *belongs_to(found, "One of the cases of"),
    ]


def spans(view: View) -> Children:
    """The waterfall. Every span is one row; only those in sight are drawn."""
    frame = view.ask("trace_spans", limit=SPANS_SHOWN, values={"trace_id": _trace_id(view.path)})
    if not len(frame):
        return [nothing("No spans.")]
    bars = waterfall(frame)
    asked = next((bar for bar in bars if bar.span["span_id"] == view.filters.asked.get("span")), None)
    grid = table(
        "trace_spans",
        _COLUMNS,
        [_row(bar) for bar in bars],
        row_key=("span_id", "row"),
        height_px=min(680, 44 + 36 * len(bars) + 18),
        scroll_to=asked.row if asked else None,
        options={
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            "rowClassRules": {
                "copied": "params.data.call_status === 'duplicate'",
                "asked-for": f"params.data.span_id === '{asked.span['span_id']}'" if asked else "false",
            },
        },
    )
    for definition in cast("list[dict[str, Any]]", grid.columnDefs):  # pyright: ignore[reportAttributeAccessIssue]
        if definition["field"] == "name":
            definition["cellRenderer"] = "SpanCell"
        elif definition["field"] == "left":
            definition |= {"cellRenderer": "TimeCell", "valueFormatter": None, "tooltipField": None}
    said = f"{formats.count(len(bars), 'span')}. Click one for its attributes."
    if len(bars) == SPANS_SHOWN:
        said = f"The first {SPANS_SHOWN:,} spans; the CSV has every one. Click one for its attributes."
    if asked:
        said = f"The span asked for is marked: {asked.span['name']}. {said}"
    return [grid, html.P(said, className="note")]


def decided(view: View) -> Children:
    """What the trace was worth as a task, and its decisions."""
    return trace_decisions(view, _trace_id(view.path))


def _row(bar: Bar) -> dict[str, object]:
    span = bar.span
    kept = (
        "span_id",
        "name",
        "role",
        "signal",
        "latency_ms",
        "cost_usd",
        "total_tokens",
        "model",
        "layer",
        "use",
        "call_status",
        "agent",
        "risk_usd",
        "tenant",
    )
    return {
        **{name: span[name] for name in kept},
        "decision_id": None if span["decision_id"] is None else str(span["decision_id"]),
        "decided": None if span["kind"] is None else f"{span['kind']}: {formats.option(span['kind'], span['chosen'])}",
        "row": bar.row,
        "depth": bar.depth,
        "left": bar.left_percent,
        "width": bar.width_percent,
        "cost_below_usd": bar.cost_below_usd,
        "children": bar.children,
        "detached": bar.detached,
        "failed": span["status_code"] == 2,
    }


def _open(total: dict[str, object]) -> Children:
    open_calls = {"without a price": total["unpriced_calls"], "in suspense": total["suspense_calls"]}
    said = [f"{formats.count(calls, 'call')} {what}" for what, calls in open_calls.items() if calls]
    return ["; not counted: ", html.Span(" and ".join(said), className="act")] if said else []


def _facts(total: dict[str, object]) -> list[Component]:
    copies = cast(int, total["duplicate_calls"])
    facts = [
        fact(formats.moment(total["started_at"]), "started, UTC", "the first span's start"),
        fact(f"{total['spans']:,}", "spans", "spans and log records of the trace"),
        fact(formats.tokens(total["tokens"]), "tokens", "total_tokens of its calls"),
        fact(str(total["task_class"] or "–"), "task class", "task_class of its spans"),
        fact(str(total["tenant"]), "tenant", "whose books it is in"),
    ]
    if copies:
        facts.append(fact(f"{copies:,}", "copies, booked once", "calls that a second record reports again"))
    return facts


def _unknown(view: View) -> Children:
    return [
        html.H1("The books know no trace by this id.", className="headline"),
        html.P(
            [
                html.Code(_trace_id(view.path) or "(empty)"),
                " may belong to another tenant, or its spans are past their retention; its calls stay in the books. ",
                dcc.Link("All calls", href="/calls", className="act"),
            ],
            className="change",
        ),
    ]


def _trace_id(path: str) -> str:
    return path.removeprefix(PAGE.path).strip("/").replace("\0", "")


def _register(shell: Shell) -> None:
    @shell.app.callback(
        Output("span-drawer", "opened"),
        Output("span-drawer", "title"),
        Output("span-body", "children"),
        Input({"type": "grid", "name": "trace_spans"}, "cellClicked"),
        State("url", "pathname"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def span(clicked: dict[str, Any] | None, pathname: str | None, search: str | None) -> object:
        if not clicked or not pathname:
            return no_update, no_update, no_update
        span_id = str(clicked["rowId"]).split("|")[0]
        view = View(shell.books, views.parse(search), shell.clock(), pathname, "")
        try:
            title, body = span_details(view, _trace_id(pathname), span_id)
        except BooksUnavailable as error:
            title, body = "This span", [trouble(error)]
        return True, title, body


def _around() -> list[Component]:
    return [
        dmc.Drawer(
            id="span-drawer",
            position="right",
            size="md",
            opened=False,
            withOverlay=False,
            lockScroll=False,
            trapFocus=False,
            closeOnClickOutside=False,
            shadow="lg",
            zIndex=250,
            children=html.Div(id="span-body"),
            closeButtonProps={"aria-label": "Close"},
        )
    ]


PAGE = Page(
    path="/trace/",
    name="trace",
    under="/calls",
    filtered=False,
    register=_register,
    around=_around,
    panels=(
        Panel("trace_summary", "", summary, skeleton_px=90),
        Panel("trace_spans", "Spans in time", spans, table="trace_spans", skeleton_px=500),
        Panel(
            "trace_decisions", "What was decided in it, and what it was worth", decided, table="trace_decisions", skeleton_px=200
        ),
    ),
)
