"""Live panels: of a panel drawn again, only the parts that changed are exchanged, in place.

Dash mounts everything below a property `children` anew whenever it is set: figures would blink, tables lose their place.
So a panel is taken apart into parts that can be set by themselves: a figure's data, a table's rows, and blocks of text.
While the rest of the panel (its skeleton) stays the same, a refresh sets the changed parts alone; where nothing changed,
nothing is touched.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NotRequired, TypedDict, cast

import dash_ag_grid as dag
from dash import dcc
from dash.development.base_component import Component
from plotly.utils import PlotlyJSONEncoder

from dashboard.filters import Filters

Id = str | dict[str, object]

_LIVE_PROPERTY: tuple[tuple[type[Component], str], ...] = ((dcc.Graph, "figure"), (dag.AgGrid, "rowData"), (dcc.Store, "data"))


class Shape(TypedDict):
    """What a browser holds of a panel: a digest of its skeleton, and one of each part by its id."""

    skeleton: str
    parts: dict[str, str]
    view: NotRequired[str]
    """What the address asked of the panel when it was drawn."""
    tick: NotRequired[int | None]
    """How often the page had looked again by itself when it was drawn."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a panel that can be exchanged in place."""

    id: Id
    sets: str  # the property that is exchanged
    value: object

    @property
    def key(self) -> str:
        """The id as text, the same each time."""
        return json.dumps(self.id, sort_keys=True)


def take_apart(panel: str, children: list[Component | str]) -> tuple[list[Part], Shape]:
    """The parts of a panel's content and its shape. Blocks of text that have no id are given one."""
    parts: list[Part] = []
    skeleton = [_bone(panel, child, parts) for child in children]
    return parts, {"skeleton": digest(skeleton), "parts": {part.key: digest(part.value) for part in parts}}


def changed(parts: list[Part], now: Shape, held: Shape | None) -> list[Part] | None:
    """The parts that differ from what the browser holds; None where the skeleton differs and all must be drawn."""
    if held is None or held["skeleton"] != now["skeleton"] or held["parts"].keys() != now["parts"].keys():
        return None
    return [part for part in parts if held["parts"][part.key] != now["parts"][part.key]]


def _bone(panel: str, node: object, parts: list[Part]) -> object:
    """What stays of a node when its parts are taken out; the parts are appended in order."""
    if not isinstance(node, Component):
        return node
    live = next((name for kind, name in _LIVE_PROPERTY if isinstance(node, kind)), None)
    if live is not None:
        parts.append(Part(cast(Id, node.id), live, getattr(node, live, None)))  # pyright: ignore[reportAttributeAccessIssue]
        return _without(node, live)
    if not hasattr(node, "children"):
        return node.to_plotly_json()
    if _holds_a_live_one(node):
        return [_without(node, "children"), [_bone(panel, child, parts) for child in _children(node)]]
    if not hasattr(node, "id"):
        setattr(node, "id", {"type": "part", "panel": panel, "part": len(parts)})  # noqa: B010 - its type does not know it
    parts.append(Part(cast(Id, node.id), "children", node.children))  # pyright: ignore[reportAttributeAccessIssue]
    return _without(node, "children")


def _holds_a_live_one(node: Component) -> bool:
    """Whether anything below must be exchanged by itself: figures, tables, and controls that have an id of their own."""
    return any(
        isinstance(child, tuple(kind for kind, _ in _LIVE_PROPERTY)) or _is_control(child) or _holds_a_live_one(child)
        for child in _children(node)
        if isinstance(child, Component)
    )


def _is_control(node: Component) -> bool:
    return hasattr(node, "id") and not hasattr(node, "children")


def _children(node: Component) -> Iterator[object]:
    children = getattr(node, "children", None)
    if isinstance(children, list | tuple):
        yield from children
    elif children is not None:
        yield children


def _without(node: Component, name: str) -> dict[str, object]:
    said = cast("dict[str, object]", node.to_plotly_json())
    properties = cast("dict[str, object]", said["props"])
    return {**said, "props": {key: value for key, value in properties.items() if key != name}}


def view_key(filters: Filters, path: str, ignored: Iterable[str] = ()) -> str:
    """What an address asks of a panel that some of its names do not concern."""
    return path + filters.asking(**dict.fromkeys(ignored)).search()


def digest(value: object) -> str:
    """A short text that is the same for the same value, components included."""
    return hashlib.blake2b(json.dumps(value, cls=PlotlyJSONEncoder, sort_keys=True).encode(), digest_size=8).hexdigest()
