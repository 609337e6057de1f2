"""The menu of saved views: names for addresses of the page, shared by everybody of the installation."""

from collections.abc import Iterable

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from dashboard.components.labelled import labelled

Row = dict[str, object]


def views_menu() -> Component:
    """The menu, closed. Its list is filled when the page is opened; the reader's name is kept in the browser."""
    saving = html.Div(
        [
            labelled(dmc.TextInput(id="view-name", placeholder="A name for this page", size="xs"), "A name for this page"),
            _button("save", "Save", "This page with its filters, range and time zone"),
        ],
        className="views-row",
    )
    changing = html.Details(
        [
            html.Summary("Rename or remove one"),
            labelled(dmc.Select(id="view-chosen", data=[], placeholder="Which", size="xs"), "Which view"),
            labelled(dmc.TextInput(id="view-new-name", placeholder="Its new name", size="xs"), "Its new name"),
            html.Div(
                [_button("rename", "Rename", "Its address stays"), _button("remove", "Remove", "Its address goes on to work")],
                className="views-row",
            ),
        ]
    )
    who = dmc.TextInput(id="view-who", placeholder="Your name", size="xs", persistence=True, persistence_type="local")
    body = [
        html.Ul(id="views-list", className="views-list"),
        saving,
        labelled(who, "Your name"),
        changing,
        html.P("", id="views-said", className="act-said", role="status"),
    ]
    return html.Details([html.Summary("Saved views"), html.Div(body, className="views-body")], className="views")


def listed(rows: Iterable[Row]) -> list[Component]:
    """The views as links; under the pointer, who saved each."""
    items = [
        html.Li(dcc.Link(str(row["name"]), href=str(row["address"]), className="view-link", title=f"saved by {row['made_by']}"))
        for row in rows
    ]
    return [*items] if items else [html.Li("None is saved yet.", className="nothing")]


def _button(act: str, word: str, meaning: str) -> Component:
    return html.Button(word, id={"type": "view-act", "act": act}, className="act-button", title=meaning, type="button")
