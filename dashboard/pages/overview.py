"""The first page: how many dollars a day are lost by the rule of allocation, where, and how far to trust that."""

from dash import Input, Output, State, html, no_update

from dashboard import filters as views
from dashboard import formats, theme
from dashboard.components.marks import graph, percent_of, share_row
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.figures import flow
from dashboard.filters import BY
from dashboard.pages import allocation
from dashboard.pages.overview_headline import headline
from dashboard.pages.overview_matters import matters
from dashboard.pages.overview_vector import vector
from dashboard.pages.page import Page, Shell
from dashboard.pages.spend import PAGE as SPEND

Row = dict[str, object]
OVERVIEW_DIMENSIONS = {"task_class": "Task class", "layer": "Layer", "agent": "Agent", "tenant": "Tenant"}
_HEADS = ("Whose", "Layer", "Use", "Class of tasks", "How they went")
_SPLIT = (
    "The dollars of a class are split as its tasks went: what went well is value, what went wrong waste; a task that is half a"
    " success counts half. Delays that a class imposes on others on shared engines are in nobody's bill, and leave it beside."
)


def flows(view: View) -> Children:
    """From whose budget dollars went through layers and uses, and how the tasks went that they were spent on."""
    frame = view.ask("flow", limit=None)
    if not len(frame):
        return [nothing("No call with a price in this time.")]
    budgets = {str(row["tenant"]): _budget(row) for row in reversed(list(view.ask("budgets_in_force")))}
    drawn = flow.flow_of(frame, view.ask("flow_outcomes", limit=None), view.ask("flow_external", limit=None))
    ends = "; ".join(f"{name} {formats.usd(round(usd, 2))}" for (column, name), usd in drawn.nodes.items() if column == flow.END)
    figure = flow.sankey(drawn, key=view.filters.search(), budgets=budgets)
    heads = html.Div([html.Span(name) for name in _HEADS], className="flow-heads")
    drawing = graph("flow", figure, flow.HEIGHT_PX, f"Where dollars went: {ends}.")
    return [
        html.Div(html.Div([heads, drawing]), className="scrolls flow", tabIndex=0),
        html.P(_SPLIT, className="note"),
    ]


def _budget(row: Row) -> str:
    return f"Budget {row['budget']}: {formats.usd(row['spent_usd'])} of {formats.usd(row['amount_usd'])} a {row['period']}"


def confidence(view: View) -> Children:
    """How much of what was spent the numbers speak of: priced, classified, with outcomes, judged."""
    tokens, tasks = view.ask("spend_priced").only(), view.ask("tasks_total").only()
    total = view.ask("regret_total").only()
    shares = (
        ("Tokens priced", tokens["priced_tokens"], tokens["tokens"], "/ledger", "#section-suspense"),
        ("Tokens with a layer and a use", tokens["classified_tokens"], tokens["tokens"], "/spend", "#section-trust"),
        ("Tasks with an outcome", tasks["with_outcome"], tasks["tasks"], "/allocation", "#section-appraisal_trust"),
        ("Tasks with a value", tasks["with_value"], tasks["tasks"], "/allocation", "#section-appraisal_trust"),
        ("Decisions judged", total["appraised"], total["decisions"], "/allocation", "#section-segments"),
    )
    return [
        *(
            share_row(
                name,
                "" if whole else "none yet",
                formats.share(part, whole),
                percent_of(part, whole),
                view.link(view.filters.within(OVERVIEW_DIMENSIONS), path) + place,
                f"{part:,} of {whole:,}",
                theme.COMPUTE,
            )
            for name, part, whole, path, place in shares
        ),
        html.P("Of what is missing, nothing is claimed. Click one for what would mend it.", className="note"),
    ]


def _register(shell: Shell) -> None:
    @shell.app.callback(Output("url", "pathname"), Input("url", "search"), State("url", "pathname"))
    def moved(search: str | None, path: str | None) -> object:
        """Links to the spend page from when it was the first one lead to it."""
        filters = views.parse(search)
        of_spend = filters.by != BY or any(name not in OVERVIEW_DIMENSIONS for name in filters.where)
        return SPEND.path if path == PAGE.path and of_spend else no_update


_OF_ALLOCATION = {panel.name: panel for panel in allocation.PAGE.panels}

PAGE = Page(
    path="/",
    name="overview",
    label="Overview",
    key="o",
    dimensions=OVERVIEW_DIMENSIONS,
    register=_register,
    panels=(
        Panel("overview_headline", "", headline, skeleton_px=110),
        Panel("matters", "What goes wrong, and what it costs a day", matters, table="findings", skeleton_px=780),
        Panel(
            "layer_vector",
            "What each layer realised, and the best it could have",
            vector,
            "USD a day.",
            table="layer_realised",
            skeleton_px=330,
        ),
        _OF_ALLOCATION["prices"],
        _OF_ALLOCATION["equimarginal"],
        _OF_ALLOCATION["heat"],
        Panel("confidence", "How far to trust this", confidence, skeleton_px=200),
        Panel(
            "flow",
            "Where the dollars went, and what became of them",
            flows,
            "USD, all the time shown.",
            table="flow",
            skeleton_px=400,
        ),
    ),
)
