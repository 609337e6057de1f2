"""Stated prices: what is taken, and what is refused with its place and its mend."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path

import pytest

from ledger.rate_files import read_rates
from ledger.stated_rates import RateError, StatedRate, refuse_contradictions, stated_rate, windows_overlap

PLAIN = {"provider": "Acme", "model": "Big-1", "commodity": "input_tokens", "price_usd": "2.50"}


def rate(**cells: str) -> StatedRate:
    """A rate with some cells changed."""
    return stated_rate({**PLAIN, **cells}, "prices.csv, line 2")


def test_defaults() -> None:
    plain = rate()
    assert (plain.provider, plain.model, plain.tenant, plain.per, plain.service_tier) == (
        "acme",
        "big-1",
        None,
        1_000_000,
        "standard",
    )
    assert (plain.price_usd, plain.context_above, plain.valid_from, plain.valid_until) == (Decimal("2.5"), 0, None, None)
    assert plain.daily_from == plain.daily_until == time(0)


def test_everything_stated() -> None:
    full = rate(
        tenant="blue", per="1e3", service_tier="Batch", context_above="200000", valid_from="2026-01-31",
        valid_until="2026-02-28T12:00+01:00", daily_from="16:30", daily_until="24:00",
    )  # fmt: skip
    assert (full.tenant, full.per, full.service_tier, full.context_above) == ("blue", 1000, "batch", 200_000)
    assert (full.valid_from, full.valid_until) == (datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 28, 11, tzinfo=UTC))
    assert (full.daily_from, full.daily_until) == (time(16, 30), time(0))


@pytest.mark.parametrize("text", ["0", "0.000000000001", "1000000", "1.5e-7", "00.10"])
def test_prices_are_kept_exactly(text: str) -> None:
    assert rate(price_usd=text).price_usd == Decimal(text)


@pytest.mark.parametrize(
    ("cells", "column", "what"),
    [
        ({"price_usd": "NaN"}, "price_usd", "is no price"),
        ({"price_usd": "Infinity"}, "price_usd", "is no price"),
        ({"price_usd": "-1"}, "price_usd", "is negative"),
        ({"price_usd": "$3"}, "price_usd", "is no price"),
        ({"price_usd": "1,50"}, "price_usd", "is no price"),
        ({"price_usd": "1_000"}, "price_usd", "is no price"),
        ({"price_usd": "٣"}, "price_usd", "is no price"),
        ({"price_usd": "1e400"}, "price_usd", "is more than"),
        ({"price_usd": "1000000.01"}, "price_usd", "is more than"),
        ({"price_usd": "0.0000000000001"}, "price_usd", "decimals"),
        ({"price_usd": "1e-300"}, "price_usd", "decimals"),
        ({"price_usd": " "}, "price_usd", "is missing"),
        ({"provider": ""}, "provider", "is missing"),
        ({"model": "a\x00b"}, "model", "is no name"),
        ({"model": "m" * 501}, "model", "is no name"),
        ({"commodity": "imput_tokens"}, "commodity", "did you mean input_tokens"),
        ({"commodity": "latency_seconds"}, "commodity", "not sold by providers"),
        ({"per": "0"}, "per", "whole number"),
        ({"per": "1.5"}, "per", "whole number"),
        ({"per": "1e30"}, "per", "whole number"),
        ({"commodity": "web_searches"}, "per", "is missing"),
        ({"context_above": "-1"}, "context_above", "whole number"),
        ({"valid_from": "31.1.2026"}, "valid_from", "is no date"),
        ({"valid_from": "0001-01-01"}, "valid_from", "out of reach"),
        ({"valid_from": "2026-02-01", "valid_until": "2026-02-01"}, "valid_until", "not after"),
        ({"daily_from": "16:30"}, "daily_from", "stands alone"),
        ({"daily_from": "08:00", "daily_until": "noon"}, "daily_until", "no time of day"),
        ({"daily_from": "08:00", "daily_until": "08:00"}, "daily_until", "equals daily_from"),
    ],
)
def test_refusals_name_place_column_and_mend(cells: dict[str, str], column: str, what: str) -> None:
    with pytest.raises(RateError) as refusal:
        rate(**cells)
    assert refusal.value.column == column
    assert refusal.value.place == "prices.csv, line 2"
    assert f"prices.csv, line 2, column {column}: " in str(refusal.value)
    assert what in str(refusal.value)
    assert refusal.value.mend


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ((0, 0), (0, 0), True),
        ((0, 0), (8, 12), False),
        ((8, 12), (12, 16), False),
        ((8, 12), (11, 16), True),
        ((22, 6), (5, 7), True),
        ((22, 6), (6, 22), False),
        ((22, 6), (23, 1), True),
    ],
)
def test_parts_of_the_day_that_compete(one: tuple[int, int], other: tuple[int, int], overlap: bool) -> None:
    windows = [(time(start), time(end)) for start, end in (one, other)]
    assert windows_overlap(windows[0], windows[1]) is overlap
    assert windows_overlap(windows[1], windows[0]) is overlap


def test_two_prices_for_one_line_are_refused() -> None:
    january = rate(valid_from="2026-01-01", valid_until="2026-02-01")
    refuse_contradictions([("a", january), ("a", rate(valid_from="2026-02-01"))])
    refuse_contradictions([("a", january), ("b", january)])
    refuse_contradictions([("a", january), ("a", rate(daily_from="08:00", daily_until="12:00"))])
    with pytest.raises(RateError, match="prices what line 2 prices already"):
        refuse_contradictions([("a", january), ("a", rate(valid_from="2026-01-31"))])


CSV = """\
provider,model,commodity,usd,per,valid_from

