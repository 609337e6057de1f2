"""What becomes of premiums and batches, as pure functions: nothing is lost or made, and days do not depend on each other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from analyzers.capital.assets import Asset, picodollars
from analyzers.capital.caches import LIFE_MAX, Money, cache_assets
from analyzers.capital.rollouts import QUIET, Batch, Consumption, rollout_assets
from analyzers.modes.cache.load import loaded

DAY = timedelta(days=1)
AT = datetime(2026, 11, 2, tzinfo=UTC)
INPUT, READ, WRITE = Decimal("2e-6"), Decimal("2e-7"), Decimal("2.5e-6")
Call = tuple[int, float, int, int, str, tuple[str, ...] | None]
"""Number, seconds after AT, tokens read and written, thread and keys."""


def assets(calls: Sequence[Call], since: datetime, until: datetime, known_to: datetime) -> list[Asset]:
    """The assets of some calls, of which those of the time and a day beyond it are loaded."""
    inside = [call for call in sorted(calls, key=lambda call: call[1]) if since <= _at(call) < until + LIFE_MAX]
    money = {
        (f"{number:032x}", f"{number:016x}"): Money(_at(call), "acme:m1", written * (WRITE - INPUT), read * (INPUT - READ), False)
        for call in inside
        for number, _, read, written, _, _ in [call]
    }
    return cache_assets(loaded([_row(call) for call in inside]), money, since, until, known_to)


def _at(call: Call) -> datetime:
    return AT + timedelta(seconds=call[1])


def _row(call: Call) -> tuple[Any, ...]:
    number, _, read, written, thread, keys = call
    who = ("fixer", "fix", "action", False, "m1", thread, "acme|m1", "agents|genai")
    rates = (float(INPUT), float(READ), float(WRITE))
    ids = (f"{number:032x}", f"{number:016x}", _at(call).timestamp())
    return (*ids, *who, 100.0, float(read), float(written), 10.0, *rates, number % 7 == 0, list(keys) if keys else None, None)


def random_calls(seed: int, n: int = 300) -> list[Call]:
    """Calls over three days: prefixes grow, are read, are lost and written anew; some state the pieces of their prompts."""
    luck, made, held = Random(seed), list[Call](), dict[str, int]()
    for number, at in enumerate(sorted(luck.random() * 3 * 86_400 for _ in range(n))):
        thread = f"t{luck.randrange(12)}"
        read = held.get(thread, 0) if luck.random() < 0.6 else 0
        read, written = (luck.choice((read, read // 2)), luck.choice((0, 1_000, 4_321)))
        held[thread] = read + written
        keys = (f"{thread}-0", f"{thread}-1", f"k{luck.randrange(5)}") if thread in {"t0", "t1", "t2"} else None
        made.append((number, at, read, written, thread, keys))
    return made


@pytest.mark.parametrize("seed", range(3))
def test_every_premium_ends_repaid_or_written_off_to_the_picodollar(seed: int) -> None:
    calls = random_calls(seed)
    found = assets(calls, AT, AT + 4 * DAY, AT + 9 * DAY)
    assert len(found) == sum(1 for call in calls if call[3])
    by_read: dict[tuple[bytes, bytes | None], Decimal] = {}
    for asset in found:
        assert asset.usd("depreciated") + asset.usd("written off") == asset.usd("capitalised") > 0
        assert asset.ends_at is None
        assert len({asset.entry_id(entry) for entry in asset.entries}) == len(asset.entries)
        assert all(asset.since <= entry.at <= asset.since + LIFE_MAX for entry in asset.entries)
        for entry in asset.entries:
            if entry.step == "depreciated":
                key = entry.trace_id, entry.span_id
                by_read[key] = by_read.get(key, Decimal(0)) + entry.usd
    assert 0 < len(by_read) < len(calls)
    saved = {call[0].to_bytes(16, "big"): call[2] * (INPUT - READ) for call in calls}
    assert all(usd <= saved[trace] for (trace, _), usd in by_read.items()), "no read uses up more than it saved"
    assert {entry.step for asset in found for entry in asset.entries} == {"capitalised", "depreciated", "written off"}


@pytest.mark.parametrize("seed", range(3))
def test_days_by_themselves_say_the_same_as_all_at_once(seed: int) -> None:
    calls = random_calls(seed)
    whole = {asset.asset_id: asset for asset in assets(calls, AT, AT + 4 * DAY, AT + 9 * DAY)}
    apart = [each for day in range(4) for each in assets(calls, AT + day * DAY, AT + (day + 1) * DAY, AT + 9 * DAY)]
    assert {asset.asset_id: asset for asset in apart} == whole
    assert len(apart) == len(whole)


def test_what_may_still_be_read_is_carried_until_its_lifetime_ends() -> None:
    calls: list[Call] = [(1, 0.0, 0, 1_000, "t", None), (2, 100.0, 200, 0, "t", None)]
    ends = AT + timedelta(seconds=400)
    (waits,) = assets(calls, AT, AT + DAY, ends)
    assert (waits.usd("capitalised"), waits.usd("depreciated"), waits.ends_at) == (Decimal("0.0005"), Decimal("0.00036"), ends)
    (over,) = assets(calls, AT, AT + DAY, ends + timedelta(seconds=1))
    assert (over.usd("written off"), over.ends_at) == (Decimal("0.00014"), None)
    assert over.entries[-1].at == ends
    replaced: Call = (3, 150.0, 0, 50, "t", None)
    first, _ = assets([*calls, replaced], AT, AT + DAY, AT + timedelta(seconds=160))
    assert (first.entries[-1].at, first.entries[-1].reason) == (_at(replaced), "another write took its place")


def test_a_premium_that_is_not_known_or_nothing_is_no_asset() -> None:
    row = _row((1, 0.0, 0, 1_000, "t", None))
    for premium, is_rollout in ((None, False), (Decimal(0), False), (Decimal(-1), False), (Decimal(1), True)):
        money = {(row[0], row[1]): Money(AT, "acme:m1", premium, None, is_rollout)}
        assert cache_assets(loaded([row]), money, AT, AT + DAY, AT + DAY) == []


def test_batches_are_used_up_past_the_point_or_left_behind() -> None:
    hour = timedelta(hours=1)
    batches = [
        Batch(bytes([n]), "trainer", AT + n * hour, AT + (n + 1) * hour, Decimal(100), Decimal("0.01")) for n in range(3)
    ] + [Batch(b"free", "trainer", AT, AT, Decimal(1), Decimal(0))]
    by = {bytes([0]): Consumption(AT + 5 * hour, b"u0", b"s", False), bytes([1]): Consumption(AT + 6 * hour, b"u1", b"s", True)}
    last = AT + 6 * hour
    used, past, left = rollout_assets(batches, by, last + QUIET)
    assert [entry.step for entry in used.entries] == ["capitalised", "depreciated"]
    assert [entry.step for entry in past.entries] == ["capitalised", "written off"]
    assert past.entries[-1].at == last
    assert ([entry.step for entry in left.entries], left.ends_at) == (["capitalised"], last + QUIET)
    *_, over = rollout_assets(batches, by, last + QUIET + hour)
    assert (over.entries[-1].step, over.entries[-1].at, over.ends_at) == ("written off", last + QUIET, None)


def test_dollars_are_whole_picodollars() -> None:
    assert picodollars(Decimal("0.000000000001")) == 1
    assert picodollars(Decimal("123.456000000000")) == 123_456_000_000_000
