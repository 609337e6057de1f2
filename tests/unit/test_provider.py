"""What the local model provider of examples/ charges, and how each vendor's usage states it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import genai_prices
import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import TieredPrices

from examples.provider.catalog import MODELS, Model, find_model
from examples.provider.usage import (
    Usage,
    anthropic_usage,
    cost_usd,
    openai_chat_usage,
    openai_responses_usage,
)

USAGE = Usage(fresh=7, cache_read=100, cache_write_5m=20, cache_write_1h=3, output=11, reasoning=64)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("name", ["name", "snapshot"])
def test_prices_are_the_list_prices_of_today(model: Model, name: str) -> None:
    _, listed = get_snapshot().find_provider_model(getattr(model, name), None, model.vendor, None)
    prices = listed.get_prices(dt.datetime.now(tz=dt.UTC))

    def base(price: Decimal | TieredPrices | None) -> Decimal | None:
        """The price below the first tier, which no prompt of the provider may reach."""
        if isinstance(price, TieredPrices):
            assert all(tier.start > model.prompt_tokens_max for tier in price.tiers)
            return price.base
        return price

    assert base(prices.input_mtok) == model.price.fresh
    assert base(prices.cache_read_mtok) == model.price.cache_read
    assert base(prices.cache_write_mtok) == model.price.cache_write_5m
    assert base(prices.cache_write_1h_mtok) == model.price.cache_write_1h
    assert (base(prices.output_mtok) or Decimal(0)) == model.price.output


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_mixed_bill_is_what_the_price_list_makes_of_it(model: Model) -> None:
    usage = Usage(
        fresh=1_003,
        cache_read=2_048 if model.price.cache_read else 0,
        cache_write_5m=517 if model.price.cache_write_5m else 0,
        cache_write_1h=0,
        output=101 if model.kind == "chat" else 0,
        reasoning=64 if model.can_reason else 0,
    )
    listed = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=usage.prompt,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write,
            output_tokens=usage.generated,
        ),
        model.snapshot,
        provider_id=model.vendor,
    )
    assert cost_usd(usage, model.price) == listed.total_price


def test_every_leaf_is_charged_at_its_own_price_to_the_picodollar() -> None:
    haiku = find_model("claude-haiku-4-5", "anthropic")
    assert haiku is not None
    # 7 at 1, 100 at 0.1, 20 at 1.25, 3 at 2 and 11 + 64 at 5 USD per million
    assert cost_usd(USAGE, haiku.price) == Decimal("0.000423")
    assert f"{cost_usd(Usage(fresh=0, cache_read=1), haiku.price):.12f}" == "0.000000100000"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_no_price_needs_more_than_twelve_decimals(model: Model) -> None:
    for price in vars(model.price).values():
        cost = (price or Decimal(0)) / 1_000_000
        assert cost == cost.quantize(Decimal("1e-12"))


def test_a_kind_that_is_not_on_sale_cannot_be_charged() -> None:
    mini = find_model("gpt-5-mini", "openai")
    assert mini is not None
    with pytest.raises(ValueError, match="has no price"):
        cost_usd(USAGE, mini.price)
    with pytest.raises(ValueError, match="cannot be negative"):
        Usage(fresh=-1)


def test_openai_counts_cache_inside_input_and_reasoning_inside_output() -> None:
    for usage, given, produced in (
        (openai_chat_usage(USAGE), "prompt", "completion"),
        (openai_responses_usage(USAGE), "input", "output"),
    ):
        assert usage[f"{given}_tokens"] == 130
        assert usage[f"{produced}_tokens"] == 75
        assert usage["total_tokens"] == 205
        given_details: Any = usage[f"{given}_tokens_details"]
        produced_details: Any = usage[f"{produced}_tokens_details"]
        assert (given_details["cached_tokens"], given_details["cache_write_tokens"]) == (100, 23)
        assert produced_details["reasoning_tokens"] == 64


def test_anthropic_counts_three_disjoint_buckets() -> None:
    usage = anthropic_usage(USAGE)
    assert usage["input_tokens"] == 7
    assert usage["cache_read_input_tokens"] == 100
    assert usage["cache_creation_input_tokens"] == 23
    assert usage["cache_creation"] == {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 3}
    assert usage["output_tokens"] == 75
