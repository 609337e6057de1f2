"""Which record of a call is booked: a pure function of everything known about its trace and its copies.

One call may be reported by several emitters: an SDK inside a framework, a gateway, the serving engine, a log. Exactly one record
is booked, the others are evidence. Since the answer depends on the *set* of records only, order, repetition and batching of their
arrival cannot change the books.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from ledger.arrivals import Key, ReadyRecord, Verdict


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """What a record says about a call, as far as choosing among copies needs it."""

    keys: tuple[str, ...]
    readable: bool
    kinds: int
    """How many commodities it tells apart."""
    strength: int
    tokens: int
    response_id: str | None
    emitter: str | None = None
    """The instrumentation library that reports it."""
    usage: Mapping[str, int] = {}
    """Its leaves."""


class Member(msgspec.Struct, frozen=True, gc=False):
    """One record of a trace, as far as its place in the trace matters."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes | None
    started_us: int
    role: str
    agent: str | None
    task_class: str | None
    call: Evidence | None = None
    ended_us: int = 0


def member_of(record: ReadyRecord) -> Member:
    """A record that is about to be written, as the resolution sees it."""
    evidence = None
    call = record.call
    if call is not None:
        evidence = evidence_of(call.keys, call.leaves, call.strength, call.response_id, record.scope_name)
    return Member(
        record.trace_id,
        record.span_id,
        record.parent_span_id,
        record.started_us,
        record.role,
        record.agent,
        record.task_class,
        evidence,
        record.ended_us,
    )


def evidence_of(
    keys: tuple[str, ...], leaves: dict[str, int], strength: int, response_id: str | None, emitter: str | None
) -> Evidence:
    """What a call's reading comes to as evidence."""
    return Evidence(keys, bool(leaves), len(leaves), strength, sum(leaves.values()), response_id, emitter, leaves)


def resolve(members: Iterable[Member]) -> dict[Key, Verdict]:
    """Verdict of every call among the members. All members of the traces and key groups concerned must be given."""
    index: dict[Key, Member] = {(m.trace_id, m.span_id): m for m in members}
    calls = {key: m for key, m in index.items() if m.call is not None}
    contexts = _contexts(index, calls)
    inside: dict[Key, list[Key]] = defaultdict(list)
    for key, member in calls.items():
        above = contexts.get((key[0], member.parent_span_id), _NO_CONTEXT) if member.parent_span_id else _NO_CONTEXT
        if above.call is not None:
            inside[above.call].append(key)

    outer_of, totals = _nesting(calls, inside)
    winner = _winners(calls, outer_of, totals)
    verdicts: dict[Key, Verdict] = {}
    for key in calls:
        agent, task_class = contexts[key].agent, contexts[key].task_class
        if key in totals:
            verdicts[key] = Verdict(winner[totals[key]], "repeats the usage of the calls inside it", agent, task_class)
        elif winner[key] != key:
            verdicts[key] = Verdict(winner[key], "another record of the same call is booked", agent, task_class)
        else:
            verdicts[key] = Verdict(None, None, agent, task_class)
    return verdicts


class _Context(NamedTuple):
    """What a record hands down to those inside it: the nearest agent, task class, and call with no agent or tool in between."""

    agent: str | None = None
    task_class: str | None = None
    call: Key | None = None


_NO_CONTEXT = _Context()


def _contexts(index: Mapping[Key, Member], starts: Iterable[Key]) -> dict[Key, _Context]:
    """The context of some records and of all above them, each looked at once.

    Where parents form a loop the trace is broken: nothing is handed down.
    """
    contexts: dict[Key, _Context] = {}
    for start in starts:
        path: dict[Key, Member] = {}
        key: Key = start
        member = index.get(start)
        while member is not None and key not in contexts and key not in path:
            path[key] = member
            if member.parent_span_id is None:
                break
            key = (member.trace_id, member.parent_span_id)
            member = index.get(key)
        else:
            while key in path:
                looping, around = path.popitem()
                contexts[looping] = _Context(around.agent, around.task_class)
        above = contexts.get(key, _NO_CONTEXT)
        for below, member in reversed(path.items()):
            above = contexts[below] = _hand_down(above, below, member)
    return contexts


