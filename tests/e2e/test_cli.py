"""Every command on a running installation, as processes: what it prints, and the exit code."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import struct
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.pigou_process import RunningPigou, copy_of, run_pigou

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]
BEGAN = datetime(2026, 3, 2, 10, tzinfo=UTC)
MODEL = "gpt-4.1-mini"  # listed: 0.40 USD in, 1.60 USD out, a million


def span(number: int, tenant: str, model: str = MODEL, tokens: tuple[int, int] = (1000, 100), **changes: Any) -> dict[str, Any]:
    """A model call as OTel's GenAI conventions write it, one a day."""
    start_ns = int((BEGAN + timedelta(days=number)).timestamp()) * 10**9
    attributes: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.response.model": model,
        "gen_ai.usage.input_tokens": tokens[0],
        "gen_ai.usage.output_tokens": tokens[1],
        "tenant.id": tenant,
        "pigou.layer": "action",
        "pigou.use": "plan",
    }
    return {
        "traceId": f"{number + 1:032x}",
        "spanId": f"{number + 1:016x}",
        "name": f"chat {model}",
        "kind": 3,
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + 10**9),
        "attributes": [
            {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
            for key, value in attributes.items()
        ],
        **changes,
    }


def export(*spans: dict[str, Any]) -> dict[str, Any]:
    scope = {"name": "opentelemetry.instrumentation.openai_v2", "version": "2.1"}
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": scope, "spans": list(spans)}]}]}


def protobuf(*spans: dict[str, Any]) -> bytes:
    """The same in binary; ids are bytes there, which protobuf's own JSON writes in base64."""
    message = ParseDict(export(*({**one, "traceId": "", "spanId": ""} for one in spans)), ExportTraceServiceRequest())
    for made, one in zip(message.resource_spans[0].scope_spans[0].spans, spans, strict=True):
        made.trace_id, made.span_id = bytes.fromhex(one["traceId"]), bytes.fromhex(one["spanId"])
    return message.SerializeToString()


@pytest.fixture(scope="module")
def books(prepared_home: Path) -> Iterator[RunningPigou]:
    """An installation with three days of acme's, one of globex's at an unknown price."""
    with copy_of(prepared_home) as home, RunningPigou(home) as running:
        recorded = home / "recorded.json"
        spans = [span(day, "acme") for day in range(3)] + [span(3, "globex", "in-house-7b")]
        recorded.write_text(json.dumps(export(*spans)))
        done = run_pigou("replay", recorded, home=home)
        assert (done.returncode, done.stdout) == (0, "1 exports with 4 spans: 4 accepted, 0 rejected\n"), done.stderr
        yield running


@pytest.fixture
def run(books: RunningPigou) -> Run:
    """A command on that installation."""

    def command(*arguments: str | Path, **options: Any) -> Done:
        return run_pigou(*arguments, home=books.home, **options)

    return command


def table(output: str) -> list[dict[str, str]]:
    """Rows of a command's CSV."""
    return list(csv.DictReader(io.StringIO(output)))


# ── replay ───────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_replayed_is_not_booked_again(run: Run, books: RunningPigou) -> None:
    before = books.sql("select count(*), sum(cost_usd) from ledger.calls")
    assert run("replay", books.home / "recorded.json").returncode == 0
    assert books.sql("select count(*), sum(cost_usd) from ledger.calls") == before


