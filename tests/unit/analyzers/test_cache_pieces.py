"""Survival of prefixes, single writes, distances and causes, against second implementations and a provider's own record."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest

from analyzers.modes.cache.causes import CAUSES, causes
from analyzers.modes.cache.pieces import accumulated, since_used
from analyzers.modes.cache.prompts import Prompts, resends, touches_of
from analyzers.modes.cache.survival import Limits, depreciation, limits, survival
from analyzers.modes.cache.touches import break_even_reads, previous_of
from analyzers.modes.cache.values import hit_rates
from analyzers.modes.cache.writes import writes
from bench.truth.caches import Provider, Request, play, prompts_of, read_by_all
from tests.naive_caches import distances, falling_means, likeliest_rate, oldest_ages

ARRAYS = tuple(each.name for each in fields(Prompts) if each.name != "keys")


def made(n: int = 1, **given: object) -> Prompts:
    """Calls of one place, 100 s apart, of 10,000 tokens that nothing is cached of, but for what is given."""
    values: dict[str, object] = {
        "at_s": np.arange(n) * 100.0, "whole": np.full(n, 10_000.0), "read": np.zeros(n), "written": np.zeros(n),
        "output": np.full(n, 100.0), "is_told": np.ones(n, dtype=bool), "input_rate": np.full(n, 3e-6),
        "read_rate": np.full(n, 0.3e-6),
        "write_rate": np.full(n, 3.75e-6), "lifetime_s": np.full(n, 300.0), "keys": tuple(() for _ in range(n)),
        "value_usd": np.full(n, np.nan),
        **{name: np.zeros(n, dtype=np.int64) for name in ("sequence", "family", "place", "provider", "upstream")},
    }  # fmt: skip
    values |= {name: np.array(value) if isinstance(value, list) else value for name, value in given.items()}
    return Prompts(**values)  # pyright: ignore[reportArgumentType] (fields by name)


def requests(rng: np.random.Generator, n: int = 60) -> list[Request]:
    """Prompts that share prefixes of a small tree of pieces."""
    made: list[Request] = []
    for at_s in np.sort(rng.random(n)) * 1_000:
        path, node = list[int](), 0
        for _ in range(int(rng.integers(2, 7))):
            node = node * 3 + int(rng.integers(1, 3))
            path.append(node)
        made.append(Request(float(at_s), 512.0 * len(path), tuple(path)))
    return made


@pytest.mark.parametrize("seed", range(4))
def test_two_limits_are_told_apart(seed: int) -> None:
    """Of a full cache with a lifetime each limit lies between what was kept and what was lost by it, a few odd ones aside."""
    rng = np.random.default_rng(seed)
    ages, distances_, ones = rng.uniform(0, 900, 600), rng.uniform(0, 5_000, 600), np.ones(600)
    kept = ((ages <= 600) & (distances_ <= 3_000)).astype(np.float64)
    found = limits(ages, distances_, kept, ones)
    assert found.age_s[0] <= 600 < found.age_s[1]
    assert found.distance[0] <= 3_000 < found.distance[1]
    assert found.at(ages, distances_) == pytest.approx(kept)
    middle = np.array([sum(found.age_s) / 2, 0.0])
    assert found.at(middle, np.zeros(2)) == pytest.approx([0.5, 1.0])
    odd = np.where(np.arange(600) % 50 == 0, 1 - kept, kept)
    assert abs(found.age_s[0] - limits(ages, distances_, odd, ones).age_s[0]) < 50


def test_a_limit_that_nothing_was_lost_by_is_none() -> None:
    ages, many = np.array([1.0, 2.0, 3.0, 4.0]), np.array([9.0, 9.0, 9.0, 9.0])
    found = limits(ages, many, np.array([1.0, 1.0, 0.0, 0.0]), np.ones(4))
    assert found == Limits((2.0, 3.0), (math.inf, math.inf))
    assert found.at(np.array([1.0]), np.array([99.0])) == [1.0]
    every = limits(ages, many, np.ones(4), np.ones(4))
    assert every == Limits((4.0, math.inf), (9.0, math.inf)), "nothing is said to be kept beyond what was seen"
    assert every.at(np.array([4.0, 5.0]), np.array([9.0, 9.0])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("seed", range(4))
def test_survival_is_the_best_falling_step(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ages, kept, weights = np.sort(rng.random(25)) * 100, (rng.random(25) < 0.6).astype(float), rng.uniform(1, 3, 25)
    kept[0] = 1.0
    found = survival(ages, kept, weights)
    naive = falling_means(kept.tolist(), weights.tolist())
    last = int(np.flatnonzero(kept)[-1]) + 1
    assert found.at(ages)[:last] == pytest.approx(naive[:last])
    assert (found.at(ages)[last:] == 0).all()
    assert found.at(np.array([ages[-1] + 1]))[0] == 0
    assert len(survival(ages, np.zeros(25), weights).age_s) == 0


def test_a_constant_rate_is_the_likeliest_one() -> None:
    rng = np.random.default_rng(3)
    ages = rng.exponential(100.0, 200)
    kept = rng.random(200) < np.exp(-0.01 * ages)
    found = depreciation(ages, kept)
    assert found is not None
    grid = [float(rate) for rate in np.geomspace(0.002, 0.05, 2_000)]
    assert found.value == pytest.approx(likeliest_rate(ages.tolist(), kept.tolist(), grid), rel=2e-3)
    assert found.high is not None
    assert found.low < 0.01 < found.high
    assert found.per_hour[0] == pytest.approx(1 - math.exp(-3600 * found.value))


def test_rates_at_the_ends_have_one_sided_intervals() -> None:
    ages = np.full(20, 50.0)
    all_kept, all_lost = depreciation(ages, np.ones(20, dtype=bool)), depreciation(ages, np.zeros(20, dtype=bool))
    assert all_kept is not None
    assert (all_kept.value, all_kept.low, all_kept.high) == (0.0, 0.0, pytest.approx(3.8415 / 2 / 1_000, rel=1e-3))
    assert all_lost is not None
    assert all_lost.high is None
    assert all_lost.low == pytest.approx(
        -math.log(1 - math.exp(-3.8415 / 2 / 20)) / 50, rel=1e-3
    )  # all lost, as likely as allowed
    halves = depreciation(np.array([10.0, 40.0, 60.0, 90.0]), np.array([True, True, False, False]))
    assert halves is not None
    assert halves.lifetime_s == (40.0, 60.0)
    assert depreciation(np.zeros(0), np.zeros(0, dtype=bool)) is None


@pytest.mark.parametrize("provider", [Provider("fixed", 200.0), Provider("memoryless", 200.0), Provider("capacity", 500.0, 12)])
def test_every_write_is_the_providers_own(provider: Provider) -> None:
    rng = np.random.default_rng(5)
    sent = requests(rng)
    told = play(sent, rng.random(len(sent)) < 0.8, provider, rng)
    prompts = prompts_of(sent, told)
    found = writes(touches_of(prompts), 2_000.0, np.full(sum(len(r.pieces) for r in sent), 600.0))
    assert found.saved_usd == pytest.approx([write.saved_usd for write in told.writes])
    assert found.premium_usd == pytest.approx([write.premium_usd for write in told.writes])
    assert found.is_closed.all()
    assert prompts.saved_usd.sum() == pytest.approx(sum(told.saved_usd))
    assert found.saved_usd.sum() - found.premium_usd.sum() == pytest.approx(sum(told.saved_usd))


def test_a_write_after_a_read_extends_and_one_without_replaces() -> None:
    prompts = made(4, read=[0.0, 1_000.0, 1_500.0, 0.0], written=[1_000.0, 500.0, 0.0, 900.0])
    found = writes(touches_of(prompts), 600.0, np.full(4, 300.0))
    assert found.saved_usd == pytest.approx([2_000 * 2.7e-6, 500 * 2.7e-6, 0.0])
    assert found.reads.tolist() == [2, 1, 0]
    assert found.is_closed.tolist() == [True, True, False]
    assert found.is_unpaid.tolist() == [False, False, False]
    assert writes(touches_of(prompts), 601.0, np.full(4, 300.0)).is_unpaid.tolist() == [False, False, True]


@pytest.mark.parametrize("seed", range(3))
def test_distances_count_what_was_used_since(seed: int) -> None:
    """Calls of one to four pieces, some twice in a call: each piece looks before any of its call is used."""
    rng = np.random.default_rng(seed)
    calls = [rng.integers(0, 12, int(rng.integers(1, 5))).tolist() for _ in range(80)]
    uses = rng.random(len(calls)) < 0.7
    key = np.array([each for keys in calls for each in keys])
    call = np.repeat(np.arange(len(calls)), [len(keys) for keys in calls])
    age, distance = since_used(key, call, uses[call], 10.0 * call.astype(np.float64))
    naive: list[tuple[float, float]] = []
    for index, keys in enumerate(calls):
        used = [(earlier, each) for earlier in range(index) if uses[earlier] for each in calls[earlier]]
        for each in keys:
            ages = [10.0 * (index - earlier) for earlier, other in used if other == each]
            naive.append((ages[-1] if ages else math.nan, distances([other for _, other in used] + [each])[-1]))
    assert age == pytest.approx([one for one, _ in naive], nan_ok=True)
    assert np.where(np.isnan(distance), math.inf, distance).tolist() == [one for _, one in naive]


def test_what_is_accumulated_begins_anew_with_each_call() -> None:
    values = np.array([1.0, 2.0, 5.0, np.nan, 1.0, 7.0])
    assert accumulated(np.add, values, np.array([2, 0, 3, 1])) == pytest.approx([1, 3, 5, np.nan, np.nan, 7], nan_ok=True)
    assert len(accumulated(np.maximum, np.zeros(0), np.zeros(2, dtype=np.int64))) == 0


@pytest.mark.parametrize("provider", [Provider("fixed", 200.0), Provider("memoryless", 200.0), Provider("capacity", 500.0, 12)])
def test_what_all_calls_would_read_is_what_they_read_when_played(provider: Provider) -> None:
    sent = requests(np.random.default_rng(4))
    every = np.ones(len(sent), dtype=bool)
    played, told = np.random.default_rng(8), np.random.default_rng(8)
    naive = [sum(play(sent, every, provider, played).read) for _ in range(3)]
    assert read_by_all(sent, provider, told, times=3) == pytest.approx(naive)


@pytest.mark.parametrize("seed", range(3))
def test_chains_that_only_replace_are_followed_like_those_that_extend(seed: int) -> None:
    """A touch beforehand that extends what was read has a chain followed touch by touch: the rest of it comes out the same."""
    rng = np.random.default_rng(seed)
    n = 120
    is_write, tokens = rng.random(n) < 0.4, rng.integers(1, 900, n).astype(np.float64)
    prompts = made(
        n, read=np.where(is_write, 0.0, tokens), written=np.where(is_write, tokens, 0.0), sequence=rng.integers(0, 6, n),
        at_s=100.0 + np.sort(rng.random(n)) * 3_000,
    )  # fmt: skip
    before = made(
        6, read=np.full(6, 10.0), written=np.full(6, 5.0), sequence=np.arange(6), at_s=np.arange(6.0)
    )  # reads of nothing known: what they write begins at token 10, and the first write of the chain replaces it
    both = replace(
        prompts,
        keys=tuple(() for _ in range(n + 6)),
        **{name: np.concatenate([getattr(before, name), getattr(prompts, name)]) for name in ARRAYS},
    )
    quick, slow = (writes(touches_of(one), 4_000.0, np.full(len(one), 200.0)) for one in (prompts, both))
    assert slow.premium_usd[6:] == pytest.approx(quick.premium_usd)
    assert slow.replaced_by[6:].tolist() == [place + 6 if place >= 0 else -1 for place in quick.replaced_by.tolist()]
    assert slow.saved_usd[6:].tolist() == quick.saved_usd.tolist()
    assert slow.reads[6:].tolist() == quick.reads.tolist()
    assert slow.last_s[6:].tolist() == quick.last_s.tolist()
    assert slow.is_closed[6:].tolist() == quick.is_closed.tolist()
    assert len(quick.uses.write) > 20


def test_pieces_are_as_old_as_the_oldest_before_them() -> None:
    sent = requests(np.random.default_rng(9))
    prompts = prompts_of(sent, play(sent, np.ones(len(sent), dtype=bool), Provider("fixed", 200.0), np.random.default_rng(1)))
    pieces = resends(prompts).pieces
    naive = oldest_ages(sent)
    assert pieces.call.tolist() == [call for call, _ in naive]
    assert pieces.age_s == pytest.approx([age for _, age in naive])
    assert pieces.stored_age_s == pytest.approx(pieces.age_s)  # all of them used the cache
    assert (pieces.is_read == (pieces.age_s <= 200.0)).all()


def test_previous_rows_are_of_the_same_group() -> None:
    assert previous_of(np.array([1, 2, 1, 1, 2])).tolist() == [-1, -1, 0, 2, 1]


@pytest.mark.parametrize(
    ("cause", "given"),
    [
        ("prefix unstable", {"written": [500.0, 500.0]}),
        ("upstream switched", {"written": [500.0, 0.0], "upstream": [0, 1]}),
        ("expired just before", {"written": [500.0, 0.0], "at_s": [0.0, 400.0]}),
        ("expired", {"written": [500.0, 0.0], "at_s": [0.0, 900.0]}),
        ("caching off", {}),
        ("lost early", {"written": [500.0, 0.0]}),
    ],
)
def test_a_miss_has_its_cause(cause: str, given: dict[str, list[float]]) -> None:
    prompts = made(2, **given)
    found = causes(prompts, resends(prompts), np.full(2, 300.0))
    assert [CAUSES[code] if code >= 0 else None for code in found] == [None, cause]


def test_an_upstream_that_never_caches_is_told_from_one_that_does() -> None:
    read = [0.0, *[8_000.0] * 6, *[0.0] * 6]
    prompts = made(13, read=read, upstream=[0] * 7 + [1] * 6, write_rate=np.full(13, np.nan))
    found = causes(prompts, resends(prompts), np.full(13, 300.0))
    assert [CAUSES[code] for code in found if code >= 0] == ["upstream never caches"] * 6


def test_what_is_not_told_is_no_miss() -> None:
    prompts = made(2, is_told=[True, False])
    assert causes(prompts, resends(prompts), np.full(2, 300.0)).tolist() == [-1, -1]


def test_hit_rates_by_value() -> None:
    prompts = made(4, read=[0.0, 5_000.0, 10_000.0, 10_000.0], value_usd=[1.0, 1.0, 9.0, np.nan])
    low, high = hit_rates(prompts, np.ones(4, dtype=bool), bands=2)
    assert (low.calls, low.hit_rate, high.calls, high.hit_rate) == (2, 0.25, 1, 1.0)
    assert high.saved_usd == pytest.approx(10_000 * 2.7e-6)
    assert hit_rates(replace(prompts, value_usd=np.full(4, np.nan)), np.ones(4, dtype=bool)) == []


def test_break_even() -> None:
    assert break_even_reads(2.7e-6, 0.75e-6) == pytest.approx(0.2778, abs=1e-4)
    assert break_even_reads(2.7e-6, 0.0) == 0.0
    assert break_even_reads(0.0, 1.0) == math.inf
