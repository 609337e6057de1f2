"""Tasks with one logged route each, put into the database by hand: what is known of their options is known to the test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg

from ledger.post import open_tenants

BEGAN = datetime(2026, 11, 2, tzinfo=UTC)
QUALITY, COST_USD, LATENCY_S, LOSS_USD = (0.6, 0.9), (0.05, 0.45), (10.0, 4.0), (0.20, 0.05)
"""Of the options cheap and frontier. Costs, seconds and losses are exact; quality is the mean of successes drawn."""


def decide(
    owner: psycopg.Connection,
    n: int,
    *,
    task_class: str = "code.fix",
    v_usd: float | None = 2.0,
    tenant: str = "default",
    seed: int = 1,
) -> int:
    """`n` tasks of a class over ten days, each routed to either option with probability a half; answers the tenant's id."""
    with owner.transaction():
        tenant_id = open_tenants(owner, [tenant])[tenant]
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, 2, n)
    quality = (rng.random(n) < np.array(QUALITY)[chosen]).astype(float)
    rows = [
        {
            "tenant_id": tenant_id,
            "trace_id": seed.to_bytes(4, "big") + i.to_bytes(12, "big"),
            "span_id": i.to_bytes(8, "big"),
            "at": BEGAN + timedelta(days=10) * i / max(1, n - 1),
            "task_class": task_class,
            "v_usd": v_usd,
            "v_source": "none" if v_usd is None else "explicit",
            "chosen": int(c) + 1,
            "quality": float(q),
            "cost_usd": COST_USD[c],
            "latency_s": LATENCY_S[c],
            "risk_usd": LOSS_USD[c],
        }
        for i, (c, q) in enumerate(zip(chosen, quality, strict=True))
    ]
    with owner.cursor() as cursor:
        cursor.executemany(
            """insert into pigou.task (tenant_id, trace_id, root_span_id, started_at, ended_at, settled_at, revision, settled_by,
                                       task_class, class_source, value_usd, value_source, price_source, deadline_source,
                                       quality, outcome_source, cost_usd, latency_s, risk_usd, loss_usd, calls, unpriced_calls,
                                       spans, problems, content_hash)
               values (%(tenant_id)s, %(trace_id)s, %(span_id)s, %(at)s, %(at)s, now(), 0, 'ended', %(task_class)s, 'explicit',
                       %(v_usd)s, %(v_source)s, 'none', 'none', %(quality)s, 'attribute', %(cost_usd)s, %(latency_s)s,
                       %(risk_usd)s, 0, 1, 0, 1, '{}', '')""",
            rows,
        )
        cursor.executemany(
            """insert into pigou.decision (tenant_id, decision_id, decided_at, trace_id, span_id, layer, kind, task_class,
                                           options, chosen, propensity, propensities, assignment, features, feature_names,
                                           provenance, comparison)
               values (%(tenant_id)s, gen_random_uuid(), %(at)s, %(trace_id)s, %(span_id)s, 'demand', 'route', %(task_class)s,
                       array['cheap', 'frontier'], %(chosen)s, 0.5, array[0.5, 0.5], 'logged', '{}', '{}', '{}',
                       hashtextextended(%(task_class)s, 0))""",
            rows,
        )
    return tenant_id
