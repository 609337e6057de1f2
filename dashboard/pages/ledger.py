"""The books themselves: do they balance, what do the accounts hold, what waits for a mend."""

from decimal import Decimal
from typing import cast

from dash import html

from dashboard import formats
from dashboard.components.marks import sentence
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.frame import Frame
from dashboard.pages.page import Page

_SOURCES = {"explicit": "stated by the sender", "inferred": "inferred from names", "none": "not known"}


def suspense(view: View) -> Children:
    """Calls whose cost is not known, and the command or correction that mends each."""
    frame = view.ask("suspense")
    if not len(frame):
        return [nothing("Nothing waits: every call could be read and has a price.")]
    columns = (
        Column("account", "Waits in", width=158),
        Column("model", "Model", width=140),
        Column("provider", "Provider", width=90),
        Column("tenant", "Tenant", width=90),
        Column("calls", "Calls", "count", 78),
        Column("tokens", "Tokens", "tokens", 84),
        Column("mend", "What mends it", "code", grow=3, width=330),
        Column("reason", "Because", grow=2, width=190),
        Column("last_at", "Last call, UTC", "time", 172),
    )
    key = ("tenant", "account", "reason", "provider", "model", "service_tier", "mend")
    return [table("suspense", columns, frame, row_key=key)]


def control_totals(view: View) -> Children:
    """Parents whose stated total is not what was booked below them."""
    by_status = {str(row["status"]): cast(int, row["parents"]) for row in view.ask("control_totals_by_status")}
    if not by_status:
        return [nothing("No span in this time states a total for the calls below it.")]
    frame = view.ask("control_total_differences")
    said = ", ".join(f"{formats.count(parents, 'parent')} {_agreement(status)}" for status, parents in by_status.items())
    if not len(frame):
        return [nothing(f"{said.capitalize()}.")]
    columns = (
        Column("started_at", "Started, UTC", "link", 162, pinned=True),
        Column("name", "Parent", grow=1, width=160),
        Column("input_tokens", "Input stated, tokens", "tokens", 140),
        Column("booked_input_tokens", "Input booked, tokens", "tokens", 145),
        Column("output_tokens", "Output stated, tokens", "tokens", 150),
        Column("booked_output_tokens", "Output booked, tokens", "tokens", 155),
        Column("cost_usd", "Cost stated, USD", "usd", 125),
        Column("booked_cost_usd", "Cost booked, USD", "usd", 130),
        Column("tenant", "Tenant", width=110),
        Column("dialect", "Dialect", width=120),
    )
    return [
        html.P(
            f"{said.capitalize()}. A difference means a call was not seen, was seen twice, or the sender counts otherwise.",
            className="note",
        ),
        table("control_total_differences", columns, frame, row_key=("tenant", "trace_id", "span_id"), opens="trace"),
    ]


def trial_balance(view: View) -> Children:
    """Debits minus credits per book and commodity: all zero, or the books are wrong."""
    frame = view.ask("trial_balance")
    if not len(frame):
        return [nothing("The books have no postings yet.")]
    wrong = sum(1 for row in frame if row["quantity"] or row["amount_usd"])
    verdict = (
        f"{formats.count(wrong, 'line')} not zero: run `pigou check`." if wrong else "Every line is zero: debits equal credits."
    )
    columns = (
        Column("tenant", "Tenant", grow=1, width=120),
        Column("book", "Book", width=90),
        Column("commodity", "Commodity", grow=1, width=150),
        Column("quantity", "Debits − credits, units", "quantity", 170),
        Column("amount_usd", "Debits − credits, USD", "usd", 165),
    )
    return [
        html.Ul([sentence([verdict], act=wrong > 0)], className="sentences"),
        table("trial_balance", columns, frame, row_key=("tenant", "book", "commodity")),
    ]


def balances(view: View) -> Children:
    """What each account took in less what it gave in the window."""
    frame = view.ask("account_balances")
    if not len(frame):
        return [nothing("No postings in this time.")]
    columns = (
        Column("account", "Account", grow=2, width=260),
        Column("commodity", "Commodity", grow=1, width=150),
        Column("quantity", "Quantity, units", "quantity", 140),
        Column("amount_usd", "Amount, USD", "usd", 130),
        Column("unpriced_quantity", "Without a price, units", "quantity", 165),
        Column("book", "Book", width=90),
        Column("tenant", "Tenant", width=110),
    )
    return [table("account_balances", columns, frame, row_key=("tenant", "book", "account", "commodity"))]


def coverage(view: View) -> Children:
    """How layer and use came to be known."""
    frame = view.ask("coverage")
    if not len(frame):
        return [nothing("No calls yet.")]
    columns = (
        Column("dimension", "What", width=100),
        Column("source", "How it is known", grow=1, width=180),
        Column("calls", "Calls", "count", 100),
        Column("of_calls", "Of calls", "share", 90),
        Column("tokens", "Tokens", "tokens", 110),
        Column("cost_usd", "Cost, USD", "usd", 120),
    )
    return [table("coverage", columns, _with_shares(frame), row_key=("dimension", "source"))]


def _with_shares(frame: Frame) -> list[dict[str, object]]:
    whole: dict[object, Decimal] = {}
    for row in frame:
        whole[row["dimension"]] = whole.get(row["dimension"], Decimal(0)) + cast(Decimal, row["calls"])
    return [
        {
            **row,
            "source": _SOURCES.get(str(row["source"]), row["source"]),
            "of_calls": formats.share(row["calls"], whole[row["dimension"]]),
        }
        for row in frame
    ]


def _agreement(status: str) -> str:
    return {"equal": "agree with the books", "differs": "differ", "unchecked": "not checked yet"}.get(status, status)


PAGE = Page(
    path="/ledger",
    name="ledger",
    label="Ledger",
    key="b",
    panels=(
        Panel("suspense", "Suspense and unpriced", suspense, "Of all time, until mended.", table="suspense", skeleton_px=160),
        Panel("control_totals", "Control totals", control_totals, table="control_total_differences", skeleton_px=160),
        Panel("trial_balance", "Trial balance", trial_balance, "Of all time.", table="trial_balance", skeleton_px=200),
        Panel("balances", "Accounts", balances, "Movements of the days shown.", table="account_balances", skeleton_px=500),
        Panel("coverage", "How layer and use are known", coverage, "Of all time.", table="coverage", skeleton_px=200),
    ),
)
