"""A running trace: opens agents, calls tools and models, keeps the clock of one task and the totals of its agents."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from random import Random

from economy.appraisal import NETWORK_S, call_latency_s
from economy.cache import Tokens
from economy.engine import Arrival, Service, acceptance
from economy.parameters import ENGINE, ENGINE_MODEL, GATEWAY_COPY_SHARE, INPUT_JITTER, OUTPUT_JITTER, Model
from economy.spans import Attributes, GatewayCopy, PlannedSpan, Recorder, WrongTotal, usage_attributes


@dataclass
class _Agent:
    """An open agent span and the totals of the calls below it."""

    span: PlannedSpan
    totals: dict[str, int] = field(default_factory=dict)


class Desk:
    """The trace of one task. `now_s` is the task's own clock; every step moves it on."""

    def __init__(self, recorder: Recorder, rng: Random, tenant: str, task_class: str, started_s: float) -> None:
        self.recorder = recorder
        self.rng = rng
        self.tenant = tenant
        self.task_class = task_class
        self.now_s = started_s
        self.trace_id = recorder.new_trace_id()
        self.conversation_id = f"conv-{rng.getrandbits(48):012x}"
        self._input_factor = 1.0 + (2.0 * rng.random() - 1.0) * INPUT_JITTER
        self._agents: list[_Agent] = []

    @property
    def agent_span(self) -> PlannedSpan:
        """The innermost open agent."""
        return self._agents[-1].span

    def add(
        self, service: str, name: str, duration_s: float, attributes: Attributes, parent: PlannedSpan | None = None
    ) -> PlannedSpan:
        """A finished internal span of the given duration; the clock moves to its end."""
        span = self._span(service, name, attributes, parent)
        span.end_s = span.start_s + duration_s
        self.now_s = span.end_s
        return span

    def open_agent(self, agent: str, service: str, attributes: Attributes) -> PlannedSpan:
        """Start an agent; it encloses everything until it is closed."""
        own: Attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": agent,
            "gen_ai.conversation.id": self.conversation_id,
            "allocation.layer": "action",
        }
        span = self._span(service, f"invoke_agent {agent}", {**own, **attributes}, None)
        self._agents.append(_Agent(span))
        return span

    def close_agent(self, misstate: bool = False) -> None:
        """End the innermost agent and state its control totals.

        With `misstate` the stated input is a third too large, as when a framework adds up a retried step; it is noted.
        """
        agent = self._agents.pop()
        totals = agent.totals
        actual = totals.get("input", 0)
        stated = actual + actual // 3 if misstate else actual
        span = agent.span
        if totals:
            span.attributes["gen_ai.usage.input_tokens"] = stated
            span.attributes["gen_ai.usage.output_tokens"] = totals["output"]
        if misstate and stated != actual:
            wrong = WrongTotal(self.tenant, span.trace_id, span.span_id, stated, actual)
            self.recorder.wrong_totals.append(wrong)
        span.end_s = self.now_s

    def tool(self, name: str, duration_s: float, attributes: Attributes | None = None) -> PlannedSpan:
        """Call a tool of the innermost agent; its duration scatters by a third."""
        own: Attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.type": "function",
            "gen_ai.agent.name": str(self.agent_span.attributes["gen_ai.agent.name"]),
        }
        scattered_s = duration_s * (1.0 + (2.0 * self.rng.random() - 1.0) * 0.3)
        service = self.agent_span.service
        return self.add(service, f"execute_tool {name}", scattered_s, {**own, **(attributes or {})})

    def chat(
        self,
        model: Model,
        mean: Tokens,
        attributes: Attributes,
        parent: PlannedSpan | None = None,
        operation: str = "chat",
    ) -> Generator[Arrival, Service, PlannedSpan]:
        """Call a model: on the engine when it is served there, otherwise with the provider's own latency."""
        output_factor = 1.0 + (2.0 * self.rng.random() - 1.0) * OUTPUT_JITTER
        tokens = mean.realised(self._input_factor, output_factor)
        copied = self.rng.random() < GATEWAY_COPY_SHARE
        service = (parent or self.agent_span).service
        response_id = f"resp_{self.rng.getrandbits(80):020x}"
        own: Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": model.provider,
            "gen_ai.request.model": model.name,
            "gen_ai.response.model": model.name,
            "gen_ai.response.id": response_id,
            "gen_ai.agent.name": str(self._agents[-1].span.attributes["gen_ai.agent.name"]),
            **(usage_attributes(tokens) if operation == "chat" else {"gen_ai.usage.input_tokens": int(tokens.input)}),
        }
        span = self._span(service, f"{operation} {model.name}", {**own, **attributes}, parent)
        span.kind = "client"
        if model.engine is not None:
            received = yield Arrival(
                span.start_s + NETWORK_S, int(tokens.input), int(tokens.cache_read), int(tokens.whole_output)
            )
            span.end_s = received.ended_s + NETWORK_S
            self.recorder.spans.append(
                engine_span(self.recorder, self.tenant, span, tokens, received, response_id, self.task_class)
            )
        else:
            span.end_s = span.start_s + call_latency_s(model, tokens) * (0.9 + 0.2 * self.rng.random())
            if copied:
                self._copy_by_gateway(span, response_id)
        self.now_s = span.end_s
        self.recorder.sell(self.tenant, model.name, tokens)
        for agent in self._agents:
            agent.totals["input"] = agent.totals.get("input", 0) + int(tokens.input)
            agent.totals["output"] = agent.totals.get("output", 0) + int(tokens.whole_output)
        return span

    def _span(self, service: str, name: str, attributes: Attributes, parent: PlannedSpan | None) -> PlannedSpan:
        above = parent or (self._agents[-1].span if self._agents else None)
        span = PlannedSpan(
            service=service,
            tenant=self.tenant,
            name=name,
            kind="internal",
            trace_id=self.trace_id,
            span_id=self.recorder.new_span_id(),
            parent_id=above.span_id if above else None,
            parent_service=above.service if above else None,
            start_s=self.now_s,
            end_s=self.now_s,
            attributes=attributes,
        )
        self.recorder.spans.append(span)
        return span

    def _copy_by_gateway(self, span: PlannedSpan, response_id: str) -> None:
        """The gateway in between reports the same call; a third of its copies lost the trace context on the way."""
        same_trace = self.rng.random() < 2 / 3
        copy = PlannedSpan(
            service="gateway",
            tenant=self.tenant,
            name=span.name,
            kind="client",
            trace_id=span.trace_id if same_trace else self.recorder.new_trace_id(),
            span_id=self.recorder.new_span_id(),
            parent_id=span.span_id if same_trace else None,
            parent_service=span.service if same_trace else None,
            start_s=span.start_s + NETWORK_S / 2,
            end_s=span.end_s - NETWORK_S / 2,
            attributes={
                key: value for key, value in span.attributes.items() if key.startswith("gen_ai.") and key != "gen_ai.agent.name"
            },
        )
        copy.attributes["tenant.id"] = self.tenant
        self.recorder.spans.append(copy)
        self.recorder.copies.append(GatewayCopy(self.tenant, response_id, span.span_id, copy.span_id, same_trace))


