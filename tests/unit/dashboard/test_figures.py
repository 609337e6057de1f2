"""Figures are pure functions of frames; plotly's own classes say whether each is valid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast

import plotly.graph_objects as go
import pytest

from dashboard import theme
from dashboard.figures import Figure
from dashboard.figures.spend import NOT_ATTRIBUTED, OTHERS, records_over_time, series_of, spend_over_time, tokens_over_time
from dashboard.filters import Window
from dashboard.frame import Frame

DAY = datetime(2026, 3, 1, tzinfo=UTC)
WEEK = Window(DAY, DAY + timedelta(days=7))
SPEND = ("bucket", "series", "cost_usd", "calls", "unpriced_calls")


def spend(*rows: tuple[int, str | None, str | None, int, int]) -> Frame:
    """Rows of (day, series, dollars, calls, unpriced calls)."""
    return Frame(
        SPEND,
        tuple(
            (DAY + timedelta(days=day), name, None if usd is None else Decimal(usd), calls, open_)
            for day, name, usd, calls, open_ in rows
        ),
    )


def read(figure: Figure) -> dict[str, Any]:
    """The figure as plotly understands it. Raises: ValueError when any part of it is not valid."""
    return cast("dict[str, Any]", go.Figure(figure).to_dict())


def test_spend_is_stacked_dearest_first_and_sums_to_the_frame() -> None:
    frame = spend((0, "a", "1.5", 3, 0), (0, "b", "2", 1, 0), (1, "a", "1", 2, 0), (1, None, "0.25", 1, 0))
    figure = read(spend_over_time(frame, WEEK, "day", "key"))
    assert [trace["name"] for trace in figure["data"]] == ["a", "b", NOT_ATTRIBUTED]
    assert sum(height for trace in figure["data"] for height in trace["y"] if height is not None) == pytest.approx(4.75)
    assert figure["layout"]["barmode"] == "stack"
    assert figure["layout"]["xaxis"]["range"] == ["2026-03-01 00:00:00", "2026-03-08 00:00:00"]


def test_no_call_is_no_bar_and_no_price_is_not_zero() -> None:
    frame = spend((0, "a", "1", 1, 0), (1, "b", None, 4, 4))
    figure = read(spend_over_time(frame, WEEK, "day", "key"))
    a, b = figure["data"]
    assert list(a["y"]) == [1.0, None]
    assert list(b["y"]) == [None, None]
    assert [said for said, _ in b["customdata"]] == ["–", "not known · 4 calls, 4 unpriced"]


def test_many_values_become_a_few_and_the_rest() -> None:
    frame = spend(*((0, f"m{n:02}", str(100 - n), 1, 0) for n in range(12)))
    series = series_of(frame)
    assert [one.label for one in series] == ["m00", "m01", "m02", "9 others"]
    assert series[-1].key == OTHERS
    assert sum(one.cost_usd or 0 for one in series) == sum(100 - n for n in range(12))
    assert len({one.color for one in series}) == len(series)


def test_four_values_need_no_others() -> None:
    assert [one.label for one in series_of(spend(*((0, n, "1", 1, 0) for n in "abcd")))] == list("abcd")


def test_a_click_says_the_value() -> None:
    figure = read(spend_over_time(spend((0, "a", "1", 1, 0), (0, None, "1", 1, 0)), WEEK, "day", "key"))
    assert [trace["customdata"][0][1] for trace in figure["data"]] == ["a", ""]


def test_names_are_text_and_never_markup() -> None:
    figure = read(spend_over_time(spend((0, "<a href='https://x'>m</a>", "1", 1, 0)), WEEK, "day", "key"))
    assert figure["data"][0]["name"] == "&lt;a href=&#x27;https://x&#x27;&gt;m&lt;/a&gt;"


def test_tokens_of_input_and_output_stand_on_axes_of_their_own() -> None:
    frame = Frame(
        ("bucket", *theme.INPUT_KINDS, *theme.OUTPUT_KINDS), ((DAY, Decimal(900), Decimal(80), Decimal(4000), Decimal(50), None),)
    )
    figure = read(tokens_over_time(frame, WEEK, "day", "key"))
    by_axis = {axis: sum(trace["y"][0] for trace in figure["data"] if trace["yaxis"] == axis) for axis in ("y", "y2")}
    assert by_axis == {"y": 4980.0, "y2": 50.0}
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["Input tokens per day", "Output tokens per day"]


def test_records_by_signal() -> None:
    frame = Frame(("bucket", "signal", "records"), ((DAY, "span", Decimal(7)), (DAY, "log", Decimal(2))))
    figure = read(records_over_time(frame, WEEK, "day", "key"))
    assert {trace["name"]: list(trace["y"]) for trace in figure["data"]} == {"log": [2.0], "span": [7.0]}


@pytest.mark.parametrize("bucket", ["minute", "hour", "day", "week", "month"])
def test_bars_fill_their_step(bucket: str) -> None:
    figure = read(spend_over_time(spend((0, "a", "1", 1, 0)), WEEK, bucket, "key"))
    step_ms = {"minute": 60e3, "hour": 3600e3, "day": 86400e3, "week": 604800e3, "month": 31 * 86400e3}[bucket]
    bar = figure["data"][0]
    assert bar["width"][0] + 2 * bar["offset"][0] == pytest.approx(step_ms)


def test_a_week_of_the_axis_begins_on_monday() -> None:
    figure = read(spend_over_time(spend((0, "a", "1", 1, 0)), Window(DAY, DAY + timedelta(days=8)), "week", "key"))
    assert figure["layout"]["xaxis"]["range"] == ["2026-02-23 00:00:00", "2026-03-09 00:00:00"]


def test_the_same_view_keeps_a_zoom() -> None:
    one, other = (spend_over_time(spend((0, "a", usd, 1, 0)), WEEK, "day", "view") for usd in ("1", "2"))
    assert read(one)["layout"]["uirevision"] == read(other)["layout"]["uirevision"] == "view"


def test_shades_of_one_group_differ_in_lightness() -> None:
    light = [_lightness(color) for color in theme.SERIES]
    assert all(brighter - darker >= 0.1 for darker, brighter in pairwise(light))


def _lightness(color: str) -> float:
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
