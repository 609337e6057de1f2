"""The replay of an engine against a second implementation and against sums on paper; what is fitted, changed and drafted."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from analyzers.effects.estimate import Bools, Floats, InputError
from analyzers.modes.congestion import external, prices
from analyzers.modes.congestion.change import chances, change
from analyzers.modes.congestion.fit import Engine, fit
from analyzers.modes.congestion.replay import Run, jobs, latencies
from analyzers.modes.congestion.speculation import draft_cost, make_or_buy
from analyzers.modes.congestion.timeline import Blocks, Served, blocks, overtaken, timeline
from economy.engine import Arrival, Process, Service, serve, tokens_per_step
from economy.parameters import ENGINE, EngineParameters

PLAIN = replace(
    ENGINE, drafted=0, batch_max=6, kv_capacity_tokens=60_000, prefill_tokens_per_s=9_000.0, step_per_sequence_s=0.0006,
    step_per_kv_token_s=2.5e-7,
)  # fmt: skip


def asked(arrivals: Sequence[Arrival], gaps_s: Sequence[float], served: list[tuple[Arrival, Service]]) -> Process:
    """A process that asks again, so long after each answer."""
    at_s = arrivals[0].at_s
    for arrival, gap_s in zip(arrivals, gaps_s, strict=True):
        service = yield replace(arrival, at_s=at_s)
        served.append((replace(arrival, at_s=at_s), service))
        at_s = service.ended_s + gap_s


def crowd(seed: int, n: int = 40, again: int = 1, per_s: float = 0.8) -> list[list[tuple[Arrival, float]]]:
    """Chains of requests that arrive at random, one in four with a long context."""
    rng = random.Random(seed)
    at_s, chains = 0.0, list[list[tuple[Arrival, float]]]()
    for _ in range(n):
        at_s += rng.expovariate(per_s)
        tokens = rng.randint(15_000, 30_000) if rng.random() < 0.25 else rng.randint(200, 3_000)
        chain = [(Arrival(at_s, tokens, 0, rng.randint(5, 150)), rng.uniform(0.5, 4.0)) for _ in range(rng.randint(1, again))]
        chains.append(chain)
    return chains


def play(chains: list[list[tuple[Arrival, float]]], engine: EngineParameters = PLAIN) -> Served:
    """Serve chains with the economy's engine, which knows nothing of ours, and tell it as spans would."""
    seen: list[list[tuple[Arrival, Service]]] = [[] for _ in chains]
    serve(engine, [asked([a for a, _ in c], [g for _, g in c], s) for c, s in zip(chains, seen, strict=True)])
    flat = sorted(((arrival, service, k) for k, one in enumerate(seen) for arrival, service in one), key=lambda row: row[0].at_s)
    table = np.array(
        [
            (a.at_s, s.queue_s, s.prefill_s, s.decode_s, a.prompt_tokens,
             a.output_tokens / tokens_per_step(engine, a.prompt_tokens), a.kv_tokens, k % 2, k)
            for a, s, k in flat
        ]
    )  # fmt: skip
    at, queue, prefill, decode, prompt, steps, kv, group, chain = table.T
    lam = np.where(group == 0, 0.001, 0.002)
    return Served(at, queue, prefill, decode, prompt, steps, kv, lam, group.astype(np.int64), chain.astype(np.int64))


def known(engine: EngineParameters = PLAIN) -> Engine:
    """The economy's engine, as if it had been fitted without error."""
    return Engine(
        engine.step_s, engine.step_per_sequence_s, engine.step_per_kv_token_s, 0.0, np.ones(1), Blocks(0.0, 1e9, 1), 1, False,
        engine.batch_max, engine.kv_capacity_tokens, 0.0, 1 / engine.prefill_tokens_per_s, np.zeros((4, 4)), 100, 0.0,
    )  # fmt: skip


# ── the replay ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(4))
def test_with_nobody_left_out_the_replay_is_what_was_seen(seed: int) -> None:
    seen = play(crowd(seed, again=3))
    found = latencies(known(), jobs(seen, known()))
    assert np.abs(found - seen.latency_s).max() < 1e-5


