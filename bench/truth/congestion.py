"""Congestion of a shared engine against a truth that is computed: the same arrivals served again without each tenant and
request.

usage: python -m bench truth congestion [--data DIR] [--replications N] [--write]

Arrivals are five minutes of a recorded service (`serving/azure_llm_2023_{conv,code}.csv` under DIR), each of its two files
divided between two tenants at random; without DIR, arrivals of the same character are drawn. Engines, loads, prices of seconds
and noise are drawn anew in every run. Prints one table for the dollars imposed and one for the fingerprint of prediction 3;
exit 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from scipy import stats

from analyzers.effects.estimate import Bools, Floats, Ints
from analyzers.modes.congestion.external import Imposed, imposed, is_felt, marginal, total
from analyzers.modes.congestion.fit import fit
from analyzers.modes.congestion.timeline import Served
from bench.truth import congestion_fingerprint
from bench.truth.engine import Load, Plant, Told, external, faster, masks, of_some, serve, utilisation

MODES = Path(__file__).resolve().parents[2] / "docs" / "modes.md"
SPAN_S = 300.0
TENANTS = 4
SAMPLED = 30

Trace = tuple[Floats, Ints, Ints]


@dataclass(frozen=True, slots=True)
class Economy:
    """One row: how an engine and its load are drawn, and what is promised of it."""

    title: str
    promise: str
    draw: Callable[[np.random.Generator], tuple[Plant, Load]]


@dataclass
class Tally:
    """What came of the runs of one row."""

    runs: int = 0
    requests: int = 0
    errors: list[float] = field(default_factory=list[float])
    covered: list[bool] = field(default_factory=list[bool])
    ranks: list[float] = field(default_factory=list[float])
    ranks_usd: list[float] = field(default_factory=list[float])
    named: list[bool] = field(default_factory=list[bool])
    raised: list[bool] = field(default_factory=list[bool])

    def kept(self, promise: str) -> bool:
        """Whether the promise is kept."""
        if promise == "nothing":
            return _mean(self.raised) <= 0.05
        within = _mean([abs(error) <= 0.20 for error in self.errors])
        return within >= 0.95 and min(_median(self.ranks), _median(self.ranks_usd)) >= 0.9 and _mean(self.named) >= 0.95

    def row(self, title: str, promise: str) -> str:
        """The row of the table."""
        errors = np.abs(self.errors)
        finding = promise == "found"
        cells = [
            title, f"{self.runs}", f"{self.requests / max(1, self.runs):,.0f}",
            f"{100 * _mean([abs(e) <= 0.2 for e in self.errors]):.1f} %" if finding else "–",
            f"{100 * float(np.median(errors)):.1f} % / {100 * float(np.quantile(errors, 0.95)):.1f} %" if finding else "–",
            f"{100 * _mean(self.covered):.1f} %",
            f"{_median(self.ranks):.3f}, {_median(self.ranks_usd):.3f}" if finding else "–",
            f"{100 * _mean(self.named):.1f} %" if finding else "–",
            f"{100 * _mean(self.raised):.1f} %",
            f"{'yes' if self.kept(promise) else 'NO'}: {_promised(promise)}",
        ]  # fmt: skip
        return "| " + " | ".join(cells) + " |"


_COLUMNS = (
    "economy", "runs", "requests", "tenants within ±20 %", "error, median / 95th", "interval covers",
    "Spearman over requests: seconds, USD", "worst culprit named", "raises a finding", "promise kept",
)  # fmt: skip
HEADER = ("| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS))


def main() -> int:
    """Run all rows, print both tables, write them where asked."""
    parser = argparse.ArgumentParser(prog="python -m bench truth congestion", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with serving/; without it arrivals are drawn")
    parser.add_argument("--replications", type=int, default=200, help="of each row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose title holds these words")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/modes.md")
    given = parser.parse_args()
    missing = [path for path in _paths(given.data) if not path.is_file()] if given.data else []
    if missing:
        print(f"{missing[0]} is not there: give the folder that holds serving/ with --data, or leave it out", file=sys.stderr)
        return 2
    economies = [*(recorded(given.data) if given.data else ()), *drawn()]
    lines, broken = [*HEADER], False
    print(*HEADER, sep="\n")
    for place, economy in enumerate(economies):
        if given.only not in economy.title:
            continue
        began, tally = time.monotonic(), Tally()
        for replication in range(given.replications):
            once(tally, economy, np.random.default_rng([given.seed, place, replication]))
        lines.append(tally.row(economy.title, economy.promise))
        broken |= not tally.kept(economy.promise)
        print(lines[-1], flush=True)
        print(f"{economy.title}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    tested, failed = congestion_fingerprint.table(given.replications, given.seed, given.only)
    lines += ["", *tested]
    if given.write:
        write(lines, given.replications, given.seed)
    return int(broken or failed)


def once(tally: Tally, economy: Economy, rng: np.random.Generator) -> None:
    """One run: serve, estimate from what spans tell, and serve again without each tenant and without some requests."""
    plant, load = economy.draw(rng)
    told = serve(plant, load)
    seen = spans(load, told)
    engine = fit(seen)
    tally.runs += 1
    tally.requests += len(load.prompt)
    if engine is None:
        tally.raised.append(False)
        return
    culprits = masks(load, range(TENANTS))
    found = imposed(seen, engine, culprits)
    truth = [float(external(plant, load, culprit, told) @ load.lam) for culprit in culprits]
    _compare(tally, found, truth, seen)
    if economy.promise == "found":
        chosen = np.sort(rng.choice(len(load.prompt), min(SAMPLED, len(load.prompt)), replace=False))
        seconds, usd = marginal(seen, engine, chosen)
        alone = of_some(plant, load, chosen, told)
        tally.ranks.append(float(stats.spearmanr(seconds, alone.sum(axis=1))[0]))
        tally.ranks_usd.append(float(stats.spearmanr(usd, alone @ load.lam)[0]))


def _compare(tally: Tally, found: list[Imposed], truth: list[float], seen: Served) -> None:
    money = [total(one, seen.lam) for one in found]
    worst = max(truth)
    for ours, theirs in zip(money, truth, strict=True):
        tally.covered.append(ours.low <= theirs <= ours.high)
        if theirs >= 0.05 * worst:
            tally.errors.append(ours.value / theirs - 1)
    tally.named.append(int(np.argmax([one.value for one in money])) == int(np.argmax(truth)))
    tally.raised.append(any(is_felt(one, seen.latency_s, seen.lam, len(found)) for one in found))


def spans(load: Load, told: Told) -> Served:
    """What the engine's own spans say: times in microseconds, tokens, whose."""
    whole = (load.prompt + load.output).astype(float)
    queue, prefill, decode = (np.round(times, 6) for times in (told.queue_s, told.prefill_s, told.decode_s))
    tokens, steps = load.prompt.astype(float), load.output.astype(float)
    alone = np.full(len(whole), -1)
    return Served(np.round(load.arrived_s, 6), queue, prefill, decode, tokens, steps, whole, load.lam, load.tenant, alone)


