"""What is booked stays booked: the database itself refuses every change, whoever asks, and whatever cannot be true."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from ledger.database import Role, connect
from tests.books import chat, cloned, export, one, price, rows, run
from tests.desk import book

APPEND_ONLY = ("entry", "transfer", "rate", "account")
COLUMN = {"entry": "reason", "transfer": "quantity", "rate": "price_usd", "account": "account"}
REFUSALS = (psycopg.errors.RestrictViolation, psycopg.errors.InsufficientPrivilege)


@pytest.fixture(scope="module")
def dsn(server: str, template: str) -> Iterator[str]:
    """Books that all tests here share: nearly all that they try is refused, and the rest is in nobody's way."""
    with cloned(server, template, "pigou_append_only") as dsn:
        with connect(dsn, "writer") as writer:
            price(writer)
        book(dsn, [export(chat(1, 1), chat(1, 2, model="unknown"))])
        yield dsn


def tables(connection: psycopg.Connection, table: str) -> list[str]:
    """The table and its partitions."""
    parts = "select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass order by 1"
    return [table, *(name.removeprefix("pigou.") for (name,) in rows(connection, parts, f"pigou.{table}"))]


@pytest.mark.parametrize("role", ["writer", "reader", "owner"])
@pytest.mark.parametrize("table", APPEND_ONLY)
def test_nobody_changes_what_is_booked(dsn: str, owner: psycopg.Connection, role: Role, table: str) -> None:
    names = tables(owner, table)
    assert len(names) > 3 if table in ("entry", "transfer") else names == [table]
    holding = [name for name in names if one(owner, f"select count(*) from pigou.{name}")]
    assert holding
    before = one(owner, f"select count(*), md5(string_agg(x::text, '|' order by x::text)) from pigou.{table} x")
    with connect(dsn, role) as connection:
        for name in names:
            changes = [f"truncate pigou.{name} cascade"]
            if name in holding:
                changes += [f"update pigou.{name} set {COLUMN[table]} = {COLUMN[table]}", f"delete from pigou.{name}"]
            for change in changes:
                with pytest.raises(REFUSALS):
                    run(connection, change)
    assert one(owner, f"select count(*), md5(string_agg(x::text, '|' order by x::text)) from pigou.{table} x") == before


def test_partitions_made_later_are_guarded_too(owner: psycopg.Connection) -> None:
    assert one(owner, "select pigou.ensure_month((now() - interval '5 months')::date)") is True
    name = one(owner, "select 'entry_' || to_char(now() - interval '5 months', 'YYYYMM')")
    with pytest.raises(psycopg.errors.RestrictViolation):
        run(owner, f"truncate pigou.{name} cascade")


def test_refusals_say_how_to_correct(owner: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation) as refused:
        owner.execute("delete from pigou.entry")
    assert "append-only" in str(refused.value)
    assert "reversing entry" in (refused.value.diag.message_hint or "")


