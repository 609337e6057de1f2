"""The dialects in order of preference, and the single entry to reading."""

from __future__ import annotations

from typing import Protocol

from collector.dialects import (
    bedrock,
    beeai,
    claude_code,
    codex,
    gemini_cli,
    google_adk,
    langfuse,
    litellm,
    openinference,
    openlit,
    openllmetry,
    otel_genai,
    pydantic_ai,
    raw,
    sentry,
    shared,
    vercel_ai,
    vllm,
)
from collector.infer import Rules, infer
from collector.record import Attributes, Reading, Record
from collector.shapes import ByShape

_SCOPES_MAX = 10_000
_SCOPE_LENGTH_MAX = 200


class Dialect(Protocol):
    """What a dialect's module offers."""

    @property
    def NAME(self) -> str:  # noqa: N802
        """How the dialect is called in the books."""
        ...

    @property
    def VERSION(self) -> str:  # noqa: N802
        """What it was read from."""
        ...

    @property
    def SCOPES(self) -> tuple[str, ...]:  # noqa: N802
        """Prefixes of instrumentation scope names that only it writes; one that ends with a dot is whole parts of a name."""
        ...

    @property
    def MARKERS(self) -> frozenset[str]:  # noqa: N802
        """Attribute names of which a record of an unknown scope has at least one, if it is of this dialect."""
        ...

    def claims(self, attributes: Attributes) -> bool:
        """Whether a record of an unknown scope with one of the markers is of this dialect."""
        ...

    def read(self, record: Record) -> Reading:
        """What the record means."""
        ...


# The more particular first: many emitters write OTel's names beside their own.
_DIALECTS: tuple[Dialect, ...] = (
    claude_code,
    codex,
    gemini_cli,
    vercel_ai,
    litellm,
    langfuse,
    vllm,
    beeai,
    pydantic_ai,
    google_adk,
    sentry,
    bedrock,
    openllmetry,
    openlit,
    otel_genai,
    openinference,
    raw,
)
# Agents whose logs are named after them; not every exporter sends the scope, or the event's name as an attribute.
_BY_NAME: dict[str, Dialect] = {
    "claude_code": claude_code,
    "codex": codex,
    "gemini_cli": gemini_cli,
    "qwen-code": gemini_cli,
    "qwen_code": gemini_cli,
}
_BY_SCOPE: dict[str, Dialect | None] = {}
# The dialects that one of the names is a marker of, in order.
_CANDIDATES = ByShape(lambda names: tuple(dialect for dialect in _DIALECTS if not dialect.MARKERS.isdisjoint(names)))


def dialects() -> tuple[Dialect, ...]:
    """All dialects, in the order in which records of an unknown scope are offered to them."""
    return _DIALECTS


def read(record: Record, rules: Rules) -> Reading:
    """What the record means: its role, its context, the call it reports, and which layer and use it serves."""
    dialect = dialect_of(record)
    if dialect is None:
        facts = shared.facts_of(record)
        return infer(record, shared.reading(facts, "none"), rules)
    return infer(record, dialect.read(record), rules)


def dialect_of(record: Record) -> Dialect | None:
    """The dialect of a record: by its scope, a log's else by its name, else by its keys."""
    name = record.scope.name
    if name not in _BY_SCOPE:
        name = name[:_SCOPE_LENGTH_MAX]  # what is remembered must stay small, and senders choose the names
        _remember(name)
    dialect = _BY_SCOPE[name]
    if dialect is None and record.signal == "log":
        dialect = _BY_NAME.get(record.name.partition(".")[0])
    if dialect is not None:
        return dialect
    attributes = record.attributes
    for candidate in _CANDIDATES.of(attributes):
        if candidate.claims(attributes):
            return candidate
    return None


def _remember(name: str) -> None:
    """The dialect whose scope prefix is the longest that fits."""
    if len(_BY_SCOPE) >= _SCOPES_MAX:  # senders choose the names
        _BY_SCOPE.clear()
    whole = name + "."
    fitting = [(len(prefix), dialect) for dialect in _DIALECTS for prefix in dialect.SCOPES if whole.startswith(prefix)]
    _BY_SCOPE[name] = max(fitting, key=lambda pair: pair[0])[1] if fitting else None
