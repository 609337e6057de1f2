"""Amazon Bedrock through OTel's names: Strands Agents, the botocore instrumentation, Bedrock AgentCore.

Read from strands-agents 1.15 and opentelemetry-instrumentation-botocore 0.66. Bedrock's input count excludes cached
tokens, yet its total includes them; what these emitters pass on is Bedrock's, so the total decides where it is there.
"""

from __future__ import annotations

from collector.dialects import otel_genai, shared
from collector.record import Attributes, Reading, Record
from collector.usage import UNSURE, UNSURE_EXCLUSIVE

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
MARKERS = frozenset({"gen_ai.system", "gen_ai.provider.name"})
_STRANDS = "strands-agents"
_BEDROCK = ("aws_bedrock", "aws.bedrock")


def claims(attributes: Attributes) -> bool:
    """Whether the keys are Strands', or another emitter's for Bedrock."""
    return attributes.get("gen_ai.system") in (_STRANDS, *_BEDROCK) or attributes.get("gen_ai.provider.name") in _BEDROCK


def read(record: Record) -> Reading:
    """As OTel's conventions with Bedrock's counts; an emitter nobody knows may have summed them as OTel asks."""
    is_known = record.scope.name.startswith(SCOPES) or record.attributes.get("gen_ai.system") == _STRANDS
    return otel_genai.read_as(record, NAME, UNSURE_EXCLUSIVE if is_known else UNSURE, shared.RANK_SDK)
