"""The row above every page: which time, which part of the books, live or not. It only reads and writes the URL.

Its controls are made once; what the URL asks for is set into them part by part, and only where it is something else than before.
A control that was drawn anew would lose its place: a list that a reader has just opened would close.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, cast

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from dashboard.books import Books, BooksUnavailable
from dashboard.components.labelled import labelled
from dashboard.components.marks import known_or
from dashboard.filters import DIMENSIONS, EVERY_DIMENSION, RANGE, RANGES, UTC_ZONE, Filters, span_said
from dashboard.queries import statement

CUSTOM = "custom"
WAITING = "filter-bar waiting"
_VALUES_OFFERED = 100
ZONES = (  # a few of every part of the world; an address may name any other
    "UTC", "Africa/Johannesburg", "Africa/Lagos", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/New_York",
    "America/Sao_Paulo", "America/Toronto", "Asia/Dubai", "Asia/Kolkata", "Asia/Seoul", "Asia/Shanghai", "Asia/Singapore",
    "Asia/Tokyo", "Australia/Sydney", "Europe/Berlin", "Europe/Istanbul", "Europe/Lisbon", "Europe/London", "Europe/Madrid",
    "Europe/Paris", "Europe/Warsaw", "Pacific/Auckland",
)  # fmt: skip

Setting: TypeAlias = tuple[str, str]  # a control's id and the property that is set
SETTINGS: tuple[Setting, ...] = (
    ("filter-bar", "className"),
    ("range", "data"), ("range", "value"), ("dates", "value"), ("dates", "maxDate"),
    ("steps-back", "children"), ("steps-on", "children"),
    ("zone", "data"), ("zone", "value"), ("pills", "children"), ("add-filter", "data"), ("add-filter", "value"),
    ("live", "checked"), ("problems", "children"),
)  # fmt: skip


def filter_bar() -> Component:
    """The controls, out of sight until the first answer sets them as the URL says."""
    return html.Div(
        [
            html.Div([html.Span(id="steps-back"), _range(), _dates(), html.Span(id="steps-on")], className="range"),
            _zone(),
            html.Div([html.Span(id="pills", className="pills-set"), _adding()], className="pills"),
            labelled(html.Button("↻", id="refresh", className="step", title="Ask again now (r)", type="button"), "Refresh"),
            labelled(
                dmc.Switch(id="live", checked=False, label="Live", size="xs", persistence=False), "Refresh every five seconds"
            ),
            html.Div(id="problems", className="problems-set"),
        ],
        id="filter-bar",
        className=WAITING,
    )


def set_as(
    filters: Filters, now: datetime, path: str, dimensions: Mapping[str, str] = DIMENSIONS, *, filtered: bool = True
) -> dict[Setting, object]:
    """What the controls are set to for a view of a page; all but the values that can be filtered by."""
    names = sorted({*ZONES, filters.zone}, key=lambda name: (name != UTC_ZONE, name))
    choices = [{"value": value, "label": label} for value, (label, _) in RANGES.items()]
    if filters.range is None:
        choices.append({"value": CUSTOM, "label": "Chosen dates"})
    return {
        ("filter-bar", "className"): "filter-bar" if filtered else "filter-bar unfiltered",
        ("range", "data"): choices,
        ("range", "value"): filters.range or CUSTOM,
        ("dates", "value"): dates_of(filters, now),
        ("dates", "maxDate"): f"{now.astimezone(UTC) + timedelta(days=1):%Y-%m-%d}",
        ("steps-back", "children"): _step(filters, now, path, -1),
        ("steps-on", "children"): _step(filters, now, path, 1),
        ("zone", "data"): names,
        ("zone", "value"): filters.zone,
        ("pills", "children"): _pills(filters, path),
        ("add-filter", "value"): None,
        ("live", "checked"): filters.live,
        ("problems", "children"): _problems(filters, dimensions),
    }


def dates_of(filters: Filters, now: datetime) -> list[str | None]:
    """The first and the last day of a view's window, as the calendar shows them."""
    window = filters.window(now)
    place = filters.place
    since = f"{window.since.astimezone(place):%Y-%m-%d}" if window.since else None
    until = f"{(window.until - timedelta(microseconds=1)).astimezone(place):%Y-%m-%d}" if window.until else None
    return [since, until] if since and until else [None, None]