@pytest.mark.parametrize("role", ["writer", "reader"])
def test_the_running_roles_cannot_disarm_the_guards(dsn: str, role: Role) -> None:
    with connect(dsn, role) as connection:
        for attempt in (
            "alter table pigou.entry disable trigger all",
            "drop trigger entry_is_append_only on pigou.entry",
            "alter table pigou.transfer drop constraint transfer_amount_is_quantity_times_rate",
            "set session_replication_role = replica",
            "drop table pigou.transfer",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                run(connection, attempt)


def test_the_reader_reads_every_view_and_nothing_else(reader: psycopg.Connection, owner: psycopg.Connection) -> None:
    views = [row[0] for row in owner.execute("select viewname from pg_views where schemaname = 'ledger'")]
    assert len(views) >= 20
    for view in views:
        run(reader, f"select * from ledger.{view}")
    for (table,) in rows(owner, "select tablename from pg_tables where schemaname = 'pigou'"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(reader, f"select * from pigou.{table}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("create table ledger.mine (n integer)")


# ── what cannot be expressed ─────────────────────────────────────────────────────────────────────────

TRANSFER = {
    "tenant_id": "1", "entry_id": "gen_random_uuid()", "line": "1", "occurred_at": "now()", "posted_on": "current_date",
    "book": "'cash'", "commodity_id": "1", "debit_account_id": "1", "credit_account_id": "2", "quantity": "10",
    "rate_id": "null", "rate_usd": "0.5", "amount_usd": "5",
}  # fmt: skip
IMPOSSIBLE: dict[str, tuple[dict[str, str], str]] = {
    "one leg": ({"credit_account_id": "null"}, "credit_account_id"),
    "no debit": ({"debit_account_id": "null"}, "debit_account_id"),
    "from an account to itself": ({"credit_account_id": "1"}, "transfer_moves_between_two_accounts"),
    "a negative quantity": ({"quantity": "-10", "amount_usd": "-5"}, "transfer_quantity_is_not_negative"),
    "a quantity that is no number": ({"quantity": "'NaN'", "amount_usd": "'NaN'"}, "transfer_quantity_is_not_negative"),
    "an amount that is no number": ({"rate_usd": "'NaN'", "amount_usd": "'NaN'"}, "transfer_rate_is_a_number"),
    "a negative rate": ({"rate_usd": "-0.5", "amount_usd": "-5"}, "transfer_rate_is_a_number"),
    "an amount that is not quantity times rate": ({"amount_usd": "5.000000000001"}, "transfer_amount_is_quantity_times_rate"),
    "an amount without a rate": ({"rate_usd": "null"}, "transfer_amount_is_quantity_times_rate"),
    "a rate without an amount": ({"amount_usd": "null"}, "transfer_amount_is_quantity_times_rate"),
    "a third book": ({"book": "'secret'"}, "transfer_book_is_known"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_a_transfer_that_cannot_be_true_is_refused_by_name(writer: psycopg.Connection, case: str) -> None:
    change, constraint = IMPOSSIBLE[case]
    row = TRANSFER | change
    with pytest.raises(psycopg.IntegrityError) as refused:
        run(writer, f"insert into pigou.transfer ({', '.join(row)}) values ({', '.join(row.values())})")
    assert constraint in (refused.value.diag.constraint_name, refused.value.diag.column_name)


def test_the_transfer_of_these_tests_is_sound_otherwise(writer: psycopg.Connection) -> None:
    run(writer, f"insert into pigou.transfer ({', '.join(TRANSFER)}) values ({', '.join(TRANSFER.values())})")


@pytest.mark.parametrize(
    ("usd", "per", "constraint"),
    [
        ("'NaN'", "1", "rate_price_is_not_negative"),
        ("-1", "1", "rate_price_is_not_negative"),
        ("'Infinity'", "1", "rate_price_is_not_negative"),
        ("1", "0", "rate_per_is_positive"),
    ],
)
def test_a_rate_that_cannot_be_true_is_refused_by_name(writer: psycopg.Connection, usd: str, per: str, constraint: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        run(
            writer,
            "insert into pigou.rate (tenant_id, provider, model, commodity_id, valid, price_usd, per, basis, source)"
            f" values (0, 'x', 'y', 1, '(,)', {usd}, {per}, 'stated', 'test')",
        )
    assert refused.value.diag.constraint_name == constraint


def test_two_prices_for_one_thing_at_one_time_are_refused(writer: psycopg.Connection) -> None:
    price(writer, {"input_tokens": "1"}, model="priced twice")
    with pytest.raises(psycopg.errors.ExclusionViolation) as refused:
        price(writer, {"input_tokens": "2"}, model="priced twice")
    assert refused.value.diag.constraint_name == "rate_validity_does_not_overlap"
    price(writer, {"input_tokens": "2"}, model="priced twice", revision=2)


def reverse(connection: psycopg.Connection) -> None:
    connection.execute(
        "insert into pigou.entry (tenant_id, entry_id, kind, source, occurred_at, posted_on, reverses, reason)"
        " select tenant_id, gen_random_uuid(), 'reversal', 'test', occurred_at, posted_on, entry_id, 'test' from pigou.entry"
        "  where kind = 'call' order by entry_id limit 1"
    )


def test_an_entry_is_reversed_once(writer: psycopg.Connection) -> None:
    reverse(writer)
    with pytest.raises(psycopg.errors.UniqueViolation):
        reverse(writer)


@pytest.mark.parametrize(
    ("kind", "reverses", "reason", "constraint"),
    [
        ("reversal", "null", "'x'", "reversal_names_its_entry"),
        ("call", "gen_random_uuid()", "'x'", "reversal_names_its_entry"),
        ("adjustment", "null", "null", "entry_has_a_reason_when_it_corrects"),
        ("gift", "null", "'x'", "entry_kind_is_known"),
    ],
)
def test_an_entry_that_cannot_be_true_is_refused_by_name(
    writer: psycopg.Connection, kind: str, reverses: str, reason: str, constraint: str
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        run(
            writer,
            "insert into pigou.entry (tenant_id, entry_id, kind, source, occurred_at, posted_on, reverses, reason)"
            f" values (1, gen_random_uuid(), '{kind}', 'test', now(), current_date, {reverses}, {reason})",
        )
    assert refused.value.diag.constraint_name == constraint


def test_an_entry_of_one_key_is_written_once(writer: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        writer.execute(
            "insert into pigou.entry (tenant_id, entry_id, kind, source, occurred_at, posted_on)"
            " select tenant_id, entry_id, kind, 'again', occurred_at, posted_on from pigou.entry limit 1"
        )


def test_the_key_of_an_entry_is_the_same_on_every_machine(writer: psycopg.Connection) -> None:
    """Ids sort by when the event occurred, and differ by tenant, span, kind and revision."""
    ask = "select pigou.entry_id(%s, '\\x01', '\\x02', %s, %s, %s)::text"
    given = ("acme", "call", 0, "2026-11-02T09:00:00Z")
    assert one(writer, ask, *given) == "01a19b7c-a680-" + one(writer, ask, *given)[14:]
    others = [
        ("b", *given[1:]),
        ("acme", "reversal", *given[2:]),
        ("acme", "call", 1, given[3]),
        (*given[:3], "2026-11-02T09:00:01Z"),
    ]
    assert len({one(writer, ask, *key) for key in [given, *others]}) == 5
