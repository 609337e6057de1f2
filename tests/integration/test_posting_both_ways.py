"""New calls are priced and written by the collector's process; the posting statement must have come to the same.

Calls of all kinds are posted as new ones, then reversed and booked again by the statement, at the same rates: everything but the
entries' ids must be as before.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from ledger import check
from ledger.accounts import UNPRICED, UNREADABLE, AccountBook
from ledger.arrivals import Arrivals, NewCall, NewRecord
from ledger.memory import WriterMemory
from ledger.periods import close
from ledger.post import lock_tenants, open_tenants, post, post_staged, prepare_stage
from ledger.queries import queries
from ledger.rates import import_rates
from ledger.ready import ready
from ledger.terms import Rate
from tests.books import one, rows

_POST = queries("ledger", "post")
AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
RESOURCE = "00000000-0000-0000-0000-000000000001"
RATES = """\
tenant,provider,model,commodity,price_usd,per,valid_from,valid_until,service_tier,context_above,daily_from,daily_until
{t},acme,m1,input_tokens,3,1000000,,2026-11-02T12:00:00Z,,,,
{t},acme,m1,input_tokens,2.000000000001,7000000,2026-11-02T12:00:00Z,,,,,
{t},acme,m1,input_tokens,6,1000000,,,,200000,,
{t},acme,m1,input_tokens,1,1000000,,,batch,,,
{t},acme,m1,input_tokens,0.5,1000000,,,,,22:00,06:00
{t},acme,m1,output_tokens,15,1000000,,2026-11-01T00:00:00Z,,,,
{t},acme,m1,output_tokens,16,1000000,2026-11-01T00:00:00Z,,,,,
{t},acme,m1,cache_read_tokens,0.0000001,3,,,,,,
{t},acme,alias,input_tokens,9,1000000,,,,,,
{t},acme,m2,input_tokens,1,1000000,,,,,,
{t},acme,m2,output_tokens,0,1000000,,,,,,
{t},acme,m2,requests,0.01,1,,,,,08:00,20:00
"""
CORRECTION = """\
tenant,provider,model,commodity,price_usd,per,valid_from,valid_until
{t},acme,m1,input_tokens,4,1000000,2026-11-02T00:00:00Z,2026-11-02T06:00:00Z
"""
_numbers = itertools.count(1)

quantities = st.one_of(st.just(0), st.integers(1, 400_000), st.just(10**12))
leaves = st.dictionaries(
    st.sampled_from(["input_tokens", "output_tokens", "cache_read_tokens", "requests", "web_searches"]), quantities, max_size=4
)


@st.composite
def new_calls(draw: st.DrawFn) -> tuple[timedelta, NewCall]:
    """A call at some time of a few days, of some model, with some usage."""
    used = draw(leaves)
    whole = draw(st.one_of(st.none(), st.integers(0, 400_000)))
    model = draw(st.sampled_from(["m1", "m2", "Alias", "unknown", None]))
    problem = None if used else "negative_leaf: 5 of 3"
    told: dict[str, Any] = {
        "dialect": "test", "confidence": "explicit", "operation": "chat",
        "provider": draw(st.sampled_from(["acme", "ACME", None])), "model": model,
        "rate_provider": "acme", "rate_model": "m1" if model == "Alias" else model,
        "service_tier": draw(st.sampled_from(["standard", "batch"])), "layer": draw(st.sampled_from(["action", None])),
        "layer_source": "explicit", "use": draw(st.sampled_from(["act", "plan", None])), "use_source": "explicit",
        "conversation_id": None, "user_id": None, "leaves": used, "total_input_tokens": whole, "claimed_cost_usd": None,
        "response_id": None, "keys": (), "strength": 1, "problem": problem,
    }  # fmt: skip
    return timedelta(minutes=draw(st.integers(-3000, 3000)), microseconds=draw(st.integers(0, 999_999))), NewCall(**told)


def _call(leaves: dict[str, int]) -> NewCall:
    return NewCall(
        "test", "explicit", "chat", "acme", "m1", "acme", "m1", "standard", None, "none", None, "none", None, None, leaves, 5,
        None, None, (), 1, None if leaves else "usage_missing: none",
    )  # fmt: skip


def arrivals(tenant: str, calls: list[tuple[timedelta, NewCall]]) -> Arrivals:
    """Each call as a trace of its own."""
    records = [
        ready(
            NewRecord(
                n.to_bytes(16, "big"), n.to_bytes(8, "big"), _us(AT + at), _us(AT + at) + 5, None, "span", "call", "chat", 3, 0,
                None, "agents", "s", "1", RESOURCE, None, None, None, None, b"{}", None, None, n.to_bytes(16, "big"),
            ),
            call,
        )
        for n, (at, call) in enumerate(calls, 1)
    ]  # fmt: skip
    return Arrivals(tenant, records=records, resources={RESOURCE: "{}"}, requests=1)


def _us(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def book_again(connection: psycopg.Connection, tenant_id: int) -> None:
    """Reverse every live entry and book its call anew, by the posting statement."""
    keys = rows(connection, f"select trace_id, span_id from pigou.call where tenant_id = {tenant_id} order by 1")
    with connection.transaction():
        lock_tenants(connection, [tenant_id])
        prepare_stage(connection)
        accounts = AccountBook().open(connection, tenant_id)
        for action in ("reverse", "book"):
            given: dict[str, Any] = dict.fromkeys(("copy_trace_ids", "copy_span_ids"), [None] * len(keys))
            given |= {"tenant_id": tenant_id, "actions": [action] * len(keys), "statuses": ["booked"] * len(keys)}
            given |= {"reasons": ["again"] * len(keys), "trace_ids": [k[0] for k in keys], "span_ids": [k[1] for k in keys]}
            connection.execute(_POST["stage_existing"], given)
        post_staged(connection, tenant_id, 0, accounts[UNPRICED], accounts[UNREADABLE])


def standing(connection: psycopg.Connection, tenant_id: int) -> list[list[tuple[Any, ...]]]:
    """What stands in the books of a tenant: its calls, the lines of their live entries, and its balances."""
    calls = f"""select trace_id, status, reason, problem, cost_usd, expense_account_id, payable_account_id, leaves
                  from pigou.call where tenant_id = {tenant_id} order by 1"""
    lines = f"""select c.trace_id, x.line, x.book, x.commodity_id, x.debit_account_id, x.credit_account_id, x.quantity, x.rate_id,
                       x.rate_usd, x.amount_usd, x.posted_on, e.source
                  from pigou.call c
                  join pigou.entry e on e.tenant_id = c.tenant_id and e.entry_id = c.entry_id and e.occurred_at = c.started_at
                  left join pigou.transfer x
                         on x.tenant_id = e.tenant_id and x.entry_id = e.entry_id and x.occurred_at = e.occurred_at
                 where c.tenant_id = {tenant_id} order by 1, 2"""
    balances = f"""select account_id, commodity_id, day, sum(debit_quantity - credit_quantity), sum(debit_usd - credit_usd),
                          sum(unpriced_quantity)
                     from pigou.balance where tenant_id = {tenant_id} group by 1, 2, 3 order by 1, 2, 3"""
    return [rows(connection, statement) for statement in (calls, lines, balances)]


@pytest.fixture(scope="module")
def books_dsn(server: str, template: str) -> Iterator[str]:
    """One database for all examples, each of which is a tenant's."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("create database pigou_both_ways template {}").format(sql.Identifier(template)))
    yield server.replace("/postgres?", "/pigou_both_ways?", 1)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("drop database pigou_both_ways with (force)")


