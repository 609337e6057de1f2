"""BeeAI framework through OpenInference: every event of a model call is a span of kind LLM.

Read from openinference-instrumentation-beeai 0.1.33 as recorded. `backend.<provider>.chat.start-16`, `.success-16`
and `.finish-16` are one call: they share a number, and are copies of which the one with usage is booked. Partial
updates are not calls.
"""

from __future__ import annotations

import re

from collector.dialects import openinference, shared
from collector.record import Attributes, Reading, Record
from collector.usage import UNSURE, read_counts

NAME = "beeai"
VERSION = "openinference-instrumentation-beeai 0.1.33"
SCOPES: tuple[str, ...] = ("openinference.instrumentation.beeai", "@arizeai/openinference-instrumentation-beeai")

_CALL_EVENT = re.compile(r"(backend\.\w+\.(?:chat|embedding))\.(start|success|finish)-(\d+)")
_EVENT = re.compile(r"(?:backend|tool|agent)\..*\.\w+-\d+")
MARKERS = frozenset({"beeai.version"})


def claims(attributes: Attributes) -> bool:
    """Whether the keys are BeeAI's."""
    return not MARKERS.isdisjoint(attributes)


def read(record: Record) -> Reading:
    """Events of a model call share a key; other events are plain; the rest is OpenInference."""
    event = _CALL_EVENT.fullmatch(record.name)
    if event is None:
        read = openinference.read_as(record, NAME)
        if read.role in ("call", "tool") and _EVENT.fullmatch(record.name) and not record.name.startswith("tool."):
            read.role, read.call, read.tool = "plain", None, None
        return read
    facts = shared.facts_of(record)
    read = shared.reading(facts, NAME)
    key = f"beeai:{record.trace_id.hex()}:{event.group(1)}:{event.group(3)}"
    counts = read_counts(record.attributes, openinference.COUNTS)
    rank = shared.RANK_SDK if event.group(2) == "success" else shared.RANK_FRAMEWORK
    is_embedding = event.group(1).endswith("embedding")
    return shared.as_call(
        record,
        read,
        facts,
        counts,
        UNSURE,
        rank,
        "embeddings" if is_embedding else "chat",
        is_embedding=is_embedding,
        keys=(key,),
    )
