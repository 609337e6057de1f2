"""The comparison with known truths says what it ran, and fails when a promise is broken."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from bench import truth
from bench.truth import effects, worlds


def test_a_name_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "effect"])
    assert truth.main() == 2
    assert "effects" in capsys.readouterr().err


def test_a_case_is_run_and_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "effects", "--only", "rate 2 %, n 300", "--replications", "40"])
    assert truth.main() == 0
    printed = capsys.readouterr()
    assert "| risk: rate 2 %, n 300 | 0.02 |" in printed.out
    assert "1 of 1 rows keep their promise" in printed.err


def test_a_broken_promise_is_seen() -> None:
    case = next(case for case in effects.CASES if case.title == "risk: rate 2 %, n 300")
    row = effects._replicate(case, 40, 1)
    assert row.within()
    assert not replace(row, coverage=0.7).within()
    assert not replace(row, case=replace(case, kind="refuse")).within()


def test_a_designs_truth_is_its_own() -> None:
    design = worlds.Design(100, outcome="normal", effect=0.3)
    assert worlds.effect(replace(design, effect=0.0)) == 0.0
    assert worlds.effect(design) == pytest.approx(0.3, abs=0.005)  # two million draws of each option: an error of 0.001
