"""Taking a panel apart, so that a refresh exchanges only what changed."""

from __future__ import annotations

from dash import dcc, html

from dashboard.components.panel import Children
from dashboard.components.refresh import changed, take_apart


def content(dollars: str = "$1", heights: tuple[int, ...] = (1, 2), rows: int = 2, tone: str = "calm") -> Children:
    return [
        html.Header([html.H2("Spend"), html.Button("SQL", id={"type": "sql", "panel": "spend"})]),
        html.Div(
            [
                dcc.Graph(id={"type": "graph", "name": "spend"}, figure={"data": [{"y": list(heights)}]}),
                html.Div([html.Span(dollars) for _ in range(rows)], className=tone),
            ]
        ),
        dcc.Store(id={"type": "statements", "panel": "spend"}, data=[]),
    ]


def ids_changed(before: Children, after: Children) -> list[str] | None:
    _, held = take_apart("spend", before)
    parts, now = take_apart("spend", after)
    exchanged = changed(parts, now, held)
    return None if exchanged is None else [part.sets for part in exchanged]


def test_the_same_content_exchanges_nothing() -> None:
    assert ids_changed(content(), content()) == []


def test_only_what_changed_is_exchanged() -> None:
    assert ids_changed(content(), content(heights=(1, 3))) == ["figure"]
    assert ids_changed(content(), content(dollars="$2")) == ["children"]
    assert ids_changed(content(), content(rows=3)) == ["children"]


def test_another_skeleton_is_drawn_whole() -> None:
    assert ids_changed(content(), content(tone="act")) is None
    assert ids_changed(content(), content()[1:]) is None
    assert ids_changed(content(), [html.P("Nothing.")]) is None


def test_a_first_answer_is_drawn_whole() -> None:
    parts, now = take_apart("spend", content())
    assert changed(parts, now, None) is None


def test_every_part_has_an_id_of_its_own() -> None:
    parts, shape = take_apart("spend", content())
    assert len(parts) == len(shape["parts"]) == 4
    assert {part.sets for part in parts} == {"children", "figure", "data"}


def test_a_value_belongs_to_its_part() -> None:
    parts, _ = take_apart("spend", content(dollars="$7"))
    (figure,) = (part for part in parts if part.sets == "figure")
    assert figure.value == {"data": [{"y": [1, 2]}]}
    assert figure.id == {"type": "graph", "name": "spend"}
