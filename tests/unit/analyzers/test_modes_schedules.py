"""The frontier and menu of a router, what a dollar of verifying brings, and schedules of autonomy: against what is worked out by
hand."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from analyzers.attribution.production import spending
from analyzers.modes.autonomy_policy import AutonomyError, compliance, read_schedule, written
from analyzers.modes.autonomy_schedule import Done, Weighed, rows, usual
from analyzers.modes.frontier import frontier, menu
from analyzers.modes.under_verification import marginal_product


def test_the_frontier_is_that_of_trying_every_policy_of_one_option_for_each_task() -> None:
    v = np.array([1.0, 10.0])
    quality, cost = np.array([[0.5, 0.9], [0.6, 0.8]]), np.array([[0.1, 1.0], [0.1, 1.0]])
    chosen = np.array([1, 1])
    points = frontier(v, v[:, None] * quality, cost, np.zeros((2, 2)), chosen, scales=(0.0, 1.0, 100.0))
    assert [(p.scale, p.quality, p.cost_usd) for p in points[:1]] == [(None, pytest.approx(0.85), pytest.approx(1.0))]
    for point in points[1:]:
        nets = {
            policy: sum((point.scale or 0.0) * v[i] * quality[i, policy[i]] - cost[i, policy[i]] for i in range(2))
            for policy in product((0, 1), repeat=2)
        }
        best = max(nets, key=lambda policy: nets[policy])
        assert point.quality == pytest.approx(np.mean([quality[i, best[i]] for i in range(2)]))
        assert point.cost_usd == pytest.approx(np.mean([cost[i, best[i]] for i in range(2)]))


def test_a_point_bears_the_risk_of_what_it_takes() -> None:
    value, cost = np.array([[1.0, 1.8], [1.0, 1.8]]), np.array([[0.1, 0.5], [0.1, 0.5]])
    risk = np.array([[0.3, 0.05], [0.1, np.nan]])
    points = frontier(np.ones(2), value, cost, np.nan_to_num(risk), np.array([0, 0]), risk_usd=risk, scales=(0.0, 1.0))
    assert [point.risk_usd for point in points] == pytest.approx([0.2, 0.2, 0.025])


def test_an_option_that_is_not_known_is_never_on_the_frontier() -> None:
    value = np.array([[0.5, np.nan], [np.nan, 0.9]])
    points = frontier(np.ones(2), value, np.array([[0.1, 0.0], [0.1, 0.2]]), np.zeros((2, 2)), np.array([0, 0]))
    assert {(point.quality, point.cost_usd) for point in points} == {(0.5, 0.1)}
    assert frontier(np.ones(1), np.full((1, 2), np.nan), np.zeros((1, 2)), np.zeros((1, 2)), np.array([0])) == ()


def test_a_menu_leaves_the_dear_type_its_rent() -> None:
    made = menu({"cheap": 0.7, "dear": 0.9}, {"cheap": 1.0, "dear": 5.0}, {"low": 10.0, "high": 100.0})
    assert [(one.name, one.option) for one in made.types] == [("low", "cheap"), ("high", "dear")]
    assert made.rents_usd == pytest.approx({"low": 0.0, "high": 90 * 0.7})
    assert {offer.option: offer.price_usd for offer in made.offers} == pytest.approx({"cheap": 7.0, "dear": 100 * 0.9 - 63.0})
    assert made.envies == ()
    assert "known" in menu({}, {}, {"low": 1.0}).why


def test_a_dollar_of_verifying_is_worth_what_production_says() -> None:
    rng = np.random.default_rng(3)
    spent = np.exp(rng.normal(size=(600, 4)) - 4)
    quality = (rng.random(600) < np.clip(0.5 + 0.08 * np.log(spent[:, 3] * 50), 0, 1)).astype(float)
    told = [[quality[k], 5.0, *spent[k], True, k, [float(k % 2), None], "recorded"] for k in range(600)]
    found = marginal_product(told)
    by_hand = spending(quality, spent, np.full(600, 5.0), assignment="recorded", controls=np.arange(600)[:, None] % 2)
    verify = next(use for use in by_hand.uses if use.use == "verify")
    assert found["quality_per_usd"] == pytest.approx(
        {
            "value": verify.per_dollar.value,
            "low": verify.per_dollar.low,
            "high": verify.per_dollar.high,
            "status": "identified",
            "why": "",
        }
    )
    assert isinstance(found["net_per_usd"], dict)
    unknown = marginal_product([[*row[:9], "unknown"] for row in told])["quality_per_usd"]
    assert isinstance(unknown, dict)
    assert (unknown["value"], unknown["status"]) == (None, "not_identified")
    assert "why" in marginal_product([])
    assert "priced" in str(marginal_product([[*row[:6], None, *row[7:]] for row in told])["why"])
    assert "shape" in str(marginal_product([*told[:300], *([*row[:8], [1.0], "recorded"] for row in told[300:])])["why"])


def test_the_schedule_says_what_eq_6_says() -> None:
    done = [
        Done("transfer", False, "none", "refund", 90, 45.0, [0.0] * 80 + [45.0] * 10),
        Done("transfer", False, "human", "refund", 10, 45.0, [0.0] * 10),
        Done("draft", True, None, "refund", 50, None, [0.0] * 50),
    ]
    weighed = [
        Weighed("transfer", "refund", "none", 100, 80, 0.95, 0.1, 0.0, 5.0, 4.0),
        Weighed("transfer", "refund", "human", 100, 80, 0.94, 0.1, 0.24, 0.3, 4.0),
    ]
    draft, transfer = rows(done, weighed)
    assert (draft.action_class, draft.recommended, draft.is_appraised, draft.now) == ("draft", "none", False, {"unknown": 1.0})
    worth = {"none": 4 * 0.95 - 0.1 - 5.0, "human": 4 * 0.94 - 0.1 - 0.3 - 0.24}
    assert (transfer.recommended, transfer.is_appraised) == ("human", True)
    assert transfer.gain_usd == pytest.approx(0.9 * (worth["human"] - worth["none"]))
    assert transfer.now == {"none": 0.9, "human": 0.1}
    borne = {one.confirmation: one for one in transfer.borne}
    assert borne["none"].expected.value == pytest.approx(5.0)
    worst = borne["none"].worst
    assert worst is not None
    assert worst.value == pytest.approx(45.0)


def test_what_cannot_be_undone_may_be_dearer_than_its_expectation() -> None:
    done = [Done("deploy", False, name, None, 100, 150.0, losses) for name, losses in
            (("none", [0.0] * 90 + [10.0] * 10), ("human", [0.0] * 100))]  # fmt: skip
    weighed = [
        Weighed("deploy", None, "none", 100, 100, 0.9, 0.1, 0.0, 1.0, 10.0),
        Weighed("deploy", None, "human", 100, 100, 0.9, 0.1, 2.0, 0.0, 10.0),
    ]
    assert [row.recommended for row in rows(done, weighed)] == ["none"]
    assert [row.recommended for row in rows(done, weighed, rho_irreversible=0.5)] == ["human"]


def test_a_loss_that_nobody_tells_is_no_reason_to_ask_nobody() -> None:
    done = [Done("transfer", False, name, "pay", 100, None, []) for name in ("none", "human")]
    weighed = [
        Weighed("transfer", "pay", "none", 100, 100, 0.95, 0.1, 0.0, None, 4.0),
        Weighed("transfer", "pay", "human", 100, 100, 0.95, 0.1, 2.4, None, 4.0),
    ]
    (row,) = rows(done, weighed)
    assert (row.recommended, row.is_appraised, row.gain_usd) == ("multi_party", False, None)
    assert "report loss_usd with outcomes" in row.why


def test_without_evidence_the_usual_is_recommended() -> None:
    done = [Done("deploy", False, "none", None, 5, None, [])]
    (row,) = rows(done, [])
    assert (row.recommended, row.is_appraised, row.gain_usd) == ("multi_party", False, None)
    assert "always confirmed alike" in row.why
    assert row.borne[0].expected.value is None
    assert [usual("read", None), usual("send", True), usual("send", False)] == ["none", "self", "human"]


def test_a_written_schedule_is_read_again_and_held_against_what_is_done(tmp_path: Path) -> None:
    done = [Done("transfer", False, name, "refund", n, None, []) for name, n in (("none", 3), ("human", 6), (None, 1))]
    found = rows(done, [])
    file = tmp_path / "autonomy.yaml"
    file.write_text(written({"acme": found}, "Adopted."))
    adopted = read_schedule(file)
    assert [(one.tenant, one.action_class, one.task_class, one.confirmation) for one in adopted] == [
        ("acme", "transfer", "refund", "multi_party")
    ]
    (held,) = compliance("acme", found, adopted)
    assert (held.complied, held.weaker, held.unstated) == (0, 9, 1)
    file.write_text(
        "- {action_class: transfer, confirmation: human}\n- {action_class: transfer, confirmation: none, tenant: acme}\n"
    )
    (general,), (own,) = compliance("beta", found, read_schedule(file)), compliance("acme", found, read_schedule(file))
    assert (general.complied, general.weaker, general.unstated) == (6, 3, 1)
    assert (own.complied, own.weaker, own.unstated) == (10, 0, 0)
    (nothing,) = compliance("acme", found, [])
    assert (nothing.required, nothing.weaker) == (None, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {action_class: transfer, confirmation: sometimes}", "'sometimes' is no way to confirm"),
        ("- {action_class: transfer}", "column confirmation: is missing"),
        ("- {action_class: a, confirmation: none}\n- {action_class: a, confirmation: self}", "stands in"),
        ("- {action_class: a, confirmation: none, colour: red}", "column colour: is no column"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "autonomy.yaml"
    file.write_text(text)
    with pytest.raises(AutonomyError, match=said):
        read_schedule(file)
