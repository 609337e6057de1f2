"""The engine as a queue: conservation, order, what long contexts do to others, and the counterfactual of congestion."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from economy.congestion import Visitor, imposed_delays, observed
from economy.engine import Arrival, Process, Service, idle_latency_s, serve
from economy.parameters import ENGINE


def once(arrival: Arrival, services: list[Service]) -> Process:
    services.append((yield arrival))


def served(arrivals: list[Arrival]) -> list[Service]:
    """Services in the order of the arrivals."""
    found: list[list[Service]] = [[] for _ in arrivals]
    assert serve(ENGINE, [once(arrival, services) for arrival, services in zip(arrivals, found, strict=True)]) == len(arrivals)
    return [services[0] for services in found]


def test_a_request_alone_has_the_idle_latency() -> None:
    (service,) = served([Arrival(100.0, 20_000, 5_000, 300)])
    assert service.queue_s == 0.0
    assert service.latency_s == pytest.approx(idle_latency_s(ENGINE, 20_000, 5_000, 300))
    assert service.prefill_s == pytest.approx(15_000 / ENGINE.prefill_tokens_per_s)


def test_a_long_prefill_delays_whoever_comes_behind() -> None:
    short = Arrival(1.0, 1_000, 0, 100)
    (alone,) = served([short])
    _, behind = served([Arrival(0.5, 90_000, 0, 10), short])
    assert behind.queue_s == pytest.approx(0.5 + 90_000 / ENGINE.prefill_tokens_per_s - 1.0)
    assert behind.latency_s > alone.latency_s + 90_000 / ENGINE.prefill_tokens_per_s - 1.0


def test_contexts_that_do_not_fit_wait_for_kv() -> None:
    large = ENGINE.kv_capacity_tokens // 2 + 1
    first, second = served([Arrival(0.0, large - 100, 0, 100), Arrival(0.1, large - 100, 0, 100)])
    assert first.queue_s == 0.0
    assert second.arrived_s + second.queue_s >= first.ended_s - 1e-6


def test_asking_in_the_past_is_refused() -> None:
    def backwards() -> Process:
        service = yield Arrival(10.0, 100, 0, 10)
        yield Arrival(service.ended_s - 1.0, 100, 0, 10)

    with pytest.raises(ValueError, match="asked the engine"):
        serve(ENGINE, [backwards()])


def test_cached_tokens_need_no_prefill_and_drafts_are_counted() -> None:
    (cold,), (warm,) = served([Arrival(0.0, 20_000, 0, 286)]), served([Arrival(0.0, 20_000, 18_000, 286)])
    assert warm.prefill_s < cold.prefill_s
    assert warm.proposed == 3 * 100
    assert warm.accepted == 286 - 100


arrivals_strategy = st.lists(
    st.builds(
        Arrival,
        at_s=st.floats(0, 600).map(lambda at_s: round(at_s, 3)),
        prompt_tokens=st.integers(1, 120_000),
        cached_tokens=st.just(0),
        output_tokens=st.integers(1, 3_000),
    ),
    min_size=1,
    max_size=30,
)


@given(arrivals_strategy)
@settings(max_examples=60, deadline=None)
def test_invariants_of_the_queue(arrivals: list[Arrival]) -> None:
    services = served(arrivals)
    starts: list[tuple[float, int, float]] = []
    moments: list[tuple[float, int, int]] = []
    for number, (arrival, service) in enumerate(zip(arrivals, services, strict=True)):
        assert service.arrived_s == arrival.at_s
        assert min(service.queue_s, service.prefill_s, service.decode_s) >= 0.0
        alone_s = idle_latency_s(ENGINE, arrival.prompt_tokens, 0, arrival.output_tokens)
        assert service.latency_s >= alone_s - 1e-3
        admitted_s = arrival.at_s + service.queue_s
        starts.append((arrival.at_s, number, admitted_s))
        moments += [(admitted_s + 1e-6, 1, arrival.kv_tokens), (service.ended_s, 0, -arrival.kv_tokens)]
    admitted = [admitted_s for _, _, admitted_s in sorted(starts)]
    assert all(earlier <= later + 1e-9 for earlier, later in pairwise(admitted))
    held = peak = 0
    for _, _, change in sorted(moments):
        held += change
        peak = max(peak, held)
    assert held == 0
    assert peak <= max(ENGINE.kv_capacity_tokens, *(arrival.kv_tokens for arrival in arrivals))


def visitor(process: Process, *, imposes: bool, shift_s: float = 0.0) -> tuple[Visitor, Process]:
    one = Visitor("t", "c", 0.5, imposes, shift_s)
    return one, observed(process, one)


def test_imposed_delay_is_the_difference_to_the_engine_without_the_report() -> None:
    short, long = Arrival(10_000.0, 2_000, 0, 200), Arrival(9_999.0, 90_000, 0, 2_000)
    victim, first = visitor(once(short, []), imposes=False)
    report, second = visitor(once(long, []), imposes=True, shift_s=-9_000.0)
    serve(ENGINE, [first, second])
    (imposed,) = imposed_delays(ENGINE, [victim, report])
    (alone,) = served([short])
    assert imposed.delay_s == pytest.approx(victim.latency_s - alone.latency_s)
    assert imposed.usd == pytest.approx(0.5 * imposed.delay_s)
    assert imposed.delay_s > 90_000 / ENGINE.prefill_tokens_per_s - 1.5


def test_a_report_that_was_always_at_night_imposes_nothing() -> None:
    victim, first = visitor(once(Arrival(10_000.0, 2_000, 0, 200), []), imposes=False)
    report, second = visitor(once(Arrival(1_000.0, 90_000, 0, 2_000), []), imposes=True)
    serve(ENGINE, [first, second])
    (imposed,) = imposed_delays(ENGINE, [victim, report])
    assert imposed.delay_s == pytest.approx(0.0, abs=1e-6)


def test_a_slower_engine_is_slower() -> None:
    slow = replace(ENGINE, step_s=0.06)
    assert idle_latency_s(slow, 1_000, 0, 100) > idle_latency_s(ENGINE, 1_000, 0, 100)