@pytest.mark.parametrize("seed", range(4))
def test_what_is_left_out_is_what_another_engine_serves_without_it(seed: int) -> None:
    chains = crowd(seed, again=3)
    seen = play(chains)
    heavy = {k for k, chain in enumerate(chains) if chain[0][0].prompt_tokens > 10_000}
    culprit: Bools = np.isin(seen.chain, list(heavy))
    without = play([chain for k, chain in enumerate(chains) if k not in heavy])
    delay = external.imposed(seen, known(), [culprit])[0].delay_s
    assert float(delay[culprit].sum()) == 0.0
    assert float(delay.sum()) == pytest.approx(float(seen.latency_s[~culprit].sum() - without.latency_s.sum()), rel=1e-6)
    assert float(delay.sum()) > 1.0


def test_requests_that_come_later_delay_others_as_they_would_there() -> None:
    chains = crowd(7)
    seen = play(chains)
    culprit: Bools = seen.kv_tokens > 10_000
    later = [[(replace(c[0][0], at_s=c[0][0].at_s + 5.0), 0.0)] if c[0][0].prompt_tokens > 10_000 else c for c in chains]
    rest = [c for c in chains if c[0][0].prompt_tokens <= 10_000]
    victims = play(later)
    expected = float(victims.latency_s[victims.kv_tokens <= 10_000].sum() - play(rest).latency_s.sum())
    assert float(external.moved(seen, known(), culprit, [5.0])[0].sum()) == pytest.approx(expected, rel=1e-6)


def test_one_request_costs_what_a_whole_replay_without_it_says() -> None:
    seen = play(crowd(3, n=60, again=2))
    engine, n = known(), len(seen.arrived_s)
    work = jobs(seen, engine)
    whole = latencies(engine, work)
    some = np.array([5, 17, 30, 44])
    alone = [np.arange(n) == request for request in some]
    naive = [float(np.nansum((whole - latencies(engine, work, mask))[~mask] * seen.lam[~mask])) for mask in alone]
    seconds, usd = external.marginal(seen, engine, some)
    assert usd == pytest.approx(naive, rel=1e-3, abs=1e-9)
    assert (seconds > 0).all()


def test_a_queue_of_two_on_paper() -> None:
    # Prefills of 1 s and 2 s, 100 steps of 10 ms each; the second comes half a second after the first, and waits for its prefill.
    seen = Served(
        np.array([0.0, 0.5]), np.array([0.0, 0.5]), np.array([1.0, 2.0]), np.array([3.0, 1.0]), np.array([9e3, 18e3]),
        np.array([100.0, 100.0]), np.array([100.0, 100.0]), np.array([0.01, 0.02]), np.array([0, 1]), np.array([-1, -1]),
    )  # fmt: skip
    engine = replace(known(), step_s=0.01, per_sequence_s=0.0, per_kv_token_s=0.0)
    first, second = external.imposed(seen, engine, [seen.group == 0, seen.group == 1])
    assert first.delay_s == pytest.approx([0.0, 0.5])  # it waited for the first one's prefill
    assert second.delay_s == pytest.approx([2.0, 0.0])  # whose decoding its own prefill held up
    assert external.total(second, seen.lam).value == pytest.approx(0.02)


def test_a_prefill_that_is_mixed_in_slows_decoding_only_by_its_share() -> None:
    # w·step = 1: while a prompt is prefilled, both go at half their speed.
    seen = Served(
        np.array([0.0, 2.0]), np.zeros(2), np.array([1.0, 1.0]), np.array([3.5, 1.0]), np.array([9e3, 9e3]),
        np.array([300.0, 100.0]), np.array([1.0, 1.0]), np.array([1.0, 1.0]), np.array([0, 1]), np.array([-1, -1]),
    )  # fmt: skip
    engine = replace(known(), step_s=0.01, per_sequence_s=0.0, per_kv_token_s=0.0, mixing=100.0)
    assert external.imposed(seen, engine, [seen.group == 1])[0].delay_s == pytest.approx([0.5, 0.0])


