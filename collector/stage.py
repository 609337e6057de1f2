"""Readings become arrivals: what the books store of each record, grouped by the tenant whose record it is."""

from __future__ import annotations

import hashlib
from uuid import UUID

import msgspec
import orjson

from collector.dialects.shared import text_of
from collector.record import (
    Attributes,
    AttributeValue,
    Event,
    Link,
    Point,
    Problem,
    Reading,
    Record,
    Resource,
    Text,
)
from ledger.arrivals import Arrivals, Key, NewCall, NewControl, NewPoint, NewRecord, NewText, ReadyRecord, Rejection
from ledger.model_names import resolve as resolve_model
from ledger.ready import ready
from ledger.resolve import member_of, resolve

TENANT_ATTRIBUTE = "tenant.id"
_NAME_LENGTH_MAX = 2000
# What stands in an index may not exceed a third of its page (2,704 bytes).
_INDEXED_LENGTH_MAX = 500
# Names that people group and find by stand in indexes together, three in a row.
_GROUPED_LENGTH_MAX = 200
_TOLD_APART_LENGTH = 18
# Attributes that name options of a decision: decisions are grouped by them, and a router's must stay what its calls name.
_OPTION_NAMES = (
    "allocation.route.candidates", "allocation.route.chosen", "decision_model", "allocation.action.class",
    "allocation.action.confirmation", "allocation.engine",
)  # fmt: skip


class Staging:
    """Arrivals of one request in the making. With a `credential_tenant` all of them are that tenant's."""

    def __init__(self, signal: str, size_bytes: int, default_tenant: str, credential_tenant: str | None = None) -> None:
        self._signal = signal
        self._size_bytes = size_bytes
        self._default = default_tenant
        self._credential_tenant = credential_tenant
        self._by_tenant: dict[str, tuple[Arrivals, list[ReadyRecord]]] = {}
        self._resources: dict[int, tuple[Resource, str, str]] = {}

    def other_tenant(self, record: Record | Point) -> Problem | None:
        """What is wrong with a record, or a metric data point, that names another tenant than the credential's; None: nothing."""
        if self._credential_tenant is None:
            return None
        named = self._named(record.attributes, record.resource)
        if not named or named == self._credential_tenant:
            return None
        told = f"{TENANT_ATTRIBUTE} is {storable(named)}, and the credential is of tenant {self._credential_tenant} alone"
        return Problem("read", "other_tenant", told)

    def add(self, record: Record, reading: Reading) -> None:
        """Take in one record and what was read from it."""
        arrivals, records = self._of(self._tenant(record.attributes, record.resource))
        resource_id, resource_json = self._resource(record.resource)
        arrivals.resources[resource_id] = resource_json
        new = _new_record(record, reading, resource_id)
        if reading.call is not None:
            records.append(ready(new, _new_call(reading)))
        elif reading.control is not None:
            total = reading.control
            control = NewControl(reading.dialect, total.input_tokens, total.output_tokens, total.cost_usd)
            records.append(ready(new, control=control))
        else:
            records.append(ready(new))

    def add_point(self, point: Point) -> None:
        """Take in one metric data point."""
        arrivals, _ = self._of(self._tenant(point.attributes, point.resource))
        resource_id, resource_json = self._resource(point.resource)
        arrivals.resources[resource_id] = resource_json
        attributes = orjson.dumps(point.attributes, default=_plain, option=orjson.OPT_SORT_KEYS)
        identity = b"\0".join((point.name.encode(), attributes, resource_id.encode(), point.scope.name.encode()))
        arrivals.points.append(
            NewPoint(
                name=point.name[:_INDEXED_LENGTH_MAX],
                at_us=point.at_ns // 1000,
                series_id=_identity(identity),
                unit=point.unit,
                kind=point.kind,
                value=point.value,
                detail_json=None if point.detail is None else _document(point.detail).decode(),
                attributes_json=attributes.decode(),
                resource_id=resource_id,
            )
        )

    def reject(self, problem: Problem) -> None:
        """Take in a record that was refused; it is kept under the credential's or the default tenant, since its own is unread."""
        arrivals, _ = self._of(self._credential_tenant or self._default)
        detail = storable(problem.detail)[:_NAME_LENGTH_MAX]
        arrivals.rejections.append(Rejection(self._signal, problem.stage, problem.code, detail))

    def arrivals(self) -> list[Arrivals]:
        """Everything taken in, by tenant. The request itself is counted once, under its first tenant."""
        groups = list(self._by_tenant.values()) or [self._of(self._credential_tenant or self._default)]
        groups[0][0].requests, groups[0][0].size_bytes = 1, self._size_bytes
        for arrivals, records in groups:
            _judge_alone(records)
            arrivals.is_judged = True
        return [arrivals for arrivals, _ in groups]

    def _of(self, tenant: str) -> tuple[Arrivals, list[ReadyRecord]]:
        """A tenant's arrivals, and the records among them."""
        taken = self._by_tenant.get(tenant)
        if taken is None:
            records: list[ReadyRecord] = []
            taken = self._by_tenant[tenant] = Arrivals(tenant, self._signal, records), records
        return taken

    def _tenant(self, attributes: Attributes, resource: Resource) -> str:
        if self._credential_tenant is not None:
            return self._credential_tenant
        return self._named(attributes, resource) or self._default

    def _named(self, attributes: Attributes, resource: Resource) -> str | None:
        named = attributes.get(TENANT_ATTRIBUTE)
        if named is None or named == "":
            named = resource.attributes.get(TENANT_ATTRIBUTE)
        if named is None:
            return None
        return grouped(text_of(named) or text_of(resource.attributes.get(TENANT_ATTRIBUTE)))

    def _resource(self, resource: Resource) -> tuple[str, str]:
        known = self._resources.get(id(resource))
        if known is None:
            text = orjson.dumps(resource.attributes, default=_plain, option=orjson.OPT_SORT_KEYS)
            known = self._resources[id(resource)] = (resource, _identity(text), text.decode())
        return known[1], known[2]


