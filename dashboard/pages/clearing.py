"""Who shares an engine: the price at which what tenants take of it fits its capacity, and what each takes and pays."""

from collections.abc import Sequence
from itertools import groupby

from dash import html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.panel import Children, View, nothing

Row = dict[str, object]
_EXAMPLE = "pigou prices capacity engine-a --unit decode --per-s 2500"
_UNITS = {"prefill": "prompt tokens", "decode": "output tokens", "kv": "token seconds of context held"}


def clearing(view: View) -> Children:
    """A table for each engine and what it has only so much of."""
    rows = list(view.ask("clearing", limit=None))
    waiting = [html.P(waits_said(row), className="note") for row in view.ask("capacities_waiting")]
    if not rows and not waiting:
        return [
            nothing("Nobody states what an engine can do in a second, so that none has such a price."),
            html.P(["To have it told, state it: ", html.Code(_EXAMPLE), "."], className="note"),
        ]
    markets = groupby(rows, key=lambda row: (row["engine"], row["resource"]))
    return [*(part for _, of in markets for part in _market(list(of))), *waiting]


def waits_said(row: Row) -> str:
    """That a capacity is stated, and when its price will be there."""
    unit = _UNITS.get(str(row["resource"]), str(row["resource"]))
    stated = f"{row['engine']} can do {amount(row['per_s'])} {unit} a second, as stated."
    return f"{stated} The analyzers find its price when they look at prices next; pigou prices clear finds it now."


def _market(of: Sequence[Row]) -> list[Component]:
    one = of[0]
    unit = _UNITS.get(str(one["resource"]), str(one["resource"]))
    title = html.H3(f"{one['engine']}, {unit}", className="name")
    names = ("Tenant", "Took", "If it cost nothing", "At the price", "Pays a day")
    head = html.Thead(html.Tr([html.Th(name, scope="col") for name in names]))
    table = html.Table([head, html.Tbody([_tenant(row) for row in of])], className="options limits")
    return [
        title,
        html.P(f"{price_said(one, unit)} It can do {amount(one['capacity_per_s'])} a second, as stated.", className="to-change"),
        html.Div(table, className="scrolls", tabIndex=0),
        html.P(f"In {unit} a second. pigou prices clear prints who gives way, and by which choices.", className="note"),
    ]


def price_said(one: Row, unit: str) -> str:
    """What the price is, in words; why there is none."""
    if one["usd_per_million"] is None:
        return f"No price is known: {one['why'] or 'nothing tells it'}."
    if one["usd_per_million"] == 0:
        return "There is enough for everybody: it costs nothing."
    usd = formats.usd_estimate(one["usd_per_million"], one["low"], one["high"])
    interval = f" (95 %: {formats.usd_interval(one['low'], one['high'])})" if one["high"] is not None else ""
    doubt = "" if one["agrees"] else " Two ways of finding it do not agree: do not rely on it."
    return f"What tenants want fits it at {usd} for a million {unit}{interval}.{doubt}"


def _tenant(row: Row) -> Component:
    note: list[Component] = [] if row["is_moved"] else [html.Small("none of its choices can be moved")]
    return html.Tr(
        [
            html.Th([str(row["tenant"]), *note], scope="row", className="name"),
            *(html.Td(amount(row[name]), className="number") for name in ("was_per_s", "free_per_s", "takes_per_s")),
            html.Td(formats.usd(row["pays_usd_per_day"]), className="number"),
        ]
    )


def amount(value: object) -> str:
    """Units a second, to three digits."""
    number = formats.number(value)
    if number is None:
        return formats.UNKNOWN
    return formats.tokens(number) if number >= 100 else f"{float(number):.3g}"
