"""What every dialect reads the same way: who and what a record is about, and how a reading is put together from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from collector.record import Attributes, AttributeValue, Call, ControlTotal, Problem, Reading, Record
from collector.shapes import ByShape
from collector.usage import Convention, Counts, Leaves, count_table, to_leaves

Facts: TypeAlias = dict[str, AttributeValue]

STATUS_ERROR = 2

# Evidence of one call from several emitters: the copy with the most leaves is booked (it tells most about the price), and among
# equals the one nearest to the caller. A copy whose usage cannot be read is weaker than any that can.
RANK_SDK = 5
RANK_FRAMEWORK = 4
RANK_LOG = 3
RANK_GATEWAY = 2
RANK_SERVER = 1
_STRENGTH_OF_TIER = (
    6  # a service tier changes every price: of copies alike otherwise, the one that tells it goes before all others
)
_STRENGTH_PER_LEAF = 10

_FACTS = count_table(
    operation="gen_ai.operation.name",
    agent=("gen_ai.agent.name", "agent.name", "agent_name", "ai.telemetry.functionId"),
    conversation=(
        "gen_ai.conversation.id",
        "session.id",
        "langfuse.session.id",
        "conversation.id",
        "traceloop.association.properties.session_id",
        "traceloop.association.properties.conversation_id",
        "traceloop.association.properties.thread_id",
        "gcp.vertex.agent.session_id",
        "ai.telemetry.metadata.sessionId",
    ),
    user=(
        "user.id",
        "enduser.id",
        "langfuse.user.id",
        "litellm.end_user.id",
        "traceloop.association.properties.user_id",
        "ai.telemetry.metadata.userId",
        "user.account_uuid",
        "user.account_id",
        "user.email",
    ),
    task_class="allocation.task.class",
    tool=("gen_ai.tool.name", "tool.name", "ai.toolCall.name", "mcp.tool.name", "tool_name", "function_name"),
    model=(
        "gen_ai.response.model",
        "ai.response.model",
        "llm.model_name",
        "gen_ai.request.model",
        "llm.response.model",
        "llm.request.model",
        "embedding.model_name",
        "reranker.model_name",
        "ai.model.id",
        "model",
        "model_name",
    ),
    provider=("gen_ai.provider.name", "llm.provider", "gen_ai.system", "llm.system", "llm.vendor", "ai.model.provider"),
    response=("gen_ai.response.id", "ai.response.id"),
    gateway=("litellm.call_id", "http.response.header.x-litellm-call-id"),
    request=("anthropic.request.id", "gen_ai.request.id", "http.response.header.x-request-id"),
    tier=(
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "anthropic.response.service_tier",
        "gen_ai.response.service_tier",
        "service_tier",
        "openai.request.service_tier",
        "gen_ai.openai.request.service_tier",
        "gen_ai.request.service_tier",
    ),
    claim=(
        "operation.cost",
        "litellm.cost.total",
        "gen_ai.cost.total_cost",
        "gen_ai.usage.cost",
        "gen_ai.usage.total_cost",
        "llm.cost.total",
        "cost_usd",
    ),
)
_FACT_NAMES = frozenset(_FACTS)
# What a resource may say for all its records; a generic `model` or `request_id` on a resource means something else.
_RESOURCE_FACT_NAMES = frozenset(
    name for name, (_, fact) in _FACTS.items() if fact in ("agent", "conversation", "user", "task_class")
)

_Plan: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]

_STANDARD = "standard"
# What programs write where there is no id: calls would all be copies of one.
_NO_IDS = frozenset({"None", "none", "null", "NULL", "nil", "undefined", "unknown", "N/A", "n/a", "-"})
_STANDARD_TIERS = frozenset({"", "default", "auto", "standard", "on_demand", "standard_only", "unspecified", "none"})
_TIER_ALIASES = {"on_demand_flex": "flex", "on_demand_priority": "priority", "batches": "batch"}

_CLAIM_MAX_USD = Decimal(10**9)
_CLAIM_PLACES = -24


def facts_of(record: Record) -> Facts:
    """The attributes that say who and what, by fact; the resource answers where the record is silent."""
    facts = _pick(record.attributes, _PLANS)
    if not record.resource.attributes.keys().isdisjoint(_RESOURCE_FACT_NAMES):
        return {**_pick(record.resource.attributes, _RESOURCE_PLANS), **facts}
    return facts


def _pick(attributes: Attributes, plans: ByShape[_Plan]) -> Facts:
    facts: Facts = {}
    for fact, ordered in plans.of(attributes):
        for name in ordered:
            value = attributes[name]
            if value is not None and value != "":
                facts[fact] = value
                break
    return facts


def _plan(found: Iterable[str]) -> _Plan:
    """For each fact the names that carry it, the most trusted first."""
    by_fact: dict[str, list[str]] = {}
    for name in sorted(found, key=_FACTS.__getitem__):
        by_fact.setdefault(_FACTS[name][1], []).append(name)
    return tuple((fact, tuple(ordered)) for fact, ordered in by_fact.items())


_PLANS = ByShape(lambda names: _plan(_FACT_NAMES.intersection(names)))
_RESOURCE_PLANS = ByShape(lambda names: _plan(_RESOURCE_FACT_NAMES.intersection(names)))


def text_of(value: AttributeValue) -> str | None:
    """An identifier or name as text: the first of a list, whole numbers as digits; None for anything else."""
    if value is None:
        return None
    if type(value) is str:
        return value or None
    while isinstance(value, list):  # not by recursion: attached JSON nests deeper than Python calls
        if not value:
            return None
        value = value[0]
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def add_missing(facts: Facts, told: Mapping[str, AttributeValue]) -> None:
    """Take over the facts that are told and not known yet."""
    for fact, value in told.items():
        if value is not None:
            facts.setdefault(fact, value)


def reading(facts: Facts, dialect: str) -> Reading:
    """A reading of role plain with the context filled in; the caller gives it its role."""
    return Reading(
        "plain",
        dialect,
        agent=text_of(facts.get("agent")),
        task_class=text_of(facts.get("task_class")),
        conversation_id=text_of(facts.get("conversation")),
        user_id=text_of(facts.get("user")),
    )


def as_tool(read: Reading, name: str | None) -> Reading:
    """The reading of a tool's execution."""
    read.role = "tool"
    read.tool = name
    return read


