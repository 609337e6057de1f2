"""What goes wrong, by failure mode: every finding that is not resolved, in words, with its dollars and its days."""

from datetime import datetime
from typing import cast

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.belongs import finding_link
from dashboard.components.marks import interval_bar, known_or, spark
from dashboard.components.panel import Children, View, nothing
from dashboard.components.terms import term
from dashboard.pages.mode_words import MODES, mode_name

Row = dict[str, object]
SHOWN_OF_A_MODE = 4
_PLACES_SHOWN = 5
_DAYS_DRAWN = 28
_MEANT = (
    ": value that tasks would bring, losses and waiting that would be spared and what would not be paid, less what the change"
    " itself costs. "
)


def matters(view: View) -> Children:
    """The modes that lose, the dearest first, each with its findings; where there is none, the places whose regret stands."""
    found = list(view.ask("findings"))
    totals = [row for row in view.ask("findings_by_mode") if any(each["mode"] == row["mode"] for each in found)]
    if not totals:
        return _without_findings(view)
    reach = max(float(formats.number(row["high"]) or 0) for row in totals)
    return [
        html.Ol([_mode(view, row, [each for each in found if each["mode"] == row["mode"]], reach) for row in totals],
                className="modes-lost"),
        html.P(
            [
                *_quiet(view, {str(row["mode"]) for row in totals}),
                "Dollars are what the change would save a day, with their ", term("95 % interval"), _MEANT,
                dcc.Link("All findings, and what was looked at", href=view.link(view.filters, "/findings"), className="act"),
            ],
            className="note",
        ),
    ]  # fmt: skip


def _mode(view: View, total: Row, found: list[Row], reach: float) -> Component:
    """A mode's name, meaning and dollars, and under it what goes wrong where."""
    name = str(total["mode"])
    link = view.link(view.filters.only("mode", name), "/findings")
    rows = [_finding(row, reach) for row in found[:SHOWN_OF_A_MODE]]
    left = len(found) - SHOWN_OF_A_MODE
    if left > 0:
        rows.append(html.Li(dcc.Link(f"{left} more", href=link, className="act"), className="more"))
    several = [
        html.Span(
            [
                html.Strong(formats.usd_estimate(total["usd_per_day"], total["low"], total["high"]), className="number"),
                f" a day together ({formats.usd_interval(total['low'], total['high'])})",
            ],
            className="mode-total",
        )
    ]
    head = html.Div(
        [
            html.H3(dcc.Link(mode_name(name), href=link, className="mode-link")),
            html.P(MODES.get(name, ("", ""))[1]),
            *(several if len(found) > 1 else []),
        ],
        className="mode-head",
    )
    return html.Li([head, html.Ol(rows, className="matters")])


def _finding(row: Row, reach: float) -> Component:
    days = cast("list[dict[str, float | None]] | None", row["days"]) or []
    drawn = [float(day.get("usd") or 0) for day in days[-_DAYS_DRAWN:]]
    whose: Children = [html.Strong(str(row["tenant"]), className="name")]
    if row["task_class"] is not None:
        whose.append(html.Span(f" · {row['task_class']}", className="name"))
    status = str(row["status"])
    stands = dcc.Link("acknowledge", href=finding_link(row), className="act") if status == "open" else status
    return html.Li(
        [
            html.Div(
                [
                    dcc.Link(str(row["sentence"]), href=finding_link(row), className="name sentence"),
                    html.P([f"To do: {row['change']}", " ", html.Small(whose, className="whose")], className="name to-do"),
                ]
            ),
            html.Div(
                [
                    html.Strong(formats.usd_estimate(row["usd_per_day"], row["low"], row["high"]), className="number"),
                    " ",
                    html.Small(f"a day ({formats.usd_interval(row['low'], row['high'])})"),
                    html.Div(
                        [
                            interval_bar(row["usd_per_day"], row["low"], row["high"], reach),
                            spark(drawn, f"USD lost on each of {len(drawn)} days") if len(drawn) > 1 else html.Span(),
                        ],
                        className="saving-drawn",
                    ),
                    html.Small([f"since {_day(row['since'])} · ", *_unclear(row), stands]),
                ],
                className="saving",
            ),
        ]
    )


def _unclear(row: Row) -> list[str]:
    return [] if row["unclear_since"] is None else [f"unclear since {_day(row['unclear_since'])} · "]


def _day(at: object) -> str:
    return formats.day_of_year(at) if isinstance(at, datetime) else formats.UNKNOWN


def _quiet(view: View, losing: set[str]) -> Children:
    """The modes that lose nothing, and whether they could be judged."""
    looked = {str(row["mode"]): row for row in view.ask("looks_by_mode")}
    had_none = {str(row["mode"]) for row in view.ask("modes_that_looked")} - looked.keys()
    words = [f"{mode_name(mode)} ({_judged(looked.get(mode), mode in had_none)})" for mode in MODES if mode not in losing]
    return [f"Nothing is found of {', '.join(words)}. "] if words else []


def _judged(looked: Row | None, had_none: bool) -> str:
    if looked is None:
        return "nothing there to look at" if had_none else "not looked at yet"
    return f"{looked['appraised']:,} of {formats.count(looked['places'], 'place')} could be judged"


def _without_findings(view: View) -> Children:
    places = view.ask("regret_by_place", limit=_PLACES_SHOWN)
    if not len(places):
        is_looked_at = bool(len(view.ask("looks_by_mode")))
        return [nothing("No loss is found that stands out from chance." if is_looked_at else "Nothing has been looked at yet.")]
    return [html.Ol([_place(view, row) for row in places], className="matters")]


def _place(view: View, row: Row) -> Component:
    kind, task_class = str(row["kind"]), cast("str | None", row["task_class"])
    filters = view.filters.only("kind", kind).only("task_class", task_class).only("chosen", str(row["chosen"]))
    said = f"{kind} in {known_or(task_class)} chose {formats.option(kind, row['chosen'])}"
    said += f" where {formats.option(kind, row['best'])} was better" if row["best"] is not None else ""
    return html.Li(
        [
            html.Div([dcc.Link(said, href=view.link(filters, "/decisions"), className="name sentence")]),
            html.Div([html.Strong(formats.usd(row["usd_per_day"]), className="number"), html.Small("a day")], className="saving"),
        ]
    )
