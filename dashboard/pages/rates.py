"""The price book: what each kind of quantity of each model costs, since when, and where that comes from."""

from decimal import Decimal
from typing import cast

import dash_mantine_components as dmc
from dash import Input, Output, State, html, no_update

from dashboard import filters as views
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.filters import LEDGER_DIMENSIONS
from dashboard.pages import give_price
from dashboard.pages.page import Page, Shell
from dashboard.queries import ROWS_SHOWN

_COLUMNS = (
    Column("model", "Model", grow=1, width=170, pinned=True),
    Column("commodity", "Commodity", width=165),
    Column("price_usd", "Price, USD", "usd", 110),
    Column("per", "for so many units", "count", 130),
    Column("holds_said", "Holds", width=92, tooltip="At this moment"),
    Column("valid_from", "From, UTC", "time", 150),
    Column("valid_until", "Until, UTC", "time", 150),
    Column("whose", "Whose", width=110, tooltip="A tenant's own price goes before the list's"),
    Column("service_tier", "Tier", width=100),
    Column("context_above", "Above input, tokens", "tokens", 140),
    Column("basis", "Basis", width=150, tooltip="listed, stated, or the commodity whose price it inherits"),
    Column("source", "Source", grow=1, width=180),
    Column("revision", "Revision", "count", 90),
    Column("recorded_at", "Recorded, UTC", "time", 162),
    Column("provider", "Provider", width=110),
    Column("rate_id", "Number", "count", 90),
)


def rates(view: View) -> Children:
    """The rates of the models that are spent on, or of those that are looked for, history and future included."""
    name = view.filters.asked.get("priced")
    field = dmc.TextInput(
        id="rates-model", value=name or "", placeholder="part of a model's name", size="xs", w=240, debounce=500, label="Model"
    )
    frame = view.ask("rates")
    if not len(frame):
        wanted = f"No price of a model with “{name}” in its name." if name else "No model that is spent on has a price yet."
        return [html.Div([field], className="give-line"), nothing(wanted)]
    said = "Models with that name." if name else "Models that are spent on, and what tenants stated."
    said += f" The first {len(frame):,}; the CSV has every one." if len(frame) == ROWS_SHOWN else ""
    rows = [
        {
            **row,
            "whose": row["tenant"] or "the list",
            "holds_said": held(row),
            "valid_from": row["valid_from"] or "ever",
            "valid_until": row["valid_until"] or "open",
        }
        for row in sorted(frame, key=lambda row: (not row["holds"], row["service_tier"] != "standard"))
    ]
    return [
        html.Div([field], className="give-line"),
        html.P(f"{said} Nothing is edited: a correction is a later revision, and each transfer names the rate it was booked at.",
               className="note"),
        table("rates", _COLUMNS, rows, row_key=("rate_id",), height_px=620),
    ]  # fmt: skip


def held(row: dict[str, object]) -> str:
    """Whether a rate holds now, has held, or will."""
    if row["holds"]:
        return "free" if cast(Decimal, row["price_usd"]) == 0 else "now"
    return "not now"


def _register(shell: Shell) -> None:
    @shell.app.callback(
        Output("url", "search", allow_duplicate=True),
        Input("rates-model", "value"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def look_for(name: str | None, search: str | None) -> object:
        before = views.parse(search)
        after = before.asking(priced=(name or "").strip() or None)
        return no_update if after == before else after.search()


PAGE = Page(
    path="/rates",
    name="rates",
    label="Rates",
    key="r",
    under="/ledger",
    dimensions=LEDGER_DIMENSIONS,
    register=_register,
    panels=(Panel("rates", "Rates and their history", rates, table="rates", skeleton_px=640), give_price.PANEL),
)
