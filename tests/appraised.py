"""Decisions and what is thought of them, put into the books by hand: for tests of what is shown, with numbers known before."""

from __future__ import annotations

from datetime import UTC, datetime

from analyzers.tasks import settle
from ledger.database import connect

HOSTILE = "<img src=x onerror=alert(1)>\u202e 🜂"

# One case for each thing that can be thought of a decision; tasks take them in turn.
_CASES = """
create temp table cases on commit drop as
select * from (values
    (0, 'demand', 'route', 'support.faq', array['small', 'medium', 'large'], 3, 1, 'appraised',
     array[1.80, 1.84, 1.86], array[0.02, 0.06, 0.20], array[0.01, 0.01, 0.02], array[0.0, 0.0, 0.0], array[0.02, 0.03, 0.0],
     0.13, 0.09, 0.17),
    (1, 'action', 'verify', 'code.fix_test', array['0', '1', '2'], 1, 2, 'appraised',
     array[3.0, 4.2, 4.3], array[0.4, 0.6, 0.9], array[0.1, 0.2, 0.3], array[0.5, 0.1, 0.1], array[0.0, 0.1, 0.2],
     1.30, 1.10, 1.50),
    (2, 'action', 'confirm', 'support.refund', array['asked', 'not_asked'], 2, 1, 'not_enough_evidence',
     array[9.0, 9.0], array[0.3, 0.3], array[0.5, 0.0], array[0.4, 1.2], array[0.6, 0.0],
     0.30, 0.0, 1.5),
    (3, 'supply', 'serve', 'research.report', array['engine-a', 'engine-b'], 1, null, 'not_identified',
     array[null, null]::numeric[], array[0.7, null], array[null, null]::numeric[], array[null, null]::numeric[],
     array[null, null]::numeric[], null, null, null),
    (4, 'capital', 'cache', HOSTILE, array['written', HOSTILE], 2, 2, 'appraised',
     array[2.0, 2.0], array[0.5, 0.4], array[0.0, 0.0], array[0.0, 0.0], array[0.01, 0.0],
     0.0, 0.0, 0.0)
) c (n, layer, kind, task_class, options, chosen, best, status, value, cost, latency, risk, error, regret, low, high)
"""

# What is told of the tasks: prices that hold for all of them, and the outcomes of four in five.
_TOLD = """
insert into pigou.price_policy (tenant_id, task_class, revision, valid, v_usd, lambda_usd_per_s, rho, grace_s, source)
values (0, '*', 1, '[2000-01-01, infinity)', 2, 0.001, 1, 0, 'tests');
insert into pigou.outcome (tenant_id, outcome_id, trace_id, source, name, quality, occurred_at)
select tenant_id, md5(encode(trace_id, 'hex'))::uuid, trace_id, 'feedback', 'resolved', 0.9, min(started_at)
  from (select *, dense_rank() over (order by trace_id) as turn from pigou.record) r
 where turn % 5 <> 3
 group by tenant_id, trace_id
"""

_TASKS = """
create temp table judged on commit drop as
select t.tenant_id, t.trace_id, coalesce(t.root_span_id, '\\x00'::bytea) as span_id, t.started_at, t.agent, c.*,
       md5(encode(t.trace_id, 'hex') || c.kind)::uuid as decision_id, hashtext(c.kind)::bigint as comparison
  from (select *, row_number() over (order by trace_id) % 5 as turn from pigou.task) t
  join cases c on c.n = t.turn;
update pigou.task k set task_class = j.task_class, class_source = 'explicit'
  from judged j where j.tenant_id = k.tenant_id and j.trace_id = k.trace_id
"""

_DECISIONS = """
insert into pigou.decision
       (tenant_id, decision_id, decided_at, trace_id, span_id, layer, kind, task_class, agent, options, chosen, propensity,
        propensities, predicted_quality, assignment, features, feature_names, own_cost_usd, provenance, comparison)
select tenant_id, decision_id, started_at, trace_id, span_id, layer, kind, task_class, agent, options, chosen,
       case when kind = 'route' then 0.9 end, case when kind = 'route' then array[0.05, 0.05, 0.9] end, null,
       case when kind = 'route' then 'logged' else 'unknown' end, array[7.25, null], array['log_prompt_tokens', 'daytime'], 0.05,
       '{"chosen": "the passes of verification that were seen"}', comparison
  from judged
"""

