"""A small table in the text: a few rows that are read, not worked with."""

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

Cell = Component | str | list[Component | str] | None


def plain_table(caption: str, heads: Sequence[str | Component], rows: Sequence[Sequence[Cell]], words: int = 1) -> Component:
    """Rows under heads. The first column names its row; the first `words` columns are words, all others numbers to the right."""
    head = html.Tr([html.Th(said, scope="col", className=_kind(place, words)) for place, said in enumerate(heads)])
    body = [html.Tr([_cell(cell, place, words) for place, cell in enumerate(row)]) for row in rows]
    return html.Div(
        html.Table([html.Caption(caption), html.Thead(head), html.Tbody(body)], className="options plain-table"),
        className="scrolls",
        tabIndex=0,
    )


def _cell(cell: Cell, place: int, words: int) -> Component:
    said = "–" if cell is None else cell
    return html.Th(said, scope="row") if place == 0 else html.Td(said, className=_kind(place, words))


def _kind(place: int, words: int) -> str:
    return "" if place < words else "number"
