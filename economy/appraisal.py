"""The structural model: what an option is worth before it is tried (eq. 1), from the constants alone.

These are the potential outcomes of the economy. Realised outcomes are draws around them; the truth is these expectations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from economy.cache import Tokens, call_tokens
from economy.classes import CLASSES, Delegation, TaskClass, Verification
from economy.engine import idle_latency_s
from economy.parameters import (
    CLASSIFIER_MODEL,
    DIFFICULTY_TOKENS,
    ENGINE,
    MODELS,
    REUSE_LATENCY_S,
    REUSE_QUALITY,
    RHO,
    Caching,
    Difficulty,
    Model,
)

CLASSIFIER_TOKENS = Tokens(fresh=420, output=12)
TOOL_S = 1.2
ROUTE_S = 0.03
NETWORK_S = 0.01  # between a client and the engine, each way


@dataclass(frozen=True)
class Cell:
    """What is known about a task before anything is decided."""

    task_class: str
    difficulty: Difficulty
    value_usd: float

    @property
    def kind(self) -> TaskClass:
        """The constants of the task's class."""
        return CLASSES[self.task_class]


@dataclass(frozen=True)
class Choice:
    """All decisions taken on one task. `model` is ignored when a stored answer is reused."""

    model: str
    verify: int
    confirm: bool
    caching: Caching = "prefix"
    reuse: bool = False


@dataclass(frozen=True)
class Appraisal:
    """Expected consequences of a choice: quality in [0, 1], USD, seconds, USD of expected loss."""

    value_usd: float
    lambda_usd_per_s: float
    quality: float
    cost_usd: float
    latency_s: float
    risk_usd: float

    @property
    def net_usd(self) -> float:
        """V·Q − C − λ·L − ρ·R (eq. 1)."""
        return self.value_usd * self.quality - self.cost_usd - self.lambda_usd_per_s * self.latency_s - RHO * self.risk_usd


def cost_usd(model: Model, tokens: Tokens) -> float:
    """Cash cost of tokens at the model's prices; 0 for a model without price, whose cost is unknown to everyone."""
    if model.input is None or model.output is None:
        return 0.0
    read = model.cache_read if model.cache_read is not None else model.input
    write = model.cache_write if model.cache_write is not None else model.input
    per_million = (
        tokens.fresh * float(model.input)
        + tokens.cache_read * float(read)
        + tokens.cache_write * float(write)
        + (tokens.output + tokens.reasoning) * float(model.output)
    )
    return per_million / 1e6


def call_latency_s(model: Model, tokens: Tokens) -> float:
    """Expected latency of one call; the engine's model is taken on an idle engine."""
    if model.engine is not None:
        return 2 * NETWORK_S + idle_latency_s(ENGINE, tokens.input, tokens.cache_read, tokens.whole_output)
    return model.first_token_s + tokens.whole_output / model.tokens_per_s


def verification_tokens(verification: Verification, difficulty: Difficulty) -> Tokens:
    """Mean tokens of one verification pass."""
    factor = DIFFICULTY_TOKENS[difficulty]
    return Tokens(fresh=verification.input_tokens * factor, output=verification.output_tokens * factor)


def delegation_tokens(delegation: Delegation) -> Tokens:
    """Mean tokens of a sub-agent's one call."""
    return Tokens(fresh=delegation.input_tokens, output=delegation.output_tokens)


@cache
def expect(cell: Cell, choice: Choice) -> Appraisal:
    """Expected consequences of `choice` for a task of `cell`."""
    kind = cell.kind
    if choice.reuse:
        quality = REUSE_QUALITY[kind.name]
        return Appraisal(cell.value_usd, kind.lambda_usd_per_s, quality, 0.0, REUSE_LATENCY_S, 0.0)
    right = right_probability(cell, choice)
    cost, latency = _work(cell, choice)
    risk = (1.0 - right) * incident_usd(kind, choice.confirm)
    quality = right
    if choice.confirm and kind.action is not None:
        quality *= 1.0 - kind.action.abandoned
        latency += kind.action.wait_s
    return Appraisal(cell.value_usd, kind.lambda_usd_per_s, quality, cost, latency, risk)


def right_probability(cell: Cell, choice: Choice) -> float:
    """Probability that the work is right after its checks, before anybody is asked."""
    kind = cell.kind
    before = kind.quality[cell.difficulty][kind.menu.index(choice.model)]
    return before + (1.0 - before) * kind.verification.repair[choice.verify]


def incident_usd(kind: TaskClass, confirm: bool) -> float:
    """Expected loss when a wrong result is acted on; 0 for classes that do nothing to the world."""
    action = kind.action
    if action is None:
        return 0.0
    return action.incident_probability * action.loss_usd * (1.0 - action.catch * confirm)


def _work(cell: Cell, choice: Choice) -> tuple[float, float]:
    """Expected (USD, seconds) of the calls and tools of a task."""
    kind = cell.kind
    steps: list[tuple[Model, Tokens]] = [
        (MODELS[choice.model], call_tokens(kind, cell.difficulty, MODELS[choice.model], choice.caching, index))
        for index in range(kind.calls)
    ]
    tools = len(kind.reads) + len(kind.drafts) + (kind.action is not None)
    check = kind.verification
    steps += [(MODELS[check.model], verification_tokens(check, cell.difficulty))] * choice.verify
    if kind.delegation is not None and cell.difficulty in kind.delegation.difficulties:
        steps.append((MODELS[kind.delegation.model], delegation_tokens(kind.delegation)))
        tools += kind.agent == "coder"  # the explorer lists files
    if kind.agent == "support":
        steps.append((MODELS[CLASSIFIER_MODEL], CLASSIFIER_TOKENS))
    latency = ROUTE_S + tools * TOOL_S + choice.verify * check.tool_s
    latency += sum(call_latency_s(model, tokens) for model, tokens in steps)
    return sum(cost_usd(model, tokens) for model, tokens in steps), latency


def route_options(cell: Cell, choice: Choice) -> dict[str, Appraisal]:
    """Each model of the menu, the other decisions as they are."""
    return {model: expect(cell, replace(choice, model=model)) for model in cell.kind.menu}


def verify_options(cell: Cell, choice: Choice) -> dict[str, Appraisal]:
    """Each number of verification passes, the other decisions as they are."""
    return {str(n): expect(cell, replace(choice, verify=n)) for n in (0, 1, 2)}


def confirm_options(cell: Cell, choice: Choice) -> dict[str, Appraisal]:
    """Acting at once and asking first, the other decisions as they are."""
    action = cell.kind.action
    if action is None or not action.asks:
        return {}
    asked = expect(cell, replace(choice, confirm=True))
    return {"none": expect(cell, replace(choice, confirm=False)), action.confirmation: asked}


def cache_options(cell: Cell, choice: Choice) -> dict[str, Appraisal]:
    """Each way of using the provider's prompt cache, the other decisions as they are."""
    ways: Sequence[Caching] = ("prefix", "none", "churn")
    return {caching: expect(cell, replace(choice, caching=caching)) for caching in ways}


def reuse_options(cell: Cell, choice: Choice) -> dict[str, Appraisal]:
    """Answering from the store and working on the task. `choice` says how it would be worked on."""
    return {"reuse": expect(cell, replace(choice, reuse=True)), "work": expect(cell, replace(choice, reuse=False))}


def best_of(options: dict[str, Appraisal]) -> str:
    """The option of largest net; the first of the menu when several are equal."""
    return max(options, key=lambda name: options[name].net_usd)
