"""Short completions asked by editor plug-ins that emit nothing: only the engine's own spans tell of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from random import Random

from economy.cache import Tokens
from economy.desk import engine_span
from economy.engine import Arrival, Process
from economy.parameters import ENGINE_MODEL
from economy.spans import Recorder
from economy.tasks import arrival_times

TASK_CLASS = "code.complete"
LAMBDA_USD_PER_S = 0.001
PER_TASK = 0.16  # completions per day, as a share of the fleet's tasks per day
TENANTS = ("acme", "globex")
PROMPT_TOKENS = (1_200, 2_600)
OUTPUT_TOKENS = (30, 120)


@dataclass(frozen=True)
class Completion:
    """One completion asked at `at_s`."""

    tenant: str
    at_s: float
    tokens: Tokens


def draw_completion(at_s: float, rng: Random) -> Completion:
    """A completion of a random plug-in user."""
    tokens = Tokens(fresh=rng.randint(*PROMPT_TOKENS), output=rng.randint(*OUTPUT_TOKENS))
    return Completion(rng.choice(TENANTS), at_s, tokens)


def stream(starts_at: datetime, days: float, tasks_per_day: int, rng: Random) -> list[Completion]:
    """The completions of the period, in order."""
    times = arrival_times(starts_at, days, PER_TASK * tasks_per_day, rng)
    return [draw_completion(at_s, rng) for at_s in times]


def ask(completion: Completion, recorder: Recorder, rng: Random) -> Process:
    """The process of a completion: one request, recorded by the engine alone."""
    tokens = completion.tokens
    service = yield Arrival(completion.at_s, int(tokens.input), 0, int(tokens.whole_output))
    request_id = f"cmpl-{rng.getrandbits(80):020x}"
    recorder.spans.append(engine_span(recorder, completion.tenant, None, tokens, service, request_id, TASK_CLASS))
    recorder.sell(completion.tenant, ENGINE_MODEL, tokens)
