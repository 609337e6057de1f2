"""Tasks with one logged route each, put into the database by hand: what is known of their options is known to the test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

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
    given = {
        "tenant_id": tenant_id,
        "task_class": task_class,
        "v_usd": v_usd,
        "v_source": "none" if v_usd is None else "explicit",
        "trace_ids": [seed.to_bytes(4, "big") + i.to_bytes(12, "big") for i in range(n)],
        "span_ids": [i.to_bytes(8, "big") for i in range(n)],
        "times": [BEGAN + timedelta(days=10) * i / max(1, n - 1) for i in range(n)],
        "chosen": (chosen + 1).tolist(),
        "quality": quality.tolist(),
        "cost_usd": [Decimal(str(COST_USD[c])) for c in chosen],
        "latency_s": [LATENCY_S[c] for c in chosen],
        "risk_usd": [Decimal(str(LOSS_USD[c])) for c in chosen],
    }
    owner.execute(
        """insert into pigou.task (tenant_id, trace_id, root_span_id, started_at, ended_at, settled_at, revision, settled_by,
                                   task_class, class_source, value_usd, value_source, price_source, deadline_source,
                                   quality, outcome_source, cost_usd, latency_s, risk_usd, loss_usd, calls, unpriced_calls,
                                   spans, problems, content_hash)
           select %(tenant_id)s, t, s, at, at, now(), 0, 'ended', %(task_class)s, 'explicit', %(v_usd)s, %(v_source)s, 'none',
                  'none', quality, 'attribute', cost, latency, risk, 0, 1, 0, 1, '{}', ''
             from unnest(%(trace_ids)s::bytea[], %(span_ids)s::bytea[], %(times)s::timestamptz[], %(quality)s::float8[],
                         %(cost_usd)s::numeric[], %(latency_s)s::float8[], %(risk_usd)s::numeric[])
                  as each (t, s, at, quality, cost, latency, risk)""",
        given,
    )
    owner.execute(
        """insert into pigou.decision (tenant_id, decision_id, decided_at, trace_id, span_id, layer, kind, task_class,
                                       options, chosen, propensity, propensities, assignment, features, feature_names,
                                       provenance, comparison)
           select %(tenant_id)s, gen_random_uuid(), at, t, s, 'demand', 'route', %(task_class)s, array['cheap', 'frontier'],
                  chosen, 0.5, array[0.5, 0.5], 'logged', '{}', '{}', '{}', hashtextextended(%(task_class)s, 0)
             from unnest(%(trace_ids)s::bytea[], %(span_ids)s::bytea[], %(times)s::timestamptz[], %(chosen)s::smallint[])
                  as each (t, s, at, chosen)""",
        given,
    )
    return tenant_id
