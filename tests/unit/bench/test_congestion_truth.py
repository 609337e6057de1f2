"""The engine whose truth is computed does sums on paper right, and the comparison with it runs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from bench import truth
from bench.truth import congestion, congestion_fingerprint
from bench.truth.engine import Load, Plant, external, of_some, serve

PLANT = Plant(prefill_per_token_s=0.001, step_s=0.01, per_sequence_s=0.001, per_kv_token_s=0.0, batch_max=2, kv_max=1e9)


def load(at: list[float], prompt: list[int], output: list[int], tenant: list[int]) -> Load:
    return Load(np.array(at), np.array(prompt), np.array(output), np.array(tenant), np.full(len(at), 0.001))


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bench", "congestion", *words])
    return truth.main()


def test_prefill_stalls_decoding_and_steps_grow_with_the_batch() -> None:
    two = load([0.0, 1.0], [1_000, 500], [100, 10], [0, 1])
    told = serve(PLANT, two)
    assert told.queue_s == pytest.approx([0.0, 0.0])
    assert told.prefill_s == pytest.approx([1.0, 0.5])
    # The second comes when the first begins to decode, stalls it for half a second, and ten of its steps are of two.
    assert told.decode_s == pytest.approx([0.5 + 10 * 0.012 + 90 * 0.011, 10 * 0.012])
    assert external(PLANT, two, two.tenant == 1) == pytest.approx([0.5 + 10 * 0.001, 0.0])
    assert of_some(PLANT, two, np.array([1]), told)[0] == pytest.approx([0.51, 0.0])


def test_chunks_ride_on_steps_and_kv_grows() -> None:
    plant = Plant(0.001, 0.01, 0.0, 1e-5, chunk_tokens=100, batch_max=8, kv_max=1e9)
    alone = serve(plant, load([0.0], [250], [3], [0]))
    assert alone.prefill_s == pytest.approx([3 * 0.01 + 0.25])
    assert alone.decode_s == pytest.approx([3 * 0.01 + 1e-5 * (250 + 251 + 252)])


def test_who_comes_to_a_full_engine_waits() -> None:
    full = serve(PLANT, load([0.0, 0.0, 0.0], [1, 1, 1], [50, 100, 10], [0, 1, 2]))
    assert full.queue_s[2] == pytest.approx(0.001 + 0.001 + 50 * 0.012, abs=0.02)
    small = Plant(0.001, 0.01, 0.001, 0.0, batch_max=9, kv_max=130.0)
    assert serve(small, load([0.0, 0.0], [100, 100], [10, 10], [0, 1])).queue_s[1] > 0.1


def test_one_request_less_is_what_serving_again_without_it_says() -> None:
    rng = np.random.default_rng(4)
    plant = Plant(batch_max=8, per_kv_token_s=0.0)
    many = congestion._asked([congestion._trace(rng, 3.0, (6.6, 1.1), (5.0, 1.0))], rng)
    told = serve(plant, many)
    some = np.array([40, 200, 333])
    step_s = plant.step_s + plant.per_sequence_s * plant.batch_max
    for request, delay in zip(some.tolist(), of_some(plant, many, some, told), strict=True):
        again = external(plant, many, np.arange(len(delay)) == request, told)
        assert np.abs(again - delay).max() < step_s  # but for the phase of steps, long after
        assert (again[delay != 0] == pytest.approx(delay[delay != 0]), (delay != 0).any()) == (True, True)


@pytest.mark.parametrize("place", range(3))
def test_an_economy_of_each_kind_is_played_and_printed(place: int) -> None:
    economy = congestion.drawn()[place]
    tally = congestion.Tally()
    congestion.once(tally, economy, np.random.default_rng(5))
    assert tally.runs == 1
    assert tally.kept(economy.promise)
    assert tally.row(economy.title, economy.promise).startswith(f"| {economy.title} | 1 |")


def test_a_broken_promise_is_seen() -> None:
    tally = congestion.Tally(1, 10, [0.5, 0.1], [True], [0.95], [0.95], [True], [True])
    assert not tally.kept("found")
    assert not tally.kept("nothing")
    assert "NO: ≤ 5 % raise one" in tally.row("x", "nothing")


def test_the_fingerprint_of_a_fortnight_is_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(congestion_fingerprint, "DAYS", 6)
    assert congestion_fingerprint.once("shared", np.random.default_rng(3)).verdict == "found"


def test_recorded_arrivals_that_are_missing_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "--data", str(tmp_path), "--replications", "1") == 2
    assert "azure_llm_2023_conv.csv is not there" in capsys.readouterr().err
