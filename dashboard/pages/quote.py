"""A quote: eq. 1 on the reader's own menu, at the prices that hold or at others that the reader tries."""

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, html
from dash.development.base_component import Component

from allocation.errors import AllocationError
from allocation.rule import Choice, Option, Prices, Terms, choose, crossovers
from dashboard import filters as views
from dashboard import formats, theme
from dashboard.books import BooksUnavailable
from dashboard.components.labelled import labelled
from dashboard.components.panel import Children, View, trouble
from dashboard.components.terms import term
from dashboard.figures.finding import WORDS
from dashboard.figures.options import TERMS
from dashboard.pages.page import Shell

Row = dict[str, object]
_MENU = "small, 0.90, 0.002, 2, 0.01\nlarge, 0.96, 0.050, 6, 0.01"
_PRICES = (("v", "V, USD", "v_usd"), ("lambda", "λ, USD a second", "lambda_usd_per_s"), ("rho", "ρ", "rho"))
_SOURCES = {"v_usd": "v_source", "lambda_usd_per_s": "lambda_source", "rho": "rho_source"}
_OPTIONS_MAX = 20


def quote(view: View) -> Children:
    """The controls; what eq. 1 answers follows them."""
    rows = list(view.ask("price_vector"))
    known = [row for row in rows if all(row[column] is not None for _, _, column in _PRICES)]
    first = next(iter(known or rows), None)
    classes = [
        {"value": f"{row['tenant']}|{row['task_class']}", "label": f"{row['task_class']} ({row['tenant']})"} for row in rows
    ]
    choice = dmc.Select(
        id="quote-class", data=classes, value=None if first is None else f"{first['tenant']}|{first['task_class']}",
        label="At the prices of", placeholder="none is stated or solved yet",
        allowDeselect=False, searchable=True, size="xs", w=240,
    )  # fmt: skip
    tried = [
        dmc.TextInput(id=f"quote-{name}", placeholder="as it holds", size="xs", w=120, label=said) for name, said, _ in _PRICES
    ]
    menu = dmc.Textarea(
        id="quote-menu", value=_MENU, autosize=True, minRows=3, maxRows=12, size="xs", debounce=400,
        label="The menu, one option a line: name, quality (0 to 1), cost in USD, seconds, expected loss in USD",
        classNames={"input": "menu"},
    )  # fmt: skip
    return [
        html.Div([choice, *tried], className="quote-prices"),
        labelled(menu, "The menu"),
        html.Div(id="quote-answer", className="quote-answer", role="status"),
    ]


def register(shell: Shell) -> None:
    """Answer whenever a price or the menu is changed."""

    @shell.app.callback(
        Output("quote-answer", "children"),
        Input("quote-class", "value"),
        Input("quote-menu", "value"),
        Input("quote-v", "value"),
        Input("quote-lambda", "value"),
        Input("quote-rho", "value"),
        State("url", "search"),
    )
    def answer(
        of: str | None, menu: str | None, v: str | None, per_second: str | None, rho: str | None, search: str | None
    ) -> Any:
        view = View(shell.books, views.parse(search), shell.clock(), "/prices", "")
        tenant, _, task_class = (of or "").partition("|")
        try:
            rows = list(view.ask("price_vector", limit=None))
        except BooksUnavailable as error:
            return trouble(error)
        row = next((row for row in rows if (row["tenant"], row["task_class"]) == (tenant, task_class)), {})
        return answered(row, menu or "", (v, per_second, rho))


def answered(row: Row, menu: str, tried: tuple[str | None, str | None, str | None]) -> Children:
    """What eq. 1 says of a menu at a class's prices, or at those tried in their place; or what cannot be read."""
    try:
        prices, said = _prices(row, tried)
        options = options_of(menu)
        choice = choose(options, prices)
        turns = crossovers(options, prices)
    except (ValueError, AllocationError) as error:
        return [html.P(f"This cannot be quoted: {error}.", className="problems")]
    worth = float(formats.number(row.get("budget_worth")) or 1)
    lines = [html.Li(f"From V = {formats.usd(one.v_usd * worth)} on, {one.above} is better than {one.below}.") for one in turns]
    lines += [html.Li(f"{one.option} cannot be compared: {one.why}.") for one in choice.refused]
    return [
        html.P(_best(choice), className="to-change name"),
        html.P(["At ", *said, "."], className="note"),
        *([html.Div(_table(choice), className="scrolls", tabIndex=0)] if choice.terms else []),
        html.Ul(lines, className="plain"),
    ]


