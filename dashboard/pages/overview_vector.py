"""The realised vector of each layer beside the best one known: V·Q, C, λ·L and ρ·R, and what is left of them."""

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats, theme
from dashboard.components.marks import interval_bar, swatch
from dashboard.components.panel import Children, View, nothing
from dashboard.components.terms import term
from dashboard.figures.vector import Change, LayerVector, vectors_of

ASKS = {
    "demand": "which model answers",
    "action": "how much is read, checked, asked",
    "supply": "how engines serve",
    "capital": "what is kept for later",
}
_COLUMNS = (
    ("value_usd", "V·ΔQ", "Value", theme.VALUE, 1),
    ("cost_usd", "ΔC", "Compute", theme.COMPUTE, -1),
    ("latency_usd", "λ·ΔL", "Latency", theme.LATENCY, -1),
    ("risk_usd", "ρ·ΔR", "Risk", theme.RISK, -1),
)
_LEAST = 0.005  # of a dollar a day: what would be said as $0.00


def vector(view: View) -> Children:
    """A row per layer; of each term what was realised a day, and below it what the best options known would have made of it."""
    asked = (view.ask(name, limit=None) for name in ("layer_realised", "layer_terms", "layer_regret", "layer_found"))
    known = [one for one in vectors_of(*asked) if not one.is_empty]
    if not known:
        need = "State what tasks are worth (`pigou policy`), and report how they went (POST /v1/outcomes)."
        return [nothing(f"No task is known whole yet: value, compute, latency and risk. {need}")]
    most = max((one.gain.high or 0.0 for one in known if one.gain is not None), default=0.0)
    heads = [html.Th("Layer", scope="col")]
    heads += [html.Th([swatch(color), " ", term(name, said)], scope="col") for _, name, said, color, _ in _COLUMNS]
    heads += [html.Th(term("net", "Net"), scope="col"), html.Th("Better by", scope="col")]
    return [
        html.Div(
            html.Table([html.Thead(html.Tr(heads)), html.Tbody([_row(view, one, most) for one in known])], className="vector"),
            className="scrolls",
            tabIndex=0,
        ),
        html.P(
            "What was realised, and after the arrow what the best options known would have made of it: averages over all the time"
            " shown, while the sentence above counts each loss since it began. Tasks are those in whose class the layer decides"
            " something, so that one task is in several rows. Delays by engines and old rollouts are as their findings tell.",
            className="note",
        ),
    ]


def _row(view: View, one: LayerVector, most: float) -> Component:
    name = dcc.Link(
        one.layer.capitalize(), href=view.link(view.filters.only("layer", one.layer), "/layers"), className="mode-link"
    )
    best_net = None if one.gain is None else Change(one.gain.usd)
    cells = [_cell(one.realised[column], one.changes.get(column), sign) for column, _, _, _, sign in _COLUMNS]
    return html.Tr(
        [
            html.Th([name, html.Small(f"{ASKS[one.layer]}; {formats.count(one.tasks, 'task')}")], scope="row"),
            *cells,
            _cell(one.realised["net_usd"], best_net, 1),
            html.Td(_better(one.gain, most), className="number"),
        ]
    )


def _cell(realised: float | None, change: Change | None, good: int) -> Component:
    """A term as it was, and what it could have been; what changes for the better is marked."""
    said: Children = ["–" if realised is None else _usd(realised)]
    if change is not None and abs(change.usd) >= _LEAST:
        best = None if realised is None else realised + change.usd
        sign = "+" if change.usd > 0 else "−"
        words = f"{sign}{_usd(abs(change.usd))}" if best is None else f"→ {_usd(best)}"
        title = f"{sign}{formats.usd(round(abs(change.usd), 4))} a day"
        if change.low is not None and change.high is not None:
            title += f" ({formats.usd_interval(change.low, change.high)})"
        said.append(html.Small(words, className="act" if change.usd * good > 0 else "", title=title))
    else:
        said.append(html.Small("the same"))
    return html.Td(said, className="number")


def _usd(amount: float) -> str:
    """Whole dollars from a hundred up: beside them cents say nothing."""
    sign = "−" if amount < 0 else ""
    return f"{sign}${abs(amount):,.0f}" if abs(amount) >= 100 else formats.usd(round(amount, 2) if abs(amount) >= _LEAST else 0)


def _better(gain: Change | None, most: float) -> Children:
    if gain is None:
        return [html.Small("not known")]
    if abs(gain.usd) < _LEAST:
        return [html.Small("nothing shown")]
    said = formats.usd_estimate(gain.usd, gain.low, gain.high)
    return [
        html.Strong(said, className="act"),
        html.Small(f"{formats.usd_interval(gain.low, gain.high)} a day"),
        interval_bar(gain.usd, gain.low, gain.high, most),
    ]
