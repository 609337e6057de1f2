"""The sentence at the top: generated from the books, read like a colleague's."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import cast

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.marks import fact
from dashboard.components.onboarding import onboarding
from dashboard.components.panel import Children, View
from dashboard.door import is_named
from dashboard.filters import Filters, describe

_SMALLEST_CHANGE = 0.005


def headline(view: View) -> Children:
    """One sentence and five figures on the window shown; where nothing is there, what to do about it."""
    total = view.ask("spend_total").only()
    if not total["calls"]:
        return _empty(view)
    parts = [*_spent(view, total), *_mostly(view, total), *_unknown(view, total)]
    return [html.H1([*parts, "."], className="headline"), *_change(view, total), html.Div(_facts(total), className="facts")]


def _spent(view: View, total: dict[str, object]) -> Children:
    when = describe(view.filters, view.now)
    who = formats.count(total["tenants"], "tenant")
    if total["cost_usd"] is None:
        return [f"{formats.count(total['calls'], 'call')} {when} by {who}, and none has a price yet"]
    spent = html.Strong(formats.usd(total["cost_usd"]), title="sum(cost_usd) of ledger.spend", className="number")
    return [spent, f" spent {when} by {who}"]


def _mostly(view: View, total: dict[str, object]) -> Children:
    """The dearest model's part; nothing where the reader chose the model."""
    dearest = None if "model" in view.filters.where else view.ask("dearest_model").first()
    if dearest is None:
        return []
    model = cast("str | None", dearest["model"]) or "calls that name no model"
    of_all = formats.share(dearest["cost_usd"], total["cost_usd"])
    return [
        "; ",
        html.Span(of_all, className="number", title="the dearest model's part of the dollars"),
        " on ",
        html.Span(model, className="name"),
    ]


def _unknown(view: View, total: dict[str, object]) -> Children:
    """What is missing from the dollars, as a thing to act upon; nothing where all calls are priced."""
    unpriced, unreadable = cast(int, total["unpriced_calls"]), cast(int, total["suspense_calls"])
    missing = [f"{formats.count(unpriced, 'call')} without a price"] if unpriced else []
    if unreadable:
        missing.append(f"{formats.count(unreadable, 'call')} in suspense")
    if not missing:
        return []
    href = view.link(_of_tenant(view.filters), "/ledger") + "#section-suspense"
    return ["; not counted: ", dcc.Link(" and ".join(missing), href=href, className="act")]


def _of_tenant(filters: Filters) -> Filters:
    return replace(filters, where={name: kept for name, kept in filters.where.items() if name == "tenant"})


def _change(view: View, total: dict[str, object]) -> Children:
    """How it compares with the window before, where the books reach that far back."""
    window = view.window.before()
    if window is None or total["cost_usd"] is None:
        return []
    before = view.ask("spend_before", window=window).only()
    books_since = cast("datetime | None", before["books_since"])
    if (
        before["cost_usd"] is None
        or books_since is None
        or window.since is None
        or books_since > window.since + timedelta(hours=1)
    ):
        return []
    was, now = cast(Decimal, before["cost_usd"]), cast(Decimal, total["cost_usd"])
    change = float(now / was) - 1 if was else None
    if change is None:
        return []
    if abs(change) < _SMALLEST_CHANGE:
        said = f"As much as in the same time before ({formats.usd(was)})."
    else:
        said = (
            f"{'Up' if change > 0 else 'Down'} {formats.share(abs(change), 1)} from {formats.usd(was)} in the same time before."
        )
    return [html.P(said, className="change")]


def _facts(total: dict[str, object]) -> Sequence[Component]:
    unpriced, unreadable = cast(int, total["unpriced_calls"]), cast(int, total["suspense_calls"])
    priced = cast(int, total["calls"]) - unpriced - unreadable
    each = cast(Decimal, total["cost_usd"]) / priced if total["cost_usd"] is not None and priced else None
    return [
        fact(f"{total['calls']:,}", "calls", "sum(calls) of ledger.spend; copies are not counted"),
        fact(formats.tokens(total["tokens"]), "tokens", "the five kinds of tokens of ledger.spend, summed"),
        fact(formats.usd(each), "per priced call", "dollars divided by the calls that have a price"),
        fact(
            formats.share(total["cache_read_tokens"], total["whole_input_tokens"]),
            "of input read from cache",
            "cache_read_tokens divided by all input tokens",
        ),
        fact(
            f"{unpriced + unreadable:,}",
            "calls not counted in dollars",
            "unpriced_calls + suspense_calls",
            act=unpriced + unreadable > 0,
        ),
    ]


def _empty(view: View) -> Children:
    extent = view.ask("books_extent").only()
    if not extent["calls"]:
        return onboarding(view.endpoint, needs_token=is_named())
    return [html.H1(no_calls(view), className="headline"), elsewhere(view, extent)]


def no_calls(view: View) -> str:
    """That there are none in the time shown."""
    return f"No calls {describe(view.filters, view.now)}" + (" with these filters." if view.filters.where else ".")


def elsewhere(view: View, extent: dict[str, object]) -> Component:
    """Of which days the books hold calls, `extent`, and the way there."""
    first, last = cast(datetime, extent["first_hour"]), cast(datetime, extent["last_hour"])
    held = f"The books hold {formats.count(extent['calls'], 'call')} from {formats.day(first)} to {formats.day(last)}."
    everything = replace(Filters(), range=None, since=first, until=last + timedelta(hours=1))
    link = dcc.Link("Show them", href=view.path + everything.search(), className="act")
    return html.P([held, " ", link], className="change empty-range")
