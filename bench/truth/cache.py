"""Cache misuse against caches whose every store and loss is known.

usage: python -m bench truth cache [--data DIR] [--replications N] [--write]

First the prompts of a recorded service (DIR/mooncake_conversation.jsonl.gz), sent to caches with several lifetimes and capacities
while a quarter of the calls do not use them: what was missed against the same prompts sent again with all of them using it, every
single write against the provider's own record, and δ_S. Then agents made up, some of whom only look as if they misused their
caches. Last, why a recorded benchmark of prompt caches (DIR/prompt_cache_bench_2026_06_19.jsonl.gz) missed. Without --data only
what is made up. Exit 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np

from analyzers.modes.cache.places import Looked, look
from analyzers.modes.cache_misuse import discovered_of
from bench.tables import replace_section, table
from bench.truth.cache_economies import DAYS, Economy, Story, economy
from bench.truth.cache_recorded import recorded_causes
from bench.truth.caches import INPUT, READ, Loss, Provider, Request, mooncake, play, prompts_of

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


@dataclass
class Row:
    """Counts over replications of one provider."""

    provider: Provider
    errors: list[float] = field(default_factory=list[float])
    exact: int = 0
    covered: int = 0
    bounded: int = 0
    told: int = 0

    def add(self, requests: list[Request], rng: np.random.Generator) -> None:
        """One replication."""
        uses = rng.random(len(requests)) >= _OFF
        played = play(requests, uses, self.provider, rng)
        every = np.ones(len(requests), dtype=bool)
        again = [play(requests, every, self.provider, rng) for _ in range(_RESENT.get(self.provider.loss, 1))]
        could = sum(sum(one.read) for one in again) / len(again)
        prompts = prompts_of(requests, played)
        seen = look(prompts, requests[0].at_s - 1, requests[-1].at_s + 1)
        missed = (could - sum(played.read)) * (INPUT - READ)
        told = float(((seen.expected.read - prompts.read) * prompts.read_gain).sum())
        self.errors.append(told / missed - 1)
        self.exact += _is_exact(seen, [write.saved_usd for write in played.writes], [w.premium_usd for w in played.writes])
        life = seen.depreciation.get(0)
        if life is None or (self.provider.loss == "fixed" and life.lifetime_s is None):
            return  # nothing lived long enough to show how long it lives
        self.told += 1
        self.covered += life.low <= 1 / self.provider.lifetime_s <= (life.high or np.inf)
        self.bounded += life.lifetime_s is not None and life.lifetime_s[0] <= self.provider.lifetime_s <= life.lifetime_s[1]

    def cells(self) -> list[str]:
        """The row of the table."""
        n, errors = len(self.errors), np.array(self.errors)
        covered = {"memoryless": self.covered, "fixed": self.bounded}.get(self.provider.loss)
        name = {
            "fixed": f"{self.provider.lifetime_s:.0f} s from the last use",
            "memoryless": f"lost at random, after {self.provider.lifetime_s:.0f} s on average",
            "capacity": f"{self.provider.pieces_max:,} pieces, {self.provider.lifetime_s:.0f} s",
        }[self.provider.loss]
        return [
            name, f"{n}", f"{np.median(errors):+.1%}", f"{np.mean(np.abs(errors) <= 0.1):.0%}", f"{self.exact / n:.0%}",
            "–" if covered is None or not self.told else f"{covered / self.told:.0%}",
        ]  # fmt: skip

    def is_kept(self) -> bool:
        """Median within ±10 %, every write exact, δ_S covered in 93–97 % but for two standard errors."""
        n = len(self.errors)
        slack = 2 * np.sqrt(0.05 * 0.95 / n)
        covers = self.provider.loss != "memoryless" or self.covered / max(1, self.told) >= 0.93 - slack
        return bool(abs(np.median(self.errors)) <= 0.1 and self.exact == n and covers)


def _is_exact(seen: Looked, saved: list[float], premiums: list[float]) -> bool:
    """Whether every write's premium, savings and verdict are the provider's own, in the order in which they were made."""
    ours = (seen.writes.saved_usd, seen.writes.premium_usd)
    if len(ours[0]) != len(saved) or not all(np.allclose(a, b, atol=1e-12) for a, b in zip(ours, (saved, premiums), strict=True)):
        return False
    closed = seen.writes.is_closed
    return bool((seen.writes.is_unpaid == (closed & (np.array(saved) < np.array(premiums) - 1e-15))).all())


def _recorded(data: Path, replications: int, seed: int) -> Iterator[tuple[Loss, list[str], bool]]:
    requests = mooncake(data / "mooncake_conversation.jsonl.gz")
    for place, provider in enumerate(_PROVIDERS):
        row = Row(provider)
        for replication in range(replications):
            rng = np.random.default_rng([seed, place, replication])
            first = int(rng.integers(len(requests) - _REQUESTS))
            row.add(requests[first : first + _REQUESTS], rng)
        yield provider.loss, row.cells(), row.is_kept()


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
    parser.add_argument("--write", action="store_true", help="put the tables into docs/modes.md")
    options = parser.parse_args()
    parts, broken = list[str](), False
    if options.data is not None:
        made = list(_recorded(options.data, options.replications, options.seed))
        head = ["cache", "runs", "missed savings, median error", "within ±10 %", "writes exact", "δ_S, or lifetime, covered"]
        parts.append(table(head, [cells for _, cells, _ in made]))
        broken |= not all(kept for *_, kept in made)
        counts: Counter[str] = recorded_causes(options.data / "prompt_cache_bench_2026_06_19.jsonl.gz")
        parts.append(table(["recorded benchmark", "requests"], [[name, f"{n:,}"] for name, n in counts.items()]))
    stories = list(_stories(options.replications, options.seed))
    head = ["economy", "runs", "raise anything", "elsewhere", "found", "median error", "within ±25 %"]
    parts.append(table(head, [cells for cells, _ in stories]))
    broken |= not all(kept for _, kept in stories)
    command = (
        f"`python -m bench truth cache --replications {options.replications} --seed {options.seed} --write` made these tables."
    )
    print("\n\n".join([command, *parts]))
    if options.write:
        replace_section(MODES, "cache", "\n\n".join([command, *parts]))
    print("promises kept" if not broken else "A PROMISE IS BROKEN", file=sys.stderr)
    return int(broken)
