"""The Dash application: the shell around the pages, and the few callbacks that tie them to the URL.

The URL decides everything. A click writes the URL; every panel listens to the URL; so each view is a link and "back" goes back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dash_mantine_components as dmc
from dash import Dash, dcc, html
from dash.development.base_component import Component

from dashboard import door, downloads, navigation, saved_views, theme
from dashboard.books import Books
from dashboard.components.filter_bar import filter_bar
from dashboard.components.labelled import labelled
from dashboard.components.sql_drawer import sql_drawer
from dashboard.components.views_menu import views_menu
from dashboard.filters import LIVE_SECONDS
from dashboard.pages import PAGES

# A column of three bars, in place of Dash's own icon.
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath fill='%232b7cc0' "
    "d='M1 9h4v6H1zm5-4h4v10H6zm5-4h4v14h-4z'/%3E%3C/svg%3E"
)
_INDEX = """<!DOCTYPE html>
<html lang="en">
    <head>
        {%metas%}
        <title>{%title%}</title>
        <link rel="icon" href="ICON">
        {%css%}
    </head>
    <body>
        {%app_entry%}
        <footer>{%config%}{%scripts%}{%renderer%}</footer>
    </body>
</html>"""

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the pages need to know of the installation.

    `endpoint` is where agents send their telemetry, as newcomers are told; `collector` where the pages ask the collector to act.
    """

    endpoint: str = "http://127.0.0.1:4318"
    collector: str = "http://127.0.0.1:4318"


def _utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(books: Books, settings: Settings | None = None, clock: Clock = _utc_now) -> Dash:
    """The dashboard over one database. `app.server` is its WSGI application.

    `clock` gives the time that relative ranges end at.
    """
    settings = settings or Settings()
    app = Dash(
        __name__,
        title="Pigou",
        update_title=None,  # type: ignore[arg-type]  # None keeps the title still while loading
        assets_folder=str(Path(__file__).parent / "assets"),
        suppress_callback_exceptions=True,
        serve_locally=True,
        index_string=_INDEX.replace("ICON", _ICON),
        add_log_handler=False,
        meta_tags=[
            {"name": "viewport", "content": "width=device-width, initial-scale=1"},
            {"name": "color-scheme", "content": "light dark"},
        ],
    )
    door.register(app.server, books)
    app.layout = _shell()
    navigation.register(app, PAGES, books, settings.endpoint, settings.collector, clock)
    saved_views.register(app, books, settings.collector, clock)
    downloads.register(app.server, books, clock)
    return app


def _shell() -> Component:
    return dmc.MantineProvider(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Interval(id="tick", interval=LIVE_SECONDS * 1000, disabled=True),
            html.Div(
                [
                    labelled(
                        html.Nav(
                            [
                                dcc.Link("Pigou", href="/", className="wordmark", title="Books of an agent stack's tokens"),
                                labelled(
                                    dmc.TextInput(id="find", placeholder="Find an id", size="xs", className="find"),
                                    "Find a trace, conversation, user or decision by its id",
                                ),
                                html.Div(id="links", className="links"),
                                views_menu(),
                                labelled(
                                    dmc.ColorSchemeToggle(lightIcon="☾", darkIcon="☀", variant="subtle", color="gray", size="md"),
                                    "Switch between light and dark",
                                ),
                            ],
                            className="side",
                        ),
                        "Pages",
                    ),
                    html.Div(
                        [filter_bar(), dcc.Store(id="bar-held"), html.Main(id="page")],
                        className="content",
                    ),
                ],
                className="shell",
            ),
            sql_drawer(),
        ],
        theme=theme.MANTINE,  # type: ignore[arg-type]  # a plain dictionary, as Mantine takes it
        defaultColorScheme="auto",
    )
