"""The waterfall: tree order, places in time, money."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some

from dashboard.figures.waterfall import Bar, waterfall
from dashboard.frame import Frame

START = datetime(2026, 3, 1, tzinfo=UTC)
COLUMNS = ("span_id", "parent_span_id", "started_at", "ended_at", "cost_usd", "signal")


def spans(*rows: tuple[str, str | None, float, float, str | None]) -> Frame:
    """Rows of (id, parent, second it starts, second it ends, dollars)."""
    return Frame(
        COLUMNS,
        tuple(
            (
                own,
                parent,
                START + timedelta(seconds=a),
                START + timedelta(seconds=b),
                None if usd is None else Decimal(usd),
                "span",
            )
            for own, parent, a, b, usd in rows
        ),
    )


def ids(bars: list[Bar]) -> list[tuple[object, int]]:
    return [(bar.span["span_id"], bar.depth) for bar in bars]


def test_children_follow_their_parent_by_time() -> None:
    frame = spans(("root", None, 0, 10, None), ("a", "root", 1, 3, "1"), ("b", "root", 4, 9, None), ("a1", "a", 2, 3, "2"))
    assert ids(waterfall(frame)) == [("root", 0), ("a", 1), ("a1", 2), ("b", 1)]


def test_places_are_shares_of_the_trace() -> None:
    root, half = waterfall(spans(("root", None, 0, 10, None), ("half", "root", 5, 10, None)))
    assert (root.left_percent, root.width_percent) == (0, 100)
    assert (half.left_percent, half.width_percent) == (50, 50)


def test_what_is_told_later_does_not_stretch_the_trace() -> None:
    frame = spans(("root", None, 0, 10, None), ("outcome", "root", 5000, 5000, None))
    late = Frame(COLUMNS, (frame.rows[0], (*frame.rows[1][:-1], "log")))
    root, outcome = waterfall(late)
    assert (root.width_percent, outcome.left_percent) == (100, 100)


def test_a_moment_can_still_be_seen() -> None:
    bars = waterfall(spans(("root", None, 0, 10, None), ("log", "root", 5, 5, None)))
    assert bars[1].width_percent > 0
    assert waterfall(spans(("only", None, 3, 3, None)))[0].left_percent == 0


def test_cost_below_sums_the_subtree_and_unknown_is_not_zero() -> None:
    frame = spans(("root", None, 0, 9, None), ("a", "root", 1, 2, "1.5"), ("a1", "a", 1, 2, "0.25"), ("tool", "root", 3, 4, None))
    below = {bar.span["span_id"]: bar.cost_below_usd for bar in waterfall(frame)}
    assert below == {"root": Decimal("1.75"), "a": Decimal("1.75"), "a1": Decimal("0.25"), "tool": None}


def test_a_span_without_its_parent_stands_at_the_top_and_says_so() -> None:
    bars = waterfall(spans(("root", None, 0, 9, None), ("late", "never came", 1, 2, None)))
    assert [(bar.span["span_id"], bar.depth, bar.detached) for bar in bars] == [("root", 0, False), ("late", 0, True)]


def test_spans_that_are_each_others_parents_are_shown_once() -> None:
    bars = waterfall(spans(("a", "b", 0, 1, "1"), ("b", "a", 0, 1, "1"), ("self", "self", 0, 1, None)))
    assert sorted(str(bar.span["span_id"]) for bar in bars) == ["a", "b", "self"]


def test_a_deep_chain_is_no_recursion() -> None:
    chain = spans(*((str(n), str(n - 1) if n else None, n, 20_000, "0.001") for n in range(20_000)))
    bars = waterfall(chain)
    assert bars[-1].depth == 19_999
    assert bars[0].cost_below_usd == Decimal(20)


def test_no_spans_are_no_bars() -> None:
    assert waterfall(Frame(COLUMNS, ())) == []


@given(some.integers(0, 2**32), some.integers(1, 60))
def test_every_span_appears_once_and_roots_hold_all_the_money(seed: int, size: int) -> None:
    luck = random.Random(seed)
    rows = [
        (str(n), str(luck.randrange(n)) if n and luck.random() < 0.9 else None, luck.randrange(50), 60, str(luck.randrange(9)))
        for n in range(size)
    ]
    luck.shuffle(rows)
    bars = waterfall(spans(*rows))
    assert sorted(str(bar.span["span_id"]) for bar in bars) == sorted(row[0] for row in rows)
    assert sum(bar.cost_below_usd or 0 for bar in bars if bar.depth == 0) == sum(int(row[4] or 0) for row in rows)
    assert all(later.depth <= earlier.depth + 1 for earlier, later in pairwise(bars))
