"""What reports say where something is lacking, and prediction 3 out of an engine's spans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analyzers.effects.estimate import Basis
from analyzers.effects.production import independent
from analyzers.modes.congestion.books import Group, Seen
from analyzers.modes.congestion.timeline import Served
from analyzers.reports.books import Spent
from analyzers.reports.predictions import crowding, risk, settled_by
from analyzers.reports.production import margins

BASIS = Basis(100, 100, "m", "e")


def tasks(n: int = 240) -> Spent:
    """Tasks of one class: every second one verified by a cent, whose loss is a tenth; all else by chance."""
    rng = np.random.default_rng(1)
    verify = np.where(np.arange(n) % 2 == 0, 0.0, 0.01)
    usd = np.column_stack([np.zeros(n), np.zeros(n), rng.uniform(0.01, 0.1, n), verify])
    loss = np.where(verify > 0, 0.1, 1.0) * rng.uniform(0.5, 1.5, n)
    nothing = np.full(n, np.nan)
    features = np.column_stack([rng.normal(size=n), nothing])
    v_usd = rng.uniform(1, 3, n)
    quality = (rng.random(n) < 0.7).astype(np.float64)
    return Spent(np.arange(n), ("a",) * n, quality, v_usd, np.ones(n), loss, np.zeros(n), usd, features, ("x", "y"), is_cut=False)


def test_what_would_settle_it_follows_from_the_interval() -> None:
    assert settled_by(BASIS.found(1.0, 0.1, 0.8, 1.2), "tasks", "mend") == ""
    assert settled_by(BASIS.found(1.0, 1.0, -1.0, 3.0), "tasks", "mend").startswith(
        "about 300 more tasks"
    )  # twice as sure: 4 times
    assert settled_by(BASIS.found(-1.0, 1.0, -3.0, 1.0), "tasks", "mend").startswith("about 300 more tasks")
    assert "100 times as many tasks" in settled_by(BASIS.found(0.0, 1.0, -1.0, 1.0), "tasks", "mend")
    assert settled_by(BASIS.nothing("not_identified", "why"), "tasks", "mend") == "mend"


def test_risk_says_what_is_lacking() -> None:
    of = tasks()
    found, _ = risk(of, ["a"])
    assert found.verdict == "holds"
    assert found.statistic.numbers()[2] <= -0.9 <= found.statistic.numbers()[3]
    n = len(of.tasks)
    lacking = {
        "V is not known": replace(of, v_usd=np.full(n, np.nan)),
        "no loss is known": replace(of, risk_usd=np.full(n, np.nan)),
        "no class of tasks was verified": replace(of, usd=of.usd * [1, 1, 1, 0]),
    }
    for why, without in lacking.items():
        said, mend = risk(without, ["a"])
        assert (said.verdict, said.why.startswith(why)) == ("not enough evidence", True)
        assert mend
    unstated, mend = risk(of, [])
    assert (unstated.verdict, unstated.statistic.n) == ("not identified", n)
    assert "pigou assignments set verify recorded" in mend
    half = replace(of, task_class=tuple("ab"[i // (n // 2)] for i in range(n)))
    assert "not of b, where nobody states" in risk(half, ["a"])[0].why


def test_margins_stand_columns_that_say_the_same() -> None:
    of = tasks()
    known = margins(of, "a", "recorded")
    twice = replace(of, features=np.column_stack([of.features, 2 * of.features[:, :1] + 1]), feature_names=("x", "y", "z"))
    again = margins(twice, "a", "recorded")
    assert again.uses[2].net.numbers() == pytest.approx(known.uses[2].net.numbers(), rel=1e-6)
    columns = np.array([[1.0, 0.1, 2.0, 5.0], [2.0, 0.1, 4.0, 1.0], [3.0, 0.1, 6.0, 2.0]])
    assert independent(columns).shape == (3, 2)
    assert independent(np.zeros((3, 0))).shape == (3, 0)
    assert independent(np.zeros((0, 3))).shape == (0, 0)  # no task, and nothing to say of any


def seen(slope: float, days: int = 5) -> Seen:
    """Three short requests of tenant 1 in every ten minutes, and long ones of tenant 2 now and then."""
    rng = np.random.default_rng(2)
    at = np.arange(days * 144) * 600.0
    short = np.repeat(at, 3) + np.tile(np.array([1.0, 2.0, 3.0]), len(at))
    sends = rng.random(len(at)) < 0.4
    long = at[sends]
    delay = slope * np.repeat(sends, 3) + rng.normal(0, 0.2, len(short)) + 5.0
    when = np.asarray(np.concatenate([short, long]), dtype=np.float64)
    whose = np.repeat([0, 1], [len(short), len(long)])
    decode, kv = np.concatenate([delay, np.full(len(long), 60.0)]), np.where(whose == 0, 1_000.0, 90_000.0)
    order = np.argsort(when, kind="stable")
    n = len(order)
    nothing = np.zeros(n)
    served = Served(
        when[order], nothing, nothing, decode[order], kv[order], np.full(n, 50.0), kv[order], nothing, whose[order],
        np.full(n, -1),
    )  # fmt: skip
    groups = (Group(1, "quick", "chat"), Group(2, "heavy", "report"))
    ids = ("00",) * n
    return Seen("e", served, groups, ids, ids, nothing, kv[order], nothing, nothing, nothing, (None, None), 0, is_cut=False)


def test_others_long_contexts_are_found_in_the_way() -> None:
    found, _ = crowding(seen(2.0), 1)
    assert found.verdict == "holds"
    assert found.statistic.numbers()[0] == pytest.approx(2 / 90, rel=0.2)  # seconds per thousand tokens
    assert "contexts of 4,000 tokens and more are long; p 0.002" in found.why
    assert crowding(seen(0.0), 1)[0].verdict == "not enough evidence"
    slight = crowding(seen(0.05), 1)[0]
    assert slight.verdict == "not enough evidence"
    assert slight.why.endswith("too little to be felt, less than 1 % of what a request takes")
    assert crowding(seen(-2.0), 1)[0].verdict == "does not hold"
    short, mend = crowding(seen(2.0, days=1), 1)
    assert (short.verdict, short.statistic.value, mend) == (
        "not enough evidence", None, "more days with traffic of several tenants",
    )  # fmt: skip


def test_an_engine_tells_nothing_to_who_is_alone_or_longest() -> None:
    assert "no other tenant sent contexts of 360,000 tokens" in crowding(seen(2.0), 2)[0].why
    assert crowding(seen(2.0), 3)[0].why == "none of its requests tells its times and tokens"
    whole = seen(2.0)
    alone = replace(whole, groups=(whole.groups[0], Group(1, "quick", "report")))
    assert crowding(alone, 1)[0].why == "this tenant has the engine to itself"
