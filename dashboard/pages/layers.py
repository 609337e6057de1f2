"""The four layers, one at a time: what is spent and lost in it, and what is particular to it."""

from dataclasses import replace

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.marks import fact
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.filters import Filters
from dashboard.pages import allocation, beside
from dashboard.pages import layer_action as action
from dashboard.pages import layer_autonomy as autonomy
from dashboard.pages import layer_capital as capital
from dashboard.pages import layer_demand as demand
from dashboard.pages import layer_supply as supply
from dashboard.pages.alert import absent
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
        html.Div([*_facts(spent.get(layer), lost.get(layer), whole), *_found(every, layer)], className="facts"),
    ]


def _facts(spent: Row | None, lost: Row | None, whole: float) -> list[Component]:
    cost = None if spent is None else spent["cost_usd"]
    facts = [
        fact(formats.usd(cost) if spent else "$0", "spent", "sum(cost_usd) of ledger.spend"),
        fact(formats.share(cost or 0, whole), "of all that was spent", "its part of the dollars"),
    ]
    if lost is None:
        return facts
    usd, low, high = lost["usd_per_day"], lost["low_usd_per_day"], lost["high_usd_per_day"]
    facts.append(fact(f"{lost['decisions']:,}", "decisions seen", "rows of ledger.decisions"))
    facts.append(fact(formats.share(lost["appraised"], lost["decisions"]), "of them judged", "status = appraised"))
    said = "none is judged" if usd is None else formats.usd_estimate(usd, low, high)
    label = "a day better" if usd is None or not usd else f"a day better on average ({formats.usd_interval(low, high)})"
    return [*facts, fact(said, label, "regret that stands, by the days shown", act=bool(usd))]


def _found(view: View, layer: str) -> list[Component]:
    """What the layer's findings lose a day since each began."""
    row = next((row for row in view.ask("layer_findings") if row["layer"] == layer), None)
    if row is None:
        return [fact("none", "findings that stand", "ledger.findings that are not resolved")]
    low, high = row["low"], row["high"]
    label = f"lost a day now, {formats.count(row['findings'], 'finding')} ({formats.usd_interval(low, high)})"
    return [fact(formats.usd_estimate(row["usd_per_day"], low, high), label, "usd_per_day of ledger.findings", act=True)]


def line(view: View) -> Children:
    """The equimarginal line of this layer; none where what it decides is not seen decision by decision."""
    narrowed = replace(view, filters=view.filters.only("layer", layer_of(view.filters)))
    if layer_of(view.filters) == "supply" and not len(narrowed.ask("equimarginal", limit=1)):
        return absent()
    return allocation.line(narrowed)


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


_PARTICULAR: dict[str, tuple[Panel, ...]] = {
    "demand": (
        Panel("bands", "Regret of the router by what tasks are worth", demand.bands, "USD a day.", table="regret_by_band"),
        Panel(
            "regret_by_value",
            "Regret of a request by what its task was worth",
            demand.by_value,
            "A dot for each segment.",
            table="route_segments",
        ),
        Panel("regret_curve", "Regret of the router over time", demand.curve, "USD in sum.", table="regret_curve"),
        Panel("frontier", "What the router could reach", demand.frontier, "Diamonds: where it stands today.", table="frontier"),
        Panel("menu", "Would users choose for themselves?", demand.menu, "A menu in place of the router (eq. 5).", table="menus"),
    ),
    "action": (
        Panel("production", "What one more dollar of each use brings", action.production, "USD for a USD.", table="production"),
        Panel("autonomy", "How actions are confirmed, and how they should be", action.autonomy, table="autonomy"),
        Panel(
            "autonomy_adopted",
            "The schedule that is adopted",
            autonomy.adopted,
            "Who must confirm what.",
            table="autonomy_adopted",
            skeleton_px=120,
        ),
        Panel(
            "autonomy_breaches",
            "Actions against it",
            autonomy.breaches,
            "Click one for its trace.",
            table="autonomy_breaches",
            skeleton_px=80,
        ),
        Panel("action_risks", "What actions risk", beside.action_risks, "USD a task.", table="action_risks"),
        Panel("hand_offs", "What hand-offs return", action.hand_offs, "Against working alone.", table="hand_offs"),
        Panel("verification", "What checks are worth", action.verification, "USD a day, 95 %.", table="checks"),
    ),
    "supply": (
        Panel("serving", "How engines serve", supply.serving, table="engines"),
        Panel("engine_prices", "What a unit more costs others", supply.engines, "Shadow prices by hour.", table="engine_prices"),
        Panel("externalities", "Who delays whom", supply.externalities, "USD a day.", table="externalities"),
        Panel("drafting", "Does drafting pay?", supply.drafting, "Speculative decoding as make or buy.", table="drafting"),
    ),
    "capital": (
        Panel("caches", "The stock of caches", capital.caches, table="cache_by_model"),
        Panel("cache_writes", "Writes that reads paid back, and those that they did not", capital.writes, table="cache_writes"),
        Panel("assets", "What was paid for and is used later", capital.assets, "In the books.", table="assets"),
        Panel("hits", "Whose prompts the cache serves", capital.hits, "Hit rate by what tasks are worth.", table="hits_by_value"),
        Panel("depreciation", "How fast caches lose what they hold", capital.depreciation, table="depreciation"),
        Panel("rollouts", "What rollouts teach by their age", capital.rollouts, table="rollouts_by_lag"),
        Panel("portfolio", "What training tokens bring", capital.portfolio, table="capability_per_token"),
    ),
}
"""What is particular to each layer, in the order in which it is read."""

PAGE = Page(
    path="/layers",
    name="layers",
    label="Layers",
    key="l",
    dimensions=_DIMENSIONS,
    panels=(
        Panel("layer_headline", "", headline, skeleton_px=110),
        Panel("layer_looks", "What was looked at", places, table="looks", skeleton_px=160),
        *(_only(layer, panel) for layer, panels in _PARTICULAR.items() for panel in panels),
        Panel("layer_line", "The equimarginal line of this layer", line, table="equimarginal", skeleton_px=520),
    ),
)
