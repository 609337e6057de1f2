"""Give a price on the page: say what it would change, then do it, through the collector as everybody does (`POST /v1/rates`)."""

from decimal import Decimal
from typing import Any, cast

import dash_mantine_components as dmc
from dash import ALL, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from dashboard import acts, formats
from dashboard.components.labelled import labelled
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.frame import Frame
from dashboard.pages.page import Shell

Row = dict[str, object]
_SEPARATOR = "\x1f"


def give_price(view: View) -> Children:
    """The form: what is priced, each kind of quantity's price, since when, by whom."""
    frame = view.ask("priceable")
    if not len(frame):
        return [nothing("The books hold nothing yet that could be given a price.")]
    first = _value(next(iter(frame)))
    choice = dmc.Select(
        id="give-what", data=_choices(frame), value=first, allowDeselect=False, searchable=True, size="xs", w=340,
        label="Tenant, provider and model",
    )  # fmt: skip
    since = dmc.TextInput(id="give-from", size="xs", w=130, label="Holds from", placeholder="always")
    until = dmc.TextInput(id="give-until", size="xs", w=130, label="until before", placeholder="open")
    who = dmc.TextInput(id="give-who", size="xs", w=130, label="Your name", persistence=True, persistence_type="local")
    ground = dmc.TextInput(
        id="give-source", size="xs", w=220, label="Where the price is from", placeholder="contract, invoice, …"
    )
    return [
        html.P(
            "A price is never edited: this adds one of the tenant's own, which goes before the list's. What waits, or was booked "
            "at another price, is booked again by reversal and adjustment; closed months keep their figures.",
            className="note",
        ),
        html.Div(
            [
                html.Div([choice], className="give-line"),
                html.Div(fields(str(first)), id="give-prices", className="give-line"),
                html.Div([since, until, who, ground], className="give-line"),
                html.Div([_button("trial", "What would it change?"), _button("give", "Give the price")], className="give-line"),
            ],
            className="give-price",
        ),
        html.Div(id="give-said", className="give-said", role="status"),
        dcc.Store(id="give-done"),
    ]


def fields(what: str) -> list[Component]:
    """A field for the price of each kind of quantity: those that are missing, or those that are used."""
    commodities = what.rsplit(_SEPARATOR, maxsplit=1)[-1].split(", ") if what else []
    return [
        dmc.TextInput(
            id={"type": "give-usd", "commodity": commodity}, size="xs", w=190,
            label=f"{_words(commodity)}, USD per {'million' if _is_token(commodity) else 'unit'}",
            placeholder="2.50",
        )
        for commodity in commodities
        if commodity
    ]  # fmt: skip


def body_of(
    what: str, prices: dict[str, str], period: tuple[str | None, str | None], who: str, source: str, *, is_trial: bool
) -> dict[str, object]:
    """What the collector is asked. Raises: ValueError, which says what is missing."""
    tenant, provider, model, tier, commodities = (what.split(_SEPARATOR) + [""] * 5)[:5]
    given = {commodity: usd.strip().removeprefix("$") for commodity, usd in prices.items() if usd.strip()}
    if not given:
        raise ValueError(f"write a price of {commodities or 'something'} first")
    if not is_trial and not who.strip():
        raise ValueError("write your name, it is kept with the price")
    if not is_trial and not source.strip():
        raise ValueError("write where the price is from, it is kept with it")
    since, until = ((day or "").strip() for day in period)
    rates: list[dict[str, str]] = []
    for commodity, usd in given.items():
        rate = {"provider": provider, "model": model, "commodity": commodity, "price_usd": usd, "service_tier": tier}
        rate |= {} if _is_token(commodity) else {"per": "1"}
        rate |= {"valid_from": since} if since else {}
        rate |= {"valid_until": until} if until else {}
        rates.append(rate)
    said = f"{who.strip()}: {source.strip()}"[:200] if not is_trial else "trial"
    return {"tenant": tenant, "source": said, "is_trial": is_trial, "rates": rates}


