"""The bar with which alerts are triaged: who, why, and what is to be done to the chosen ones."""

from datetime import timedelta
from typing import Literal

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from dashboard.components.labelled import labelled

BUTTONS: tuple[Literal["acknowledge", "mute", "resolve", "note"], ...] = ("acknowledge", "mute", "resolve", "note")
_LABELS = {"acknowledge": "Acknowledge", "mute": "Mute", "resolve": "Resolve", "note": "Add the note"}
_MEANINGS = {
    "acknowledge": "Somebody looks after it: it is not told again until it is resolved",
    "mute": "Not told for a while; what is still wrong then is told again",
    "resolve": "It is right again; what is still wrong opens as another alert",
    "note": "Keep the note in its history; nothing else changes",
}
MUTES = {
    "1h": ("for an hour", timedelta(hours=1)),
    "4h": ("for 4 hours", timedelta(hours=4)),
    "1d": ("for a day", timedelta(days=1)),
    "7d": ("for a week", timedelta(days=7)),
    "30d": ("for 30 days", timedelta(days=30)),
}
CHOOSE = "Tick alerts to act upon them."


def act_bar() -> Component:
    """The bar; it keeps the reader's name in the browser. What was done, or is in the way, is said in it."""
    who = dmc.TextInput(id="act-who", placeholder="Your name", size="xs", w=130, persistence=True, persistence_type="local")
    note = dmc.TextInput(id="act-note", placeholder="A note: why", size="xs", className="act-note")
    length = dmc.Select(
        id="act-length",
        data=[{"value": value, "label": label} for value, (label, _) in MUTES.items()],
        value="4h",
        allowDeselect=False,
        size="xs",
        w=112,
    )
    return labelled(
        html.Div(
            [
                html.Span(CHOOSE, id="act-chosen", className="act-chosen"),
                labelled(who, "Your name"),
                labelled(note, "A note: why"),
                _button("acknowledge"),
                html.Span([_button("mute"), labelled(length, "For how long")], className="act-mute"),
                _button("resolve"),
                _button("note"),
                html.P("", id="act-said", className="act-said", role="status"),
            ],
            id="act-bar",
            className="act-bar idle",
            role="group",
        ),
        "Act upon alerts",
    )


def _button(name: str) -> Component:
    return html.Button(
        _LABELS[name], id={"type": "act", "act": name}, className=f"act-button act-{name}", title=_MEANINGS[name], type="button"
    )
