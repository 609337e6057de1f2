"""The asynchronous training loop: rollouts queue up under one policy version and are consumed under a later one (eq. 11)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from random import Random

from economy.cache import Tokens
from economy.desk import Desk
from economy.faults import fault_by_key
from economy.parameters import ENGINE_MODEL, MODELS, TRAINING, TrainingParameters
from economy.spans import Attributes, PlannedSpan, Recorder
from economy.tasks import DAY_S

UPDATE_S = 600.0
# The trainer samples on accelerators of its own, not on the shared engine.
ROLLOUT_MODEL = replace(MODELS[ENGINE_MODEL], engine=None, first_token_s=0.3, tokens_per_s=70.0)


@dataclass(frozen=True)
class Update:
    """One policy update: staleness of its batch in versions, capability before it, true and measured gain."""

    number: int
    at_s: float
    trace_id: int
    span_id: int
    staleness: int
    capability: float
    gain: float
    measured_gain: float
    counterfactual_gain: float
    is_stale: bool


def batch_gain(parameters: TrainingParameters, staleness: int) -> float:
    """Capability a batch adds, g(s): linear in staleness, negative beyond `staleness_zero`."""
    return parameters.gain_fresh * (1.0 - staleness / parameters.staleness_zero)


def roll_out(recorder: Recorder, rng: Random, version: int, at_s: float) -> PlannedSpan:
    """Generate and judge one batch under a policy version; returns the batch's root span."""
    desk = Desk(recorder, rng, TRAINING.tenant, "train", at_s)
    policy: Attributes = {"allocation.layer": "capital", "allocation.policy.version": version}
    root = desk.open_agent("trainer", "trainer", {**policy, "allocation.use": "rollout"})
    for _ in range(TRAINING.rollouts_per_batch):
        prompt, answer = TRAINING.rollout_tokens
        list(desk.chat(ROLLOUT_MODEL, Tokens(fresh=prompt, output=answer), {**policy, "allocation.use": "rollout"}))
        prompt, answer = TRAINING.reward_tokens
        judge = MODELS[TRAINING.judge]
        list(desk.chat(judge, Tokens(fresh=prompt, output=answer), {**policy, "allocation.use": "reward"}))
    desk.close_agent()
    return root


def update(
    recorder: Recorder, batch: PlannedSpan, generated: int, trained: int, at_s: float, measured_gain: float
) -> PlannedSpan:
    """Emit one policy update, linked to the batch it consumed."""
    span = PlannedSpan(
        service="trainer",
        tenant=TRAINING.tenant,
        name="policy_update",
        kind="internal",
        trace_id=recorder.new_trace_id(),
        span_id=recorder.new_span_id(),
        parent_id=None,
        parent_service=None,
        start_s=at_s,
        end_s=at_s + UPDATE_S,
        attributes={
            "allocation.layer": "capital",
            "allocation.use": "update",
            "allocation.policy.version": generated,
            "allocation.policy.trained_version": trained,
            "allocation.training.gain": round(measured_gain, 6),
            # Of a unit of capability, over its life: quality 1 against 0 of what the trainer works at.
            "allocation.task.value_usd": TRAINING.value_usd,
        },
        links=((batch.trace_id, batch.span_id),),
    )
    recorder.spans.append(span)
    return span


def train(days: float, recorder: Recorder, rng: Random) -> list[Update]:
    """The loop over the period. Staleness is not set but follows from the depth of the rollout queue."""
    onset_s = fault_by_key("stale_rollouts").onset * days * DAY_S
    interval_s = DAY_S / TRAINING.updates_per_day
    queue: deque[tuple[int, PlannedSpan]] = deque()
    capability = TRAINING.capability_start
    updates: list[Update] = []
    fresh = batch_gain(TRAINING, TRAINING.queue_fresh)
    for version in range(int(days * TRAINING.updates_per_day)):
        at_s = version * interval_s + rng.random() * 0.2 * interval_s
        if queue and at_s + UPDATE_S < days * DAY_S:
            generated, batch = queue.popleft()
            staleness = version - generated
            gain = batch_gain(TRAINING, staleness)
            measured = gain - TRAINING.depreciation * capability + rng.gauss(0.0, TRAINING.noise)
            span = update(recorder, batch, generated, version, at_s, measured)
            is_stale = at_s >= onset_s and staleness > TRAINING.queue_fresh
            updates.append(
                Update(version, at_s, span.trace_id, span.span_id, staleness, capability, gain, measured, fresh, is_stale)
            )
            capability += gain - TRAINING.depreciation * capability
        depth = TRAINING.queue_stale if at_s >= onset_s else TRAINING.queue_fresh
        made_s = at_s
        while len(queue) < depth:
            made = recorder.fork()
            batch = roll_out(made, rng, version, made_s + 1.0)
            made_s = batch.end_s
            queue.append((version, batch))
            if made_s < days * DAY_S:  # a batch still being made when the period ends has emitted nothing yet
                recorder.absorb(made)
    return updates
