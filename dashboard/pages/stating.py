"""What forms do: their fields go to the collector, and what it says comes back beside the field that it is about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from dash import ALL, Input, Output, State, ctx, no_update

from dashboard import acts
from dashboard import filters as views
from dashboard.acts import Refused
from dashboard.books import BooksUnavailable
from dashboard.components.panel import View
from dashboard.pages.page import Shell

Value = str | list[str] | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked of a form: the act, by whom, what the fields hold, and the view it was asked in."""

    act: str
    who: str
    values: Mapping[str, Value]
    view: View

    def text(self, name: str) -> str:
        """A field's text without blanks around it; empty for none."""
        value = self.values.get(name)
        return value.strip() if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, in words, and the address that shows it, if it is another."""

    said: str
    address: str | None = None


Perform = Callable[[str, Asked], Done | Refused]


def register_form(shell: Shell, form: str, path: str, perform: Perform) -> None:
    """Tie a form's buttons to what they do; `perform` is told where the collector answers."""

    @shell.app.callback(
        Output({"type": "field", "form": form, "field": ALL}, "error"),
        Output({"type": "form-said", "form": form}, "children"),
        Output("tick", "n_intervals", allow_duplicate=True),
        Output("url", "href", allow_duplicate=True),
        Input({"type": "form-act", "form": form, "act": ALL}, "n_clicks"),
        State({"type": "field", "form": form, "field": ALL}, "value"),
        State({"type": "field", "form": form, "field": ALL}, "id"),
        State("form-who", "value"),
        State("url", "search"),
        State("tick", "n_intervals"),
        prevent_initial_call=True,
    )
    def state(
        _clicks: list[int | None],
        values: list[Value],
        places: list[dict[str, str]],
        who: str | None,
        search: str | None,
        ticks: int | None,
    ) -> object:
        pressed = cast("dict[str, str] | None", ctx.triggered_id)
        names = [place["field"] for place in places]
        if pressed is None or not ctx.triggered[0]["value"]:
            return [no_update] * len(names), no_update, no_update, no_update
        view = View(shell.books, views.parse(search), shell.clock(), path, "")
        asked = Asked(pressed["act"], (who or "").strip(), dict(zip(names, values, strict=True)), view)
        done = _performed(shell.collector, asked, perform)
        shell.books.recent.forget()  # what was stated must be seen at once
        errors, said = shown(done, names)
        if isinstance(done, Refused):
            return errors, said, no_update, no_update
        return errors, said, (ticks or 0) + 1, done.address or no_update


def _performed(collector: str, asked: Asked, perform: Perform) -> Done | Refused:
    refusal = acts.refused_here()
    if refusal:
        return Refused(refusal)
    if not asked.who:
        return Refused("Nothing was done: write your name, it is kept with what you state.")
    try:
        return perform(collector, asked)
    except BooksUnavailable as error:
        return Refused(str(error))


def shown(done: Done | Refused, names: list[str]) -> tuple[list[str | None], str]:
    """What stands beside each field, and what stands in the bar."""
    if isinstance(done, Done):
        return [None] * len(names), done.said
    reason = done.reason
    if done.field not in names:
        return [None] * len(names), reason if reason.startswith("Nothing was done") else f"Nothing was done: {reason}."
    return [reason if name == done.field else None for name in names], "Nothing was done: see what is marked."


def length_said(length: object) -> str:
    """A length of time as fields take it: 90s, 30m, 4h, 2d; empty for none."""
    if not isinstance(length, timedelta):
        return ""
    seconds = round(length.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
