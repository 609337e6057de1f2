"""The comparisons of whole appraisals with the truth run, say what they leave out, and see broken promises."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import truth
from bench.truth import bands as by_band
from bench.truth import command, economies, markets, tally
from tests.conftest import SHARED_DATA

ROUTING = SHARED_DATA / "routing"


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    return truth.main()


def test_an_economy_is_played_and_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "economies", "--only", "a fixed rule", "--replications", "2") == 0
    printed = capsys.readouterr().out
    assert "| a fixed rule chooses | 5,000 |" in printed
    assert "yes: no number" in printed


def test_routing_is_told_by_value_band(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The bands' decisions are all of them, and what is found in bands is what is found."""
    assert run(monkeypatch, "bands", "--only", "under-routing", "--replications", "1") == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0].partition(": ")[2] for row in rows] == list(by_band.BANDS)
    assert sum(int(row[1].replace(",", "")) for row in rows) == 5_000


def test_routing_without_its_data_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "routing", "--data", str(tmp_path)) == 2
    assert "gsm8k.csv" in capsys.readouterr().err


@pytest.mark.skipif(not ROUTING.is_dir(), reason="the recorded answers of several models are not beside the repository")
def test_recorded_routing_is_appraised(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "routing", "--data", str(ROUTING), "--only", "a fixed rule", "--replications", "1") == 0
    assert "| a fixed rule on length |" in capsys.readouterr().out


def test_the_demos_economy_is_appraised(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "demo", "--only", "300 tasks", "--replications", "1") == 0
    assert "| a third of it, 300 tasks a day |" in capsys.readouterr().out


def test_a_table_is_written_between_its_markers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "methods.md"
    page.write_text("before\n<!-- economies:start -->\nold\n<!-- economies:end -->\nafter\n", encoding="utf-8")
    monkeypatch.setattr(command, "METHODS", page)
    assert run(monkeypatch, "economies", "--only", "a fixed rule", "--replications", "1", "--write") == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- economies:start -->\n")
    assert "old" not in text
    assert "| a fixed rule chooses |" in text
    assert text.endswith("<!-- economies:end -->\nafter\n")
    page.write_text("no markers\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="no markers"):
        run(monkeypatch, "economies", "--only", "a fixed rule", "--replications", "1", "--write")


def test_a_broken_promise_is_seen() -> None:
    good = tally.Tally("t", 10, "found", effects=[95, 100], regrets=[95, 100], right=[20, 20], found=[18, 20], raised=[100, 100])
    assert good.kept()[0]
    for broken in (
        replace(good, effects=[70, 100]),
        replace(good, regrets=[70, 100]),
        replace(good, right=[10, 20]),
        replace(good, found=[10, 20]),
    ):
        assert not broken.kept()[0]
    assert tally.Tally("t", 10, "nothing", raised=[3, 100]).kept()[0]
    assert not tally.Tally("t", 10, "nothing", raised=[20, 100]).kept()[0]
    assert not tally.Tally("t", 10, "refuse", answers=[1, 100]).kept()[0]


def test_an_economys_truth_is_its_own() -> None:
    economy = economies.ECONOMIES[0][1]
    drawn = markets.play(economy, np.random.default_rng(1))
    realised = drawn.choices.v_usd * drawn.choices.quality - drawn.choices.cost_usd - economy.lam * drawn.choices.latency_s
    realised -= economy.rho * drawn.choices.loss_usd
    expected = drawn.net[np.arange(economy.n), drawn.choices.chosen]
    gap = realised - expected
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(economy.n)
