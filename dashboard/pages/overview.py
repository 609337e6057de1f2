"""The first page: how many dollars a day are lost by the rule of allocation, where, and how far to trust that."""

from typing import cast

from dash import Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dashboard import filters as views
from dashboard import formats, theme
from dashboard.components.marks import graph, known_or, percent_of, share_row, spark
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.figures import flow
from dashboard.filters import BY
from dashboard.pages import allocation
from dashboard.pages.overview_headline import finding_link, finding_name, headline
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
_SHOWN = 5
_DAYS_DRAWN = 28


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


def matters(view: View) -> Children:
    """The findings that lose most; where there are none, the places whose regret stands."""
    frame = view.ask("findings", limit=_SHOWN)
    if len(frame):
        rows = [_finding(row) for row in frame]
        return [
            html.Ol(rows, className="matters"),
            dcc.Link("All findings", href=view.link(view.filters, "/findings"), className="more"),
        ]
    places = view.ask("regret_by_place", limit=_SHOWN)
    if not len(places):
        return [nothing("No loss is found that stands out from chance.")]
    return [html.Ol([_place(view, row) for row in places], className="matters")]


def _finding(row: Row) -> Component:
    days = cast("list[dict[str, float | None]] | None", row["days"]) or []
    drawn = [float(day.get("usd") or 0) for day in days[-_DAYS_DRAWN:]]
    under: Children = [html.Span(finding_name(row), className="name"), " · ", str(row["status"])]
    if row["status"] == "open":
        under += [" · ", dcc.Link("acknowledge", href=finding_link(row), className="act")]
    return html.Li(
        [
            html.Div([dcc.Link(str(row["sentence"]), href=finding_link(row), className="name sentence"), html.Small(under)]),
            html.Div(
                [
                    html.Strong(formats.usd_estimate(row["usd_per_day"], row["low"], row["high"]), className="number"),
                    html.Small(f"{formats.usd_interval(row['low'], row['high'])} a day"),
                ],
                className="saving",
            ),
            spark(drawn, f"USD lost on each of {len(drawn)} days") if len(drawn) > 1 else html.Span(),
        ]
    )


def _place(view: View, row: Row) -> Component:
    kind, task_class = str(row["kind"]), cast("str | None", row["task_class"])
    filters = view.filters.only("kind", kind).only("task_class", task_class).only("chosen", str(row["chosen"]))
    said = f"{kind} in {known_or(task_class)} chose {formats.option(kind, row['chosen'])}"
    said += f" where {formats.option(kind, row['best'])} was better" if row["best"] is not None else ""
    return html.Li(
        [
            html.Div([dcc.Link(said, href=view.link(filters, "/decisions"), className="name sentence")]),
            html.Div([html.Strong(formats.usd(row["usd_per_day"]), className="number"), html.Small("a day")], className="saving"),
            html.Span(),
        ]
    )


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
        Panel("flow", "Where the dollars went, and what became of them", flows, "USD.", table="flow", skeleton_px=400),
        Panel("matters", "Findings that matter most", matters, table="findings", skeleton_px=260),
    ),
)
