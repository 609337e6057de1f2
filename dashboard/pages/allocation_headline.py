"""The sentence of misallocation: how many dollars a day better options would have brought, where, and how sure that is."""

from typing import cast

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.appraisal_help import next_steps
from dashboard.components.marks import fact, known_or
from dashboard.components.onboarding import onboarding
from dashboard.components.panel import Children, View
from dashboard.components.terms import term
from dashboard.door import is_named
from dashboard.filters import describe

_ALL = 0.995


def headline(view: View) -> Children:
    """One sentence with its interval and five figures; where nothing is known, what would make it known."""
    total = view.ask("regret_total").only()
    if not total["decisions"]:
        return _without_decisions(view)
    tasks = view.ask("tasks_total").only()
    spend = view.ask("spend_per_day").only()["usd_per_day"]
    if total["usd_per_day"] is None:
        return [*_without_a_number(view, total, tasks), html.Div(_facts(total, tasks, spend), className="facts")]
    return [
        html.H1([*_recoverable(view, total, spend), *_mostly(view, total), "."], className="headline"),
        html.P([*_judged(view, total), *_beside_findings(view)], className="change"),
        html.Div(_facts(total, tasks, spend), className="facts"),
    ]


def _beside_findings(view: View) -> Children:
    """Why the first page names another number; nothing where it names none."""
    found = view.ask("findings_total").only()
    if not found["findings"]:
        return []
    amount = formats.usd_estimate(found["usd_per_day"], found["low"], found["high"])
    link = dcc.Link(f"{amount} a day", href=view.link(view.filters.within({"tenant", "layer", "task_class", "agent"}), "/"))
    return [" This is an average over all the time shown; the overview counts each loss since it began: ", link, "."]


def _recoverable(view: View, total: dict[str, object], spend: object) -> Children:
    usd, low, high = total["usd_per_day"], total["low_usd_per_day"], total["high_usd_per_day"]
    when = describe(view.filters, view.now)
    if not usd:
        return [f"No dollar is shown to be lost {when}: no segment's loss stands out from chance, as many as were looked at"]
    amount = html.Strong(
        formats.usd_estimate(usd, low, high), className="number", title="sum(regret_usd) of ledger.decisions, divided by the days"
    )
    said: Children = [amount, " a day recoverable ", html.Span(f"({formats.usd_interval(low, high)})", className="number")]
    if spend:
        said.append(f", {against(usd, spend)} what was spent {when}")
    else:
        said.append(f" {when}")
    return said


def against(usd: object, spend: object) -> str:
    """Dollars against those spent: a share, or how many times as much."""
    times = float(formats.number(usd) or 0) / float(formats.number(spend) or 1)
    return f"{formats.share(usd, spend)} of" if times < 1.5 else f"{times:.1f} times"


def _mostly(view: View, total: dict[str, object]) -> Children:
    """The place that loses most, as a link to its decisions; nothing where nothing is lost."""
    place = view.ask("regret_by_place", limit=1).first()
    if place is None:
        return []
    task_class, kind = cast("str | None", place["task_class"]), str(place["kind"])
    filters = view.filters.only("kind", kind).only("task_class", task_class).only("chosen", str(place["chosen"]))
    part = float(formats.number(place["usd_per_day"]) or 0) / float(formats.number(total["usd_per_day"]) or 1)
    whole = "all" if part > _ALL else formats.share(part, 1)
    said: Children = [
        f"; {whole} of it: {kind} in {known_or(task_class)}, which chose ",
        html.Span(formats.option(kind, place["chosen"]), className="name"),
    ]
    if place["best"] is not None:
        said += [" where ", html.Span(formats.option(kind, place["best"]), className="name"), " was better"]
    return [*said, " (", dcc.Link("see the decisions", href=view.link(filters, "/decisions"), className="act"), ")"]


def _judged(view: View, total: dict[str, object]) -> Children:
    """How much of what was decided the number speaks of."""
    open_decisions = cast(int, total["decisions"]) - cast(int, total["appraised"])
    judged = formats.share(total["appraised"], total["decisions"])
    said: Children = [f"{judged} of {formats.count(total['decisions'], 'decision')} could be judged; "]
    if open_decisions:
        href = view.link(view.filters) + "#section-appraisal_trust"
        said += ["of the others nothing is claimed (", dcc.Link("what would settle them", href=href, className="act"), ")."]
    else:
        said.append("none is left open.")
    return said


def _facts(total: dict[str, object], tasks: dict[str, object], spend: object) -> list[Component]:
    return [
        _fact_with_term(
            formats.usd(tasks["net_usd_per_day"]), "net", "net value realised a day", "sum(net_usd) of ledger.tasks per day"
        ),
        fact(formats.usd(spend), "spent a day", "cost_usd of ledger.spend per day"),
        fact(f"{tasks['tasks']:,}", "tasks settled", "rows of ledger.tasks"),
        fact(
            formats.share(tasks["with_outcome"], tasks["tasks"]), "of tasks with an outcome", "quality of ledger.tasks is known"
        ),
        fact(f"{total['better']:,}", "decisions with a better option", "regret_usd > 0 in ledger.decisions"),
    ]


def _fact_with_term(said: str, name: str, label: str, source: str) -> Component:
    return html.Div(
        [html.Span(said, className="fact-number"), html.Span(term(name, label), className="fact-label")],
        className="fact",
        title=source,
    )


def _without_a_number(view: View, total: dict[str, object], tasks: dict[str, object]) -> Children:
    """Decisions are there and none can be judged: say which kind of ignorance it is, and its mend."""
    count = formats.count(total["decisions"], "decision")
    said = f"{count} {describe(view.filters, view.now)}, and none can be judged yet."
    return [html.H1(said, className="headline"), *next_steps(view.endpoint, tasks, total)]


def _without_decisions(view: View) -> Children:
    """No decision in this window: because there is no call, no task, or no choice that can be seen."""
    if not view.ask("books_extent").only()["calls"]:
        return onboarding(view.endpoint, needs_token=is_named())
    tasks = view.ask("tasks_total").only()
    when = describe(view.filters, view.now)
    narrowed = " with these filters" if view.filters.where else ""
    said = (
        f"No decision was seen {when}{narrowed}, in {formats.count(tasks['tasks'], 'settled task')}."
        if tasks["tasks"]
        else f"Nothing has been appraised {when}{narrowed}."
    )
    return [html.Div([html.H1(said, className="headline"), *next_steps(view.endpoint, tasks, None)], className="unappraised")]
