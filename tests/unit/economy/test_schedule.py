"""The planned fortnight: repeatable, well formed, in rhythm, and consistent with what it says was sold."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from random import Random

import pytest

from economy.faults import fault_by_key
from economy.parameters import EMBEDDING_MODEL, ENGINE, HOUR_WEIGHT, TENANTS, WEEKDAY_WEIGHT
from economy.play import in_order
from economy.schedule import Schedule, schedule
from economy.spans import PlannedSpan
from economy.tasks import arrival_times, stream
from economy.truth import Truth

UNTIL = datetime(2026, 11, 23, 15, tzinfo=UTC)


def number(span: PlannedSpan, key: str) -> float:
    """A numeric attribute; 0 where the span does not have it."""
    value = span.attributes.get(key, 0)
    assert isinstance(value, (int, float))
    return value


def count(span: PlannedSpan, key: str) -> int:
    """A count among the attributes; 0 where the span does not have it."""
    value = span.attributes.get(key, 0)
    assert isinstance(value, int)
    return value


def sold_by_spans(fortnight: Schedule) -> Counter[tuple[str, str, str]]:
    """Leaves summed over the clients' calls and the engine spans that nobody called: what a reader must find."""
    copies = {copy.copy_span_id for copy in fortnight.recorder.copies}
    counts: Counter[tuple[str, str, str]] = Counter()
    for span in fortnight.recorder.spans:
        usage = span.attributes
        if span.name == "llm_request":
            if span.parent_id is None:
                key = (span.tenant, str(usage["gen_ai.response.model"]))
                counts.update({(*key, "calls"): 1})
                counts.update({(*key, "input_tokens"): count(span, "gen_ai.usage.prompt_tokens")})
                counts.update({(*key, "output_tokens"): count(span, "gen_ai.usage.completion_tokens")})
        elif "gen_ai.response.id" in usage and span.span_id not in copies:
            read = count(span, "gen_ai.usage.cache_read.input_tokens")
            write = count(span, "gen_ai.usage.cache_write.input_tokens")
            reasoning = count(span, "gen_ai.usage.reasoning.output_tokens")
            leaves = {
                "calls": 1,
                "input_tokens": count(span, "gen_ai.usage.input_tokens") - read - write,
                "cache_read_tokens": read,
                "cache_write_tokens": write,
                "output_tokens": count(span, "gen_ai.usage.output_tokens") - reasoning,
                "reasoning_tokens": reasoning,
            }
            counts.update({(span.tenant, str(usage["gen_ai.request.model"]), leaf): n for leaf, n in leaves.items()})
    return +counts


def test_the_same_arguments_give_the_same_plan_and_others_do_not() -> None:
    first, again = schedule(5, UNTIL, 2.0, 120), schedule(5, UNTIL, 2.0, 120)
    assert first.recorder.spans == again.recorder.spans
    assert first.recorder.events == again.recorder.events
    ids = {span.span_id for span in first.recorder.spans}
    for other in (schedule(6, UNTIL, 2.0, 120), schedule(5, UNTIL + timedelta(hours=1), 2.0, 120)):
        assert not ids & {span.span_id for span in other.recorder.spans}


def test_a_seed_has_the_same_tasks_at_whatever_hour_its_fortnight_ends() -> None:
    """So what the demo's first user finds is what its tests find, at another hour of another day."""
    plans = [stream(UNTIL - timedelta(days=14, hours=ago), 14.0, 400, Random("5/tasks")) for ago in (0, 5, 61)]
    what = [[(task.number, task.tenant, task.cell, task.stored_answer) for task in plan] for plan in plans]
    assert what[0] == what[1] == what[2]
    assert len({tuple(task.at_s for task in plan) for plan in plans}) == 3
    assert what[0] != [
        (task.number, task.tenant, task.cell, task.stored_answer)
        for task in stream(UNTIL - timedelta(days=14), 14.0, 400, Random("6/tasks"))
    ]


