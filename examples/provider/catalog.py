"""The models on sale and their prices.

The prices are literal and are the public list prices of these models, so that books kept with list prices
must come to the same cost. Every prompt stays below the first length at which a model's price rises.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Vendor = Literal["openai", "anthropic"]


@dataclass(frozen=True)
class Price:
    """List price in USD per million tokens of each kind; reasoning is billed as output.

    A kind that is None is not on sale: a model without `cache_write_5m` writes its cache for nothing,
    and the tokens it writes are billed as fresh input.
    """

    fresh: Decimal
    output: Decimal = Decimal(0)
    cache_read: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None


@dataclass(frozen=True)
class Model:
    """A model on sale: `name` is asked for, `snapshot` is what answers, as with the real vendors."""

    name: str
    snapshot: str
    vendor: Vendor
    price: Price
    kind: Literal["chat", "embedding"] = "chat"
    can_reason: bool = False
    prompt_tokens_max: int = 128_000


MODELS: tuple[Model, ...] = (
    Model(
        name="gpt-4.1-mini",
        snapshot="gpt-4.1-mini-2025-04-14",
        vendor="openai",
        price=Price(fresh=Decimal("0.4"), cache_read=Decimal("0.1"), output=Decimal("1.6")),
    ),
    Model(
        name="gpt-5-mini",
        snapshot="gpt-5-mini-2025-08-07",
        vendor="openai",
        price=Price(fresh=Decimal("0.25"), cache_read=Decimal("0.025"), output=Decimal("2")),
        can_reason=True,
    ),
    Model(
        name="gpt-6.1-terra",
        snapshot="gpt-6.1-terra",
        vendor="openai",
        price=Price(
            fresh=Decimal("1"),
            cache_read=Decimal("0.05"),
            cache_write_5m=Decimal("1.25"),
            output=Decimal("5"),
        ),
        can_reason=True,
    ),
    Model(
        name="text-embedding-3-small",
        snapshot="text-embedding-3-small",
        vendor="openai",
        price=Price(fresh=Decimal("0.02")),
        kind="embedding",
        prompt_tokens_max=8_192,
    ),
    Model(
        name="claude-haiku-4-5",
        snapshot="claude-haiku-4-5-20251001",
        vendor="anthropic",
        price=Price(
            fresh=Decimal("1"),
            cache_read=Decimal("0.1"),
            cache_write_5m=Decimal("1.25"),
            cache_write_1h=Decimal("2"),
            output=Decimal("5"),
        ),
        can_reason=True,
    ),
    Model(
        name="claude-sonnet-5-5",
        snapshot="claude-sonnet-5-5",
        vendor="anthropic",
        price=Price(
            fresh=Decimal("2"),
            cache_read=Decimal("0.1"),
            cache_write_5m=Decimal("2.5"),
            cache_write_1h=Decimal("4"),
            output=Decimal("10"),
        ),
        can_reason=True,
    ),
)


def find_model(name: str, vendor: Vendor) -> Model | None:
    """The model of this vendor that answers to a name or a snapshot; None when it is not on sale."""
    for model in MODELS:
        if model.vendor == vendor and name in (model.name, model.snapshot):
            return model
    return None
