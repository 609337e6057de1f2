"""What SDKs, servers and coding agents with names of their own write, and what it is read as."""

from __future__ import annotations

import orjson

from tests.unit.collector.emitters import CHAT, CLAUDE, USED, Case, log

AGENT_CASES: list[Case] = [
    Case(
        "vercel 6",
        {
            "ai.operationId": "ai.streamText.doStream",
            "ai.model.id": "m",
            "ai.usage.inputTokens": 100,
            "ai.usage.outputTokens": 50,
            "ai.usage.inputTokenDetails.cacheReadTokens": 60,
            "ai.usage.inputTokenDetails.cacheWriteTokens": 30,
            "ai.usage.outputTokenDetails.reasoningTokens": 20,
            "ai.response.id": "resp_1",
        },
        "vercel_ai",
        "input=10 read=60 write=30 output=30 thought=20",
        "response:resp_1",
    ),
    Case(
        "vercel 5 over anthropic: the input leaves the cache out",
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": "m",
            "ai.model.provider": "anthropic.messages",
            "ai.usage.inputTokens": 100,
            "ai.usage.outputTokens": 50,
            "ai.usage.cachedInputTokens": 60,
            "ai.request.headers.user-agent": "ai/5.0.76",
        },
        "vercel_ai",
        "input=100 read=60 output=50",
    ),
    Case(
        "vercel, the provider's own usage in its metadata",
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": "m",
            "ai.usage.promptTokens": 100,
            "ai.usage.completionTokens": 50,
            "ai.response.providerMetadata": orjson.dumps(
                {
                    "anthropic": {
                        "usage": {
                            "input_tokens": 10,
                            "output_tokens": 50,
                            "cache_read_input_tokens": 60,
                            "cache_creation_input_tokens": 30,
                            "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 0},
                        }
                    }
                }
            ).decode(),
        },
        "vercel_ai",
        "input=10 read=60 write_5m=30 write_1h=0 output=50",
    ),
    Case(
        "vercel, openai's metadata",
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": "m",
            "ai.usage.promptTokens": 100,
            "ai.usage.completionTokens": 50,
            "ai.response.providerMetadata": '{"openai":{"responseId":"resp_1","serviceTier":"priority",'
            '"cachedPromptTokens":60,"reasoningTokens":20}}',
        },
        "vercel_ai",
        "input=40 read=60 output=30 thought=20",
        "response:resp_1",
        tier="priority",
    ),
    Case(
        "vercel embed", {"ai.operationId": "ai.embed.doEmbed", "ai.model.id": "m", "ai.usage.tokens": 10}, "vercel_ai", "input=10"
    ),
    Case(
        "langfuse, disjoint details",
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "m",
            "langfuse.observation.usage_details": '{"input": 10, "input_cached_tokens": 60, "output": 30, '
            '"output_reasoning_tokens": 20, "total": 120}',
            "langfuse.observation.cost_details": '{"input": 0.1, "total": 0.3}',
        },
        "langfuse",
        "input=10 read=60 output=30 thought=20",
        claim="0.3",
    ),
    Case(
        "langfuse, a provider's usage passed through",
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.usage_details": '{"prompt_tokens": 100, "completion_tokens": 50, '
            '"prompt_tokens_details": {"cached_tokens": 60}}',
        },
        "langfuse",
        "input=40 read=60 output=50",
    ),
    Case(
        "langfuse, inclusive details given away by their total",
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.usage_details": '{"input": 100, "cache_read_input_tokens": 60, "output": 50, "total": 150}',
        },
        "langfuse",
        "input=40 read=60 output=50",
    ),
    Case("openlit", {**CHAT, **USED, "gen_ai.usage.cost": 0.01}, "openlit", "input=100 output=50", claim="0.01"),
    Case(
        "sentry",
        {
            "sentry.op": "gen_ai.chat",
            "gen_ai.request.model": "m",
            **USED,
            "gen_ai.usage.input_tokens.cached": 60,
            "gen_ai.usage.output_tokens.reasoning": 20,
            "gen_ai.usage.total_tokens": 150,
        },
        "sentry",
        "input=40 read=60 output=30 thought=20",
    ),
    Case(
        "strands over bedrock: the total includes what the input leaves out",
        {
            **CHAT,
            **USED,
            "gen_ai.usage.cache_read_input_tokens": 60,
            "gen_ai.usage.cache_write_input_tokens": 30,
            "gen_ai.usage.total_tokens": 240,
        },
        "bedrock",
        "input=100 read=60 write=30 output=50",
        given={"scope": "strands.telemetry.tracer"},
    ),
    Case(
        "google adk",
        {
            "gcp.vertex.agent.event_id": "e",
            "gen_ai.request.model": "gemini-2.5-flash",
            "gen_ai.usage.input_tokens": 39,
            "gen_ai.usage.output_tokens": 6,
            "gcp.vertex.agent.llm_response": '{"usage_metadata": {"prompt_token_count": 39, "candidates_token_count": 6, '
            '"thoughts_token_count": 9}}',
        },
        "google_adk",
        "input=39 output=6 thought=9",
    ),
    Case(
        "vllm",
        {
            "gen_ai.latency.time_in_queue": 0.1,
            "gen_ai.request.id": "cmpl-bench-00871b8e-0-0",
            "gen_ai.usage.prompt_tokens": 384,
            "gen_ai.usage.completion_tokens": 32,
        },
        "vllm",
        "input=384 output=32",
        "response:cmpl-bench-00871b8e-0-0 response:cmpl-bench-00871b8e-0 response:cmpl-bench-00871b8e",
        given={"scope": "vllm.llm_engine", "name": "llm_request"},
    ),
    Case(
        "claude code's log",
        {**CLAUDE, "event.name": "api_request", "cost_usd": "0.05", "request_id": "req_1", "input_tokens": "2"},
        "claude_code",
        "input=2 read=60 write=30 output=50",
        "request:req_1",
        claim="0.05",
        given={**log("claude_code.api_request"), "scope": "com.anthropic.claude_code.events"},
    ),
    Case(
        "claude code's span",
        {**CLAUDE, "span.type": "llm_request", "request_id": "req_1"},
        "claude_code",
        "input=2 read=60 write=30 output=50",
        "request:req_1",
        given={"name": "claude_code.llm_request"},
    ),
    Case(
        "codex's log",
        {
            "event.name": "codex.sse_event",
            "event.kind": "response.completed",
            "input_token_count": "100",
            "output_token_count": "50",
            "cached_token_count": "60",
            "reasoning_token_count": "20",
            "tool_token_count": "150",
            "model": "gpt-5",
        },
        "codex",
        "input=40 read=60 output=30 thought=20",
        given=log("codex.sse_event"),
    ),
    Case(
        "gemini cli's log",
        {
            "event.name": "gemini_cli.api_response",
            "input_token_count": 100,
            "cached_content_token_count": 40,
            "output_token_count": 10,
            "thoughts_token_count": 5,
            "tool_token_count": 7,
            "total_token_count": 122,
            "model": "gemini-2.5-pro",
        },
        "gemini_cli",
        "input=60 read=40 output=10 thought=5 tool=7",
        given=log("gemini_cli.api_response"),
    ),
    Case(
        "qwen code, whose backend counts thoughts inside",
        {
            "event.name": "qwen-code.api_response",
            "input_token_count": 100,
            "output_token_count": 50,
            "thoughts_token_count": 20,
            "total_token_count": 150,
            "model": "q",
        },
        "gemini_cli",
        "input=100 output=30 thought=20",
        given=log("qwen-code.api_response"),
    ),
    Case(
        "raw openai names",
        {
            "llm.usage.prompt_tokens": 100,
            "llm.usage.completion_tokens": 50,
            "llm.usage.prompt_tokens_details.cached_tokens": 60,
            "model": "m",
        },
        "raw",
        "input=40 read=60 output=50",
    ),
    Case(
        "raw anthropic names",
        {"input_tokens": 10, "output_tokens": 50, "cache_read_input_tokens": 60, "model": "m"},
        "raw",
        "input=10 read=60 output=50",
    ),
    Case(
        "raw usage object",
        {"usage": '{"promptTokenCount": 9, "candidatesTokenCount": 9, "thoughtsTokenCount": 34}', "model": "m"},
        "raw",
        "input=9 output=9 thought=34",
    ),
]
