"""A statement of one account, or of all below it: what stood, what moved day by day, and every posting."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import cast

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.marks import fact, graph
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.figures.statement import balance_over_time
from dashboard.filters import LEDGER_DIMENSIONS, Window, span_said
from dashboard.frame import Frame
from dashboard.pages.page import Page
from dashboard.queries import ROWS_SHOWN

_KINDS = {
    "expenses": "what was spent",
    "liabilities": "what is owed; credits are negative",
    "income": "what tasks were worth; credits are negative",
    "assets": "what is held",
    "suspense": "what waits for a price or for readable counts",
}
_BOOKS = {
    "cash": "",
    "shadow": " (shadow book: imputed, nobody bills it)",
    "accrual": " (accrual book: paid before, used here)",
}


def headline(view: View) -> Children:
    """Where the account stands in the chart, and its balance before, within and after the time shown."""
    account = view.filters.asked.get("account")
    if account is None:
        return [
            html.H1("Which account?", className="headline"),
            html.P(
                ["Choose one in ", dcc.Link("the ledger", href=view.link(view.filters, "/ledger") + "#section-balances"), "."],
                className="change",
            ),
        ]
    total = view.ask("statement_total").only()
    if not total["accounts"]:
        return [_crumbs(view, account), html.H1("The books have no postings on this account.", className="headline")]
    moved = formats.usd(total["moved_usd"])
    said = " moved in all"
    if view.window.since:
        said = f" moved in {span_said(view.filters.book_days(view.now), view.now).removesuffix(' UTC')}"
    below = f", on {formats.count(total['accounts'], 'account')}" if cast(int, total["accounts"]) > 1 else ""
    book = _BOOKS[view.filters.asked.get("book", "cash")]
    facts = [
        fact(formats.usd(total["opening_usd"]), "before", "sum of amount_usd of ledger.balances before the first day shown"),
        fact(moved, "moved", "sum of amount_usd of ledger.balances in the days shown"),
        fact(formats.usd(total["closing_usd"]), "at the end", "before and moved, summed"),
    ]
    if total["unpriced_quantity"]:
        facts.append(fact(formats.tokens(total["unpriced_quantity"]), "units without a price", "unpriced_quantity", act=True))
    return [
        _crumbs(view, account),
        html.H1([html.Strong(moved, className="number"), f"{said}{below}{book}."], className="headline"),
        html.Div(facts, className="facts"),
    ]


def over_time(view: View) -> Children:
    """Movements and balance, day by day; a day narrows the postings to it."""
    frame = view.ask("statement_days")
    if view.filters.asked.get("account") is None or not len(frame):
        return [nothing("Nothing moved in this time.")]
    days = cast("list[date]", frame.column("day"))
    span = view.window.whole_days(view.filters.place)
    first = span.since or datetime.combine(days[0], time(0), UTC)
    last = span.until or datetime.combine(days[-1], time(0), UTC) + timedelta(days=1)
    figure = balance_over_time(frame, Window(first, last), key=view.filters.search())
    return [
        graph("balance_over_time", figure, 340, "What moved on the account each day, and its balance; the CSV holds the same.")
    ]


def parts(view: View) -> Children:
    """What moved, by account below this one and by commodity."""
    frame = view.ask("statement_commodities")
    if view.filters.asked.get("account") is None or not len(frame):
        return [nothing("Nothing moved in this time.")]
    columns = (
        Column("account", "Account", "account", grow=2, width=280),
        Column("commodity", "Commodity", grow=1, width=150),
        Column("quantity", "Quantity, units", "quantity", 150),
        Column("amount_usd", "Amount, USD", "usd", 130),
        Column("unpriced_quantity", "Without a price, units", "quantity", 165),
    )
    whole = sum((cast(Decimal, row["amount_usd"]) for row in frame), Decimal(0))
    total: dict[str, object] | None = {"account": "Sum", "amount_usd": whole} if len(frame) < ROWS_SHOWN else None
    return [table("statement_commodities", columns, frame, row_key=("account", "commodity"), opens="account", total=total)]


def entries(view: View) -> Children:
    """Single postings, the latest first; a click shows the entry whole."""
    if view.filters.asked.get("account") is None:
        return [nothing("Nothing moved in this time.")]
    frame = view.ask("statement_entries")
    day = view.filters.asked.get("day")
    if not len(frame):
        return [nothing("Nothing occurred in this time.")]
    columns = (
        Column("occurred_at", "Occurred, UTC", "entry", 162, pinned=True),
        Column("kind", "Kind", width=84),
        Column("account", "Account", grow=2, width=200),
        Column("commodity", "Commodity", width=145),
        Column("quantity", "Quantity, units", "quantity", 115),
        Column("per_million", "Rate, USD a million", "usd", 136),
        Column("amount_usd", "Amount, USD", "usd", 108),
        Column("posted_on", "Day of the books", width=122),
        Column("tenant", "Tenant", width=90),
    )
    shown = f"The latest {len(frame):,}; the CSV has every one." if len(frame) == ROWS_SHOWN else f"{len(frame):,} postings."
    only = [dcc.Link(f"posted on {day} ×", href=view.link(view.filters.asking(day=None)), className="pill")] if day else []
    return [
        *only,
        table(
            "statement_entries", columns, with_rates(frame), row_key=("tenant", "entry_id", "account", "commodity"), opens="entry"
        ),
        html.P(f"{shown} Click one to see its entry, with the call and the trace.", className="note"),
    ]


def with_rates(frame: Frame) -> list[dict[str, object]]:
    """Rows with their rate as people know it, for a million units: one unit's would need more digits than are read.

    Dollars that are moved as such have none.
    """
    return [{**row, "per_million": _per_million(row["rate_usd"], row["commodity"])} for row in frame]


def _per_million(rate_usd: object, commodity: object) -> Decimal | None:
    return None if rate_usd is None or commodity == "capital_usd" else cast(Decimal, rate_usd) * 1_000_000


def _crumbs(view: View, account: str) -> Component:
    """The levels of the account, each a statement of all below it."""
    levels = account.split(":")
    links: Children = [dcc.Link("Ledger", href=view.link(replace(view.filters, asked={}), "/ledger"))]
    for depth, level in enumerate(levels, start=1):
        href = view.link(view.filters.asking(account=":".join(levels[:depth]), day=None))
        links += [" : " if depth > 1 else " / ", dcc.Link(level, href=href) if depth < len(levels) else html.Strong(level)]
    said = _KINDS.get(levels[0])
    return html.P([*links, f" — {said}" if said else ""], className="crumbs")


PAGE = Page(
    path="/account",
    name="account",
    under="/ledger",
    dimensions=LEDGER_DIMENSIONS,
    panels=(
        Panel("account_headline", "", headline, skeleton_px=90),
        Panel(
            "balance_over_time",
            "Balance over time",
            over_time,
            "Days of the books, UTC.",
            table="statement_days",
            skeleton_px=340,
        ),
        Panel("account_parts", "What moved", parts, table="statement_commodities", skeleton_px=200),
        Panel("account_entries", "Postings", entries, "One side of each transfer.", table="statement_entries", skeleton_px=500),
    ),
)
