"""Cache misuse against caches whose every store and loss is known.

usage: python -m bench truth cache [--data DIR] [--replications N] [--processes 2] [--kept FILE] [--write]

First the prompts of a recorded service (DIR/mooncake_conversation.jsonl.gz), sent to caches with several lifetimes and capacities
while a quarter of the calls do not use them: what was missed against the same prompts sent again with all of them using it, every
single write against the provider's own record, and δ_S. Then agents made up, some of whom only look as if they misused their
caches. Last, why a recorded benchmark of prompt caches (DIR/prompt_cache_bench_2026_06_19.jsonl.gz) missed. Without --data only
what is made up. `--kept` writes every replication over recorded prompts down as it is done, and does not do again what is there.
Exit 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from analyzers.modes.cache.places import Looked, look
from analyzers.modes.cache_misuse import discovered_of
from bench.tables import replace_section, table
from bench.truth.cache_economies import DAYS, Economy, Story, economy
from bench.truth.cache_recorded import recorded_causes
from bench.truth.caches import INPUT, READ, Provider, Request, mooncake, play, prompts_of, read_by_all
from bench.truth.replications import Run, replicated

MODES = Path(__file__).resolve().parents[2] / "docs" / "modes.md"
_REQUESTS = 4_000
_OFF = 0.25
_HARMFUL = ("churn", "off", "off for half")
_PROVIDERS = (
    Provider("fixed", 60.0),
    Provider("fixed", 300.0),
    Provider("memoryless", 100.0),
    Provider("memoryless", 600.0),
    Provider("capacity", 600.0, 3_000),
    Provider("capacity", 3_600.0, 10_000),
)
_RESENT = {"memoryless": 8}  # its losses are drawn, so what could have been is a mean


class Outcome(msgspec.Struct, frozen=True):
    """What one replication came to. `is_covered`: δ_S, or the lifetime, lies in what is told of it; None where nothing is."""

    error: float
    is_exact: bool
    is_covered: bool | None


@dataclass(frozen=True, slots=True)
class Row:
    """One provider's replications."""

    provider: Provider
    outcomes: Sequence[Outcome]

    def cells(self) -> list[str]:
        """The row of the table."""
        errors = self._errors
        name = {
            "fixed": f"{self.provider.lifetime_s:.0f} s from the last use",
            "memoryless": f"lost at random, after {self.provider.lifetime_s:.0f} s on average",
            "capacity": f"{self.provider.pieces_max:,} pieces, {self.provider.lifetime_s:.0f} s",
        }[self.provider.loss]
        exact = float(np.mean([one.is_exact for one in self.outcomes]))
        return [
            name, f"{len(errors)}", f"{np.median(errors):+.1%}", f"{np.mean(np.abs(errors) <= 0.1):.0%}", f"{exact:.0%}",
            f"{np.mean(self._covered):.0%}" if self._covered else "–",
        ]  # fmt: skip

    def is_kept(self) -> bool:
        """Median within ±10 %, every write exact, δ_S covered in 93–97 % but for two standard errors."""
        slack = 2 * np.sqrt(0.05 * 0.95 / len(self.outcomes))
        covers = self.provider.loss != "memoryless" or (bool(self._covered) and np.mean(self._covered) >= 0.93 - slack)
        return bool(abs(np.median(self._errors)) <= 0.1 and all(one.is_exact for one in self.outcomes) and covers)

    @property
    def _errors(self) -> np.ndarray:
        return np.array([one.error for one in self.outcomes])

    @property
    def _covered(self) -> list[bool]:
        return [one.is_covered for one in self.outcomes if one.is_covered is not None]


def once(data: Path, run: Run) -> Outcome:
    """One replication over recorded prompts: of which provider, with which seed, the how manyth."""
    place, seed, replication = run
    requests = _requests(data)
    rng = np.random.default_rng([seed, place, replication])
    first = int(rng.integers(len(requests) - _REQUESTS))
    with threadpool_limits(1):
        return judged(_PROVIDERS[place], requests[first : first + _REQUESTS], rng)


@cache
def _requests(data: Path) -> list[Request]:
    return mooncake(data / "mooncake_conversation.jsonl.gz")


def judged(provider: Provider, requests: list[Request], rng: np.random.Generator) -> Outcome:
    """What is told of some requests to a provider, a quarter of which do not use its cache, against what it knows."""
    uses = rng.random(len(requests)) >= _OFF
    played = play(requests, uses, provider, rng)
    could = float(np.mean(read_by_all(requests, provider, rng, _RESENT.get(provider.loss, 1))))
    prompts = prompts_of(requests, played)
    seen = look(prompts, requests[0].at_s - 1, requests[-1].at_s + 1)
    missed = (could - sum(played.read)) * (INPUT - READ)
    told = float(((seen.expected.read - prompts.read) * prompts.read_gain).sum())
    exact = _is_exact(seen, [write.saved_usd for write in played.writes], [w.premium_usd for w in played.writes])
    return Outcome(told / missed - 1, exact, _is_covered(seen, provider))


