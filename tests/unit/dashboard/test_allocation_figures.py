"""The pictures of misallocation as functions of frames: what is claimed, what is left open, and where each mark stands."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, cast

import plotly.graph_objects as go
import pytest

from dashboard import theme
from dashboard.figures import Figure, equimarginal, gap
from dashboard.figures.equimarginal import Step, equimarginal_line, rows_of
from dashboard.figures.heat import heat_map
from dashboard.figures.options import crossovers, options_of
from dashboard.figures.paper import label_of
from dashboard.frame import Frame


def labels(figure: dict[str, Any]) -> list[tuple[float, str]]:
    """The labels of a figure's rows with their heights."""
    return [
        (note["y"], note["text"])
        for note in figure["layout"]["annotations"]
        if note["xref"] == "paper" and note.get("yref") != "paper"
    ]


def words(text: str) -> tuple[str, ...]:
    """The names of a frame's columns."""
    return tuple(text.split())


STEPS = words("layer kind task_class chosen step other decisions cost_usd_per_day worth worth_low worth_high why")
OPTIONS = words(
    "option is_chosen is_best value_usd cost_usd latency_usd risk_usd net_usd error_usd propensity predicted_quality"
    " value_error_usd cost_error_usd latency_error_usd risk_error_usd"
)
PLACE = ("demand", "route", "faq", "large")


def read(figure: Figure) -> dict[str, Any]:
    """The figure as plotly understands it. Raises: ValueError when any part of it is not valid."""
    return cast("dict[str, Any]", go.Figure(figure).to_dict())


def steps(*rows: tuple[str, float | None, float | None, float | None, float]) -> Frame:
    """Rows of (step, worth, low, high, dollars a day) of one place."""
    return Frame(
        STEPS,
        tuple((*PLACE, step, "small", 40, Decimal(str(usd)), worth, low, high, "") for step, worth, low, high, usd in rows),
    )


def step(worth: float | None, low: float | None, high: float | None, spent: bool) -> Step:
    return Step(PLACE, spent, "small", 10, worth, low, high, 2.0, "")


# ── the equimarginal line ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("worth", "low", "high", "spent", "verdict", "amiss_usd"),
    [
        (0.3, 0.1, 0.6, True, "bloated", 1.4),
        (0.3, -2.0, 1.2, True, "fits", 0.0),
        (3.0, 2.0, 4.0, True, "fits", 0.0),
        (3.0, 2.0, 4.0, False, "starved", 4.0),
        (3.0, 0.9, 5.0, False, "fits", 0.0),
        (-1.0, -2.0, -0.5, True, "bloated", 4.0),
        (0.2, 0.1, 0.3, False, "fits", 0.0),
        (None, None, None, True, "unknown", 0.0),
        (0.3, None, None, True, "unknown", 0.0),
    ],
)
def test_a_fault_is_claimed_only_where_the_interval_excludes_that_there_is_none(
    worth: float | None, low: float | None, high: float | None, spent: bool, verdict: str, amiss_usd: float
) -> None:
    one = step(worth, low, high, spent)
    assert one.verdict == verdict
    assert one.amiss_usd == pytest.approx(amiss_usd)


def test_a_dollar_that_buys_a_dollar_stands_on_the_line() -> None:
    figure = read(equimarginal_line(rows_of(steps(("last", 1.0, 0.1, 10.0, 5))), "key"))
    (dot,) = figure["data"]
    line = figure["layout"]["shapes"][0]
    assert dot["x"][0] == line["x0"] == line["x1"]
    assert (dot["error_x"]["array"][0], dot["error_x"]["arrayminus"][0]) == (1.0, 1.0), "a factor of ten either way"


@pytest.mark.parametrize("nothing", [0.0, -3.0, 1e-9])
def test_what_buys_nothing_has_a_place_of_its_own_on_the_axis(nothing: float) -> None:
    figure = read(equimarginal_line(rows_of(steps(("last", nothing, nothing - 1, 0.5, 5))), "key"))
    (dot,) = figure["data"]
    labels = dict(zip(figure["layout"]["xaxis"]["tickvals"], figure["layout"]["xaxis"]["ticktext"], strict=True))
    assert labels[dot["x"][0]] == "≤ 3¢"
    assert dot["error_x"]["arrayminus"] == [0.0]
    assert dot["x"][0] + dot["error_x"]["array"][0] == pytest.approx(math.log10(0.5))


