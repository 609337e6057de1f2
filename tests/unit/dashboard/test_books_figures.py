"""What the finance pages draw: bills, statements, tables of any two things, forecasts; and the form that gives a price."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as some

from dashboard.figures.bill import bridge, by_model, whole_bill
from dashboard.figures.forecast import Forecast, month_so_far
from dashboard.figures.pivot import pivot_of, say, stacked
from dashboard.figures.spend import beside_former
from dashboard.figures.statement import balance_over_time
from dashboard.filters import Window, parse
from dashboard.frame import Frame
from dashboard.pages.bill import begun_within, by_month, set_apart, still_open
from dashboard.pages.budgets import verdict_of
from dashboard.pages.give_price import body_of, told
from dashboard.pieces import former, own_pieces
from tests.sums import sums_agree

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
WEEK = Window(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))
usd = Decimal


def drawn(figure: dict[str, object]) -> list[dict[str, Any]]:
    """The traces of a figure as plotly reads it, which refuses what is not valid."""
    return cast("dict[str, list[dict[str, Any]]]", go.Figure(figure).to_plotly_json())["data"]


# ── bills ────────────────────────────────────────────────────────────────────────────────────────────

BILL = Frame(
    ("provider", "model", "commodity", "amount_usd", "former_usd", "change_usd", "price_usd", "volume_usd", "mix_usd"),
    (
        ("a", "m1", "input_tokens", usd(12), usd(10), usd(2), usd(-1), usd(2), usd(1)),
        ("a", "m1", "output_tokens", usd(3), usd(4), usd(-1), usd(0), usd("0.8"), usd("-1.8")),
        ("b", "m2", "input_tokens", usd(5), usd(0), usd(5), usd(0), usd(0), usd(5)),
        ("b", "m3", "input_tokens", usd(0), usd(1), usd(-1), usd(0), usd("0.2"), usd("-1.2")),
    ),
)


def test_a_bill_is_the_sum_of_its_lines() -> None:
    bill = whole_bill(BILL)
    assert (bill.amount_usd, bill.former_usd, bill.change_usd) == (20, 15, 5)
    assert bill.price_usd + bill.volume_usd + bill.mix_usd == bill.change_usd


def test_models_are_summed_and_the_largest_change_comes_first() -> None:
    rows = [(row["model"], row["change_usd"], row["note"]) for row in by_model(BILL)]
    assert rows == [("m2", 5, "new"), ("m1", 1, ""), ("m3", -1, "gone")]


def test_the_bridge_leads_from_one_bill_to_the_other() -> None:
    (trace,) = drawn(bridge(whole_bill(BILL), "before", "now", "key"))
    ends = [base + height for base, height in zip(trace["base"], trace["y"], strict=True)]
    assert list(trace["x"]) == ["before", "Price", "Volume", "Mix", "now"]
    assert list(trace["base"])[1:4] == pytest.approx(ends[0:3]), "each effect begins where the last one ended"
    assert ends[3] == pytest.approx(ends[4])
    assert list(trace["text"]) == ["$15.00", "−$1.00", "+$3.00", "+$3.00", "$20.00"]


def test_months_stand_side_by_side() -> None:
    february, march = date(2026, 2, 1), date(2026, 3, 1)
    rows = (
        (february, "a", "m1", usd(4)), (march, "a", "m1", usd(1)), (march, "b", "m2", usd(2)),
        (date(2026, 1, 1), "b", "m2", usd(9)),
    )  # fmt: skip
    assert by_month(Frame(("month", "provider", "model", "amount_usd"), rows), [february, march]) == [
        {"provider": "b", "model": "m2", "2026-02": None, "2026-03": usd(2)},
        {"provider": "a", "model": "m1", "2026-02": usd(4), "2026-03": usd(1)},
    ]


@pytest.mark.parametrize(
    ("search", "first", "end"),
    [
        ("since=2026-03-03T00:00Z&until=2026-03-06T00:00Z", "2026-02-28", "2026-03-03"),
        ("since=2026-03-03T07:00Z&until=2026-03-05T05:00Z", "2026-02-28", "2026-03-03"),
        ("since=2026-03-01T00:00Z&until=2026-04-01T00:00Z", "2026-02-01", "2026-03-01"),
        ("since=2026-03-01T00:00Z&until=2026-03-15T00:00Z", "2026-02-01", "2026-02-15"),
        ("since=2026-03-01T00:00Z&until=2026-03-31T00:00Z", "2026-02-01", "2026-03-01"),
        ("range=last_month", "2026-01-01", "2026-02-01"),
    ],
)
def test_the_days_a_period_is_compared_with(search: str, first: str, end: str) -> None:
    window = former(parse(f"?{search}").window(NOW).whole_days())
    assert window is not None
    assert f"{window.since:%Y-%m-%d} {window.until:%Y-%m-%d}" == f"{first} {end}"


def test_all_time_has_nothing_before_it() -> None:
    assert former(parse("?range=all").window(NOW)) is None
    assert own_pieces(parse("?range=all"), Window(None, None), NOW)["former first day"]() == "date 'infinity'"


def test_names_in_an_address_are_literals() -> None:
    pieces = own_pieces(parse("").asking(account="x' or true --", priced="50%"), WEEK, NOW)
    assert pieces["account"]() == "(account = 'x'' or true --' or starts_with(account, 'x'' or true --:'))"
    assert "50\\\\%" in pieces["named model"]()


def test_the_period_before_is_drawn_over_the_bars() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    rows = ((at, "a", usd(1), 2, 0), (at, "b", usd(2), 2, 0), (at + timedelta(days=1), "a", None, 1, 1))
    former_frame = Frame(("bucket", "series", "cost_usd", "calls", "unpriced_calls"), rows)
    (line,) = drawn(beside_former({"data": [], "layout": {}}, former_frame, timedelta(days=7), "day", "before"))
    assert list(line["x"]) == ["2026-03-08 12:00:00", "2026-03-09 12:00:00"]
    assert list(line["y"]) == [3.0, None]
    assert line["customdata"][0] == "$3.00, 1 Mar 2026"


# ── statements ───────────────────────────────────────────────────────────────────────────────────────


def test_a_statement_shows_movements_and_balance() -> None:
    rows = ((date(2026, 3, 2), usd(5), 1, usd(15)), (date(2026, 3, 4), usd(-2), 2, usd(13)))
    moved, balance = drawn(balance_over_time(Frame(("day", "moved_usd", "moves", "balance_usd"), rows), WEEK, "key"))
    assert list(moved["y"]) == [5, -2]
    assert list(balance["y"]) == [15, 13]
    assert list(balance["customdata"]) == ["$15.00", "$13.00"]


# ── tables of any two things ─────────────────────────────────────────────────────────────────────────

_CELL = (
    "row_rank", "row", "rows", "row_is_rest", "column_rank", "column", "columns", "column_is_rest", "cost_usd", "calls", "tokens",
    "unpriced_calls",
)  # fmt: skip
TABLE = Frame(
    _CELL,
    (
        (1, "big", 4, False, 1, "2026-03-02", 2, False, usd("1.10"), 4, 40, 0),
        (1, "big", 4, False, 2, "2026-03-03", 2, False, usd("0.20"), 3, 30, 0),
        (2, None, 4, False, 1, "2026-03-02", 2, False, None, 2, 20, 2),
        (3, None, 4, True, 2, "2026-03-03", 2, False, usd("0.03"), 1, 10, 0),
    ),
)


def test_rows_columns_and_the_whole_agree() -> None:
    pivot = pivot_of(TABLE, "cost")
    assert [row.label for row in pivot.rows] == ["big", "not attributed", "2 others"]
    assert [pivot.of_row(row) for row in pivot.rows] == [usd("1.30"), None, usd("0.03")], "unknown is not nothing"
    assert [pivot.of_column(column) for column in pivot.columns] == [usd("1.10"), usd("0.23")]
    assert pivot.whole == usd("1.33")
    assert pivot_of(TABLE, "calls").whole == 10


@given(
    some.dictionaries(
        some.tuples(some.integers(1, 6), some.integers(1, 6)),
        some.one_of(some.none(), some.decimals(0, 1000, places=12)),
        min_size=1,
    )
)
def test_totals_equal_the_sum_whatever_is_in_them(of: dict[tuple[int, int], Decimal | None]) -> None:
    rows = tuple((r, f"r{r}", 6, False, c, f"c{c}", 6, False, cost, 1, 1, 0) for (r, c), cost in of.items())
    assert sums_agree(pivot_of(Frame(_CELL, rows), "cost"))


def test_steps_of_time_are_drawn() -> None:
    traces = drawn(stacked(pivot_of(TABLE, "cost"), WEEK, "day", "cost", "key"))
    heights = [(trace["name"], list(trace["y"])) for trace in traces]
    assert heights == [("big", [1.1, 0.2]), ("not attributed", [None, None]), ("2 others", [None, 0.03])]


@pytest.mark.parametrize(
    ("amount", "measure", "words"), [(usd("1.5"), "cost", "$1.50"), (usd(1200), "calls", "1,200"), (None, "cost", "–")]
)
def test_amounts_of_a_measure(amount: Decimal | None, measure: str, words: str) -> None:
    assert say(amount, measure) == words


# ── forecasts ────────────────────────────────────────────────────────────────────────────────────────


def test_a_month_so_far_and_to_come() -> None:
    days = Frame(("day", "cost_usd"), tuple((date(2026, 3, number), usd(2)) for number in (12, 13, 14)))
    month = Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    fan, spent, ahead = drawn(month_so_far(days, month, NOW, Forecast(usd(40), usd(35), usd(45)), "key"))
    assert list(spent["y"]) == [0, 2, 4, 6, 6]
    assert spent["x"][0].startswith("2026-03-12"), "what nobody knows is not drawn as nothing"
    assert spent["x"][-1].startswith("2026-03-14 09:26")
    assert (list(ahead["y"]), list(fan["y"])) == ([6, 40], [6, 45, 35, 6])
    assert len(drawn(month_so_far(days, month, NOW, None, "key"))) == 1


@pytest.mark.parametrize(
    ("spent", "ends", "words", "is_act"),
    [
        (10, (50, 40, 60), "about $50.00 will be left", False),
        (10, (90, 70, 110), "may be overrun", True),
        (90, (150, 120, 180), "will be overrun by about $50.00", True),
        (103, (150, 120, 180), "overrun by $3.00", True),
        (10, (None, None, None), "no forecast: too few days are known", False),
    ],
)
def test_whether_a_budget_of_a_hundred_dollars_will_do(
    spent: int, ends: tuple[int | None, int | None, int | None], words: str, is_act: bool
) -> None:
    row: dict[str, object] = {"amount_usd": usd(100), "spent_usd": usd(spent), "period_until": NOW}
    row |= {f"{name}_usd": end if end is None else usd(end) for name, end in zip(("forecast", "low", "high"), ends, strict=True)}
    assert verdict_of(row) == (words, is_act)


# ── giving a price ───────────────────────────────────────────────────────────────────────────────────

WHAT = "acme\x1fvllm\x1ffleet\x1fbatch\x1finput_tokens, web_searches"
GIVEN = {"input_tokens": " $0.10 ", "web_searches": "0.01"}


def test_what_the_form_asks_of_the_collector() -> None:
    body = body_of(WHAT, GIVEN, ("2026-01-01", None), "Ann", "contract", is_trial=False)
    assert (body["tenant"], body["source"], body["is_trial"]) == ("acme", "Ann: contract", False)
    both = {"provider": "vllm", "model": "fleet", "service_tier": "batch", "valid_from": "2026-01-01"}
    assert body["rates"] == [
        both | {"commodity": "input_tokens", "price_usd": "0.10"},
        both | {"commodity": "web_searches", "price_usd": "0.01", "per": "1"},
    ]
    assert body_of(WHAT, GIVEN, (None, None), "", "", is_trial=True)["is_trial"] is True


@pytest.mark.parametrize(
    ("prices", "who", "source", "words"),
    [
        ({"input_tokens": " "}, "Ann", "x", "write a price of input_tokens, web_searches first"),
        (GIVEN, " ", "x", "write your name"),
        (GIVEN, "Ann", "", "write where the price is from"),
    ],
)
def test_what_the_form_still_needs(prices: dict[str, str], who: str, source: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        body_of(WHAT, prices, (None, None), who, source, is_trial=False)


def answer(is_trial: bool = False, corrections: int = 0, booked_again: int | None = 3, **other: object) -> dict[str, Any]:
    changes = {
        "calls": 3, "unpriced_calls": 2, "cost_before_usd": "1", "cost_after_usd": "1.5", "difference_usd": "0.5",
        "first_at": "2026-03-01T00:00:00Z", "last_at": "2026-03-02T00:00:00Z", "still_unpriced": 0,
    }  # fmt: skip
    said = {"is_trial": is_trial, "rates": 1, "corrections": corrections, "booked_again": booked_again}
    return {**said, "changes": changes | other}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer(is_trial=True), "3 calls would be booked again (2 of them had no price): $1.00 → $1.50 (+$0.50)"),
        (answer(is_trial=True), "Nothing is changed yet."),
        (answer(corrections=1), "1 price added, 1 correcting earlier ones."),
        (answer(is_trial=True, calls=0), "No call that is booked or waits would be charged at it."),
        (answer(still_unpriced=4), "4 calls would still wait"),
        (answer(booked_again=None), "the analyzers book them in pieces"),
    ],
)
def test_what_a_price_changes_is_told(said: dict[str, Any], words: str) -> None:
    assert words in _text(told(said))


def _text(node: object) -> str:
    if isinstance(node, list):
        return "".join(map(_text, cast("list[object]", node)))
    return node if isinstance(node, str) else _text(getattr(node, "children", ""))


@pytest.mark.parametrize(
    ("begun_day", "said"),
    [
        (1, None),
        (8, "The books begin on 8 Mar 2026: of the time before they know 6 days of 14, so that the change says little."),
        (20, "The books begin on 20 Mar 2026: of the time before they know nothing."),
    ],
)
def test_a_bill_says_when_the_time_before_is_known_in_part(begun_day: int, said: str | None) -> None:
    before = Window(datetime(2026, 2, 28, tzinfo=UTC), datetime(2026, 3, 14, tzinfo=UTC))
    first_hour = datetime(2026, 2, 28, 5, tzinfo=UTC) if begun_day == 1 else datetime(2026, 3, begun_day, tzinfo=UTC)
    assert begun_within(first_hour, before) == said
    assert begun_within(None, before) is None


@pytest.mark.parametrize(
    ("posted", "brought", "carried", "said"),
    [
        ("7.00", "0", "0.00", None),
        ("6.20", "-0.80", "0", "posted to them is $6.20. −$0.80 of earlier calls are posted to these days, since"),
        ("7.80", "0", "-0.80", "posted to them is $7.80. −$0.80 of calls of these days are posted to later days"),
        ("7.00", "2", "2", "$2.00 of earlier calls are posted to these days or later, since"),
        (
            "6.50",
            "2",
            "2.5",
            "(pigou bill says on which lines). $2.50 of calls up to the end of these days are posted to later days",
        ),
    ],
)
def test_a_bill_says_what_closed_days_set_apart(posted: str, brought: str, carried: str, said: str | None) -> None:
    """Whose days it was, whichever sign it has: a price that fell takes something away from the month it is posted to."""
    row: dict[str, object] = {
        "days": "these days", "cost_usd": usd(7), "posted_usd": usd(posted), "brought_usd": usd(brought),
        "carried_usd": usd(carried),
    }  # fmt: skip
    told = set_apart(row)
    assert (told is None) if said is None else (told is not None and said in told)


@pytest.mark.parametrize(
    ("waits", "closed", "said"),
    [
        ((0, 0), 3, ["These days are closed: what comes late is posted to later ones, and this bill stays as it is."]),
        ((0, 0), 1, ["These days are closed for 1 of 3 tenants: what comes late or is priced anew still changes this bill"]),
        ((1, 0), 0, ["1 call without a price. See what they wait for", "These days are not closed: what comes late"]),
        ((2, 3), 0, ["2 calls without a price and 3 calls that cannot be read.", "These days are not closed"]),
    ],
)
def test_a_bill_says_what_is_in_no_sum_and_whether_it_can_change(waits: tuple[int, int], closed: int, said: list[str]) -> None:
    told = still_open({"unpriced_calls": waits[0], "suspense_calls": waits[1], "tenants": 3, "closed": closed})
    assert len(told) == len(said)
    assert all(words in _text(one) for words, one in zip(said, told, strict=True))
    assert still_open({"unpriced_calls": 0, "suspense_calls": 0, "tenants": 0, "closed": 0}) == []
