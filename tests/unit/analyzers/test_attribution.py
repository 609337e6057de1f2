"""The appraisal of a stratum: agreement with loops from the formula, known economies, and what it refuses to say."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from analyzers.attribution.appraise import STATUSES, Appraised, appraise
from analyzers.attribution.choices import Choices
from analyzers.attribution.contrast import contrast
from analyzers.attribution.fit import context, fit
from analyzers.attribution.segments import bands, discoveries
from analyzers.attribution.steadiness import _Cleared, averaged, is_steady
from analyzers.effects.estimate import InputError
from bench.truth.markets import Drawn, Economy, play
from tests import naive_attribution as naive

WORTH_SWITCHING = Economy(n=3_000, quality=(0.0, 1.5, 1.9), scale_usd=2.0)
NOTHING_BETTER = Economy(n=2_000, quality=(0.0,) * 3, cost=(1.0,) * 3, latency=(0.0,) * 3, loss=(1.0,) * 3)


@pytest.fixture(scope="module")
def known() -> tuple[Drawn, Appraised]:
    drawn = play(WORTH_SWITCHING, np.random.default_rng(3))
    return drawn, appraise(drawn.choices, seed=1)


def small(**changes: object) -> Choices:
    return replace(play(Economy(n=90), np.random.default_rng(1)).choices, **changes)


def test_a_contrast_is_the_sum_of_its_formula() -> None:
    drawn = play(Economy(n=300, how="confounded"), np.random.default_rng(5))
    made = fit(replace(drawn.choices, assignment="recorded"), seed=2)
    pool = np.flatnonzero(made.supported.all(axis=1))
    found = contrast(made, pool, 2, 0)
    assert found is not None
    chosen = drawn.choices.chosen
    outcomes = {
        "quality": drawn.choices.quality,
        "cost": drawn.choices.cost_usd,
        "latency": drawn.choices.latency_s,
        "risk": drawn.choices.loss_usd,
    }
    expected = naive.switched(
        [int(i) for i in pool if chosen[i] == 0],
        [int(i) for i in pool if chosen[i] == 2],
        [part.price for part in made.parts],
        [outcomes[part.name] for part in made.parts],
        [part.fitted for part in made.parts],
        made.propensity,
        2,
        0,
    )
    assert found.gain.value == pytest.approx(expected, rel=1e-9)
    pulls = found.pull()
    error = naive.joint_error(
        [float(x) for _, pull in pulls for x in pull], [int(made.tasks[r]) for rows, _ in pulls for r in rows]
    )
    own = [int(i) for i in pool if chosen[i] == 0]
    unseen = naive.unseen(
        [part.price for part in made.parts], [float(part.unseen[2] + part.unseen[0]) for part in made.parts], own, len(own)
    )
    assert unseen > 0
    rare = 0.0
    for part in made.parts[1:]:
        paid = sum(float(part.price[i]) for i in own) ** 2
        for took in (2, 0):
            rows = [int(i) for i in pool if chosen[i] == took]
            weights = [float(made.propensity[i, 0] / made.propensity[i, took]) for i in rows]
            rare += paid * naive.rare(outcomes[part.name], part.fitted, chosen, rows, weights, took)
    assert rare > 0
    assert found.gain.standard_error == pytest.approx(math.sqrt(error**2 + unseen + rare), rel=1e-6)


def test_what_changed_with_time_or_value_alone_is_seen() -> None:
    rng = np.random.default_rng(3)
    choices = play(Economy(n=1_000, how="confounded"), rng).choices
    outcome, price, none = rng.normal(size=1_000), np.ones(1_000), np.zeros((1_000, 0))
    assert is_steady(choices, [(outcome, price)], choices.decided_at, none, choices.tasks)
    drifting = outcome + 0.5 * np.linspace(-1, 1, 1_000)
    assert not is_steady(choices, [(outcome, price), (drifting, price)], choices.decided_at, none, choices.tasks)
    assert is_steady(choices, [(drifting, 1e-3 * price)], choices.decided_at, none, choices.tasks)  # moves no dollar that matters
    of_option = outcome + choices.chosen  # moves with the choice, whatever the choice moves with
    assert is_steady(choices, [(of_option, price)], choices.decided_at, none, choices.tasks)


@pytest.mark.parametrize("twice", [False, True])
def test_what_controls_leave_of_time_is_least_squares(twice: bool) -> None:
    rng = np.random.default_rng(8)
    controls, when, known = rng.normal(size=(200, 3)), rng.normal(size=200), rng.random(200) < 0.7
    told = np.column_stack([controls, controls[:, 0]]) if twice else controls  # a control that says what another says
    basis, left, leverage = _Cleared(told, when).among(known)
    kept, time = controls[known], (when[known] - when[known].mean()) / when[known].std()
    assert left == pytest.approx(time - kept @ np.linalg.lstsq(kept, time, rcond=None)[0], abs=1e-9)
    both = np.column_stack([kept, time])
    assert leverage == pytest.approx(np.diag(both @ np.linalg.inv(both.T @ both) @ both.T), abs=1e-9)
    assert basis.shape == (int(known.sum()), 3)


def test_logged_chances_are_averaged_over_what_is_recorded_only() -> None:
    rng = np.random.default_rng(2)
    told, when, secret = rng.integers(0, 2, size=600), np.linspace(0, 1, 600), rng.integers(0, 2, size=600)
    context = told[:, None].astype(np.float64)
    everything = np.column_stack([context, when]).astype(np.float64)
    first = np.where(when < 0.4, 0.9, np.where(told == 1, 0.1, 0.3))
    menu = np.column_stack([first, 1 - first])
    found = averaged(menu, context, everything, 1)
    assert found is not None
    for level in (0, 1):
        assert np.allclose(found[told == level], menu[told == level].mean(axis=0))
    hidden = np.where(secret == 1, 0.9, first)
    secretly = np.column_stack([hidden, 1 - hidden])
    assert averaged(secretly, context, everything, 1) is None
    assert averaged(np.full((600, 2), 0.5), context, everything, 1) is None


def test_a_policy_that_changed_is_compared_before_and_after() -> None:
    """Never explored since the change: only before and after tell; and not where everything else changed, too."""
    rng = np.random.default_rng(6)
    drawn = play(replace(WORTH_SWITCHING, n=1_200, how="deterministic"), rng)
    choices = drawn.choices
    late = choices.decided_at > np.median(choices.decided_at)
    chosen = np.where(late, 0, 2)
    rows = np.arange(1_200), chosen
    quality, cost = (rng.random(1_200) < drawn.quality[rows]).astype(np.float64), drawn.cost[rows]
    changed = replace(
        choices, chosen=chosen, quality=quality, cost_usd=cost, latency_s=np.full(1_200, np.nan), loss_usd=np.full(1_200, np.nan),
        assignment="recorded",
    )  # fmt: skip
    made = appraise(changed, seed=1)
    mine = [segment for segment in made.segments if segment.chosen == "option-0"]
    true = sum(float((drawn.net[:, 2] - drawn.net[:, 0])[made.segment == made.segments.index(each)].sum()) for each in mine)
    assert all("across changes of policy" in each.why for each in mine)
    assert sum(each.regret.numbers()[0] for each in mine) == pytest.approx(true, rel=0.35)
    drifted = appraise(replace(changed, cost_usd=cost + 2 * np.linspace(0, 1, 1_200)), seed=1)
    assert np.isnan(drifted.regret_usd).all()


def test_a_cached_prefix_moves_no_quality() -> None:
    choices = small(unmoved=("quality", "risk"))
    made = fit(choices, seed=1)
    quality = made.part("quality")
    assert quality is not None
    assert np.ptp(quality.fitted, axis=1).max() == 0
    found = appraise(choices, seed=1)
    assert all(each.changes.get("quality", 0.0) == 0.0 for each in found.segments)
    assert np.isfinite(found.value_usd).any()


def test_what_is_expected_of_an_option_is_a_ridge_regression_from_other_tasks() -> None:
    drawn = play(
        Economy(n=90, quality=(0.0, 0.0), cost=(1.0, 2.0), latency=(0.0, 0.0), loss=(1.0, 1.0)), np.random.default_rng(4)
    )
    made = fit(drawn.choices, seed=3)
    expected = naive.expectations(context(drawn.choices, value=False), drawn.choices.chosen, drawn.choices.cost_usd, made.fold, 2)
    cost = made.part("cost")
    assert cost is not None
    base = int(np.argmax(np.bincount(drawn.choices.chosen)))
    assert np.allclose(cost.fitted[:, base], expected[:, base])  # the other option's differences are shrunk towards their mean
    effect = expected[:, 1 - base] - expected[:, base]
    kept = cost.fitted[:, 1 - base] - cost.fitted[:, base]
    assert kept.std() <= effect.std() + 1e-12
    assert abs(np.corrcoef(kept, effect)[0, 1]) > 0.999 if kept.std() > 1e-12 else True


def test_a_worse_default_is_found_and_its_loss_measured(known: tuple[Drawn, Appraised]) -> None:
    drawn, made = known
    true = drawn.net.max(axis=1) - drawn.net[np.arange(len(drawn.net)), drawn.choices.chosen]
    found = discoveries(made.segments)
    assert any(segment.discovery and segment.chosen == "option-0" for segment in found)
    for code, segment in enumerate(found):
        if segment.discovery:
            assert true[made.segment == code].sum() > 0.5 * segment.materiality_usd
            assert segment.regret.numbers()[2] > 0
    whole = float(np.nansum(made.regret_usd))
    assert whole == pytest.approx(true.sum(), rel=0.35)


def test_terms_add_up_to_net_and_regrets_to_their_segment(known: tuple[Drawn, Appraised]) -> None:
    _, made = known
    net = made.value_usd - made.cost_usd - made.latency_usd - made.risk_usd
    assert np.allclose(net, made.net_usd, equal_nan=True)
    for code, segment in enumerate(made.segments):
        inside = made.segment == code
        assert inside.sum() == segment.n
        if segment.regret.value is not None:
            assert (
                np.nansum(made.regret_usd[inside]) == pytest.approx(max(0.0, segment.regret.value), abs=1e-6)
                or (np.nanmax(made.net_usd[inside], axis=1) <= made.net_usd[inside][:, 0]).all()
            )
            assert sum(segment.changes.values()) == pytest.approx(segment.regret.value, rel=1e-6, abs=1e-9)
            if segment.changes:
                whole, errors = segment.regret.numbers()[1], segment.change_errors
                if whole == 0:  # staying is best: nothing changes
                    assert errors == {}
                    continue
                assert errors.keys() == segment.changes.keys()
                assert whole <= sum(errors.values()) * 1.000001, "errors of terms together reach as far as their sum's"
    known_rows = ~np.isnan(made.regret_usd)
    assert (made.low_usd[known_rows] <= made.regret_usd[known_rows]).all()
    assert (made.regret_usd[known_rows] <= made.high_usd[known_rows]).all()


def test_the_best_option_follows_a_decisions_own_value() -> None:
    """Eq. 4: 0.2 more quality for 4 USD more is worth it from a V of 20 on, the paper's crossover."""
    rng = np.random.default_rng(0)
    n = 6_000
    v = rng.uniform(5.0, 60.0, size=n)
    chosen = rng.integers(0, 2, size=n)
    quality = np.where(chosen == 1, 0.9, 0.7) + rng.uniform(-0.05, 0.05, size=n)
    cost = np.where(chosen == 1, 5.0, 1.0) + rng.uniform(-0.1, 0.1, size=n)
    zeros, unknown = np.zeros(n), np.full(n, np.nan)
    choices = Choices(
        ("cheap", "frontier"), chosen, np.arange(n), np.arange(n, dtype=np.float64), quality, cost, unknown, unknown, unknown, v,
        zeros, zeros, np.full(n, 0.5), np.full((n, 2), 0.5), "logged", zeros[:, None], ("none",),
    )  # fmt: skip
    made = appraise(choices, seed=1)
    away = np.abs(v - 20) > 0.5
    assert (made.best[away] == (v[away] > 20)).all()
    regret = np.where(chosen == 1, np.maximum(0, 4 - 0.2 * v), np.maximum(0, 0.2 * v - 4))
    assert np.allclose(made.regret_usd[away], regret[away], atol=0.7)  # of up to 8 USD


