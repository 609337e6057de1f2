"""The structural model against a second, plain computation; its prices against the public list."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
import yaml
from genai_prices import Usage, calc_price

import economy
from economy.appraisal import Cell, Choice, expect
from economy.classes import CLASSES
from economy.engine import idle_latency_s
from economy.parameters import DIFFICULTIES, DIFFICULTY_TOKENS, EMBEDDING_MODEL, ENGINE, ENGINE_MODEL, MODELS, Caching

MILLION = 1_000_000
CACHING: tuple[Caching, ...] = ("prefix", "none", "churn")


def cells() -> Iterator[Cell]:
    for kind in CLASSES.values():
        for difficulty, (value, _) in product(DIFFICULTIES, kind.values):
            yield Cell(kind.name, difficulty, value)


def choices(cell: Cell) -> Iterator[Choice]:
    action = cell.kind.action
    confirms = (False, True) if action is not None and action.asks else (False,)
    for model, verify, confirm, caching in product(cell.kind.menu, (0, 1, 2), confirms, CACHING):
        yield Choice(model, verify, confirm, caching)


def naive_price(model: str, fresh: float, read: float, write: float, out: float) -> float:
    price = MODELS[model]
    assert price.input is not None
    assert price.output is not None
    return (
        fresh * float(price.input)
        + read * float(price.cache_read or 0)
        + write * float(price.cache_write or 0)
        + out * float(price.output)
    ) / MILLION


def naive_seconds(model: str, prompt: float, cached: float, out: float) -> float:
    if model == ENGINE_MODEL:
        return 0.02 + idle_latency_s(ENGINE, prompt, cached, out)
    return MODELS[model].first_token_s + out / MODELS[model].tokens_per_s


def naive_net(cell: Cell, choice: Choice) -> float:
    """V·Q − C − λ·L − R, written out once more, call by call."""
    kind, factor = CLASSES[cell.task_class], DIFFICULTY_TOKENS[cell.difficulty]
    usd, seconds = 0.0, 0.03
    for call in range(kind.calls):
        prefix, fresh, out = kind.prefix_tokens * factor, kind.fresh_tokens * factor, kind.output_tokens * factor
        anthropic = choice.model.startswith("claude")
        hit = choice.caching == "prefix" and call > 0
        written = anthropic and not hit and choice.caching != "none"
        read, write = (prefix if hit else 0.0), (prefix if written else 0.0)
        usd += naive_price(choice.model, fresh + prefix - read - write, read, write, out)
        seconds += naive_seconds(choice.model, fresh + prefix, read, out)
    check = kind.verification
    for _ in range(choice.verify):
        usd += naive_price(check.model, check.input_tokens * factor, 0, 0, check.output_tokens * factor)
        seconds += naive_seconds(check.model, check.input_tokens * factor, 0, check.output_tokens * factor) + check.tool_s
    delegation = kind.delegation
    if delegation is not None and cell.difficulty in delegation.difficulties:
        usd += naive_price(delegation.model, delegation.input_tokens, 0, 0, delegation.output_tokens)
        seconds += naive_seconds(delegation.model, delegation.input_tokens, 0, delegation.output_tokens)
        seconds += 1.2 if kind.agent == "coder" else 0.0
    if kind.agent == "support":
        usd += naive_price("gpt-4o-mini", 420, 0, 0, 12)
        seconds += naive_seconds("gpt-4o-mini", 420, 0, 12)
    seconds += 1.2 * (len(kind.reads) + len(kind.drafts) + (1 if kind.action else 0))
    wrong = (1 - kind.quality[cell.difficulty][kind.menu.index(choice.model)]) * (1 - kind.verification.repair[choice.verify])
    quality, loss = 1 - wrong, 0.0
    if kind.action is not None:
        loss = wrong * kind.action.incident_probability * kind.action.loss_usd
        if choice.confirm:
            loss *= 1 - kind.action.catch
            quality *= 1 - kind.action.abandoned
            seconds += kind.action.wait_s
    return cell.value_usd * quality - usd - kind.lambda_usd_per_s * seconds - loss


def test_net_equals_a_plain_computation_for_every_cell_and_choice() -> None:
    compared = 0
    for cell in cells():
        for choice in choices(cell):
            assert math.isclose(expect(cell, choice).net_usd, naive_net(cell, choice), abs_tol=1e-9), (cell, choice)
            compared += 1
    assert compared > 1_000


@pytest.mark.parametrize("name", [m.name for m in MODELS.values() if m.provider != "vllm"])
def test_constants_are_the_public_list_prices(name: str) -> None:
    model, moment = MODELS[name], datetime(2026, 11, 20, tzinfo=UTC)

    def listed(**usage: int) -> Decimal:
        usage = {"input_tokens": MILLION, **usage}
        price = calc_price(Usage(**usage), name, provider_id=model.provider, genai_request_timestamp=moment)
        return price.total_price

    assert listed() == model.input
    assert listed(output_tokens=MILLION) - listed() == model.output
    assert listed(cache_read_tokens=MILLION) == model.cache_read
    if model.cache_write is not None:
        assert listed(cache_write_tokens=MILLION) == model.cache_write


@pytest.mark.parametrize("name", [ENGINE_MODEL, EMBEDDING_MODEL])
def test_self_hosted_models_are_unknown_to_the_public_list(name: str) -> None:
    with pytest.raises(LookupError):
        calc_price(Usage(input_tokens=1), name)


def test_rates_file_states_the_engine_models_prices_for_every_tenant() -> None:
    path = Path(str(economy.__file__)).with_name("rates.yaml")
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    model = MODELS[ENGINE_MODEL]
    wanted = {"input_tokens": model.input, "cache_read_tokens": model.cache_read, "output_tokens": model.output}
    assert {(row["tenant"], row["commodity"]): Decimal(row["usd"]) for row in rows} == {
        (tenant, commodity): price for tenant in ("acme", "globex", "initech") for commodity, price in wanted.items()
    }
    assert {(row["provider"], row["model"], row["per"]) for row in rows} == {("vllm", ENGINE_MODEL, MILLION)}
