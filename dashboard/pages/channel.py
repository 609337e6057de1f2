"""One channel: who is told of which alerts and how, tests of it with what the receiver answered, and every revision."""

from typing import cast

from dash import Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dashboard import acts, formats
from dashboard import filters as views
from dashboard.acts import Refused
from dashboard.books import BooksUnavailable
from dashboard.components.form import fields_of, form_bar
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.filters import Filters
from dashboard.pages.channel_fields import KINDS, fields, stated
from dashboard.pages.page import Page, Shell
from dashboard.pages.stating import Asked, Done, register_form

Row = dict[str, object]
_ACTS = {
    "save": ("Save", "A further revision: from now on it holds, and what waits is tried anew"),
    "test": ("Send a test notification", "As it is stated, with the secrets of who delivers; save first what you changed"),
    "pause": ("Pause", "Tell nothing of what happens until it is resumed; what waits, waits on"),
    "resume": ("Resume", "Tell again of what happens"),
    "resend": ("Send again", "What was given up is sent after all, from now on"),
    "remove": ("Remove", "Tell nothing through it any more; what waits is dropped"),
}
_POLLS_MAX = 45


def channel(view: View) -> Children:
    """The channel's fields, or those of a new one of the kind in the address."""
    back = html.P([dcc.Link("Alerts", href="/alerts#section-alert_channels"), " / who is told"], className="crumbs")
    rules = [str(row["rule"]) for row in view.ask("rule_names")]
    name, tenant = _name(view), _tenant(view)
    if name is None:
        kind = _kind(view.filters)
        return [
            back,
            html.H1("A new channel.", className="headline new"),
            _choices(view, kind),
            fields_of("channel", fields(kind, None, rules)),
        ]
    row = view.ask("alert_channel", values=_key(view)).first()
    whose = f"of {tenant}" if tenant else "of all tenants"
    if row is None:
        return [back, html.H1(f"There is no channel {name} {whose}.", className="headline name"), _add()]
    return [
        back,
        html.H1(
            f"Channel {name} {whose}: {row['state']}.", className="headline name paused" if row["is_paused"] else "headline name"
        ),
        html.P(_how(row), className="change name"),
        fields_of("channel", fields(str(row["kind"]), row, rules)),
    ]


def _how(row: Row) -> str:
    said = f"{KINDS[str(row['kind'])]}; {formats.count(row['waiting'], 'event')} waiting"
    said += f", {formats.count(row['dead'], 'event')} given up" if row["dead"] else ""
    if row["last_error"] and row["state"] == "failing":
        said += f"; last error: {row['last_error']}"
    return f"{said}."


def _choices(view: View, kind: str) -> Component:
    return html.Div(
        [
            dcc.Link(word, href=view.link(view.filters.only("kind", name)), className="choice here" if name == kind else "choice")
            for name, word in KINDS.items()
        ],
        className="choices",
    )


def _add() -> Component:
    return html.P(dcc.Link("Add a channel", href="/channel", className="act"), className="change")


def tests(view: View) -> Children:
    """Tests of it, with what was answered."""
    if _name(view) is None:
        return [html.Div(className="absent")]
    frame = view.ask("channel_tests", values=_key(view))
    if not len(frame):
        return [nothing("It was not tried yet.")]
    columns = (
        Column("asked_at", "Asked, UTC", "time", 172),
        Column("who", "By", width=120),
        Column("result", "Came of it", width=120),
        Column("answer", "What the receiver, or the network, said", "sentence", 300, grow=1),
    )
    return [
        table("channel_tests", columns, [{**row, "result": row["result"] or "under way"} for row in frame], row_key=("test_id",))
    ]


def history(view: View) -> Children:
    """Every revision, the newest first."""
    if _name(view) is None:
        return [html.Div(className="absent")]
    frame = view.ask("channel_history", values=_key(view))
    if not len(frame):
        return [nothing("Nobody stated it.")]
    columns = (
        Column("recorded_at", "When, UTC", "time", 172),
        Column("source", "Stated by", width=170, grow=1),
        Column("state", "State", width=100),
        Column("kind", "Kind", width=110),
        Column("severity_min", "From severity", width=110),
        Column("rules_said", "Rules", width=160, grow=1),
        Column("revision", "Revision", "count", 90),
    )
    rows = [
        {**row, "rules": None, "tenants": None, "rules_said": ", ".join(cast("list[str] | None", row["rules"]) or ()) or "all"}
        for row in frame
    ]
    return [table("channel_history", columns, rows, row_key=("revision",))]