acme,big-1,input_tokens,2.50,,2026-01-01
acme,big-1,web_searches,10,1000,
"""
YAML = """\
rates:
  - provider: acme
    model: big-1
    commodity: input_tokens
    usd: 2.50
    valid_from: 2026-01-01
  - {provider: acme, model: big-1, commodity: web_searches, price_usd: 10, per: 1000, valid_from: null}
"""


@pytest.mark.parametrize(("name", "text"), [("p.csv", CSV), ("p.csv", "\ufeff" + CSV), ("p.yaml", YAML), ("p.YML", YAML)])
def test_files(tmp_path: Path, name: str, text: str) -> None:
    tokens, searches = read_rates(write(tmp_path, name, text))
    assert (tokens.price_usd, tokens.per, tokens.valid_from) == (Decimal("2.50"), 1_000_000, datetime(2026, 1, 1, tzinfo=UTC))
    assert (searches.commodity.commodity, searches.price_usd, searches.per, searches.valid_from) == (
        "web_searches",
        10,
        1000,
        None,
    )


HEAD = "provider,model,commodity,price_usd\n"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("p.csv", "", "holds no rates"),
        ("p.csv", HEAD, "holds no rates"),
        ("p.csv", HEAD + "a,m,input_tokens,1\na,m,output_tokens,x\n", "line 3, column price_usd: 'x' is no price"),
        ("p.csv", HEAD + "a,m,input_tokens\n", "line 2: has 3 values for 4 columns"),
        ("p.csv", HEAD + 'a,"m,input_tokens,1\n', "is no CSV"),
        ("p.csv", "provider,model,price\n", "line 1, column price: is no column"),
        ("p.csv", "provider,usd,price_usd\n", "line 1, column price_usd: stands twice"),
        ("p.csv", "provider,model\na,b\n", "column commodity: is missing"),
        ("p.yaml", "", "holds no list of rates"),
        ("p.yaml", "rates: 3", "holds no list of rates"),
        ("p.yaml", "- 3", "line 1: is no rate"),
        ("p.yaml", "- provider: a\n  model: [b]\n", "line 2, column model: is no single value"),
        ("p.yaml", "- provider: a\n  provider: b\n", "line 2, column provider: stands twice"),
        ("p.yaml", "- provider: a\n   model: b\n", "is no YAML"),
        ("p.yaml", "[" * 600, "is no YAML"),
        ("p.yaml", "- {provider: a, model: m, commodity: input_tokens, usd: .nan}", "column price_usd: '.nan' is no price"),
        ("p.txt", HEAD, "neither CSV nor YAML"),
        ("p.csv", b"\xff\xfe", "is not UTF-8 at byte 0"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, name: str, text: str | bytes, told: str) -> None:
    path = write(tmp_path, name, text)
    with pytest.raises(RateError) as refusal:
        read_rates(path)
    assert told in str(refusal.value)
    assert path.name in str(refusal.value)
    assert refusal.value.mend


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RateError, match="cannot be read"):
        read_rates(tmp_path / "gone.csv")


def write(folder: Path, name: str, text: str | bytes) -> Path:
    """A file with this text."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
