"""What the pages of misallocation ask of a real database, over decisions whose appraisals are known beforehand."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import cast

import pytest

from dashboard import formats
from dashboard.app import create_app
from dashboard.books import Books
from dashboard.components.panel import Panel, View
from dashboard.figures.equimarginal import rows_of
from dashboard.figures.gap import gains_of
from dashboard.figures.heat import heat_map
from dashboard.filters import DECISION_SORTS, parse
from dashboard.pages import allocation, beside, decision, decisions, trace
from ledger.database import connect
from tests.appraised import HOSTILE
from tests.found import JUDGED_AT as NOW


@pytest.fixture(scope="module")
def books(judged: str) -> Iterator[Books]:
    """The pages' own door to it."""
    opened = Books(judged)
    yield opened
    opened.close()


def view(books: Books, search: str = "?range=all", path: str = "/allocation") -> View:
    return View(books, parse(search), NOW, path, "http://127.0.0.1:4318")


def one(judged: str, question: str) -> tuple[object, ...]:
    """The single row of a question to the tables' owner."""
    with connect(judged, "owner") as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row


def text_of(content: object) -> str:
    """All that a panel says, as Dash would send it."""
    return str(content)


def days(judged: str) -> float:
    (length,) = one(
        judged, "select date_part('epoch', max(last_hour) + interval '1 hour' - min(first_hour)) / 86400 from ledger.extent"
    )
    return cast(float, length)


def test_only_regret_that_stands_is_claimed(judged: str, books: Books) -> None:
    """The confirmations' regret has an interval that includes nothing, and is left out."""
    total = view(books).ask("regret_total").only()
    lost, open_regret = one(
        judged,
        "select sum(regret_usd) filter (where status = 'appraised'), sum(regret_usd) filter (where status <> 'appraised')"
        " from pigou.appraisal",
    )
    assert float(cast(float, open_regret)) > 0
    assert total["usd_per_day"] == pytest.approx(float(cast(float, lost)) / days(judged))
    assert cast(float, total["low_usd_per_day"]) < cast(float, total["usd_per_day"]) < cast(float, total["high_usd_per_day"])


def test_all_ways_of_cutting_give_the_same_dollars(books: Books) -> None:
    asked = view(books)
    whole = cast(float, asked.ask("regret_total").only()["usd_per_day"])
    for query in ("regret_by_kind", "regret_by_class_and_kind", "regret_by_place", "segments"):
        parts = [cast(float, row["usd_per_day"]) for row in asked.ask(query) if row["usd_per_day"] is not None]
        assert sum(parts) == pytest.approx(whole), query
    terms = asked.ask("regret_by_term").only()
    assert sum(cast(float, amount) for amount in terms.values()) == pytest.approx(whole)


def test_what_is_mostly_better_is_another_option(books: Books) -> None:
    told = [(row["chosen"], row["best"]) for row in view(books).ask("segments")]
    assert any(best is not None for _, best in told)
    assert all(chosen != best for chosen, best in told)


def test_parts_of_the_books_sum_to_the_whole_by_the_day(books: Books) -> None:
    """A day is the same length whatever is filtered, or parts could not be added."""
    whole = cast(float, view(books).ask("regret_total").only()["usd_per_day"])
    parts = [
        view(books, f"?range=all&kind={kind}").ask("regret_total").only()["usd_per_day"] for kind in ("route", "verify", "cache")
    ]
    assert sum(cast("list[float]", parts)) == pytest.approx(whole)
    assert view(books, "?range=all&kind=serve").ask("regret_total").only()["usd_per_day"] is None


