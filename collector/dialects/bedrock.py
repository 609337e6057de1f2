"""Amazon Bedrock through OTel's names: Strands Agents, the botocore instrumentation, Bedrock AgentCore.

Read from strands-agents 1.15 and opentelemetry-instrumentation-botocore 0.66. Bedrock's input count excludes cached
tokens, yet its total includes them; what these emitters pass on is Bedrock's, so the total decides where it is there.
"""

from __future__ import annotations

from collector.dialects import otel_genai, shared
from collector.record import Attributes, Reading, Record
from collector.usage import UNSURE_EXCLUSIVE

NAME = "bedrock"
VERSION = "strands-agents 1.15"
SCOPES: tuple[str, ...] = (
    "strands",
    "opentelemetry.instrumentation.botocore",
    "opentelemetry.instrumentation.bedrock",
    "opentelemetry.instrumentation.genai.bedrock",
    "@opentelemetry/instrumentation-aws-sdk",
    "bedrock_agentcore",
)
MARKERS = frozenset({"gen_ai.usage.cache_write_input_tokens", "gen_ai.system"})


def claims(attributes: Attributes) -> bool:
    """Whether the keys are Strands'."""
    return "gen_ai.usage.cache_write_input_tokens" in attributes or attributes.get("gen_ai.system") == "strands-agents"


def read(record: Record) -> Reading:
    """As OTel's conventions with Bedrock's counts."""
    return otel_genai.read_as(record, NAME, UNSURE_EXCLUSIVE, shared.RANK_SDK)
