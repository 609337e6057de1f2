"""Which layer and use a record serves: what it says itself, else what its names suggest, else unknown.

Each answer keeps its source (explicit, inferred, none), so that the books can show how much of the spend rests on
inference.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import cast

import msgspec
import yaml

from collector.errors import CollectorError
from collector.record import Attributes, AttributeValue, Problem, Reading, Record
from ledger.accounts import LAYER_OF_USE, LAYERS

_WORDS: dict[str, Iterable[str]] = {"allocation.layer": LAYERS, "allocation.use": LAYER_OF_USE}
_SAID = frozenset(_WORDS)
FIELDS = ("operation", "tool", "agent", "name", "scope", "kind")

_ANSWERS_MAX = 20_000
_NAME_LENGTH_MAX = 200
_WORD_LENGTH_MAX = 40
_WORDS_MAX = 1000
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_TOOL_CALLS = frozenset({"tool_calls", "tool_call", "tool_use", "tool-calls", "function_call", "tool_calls_required"})


class BadRule(CollectorError):
    """A rule of the use table that cannot be applied; says which and why."""


class UseRule(msgspec.Struct, frozen=True):
    """One row of the use table: records whose `field` matches `pattern` serve this layer and use."""

    ordinal: int
    field: str
    pattern: str
    layer: str
    use: str
    action_class: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What the first matching rule says."""

    layer: str
    use: str
    action_class: str | None


class Rules:
    """The use table, compiled once. Answers are remembered by the names they were given for."""

    def __init__(self, rows: Iterable[UseRule]) -> None:
        self.rows = tuple(sorted(rows, key=lambda row: row.ordinal))
        self._compiled = tuple((_answer(row), _compile(row), FIELDS.index(row.field)) for row in self.rows)
        self._answers: dict[tuple[str | None, ...], Answer | None] = {}

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, object]]) -> Rules:
        """Rules from rows with ordinal, field, pattern, layer, use and action_class. Raises: BadRule."""
        try:
            return cls([msgspec.convert({name: row.get(name) for name in UseRule.__struct_fields__}, UseRule) for row in rows])
        except msgspec.ValidationError as fault:
            raise BadRule(f"a rule of the use table is incomplete: {fault}") from None

    @classmethod
    def default(cls) -> Rules:
        """The rules that come with Pigou."""
        return _default_rules()

    def answer(self, names: tuple[str | None, ...]) -> Answer | None:
        """The first rule that matches these names, given in the order of `FIELDS`."""
        try:
            return self._answers[names]
        except KeyError:
            pass
        short = tuple(name if name is None else name[:_NAME_LENGTH_MAX] for name in names)
        if short != names:  # what is remembered must stay small, and senders choose the names
            return self.answer(short)
        words = [None if name is None else _words(name) for name in names]
        found = None
        for answer, pattern, field in self._compiled:
            word = words[field]
            if word and pattern.search(word):
                found = answer
                break
        if len(self._answers) >= _ANSWERS_MAX:
            self._answers.clear()
        self._answers[names] = found
        return found


def infer(record: Record, reading: Reading, rules: Rules) -> Reading:
    """The reading with layer, use and action class filled in, and where each comes from."""
    attributes = record.attributes
    use = layer = None
    if not (attributes.keys().isdisjoint(_SAID) and record.resource.attributes.keys().isdisjoint(_SAID)):
        use = _one_of(attributes, record.resource.attributes, "allocation.use", LAYER_OF_USE)
        layer = _one_of(attributes, record.resource.attributes, "allocation.layer", LAYERS)
        reading.warning = _unknown(use, attributes, "allocation.use") or _unknown(layer, attributes, "allocation.layer")
    action_class = attributes.get("allocation.action.class")
    if isinstance(action_class, str) and action_class:
        reading.action_class = action_class
    if use is not None:
        reading.use, reading.use_source = use, "explicit"
        reading.layer, reading.layer_source = (layer, "explicit") if layer else (LAYER_OF_USE[use], "inferred")
        return reading
    answer = rules.answer(
        (
            _text(attributes.get("gen_ai.operation.name")) or (reading.call.operation if reading.call else None),
            reading.tool,
            reading.agent,
            record.name,
            record.scope.name,
            _text(attributes.get("openinference.span.kind")),
        )
    )
    if layer is not None:
        reading.layer, reading.layer_source = layer, "explicit"
        if answer is not None and answer.layer != layer:
            answer = None
    if answer is not None:
        _apply(reading, answer.layer, answer.use)
        reading.action_class = reading.action_class or answer.action_class
    elif reading.role == "call":
        _apply(reading, "action", "plan" if _wants_tools(attributes) else None)
    elif reading.role in ("tool", "agent", "control"):
        _apply(reading, "action", None)
    return reading


