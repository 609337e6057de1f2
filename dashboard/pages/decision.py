"""One decision: what was known before, what could have been chosen, what that would have brought, and why it is believed."""

import math
from dataclasses import replace
from typing import cast

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.appraisal_help import needed
from dashboard.components.belongs import belongs_to
from dashboard.components.marks import fact, known_or
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.components.terms import term
from dashboard.figures.finding import WORDS
from dashboard.figures.options import TERMS, Crossover, Option, Term, crossovers, options_of
from dashboard.filters import DECISION_DIMENSIONS, Filters
from dashboard.pages.allocation import VERDICT_WORDS
from dashboard.pages.page import Page

Row = dict[str, object]
_NO_ID = "00000000-0000-0000-0000-000000000000"  # of no decision
_OPEN = {
    "not_enough_evidence": "; there is not enough evidence yet to say whether another option was better.",
    "not_identified": "; whether another option was better cannot be told from such data.",
    None: "; it has not been looked at yet.",
}
_PRICE_WORDS = {"V": "the task's value", "λ": "the price of a second", "ρ": "the price of risk"}


def verdict(view: View) -> Children:
    """What was chosen, what would have been better and by how much, in one sentence."""
    row = view.ask("decision", values=_id(view)).first()
    if row is None:
        return _unknown(view)
    decisions = view.link(replace(view.filters, decision=None), "/decisions")
    return [
        html.P([dcc.Link("Decisions", href=decisions), " / ", html.Code(str(row["decision_id"]))], className="crumbs"),
        html.H1(_sentence(row), className="headline"),
        html.P(
            [
                "Taken in the trace ",
                dcc.Link(html.Code(str(row["trace_id"])), href=f"/trace/{row['trace_id']}{_span(row)}", className="act"),
                f" by {row['agent'] or 'an agent that is not named'}: see it there, at its span.",
            ],
            className="change",
        ),
        *belongs_to(view.ask("decision_findings", values=_id(view)), "It belongs to"),
        html.Div(_facts(row), className="facts"),
    ]


def _sentence(row: Row) -> Children:
    chosen, best = str(row["chosen"]), cast("str | None", row["best"])
    said: Children = [f"{str(row['kind']).capitalize()} in {known_or(cast('str | None', row['task_class']))}: chose "]
    said.append(html.Strong(formats.option(row["kind"], chosen), className="name"))
    if row["status"] != "appraised":
        return [*said, _OPEN[cast("str | None", row["status"])]]
    if best is None or best == chosen or not row["regret_low_usd"]:
        return [*said, ", and no option is shown to be better."]
    amount = formats.usd_estimate(row["regret_usd"], row["regret_low_usd"], row["regret_high_usd"])
    interval = formats.usd_interval(row["regret_low_usd"], row["regret_high_usd"])
    return [
        *said,
        "; ",
        html.Span(formats.option(row["kind"], best), className="name"),
        " would have brought ",
        html.Strong(amount, className="number"),
        " more ",
        html.Span(f"({interval})", className="number"),
        ".",
    ]


def _facts(row: Row) -> list[Component]:
    facts = [
        fact(formats.moment(row["decided_at"]), "decided, UTC", "decided_at of ledger.decisions"),
        fact(
            formats.usd_estimate(row["regret_usd"], row["regret_low_usd"], row["regret_high_usd"]),
            "regret",
            "regret_usd of ledger.decisions",
        ),
        fact(VERDICT_WORDS[cast("str | None", row["status"])], "status", "status of ledger.decisions"),
        fact(str(row["layer"]), "layer", "layer of ledger.decisions"),
        fact(str(row["tenant"]), "tenant", "whose books it is in"),
    ]
    if row["propensity"] is not None:
        facts.insert(
            2, fact(formats.share(row["propensity"], 1), "chance it had", "propensity of ledger.decisions, as it was logged")
        )
    return facts