def test_nothing_is_raised_where_nothing_is_better() -> None:
    raised = 0
    for seed in range(8):
        made = appraise(play(NOTHING_BETTER, np.random.default_rng(seed)).choices, seed=seed)
        raised += any(segment.discovery for segment in discoveries(made.segments))
    assert raised <= 1


@pytest.mark.parametrize(("how", "assignment"), [("deterministic", "recorded"), ("hidden", "unknown"), ("confounded", "unknown")])
def test_what_is_not_identified_has_no_number(how: str, assignment: str) -> None:
    drawn = play(Economy(n=1_500, how=how), np.random.default_rng(2))
    made = appraise(replace(drawn.choices, assignment=assignment), seed=1)
    assert np.isnan(made.regret_usd).all()
    assert (made.best == -1).all()
    assert {STATUSES[code] for code in made.status} == {"not_identified"}
    assert all(segment.why for segment in made.segments)
    assert ("pigou assignments set" in made.segments[0].why) == (assignment == "unknown"), made.segments[0].why


def test_an_option_that_was_never_tried_is_not_identified() -> None:
    drawn = play(Economy(n=600, how="explored", exploration=0.0), np.random.default_rng(2))
    made = appraise(drawn.choices, seed=1)
    assert np.isnan(made.regret_usd).all()
    never = "strong never had a chance: the others were chosen with certainty"
    named = appraise(replace(drawn.choices, options=("cheap", "strong", *drawn.choices.options[2:])), seed=1)
    assert f"option {never}" in named.segments[0].why, named.segments[0].why


