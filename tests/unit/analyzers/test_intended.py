"""What a segment lost without what was taken to learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analyzers.attribution.appraise import appraise
from analyzers.attribution.segments import explored
from bench.truth.mode_worlds import World, play
from bench.truth.modes import CASES, findings, seen

RIGHT = World(
    "route", ("cheap", "strong"), (0.0, 0.2), (0.01, 0.05), (0.5, 3.0), (0.0, 1.0), explored=0.2, n=3_000
)  # strong for hard tasks of high value: its explorations gain there, those of cheap lose


def test_what_explorations_lose_is_not_told_of_the_policy() -> None:
    played = play(RIGHT, np.random.default_rng(3))
    learning = explored(played.choices)
    opinion = appraise(played.choices, seed=0)
    lost = played.net.max(axis=1) - played.net[np.arange(len(played.choices)), played.choices.chosen]
    assert lost[~learning].max() == 0.0
    assert lost[learning].sum() > 0
    for place, each in enumerate(opinion.segments):
        if each.intended is not None:
            rows = opinion.segment == place
            assert each.intended.n == int((rows & ~learning).sum()) < each.n
            low = each.intended.regret.low
            assert low is None or low <= 1e-9, each.label
    assert not findings("under_routing", played, 0)
    assert not findings("over_routing", played, 0)


def test_where_all_was_intended_the_segment_is_its_own() -> None:
    played = play(replace(RIGHT, explored=0.0, n=600), np.random.default_rng(4))
    assert not explored(played.choices).any()
    assert all(each.intended is None for each in appraise(played.choices, seed=0).segments)


def test_what_a_policy_loses_is_still_found_with_its_dollars() -> None:
    case = next(each for each in CASES if each.place == "strong")
    assert isinstance(case.world, World)
    played = play(case.world, np.random.default_rng(5))
    of = seen(played.choices, appraise(played.choices, seed=0))
    assert all(part.with_learning[0] >= part.n for part in of.parts)
    (found,) = findings(case.mode, played, 0)
    assert found.place.subject == "strong"
    rows = np.flatnonzero(played.is_forced)
    true = float((played.net[rows].max(axis=1) - played.net[rows, played.choices.chosen[rows]]).sum()) / (14 * 0.7)
    assert found.standing.low is not None
    assert found.standing.high is not None
    assert found.standing.low < true < found.standing.high