def _is_covered(seen: Looked, provider: Provider) -> bool | None:
    life = seen.depreciation.get(0)
    if life is None or provider.loss == "capacity":
        return None  # nothing lived long enough to show how long it lives, or there is no one number to it
    if provider.loss == "memoryless":
        return life.low <= 1 / provider.lifetime_s <= (life.high or np.inf)
    return None if life.lifetime_s is None else life.lifetime_s[0] <= provider.lifetime_s <= life.lifetime_s[1]


def _is_exact(seen: Looked, saved: list[float], premiums: list[float]) -> bool:
    """Whether every write's premium, savings and verdict are the provider's own, in the order in which they were made."""
    ours = (seen.writes.saved_usd, seen.writes.premium_usd)
    if len(ours[0]) != len(saved) or not all(np.allclose(a, b, atol=1e-12) for a, b in zip(ours, (saved, premiums), strict=True)):
        return False
    closed = seen.writes.is_closed
    return bool((seen.writes.is_unpaid == (closed & (np.array(saved) < np.array(premiums) - 1e-15))).all())


def _recorded(options: argparse.Namespace, data: Path) -> Iterator[Row]:
    for place, provider in enumerate(_PROVIDERS):
        runs = [(place, options.seed, replication) for replication in range(options.replications)]
        yield Row(provider, list(replicated(partial(once, data), runs, Outcome, options.processes, options.kept)))


def _stories(replications: int, seed: int) -> Iterator[tuple[list[str], bool]]:
    for place, story in enumerate(get_args(Story)):
        raised, found, elsewhere, errors = 0, 0, 0, list[float]()
        for replication in range(replications):
            made = economy(story, np.random.default_rng([seed, 100 + place, replication]))
            right, wrong, usd = _judge(made)
            raised += bool(right or wrong)
            elsewhere += wrong
            found += right
            if right and made.lost_usd > 0:
                errors.append(usd / made.lost_usd - 1)
        is_harmful = story in _HARMFUL
        within = float(np.mean(np.abs(errors) <= 0.25)) if errors else 0.0
        slack = 2 * np.sqrt(0.05 * 0.95 / replications)
        kept = (found / replications >= 0.95 - slack and within >= 0.9) if is_harmful else raised / replications <= 0.05 + slack
        cells = [
            story, f"{replications}", f"{raised / replications:.1%}", f"{elsewhere / replications:.1%}",
            f"{found / replications:.1%}" if is_harmful else "–", f"{np.median(errors):+.1%}" if errors and is_harmful else "–",
            f"{within:.0%}" if is_harmful else "–",
        ]  # fmt: skip
        yield cells, kept


def _judge(made: Economy) -> tuple[bool, bool, float]:
    """Whether the place with the story was found, whether any other was, and the dollars told of it."""
    seen = look(made.prompts, 0.0, DAYS * 86_400)
    right, wrong, usd = False, False, 0.0
    for one, is_finding in zip(seen.judged, discovered_of(seen.judged), strict=True):
        if is_finding and one.usd is not None:
            right |= one.place == made.place
            wrong |= one.place != made.place
            usd += one.usd if one.place == made.place else 0.0
    return right, wrong, usd


def main() -> int:
    """Print the tables, and write them where asked."""
    parser = argparse.ArgumentParser(prog="python -m bench truth cache", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of recorded caches")
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1, help="that replicate at once")
    parser.add_argument("--kept", type=Path, help="file in which every replication over recorded prompts is written down")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/modes.md")
    options = parser.parse_args()
    parts, broken = list[str](), False
    if options.data is not None:
        made = list(_recorded(options, options.data))
        head = ["cache", "runs", "missed savings, median error", "within ±10 %", "writes exact", "δ_S, or lifetime, covered"]
        parts.append(table(head, [row.cells() for row in made]))
        broken |= not all(row.is_kept() for row in made)
        counts: Counter[str] = recorded_causes(options.data / "prompt_cache_bench_2026_06_19.jsonl.gz")
        parts.append(table(["recorded benchmark", "requests"], [[name, f"{n:,}"] for name, n in counts.items()]))
    stories = list(_stories(options.replications, options.seed))
    head = ["economy", "runs", "raise anything", "elsewhere", "found", "median error", "within ±25 %"]
    parts.append(table(head, [cells for cells, _ in stories]))
    broken |= not all(kept for _, kept in stories)
    of = "" if options.data is None else " --data DIR"
    given = f"{of} --replications {options.replications} --seed {options.seed} --write"
    command = f"`python -m bench truth cache{given}` made these tables."
    print("\n\n".join([command, *parts]))
    if options.write:
        replace_section(MODES, "cache", "\n\n".join([command, *parts]))
    print("promises kept" if not broken else "A PROMISE IS BROKEN", file=sys.stderr)
    return int(broken)