def test_options_that_are_called_by_numbers_are_told_by_those() -> None:
    drawn = play(Economy(n=600, how="explored", exploration=0.0), np.random.default_rng(2)).choices
    never = np.where(drawn.chosen == 1, 0, drawn.chosen)
    made = appraise(replace(drawn, options=("1", "2", "0"), chosen=never, assignment="recorded", menu=None), seed=1)
    assert "option 2 was never chosen" in made.segments[0].why
    assert any("option 2 was never chosen" in each.later.why for each in made.later)


def test_a_control_that_moves_with_the_choice_refutes_what_was_recorded() -> None:
    drawn = play(Economy(n=1_500, how="confounded"), np.random.default_rng(2))
    noise = np.random.default_rng(3).normal(size=(1_500, 1))
    assert np.isfinite(appraise(drawn.choices, seed=1, controls=noise).regret_usd).any()
    made = appraise(drawn.choices, seed=1, controls=noise + drawn.choices.chosen[:, None])
    assert np.isnan(made.regret_usd).all()
    assert "negative control 0 moves with option" in made.segments[0].why


def test_without_a_menu_the_other_options_chances_are_estimated() -> None:
    drawn = play(Economy(n=3_000, how="explored", exploration=0.6), np.random.default_rng(2))
    told, guessed = fit(drawn.choices, seed=1), fit(replace(drawn.choices, menu=None), seed=1)
    rows = np.arange(3_000), drawn.choices.chosen
    assert np.allclose(guessed.propensity[rows], told.propensity[rows])
    assert np.allclose(guessed.propensity.sum(axis=1), 1)
    assert np.abs(guessed.propensity - told.propensity).mean() < 0.03