def offered(filters: Filters, now: datetime, books: Books, dimensions: Mapping[str, str], offers: str) -> list[dict[str, object]]:
    """The values that can be filtered by, under their dimensions. `offers` is the query that lists them."""
    try:
        rows = books.run(statement(offers, filters, now, limit=_VALUES_OFFERED))
    except BooksUnavailable:
        return []  # the panels say what is wrong; here it only means nothing to choose from
    return [
        {
            "group": heading,
            "items": [
                {"value": f"{dimension}={row['value'] or ''}", "label": known_or(cast("str | None", row["value"]))}
                for row in rows
                if row["dimension"] == dimension
            ],
        }
        for dimension, heading in dimensions.items()
    ]


def _range() -> Component:
    select = dmc.Select(id="range", data=[], value=RANGE, allowDeselect=False, size="xs", w=138)
    return labelled(select, "Time range")


def _zone() -> Component:
    return labelled(
        dmc.Select(
            id="zone",
            data=[UTC_ZONE],
            value=UTC_ZONE,
            allowDeselect=False,
            searchable=True,
            size="xs",
            w=134,
            className="zone",
            comboboxProps={"width": 180, "position": "bottom-start"},
        ),
        "Time zone of the days chosen; times in tables are UTC",
    )


def _dates() -> Component:
    return labelled(
        dmc.DatePickerInput(
            id="dates",
            type="range",
            value=[None, None],  # type: ignore[list-item]  # None crashes a range
            valueFormat="D MMM YYYY",
            placeholder="From the first to the last call",
            allowSingleDateInRange=True,
            size="xs",
            w=210,
        ),
        "Days shown, in the time zone beside",
    )


def _step(filters: Filters, now: datetime, path: str, step: int) -> list[Component]:
    """A link to the period before or after; none where this one has no length, nor into a time that has not begun."""
    other = filters.stepped(now, step)
    if other is None or other.since is None or other.since >= now:
        return []
    to = filters.between(other)
    said = f"{'The period before' if step < 0 else 'The period after'}: {span_said(to, now)}"
    arrow = labelled(html.Span("‹" if step < 0 else "›", role="img"), said)
    return [dcc.Link(arrow, href=path + to.search(), className="step", title=said)]


def _pills(filters: Filters, path: str) -> list[Component]:
    pills: list[Component] = []
    for dimension, kept in filters.where.items():
        label = f"{EVERY_DIMENSION[dimension]}: {', '.join(known_or(value) for value in kept)}"
        href = path + filters.without(dimension).search()
        pills.append(dcc.Link([label, html.Span("×")], href=href, className="pill", title=f"Remove the filter on {label}"))
    return pills


def _adding() -> Component:
    return labelled(
        dmc.Select(
            id="add-filter",
            data=[],
            value=None,
            placeholder="+ Filter",
            searchable=True,
            size="xs",
            w=104,
            variant="unstyled",
            nothingFoundMessage="Nothing by that name in this time",
            comboboxProps={"width": 280, "position": "bottom-start"},
            rightSection=html.Span(),
        ),
        "Add a filter",
    )


def _problems(filters: Filters, dimensions: Mapping[str, str]) -> list[Component]:
    """What of the address this page does not heed."""
    said = [f"Not understood in the address, and left out: {', '.join(filters.problems)}."] if filters.problems else []
    foreign = [EVERY_DIMENSION[name] for name in filters.where if name not in dimensions]
    if foreign:
        said.append(f"This page cannot be filtered by {', '.join(foreign)}.")
    return [html.P(line, className="problems", role="status") for line in said]
