"""How far the figures can be trusted, as plain sentences with the next step in each."""

from datetime import datetime
from decimal import Decimal
from typing import cast

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.marks import sentence
from dashboard.components.panel import Children, View
from dashboard.frame import Frame


def trust(view: View) -> Children:
    """Unpriced, in suspense, control totals, classification, balance and arrival: each one sentence, the open ones marked."""
    lines = [_prices(view), _readings(view), _control_totals(view), *_coverage(view), _balance(view), _arrival(view)]
    return [html.Ul(lines, className="sentences")]


def _prices(view: View) -> Component:
    total = view.ask("spend_total").only()
    unpriced = cast(int, total["unpriced_calls"])
    if not unpriced:
        return sentence(["Every call that could be read has a price."])
    said = f"{formats.count(unpriced, 'call')} ({formats.tokens(total['unpriced_tokens'])} tokens) without a price: "
    said += "their cost is not known, not zero. "
    return sentence([said, _to(view, "/ledger", "suspense", "Give a price")], act=True)


def _readings(view: View) -> Component:
    waiting = view.ask("suspense")
    unreadable = sum(cast(int, row["calls"]) for row in waiting if row["account"] == "suspense:unreadable")
    if not unreadable:
        return sentence(["No call waits in suspense because its counts could not be read."])
    said = f"{formats.count(unreadable, 'call')} of all time in suspense: the counts could not be read. "
    return sentence([said, _to(view, "/ledger", "suspense", "See why")], act=True)


def _control_totals(view: View) -> Component:
    parents = {str(row["status"]): cast(int, row["parents"]) for row in view.ask("control_totals_by_status")}
    checked, differing = parents.get("equal", 0) + parents.get("differs", 0), parents.get("differs", 0)
    if not checked:
        return sentence(["No parent span states a total that the booked calls could be held against."])
    if not differing:
        return sentence([f"All {formats.count(checked, 'parent total')} agree with what was booked below them."])
    said = f"{differing:,} of {formats.count(checked, 'parent total')} differ from what was booked below them. "
    return sentence([said, _to(view, "/ledger", "control_totals", "Compare")], act=True)


def _coverage(view: View) -> list[Component]:
    frame = view.ask("coverage")
    return [sentence([said]) for dimension in ("layer", "use") if (said := _known(frame, dimension))]


def _known(frame: Frame, dimension: str) -> str | None:
    calls = {str(row["source"]): cast(Decimal, row["calls"]) for row in frame if row["dimension"] == dimension}
    whole = sum(calls.values())
    if not whole:
        return None
    stated, inferred, absent = (formats.share(calls.get(source, 0), whole) for source in ("explicit", "inferred", "none"))
    said = f"{dimension.capitalize()}: stated by the sender for {stated} of calls, inferred from names for {inferred}"
    return f"{said}, not known for {absent}."


def _balance(view: View) -> Component:
    books = view.ask("trial_balance")
    wrong = sum(1 for row in books if row["quantity"] or row["amount_usd"])
    if not len(books):
        return sentence(["The books have no postings yet."])
    if wrong:
        return sentence(
            [f"{formats.count(wrong, 'trial balance')} not zero. ", _to(view, "/ledger", "trial_balance", "See which")], act=True
        )
    return sentence([f"The books balance: debits equal credits in all {len(books)} combinations of book and commodity."])


def _arrival(view: View) -> Component:
    total = view.ask("ingest_total").only()
    last = cast("datetime | None", total["last_minute"])
    if last is None:
        return sentence(["The collector received nothing in this time."])
    lost = cast(int, total["rejected"]) + cast(int, total["conflicts"])
    said = (
        f"Telemetry last arrived {formats.minutes_ago(last, view.now)}; {formats.count(total['rejected'], 'record')} rejected, "
    )
    said += f"{formats.count(total['conflicts'], 'conflict')}. "
    return sentence([said, _to(view, "/ingest", "rejections", "See why")] if lost else [said], act=lost > 0)


def _to(view: View, path: str, panel: str, label: str) -> dcc.Link:
    return dcc.Link(label, href=f"{view.link(view.filters, path)}#section-{panel}", className="act")
