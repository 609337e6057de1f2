"""What a place lost since its onset: against sums made decision by decision, and where nothing may be said."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analyzers.effects.estimate import InputError
from analyzers.modes.appraised import Appraised
from analyzers.modes.look import Place, Window
from analyzers.modes.places import Found, tried
from analyzers.modes.standing_regret import Flow, Part, Standing, standing

HOUR = 3600.0
START = datetime(2026, 1, 5, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=10))
ONSET = 96  # the hour from which on the bad choice is the policy


def part(segment: int, chosen: str, regret: float | None, *, band: str = "", comparison: int = 1, stands: bool = True) -> Part:
    known, usd = regret is not None, regret or 0.0
    low, high = (0.6 * usd, 1.5 * usd) if known else (None, None)
    changes = {"quality": -0.2 * usd, "cost": 1.2 * usd, "latency": 0.0, "risk": 0.0}
    return Part(
        comparison, segment, "demand", "route", "faq", ("cheap", "dear"), "logged", "method", band, 0.0, chosen, "cheap", 100,
        100, regret, low, high, changes, None, 1.0, "appraised" if known else "not_enough_evidence", "", None if known else 7,
        None, stands and known,
    )  # fmt: skip


def flow(rows: list[tuple[int, int, bool, int, int, float]]) -> Flow:
    """Rows are (segment, best, explored, hour, n, USD)."""
    segment, best, explored, hour, n, usd = zip(*rows, strict=True)
    zeros = np.zeros(len(rows), dtype=np.int64)
    return Flow(
        np.array(segment), zeros, np.array(best), np.array(explored), np.array(hour), np.array(n, dtype=np.float64),
        np.array(usd, dtype=np.float64), START.timestamp() + np.array(hour) * HOUR + 60.0,
    )  # fmt: skip


def switched(usd: float = 2.0) -> tuple[list[tuple[int, int, bool, int, int, float]], float]:
    """Two decisions an hour: dear by exploration before the onset, as the policy from then on; and the regret of all that were
    dear."""
    rows: list[tuple[int, int, bool, int, int, float]] = []
    for hour in range(240):
        if hour >= ONSET:
            rows.append((1, 0, False, hour, 2, usd * 2))
        else:
            rows.append((0, 0, False, hour, 2, 0.0))
            if hour % 12 == 0:
                rows.append((1, 0, True, hour, 1, usd))
    return rows, sum(row[5] for row in rows if row[0] == 1)


def look(parts: list[Part], flows: dict[int, Flow], others: list[Part] | None = None) -> Standing:
    return standing(parts, [*(others or []), *parts], flows, WINDOW, HOUR)


def found_at(of: Standing) -> Found:
    """The place of a standing, before it is put in words."""
    nobody = Appraised(1, "acme", WINDOW, HOUR, of.parts, {}, {}, {})
    return Found(nobody, "over_routing", Place("demand", "route", "faq", of.parts[0].chosen), of, None)


def test_only_the_policy_in_force_counts_since_it_is() -> None:
    rows, total = switched()
    cheap, dear = part(0, "cheap", 0.0, stands=False), part(1, "dear", total)
    found = look([dear], {1: flow(rows)}, [cheap])
    days = (240 - ONSET) / 24  # every time of the day came so often
    by_hand = sum(row[5] for row in rows if row[0] == 1 and row[3] >= ONSET and not row[2])
    assert found.since == START + timedelta(hours=ONSET, minutes=1)
    assert found.usd_per_day == pytest.approx(by_hand / days)
    assert (found.low, found.high) == pytest.approx((0.6 * by_hand / days, 1.5 * by_hand / days))
    assert found.is_discovery
    assert (found.decisions, found.explored, found.is_exploration) == (288, 0, False)
    assert found.onset.before is not None
    assert found.onset.before < 0.1
    assert found.share == 1.0
    terms = {term.name: term.usd_per_day for term in found.terms}
    assert terms == pytest.approx({"V·ΔQ": -0.2 * by_hand / days, "ΔC": -1.2 * by_hand / days, "λ·ΔL": 0.0, "ρ·ΔR": 0.0})
    assert all(term.low is None for term in found.terms), "nothing is said of errors that are not known"
    assert sum(day.usd for day in found.days) == pytest.approx(by_hand)
    assert [day.day.hour for day in found.days] == [0] * 6


def test_errors_of_terms_add_up_within_a_comparison_and_as_squares_across() -> None:
    rows = [(1, 0, False, hour, 1, 1.0) for hour in range(240)] + [(2, 0, False, hour, 1, 1.0) for hour in range(240)]
    errors = {"quality": 3.0, "cost": 1.0, "latency": 0.0, "risk": 0.0}
    parts = [
        replace(part(number, "dear", 240.0, band=f"band {number}", comparison=comparison), change_errors=errors)
        for comparison, number in ((1, 1), (1, 2), (2, 1))
    ]
    found = look(parts, {1: flow(rows), 2: flow(rows[:240])})
    days = round((found.until - found.since) / timedelta(days=1))
    reach = {term.name: ((term.high or 0.0) - (term.low or 0.0)) / 2 for term in found.terms}
    joint = 1.959964 * (6.0**2 + 3.0**2) ** 0.5 / days
    assert reach == pytest.approx({"V·ΔQ": joint, "ΔC": joint / 3, "λ·ΔL": 0.0, "ρ·ΔR": 0.0})


def test_what_is_tried_to_learn_is_no_fault() -> None:
    rows = [(0, 0, False, hour, 9, 0.0) for hour in range(240)] + [(1, 0, True, hour, 1, 1.0) for hour in range(240)]
    cheap, dear = part(0, "cheap", 0.0, stands=False), part(1, "dear", 240.0)
    logged = look([dear], {1: flow(rows)}, [cheap])
    assert (logged.usd_per_day, logged.is_discovery, logged.explored) == (0.0, False, 240)
    unlogged = [replace(one, assignment="recorded") for one in (cheap, dear)]
    told = look([unlogged[1]], {1: flow([(*row[:2], False, *row[3:]) for row in rows])}, [unlogged[0]])
    assert (told.usd_per_day, told.is_discovery, told.is_exploration) == (0.0, False, True)
    said = tried(found_at(told))
    assert said.startswith("acme loses by route dear in faq what cheap would bring more, but takes it in 10 % of the cases only")
    assert tried(found_at(logged)) == ""


def test_what_is_left_beside_tries_to_learn_has_to_be_material() -> None:
    learnt = [(0, 0, False, hour, 9, 0.0) for hour in range(240)] + [(1, 0, True, hour, 1, 1.0) for hour in range(240)]
    for usd, stands in ((0.004, False), (0.1, True)):  # the segment's materiality is 1 USD over 100 decisions
        dear = part(1, "dear", 240.0 + 20 * usd)
        found = look([dear], {1: flow([*learnt, *((1, 0, False, hour, 1, usd) for hour in range(220, 240))])})
        assert found.is_discovery is stands
        assert found.low is not None
        assert found.low > 0


def test_without_a_change_it_began_with_the_decisions() -> None:
    rows = [(1, 0, False, hour, 2, 1.0) for hour in range(48, 240)]
    found = look([part(1, "dear", 192.0)], {1: flow(rows)})
    assert found.onset.place == 0
    assert found.since == START + timedelta(hours=48, minutes=1)
    empty = look([part(1, "dear", 192.0)], {})
    assert (empty.since, empty.usd_per_day, empty.is_discovery) == (WINDOW.since, 0.0, False)
    assert math.isnan(empty.share)


def test_limits_add_up_within_a_comparison_and_as_squares_across() -> None:
    rows = [(k, 0, False, hour, 1, 1.0) for hour in range(240) for k in (1, 2)]
    together = look([part(1, "dear", 240.0, band="low"), part(2, "dear", 240.0, band="high")], {1: flow(rows)})
    apart = look(
        [part(1, "dear", 240.0), part(1, "dear", 240.0, comparison=2)], {1: flow(rows[::2]), 2: flow(rows[::2])},
    )  # fmt: skip
    assert together.usd_per_day == pytest.approx(apart.usd_per_day)
    days = round((WINDOW.until - together.since) / timedelta(days=1))
    assert together.low == pytest.approx((480 - 2 * 96) / days)
    assert apart.low == pytest.approx((480 - math.hypot(96, 96)) / days)
    assert (together.tasks, apart.tasks) == (200, 100)


def test_a_vague_segment_adds_its_value_and_takes_nothing_from_the_lower_limit() -> None:
    rows = [(k, 0, False, hour, 1, 1.0) for hour in range(240) for k in (1, 2)]
    sure, vague = part(1, "dear", 240.0), replace(part(2, "dear", 240.0, stands=False), low_usd=-400.0, high_usd=900.0)
    vague = replace(vague, status="not_enough_evidence")
    found = look([sure, vague], {1: flow(rows)})
    days = round((WINDOW.until - found.since) / timedelta(days=1))  # every time of the day came so often
    assert (found.usd_per_day, found.low, found.high) == pytest.approx((480 / days, 0.6 * 240 / days, (360 + 900) / days))
    assert (found.counted, found.left_out, found.is_discovery) == ((sure, vague), 0, True)
    unknown = part(3, "dear", None)
    assert look([sure, unknown], {1: flow(rows)}).left_out == 100
    lost_nothing = replace(part(2, "dear", -50.0, stands=False), low_usd=-400.0, high_usd=100.0)
    assert look([lost_nothing], {1: flow(rows)}).usd_per_day == 0.0


def test_what_is_not_known_has_no_number() -> None:
    rows = [(1, -1, False, hour, 1, math.nan) for hour in range(240)]
    found = look([part(1, "dear", None)], {1: flow(rows)})
    assert (found.status, found.usd_per_day, found.low, found.high) == ("not_enough_evidence", None, None, None)
    assert not found.is_discovery
    unknowable = replace(part(1, "dear", None), status="not_identified")
    assert look([unknowable], {1: flow(rows)}).status == "not_identified"


def test_what_is_not_known_of_a_part_is_not_known_of_the_place() -> None:
    """Where little is known of the dear tasks, nothing lost on the others is not nothing lost."""
    of = [(1, 0, 96), (2, -1, 4)]
    rows = [(k, best, False, hour, 1, math.nan if k == 2 else 0.0) for k, best, n in of for hour in range(n)]
    fine, unknown = part(1, "dear", 0.0, stands=False), part(2, "dear", None)
    nearly_all = look([fine, unknown], {1: flow(rows)})
    assert (nearly_all.status, nearly_all.usd_per_day, nearly_all.counted) == ("appraised", 0.0, (fine,))
    rows += [(2, -1, False, hour, 1, math.nan) for hour in range(4, 10)]
    found = look([fine, unknown], {1: flow(rows)})
    assert (found.status, found.usd_per_day, found.low, found.high) == ("not_enough_evidence", None, None, None)
    unknowable = replace(unknown, status="not_identified")
    assert look([fine, unknowable], {1: flow(rows)}).status == "not_identified"
    tried = [(1, 0, False, hour, 1, 0.0) for hour in range(90)] + [(2, -1, True, hour, 1, math.nan) for hour in range(90)]
    assert look([fine, unknown], {1: flow(tried)}).status == "appraised", "what is tried to learn is no policy"


def test_a_place_is_one_option() -> None:
    with pytest.raises(InputError, match="all of one chosen option"):
        look([part(0, "cheap", 1.0), part(1, "dear", 1.0)], {})
    with pytest.raises(InputError, match="all of one chosen option"):
        look([], {})