def recorded(folder: Path) -> list[Economy]:
    """The rows over recorded arrivals."""
    traces = [_read(path) for path in _paths(folder)]

    def asked(rng: np.random.Generator) -> Load:
        return _asked([_cut(trace, rng) for trace in traces], rng)

    slow = "confounded: ample, the machine slow when the heavy one comes"
    return [
        Economy("recorded arrivals, prefill stalls decoding", "found", lambda rng: _shared(asked(rng), rng, 0)),
        Economy("recorded arrivals, chunked prefill", "found", lambda rng: _shared(asked(rng), rng, _chunk(rng))),
        Economy("recorded arrivals, prompts prefilled together", "found", lambda rng: _shared(asked(rng), rng, 512, 8)),
        Economy("null: recorded arrivals, ample capacity", "nothing", lambda rng: _ample(asked(rng), rng, daily=False)),
        Economy(slow, "nothing", lambda rng: _ample(asked(rng), rng, daily=True)),
    ]  # fmt: skip


def _paths(folder: Path) -> list[Path]:
    return [folder / "serving" / f"azure_llm_2023_{name}.csv" for name in ("conv", "code")]


def drawn() -> list[Economy]:
    """The rows over arrivals that are drawn: Poisson with bursts, lognormal prompts and answers."""

    def asked(rng: np.random.Generator) -> Load:
        conv = _trace(rng, 5.5, (6.6, 1.1), (5.0, 1.0))
        code = _trace(rng, 2.5, (7.3, 0.9), (2.8, 0.8))
        return _asked([conv, code], rng)

    return [
        Economy("drawn arrivals, prefill stalls decoding", "found", lambda rng: _shared(asked(rng), rng, 0)),
        Economy("drawn arrivals, chunked prefill", "found", lambda rng: _shared(asked(rng), rng, 512)),
        Economy("null: drawn arrivals, ample capacity", "nothing", lambda rng: _ample(asked(rng), rng, daily=False)),
    ]


def _read(path: Path) -> Trace:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    at = np.array([datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp() for row in rows])
    prompt = np.array([int(row["ContextTokens"]) for row in rows], dtype=np.int64)
    output = np.array([max(1, int(row["GeneratedTokens"])) for row in rows], dtype=np.int64)
    return at - at[0], prompt, output