def options_of(menu: str) -> list[Option]:
    """The options of a menu as it is written. Raises: ValueError, which names the line; what is left out is not known."""
    options: list[Option] = []
    lines = [line for line in menu.splitlines() if line.strip()]
    if not lines:
        raise ValueError("the menu is empty")
    if len(lines) > _OPTIONS_MAX:
        raise ValueError(f"a menu has at most {_OPTIONS_MAX} options")
    for line in lines:
        name, *rest = (part.strip() for part in line.split(","))
        if not name or len(rest) > len(_AMOUNTS):
            raise ValueError(f"{line.strip()!r} is not a name and up to four numbers")
        numbers = [_number(part, what) for part, what in zip(rest, _AMOUNTS, strict=False)]
        quality, cost, latency, risk = [*numbers, *[None] * (len(_AMOUNTS) - len(numbers))]
        if quality is not None and not 0 <= quality <= 1:
            raise ValueError(f"the quality of {name} is {quality:g}, and lies between 0 and 1")
        options.append(Option(name, quality, cost, latency, risk))
    return options


_AMOUNTS = ("quality", "cost", "seconds", "loss")


def _number(text: str, what: str) -> float | None:
    if not text:
        return None
    try:
        return float(text.removeprefix("$"))
    except ValueError:
        raise ValueError(f"the {what} {text!r} is no number") from None


def _prices(row: Row, tried: tuple[str | None, str | None, str | None]) -> tuple[Prices, Children]:
    """The prices to quote at, and how they are said: what is tried wins over what holds."""
    values: list[float | None] = []
    said: Children = []
    for (_, name, column), text in zip(_PRICES, tried, strict=True):
        letter, written = name.partition(",")[0], (text or "").strip()
        held = formats.number(row.get(column))
        if written:
            value, source = _number(written, letter), "tried"
        else:
            value, source = None if held is None else float(held), str(row.get(_SOURCES[column], "none"))
        values.append(value)
        amount = formats.UNKNOWN if value is None else f"{value:,.4g}" if letter == "ρ" else formats.usd(value)
        said += [", " if said else "", term(letter), f" {amount} ({source})"]
    return Prices(*values), said


def _best(choice: Choice) -> str:
    if choice.best is None:
        return "No option can be compared yet: write V, λ and ρ above, or state them."
    others = sorted((one.surplus_usd for one in choice.terms if one is not choice.best), reverse=True)
    ahead = f", {formats.usd(choice.best.surplus_usd - others[0])} ahead of the next" if others else ""
    if choice.best.surplus_usd < 0:
        more = formats.usd(-choice.best.surplus_usd)
        return f"Leave such tasks alone: even {choice.best.option} takes {more} more than it brings."
    return f"Choose {choice.best.option}: it nets {formats.usd(choice.best.surplus_usd)} a task{ahead}."


def _table(choice: Choice) -> Component:
    heads = [html.Th("Option", scope="col"), html.Th("Surplus", scope="col", className="number")]
    heads += [html.Th(f"{WORDS[name]}, {name.replace('Δ', '')}", scope="col", className="number") for _, _, name, _ in TERMS]
    reach = max((abs(amount) for one in choice.terms for amount in (one.value_usd, one.full_price_usd)), default=1.0) or 1.0
    body = [_row(one, one is choice.best, reach) for one in choice.terms]
    return html.Table([html.Thead(html.Tr(heads)), html.Tbody(body)], className="options")


def _row(one: Terms, is_best: bool, reach: float) -> Component:
    mark = [html.Span("best", className="mark best")] if is_best else []
    amounts = (
        (one.value_usd, theme.VALUE), (one.cost_usd, theme.COMPUTE), (one.latency_usd, theme.LATENCY), (one.risk_usd, theme.RISK),
    )  # fmt: skip
    cells = [html.Td([formats.usd(amount), _bar(amount, reach, color)], className="number") for amount, color in amounts]
    name = html.Th([html.Span(one.option, className="name"), *mark], scope="row")
    return html.Tr([name, html.Td(formats.usd(one.surplus_usd), className="number"), *cells])


def _bar(amount: float, reach: float, color: str) -> Component:
    bar = html.Span(style={"left": "0", "width": f"{max(amount, 0) / reach * 100:.2f}%", "background": color})
    return html.Span(bar, className="from-zero")