def test_what_is_not_known_is_grey_stands_apart_and_says_why() -> None:
    frame = Frame(STEPS, ((*PLACE, "last", None, 12, None, None, None, None, "never tried <b>"),))
    (dot,) = read(equimarginal_line(rows_of(frame), "key"))["data"]
    assert dot["marker"]["color"] == theme.UNKNOWN
    assert "error_x" not in dot
    assert "12 decisions; what a dollar buys is not known: never tried &lt;b&gt;" in dot["text"][0]


def test_the_last_dollar_is_filled_the_next_one_hollow_and_faults_have_the_accent() -> None:
    rows = rows_of(steps(("last", 0.2, 0.1, 0.4, 8), ("next", 0.5, 0.1, 2.0, 2)))
    last, further = read(equimarginal_line(rows, "key"))["data"]
    assert (last["marker"]["symbol"], further["marker"]["symbol"]) == ("circle", "circle-open")
    assert (last["marker"]["color"], further["marker"]["color"]) == (theme.ACCENT, theme.COMPUTE)
    assert last["marker"]["size"] == pytest.approx(2 * further["marker"]["size"]), "four times the dollars, four times the area"
    assert last["y"] == further["y"]
    assert "The last dollar, for large instead of small,<br>buys $0.20 ($0.10 to $0.40, 95 %)" in last["text"][0]


def test_rows_that_lose_most_come_first() -> None:
    places = [("a", 0.9, 0.5, 1.5), ("b", 0.5, 0.4, 0.6), ("c", 0.1, 0.0, 0.2)]
    frame = Frame(
        STEPS,
        tuple(
            ("demand", "route", name, "large", "last", "small", 9, Decimal(1), worth, low, high, "")
            for name, worth, low, high in places
        ),
    )
    rows = rows_of(frame)
    assert [row.place[2] for row in rows] == ["c", "b", "a"]
    figure = read(equimarginal_line(rows, "key", shown=2))
    assert labels(figure) == [(1, "c · route: large"), (0, "b · route: large")], "the first at the top"
    assert equimarginal.height_px(rows, shown=2) < equimarginal.height_px(rows)


def test_a_place_with_a_figure_shows_no_grey_dot_beside_it() -> None:
    (row,) = rows_of(steps(("last", None, None, None, 0), ("next", 2.0, 1.5, 2.5, 4)))
    assert [one.spent for one in row.steps] == [False]


def test_hostile_names_are_text() -> None:
    frame = Frame(
        STEPS, (("demand", "<i>", "<img src=x>" * 100, "<script>", "last", "<b>", 1, Decimal(1), 1.0, 0.5, 2.0, "<a>"),)
    )
    figure = read(equimarginal_line(rows_of(frame), "key"))
    ((_, label),) = labels(figure)
    shown = figure["data"][0]["text"][0] + label
    for markup in ("<i>", "<img", "<script>", "<a>"):
        assert markup not in shown
    assert len(label) < 300


def test_a_name_that_turns_the_writing_turns_only_itself() -> None:
    assert label_of("plain & simple") == "plain &amp; simple"
    turned = label_of("a\u202eb")
    assert (turned[0], turned[-1]) == ("\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}")


# ── the gap ──────────────────────────────────────────────────────────────────────────────────────────

KINDS = ("kind", "usd_per_day", "low_usd_per_day", "high_usd_per_day", "decisions")


def test_each_bar_begins_where_the_one_above_ended_and_the_last_mark_is_their_sum() -> None:
    frame = Frame(KINDS, (("verify", 30.0, 20.0, 45.0, 7), ("route", 70.0, 60.0, 80.0, 9), ("serve", None, None, None, 0)))
    gains = gap.gains_of(frame)
    bars, ends = read(gap.gap(gains, 500.0, "key"))["data"]
    assert list(bars["x"]) == [70.0, 30.0]
    assert list(bars["base"]) == [0.0, 70.0]
    assert list(ends["x"]) == [0.0, 100.0]
    assert list(bars["error_x"]["array"]) == [10.0, 15.0]
    assert list(bars["y"]) == [2, 1]
    said = [label for _, label in labels(read(gap.gap(gains, 500.0, "key")))]
    assert said == ["Realised net: $500.00 a day", "route: $70", "verify: $30", "Best net: $600.00 a day"]


def test_a_net_value_that_is_not_known_is_said_to_be_so() -> None:
    gains = gap.gains_of(Frame(KINDS, (("route", 70.0, 60.0, 80.0, 9),)))
    said = [label for _, label in labels(read(gap.gap(gains, None, "key")))]
    assert (said[0], said[-1]) == ("Realised net (not known)", "Best net (not known)")


# ── the heat map ─────────────────────────────────────────────────────────────────────────────────────