def _hand_down(above: _Context, key: Key, member: Member) -> _Context:
    call = None if member.role in ("agent", "tool") else above.call
    if member.call is not None:
        call = key
    return _Context(member.agent or above.agent, member.task_class or above.task_class, call)


def _nesting(calls: Mapping[Key, Member], inside: Mapping[Key, list[Key]]) -> tuple[dict[Key, Key], dict[Key, Key]]:
    """The outer copy of each call that has one, and the outers that sum several calls (each with one of these)."""
    outer_of: dict[Key, Key] = {}
    summed: dict[Key, list[Key]] = {}
    for outer, below in inside.items():
        alike = [key for key in below if not _told_apart(calls[outer], calls[key])]
        readable = [key for key in below if _evidence(calls[key]).readable]
        told = [key for key in alike if key in readable]
        same = [key for key in told if _repeats(calls[outer], calls[key])]
        if same:
            outer_of.update(dict.fromkeys(same, outer))
        elif told and len(readable) > 1 and not _is_progress(calls[outer], [calls[key] for key in told]):
            summed[outer] = told
        else:
            # Beside a call that reports its usage, one that does not is another call whose usage is missing.
            outer_of.update(dict.fromkeys(told or alike, outer))
    _pass_up(outer_of, summed)
    return outer_of, {outer: _first_leaf(calls, summed, outer) for outer in summed}


def _told_apart(outer: Member, inner: Member) -> bool:
    """Two calls that both carry a response id, and a different one, are two calls even when nested.

    So are an answer and an embedding inside it: that has no output, and another input.
    """
    a, b = _evidence(outer), _evidence(inner)
    if a.response_id and b.response_id:
        return a.response_id != b.response_id
    return _output(a) > 0 and b.readable and not any(map(_is_output, b.usage)) and _input(b) not in (_input(a), 0)


def _is_output(leaf: str) -> bool:
    return leaf.startswith("output_")


def _output(call: Evidence) -> int:
    return sum([count for leaf, count in call.usage.items() if _is_output(leaf)])


def _input(call: Evidence) -> int:
    return sum(
        [count for leaf, count in call.usage.items() if leaf.startswith(("input_", "cache_")) and leaf.endswith("_tokens")]
    )


def _repeats(outer: Member, inner: Member) -> bool:
    """The same response with no more tokens: a copy, whatever else happened inside. (A sum may carry its last step's id.)"""
    a, b = _evidence(outer), _evidence(inner)
    return a.response_id is not None and a.response_id == b.response_id and a.tokens <= b.tokens


def _is_progress(outer: Member, inner: list[Member]) -> bool:
    """Whether these are what a stream had come to so far: the outer's whole input each time, and more output each time.

    A sum of theirs has more input than each of them.
    """
    whole = _input(_evidence(outer))
    if len({_evidence(one).response_id for one in inner} - {None}) > 1:
        return False
    if whole == 0 or any(_input(_evidence(one)) != whole for one in inner):
        return False
    outputs = [_output(_evidence(one)) for one in sorted(inner, key=lambda one: (one.started_us, one.span_id))]
    grows = all(before < after for before, after in itertools.pairwise(outputs))
    return grows and outputs[-1] <= _output(_evidence(outer))


def _pass_up(outer_of: dict[Key, Key], summed: dict[Key, list[Key]]) -> None:
    """A copy of a sum is that sum again."""
    pending = list(summed)
    while pending:
        total = pending.pop()
        outer = outer_of.get(total)
        if outer is not None:
            for inner in [inner for inner, around in outer_of.items() if around == outer]:
                del outer_of[inner]
            summed[outer] = [total]
            pending.append(outer)


