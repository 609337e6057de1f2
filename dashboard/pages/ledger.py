"""The books themselves: do they balance, what do the accounts hold, what waits for a mend."""

from decimal import Decimal
from typing import cast

from dash import html

from dashboard import formats
from dashboard.components.marks import sentence
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.filters import LEDGER_DIMENSIONS
from dashboard.frame import Frame
from dashboard.pages import give_price
from dashboard.pages.ledger_headline import headline
from dashboard.pages.page import Page

_SOURCES = {"explicit": "stated by the sender", "inferred": "inferred from names", "none": "not known"}


def suspense(view: View) -> Children:
    """Calls whose cost is not known, and what mends each."""
    frame = view.ask("suspense")
    if not len(frame):
        return [nothing("Nothing waits: every call could be read and has a price.")]
    columns = (
        Column("account", "Waits in", width=146),
        Column("model", "Model", width=124),
        Column("provider", "Provider", width=84),
        Column("tenant", "Tenant", width=84),
        Column("calls", "Calls", "count", 72),
        Column("tokens", "Tokens", "tokens", 80),
        Column("reason", "Because", width=186),
        Column("mend", "What mends it on the command line", "code", grow=3, width=300),
        Column("last_at", "Last call, UTC", "time", 160),
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
        Column("name", "Parent", grow=1, width=150),
        Column("input_tokens", "Input stated", "tokens", 112, tooltip="Tokens that the parent says its calls took in"),
        Column("booked_input_tokens", "Input booked", "tokens", 118, tooltip="Tokens in that were booked below it"),
        Column("output_tokens", "Output stated", "tokens", 120, tooltip="Tokens that the parent says its calls gave out"),
        Column("booked_output_tokens", "Output booked", "tokens", 126, tooltip="Tokens out that were booked below it"),
        Column("cost_usd", "Cost stated, USD", "usd", 136),
        Column("booked_cost_usd", "Cost booked, USD", "usd", 140),
        Column("tenant", "Tenant", width=100),
        Column("dialect", "Dialect", width=120),
    )
    return [
        html.P(
            f"{said.capitalize()}. A difference means a call was not seen, was seen twice, or the sender counts otherwise; one in"
            " cost alone, that the sender has other prices.",
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
        Column("tenant", "Tenant", width=100),
        Column("book", "Book", width=84),
        Column("commodity", "Commodity", grow=1, width=190),
        Column("debit_usd", "Debits, USD", "usd", 120),
        Column("credit_usd", "Credits, USD", "usd", 120),
        Column("amount_usd", "Difference, USD", "usd", 130),
        Column("debit_quantity", "Debits, units", "quantity", 150),
        Column("credit_quantity", "Credits, units", "quantity", 150),
        Column("quantity", "Difference, units", "quantity", 150),
    )
    return [
        html.Ul([sentence([verdict], act=wrong > 0)], className="sentences"),
        table("trial_balance", columns, frame, row_key=("tenant", "book", "commodity")),
    ]


def balances(view: View) -> Children:
    """What stood on each account, what moved, and what stands; a click opens its statement."""
    frame = view.ask("account_balances")
    if not len(frame):
        return [nothing("The books have no postings yet.")]
    columns = (
        Column("account", "Account", "account", grow=2, width=280, sortable=True),
        Column("opening_usd", "Before, USD", "usd", 120),
        Column("moved_usd", "Moved, USD", "usd", 120),
        Column("closing_usd", "At the end, USD", "usd", 130),
        Column("unpriced_quantity", "Without a price, units", "quantity", 165),
        Column("book", "Book", width=90),
        Column("tenant", "Tenant", width=110),
    )
    return [table("account_balances", columns, frame, row_key=("tenant", "book", "account"), opens="account")]


def claims(view: View) -> Children:
    """What senders say that calls cost, beside what the books charge for the same calls; a claim is never booked."""
    sums = view.ask("claims_total")
    if not len(sums):
        return [nothing("In this time no sender states a cost.")]
    wrong = sum(cast(Decimal, row["differing_calls"]) for row in sums)
    whole = sum(cast(Decimal, row["calls"]) for row in sums)
    columns = (
        Column("dialect", "Said by", width=130),
        Column("model", "Model", grow=1, width=160),
        Column("provider", "Provider", width=110),
        Column("calls", "Calls", "count", 90),
        Column("differing_calls", "Differ, calls", "count", 110),
        Column("claimed_usd", "Senders say, USD", "usd", 140),
        Column("cost_usd", "Books charge, USD", "usd", 140),
        Column("difference_usd", "Difference, USD", "usd", 130),
    )
    said = f"{formats.count(wrong, 'claim differs', 'claims differ')} from the books, of {whole:,}. A sender may know of a "
    said += "discount, or price cached tokens otherwise; if its price is the right one, give it under “Give a price”."
    named = ("claimed_usd", "cost_usd", "difference_usd")
    total: dict[str, object] = {name: sum(cast(Decimal, row[name]) for row in sums) for name in named}
    children: Children = [
        html.P(said, className="note"),
        table("claims_total", columns, sums, row_key=("dialect", "provider", "model"), total={"dialect": "Sum"} | total),
    ]
    return children if not wrong else [*children, *_differing(view)]


def _differing(view: View) -> Children:
    """Single calls, the largest difference first."""
    columns = (
        Column("started_at", "Started, UTC", "link", 162, pinned=True),
        Column("model", "Model", grow=1, width=160),
        Column("claimed_cost_usd", "Sender says, USD", "usd", 130),
        Column("cost_usd", "Books charge, USD", "usd", 140),
        Column("difference_usd", "Difference, USD", "usd", 130),
        Column("provider", "Provider", width=110),
        Column("dialect", "Said by", width=120),
        Column("tenant", "Tenant", width=110),
    )
    grid = table("claims", columns, view.ask("claims"), row_key=("tenant", "trace_id", "span_id"), opens="trace")
    return [html.H3("The calls that differ most", className="beneath"), grid]


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
    return {
        "equal": "agree with the books",
        "differs": "differ",
        "cost differs": "differ in cost alone",
        "unchecked": "not checked yet",
    }.get(status, status)


PAGE = Page(
    path="/ledger",
    name="ledger",
    label="Ledger",
    key="b",
    dimensions=LEDGER_DIMENSIONS,
    register=give_price.register,
    panels=(
        Panel("ledger_headline", "", headline, skeleton_px=90),
        Panel("suspense", "Suspense and unpriced", suspense, "Of all time, until mended.", table="suspense", skeleton_px=160),
        give_price.PANEL,
        Panel("trial_balance", "Trial balance", trial_balance, "Of all time.", table="trial_balance", skeleton_px=500),
        Panel(
            "balances",
            "Accounts",
            balances,
            "Debits are positive. Click an account for its statement.",
            table="account_balances",
            skeleton_px=500,
        ),
        Panel(
            "control_totals",
            "Control totals",
            control_totals,
            "Tokens and dollars that agents say their calls used, against what was booked.",
            table="control_total_differences",
            skeleton_px=160,
        ),
        Panel("claims", "Claims against the books", claims, "Costs that senders state.", table="claims_total", skeleton_px=60),
        Panel("coverage", "How layer and use are known", coverage, "Of all time.", table="coverage", skeleton_px=200),
    ),
)
