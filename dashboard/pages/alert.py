"""One alert: what is wrong, how wrong, what to do about it, what happened to it and who was told."""

from dataclasses import replace
from typing import cast

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.marks import fact
from dashboard.components.panel import Children, View, nothing
from dashboard.components.table import Column, table
from dashboard.filters import Filters
from dashboard.pages.alert_evidence import absent
from dashboard.pages.alert_words import value_said

Row = dict[str, object]
_PAGES = {  # where more is to be seen of what a rule looks at
    "unpriced_share": ("/ledger", "suspense", "What waits for a price"),
    "suspense_share": ("/ledger", "suspense", "What waits in suspense"),
    "control_difference": ("/ledger", "control_totals", "The totals that differ"),
    "ingest_silence": ("/ingest", "arrivals", "What arrived"),
    "books_check": ("/ledger", "trial_balance", "The trial balance"),
    "budget_overrun": ("/budgets", "budgets", "How the budget stands"),
    "budget_pace": ("/budgets", "budgets", "How the budget stands"),
    "spend_anomaly": ("/spend", "over_time", "What was spent"),
    "misallocation": ("/findings", "findings", "The finding"),
    "delivery": ("/alerts", "alert_channels", "Who is told"),
    "autonomy_breach": ("/layers", "autonomy_breaches", "The actions"),
}


def alert(view: View) -> Children:
    """The alert in the address, its figures, and what to do."""
    if view.filters.alert is None:
        return absent()
    rows = list(view.ask("alert", values=_number(view)))
    if not rows:
        return _unknown(view)
    if len(rows) > 1:
        return _several(view, rows)
    row = rows[0]
    return [
        html.P([dcc.Link("Alerts", href=_inbox(view)), f" / {row['tenant']} {row['alert_id']}"], className="crumbs"),
        html.H1(str(row["message"]), className="headline name"),
        html.Div(_facts(row), className="facts"),
        html.Div(
            [
                html.H3("What to do"),
                dmc.CodeHighlight(code=str(row["mend"]), language="bash", copyLabel="Copy", copiedLabel="Copied")
                if str(row["mend"]).startswith("pigou ")
                else html.P(str(row["mend"]), className="mend"),
                html.P(_see(row), className="note"),
            ],
            className="to-do",
        ),
    ]


def _facts(row: Row) -> list[Component]:
    state = str(row["state"])
    if state == "muted" and row["muted_until"] is not None:
        state += f" until {formats.moment(row['muted_until'])[:16]}"
    facts = [
        fact(str(row["severity"]), "severity", "severity of ledger.alerts", act=row["severity"] == "critical"),
        fact(state, "state", "state of ledger.alerts", act=state == "open"),
        fact(formats.moment(row["opened_at"])[:16], "open since, UTC", "opened_at of ledger.alerts"),
        fact(value_said(row["rule"], row["value"]), _from(row), "value and threshold of ledger.alerts"),
        fact(f"{row['notifications']:,}", "times told", "notifications of ledger.alerts"),
        fact(str(row["rule"]), f"rule, about {row['subject']}", "rule and subject of ledger.alerts"),
    ]
    if row["resolved_at"] is not None:
        facts.insert(3, fact(formats.moment(row["resolved_at"])[:16], "resolved, UTC", "resolved_at of ledger.alerts"))
    elif row["quiet_since"] is not None:
        facts.insert(
            3,
            fact(
                formats.moment(row["quiet_since"])[:16], "right again since, UTC", "it resolves when it stays so for long enough"
            ),
        )
    return facts


def _from(row: Row) -> str:
    return f"last measured; wrong from {value_said(row['rule'], row['threshold'])}"


def _see(row: Row) -> Children:
    """Where more is to be seen: the page of what is looked at, and the alert before."""
    tenant = Filters(where={"tenant": (str(row["tenant"]),)})
    said: Children = []
    if str(row["rule"]) in _PAGES:
        path, panel, label = _PAGES[str(row["rule"])]
        if row["rule"] == "misallocation":
            tenant = tenant.only("mode", str(row["subject"]).partition(":")[0])
        if path == "/layers":
            tenant = tenant.only("layer", "action")
        said.append(dcc.Link(label, href=f"{path}{tenant.search()}#section-{panel}", className="act"))
    if row["former_alert_id"] is not None:
        before = replace(tenant, alert=cast(int, row["former_alert_id"])).search()
        said += [" · " if said else "", dcc.Link("The alert before it of the same", href=f"/alerts{before}", className="act")]
    return said


def alert_history(view: View) -> Children:
    """What happened to it, the newest first."""
    if view.filters.alert is None:
        return absent()
    frame = view.ask("alert_history", values=_number(view))
    if not len(frame):
        return absent()
    columns = (
        Column("at", "When, UTC", "time", 172),
        Column("event", "What", width=130),
        Column("who_said", "By", width=130),
        Column("note", "Note", "sentence", 260, grow=3),
        Column("value_said", "Value", width=160),
    )
    rule = view.ask("alert", values=_number(view)).first()
    rows = [
        {
            **row,
            "who_said": row["who"] or "the clock",
            "value_said": None if row["value"] is None or rule is None else value_said(rule["rule"], row["value"]),
        }
        for row in frame
    ]
    return [table("alert_history", columns, rows, row_key=("tenant", "event_id"))]


def alert_deliveries(view: View) -> Children:
    """Through which channels it was told, and what was answered."""
    if view.filters.alert is None:
        return absent()
    frame = view.ask("alert_deliveries", values=_number(view))
    if not len(frame):
        if view.ask("alert_deliveries_gone", values=_number(view)).only()["are_gone"]:
            return [nothing("Nobody was told, or whoever was is past its retention (pigou retention).")]
        return [nothing("Nobody was told: no channel hears of it.")]
    columns = (
        Column("made_at", "To be told, UTC", "time", 172),
        Column("channel", "Channel", width=120),
        Column("event", "What", width=120),
        Column("state", "State", width=100),
        Column("attempts", "Attempts", "count", 96),
        Column("settled_at", "Settled, UTC", "time", 172),
        Column("answer", "Answer", width=220, grow=2),
    )
    return [table("alert_deliveries", columns, frame, row_key=("tenant", "event_id", "channel"))]


def _several(view: View, rows: list[Row]) -> Children:
    """A number alone may be several tenants'."""
    links: Children = [
        html.Li(dcc.Link(f"{row['tenant']}: {row['message']}", href=view.link(view.filters.only("tenant", str(row["tenant"])))))
        for row in rows
    ]
    return [
        html.H1(f"{len(rows):,} tenants have an alert {view.filters.alert}.", className="headline"),
        html.Ul(cast("list[Component]", links), className="plain"),
    ]


def _unknown(view: View) -> Children:
    return [
        html.H1("There is no alert by this number.", className="headline"),
        html.P(
            [
                f"{view.filters.alert} may be another tenant's. ",
                dcc.Link("All alerts", href="/alerts?status=every", className="act"),
            ],
            className="change",
        ),
    ]


def _inbox(view: View) -> str:
    return view.link(replace(view.filters, alert=None).without("tenant"), "/alerts")


def _number(view: View) -> dict[str, str]:
    return {"alert_id": str(view.filters.alert)}