def test_what_a_dollar_buys_is_the_ratio_of_benefit_to_cost(books: Books) -> None:
    rows = {row.place[1]: row for row in rows_of(view(books).ask("equimarginal"))}
    (last,) = rows["route"].steps
    assert (last.spent, last.other, last.verdict) == (True, "medium", "bloated")
    assert last.worth == pytest.approx((1.86 - 1.84 - (0.02 - 0.01)) / (0.20 - 0.06))
    (further,) = rows["verify"].steps
    assert (further.spent, further.other, further.verdict) == (False, "1", "starved")
    assert further.worth == pytest.approx(7.5), "1.2 of value and 0.4 of risk less 0.1 of latency, for 0.2"
    assert further.high == pytest.approx(7.5 + 1.959964 * 0.1 / 0.2)
    (unknown,) = rows["serve"].steps
    assert (unknown.verdict, unknown.worth, unknown.why) == ("unknown", None, "nothing of engine-b was seen")


def test_what_is_not_identified_is_open_and_not_nothing(books: Books) -> None:
    found = heat_map(view(books).ask("regret_by_class_and_kind"))
    assert found.cells["research.report", "serve"].open
    assert found.cells["support.refund", "confirm"].open
    assert found.cells[HOSTILE, "cache"].usd == 0
    assert [gain.kind for gain in gains_of(view(books).ask("regret_by_kind"))] == ["verify", "route"]


@pytest.mark.parametrize("panel", allocation.PAGE.panels, ids=lambda panel: panel.name)
@pytest.mark.parametrize(
    "search", ["?range=all", "?range=3h", "?range=all&kind=serve", "?range=all&kind=cache", "?range=all&tenant=nobody"]
)
def test_every_panel_is_drawn(books: Books, panel: Panel, search: str) -> None:
    content = text_of(panel.draw(view(books, search)))
    assert "nan" not in content.lower().replace("tenan", "").replace("finan", "").replace("explanation", "")


def test_seconds_are_told_with_what_stands_and_what_would_settle_the_rest(books: Books) -> None:
    drawn = text_of(beside.latency(view(books)))
    for said in (
        r"−1.25\u202fs (−1.75 to −0.50)", r"+12.5\u202fs (4.0 to 22.0)", "'sooner'", "'later, taken alone'", "'alike'",
        r"needs 310 more outcomes or 25\u202f% of choices at random", "'not identified'", "medium against small",
    ):  # fmt: skip
        assert said in drawn, said
    [route] = [row for row in view(books).ask("latency_by_use") if row["kind"] == "route" and row["tenant"] == "acme"]
    assert (route["option"], float(cast(float, route["slow_s"])), route["standing"]) == ("medium", 12.5, 1)
    assert "could move how long" in text_of(beside.latency(view(books, "?tenant=nobody")))


def test_what_is_borrowed_stands_beside_what_is_known(judged: str, books: Books) -> None:
    drawn = text_of(beside.siblings(view(books)))
    for said in ("$1.2 ($0.5 to $2.0)", r"30\u202f%", "7 segments of 4 sets", "not for each", "240 more outcomes"):
        assert said in drawn, said
    borrowed = view(books).ask("borrowed")
    assert {row["kind"] for row in borrowed} == {"confirm"}
    assert one(judged, "select bool_or(is_discovery) from ledger.segments where pooled_usd is not null") == (False,)
    assert "siblings in three sets" in text_of(beside.siblings(view(books, "?tenant=nobody")))


def test_the_headline_says_where_and_how_much(judged: str, books: Books) -> None:
    asked = view(books)
    said = text_of(allocation.PAGE.panels[0].draw(asked))
    total = asked.ask("regret_total").only()
    assert formats.usd_estimate(total["usd_per_day"], total["low_usd_per_day"], total["high_usd_per_day"]) in said
    assert "verify in code.fix_test, which chose " in said
    assert "no check" in said
    (tasks,) = one(judged, "select count(*) from pigou.task")
    assert f"'{tasks}'" in said


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("?range=all&kind=serve", "and none can be judged yet."),
        ("?range=all&kind=cache", "No dollar is shown to be lost"),
        ("?since=2020-01-01T00:00Z&until=2020-02-01T00:00Z", "Nothing has been appraised"),
        ("?range=all&kind=plan", "No decision was seen"),
    ],
)
def test_what_is_not_known_is_said_with_the_step_that_mends_it(books: Books, search: str, said: str) -> None:
    content = text_of(allocation.PAGE.panels[0].draw(view(books, search)))
    assert said in content
    if "cache" not in search:
        assert "/v1/outcomes" in content
        assert "allocation.route.propensity" in content