def test_every_form_is_replayed(run: Run, books: RunningPigou, tmp_path: Path) -> None:
    bodies = [protobuf(span(100 + number, "forms")) for number in range(3)]
    (tmp_path / "one.pb").write_bytes(bodies[0])
    (tmp_path / "many.bin").write_bytes(b"".join(struct.pack(">I", len(body)) + body for body in bodies))
    lines = "".join(json.dumps(export(span(110 + number, "forms"))) + "\n" for number in range(5))
    (tmp_path / "lines.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    done = run("replay", *sorted(tmp_path.iterdir()), "--connections", "3")
    assert (done.returncode, done.stdout) == (0, "9 exports with 9 spans: 9 accepted, 0 rejected\n")
    assert books.sql("select count(*) from ledger.calls where tenant = 'forms'") == [(8,)]


def test_what_is_refused_is_counted_with_its_reason(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "recorded.json"
    file.write_text(json.dumps(export(span(200, "refused"), span(201, "refused", traceId="not hex"))))
    done = run("replay", file)
    assert done.returncode == 1
    assert done.stdout == "1 exports with 2 spans: 1 accepted, 1 rejected\n"
    assert done.stderr.startswith("pigou: rejected 1: ")


def test_a_file_that_is_no_otlp_is_named(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("remember the milk")
    done = run("replay", file)
    assert done.returncode == 2
    assert done.stderr.startswith(f"pigou: {file}: this is no OTLP; replay reads OTLP/JSON")


def test_replay_without_an_installation_says_what_to_start(tmp_path: Path) -> None:
    done = run_pigou("replay", __file__, home=tmp_path)
    assert (done.returncode, done.stderr) == (
        1, f"pigou: nothing runs on {tmp_path}; start `pigou up`, or name a collector with --endpoint\n",
    )  # fmt: skip


# ── sql and dsn ──────────────────────────────────────────────────────────────────────────────────────

EXACT = "select 0.10::numeric(38,12) as cost_usd, null as nothing, 'a,\"b\"' as text, true as yes"


def test_a_table_shows_numbers_exactly_and_what_is_unknown(run: Run) -> None:
    done = run("sql", EXACT)
    head, _, row, count = done.stdout.splitlines()
    assert head.split() == ["cost_usd", "nothing", "text", "yes"]
    assert row.split() == ["0.100000000000", "∅", 'a,"b"', "t"]
    assert count == "(1 row)"


def test_csv_leaves_the_unknown_empty(run: Run) -> None:
    assert run("sql", EXACT, "--format", "csv").stdout == 'cost_usd,nothing,text,yes\n0.100000000000,,"a,""b""",t\n'


def test_json_keeps_every_digit(run: Run) -> None:
    query = (
        "select 0.100000000001::numeric(38,12) as a, 123456789012345678901234567890 as b, null as c, 'NaN'::float8 as d, "
        "'{\"x\": 1.50}'::jsonb as e, array[1.5, null] as f, '\\x00ff'::bytea as g, timestamptz '2026-01-01Z' as h, 1 as a"
    )
    done = run("sql", query, "--format", "json")
    assert '"a":0.100000000001,"b":123456789012345678901234567890,"c":null,"d":"NaN","e":{"x": 1.50}' in done.stdout
    [row] = json.loads(done.stdout)
    assert (row["f"], row["g"], row["h"], row["a_2"]) == ([1.5, None], "\\x00ff", "2026-01-01T00:00:00Z", 1)
    assert json.loads(run("sql", "select 1 where false", "--format", "json").stdout) == []


def test_long_rows_are_neither_cut_nor_wrapped(run: Run) -> None:
    assert "x" * 3000 in run("sql", "select repeat('x', 3000)").stdout


def test_a_query_comes_from_a_file_or_standard_input_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "query.sql").write_text("select 7 as seven;\n")
    assert table(run("sql", "--file", tmp_path / "query.sql", "--format", "csv").stdout) == [{"seven": "7"}]
    assert table(run("sql", "-", "--format", "csv", stdin="select 8 as eight").stdout) == [{"eight": "8"}]


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ("selec 1", 2, 'syntax error at or near "selec", at column 1, near "selec 1"'),
        ("select 1\n  from ledger.callz", 2, 'relation "ledger.callz" does not exist, at line 2, column 8, near "ledger.callz"'),
        ("select modle from ledger.calls", 2, 'hint: Perhaps you meant to reference the column "calls.model"'),
        ("select 1/0", 2, "division by zero"),
        ("create table mine (a int)", 2, "read-only transaction"),
        ("commit; create table public.mine (a int)", 2, "permission denied for schema public"),
        ("set role pigou_owner", 2, 'permission denied to set role "pigou_owner"'),
        ("commit; delete from pigou.entry", 2, "permission denied for schema pigou"),
        ("select * from pigou.call", 2, "permission denied for schema pigou"),
    ],
)
def test_a_query_that_cannot_run_is_one_line(run: Run, query: str, code: int, said: str) -> None:
    done = run("sql", query)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.startswith("pigou: ")
    assert done.stderr.count("\n") == 1


