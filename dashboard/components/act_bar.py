"""The bar with which alerts and findings are triaged: who, why, and what is to be done to the chosen ones."""

from datetime import timedelta

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from dashboard.acts import Act
from dashboard.components.labelled import labelled

BUTTONS: tuple[Act, ...] = ("acknowledge", "mute", "resolve", "reopen", "dismiss", "restore", "note")
_LABELS = {
    "acknowledge": "Acknowledge",
    "mute": "Mute",
    "resolve": "Resolve",
    "reopen": "Reopen",
    "dismiss": "Dismiss",
    "restore": "Restore",
    "note": "Add the note",
}
_MEANINGS = {
    "acknowledge": "Somebody looks after it: it is not told again until it is resolved",
    "mute": "Not told for a while; what is still wrong then is told again",
    "resolve": "It is right again; what is still wrong opens as another alert",
    "reopen": "What was acknowledged or muted is open again, and told",
    "dismiss": "Leave it as it is: it neither alerts nor counts, and is looked at all the same",
    "restore": "End its dismissal: it counts and alerts again",
    "note": "Keep the note in its history; nothing else changes",
}
MUTES = {
    "1h": ("for an hour", timedelta(hours=1)),
    "4h": ("for 4 hours", timedelta(hours=4)),
    "1d": ("for a day", timedelta(days=1)),
    "7d": ("for a week", timedelta(days=7)),
    "30d": ("for 30 days", timedelta(days=30)),
}
GROUNDS = {"intended": "as intended", "not worth it": "as not worth it"}
LASTS: dict[str, tuple[str, timedelta | None, str | None]] = {  # how long a dismissal holds: so long, or until grown by so much
    "good": ("for good", None, None),
    "30d": ("for 30 days", timedelta(days=30), None),
    "90d": ("for 90 days", timedelta(days=90), None),
    "x1.5": ("until it is half as much again", None, "1.5"),
    "x2": ("until it doubles", None, "2"),
}
CHOOSE = "Tick alerts to act upon them."


def act_bar() -> Component:
    """The bar; it keeps the reader's name in the browser. What was done, or is in the way, is said in it."""
    who = dmc.TextInput(id="act-who", placeholder="Your name", size="xs", w=130, persistence=True, persistence_type="local")
    note = dmc.TextInput(id="act-note", placeholder="A note: why", size="xs", className="act-note")
    return labelled(
        html.Div(
            [
                html.Span(CHOOSE, id="act-chosen", className="act-chosen"),
                labelled(who, "Your name"),
                labelled(note, "A note: why"),
                _button("acknowledge"),
                html.Span([_button("mute"), _select("act-length", {name: said for name, (said, _) in MUTES.items()}, "4h", 112,
                                                    "For how long")], className="act-mute"),
                html.Span([_button("dismiss"), _select("act-ground", GROUNDS, "intended", 136, "What it is"),
                           _select("act-lasts", {name: said for name, (said, *_) in LASTS.items()}, "good", 196, "Until when")],
                          className="act-dismiss"),
                _until(),
                _button("resolve"),
                _button("reopen"),
                _button("restore"),
                _button("note"),
                html.P("", id="act-said", className="act-said", role="status"),
            ],
            id="act-bar",
            className="act-bar idle",
            role="group",
        ),
        "Act upon alerts",
    )  # fmt: skip


def _until() -> Component:
    """A day, which is what is meant by `for how long` once it is chosen."""
    day = dmc.DateInput(id="act-until", placeholder="or until a day", size="xs", w=118, clearable=True, valueFormat="D MMM YYYY")
    return html.Span(labelled(day, "Mute or dismiss until the beginning of this day, UTC"), className="act-until")


def _select(name: str, choices: dict[str, str], chosen: str, width: int, label: str) -> Component:
    data = [{"value": value, "label": said} for value, said in choices.items()]
    return labelled(dmc.Select(id=name, data=data, value=chosen, allowDeselect=False, size="xs", w=width), label)


def _button(name: Act) -> Component:
    return html.Button(
        _LABELS[name], id={"type": "act", "act": name}, className=f"act-button act-{name}", title=_MEANINGS[name], type="button"
    )
