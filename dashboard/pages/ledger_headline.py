"""The books in one sentence: whether they balance, what waits for a price, and what parents state otherwise."""

from collections.abc import Sequence
from typing import cast

from dash import dcc, html

from dashboard import formats
from dashboard.components.panel import Children, View

Row = dict[str, object]


def headline(view: View) -> Children:
    """Whether debits equal credits first; then what is not in any sum, and what mends it."""
    balance = list(view.ask("trial_balance"))
    waiting = list(view.ask("suspense"))
    agreement = {str(row["status"]): cast(int, row["parents"]) for row in view.ask("control_totals_by_status")}
    if not balance and not waiting:
        return [html.H1("The books have no postings yet.", className="headline")]
    said: Children = [html.Strong(balanced(balance))]
    for words in waits(waiting):
        href = view.link(view.filters) + "#section-suspense"
        said += ["; ", dcc.Link(words, href=href, className="act")]
    return [html.H1([*said, "."], className="headline"), html.P([*_agreed(view, agreement)], className="change")]


def balanced(lines: Sequence[Row]) -> str:
    """Whether every sum of a trial balance is zero."""
    wrong = sum(1 for row in lines if row["quantity"] or row["amount_usd"])
    if wrong:
        return f"The books do not balance: {formats.count(wrong, 'sum is', 'sums are')} not zero"
    return f"The books balance: all {len(lines):,} sums of debits and credits are zero"


def waits(lines: Sequence[Row]) -> list[str]:
    """How many calls wait for what, as parts of a sentence; none where nothing waits."""
    unpriced = sum(cast(int, row["calls"]) for row in lines if row["account"] == "suspense:unpriced")
    others = sum(cast(int, row["calls"]) for row in lines) - unpriced
    said = [f"{formats.count(unpriced, 'call waits', 'calls wait')} for a price"] if unpriced else []
    return [*said, f"{formats.count(others, 'call', 'calls')} could not be read"] if others else said


def _agreed(view: View, agreement: dict[str, int]) -> Children:
    differing = agreement.get("differs", 0) + agreement.get("cost differs", 0)
    checked = agreement.get("equal", 0) + differing
    if not checked:
        return ["What is booked is proved by ", html.Code("pigou check"), "."]
    href = view.link(view.filters) + "#section-control_totals"
    if not differing:
        return [f"Each of {formats.count(checked, 'parent')} that state a total agrees with what was booked below it."]
    return [
        dcc.Link(f"{differing:,} of {checked:,} parents", href=href, className="act"),
        " state another total than was booked below them.",
    ]
