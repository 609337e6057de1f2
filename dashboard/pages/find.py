"""Find what an id names: a trace, a conversation, a user, a provider's answer, a decision."""

import re
from dataclasses import replace
from uuid import UUID

from dash import Input, Output, State, dcc, html, no_update

from dashboard import filters as views
from dashboard import formats
from dashboard.components.panel import Children, Panel, View
from dashboard.components.table import Column, table
from dashboard.filters import describe
from dashboard.pages.page import Page, Shell

_TRACE = re.compile(r"(?:[0-9a-f]{2}-)?(?P<trace>[0-9a-f]{32})(?:[-/:, ]+(?P<span>[0-9a-f]{16}))?(?:-[0-9a-f]{2})?")
"""A trace's id, alone, with that of a span, or within the header of W3C Trace Context that carries both on."""
_SPAN = re.compile(r"[0-9a-f]{16}")
_COLUMNS = (
    Column("started_at", "Started, UTC", "link", 170),
    Column("found_by", "Found by its", width=120),
    Column("trace_id", "Trace", width=280, grow=1),
    Column("agent", "Agent", width=120),
    Column("task_class", "Task class", width=140),
    Column("calls", "Calls", "count", 90),
    Column("cost_usd", "Cost, USD", "usd", 110),
    Column("tenant", "Tenant", width=110),
)


def found(view: View) -> Children:
    """The traces in which a call names the id, newest first."""
    sought = view.filters.sought
    if not sought:
        return [html.H1("Nothing is sought.", className="headline"), html.P(_HOW, className="change")]
    frame = view.ask("found", values={"q": sought})
    count = formats.count(len(frame), "trace names", "traces name") if len(frame) else "No trace names"
    said = html.H1([count, " ", html.Code(sought, className="name"), "."], className="headline")
    if len(frame):
        grid = table("found", _COLUMNS, frame, row_key=("tenant", "trace_id"), opens="trace")
        return [said, html.Div(grid, className="beneath")]
    everywhere = view.link(replace(view.filters, range="all", since=None, until=None))
    link = dcc.Link("Look in all time", href=everywhere, className="act")
    looked = html.P([f"No call {describe(view.filters, view.now)} names it. ", link], className="change")
    return [said, looked, *_of_a_span(sought), html.P(_HOW, className="note")]


_HOW = (
    "An id is found as it was sent: of a trace, of a conversation (gen_ai.conversation.id), of a user (enduser.id, user.id), "
    "of a provider's answer, of a gateway's or a request's own, or of a decision; a traceparent leads to its trace, at its span."
)


def _of_a_span(sought: str) -> Children:
    """What to do with the id of a span alone: spans have no index of their own, which every span stored would pay for."""
    if not _SPAN.fullmatch(sought.lower()):
        return []
    return [html.P([_ALONE, html.Code(_ASKED % sought.lower())], className="note")]


_ALONE = (
    "It looks like the id of a span, and a span is found through its trace: look for the trace's id, or for the traceparent"
    " (00-trace-span-01). With the span's id alone SQL tells its trace, in as long as it takes to read every span: "
)
_ASKED = "pigou sql \"select tenant, trace_id, name, started_at from ledger.spans where span_id = '%s'\""


def address_of(sought: str, search: str | None) -> str:
    """Where an id leads: a trace and a decision to themselves, anything else to what names it, in the range that is looked at."""
    text = sought.strip()
    if of_trace := _TRACE.fullmatch(text.lower()):
        return f"/trace/{of_trace['trace']}" + (f"?span={of_trace['span']}" if of_trace["span"] else "")
    try:
        return f"/decision?id={UUID(text)}"
    except ValueError:
        kept = views.parse(search).within({"tenant"})
        return "/find" + replace(kept, sought=text).search()


def _register(shell: Shell) -> None:
    @shell.app.callback(
        Output("url", "href", allow_duplicate=True),
        Input("find", "n_submit"),
        State("find", "value"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def find(submitted: int | None, sought: str | None, search: str | None) -> object:
        return address_of(sought, search) if submitted and sought and sought.strip() else no_update


PAGE = Page(
    path="/find",
    name="find",
    dimensions={"tenant": "Tenant"},
    register=_register,
    panels=(Panel("found", "", found, table="found", skeleton_px=300),),
)
