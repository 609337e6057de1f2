"""What becomes of gaps on the way from rows to arrays, and how arrays become rows again."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from analyzers.decisions import load, store

NAN = float("nan")


@pytest.mark.parametrize(
    ("columns", "names", "told", "values"),
    [
        ([[1.0, 2.0]], ("a",), ("a",), [[1.0, 2.0]]),
        ([[1.0, NAN, 3.0]], ("a",), ("a", "a unknown"), [[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]),
        ([[NAN, NAN], [1.0, 2.0]], ("a", "b"), ("b",), [[1.0, 2.0]]),
        ([[5.0, 5.0]], ("a",), (), []),
        ([[5.0, NAN]], ("a",), ("a unknown",), [[0.0, 1.0]]),
    ],
    ids=["whole", "a gap", "known of nobody", "the same for all", "the same where known"],
)
def test_features_get_no_gaps_and_nothing_that_says_nothing(
    columns: list[list[float]], names: tuple[str, ...], told: tuple[str, ...], values: list[list[float]]
) -> None:
    matrix, kept = load.complete(np.array(columns).T, names)
    assert kept == told
    assert matrix.T.tolist() == values


@pytest.mark.parametrize(
    ("expected", "realised", "loss"),
    [
        ([NAN, NAN], [0.0, 0.0], [NAN, NAN]),
        ([NAN, NAN], [0.0, 9.0], [0.0, 9.0]),
        ([2.0, NAN], [50.0, 9.0], [2.0, 9.0]),
        ([0.0, 0.0], [0.0, 9.0], [0.0, 9.0]),
        ([0.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
    ],
    ids=["nobody tells", "only incidents", "expected first", "no risk was stated, and yet", "known to be none"],
)
def test_loss_is_expected_else_realised_else_unknown(expected: list[float], realised: list[float], loss: list[float]) -> None:
    found = load.loss_borne(np.array(expected), np.array(realised))
    assert np.array_equal(found, np.array(loss), equal_nan=True)


def test_a_loss_that_is_expected_whoever_confirms_does_not_say_what_confirming_prevents() -> None:
    draw = np.random.default_rng(2)
    confirmed = draw.integers(0, 2, 400)
    realised = np.where((draw.random(400) < 0.1) & (confirmed == 0), 900.0, 0.0)
    alike, amounts = np.full(400, 20.0), 20.0 * draw.lognormal(0, 1, 400)
    for expected in (alike, amounts):
        assert load.loss_borne(expected, realised).tolist() == expected.tolist(), "asked of anything but confirmations"
        assert load.loss_borne(expected, realised, confirmed).tolist() == realised.tolist()
        assert np.isnan(load.loss_borne(expected, np.zeros(400), confirmed)).all(), "nobody ever told a loss"
    less = np.where(confirmed == 1, 0.4 * amounts, amounts)
    assert load.loss_borne(less, realised, confirmed).tolist() == less.tolist()
    one = np.zeros(400, dtype=np.int64)
    assert load.loss_borne(amounts, realised, one).tolist() == realised.tolist()
    nothing = np.zeros(400)
    assert load.loss_borne(nothing, nothing, confirmed).tolist() == nothing.tolist(), "known to be none"


def test_a_row_is_written_as_copy_reads_it() -> None:
    term = np.array([[1.5, NAN]])
    one, number = np.array([1]), np.array([0.25])
    ids = np.array([bytes(range(16))], dtype="V16")
    opinions = store.Opinions(
        ids, np.array([7]), (term, term, term, term, term, term), one, number, number, number, number, one, one
    )
    names = [f"{name}_{option}" for name in ("value", "cost", "latency", "risk", "net", "error") for option in range(2)]
    raw = store._records(opinions, slice(0, 1), names)
    assert struct.unpack_from(">hi16siq", raw) == (21, 16, bytes(range(16)), 8, 7)
    assert len(raw) == 2 + 4 + 16 + 20 * 12
    assert struct.unpack_from(">idid", raw, len(raw) - 24)[1] == 1.5