def options(view: View) -> Children:
    """The options with every term of eq. 1 against the chosen one, as thin bars on one scale."""
    row = view.ask("decision", values=_id(view)).first()
    found = options_of(view.ask("decision_options", values=_id(view)), "" if row is None else str(row["kind"]))
    if not found:
        return [nothing("No options are known.")]
    heads = [html.Th("Option", scope="col"), html.Th([term("net"), ", ", term("95 % interval")], scope="col", className="number")]
    heads += [html.Th([f"{WORDS[name]}, ", term(name)], scope="col", className="number") for _, _, name, _ in TERMS]
    return [
        html.Div(
            html.Table([html.Thead(html.Tr(heads)), html.Tbody([_option(option) for option in found])], className="options"),
            className="scrolls",
            tabIndex=0,
        ),
        html.P(
            "USD against the chosen option, with 95 % intervals. Net is V·ΔQ − ΔC − λ·ΔL − ρ·ΔR; all bars share one scale, zero"
            " in the middle.",
            className="note",
        ),
    ]


def _option(option: Option) -> Component:
    marks: Children = []
    if option.chosen:
        marks.append(html.Span("chosen", className="mark"))
    if option.best:
        marks.append(html.Span("best", className="mark best"))
    known = [
        said
        for said, value in (("chance", option.propensity), ("quality foreseen", option.predicted_quality))
        if value is not None
        for said in [f"{said} {value:.2f}"]
    ]
    name = html.Th([html.Span(option.name, className="name"), *marks, html.Small(", ".join(known))], scope="row")
    cells = [_bar(drawn, color) for drawn, (_, _, _, color) in zip(option.terms, TERMS, strict=True)]
    return html.Tr([name, _bar(option.net), *cells], className="best" if option.best else "")


def _bar(drawn: Term, color: str | None = None) -> Component:
    """A term, or without a colour the net: its dollars, their interval, and both drawn about zero."""
    filled = {"left": f"{drawn.left_percent}%", "width": f"{drawn.width_percent}%", **({"background": color} if color else {})}
    if drawn.usd is None:
        return html.Td(html.Span("not known", className="dim"), className="number")
    inside: Children = [html.Span(style=filled, className="" if color else "net")]
    said: Children = [_signed(drawn.usd)]
    if drawn.low_usd is not None:
        width = max(drawn.high_percent - drawn.low_percent, 0.0)
        inside.append(html.Span(style={"left": f"{drawn.low_percent}%", "width": f"{width}%"}, className="whisker"))
        said = [_signed_estimate(drawn), html.Small(formats.usd_interval(drawn.low_usd, drawn.high_usd))]
    return html.Td([*said, html.Span(inside, className="about-zero")], className="number")


def _signed_estimate(drawn: Term) -> str:
    said = formats.usd_estimate(drawn.usd, drawn.low_usd, drawn.high_usd)
    return f"+{said}" if (drawn.usd or 0.0) > 0 else said


def _signed(usd: float | None) -> str:
    if usd is None:
        return "not known"
    return f"+{formats.usd(usd)}" if usd > 0 else formats.usd(usd)


def context(view: View) -> Children:
    """What was known before the choice, and how each part of it came to be known."""
    row = view.ask("decision", values=_id(view)).first()
    if row is None:
        return [nothing("Nothing.")]
    known = cast("dict[str, float | None]", row["context"] or {})
    pairs = [_known(name, value) for name, value in known.items()]
    pairs.append(("how it was chosen", _ASSIGNMENTS.get(str(row["assignment"]), str(row["assignment"]))))
    inferred = cast("dict[str, str]", row["provenance"] or {})
    pairs += [(f"{field}, inferred", said) for field, said in inferred.items() if said]
    return [html.Dl([part for name, said in pairs for part in (html.Dt(name), html.Dd(said))], className="pairs")]


def _known(name: str, value: float | None) -> tuple[str, str]:
    """A figure of the context in words: logarithms undone, daytime as how far from midnight."""
    if value is None:
        return name.removeprefix("log_").replace("_", " "), formats.UNKNOWN
    if name.startswith("log_"):
        return name.removeprefix("log_").replace("_", " "), f"{math.expm1(value):,.0f}"
    if name == "daytime":
        return "hours from midnight, UTC", f"{math.acos(max(-1.0, min(-value, 1.0))) / math.pi * 12:.1f}"
    return name.replace("_", " "), f"{value:,.4g}"


_ASSIGNMENTS = {
    "logged": "with logged probabilities",
    "recorded": "by rules that the context tells",
    "unknown": "by something that may not be recorded",
}


