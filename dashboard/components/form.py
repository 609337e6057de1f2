"""A form: fields with what they mean and what is wrong with them, and a bar that says who states it and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from dashboard.components.labelled import labelled

Kind: TypeAlias = Literal["text", "choice", "many", "lines"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `meaning` stands under its name; `choices` are values with their words; a blank one stays as it is."""

    name: str
    label: str
    meaning: str = ""
    kind: Kind = "text"
    value: str | list[str] | None = None
    choices: Mapping[str, str] = field(default_factory=dict[str, str])
    placeholder: str = ""


def fields_of(form: str, fields: Sequence[Field]) -> Component:
    """The fields, as many in a row as fit."""
    return html.Div([_input(form, one) for one in fields], className="form-fields")


def form_bar(form: str, acts: Mapping[str, tuple[str, str]]) -> Component:
    """The bar below a form: by act its word and its meaning."""
    who = dmc.TextInput(id="form-who", placeholder="Your name", size="xs", w=150, persistence=True, persistence_type="local")
    buttons = [
        html.Button(
            word,
            id={"type": "form-act", "form": form, "act": act},
            className=f"act-button form-{act}",
            title=meaning,
            type="button",
        )
        for act, (word, meaning) in acts.items()
    ]
    said = html.P("", id={"type": "form-said", "form": form}, className="act-said", role="status")
    return html.Div([labelled(who, "Your name"), *buttons, said], className="act-bar form-bar", role="group")


def _input(form: str, one: Field) -> Component:
    place: dict[str, object] = {"type": "field", "form": form, "field": one.name}
    data = [{"value": value, "label": said} for value, said in one.choices.items()]
    text = one.value if isinstance(one.value, str) else ""
    meaning = one.meaning or None
    if one.kind == "choice":
        return dmc.Select(id=place, label=one.label, description=meaning, size="xs", data=data, value=text, allowDeselect=False)
    if one.kind == "many":
        chosen = one.value if isinstance(one.value, list) else []
        return dmc.MultiSelect(
            id=place, label=one.label, description=meaning, size="xs", data=data, value=chosen, clearable=True, searchable=True
        )
    if one.kind == "lines":
        return dmc.Textarea(
            id=place, label=one.label, description=meaning, size="xs", value=text, placeholder=one.placeholder, autosize=True,
            minRows=2, maxRows=8,
        )  # fmt: skip
    return dmc.TextInput(
        id=place, label=one.label, description=meaning, size="xs", value=text, placeholder=one.placeholder, autoComplete="off"
    )
