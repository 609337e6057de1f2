"""What a page is: an address, panels, and whether the filter bar concerns it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dash import Dash, html
from dash.development.base_component import Component

from dashboard.books import Books
from dashboard.components.panel import Panel, frame_of
from dashboard.filters import DIMENSIONS


@dataclass(frozen=True, slots=True)
class Shell:
    """What a page's own callbacks stand on: the application, the books, the clock, and where the collector answers."""

    app: Dash
    books: Books
    clock: Callable[[], datetime]
    collector: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `path` ends in `/` where an id follows it.

    `label` is its link in the navigation, None for pages reached otherwise, `key` the letter that goes there after a g;
    `under` is the path of the page it belongs to in the navigation, below which its link stands while one of them is
    open; `register` adds callbacks of its own, `around` what stands beside the panels. `dimensions` are what it can be
    filtered by, `offers` the query that lists the values of these.
    """

    path: str
    name: str
    panels: tuple[Panel, ...]
    label: str | None = None
    key: str | None = None
    under: str | None = None
    filtered: bool = True
    dimensions: Mapping[str, str] = field(default_factory=lambda: DIMENSIONS)
    offers: str = "filter_values"
    register: Callable[[Shell], None] | None = None
    around: Callable[[], list[Component]] | None = None

    def layout(self) -> Component:
        """The page with every panel waiting for its answer."""
        extra = self.around() if self.around else []
        return html.Div([*(frame_of(panel) for panel in self.panels), *extra], className=f"page page-{self.name}")
