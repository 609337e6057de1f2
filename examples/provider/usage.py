"""What one response used, as disjoint kinds of tokens, and what it costs.

The vendors report the same leaves in different shapes: OpenAI counts the cache inside the input and the
reasoning inside the output; Anthropic reports three disjoint buckets of input. Both shapes are made here,
from the same leaves, so that neither can drift from the ledger of sales.
"""

from dataclasses import dataclass
from decimal import Decimal

from .catalog import Price

PER_MILLION = Decimal(1_000_000)

Json = dict[str, object]


@dataclass(frozen=True)
class Usage:
    """Disjoint token counts of one response: nothing is counted in two of them."""

    fresh: int
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0

    def __post_init__(self) -> None:
        for name, count in vars(self).items():
            if count < 0:
                raise ValueError(f"usage cannot be negative: {name}={count}")

    @property
    def cache_write(self) -> int:
        """All tokens written to the cache, for either time to live."""
        return self.cache_write_5m + self.cache_write_1h

    @property
    def prompt(self) -> int:
        """All tokens that were read, from the cache or not."""
        return self.fresh + self.cache_read + self.cache_write

    @property
    def generated(self) -> int:
        """All tokens the model produced, to be read or not."""
        return self.output + self.reasoning


def cost_usd(usage: Usage, price: Price) -> Decimal:
    """The exact cost in USD; raises ValueError when a kind was used that the model does not sell."""
    lines = (
        (usage.fresh, price.fresh),
        (usage.cache_read, price.cache_read),
        (usage.cache_write_5m, price.cache_write_5m),
        (usage.cache_write_1h, price.cache_write_1h),
        (usage.generated, price.output),
    )
    cost = Decimal(0)
    for tokens, usd_per_million in lines:
        if tokens and usd_per_million is None:
            raise ValueError(f"{tokens} tokens of a kind that has no price")
        cost += tokens * (usd_per_million or Decimal(0)) / PER_MILLION
    return cost


def openai_chat_usage(usage: Usage) -> Json:
    """`usage` of /v1/chat/completions: the details are parts of the totals."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.generated,
        "total_tokens": usage.prompt + usage.generated,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def openai_responses_usage(usage: Usage) -> Json:
    """`usage` of /v1/responses: the same leaves under that API's names."""
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write,
        },
        "output_tokens": usage.generated,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.generated,
    }


def anthropic_usage(usage: Usage) -> Json:
    """`usage` of a /v1/messages message: `input_tokens` is the fresh part alone."""
    return {
        "input_tokens": usage.fresh,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.generated,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
        "service_tier": "standard",
    }
