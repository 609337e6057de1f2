"""One finding: what is lost where, why that is believed, on which cases it rests, what to change, what would make it wrong."""

from dataclasses import replace
from typing import cast

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.act_bar import act_bar
from dashboard.components.marks import fact, graph, with_code
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.figures.finding import bars_of, days_lost, height_px, term_bars
from dashboard.filters import FINDING_DIMENSIONS, Filters
from dashboard.pages.dismissed import dismissal_said
from dashboard.pages.evidence import evidence
from dashboard.pages.mode_words import MODES, mode_name
from dashboard.pages.page import Page

Row = dict[str, object]
_DAYS_IN_A_MONTH = 30


def verdict(view: View) -> Children:
    """What is wrong, how many dollars a day that is, and since when."""
    rows = list(view.ask("finding", values=_number(view)))
    if not rows:
        return _unknown(view)
    if len(rows) > 1:
        return _several(view, rows)
    row = rows[0]
    everything = view.link(replace(view.filters, finding=None).without("tenant"), "/findings")
    return [
        html.P(
            [dcc.Link("Findings", href=everything), f" / {mode_name(row['mode'])} / {row['segment']}"],
            className="crumbs",
        ),
        html.H1(str(row["sentence"]), className="headline name"),
        html.P(MODES.get(str(row["mode"]), ("", ""))[1], className="change"),
        *dismissal_said(row),
        *_unclear_said(row),
        html.Div(_facts(row), className="facts"),
    ]


def _unclear_said(row: Row) -> list[Component]:
    if row["unclear_since"] is None:
        return []
    since, seen = (formats.moment(row[name])[:16] for name in ("unclear_since", "seen_at"))
    said = f"Since {since} there is not enough evidence to say whether it goes on: {row['unclear_why']}"
    return [html.P(f"{said} The dollars are as last found wrong, {seen}.", className="note")]


def _facts(row: Row) -> list[Component]:
    status = str(row["status"])
    if row["resolution"] is not None:
        status += f": {row['resolution']}"
    return [
        fact(
            formats.usd_estimate(row["usd_per_day"], row["low"], row["high"]) + " a day",
            f"lost ({formats.usd_interval(row['low'], row['high'])}, 95 %)",
            "usd_per_day, low and high of ledger.findings",
            act=True,
        ),
        fact(formats.moment(row["since"])[:16], "since, UTC", "since of ledger.findings: when it began to go wrong"),
        fact(formats.moment(row["opened_at"])[:16], "found, UTC", "opened_at of ledger.findings"),
        fact(status, "status", "status of ledger.findings", act=status == "open"),
        fact(f"{row['n']:,}", f"cases, in {formats.count(row['tasks'], 'task')}", "n and tasks of ledger.findings"),
        fact(formats.usd(row["materiality_usd_per_day"]) + " a day", "from which on it is told", "materiality_usd_per_day"),
        fact(str(row["tenant"]), "tenant", "whose books it is in"),
    ]


def change(view: View) -> Children:
    """What to do, and what that would save."""
    row = view.ask("finding", values=_number(view)).first()
    if row is None:
        return [nothing("Nothing.")]
    usd, low, high = (float(formats.number(row[name]) or 0) * _DAYS_IN_A_MONTH for name in ("usd_per_day", "low", "high"))
    saving = f"{formats.usd_estimate(usd, low, high)} in {_DAYS_IN_A_MONTH} days ({formats.usd_interval(low, high)}, 95 %)"
    said: Children = [
        html.P(str(row["change"]), className="to-change name"),
        html.P(["It would save ", html.Strong(saving, className="number"), " if nothing else changes."], className="change"),
    ]
    if row["alert_id"] is not None:
        filters = replace(Filters(where={"tenant": (str(row["tenant"]),)}), alert=cast(int, row["alert_id"]))
        said.append(
            html.P(dcc.Link("Its alert, and who was told", href=f"/alerts{filters.search()}", className="act"), className="note")
        )
    return said


def terms(view: View) -> Children:
    """The inequality as bars with intervals."""
    bars = bars_of(view.ask("finding_terms", values=_number(view)))
    row = view.ask("finding", values=_number(view)).first()
    if row is None:
        return [nothing("Nothing.")]
    said: Children = [html.P(str(row["inequality"]), className="inequality name")]
    if not bars:
        return [*said, nothing("Its terms are not told apart.")]
    figure = term_bars(bars, key=view.filters.search())
    described = "; ".join(f"{bar.name} {formats.usd(bar.usd)}" for bar in bars)
    said.append(graph("finding_terms", figure, height_px(bars), f"Terms in dollars a day: {described}."))
    open_terms = [bar.name for bar in bars if bar.usd is None]
    if open_terms:
        said.append(html.P(f"Not known, and not counted: {', '.join(open_terms)}.", className="note"))
    bare = [bar.name for bar in bars if bar.usd is not None and bar.low is None]
    if bare:
        said.append(html.P(f"Without an interval of its own: {', '.join(bare)}.", className="note"))
    said.append(html.P(f"Estimated by {str(row['method']).partition('; since: ')[0]}.", className="note"))
    return said