def test_prompts_that_are_prefilled_together_share_the_time_by_their_tokens() -> None:
    # The first is prefilled for 1 s; the other two come meanwhile and are prefilled together: 3 s for 9,000 and 18,000 tokens.
    seen = Served(
        np.array([0.0, 0.2, 0.4]), np.array([0.0, 0.8, 0.6]), np.array([1.0, 3.0, 3.0]), np.array([4.0, 1.0, 1.0]),
        np.array([9e3, 9e3, 18e3]) - 1, np.full(3, 100.0), np.ones(3), np.ones(3), np.arange(3), np.full(3, -1),
    )  # fmt: skip
    engine = replace(known(), step_s=0.01, per_sequence_s=0.0, per_kv_token_s=0.0, lanes=8, in_gangs=True)
    masks: list[Bools] = [seen.group == 0, seen.group == 2]
    first, last = external.imposed(seen, engine, masks)
    assert last.delay_s == pytest.approx([2.0, 2.0, 0.0])
    # Without the first, the second is prefilled alone from 0.2 s on, and the third after it; both end 4.2 s after the start.
    assert first.delay_s == pytest.approx([0.0, 4.8 - 4.0, 4.6 - 3.8])


def test_an_interval_widens_with_what_is_not_known_of_the_engine() -> None:
    seen = play(crowd(2))
    sure, unsure = known(), replace(known(), covariance=np.diag([0.0, (5e-4) ** 2, (2e-7) ** 2, 0.0]))
    widths: list[float] = []
    for engine in (sure, unsure):
        money = external.total(external.imposed(seen, engine, [seen.group == 0])[0], seen.lam)
        assert money.low < money.value < money.high
        widths.append(money.high - money.low)
    assert widths[1] > 1.02 * widths[0]


def test_the_value_of_a_second_that_nobody_states_is_not_counted() -> None:
    seen = play(crowd(1))
    one = external.imposed(seen, known(), [seen.group == 0])[0]
    whole, none = external.total(one, seen.lam), external.total(one, np.full(len(seen.lam), np.nan))
    assert whole.value > 0
    assert none.value == 0.0
    assert external.is_felt(one, seen.latency_s, seen.lam)
    assert not external.is_felt(one, seen.latency_s, np.full(len(seen.lam), np.nan))


# ── what the spans tell ──────────────────────────────────────────────────────────────────────────────


def test_the_constants_of_an_engine_are_found_in_its_spans() -> None:
    seen = play(crowd(11, n=400, per_s=1.2))
    found = fit(seen)
    assert found is not None
    assert found.parameters()[:3] == pytest.approx([PLAIN.step_s, PLAIN.step_per_sequence_s, PLAIN.step_per_kv_token_s], rel=0.02)
    assert found.mixing * found.step_s < 0.01
    assert (found.lanes, found.prefill_per_token_s) == (1, pytest.approx(1 / PLAIN.prefill_tokens_per_s, rel=1e-3))
    assert found.kv_max == pytest.approx(PLAIN.kv_capacity_tokens, rel=0.05) or found.batch_max == PLAIN.batch_max
    assert found.misfit < 0.01
    assert fit(play(crowd(11, n=20))) is None


