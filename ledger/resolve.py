"""Which record of a call is booked: a pure function of everything known about its trace and its copies.

One call may be reported by several emitters: an SDK inside a framework, a gateway, the serving engine, a log. Exactly one record is
booked, the others are evidence. Since the answer depends on the *set* of records only, order, repetition and batching of their
arrival cannot change the books.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

Key: TypeAlias = tuple[bytes, bytes]
"""(trace_id, span_id)."""


class Evidence(msgspec.Struct, frozen=True):
    """What a record says about a call, as far as choosing among copies needs it."""

    keys: tuple[str, ...]
    readable: bool
    kinds: int
    """How many commodities it tells apart."""
    strength: int
    tokens: int
    response_id: str | None


class Member(msgspec.Struct, frozen=True):
    """One record of a trace, as far as its place in the trace matters."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes | None
    started_us: int
    role: str
    agent: str | None
    task_class: str | None
    call: Evidence | None = None


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of a call: the booked copy, or a duplicate of `copy_of`; and what it inherits from its ancestors."""

    copy_of: Key | None
    reason: str | None
    agent: str | None
    task_class: str | None


def resolve(members: Iterable[Member]) -> dict[Key, Verdict]:
    """Verdict of every call among the members. All members of the traces and key groups concerned must be given."""
    index: dict[Key, Member] = {(m.trace_id, m.span_id): m for m in members}
    calls = {key: m for key, m in index.items() if m.call is not None}
    inherited: dict[Key, tuple[str | None, str | None]] = {}
    inner: dict[Key, list[Key]] = defaultdict(list)
    for key, member in calls.items():
        agent, task_class, outer = _walk_up(index, member)
        inherited[key] = (agent, task_class)
        if outer is not None and not _told_apart(index[outer], member):
            inner[outer].append(key)

    copies, totals = _nesting(index, inner)
    winner = _winners(calls, copies, totals)
    verdicts: dict[Key, Verdict] = {}
    for key in calls:
        agent, task_class = inherited[key]
        if key in totals:
            verdicts[key] = Verdict(totals[key], "repeats the usage of the calls inside it", agent, task_class)
        elif winner[key] != key:
            verdicts[key] = Verdict(winner[key], "another record of the same call is booked", agent, task_class)
        else:
            verdicts[key] = Verdict(None, None, agent, task_class)
    return verdicts


def _walk_up(index: Mapping[Key, Member], member: Member) -> tuple[str | None, str | None, Key | None]:
    """Nearest agent and task class at or above a call, and the nearest call above it with no agent or tool in between."""
    agent, task_class, outer = member.agent, member.task_class, None
    barrier = False
    seen = {member.span_id}
    parent_id = member.parent_span_id
    while parent_id is not None and parent_id not in seen:
        seen.add(parent_id)
        parent = index.get((member.trace_id, parent_id))
        if parent is None:
            break
        barrier = barrier or parent.role in ("agent", "tool")
        if outer is None and not barrier and parent.call is not None:
            outer = (parent.trace_id, parent.span_id)
        agent = agent or parent.agent
        task_class = task_class or parent.task_class
        parent_id = parent.parent_span_id
    return agent, task_class, outer


def _told_apart(outer: Member, inner: Member) -> bool:
    """Two calls that both carry a response id, and a different one, are two calls even when nested."""
    a, b = outer.call, inner.call
    return a is not None and b is not None and bool(a.response_id and b.response_id) and a.response_id != b.response_id


def _nesting(index: Mapping[Key, Member], inner: Mapping[Key, list[Key]]) -> tuple[list[tuple[Key, Key]], dict[Key, Key]]:
    """Pairs (outer, inner) that are copies of one call, and outers that sum several inner calls (with the first of these)."""
    copies: list[tuple[Key, Key]] = []
    totals: dict[Key, Key] = {}
    for outer, below in inner.items():
        readable = [key for key in below if _evidence(index[key]).readable]
        if len(readable) > 1:
            totals[outer] = min(readable, key=lambda key: (index[key].started_us, key))
        else:
            copies.extend((outer, key) for key in below)
    return copies, totals


def _winners(calls: Mapping[Key, Member], copies: Iterable[tuple[Key, Key]], totals: Mapping[Key, Key]) -> dict[Key, Key]:
    """The strongest record of each group of copies: joined by nesting, or by sharing any strong identity."""
    parent: dict[Key, Key] = {key: key for key in calls}

    def root(key: Key) -> Key:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    depth: dict[Key, int] = defaultdict(int)
    for outer, below in copies:
        parent[root(outer)] = root(below)
        depth[below] = max(depth[below], depth[outer] + 1)
    first_with: dict[str, Key] = {}
    for key, member in calls.items():
        if key in totals:
            continue
        for identity in _evidence(member).keys:
            parent[root(key)] = root(first_with.setdefault(identity, key))

    groups: dict[Key, list[Key]] = defaultdict(list)
    for key in calls:
        groups[root(key)].append(key)
    winner: dict[Key, Key] = {}
    for group in groups.values():
        able = [key for key in group if key not in totals] or group
        best = min(able, key=lambda key: _weakness(calls[key], depth[key]))
        winner.update(dict.fromkeys(group, best))
    return winner


def _weakness(member: Member, depth: int) -> tuple[bool, int, int, int, int, int, Key]:
    """Sort key whose least element is booked: readable, most detailed, strongest emitter, most tokens (a stream's last word), innermost."""
    call = _evidence(member)
    key = (member.trace_id, member.span_id)
    return (not call.readable, -call.kinds, -call.strength, -call.tokens, -depth, member.started_us, key)


def _evidence(member: Member) -> Evidence:
    if member.call is None:
        raise ValueError(f"record {member.span_id.hex()} is no call")
    return member.call
