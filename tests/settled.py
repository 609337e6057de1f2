"""Tasks put into the books by hand, for tests of what is made of settled tasks: one for each trace that has a root span."""

from __future__ import annotations

import psycopg

from analyzers.appraise import BEGINNING, END, attribute
from analyzers.decisions.derive import state_assignment
from ledger.database import connect
from ledger.post import open_tenants
from ledger.queries import queries

_MADE = queries("bench", "appraisal")

SETTLE = """
insert into pigou.task (tenant_id, trace_id, root_span_id, started_at, ended_at, settled_at, revision, settled_by, agent,
                        task_class, class_source, value_usd, value_source, lambda_usd_per_s, rho, price_source,
                        deadline_source, quality, outcome_source, cost_usd, latency_s, risk_usd, loss_usd, calls, unpriced_calls,
                        spans, problems, content_hash)
select r.tenant_id, r.trace_id, (array_agg(r.span_id order by r.started_at) filter (where r.parent_span_id is null))[1],
       min(r.started_at), max(r.ended_at), clock_timestamp(), 0, 'ended',
       (array_agg(r.agent order by r.parent_span_id is not null, r.started_at) filter (where r.agent is not null))[1],
       (array_agg(r.task_class order by r.started_at) filter (where r.task_class is not null))[1], 'explicit',
       max((r.attributes->>'allocation.task.value_usd')::numeric), 'explicit', 0.0005, 1, 'policy', 'none',
       max((r.attributes->>'allocation.outcome')::float8), 'attribute',
       (select case when bool_and(c.cost_usd is not null) then sum(c.cost_usd) end from pigou.call c
         where c.tenant_id = r.tenant_id and c.trace_id = r.trace_id and c.status <> 'duplicate'),
       extract(epoch from max(r.ended_at) filter (where r.signal = 'span') - min(r.started_at)),
       sum((r.attributes->>'allocation.risk.loss_usd')::numeric * (r.attributes->>'allocation.risk.probability')::numeric), 0,
       count(*) filter (where r.role = 'call'), 0, count(*), '{}', sha256(r.trace_id)
  from pigou.record r
 where r.signal = 'span' or r.name = 'gen_ai.evaluation.result'
 group by r.tenant_id, r.trace_id
having bool_or(r.signal = 'span')
on conflict (tenant_id, trace_id) do update set settled_at = excluded.settled_at, quality = excluded.quality,
    cost_usd = excluded.cost_usd
"""


def settle_all(writer: psycopg.Connection) -> int:
    """Settle every trace as it stands; answers how many there are."""
    return writer.execute(SETTLE).rowcount


def appraise_some(dsn: str, tasks: int = 90) -> None:
    """Books with what appraising leaves behind: made decisions of one tenant, appraised, and the traces there are as tasks."""
    with connect(dsn, "writer") as writer:
        state_assignment(writer, 0, "verify", "*", "recorded", "test")
    with connect(dsn, "owner") as owner:
        for month in range(3):
            owner.execute("select pigou.ensure_month((now() - make_interval(months => %s))::date)", (month,))
        owner.execute("select setseed(0.25)")
        of = {"tenant_id": open_tenants(owner, ["appraised"])["appraised"], "tasks": tasks, "classes": 1}
        owner.execute(_MADE["make_tasks"], of)
        owner.execute(_MADE["make_decisions"], of)
    with connect(dsn, "writer") as writer:
        settle_all(writer)
        attribute(writer, BEGINNING, END, 0, lambda _step, _done, _total: None)
