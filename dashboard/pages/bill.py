"""A bill explained to the cent: what each model of each provider cost, against the period before, as price, volume and mix."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import cast

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.marks import graph, help_on, sentence
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.figures.bill import Bill, bridge, by_model, whole_bill
from dashboard.filters import LEDGER_DIMENSIONS, Window, span_said
from dashboard.frame import Frame
from dashboard.pages.page import Page
from dashboard.pieces import former

_MEANINGS = {
    "Price": "This time's quantities at the change of what one unit cost: new prices, discounts, other context or service tiers.",
    "Volume": "The former bill times the growth of all quantities together: what more or less of everything would have cost.",
    "Mix": "The rest: what moved between models and kinds of tokens, with models that are new or gone.",
}
_EFFECTS = (
    Column("amount_usd", "This time, USD", "usd", 125),
    Column("former_usd", "Before, USD", "usd", 120),
    Column("change_usd", "Change, USD", "usd", 120),
    Column("price_usd", "by price, USD", "usd", 115),
    Column("volume_usd", "by volume, USD", "usd", 120),
    Column("mix_usd", "by mix, USD", "usd", 110),
)
_MONTHS_SHOWN = 13


def headline(view: View) -> Children:
    """The change in one sentence, its three effects, the proof that it is what is owed, and what may still change it."""
    days = view.filters.book_days(view.now)
    before = former(days.window(view.now))
    if before is None:
        return [html.H1("Choose a time that has a length: a bill is compared with the one before it.", className="headline")]
    frame = view.ask("bill", limit=None)
    now_said, before_said = (span_said(one, view.now).removesuffix(" UTC") for one in (days, days.between(before)))
    standing = view.ask("bill_standing").only()
    said = still_open(standing)
    if not len(frame):
        head = html.H1(f"Nothing was spent in {now_said}, nor in {before_said}.", className="headline")
        return [head, html.Ul(said, className="sentences")]
    bill = whole_bill(frame)
    apart = [sentence([told]) for row in view.ask("bill_carried") if (told := set_apart(row))]
    said = [_proof(bill, view.ask("bill_owed")), *apart, *said]
    if torn := begun_within(standing["first_hour"], before):
        said.append(sentence([torn], act=True))
    head = html.H1(_said(bill, now_said, before_said), className="headline")
    if not bill.former_usd:
        return [head, html.Ul(said, className="sentences")]
    effects = sentence(["Of the change, ", *_effect("Price", bill.price_usd), "; ", *_effect("Volume", bill.volume_usd), "; ",
                        *_effect("Mix", bill.mix_usd), ". They sum to it exactly."])  # fmt: skip
    drawing = bridge(bill, "Before", "This time", view.filters.search())
    return [
        head,
        html.Ul([effects, *said], className="sentences"),
        graph("bill_bridge", drawing, 300, "From the former bill to this."),
    ]


def set_apart(row: dict[str, object]) -> str | None:
    """What closed days set apart: the bill of days, and what the calls of these days cost by now; None where nothing does."""
    name = str(row["days"])
    cost, posted, brought, carried = (cast(Decimal, row[of]) for of in ("cost_usd", "posted_usd", "brought_usd", "carried_usd"))
    if not brought and not carried:
        return None
    said = f"Calls of {name} cost {formats.usd(cost)} by now, as the page of spend says; posted to them is {formats.usd(posted)}."
    if brought:
        lines_said = " (pigou bill says on which lines)" if name == "these days" else ""
        said += (
            f" {formats.usd(brought)} of earlier calls are posted to {name}{' or later' if carried else ''}, since their own "
            "were closed when it came: late calls count as volume and mix, "
            f"corrections as price{lines_said}."
        )
    if carried:
        whose = f"up to the end of {name}" if brought else f"of {name}"
        said += f" {formats.usd(carried)} of calls {whose} are posted to later days, since their own were closed when it came."
    return said


def still_open(standing: dict[str, object]) -> list[Component]:
    """What is in no sum of the bill, and whether its days are closed."""
    said: list[Component] = []
    unpriced, unreadable = (cast(int, standing[name]) for name in ("unpriced_calls", "suspense_calls"))
    if unpriced or unreadable:
        parts = [f"{formats.count(unpriced, 'call')} without a price"] if unpriced else []
        parts += [f"{formats.count(unreadable, 'call')} that cannot be read"] if unreadable else []
        link = dcc.Link("See what they wait for", href="/ledger#section-suspense", className="act")
        said.append(sentence([f"In no sum, since what they cost is not known: {' and '.join(parts)}. ", link], act=True))
    tenants, closed = (cast(int, standing[name]) for name in ("tenants", "closed"))
    if tenants and closed == tenants:
        said.append(sentence(["These days are closed: what comes late is posted to later ones, and this bill stays as it is."]))
    elif tenants:
        whose = f"These days are closed for {closed} of {tenants} tenants" if closed else "These days are not closed"
        words = [f"{whose}: what comes late or is priced anew still changes this bill (", html.Code("pigou periods close"), ")."]
        said.append(sentence(words))
    return said


def models(view: View) -> Children:
    """Each model of each provider, the largest change first."""
    frame = view.ask("bill", limit=None)
    if not len(frame):
        return [nothing("Nothing was spent in either time.")]
    columns = (
        Column("provider", "Provider", width=120),
        Column("model", "Model", grow=1, width=180),
        *_EFFECTS,
        Column("note", "", width=70),
    )
    total = {"provider": "Sum"} | _sums(whole_bill(frame))
    return [table("bill_models", columns, by_model(frame), row_key=("provider", "model"), total=total)]


def lines(view: View) -> Children:
    """Each kind of quantity of each model, with what a million of it cost on average."""
    frame = view.ask("bill", limit=None)
    if not len(frame):
        return [nothing("Nothing was spent in either time.")]
    columns = (
        Column("provider", "Provider", width=110),
        Column("model", "Model", grow=1, width=160),
        Column("commodity", "Commodity", width=160),
        Column("quantity", "This time, units", "quantity", 130),
        Column("former_quantity", "Before, units", "quantity", 120),
        Column("per_million", "USD a million", "usd", 115),
        Column("former_per_million", "Before, USD a million", "usd", 150),
        *_EFFECTS,
    )
    rows = [
        {**row, "per_million": _million(row["unit_usd"]), "former_per_million": _million(row["former_unit_usd"])} for row in frame
    ]
    total = {"provider": "Sum"} | _sums(whole_bill(frame))
    return [table("bill", columns, rows, row_key=("provider", "model", "commodity"), total=total)]


def months(view: View) -> Children:
    """Every month of the books, provider by model."""
    frame = view.ask("bill_months", limit=None)
    if not len(frame):
        return [nothing("Nothing was spent yet.")]
    shown = sorted({cast(date, month) for month in frame.column("month")})[-_MONTHS_SHOWN:]
    columns = [Column("provider", "Provider", width=120), Column("model", "Model", grow=1, width=180)]
    columns += [Column(f"{month:%Y-%m}", f"{month:%b %Y}, USD", "usd", 125) for month in shown]
    total: dict[str, object] = {"provider": "Sum"}
    for month in shown:
        total[f"{month:%Y-%m}"] = sum((cast(Decimal, row["amount_usd"]) for row in frame if row["month"] == month), Decimal(0))
    return [table("bill_months", columns, by_month(frame, shown), row_key=("provider", "model"), total=total)]


def by_month(frame: Frame, shown: Sequence[date]) -> list[dict[str, object]]:
    """One row for each model of each provider, with a column for each month; the dearest in the last month first."""
    rows: dict[tuple[object, object], dict[str, object]] = {}
    for one in frame:
        if one["month"] in shown:
            key = (one["provider"], one["model"])
            row = rows.setdefault(
                key, {"provider": one["provider"], "model": one["model"], **{f"{m:%Y-%m}": None for m in shown}}
            )
            row[f"{cast(date, one['month']):%Y-%m}"] = one["amount_usd"]
    last = f"{shown[-1]:%Y-%m}"
    return sorted(rows.values(), key=lambda row: -cast(Decimal, row[last] or Decimal(0)))


def _said(bill: Bill, now_said: str, before_said: str) -> Children:
    amount = html.Strong(formats.usd(bill.amount_usd), className="number")
    if not bill.former_usd:
        return [amount, f" in {now_said}; nothing in {before_said}."]
    if not bill.change_usd:
        return [amount, f" in {now_said}, exactly as much as in {before_said}."]
    more = "more" if bill.change_usd > 0 else "less"
    share = formats.share(abs(bill.change_usd), bill.former_usd)
    was = f"{formats.usd(bill.former_usd)}, {share} {more}"
    return [amount, f" in {now_said}: {formats.usd(abs(bill.change_usd))} {more} than in {before_said} ({was})."]


def begun_within(first_hour: object, before: Window) -> str | None:
    """That the books know nothing or only a part of the former period; None where they know it all."""
    if not isinstance(first_hour, datetime) or before.since is None or before.until is None:
        return None
    begun = f"The books begin on {formats.day(first_hour)}: of the time before they know"
    if first_hour >= before.until:
        return f"{begun} nothing."
    if first_hour < before.since + timedelta(days=1):
        return None
    days = max((before.until - first_hour).days, 1)
    return f"{begun} {formats.count(days, 'day')} of {(before.until - before.since).days}, so that the change says little."


def _effect(name: str, usd: Decimal) -> Children:
    sign = "+" if usd > 0 else ""
    return [help_on(name.lower(), _MEANINGS[name]), f" is {sign}{formats.usd(usd)}"]


def _proof(bill: Bill, owed: Frame) -> Component:
    """The same sum from the other side of the books."""
    whole = sum((cast(Decimal, row["owed_usd"]) for row in owed), Decimal(0))
    names = [str(row["account"]).rpartition(":")[2] for row in owed if row["owed_usd"]]
    if whole == bill.amount_usd:
        said = f"It is what these days added to what is owed to {', '.join(names[:6]) or 'providers'}, to the last digit."
        return sentence([said])
    difference = f"{formats.usd(whole - bill.amount_usd)} of what is owed is not in the expenses of these days. "
    return sentence([difference, dcc.Link("See the accounts", href="/ledger#section-balances", className="act")], act=True)


def _sums(bill: Bill) -> dict[str, object]:
    return {
        "amount_usd": bill.amount_usd, "former_usd": bill.former_usd, "change_usd": bill.change_usd, "price_usd": bill.price_usd,
        "volume_usd": bill.volume_usd, "mix_usd": bill.mix_usd,
    }  # fmt: skip


def _million(unit_usd: object) -> Decimal | None:
    return None if unit_usd is None else cast(Decimal, unit_usd) * 1_000_000


PAGE = Page(
    path="/bill",
    name="bill",
    label="Bill",
    key="e",
    under="/spend",
    dimensions=LEDGER_DIMENSIONS,
    panels=(
        Panel("bill_headline", "", headline, skeleton_px=420),
        Panel("bill_models", "By model", models, "The largest change first.", table="bill", skeleton_px=300),
        Panel("bill_lines", "Line by line", lines, "Days of the books, UTC.", table="bill", skeleton_px=500),
        Panel("bill_months", "Month by month", months, "All months of the books.", table="bill_months", skeleton_px=300),
    ),
)
