"""Bodies become records; what is wrong with a record is said about that record, and the rest is kept."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.content import CONTENT_DROPPED, CONTENT_KEPT, ContentPolicy
from collector.decode import Undecodable, decode_logs, decode_traces
from collector.decode.spans import SKEWED, TIME_MAX_NS
from collector.decode.values import DEPTH_MAX, VALUES_MAX
from collector.errors import TooDeep
from collector.record import Record, Text
from tests.unit.collector.traffic import SPAN, START_NS, TRACE, export, json_export, json_span, put, span

PLAIN: dict[str, Any] = {
    "text": "a",
    "empty": "",
    "number": 7,
    "zero": 0,
    "negative": -(2**63),
    "huge": 2**63 - 1,
    "fraction": 0.25,
    "yes": True,
    "no": False,
    "list": ["a", 1, [2.5, {"k": False}]],
    "map": {"a": {"b": "c"}, "d": []},
    "bytes": b"\x00\xff",
}


def one(body: bytes, encoding: Any = "protobuf", **given: Any) -> Record:
    decoded = decode_traces(body, encoding, **given)
    assert not decoded.problems
    (record,) = decoded.records
    return record


def test_a_span_becomes_a_record() -> None:
    wire = span(PLAIN, parent_span_id=b"parentid", kind=Span.SPAN_KIND_CLIENT)
    wire.status.code, wire.status.message = Status.STATUS_CODE_ERROR, "boom"
    event = wire.events.add(name="it happened", time_unix_nano=START_NS + 5)
    put(event.attributes.add(key="k").value, 1)
    wire.links.add(trace_id=TRACE, span_id=SPAN)
    record = one(export(wire, resource={"service.name": "shop"}, scope="lib"))
    assert (record.signal, record.trace_id, record.span_id, record.parent_span_id) == ("span", TRACE, SPAN, b"parentid")
    assert (record.name, record.kind, record.status_code, record.status_message) == ("chat", 3, 2, "boom")
    assert (record.started_ns, record.ended_ns) == (START_NS, START_NS + 10**9)
    assert record.attributes == {**PLAIN, "bytes": "AP8="}
    assert record.events[0].attributes == {"k": 1}
    assert record.links[0].span_id == SPAN
    assert (record.resource.service, record.scope.name) == ("shop", "lib")


def test_json_and_protobuf_are_the_same_record() -> None:
    binary = one(export(span(PLAIN, parent_span_id=b"parentid", kind=3)))
    text = one(json_export(json_span(PLAIN, parentSpanId=b"parentid".hex(), kind=3)), "json")
    assert text == binary


def test_attribute_order_is_not_content() -> None:
    forwards, backwards = span(PLAIN), span(dict(reversed(PLAIN.items())))
    assert one(export(forwards)).content_hash == one(export(backwards)).content_hash


@pytest.mark.parametrize("change", [{"name": "other"}, {"end_time_unix_nano": START_NS + 1}, {"kind": 2}])
def test_other_content_has_another_hash(change: dict[str, Any]) -> None:
    assert one(export(span(PLAIN))).content_hash != one(export(span(PLAIN, **change))).content_hash
    assert one(export(span({"a": 1}))).content_hash != one(export(span({"a": 1.0}))).content_hash


def test_the_hash_is_not_of_the_resource_nor_of_the_content_policy() -> None:
    wire = span({"gen_ai.prompt": "secret", "a": 1})
    plain = one(export(wire))
    assert plain.content_hash == one(export(wire, resource={"host": "b"})).content_hash
    assert plain.content_hash == one(export(wire), policy=ContentPolicy(keep=True)).content_hash


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"trace_id": b""}, "bad_trace_id"),
        ({"trace_id": bytes(16)}, "bad_trace_id"),
        ({"trace_id": b"short"}, "bad_trace_id"),
        ({"span_id": bytes(8)}, "bad_span_id"),
        ({"span_id": b"far too long"}, "bad_span_id"),
        ({"parent_span_id": b"abc"}, "bad_parent_id"),
        ({"start_time_unix_nano": 0}, "missing_time"),
        ({"start_time_unix_nano": 1_793_610_000}, "bad_time"),
        ({"start_time_unix_nano": TIME_MAX_NS + 1}, "bad_time"),
        ({"end_time_unix_nano": 2**64 - 1}, "bad_time"),
    ],
)
def test_a_bad_span_is_refused_and_the_others_kept(fields: dict[str, Any], code: str) -> None:
    decoded = decode_traces(export(span({"a": 1}), span(**fields), span({"b": 2})), "protobuf")
    assert [record.attributes for record in decoded.records] == [{"a": 1}, {"b": 2}]
    (problem,) = decoded.problems
    assert (problem.stage, problem.code) == ("decode", code)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"traceId": "zz" * 16}, "bad_field"),
        ({"traceId": "CvdlGRbNQ92ESOshHIAxnA=="}, "bad_field"),
        ({"spanId": "b7ad6b71 69203331"}, "bad_field"),
        ({"spanId": SPAN.hex()[:-2]}, "bad_span_id"),
        ({"startTimeUnixNano": "yesterday"}, "bad_field"),
        ({"startTimeUnixNano": -5}, "bad_field"),
        ({"endTimeUnixNano": "99999999999999999999999"}, "bad_field"),
        ({"attributes": {"a": 1}}, "bad_field"),
        ({"attributes": [{"key": "a", "value": {"intValue": str(2**70)}}]}, "bad_field"),
        ({"attributes": [{"key": "a", "value": {"intValue": True}}]}, "bad_field"),
        ({"attributes": [{"key": "a", "value": "bare"}]}, "bad_field"),
        ({"name": 7}, "bad_field"),
    ],
)
def test_a_bad_json_span_is_refused_and_the_others_kept(fields: dict[str, Any], code: str) -> None:
    decoded = decode_traces(json_export(json_span({"a": 1}), json_span() | fields, json_span({"b": 2})), "json")
    assert [record.attributes for record in decoded.records] == [{"a": 1}, {"b": 2}]
    assert [problem.code for problem in decoded.problems] == [code]


def test_json_leniences_of_the_specification() -> None:
    body = json_span(traceId=TRACE.hex().upper(), kind="SPAN_KIND_CLIENT", startTimeUnixNano=START_NS, unknownField={"x": [1]})
    body["attributes"] = [
        {"key": "number", "value": {"intValue": 5}},
        {"key": "nan", "value": {"doubleValue": "NaN"}},
        {"key": "low", "value": {"doubleValue": "-Infinity"}},
        {"key": "nothing", "value": {}},
        {"key": "null", "value": None},
    ]
    record = one(json_export(body), "json")
    assert (record.trace_id, record.kind) == (TRACE, 3)
    assert record.attributes == {"number": 5, "nan": "NaN", "low": "-Infinity", "nothing": None, "null": None}


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"not protobuf at all", "protobuf"),
        (b"\x0a\xff\xff\xff\xff\x7f", "protobuf"),
        (export(span({"a": "b"}))[:-7], "protobuf"),
        (b"", "json"),
        (b"{", "json"),
        (b"[]", "json"),
        (b'"text"', "json"),
        (b'{"resourceSpans": 5}', "json"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": {}}]}]}', "json"),
    ],
)
def test_a_body_that_is_no_export_is_undecodable(body: bytes, encoding: Any) -> None:
    with pytest.raises(Undecodable):
        decode_traces(body, encoding)


def test_a_body_nested_beyond_reading_is_too_deep() -> None:
    with pytest.raises(TooDeep):
        decode_traces(b"[" * 100_000, "json")


def test_an_empty_export_is_empty() -> None:
    assert not decode_traces(b"", "protobuf").records
    assert not decode_traces(b"{}", "json").records


def test_a_broken_string_costs_one_span_not_the_export() -> None:
    broken = span({"name": "MARKER"})
    body = export(span({"a": 1}), broken, span({"b": 2}), resource={"service.name": "shop"}).replace(
        b"MARKER", b"\xff\xfe\xfdKER"
    )
    decoded = decode_traces(body, "protobuf")
    assert [record.attributes for record in decoded.records] == [{"a": 1}, {"b": 2}]
    assert {record.resource.service for record in decoded.records} == {"shop"}
    assert [problem.code for problem in decoded.problems] == ["unparsable_record"]


def test_numbers_that_json_does_not_know_become_text() -> None:
    record = one(export(span({"a": float("nan"), "b": float("inf"), "c": [float("-inf")]})))
    assert record.attributes == {"a": "NaN", "b": "Infinity", "c": ["-Infinity"]}


def test_nul_is_replaced_everywhere() -> None:
    wire = span({"k\0": "a\0b", "list": ["\0"], "map": {"\0": "\0"}}, name="n\0")
    wire.status.message = "\0"
    record = one(export(wire))
    assert "\0" not in repr([record.name, record.status_message, record.attributes]).replace("\\x00", "\0")
    assert record.attributes["k\ufffd"] == "a\ufffdb"


def test_lone_surrogates_are_replaced() -> None:
    body = json_export(json_span({"a": "MARKER"})).replace(b"MARKER", rb"x\ud800y")
    assert one(body, "json").attributes == {"a": "x\ufffdy"}


def nested(depth: int) -> Any:
    value: Any = "leaf"
    for _ in range(depth):
        value = [value]
    return value


def field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    size, length = b"", len(content)
    while length > 0x7F:
        size += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content


def deep_body(depth: int, encoding: Any) -> bytes:
    """An export of a span with lists this deep, deeper than the libraries agree to write, and one without."""
    if encoding == "protobuf":
        value = field(1, b"leaf")
        for _ in range(depth):
            value = field(5, field(1, value))
        deep = span().SerializeToString() + field(9, field(1, b"a") + field(2, value))
        return field(1, field(2, field(2, deep) + field(2, span({"b": 1}).SerializeToString())))
    lists = '{"arrayValue":{"values":[' * depth + '{"stringValue":"leaf"}' + "]}}" * depth
    return json_export(json_span({"a": "MARKER"}), json_span({"b": 1})).replace(b'{"stringValue":"MARKER"}', lists.encode())


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
@pytest.mark.parametrize("depth", [DEPTH_MAX + 1, 45, 200, 330])
def test_too_deep_is_refused(depth: int, encoding: Any) -> None:
    decoded = decode_traces(deep_body(depth, encoding), encoding)
    assert [record.attributes for record in decoded.records] == [{"b": 1}]
    assert [problem.code for problem in decoded.problems] in (["too_deep"], ["unparsable_record"])


def test_deep_enough_is_kept() -> None:
    assert one(export(span({"a": nested(DEPTH_MAX)}))).attributes["a"] == nested(DEPTH_MAX)


def test_too_many_values_are_refused() -> None:
    decoded = decode_traces(export(span({"a": [1] * (VALUES_MAX + 1)}), span({"b": 1})), "protobuf")
    assert [record.attributes for record in decoded.records] == [{"b": 1}]
    assert [problem.code for problem in decoded.problems] == ["too_many_values"]


def test_a_resource_too_deep_keeps_whose_its_records_are() -> None:
    deep: Any = "end"
    for _ in range(DEPTH_MAX + 2):
        deep = [deep]
    decoded = decode_traces(export(span({"a": 1}), resource={"tenant.id": "shop", "deep": deep, "service.name": "s"}), "protobuf")
    (record,) = decoded.records
    assert record.resource.service == "s"
    assert record.resource.attributes["tenant.id"] == "shop"
    assert "deep" not in record.resource.attributes
    assert [warning.code for warning in decoded.warnings] == ["too_deep"]


def test_a_clock_set_back_is_noted_not_refused() -> None:
    record = one(export(span(end_time_unix_nano=START_NS - 7)))
    assert (record.started_ns, record.ended_ns) == (START_NS, START_NS)
    assert record.attributes == {SKEWED: 7}


def test_enums_out_of_range_are_unspecified() -> None:
    wire = span(kind=2**31 - 1)
    wire.status.code = 77  # pyright: ignore[reportAttributeAccessIssue]
    record = one(export(wire))
    assert (record.kind, record.status_code) == (0, 0)


def test_content_is_dropped_and_counted_but_there_to_be_read() -> None:
    record = one(export(span({"gen_ai.input.messages": "[secret]", "a": 1})))
    assert record.attributes == {"a": 1, CONTENT_DROPPED: 1}
    assert record.content == {"gen_ai.input.messages": "[secret]"}


def test_content_is_kept_when_the_operator_says_so() -> None:
    record = one(
        export(span({"gen_ai.input.messages": "key sk-abcdefghijklmnopqrstuvwx", "a": 1})), policy=ContentPolicy(keep=True)
    )
    assert record.attributes == {"a": 1, CONTENT_KEPT: 1}
    assert record.text == Text({"gen_ai.input.messages": "key sk-abcdefghijklmnopqrstuvwx"}, [], None)
    redacted = one(
        export(span({"gen_ai.input.messages": "key sk-abcdefghijklmnopqrstuvwx of a@b.example"})),
        policy=ContentPolicy(keep=True, redact=True),
    )
    assert redacted.text == Text({"gen_ai.input.messages": "key [secret] of [e-mail]"}, [], None)


def test_content_of_events_is_kept_by_their_place() -> None:
    wire = span({"a": 1})
    wire.events.add(name="tick", time_unix_nano=START_NS)
    said = wire.events.add(name="choice", time_unix_nano=START_NS)
    put(said.attributes.add(key="gen_ai.completion").value, "x")
    put(said.attributes.add(key="b").value, 2)
    kept, dropped = one(export(wire), policy=ContentPolicy(keep=True)), one(export(wire))
    assert kept.text == Text({}, [(1, "choice", {"gen_ai.completion": "x"})], None)
    assert kept.attributes == {"a": 1, CONTENT_KEPT: 1}
    assert [event.attributes for event in kept.events] == [{}, {"b": 2}]
    assert dropped.text is None
    assert [event.attributes for event in dropped.events] == [{}, {"b": 2, CONTENT_DROPPED: 1}]


def test_a_sender_does_not_say_what_we_keep() -> None:
    record = one(export(span({CONTENT_KEPT: 7, "a": 1})))
    assert record.attributes == {"a": 1, CONTENT_DROPPED: 1}


def log_body(**fields: Any) -> bytes:
    log: dict[str, Any] = {"timeUnixNano": str(START_NS), **fields}
    return orjson.dumps({"resourceLogs": [{"scopeLogs": [{"scope": {"name": "tests"}, "logRecords": [log]}]}]})


def log_record(**fields: Any) -> Record:
    (record,) = decode_logs(log_body(**fields), "json").records
    return record


def test_a_log_inside_a_span_has_it_as_parent_and_a_key_of_its_own() -> None:
    record = log_record(traceId=TRACE.hex(), spanId=SPAN.hex(), eventName="it.happened")
    assert (record.trace_id, record.parent_span_id, record.name) == (TRACE, SPAN, "it.happened")
    assert record.span_id not in (SPAN, bytes(8))


def test_a_repeated_log_has_the_same_key_and_another_log_another() -> None:
    first, again, other = log_record(eventName="a"), log_record(eventName="a"), log_record(eventName="b")
    assert first == again
    assert len(first.trace_id) == 16
    assert (first.trace_id, first.span_id) != (other.trace_id, other.span_id)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"eventName": "gen_ai.choice"}, "gen_ai.choice"),
        ({"attributes": [{"key": "event.name", "value": {"stringValue": "codex.sse_event"}}]}, "codex.sse_event"),
        (
            {
                "attributes": [{"key": "event.name", "value": {"stringValue": "api_request"}}],
                "body": {"stringValue": "claude_code.api_request"},
            },
            "claude_code.api_request",
        ),
        ({"body": {"stringValue": "something.happened"}}, "something.happened"),
        ({"body": {"stringValue": "A sentence, not a name."}}, "log"),
    ],
)
def test_the_name_of_a_log(fields: dict[str, Any], name: str) -> None:
    assert log_record(**fields).name == name


def test_a_log_with_a_duration_began_earlier() -> None:
    record = log_record(attributes=[{"key": "duration_ms", "value": {"stringValue": "1500"}}])
    assert (record.started_ns, record.ended_ns) == (START_NS - 1_500_000_000, START_NS)


def test_a_logs_text_is_content() -> None:
    record = log_record(body={"stringValue": "my secret prompt"}, severityNumber=17)
    assert record.body is None
    assert record.attributes == {CONTENT_DROPPED: 1}
    assert record.status_code == 2


def test_a_logs_text_is_kept_as_text_and_a_name_is_none() -> None:
    def kept(body: Any) -> Record:
        [record] = decode_logs(log_body(body=body), "json", ContentPolicy(keep=True)).records
        return record

    said, named = kept({"stringValue": "my secret prompt"}), kept({"stringValue": "something.happened"})
    assert (said.attributes, said.body, said.text) == ({CONTENT_KEPT: 1}, None, Text({}, [], "my secret prompt"))
    assert (named.attributes, named.body, named.text) == ({}, "something.happened", None)