def evidence(view: View) -> Children:
    """How the figures were estimated, from how much, and what would change or settle them."""
    row = view.ask("decision", values=_id(view)).first()
    if row is None:
        return [nothing("Nothing.")]
    task = view.ask("trace_task", values={"trace_id": str(row["trace_id"])}).first()
    found = options_of(view.ask("decision_options", values=_id(view)), str(row["kind"]))
    said: list[Component] = [html.Li(_estimated(row))]
    if row["status"] == "appraised" and row["regret_low_usd"] and not row["is_discovery"]:
        said.append(html.Li("Its regret is in no sum: with so many segments looked at, that of this one may be chance."))
    needs = needed(row["needs_outcomes"], row["needs_exploration"])
    why = str(row["why"] or "")
    said += [
        html.Li(line)
        for line in (f"{why[:1].upper()}{why[1:]}." if why else None, f"What would settle it: {needs}." if needs else None)
        if line
    ]
    value = None if task is None else formats.number(task["value_usd"])
    for option in found:
        if not option.chosen:
            said += [html.Li(_turns(option, one)) for one in crossovers(option, None if value is None else float(value))]
    return [html.Ul(said, className="plain")]


def _estimated(row: Row) -> str:
    if row["method"] is None:
        return "Not looked at yet: `pigou appraise` does so."
    alike = f"that chose {formats.option(row['kind'], row['chosen'])}"
    alike += f" in tasks worth {row['value_band']}" if row["value_band"] else ""
    outcomes = formats.count(row["tasks"], "task")
    return f"Estimated from {formats.count(row['n'], 'decision')} {alike}, in {outcomes}, by {row['method']}."


def _turns(option: Option, one: Crossover) -> str:
    """At which price the option and the chosen one change places."""
    at = f"{one.factor:,.3g} times today's" if one.usd is None else f"{formats.usd(one.usd)} ({one.factor:,.3g} times today's)"
    name = option.name[:1].upper() + option.name[1:] if option.name[:1].islower() and " " in option.name else option.name
    return f"{name} and the chosen option are worth the same where {_PRICE_WORDS[one.price]}, {one.price}, is {at}."


def neighbours(view: View) -> Children:
    """Decisions like it, close in time."""
    frame = view.ask("decision_neighbours", values=_id(view))
    if not len(frame):
        return [nothing("None within two days.")]
    columns = (
        Column("decided_at", "Decided, UTC", "decision", 162),
        Column("chosen", "Chosen", width=130, grow=1),
        Column("best", "Best", width=130, grow=1),
        Column("regret_usd", "Regret, USD", "usd", 112),
        Column("regret_low_usd", "from (95 %)", "usd", 105),
        Column("regret_high_usd", "to (95 %)", "usd", 105),
        Column("status_said", "Status", width=160),
    )
    kind = (view.ask("decision", values=_id(view)).first() or {}).get("kind")
    rows = [
        {
            **row,
            "status_said": VERDICT_WORDS[cast("str | None", row["status"])],
            **{name: formats.option(kind, row[name]) for name in ("chosen", "best") if row[name] is not None},
        }
        for row in frame
    ]
    return [table("decision_neighbours", columns, rows, row_key=("tenant", "decision_id"), opens="decision")]


def _unknown(view: View) -> Children:
    return [
        html.H1("The books know no decision by this id.", className="headline"),
        html.P(
            [
                html.Code(view.filters.decision or "(no id in the address)"),
                " may belong to another tenant, or its trace was settled anew. ",
                dcc.Link("All decisions", href="/decisions", className="act"),
            ],
            className="change",
        ),
    ]


def _id(view: View) -> dict[str, str]:
    return {"decision_id": view.filters.decision or _NO_ID}


def _span(row: Row) -> str:
    asked = {"span": str(row["span_id"])} if row["span_id"] else {}
    return Filters(where={"tenant": (str(row["tenant"]),)}, asked=asked).search()


PAGE = Page(
    path="/decision",
    name="decision",
    under="/decisions",
    filtered=False,
    dimensions=DECISION_DIMENSIONS,
    panels=(
        Panel("decision_verdict", "", verdict, skeleton_px=110),
        Panel("decision_options", "What could have been chosen", options, table="decision_options", skeleton_px=220),
        Panel("decision_evidence", "Why this is believed, and what would change it", evidence, skeleton_px=120),
        Panel("decision_context", "What was known before", context, skeleton_px=120),
        Panel(
            "decision_neighbours", "Decisions like it, close in time", neighbours, table="decision_neighbours", skeleton_px=240
        ),
    ),
)
