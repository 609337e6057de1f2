"""One entry of the books: what moved from where to where, at which rate, because of which call."""

from decimal import Decimal
from typing import cast
from urllib.parse import urlencode

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.filters import LEDGER_DIMENSIONS
from dashboard.pages.account import with_rates
from dashboard.pages.page import Page

Row = dict[str, object]
_KINDS = {
    "call": "A call was booked",
    "reversal": "An entry was reversed",
    "adjustment": "What an entry should have said was booked",
    "settlement": "A task was settled",
}


def entry(view: View) -> Children:
    """When and why it was booked, what it comes from, and the entries that correct it or that it corrects."""
    wanted = view.filters.asked.get("entry")
    frame = view.ask("entry") if wanted else None
    one = next((row for row in frame or () if str(row["entry_id"]) == wanted), None)
    if one is None:
        return [
            html.H1("The books hold no such entry.", className="headline"),
            html.P(
                "Entries are never deleted: check the address, and that no filter on a tenant leaves it out.", className="change"
            ),
        ]
    facts = [
        ("Occurred", f"{formats.moment(one['occurred_at'])} UTC"),
        ("Booked", f"{formats.moment(one['recorded_at'])} UTC, on the day of the books {one['posted_on']}"),
        ("Source", str(one["source"])),
        ("Tenant", str(one["tenant"])),
        *([("Because", str(one["reason"]))] if one["reason"] else []),
        ("Entry", str(one["entry_id"])),
    ]
    pairs = [part for name, said in facts for part in (html.Dt(name), html.Dd(said))]
    return [
        html.P([dcc.Link("Ledger", href="/ledger"), " / entry"], className="crumbs"),
        html.H1([_KINDS.get(str(one["kind"]), str(one["kind"])), *_amount(view), *_origin(one), "."], className="headline"),
        html.Dl(pairs, className="pairs entry-facts"),
        *_corrections(one, [row for row in frame or () if row["entry_id"] != one["entry_id"]]),
    ]


def transfers(view: View) -> Children:
    """What moved, from the credit account to the debit account."""
    frame = view.ask("entry_transfers") if "entry" in view.filters.asked else None
    if frame is None or not len(frame):
        return [nothing("Nothing moved.")]
    columns = (
        Column("commodity", "Commodity", width=145),
        Column("quantity", "Quantity, units", "quantity", 120),
        Column("per_million", "Rate, USD a million", "usd", 138, tooltip="As it was applied; the price book keeps it for ever"),
        Column("amount_usd", "Amount, USD", "usd", 105),
        Column("debit", "To (debit)", grow=1, width=230),
        Column("credit", "From (credit)", width=190),
        Column("rate_source", "Rate from", width=112),
        Column("rate_id", "Rate no.", "count", 82),
        Column("book", "Book", width=85),
    )
    known = [row["amount_usd"] for row in frame if row["amount_usd"] is not None]
    total: Row = {"commodity": "Sum", "amount_usd": sum(cast("list[int]", known)) if known else None}
    return [table("entry_transfers", columns, with_rates(frame), row_key=("line",), total=total)]


def _amount(view: View) -> Children:
    """What moved in all, of what has a price."""
    known = [cast(Decimal, row["amount_usd"]) for row in view.ask("entry_transfers") if row["amount_usd"] is not None]
    return [", ", html.Strong(formats.usd(sum(known)), className="number")] if known else []


def _origin(one: Row) -> Children:
    """The call's own span and trace, as links."""
    if not one["trace_id"]:
        return []
    href = f"/trace/{one['trace_id']}?{urlencode({'tenant': one['tenant']})}"
    return [": ", dcc.Link("its call and trace", href=href, className="act")]


def _corrections(one: Row, others: list[Row]) -> list[Component]:
    """The other entries of the same span, in the order in which they were booked."""
    if not others:
        return [html.P("Nothing corrects it.", className="note")]
    lines: list[Component] = []
    for row in others:
        href = f"/entry?{urlencode({'tenant': row['tenant'], 'entry': row['entry_id']})}"
        said = f"{_KINDS.get(str(row['kind']), row['kind'])} on {formats.moment(row['recorded_at'])} UTC"
        tells = " (it reverses this one)" if row["reverses"] == one["entry_id"] else ""
        tells = " (this one reverses it)" if one["reverses"] == row["entry_id"] else tells
        because = f": {row['reason']}" if row["reason"] else ""
        lines.append(html.Li([dcc.Link(said, href=href), tells, because]))
    return [html.H3("Entries of the same call"), html.Ul(lines, className="plain")]


PAGE = Page(
    path="/entry",
    name="entry",
    under="/ledger",
    filtered=False,
    dimensions=LEDGER_DIMENSIONS,
    panels=(
        Panel("entry", "", entry, skeleton_px=160),
        Panel("entry_transfers", "Transfers", transfers, "Both sides of each.", table="entry_transfers", skeleton_px=200),
    ),
)
