"""Recorded usage bodies of many providers, read and priced by us, against the prices that another calculator gave them.

The recorded prices are those of the list before its dated changes: they agree with the library's own answer for any moment before
April 2026, and with fewer rows for every later one. So the bodies are priced as of `PRICED_AT`. What still differs is listed in
`KNOWN`, with the reason.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg
import pytest

from collector.provider_usage import leaves_of
from collector.record import Problem
from ledger.commodities import COMMODITY_BY_NAME
from ledger.model_names import resolve
from tests.conftest import SHARED_DATA, WHOLE_LIST

RECORDED = SHARED_DATA / "prices" / "provider_usages.jsonl.gz"
PRICED_AT = datetime(2025, 10, 1, 12, tzinfo=UTC)

FEE_WITHOUT_PRICE = (
    "the body reports web searches; this seller's list has no price for them, so the call stays unpriced, not free"
)
TIER_SINCE = f"{FEE_WITHOUT_PRICE}; and the list has gained a tier above 200,000 input tokens since"
CACHE_WRITE_UNREAD = "the body reports a cache write, which the recording calculator did not read for this seller"
NO_LONGER_LISTED = "the list keeps the retired model without prices: unpriced, not free"

KNOWN = {
    ("aws", "anthropic", "claude-sonnet-4-20250514"): FEE_WITHOUT_PRICE,
    ("aws", "anthropic", "claude-sonnet-4-5-20250929"): FEE_WITHOUT_PRICE,
    ("google", "anthropic", "claude-sonnet-4-20250514"): FEE_WITHOUT_PRICE,
    ("google", "anthropic", "claude-sonnet-4-5-20250929"): TIER_SINCE,
    ("azure", "chat", "gpt-5.6-sol"): CACHE_WRITE_UNREAD,
    ("azure", "responses", "gpt-5.6-sol"): CACHE_WRITE_UNREAD,
    ("cerebras", "chat", "qwen-3-coder-480b"): NO_LONGER_LISTED,
}

pytestmark = pytest.mark.skipif(not RECORDED.exists(), reason="the recorded usages (../shared/data) are not on this machine")


@pytest.fixture(scope="module")
def template(server: str) -> str:
    """The whole list."""
    assert server
    return WHOLE_LIST


class Priced(NamedTuple):
    """One reading of one body: whose API it is taken for, the model it names, and the prices recorded for it."""

    provider: str
    api: str
    model: str
    body: dict[str, Any]
    input_usd: Decimal
    output_usd: Decimal


def test_recorded_prices_are_ours(writer: psycopg.Connection) -> None:
    readings = list(recorded())
    computed = prices(writer, readings)
    differing = Counter(
        (reading.provider, reading.api, reading.model)
        for reading, ours in zip(readings, computed, strict=True)
        if ours != (reading.input_usd, reading.output_usd)
    )
    assert len(readings) > 1500
    assert differing.keys() == KNOWN.keys(), differing
    assert sum(differing.values()) <= len(readings) / 100, differing


def recorded() -> Iterator[Priced]:
    """Every reading that has a price."""
    with gzip.open(RECORDED, "rt") as lines:
        for line in lines:
            row = json.loads(line)
            body = row["body"]
            for reading in (reading for usage in row["extracted"] for reading in usage["extractors"]):
                if "input_price" in reading:
                    model = body.get("model") or body.get("modelVersion")
                    amounts = Decimal(reading["input_price"]), Decimal(reading["output_price"])
                    yield Priced(reading["provider_id"], reading["api_flavor"], model, body, *amounts)


def flavor(provider: str, api: str) -> str:
    """Our name for the shape and meaning of an API's usage."""
    if api == "default":
        return {"google": "gemini", "aws": "bedrock", "x-ai": "xai"}.get(provider, provider)
    return {"responses": "openai_responses", "chat": "xai" if provider == "x-ai" else "openai_chat"}.get(api, api)


def prices(connection: psycopg.Connection, readings: list[Priced]) -> list[tuple[Decimal, Decimal] | None]:
    """Input and output USD of each reading by the price book's own lookup; None where a leaf has no price or is unreadable."""
    connection.execute(
        "create temp table leaf (reading integer, provider text, model text, rate_provider text, rate_model text,"
        " commodity_id smallint, direction text, quantity bigint, total bigint)"
    )
    unreadable: set[int] = set()
    with connection.cursor().copy("copy leaf from stdin") as copy:
        for number, reading in enumerate(readings):
            leaves = leaves_of(reading.body, flavor(reading.provider, reading.api))
            if isinstance(leaves, Problem):
                unreadable.add(number)
                continue
            name = resolve(reading.provider, reading.model)
            for commodity, quantity in leaves.quantities.items():
                sold = COMMODITY_BY_NAME[commodity]
                if quantity:
                    known = (number, reading.provider, reading.model, *name, sold.commodity_id, sold.direction)
                    copy.write_row((*known, quantity, leaves.total_input_tokens))
    found = connection.execute(
        "select reading, bool_and(rate_usd is not null),"
        " coalesce(sum(round(quantity * rate_usd, 12)) filter (where direction = 'input'), 0),"
        " coalesce(sum(round(quantity * rate_usd, 12)) filter (where direction = 'output'), 0)"
        " from leaf left join lateral pigou.rate_of(0, leaf.provider, leaf.model, rate_provider, rate_model, commodity_id,"
        " 'standard', total, %s, 'infinity') on true group by reading",
        (PRICED_AT,),
    )
    priced = {number: (used, made) for number, is_priced, used, made in found if is_priced}
    used_nothing = (Decimal(0), Decimal(0))
    with_leaves = {number for (number,) in connection.execute("select distinct reading from leaf")}
    return [
        priced.get(number) if number in with_leaves else None if number in unreadable else used_nothing
        for number in range(len(readings))
    ]