def days(view: View) -> Children:
    """What was lost day by day."""
    frame = view.ask("finding_days", values=_number(view))
    if not len(frame):
        return [nothing("Its days are not told apart.")]
    figure = days_lost(frame, key=view.filters.search())
    return [graph("finding_days", figure, 220, f"Dollars lost on each of {formats.count(len(frame), 'day')}.")]


def examples(view: View) -> Children:
    """Cases to look at, each leading to its decision and its trace."""
    frame = view.ask("finding_examples", values=_number(view))
    if not len(frame):
        return [nothing("It names no single case.")]
    columns = (
        Column("usd", "Lost, USD", "usd", 104),
        Column("decided_said", "What was decided", "decision", 300, grow=2),
        Column("best_said", "Better would be", width=160, grow=1),
        Column("decided_at", "When, UTC", "time", 160),
        Column("trace_id", "Trace, at that span", "link", 260, grow=1),
    )
    rows = [
        {
            **row,
            "decision_id": None if row["decision_id"] is None else str(row["decision_id"]),
            "decided_said": f"{row['kind']}: {formats.option(row['kind'], row['chosen'])}" if row["kind"] else "see the decision",
            "best_said": formats.option(row["kind"], row["best"]) if row["best"] else None,
        }
        for row in frame
    ]
    grid = table("finding_examples", columns, rows, row_key=("tenant", "example"))
    note = "The cases that lost most. Click what was decided for all its options, the trace for the span in its place."
    return [grid, html.P(note, className="note")]


def weaknesses(view: View) -> Children:
    """What would make the number wrong."""
    row = view.ask("finding", values=_number(view)).first()
    said = [str(one) for one in cast("list[object]", _evidence(row).get("weaknesses") or [])]
    if not said:
        return [nothing("The mode names nothing that would.")]
    return [html.Ul([html.Li(with_code(f"{one[:1].upper()}{one[1:]}.")) for one in said], className="plain")]


def events(view: View) -> Children:
    """What happened to it."""
    frame = view.ask("finding_events", values=_number(view))
    if not len(frame):
        return [nothing("Nothing yet.")]
    columns = (
        Column("at", "When, UTC", "time", 172),
        Column("event", "What", width=120),
        Column("who_said", "By", width=120),
        Column("note", "Note", "sentence", 220, grow=3),
        Column("usd_per_day", "USD a day", "usd", 104),
        Column("interval", "95 % interval", width=160),
    )
    rows = [
        {
            **row,
            "who_said": row["who"] or "the clock",
            "interval": None if row["low"] is None else formats.usd_interval(row["low"], row["high"]),
        }
        for row in frame
    ]
    return [table("finding_events", columns, rows, row_key=("tenant", "event_id"))]


def _evidence(row: Row | None) -> dict[str, object]:
    found = row["evidence"] if row is not None else None
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _several(view: View, rows: list[Row]) -> Children:
    """A number alone may be several tenants'."""
    links = [
        html.Li(dcc.Link(f"{row['tenant']}: {row['sentence']}", href=view.link(view.filters.only("tenant", str(row["tenant"])))))
        for row in rows
    ]
    return [
        html.H1(f"{len(rows):,} tenants have a finding {view.filters.finding}.", className="headline"),
        html.Ul(links, className="plain absent-below"),
    ]


def _unknown(view: View) -> Children:
    return [
        html.H1("There is no finding by this number.", className="headline absent-below"),
        html.P(
            [
                f"{view.filters.finding or 'What the address names'} may be another tenant's. ",
                dcc.Link("All findings", href="/findings?status=every", className="act"),
            ],
            className="change",
        ),
    ]


def _number(view: View) -> dict[str, str]:
    return {"finding_id": str(view.filters.finding or 0)}


PAGE = Page(
    path="/finding",
    name="finding",
    under="/findings",
    filtered=False,
    around=lambda: [act_bar()],
    dimensions=FINDING_DIMENSIONS,
    panels=(
        Panel("finding_verdict", "", verdict, skeleton_px=110),
        Panel("finding_change", "What to change", change, skeleton_px=70),
        Panel("finding_terms", "Why: the inequality, in dollars a day", terms, table="finding_terms", skeleton_px=260),
        Panel("finding_evidence", "What this rests on", evidence, table="finding_segments", skeleton_px=360),
        Panel("finding_days", "Lost by day", days, "USD.", table="finding_days", skeleton_px=220),
        Panel("finding_examples", "Cases to look at", examples, table="finding_examples", skeleton_px=200),
        Panel("finding_weaknesses", "What would make this wrong", weaknesses, skeleton_px=80),
        Panel("finding_events", "What happened to it", events, table="finding_events", skeleton_px=120),
    ),
)
