"""Commodities: ids that stand in booked transfers, and names that the price list uses."""

from __future__ import annotations

import hashlib

from genai_prices.data_units import unit_data

from ledger.commodities import COMMODITIES, COMMODITY_BY_NAME

PINNED = 62
PINNED_HASH = "027e2eb81e9c00051234c417962482d534c7bf74e5a9804c378a568244ea3f17"


def test_ids_are_never_renumbered() -> None:
    pinned = repr([(c.commodity_id, c.commodity, c.unit) for c in COMMODITIES[:PINNED]])
    assert hashlib.sha256(pinned.encode()).hexdigest() == PINNED_HASH, "append commodities; never change or move one"


def test_ids_and_names_are_unique() -> None:
    assert len({c.commodity_id for c in COMMODITIES}) == len(COMMODITIES) == len(COMMODITY_BY_NAME)


def test_every_unit_of_the_price_list_is_a_commodity_of_the_same_direction() -> None:
    directions = {name: unit["dimensions"].get("direction") for name, unit in unit_data.items()}
    assert {name: COMMODITY_BY_NAME[name].direction for name in directions} == directions


def test_only_tokens_count_as_input_and_output() -> None:
    kinds = {c.commodity: c.kind for c in COMMODITIES if c.unit == "token"}
    assert {"fresh", "cache_read", "cache_write", "plain", "reasoning"} == set(kinds.values())
    assert all(("cache" in name) == kind.startswith("cache") for name, kind in kinds.items())
    assert all(("reasoning" in name) == (kind == "reasoning") for name, kind in kinds.items())
    assert {c.kind for c in COMMODITIES if c.unit != "token"} == {"fee", "latency", "risk", "quality", "capital"}
