"""The agents at work: a task becomes a trace of routing, reading, planning, acting, verifying and asking."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from random import Random

from economy.appraisal import TOOL_S, Choice, delegation_tokens, right_probability, verification_tokens
from economy.cache import Tokens, call_tokens
from economy.classes import Action
from economy.desk import Desk
from economy.engine import Arrival, Process, Service
from economy.parameters import (
    EMBEDDING_MODEL,
    EMBEDDING_SHARE,
    MODELS,
    REUSE_LATENCY_S,
    REUSE_QUALITY,
    WRONG_TOTAL_SHARE,
)
from economy.policy import Decided, decide, reuses, rule
from economy.router import route
from economy.spans import Attributes, PlannedEvent, PlannedSpan, Recorder
from economy.tasks import Task

# Share of finished tasks whose quality becomes known, and the delay of the verdict in seconds.
OUTCOME_SHARE = {"coder": 0.95, "support": 0.75, "research": 0.70}
# A coder's task has twenty tests, a customer gives up to four stars; reviewers of research grade as they like.
GRADES = {"coder": 20, "support": 4}
VERDICT_DELAY_S = (300.0, 5_400.0)
INCIDENT_DELAY_S = (300.0, 7_200.0)
# Losses are right-skewed: most are half the mean, one in five is three times it.
LOSS_DRAWS = ((0.5, 0.8), (3.0, 0.2))

Steps = Generator[Arrival, Service, None]


@dataclass
class Run:
    """How one task went. `intended` is the policy's choice, `decided` what was done, `quality` what came of it."""

    task: Task
    intended: Choice
    decided: Decided
    forced: dict[str, str]
    reused: bool
    root: PlannedSpan | None = None
    route_span: PlannedSpan | None = None
    verify_span: PlannedSpan | None = None
    action_span: PlannedSpan | None = None
    quality: float = 0.0
    engine_latency_s: float = 0.0
    ended_s: float = 0.0


def begin(task: Task, rng: Random) -> Run:
    """Take the task's decisions: the policy of its tenant, and exploration."""
    current = rule(task.tenant, task.cell, task.fraction)
    decided = decide(task.cell, current.choice, rng)
    reused = task.stored_answer and reuses(task.tenant, task.cell, task.fraction)
    return Run(task, current.choice, decided, {str(k): v for k, v in current.forced.items()}, reused)


def work(run: Run, recorder: Recorder, rng: Random) -> Process:
    """The process of a task: yields its engine requests, records its spans, and fills in `run`."""
    task, cell = run.task, run.task.cell
    desk = Desk(recorder, rng, task.tenant, cell.task_class, task.at_s)
    kind = cell.kind
    run.root = desk.open_agent(
        kind.agent,
        kind.agent,
        {
            "allocation.task.class": cell.task_class,
            "allocation.task.value_usd": cell.value_usd,
            "allocation.task.deadline_s": kind.deadline_s,
            "task.difficulty": cell.difficulty,
        },
    )
    if run.reused:
        _reuse(desk)
    else:
        yield from _solve(desk, run)
    misstate = kind.agent == "coder" and rng.random() < WRONG_TOTAL_SHARE
    desk.close_agent(misstate)
    run.ended_s = run.root.end_s
    _outcome(desk, run)


def _reuse(desk: Desk) -> None:
    """Answer from the store of earlier answers, with their provenance."""
    age_s = 3_600.0 * (1.0 + 71.0 * desk.rng.random())
    desk.add(
        desk.agent_span.service,
        "cache_lookup",
        REUSE_LATENCY_S,
        {
            "allocation.layer": "capital",
            "allocation.use": "store",
            "allocation.cache.key": f"answers/{desk.tenant}/{desk.rng.getrandbits(32):08x}",
            "allocation.cache.stored_at": desk.recorder.when(desk.now_s - age_s),
            "allocation.cache.task.class": "support.faq",
        },
    )


