"""The provider's response that some emitters attach whole: it may hold the response id, the tier, and the usage
itself."""

from __future__ import annotations

import ast
from typing import cast

import msgspec
import orjson

from collector.decode.values import DEPTH_MAX
from collector.provider_usage import flavor_of, leaves_of, usage_of
from collector.record import AttributeValue, Problem
from collector.usage import Leaves

_LENGTH_MAX = 2_000_000
_LITERAL_LENGTH_MAX = 20_000

Mapping = dict[str, AttributeValue]


class Response(msgspec.Struct, frozen=True):
    """What an attached response tells beyond its text. Every part may be missing."""

    response_id: str | None = None
    model: str | None = None
    tier: str | None = None
    usage: Leaves | Problem | None = None
    provider: str | None = None

    @property
    def told(self) -> dict[str, str | None]:
        """What it tells of the call beside its usage, by the names of facts."""
        return {"response": self.response_id, "tier": self.tier, "model": self.model, "provider": self.provider}


def read_response(value: AttributeValue) -> Response | None:
    """The response in an attribute's text; None when the text is no JSON object of a provider's (or LangChain's) answer."""
    body = mapping_of(value)
    if body is None:
        return None
    answer = _langchain_answer(body) or body
    usage = usage_of(answer)
    if usage is answer:
        usage = cast("Mapping", answer.get("token_usage")) if isinstance(answer.get("token_usage"), dict) else {}
        if flavor_of(answer) == "ollama":  # whose counts stand in the answer itself
            usage = answer
    flavor = flavor_of(usage)
    return Response(
        _text(answer.get("id")) or _text(answer.get("responseId")),
        _text(answer.get("model")) or _text(answer.get("model_name")) or _text(answer.get("modelVersion")),
        _text(answer.get("service_tier")) or _text(usage.get("service_tier")),
        leaves_of(usage, flavor) if flavor else None,
        "ollama" if flavor == "ollama" else None,
    )


def mapping_of(value: AttributeValue) -> Mapping | None:
    """A JSON object given as text or already as a map; also Python's spelling of a short one, which some emitters send."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, str) or len(value) > _LENGTH_MAX or not value.startswith("{"):
        return None
    try:
        parsed: object = orjson.loads(value)
        is_plain = "\\u0000" not in value
    except orjson.JSONDecodeError:
        if len(value) > _LITERAL_LENGTH_MAX:
            return None
        try:
            parsed = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            return None
        is_plain = False
    if not isinstance(parsed, dict):
        return None
    return cast("Mapping", parsed if is_plain else _plain(cast("object", parsed)))


def _plain(value: object, depth: int = 0) -> AttributeValue:
    """The value as attributes hold it: text that can be stored, names that are text, nothing that only Python knows.

    What has no such form becomes text that says so, since a count that cannot be read must not look like one that is missing.
    """
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if value.bit_length() < 64 else "a number beyond 64 bits"
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    if isinstance(value, dict) and depth < DEPTH_MAX:
        items = cast("dict[object, object]", value).items()
        return {cast("str", _plain(key)): _plain(item, depth + 1) for key, item in items if isinstance(key, str)}
    if isinstance(value, list) and depth < DEPTH_MAX:
        return [_plain(item, depth + 1) for item in cast("list[object]", value)]
    return f"a {type(cast('object', value)).__name__}"


def _langchain_answer(body: Mapping) -> Mapping | None:
    """The metadata of the first generation of a LangChain result."""
    generations = body.get("generations")
    while isinstance(generations, list) and generations:
        generations = generations[0]
    if not isinstance(generations, dict):
        return None
    message = generations.get("message")
    inner = message.get("kwargs", message) if isinstance(message, dict) else None
    metadata = inner.get("response_metadata") if isinstance(inner, dict) else None
    if not isinstance(metadata, dict):
        return None
    if "id" not in metadata and isinstance(body.get("llm_output"), dict):
        return {**cast("Mapping", body["llm_output"]), **metadata}
    return metadata


def _text(value: AttributeValue) -> str | None:
    return value if isinstance(value, str) and value else None