def _apply(reading: Reading, layer: str, use: str | None) -> None:
    if reading.layer is None:
        reading.layer, reading.layer_source = layer, "inferred"
    if use is not None and LAYER_OF_USE.get(use) == reading.layer:
        reading.use, reading.use_source = use, "inferred"


def _wants_tools(attributes: Attributes) -> bool:
    """Whether the model answered with tool calls: such a call decided what to do next."""
    reasons = (
        attributes.get("gen_ai.response.finish_reasons")
        or attributes.get("llm.finish_reason")
        or attributes.get("ai.response.finishReason")
        or attributes.get("anthropic.message.stop_reason")
    )
    if isinstance(reasons, list):
        return any(reason in _TOOL_CALLS for reason in reasons if isinstance(reason, str))
    if isinstance(reasons, str):
        return reasons in _TOOL_CALLS or any(f'"{reason}"' in reasons for reason in _TOOL_CALLS)
    return False


def _one_of(attributes: Attributes, resource: Attributes, key: str, known: frozenset[str] | Mapping[str, str]) -> str | None:
    value = attributes.get(key)
    if value is None:
        value = resource.get(key)
    return value if isinstance(value, str) and value in known else None


def _unknown(found: str | None, attributes: Attributes, key: str) -> Problem | None:
    """That a record says a word of ours which is none, so that its names decide instead."""
    said = attributes.get(key)
    if found is not None or said is None:
        return None
    return _no_such_word(key, said[:_WORD_LENGTH_MAX] if isinstance(said, str) else "no text")


@lru_cache(maxsize=_WORDS_MAX)
def _no_such_word(key: str, said: str) -> Problem:
    known = sorted(_WORDS[key])
    near = difflib.get_close_matches(said, known, n=1)
    mend = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return Problem("read", "unknown_word", f"{key} is {said}, which was passed over; {mend}")


def _text(value: AttributeValue) -> str | None:
    return value if isinstance(value, str) and value else None


def _words(name: str) -> str:
    return _SEPARATORS.sub("_", _WORD_ENDS.sub("_", name).lower()).strip("_")


def _compile(row: UseRule) -> re.Pattern[str]:
    try:
        return re.compile(f"(?<![a-z0-9])(?:{row.pattern})(?![a-z0-9])", re.IGNORECASE)
    except re.error as fault:
        raise BadRule(f"rule {row.ordinal} of the use table: {row.pattern!r} is no regular expression: {fault}") from None


def _answer(row: UseRule) -> Answer:
    if row.field not in FIELDS:
        raise BadRule(f"rule {row.ordinal} of the use table: {row.field!r} is none of {', '.join(FIELDS)}")
    if LAYER_OF_USE.get(row.use) != row.layer:
        raise BadRule(f"rule {row.ordinal} of the use table: use {row.use!r} is not of layer {row.layer!r}")
    return Answer(row.layer, row.use, row.action_class)


@cache
def _default_rules() -> Rules:
    text = Path(__file__).with_name("use_rules.yaml").read_text(encoding="utf-8")
    rows = cast("list[dict[str, object]]", yaml.safe_load(text))
    return Rules.from_rows({"ordinal": 10 * (position + 1), **row} for position, row in enumerate(rows))