def _solve(desk: Desk, run: Run) -> Steps:
    """Route, then work: plan, read, delegate, act, verify, ask, commit."""
    cell, kind, choice = run.task.cell, run.task.cell.kind, run.decided.choice
    run.route_span = yield from route(desk, cell, run.intended, run.decided)
    if kind.embeds and desk.rng.random() < EMBEDDING_SHARE:
        yield from desk.chat(MODELS[EMBEDDING_MODEL], Tokens(fresh=900), {}, operation="embeddings")
    store: dict[str, str] = {}
    yield from _call(desk, run, 0, store)
    for tool in kind.reads:
        desk.tool(tool, TOOL_S)
    delegation = kind.delegation
    delegates = delegation is not None and cell.difficulty in delegation.difficulties
    if delegates and kind.agent == "coder":
        yield from _delegate(desk, run, "read")
    for index in range(1, kind.calls):
        yield from _call(desk, run, index, store)
    for tool in kind.drafts:
        desk.tool(tool, TOOL_S, {"allocation.action.class": "draft", "allocation.action.reversible": True})
    yield from _verify(desk, run)
    if kind.action is not None:
        if choice.confirm:
            desk.tool("ask_human", kind.action.wait_s, {"allocation.use": "defer"})
        if delegates and kind.agent == "support":
            yield from _delegate(desk, run, "act")
        else:
            run.action_span = _act(desk, run, kind.action)


def _call(desk: Desk, run: Run, index: int, store: dict[str, str]) -> Steps:
    """One of the task's own calls, with the provenance of what it stores in or reads from the provider's cache."""
    cell, kind, choice = run.task.cell, run.task.cell.kind, run.decided.choice
    model = MODELS[choice.model]
    tokens = call_tokens(kind, cell.difficulty, model, choice.caching, index)
    attributes: Attributes = {}
    if kind.agent != "research":  # the research agents do not say what their calls are for
        attributes["allocation.use"] = "plan" if index == 0 else "act"
    if tokens.cache_write or (choice.caching == "prefix" and index == 0):
        store["key"] = f"prefix/{desk.tenant}/{cell.task_class}/{desk.rng.getrandbits(32):08x}"
        store["stored_at"] = desk.recorder.when(desk.now_s)
    if tokens.cache_write or tokens.cache_read:
        attributes["allocation.cache.key"] = store["key"]
        attributes["allocation.cache.stored_at"] = store["stored_at"]
        attributes["allocation.cache.task.class"] = cell.task_class
    span = yield from desk.chat(model, tokens, attributes)
    if model.engine is not None:
        run.engine_latency_s += span.end_s - span.start_s


def _delegate(desk: Desk, run: Run, use: str) -> Steps:
    """Hand part of the work to a sub-agent; for `act` it also executes the task's action."""
    kind = run.task.cell.kind
    delegation = kind.delegation
    if delegation is None:
        raise ValueError(f"{kind.name} has nobody to delegate to")
    desk.open_agent(delegation.agent, desk.agent_span.service, {"allocation.use": "delegate"})
    yield from desk.chat(MODELS[delegation.model], delegation_tokens(delegation), {"allocation.use": use})
    if use == "read":
        desk.tool("list_files", TOOL_S)
    elif kind.action is not None:
        run.action_span = _act(desk, run, kind.action)
    desk.close_agent()


def _verify(desk: Desk, run: Run) -> Steps:
    """The task's verification passes; none is a decision too."""
    cell, check = run.task.cell, run.task.cell.kind.verification
    for _ in range(run.decided.choice.verify):
        if check.tool is not None:
            desk.tool(check.tool, check.tool_s)
        attributes: Attributes = {} if cell.kind.agent == "research" else {"allocation.use": "verify"}
        span = yield from desk.chat(MODELS[check.model], verification_tokens(check, cell.difficulty), attributes)
        run.verify_span = run.verify_span or span


