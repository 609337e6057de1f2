"""The pictures of findings, flows and prices as functions of frames."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import plotly.graph_objects as go
import pytest

from dashboard import theme
from dashboard.figures import Figure, flow, layers
from dashboard.figures.finding import Bar, bars_of, days_lost, hue_of, term_bars
from dashboard.figures.prices import lines_of, price_history
from dashboard.filters import Window
from dashboard.frame import Frame

NOW = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
SPENT = ("tenant", "layer", "use", "task_class", "cost_usd")
WENT = ("tenant", "task_class", "well_usd", "wrong_usd", "unknown_usd")
HELD = ("tenant", "task_class", "since", "until", "v_usd", "lambda_usd_per_s", "rho", "source")
HOSTILE = "<b>\u202e"


def read(figure: Figure) -> dict[str, Any]:
    """The figure as plotly understands it. Raises: ValueError when any part of it is not valid."""
    return cast("dict[str, Any]", go.Figure(figure).to_dict())


# ── findings ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_term_stands_with_its_interval_and_one_that_is_not_known_has_no_bar() -> None:
    columns = ("name", "usd_per_day", "low", "high")
    bars = bars_of(Frame(columns, (("V·ΔQ", Decimal(6), Decimal(2), Decimal(9)), ("ρ·ΔR", None, None, None))))
    figure = read(term_bars(bars, "k"))
    (bar,) = figure["data"]
    assert (bar["x"], bar["error_x"]["array"], bar["error_x"]["arrayminus"]) == ([6.0], [3.0], [4.0])
    labels = [note["text"].replace("\u2068", "").replace("\u2069", "") for note in figure["layout"]["annotations"]]
    assert labels == ["value, V·ΔQ: $6.0 ($2.0 to $9.0)", "expected loss, ρ·ΔR: not known"]
    low, high = figure["layout"]["xaxis"]["range"]
    assert low < 0
    assert high > 9


def test_no_name_of_a_term_is_markup() -> None:
    assert HOSTILE not in str(read(term_bars([Bar(HOSTILE, 1.0, None, None)], "k")))


@pytest.mark.parametrize(
    ("name", "hue"),
    [
        ("V·ΔQ", theme.VALUE), ("ΔC", theme.COMPUTE), ("λ·ΔL", theme.LATENCY), ("ρ·ΔR", theme.RISK), ("writes", theme.UNKNOWN),
        ("ΔC of checking − V·ΔQ", theme.COMPUTE),
    ],
)  # fmt: skip
def test_a_term_has_the_colour_of_its_price(name: str, hue: str) -> None:
    assert hue_of(name) == hue


def test_days_are_bars_with_their_intervals() -> None:
    columns = ("day", "usd", "low", "high")
    day = datetime(2026, 3, 1, tzinfo=UTC)
    rows = ((day, 3.0, 2.0, 5.0), (day + timedelta(days=1), 4.0, None, None))
    (bar,) = read(days_lost(Frame(columns, rows), "k"))["data"]
    assert list(bar["y"]) == [3.0, 4.0]
    assert (bar["error_y"]["array"], bar["error_y"]["arrayminus"]) == ([2.0, 0.0], [1.0, 0.0])


# ── the flow of dollars ──────────────────────────────────────────────────────────────────────────────


def drawn() -> flow.Flow:
    spent = Frame(
        SPENT,
        (
            ("acme", "action", "plan", "faq", Decimal(6)),
            ("acme", "action", "act", "faq", Decimal(2)),
            ("beta", None, None, HOSTILE, Decimal(3)),
        ),
    )
    return flow.flow_of(spent, Frame(WENT, (("acme", "faq", 3.0, 1.0, None),)))


def test_every_column_of_the_flow_holds_all_the_dollars() -> None:
    found = drawn()
    for column in range(flow.END + 1):
        assert sum(usd for (place, _), usd in found.nodes.items() if place == column) == pytest.approx(11.0)


def test_a_class_is_split_as_its_tasks_went_and_what_no_task_took_is_not_settled() -> None:
    ends = {name: usd for (column, name), usd in drawn().nodes.items() if column == flow.END}
    assert ends == pytest.approx({"went well": 3.0, "went wrong": 1.0, "not settled yet": 4.0 + 3.0})


def test_delays_to_others_leave_a_class_beside_what_was_spent_on_it() -> None:
    spent = Frame(SPENT, (("acme", "action", "plan", "faq", Decimal(6)),))
    external = Frame(("tenant", "task_class", "usd"), (("acme", "faq", Decimal(2)), ("acme", "not shown", Decimal(3))))
    found = flow.flow_of(spent, Frame(WENT, (("acme", "faq", 6.0, 0.0, None),)), external)
    assert found.links[(flow.END - 1, "faq"), (flow.END, flow.EXTERNAL)] == 2.0
    assert found.nodes[flow.END - 1, "faq"] == 6.0, "it was not spent on it"
    assert sum(usd for (column, _), usd in found.nodes.items() if column == flow.END) == 8.0
    assert flow.EXTERNAL in str(read(flow.sankey(found, "k"))["data"][0]["node"]["label"])


def test_what_is_small_is_put_together_and_names_are_no_markup() -> None:
    rows = tuple((f"t{place:02}", "action", "plan", None, Decimal(20 - place)) for place in range(12))
    found = flow.flow_of(Frame(SPENT, rows), Frame(WENT, ()))
    tenants = {name: usd for (column, name), usd in found.nodes.items() if column == 0}
    assert len(tenants) == 7
    assert tenants[flow.OTHERS] == sum(20 - place for place in range(6, 12))
    figure = read(flow.sankey(drawn(), "k", {"acme": "Budget team: $5 of $10 a month"}))
    assert HOSTILE not in str(figure)
    assert "Budget team" in str(figure["data"][0]["node"]["customdata"])
    assert figure["data"][0]["link"]["value"]


# ── layers ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_frontier_parts_what_eq_4_reaches_from_where_the_router_stands() -> None:
    columns = ("tenant", "task_class", "scale", "quality", "cost_usd", "risk_usd")
    rows = (
        ("acme", "faq", Decimal(1), 0.9, 0.01, None),
        ("acme", "faq", None, 0.9, 0.05, None),
        ("acme", HOSTILE, Decimal(2), 0.8, 0.02, None),
    )
    figure = read(layers.frontier(Frame(columns, rows), "k"))
    assert [len(trace["x"]) for trace in figure["data"]] == [1, 1, 1, 0]
    assert HOSTILE not in str(figure)
    assert "yaxis2" not in figure["layout"]


def test_where_risk_is_told_the_frontier_has_it_below_quality() -> None:
    columns = ("tenant", "task_class", "scale", "quality", "cost_usd", "risk_usd")
    rows = (("acme", "faq", Decimal(1), 0.9, 0.01, Decimal("0.2")), ("acme", "faq", None, 0.8, 0.05, Decimal("0.3")))
    figure = read(layers.frontier(Frame(columns, rows), "k"))
    assert [(trace["yaxis"], list(trace["y"])) for trace in figure["data"]] == [
        ("y", [0.9]), ("y", [0.8]), ("y2", [0.2]), ("y2", [0.3])
    ]  # fmt: skip
    assert figure["layout"]["xaxis"]["anchor"] == "y2"


def test_regret_in_sum_stands_below_its_bound() -> None:
    columns = ("tenant", "task_class", "day", "usd", "cumulative_usd", "cumulative_high_usd")
    rows = (
        ("acme", HOSTILE, "2026-03-13", 1, Decimal(4), Decimal(6)),
        ("acme", HOSTILE, "2026-03-14", 1, Decimal(5), Decimal(9)),
    )
    bound, lost = read(layers.regret_curves(Frame(columns, rows), "k"))["data"]
    assert (list(bound["y"]), list(lost["y"]), bound["line"]["dash"]) == ([6.0, 9.0], [4.0, 5.0], "dot")
    assert HOSTILE not in str((bound, lost))


def test_regret_stands_at_what_tasks_were_worth_with_its_bounds_and_findings_are_marked() -> None:
    columns = ("tenant", "task_class", "value_band", "value_low_usd", "value_high_usd", "chosen", "n", "usd_each", "low", "high",
               "is_discovery")  # fmt: skip
    rows = (
        ("acme", HOSTILE, "below 8 USD", None, Decimal(8), "a", 9, 0.1, -0.1, 0.4, False),
        ("acme", "fix", "30 USD and more", Decimal(30), None, "a", 9, 0.5, 0.3, 0.9, True),
        ("acme", "fix", "8 USD and more", Decimal(8), None, "a", 9, None, None, None, False),
    )
    judged, standing = read(layers.regret_by_value(Frame(columns, rows), "k"))["data"]
    assert (judged["x"], judged["y"]) == ([4.0], [0.1])
    assert (standing["x"], standing["marker"]["color"]) == ([30.0], theme.ACCENT)
    assert (standing["error_y"]["array"], standing["error_y"]["arrayminus"]) == (pytest.approx([0.4]), pytest.approx([0.2]))
    assert HOSTILE not in str(judged)


def test_what_is_written_to_caches_stands_beside_what_is_read() -> None:
    frame = Frame(("day", "cache_write_tokens", "cache_read_tokens"), ((NOW.date(), 5, None),))
    written, fetched = read(layers.cache_by_day(frame, "k"))["data"]
    assert (list(written["y"]), list(fetched["y"])) == ([5.0], [None])


def test_the_queue_is_told_by_engine_and_hour() -> None:
    columns = ("engine", "hour", "queue_s", "queue_p95_s")
    rows = (("a", NOW, 1.5, 4.0), ("b", NOW, None, None))
    longest, mean, *other = read(layers.waiting(Frame(columns, rows), "k"))["data"]
    assert (list(longest["y"]), list(mean["y"]), len(other)) == ([4.0], [1.5], 2)


def test_drafting_shows_where_it_stops_to_pay_only_if_that_is_known() -> None:
    columns = (
        "engine", "context_tokens", "accepted_share", "requests", "break_even", "off_from_tokens", "low", "high"
    )  # fmt: skip
    known = (("a", Decimal(20_000), Decimal("0.64"), 100, Decimal("0.5"), Decimal(40_000), Decimal(30_000), Decimal(60_000)),)
    figure = read(layers.drafting(Frame(columns, known), "k"))
    assert [shape["type"] for shape in figure["layout"]["shapes"]] == ["line", "line", "rect"]
    assert figure["data"][0]["error_y"]["array"] == pytest.approx([1.96 * 0.048])
    unknown = (("a", Decimal(20_000), Decimal("0.64"), 100, None, None, None, None),)
    assert not read(layers.drafting(Frame(columns, unknown), "k"))["layout"].get("shapes")


def test_engines_prices_are_told_by_the_million_with_their_intervals() -> None:
    columns = (
        "engine", "hour", "prefill_usd_per_token", "prefill_low", "prefill_high", "decode_usd_per_token", "decode_low",
        "decode_high", "kv_usd_per_token_s", "kv_low", "kv_high",
    )  # fmt: skip
    row = ("e", NOW, Decimal("2e-7"), Decimal("1e-7"), Decimal("4e-7"), None, None, None, Decimal("1e-9"), None, None)
    figure = read(layers.engine_lines(Frame(columns, (row,)), "k"))
    prefill = next(trace for trace in figure["data"] if trace["yaxis"] == "y3")
    assert prefill["y"] == pytest.approx([0.2])
    assert (prefill["error_y"]["array"], prefill["error_y"]["arrayminus"]) == (pytest.approx([0.2]), pytest.approx([0.1]))


def test_rollouts_are_dots_beside_what_was_fitted() -> None:
    rows = (("acme", "p", Decimal(0), 20, 1.0, 0.98, 0.1), ("acme", "p", Decimal(1), 20, None, 0.9, None))
    columns = ("tenant", "subject", "lag", "updates", "gain", "fitted", "error")
    fitted, seen = read(layers.gain_by_lag(Frame(columns, rows), "k"))["data"]
    assert seen["error_y"]["array"] == pytest.approx([0.196, 0.0])
    assert (list(fitted["y"]), list(seen["y"])) == ([0.98, 0.9], [1.0, None])


# ── prices ───────────────────────────────────────────────────────────────────────────────────────────


def test_prices_are_steps_and_those_that_moved_come_first() -> None:
    began, moved = NOW - timedelta(days=3), NOW - timedelta(days=1)
    rows = (
        ("acme", "faq", began, None, Decimal(2), None, Decimal(1), "policy"),
        ("acme", "fix", began, moved, Decimal(8), Decimal("0.001"), Decimal(1), "policy"),
        ("acme", "fix", moved, None, Decimal(4), None, Decimal(1), "dual"),
    )
    lines = lines_of(Frame(HELD, rows))
    assert [line.task_class for line in lines] == ["fix", "faq"]
    figure = read(price_history(lines, Window(NOW - timedelta(days=14), NOW), NOW, "k"))
    value = next(trace for trace in figure["data"] if trace["yaxis"] == "y3")
    assert list(value["y"]) == [8.0, 8.0, 4.0, 4.0]
    seconds = next(trace for trace in figure["data"] if trace["yaxis"] == "y2")
    assert list(seconds["y"]) == [0.001, 0.001, None, None], "a price that is not known breaks its line"
