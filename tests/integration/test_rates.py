"""The price book in a real database: loading, superseding, and the one rate that a line finds."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from genai_prices.data import providers

from ledger.commodities import COMMODITY_BY_NAME
from ledger.database import connect
from ledger.list_rates import list_rates as listed_rates
from ledger.model_names import resolve
from ledger.pricelist import content_hash, insert_list_rates, load_list_prices
from ledger.rates import AddedRates, RateFilter, add_rates, import_rates, list_rates, show
from ledger.stated_rates import RateError, stated_rate
from tests.conftest import WHOLE_LIST

NOON = datetime(2026, 11, 5, 12, tzinfo=UTC)
PLAIN = {"provider": "openai", "model": "gpt-4o", "commodity": "input_tokens", "price_usd": "2"}


@pytest.fixture(scope="module")
def template(server: str) -> str:
    """The whole list."""
    assert server
    return WHOLE_LIST


def add(connection: psycopg.Connection, tenant: str = "blue", **cells: str) -> AddedRates:
    """Add one stated price for a tenant."""
    return add_rates(connection, tenant, [stated_rate({**PLAIN, **cells})], "test")


def usd_per_million(
    connection: psycopg.Connection,
    model: str = "gpt-4o",
    commodity: str = "input_tokens",
    *,
    provider: str = "openai",
    tenant: str = "blue",
    tier: str = "standard",
    total: int | None = 1000,
    at: datetime = NOON,
    known_at: datetime | None = None,
) -> Decimal | None:
    """USD for a million units, as posting finds it for a call that reports these names."""
    name = resolve(provider, model)
    row = connection.execute(
        "select f.rate_usd * 1000000 from pigou.rate_of(coalesce((select tenant_id from pigou.tenant where tenant = %s), 0),"
        " %s, %s, %s, %s, %s::smallint, %s, %s, %s, %s) f",
        (tenant, provider, model, *name, COMMODITY_BY_NAME[commodity].commodity_id, tier, total, at, known_at or "infinity"),
    ).fetchone()
    return row[0] if row else None


def rows(connection: psycopg.Connection, query: str) -> list[tuple[Any, ...]]:
    """What a query answers."""
    return connection.execute(query).fetchall()  # pyright: ignore[reportArgumentType, reportCallIssue]


# ── the list ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_list_is_loaded_once(writer: psycopg.Connection) -> None:
    [(source, digest, count)] = rows(writer, "select source, content_hash, rates from pigou.price_source")
    assert (source, digest) == ("genai-prices", content_hash())
    assert rows(writer, "select count(*), min(tenant_id), max(tenant_id) from pigou.rate") == [(count, 0, 0)]
    assert count > 30_000
    again = load_list_prices(writer)
    assert (again.loaded, again.rates, again.left_out) == (False, 0, ())


def test_list_prices_are_found(writer: psycopg.Connection) -> None:
    assert usd_per_million(writer, "gpt-4o-2024-08-06") == Decimal("2.5")
    assert usd_per_million(writer, "gpt-4o", "cache_read_tokens") == Decimal("1.25")
    assert usd_per_million(writer, "gpt-4o", "output_reasoning_tokens") == Decimal("10")
    assert usd_per_million(writer, "gpt-4o", provider="azure.ai.openai") is not None
    assert usd_per_million(writer, "gpt-99") is None
    assert usd_per_million(writer, "gpt-4o", "input_document_pages") is None
    assert usd_per_million(writer, "gpt-4o", tier="scale") is None, "an unlisted tier is not priced as another"


def test_context_tiers_take_the_whole_input(writer: psycopg.Connection) -> None:
    charged = [usd_per_million(writer, "gemini-2.5-pro", provider="google", total=total) for total in (200_000, 200_001, None)]
    assert charged == [Decimal("1.25"), Decimal("2.5"), Decimal("1.25")]


def test_times_of_day(writer: psycopg.Connection) -> None:
    peak, usual = (usd_per_million(writer, "deepseek-chat", provider="deepseek", at=NOON.replace(hour=h)) for h in (12, 17))
    assert (peak, usual) == (Decimal("0.27"), Decimal("0.135"))


def test_a_newer_list_leaves_what_was_charged(writer: psycopg.Connection) -> None:
    before = usd_per_million(writer)
    assert before is not None
    start = rows(writer, "select clock_timestamp()")[0][0]
    change_at = NOON + timedelta(days=3)
    cheaper = [
        rate._replace(price_usd=Decimal(1)) if rate[:4] == ("openai", "gpt-4o", 1, "standard") else rate
        for rate in listed_rates(providers)
    ]
    with writer.transaction():
        assert insert_list_rates(writer, cheaper, "genai-prices 99", change_at) == 1
    assert insert_list_rates(writer, cheaper, "genai-prices 99", change_at + timedelta(days=9)) == 0
    assert usd_per_million(writer, at=change_at - timedelta(seconds=1)) == before
    assert usd_per_million(writer, at=change_at) == 1
    assert usd_per_million(writer, at=change_at, known_at=start) == before
    _, found = show(writer, "openai", "gpt-4o", at=change_at, known_at=datetime.now(UTC) + timedelta(hours=1))
    [line] = [row for row in found if row[0] == "input_tokens"]
    assert (line[1], line[8], line[9], line[10], line[11]) == (1, "listed", None, "genai-prices 99", 2)


# ── a tenant's own ───────────────────────────────────────────────────────────────────────────────────


def test_a_tenants_own_price_wins_for_that_tenant_alone(writer: psycopg.Connection) -> None:
    assert add(writer).tenants.keys() == {"blue"}
    assert usd_per_million(writer) == 2
    assert usd_per_million(writer, "gpt-4o-2024-08-06") == 2
    assert usd_per_million(writer, tenant="green") == Decimal("2.5")
    assert usd_per_million(writer, commodity="output_tokens") == 10, "what it does not state is the list's"


def test_the_reported_name_can_be_priced_apart(writer: psycopg.Connection) -> None:
    add(writer, provider="vllm", model="Our-Fleet-32B", price_usd="0.1")
    assert usd_per_million(writer, "Our-Fleet-32B", provider="vllm") == Decimal("0.1")
    add(writer, model="gpt-4o-2024-08-06", price_usd="1.9")
    assert usd_per_million(writer, "gpt-4o-2024-08-06") == Decimal("1.9")
    assert usd_per_million(writer, "gpt-4o-2024-11-20") == Decimal("2.5")


def test_validity_context_day_and_tier_of_a_stated_price(writer: psycopg.Connection) -> None:
    add(writer, valid_from="2026-11-01", valid_until="2026-12-01")
    add(writer, valid_from="2026-11-01", valid_until="2026-12-01", context_above="500", price_usd="3")
    add(writer, valid_from="2026-11-01", valid_until="2026-12-01", daily_from="22:00", daily_until="06:00", price_usd="1")
    add(writer, valid_from="2026-11-01", valid_until="2026-12-01", service_tier="flex", price_usd="0.5")
    assert usd_per_million(writer, total=500) == 2
    assert usd_per_million(writer, total=501) == 3
    assert usd_per_million(writer, total=500, at=NOON.replace(hour=23)) == 1
    assert usd_per_million(writer, total=500, at=NOON.replace(hour=5, minute=59)) == 1
    assert usd_per_million(writer, total=500, at=NOON.replace(hour=6)) == 2
    assert usd_per_million(writer, tier="flex") == Decimal("0.5")
    assert usd_per_million(writer, at=datetime(2026, 12, 1, tzinfo=UTC)) == Decimal("2.5")
    assert usd_per_million(writer, at=datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)) == Decimal("2.5")


def test_a_correction_supersedes_and_nothing_is_edited(writer: psycopg.Connection) -> None:
    assert add(writer).corrections == 0
    known_then = rows(writer, "select clock_timestamp()")[0][0]
    assert add(writer, price_usd="1.5", valid_from="2026-11-03").corrections == 1
    assert usd_per_million(writer) == Decimal("1.5")
    assert usd_per_million(writer, at=datetime(2026, 11, 2, tzinfo=UTC)) == 2
    assert usd_per_million(writer, known_at=known_then) == 2
    held = rows(writer, "select price_usd, revision from ledger.rates where tenant = 'blue' order by revision")
    assert held == [(2, 1), (Decimal("1.5"), 2)]


def test_a_part_of_the_day_is_corrected_by_one_that_overlaps_it(writer: psycopg.Connection) -> None:
    add(writer, daily_from="08:00", daily_until="18:00", price_usd="3")
    assert add(writer, daily_from="09:00", daily_until="17:00", price_usd="4").corrections == 1
    assert usd_per_million(writer) == 4
    assert usd_per_million(writer, at=NOON.replace(hour=8)) == 3


@pytest.mark.parametrize(
    "unit", [("audio_seconds", "3600"), ("web_searches", "1000"), ("input_pixels", "1000000000"), ("requests", "7")]
)
def test_rates_per_unit_are_exact_to_the_picodollar(writer: psycopg.Connection, unit: tuple[str, str]) -> None:
    commodity, per = unit
    add(writer, provider="acme", model="m", commodity=commodity, price_usd="0.123456789012", per=per)
    found = usd_per_million(writer, "m", commodity, provider="acme")
    assert found is not None
    assert round(found, 12) == round(Decimal("0.123456789012") * 1_000_000 / int(per), 12)


def test_two_writers_at_once_get_successive_revisions(dsn: str) -> None:
    barrier = threading.Barrier(2)
    faults: list[Exception] = []

    def write(price: str) -> None:
        try:
            with connect(dsn, "writer") as connection:
                barrier.wait(10)
                add(connection, price_usd=price)
        except (psycopg.Error, threading.BrokenBarrierError) as error:
            faults.append(error)

    threads = [threading.Thread(target=write, args=(price,)) for price in ("3", "4")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not faults
    with connect(dsn, "writer") as connection:
        assert rows(connection, "select revision from pigou.rate where tenant_id <> 0 order by 1") == [(1,), (2,)]


def test_a_file_is_taken_whole_or_not_at_all(writer: psycopg.Connection, tmp_path: Path) -> None:
    head = "tenant,provider,model,commodity,price_usd\n"
    file = tmp_path / "prices.csv"
    file.write_text(head + "blue,acme,m,input_tokens,1\n,acme,m,output_tokens,2\n")
    with pytest.raises(RateError, match=r"prices\.csv, line 3, column tenant: is missing"):
        import_rates(writer, file)
    file.write_text(head + "blue,acme,m,input_tokens,1\n,acme,m,input_tokens,2\n")
    with pytest.raises(RateError, match="prices what line 2 prices already"):
        import_rates(writer, file, "blue")
    assert rows(writer, "select count(*) from pigou.rate where tenant_id <> 0") == [(0,)]
    added = import_rates(writer, file, "green")
    assert (added.rates, sorted(added.tenants)) == (2, ["blue", "green"])
    assert rows(writer, "select distinct source, basis from ledger.rates where tenant is not null") == [("prices.csv", "stated")]


def test_listing(writer: psycopg.Connection) -> None:
    add(writer, valid_from="2026-12-01")
    add(writer, tenant="green", price_usd="9")
    models = {row[2] for row in list_rates(writer, RateFilter(provider="OpenAI", model="gpt-4o*", commodity="input_tokens"))}
    assert {"gpt-4o", "gpt-4o-mini"} <= models
    own = list(list_rates(writer, RateFilter(with_list=False)))
    assert [(row[0], row[10]) for row in own] == [("blue", 2), ("green", 9)]
    mixed = list_rates(writer, RateFilter("blue", model="gpt-4o", commodity="input_tokens")).fetchall()
    assert (mixed[0][0], mixed[-1][0]) == ("blue", None)
    assert not list(list_rates(writer, RateFilter("blue", at=NOON, with_list=False)))
    assert not list(list_rates(writer, RateFilter(model="gpt_4o", commodity="input_tokens"))), "_ is no wildcard"


def test_the_lookup_never_reads_the_whole_book(writer: psycopg.Connection) -> None:
    add(writer)
    writer.execute(
        "create temp table used as select provider, model, commodity_id from pigou.rate where tenant_id = 0"
        " and service_tier = 'standard' and context_above = 0 limit 500"
    )
    plan = rows(
        writer,
        "explain (analyze, buffers, format json) select count(f.rate_id) from used u cross join lateral"
        " pigou.rate_of(1, u.provider, u.model, u.provider, u.model, u.commodity_id, 'standard', 1000, now(), 'infinity') f",
    )[0][0][0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 500 * 15, plan