def told(answer: dict[str, Any]) -> Children:
    """What a price changes, or changed."""
    changes, is_trial = cast("Row", answer["changes"]), bool(answer["is_trial"])
    calls, unpriced, still = (cast(int, changes[name]) for name in ("calls", "unpriced_calls", "still_unpriced"))
    before, after, more = (Decimal(str(changes[f"{name}_usd"])) for name in ("cost_before", "cost_after", "difference"))
    lines: Children = []
    if calls:
        had = f" ({unpriced:,} of them had no price)" if unpriced else ""
        verb = "would be booked again" if is_trial else "booked again"
        sign = "+" if more > 0 else ""
        sums = f"{formats.usd(before)} → {formats.usd(after)} ({sign}{formats.usd(more)})"
        when = f"{_day(changes['first_at'])} to {_day(changes['last_at'])}"
        lines.append(html.P([html.Strong(f"{formats.count(calls, 'call')} {verb}{had}: "), f"{sums}, {when}."]))
    else:
        lines.append(
            html.P("No call that is booked or waits would be charged at it." if is_trial else "Added. No call changes by it.")
        )
    if still:
        lines.append(html.P(f"{formats.count(still, 'call')} would still wait: a price of something else is missing too."))
    if is_trial:
        lines.append(html.P("Nothing is changed yet.", className="note"))
    elif answer["booked_again"] is None:
        lines.append(html.P("They are many: the analyzers book them in pieces, within the next minutes.", className="note"))
    else:
        corrected = cast(int, answer["corrections"])
        words = f"{formats.count(answer['rates'], 'price')} added" + (
            f", {corrected} correcting earlier ones" if corrected else ""
        )
        lines.append(html.P(f"{words}. It is in the price book under Rates, with your name.", className="note"))
    return lines


def register(shell: Shell) -> None:
    """Tie the form to the collector."""

    @shell.app.callback(Output("give-prices", "children"), Input("give-what", "value"), prevent_initial_call=True)
    def choose(what: str | None) -> object:
        return fields(what or "")

    @shell.app.callback(
        Output("give-said", "children"),
        Output("tick", "n_intervals", allow_duplicate=True),
        Input({"type": "give", "act": ALL}, "n_clicks"),
        State("give-what", "value"),
        State({"type": "give-usd", "commodity": ALL}, "value"),
        State({"type": "give-usd", "commodity": ALL}, "id"),
        State("give-from", "value"),
        State("give-until", "value"),
        State("give-who", "value"),
        State("give-source", "value"),
        State("tick", "n_intervals"),
        prevent_initial_call=True,
    )
    def press(
        _clicks: list[int | None],
        what: str | None,
        usd: list[str | None],
        of: list[dict[str, str]],
        since: str | None,
        until: str | None,
        who: str | None,
        source: str | None,
        ticks: int | None,
    ) -> object:
        pressed = cast("dict[str, str] | None", ctx.triggered_id)
        if pressed is None or not ctx.triggered[0]["value"]:
            return no_update, no_update
        is_trial = pressed["act"] == "trial"
        prices = {one["commodity"]: value or "" for one, value in zip(of, usd, strict=True)}
        try:
            body = body_of(what or "", prices, (since, until), who or "", source or "", is_trial=is_trial)
        except ValueError as error:
            return _refused(f"Nothing was done: {error}."), no_update
        if refused := acts.refused_here():
            return _refused(refused.replace("pigou alerts", "pigou rates add")), no_update
        answer, reason = acts.give_prices(shell.collector, body)
        shell.books.recent.forget()  # what was given must be seen at once
        if reason is not None:
            return _refused(f"Nothing was done: {reason.rstrip('.')}."), no_update
        return told(answer), no_update if is_trial else (ticks or 0) + 1


def _refused(said: str) -> Component:
    return html.P(said, className="problems")


def _choices(frame: Frame) -> list[dict[str, object]]:
    groups: dict[str, list[dict[str, str]]] = {"Waits for a price": [], "Has a price: state another": []}
    for row in frame:
        tier = "" if row["service_tier"] == "standard" else f" ({row['service_tier']})"
        waits = f": {formats.count(row['calls'], 'call')}" if row["is_waiting"] else ""
        label = f"{row['tenant']} · {row['provider']} · {row['model']}{tier}{waits}"
        groups["Waits for a price" if row["is_waiting"] else "Has a price: state another"].append(
            {"value": _value(row), "label": label}
        )
    return [{"group": name, "items": items} for name, items in groups.items() if items]


def _value(row: Row) -> str:
    commodities = ", ".join(dict.fromkeys(str(row["commodities"] or "").split(", ")))  # several reasons may name one
    return _SEPARATOR.join([*(str(row[name] or "") for name in ("tenant", "provider", "model", "service_tier")), commodities])


def _words(commodity: str) -> str:
    return commodity.replace("_", " ")


def _is_token(commodity: str) -> bool:
    return commodity.endswith("_tokens")


def _day(at: object) -> str:
    return str(at or "")[:10]


def _button(act: str, label: str) -> Component:
    return labelled(html.Button(label, id={"type": "give", "act": act}, className=f"act-button give-{act}", type="button"), label)


PANEL = Panel("give_price", "Give a price", give_price, "Or state a better one.", skeleton_px=190, keeps=True)
