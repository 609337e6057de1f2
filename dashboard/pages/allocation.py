"""Misallocation: where the next dollar should go, and where the last one should not have gone."""

from dataclasses import replace
from decimal import Decimal
from typing import cast

from dash import Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dashboard import filters as views
from dashboard import formats, theme
from dashboard.components.appraisal_help import needed, next_steps
from dashboard.components.marks import graph, known_or, sentence, series_row
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.components.terms import term
from dashboard.figures import equimarginal, gap
from dashboard.figures.heat import Cell, HeatMap, heat_map
from dashboard.filters import DECISION_DIMENSIONS, VERDICTS
from dashboard.pages import beside
from dashboard.pages.allocation_headline import headline
from dashboard.pages.allocation_prices import prices
from dashboard.pages.page import Page, Shell

VERDICT_WORDS = {
    "appraised": "judged",
    "not_enough_evidence": "not enough evidence",
    "not_identified": "not identified",
    None: "not looked at yet",
}
_NONE = "No decisions in this time with these filters."
_TERMS = (
    ("value_usd_per_day", "V·ΔQ", "value", theme.VALUE),
    ("cost_usd_per_day", "ΔC", "compute", theme.COMPUTE),
    ("latency_usd_per_day", "λ·ΔL", "latency", theme.LATENCY),
    ("risk_usd_per_day", "ρ·ΔR", "risk", theme.RISK),
)


def line(view: View) -> Children:
    """The equimarginal line: what the last and the next dollar buy in each place."""
    rows = equimarginal.rows_of(view.ask("equimarginal", limit=None))
    if not rows:
        return [nothing(_NONE)]
    figure = equimarginal.equimarginal_line(rows, key=view.filters.search())
    said = f"What a dollar buys in each of {formats.count(len(rows), 'place')}; the CSV holds the same numbers."
    bloated = sum(1 for row in rows for step in row.steps if step.verdict == "bloated")
    starved = sum(1 for row in rows for step in row.steps if step.verdict == "starved")
    unknown = sum(1 for row in rows if all(step.verdict == "unknown" for step in row.steps))
    return [
        _how_to_read(),
        html.P(_counted(bloated, starved, len(rows) - unknown, unknown), className="note"),
        graph("equimarginal", figure, equimarginal.height_px(rows), said),
        html.P(_shown(len(rows)), className="note"),
    ]


def _how_to_read() -> Component:
    shapes = " ".join(f"{mark} {layer}" for mark, layer in (("●", "demand"), ("■", "action"), ("◆", "supply"), ("▲", "capital")))
    return html.P(
        [
            "Filled: the last dollar, which was spent; it should buy at least one. ",
            "Hollow: the next dollar, which was not; it should buy no more than one. ",
            f"{shapes}; the area is the dollars a day at that step, the line through it its ",
            term("95 % interval"),
            ".",
        ],
        className="note",
    )


def _counted(bloated: int, starved: int, places: int, unknown: int) -> Children:
    """How many places stand on the wrong side, and of how many nothing is known."""
    rest = f" Of {formats.count(unknown, 'further place')} it is not known what a dollar buys." if unknown else ""
    if not bloated and not starved:
        return [f"No dot of {formats.count(places, 'place')} is clear of the line on the wrong side.{rest}"]
    said = [
        f"{formats.count(number, 'place')} {word}"
        for number, word in (
            (bloated, "bloated (a dollar less would lose less than it saves)"),
            (starved, "starved (a dollar more would gain more)"),
        )
        if number
    ]
    doubt = (
        f", of {places:,}, each by its own interval, of which one in twenty errs; dollars are summed only where regret stands "
    )
    return [html.Span(" and ".join(said), className="act"), f"{doubt}although many places were looked at.{rest}"]


def _shown(places: int) -> str:
    if places <= equimarginal.ROWS_SHOWN:
        return "Click a dot to see its decisions."
    return (
        f"The {equimarginal.ROWS_SHOWN} that lose most, of {places:,}; the CSV has every one. Click a dot to see its decisions."
    )