def test_small_evidence_says_what_is_missing() -> None:
    made = appraise(play(Economy(n=60, how="explored", exploration=0.1), np.random.default_rng(2)).choices, seed=1)
    short = [segment for segment in made.segments if segment.status == "not_enough_evidence"]
    assert short
    assert any(segment.needs is not None and (segment.needs.outcomes or 0) > 0 for segment in short)


@pytest.mark.parametrize(("term", "told"), [("cost_usd", "what it cost"), ("quality", "how it went")])
def test_a_term_that_is_seldom_known_of_one_option_is_named(term: str, told: str) -> None:
    drawn = play(Economy(n=600, how="explored", exploration=0.5), np.random.default_rng(2)).choices
    some = np.where(drawn.chosen == 1, np.nan, getattr(drawn, term))
    some[np.flatnonzero(drawn.chosen == 1)[:3]] = getattr(drawn, term)[drawn.chosen == 1][:3]
    made = appraise(replace(drawn, **{term: some}), seed=1)
    assert {segment.status for segment in made.segments} == {"not_enough_evidence"}
    seldom = f": with option-1 {told} is known in 3 of {sum(drawn.chosen == 1)} tasks"
    assert all(seldom in segment.why for segment in made.segments)


def test_unknown_prices_and_values_are_told_and_never_taken_for_zero() -> None:
    unknown = np.full(90, np.nan)
    made = appraise(small(lam=unknown, loss_usd=unknown), seed=1)
    assert np.isnan(made.latency_usd).all()
    assert np.isnan(made.risk_usd).all()
    assert np.isfinite(made.net_usd).any()
    assert "λ is not known" in made.segments[0].why
    assert "risk: nothing tells it" in made.segments[0].why
    slack = appraise(small(lam=np.zeros(90)), seed=1)
    assert (slack.latency_usd == 0).all()
    some = small().v_usd.copy()
    some[:10] = np.nan
    partly = appraise(small(v_usd=some), seed=1)
    assert np.isnan(partly.net_usd[:10]).all()
    assert "V is not known" in partly.segments[partly.segment[0]].why
    none = appraise(small(v_usd=unknown), seed=1)
    assert {STATUSES[code] for code in none.status} == {"not_identified"}


