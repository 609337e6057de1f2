"""Callbacks of the shell: from the URL to pages and panels, and from clicks back to the URL."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from dash import ALL, MATCH, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update, set_props
from dash.development.base_component import Component

from dashboard import filters as views
from dashboard.books import Books
from dashboard.components.filter_bar import SETTINGS, Setting, dates_of, offered, set_as
from dashboard.components.onboarding import AGAIN
from dashboard.components.panel import View, drawn
from dashboard.components.refresh import Part, Shape, changed, digest, take_apart, view_key
from dashboard.components.sql_drawer import statements
from dashboard.figures.spend import OTHERS
from dashboard.pages import Page, page_at
from dashboard.pages.page import Shell

Answer = Any  # what a Dash callback gives back: components, values of properties, or no_update


def register(
    app: Dash, pages: Sequence[Page], books: Books, endpoint: str, collector: str, clock: Callable[[], datetime]
) -> None:
    """Tie the pages to the URL."""
    _show_pages(app, pages, books, clock)
    _tell_panels(app)
    _draw_panels(app, pages, books, endpoint, clock)
    _ask_again(app)
    _write_url(app, clock)
    _show_sql(app)
    for page in pages:
        if page.register is not None:
            page.register(Shell(app, books, clock, collector))


def _show_pages(app: Dash, pages: Sequence[Page], books: Books, clock: Callable[[], datetime]) -> None:
    @app.callback(Output("page", "children"), Input("url", "pathname"))
    def page(pathname: str | None) -> Answer:
        return page_at(pages, pathname or "/").layout()

    @app.callback(
        *(Output(name, sets) for name, sets in SETTINGS),
        Output("links", "children"),
        Output("tick", "disabled"),
        Output("bar-held", "data"),
        Input("url", "search"),
        Input("url", "pathname"),
        State("bar-held", "data"),
    )
    def bar(search: str | None, pathname: str | None, held: dict[str, str] | None) -> Answer:
        filters, path, now = views.parse(search), pathname or "/", clock()
        here = page_at(pages, path)
        wanted = set_as(filters, now, path, here.dimensions, filtered=here.filtered)
        links, before = _links(pages, here, filters), held or {}
        digests = {f"{name} {sets}": digest(value) for (name, sets), value in wanted.items()} | {"links": digest(links)}
        digests["add-filter value"] = digests["pills children"]  # what was chosen became a pill
        asked = digest([here.offers, list(here.dimensions), *_asked_values(filters, now)])
        stays = not here.filtered or asked == before.get("values")
        values = no_update if stays else offered(filters, now, books, here.dimensions, here.offers)
        digests["values"] = before.get("values", "") if stays else asked
        wanted[("add-filter", "data")] = values
        kept = [no_update if digests.get(key) == before.get(key, "") else value for key, value in _keyed(wanted)]
        return *kept, no_update if digests["links"] == before.get("links") else links, not filters.live, digests


def _keyed(wanted: dict[Setting, object]) -> list[tuple[str, object]]:
    return [(f"{name} {sets}", wanted[name, sets]) for name, sets in SETTINGS]


def _asked_values(filters: views.Filters, now: datetime) -> list[object]:
    """What the values that can be filtered by depend on."""
    window = filters.window(now)
    return [window.since, window.until]


def _links(pages: Sequence[Page], here: Page, filters: views.Filters) -> list[Component]:
    """Links to the pages, which take the time range along, and those filters that the page knows."""
    section = here.under or here.path
    return [_link(page, here, filters) for page in pages if page.label and page.under in (None, section)]


def _link(page: Page, here: Page, filters: views.Filters) -> Component:
    is_here = page is here or (page.path == here.under and not here.label)
    names = ["link", *(["here"] if is_here else []), *(["below"] if page.under else [])]
    link = dcc.Link(page.label, href=page.path + filters.within(page.dimensions).search(), className=" ".join(names))
    if page.key is None:
        return link
    keyed = html.Span(link, className="keyed")
    setattr(keyed, "data-key", page.key)
    return keyed


def _tell_panels(app: Dash) -> None:
    """Panels of the page that is open are told of another address, and that it is time to look again.

    Dash asks twelve questions at once; the others wait, and those of a page that was left meanwhile are still asked: it complains
    of what is missing then. Only what has no input left is dropped in silence, so a panel has none that outlives it. The page is
    an input here so that panels are not told while another page is on its way.
    """
    app.clientside_callback(
        ClientsideFunction("pigou", "told"),
        Output({"type": "asked", "panel": ALL}, "data"),
        Input("url", "search"),
        Input("tick", "n_intervals"),
        Input("page", "children"),
        State({"type": "asked", "panel": ALL}, "id"),
        prevent_initial_call=True,
    )


def _draw_panels(app: Dash, pages: Sequence[Page], books: Books, endpoint: str, clock: Callable[[], datetime]) -> None:
    panels = {panel.name: panel for page in pages for panel in page.panels}
    followed = {name for panel in panels.values() for name in panel.follows}

    @app.callback(
        Output({"type": "panel", "panel": MATCH}, "children"),
        Output({"type": "retry", "panel": MATCH}, "disabled"),
        Output({"type": "shape", "panel": MATCH}, "data"),
        Input({"type": "asked", "panel": MATCH}, "data"),
        Input({"type": "retry", "panel": MATCH}, "n_intervals"),
        State("url", "search"),
        State("url", "pathname"),
        State("tick", "n_intervals"),
        State({"type": "panel", "panel": MATCH}, "id"),
        State({"type": "shape", "panel": MATCH}, "data"),
    )
    def panel(
        _asked: list[object] | None,
        _retry: int | None,
        search: str | None,
        pathname: str | None,
        tick: int | None,
        identity: dict[str, str],
        held: Shape | None,
    ) -> Answer:
        name, path, filters = identity["panel"], pathname or "/", views.parse(search)
        if name not in {each.name for each in page_at(pages, path).panels}:
            return no_update, no_update, no_update  # its page is being left
        key = view_key(filters, path, followed - set(panels[name].follows))
        is_tried_again = isinstance(ctx.triggered_id, dict) and ctx.triggered_id.get("type") == "retry"
        is_anew = is_tried_again or held is None or held.get("view") != key
        if held is not None and not is_anew and (panels[name].keeps or held.get("tick") == tick):
            return no_update, no_update, no_update

        def draw() -> tuple[list[Component | str], bool, list[Part], Shape]:
            children, retry = drawn(panels[name], View(books, filters, clock(), path, endpoint))
            return children, retry, *take_apart(name, children)

        children, retry, parts, found = books.recent.share((name, search, pathname), draw)
        shape = Shape(skeleton=found["skeleton"], parts=found["parts"], view=key, tick=tick)
        exchanged = None if is_anew else changed(parts, shape, held)
        if exchanged is None:
            return children, not retry, shape
        for part in exchanged:
            set_props(part.id, {part.sets: part.value})
        return no_update, not retry, shape


def _ask_again(app: Dash) -> None:
    """The whole page looks again: when it is told to, and with the newcomer's panel while the books are empty."""

    @app.callback(
        Output("tick", "n_intervals"), Input(AGAIN, "n_intervals"), State("tick", "n_intervals"), prevent_initial_call=True
    )
    def again(passed: int | None, ticks: int | None) -> Answer:
        return (ticks or 0) + 1 if passed else no_update

    @app.callback(
        Output("tick", "n_intervals", allow_duplicate=True),
        Input("refresh", "n_clicks"),
        State("tick", "n_intervals"),
        prevent_initial_call=True,
    )
    def refresh(_clicks: int | None, ticks: int | None) -> Answer:
        return (ticks or 0) + 1


