"""Menus: incentive compatibility by every pair, rents, and the menu that is made compatible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.errors import AllocationError
from allocation.menu import Envy, Offer, UserType, check, information_rents, screening_menu, self_selected
from allocation.rule import Option, Prices, choose

SMALL, LARGE = Offer("small", 0.7, 1.0), Offer("large", 0.9, 5.0)


def test_a_menu_at_cost_is_compatible() -> None:
    found = check([SMALL, LARGE], [UserType("low", 10.0, "small"), UserType("high", 100.0, "large")])
    assert found.is_compatible
    assert found.all_take_part
    assert found.surplus_usd == pytest.approx({"low": 6.0, "high": 85.0})


def test_a_menu_that_charges_one_price_is_not() -> None:
    flat = [Offer("small", 0.7, 5.0), Offer("large", 0.9, 5.0)]
    found = check(flat, [UserType("low", 10.0, "small"), UserType("high", 100.0, "large"), UserType("poor", 1.0, "small")])
    assert not found.is_compatible
    assert Envy("low", "small", "large", pytest.approx(2.0)) in found.envies  # pyright: ignore[reportArgumentType]
    assert [envy.user_type for envy in found.envies if envy.option is None] == ["poor"]
    assert not found.all_take_part


def test_what_is_meant_for_nobody_can_be_taken_too() -> None:
    cheap_and_good = Offer("bargain", 0.95, 2.0)
    found = check([SMALL, LARGE, cheap_and_good], [UserType("low", 10.0, "small"), UserType("high", 100.0, "large")])
    assert [(envy.user_type, envy.option) for envy in found.envies] == [("low", "bargain"), ("high", "bargain")]
    assert [envy.gain_usd for envy in found.envies] == pytest.approx([1.5, 8.0])
    assert not found.is_compatible
    assert found.all_take_part


def test_an_option_that_is_not_offered() -> None:
    with pytest.raises(AllocationError, match="'huge', which the menu does not offer"):
        check([SMALL], [UserType("low", 10.0, "huge")])


def test_rents_of_two_types() -> None:
    types = [UserType("high", 100.0, "large"), UserType("low", 10.0, "small")]
    assert information_rents({"small": 0.7, "large": 0.9}, types) == pytest.approx({"low": 0.0, "high": 63.0})
    menu = screening_menu({"small": 0.7, "large": 0.9}, types)
    assert {offer.option: offer.price_usd for offer in menu} == pytest.approx({"small": 7.0, "large": 27.0})
    assert check(menu, types).is_compatible


def test_less_quality_for_a_higher_value_has_no_prices() -> None:
    with pytest.raises(AllocationError, match="no prices make such a menu compatible"):
        screening_menu({"small": 0.7, "large": 0.9}, [UserType("low", 1.0, "large"), UserType("high", 2.0, "small")])


values = st.floats(0, 100).map(lambda x: round(x, 2))
qualities = st.lists(st.floats(0, 1).map(lambda x: round(x, 2)), min_size=1, max_size=4)


@given(v=st.lists(values, min_size=1, max_size=4), q=qualities)
def test_the_menu_that_is_made_is_compatible_and_takes_all_it_can(v: list[float], q: list[float]) -> None:
    places = {str(place): quality for place, quality in enumerate(sorted(q))}
    types = [UserType(str(k), value, str(min(k, len(q) - 1))) for k, value in enumerate(sorted(v))]
    menu = screening_menu(places, types)
    found = check(menu, types)
    assert found.is_compatible
    assert found.all_take_part
    dearer = [Offer(one.option, one.quality, one.price_usd + 0.01) for one in menu]
    assert not check(dearer, types).all_take_part  # the lowest type was left nothing


@given(v=st.lists(values, min_size=1, max_size=4), menu=st.lists(st.tuples(values, values), min_size=1, max_size=4))
def test_at_full_prices_users_choose_what_eq_1_chooses(v: list[float], menu: list[tuple[float, float]]) -> None:
    options = [Option(str(k), quality / 100, cost, 0.0, 0.0) for k, (quality, cost) in enumerate(menu)]
    offers = [Offer(one.name, one.quality or 0.0, one.cost_usd or 0.0) for one in options]
    for value in v:
        best = choose(options, Prices(value, 0.0, 0.0)).best
        taken = self_selected(offers, value)
        assert best is not None
        if taken is None:
            assert best.surplus_usd <= 1e-9
        else:
            assert value * taken.quality - taken.price_usd == pytest.approx(best.surplus_usd, abs=1e-9)
    meant = [choose(options, Prices(value, 0.0, 0.0)).best for value in v]
    types = [UserType(str(k), value, best.option) for k, (value, best) in enumerate(zip(v, meant, strict=True)) if best]
    assert check(offers, types).is_compatible
