"""A recorded benchmark of prompt caches: the same prompt sent again and again through two gateways, and why it was missed."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from analyzers.modes.cache.causes import CAUSES, causes
from analyzers.modes.cache.prompts import Prompts, resends


def recorded_causes(path: Path) -> Counter[str]:
    """How many requests read the cache, were the first of their prompt, or missed it, by cause. Raises: OSError.

    Requests stand in the order of their rounds; when they were sent is not recorded, so that nothing can be said to have expired.
    """
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = sorted((json.loads(line) for line in lines), key=lambda row: (row["round"], row["request"] == "second"))
    prompts = _prompts(rows)
    sent = resends(prompts)
    found = causes(prompts, sent, np.full(len(rows), np.inf))
    counts = Counter(
        {"read": int((prompts.read > 0).sum()), "first of its prompt": int(((sent.previous < 0) & (prompts.read <= 0)).sum())}
    )
    for code, cause in enumerate(CAUSES):
        if (found == code).any():
            counts[f"missed: {cause}"] = int((found == code).sum())
    return counts


def _prompts(rows: list[dict[str, Any]]) -> Prompts:
    n = len(rows)
    upstreams = {name: code for code, name in enumerate(sorted({f"{r['provider']} {r['provider_name']}" for r in rows}))}
    threads = {key: code for code, key in enumerate(sorted({(r["provider"], r["sort"], r["group"]) for r in rows}))}
    gateways = {name: code for code, name in enumerate(sorted({r["provider"] for r in rows}))}
    gateway = np.array([gateways[r["provider"]] for r in rows])
    read = np.array([float(r["cache_read_tokens"]) for r in rows])
    return Prompts(
        at_s=np.arange(n, dtype=np.float64), whole=np.array([float(r["prompt_tokens"]) for r in rows]), read=read,
        written=np.zeros(n), output=np.array([float(r["completion_tokens"]) for r in rows]), is_told=np.ones(n, dtype=bool),
        input_rate=np.full(n, 1.4e-7), read_rate=np.full(n, 2.8e-9), write_rate=np.full(n, np.nan), lifetime_s=np.full(n, np.nan),
        sequence=np.array([threads[(r["provider"], r["sort"], r["group"])] for r in rows]), family=gateway, place=gateway,
        provider=gateway, upstream=np.array([upstreams[f"{r['provider']} {r['provider_name']}"] for r in rows]),
        keys=tuple(() for _ in rows), value_usd=np.full(n, np.nan),
    )  # fmt: skip
