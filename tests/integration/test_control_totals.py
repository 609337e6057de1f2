"""What parents and fetched responses say was used, compared with what was booked."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analyzers.pipeline import run_round
from ledger import check
from tests.books import agent, chat, export, plain, price, rows, run
from tests.desk import book

COMPARED = "select input_difference, output_difference, booked_calls, status from ledger.control_totals order by span_id"


def fetched(trace: int, span: int, response: str, tokens: int = 100) -> Span:
    """A look at a response that was asked for before, which tells the usage once more."""
    return plain(
        trace, span, name="fetch_response", at=5, gen_ai__operation__name="fetch_response", gen_ai__response__id=response,
        gen_ai__request__model="m1", gen_ai__usage__input_tokens=tokens, gen_ai__usage__output_tokens=10,
    )  # fmt: skip


@pytest.mark.parametrize("trace", [1, 2], ids=["in its trace", "in another"])
def test_a_fetched_response_is_compared_with_the_call_it_answers(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection, trace: int
) -> None:
    price(writer)
    book(dsn, [export(agent(1, 1), chat(1, 2, 1, id="r1"), chat(1, 3, 1, id="r2", at=2))])
    book(dsn, [export(fetched(trace, 4, "r1"), fetched(trace, 5, "r2", tokens=90))])
    assert rows(reader, COMPARED) == [(0, 0, 1, "equal"), (10, 0, 1, "differs")]
    assert rows(reader, "select count(*), sum(cost_usd) from ledger.calls") == rows(
        reader, "select 2::bigint, 2 * (100 * 2 + 10 * 10) / 1e6"
    )


def test_a_fetched_response_that_nobody_reports_differs(dsn: str, reader: psycopg.Connection) -> None:
    book(dsn, [export(fetched(1, 4, "r9"))])
    assert rows(reader, COMPARED) == [(-100, -10, 0, "differs")]


def test_what_is_booked_for_a_copy_in_another_trace_is_compared_again(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection, owner: psycopg.Connection
) -> None:
    """A gateway that was not told the trace of its client, and whose calls get their price, and another one, late."""
    booked = "select booked_calls, booked_cost_usd, status from ledger.control_totals"
    book(dsn, [export(chat(2, 1, id="r1", reasoning=5))])
    book(dsn, [export(agent(1, 1, input=100, output=10), chat(1, 2, 1, id="r1"))])
    [(copy, call)] = rows(reader, "select trace_id, copy_of_trace_id from ledger.calls where status = 'duplicate'")
    assert (int(copy, 16), int(call, 16)) == (1, 2)
    run_round(writer)
    assert rows(reader, booked) == [(1, None, "equal")]
    later = "update pigou.setting set value = (now() + interval '20 seconds')::text where setting = 'reconciled_since'"
    for revision, (usd, cost) in enumerate((("2", "0.0003"), ("4", "0.0005")), 1):
        run(owner, later)
        price(writer, {"input_tokens": usd, "output_tokens": "10", "output_reasoning_tokens": "10"}, revision=revision)
        run_round(writer)
        assert rows(reader, booked) == [(1, Decimal(cost), "equal")]
    assert all(one.ok for one in check.run(writer))


COSTS = "select status, cost_usd, booked_cost_usd, cost_difference_usd from ledger.control_totals"


@pytest.mark.parametrize(
    ("stated", "tokens", "status"),
    [
        ("0.0006", 200, "equal"),
        ("0.0006005", 200, "equal"),
        ("0.0009", 200, "cost differs"),
        ("0.0009", 201, "differs"),
        ("0.0009", None, "cost differs"),
    ],
    ids=["the same", "rounded", "another cost", "other tokens too", "no tokens"],
)
def test_a_stated_cost_is_compared_once_all_has_a_price(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection, stated: str, tokens: int | None, status: str
) -> None:
    more: dict[str, Any] = {} if tokens is None else {"input": tokens, "output": 20}
    parent = agent(1, 1, operation__cost=float(stated), **more)
    book(dsn, [export(parent, chat(1, 2, 1, id="r1"), chat(1, 3, 1, id="r2", at=2))])
    [before] = rows(reader, COSTS)
    assert (before[0], *before[2:]) == ("differs" if tokens == 201 else "equal", None, None), (
        "what waits for a price is not nothing"
    )
    price(writer)
    run_round(writer)
    assert rows(reader, COSTS) == [(status, Decimal(stated), Decimal("0.0006"), Decimal("0.0006") - Decimal(stated))]
    [(found, parents)] = rows(reader, "select status, parents from ledger.control_totals_hourly")
    assert (found, parents) == (status, 1)
    [result] = [one for one in check.run(writer) if one.name == "control_totals"]
    assert (result.ok, result.violations) == (True, 0 if status == "equal" else 1)
    assert [("USD" in said) for said in result.examples] == {"equal": [], "differs": [False]}.get(status, [True])


def test_a_stated_cost_of_calls_that_nobody_saw_differs(dsn: str, reader: psycopg.Connection) -> None:
    book(dsn, [export(agent(1, 1, operation__cost=0.5))])
    assert rows(reader, COSTS) == [("cost differs", Decimal("0.5"), 0, Decimal("-0.5"))]
