"""The structural constants of the economy: models, engine, prices of latency and risk.

Everything the truth is computed from stands in this file, in `classes.py` (the kinds of task) and in `faults.py` (the
injected misallocations). Units last: tokens per second, USD per million tokens, USD per second.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

Difficulty: TypeAlias = Literal["easy", "medium", "hard"]
Caching: TypeAlias = Literal["prefix", "none", "churn"]

DIFFICULTIES: tuple[Difficulty, ...] = ("easy", "medium", "hard")
DIFFICULTY_SHARE: dict[Difficulty, float] = {"easy": 0.40, "medium": 0.35, "hard": 0.25}
# Harder tasks carry longer prompts and answers: difficulty is visible in the tokens, as it is in real logs.
DIFFICULTY_TOKENS: dict[Difficulty, float] = {"easy": 0.7, "medium": 1.0, "hard": 1.5}

TENANTS = ("acme", "globex", "initech")

# Share of decisions taken at random among the alternatives. The router logs its propensities; agents do not.
ROUTE_EXPLORATION = 0.10
VERIFY_EXPLORATION = 0.10
CONFIRM_EXPLORATION = 0.04

# USD per unit of expected loss: the fleet is risk-neutral.
RHO = 1.0


@dataclass(frozen=True)
class Model:
    """A model and what it costs. Prices are USD per million tokens; `None` means that the price is not known.

    `cache_write` is None where the provider does not charge for writing its cache. `reasoning_share` is the part of the
    output that is reasoning (billed as output). `first_token_s` and `tokens_per_s` do not apply to the engine's model,
    whose times come from the engine itself.
    """

    name: str
    provider: str
    input: Decimal | None
    output: Decimal | None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    first_token_s: float = 0.0
    tokens_per_s: float = 0.0
    reasoning_share: float = 0.0
    engine: str | None = None

    @property
    def is_priced(self) -> bool:
        """Whether anybody has stated a price for this model."""
        return self.input is not None


def _priced(name: str, provider: str, prices: str, first_token_s: float, speed: float, thinks: float = 0.0) -> Model:
    """A model from `input/output/cache read[/cache write]` in USD per million tokens."""
    parts = [Decimal(part) for part in prices.split("/")]
    write = parts[3] if len(parts) > 3 else None
    return Model(name, provider, parts[0], parts[1], parts[2], write, first_token_s, speed, thinks)


ENGINE_MODEL = "fleet-32b"
EMBEDDING_MODEL = "fleet-embed-s"
CLASSIFIER_MODEL = "gpt-4o-mini"

# Public list prices; a test holds them against the price list the ledger loads. The self-hosted rate is the one in
# rates.yaml. The embedding model has no price on purpose: its calls must show as unpriced, never as free.
MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(ENGINE_MODEL, "vllm", Decimal("0.10"), Decimal("0.40"), Decimal("0.02"), engine="engine-a"),
        _priced("gpt-4o-mini", "openai", "0.15/0.60/0.075", 0.35, 110),
        _priced("gpt-4.1-mini", "openai", "0.40/1.60/0.10", 0.5, 90),
        _priced("gemini-2.5-flash", "google", "0.30/2.50/0.03", 0.5, 150, 0.3),
        _priced("claude-haiku-4-5", "anthropic", "1/5/0.10/1.25", 0.6, 120),
        _priced("claude-sonnet-4-6", "anthropic", "3/15/0.30/3.75", 1.0, 65),
        _priced("claude-opus-4-6", "anthropic", "5/25/0.50/6.25", 1.4, 45, 0.25),
        Model(EMBEDDING_MODEL, "vllm", None, None, first_token_s=0.08, tokens_per_s=1e6),
    )
}


@dataclass(frozen=True)
class EngineParameters:
    """One accelerator serving one model by continuous batching, first come first served.

    A prefill runs alone and stalls decoding; a decode step takes `step_s + step_per_sequence_s·batch +
    step_per_kv_token_s·kv` and yields `1 + drafted·acceptance` tokens per sequence, since `drafted` tokens are proposed by
    a small model at each step. A request holds KV for its whole prompt and output from admission to its end.
    """

    name: str
    prefill_tokens_per_s: float
    step_s: float
    step_per_sequence_s: float
    step_per_kv_token_s: float
    kv_capacity_tokens: int
    batch_max: int
    drafted: int
    acceptance_short: float
    acceptance_long: float
    long_context_tokens: int


ENGINE = EngineParameters(
    name="engine-a",
    prefill_tokens_per_s=36_000.0,
    step_s=0.030,
    step_per_sequence_s=0.0002,
    step_per_kv_token_s=8e-8,
    kv_capacity_tokens=800_000,
    batch_max=48,
    drafted=3,
    acceptance_short=0.62,
    acceptance_long=0.40,
    long_context_tokens=32_000,
)


@dataclass(frozen=True)
class TrainingParameters:
    """The asynchronous training loop (eq. 11): A' = A + gain(staleness) − depreciation·A, one update at a time.

    `gain_fresh` is the capability a batch of zero staleness adds (units of quality); it falls linearly and crosses zero at
    `staleness_zero` versions. `value_usd` is what one unit of capability is worth over its life.
    """

    tenant: str = "acme"
    updates_per_day: int = 10
    rollouts_per_batch: int = 8
    gain_fresh: float = 0.004
    staleness_zero: float = 5.0
    depreciation: float = 0.001
    capability_start: float = 0.62
    noise: float = 0.0006
    value_usd: float = 300.0
    queue_fresh: int = 1
    queue_stale: int = 8
    judge: str = "claude-haiku-4-5"
    rollout_tokens: tuple[int, int] = (2_500, 1_800)
    reward_tokens: tuple[int, int] = (4_600, 120)


TRAINING = TrainingParameters()

# Relative arrivals by hour of day (UTC) and day of week (Monday first); both average 1.
_HOURS = (2, 1, 1, 1, 1, 2, 4, 8, 14, 18, 18, 16, 13, 15, 17, 17, 15, 12, 8, 6, 5, 4, 3, 2)
HOUR_WEIGHT = tuple(hour * 24 / sum(_HOURS) for hour in _HOURS)
WEEKDAY_WEIGHT = (1.25, 1.3, 1.25, 1.25, 1.2, 0.4, 0.35)

# Reports are launched by a scheduler in bursts on working days: seconds after midnight, night and office.
REPORT_SLOTS_NIGHT_S = (3_600, 9_000, 14_400, 19_800)
REPORT_SLOTS_OFFICE_S = (34_200, 39_600, 50_400, 57_600)
REPORT_SHARE = 0.04  # of a day's tasks, in each burst
REPORT_SPREAD_S = 120.0

# Realised token counts scatter around their mean by this much, uniformly.
INPUT_JITTER = 0.15
OUTPUT_JITTER = 0.30

# Imperfections of the telemetry itself.
GATEWAY_COPY_SHARE = 0.015  # calls that a gateway reports a second time
WRONG_TOTAL_SHARE = 0.006  # coder runs whose agent span states wrong totals
EMBEDDING_SHARE = 0.25  # research tasks that embed their query
REUSE_AVAILABLE = {"support.faq": 0.20, "support.incident": 0.50}
REUSE_QUALITY = {"support.faq": 0.945, "support.incident": 0.50}
REUSE_LATENCY_S = 0.4