def _act(desk: Desk, run: Run, action: Action) -> PlannedSpan:
    """Do the consequential thing, with its class, its confirmation and the risk the agent states for it."""
    choice = run.decided.choice
    is_confirmed = choice.confirm if action.asks else choice.verify > 0
    confirmed_by = action.confirmation if is_confirmed else "none"
    chance = (1.0 - right_probability(run.task.cell, choice)) * action.incident_probability
    return desk.tool(
        action.tool,
        TOOL_S,
        {
            "allocation.use": "act",
            "allocation.action.class": action.action_class,
            "allocation.action.reversible": action.reversible,
            "allocation.action.confirmation": confirmed_by,
            "allocation.risk.loss_usd": action.loss_usd,
            "allocation.risk.probability": round(chance * (1.0 - action.catch * choice.confirm), 6),
        },
    )


def _outcome(desk: Desk, run: Run) -> None:
    """Draw what came of the task: its quality, how that became known, and any incident."""
    cell, kind, choice, rng = run.task.cell, run.task.cell.kind, run.decided.choice, desk.rng
    if run.reused:
        run.quality = graded(kind.agent, REUSE_QUALITY[kind.name], rng)
    else:
        grade = graded(kind.agent, right_probability(cell, choice), rng)
        answered = not (choice.confirm and kind.action) or rng.random() >= (kind.action.abandoned if kind.action else 0)
        run.quality = grade if answered else 0.0
        if rng.random() >= grade and kind.action is not None and run.action_span is not None:
            _incident(desk, run, kind.action)
    if rng.random() < OUTCOME_SHARE[kind.agent]:
        _report_outcome(desk, run)


def graded(agent: str, mean: float, rng: Random) -> float:
    """A grade in [0, 1] with exactly this mean: the share of a coder's tests that pass, a customer's stars, a reviewer's mark."""
    if agent in GRADES:
        return sum(rng.random() < mean for _ in range(GRADES[agent])) / GRADES[agent]
    half_width = 0.8 * min(mean, 1.0 - mean)
    return round(mean + (2.0 * rng.random() - 1.0) * half_width, 4)


def _incident(desk: Desk, run: Run, action: Action) -> None:
    """A wrong result was acted on: unless it is caught or lucky, a loss follows."""
    span = run.action_span
    chance = action.incident_probability * (1.0 - action.catch * run.decided.choice.confirm)
    if span is None or desk.rng.random() >= chance:
        return
    factor = desk.rng.choices([f for f, _ in LOSS_DRAWS], [share for _, share in LOSS_DRAWS])[0]
    delay_s = INCIDENT_DELAY_S[0] + desk.rng.random() * (INCIDENT_DELAY_S[1] - INCIDENT_DELAY_S[0])
    _event(
        desk,
        span,
        "allocation.incident",
        desk.now_s + delay_s,
        True,
        {
            "allocation.risk.loss_usd": round(action.loss_usd * factor, 2),
            "allocation.action.class": action.action_class,
            "allocation.task.class": run.task.cell.task_class,
        },
    )


def _report_outcome(desk: Desk, run: Run) -> None:
    """Tests tell at once, on the root span; people and graders tell later, by an evaluation event."""
    root = run.root
    if root is None:
        raise ValueError("a task has no outcome before it has run")
    if run.task.cell.kind.agent == "coder":
        root.attributes["allocation.outcome"] = run.quality
        return
    delay_s = VERDICT_DELAY_S[0] + desk.rng.random() * (VERDICT_DELAY_S[1] - VERDICT_DELAY_S[0])
    _event(
        desk,
        root,
        "gen_ai.evaluation.result",
        desk.now_s + delay_s,
        False,
        {
            "gen_ai.evaluation.name": "task_quality",
            "gen_ai.evaluation.score.value": run.quality,
            "gen_ai.evaluation.score.label": "pass" if run.quality >= 0.5 else "fail",
            "allocation.outcome": run.quality,
        },
    )


def _event(desk: Desk, span: PlannedSpan, name: str, at_s: float, severe: bool, attributes: Attributes) -> None:
    desk.recorder.events.append(
        PlannedEvent(span.service, span.tenant, name, at_s, span.trace_id, span.span_id, severe, attributes)
    )