@pytest.fixture(scope="module")
def desk(books_dsn: str) -> Iterator[psycopg.Connection]:
    """A writer's connection to it."""
    with psycopg.connect(books_dsn, autocommit=True, options="-c timezone=UTC -c role=pigou_writer") as connection:
        yield connection


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(new_calls(), min_size=1, max_size=12), closed=st.booleans())
def test_both_ways_come_to_the_same(
    desk: psycopg.Connection, tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[timedelta, NewCall]], closed: bool
) -> None:
    tenant = f"tenant {next(_numbers)}"
    for text in (RATES, CORRECTION):
        file = tmp_path_factory.mktemp("rates") / "rates.csv"
        file.write_text(text.format(t=tenant))
        import_rates(desk, file)
    tenant_id = open_tenants(desk, [tenant])[tenant]
    if closed:
        close(desk, tenant, date(2026, 11, 1), who="ann")
    with desk.transaction():
        [posted] = post(desk, [arrivals(tenant, calls)], 0, WriterMemory())
    before = standing(desk, tenant_id)
    assert sum(posted.calls.values()) == len(calls)
    assert len(before[0]) == len(calls)
    book_again(desk, tenant_id)
    assert standing(desk, tenant_id) == before


def test_the_books_of_such_calls_are_proven(desk: psycopg.Connection) -> None:
    """Entries have the ids that the database would give them."""
    tenant = f"tenant {next(_numbers)}"
    used = [{"input_tokens": 5}, {"output_tokens": 0}, {}]
    made = [(timedelta(microseconds=499_999 + n), _call(leaves)) for n, leaves in enumerate(used)]
    with desk.transaction():
        post(desk, [arrivals(tenant, made)], 0, WriterMemory())
    assert {result.name: result.violations for result in check.run(desk) if result.violations} == {}
    strange = """select count(*) from pigou.entry e join pigou.tenant t using (tenant_id)
                  where e.kind = 'call'
                    and e.entry_id <> pigou.entry_id(t.tenant, e.trace_id, e.span_id, 'call', 0, e.occurred_at)"""
    assert one(desk, strange) == 0
    assert one(desk, "select count(*) > 0 from pigou.entry where kind = 'call'") is True


def test_an_amount_is_rounded_as_the_database_rounds(desk: psycopg.Connection) -> None:
    for digits, places, quantity in ((5, 13, 1), (15, 13, 1), (25, 13, 1), (49999, 17, 3), (10**30 + 1, 33, 10**12), (7, 0, 3)):
        rate = Rate(1, "", digits, places, None, None, 0, 0, 0)
        said = one(desk, f"select round({quantity} * {digits}::numeric / 1e{places}::numeric, 12)")
        assert Decimal(rate.amount(quantity)) / 10**12 == said
