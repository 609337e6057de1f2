"""From the counts an emitter reports to disjoint quantities that can be priced.

Counts use the names of genai-prices' units and overlap: `cache_read_tokens` may be part of `input_tokens`,
`output_audio_tokens` part of `output_tokens`. *Leaves* use the same names and do not overlap, so that the cost of a
call is the sum over its leaves. Which counts contain which is the emitter's `Convention`; where it is not certain,
the reported total decides.

A count that cannot be read, or leaves that would be negative, are a `Problem`: nothing is clamped, nothing unknown
becomes 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from collector.record import AttributeValue, Confidence, Problem
from collector.shapes import ByShape, Shape

Counts: TypeAlias = dict[str, int]

# No call used a trillion of anything; larger numbers are faults of the sender (sums of int64, times in ns).
COUNT_MAX = 10**12

_MODALITIES = ("audio", "image", "video")
_NO_USAGE = "the call reports no usage; that of a streamed one may have to be asked for (OpenAI: stream_options.include_usage)"
# What is left of a count when other modalities are taken off; of use only where the whole is not reported.
_TEXT = frozenset({"input_text_tokens", "cache_text_read_tokens", "output_text_tokens"})
_SIMPLE = frozenset({"input_tokens", "output_tokens", "total_tokens"})
_READS_BY_MODALITY = tuple(f"cache_{modality}_read_tokens" for modality in _MODALITIES)
_WRITES_BY_LIFETIME = ("cache_write_5m_tokens", "cache_write_1h_tokens")
_PARTS_OF_OUTPUT = (
    "output_reasoning_tokens",
    "output_citation_tokens",
    *[f"output_{modality}_tokens" for modality in _MODALITIES],
)
_CACHED = ("cache_read_tokens", "cache_write_tokens", *_READS_BY_MODALITY, *_WRITES_BY_LIFETIME)
# Quantities beside tokens: never part of another count.
_FEES = (
    "web_searches",
    "storage_searches",
    "social_searches",
    "code_executions",
    "rerank_searches",
    "requests",
    "input_document_pages",
    "input_annotated_document_pages",
    "input_characters",
    "input_text_messages",
    "audio_seconds",
    "input_audio_seconds",
    "output_audio_seconds",
)


class Convention(msgspec.Struct, frozen=True):
    """What an emitter's counts contain.

    `cache_inside`: cached tokens are part of the input count. `reasoning_inside`: reasoning tokens are part of the output count.
    When one is not `…_sure` it is only the first guess: the emitter is known to leak other conventions, and totals decide.
    `is_believed`: the guess holds unless the reported total is that of another.
    """

    cache_inside: bool = True
    cache_sure: bool = True
    reasoning_inside: bool = True
    reasoning_sure: bool = True
    is_believed: bool = False


INCLUSIVE = Convention()
EXCLUSIVE_CACHE = Convention(cache_inside=False)
REASONING_ON_TOP = Convention(reasoning_inside=False)
UNSURE = Convention(cache_sure=False, reasoning_sure=False)
BELIEVED = Convention(cache_sure=False, reasoning_sure=False, is_believed=True)
UNSURE_EXCLUSIVE = Convention(cache_inside=False, cache_sure=False)
ADDITIVE = Convention(cache_inside=False, reasoning_inside=False)


class Leaves(msgspec.Struct, frozen=True):
    """Disjoint quantities by commodity, the whole input and output they add up to, and how sure the reading is."""

    quantities: dict[str, int]
    total_input_tokens: int | None
    total_output_tokens: int | None
    confidence: Confidence


def read_count(value: AttributeValue) -> int | None:
    """A count as a whole number. Text of digits and whole floats are read; anything else is None.

    Booleans, negative numbers, fractions, and numbers beyond `COUNT_MAX` are not counts.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        if not (text.isascii() and text.isdigit() and len(text) <= 13):
            return None
        value = int(text)
    elif isinstance(value, float):
        if not value.is_integer():
            return None
        value = int(value)
    if not isinstance(value, int):
        return None
    return value if 0 <= value <= COUNT_MAX else None


class CountTable(dict[str, tuple[int, str]]):
    """Which attribute names carry which count: (preference, count) by name, the lowest preference the most trusted."""

    def __init__(self, names: Mapping[str, tuple[int, str]]) -> None:
        super().__init__(names)
        self.found = ByShape(lambda shape: tuple(sorted(filter(self.__contains__, shape), key=self.__getitem__, reverse=True)))
        """The table's names among some others, the most trusted last."""


def read_counts(values: Mapping[str, AttributeValue], table: CountTable) -> Counts | Problem:
    """The counts that a table of attribute names finds among the values.

    Of several names for one count the most trusted wins, so that a current name is believed before a deprecated one. An absent
    (null) value is no count; an unreadable one is the Problem.
    """
    counts: Counts = {}
    for name in table.found.of(values):
        value = values[name]
        if type(value) is int and 0 <= value <= COUNT_MAX:
            counts[table[name][1]] = value
        elif value is not None:
            count = read_count(value)
            if count is None:
                return Problem("read", "count_unreadable", f"{name} is {_shown(value)}, no whole number from 0 to {COUNT_MAX:,}")
            counts[table[name][1]] = count
    return counts


