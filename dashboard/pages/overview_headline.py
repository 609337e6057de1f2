"""The sentence people open every morning: how many dollars a day are recoverable, most of them where, and what changed."""

from dash import dcc, html

from dashboard import formats
from dashboard.components.belongs import finding_link
from dashboard.components.marks import spark
from dashboard.components.panel import Children, View
from dashboard.filters import describe
from dashboard.pages import allocation_headline
from dashboard.pages.headline import elsewhere, no_calls
from dashboard.pages.headline import headline as spend_headline

Row = dict[str, object]
_DAYS_DRAWN = 28


def headline(view: View) -> Children:
    """From the findings; without any from the regret that stands; without decisions from what was spent, and what is missing."""
    total = view.ask("findings_total").only()
    if total["findings"]:
        return _found(view, total)
    if view.ask("regret_total").only()["decisions"]:
        return allocation_headline.headline(view)
    said = spend_headline(view)
    if view.ask("books_extent").only()["calls"]:
        open_words = f"Nothing that was decided has been appraised {describe(view.filters, view.now)}, so none of it is judged: "
        link = dcc.Link("what to do", href=view.link(view.filters, "/allocation"), className="act")
        said.append(html.P([open_words, link, "."], className="note"))
    return said


def _found(view: View, total: Row) -> Children:
    first = view.ask("findings", limit=1).first()
    amount = html.Strong(
        formats.usd_estimate(total["usd_per_day"], total["low"], total["high"]),
        className="number",
        title="sum(usd_per_day) of ledger.findings that are open or acknowledged",
    )
    said: Children = [
        amount,
        " a day recoverable ",
        html.Span(f"({formats.usd_interval(total['low'], total['high'])}, 95{formats.THIN_SPACE}%)", className="number"),
    ]
    spend = view.ask("spend_per_day").only()["usd_per_day"]
    if spend:
        said.append(f", where tokens cost {formats.usd(spend)} a day")
    if first is not None:
        said += [
            largest(first, total),
            dcc.Link(_without_end(str(first["sentence"])), href=finding_link(first), className="name sentence"),
        ]
    days = [float(formats.number(row["usd"]) or 0) for row in view.ask("findings_by_day")][-_DAYS_DRAWN:]
    line: Children = [found_lately(total), *_trend(view), "."]
    if len(days) > 1:
        line = [spark(days, f"USD lost on each of the last {len(days)} days"), " ", *line]
    line += beyond_spend(total["usd_per_day"], spend)
    drawn: Children = [html.H1([*said, "."], className="headline"), html.P(line, className="change")]
    extent = view.ask("books_extent").only()
    if extent["calls"] and not view.ask("spend_total").only()["calls"]:
        drawn += [html.P(no_calls(view), className="note"), elsewhere(view, extent)]
    return drawn


def largest(first: Row, total: Row) -> str:
    """How the largest finding is led in: as what share of all, or as all there is."""
    if total["findings"] == 1:
        return ": "
    return f". The largest part, {formats.share(first['usd_per_day'], total['usd_per_day'])}: "


def beyond_spend(usd: object, spend: object) -> Children:
    """Why more can be lost than is spent, where that is so."""
    lost, spent = formats.number(usd), formats.number(spend)
    if lost is None or not spent or lost <= spent:
        return []
    return [" More than tokens cost is lost: work that fails, losses and waiting count at what they are worth."]


_KNOWN_DAYS_MIN = 3  # of the former week: fewer are no week to compare with


def _trend(view: View) -> Children:
    """How the last week compares with the one before; nothing where that one is not in the books."""
    row = view.ask("findings_trend").only()
    latest, former, change = (
        formats.number(row[name]) for name in ("latest_usd_per_day", "former_usd_per_day", "change_usd_per_day")
    )
    if latest is None or former is None or change is None or float(formats.number(row["former_days"]) or 0) < _KNOWN_DAYS_MIN:
        return []
    if not latest and not former:  # neither week has anything to do with what was found
        return []
    low, high = formats.number(row["low"]), formats.number(row["high"])
    was = formats.usd(round(float(former), 2 if abs(former) < 10 else 0)).removesuffix(".00")
    if low is None or high is None or low <= 0 <= high:
        return [f"; in the last seven days as much as in the week before ({was} a day)"]
    words = "more" if change > 0 else "less"
    ends = sorted((abs(low), abs(high)))
    amount = formats.usd_estimate(abs(change), *ends)
    told = html.Span(
        f"{amount} a day {words}", className="act" if change > 0 else "", title=f"{formats.usd_interval(*ends)} a day"
    )
    return ["; in the last seven days ", told, f" than in the week before ({was} a day)"]


def found_lately(total: Row) -> str:
    """How many findings there are, and how many of them were found within a week."""
    count, new = formats.count(total["findings"], "finding"), total["new_findings"]
    if not new:
        return f"{count}, none found within a week"
    if new == total["findings"]:
        return f"{count}, {'' if new == 1 else 'all '}found within a week"
    usd = formats.usd(round(float(formats.number(total["new_usd_per_day"]) or 0))).removesuffix(".00")
    return f"{count}, {new:,} of them found within a week ({usd} a day)"


def _without_end(sentence: str) -> str:
    """A sentence as a part of another one."""
    return sentence.rstrip(". ")