def gains(view: View) -> Children:
    """From realised to best net value, by kind of decision, and the same dollars by term of the equation."""
    found = gap.gains_of(view.ask("regret_by_kind"))
    if not found:
        return [nothing("No kind of decision is shown to lose anything in this time.")]
    net = formats.number(view.ask("tasks_total").only()["net_usd_per_day"])
    figure = gap.gap(found, None if net is None else float(net), key=view.filters.search())
    said = "Dollars a day that better options would have brought, by kind of decision."
    return [
        html.Div(
            [
                graph("gap", figure, gap.height_px(found), said),
                html.Div([html.H3("The same dollars by term"), *_terms(view)], className="beside"),
            ],
            className="graph-beside",
        )
    ]


def _terms(view: View) -> list[Component]:
    row = view.ask("regret_by_term").only()
    known = [abs(Decimal(str(row[column]))) for column, *_ in _TERMS if row[column] is not None]
    whole = sum(known, Decimal(0))
    rows: list[Component] = [
        series_row(
            color,
            f"{name} {said}",
            formats.usd(row[column]),
            formats.share(None if row[column] is None else abs(Decimal(str(row[column]))), whole),
            f"{name} of the best option against the chosen one, USD a day",
        )
        for column, name, said, color in _TERMS
    ]
    rows.append(
        html.P(
            "What the better options gain in each; where it is negative, they give some of it up for the others.",
            className="note",
        )
    )
    return rows


def heat(view: View) -> Children:
    """Task class × kind: dollars of regret a day, hatched where nothing is identified."""
    found = heat_map(view.ask("regret_by_class_and_kind", limit=None))
    if not found.cells:
        return [nothing(_NONE)]
    head = html.Thead(html.Tr([html.Th("Task class", scope="col"), *(html.Th(kind, scope="col") for kind in found.kinds)]))
    body = html.Tbody(
        [
            html.Tr([html.Th(known_or(task_class), scope="row"), *(_cell(view, found, task_class, kind) for kind in found.kinds)])
            for task_class in found.task_classes
        ]
    )
    return [
        html.Div(html.Table([head, body], className="heat"), className="scrolls", tabIndex=0),
        html.P(
            [
                html.Span(className="swatch hatched"),
                " ",
                term("not identified", "not identified or not enough evidence"),
                ": nothing is claimed. A blank cell had no such decisions. Click a cell to see its decisions.",
            ],
            className="note",
        ),
    ]


def _cell(view: View, found: HeatMap, task_class: str | None, kind: str) -> Component:
    cell = found.cells.get((task_class, kind))
    if cell is None:
        return html.Td("")
    href = view.link(view.filters.only("kind", kind).only("task_class", task_class), "/decisions")
    said = "–" if cell.usd is None else formats.usd_estimate(cell.usd, cell.low, cell.high)
    shade = {} if cell.open else {"--strength": f"{cell.strength * 100:.1f}%"}
    return html.Td(
        dcc.Link(said, href=href, title=_cell_title(cell)),
        className="hatched" if cell.open else "shaded",
        style=cast("dict[str, object]", shade),
    )


def _cell_title(cell: Cell) -> str:
    judged = f"{cell.appraised:,} of {formats.count(cell.decisions, 'decision')} judged"
    return judged if cell.usd is None else f"{formats.usd_interval(cell.low, cell.high)} a day (95 %); {judged}"


def segments(view: View) -> Children:
    """The groups that decisions were judged in, with what would settle the open ones."""
    frame = view.ask("segments")
    if not len(frame):
        return [nothing(_NONE)]
    columns = (
        Column("task_class", "Task class", width=150, pinned=True),
        Column("kind", "Kind", width=90),
        Column("value_band", "Tasks worth", width=150),
        Column("chosen", "Chosen", width=150),
        Column(
            "best",
            "Mostly better",
            width=150,
            tooltip="The option that was best most often where another than the chosen one was",
        ),
        Column("decisions", "Decisions", "count", 100),
        Column("usd_per_day", "Regret, USD a day", "usd", 140),
        Column("low_usd_per_day", "from (95 %)", "usd", 105),
        Column("high_usd_per_day", "to (95 %)", "usd", 105),
        Column("status_said", "Status", width=168),
        Column("needs", "What is needed", grow=2, width=240),
        Column("why", "Why", grow=2, width=240),
        Column("layer", "Layer", width=90),
    )
    rows = [
        {
            **row,
            **{name: formats.option(row["kind"], row[name]) for name in ("chosen", "best") if row[name] is not None},
            "status_said": VERDICT_WORDS[cast("str | None", row["status"])],
            "needs": needed(row["needs_outcomes"], row["needs_exploration"]),
        }
        for row in frame
    ]
    key = ("layer", "kind", "task_class", "value_band", "chosen", "status")
    return [table("segments", columns, rows, row_key=key)]


