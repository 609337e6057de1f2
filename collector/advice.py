"""What a price vector says to the router, the agent, the engine and the trainer: one sentence each, with its prices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from pydantic import BaseModel, Field

from allocation.rule import Choice, Crossover
from ledger.price_vector import Vector

PriceSource: TypeAlias = Literal["request", "policy", "tasks", "dual", "none"]


class UsedPrice(BaseModel):
    """A price that was used, where it comes from and how old it is. `value` null: nobody knows it."""

    value: float | None
    source: PriceSource
    age_s: float | None = Field(description="Seconds since it holds; null for those of the request.")


class UsedPrices(BaseModel):
    """The vector a quote was made with. `budget_worth`: what the last dollar of compute brings in value; V is divided by it."""

    v_usd: UsedPrice
    lambda_usd_per_s: UsedPrice
    rho: UsedPrice
    budget_worth: float


class Advice(BaseModel):
    """One sentence for each layer, naming the prices it used, where they come from and how old they are."""

    router: str
    agent: str
    engine: str
    trainer: str


def advise(task_class: str | None, choice: Choice, found: Sequence[Crossover], used: UsedPrices, vector: Vector | None) -> Advice:
    """The sentences on a menu's choice and crossovers at the prices used; `vector` is where duals tell their slack."""
    tasks = f"tasks of {task_class}" if task_class else "such tasks"
    return Advice(
        router=_router(tasks, choice, found, used),
        agent=_agent(used),
        engine=_engine(tasks, used.lambda_usd_per_s, vector),
        trainer=_trainer(tasks, used.v_usd),
    )


def _router(tasks: str, choice: Choice, found: Sequence[Crossover], used: UsedPrices) -> str:
    best = choice.best
    if best is None:
        missing = "; ".join(f"{one.option}: {one.why}" for one in choice.refused)
        return f"No option can be compared ({missing}): state what is missing, or a price."
    told = f"({_one('V', used.v_usd)}, {_one('λ', used.lambda_usd_per_s)}, {_one('ρ', used.rho)})"
    if best.surplus_usd < 0:
        return f"Leave {tasks} alone: even {best.option} takes {_usd(-best.surplus_usd)} USD more than it brings {told}."
    others = sorted((one.surplus_usd for one in choice.terms if one is not best), reverse=True)
    ahead = f", {_usd(best.surplus_usd - others[0])} USD ahead of the next" if others else ""
    turns = "".join(
        f"; from V = {_usd(one.v_usd * used.budget_worth)} on {one.above} is better than {one.below}" for one in found
    )
    return f"Send {tasks} to {best.option}: it nets {_usd(best.surplus_usd)} USD{ahead}{turns} {told}."


def _agent(used: UsedPrices) -> str:
    v, rho = used.v_usd.value, used.rho.value
    if v is None:
        return "V is not known: without it no step can be said to pay; state it with the task."
    risk = "what a dollar of expected loss costs is not known"
    if rho is not None:
        risk = f"a dollar of expected loss avoided is worth {_usd(rho)} USD"
    told = f"({_one('V', used.v_usd)}, {_one('ρ', used.rho)})"
    return f"Take a further step while it costs less than {_usd(v / 100)} USD for each point of success it adds; {risk} {told}."


def _engine(tasks: str, price: UsedPrice, vector: Vector | None) -> str:
    if price.value is None:
        return f"What a second of {tasks} is worth is not known: state λ, or an SLA to solve it for."
    told = f"({_one('λ', price)})"
    if price.value > 0:
        return f"Spend up to {_usd(price.value)} USD to save {tasks} a second, and serve dearer seconds first {told}."
    slack = [one for one in (vector.constraints if vector is not None else []) if one.get("kind") == "latency_sla"]
    why = f"{slack[0]['name']} is slack" if slack and price.source == "dual" else "λ is 0"
    return f"Batch {tasks} for cost: {why}, so a second saved is worth nothing {told}."


def _trainer(tasks: str, price: UsedPrice) -> str:
    if price.value is None:
        return f"V of {tasks} is not known: what an update is worth cannot be said."
    worth = f"A point of quality on {tasks} is worth {_usd(price.value / 100)} USD of compute a task"
    return f"{worth}: train while a point costs less than that over the tasks it will serve ({_one('V', price)})."


def _one(symbol: str, price: UsedPrice) -> str:
    """A price with its source and age: `V 20 by policy, 3 h old`."""
    if price.value is None or price.source == "none":
        return f"{symbol} unknown"
    source = {"request": "of the request", "policy": "by policy", "tasks": "by its tasks", "dual": "as a dual"}[price.source]
    age = f", {_age(price.age_s)} old" if price.age_s is not None else ""
    return f"{symbol} {_usd(price.value)} {source}{age}"


def _age(seconds: float) -> str:
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _usd(amount: float) -> str:
    return f"{amount:.6g}"