def count_table(**names: str | tuple[str, ...]) -> CountTable:
    """A table for `read_counts` from count name to the attribute names that carry it, the most trusted first."""
    table: dict[str, tuple[int, str]] = {}
    for count, attributes in names.items():
        for preference, attribute in enumerate((attributes,) if isinstance(attributes, str) else attributes):
            table[attribute] = (preference, count)
    return CountTable(table)


def to_leaves(counts: Counts, convention: Convention, *, is_embedding: bool = False) -> Leaves | Problem:
    """Disjoint leaves of one call. A Problem when nothing was reported, or when the counts contradict each other."""
    if not counts:
        return Problem("read", "usage_missing", _NO_USAGE)
    if counts.keys() <= _SIMPLE:
        return _simple_leaves(counts, is_embedding)
    if not _TEXT.isdisjoint(counts):
        return to_leaves(_with_wholes(counts), convention, is_embedding=is_embedding)
    if convention.is_believed:
        return _unless_refuted(counts, convention)
    candidates = _candidates(counts, convention)
    readings = [_leaves_under(counts, candidate) for candidate in candidates]
    fits = [reading for reading in readings if isinstance(reading, Leaves)]
    if not fits:
        return readings[0]
    return _decide(len(candidates), fits, counts.get("total_tokens"))


def disjoint_leaves(counts: Counts) -> Leaves:
    """The leaves of counts that are disjoint already: they are what they say."""
    quantities = {name: count for name, count in counts.items() if name != "total_tokens"}
    outputs = [count for name, count in quantities.items() if name.startswith("output_")]
    inputs = [count for name, count in quantities.items() if name.startswith(("input_", "cache_")) and name.endswith("_tokens")]
    return Leaves(quantities, sum(inputs) if inputs else None, sum(outputs) if outputs else None, "explicit")


def _simple_leaves(counts: Counts, is_embedding: bool) -> Leaves | Problem:
    used, made, total = counts.get("input_tokens"), counts.get("output_tokens"), counts.get("total_tokens")
    if used is None and made is None:
        if not is_embedding:
            return Problem("read", "usage_incomplete", f"only a total of {total} is reported, not how much of it is output")
        used = total
    quantities: dict[str, int] = {}
    if used is not None:
        quantities["input_tokens"] = used
    if made is not None:
        quantities["output_tokens"] = made
    whole = used is not None and (made is not None or is_embedding)
    # A total of more: as of thoughts that are counted nowhere else.
    agrees = total is None or total == (used or 0) + (made or 0)
    return Leaves(quantities, used, made, "explicit" if whole and agrees else "low")


def _with_wholes(counts: Counts) -> Counts:
    """The counts without those of text, and with the wholes that these and the other modalities add up to, if not reported."""
    whole = {name: count for name, count in counts.items() if name not in _TEXT}
    for total, text, others in (
        ("input_tokens", "input_text_tokens", [f"input_{modality}_tokens" for modality in _MODALITIES]),
        ("cache_read_tokens", "cache_text_read_tokens", _READS_BY_MODALITY),
        ("output_tokens", "output_text_tokens", [f"output_{modality}_tokens" for modality in _MODALITIES]),
    ):
        if text in counts and total not in counts:
            whole[total] = counts[text] + sum([counts.get(other, 0) for other in others])
    return whole


def _candidates(counts: Counts, convention: Convention) -> Sequence[Convention]:
    """The convention, then what else the emitter may have meant where it is not sure and it matters."""
    if convention.cache_sure and convention.reasoning_sure:
        return (convention,)
    caches, reasonings = [convention.cache_inside], [convention.reasoning_inside]
    if not convention.cache_sure and any(counts.get(name) for name in _CACHED):
        caches.append(not convention.cache_inside)
    if not convention.reasoning_sure and counts.get("output_reasoning_tokens"):
        reasonings.append(not convention.reasoning_inside)
    return [Convention(cache_inside=c, reasoning_inside=r) for r in reasonings for c in caches]


def _unless_refuted(counts: Counts, convention: Convention) -> Leaves | Problem:
    """The convention's leaves, or its problem, unless the reported total is that of another."""
    own, total = _leaves_under(counts, convention), counts.get("total_tokens")
    if total is None or (isinstance(own, Leaves) and _adds_up(own, total)):
        return own
    for other in _candidates(counts, convention)[1:]:
        leaves = _leaves_under(counts, other)
        if isinstance(leaves, Leaves) and _adds_up(leaves, total):
            return msgspec.structs.replace(leaves, confidence="inferred")
    return msgspec.structs.replace(own, confidence="low") if isinstance(own, Leaves) else own


