"""The router: one decision per task, logged with its menu, its propensity and its prediction."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from economy.appraisal import CLASSIFIER_TOKENS, ROUTE_S, Cell, Choice, route_options
from economy.desk import Desk
from economy.engine import Arrival, Service
from economy.parameters import CLASSIFIER_MODEL, MODELS
from economy.policy import Decided
from economy.spans import PlannedSpan

# Standard deviation of the router's prediction of quality, before any check, around its true expectation.
PREDICTION_ERROR = 0.02


def route(desk: Desk, cell: Cell, intended: Choice, decided: Decided) -> Generator[Arrival, Service, PlannedSpan]:
    """Emit the routing decision, a sibling of the calls it routed; support requests are classified by a small model first."""
    # A prediction that knew what will be checked would tell everybody who sees it which policy was in force.
    options = route_options(cell, replace(intended, verify=0, confirm=False))
    predicted = [
        round(min(1.0, max(0.0, option.quality + desk.rng.gauss(0.0, PREDICTION_ERROR))), 4) for option in options.values()
    ]
    span = desk.add(
        "router",
        "route",
        ROUTE_S,
        {
            "tenant.id": desk.tenant,
            "allocation.layer": "demand",
            "allocation.use": "route",
            "allocation.task.class": cell.task_class,
            "allocation.route.candidates": list(options),
            "allocation.route.chosen": decided.choice.model,
            "allocation.route.propensity": round(decided.propensity, 6),
            "allocation.route.predicted_quality": predicted,
            "task.difficulty": cell.difficulty,
        },
    )
    if cell.kind.agent == "support":
        desk.now_s = span.start_s
        yield from desk.chat(
            MODELS[CLASSIFIER_MODEL],
            CLASSIFIER_TOKENS,
            {"gen_ai.agent.name": "router", "allocation.layer": "demand", "allocation.use": "route"},
            parent=span,
        )
        span.end_s = desk.now_s
    return span
