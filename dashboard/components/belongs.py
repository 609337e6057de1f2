"""Which findings a decision or a trace belongs to: the way back."""

from typing import cast

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.filters import Filters
from dashboard.frame import Frame

Row = dict[str, object]


def finding_link(row: Row) -> str:
    """Where a finding is shown."""
    return "/finding" + Filters(where={"tenant": (str(row["tenant"]),)}, finding=cast(int, row["finding_id"])).search()


def belongs_to(found: Frame, said: str) -> list[Component | str]:
    """A line for each finding, with its dollars a day; nothing where there is none."""
    return [
        html.P(
            [
                f"{said}: ",
                dcc.Link(str(row["sentence"]).rstrip(". "), href=finding_link(row), className="act name"),
                f" ({formats.usd_estimate(row['usd_per_day'], row['low'], row['high'])} a day, {row['status']}).",
            ],
            className="belongs",
        )
        for row in found
    ]
