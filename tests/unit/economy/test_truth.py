"""The truth's arithmetic, computed a second time from its own rows and from the realised outcomes."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from economy.agents import GRADES, graded
from economy.appraisal import expect, right_probability
from economy.faults import MODES
from economy.parameters import MODELS
from economy.schedule import Schedule
from economy.truth import Truth

COUNTED = {"route", "verify", "confirm", "cache", "reuse"}


@pytest.fixture(scope="module")
def misallocations(truth: Truth) -> dict[str, Any]:
    return {one["key"]: one for one in json.loads(json.dumps(truth.document))["misallocations"]}


@pytest.fixture(scope="module")
def rows(truth: Truth) -> list[dict[str, Any]]:
    return [json.loads(json.dumps(row)) for row in truth.rows]


def test_every_mode_loses_money_every_day(misallocations: dict[str, Any]) -> None:
    assert {one["mode"] for one in misallocations.values()} == set(MODES)
    for one in misallocations.values():
        assert one["usd_per_day"] > 0.1, one["key"]
        days = (datetime.fromisoformat(one["ends"]) - datetime.fromisoformat(one["onset"])).total_seconds() / 86_400
        assert one["usd_per_day"] == pytest.approx(one["usd_lost"] / days, rel=1e-3)


def test_sums_of_a_segment_are_the_sums_of_its_rows(misallocations: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    by_fault: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["fault"] and row["decision"] in COUNTED:
            by_fault[row["fault"]].append(row)
    assert len(by_fault) == 7
    for key, found in by_fault.items():
        stated = misallocations[key]["best_minus_actual"]
        deltas = [[b - c for b, c in zip(r["options"][r["best"]], r["options"][r["chosen"]], strict=True)] for r in found]
        assert stated["decisions"] == len(found)
        assert stated["quality"] == pytest.approx(sum(delta[0] for delta in deltas), abs=1e-3)
        assert stated["cost_usd"] == pytest.approx(sum(delta[1] for delta in deltas), abs=1e-3)
        assert stated["latency_s"] == pytest.approx(sum(delta[2] for delta in deltas), abs=1e-2)
        assert stated["risk_usd"] == pytest.approx(sum(delta[3] for delta in deltas), abs=1e-3)
        assert stated["net_usd"] == pytest.approx(sum(delta[4] for delta in deltas), abs=1e-3)
        value = sum(row["value_usd"] * delta[0] for row, delta in zip(found, deltas, strict=True))
        assert stated["value_usd"] == pytest.approx(value, abs=1e-2)
        parts = stated["value_usd"] - stated["cost_usd"] - stated["latency_usd"] - stated["risk_usd"]
        assert stated["net_usd"] == pytest.approx(parts, abs=1e-4)
        cells = misallocations[key]["by_cell"]
        assert sum(cell["net_usd"] for cell in cells) == pytest.approx(stated["net_usd"], abs=1e-3)


def test_forced_decisions_lie_in_their_segment_and_after_its_onset(
    misallocations: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    for row in rows:
        if row["fault"] is None or row["decision"] not in COUNTED:
            continue
        one = misallocations[row["fault"]]
        assert row["tenant"] == one["segment"]["tenant"]
        assert row["task_class"] == one["segment"]["task_class"]
        assert row["difficulty"] in one["segment"]["difficulties"]
        assert datetime.fromisoformat(row["at"]) >= datetime.fromisoformat(one["onset"])
        assert row["regret_usd"] > 0.0


def test_outside_the_faults_only_exploration_loses(rows: list[dict[str, Any]]) -> None:
    regret = {True: 0.0, False: 0.0}
    for row in rows:
        if row["fault"] is None and row["decision"] in {"verify", "confirm"}:
            regret[row["explored"]] += row["regret_usd"]
    assert regret[True] > 1.0
    # A decision that follows the policy can look wrong only where another decision of the same task was explored.
    assert regret[False] < 0.15 * regret[True]


def test_congestion_adds_up_over_days_and_victims(misallocations: dict[str, Any]) -> None:
    one = misallocations["serving_congestion"]
    for split in ("by_day", "by_victim"):
        assert sum(part["delay_usd"] for part in one[split]) == pytest.approx(one["usd_lost"], abs=1e-3)
    assert one["external_usd_per_report"] * one["reports"] == pytest.approx(one["usd_lost"], abs=1e-3)
    assert one["external_usd_per_report"] > one["paid_for_delay_usd"] == 0.0
    onset = one["onset"][:10]
    assert all(abs(part["delay_s"]) < 1.0 for part in one["by_day"] if part["day"] < onset)


def test_staleness_adds_up_over_updates(misallocations: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    one = misallocations["stale_rollouts"]
    updates = [row for row in rows if row["decision"] == "staleness"]
    lost = [300.0 * (row["counterfactual_gain"] - row["gain"]) for row in updates if row["fault"]]
    assert one["usd_lost"] == pytest.approx(sum(lost), abs=1e-3)
    assert one["capability_at_end"] < one["capability_at_end_counterfactual"]


def test_sold_costs_are_exact_products(truth: Truth) -> None:
    sold = json.loads(json.dumps(truth.document))["sold"]
    for row in sold:
        model = MODELS[row["model"]]
        if model.input is None or model.output is None:
            assert row["cost_usd"] is None
            continue
        pico = row.get("input_tokens", 0) * model.input + row.get("output_tokens", 0) * model.output
        pico += row.get("reasoning_tokens", 0) * model.output
        pico += row.get("cache_read_tokens", 0) * (model.cache_read or Decimal(0))
        pico += row.get("cache_write_tokens", 0) * (model.cache_write or Decimal(0))
        assert Decimal(row["cost_usd"]) == pico / 1_000_000
    assert {row["model"] for row in sold if row["cost_usd"] is None} == {"fleet-embed-s"}


def test_realised_quality_and_losses_scatter_around_their_expectations(fortnight: Schedule) -> None:
    graded_apart = [run for run in fortnight.runs if not run.reused and run.task.agent != "research"]
    expected = [expect(run.task.cell, run.decided.choice).quality for run in graded_apart]
    spread = math.sqrt(sum(q * (1.0 - q) for q in expected))
    assert abs(sum(run.quality for run in graded_apart) - sum(expected)) < 4.0 * spread
    chance = variance = 0.0
    for run in graded_apart:
        action, choice = run.task.cell.kind.action, run.decided.choice
        if action is not None:
            wrong = 1.0 - right_probability(run.task.cell, choice)
            p = wrong * action.incident_probability * (1.0 - action.catch * choice.confirm)
            chance += p
            variance += p * (1.0 - p)
    incidents = sum(event.name == "allocation.incident" for event in fortnight.recorder.events)
    assert abs(incidents - chance) < 4.0 * math.sqrt(variance)


def test_realised_latency_scatters_around_its_expectation(fortnight: Schedule) -> None:
    without_engine = [
        run
        for run in fortnight.runs
        if not run.reused and not run.engine_latency_s and not run.task.cell.kind.embeds and run.root is not None
    ]
    expected = sum(expect(run.task.cell, run.decided.choice).latency_s for run in without_engine)
    realised = sum(run.root.end_s - run.root.start_s for run in without_engine if run.root is not None)
    assert realised == pytest.approx(expected, rel=0.01)


def test_grades_have_their_mean_and_stay_in_range() -> None:
    class Fixed:
        def __init__(self, value: float) -> None:
            self.value = value

        def random(self) -> float:
            return self.value

    for mean in (0.02, 0.5, 0.97):
        grades = [graded("research", mean, Fixed(u / 100)) for u in range(101)]  # pyright: ignore[reportArgumentType]
        assert sum(grades) / len(grades) == pytest.approx(mean, abs=1e-3)
        assert min(grades) >= 0.0
        assert max(grades) <= 1.0


def test_tests_and_stars_are_shares_of_a_whole_number() -> None:
    for agent, of in GRADES.items():
        rng = Random(5)
        grades = [graded(agent, 0.8, rng) for _ in range(2_000)]
        assert {round(grade * of, 9) % 1 for grade in grades} == {0.0}
        assert sum(grades) / len(grades) == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / of / 2_000))


def test_the_files_hold_what_was_told(truth: Truth, tmp_path: Path) -> None:
    rows_path = truth.write(tmp_path / "truth.json")
    assert rows_path == tmp_path / "truth.decisions.jsonl"
    assert json.loads((tmp_path / "truth.json").read_text(encoding="utf-8")) == json.loads(json.dumps(truth.document))
    lines = rows_path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(truth.rows)
    assert rows_path.stat().st_size < 20_000_000
    assert {"trace_id", "chosen", "best", "options", "regret_usd", "propensity"} <= json.loads(lines[0]).keys()
