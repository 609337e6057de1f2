"""The rows made of the price list charge what the library itself charges, for every model and tier."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import pairwise

import pytest
from genai_prices.data import providers
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
    Usage,
)

from ledger.commodities import COMMODITIES, COMMODITY_BY_NAME
from ledger.list_rates import ListRate, list_rates, offers, service_tier

NAMES = {c.commodity_id: c.commodity for c in COMMODITIES}
LEAVES = {
    "input_tokens": 1_003, "cache_read_tokens": 411, "cache_write_5m_tokens": 97, "cache_write_1h_tokens": 53,
    "input_audio_tokens": 31, "output_tokens": 700, "output_reasoning_tokens": 201, "requests": 1,
}  # fmt: skip
LARGE = 7_919  # times as much: above every context tier
INSTANTS = (
    datetime(2024, 5, 1, 12, tzinfo=UTC),
    datetime(2026, 8, 30, 2, 30, tzinfo=UTC),
    datetime(2026, 11, 2, 7, 59, tzinfo=UTC),
    datetime(2027, 3, 1, 0, 0, tzinfo=UTC),
)


@pytest.fixture(scope="module")
def rates() -> dict[tuple[str, str, str], list[ListRate]]:
    """All list rates by provider, model and service tier."""
    found: dict[tuple[str, str, str], list[ListRate]] = {}
    for rate in list_rates(providers):
        found.setdefault((rate.provider, rate.model, rate.service_tier), []).append(rate)
    return found


@pytest.mark.parametrize("at", INSTANTS, ids=str)
@pytest.mark.parametrize("times", [1, LARGE])
def test_every_model_costs_what_the_library_says(
    rates: dict[tuple[str, str, str], list[ListRate]], at: datetime, times: int
) -> None:
    leaves = {name: quantity * times if name != "requests" else 1 for name, quantity in LEAVES.items()}
    checked = 0
    for offer in offers(providers):
        own = rates.get((offer.provider.id, offer.name, "standard"), [])
        if offer.name.endswith(":free"):
            continue
        assert charge(own, leaves, at) == library_charge(offer.model, leaves, at, {}), (offer.provider.id, offer.name)
        checked += bool(own)
    assert checked > 2000


@pytest.mark.parametrize(
    "context", [{"processing": "batch"}, {"service_tier": "priority"}, {"service_tier": "flex"}, {"speed": "fast"}]
)
@pytest.mark.parametrize("at", INSTANTS[2:], ids=str)
def test_service_tiers_cost_what_the_library_says(
    rates: dict[tuple[str, str, str], list[ListRate]], context: dict[str, str], at: datetime
) -> None:
    [tier] = context.values()
    checked = 0
    for offer in offers(providers):
        own = rates.get((offer.provider.id, offer.name, tier), [])
        sold = any(v.when == context and v.prices.__dict__ for v in offer.model.price_variants or ())
        if own and sold and charge(own, LEAVES, at):
            assert charge(own, LEAVES, at) == library_charge(offer.model, LEAVES, at, context), (offer.provider.id, offer.name)
            checked += 1
        assert not own or offer.listed_by is offer.provider, "a fallback list has no service tiers"
    assert checked >= 5


def test_no_two_rows_price_the_same_line(rates: dict[tuple[str, str, str], list[ListRate]]) -> None:
    for rows in rates.values():
        by_key: dict[tuple[object, ...], list[ListRate]] = {}
        for rate in rows:
            by_key.setdefault(rate[2:7], []).append(rate)
        for same in by_key.values():
            ordered = sorted(same, key=lambda r: r.valid_from or datetime.min.replace(tzinfo=UTC))
            for earlier, later in pairwise(ordered):
                assert earlier.valid_until is not None
                assert later.valid_from is not None
                assert earlier.valid_until <= later.valid_from


def test_a_price_taken_over_says_from_what() -> None:
    by_name = rows_of(ModelPrice(input_mtok=Decimal(3), cache_write_mtok=Decimal("3.75"), output_mtok=Decimal(15)))
    assert by_name["input_tokens"].basis == "listed"
    assert by_name["cache_read_tokens"][9:12] == (Decimal(3), 1_000_000, "inherits input_tokens")
    assert by_name["cache_write_1h_tokens"][9:12] == (Decimal("3.75"), 1_000_000, "inherits cache_write_tokens")
    assert by_name["output_reasoning_tokens"].basis == "inherits output_tokens"


def test_a_commodity_without_a_wider_price_has_no_row() -> None:
    by_name = rows_of(ModelPrice(input_mtok=Decimal("0.02")))
    assert "input_tokens" in by_name
    assert not {"output_tokens", "output_reasoning_tokens", "web_searches", "requests"} & by_name.keys()
    assert rows_of(ModelPrice()) == {}


def test_a_name_that_says_free_is_free() -> None:
    assert rows_of(ModelPrice(), "acme/chat:free")["output_reasoning_tokens"].price_usd == 0


def test_dates_tiers_and_times_of_day_become_rows() -> None:
    night = TimeOfDateConstraint(start_time=time(22, tzinfo=UTC), end_time=time(6, tzinfo=UTC))
    model = ModelInfo(
        id="m",
        match=ClauseEquals("m"),
        prices=[
            ConditionalPrice(prices=ModelPrice(input_mtok=TieredPrices(Decimal(2), [Tier(200_000, Decimal(4))]))),
            ConditionalPrice(StartDateConstraint(date(2026, 3, 1)), prices=ModelPrice(input_mtok=Decimal(1))),
            ConditionalPrice(night, prices=ModelPrice(input_mtok=Decimal("0.5"))),
        ],
        price_variants=[
            PriceVariant({"processing": "batch"}, ModelPrice(input_mtok=Decimal("0.3")), StartDateConstraint(date(2026, 4, 1))),
            PriceVariant({"service_tier": "default"}, ModelPrice()),
            PriceVariant({"route": "eu"}, ModelPrice(input_mtok=Decimal("1.1"))),
        ],
    )
    rows = [r for r in list_rates([provider(model)]) if NAMES[r.commodity_id] == "input_tokens"]
    march, april = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    told = {
        (r.service_tier, r.context_above, r.daily_from.hour, r.daily_until.hour, r.valid_from, r.valid_until, str(r.price_usd))
        for r in rows
    }
    assert told == {
        ("standard", 0, 0, 0, None, march, "2"),
        ("standard", 200_000, 0, 0, None, march, "4"),
        ("standard", 0, 0, 0, march, None, "1"),
        ("standard", 0, 22, 6, None, None, "0.5"),
        ("batch", 0, 0, 0, april, None, "0.3"),
        ("route=eu", 0, 0, 0, None, None, "1.1"),
    }


def test_names_of_the_ordinary_tier() -> None:
    assert {service_tier(name) for name in (None, "", "default", "AUTO", "on_demand", "standard", "standard_only")} == {
        "standard"
    }
    assert service_tier(" Priority ") == "priority"


def provider(model: ModelInfo) -> Provider:
    """A provider that sells one model."""
    return Provider(id="acme", name="Acme", api_pattern="https://acme", models=[model])


def rows_of(prices: ModelPrice, model_id: str = "m") -> dict[str, ListRate]:
    """Rows of a model with these prices, by commodity."""
    model = ModelInfo(id=model_id, match=ClauseEquals(model_id), prices=prices)
    return {NAMES[rate.commodity_id]: rate for rate in list_rates([provider(model)])}


def charge(rows: list[ListRate], leaves: dict[str, int], at: datetime) -> Decimal:
    """Sum over the leaves at the row that the price book's rule picks; a leaf without one costs nothing, as in the library."""
    whole_input = sum(q for name, q in leaves.items() if COMMODITY_BY_NAME[name].direction == "input")
    total = Decimal(0)
    for name, quantity in leaves.items():
        fitting = [r for r in rows if NAMES[r.commodity_id] == name and fits(r, whole_input, at)]
        if fitting:
            best = max(fitting, key=lambda r: (r.context_above, r.daily_from != r.daily_until))
            total += best.price_usd * quantity / best.per
    return total


def fits(rate: ListRate, whole_input: int, at: datetime) -> bool:
    """Whether a row is for calls of this size at this time."""
    start, end, moment = rate.daily_from, rate.daily_until, at.time()
    in_day = start <= moment < end if start < end else moment >= start or moment < end
    return (
        (rate.valid_from is None or rate.valid_from <= at)
        and (rate.valid_until is None or at < rate.valid_until)
        and (rate.context_above == 0 or rate.context_above < whole_input)
        and (start == end or in_day)
    )


def library_charge(model: ModelInfo, leaves: dict[str, int], at: datetime, context: dict[str, str]) -> Decimal:
    """What genai-prices charges for the same usage, given in its inclusive counts."""
    used = dict(leaves)
    used.pop("requests")
    used["cache_write_tokens"] = used["cache_write_5m_tokens"] + used["cache_write_1h_tokens"]
    used["input_tokens"] += used["cache_read_tokens"] + used["cache_write_tokens"] + used["input_audio_tokens"]
    used |= {"cache_audio_read_tokens": 0, "cache_audio_write_tokens": 0, "output_audio_reasoning_tokens": 0}
    used["output_tokens"] += used["output_reasoning_tokens"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.get_prices(at, context or None).calc_price(Usage(**used))["total_price"]
