"""What caches lost at a place: harm is found with its dollars, and what only looks like it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analyzers.modes.cache.expected import ages, expected, survivals
from analyzers.modes.cache.places import Looked, look
from analyzers.modes.cache.prompts import resends
from analyzers.modes.cache_misuse import discovered_of
from bench.truth.cache_economies import DAYS, Economy, Story, economy
from bench.truth.caches import Provider, play, prompts_of
from tests.unit.analyzers.test_cache_pieces import made, requests


def seen(story: Story, seed: int) -> tuple[Economy, Looked, list[tuple[int, str]]]:
    """An economy, what is judged of it, and the places and subjects that are findings."""
    played = economy(story, np.random.default_rng([17, seed]))
    found = look(played.prompts, 0.0, DAYS * 86_400)
    stands = zip(found.judged, discovered_of(found.judged), strict=True)
    return played, found, [(one.place, one.subject) for one, is_finding in stands if is_finding]


@pytest.mark.parametrize(
    ("story", "subject"), [("churn", "writes never repaid"), ("off", "missed hits"), ("off for half", "missed hits")]
)
@pytest.mark.parametrize("seed", range(3))
def test_harm_is_found_with_its_dollars(story: Story, subject: str, seed: int) -> None:
    played, found, findings = seen(story, seed)
    assert findings == [(0, subject)]
    [one] = [each for each in found.judged if (each.place, each.subject) == findings[0]]
    assert one.usd == pytest.approx(played.lost_usd, rel=0.15)
    if story != "off for half":
        assert one.since_s == pytest.approx(0.4 * DAYS * 86_400, rel=0.08)


@pytest.mark.parametrize("story", ["nothing", "slower calls", "single calls", "short prompts", "untold", "unlucky losses"])
def test_what_is_right_is_not_found(story: Story) -> None:
    assert [seen(story, seed)[2] for seed in range(3)] == [[], [], []]


def test_the_cause_is_told() -> None:
    _, found, _ = seen("off", 0)
    [one] = [each for each in found.judged if each.place == 0 and each.subject == "missed hits"]
    assert max(one.causes, key=lambda cause: one.causes[cause]) == "caching off"
    _, found, _ = seen("churn", 0)
    [one] = [each for each in found.judged if each.place == 0 and each.subject == "writes never repaid"]
    assert max(one.causes, key=lambda cause: one.causes[cause]) == "prefix unstable"


def test_what_a_cache_would_have_kept_is_what_it_keeps_when_all_use_it() -> None:
    rng = np.random.default_rng(4)
    sent = requests(rng, 400)
    uses = rng.random(400) < 0.7
    provider = Provider("fixed", 30.0)
    told, every = (play(sent, use, provider, rng) for use in (uses, np.ones(400, dtype=bool)))
    prompts = prompts_of(sent, told)
    again, works = resends(prompts), np.ones(400, dtype=bool)
    would = expected(prompts, again, works, survivals(prompts, again, works))
    assert would.evidence == ("worked",)
    assert would.read.sum() - prompts.read.sum() == pytest.approx(sum(every.read) - sum(told.read), rel=0.03)


def test_a_call_that_does_not_use_the_cache_tells_nothing_of_how_long_it_keeps_things() -> None:
    """The second sends the prefix again and neither reads nor writes it; where writing is free, that is a loss."""
    given = {"written": [8_000.0, 0.0, 8_000.0, 0.0], "read": [0.0, 0.0, 0.0, 8_000.0], "keys": ((1,),) * 4}
    paid, free = made(4, **given), made(4, **given, write_rate=np.full(4, np.nan))
    told = [[part.tolist() for part in ages(one, resends(one), np.ones(4, dtype=bool))] for one in (paid, free)]
    assert told == [[[100.0], [True]], [[100.0, 100.0, 100.0], [False, False, True]]]


def test_a_call_without_a_key_may_have_renewed_the_prefix_of_its_sequence() -> None:
    """Keys stated only of what was read: the last call found what the third, which missed it, had sent 100 s before."""
    prompts = made(4, read=[0.0, 8_000.0, 0.0, 8_000.0], keys=((), (1,), (), (1,)), write_rate=np.full(4, np.nan))
    sent = resends(prompts)
    assert sent.previous.tolist() == [-1, 0, 1, 2]
    assert sent.tokens[3] == 8_000.0
    apart = resends(replace(prompts, sequence=np.array([0, 1, 2, 3])))
    assert apart.previous.tolist() == [-1, -1, -1, 1], "a call of another sequence has nothing to do with it"


def test_prompts_that_grow_tell_what_repeats() -> None:
    n = 60
    sizes = np.tile([4_000.0, 5_000.0, 6_000.0], n // 3)
    prompts = made(n, whole=sizes, sequence=np.repeat(np.arange(n // 3), 3), at_s=np.arange(n) * 50.0)
    [one] = look(prompts, 0.0, 10_000.0).judged
    assert (one.subject, one.evidence) == ("missed hits", ("growing prompts",))
    # Each sequence would write 6,000 tokens once and read 9,000.
    assert one.usd == pytest.approx(n / 3 * (9_000 * 2.7e-6 - 6_000 * 0.75e-6))
    apart = replace(prompts, whole=np.tile([6_000.0, 5_000.0, 4_000.0], n // 3))
    assert look(apart, 0.0, 10_000.0).judged[0].usd is None


def test_a_piece_of_several_that_is_sent_alone_is_as_long_as_it_was() -> None:
    prompts = made(3, whole=[9_000.0, 4_000.0, 4_000.0], keys=((1, 2, 3), (1,), (1,)), read=[0.0, 2_500.0, 2_500.0])
    sent = resends(prompts)
    assert sent.previous.tolist() == [-1, 0, 1]
    assert sent.tokens[1:].tolist() == [3_000.0, 2_500.0]
