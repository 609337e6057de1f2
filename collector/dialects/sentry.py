"""Sentry SDK spans: OTel's names with details after the count (`gen_ai.usage.input_tokens.cached`).

Read from sentry-python 2.40 and sentry-javascript 10. The operation is in `gen_ai.operation.name` or in `sentry.op`
(gen_ai.chat).
"""

from __future__ import annotations

from collector.dialects import otel_genai, shared
from collector.record import Attributes, Reading, Record
from collector.usage import UNSURE

NAME = "sentry"
VERSION = "sentry-python 2.40"
SCOPES: tuple[str, ...] = ("sentry", "@sentry/")

_OP = "sentry.op"
MARKERS = frozenset({_OP, "gen_ai.usage.input_tokens.cached"})


def claims(attributes: Attributes) -> bool:
    """Whether the keys are Sentry's."""
    op = attributes.get(_OP)
    return (isinstance(op, str) and op.startswith("gen_ai.")) or "gen_ai.usage.input_tokens.cached" in attributes


def read(record: Record) -> Reading:
    """As OTel's conventions, with Sentry's own name of the operation where that is all there is."""
    op = record.attributes.get(_OP)
    operation = op.removeprefix("gen_ai.") if isinstance(op, str) and op.startswith("gen_ai.") else None
    return otel_genai.read_as(record, NAME, UNSURE, shared.RANK_SDK, operation)
