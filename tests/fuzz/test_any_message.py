"""Promise 5: nothing hostile in a payload stops the collector or enters the books unread.

Any message that OTLP can carry is decoded, read and staged; an oracle written apart from that code judges what comes out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import orjson
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from collector.dialects import dialects, read
from collector.provider_usage import FLAVORS, flavor_of
from collector.record import Call
from tests.fuzz.any_message import JSON_VALUE, MESSAGES, places, replaced
from tests.fuzz.harnesses import POLICIES, RULES, check_protobuf, staged
from tests.fuzz.oracle import COUNT_MAX, Broken, check_leaves, check_reading, copy_values, count_of, unreadable_counts
from tests.fuzz.to_json import document
from tests.fuzz.words import CARRIERS, PROVIDER_PATHS, nested
from tests.unit.collector.emitters import CASES, Case
from tests.unit.collector.emitters_mixed import MIXED_CASES
from tests.unit.collector.emitters_of_agents import AGENT_CASES
from tests.unit.collector.traffic import record

Signal = Literal["span", "log", "metric"]

BOUNDED = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),  # messages are large: shrinking one takes minutes,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SIGNALS = pytest.mark.parametrize("signal", ["span", "log", "metric"])


@SIGNALS
@BOUNDED
@given(st.data(), st.sampled_from(POLICIES))
def test_every_record_is_staged_or_refused(signal: Signal, data: st.DataObject, policy: Any) -> None:
    message: Message = data.draw(MESSAGES[signal])
    check_protobuf(signal, message.SerializeToString(), policy, compare=True)


@SIGNALS
@BOUNDED
@given(st.data())
def test_json_of_wrong_types_is_staged_or_refused(signal: Signal, data: st.DataObject) -> None:
    wrong = document(data.draw(MESSAGES[signal]))
    for _ in range(data.draw(st.integers(1, 4))):
        if there := places(wrong):
            replaced(wrong, data.draw(st.sampled_from(there)), data.draw(JSON_VALUE))
    staged(signal, json.dumps(wrong).encode(), "json")


@SIGNALS
@BOUNDED
@given(st.data())
def test_a_body_that_breaks_off_or_is_changed_stops_nothing(signal: Signal, data: st.DataObject) -> None:
    body = bytearray(data.draw(MESSAGES[signal]).SerializeToString())
    for _ in range(data.draw(st.integers(0, 3)) if body else 0):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    staged(signal, bytes(body[: data.draw(st.integers(0, len(body)))]), "protobuf")


# ── no unread value is booked ────────────────────────────────────────────────────────────────────────
#
# Each count is a power of five of its own. A leaf is a sum and difference of counts, each at most once, so that its digits
# in base five say which counts it was made of.

BASE = 5
_ORDER = {"total_tokens": 0, "input_tokens": 1, "output_tokens": 2}


def marks(names: list[str], kinds: Mapping[str, tuple[int, str]]) -> dict[str, int]:
    """A power for each name, whole counts above their parts."""
    ordered = sorted(names, key=lambda name: (-_ORDER.get(kinds[name][1], 9), name))
    return {name: BASE**place for place, name in enumerate(ordered)}


def made_of(leaf: int) -> dict[int, int]:
    """How often each power went into a leaf, from -2 to 2."""
    times: dict[int, int] = {}
    power = 1
    while leaf:
        digit = (leaf + 2) % BASE - 2
        if digit:
            times[power] = digit
        leaf = (leaf - digit) // BASE
        power *= BASE
    return times


@st.composite
def written(draw: DrawFn, count: int) -> Any:
    """The count in one of the ways that can be read, or in one that cannot."""
    return draw(
        st.sampled_from(
            [
                count, count, count, str(count), f" {count} ", float(count),
                -count, count + 0.5, f"{count}.0", f"-{count}", f"{count} tokens", f"{count}e0", True, float("nan"),
                COUNT_MAX + count, [count], {"a": count}, "", b"5".decode() + "\u0665",
            ]
        )
    )  # fmt: skip


def check_marked(call: Call, marked: Mapping[str, int], values: Mapping[str, Any]) -> None:
    """Every leaf is made of counts that were there and could be read."""
    check_leaves(call.leaves)
    readable = {marked[name] for name, value in values.items() if count_of(value) == marked[name]}
    for leaf, quantity in call.leaves.items():
        used = made_of(quantity)
        assert used.keys() <= readable, f"{leaf} holds what was not there or not read"
        assert set(used.values()) <= {1, -1}, f"{leaf} holds a count twice"


ALL_CASES = [
    case for case in (*CASES, *AGENT_CASES, *MIXED_CASES) if not (case.attributes.keys() & set(CARRIERS)) and case.leaves
]


def _table(case: Case) -> dict[str, tuple[int, str]]:
    own: dict[str, Any] = {dialect.NAME: getattr(dialect, "COUNTS", None) for dialect in dialects()}
    return own["openinference"] if case.dialect == "beeai" else own[case.dialect] or own["otel_genai"]


@settings(BOUNDED, max_examples=400)
@given(st.sampled_from([case for case in ALL_CASES if case.dialect != "raw"]), st.data())
def test_leaves_are_made_of_counts_that_were_read(case: Case, data: st.DataObject) -> None:
    table = _table(case)
    names = data.draw(st.lists(st.sampled_from(sorted(table)), min_size=1, max_size=9, unique=True))
    marked = marks(names, table)
    values = {name: data.draw(written(count)) for name, count in marked.items()}
    rest = {name: value for name, value in case.attributes.items() if name not in table}
    found = record({**rest, **values}, **case.given)
    reading = read(found, RULES)
    check_reading(found, reading)
    if reading.call is not None:
        check_marked(reading.call, marked, values)


@settings(BOUNDED, max_examples=400)
@given(st.lists(st.sampled_from(PROVIDER_PATHS), min_size=1, max_size=8, unique=True), st.booleans(), st.data())
def test_leaves_of_an_attached_usage_are_made_of_counts_that_were_read(
    paths: list[str], as_python: bool, data: st.DataObject
) -> None:
    kinds = {path: place for flavor in FLAVORS.values() for path, place in flavor.table.items()}
    marked = marks(paths, kinds)
    values = {path: data.draw(written(count)) for path, count in marked.items()}
    usage = nested(values)
    text = repr(usage) if as_python and "nan" not in repr(usage) else orjson.dumps(usage).decode()
    found = record({"usage": text, "model": "m"})
    reading = read(found, RULES)
    if reading.call is None:
        return
    check_marked(reading.call, marked, values)
    read_from = FLAVORS[flavor_of(usage) or ""].table
    unread = [path for path in paths if path in read_from and _is_there(usage, path) and count_of(values[path]) is None]
    if any(values[path] == values[path] for path in unread):  # NaN is null in JSON, and so not there
        unread = [path for path in unread if as_python or values[path] == values[path]]
        assert reading.call.problem is not None, unread


def _is_there(usage: Any, path: str) -> bool:
    """Whether a path was not overwritten by another one."""
    *above, last = path.split(".")
    for step in above:
        usage = usage.get(step) if isinstance(usage, dict) else usage
    if isinstance(usage, list):
        return any(item.get("modality") == last for item in usage)
    return isinstance(usage, dict) and last in usage


# ── the oracle can say no ────────────────────────────────────────────────────────────────────────────


def test_marks_are_found_again() -> None:
    assert made_of(125 - 5 - 1) == {125: 1, 5: -1, 1: -1}
    assert made_of(2 * 25) == {25: 2}
    assert made_of(0) == {}


@pytest.mark.parametrize("line", ["a\\qb", "a\\", "a\nb", "\\x"])
def test_lines_that_copy_would_refuse_or_misread_are_found(line: str) -> None:
    with pytest.raises(Broken):
        copy_values(line)


def test_escapes_read_back() -> None:
    assert copy_values("a\\\\tb\t\\N\t\\\\N\t\\t\\n\\r\\\\\\\\x\t") == ["a\\tb", None, "\\N", "\t\n\r\\\\x", ""]


@pytest.mark.parametrize("leaves", [{"input_tokens": -1}, {"input_tokens": True}, {"input_tokens": 1.0}, {"tokens": 1}])
def test_leaves_that_are_none_are_found(leaves: dict[str, Any]) -> None:
    with pytest.raises(Broken):
        check_leaves(leaves)


def test_a_call_booked_over_an_unreadable_count_is_found() -> None:
    found = record({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5})
    reading = read(found, RULES)
    check_reading(found, reading)
    found.attributes["gen_ai.usage.output_tokens"] = "many"
    assert unreadable_counts(found, reading) == ["gen_ai.usage.output_tokens"]
    with pytest.raises(Broken, match="cannot be read"):
        check_reading(found, reading)
