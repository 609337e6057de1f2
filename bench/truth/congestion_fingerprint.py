"""The fingerprint of prediction 3 against economies in which others' long contexts are in the way, or only come when it is slow
anyway.

A fortnight whose days are short (an hour and a third), with the rhythm of office hours, busier and quieter days, and long
contexts in bursts. Shared: everybody on one engine. Null: an engine with ample room. Confounded: the long contexts run on an
engine of their own, but come when everybody comes, and the machine is slower by day and on busy days. Apart: on an engine of
their own, and nobody is slower for another reason; ample room is no null within hours of days, where so little is seen.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from analyzers.attribution.predictions import long_contexts_slow_others
from analyzers.effects.estimate import Bools, Floats, Ints
from analyzers.modes.congestion.fingerprint import Fingerprint, fingerprint, windows
from analyzers.modes.congestion.timeline import Served
from bench.truth.engine import Load, Plant, Told, serve

Kind: TypeAlias = Literal["shared", "null", "apart", "confounded"]
DAYS, HOUR_S = 14, 200.0
DAY_S = 24 * HOUR_S
WINDOW_S = HOUR_S / 4
LONG_TOKENS = 16_000.0
_RHYTHM = np.array([2, 1, 1, 1, 1, 2, 4, 8, 14, 18, 18, 16, 13, 15, 17, 17, 15, 12, 8, 6, 5, 4, 3, 2]) / 8.5
How: TypeAlias = Literal["fingerprint", "regression"]
_ROWS: tuple[tuple[str, Kind, How], ...] = (
    ("fingerprint: others' long contexts on the same engine", "shared", "fingerprint"),
    ("fingerprint, null: ample room", "null", "fingerprint"),
    ("fingerprint, confounded: the same rhythm, another engine", "confounded", "fingerprint"),
    ("fingerprint, null: another engine", "apart", "fingerprint"),
    ("regression instead of a fingerprint: others' long contexts on the same engine", "shared", "regression"),
    ("regression instead of a fingerprint, confounded: the same rhythm, another engine", "confounded", "regression"),
    ("regression instead of a fingerprint, null: another engine", "apart", "regression"),
)
_SEEDS: dict[Kind, int] = {"shared": 0, "null": 1, "confounded": 2, "apart": 3}
HEADER = ("| economy | runs | windows | flat-rate victims found | promise kept |", "|---|---|---|---|---|")


def table(replications: int, seed: int, only: str) -> tuple[list[str], bool]:
    """The rows, printed as they are made, and whether a promise is broken.

    None is made of the regression, which is there to be compared with.
    """
    lines, broken = [*HEADER], False
    print("", *HEADER, sep="\n")
    for title, kind, how in _ROWS:
        if only not in title:
            continue
        began = time.monotonic()
        runs = [
            once(kind, np.random.default_rng([seed, 100 + _SEEDS[kind], replication]), how) for replication in range(replications)
        ]
        found = float(np.mean([run.verdict == "found" for run in runs]))
        good = found >= 0.9 if kind == "shared" else found <= 0.05
        said = "power ≥ 90 %" if kind == "shared" else "≤ 5 % false alarms"
        seen = float(np.mean([run.windows for run in runs]))
        kept = f"{'yes' if good else 'NO'}: {said}" if how == "fingerprint" else "– (nothing is promised of it)"
        lines.append(f"| {title} | {replications} | {seen:,.0f} | {100 * found:.1f} % | {kept} |")
        broken |= how == "fingerprint" and not good
        print(lines[-1], flush=True)
        print(f"{title}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return lines, broken


def once(kind: Kind, rng: np.random.Generator, how: How = "fingerprint") -> Fingerprint:
    """One fortnight and the test of its short tenant."""
    seen, own = fortnight(kind, rng)
    long = seen.kv_tokens >= LONG_TOKENS
    made = windows(seen, own & ~long, ~own & long, WINDOW_S, 0.0, DAY_S)
    if how == "regression":
        hour = made.hour.astype(np.float64)
        held = long_contexts_slow_others(made.latency_s, made.others_long_tokens, own_tokens=made.traffic[:, 0], hour=hour)
        return Fingerprint("found" if held.verdict == "holds" else "not found", None, None, None, None, None, len(hour))
    return fingerprint(
        made.latency_s,
        made.others_long_tokens,
        traffic=made.traffic,
        hour=made.hour,
        day=made.day,
        seed=int(rng.integers(1 << 31)),
    )


def fortnight(kind: Kind, rng: np.random.Generator) -> tuple[Served, Bools]:
    """The spans of a fortnight, and which of them are the short tenant's."""
    busy = np.exp(rng.normal(0, 0.3, DAYS))
    rate = np.outer(busy, _RHYTHM).ravel()
    short_at = _times(0.12 * rate, rng)
    other_at = _times(0.05 * rate, rng)
    bursts = rate * rng.gamma(1.0, 1.0, len(rate)) * (rng.random(len(rate)) < 0.5) * 2
    long_at = _times(0.006 * bursts, rng)
    at = np.concatenate([short_at, other_at, long_at])
    whose = np.repeat([0, 1, 2], [len(short_at), len(other_at), len(long_at)])
    order = np.argsort(at, kind="stable")
    at, whose = at[order], whose[order]
    prompt = np.where(whose == 2, rng.uniform(30_000, 70_000, len(at)), np.exp(rng.normal(7.0, 0.5, len(at)))).astype(np.int64)
    output = np.where(whose == 2, rng.uniform(500, 1_500, len(at)), rng.uniform(30, 200, len(at))).astype(np.int64)
    load = Load(at, prompt, output, whose, np.full(len(at), 0.001), np.exp(rng.normal(0, 0.05, len(at))))
    told = _served(kind, load, rate, rng)
    whole = (prompt + output).astype(float)
    seen = Served(
        at, told.queue_s, told.prefill_s, told.decode_s, prompt.astype(float), output.astype(float), whole, load.lam, whose,
        np.full(len(at), -1),
    )  # fmt: skip
    return seen, whose == 0


def _served(kind: Kind, load: Load, rate: Floats, rng: np.random.Generator) -> Told:
    noise = np.exp(rng.normal(0, 0.05, len(rate)))
    if kind == "shared":
        return serve(Plant(batch_max=32, kv_max=200_000.0, pace=tuple(noise), pace_s=HOUR_S), load)
    pace = noise * (1 + 0.3 * rate) if kind == "confounded" else noise
    ample = Plant(
        batch_max=512, kv_max=1e8, per_sequence_s=1e-6, per_kv_token_s=0.0, chunk_tokens=16, pace=tuple(pace), pace_s=HOUR_S
    )
    apart = [serve(ample, load, mask) for mask in (load.tenant == 2, load.tenant != 2)]
    if kind == "null":  # a prompt's piece in a step is too small to be felt
        return serve(replace(ample, prefill_per_token_s=1e-7, chunk_tokens=0), load)
    own: Bools = load.tenant == 2
    long, rest = apart[1], apart[0]
    pairs = (
        (long.queue_s, rest.queue_s),
        (long.prefill_s, rest.prefill_s),
        (long.decode_s, rest.decode_s),
        (long.batch, rest.batch),
    )
    return Told(*(np.where(own, one, other) for one, other in pairs))


def _times(per_s: Floats, rng: np.random.Generator) -> Floats:
    counts: Ints = rng.poisson(per_s * HOUR_S)
    return np.sort(np.repeat(np.arange(len(per_s)) * HOUR_S, counts) + HOUR_S * rng.random(int(counts.sum())))
