"""What emitters write that mix conventions, name a thing in their own way, or look like others."""

from __future__ import annotations

from tests.unit.collector.emitters import CHAT, USED, Case, log

OI = {"openinference.span.kind": "LLM", "llm.model_name": "m", "llm.token_count.prompt": 100, "llm.token_count.completion": 50}
CONTEXT = {"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "m"}
BARE = {"model": "m", "input_tokens": 100, "output_tokens": 50}
REQUEST = {"model": "c", "input_tokens": 2, "output_tokens": 50, "cache_read_tokens": 60}

MIXED_CASES: list[Case] = [
    Case(
        "otel, text beside images, and the wholes",
        {**CHAT, **USED, "gen_ai.usage.text.input_tokens": 70, "gen_ai.usage.image.input_tokens": 30},
        "otel_genai",
        "input=70 image=30 output=50",
    ),
    Case(
        "otel, modalities without the wholes",
        {
            **CHAT,
            "gen_ai.usage.text.input_tokens": 70,
            "gen_ai.usage.image.input_tokens": 30,
            "gen_ai.usage.text.output_tokens": 40,
            "gen_ai.usage.audio.output_tokens": 10,
        },
        "otel_genai",
        "input=70 image=30 output=40 audio_out=10",
    ),
    Case(
        "otel, text alone",
        {**CHAT, "gen_ai.usage.text.input_tokens": 100, "gen_ai.usage.text.output_tokens": 50},
        "otel_genai",
        "input=100 output=50",
    ),
    Case(
        "otel, what was read from the cache by modality only",
        {
            **CHAT,
            **USED,
            "gen_ai.usage.text.cache_read.input_tokens": 40,
            "gen_ai.usage.audio.input_tokens": 50,
            "gen_ai.usage.audio.cache_read.input_tokens": 20,
        },
        "otel_genai",
        "input=10 read=40 audio=30 audio_read=20 output=50",
    ),
    Case(
        "otel's names in a scope nobody knows, the total tells that the cache is beside the input",
        {**CHAT, **USED, "gen_ai.usage.cache_read.input_tokens": 60, "gen_ai.usage.total_tokens": 210},
        "otel_genai",
        "input=100 read=60 output=50",
        given={"scope": "shop.assistant"},
    ),
    Case(
        "otel's names in a scope nobody knows, the total tells that the thoughts are on top",
        {**CHAT, **USED, "gen_ai.usage.reasoning.output_tokens": 20, "gen_ai.usage.total_tokens": 170},
        "otel_genai",
        "input=100 output=50 thought=20",
        given={"scope": "shop.assistant"},
    ),
    Case(
        "otel, a rerank has no output",
        {**CHAT, "gen_ai.operation.name": "rerank", "gen_ai.usage.total_tokens": 77},
        "otel_genai",
        "input=77",
    ),
    Case(
        "otel's context, the provider's usage as one object, which tells the tier",
        {**CONTEXT, "usage": '{"input_tokens":10,"output_tokens":50,"cache_read_input_tokens":60,"service_tier":"batch"}'},
        "otel_genai",
        "input=10 read=60 output=50",
        tier="batch",
    ),
    Case(
        "raw usage object, which tells the tier",
        {"model": "c", "usage": '{"input_tokens":10,"output_tokens":50,"cache_read_input_tokens":60,"service_tier":"priority"}'},
        "raw",
        "input=10 read=60 output=50",
        tier="priority",
    ),
    Case(
        "vercel, anthropic's usage in the metadata, which tells the tier",
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": "c",
            "ai.response.providerMetadata": '{"anthropic":{"usage":{"input_tokens":10,"output_tokens":50,'
            '"service_tier":"batch"}}}',
        },
        "vercel_ai",
        "input=10 output=50",
        tier="batch",
    ),
    Case(
        "openinference, the attached usage tells the tier",
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "c",
            "output.value": '{"id":"msg_1","usage":{"input_tokens":10,"output_tokens":50,"cache_creation":{},'
            '"service_tier":"batch"}}',
        },
        "openinference",
        "input=10 output=50",
        "response:msg_1",
        tier="batch",
    ),
    Case(
        "pydantic ai, audio among the details",
        {
            **CHAT,
            **USED,
            "gen_ai.usage.details.cache_read_tokens": 40,
            "gen_ai.usage.details.cache_audio_read_tokens": 30,
            "gen_ai.usage.details.input_audio_tokens": 50,
            "gen_ai.usage.details.output_audio_tokens": 20,
        },
        "pydantic_ai",
        "input=40 read=10 audio=20 audio_read=30 output=30 audio_out=20",
        given={"scope": "pydantic-ai"},
    ),
    Case(
        "otel's context, the provider's own counts",
        {**CONTEXT, "prompt_tokens": 100, "completion_tokens": 50},
        "otel_genai",
        "input=100 output=50",
    ),
    Case(
        "otel's context, the provider's usage as one object",
        {**CONTEXT, "usage": '{"prompt_tokens":100,"completion_tokens":50,"prompt_tokens_details":{"cached_tokens":60}}'},
        "otel_genai",
        "input=40 read=60 output=50",
    ),
    Case(
        "openinference's scope, told to write otel's names",
        {**CHAT, **USED, "gen_ai.usage.cache_read.input_tokens": 60},
        "openinference",
        "input=40 read=60 output=50",
        given={"scope": "openinference.instrumentation.openai"},
    ),
    Case(
        "openinference, the other name of what was cached",
        {**OI, "llm.token_count.prompt_details.cache_input": 60},
        "openinference",
        "input=40 read=60 output=50",
    ),
    Case("a scope that begins like the ai sdk's: aider", OI, "openinference", "input=100 output=50", given={"scope": "aider"}),
    Case("a scope that begins like the ai sdk's: airflow", BARE, "raw", "input=100 output=50", given={"scope": "airflow"}),
    Case(
        "traceloop's first names",
        {
            "llm.request.type": "chat",
            "llm.request.model": "m",
            "llm.vendor": "OpenAI",
            "llm.usage.prompt_tokens": 100,
            "llm.usage.completion_tokens": 50,
            "llm.usage.total_tokens": 150,
        },
        "openllmetry",
        "input=100 output=50",
    ),
    Case(
        "semantic kernel's first names",
        {
            "gen_ai.operation.name": "chat.completions",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "m",
            "gen_ai.response.prompt_tokens": 100,
            "gen_ai.response.completion_tokens": 50,
        },
        "otel_genai",
        "input=100 output=50",
        given={"scope": "Microsoft.SemanticKernel.Diagnostics"},
    ),
    Case(
        "mlflow, whose attributes are JSON",
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.llm.model": '"m"',
            "mlflow.chat.tokenUsage": '{"input_tokens":10,"output_tokens":50,"total_tokens":120,"cache_read_input_tokens":60}',
        },
        "raw",
        "input=10 read=60 output=50",
    ),
    Case(
        "raw, the model by another name",
        {"request.model": "m", "input_tokens": 100, "output_tokens": 50},
        "raw",
        "input=100 output=50",
    ),
    Case(
        "raw, claude code's names in somebody else's span",
        {"model": "c", "input_tokens": 10, "output_tokens": 50, "cache_read_tokens": 60, "cache_creation_tokens": 30},
        "raw",
        "input=10 read=60 write=30 output=50",
    ),
    Case(
        "raw, caches and reasoning under plain names",
        {**BARE, "cache_read_tokens": 60, "cache_write_tokens": 30, "reasoning_tokens": 20, "total_tokens": 150},
        "raw",
        "input=10 read=60 write=30 output=30 thought=20",
    ),
    Case(
        "claude code by the log's name alone, nothing written",
        REQUEST,
        "claude_code",
        "input=2 read=60 output=50",
        given=log("claude_code.api_request"),
    ),
    Case(
        "claude code by the event's short name",
        {**REQUEST, "event.name": "api_request"},
        "claude_code",
        "input=2 read=60 output=50",
        given=log("api_request"),
    ),
    Case(
        "claude code in fast mode",
        {**REQUEST, "speed": "fast"},
        "claude_code",
        "input=2 read=60 output=50",
        given=log("claude_code.api_request"),
        tier="fast",
    ),
    Case(
        "claude code as fast as usual",
        {**REQUEST, "speed": "normal"},
        "claude_code",
        "input=2 read=60 output=50",
        given=log("claude_code.api_request"),
    ),
    Case(
        "codex by the log's name alone",
        {"event.kind": "response.completed", "model": "m", "input_token_count": "100", "output_token_count": "50"},
        "codex",
        "input=100 output=50",
        given=log("codex.sse_event"),
    ),
    Case(
        "gemini cli by the log's name alone",
        {"model": "g", "input_token_count": 100, "output_token_count": 50, "thoughts_token_count": 20},
        "gemini_cli",
        "input=100 output=50 thought=20",
        given=log("gemini_cli.api_response"),
    ),
    Case(
        "langfuse over langchain and anthropic, cache writes by lifetime",
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "c",
            "langfuse.observation.usage_details": '{"input":10,"input_cache_read":60,"input_cache_creation":0,"output":50,'
            '"input_ephemeral_5m_input_tokens":20,"input_ephemeral_1h_input_tokens":30,"total":170}',
        },
        "langfuse",
        "input=10 read=60 write=0 write_5m=20 write_1h=30 output=50",
        given={"scope": "langfuse-sdk"},
    ),
    Case(
        "langfuse, what an embedding used is all there is",
        {
            "langfuse.observation.type": "embedding",
            "langfuse.observation.model.name": "m",
            "langfuse.observation.usage_details": '{"total":77}',
            "langfuse.observation.cost_details": '{"input":0.1,"output":0.2}',
        },
        "langfuse",
        "input=77",
        claim="0.3",
        given={"scope": "langfuse-sdk"},
    ),
]
