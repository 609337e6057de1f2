"""OpenLIT spans: OTel's names, with a claimed cost in `gen_ai.usage.cost`.

Read from openlit 1.36. Cached tokens are meant to be part of the input; the total decides where a provider's own
count leaks through.
"""

from __future__ import annotations

from collector.dialects import otel_genai, shared
from collector.record import Attributes, Reading, Record
from collector.usage import UNSURE

NAME = "openlit"
VERSION = "openlit 1.36"
SCOPES: tuple[str, ...] = ("openlit",)
MARKERS = frozenset({"gen_ai.usage.cost"})


def claims(attributes: Attributes) -> bool:
    """Whether the keys are OpenLIT's."""
    return "gen_ai.usage.cost" in attributes and "gen_ai.operation.name" in attributes


def read(record: Record) -> Reading:
    """As OTel's conventions, unsure of the cache."""
    return otel_genai.read_as(record, NAME, UNSURE, shared.RANK_SDK)
