"""What the menu of saved views does: it lists them, and asks the collector to save, rename and remove."""

from collections.abc import Callable
from datetime import datetime
from typing import cast

from dash import ALL, Dash, Input, Output, State, ctx, no_update
from dash.development.base_component import Component

from dashboard import acts
from dashboard.acts import Refused
from dashboard.books import Books, BooksUnavailable
from dashboard.components.views_menu import listed
from dashboard.filters import Filters
from dashboard.queries import statement

_DONE = {"save": "Saved.", "rename": "Renamed.", "remove": "Removed. Its address goes on to work."}


def register(app: Dash, books: Books, collector: str, clock: Callable[[], datetime]) -> None:
    """Tie the menu to the books and to the collector."""

    @app.callback(
        Output("views-list", "children"),
        Output("view-chosen", "data"),
        Input("url", "pathname"),
        Input("views-said", "children"),
    )
    def show(_pathname: str | None, _said: str | None) -> tuple[list[Component], list[dict[str, str]]]:
        try:
            rows = list(books.run(statement("saved_views", Filters(), clock())))
        except BooksUnavailable:
            rows = list[dict[str, object]]()  # the panels say what is wrong
        return listed(rows), [{"value": str(row["view_id"]), "label": str(row["name"])} for row in rows]

    @app.callback(
        Output("views-said", "children"),
        Output("view-name", "value"),
        Output("view-name", "error"),
        Output("view-new-name", "error"),
        Output("view-chosen", "value"),
        Input({"type": "view-act", "act": ALL}, "n_clicks"),
        State("view-name", "value"),
        State("view-new-name", "value"),
        State("view-chosen", "value"),
        State("view-who", "value"),
        State("url", "pathname"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def change(
        _clicks: list[int | None],
        name: str | None,
        new_name: str | None,
        chosen: str | None,
        who: str | None,
        pathname: str | None,
        search: str | None,
    ) -> object:
        pressed = cast("dict[str, str] | None", ctx.triggered_id)
        if pressed is None or not ctx.triggered[0]["value"]:
            return (no_update,) * 5
        act, person = pressed["act"], (who or "").strip()
        refusal = acts.refused_here()
        asked = wanted(act, name, new_name, chosen, (pathname or "/") + (search or ""))
        if refusal or not person or isinstance(asked, Refused):
            missing = asked.reason if isinstance(asked, Refused) and person else "write your name, it is kept with the view"
            return refusal or f"Nothing was done: {missing}.", no_update, None, None, no_update
        path, body = asked
        refused = acts.ask(collector, path, {"who": person, **body})
        if refused is None:
            books.recent.forget()  # the menu lists it at once
            return _DONE[act], "", None, None, None
        beside = refused.reason if refused.field == "name" else None
        said = "Nothing was done: see what is marked." if beside else f"Nothing was done: {refused.reason}."
        return said, no_update, beside if act == "save" else None, beside if act == "rename" else None, no_update


def wanted(
    act: str, name: str | None, new_name: str | None, chosen: str | None, address: str
) -> tuple[str, dict[str, object]] | Refused:
    """Path and body of what is asked of the collector."""
    if act == "save":
        return "/v1/views", {"name": name or "", "address": address}
    if not chosen or not chosen.isdigit():
        return Refused("choose which view it is about")
    if act == "rename":
        return f"/v1/views/{chosen}/rename", {"name": new_name or ""}
    return f"/v1/views/{chosen}/remove", {}
