"""What is compared with what: menus of which only the chosen option was logged, and what would be extrapolated."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from analyzers.attribution.appraise import appraise
from analyzers.attribution.choices import Choices
from analyzers.attribution.contrast import contrast
from analyzers.attribution.fit import context, context_name, fit
from analyzers.attribution.menus import ROWS_MIN, completed
from analyzers.effects.estimate import Bools, Floats, Ints

EXPLORED = 0.1


def routed(
    n: int, rng: np.random.Generator, explored: float = EXPLORED, easy: float = 0.4
) -> tuple[Floats, Ints, Floats, Floats]:
    """Log tokens, the options chosen, their probabilities, and the whole menus of a router that follows how hard the work is."""
    work = rng.choice(3, n, p=[easy, 0.6 - easy / 2, 0.4 - easy / 2])
    tokens = np.log(np.array([0.7, 1.0, 1.5])[work] * rng.uniform(0.85, 1.15, n))
    menu = np.full((n, 3), explored / 2)
    menu[np.arange(n), work] = 1 - explored
    chosen = (rng.random(n)[:, None] > np.cumsum(menu, axis=1)).sum(axis=1).clip(0, 2)
    return tokens, chosen, menu[np.arange(n), chosen], menu


def choices(tokens: Floats, chosen: Ints, own: Floats, menu: Floats | None, quality: Floats, v_usd: Floats) -> Choices:
    n = len(chosen)
    return Choices(
        ("small", "middle", "large"), chosen, np.arange(n), np.arange(n, dtype=np.float64) * 60.0, quality,
        np.array([0.01, 0.03, 0.08])[chosen] * np.exp(tokens), np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan),
        v_usd, np.zeros(n), np.zeros(n), own, menu, "logged", tokens[:, None], ("log_prompt_tokens",),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_a_router_that_follows_what_is_recorded_is_read_off_its_own_choices(seed: int) -> None:
    """Every probability that was not logged, to a fiftieth, though an option was tried in a few of a hundred such cases."""
    tokens, chosen, own, menu = routed(700, np.random.default_rng(seed))
    found = completed(chosen, own, tokens[:, None], np.full(menu.shape, 1 / 3))
    assert found.sum(axis=1) == pytest.approx(np.ones(700))
    assert found[np.arange(700), chosen] == pytest.approx(own)
    assert float(np.quantile(np.abs(found - menu).max(axis=1), 0.98)) < 0.02


def test_a_router_whose_probabilities_waver_is_averaged() -> None:
    """Where what moves them was not recorded, the tree does not take single decisions for the rule."""
    rng = np.random.default_rng(7)
    n = 3_000
    tokens = rng.normal(size=n)
    menu = np.column_stack([share := rng.uniform(0.2, 0.8, n), 1 - share])
    chosen = (rng.random(n) > share).astype(np.int64)
    found = completed(chosen, menu[np.arange(n), chosen], np.column_stack([tokens, tokens]), np.full((n, 2), 0.5))
    assert found == pytest.approx(menu)  # of two options the other has the rest
    three = np.column_stack([menu * 0.9, np.full(n, 0.1)])
    took = (rng.random(n)[:, None] > np.cumsum(three, axis=1)).sum(axis=1).clip(0, 2)
    found = completed(took, three[np.arange(n), took], tokens[:, None], np.full((n, 3), 1 / 3))
    others = np.arange(3)[None, :] != took[:, None]
    assert float(np.sqrt(((found - three)[others] ** 2).mean())) < 0.2  # the spread of what nobody recorded is 0.16


def test_an_option_of_a_few_decisions_is_what_the_model_says() -> None:
    chosen = np.array([0] * 40 + [1] * (ROWS_MIN - 1) + [2] * 40)
    own = np.where(chosen == 1, 0.02, 0.6)
    modelled = np.tile([0.5, 0.1, 0.4], (len(chosen), 1))
    found = completed(chosen, own, np.linspace(0, 1, len(chosen))[:, None], modelled)
    assert found[0] == pytest.approx([0.6, 0.4 * 0.1 / 0.7, 0.4 * 0.6 / 0.7])


def test_without_its_menus_a_set_is_appraised_as_with_them() -> None:
    """Regrets of a router that is right everywhere: as good as nothing, whether it logs all or only what it chose."""
    rng = np.random.default_rng(11)
    n = 1_500
    tokens, chosen, own, menu = routed(n, rng)
    work = np.digitize(tokens, [math.log(0.83), math.log(1.2)])
    chance = np.array([[0.93, 0.94, 0.945], [0.74, 0.88, 0.89], [0.40, 0.60, 0.80]])
    quality = rng.binomial(20, chance[work, chosen]) / 20
    v_usd = rng.choice([3.0, 8.0, 30.0], n, p=[0.5, 0.35, 0.15])
    for logged in (menu, None):
        made = appraise(choices(tokens, chosen, own, logged, quality, v_usd), seed=0)
        cheapest = [each for each in made.segments if each.chosen == "small" and each.regret.value is not None]
        assert cheapest
        for each in cheapest:
            alone = each.intended or each
            _, _, low, _ = alone.regret.numbers()
            assert low <= 0.02 * each.n, (each.label, alone.regret)


def nowhere_easy(rng: np.random.Generator) -> tuple[Choices, Bools]:
    """Work of two kinds, of which the easier never went to the large model, though it might have."""
    n = 1_200
    tokens, chosen, own, menu = routed(n, rng, explored=0.15, easy=0.08)
    easy = tokens < math.log(0.83)
    chosen = np.where(easy & (chosen == 2), 0, chosen)
    quality = rng.binomial(20, np.where(chosen == 2, 0.9, np.where(easy, 0.93, 0.6))) / 20
    own = menu[np.arange(n), chosen]
    return choices(tokens, chosen, own, menu, quality, np.full(n, 5.0)), easy


def test_what_would_be_extrapolated_is_not_said() -> None:
    """The large model was only seen on hard work: what it would bring to the easy is not told from that."""
    of, _ = nowhere_easy(np.random.default_rng(5))
    made = appraise(of, seed=0)
    [small] = [each for each in made.segments if each.chosen == "small"]
    assert small.options[2] is None
    assert "large: taken on other work (log_prompt_tokens)" in small.why


def test_work_is_alike_where_options_are_tried_on_all_of_it() -> None:
    rng = np.random.default_rng(6)
    n = 900
    tokens, chosen, own, menu = routed(n, rng, explored=0.3)
    quality = rng.binomial(20, 0.8, n) / 20
    made = fit(choices(tokens, chosen, own, menu, quality, np.full(n, 5.0)), seed=0)
    pool = np.arange(n)
    for option, base in ((0, 2), (1, 0), (2, 1)):
        found = contrast(made, pool, option, base)
        assert found is not None
        assert found.unlike == ""
        assert replace(found, decisions=found.decisions[tokens[found.decisions] < math.log(0.83)]).unlike in {
            "", "log_prompt_tokens"
        }  # fmt: skip


def test_by_how_much_an_arm_is_off_is_the_loop() -> None:
    """The largest difference of weighted means, in standard deviations of the whole, against its limit."""
    of, easy = nowhere_easy(np.random.default_rng(8))
    made = fit(of, seed=0)
    found = contrast(made, np.flatnonzero(easy | (of.chosen == 2)), 2, 0)
    assert found is not None
    column = of.features[:, 0]
    mean, deviation = float(column.mean()), float(column.std())
    wanted = sum(float(column[r] - mean) / deviation for r in found.decisions) / len(found.decisions)
    there = sum(
        float(w) * float(column[r] - mean) / deviation for r, w in zip(found.arms[0].rows, found.arms[0].shares[0], strict=True)
    )
    limit = 0.25 + 2 * math.sqrt(1 / float(found.arms[0].sizes[0]) + 1 / len(found.decisions))
    assert (abs(there - wanted) > limit) == (found.unlike == "log_prompt_tokens")
    assert abs(there - wanted) > limit


def test_the_least_that_is_learnt_from_is_enough() -> None:
    chosen = np.repeat([0, 1], [20, ROWS_MIN])
    own = np.where(chosen == 0, 0.9, np.linspace(0.05, 0.15, len(chosen)))
    found = completed(chosen, own, np.linspace(-1, 1, len(chosen))[:, None], np.full((len(chosen), 2), 0.5))
    assert found.sum(axis=1) == pytest.approx(np.ones(len(chosen)))


def test_a_column_of_the_context_is_named_by_its_feature() -> None:
    tokens, chosen, own, menu = routed(40, np.random.default_rng(2))
    features = np.column_stack([tokens, np.where(np.arange(40) % 3 == 0, np.nan, 1.0), tokens])
    of = choices(tokens, chosen, own, menu, np.full(40, 0.5), np.full(40, 1.0))
    of = replace(of, features=features, feature_names=("tokens", "retries", "again"))
    columns = context(of, time=False, value=False).shape[1]
    assert [context_name(of, column) for column in range(columns)] == ["tokens", "retries", "again", "whether retries is known"]