def engine_span(
    recorder: Recorder,
    tenant: str,
    caller: PlannedSpan | None,
    tokens: Tokens,
    service: Service,
    request_id: str,
    task_class: str,
) -> PlannedSpan:
    """The engine's own span of a request, in the dialect of vLLM with our attributes beside it."""
    prompt = int(tokens.input)
    attributes: Attributes = {
        "gen_ai.request.id": request_id,
        "gen_ai.response.model": ENGINE_MODEL,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.request.n": 1,
        "gen_ai.usage.prompt_tokens": prompt,
        "gen_ai.usage.completion_tokens": int(tokens.whole_output),
        "gen_ai.latency.time_in_queue": service.queue_s,
        "gen_ai.latency.time_to_first_token": service.queue_s + service.prefill_s,
        "gen_ai.latency.e2e": service.latency_s,
        "gen_ai.latency.time_in_model_prefill": service.prefill_s,
        "gen_ai.latency.time_in_model_decode": service.decode_s,
        "gen_ai.latency.time_in_model_inference": service.prefill_s + service.decode_s,
        "tenant.id": tenant,
        "allocation.layer": "supply",
        "allocation.task.class": task_class,
        "allocation.engine": ENGINE.name,
        "allocation.engine.queue_s": service.queue_s,
        "allocation.engine.prefill_s": service.prefill_s,
        "allocation.engine.decode_s": service.decode_s,
        "allocation.engine.kv_tokens": service.kv_tokens,
        "allocation.engine.batch": service.batch,
    }
    if acceptance(ENGINE, prompt) > 0.0:
        attributes["allocation.spec.proposed"] = service.proposed
        attributes["allocation.spec.accepted"] = service.accepted
    return PlannedSpan(
        service="engine",
        tenant=tenant,
        name="llm_request",
        kind="server",
        trace_id=caller.trace_id if caller else recorder.new_trace_id(),
        span_id=recorder.new_span_id(),
        parent_id=caller.span_id if caller else None,
        parent_service=caller.service if caller else None,
        start_s=service.arrived_s,
        end_s=service.ended_s,
        attributes=attributes,
    )
