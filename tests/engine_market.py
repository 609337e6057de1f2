"""Tenants on one engine, told by spans: what each option brings and takes is exact, so that the clearing price is known on paper.

Tasks are routed to `own`, which the engine serves, or to `far`, which it does not, by a fair coin that falls in turn. `own` is
worth (0.6·V − 0.05) − (0.9·V − 0.45) = 0.4 − 0.3·V dollars more than `far`, and takes 1,000 output tokens of the engine.
"""

from __future__ import annotations

from typing import Any

import psycopg

from analyzers.decisions.derive import derive
from tests.books import agent, chat, export, plain, price
from tests.desk import book
from tests.settled import settle_all

VAGUE = "vague"
"""An engine that does not tell how much it wrote."""
ENGINE = "gpu '1'\"<b>--"
ACME, GLOBEX, MUTE = "acme", "glob'ex <i>", "mute"
V_USD = {ACME: 0.5, GLOBEX: 1.0, MUTE: 0.5}
TASKS = 24
"""Of each tenant, one in every hour of a day."""
TOKENS = 1_000
_QUALITY, _USD_PER_MILLION = {"own": 0.6, "far": 0.9}, {"own": "50", "far": "450"}


def worth_usd(tenant: str) -> float:
    """What `own` is worth more than `far`."""
    return 0.4 - 0.3 * V_USD[tenant]


def per_s(tokens: float) -> float:
    """Tokens of the day as a rate."""
    return tokens / 86_400.0


def tell_market(dsn: str, writer: psycopg.Connection) -> None:
    """The spans of a day of three tenants. Of the last one's calls, which are of its model, the engine says nothing."""
    for model, usd in _USD_PER_MILLION.items():
        price(writer, {"input_tokens": "0", "output_tokens": usd}, model=model)
    for place, tenant in enumerate((ACME, GLOBEX, MUTE)):
        spans = [span for hour in range(TASKS) for span in _task(1 + 1_000 * place + hour, tenant, hour)]
        last = agent(900 + 1_000 * place, 1, task="nothing to decide", at=3_600.0 * TASKS - 600)
        book(dsn, [export(*spans, last, tenant=tenant)])
    settle_all(writer)
    derive(writer)


def _task(trace: int, tenant: str, hour: int) -> list[Any]:
    chosen = "own" if hour % 2 else "far"
    at = 3_600.0 * hour
    spans = [
        agent(trace, 1, task="fix", at=at, seconds=8.0, allocation__task__value_usd=V_USD[tenant],
              allocation__outcome=_QUALITY[chosen]),
        plain(trace, 2, 1, name="route", at=at + 0.5, seconds=0.1, allocation__use="route",
              allocation__route__candidates=["own", "far"], allocation__route__chosen=chosen,
              allocation__route__propensity=[0.5, 0.5]),
        chat(trace, 3, 1, id=f"r{trace}", input=50, output=TOKENS, model=chosen, at=at + 1, seconds=5.0),
    ]  # fmt: skip
    serves = {"own": {ACME: ENGINE, GLOBEX: ENGINE}, "far": {GLOBEX: "elsewhere", MUTE: VAGUE}}[chosen].get(tenant)
    if serves is not None:
        said: dict[str, Any] = {
            "layer": "supply", "engine": serves, "engine__queue_s": 0.0, "engine__prefill_s": 0.5, "engine__decode_s": 3.5,
            "engine__kv_tokens": 1_000,
        }  # fmt: skip
        attributes: dict[str, Any] = {f"allocation__{name}": value for name, value in said.items()}
        spans.append(
            chat(
                trace,
                4,
                3,
                id=f"r{trace}",
                input=50,
                output=None if serves == VAGUE else TOKENS,
                model=chosen,
                at=at + 1.5,
                seconds=4.0,
                **attributes,
            )
        )
    return spans