def test_a_machine_that_is_slow_at_times_is_not_taken_for_a_full_one() -> None:
    seen = play(crowd(5, n=600, per_s=0.3))
    slow = np.where((seen.decoding_s // 200.0) % 2 == 0, 1.0, 1.6)
    parts = Blocks(0.0, 200.0, 2)
    told = replace(seen, decode_s=seen.decode_s * slow)
    found = fit(told, parts)
    assert found is not None
    assert float(found.pace[1] / found.pace[0]) == pytest.approx(1.6, rel=0.15)


def test_who_was_there_at_once() -> None:
    seen = Served(
        np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.array([2.0, 1.0]), np.array([4.0, 2.0]), np.zeros(2), np.ones(2),
        np.array([10.0, 20.0]), np.zeros(2), np.zeros(2, dtype=np.int64), np.full(2, -1),
    )  # fmt: skip
    line = timeline(seen, Blocks(0.0, 100.0, 1))
    assert line.lasts_s == pytest.approx([2.0, 1.0, 2.0, 1.0])
    assert (line.prefilling.tolist(), line.decoding.tolist(), line.kv.tolist()) == ([1, 1, 0, 0], [0, 1, 2, 1], [10, 30, 30, 10])
    assert overtaken(seen) == 0.0
    assert overtaken(replace(seen, queue_s=np.array([3.0, 0.0]))) == 0.5


def test_hours_of_the_day_are_told_apart_over_days_only() -> None:
    seen = play(crowd(5, n=400))
    assert blocks(seen).count == 3
    days = replace(seen, arrived_s=seen.arrived_s * 1_000)
    assert (blocks(days).count, blocks(days).lasts_s) == (24, 3_600.0)


def test_what_cannot_be_spans_is_refused() -> None:
    seen = play(crowd(5, n=10))
    with pytest.raises(InputError, match="queue_s has 3 rows, arrived_s has"):
        replace(seen, queue_s=np.zeros(3))
    with pytest.raises(InputError, match="in order of arrival"):
        replace(seen, arrived_s=seen.arrived_s[::-1].copy())
    with pytest.raises(InputError, match="must be numbers"):
        replace(seen, decode_s=np.full(len(seen.lam), np.nan))
    with pytest.raises(InputError, match="negative"):
        replace(seen, prefill_s=seen.prefill_s - 100)


# ── prices ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_price_is_what_one_request_more_costs_the_others() -> None:
    seen = play(crowd(9, n=80, per_s=1.0))
    engine, of = known(), prices.Unit(4_500.0, 0.5, 60.0, 2_000.0, 1.0)
    until = float(seen.arrived_s[-1])
    found = prices.prices(seen, engine, np.array([0.0, until + 500.0]), until, of, probes=40, seed=4)
    rng = np.random.default_rng([4, 0])
    at: Floats = until * (np.arange(40) + rng.random(40)) / 40
    work = jobs(seen, engine)
    whole = latencies(engine, work)
    for column, (prefill_s, steps, per) in enumerate(((0.5, 0.0, 4_500.0), (0.0, 60.0, 60.0))):
        cost = 0.0
        for at_s in at[at > seen.arrived_s[0]].tolist():
            place = int(np.searchsorted(seen.arrived_s, at_s))
            more = jobs(seen, engine)
            for of_all, one in zip(
                (more.arrived_s, more.prefill_s, more.steps, more.kv, more.again, more.gap_s),
                (at_s, prefill_s, steps, 0.0, -1, 0.0),
                strict=True,
            ):
                of_all.insert(place, one)  # pyright: ignore[reportArgumentType] - times and places, each in its own list
            more.heads[:] = range(len(more.arrived_s))
            cost += float(np.nansum((np.delete(latencies(engine, more), place) - whole) * seen.lam))
        price = (found[0].prefill_usd_per_token, found[0].decode_usd_per_token)[column]
        assert price.value == pytest.approx(cost / 40 / per, rel=0.02)
        assert (price.low <= price.value <= price.high, price.n) == (True, 40)
    assert found[0].kv_usd_per_token_s.value > 0
    assert found[1].prefill_usd_per_token == prices.Price(0.0, 0.0, 0.0, 40)  # nobody there


def test_a_run_that_is_copied_goes_on_by_itself() -> None:
    seen = play(crowd(9, n=30))
    engine = known()
    run = Run(engine, jobs(seen, engine))
    run.until(arrival=12)
    other = run.copy()
    other.absent[12] = 1
    other.until()
    run.until()
    assert run.latency_s == pytest.approx(dict(enumerate(seen.latency_s)), abs=1e-5)
    assert 12 not in other.latency_s


# ── since when, and what next ────────────────────────────────────────────────────────────────────────


def test_a_level_that_changed_is_dated_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    noise = rng.exponential(1.0, 40)
    assert change(noise).place == 0
    moved = change(np.where(np.arange(40) < 22, noise, noise + 3))
    assert abs(moved.place - 22) <= 1
    assert moved.before is not None
    assert moved.after > moved.before + 2
    assert change(np.zeros(5)).p == 1.0
    assert change(np.zeros(40)).place == 0


def test_how_likely_a_change_is_that_too_few_hours_show() -> None:
    assert chances(np.zeros(9)).tolist() == [1.0, *([0.0] * 8)]
    assert chances(np.array([1.0, 2.0, 3.0])).tolist() == [1.0, 0.0, 0.0]
    apart = np.array([0.0, 0.0, 5.0, 5.0])  # the one place that is possible explains all: (1 + 4)¹ to 1
    assert chances(apart) == pytest.approx([1 / 6, 0.0, 5 / 6, 0.0])
    noise = np.random.default_rng(0).exponential(1.0, (200, 60))
    assert float(np.mean([chances(one)[0] for one in noise])) > 0.75
    moved = chances(np.where(np.arange(60) < 22, noise[0], noise[0] + 3))
    assert moved[21:24].sum() > 0.95


def test_one_of_several_sums_nobody_knows_which() -> None:
    sure = external.Money(10.0, 8.0, 12.0)
    alone = external.mixed([sure], np.ones(1))
    assert (alone.value, alone.low, alone.high) == pytest.approx((10.0, 8.0, 12.0))
    both = external.mixed([sure, external.Money(30.0, 29.0, 31.0)], np.array([0.9, 0.1]))
    assert both.value == 10.0
    assert 8.0 < both.low < 8.1  # 2.5 % of all are 2.8 % of the first
    assert 29.0 < both.high < 31.0
    assert external.mixed([sure, external.Money(30.0, 29.0, 31.0)], np.array([0.99, 0.01])).high < 13.0


def test_a_rate_has_the_interval_of_days_like_these() -> None:
    days = np.array([1.0, 2.0, 3.0, 2.0, 1.0, 3.0, 2.0])
    found = external.rate(days)
    assert found.value == 2.0
    assert 1.2 < found.low < 2.0 < found.high < 2.8
    assert external.rate(days[:1]).high == float("inf")


def drafted(n: int = 600, k: float = 3.0) -> tuple[Floats, Floats, Floats]:
    """Contexts, proposed and accepted tokens: three in five are accepted below 20,000 tokens, one in five above."""
    rng = np.random.default_rng(1)
    context = rng.uniform(1_000, 40_000, n)
    proposed: Floats = k * rng.integers(20, 60, n).astype(np.float64)
    return context, proposed, rng.binomial(proposed.astype(np.int64), np.where(context < 20_000, 0.6, 0.2)).astype(float)


def test_drafting_is_off_from_the_length_at_which_it_stops_paying() -> None:
    context, proposed, accepted = drafted()
    found = make_or_buy(context, proposed, accepted, break_even=0.35, drafted=3.0)
    assert found.answer == "off from a length on"
    assert found.off_from_tokens == pytest.approx(20_000, rel=0.05)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 20_000 * 1.02
    assert found.high >= 20_000 * 0.98
    assert found.saved_share == pytest.approx(1 - 1.6 / 2.05, abs=0.02)
    assert make_or_buy(context, proposed, accepted, break_even=0.05, drafted=3.0).answer == "drafting pays everywhere"
    assert make_or_buy(context, proposed, accepted, break_even=0.9, drafted=3.0).answer == "drafting pays nowhere"
    assert make_or_buy(context[:20], proposed[:20], accepted[:20], break_even=0.3, drafted=3.0).answer == "not enough evidence"


def test_a_drafts_time_is_told_by_those_that_draft_less() -> None:
    seen = play(crowd(11, n=400, per_s=0.5))
    engine = known()
    rng = np.random.default_rng(0)
    per_step = rng.choice([0.0, 3.0], len(seen.steps))
    slower = replace(seen, decode_s=seen.decode_s * (1 + 0.1 * per_step))
    found = draft_cost(slower, engine, per_step * seen.steps)
    assert found is not None
    assert found[0] == pytest.approx(0.1, abs=4 * found[1])
    assert found[1] < 0.02
    assert draft_cost(slower, engine, 3.0 * seen.steps) is None
