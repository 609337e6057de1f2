"""Evidence of findings about choices: routes, verification, confirmation and what is handed on."""

from typing import cast

from dash import html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.marks import graph
from dashboard.components.panel import Children, View
from dashboard.components.plain_table import plain_table
from dashboard.components.terms import term
from dashboard.figures import layers
from dashboard.figures.evidence import REGRET_PX, regret_curve
from dashboard.frame import Frame
from dashboard.pages.evidence_words import Detail, between, heading, mapping, number, of_task, plain, rows_of, usd_of

_COMPARABLE = 0.9  # of the decisions of an option that most are known of


def routing(view: View, detail: Detail) -> Children:
    """What a task costs either way, the router's regret as it adds up, what it could reach, and a menu to choose from."""
    said: Children = []
    own, other = number(detail.get("chosen_cost_usd")), number(detail.get("best_cost_usd"))
    if own is not None and other is not None:
        said.append(
            html.P(
                f"A task costs {formats.usd(own)} on average with {detail.get('chosen')} and {formats.usd(other)} with"
                f" {detail.get('best')}.",
                className="name",
            )
        )
    said += downstream(detail)
    curve = rows_of(detail.get("regret_curve"), "day", "cumulative_usd", "cumulative_high_usd")
    if len(curve) > 1:
        figure = regret_curve(curve, view.filters.search())
        said += [
            heading("What the router lost in sum"),
            graph("finding_regret", figure, REGRET_PX, f"Regret in sum over {formats.count(len(curve), 'day')}, USD."),
            html.P("USD, tries to learn included. Dotted: the most that the intervals allow.", className="note"),
        ]
    points = rows_of(detail.get("frontier"), "quality", "cost_usd")
    if points:
        frame = Frame(
            ("tenant", "task_class", "scale", "quality", "cost_usd"),
            tuple(("", "", *(number(point.get(name)) for name in ("scale", "quality", "cost_usd"))) for point in points),
        )
        said += [
            heading("What a router could reach"),
            graph("finding_frontier", layers.frontier(frame, view.filters.search()), layers.FRONTIER_PX, "Quality against cost."),
            html.P("Diamond: the router today. The line: the rule of allocation at more and more dollars for quality.",
                   className="note"),
        ]  # fmt: skip
    return [*said, *_menu(mapping(detail.get("menu")))]


def downstream(detail: Detail) -> Children:
    """How much of the change in cost arises in later steps of the same tasks."""
    of = mapping(detail.get("downstream"))
    if not of:
        return []
    return [html.P(["Of ", term("ΔC"), f", {usd_of(of, 'usd_per_day')} a day arises in later steps of the same tasks."])]


def _menu(menu: Detail) -> Children:
    prices = {str(name): number(price) for name, price in mapping(menu.get("full_prices_usd")).items()}
    if not prices:
        return []
    offers = {str(offer.get("option")): offer for offer in rows_of(menu.get("offers"))}
    meant: dict[str, list[str]] = {}
    for kind in rows_of(menu.get("types")):
        meant.setdefault(str(kind.get("option")), []).append(str(kind.get("type")))
    rows = [
        [
            option,
            ", ".join(meant.get(option, [])) or "nobody",
            plain(mapping(offers.get(option)).get("quality")) if option in offers else None,
            formats.usd(price),
            formats.usd(number(offers[option].get("price_usd"))) if option in offers else None,
        ]
        for option, price in sorted(prices.items(), key=lambda one: one[1] or 0.0)
    ]
    said: Children = [
        heading("A menu from which users would choose so by themselves"),
        plain_table(
            "What each model takes in compute, time and risk, and the dearest price at which those it is meant for still take it",
            ["Model", "Meant for tasks worth", "Quality", "Full price of a task, USD", "Price on the menu, USD"],
            rows,
            words=2,
        ),
    ]
    otherwise = [str(one) for one in cast("list[object]", menu.get("would_choose_otherwise_at_full_prices") or [])]
    why = str(menu.get("why") or "")
    if otherwise:
        said.append(html.P(f"At full prices alone: {'; '.join(otherwise)}.", className="note name"))
    return [*said, html.P(f"There is no such menu: {why}.", className="note")] if why else said