def _write_url(app: Dash, clock: Callable[[], datetime]) -> None:
    """What a reader chooses becomes a new address; the page then follows the address."""

    # No output: the bar sets these controls, and Dash holds what stands in a circle, and all behind it, while anything is open.
    @app.callback(
        Input("range", "value"),
        Input("dates", "value"),
        Input("add-filter", "value"),
        Input("live", "checked"),
        Input("zone", "value"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def choose(
        chosen: str | None,
        dates: list[str | None] | None,
        added: str | None,
        live: bool | None,
        zone: str | None,
        search: str | None,
    ) -> None:
        before = views.parse(search)
        after = before
        if ctx.triggered_id == "range" and chosen in views.RANGES:
            after = replace(before, range=chosen, since=None, until=None)
        elif ctx.triggered_id == "dates" and dates and dates[0] and dates[1] and dates != dates_of(before, clock()):
            since, until = views.days(dates[0], dates[1], before.place)
            after = replace(before, range=None, since=since, until=until)
        elif ctx.triggered_id == "add-filter" and added:
            dimension, _, value = added.partition("=")
            after = before.only(dimension, value or None)
        elif ctx.triggered_id == "zone" and zone:
            after = replace(before, zone=zone)
        elif ctx.triggered_id == "live":
            after = replace(before, live=bool(live))
        if after != before:
            set_props("url", {"search": after.search()})

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input({"type": "graph", "name": ALL}, "clickData"),
        Input({"type": "graph", "name": ALL}, "relayoutData"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def point(_clicks: list[object], _zooms: list[object], search: str | None) -> Answer:
        before = views.parse(search)
        after = _pointed(
            before, cast("dict[str, str]", ctx.triggered_id or {}), cast("dict[str, Any] | None", ctx.triggered[0]["value"])
        )
        return no_update if after == before else after.search()


def _pointed(before: views.Filters, graph: dict[str, str], event: dict[str, Any] | None) -> views.Filters:
    """The view meant by a click on a bar (narrow to its series) or by a drag along the axis of time (narrow to that span)."""
    if not event:
        return before
    if "points" in event and graph.get("name") == "spend_over_time":
        key = event["points"][0].get("customdata", [None, None])[1]
        return before if key is None or key == OTHERS else before.only(before.by[0], key or None)
    if "xaxis.range[0]" in event:
        span = views.parse(f"?since={_whole(event['xaxis.range[0]'])}&until={_whole(event['xaxis.range[1]'], up=True)}")
        return before if span.range is not None else replace(before, range=None, since=span.since, until=span.until)
    return before


def _whole(at: str, up: bool = False) -> str:
    """A point on the axis as an hour of the URL; the end of a drag takes its whole hour with it."""
    moment = datetime.fromisoformat(at[:19])
    hour = moment.replace(minute=0, second=0)
    return f"{hour + timedelta(hours=1) if up and moment > hour else hour:%Y-%m-%dT%H:%MZ}"


def _show_sql(app: Dash) -> None:
    @app.callback(
        Output("sql-drawer", "opened"),
        Output("sql-drawer", "title"),
        Output("sql-body", "children"),
        Input({"type": "sql", "panel": ALL}, "n_clicks"),
        State({"type": "statements", "panel": ALL}, "id"),
        State({"type": "statements", "panel": ALL}, "data"),
        prevent_initial_call=True,
    )
    def sql(_clicks: list[int | None], identities: list[dict[str, str]], data: list[list[dict[str, str]]]) -> Answer:
        pressed = cast("dict[str, str] | None", ctx.triggered_id)
        if pressed is None or not ctx.triggered[0]["value"]:
            return no_update, no_update, no_update
        for identity, shown in zip(identities, data, strict=True):
            if identity["panel"] == pressed["panel"]:
                return True, html.Span("The SQL behind this"), statements(shown)
        return no_update, no_update, no_update