@pytest.mark.parametrize("sort", [sign + column for column in DECISION_SORTS for sign in ("", "-")])
def test_every_order_of_decisions_can_be_asked_for(books: Books, sort: str) -> None:
    frame = view(books, f"?range=all&sort={sort}").ask("decisions", limit=30)
    known = cast("list[float]", [value for value in frame.column(sort.removeprefix("-")) if value is not None])
    assert known == sorted(known, reverse=sort.startswith("-"))


def test_decisions_are_counted_by_what_is_thought_of_them_and_all_are_in_the_csv(judged: str, books: Books) -> None:
    client = create_app(books, clock=lambda: NOW).server.test_client()
    answer = client.get("/csv/decisions.csv?range=all&status=not_enough_evidence&kind=confirm")
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    (counted,) = one(judged, "select count(*) from pigou.appraisal where status = 'not_enough_evidence'")
    assert len(rows) == counted
    assert {row["kind"] for row in rows} == {"confirm"}
    assert "Not enough evidence" in text_of(decisions.PAGE.panels[0].draw(view(books, path="/decisions")))


def decided(judged: str, kind: str) -> tuple[str, str]:
    """A decision of a kind and its trace."""
    found = one(judged, f"select decision_id::text, encode(trace_id, 'hex') from pigou.decision where kind = '{kind}' limit 1")
    return cast("tuple[str, str]", found)


def test_one_decision_is_told_with_its_options_evidence_and_context(judged: str, books: Books) -> None:
    identity, trace_id = decided(judged, "verify")
    asked = view(books, f"?id={identity}", "/decision")
    said = {panel.name: text_of(panel.draw(asked)) for panel in decision.PAGE.panels}
    assert "1 check" in said["decision_verdict"]
    assert "$1.30" in said["decision_verdict"]
    assert f"/trace/{trace_id}" in said["decision_verdict"]
    assert "+$1.30" in said["decision_options"]
    assert "$1.10 to $1.50" in said["decision_options"]
    assert "attribution/1" in said["decision_evidence"]
    assert "prompt tokens" in said["decision_context"]
    assert "not known" in said["decision_context"]
    neighbours = asked.ask("decision_neighbours", values={"decision_id": identity})
    assert identity not in {str(row["decision_id"]) for row in neighbours}
    client = create_app(books, clock=lambda: NOW).server.test_client()
    assert client.get(f"/csv/decision_options.csv?id={identity}").text.count("\n") == 4
    assert client.get("/csv/decision_options.csv").text == "decision_options needs decision_id\n"


def test_regret_that_may_be_nothing_is_not_said_to_be_something(judged: str, books: Books) -> None:
    identity, _ = decided(judged, "cache")
    said = text_of(decision.PAGE.panels[0].draw(view(books, f"?id={identity}", "/decision")))
    assert "no option is shown to be better" in said
    identity, _ = decided(judged, "confirm")
    said = text_of(decision.PAGE.panels[0].draw(view(books, f"?id={identity}", "/decision")))
    assert "not enough evidence yet" in said
    assert "would have brought" not in said


def test_a_trace_tells_what_was_decided_in_it(judged: str, books: Books) -> None:
    identity, trace_id = decided(judged, "route")
    panel = next(panel for panel in trace.PAGE.panels if panel.name == "trace_decisions")
    said = text_of(panel.draw(view(books, "", f"/trace/{trace_id}")))
    assert identity in said
    assert "outcome 0.90 by feedback" in said
    assert "not settled" in text_of(panel.draw(view(books, "", "/trace/" + "0" * 31 + "9")))


def test_an_unknown_decision_says_so(books: Books) -> None:
    for search in ("", "?id=00000000-0000-0000-0000-000000000009"):
        content = [text_of(panel.draw(view(books, search, "/decision"))) for panel in decision.PAGE.panels]
        assert "The books know no decision by this id." in content[0]