def appraisal_trust(view: View) -> Children:
    """How much of what was spent the numbers speak of, and what would make them speak of more."""
    tasks, total = view.ask("tasks_total").only(), view.ask("regret_total").only()
    whole, decisions = cast(int, tasks["tasks"]), cast(int, total["decisions"])
    lines = [
        _share_line(tasks["with_class"], whole, "tasks have a class"),
        _share_line(tasks["with_outcome"], whole, "tasks have an outcome"),
        _share_line(tasks["with_value"], whole, "tasks have a value (V)"),
        _share_line(tasks["with_net"], whole, "tasks have a net value: outcome, value, cost, latency and risk are all known"),
    ]
    lines += [
        sentence(
            [
                dcc.Link(
                    formats.count(total[verdict], "decision"), href=view.link(replace(view.filters, status=verdict), "/decisions")
                ),
                " ",
                VERDICT_WORDS[verdict] if verdict == "appraised" else term(VERDICT_WORDS[verdict]),
                f" ({formats.share(total[verdict], decisions)}).",
            ],
            act=verdict != "appraised" and cast(int, total[verdict]) > 0,
        )
        for verdict in VERDICTS
    ]
    steps = [] if total["usd_per_day"] is None else next_steps(view.endpoint, tasks, total)  # else the headline says them
    return [html.Ul(lines, className="sentences"), *steps]


def _share_line(known: object, whole: int, said: str) -> Component:
    if not whole:
        return sentence([f"No task is settled, so none of the {said.split(' ', 1)[0]} is counted."], act=True)
    return sentence([f"{known:,} of {whole:,} {said} ({formats.share(known, whole)})."], act=known != whole)


def _register(shell: Shell) -> None:
    @shell.app.callback(
        Output("url", "href", allow_duplicate=True),
        Input({"type": "graph", "name": "equimarginal"}, "clickData"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def dot(clicked: dict[str, list[dict[str, list[str]]]] | None, search: str | None) -> object:
        if not clicked:
            return no_update
        kind, task_class, chosen, layer = clicked["points"][0]["customdata"]
        filters = views.parse(search)
        for name, value in (("layer", layer), ("kind", kind), ("task_class", task_class), ("chosen", chosen)):
            filters = filters.only(name, value or None)
        return "/decisions" + filters.search()


PAGE = Page(
    path="/allocation",
    name="allocation",
    label="Allocation",
    key="m",
    dimensions=DECISION_DIMENSIONS,
    offers="decision_filter_values",
    register=_register,
    panels=(
        Panel("allocation_headline", "", headline, skeleton_px=110, table="regret_by_place"),
        Panel("prices", "Prices in force", prices, table="price_vector", skeleton_px=90),
        Panel(
            "equimarginal",
            "The equimarginal line",
            line,
            "Every dollar should buy the same: at the optimum the line parts the filled dots from the hollow ones.",
            table="equimarginal",
            skeleton_px=620,
        ),
        Panel(
            "gap",
            "Where the gap is",
            gains,
            "From the net value realised to the best one.",
            table="regret_by_kind",
            skeleton_px=300,
        ),
        Panel(
            "heat",
            "What choices lost, by class of tasks and kind",
            heat,
            "Regret, USD a day.",
            table="regret_by_class_and_kind",
            skeleton_px=300,
        ),
        Panel("segments", "Segments", segments, "Decisions that were judged together.", table="segments", skeleton_px=300),
        Panel(
            "borrowed",
            "What small segments borrow from their siblings",
            beside.siblings,
            "Beside what they know themselves.",
            table="borrowed",
            skeleton_px=200,
        ),
        Panel(
            "latency",
            "How much later options come",
            beside.latency,
            "Seconds of a task.",
            table="latency_effects",
            skeleton_px=300,
        ),
        Panel("appraisal_trust", "How far to trust this", appraisal_trust, skeleton_px=200),
    ),
)