def test_as_many_come_in_an_hour_as_its_rhythm_says() -> None:
    """Counts by hour are Poisson's about the rhythm: their χ² lies where that of 336 hours does, but once in ten thousand."""
    starts_at = UNTIL - timedelta(days=14)
    counts = Counter(int(at_s // 3_600.0) for at_s in arrival_times(starts_at, 14.0, 2_400.0, Random(11)))
    squares = 0.0
    for hour in range(14 * 24):
        wall = starts_at + timedelta(hours=hour)
        mean = 100.0 * HOUR_WEIGHT[wall.hour] * WEEKDAY_WEIGHT[wall.weekday()]
        squares += (counts[hour] - mean) ** 2 / mean
    assert 247.0 < squares < 439.0


def test_the_zone_in_which_the_end_is_written_changes_nothing() -> None:
    elsewhere = UNTIL.astimezone(timezone(timedelta(hours=9)))
    assert schedule(5, elsewhere, 1.0, 60).recorder.spans == schedule(5, UNTIL, 1.0, 60).recorder.spans


def test_scale_of_the_default_fortnight(fortnight: Schedule) -> None:
    assert 110_000 <= len(fortnight.recorder.spans) <= 150_000
    assert {span.service for span in fortnight.recorder.spans} == {
        "router", "coder", "support", "research", "engine", "trainer", "gateway",
    }  # fmt: skip
    assert {span.tenant for span in fortnight.recorder.spans} == set(TENANTS)


def test_nothing_lies_outside_the_period(fortnight: Schedule) -> None:
    assert all(0.0 <= span.start_s <= span.end_s < fortnight.period_s for span in fortnight.recorder.spans)
    assert all(0.0 <= event.at_s < fortnight.period_s for event in fortnight.recorder.events)


def test_ids_are_unique_and_every_parent_encloses_its_children(fortnight: Schedule) -> None:
    spans = {span.span_id: span for span in fortnight.recorder.spans}
    assert len(spans) == len(fortnight.recorder.spans)
    for span in spans.values():
        if span.parent_id is not None:
            parent = spans[span.parent_id]
            assert parent.trace_id == span.trace_id
            assert parent.tenant == span.tenant
            assert parent.service == span.parent_service
            assert parent.start_s <= span.start_s
            assert span.end_s <= parent.end_s
        for trace_id, span_id in span.links:
            assert spans[span_id].trace_id == trace_id


def test_events_stand_in_a_span_of_their_trace(fortnight: Schedule) -> None:
    spans = {span.span_id: span for span in fortnight.recorder.spans}
    names = Counter(event.name for event in fortnight.recorder.events)
    assert names["gen_ai.evaluation.result"] > 500
    assert names["allocation.incident"] > 5
    for event in fortnight.recorder.events:
        assert spans[event.span_id].trace_id == event.trace_id
        assert event.at_s >= spans[event.span_id].end_s


def test_emission_is_in_order_of_the_ends_and_children_come_before_their_parents(fortnight: Schedule) -> None:
    ordered = [one for one in in_order(fortnight.recorder) if isinstance(one, PlannedSpan)]
    assert all(a.end_s <= b.end_s for a, b in pairwise(ordered))
    place = {span.span_id: number for number, span in enumerate(ordered)}
    assert all(place[span.span_id] < place[span.parent_id] for span in ordered if span.parent_id is not None)


def test_what_was_sold_is_what_the_spans_say_once_each(fortnight: Schedule) -> None:
    assert +fortnight.recorder.sold == sold_by_spans(fortnight)
    assert sum(n for (_, _, leaf), n in fortnight.recorder.sold.items() if leaf == "calls") > 15_000


def test_control_totals_equal_the_leaves_below_except_where_noted(fortnight: Schedule) -> None:
    spans = {span.span_id: span for span in fortnight.recorder.spans}
    copies = {copy.copy_span_id for copy in fortnight.recorder.copies}
    below: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for span in spans.values():
        if "gen_ai.response.id" not in span.attributes or span.span_id in copies:
            continue
        above = span.parent_id
        while above is not None:
            below[above][0] += count(span, "gen_ai.usage.input_tokens")
            below[above][1] += count(span, "gen_ai.usage.output_tokens")
            above = spans[above].parent_id
    agents = [span for span in spans.values() if span.attributes.get("gen_ai.operation.name") == "invoke_agent"]
    wrong = {
        span.span_id
        for span in agents
        if count(span, "gen_ai.usage.input_tokens") != below[span.span_id][0]
        or count(span, "gen_ai.usage.output_tokens") != below[span.span_id][1]
    }
    assert wrong == {noted.span_id for noted in fortnight.recorder.wrong_totals}
    assert 1 <= len(wrong) <= 30


def test_a_small_share_of_calls_is_reported_twice(fortnight: Schedule) -> None:
    ids = Counter(
        str(span.attributes["gen_ai.response.id"]) for span in fortnight.recorder.spans if "gen_ai.response.id" in span.attributes
    )
    twice = {response_id for response_id, n in ids.items() if n == 2}
    assert max(ids.values()) == 2
    assert twice == {copy.response_id for copy in fortnight.recorder.copies}
    assert 0.005 < len(twice) / len(ids) < 0.03
    assert {copy.same_trace for copy in fortnight.recorder.copies} == {True, False}


def test_about_one_call_in_a_hundred_has_no_price(fortnight: Schedule) -> None:
    calls = Counter[bool]()
    for (_, model, leaf), n in fortnight.recorder.sold.items():
        if leaf == "calls":
            calls[model == EMBEDDING_MODEL] += n
    assert 0.005 < calls[True] / calls.total() < 0.02


def test_engine_spans_agree_with_the_calls_above_them(fortnight: Schedule) -> None:
    spans = {span.span_id: span for span in fortnight.recorder.spans}
    engine = [span for span in spans.values() if span.name == "llm_request"]
    assert {span.tenant for span in engine} == set(TENANTS)
    for span in engine:
        parts = [number(span, f"allocation.engine.{part}_s") for part in ("queue", "prefill", "decode")]
        assert sum(parts) == pytest.approx(span.end_s - span.start_s)
        assert count(span, "allocation.engine.kv_tokens") <= ENGINE.kv_capacity_tokens
        assert count(span, "allocation.spec.accepted") <= count(span, "allocation.spec.proposed")
        if span.parent_id is not None:
            caller = spans[span.parent_id]
            assert count(caller, "gen_ai.usage.input_tokens") == count(span, "gen_ai.usage.prompt_tokens")
            assert count(caller, "gen_ai.usage.output_tokens") == count(span, "gen_ai.usage.completion_tokens")
            assert caller.attributes["gen_ai.response.id"] == span.attributes["gen_ai.request.id"]


def test_arrivals_have_a_daily_and_a_weekly_rhythm(fortnight: Schedule) -> None:
    walls = [fortnight.starts_at + timedelta(seconds=run.task.at_s) for run in fortnight.runs]
    office = sum(9 <= wall.hour < 17 for wall in walls)
    night = sum(wall.hour < 6 for wall in walls if wall.weekday() < 5)
    assert office > 4 * night
    workday, weekend = (sum((wall.weekday() >= 5) == is_weekend for wall in walls) for is_weekend in (False, True))
    assert workday / 10 > 2 * weekend / 4


def test_congestion_is_emergent_after_its_onset_only(fortnight: Schedule) -> None:
    onset_s = fault_by_key("serving_congestion").onset * fortnight.period_s
    waits: dict[bool, list[float]] = {False: [], True: []}
    for span in fortnight.recorder.spans:
        if span.name == "llm_request" and span.attributes["allocation.task.class"] != "research.report":
            waits[span.start_s >= onset_s].append(number(span, "allocation.engine.queue_s"))
    before, after = (sum(found) / len(found) for found in (waits[False], waits[True]))
    assert before < 5.0  # a few people work while the reports run at night
    assert after > 5.0 * before


def test_staleness_follows_from_the_depth_of_the_queue(fortnight: Schedule) -> None:
    onset_s = fault_by_key("stale_rollouts").onset * fortnight.period_s
    assert {update.staleness for update in fortnight.updates if update.at_s < onset_s} == {1}
    late = [update for update in fortnight.updates if update.is_stale]
    assert late[-1].staleness == 8
    assert [update.staleness for update in late] == sorted(update.staleness for update in late)
    assert late[-1].gain < 0.001 * late[-1].capability < late[-1].counterfactual_gain


def test_hard_tasks_get_stronger_models_which_confounds_naive_comparisons(truth: Truth) -> None:
    rows = [row for row in truth.rows if row["decision"] == "route" and row["task_class"] == "code.fix_test"]
    share = {
        difficulty: sum(row["chosen"] == "claude-opus-4-6" for row in rows if row["difficulty"] == difficulty)
        / sum(row["difficulty"] == difficulty for row in rows)
        for difficulty in ("easy", "hard")
    }
    assert share["hard"] > 0.4
    assert share["easy"] < 0.1
