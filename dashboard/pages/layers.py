"""The four layers, one at a time: what is spent and lost in it, and what is particular to it."""

from dataclasses import replace

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.marks import fact
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.filters import Filters
from dashboard.pages import allocation
from dashboard.pages.alert import absent
from dashboard.pages.layer_parts import autonomy, bands, caches, engines, externalities, frontier, rollouts, writes
from dashboard.pages.page import Page

Row = dict[str, object]
LAYERS = {
    "demand": "Which model answers which task.",
    "action": "How much agents read, plan, act, verify, delegate and ask.",
    "supply": "How engines serve what is asked of them.",
    "capital": "What is kept for later: caches and rollouts.",
}
_SHOWN = 6
_DIMENSIONS = {"layer": "Layer", "task_class": "Task class", "agent": "Agent", "tenant": "Tenant"}


def layer_of(filters: Filters) -> str:
    """The layer that is looked at: that of the address, else the first."""
    asked = next(iter(filters.where.get("layer", ())), None)
    return asked if asked in LAYERS else next(iter(LAYERS))


def headline(view: View) -> Children:
    """The layers as choices, and what this one takes and loses."""
    layer = layer_of(view.filters)
    every = replace(view, filters=view.filters.without("layer"))
    spent = {str(row["layer"]): row for row in every.ask("layer_spend")}
    lost = {str(row["layer"]): row for row in every.ask("layer_regret")}
    whole = sum(float(formats.number(row["cost_usd"]) or 0) for row in spent.values())
    choices = [
        dcc.Link(
            name.capitalize(),
            href=view.link(view.filters.only("layer", name)),
            className="choice here" if name == layer else "choice",
        )
        for name in LAYERS
    ]
    return [
        html.Div(choices, className="choices"),
        html.H1([html.Strong(layer.capitalize()), f": {LAYERS[layer][0].lower()}{LAYERS[layer][1:]}"], className="headline"),
        html.Div(_facts(spent.get(layer), lost.get(layer), whole), className="facts"),
    ]


def _facts(spent: Row | None, lost: Row | None, whole: float) -> list[Component]:
    cost = None if spent is None else spent["cost_usd"]
    facts = [
        fact(formats.usd(cost) if spent else "$0", "spent", "sum(cost_usd) of ledger.spend"),
        fact(formats.share(cost or 0, whole), "of all that was spent", "its part of the dollars"),
    ]
    if lost is None:
        return [*facts, fact("0", "decisions seen", "rows of ledger.decisions")]
    usd, low, high = lost["usd_per_day"], lost["low_usd_per_day"], lost["high_usd_per_day"]
    facts.append(fact(f"{lost['decisions']:,}", "decisions", "rows of ledger.decisions"))
    facts.append(fact(formats.share(lost["appraised"], lost["decisions"]), "of them judged", "status = appraised"))
    said = "none is judged" if usd is None else formats.usd_estimate(usd, low, high)
    label = "recoverable a day" if usd is None or not usd else f"recoverable a day ({formats.usd_interval(low, high)})"
    return [*facts, fact(said, label, "regret that stands", act=bool(usd))]


def line(view: View) -> Children:
    """The equimarginal line of this layer."""
    return allocation.line(replace(view, filters=view.filters.only("layer", layer_of(view.filters))))


def places(view: View) -> Children:
    """The looks of this layer, in the words of their modes."""
    rows = [row for row in view.ask("looks") if row["mode"] in _MODES[layer_of(view.filters)]]
    if not rows:
        return [nothing("Nothing of this layer has been looked at yet.")]
    shown = sorted(rows, key=lambda row: -float(formats.number(row["usd_per_day"]) or 0))[:_SHOWN]
    items = [
        html.Li([html.Span(str(row["sentence"]), className="name"), html.Small(_verdict(row))], className="look") for row in shown
    ]
    filters = view.filters.without("layer")
    return [
        html.Ul(items, className="looks"),
        dcc.Link("All of them", href=view.link(filters, "/findings") + "#section-looks", className="more"),
    ]


def _verdict(row: Row) -> str:
    if row["usd_per_day"] is None:
        return str(row["status"]).replace("_", " ")
    if not row["usd_per_day"] and not row["high"]:
        return "no loss shown"
    said = formats.usd_estimate(row["usd_per_day"], row["low"], row["high"])
    return f"{said} a day ({formats.usd_interval(row['low'], row['high'])})"


_MODES = {
    "demand": ("over_routing", "under_routing"),
    "action": ("over_delegation", "under_verification"),
    "supply": ("serving_congestion",),
    "capital": ("stale_rollouts", "cache_misuse"),
}


def _only(layer: str, panel: Panel) -> Panel:
    """A panel of one layer; of the others it is not there."""
    draw = panel.draw
    return replace(panel, draw=lambda view: draw(view) if layer_of(view.filters) == layer else absent())


PAGE = Page(
    path="/layers",
    name="layers",
    label="Layers",
    key="l",
    dimensions=_DIMENSIONS,
    panels=(
        Panel("layer_headline", "", headline, skeleton_px=110),
        Panel("layer_looks", "What was looked at", places, table="looks", skeleton_px=160),
        _only(
            "demand", Panel("bands", "Regret of the router by what tasks are worth", bands, "USD a day.", table="regret_by_band")
        ),
        _only(
            "demand",
            Panel("frontier", "What the router could reach", frontier, "Diamonds: where it stands today.", table="frontier"),
        ),
        _only("action", Panel("autonomy", "How actions are confirmed, and how they should be", autonomy, table="autonomy")),
        _only("supply", Panel("engine_prices", "What a unit more costs others", engines, table="engine_prices")),
        _only("supply", Panel("externalities", "Who delays whom", externalities, "USD a day.", table="externalities")),
        _only("capital", Panel("caches", "The stock of caches", caches, table="cache_by_model")),
        _only(
            "capital",
            Panel("cache_writes", "Writes that reads paid back, and those that they did not", writes, table="cache_writes"),
        ),
        _only("capital", Panel("rollouts", "What rollouts teach by their age", rollouts, table="rollouts_by_lag")),
        Panel("layer_line", "The equimarginal line of this layer", line, table="equimarginal", skeleton_px=520),
    ),
)
