"""What the page asks of a limit, the figure of its curve, and how prices moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from allocation import METHOD
from allocation.curve import Curve, Point
from dashboard import filters as views
from dashboard.figures.prices import course, lines_of, moved
from dashboard.figures.what_if import curve_figure, reach
from dashboard.filters import Window
from dashboard.frame import Frame
from dashboard.what_if import Asked, asked_of, current, further_limits, stated_limits

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def classes(*named: tuple[str, int | None, float | None]) -> list[dict[str, Any]]:
    return [{"task_class": name, "tasks": tasks, "loss_usd": loss} for name, tasks, loss in named]


def looked(tenant: str, limits: list[dict[str, Any]] | None = None, binding: tuple[str, ...] = ()) -> dict[str, object]:
    told = [{"name": one["name"], "is_binding": one["name"] in binding} for one in limits or []]
    of = classes(("code", 10, 3.0), ("faq", 5, None), ("", 2, None), ("*", None, None))
    return {"tenant": tenant, "limits": limits or [], "constraints": told, "classes": of, "solved_at": NOW}


BUDGET = {"name": "budget team", "kind": "compute_budget", "pattern": "*", "amount": 20.0}
SLA = {"name": "latency_sla code", "kind": "latency_sla", "pattern": "code", "amount": 9.0}


def test_the_limit_that_binds_is_shown_first() -> None:
    assert asked_of(views.parse(""), []) is None
    assert asked_of(views.parse(""), [looked("a"), looked("b")]) == Asked("a", "compute_budget", "*")
    of = [looked("a"), looked("b", [BUDGET, SLA])]
    assert asked_of(views.parse(""), of) == Asked("b", "compute_budget", "*")
    of = [looked("a"), looked("b", [BUDGET, SLA], ("latency_sla code",))]
    assert asked_of(views.parse(""), of) == Asked("b", "latency_sla", "code")
    slack = looked("a", [BUDGET])
    assert asked_of(views.parse(""), [slack, *of[1:]]) == Asked("b", "latency_sla", "code")
    assert asked_of(views.parse("?whose=a"), [slack, *of[1:]]) == Asked("a", "compute_budget", "*")


def test_what_was_solved_in_another_way_is_not_asked_about() -> None:
    now, earlier = {**looked("a"), "method": METHOD}, {**looked("b", [SLA]), "method": "1"}
    assert current([earlier, now]) == [now]
    assert asked_of(views.parse("?whose=b"), current([earlier])) is None


def test_an_address_says_what_is_asked_and_is_read_again() -> None:
    asked = Asked("a", "latency_sla", "code.*", 12.5)
    search = asked.within(views.parse("?range=7d")).search()
    assert search == "?range=7d&whose=a&limit=latency_sla:code.%2A&level=12.5"
    assert asked_of(views.parse(search), [looked("a"), looked("b", [SLA])]) == asked
    assert asked_of(views.parse(search.replace("whose=a", "whose=gone")), [looked("b", [SLA])]) == Asked(
        "b", "latency_sla", "code"
    )


@pytest.mark.parametrize("wrong", ["limit=speed:*", "limit=latency_sla", "level=-1", "level=nan", "level=x"])
def test_what_cannot_be_read_is_said(wrong: str) -> None:
    filters = views.parse(f"?{wrong}")
    assert filters.asked == {}
    assert filters.problems == (wrong,)


def test_limits_that_are_not_stated_are_offered_where_tasks_tell_of_them() -> None:
    row = looked("a", [BUDGET, SLA])
    assert stated_limits(row) == [("compute_budget", "*"), ("latency_sla", "code")]
    assert further_limits(row) == [
        ("latency_sla", "*"), ("risk_envelope", "*"), ("compute_budget", "code"), ("risk_envelope", "code"),
        ("latency_sla", "faq"), ("compute_budget", "faq"),
    ]  # fmt: skip


CURVE = Curve((Point(-5.0, -30.0, 4.0), Point(5.0, 10.0, 1.0), Point(10.0, 15.0, 0.0)), -5.0, 10.0)


def test_a_curve_is_drawn_from_nothing_on_to_beyond_its_last_corner() -> None:
    figure = cast("dict[str, Any]", curve_figure(CURVE, "compute_budget", 8.0, 6.0, "k"))
    assert reach(CURVE, 8.0, 6.0) == (0.0, 12.5)
    gains, prices, mark = figure["data"]
    assert (gains["x"], gains["y"]) == ([0.0, 5.0, 10.0, 12.5], [-10.0, 10.0, 15.0, 15.0])
    assert (prices["y"], prices["line"]["shape"]) == ([4.0, 1.0, 0.0, 0.0], "hv")
    assert (mark["x"], mark["y"]) == ([6.0], [11.0])
    assert [one["x0"] for one in figure["layout"]["shapes"]] == [8.0, 6.0]


def test_a_level_that_cannot_be_kept_has_a_line_and_no_mark() -> None:
    tight = Curve((Point(4.0, -1.0, 2.0), Point(6.0, 3.0, 0.0)), 4.0, 6.0)
    figure = cast("dict[str, Any]", curve_figure(tight, "latency_sla", None, 3.0, "k"))
    assert (len(figure["data"]), len(figure["layout"]["shapes"])) == (2, 1)
    assert figure["layout"]["xaxis"]["range"][0] == 3.0


def held(*spans: tuple[str, int, int | None, float | None]) -> Frame:
    """Prices of classes: from so many hours before now, until so many, at a λ."""
    columns = ("tenant", "task_class", "since", "until", "v_usd", "lambda_usd_per_s", "rho")
    rows = tuple(
        ("t", name, NOW - timedelta(hours=begun), None if ended is None else NOW - timedelta(hours=ended), None, lam, None)
        for name, begun, ended, lam in spans
    )
    return Frame(columns, rows)


def test_a_price_moved_by_what_it_moved_in_classes_that_had_it_all_along() -> None:
    window = Window(NOW - timedelta(hours=10), NOW)
    lines = lines_of(held(("a", 20, 5, 1.0), ("a", 5, None, 3.0), ("b", 20, None, 1.0), ("new", 2, None, 50.0)))
    assert moved(lines, "lambda_usd_per_s", window, NOW) == pytest.approx(1.0)
    assert course(lines, "lambda_usd_per_s", window, NOW, steps=5) == [1.0, 1.0, 2.0, pytest.approx(18.0), pytest.approx(18.0)]
    assert moved(lines, "rho", window, NOW) is None
    assert course(lines, "rho", window, NOW, steps=2) == [None, None]
    assert moved(lines_of(held(("a", 3, None, 0.0))), "lambda_usd_per_s", window, NOW) == 0.0
