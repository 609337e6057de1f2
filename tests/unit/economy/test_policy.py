"""Every injected inequality is violated in its segment, and everywhere else no single deviation would be better."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from random import Random

import pytest

from economy.appraisal import Cell, Choice, cache_options, expect, reuse_options
from economy.classes import CLASSES, MIX, REPORT_TENANT
from economy.faults import FAULTS, MODES, Fault, active_faults
from economy.parameters import DIFFICULTIES, REUSE_QUALITY, ROUTE_EXPLORATION, TENANTS
from economy.policy import decide, reuses, rule

BEFORE, AFTER = 0.0, 1.0


def tenant_cells() -> Iterator[tuple[str, Cell]]:
    for tenant in TENANTS:
        for name in (*MIX[tenant], *(["research.report"] if tenant == REPORT_TENANT else [])):
            for difficulty, (value, _) in product(DIFFICULTIES, CLASSES[name].values):
                yield tenant, Cell(name, difficulty, value)


def deviations(cell: Cell, choice: Choice) -> dict[str, list[Choice]]:
    """All choices that differ in one decision, by decision."""
    action = cell.kind.action
    asks = action is not None and action.asks
    return {
        "route": [replace(choice, model=model) for model in cell.kind.menu],
        "verify": [replace(choice, verify=n) for n in (0, 1, 2)],
        "confirm": [replace(choice, confirm=asked) for asked in ((False, True) if asks else ())],
        "cache": [replace(choice, caching=caching) for caching in ("prefix", "none", "churn")],
    }


def segment(fault: Fault) -> list[tuple[str, Cell]]:
    return [(t, cell) for t, cell in tenant_cells() if fault.covers(t, cell.task_class, cell.difficulty)]


def test_all_seven_modes_are_injected() -> None:
    assert {fault.mode for fault in FAULTS} == set(MODES)
    assert len(MODES) == 7
    assert len({fault.key for fault in FAULTS}) == len(FAULTS)


def test_segments_of_task_decisions_do_not_overlap_in_one_decision() -> None:
    for tenant, cell in tenant_cells():
        decisions = [fault.decision for fault in active_faults(tenant, cell.task_class, cell.difficulty, AFTER)]
        assert len(decisions) == len(set(decisions))


@pytest.mark.parametrize("moment", [BEFORE, AFTER])
def test_outside_the_segments_no_single_deviation_is_better(moment: float) -> None:
    for tenant, cell in tenant_cells():
        current = rule(tenant, cell, moment)
        net = expect(cell, current.choice).net_usd
        for decision, others in deviations(cell, current.choice).items():
            if decision not in current.forced:
                assert all(expect(cell, other).net_usd <= net + 1e-12 for other in others), (tenant, cell, decision)


def test_before_its_onset_no_fault_is_active() -> None:
    for fault in FAULTS:
        for tenant, cell in segment(fault):
            just_before = active_faults(tenant, cell.task_class, cell.difficulty, fault.onset - 1e-9)
            assert fault not in just_before
            assert fault in active_faults(tenant, cell.task_class, cell.difficulty, fault.onset)


def test_over_routing_buys_quality_dearer_than_it_is_worth() -> None:
    for tenant, cell in _cells_of("over_routing"):
        choice = rule(tenant, cell, AFTER).choice
        chosen, cheaper = expect(cell, choice), expect(cell, replace(choice, model="gpt-4.1-mini"))
        assert cell.value_usd * (chosen.quality - cheaper.quality) < chosen.cost_usd - cheaper.cost_usd


def test_under_routing_leaves_more_value_than_the_better_model_costs() -> None:
    for tenant, cell in _cells_of("under_routing"):
        choice = rule(tenant, cell, AFTER).choice
        chosen, better = expect(cell, choice), expect(cell, replace(choice, model="claude-sonnet-4-6"))
        gain = cell.value_usd * (better.quality - chosen.quality) + chosen.risk_usd - better.risk_usd
        assert gain > better.cost_usd - chosen.cost_usd > 0


def test_over_delegation_risks_more_than_acting_at_once_earns() -> None:
    for tenant, cell in _cells_of("over_delegation"):
        choice = rule(tenant, cell, AFTER).choice
        alone, asked = expect(cell, choice), expect(cell, replace(choice, confirm=True))
        earned = cell.value_usd * (alone.quality - asked.quality)
        waited = asked.lambda_usd_per_s * (asked.latency_s - alone.latency_s)
        assert alone.risk_usd - asked.risk_usd > earned + waited
        assert not choice.confirm


def test_under_verification_skips_a_check_that_pays() -> None:
    for tenant, cell in _cells_of("under_verification"):
        choice = rule(tenant, cell, AFTER).choice
        assert choice.verify == 0
        none, one = expect(cell, choice), expect(cell, replace(choice, verify=1))
        value = cell.value_usd * (one.quality - none.quality) + none.risk_usd - one.risk_usd
        price = one.cost_usd - none.cost_usd + one.lambda_usd_per_s * (one.latency_s - none.latency_s)
        assert value > price > 0


def test_cache_writes_that_are_never_read_cost_more_than_no_writes() -> None:
    for tenant, cell in _cells_of("cache_never_repaid"):
        options = cache_options(cell, rule(tenant, cell, AFTER).choice)
        assert options["churn"].cost_usd > options["none"].cost_usd > options["prefix"].cost_usd


def test_missed_hits_cost_more_than_writing_and_reading() -> None:
    for tenant, cell in _cells_of("cache_missed_hits"):
        options = cache_options(cell, rule(tenant, cell, AFTER).choice)
        assert options["none"].cost_usd > options["prefix"].cost_usd


def test_reuse_pays_for_small_values_and_loses_for_large_ones() -> None:
    for tenant, cell in tenant_cells():
        if cell.task_class in REUSE_QUALITY:
            options = reuse_options(cell, rule(tenant, cell, AFTER).choice)
            is_better = options["reuse"].net_usd > options["work"].net_usd
            assert is_better == (cell.task_class == "support.faq")
            forced = tenant == "initech" and cell.task_class == "support.incident"
            assert reuses(tenant, cell, AFTER) == (is_better or forced)
            assert reuses(tenant, cell, BEFORE) == is_better


def test_the_best_model_depends_on_difficulty_and_value() -> None:
    best = {
        (cell.difficulty, cell.value_usd): rule("initech", cell, BEFORE).choice.model
        for _, cell in tenant_cells()
        if cell.task_class == "code.fix_test"
    }
    assert best["easy", 3.0] == "gpt-4.1-mini"
    assert best["easy", 30.0] != "gpt-4.1-mini"
    assert best["hard", 3.0] == "claude-opus-4-6"


def test_propensities_are_the_shares_in_which_models_are_chosen() -> None:
    cell = Cell("code.fix_test", "medium", 8.0)
    intended, rng, n = rule("initech", cell, BEFORE).choice, Random(7), 20_000
    decided = [decide(cell, intended, rng) for _ in range(n)]
    for model in cell.kind.menu:
        with_model = [one for one in decided if one.choice.model == model]
        assert len({one.propensity for one in with_model}) == 1
        assert abs(len(with_model) / n - with_model[0].propensity) < 0.01
    assert sum({one.choice.model: one.propensity for one in decided}.values()) == pytest.approx(1.0)
    assert 0.0 < ROUTE_EXPLORATION < 0.5


def _cells_of(key: str) -> list[tuple[str, Cell]]:
    found = [pair for fault in FAULTS if fault.key == key for pair in segment(fault)]
    assert found
    return found
