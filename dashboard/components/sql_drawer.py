"""The drawer that shows the SQL behind a panel."""

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component


def sql_drawer() -> Component:
    """The empty drawer; one for the whole page."""
    return dmc.Drawer(
        id="sql-drawer",
        title="The SQL behind this",
        position="right",
        size="lg",
        opened=False,
        zIndex=300,
        children=html.Div(id="sql-body"),
        closeButtonProps={"aria-label": "Close"},
    )


def statements(shown: list[dict[str, str]]) -> list[Component]:
    """Each statement of a panel, ready to be copied. It is the very text that was run."""
    intro = html.P(
        [
            "Run as it stands in ",
            html.Code("pigou sql"),
            " or in psql (address: ",
            html.Code("pigou dsn"),
            "), it gives the numbers drawn.",
        ],
        className="note",
    )
    return [intro, *(_statement(one["text"]) for one in shown)]


def _statement(text: str) -> Component:
    return html.Div(
        dmc.CodeHighlight(code=text, language="sql", copyLabel="Copy", copiedLabel="Copied"),
        className="statement",
    )
