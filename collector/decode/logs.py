"""Log records of an OTLP log export as records. Some agents (Claude Code, Codex, Gemini CLI) report their calls only
here."""

from __future__ import annotations

import hashlib
import re

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.content import CONTENT_DROPPED, ContentPolicy, kept_text, stored_attributes, with_count
from collector.decode.canonical import canonical, digest, has_nul, pairs_spelling
from collector.decode.spans import check_time, encoded
from collector.decode.values import Budget, Refused, clean_text, clean_value, read_encoded, read_value
from collector.record import Attributes, AttributeValue, Record, Resource, Scope

_NAME_LIKE = re.compile(r"[A-Za-z][\w.\-/]{0,127}")
_SEVERITY_ERROR = 17
_STATUS_ERROR = 2
_DURATION_MAX_MS = 86_400_000.0


def read_log(log: LogRecord, resource: Resource, scope: Scope, policy: ContentPolicy) -> Record:
    """One log record, its attributes still encoded (see shallow.py). Raises: Refused when ids, time or sizes cannot be accepted.

    Its own span id is derived from its content and its emitter; without a trace the trace id is derived too. A repeated export
    therefore has the same key, and two records that are equal in every byte are one.
    """
    at_ns = log.time_unix_nano or log.observed_time_unix_nano
    check_time(at_ns, "time")
    if log.trace_id and len(log.trace_id) != 16:
        raise Refused("bad_trace_id", f"trace id has {len(log.trace_id)} bytes, not 16")
    if log.span_id and len(log.span_id) != 8:
        raise Refused("bad_span_id", f"span id has {len(log.span_id)} bytes, not 8")
    trace_id = log.trace_id if any(log.trace_id) else b""
    inside = log.span_id if trace_id and any(log.span_id) else None
    budget = Budget()
    attributes, content = read_encoded(encoded(log), budget)
    body = read_value(log.body, budget)
    event_name = log.event_name
    spelling = canonical(
        ["log", trace_id.hex(), (inside or b"").hex(), event_name, log.time_unix_nano, log.severity_number, log.severity_text,
         body, len(log.attributes)]
    )  # fmt: skip
    content_hash = digest(spelling, pairs_spelling(encoded(log)))
    if has_nul(spelling):
        body, event_name = clean_value(body), clean_text(event_name)
    own = hashlib.blake2b(content_hash + _emitter(resource, scope), digest_size=24).digest()
    stored = stored_attributes(attributes, content, policy)
    name, body_is_name = _name(event_name, attributes, body)
    said: AttributeValue = None
    if not body_is_name and body is not None and body != "":
        body, said = None, body
        if not policy.keep:
            dropped = stored.get(CONTENT_DROPPED, 0)
            stored = {**stored, CONTENT_DROPPED: (dropped if isinstance(dropped, int) else 0) + 1}
    text = kept_text(content, (), said, policy) if policy.keep else None
    if text is not None:
        stored = with_count(stored, text)
    return Record(
        "log", trace_id or own[:16], own[16:], inside, name, 0, _started(at_ns, attributes), at_ns,
        _STATUS_ERROR if log.severity_number >= _SEVERITY_ERROR else 0, None, stored, [], [], resource, scope, content_hash,
        content, body, text,
    )  # fmt: skip


def _name(event_name: str, attributes: Attributes, body: AttributeValue) -> tuple[str, bool]:
    """The event's name, and whether the body is nothing but a name (and so no content)."""
    named = event_name or attributes.get("event.name")
    short = body if isinstance(body, str) and _NAME_LIKE.fullmatch(body) else None
    if not isinstance(named, str) or not named:
        return short or "log", short is not None
    # Claude Code says event.name = api_request and puts the qualified name into the body.
    if short is not None and short.endswith("." + named):
        return short, True
    return named, short is not None


def _started(at_ns: int, attributes: Attributes) -> int:
    """A log that reports `duration_ms` ends at its time and began that much earlier."""
    duration = attributes.get("duration_ms")
    try:
        duration_ms = float(duration) if isinstance(duration, (int, float, str)) else 0.0
    except ValueError:
        return at_ns
    if not 0.0 < duration_ms <= _DURATION_MAX_MS:
        return at_ns
    return max(1, at_ns - round(duration_ms * 1e6))


def _emitter(resource: Resource, scope: Scope) -> bytes:
    return canonical([resource.attributes, scope.name, scope.version])