def perform(collector: str, asked: Asked) -> Done | Refused:
    """State the channel, or do something with the one in the address."""
    name = _name(asked.view) or asked.text("name")
    tenant = _tenant(asked.view) or asked.text("tenant")
    if not name:
        return Refused("a channel has a name: letters, digits, dots, dashes and underscores", "name")
    path = f"/v1/channels/{acts.within(name)}"
    person: dict[str, object] = {"who": asked.who, "tenant": tenant or None}
    shown = Filters(asked={"channel": name}, where={"tenant": (tenant,)} if tenant else {})
    if asked.act == "save":
        row = asked.view.ask("alert_channel", values={"channel": name, "tenant": tenant}).first()
        if _name(asked.view) is None and row is not None:
            return Refused(f"there is a channel {name} already; open it to change it", "name")
        item = stated(asked, _kind(asked.view.filters) if row is None else str(row["kind"]), row)
        return acts.ask(collector, path, {**person, "channel": item}) or Done("Stated.", f"/channel{shown.search()}")
    done = {
        "pause": "Paused.", "resume": "Resumed.", "remove": "Removed.", "resend": "What was given up waits to be sent again.",
        "test": "Asked whoever delivers to send a test…",
    }  # fmt: skip
    refused = acts.ask(collector, f"{path}/{asked.act}", person)
    return refused or Done(done[asked.act], "/alerts#section-alert_channels" if asked.act == "remove" else None)


def test_said(row: Row | None, polls: int) -> tuple[str, bool]:
    """What is to be said of a test that was asked for, and whether to ask on."""
    if row is not None and row["result"] is not None:
        taken = "The receiver took the test" if row["result"] == "sent" else "The test was not taken"
        return f"{taken}: {row['answer']}", False
    if polls >= _POLLS_MAX:
        return "Nobody has sent the test yet: the analyzers deliver, and may not run. Start them with `pigou up`.", False
    return "Asked whoever delivers to send a test…", True


def _register(shell: Shell) -> None:
    register_form(shell, "channel", "/channel", perform)

    @shell.app.callback(
        Output("test-poll", "disabled"),
        Output("test-poll", "n_intervals"),
        Input({"type": "form-act", "form": "channel", "act": "test"}, "n_clicks"),
        prevent_initial_call=True,
    )
    def wait(clicks: int | None) -> object:
        return (False, 0) if clicks else (no_update, no_update)

    @shell.app.callback(
        Output({"type": "form-said", "form": "channel"}, "children", allow_duplicate=True),
        Output("test-poll", "disabled", allow_duplicate=True),
        Output("tick", "n_intervals", allow_duplicate=True),
        Input("test-poll", "n_intervals"),
        State({"type": "form-said", "form": "channel"}, "children"),
        State("url", "search"),
        State("tick", "n_intervals"),
        prevent_initial_call=True,
    )
    def poll(polls: int | None, said: str | None, search: str | None, ticks: int | None) -> object:
        if not polls:
            return no_update, no_update, no_update
        if str(said or "").startswith("Nothing was done"):
            return no_update, True, no_update
        view = View(shell.books, views.parse(search), shell.clock(), "/channel", "")
        try:
            shell.books.recent.forget()  # it is waited for
            row = view.ask("channel_tests", limit=1, values=_key(view)).first()
        except BooksUnavailable as error:
            return str(error), True, no_update
        now_said, goes_on = test_said(row, polls)
        return now_said, not goes_on, no_update if goes_on else (ticks or 0) + 1


def _around() -> list[Component]:
    return [form_bar("channel", _ACTS), dcc.Interval(id="test-poll", interval=1000, disabled=True)]


def _kind(filters: Filters) -> str:
    kind = filters.where.get("kind", ("webhook",))[0]
    return kind if kind in KINDS else "webhook"


def _name(view: View) -> str | None:
    return view.filters.asked.get("channel")


def _tenant(view: View) -> str:
    return view.filters.where.get("tenant", ("",))[0] or ""


def _key(view: View) -> dict[str, str]:
    return {"channel": _name(view) or "", "tenant": _tenant(view)}


PAGE = Page(
    path="/channel",
    name="channel",
    under="/alerts",
    filtered=False,
    dimensions={"kind": "Kind", "tenant": "Tenant"},
    register=_register,
    around=_around,
    panels=(
        Panel("channel", "", channel, skeleton_px=320),
        Panel("channel_tests", "Tests of it", tests, skeleton_px=100),
        Panel("channel_history", "How it was stated", history, "Nothing is edited.", skeleton_px=160),
    ),
)
