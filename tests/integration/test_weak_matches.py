"""Calls that look like copies of each other: what is found is what comparing every pair finds, however many there are."""

from __future__ import annotations

import random
from itertools import combinations

import psycopg

from analyzers.weak_matches import find_weak_matches
from tests.books import chat, export, one, rows, run
from tests.desk import book


def test_what_is_found_is_what_every_pair_says(dsn: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    """Equal and unequal calls, one after the other, at the same time, one within the other; of length nothing too."""
    draw = random.Random(5)
    spans = [
        chat(trace, n, input=draw.choice((10, 20)), output=draw.choice((3, 4)), at=float(draw.randrange(12)))
        for trace in (1, 2, 3)
        for n in range(1, 49)
    ]
    book(dsn, [export(*spans)])
    run(
        owner,
        "update pigou.call set ended_at = started_at + make_interval(secs => (abs(hashint8(get_byte(span_id, 7))) % 4) / 2.0)",
    )
    calls = rows(
        owner,
        """select trace_id, model, total_input_tokens, coalesce(output_tokens, 0) + coalesce(reasoning_tokens, 0), span_id,
                  started_at, ended_at from pigou.call where status in ('booked', 'unpriced') order by trace_id, span_id""",
    )
    wanted = {(a[0], a[4], b[4]) for a, b in combinations(calls, 2) if a[:4] == b[:4] and b[5] < a[6] and a[5] < b[6]}
    find_weak_matches(writer)
    assert set(rows(owner, "select trace_id, span_id, other_span_id from pigou.weak_match")) == wanted
    assert len(wanted) > 20


def test_a_pair_that_is_no_pair_any_more_is_forgotten(dsn: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    book(dsn, [export(chat(1, 1), chat(1, 2))])
    find_weak_matches(writer)
    assert one(owner, "select count(*) from pigou.weak_match") == 1
    run(owner, "update pigou.call set output_tokens = output_tokens + 1 where get_byte(span_id, 7) = 2")
    find_weak_matches(writer)
    assert one(owner, "select count(*) from pigou.weak_match") == 0
