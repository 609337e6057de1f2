"""What a newer price list adds: dated changes in full, undated ones from now on, and never anything else."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal

import pytest

from ledger.list_rates import ListRate
from ledger.price_changes import HeldRate, changes

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def listed(
    price: str,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    above: int = 0,
    hours: tuple[int, int] = (0, 0),
    model: str = "m",
    basis: str = "listed",
) -> ListRate:
    """A row of the list for input tokens."""
    window = time(hours[0]), time(hours[1])
    return ListRate("acme", model, 1, "standard", above, *window, start, end, Decimal(price), 1_000_000, basis, "acme")


def held(*rates: ListRate, revision: int = 1) -> list[HeldRate]:
    """Rows as the database holds them after they were loaded."""
    return [HeldRate(*r[:7], revision, r.valid_from, r.valid_until, r.price_usd, r.per) for r in rates]


def added(before: list[HeldRate], after: list[ListRate]) -> list[tuple[str, datetime | None, datetime | None, int, int]]:
    """What the change adds, as (price, from, until, context_above, revision)."""
    return [
        (str(n.rate.price_usd), n.rate.valid_from, n.rate.valid_until, n.rate.context_above, n.revision)
        for n in changes(before, after, NOW)
    ]


def test_the_first_list_is_taken_whole() -> None:
    assert added([], [listed("3", None, MARCH), listed("2", MARCH)]) == [("3", None, MARCH, 0, 1), ("2", MARCH, None, 0, 1)]


def test_the_same_list_adds_nothing() -> None:
    same = [listed("3", None, MARCH), listed("2", MARCH), listed("4", above=200_000), listed("1", hours=(22, 6))]
    assert added(held(*same), same) == []


@pytest.mark.parametrize("start", [JUNE, DECEMBER], ids=["heard of late", "in the future"])
def test_a_dated_change_holds_from_its_date(start: datetime) -> None:
    assert added(held(listed("3")), [listed("3", None, start), listed("2", start)]) == [("2", start, None, 0, 2)]


def test_an_undated_change_holds_from_now_and_leaves_the_past() -> None:
    before = held(listed("3"))
    assert added(before, [listed("2")]) == [("2", NOW, None, 0, 2)]
    assert added([*before, *held(listed("2", NOW), revision=2)], [listed("2")]) == []


def test_a_correction_of_a_known_date_is_undated() -> None:
    before = held(listed("3", None, JUNE), listed("2", JUNE))
    assert added(before, [listed("5", None, JUNE), listed("1", JUNE)]) == [("1", NOW, None, 0, 2)]


def test_a_correction_of_what_is_to_come_holds_from_then() -> None:
    before = held(listed("3", None, DECEMBER), listed("2", DECEMBER))
    assert added(before, [listed("3", None, DECEMBER), listed("1", DECEMBER)]) == [("1", DECEMBER, None, 0, 2)]


def test_what_was_unpriced_is_priced_for_all_its_time() -> None:
    assert added(held(listed("3")), [listed("3"), listed("7", model="new")]) == [("7", None, None, 0, 1)]
    assert added(held(listed("3", MARCH)), [listed("4", None, MARCH), listed("3", MARCH)]) == [("4", None, MARCH, 0, 1)]


def test_a_new_context_tier_does_not_re_value_the_past() -> None:
    assert added(held(listed("3")), [listed("3"), listed("6", above=200_000)]) == [("6", NOW, None, 200_000, 1)]
    dated = [listed("3"), listed("6", JUNE, above=200_000)]
    assert added(held(listed("3")), dated) == [("6", JUNE, None, 200_000, 1)]


def test_a_vanished_context_tier_costs_what_is_below_it_from_now_on() -> None:
    before = held(listed("3"), listed("6", above=200_000))
    assert added(before, [listed("3")]) == [("3", NOW, None, 200_000, 2)]


def test_a_vanished_part_of_the_day_costs_what_the_day_costs() -> None:
    before = held(listed("3"), listed("1", hours=(22, 6)))
    [new] = changes(before, [listed("3")], NOW)
    assert (new.rate.daily_from, new.rate.price_usd, new.rate.valid_from, new.revision) == (time(22), Decimal(3), NOW, 2)


def test_what_the_list_no_longer_has_stays() -> None:
    assert added(held(listed("3"), listed("4", model="old")), [listed("3")]) == []


def test_another_basis_at_the_same_price_is_no_change() -> None:
    assert added(held(listed("3", basis="inherits input_tokens")), [listed("3")]) == []


def test_later_revisions_hide_earlier_ones() -> None:
    before = [*held(listed("3")), *held(listed("2", JUNE), revision=2), *held(listed("1", JUNE, DECEMBER), revision=3)]
    after = [listed("3", None, JUNE), listed("1", JUNE, DECEMBER), listed("9", DECEMBER)]
    assert added(before, after) == [("9", DECEMBER, None, 0, 3)]
