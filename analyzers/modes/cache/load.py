"""Prompts of a tenant's calls, read from the books and their records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import psycopg

from analyzers.effects.estimate import Floats, Ints
from analyzers.modes.cache.prompts import LIFETIME_S, LONG_LIFETIME_S, Prompts
from ledger.queries import queries

CALLS_MAX = 300_000
"""Calls of a tenant that are looked at, so that one look does not take minutes."""
_SQL = queries("analyzers", "cache")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Prompts with what their codes mean: `places` are (agent, task class), `families` (agent, task class, layer, is
    verification, model), `providers` their names. `traces` and `spans` stand in the order of the calls."""

    prompts: Prompts
    traces: tuple[str, ...]
    spans: tuple[str, ...]
    places: tuple[tuple[str, str], ...]
    families: tuple[tuple[Any, ...], ...]
    providers: tuple[str, ...]


def load(
    connection: psycopg.Connection, tenant_id: int, since: datetime, until: datetime, *, only_cached: bool = False
) -> Loaded:
    """The tenant's booked calls that began from `since` to before `until`, the latest CALLS_MAX of them.

    `only_cached`: those only that read or wrote a cache, and all of them.
    """
    calls_max = None if only_cached else CALLS_MAX
    of = {"tenant_id": tenant_id, "since": since, "until": until, "calls_max": calls_max, "only_cached": only_cached}
    return loaded(connection.execute(_SQL["cacheable_calls"], of).fetchall())


def loaded(rows: Sequence[Sequence[Any]]) -> Loaded:
    """Rows of `cacheable_calls` as arrays. A count that a call does not report is 0 where its emitter reports such counts at
    all."""
    columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(21)]
    (traces, spans, at, agent, task_class, layer, verifies, model, thread, upstream, emitter, fresh, read, written, output,
     input_rate, read_rate, write_rate, is_long, keys, value) = columns  # fmt: skip
    provider = [name.partition("|")[0] for name in upstream]
    places, place = _codes(list(zip(agent, task_class, strict=True)))
    families, family = _codes(list(zip(agent, task_class, layer, verifies, model, strict=True)))
    sequence = _codes(list(zip(thread, agent, task_class, layer, verifies, model, strict=True)))[1]
    emitters, emits = _codes([(e, p) for e, p in zip(emitter, provider, strict=True)])
    telling = np.zeros(len(emitters), dtype=bool)
    telling[[code for code, r, w in zip(emits, read, written, strict=True) if r is not None or w is not None]] = True
    providers, provided = _codes(provider)
    names: dict[str, int] = {}
    lifetime = np.where(np.array(is_long, dtype=bool), LONG_LIFETIME_S, LIFETIME_S)
    read_tokens, written_tokens = _numbers(read, 0.0), _numbers(written, 0.0)
    prompts = Prompts(
        at_s=_numbers(at), whole=_numbers(fresh) + read_tokens + written_tokens, read=read_tokens, written=written_tokens,
        output=_numbers(output), is_told=telling[emits], input_rate=_numbers(input_rate), read_rate=_numbers(read_rate),
        write_rate=_numbers(write_rate), lifetime_s=lifetime,
        sequence=sequence, family=family, place=place, provider=provided, upstream=_codes(upstream)[1],
        keys=tuple(tuple(names.setdefault(key, len(names)) for key in stated or ()) for stated in keys),
        value_usd=_numbers(value),
    )  # fmt: skip
    return Loaded(prompts, tuple(traces), tuple(spans), places, families, providers)


def _numbers(values: list[Any], missing: float = np.nan) -> Floats:
    return np.array([missing if value is None else value for value in values], dtype=np.float64)


def _codes(values: list[Any]) -> tuple[tuple[Any, ...], Ints]:
    """Distinct values in their order, and for each value its place among them."""
    distinct = tuple(sorted(set(values)))
    place = {value: code for code, value in enumerate(distinct)}
    return distinct, np.array([place[value] for value in values], dtype=np.int64)