def test_without_outcomes_or_costs_there_is_no_net() -> None:
    unknown = np.full(90, np.nan)
    for changes in ({"quality": unknown}, {"cost_usd": unknown}):
        made = appraise(small(**changes), seed=1)
        assert np.isnan(made.net_usd).all()
        assert np.isnan(made.regret_usd).all()


def test_the_same_seed_gives_the_same_numbers_and_order_does_not_matter_to_truths() -> None:
    choices = play(Economy(n=800), np.random.default_rng(6)).choices
    one, two = appraise(choices, seed=4), appraise(choices, seed=4)
    assert np.array_equal(one.regret_usd, two.regret_usd, equal_nan=True)
    scaled = appraise(replace(choices, v_usd=choices.v_usd * 100, cost_usd=choices.cost_usd * 100, lam=choices.lam * 100,
                              rho=choices.rho * 100), seed=4)  # fmt: skip
    assert np.nansum(scaled.regret_usd) == pytest.approx(100 * np.nansum(one.regret_usd), rel=1e-3)


def test_downstream_costs_are_what_own_calls_do_not_explain() -> None:
    rng = np.random.default_rng(8)
    drawn = play(replace(WORTH_SWITCHING, n=2_000), rng)
    own = drawn.cost[np.arange(2_000), drawn.choices.chosen]
    after = np.where(drawn.choices.chosen == 0, 0.3, 0.1) + 0.05 * rng.normal(size=2_000)  # weak work is verified for longer
    made = appraise(replace(drawn.choices, own_cost_usd=own, cost_usd=own + after), seed=1)
    middle = [segment for segment in made.segments if segment.chosen == "option-0" and segment.n > 100]
    for segment in middle:
        assert segment.downstream is not None
        value, error, _, _ = segment.downstream.numbers()
        switched = segment.n  # nearly all of them switch, each saving 0.2 USD downstream
        assert value == pytest.approx(-0.2 * switched, abs=4 * error + 0.02 * switched)


def test_bands_keep_the_tail_apart() -> None:
    v = np.random.default_rng(1).pareto(2.0, size=4_000) + 1
    made, places = bands(v)
    assert len(made) == 5
    assert (places == 4).mean() == pytest.approx(0.05, abs=0.002)
    assert (v[places == 4] >= made[4].low_usd).all()
    values, codes = bands(np.array([3.0, 8.0, 30.0, 3.0]))
    assert [band.low_usd for band in values] == [0.0, 8.0, 30.0]
    assert codes.tolist() == [0, 1, 2, 0]
    with pytest.raises(InputError, match="must rise"):
        bands(v, [3.0, 1.0])


def test_findings_are_those_of_benjamini_and_hochberg(known: tuple[Drawn, Appraised]) -> None:
    from analyzers.effects.multiplicity import p_value
    from tests.naive_effects import benjamini_hochberg

    _, made = known
    p = [p_value(segment.regret, side="above") for segment in made.segments]
    expected = benjamini_hochberg(p, 0.05)
    found = discoveries(made.segments)
    for place, segment in enumerate(found):
        assert segment.discovery == (place in expected and segment.regret.numbers()[0] >= segment.materiality_usd)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quality": np.full(90, 2.0)}, "quality must lie in"),
        ({"cost_usd": np.full(90, np.inf)}, "cost_usd holds values that are not finite"),
        ({"tasks": np.arange(3)}, "tasks has shape"),
        ({"chosen": np.full(90, 7)}, "chosen must lie in 0 … 2"),
        ({"propensity": np.full(90, np.nan)}, "needs every decision's propensity"),
        ({"feature_names": ("one",)}, "3 features have 1 names"),
    ],
)
def test_arrays_that_cannot_be_are_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(**changes)