def test_a_query_that_takes_too_long_is_ended(run: Run) -> None:
    done = run("sql", "select pg_sleep(30)", "--timeout", "0.3")
    assert (done.returncode, done.stderr) == (1, "pigou: canceling statement due to statement timeout\n")


@pytest.mark.parametrize(
    ("role", "user", "may_read_tables"),
    [("reader", "pigou_reader", False), ("writer", "pigou_writer", True), ("owner", "postgres", True)],
)
def test_dsn_gives_an_address_with_a_roles_rights(run: Run, role: str, user: str, may_read_tables: bool) -> None:
    address = run("dsn", "--role", role).stdout.strip()
    with psycopg.connect(address, autocommit=True) as connection:
        assert connection.execute("select current_user::text, count(*) >= 4 from ledger.calls").fetchone() == (user, True)
        if may_read_tables:
            assert connection.execute("select count(*) >= 4 from pigou.call").fetchone() == (True,)
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("select count(*) from pigou.call")
        with pytest.raises(psycopg.Error) as refused:
            connection.execute("update pigou.transfer set amount_usd = 0")
        assert refused.value.sqlstate in ("42501", "23001")


# ── the books ────────────────────────────────────────────────────────────────────────────────────────


def test_check_says_what_it_looked_at_and_fails_when_the_books_are_wrong(run: Run, books: RunningPigou) -> None:
    done = run("check", "--format", "json")
    assert done.returncode == 0, done.stderr
    checked = {found["name"]: found["checked"] for found in json.loads(done.stdout)}
    assert checked["trial_balance"] >= 2
    assert checked["one_live_entry"] >= 4
    wrong = """update pigou.balance set debit_usd = debit_usd {} 1 where (tenant_id, account_id, day) =
               (select tenant_id, account_id, min(day) from pigou.balance where debit_usd > 0 group by 1, 2 limit 1)"""
    books.sql(wrong.format("+"))
    try:
        failing, sheet = run("check"), run("trial-balance", "--format", "csv")
    finally:
        books.sql(wrong.format("-"))
    assert failing.returncode == 1
    assert re.search(r"^FAILED +trial_balance ", failing.stdout, re.MULTILINE)
    assert "pigou: the books fail trial_balance, balances_are_sums; keep the home as it is" in failing.stderr
    assert sheet.returncode == 1
    assert "pigou: the books do not balance: " in sheet.stderr
    assert run("check").returncode == 0


def test_a_statement_runs_from_opening_to_closing_balance(run: Run) -> None:
    done = run("statement", "expenses", "--tenant", "acme", "--since", "2026-03-03", "--until", "2026-03-04", "--format", "csv")
    rows = table(done.stdout)
    assert [row["kind"] for row in rows] == ["opening balance", *["call"] * 4, "closing balance"]
    day_usd = 1000 * 0.40e-6 + 100 * 1.60e-6
    amounts = [float(row["amount_usd"]) for row in rows[1:-1]]
    assert sum(amounts) == pytest.approx(2 * day_usd)
    assert float(rows[0]["balance_usd"]) == pytest.approx(day_usd)
    running = [float(row["balance_usd"]) for row in rows]
    assert running[1:-1] == pytest.approx([running[0] + sum(amounts[: n + 1]) for n in range(4)])
    assert running[-1] == pytest.approx(3 * day_usd)
    assert {row["posted_on"] for row in rows} == {"2026-03-03", "2026-03-04"}


