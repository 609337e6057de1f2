-- name: decisions
-- Decisions, one row each, with what is thought of them. Those that lost most are found through an index; others are looked for where
-- there are few of them, or another order is asked for.
with lost as materialized (
    select decided_at, tenant, layer, kind, task_class, agent, chosen, best, status,
           regret_usd, regret_low_usd, regret_high_usd, value_usd, cost_usd, latency_usd, risk_usd, net_usd,
           propensity, n, method, why, trace_id, span_id, decision_id
      from ledger.decisions
     where (tenant, decision_id, decided_at) in (
               select tenant, decision_id, decided_at
                 from ledger.decisions_lost({bounds}, {limit lost}, {asked tenant layer kind task_class agent chosen verdict}))
),
others as (
    select decided_at, tenant, layer, kind, task_class, agent, chosen, best, status,
           regret_usd, regret_low_usd, regret_high_usd, value_usd, cost_usd, latency_usd, risk_usd, net_usd,
           propensity, n, method, why, trace_id, span_id, decision_id
      from ledger.decisions
     where (not {most regret first} or (select count(*) from lost) < {limit or many} and (regret_usd is null or regret_usd <= 0))
       and {filters decided_at tenant layer kind task_class agent chosen verdict}
     order by {decision order}, decision_id
     limit {limit}
)
select * from lost union all select * from others
 order by {decision order}, decision_id
 limit {limit};

-- name: decisions_by_status
-- How many decisions were judged, and the regret of those whose interval excludes zero.
select status, sum(decisions) as decisions, sum(regret_usd) as regret_usd
  from {regret}
 where {filters - tenant layer kind task_class agent chosen}
 group by status
 order by status;

-- name: decision
-- One decision with all that was known before and all that is thought of it.
select d.tenant, d.decision_id, d.decided_at, d.trace_id, d.span_id, d.layer, d.kind, d.task_class, d.agent, d.chosen, d.best, d.status,
       d.regret_usd, d.regret_low_usd, d.regret_high_usd, d.propensity, d.assignment, d.context, d.provenance,
       d.segment, d.value_band, d.n, d.method, d.why, s.needs_outcomes, s.needs_exploration, s.is_discovery, s.tasks
  from ledger.decisions d
  left join ledger.segments s on s.tenant = d.tenant and s.comparison = d.comparison and s.segment_number = d.segment_number
 where d.decision_id = {decision_id} and {filters - d.tenant};

-- name: decision_options
-- The options of one decision with every term of the equation, in dollars, and its standard error against the chosen option's; a blank is
-- not known.
select option, is_chosen, is_best, value_usd, value_error_usd, cost_usd, cost_error_usd, latency_usd, latency_error_usd, risk_usd, risk_error_usd,
       net_usd, error_usd, propensity, predicted_quality
  from ledger.decision_options
 where decision_id = {decision_id} and {filters - tenant}
 order by place;

-- name: decision_neighbours
-- Decisions of the same kind and class of tasks, chosen alike, that were taken closest in time.
select n.decided_at, n.tenant, n.chosen, n.best, n.status, n.regret_usd, n.regret_low_usd, n.regret_high_usd, n.trace_id, n.decision_id
  from ledger.decisions_near({decision_id}, 12) w
  join ledger.decisions n on n.tenant = w.tenant and n.decision_id = w.decision_id and n.decided_at = w.decided_at
 where {filters - n.tenant}
 order by w.away_s, n.decision_id
 limit 12;

-- name: decision_findings
-- Findings that one decision belongs to: it is among their cases, or it was chosen as they say, in their class, since they began.
select f.tenant, f.finding_id, f.mode, f.sentence, f.usd_per_day, f.low, f.high, f.status
  from ledger.decisions d
  join ledger.findings f on f.tenant = d.tenant
 where d.decision_id = {decision_id} and {filters - d.tenant}
   and (exists (select from ledger.finding_examples e
                 where e.tenant = f.tenant and e.finding_id = f.finding_id and e.decision_id = d.decision_id)
        or (f.kind = d.kind and coalesce(f.task_class, '') = coalesce(d.task_class, '') and f.evidence -> 'detail' ->> 'chosen' = d.chosen
            and d.decided_at >= f.since))
 order by f.usd_per_day desc, f.finding_id;

-- name: trace_task
-- What a trace was worth as a task: class, value, outcome, cost, latency, risk and net.
select tenant, task_class, value_usd, quality, outcome_source, cost_usd, latency_s, risk_usd, net_usd, settled_at
  from ledger.tasks
 where trace_id = {trace_id} and (tenant, started_at) in (select tenant, started_at from ledger.trace_tasks({trace_id})) and {filters - tenant}
 order by tenant;

-- name: trace_decisions
-- What was decided in a trace, in order of time.
select decided_at, tenant, layer, kind, chosen, best, status, regret_usd, regret_low_usd, regret_high_usd, span_id, decision_id
  from ledger.decisions
 where decision_id in (select decision_id from ledger.trace_decisions({trace_id})) and {filters - tenant}
 order by decided_at, kind, decision_id
 limit {limit};

-- name: decision_filter_values
-- Values to filter decisions by that occur in this window, the most frequent first.
select dimension, value, decisions
  from (select dimension, value, sum(decisions) as decisions,
               row_number() over (partition by dimension order by sum(decisions) desc, value) as rank
          from (select kind, task_class, chosen, layer, agent, tenant, sum(decisions) as decisions
                  from {regret}
                 group by kind, task_class, chosen, layer, agent, tenant) as combinations
         cross join lateral (values ('kind', kind), ('task_class', task_class), ('chosen', chosen), ('layer', layer),
                                    ('agent', agent), ('tenant', tenant)) as d (dimension, value)
         group by dimension, value) as ranked
 where rank <= {limit}
 order by dimension, rank;
