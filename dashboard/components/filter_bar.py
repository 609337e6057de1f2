"""The row above every page: which time, which part of the books, live or not. It only reads and writes the URL."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from dashboard.books import Books, BooksUnavailable
from dashboard.components.labelled import labelled
from dashboard.components.marks import known_or
from dashboard.filters import DIMENSIONS, EVERY_DIMENSION, RANGES, UTC_ZONE, Filters
from dashboard.queries import statement

CUSTOM = "custom"
_VALUES_OFFERED = 100
ZONES = (  # a few of every part of the world; an address may name any other
    "UTC", "Africa/Johannesburg", "Africa/Lagos", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/New_York",
    "America/Sao_Paulo", "America/Toronto", "Asia/Dubai", "Asia/Kolkata", "Asia/Seoul", "Asia/Shanghai", "Asia/Singapore",
    "Asia/Tokyo", "Australia/Sydney", "Europe/Berlin", "Europe/Istanbul", "Europe/Lisbon", "Europe/London", "Europe/Madrid",
    "Europe/Paris", "Europe/Warsaw", "Pacific/Auckland",
)  # fmt: skip


def filter_bar(
    filters: Filters,
    now: datetime,
    path: str,
    books: Books,
    dimensions: Mapping[str, str] = DIMENSIONS,
    offers: str = "filter_values",
) -> list[Component]:
    """The controls, set as the URL says. `offers` is the query that lists the values of the page's dimensions."""
    return [
        html.Div(
            [_range(filters), _dates(filters, now)],
            className="range",
        ),
        _zone(filters),
        html.Div([*_pills(filters, path), _adding(filters, now, books, dimensions, offers)], className="pills"),
        labelled(
            dmc.Switch(id="live", checked=filters.live, label="Live", size="xs", persistence=False), "Refresh every five seconds"
        ),
        *_problems(filters, dimensions),
    ]


def _range(filters: Filters) -> Component:
    choices = [{"value": value, "label": label} for value, (label, _) in RANGES.items()]
    if filters.range is None:
        choices.append({"value": CUSTOM, "label": "Chosen dates"})
    return labelled(
        dmc.Select(id="range", data=choices, value=filters.range or CUSTOM, allowDeselect=False, size="xs", w=138), "Time range"
    )


def _zone(filters: Filters) -> Component:
    names = sorted({*ZONES, filters.zone}, key=lambda name: (name != UTC_ZONE, name))
    return labelled(
        dmc.Select(
            id="zone",
            data=names,
            value=filters.zone,
            allowDeselect=False,
            searchable=True,
            size="xs",
            w=134,
            className="zone",
            comboboxProps={"width": 180, "position": "bottom-start"},
        ),
        "Time zone of the days chosen; times in tables are UTC",
    )


def _dates(filters: Filters, now: datetime) -> Component:
    window = filters.window(now)
    place = filters.place
    since = f"{window.since.astimezone(place):%Y-%m-%d}" if window.since else None
    until = f"{(window.until - timedelta(microseconds=1)).astimezone(place):%Y-%m-%d}" if window.until else None
    return labelled(
        dmc.DatePickerInput(
            id="dates",
            type="range",
            value=[since, until] if since and until else [None, None],  # type: ignore[list-item]  # None crashes a range
            valueFormat="D MMM YYYY",
            placeholder="From the first to the last call",
            maxDate=f"{now.astimezone(UTC) + timedelta(days=1):%Y-%m-%d}",
            allowSingleDateInRange=True,
            size="xs",
            w=210,
        ),
        f"Days shown, {filters.zone}",
    )


def _pills(filters: Filters, path: str) -> list[Component]:
    pills: list[Component] = []
    for dimension, kept in filters.where.items():
        label = f"{EVERY_DIMENSION[dimension]}: {', '.join(known_or(value) for value in kept)}"
        href = path + filters.without(dimension).search()
        pills.append(dcc.Link([label, html.Span("×")], href=href, className="pill", title=f"Remove the filter on {label}"))
    return pills


def _adding(filters: Filters, now: datetime, books: Books, dimensions: Mapping[str, str], offers: str) -> Component:
    try:
        offered = books.run(statement(offers, filters, now, limit=_VALUES_OFFERED))
    except BooksUnavailable:
        groups: list[dict[str, object]] = []  # the panels say what is wrong; here it only means nothing to choose from
    else:
        groups = [
            {
                "group": heading,
                "items": [
                    {"value": f"{dimension}={row['value'] or ''}", "label": known_or(cast("str | None", row["value"]))}
                    for row in offered
                    if row["dimension"] == dimension
                ],
            }
            for dimension, heading in dimensions.items()
        ]
    return labelled(
        dmc.Select(
            id="add-filter",
            data=groups,
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