def _first_leaf(calls: Mapping[Key, Member], summed: Mapping[Key, list[Key]], outer: Key) -> Key:
    """The earliest call that a sum is made of, through sums inside sums."""
    key = outer
    while key in summed:
        key = min(summed[key], key=lambda inner: (calls[inner].started_us, inner))
    return key


def _winners(calls: Mapping[Key, Member], outer_of: Mapping[Key, Key], totals: Mapping[Key, Key]) -> dict[Key, Key]:
    """The strongest record of each group of copies: joined by nesting, or by sharing any strong identity."""
    pairs = [*outer_of.items(), *_twins(calls, totals)]
    first_with: dict[str, Key] = {}
    for key, member in calls.items():
        if key not in totals:
            for identity in _evidence(member).keys:
                first = first_with.setdefault(identity, key)
                if first != key:
                    pairs.append((key, first))
    winner: dict[Key, Key] = {key: key for key in calls}
    if not pairs:
        return winner

    parent: dict[Key, Key] = {key: key for pair in pairs for key in pair}

    def root(key: Key) -> Key:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for key, other in pairs:
        parent[root(key)] = root(other)
    depth = _depths(outer_of)
    groups: dict[Key, list[Key]] = defaultdict(list)
    for key in parent:
        groups[root(key)].append(key)
    for group in groups.values():
        best = min(group, key=lambda key: _weakness(calls[key], depth.get(key, 0)))
        winner.update(dict.fromkeys(group, best))
    return winner


def _twins(calls: Mapping[Key, Member], totals: Mapping[Key, Key]) -> list[tuple[Key, Key]]:
    """Calls that two libraries report side by side without sharing an id: same parent, same leaves, one within the other in time.

    Only pairs in which each is the other's single candidate; anything less is a weak match, listed for review and booked apart.
    """
    if len({_evidence(member).emitter for member in calls.values()}) < 2:
        return []
    alike: dict[tuple[Key, tuple[tuple[str, int], ...]], list[Key]] = defaultdict(list)
    for key, member in calls.items():
        usage = tuple(sorted(_evidence(member).usage.items()))
        if usage and member.parent_span_id is not None and key not in totals:
            alike[(member.trace_id, member.parent_span_id), usage].append(key)
    pairs: list[tuple[Key, Key]] = []
    for group in alike.values():
        if len({_evidence(calls[key]).emitter for key in group}) > 1:
            candidates = {key: [other for other in group if _is_twin(calls[key], calls[other])] for key in group}
            pairs += [(key, found[0]) for key, found in candidates.items() if len(found) == 1 and candidates[found[0]] == [key]]
    return pairs


def _is_twin(a: Member, b: Member) -> bool:
    """Whether two calls of one parent and equal leaves come from different libraries, at one time, under no different ids."""
    if _evidence(a).emitter == _evidence(b).emitter or _told_apart(a, b):
        return False
    first, second = sorted((a, b), key=lambda member: (member.started_us, -member.ended_us))
    return second.ended_us <= first.ended_us


def _depths(outer_of: Mapping[Key, Key]) -> dict[Key, int]:
    """How many copies stand around each that has any around it."""
    depths: dict[Key, int] = {}
    for start in outer_of:
        path: list[Key] = []
        key = start
        while key in outer_of and key not in depths:
            path.append(key)
            key = outer_of[key]
        for below in reversed(path):
            depths[below] = depths.get(outer_of[below], 0) + 1
    return depths


def _weakness(member: Member, depth: int) -> tuple[bool, int, int, int, int, int, Key]:
    """Sort key whose least is booked: readable, most detailed, strongest emitter, most tokens (of a stream), innermost."""
    call = _evidence(member)
    key = (member.trace_id, member.span_id)
    return (not call.readable, -call.kinds, -call.strength, -call.tokens, -depth, member.started_us, key)


def _evidence(member: Member) -> Evidence:
    if member.call is None:
        raise ValueError(f"record {member.span_id.hex()} is no call")
    return member.call