def as_agent(read: Reading, facts: Facts, counts: Counts | Leaves | Problem, convention: Convention) -> Reading:
    """The reading of a parent: a control total when it repeats its leaves' usage, else only an agent.

    Counts that cannot be read leave the total unknown; a parent is never booked, so nothing goes to suspense.
    """
    claim = claimed_usd(facts.get("claim"))
    leaves = to_leaves(counts, convention) if isinstance(counts, dict) and counts else counts
    if isinstance(leaves, Leaves):
        read.role = "control"
        read.control = ControlTotal(leaves.total_input_tokens, leaves.total_output_tokens, claim)
    elif claim is not None:
        read.role = "control"
        read.control = ControlTotal(None, None, claim)
    else:
        read.role = "agent"
    return read


def as_call(
    record: Record,
    read: Reading,
    facts: Facts,
    counts: Counts | Leaves | Problem,
    convention: Convention,
    rank: int,
    operation: str,
    *,
    is_embedding: bool = False,
    keys: tuple[str, ...] = (),
) -> Reading:
    """The reading of one model call.

    An attempt that failed before the provider answered (error status, no usage or zeros, no response id) is not a call: nothing
    was sold. Nor is what Logfire sends of a span that has not ended yet.
    A call that succeeded, or began to answer, without usage is a call whose usage is missing: it goes to suspense, so that the
    number of calls agrees with the provider's.
    """
    response = _identity(facts.get("response"))
    if record.status_code == STATUS_ERROR and response is None and _is_nothing(counts):
        return read
    if not counts and record.attributes.get("logfire.span_type") == "pending_span":
        return read
    leaves = to_leaves(counts, convention, is_embedding=is_embedding) if isinstance(counts, dict) else counts
    quantities = leaves.quantities if isinstance(leaves, Leaves) else {}
    tier = service_tier(facts.get("tier"))
    read.role = "call"
    read.call = Call(
        operation,
        text_of(facts.get("provider")),
        text_of(facts.get("model")),
        quantities,
        leaves.total_input_tokens if isinstance(leaves, Leaves) else None,
        leaves.confidence if isinstance(leaves, Leaves) else "low",
        service_tier=tier,
        problem=leaves if isinstance(leaves, Problem) else None,
        claimed_cost_usd=claimed_usd(facts["claim"]) if "claim" in facts else None,
        response_id=response,
        keys=_keys(record, facts, response) + keys,
        strength=rank + _STRENGTH_PER_LEAF * len(quantities) + (_STRENGTH_OF_TIER if tier != _STANDARD else 0),
    )
    return read


def _is_nothing(counts: Counts | Leaves | Problem) -> bool:
    if isinstance(counts, Problem):
        return False
    return not any((counts.quantities if isinstance(counts, Leaves) else counts).values())


def _keys(record: Record, facts: Facts, response: str | None) -> tuple[str, ...]:
    keys: list[str] = []
    if response is not None and not _is_weak(record, response):
        keys.append("response:" + response)
    if "gateway" in facts and (gateway := _identity(facts["gateway"])) is not None:
        keys.append("gateway:" + gateway)
    if "request" in facts and (request := _identity(facts["request"])) is not None:
        keys.append("request:" + request)
    return tuple(keys)


def _identity(value: AttributeValue) -> str | None:
    told = text_of(value)
    return None if told in _NO_IDS else told


def _is_weak(record: Record, response: str) -> bool:
    """Ollama numbers its answers chatcmpl-0 … chatcmpl-998 at random: such ids collide within a day."""
    return len(response) <= 12 and response.partition("-")[2].isdigit() and record.attributes.get("server.port") == 11434


def service_tier(value: AttributeValue) -> str:
    """The tier a call was billed at; the providers' names for the usual one are `standard`."""
    tier = (text_of(value) or "").lower()
    if tier in _STANDARD_TIERS:
        return _STANDARD
    return _TIER_ALIASES.get(tier, tier)


def claimed_usd(value: AttributeValue) -> Decimal | None:
    """A cost that a client claims, exactly as written; None when it is not a plausible amount."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = value.strip() if isinstance(value, str) else repr(value)
    if len(text) > 40:
        return None
    try:
        claim = Decimal(text)
    except InvalidOperation:
        return None
    if not claim.is_finite() or not 0 <= claim <= _CLAIM_MAX_USD:
        return None
    exponent = claim.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < _CLAIM_PLACES:
        return None
    return claim.quantize(Decimal(1)) if exponent > 0 else claim  # 0E+999999999 is zero