def test_a_statement_by_day_says_the_same_in_fewer_lines(run: Run) -> None:
    each = table(run("statement", "expenses", "--tenant", "acme", "--format", "csv").stdout)
    days = table(run("statement", "expenses", "--tenant", "acme", "--by-day", "--format", "csv").stdout)
    assert days[-1]["balance_usd"] == each[-1]["balance_usd"]
    assert [(row["posted_on"], row["commodity"], row["postings"]) for row in days[1:3]] == [
        ("2026-03-02", "input_tokens", "1"), ("2026-03-02", "output_tokens", "1"),
    ]  # fmt: skip


def test_a_statement_of_what_is_owed_mirrors_what_was_spent(run: Run) -> None:
    spent = table(run("statement", "expenses", "--tenant", "acme", "--format", "csv").stdout)
    owed = table(run("statement", "liabilities:payable:openai", "--tenant", "acme", "--format", "csv").stdout)
    assert owed[-1]["balance_usd"] == "-" + spent[-1]["balance_usd"]


def test_a_statement_as_it_was_known_before_the_replay_is_empty(run: Run) -> None:
    rows = table(run("statement", "expenses", "--tenant", "acme", "--known-at", "2026-01-01", "--format", "csv").stdout)
    assert [(row["kind"], float(row["balance_usd"])) for row in rows] == [("opening balance", 0.0), ("closing balance", 0.0)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["expense"], "there is no account expense; did you mean expenses"),
        (["expenses:acton", "--tenant", "acme"], "there is no account expenses:acton; did you mean expenses:action"),
        (["expenses"], "several tenants have expenses; choose with --tenant: acme, forms"),
        (["expenses", "--tenant", "acmee"], "there is no tenant 'acmee'; did you mean acme?"),
    ],
)
def test_an_account_that_is_not_there_is_compared_with_those_that_are(run: Run, arguments: list[str], said: str) -> None:
    done = run("statement", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"pigou: {said}")
    assert done.stdout == ""


def test_a_trial_balance_has_equal_sides(run: Run) -> None:
    rows = table(run("trial-balance", "--tenant", "acme", "--format", "csv").stdout)
    total = rows[-1]
    assert total["account"] == "total"
    assert total["debit_usd"] == total["credit_usd"] == "0.001680000000"
    early = table(run("trial-balance", "--tenant", "acme", "--as-of", "2026-03-02", "--format", "csv").stdout)[-1]
    assert early["debit_usd"] == early["credit_usd"] == "0.000560000000"
    assert table(run("trial-balance", "--tenant", "acme", "--known-at", "2026-01-01", "--format", "csv").stdout) == []
    now = table(run("trial-balance", "--tenant", "acme", "--known-at", f"{datetime.now(UTC) - timedelta(seconds=1):%FT%T}",
                    "--format", "csv").stdout)  # fmt: skip
    assert {key: float(now[-1][key]) for key in ("debit_usd", "credit_usd")} == {"debit_usd": 0.00168, "credit_usd": 0.00168}


def test_accounts_say_what_stands_on_each(run: Run) -> None:
    rows = table(run("accounts", "--tenant", "globex", "--format", "csv").stdout)
    unpriced = next(row for row in rows if row["account"] == "suspense:unpriced")
    assert (unpriced["kind"], float(unpriced["unpriced_quantity"])) == ("suspense", 1100.0)


