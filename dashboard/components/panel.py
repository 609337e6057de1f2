"""A panel: one question, its answer, and the SQL behind it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from dashboard.books import Books, BooksUnavailable
from dashboard.components.labelled import labelled
from dashboard.components.marks import with_code
from dashboard.filters import Filters, Window
from dashboard.frame import Frame
from dashboard.queries import ROWS_SHOWN, Statement, statement

Children: TypeAlias = list[Component | str]
RETRY_MS = 5000


@dataclass(frozen=True)
class View:
    """What a panel is drawn from: the books, the view asked for by the URL, and the statements run so far."""

    books: Books
    filters: Filters
    now: datetime
    path: str
    endpoint: str
    statements: list[Statement] = field(default_factory=list[Statement])

    @property
    def window(self) -> Window:
        """The time range meant, resolved."""
        return self.filters.window(self.now)

    def ask(
        self,
        name: str,
        *,
        bucket: str = "day",
        limit: int | None = ROWS_SHOWN,
        window: Window | None = None,
        values: Mapping[str, str | datetime] | None = None,
    ) -> Frame:
        """Run a named query for this view and keep its text for the reader. Raises: BooksUnavailable."""
        filled = statement(name, self.filters, self.now, bucket=bucket, limit=limit, window=window, values=values)
        self.statements.append(filled)
        return self.books.run(filled)

    def link(self, filters: Filters, path: str | None = None) -> str:
        """The address of another view, of this page unless another path is given."""
        return (path or self.path) + filters.search()


@dataclass(frozen=True, slots=True)
class Panel:
    """A named part of a page.

    `table` is the query that its CSV link downloads, `skeleton_px` the height kept free while it loads. One that `keeps` what a
    reader writes in it is left as it is when the page is refreshed.
    """

    name: str
    title: str
    draw: Callable[[View], Children]
    caption: str = ""
    table: str | None = None
    skeleton_px: int = 240
    follows: tuple[str, ...] = ()
    """Names of the address that are this panel's alone: others stay as they are when one of them changes."""
    keeps: bool = False


def frame_of(panel: Panel) -> Component:
    """The place of a panel, with a skeleton in it until its first answer."""
    waiting = [dmc.Skeleton(height=14, width=160, mb=18), dmc.Skeleton(height=panel.skeleton_px, radius="sm")]
    return labelled(
        html.Section(
            [
                html.Div(waiting, id=place(panel.name), className="panel-body"),
                dcc.Interval(id={"type": "retry", "panel": panel.name}, interval=RETRY_MS, disabled=True),
                dcc.Store(id={"type": "shape", "panel": panel.name}),
                dcc.Store(id={"type": "asked", "panel": panel.name}),
            ],
            className=f"panel panel-{panel.name}",
            id=f"section-{panel.name}",
        ),
        panel.title or panel.name,
    )


def place(name: str) -> dict[str, str]:
    """The id of a panel's body."""
    return {"type": "panel", "panel": name}


def drawn(panel: Panel, view: View) -> tuple[Children, bool]:
    """A panel's content, and whether it is to be asked for again soon because the books did not answer."""
    try:
        content = panel.draw(view)
    except BooksUnavailable as error:
        return [_heading(panel, []), trouble(error)], True
    return [
        _heading(panel, _actions(panel, view, any(map(_has_figure, content)))),
        *content,
        dcc.Store(id={"type": "statements", "panel": panel.name}, data=shown_statements(view)),
    ], False


def trouble(error: BooksUnavailable) -> Component:
    """What is wrong and what mends it, in place of an answer."""
    details = [html.Details([html.Summary("What the database said"), html.Pre(error.detail)])] if error.detail else []
    name = "trouble away" if error.is_away else "trouble"  # what all panels say is shown by the first of them
    return html.Div([html.Strong(error.what), html.P(with_code(error.mend)), *details], className=name, role="alert")


def nothing(sentence: str) -> Component:
    """A quiet line where there is nothing to draw."""
    return html.P(sentence, className="nothing")


def _heading(panel: Panel, actions: Sequence[Component]) -> Component:
    words: Children = [html.H2(panel.title)] if panel.title else []
    if panel.caption:
        words.append(html.P(panel.caption))
    return html.Header([html.Div(words), html.Div(list(actions), className="actions")], className="panel-heading")


def _actions(panel: Panel, view: View, has_figure: bool) -> list[Component]:
    actions: list[Component] = []
    if (rows := _rows_behind(panel, view, has_figure)) is not None:
        actions.append(
            html.A(
                "CSV",
                href=csv_address(rows.name, view, rows.bucket),
                className="quiet-button",
                title="Download every row as CSV",
                download="",
            )
        )
    if has_figure:
        button = html.Button("PNG", className="quiet-button png-button", title="Download the figure as a picture", type="button")
        setattr(button, "data-name", panel.name)
        actions.append(button)
    if view.statements:
        actions.append(
            html.Button(
                "SQL", id={"type": "sql", "panel": panel.name}, className="quiet-button", title="The exact SQL behind this"
            )
        )
    return actions


def _rows_behind(panel: Panel, view: View, has_figure: bool) -> Statement | None:
    """What the CSV link downloads: the table the panel names; of a figure without one, what was asked last."""
    asked = next((filled for filled in view.statements if filled.name == panel.table), None)
    return asked or (view.statements[-1] if has_figure and panel.table is None and view.statements else None)


def _has_figure(node: Component | str) -> bool:
    """Whether there is a drawing anywhere in it that can be made a picture."""
    if isinstance(node, str):
        return False
    return isinstance(node, dcc.Graph) or any(
        isinstance(child, dcc.Graph)
        for child in node._traverse()  # noqa: SLF001 - Dash has no public walk
    )


def csv_address(name: str, view: View, bucket: str = "day") -> str:
    """Where all rows of a table can be downloaded, for the very window that is drawn and in its steps of time."""
    search = view.filters.frozen_at(view.now).search()
    if bucket != "day":
        search += f"{'&' if search else '?'}bucket={bucket}"
    trace = f"{'&' if search else '?'}trace={view.path.rsplit('/', 1)[-1]}" if view.path.startswith("/trace/") else ""
    return f"/csv/{name}.csv{search}{trace}"


def shown_statements(view: View) -> list[dict[str, str]]:
    """What was run, for the reader who asks for it."""
    return [{"name": filled.name, "text": filled.text} for filled in view.statements]
