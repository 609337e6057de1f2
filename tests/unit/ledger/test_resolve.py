"""Which record of a call is booked. Each case is a little trace; its answer may not depend on the order of its lines."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Mapping

import msgspec
import pytest

from ledger.resolve import Evidence, Key, Member, Verdict, resolve

TRACE = "t1"


def call(
    name: str,
    inside: str | None = None,
    *,
    id: str | None = None,  # noqa: A002 - the word the conventions use
    tokens: int = 100,
    kinds: int = 2,
    strength: int = 5,
    readable: bool = True,
    at: int = 0,
    trace: str = TRACE,
    agent: str | None = None,
    keys: tuple[str, ...] | None = None,
) -> Member:
    """A record that reports a call; `id` is its response id, which is also its strong identity."""
    shared = keys if keys is not None else ((f"response:{id}",) if id else ())
    evidence = Evidence(shared, readable, kinds if readable else 0, strength, tokens if readable else 0, id)
    return Member(_trace(trace), _span(name), _span(inside), at, "call", agent, None, evidence)


def other(
    role: str, name: str, inside: str | None = None, *, agent: str | None = None, task: str | None = None, trace: str = TRACE
) -> Member:
    """A record that reports no call."""
    return Member(_trace(trace), _span(name), _span(inside), 0, role, agent, task)


def _trace(name: str) -> bytes:
    return name.encode().rjust(16, b"\0")


def _span(name: str | None) -> bytes:
    return b"" if name is None else name.encode().rjust(8, b"\0")


def booked(members: Iterable[Member]) -> dict[str, str | None]:
    """By name of each call: None when it is booked, else the name of the record it is a copy of."""
    return {
        _name(key): None if verdict.copy_of is None else _name(verdict.copy_of) for key, verdict in in_any_order(members).items()
    }


def _name(key: Key) -> str:
    return key[1].lstrip(b"\0").decode()


def in_any_order(members: Iterable[Member]) -> Mapping[Key, Verdict]:
    """The verdicts, which must be the same for every order of the members."""
    listed = [m if m.parent_span_id else _without_parent(m) for m in members]
    answer = resolve(listed)
    orders: Iterable[Iterable[Member]] = itertools.permutations(listed)
    if len(listed) > 5:
        luck = random.Random(1)
        orders = [luck.sample(listed, len(listed)) for _ in range(12)]
    for order in orders:
        assert resolve(order) == answer, [m.span_id for m in order]
    return answer


def _without_parent(member: Member) -> Member:
    return Member(
        member.trace_id, member.span_id, None, member.started_us, member.role, member.agent, member.task_class, member.call
    )


# ── one call told several times ──────────────────────────────────────────────────────────────────────

CASES: dict[str, tuple[list[Member], dict[str, str | None]]] = {
    "a call alone": ([call("a")], {"a": None}),
    "two calls side by side": ([call("a"), call("b")], {"a": None, "b": None}),
    "framework around SDK, equally told: the inner": ([call("f"), call("s", "f")], {"f": "s", "s": None}),
    "framework around SDK, the outer tells more": ([call("f", kinds=3), call("s", "f")], {"f": None, "s": "f"}),
    "the outer has no usage": ([call("f", readable=False, strength=9), call("s", "f")], {"f": "s", "s": None}),
    "the inner has no usage": ([call("f"), call("s", "f", readable=False, strength=9)], {"f": None, "s": "f"}),
    "a plain span in between": ([call("f"), other("plain", "p", "f"), call("s", "p")], {"f": "s", "s": None}),
    "three layers": ([call("a"), call("b", "a"), call("c", "b")], {"a": "c", "b": "c", "c": None}),
    "three layers, the middle strongest": (
        [call("a"), call("b", "a", strength=9), call("c", "b")],
        {"a": "b", "b": None, "c": "b"},
    ),
    # ── an outer that sums several
    "an outer sums its steps": (
        [call("o", tokens=300), call("x", "o", at=1), call("y", "o", at=2)],
        {"o": "x", "x": None, "y": None},
    ),
    "an outer of an outer that sums": (
        [call("g", tokens=300), call("o", "g", tokens=300), call("x", "o", at=1), call("y", "o", at=2)],
        {"g": "x", "o": "x", "x": None, "y": None},
    ),
    "an outer that sums carries its last step's id": (
        [call("o", id="r2", tokens=300), call("x", "o", id="r1", at=1), call("y", "o", id="r2", at=2)],
        {"o": "y", "x": None, "y": None},
    ),
    "of the steps one is told twice": (
        [
            call("o", tokens=200),
            call("x", "o", id="r1", at=1),
            call("y", "o", id="r2", at=2),
            call("z", "y", id="r2", kinds=3, at=2),
        ],
        {"o": "x", "x": None, "y": "z", "z": None},
    ),
    "a call that repeats its copy while another call happened inside": (
        [call("o", id="r1", kinds=3), call("x", "o", id="r1", at=1), call("q", "o", id="r2", at=2)],
        {"o": None, "x": "o", "q": None},
    ),
    "a step without usage beside one with": (
        [call("o"), call("x", "o", at=1), call("u", "o", readable=False, at=2)],
        {"o": "x", "x": None, "u": None},
    ),
    "all steps without usage": (
        [call("o"), call("u", "o", readable=False, at=1), call("v", "o", readable=False, at=2)],
        {"o": None, "u": "o", "v": "o"},
    ),
    # ── what is not one call
    "an agent in between": ([call("f"), other("agent", "p", "f"), call("s", "p")], {"f": None, "s": None}),
    "a tool in between": ([call("f"), other("tool", "p", "f"), call("s", "p")], {"f": None, "s": None}),
    "nested with ids of their own": ([call("f", id="r1"), call("s", "f", id="r2")], {"f": None, "s": None}),
    "nested, only one has an id": ([call("f", id="r1"), call("s", "f")], {"f": "s", "s": None}),
    # ── one identity
    "gateway and SDK in one trace": ([call("s", id="r"), call("g", id="r", strength=2)], {"s": None, "g": "s"}),
    "gateway and SDK in two traces": ([call("s", id="r"), call("g", id="r", strength=2, trace="t2")], {"s": None, "g": "s"}),
    "chunks of one stream, each with the usage so far": (
        [call("a", id="r", tokens=10, at=1), call("b", id="r", tokens=20, at=2), call("c", id="r", tokens=30, at=3)],
        {"a": "c", "b": "c", "c": None},
    ),
    "identities in a chain": (
        [call("a", keys=("x",)), call("b", keys=("x", "y"), strength=9), call("c", keys=("y",))],
        {"a": "b", "b": None, "c": "b"},
    ),
    "same id, unreadable copy": ([call("a", id="r", readable=False, strength=9), call("b", id="r")], {"a": "b", "b": None}),
    # ── traces that are broken
    "a span inside itself": ([call("a", "a")], {"a": None}),
    "two spans inside each other": ([call("a", "b", at=1), call("b", "a", at=2)], {"a": None, "b": None}),
    "a parent that never came": ([call("a", "gone"), call("b", "gone")], {"a": None, "b": None}),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_booked(name: str) -> None:
    members, expected = CASES[name]
    assert booked(members) == expected


def test_exactly_one_record_of_a_group_is_booked_and_the_others_name_it() -> None:
    """Over random forests: a copy points at a record that is booked, never at another copy; nobody is lost."""
    luck = random.Random(7)
    for _ in range(1000):
        names = [f"s{n}" for n in range(luck.randrange(2, 9))]
        members: list[Member] = []
        for n, name in enumerate(names):
            inside = luck.choice([None, *names[:n], *names[:n]])
            if luck.random() < 0.2:
                members.append(other(luck.choice(["agent", "tool", "plain"]), name, inside))
            else:
                members.append(
                    call(
                        name, inside, id=luck.choice([None, None, "r1", "r2"]), tokens=luck.choice([50, 100]),
                        kinds=luck.choice([2, 3]), readable=luck.random() < 0.7, at=luck.randrange(3),
                    )
                )  # fmt: skip
        answer = booked(members)
        assert answer.keys() == {_name((m.trace_id, m.span_id)) for m in members if m.call}
        unread = {_name((m.trace_id, m.span_id)) for m in members if m.call and not m.call.readable}
        for copy, of in answer.items():
            assert of is None or of not in unread or copy in unread, (copy, of, members)
            assert of is None or answer[of] is None, (copy, of, members)
        assert not answer or None in answer.values(), members


def test_an_unreadable_record_is_never_booked_in_place_of_a_readable_one() -> None:
    assert booked([call("a", id="r", readable=False, strength=99), call("b", id="r", strength=1)]) == {"a": "b", "b": None}


# ── what a call takes from its ancestors ─────────────────────────────────────────────────────────────


def test_a_call_takes_agent_and_task_from_the_nearest_ancestor_that_names_one() -> None:
    verdict = resolve(
        [
            other("agent", "root", agent="planner", task="support"),
            other("agent", "sub", "root", agent="coder"),
            other("plain", "p", "sub"),
            call("a", "p"),
        ]
    )[(_trace(TRACE), _span("a"))]
    assert (verdict.agent, verdict.task_class) == ("coder", "support")


def test_what_a_call_says_of_itself_wins() -> None:
    verdicts = resolve([other("agent", "root", agent="planner"), call("a", "root", agent="own")])
    assert verdicts[(_trace(TRACE), _span("a"))].agent == "own"


def test_an_ancestor_in_another_trace_is_none() -> None:
    verdicts = resolve([other("agent", "root", agent="planner", trace="t2"), call("a", "root")])
    assert verdicts[(_trace(TRACE), _span("a"))].agent is None


def test_a_loop_of_parents_hands_nothing_round() -> None:
    verdicts = in_any_order(
        [other("agent", "p", "q", agent="x"), other("plain", "q", "p"), call("a", "q"), call("b", "p"), call("c", "b")]
    )
    agents = {_name(key): verdict.agent for key, verdict in verdicts.items()}
    assert agents == {"a": None, "b": "x", "c": "x"}


def test_a_trace_of_one_long_chain_is_resolved_in_one_pass() -> None:
    chain = [call(f"{n:08d}", f"{n - 1:08d}" if n else None, id=f"r{n}") for n in range(20_000)]
    nested = [call(f"{n:08d}", f"{n - 1:08d}" if n else None, trace="t2") for n in range(20_000)]
    verdicts = resolve([*chain, *nested])
    assert sum(verdict.copy_of is None for verdict in verdicts.values()) == 20_001


def _reported(name: str, emitter: str, at: int, until: int, *, response: str | None = None, tokens: int = 10) -> Member:
    usage = {"input_tokens": tokens}
    evidence = Evidence((f"response:{response}",) if response else (), True, 1, 30, tokens, response, emitter, usage)
    return Member(_trace("t"), _span(name), _span("agent"), at, "call", None, None, evidence, until)


def _booked(members: list[Member]) -> int:
    return sum(verdict.copy_of is None for verdict in resolve(members).values())


def test_two_libraries_side_by_side_report_one_call() -> None:
    assert _booked([_reported("a", "framework", 0, 100), _reported("b", "sdk", 1, 99, response="r")]) == 1


def test_calls_of_one_library_at_once_stay_two() -> None:
    assert _booked([_reported("a", "sdk", 0, 100), _reported("b", "sdk", 1, 99)]) == 2


def test_side_by_side_calls_that_differ_stay_two() -> None:
    assert _booked([_reported("a", "framework", 0, 100), _reported("b", "sdk", 1, 99, tokens=11)]) == 2
    assert _booked([_reported("a", "framework", 0, 100, response="q"), _reported("b", "sdk", 1, 99, response="r")]) == 2
    assert _booked([_reported("a", "framework", 0, 100), _reported("b", "sdk", 50, 150)]) == 2


def test_with_two_candidates_nothing_is_joined() -> None:
    members = [_reported("a", "framework", 0, 100), _reported("b", "sdk", 1, 99), _reported("c", "sdk", 2, 98)]
    assert _booked(members) == 3


def with_usage(member: Member, **usage: int) -> Member:
    """The same with these leaves."""
    assert member.call is not None
    evidence = msgspec.structs.replace(member.call, usage=usage, tokens=sum(usage.values()))
    return msgspec.structs.replace(member, call=evidence)


def test_an_embedding_inside_an_answer_is_a_call_of_its_own() -> None:
    answer = with_usage(call("answer"), input_tokens=1000, output_tokens=50)
    embedding = with_usage(call("embedding", "answer", kinds=1), input_tokens=20)
    assert booked([answer, embedding]) == {"answer": None, "embedding": None}
    begun = with_usage(call("begun", "answer", kinds=1), input_tokens=400, cache_read_tokens=600)
    assert booked([answer, begun]) == {"answer": None, "begun": "answer"}, "a copy that has not heard of the output yet"


def _chunk(name: str, output: int, *, at: int, taken: int = 1000, id: str | None = None) -> Member:  # noqa: A002 - see call
    return with_usage(call(name, "answer", at=at, id=id), input_tokens=taken, output_tokens=output)


def test_what_a_stream_had_come_to_is_told_once() -> None:
    """Spans of chunks inside a call, each with the usage so far: together they would cost three times the call."""
    answer = with_usage(call("answer"), input_tokens=1000, output_tokens=50)
    chunks = [_chunk("a", 10, at=1), _chunk("b", 30, at=2), _chunk("c", 50, at=3)]
    assert booked([answer, *chunks]) == {"answer": "c", "a": "c", "b": "c", "c": None}
    assert booked([answer, *chunks[:2]]) == {"answer": None, "a": "answer", "b": "answer"}, "the last one never came"


@pytest.mark.parametrize(
    "inside",
    [
        [_chunk("a", 10, at=1, taken=400), _chunk("b", 40, at=2, taken=600)],
        [_chunk("a", 30, at=1), _chunk("b", 20, at=2)],
        [_chunk("a", 10, at=1), _chunk("b", 60, at=2)],
        [_chunk("a", 10, at=1, id="r1"), _chunk("b", 40, at=2, id="r2")],
    ],
)
def test_steps_inside_a_call_are_no_chunks(inside: list[Member]) -> None:
    answer = with_usage(call("answer"), input_tokens=1000, output_tokens=50)
    assert booked([answer, *inside]) == {"answer": "a", "a": None, "b": None}