def _cut(trace: Trace, rng: np.random.Generator) -> Trace:
    at, prompt, output = trace
    begins = float(rng.uniform(0, float(at[-1]) - SPAN_S))
    inside: Bools = (at >= begins) & (at < begins + SPAN_S)
    return at[inside] - begins, prompt[inside], output[inside]


def _trace(rng: np.random.Generator, per_s: float, prompt: tuple[float, float], output: tuple[float, float]) -> Trace:
    pieces = int(SPAN_S / 5)
    counts = rng.poisson(per_s * 5 * rng.gamma(4.0, 0.25, pieces))
    at = np.sort(np.repeat(np.arange(pieces) * 5.0, counts) + 5.0 * rng.random(int(counts.sum())))
    tokens = [
        np.clip(np.exp(rng.normal(*law, len(at))), low, 14_000).astype(np.int64) for law, low in ((prompt, 16), (output, 1))
    ]
    return at, tokens[0], np.minimum(tokens[1], 1_000)


def _asked(traces: list[Trace], rng: np.random.Generator) -> Load:
    """The traces as one load, each divided between two tenants, with a price of seconds for each."""
    whose = [2 * place + (rng.random(len(trace[0])) < rng.uniform(0.2, 0.8)) for place, trace in enumerate(traces)]
    at, prompt, output = (np.concatenate(column) for column in zip(*traces, strict=True))
    order = np.argsort(at, kind="stable")
    tenant = np.concatenate(whose).astype(np.int64)[order]
    lam = rng.choice([0.0, 0.0005, 0.001, 0.002, 0.004], TENANTS)
    if not lam.any():
        lam[int(rng.integers(TENANTS))] = 0.001
    return Load(at[order], prompt[order], output[order], tenant, lam[tenant], np.exp(rng.normal(0, 0.05, len(at))))


def _shared(load: Load, rng: np.random.Generator, chunk: int, together: int = 1) -> tuple[Plant, Load]:
    """An engine that the load keeps busy for half to nine tenths of its time, and whose pace wanders by a few per cent."""
    plant = Plant(
        step_s=0.02 * rng.uniform(0.7, 1.4), per_sequence_s=0.0004 * rng.uniform(0.3, 3),
        per_kv_token_s=1.5e-7 * rng.uniform(0.3, 3), chunk_tokens=chunk, together=together,
        batch_max=int(rng.choice([16, 32, 64])), kv_max=float(rng.choice([60_000, 120_000, 240_000])),
        pace=tuple(np.exp(rng.normal(0, 0.03, 7))), pace_s=47.0,
    )  # fmt: skip
    return faster(plant, utilisation(plant, load) / rng.uniform(0.5, 0.9)), load


def _chunk(rng: np.random.Generator) -> int:
    return int(rng.choice([256, 512, 2048]))


def _ample(load: Load, rng: np.random.Generator, *, daily: bool) -> tuple[Plant, Load]:
    """An engine with so much room that nobody is in anybody's way; with `daily`, slow for a third of the time, in which most of
    the long prompts come."""
    plant = Plant(chunk_tokens=int(rng.choice([0, 512])), batch_max=256, kv_max=4e6)
    plant = faster(plant, utilisation(plant, load) / rng.uniform(0.005, 0.02))
    if not daily:
        return plant, load
    third = load.arrived_s // (SPAN_S / 3)
    heavy = load.prompt > np.quantile(load.prompt, 0.8)
    kept: Bools = ~heavy | (third == 1) | (rng.random(len(heavy)) < 0.2)
    fewer = Load(*(getattr(load, name)[kept] for name in ("arrived_s", "prompt", "output", "tenant", "lam", "noise")))
    return replace(plant, pace=(1.0, float(rng.uniform(1.5, 3.0)), 1.0), pace_s=SPAN_S / 3), fewer


def write(lines: list[str], replications: int, seed: int) -> None:
    """Put the tables between the markers of docs/modes.md. Raises: SystemExit when these are not there."""
    text = MODES.read_text(encoding="utf-8")
    start, end = "<!-- congestion:start -->", "<!-- congestion:end -->"
    if start not in text or end not in text:
        raise SystemExit(f"{MODES}: no markers {start} … {end}: put them where the tables are to stand")
    before, _, rest = text.partition(start)
    command = (
        f"`python -m bench truth congestion --data DIR --replications {replications} --seed {seed} --write` made these tables."
    )
    after = rest.partition(end)[2]
    MODES.write_text(before + "\n".join([start, "", command, "", *lines, "", end]) + after, encoding="utf-8")


def _mean(values: list[bool]) -> float:
    return float(np.mean(values)) if values else math.nan


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else math.nan


def _promised(promise: str) -> str:
    return "±20 % in 95 %, Spearman ≥ 0.9, culprit ≥ 95 %" if promise == "found" else "≤ 5 % raise one"