_SEGMENTS = """
insert into pigou.comparison (tenant_id, comparison, layer, kind, task_class, options, assignment, run_id, fingerprint, method, n)
select distinct on (tenant_id, comparison) tenant_id, comparison, layer, kind, task_class, options, 'logged', 1, 'by hand',
       'attribution/1: logged propensities, doubly robust', count(*) over (partition by tenant_id, comparison)
  from judged order by tenant_id, comparison;
insert into pigou.segment
       (tenant_id, comparison, segment, label, value_band, chosen, best, n, tasks, regret_usd, regret_low_usd, regret_high_usd,
        changes, materiality_usd, status, why, needs_outcomes, needs_exploration, is_discovery)
select tenant_id, comparison, 0, min(options[chosen]) || ', below 5 USD', 'below 5 USD', min(options[chosen]),
       coalesce(min(options[best]), ''), count(*), count(*), sum(regret), sum(low), sum(high), '{}', 0.01, min(status),
       case min(status) when 'not_identified' then 'nothing of engine-b was seen'
                        when 'not_enough_evidence' then 'the interval includes 0' else '' end,
       case min(status) when 'not_enough_evidence' then 240 end, case min(status) when 'not_identified' then 0.05 end,
       coalesce(min(low) > 0, false)
  from judged group by tenant_id, comparison
"""

_BESIDE = """
update pigou.segment set pooled_usd = 1.25, pooled_low_usd = 0.5, pooled_high_usd = 2, pooled_own = 0.3, pooled_segments = 7,
       pooled_sets = 4
 where status = 'not_enough_evidence';
insert into pigou.latency_effect (tenant_id, comparison, option, base, share, base_s, later_s, later_low_s, later_high_s, n,
                                  tasks, status, why, needs_outcomes, needs_exploration, is_discovery)
select c.tenant_id, c.comparison, case c.kind when 'cache' then HOSTILE else c.options[2] end, c.options[1], x.share, x.base_s,
       x.later_s, x.low_s, x.high_s, c.n, c.n, x.status, x.why, x.outcomes, x.exploration, x.stands
  from pigou.comparison c
  join (values ('route', 0.5, 4.0, -1.25, -1.75, -0.5, 'identified', '', null, null, true),
               ('route', 0.95, 30.0, 12.5, 4.0, 22.0, 'identified', '', null, null, false),
               ('verify', 0.5, 4.0, 0.1, -0.2, 0.3, 'identified', '', null, null, false),
               ('verify', 0.95, null, null, null, null, 'not_enough_evidence', 'too few beyond it', 310, 0.25, false),
               ('cache', 0.5, null, null, null, null, 'not_identified', HOSTILE, null, null, false))
       x (kind, share, base_s, later_s, low_s, high_s, status, why, outcomes, exploration, stands) on x.kind = c.kind
"""

_APPRAISALS = """
insert into pigou.appraisal
       (tenant_id, decision_id, decided_at, comparison, segment, run_id, option_value, option_cost, option_latency, option_risk,
        option_net, option_error, best, regret_usd, regret_low_usd, regret_high_usd, pull, status)
select tenant_id, decision_id, started_at, comparison, 0, 1, value, cost, latency, risk,
       (select array_agg(v - c - l - r order by place)
          from unnest(value, cost, latency, risk) with ordinality u (v, c, l, r, place)),
       error, best, regret, low, high, coalesce(regret - low, 0) / 1.96, status
  from judged
"""


def judge(dsn: str) -> int:
    """Settle every trace, and give each task one decision with its appraisal; answers how many there are."""
    with connect(dsn, "writer") as writer:
        writer.execute(_TOLD.encode())
        settle(writer, since=datetime(2000, 1, 1, tzinfo=UTC))
    with connect(dsn, "owner") as connection, connection.transaction():
        quoted = "'" + HOSTILE + "'"
        for step in (_CASES, _TASKS, _DECISIONS, _SEGMENTS, _BESIDE, _APPRAISALS):
            connection.execute(step.replace("HOSTILE", quoted).encode())
        row = connection.execute("select count(*) from judged").fetchone()
    assert row is not None
    return int(row[0])