def test_a_cell_without_a_number_is_open_and_one_of_nothing_is_not() -> None:
    columns = ("task_class", "kind", "usd_per_day", "low_usd_per_day", "high_usd_per_day", "decisions", "appraised")
    frame = Frame(
        columns,
        (
            ("faq", "route", 8.0, 6.0, 10.0, 50, 40),
            ("faq", "verify", None, None, None, 9, 0),
            ("refund", "route", 0.0, 0.0, 0.0, 20, 20),
            (None, "route", 2.0, 1.0, 3.0, 5, 5),
        ),
    )
    found = heat_map(frame)
    assert found.task_classes == ("faq", None, "refund")
    assert found.kinds == ("route", "verify")
    assert found.cells["faq", "verify"].open
    assert not found.cells["refund", "route"].open
    assert [found.cells[name, "route"].strength for name in found.task_classes] == [1.0, 0.25, 0.0]
    assert ("refund", "verify") not in found.cells, "no such decisions is not the same as nothing known"


# ── one decision ─────────────────────────────────────────────────────────────────────────────────────


def decision(v_usd: str, risk: bool = False) -> Frame:
    """The worked example: cheap (q 0.7, c 1) was chosen, frontier (q 0.9, c 5) not; with risk, 0.05 against 0.01 at ρ = 50."""
    v = Decimal(v_usd)
    losses = (Decimal("2.5"), Decimal("0.5")) if risk else (Decimal(0), Decimal(0))
    rows = [
        (v * Decimal("0.7"), Decimal(1), losses[0], "cheap", True, None),
        (v * Decimal("0.9"), Decimal(5), losses[1], "frontier", False, Decimal("0.5")),
    ]
    return Frame(
        OPTIONS,
        tuple(
            (name, chosen, False, value, cost, Decimal(0), loss, value - cost - loss, error, 0.5, None, error, error, None, error)
            for value, cost, loss, name, chosen, error in rows
        ),
    )


def test_terms_are_against_the_chosen_option_and_add_up_to_the_net() -> None:
    cheap, frontier = options_of(decision("100"))
    assert [term.usd for term in cheap.terms] == [0.0] * 4
    value, cost, latency, risk = (cast(float, term.usd) for term in frontier.terms)
    assert (value, cost, latency, risk) == (20.0, 4.0, 0.0, 0.0)
    assert frontier.net.usd == value - cost - latency - risk == 16.0
    assert frontier.net.low_usd == pytest.approx(16 - 0.98, abs=0.001)
    assert (frontier.terms[1].low_usd, frontier.terms[1].high_usd) == pytest.approx((4 - 0.98, 4 + 0.98), abs=0.001)
    assert frontier.terms[2].low_usd is None, "λ has no error where none is known"
    assert cheap.net.low_usd is None, "the chosen option is itself"
    assert frontier.terms[0].left_percent == 50.0
    assert frontier.terms[0].high_percent == 100.0, "what reaches farthest fills its half of the cell"
    assert frontier.terms[0].width_percent == pytest.approx(50 * 20 / 20.98, abs=0.001)
    assert frontier.net.low_percent < frontier.net.left_percent + frontier.net.width_percent < frontier.net.high_percent


def test_options_are_named_as_in_decisions_of_their_kind() -> None:
    frame = decision("100")
    counted = Frame(OPTIONS, (("0", *frame.rows[0][1:]), ("2", *frame.rows[1][1:])))
    assert [option.name for option in options_of(counted, "verify")] == ["no check", "2 checks"]


@pytest.mark.parametrize(("v_usd", "risk", "crossover"), [("100", False, 20.0), ("10", False, 20.0), ("5", True, 10.0)])
def test_the_crossover_of_the_worked_example(v_usd: str, risk: bool, crossover: float) -> None:
    _, frontier = options_of(decision(v_usd, risk))
    found = {one.price: one for one in crossovers(frontier, float(v_usd))}
    assert found["V"].usd == pytest.approx(crossover)
    if risk:
        assert (found["ρ"].factor, found["ρ"].usd) == (pytest.approx(1.5), None), "at ρ = 75 the frontier model is worth it"


def test_what_is_not_known_has_no_bar_and_no_crossover() -> None:
    frame = decision("100")
    blind = Frame(OPTIONS, (frame.rows[0], (*frame.rows[1][:3], None, *frame.rows[1][4:7], *[None] * 8)))
    _, frontier = options_of(blind)
    assert frontier.terms[0].usd is None
    assert frontier.terms[0].width_percent == 0.0
    assert frontier.net.usd is None
    assert crossovers(frontier, 100.0) == []
    assert options_of(Frame(OPTIONS, ())) == []