def verification(_view: View, detail: Detail) -> Children:
    """What each number of checks brings, what the next dollar of checking brings, and how often checks failed."""
    said: Children = downstream(detail)
    rows = [
        _pass(banded.get("band"), one, one is best)
        for banded in rows_of(detail.get("strata"))
        for passes in [rows_of(banded.get("passes"))]
        for best in [_best(passes)]
        for one in passes
    ]
    if rows:
        said += [
            heading("What each number of checks brings"),
            plain_table(
                "Means over those of these tasks in which that many checks had a chance: compare rows that are over as many",
                ["Tasks worth", "Checked", "Quality", "Cost, USD", "Expected loss, USD", "Net, USD", "Over"],
                rows,
                words=2,
            ),
        ]  # fmt: skip
    margin = mapping(detail.get("marginal_product"))
    net = mapping(margin.get("net_per_usd"))
    if net:
        words = f"Among tasks that were alike beforehand, one dollar more of checking brings {usd_of(net)} beyond itself"
        said.append(html.P(f"{words}; today a task spends {formats.usd(number(margin.get('dollars_per_task')))} on it."))
    elif margin.get("why"):
        said.append(html.P(f"What one dollar more of checking brings is not known: {margin['why']}."))
    checks = mapping(detail.get("checks"))
    if checks:
        passes = formats.count(number(checks.get("passes")), "check was", "checks were")
        said.append(
            html.P(f"{passes} made in these tasks; {plain(checks.get('failed'), 6)} of them said that something was wrong.")
        )
    return said


def _pass(band: object, one: Detail, is_best: bool) -> list[Component | str | list[Component | str] | None]:
    net = formats.usd(number(one.get("net_usd")))
    return [
        of_task(band),
        formats.option("verify", one.get("option")),
        plain(one.get("quality")),
        *(formats.usd(number(one.get(name))) for name in ("cost_usd", "risk_usd")),
        html.Strong(net) if is_best else net,
        formats.count(number(one.get("n")), "decision"),
    ]


def _best(passes: list[Detail]) -> Detail | None:
    """The best of those that are known of as many tasks as any is."""
    most = max((number(one.get("n")) or 0.0 for one in passes), default=0.0)
    wide = [one for one in passes if (number(one.get("n")) or 0.0) >= _COMPARABLE * most]
    return max(wide, key=lambda one: number(one.get("net_usd")) or float("-inf"), default=None)


def delegation(_view: View, detail: Detail) -> Children:
    """How the action is confirmed and should be, and the loss that each confirmation bears."""
    said: Children = []
    for row in rows_of(detail.get("schedule")):
        shares = sorted(mapping(row.get("now")).items(), key=lambda one: -(number(one[1]) or 0.0))
        now = ", ".join(f"{CONFIRMED.get(name, name)} in {formats.share(number(share), 1)}" for name, share in shares)
        undone = {True: "It can be undone.", False: "It cannot be undone."}.get(cast(bool, row.get("is_reversible")), "")
        recommended = str(row.get("recommended"))
        said += [
            heading(f"Who says yes to: {row.get('action_class')}"),
            html.P(f"Today: {now}. It should be: {CONFIRMED.get(recommended, recommended)}. {undone}", className="name"),
            html.P(f"Why: {row.get('why')}.", className="note name"),
            plain_table(
                "What was lost with each confirmation, per action",
                ["Confirmed", "Actions", "Mean loss, USD", "95 % interval", "Of the worst twentieth, USD", "95 % interval"],
                [_borne(one) for one in rows_of(row.get("borne"))],
            ),
        ]
    return [*said, *downstream(detail)]


CONFIRMED = {
    "none": "without asking anybody",
    "self": "by the agent itself",
    "human": "by a person",
    "multi_party": "by several people",
}


def _borne(one: Detail) -> list[str | None]:
    name = str(one.get("confirmation"))
    cells: list[str | None] = [CONFIRMED.get(name, name), plain(one.get("actions"), 9)]
    for part in ("expected_loss_usd", "worst_twentieth_usd"):
        of = mapping(one.get(part))
        known = number(of.get("value")) is not None
        cells += [usd_of({"value": of.get("value"), "low": None}) if known else None]
        cells += [f"${between(of.get('low'), of.get('high'))}".replace(" to ", " to $") if known else None]
    return cells