def _decide(candidates: int, fits: list[Leaves], total: int | None) -> Leaves:
    """Of the readings without a negative leaf: the one that adds up to the reported total, else the first."""
    if candidates == 1:
        return fits[0] if total is None or _adds_up(fits[0], total) else msgspec.structs.replace(fits[0], confidence="low")
    if total is not None:
        for position, leaves in enumerate(fits):
            if _adds_up(leaves, total):
                is_as_said = position == 0 and len(fits) == candidates
                return leaves if is_as_said else msgspec.structs.replace(leaves, confidence="inferred")
    # A single reading left without negative leaves is inferred; several that nothing tells apart are a guess.
    return msgspec.structs.replace(fits[0], confidence="inferred" if len(fits) == 1 else "low")


def _adds_up(leaves: Leaves, total: int) -> bool:
    """Whether the leaves are all that the total is of."""
    return (leaves.total_input_tokens or 0) + (leaves.total_output_tokens or 0) == total


def _leaves_under(counts: Counts, convention: Convention) -> Leaves | Problem:
    """The leaves if the counts follow this convention. A Problem names the first leaf that would be negative."""
    quantities: dict[str, int] = {}
    present = _PRESENT.of(counts)
    whole_input = _input_leaves(counts, convention.cache_inside, present, quantities)
    whole_output = _output_leaves(counts, convention.reasoning_inside, present, quantities)
    for fee in present.fees:
        quantities[fee] = counts[fee]
    if quantities and min(quantities.values()) < 0:
        commodity, quantity = next((name, count) for name, count in quantities.items() if count < 0)
        reported = ", ".join(f"{name}={count}" for name, count in sorted(counts.items()))
        return Problem("read", "negative_leaf", f"{commodity} would be {quantity}, from {reported}")
    is_whole = (whole_output is not None and whole_input is not None) or len(quantities) == len(present.fees)
    return Leaves(quantities, whole_input, whole_output, "explicit" if is_whole else "low")


class _Present(NamedTuple):
    """Which of the counts that few emitters report are there: those by modality of the input (all of it, read from a cache), the
    parts of the output, writes by lifetime, and fees."""

    modalities: tuple[tuple[str, str], ...]
    hits: tuple[str, ...]
    outputs: tuple[str, ...]
    lifetimes: tuple[str, ...]
    fees: tuple[str, ...]


def _present(names: Shape) -> _Present:
    def among(some: Iterable[str]) -> tuple[str, ...]:
        return tuple([name for name in some if name in names])

    modalities = [(f"input_{modality}_tokens", f"cache_{modality}_read_tokens") for modality in _MODALITIES]
    return _Present(
        tuple([pair for pair in modalities if among(pair)]), among(_READS_BY_MODALITY), among(_PARTS_OF_OUTPUT),
        among(_WRITES_BY_LIFETIME), among(_FEES),
    )  # fmt: skip


_PRESENT = ByShape(_present)


def _input_leaves(counts: Counts, cache_inside: bool, present: _Present, quantities: dict[str, int]) -> int | None:
    """Adds the input's leaves; answers the whole input, caches included."""
    reported, reported_read = counts.get("input_tokens"), counts.get("cache_read_tokens")
    read, write = reported_read, counts.get("cache_write_tokens")
    if read is None and present.hits:
        read = sum([counts[name] for name in present.hits])
    written_by_lifetime = sum([counts[name] for name in present.lifetimes])
    if write is None and present.lifetimes:
        write = written_by_lifetime
    cached = (read or 0) + (write or 0)
    tool = counts.get("input_tool_tokens")
    fresh = None
    if reported is not None:
        fresh = reported - cached if cache_inside else reported
    whole = None if fresh is None else fresh + cached + (tool or 0)
    if tool is not None:  # Gemini counts the prompts of its own tools beside the prompt
        quantities["input_tool_tokens"] = tool
    for of_all, of_cache in present.modalities:
        used, hit = counts.get(of_all), counts.get(of_cache)
        if hit is not None and read is not None:
            read -= hit
            quantities[of_cache] = hit
        if used is not None:
            own = used - (hit or 0)
            quantities[of_all] = own
            if fresh is not None:
                fresh -= own
    if fresh is not None:
        quantities["input_tokens"] = fresh
    if read is not None and reported_read is not None:
        quantities["cache_read_tokens"] = read
    if write is not None and (write != written_by_lifetime or not present.lifetimes):
        quantities["cache_write_tokens"] = write - written_by_lifetime
    for name in present.lifetimes:
        quantities[name] = counts[name]
    return whole


def _output_leaves(counts: Counts, reasoning_inside: bool, present: _Present, quantities: dict[str, int]) -> int | None:
    """Adds the output's leaves; answers the whole output, reasoning included."""
    reported = counts.get("output_tokens")
    # Thoughts without an answer: Gemini leaves the candidates' count out when it is 0.
    whole = reported
    if not reasoning_inside:
        whole = _sum(reported, counts.get("output_reasoning_tokens"), counts.get("output_citation_tokens"))
    plain = whole
    for name in present.outputs:
        quantities[name] = part = counts[name]
        if plain is not None:
            plain -= part
    if plain is not None and (reported is not None or plain != 0):
        quantities["output_tokens"] = plain
    return whole


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _shown(value: AttributeValue) -> str:
    if isinstance(value, (list, dict)):  # repr() of deep ones fails
        return "a list" if isinstance(value, list) else "a map"
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "…"