def test_a_price_that_comes_later_is_booked_by_rerate(run: Run, tmp_path: Path) -> None:
    rates = tmp_path / "rates.csv"
    rates.write_text(
        "provider,model,commodity,price_usd,per,valid_from\n"
        "openai,in-house-7b,input_tokens,1,1000000,2026-01-01\nopenai,in-house-7b,output_tokens,2,1000000,2026-01-01\n"
    )
    assert run("rates", "import", rates, "--tenant", "globex").returncode == 0
    done = run("rerate", "--tenant", "globex")
    assert done.returncode == 0
    assert re.fullmatch(r"globex: \d+ calls booked again\n", done.stdout)
    query = "select status, cost_usd from ledger.calls where tenant = 'globex'"
    assert table(run("sql", query, "--format", "csv").stdout) == [{"status": "booked", "cost_usd": "0.001200000000"}]
    assert run("check").returncode == 0


def test_a_period_is_closed_once(run: Run) -> None:
    done = run("periods", "close", "--tenant", "acme", "--through", "2026-03-31")
    assert (done.returncode, done.stdout) == (0, "acme: closed through 2026-03-31\n")
    again = run("periods", "close", "--tenant", "acme", "--through", "2026-03-31")
    assert again.returncode == 2
    assert "are closed through 2026-03-31" in again.stderr
    listed = table(run("periods", "list", "--format", "csv").stdout)
    assert [(row["closed_through"], row["event"]) for row in listed if row["tenant"] == "acme"] == [("2026-03-31", "closed")]
    assert run("periods", "close", "--tenant", "nobody", "--through", "2026-03-31").returncode == 2


def test_use_rules_go_out_and_in_unchanged(run: Run, tmp_path: Path) -> None:
    listed = run("uses", "list", "--format", "csv").stdout
    assert len(table(listed)) > 10
    (tmp_path / "rules.csv").write_text(listed)
    done = run("uses", "import", tmp_path / "rules.csv")
    assert (done.returncode, done.stdout) == (0, f"{len(table(listed))} rules imported from {tmp_path / 'rules.csv'}\n")
    assert run("uses", "list", "--format", "csv").stdout == listed


# ── the installation ─────────────────────────────────────────────────────────────────────────────────


def test_the_doctor_sends_a_span_all_the_way_and_books_nothing(run: Run, books: RunningPigou) -> None:
    before = books.sql("select count(*) from ledger.entries")
    done = run("doctor")
    assert done.returncode == 0, done.stdout
    said = {line.split()[1]: line for line in done.stdout.splitlines()}
    assert set(said) == {"version", "home", "disk", "parts", "port", "database", "prices", "clock", "span"}
    assert re.search(r"read back in SQL after \d+ ms", said["span"])
    assert books.sql("select count(*) from ledger.entries") == before
    assert books.sql("select count(*) from ledger.spans where tenant = 'pigou-doctor'") != [(0,)]


def test_the_doctor_of_an_empty_home_says_what_is_not_there(tmp_path: Path) -> None:
    done = run_pigou("doctor", home=tmp_path / "nothing")
    assert done.returncode == 0
    assert "does not exist yet; `pigou up` makes it" in done.stdout
    assert "nothing runs on this home; start it with `pigou up`" in done.stdout
    assert not (tmp_path / "nothing").exists()


def test_migrate_is_done_when_there_is_nothing_to_do(run: Run) -> None:
    done = run("migrate")
    assert done.returncode == 0
    assert re.search(r"has schema \d+ and the list prices$", done.stdout.strip())


def test_versions(run: Run) -> None:
    assert re.fullmatch(r"pigou \S+, schema \d+, Python 3\.\d+\.\d+, prices \S+\n", run("version").stdout)


def test_a_database_without_our_schema_says_what_to_run(server: str, template: str) -> None:
    assert template  # its roles are the whole server's
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("create database pigou_unmade")
    url = server.replace("/postgres?", "/pigou_unmade?", 1)
    done = run_pigou("sql", "select 1 from ledger.calls", url=url)
    assert done.returncode == 1
    assert done.stderr == "pigou: the database has no books; make them with `pigou migrate`\n"
    assert run_pigou("migrate", url=url).returncode == 0
    assert run_pigou("sql", "select 1 from ledger.calls", url=url).returncode == 0
