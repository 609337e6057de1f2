"""The benchmarks of the capital modes run, say what they ran, and read what others recorded."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from bench import truth
from bench.truth import cache
from bench.truth.cache_recorded import recorded_causes
from bench.truth.caches import Provider, mooncake
from tests.conftest import SHARED_DATA

RECORDED = SHARED_DATA / "cache"
NEEDS_DATA = pytest.mark.skipif(not RECORDED.is_dir(), reason=f"recorded caches are not there ({RECORDED})")


@pytest.mark.parametrize(("name", "row"), [("cache", "| churn | 2 |"), ("rollouts", "| too old | 2 | 100.0% |")])
def test_a_benchmark_prints_its_tables(
    name: str, row: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", name, "--replications", "2", "--seed", "2"])
    assert truth.main() == 0
    printed = capsys.readouterr()
    assert row in printed.out
    assert f"`python -m bench truth {name} --replications 2 --seed 2 --write`" in printed.out
    assert "promises kept" in printed.err


@NEEDS_DATA
def test_every_recorded_request_is_explained() -> None:
    counts = recorded_causes(RECORDED / "prompt_cache_bench_2026_06_19.jsonl.gz")
    assert counts.total() == 1_456
    assert counts["read"] == 1_285
    assert counts["missed: upstream never caches"] > 100
    assert counts["missed: upstream switched"] > 0


@NEEDS_DATA
def test_a_recorded_services_misses_are_told() -> None:
    requests = mooncake(RECORDED / "mooncake_conversation.jsonl.gz")
    provider = Provider("fixed", 60.0)
    outcome = cache.judged(provider, requests[3_000:4_500], np.random.default_rng(3))
    assert cache.Row(provider, [outcome]).is_kept()
    assert abs(outcome.error) < 0.05