def storable(text: str) -> str:
    """The text without what PostgreSQL cannot store: NUL, and halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _judge_alone(records: list[ReadyRecord]) -> None:
    """What becomes of each call if nothing more is known than this export; of two records with one key the first counts."""
    first: dict[Key, ReadyRecord] = {}
    for record in records:
        first.setdefault((record.trace_id, record.span_id), record)
    for key, verdict in resolve([member_of(record) for record in first.values()]).items():
        call = first[key].call
        if call is not None:
            call.alone = verdict


def _new_record(record: Record, reading: Reading, resource_id: str) -> NewRecord:
    attributes = with_options_cut(record.attributes)
    if record.body is not None:
        attributes = {**attributes, "log.body": record.body}
    return NewRecord(
        record.trace_id, record.span_id, record.started_ns // 1000, record.ended_ns // 1000, record.parent_span_id, record.signal,
        reading.role, record.name[:_NAME_LENGTH_MAX], record.kind, record.status_code, record.status_message or None,
        grouped(record.resource.service), record.scope.name or None, record.scope.version or None, resource_id,
        grouped(reading.agent), grouped(reading.task_class), reading.layer, reading.use, _document(attributes),
        _document([_event(event) for event in record.events]) if record.events else None,
        _document([_link(link) for link in record.links]) if record.links else None,
        record.content_hash, None if record.text is None else _new_text(record.text),
    )  # fmt: skip


def _new_text(text: Text) -> NewText:
    events = [{"event": place, "name": name, "attributes": said} for place, name, said in text.events]
    return NewText(
        _document(text.attributes) if text.attributes else None,
        _document(events) if events else None,
        None if text.body is None else _document(text.body),
    )


def _new_call(reading: Reading) -> NewCall:
    call = reading.call
    if call is None:
        raise ValueError("a reading without a call was staged as one")
    provider, model = grouped(call.provider), grouped(call.model)
    rate_provider, rate_model = resolve_model(provider, model)
    return NewCall(
        reading.dialect, call.confidence, call.operation, provider, model, rate_provider, rate_model, call.service_tier,
        reading.layer, reading.layer_source, reading.use, reading.use_source, grouped(reading.conversation_id),
        grouped(reading.user_id),
        {} if call.problem else call.leaves, call.total_input_tokens, call.claimed_cost_usd, call.response_id,
        tuple([key if len(key) <= _INDEXED_LENGTH_MAX else _identity(key.encode()) for key in call.keys]), call.strength,
        f"{call.problem.code}: {call.problem.detail}" if call.problem else None,
    )  # fmt: skip


def grouped(name: str | None) -> str | None:
    """A name as it is grouped by: of a very long one its beginning, and what tells it from others that begin so."""
    if name is None or len(name) <= _GROUPED_LENGTH_MAX:
        return name
    return f"{name[: _GROUPED_LENGTH_MAX - _TOLD_APART_LENGTH - 1]}…{_identity(name.encode())[:_TOLD_APART_LENGTH]}"


def with_options_cut(attributes: Attributes) -> Attributes:
    """Attributes in which no name of an option is longer than what is grouped by may be; the same ones where none is."""
    if attributes.keys().isdisjoint(_OPTION_NAMES):
        return attributes
    cut: dict[str, AttributeValue] = {}
    for key in _OPTION_NAMES:
        value = attributes.get(key)
        if isinstance(value, str):
            short: AttributeValue = grouped(value)
        elif isinstance(value, list):
            short = [grouped(one) if isinstance(one, str) else one for one in value]
        else:
            continue
        if short != value:
            cut[key] = short
    return {**attributes, **cut} if cut else attributes


def _event(event: Event) -> dict[str, AttributeValue]:
    return {"name": event.name, "at_ns": event.at_ns, "attributes": event.attributes}


def _link(link: Link) -> dict[str, AttributeValue]:
    return {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(), "attributes": link.attributes}


def _identity(content: bytes) -> str:
    return str(UUID(bytes=hashlib.blake2b(content, digest_size=16).digest()))


def _document(value: object) -> bytes:
    return orjson.dumps(value, default=_plain)


def _plain(value: object) -> object:
    """What JSON cannot carry as it is: bytes become base64 text, integers beyond 64 bits become text."""
    if isinstance(value, bytes):
        return msgspec.to_builtins(value)
    return str(value)
