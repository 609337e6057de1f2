-- What pages say of decisions and tasks, summed from single ones: the sums by day must answer the same. And lists of single ones without
-- any help of indexes.

-- name: standing
select d.tenant, d.decision_id, d.layer, d.kind, d.task_class, d.agent, d.chosen, d.best, d.value_band, d.status, d.why,
       s.needs_outcomes, s.needs_exploration,
       case when stands then d.regret_usd when d.status = 'appraised' then 0 end as usd,
       case when stands then d.regret_usd - d.regret_low_usd when d.status = 'appraised' then 0 end as below_usd,
       case when stands then d.regret_high_usd - d.regret_usd when d.status = 'appraised' then 0 end as above_usd,
       stands
  from ledger.decisions d
  left join ledger.segments s on s.tenant = d.tenant and s.comparison = d.comparison and s.segment_number = d.segment_number
 cross join lateral (values (coalesce(d.status = 'appraised' and d.regret_low_usd > 0 and s.is_discovery, false))) as c (stands)
 where {filters d.decided_at d.tenant d.layer d.kind d.task_class d.agent d.chosen}

-- name: regret_total
select sum(usd) / max(days) as usd_per_day,
       (sum(usd) - sqrt(sum(below_usd * below_usd))) / max(days) as low_usd_per_day,
       (sum(usd) + sqrt(sum(above_usd * above_usd))) / max(days) as high_usd_per_day,
       coalesce(sum(decisions), 0) as decisions,
       coalesce(sum(appraised), 0) as appraised,
       coalesce(sum(not_enough_evidence), 0) as not_enough_evidence,
       coalesce(sum(not_identified), 0) as not_identified,
       coalesce(sum(unappraised), 0) as unappraised,
       coalesce(sum(better), 0) as better,
       max(days) as days
  from (select tenant, task_class, sum(usd) as usd, sum(below_usd) as below_usd, sum(above_usd) as above_usd,
               count(*) as decisions,
               count(*) filter (where status = 'appraised') as appraised,
               count(*) filter (where status = 'not_enough_evidence') as not_enough_evidence,
               count(*) filter (where status = 'not_identified') as not_identified,
               count(*) filter (where status is null) as unappraised,
               count(*) filter (where stands) as better
          from {standing}
         group by tenant, task_class) as classes
 cross join {days}

-- name: regret_by_place
select layer, kind, task_class, chosen,
       mode() within group (order by best) as best,
       sum(usd) / max(days) as usd_per_day,
       count(*) as decisions
  from {standing}
 cross join {days}
 where stands
 group by layer, kind, task_class, chosen
 order by usd_per_day desc, kind, task_class, chosen
 limit {limit}

-- name: regret_by_kind
select kind,
       sum(usd) / max(days) as usd_per_day,
       (sum(usd) - sqrt(sum(below_usd * below_usd))) / max(days) as low_usd_per_day,
       (sum(usd) + sqrt(sum(above_usd * above_usd))) / max(days) as high_usd_per_day,
       sum(better) as decisions
  from (select tenant, kind, task_class, sum(usd) as usd, sum(below_usd) as below_usd, sum(above_usd) as above_usd,
               count(*) filter (where stands) as better
          from {standing}
         group by tenant, kind, task_class) as classes
 cross join {days}
 group by kind
 order by usd_per_day desc nulls last, kind

-- name: regret_by_class_and_kind
select task_class, kind,
       sum(usd) / max(days) as usd_per_day,
       (sum(usd) - sqrt(sum(below_usd * below_usd))) / max(days) as low_usd_per_day,
       (sum(usd) + sqrt(sum(above_usd * above_usd))) / max(days) as high_usd_per_day,
       sum(decisions) as decisions,
       sum(appraised) as appraised
  from (select tenant, kind, task_class, sum(usd) as usd, sum(below_usd) as below_usd, sum(above_usd) as above_usd,
               count(*) as decisions,
               count(*) filter (where status = 'appraised') as appraised
          from {standing}
         group by tenant, kind, task_class) as classes
 cross join {days}
 group by task_class, kind
 order by usd_per_day desc nulls last, task_class, kind

-- name: regret_by_term
select sum(d.value_usd) / max(days) as value_usd_per_day,
       -sum(d.cost_usd) / max(days) as cost_usd_per_day,
       -sum(d.latency_usd) / max(days) as latency_usd_per_day,
       -sum(d.risk_usd) / max(days) as risk_usd_per_day
  from {standing}
  join ledger.decisions d on d.tenant = standing.tenant and d.decision_id = standing.decision_id
 cross join {days}
 where stands

-- name: equimarginal
select layer, kind, task_class, chosen, step,
       mode() within group (order by other) as other,
       count(*) as decisions,
       sum(cost_usd) / max(days) as cost_usd_per_day,
       sum(cost_usd + net_usd) / nullif(sum(cost_usd) filter (where net_usd is not null), 0) as worth,
       (sum(cost_usd + net_usd) - 1.959964 * sum(error_usd)) / nullif(sum(cost_usd) filter (where net_usd is not null), 0) as worth_low,
       (sum(cost_usd + net_usd) + 1.959964 * sum(error_usd)) / nullif(sum(cost_usd) filter (where net_usd is not null), 0) as worth_high,
       max(why) as why
  from (select d.layer, d.kind, d.task_class, d.chosen, d.why, step.*
          from ledger.decisions d
          left join (select tenant, decision_id, is_chosen, cost_usd, net_usd,
                            lag(option) over by_cost as cheaper, lag(cost_usd) over by_cost as cheaper_cost_usd,
                            lag(net_usd) over by_cost as cheaper_net_usd, lag(error_usd) over by_cost as cheaper_error_usd,
                            lead(option) over by_cost as dearer, lead(cost_usd) over by_cost as dearer_cost_usd,
                            lead(net_usd) over by_cost as dearer_net_usd, lead(error_usd) over by_cost as dearer_error_usd
                       from ledger.decision_options
                      where cost_usd is not null and {filters decided_at}
                     window by_cost as (partition by tenant, decision_id order by cost_usd, option)) o
            on o.tenant = d.tenant and o.decision_id = d.decision_id and o.is_chosen
         cross join lateral (values
               ('last', o.cheaper, o.cost_usd - o.cheaper_cost_usd, o.net_usd - o.cheaper_net_usd, o.cheaper_error_usd),
               ('next', o.dearer, o.dearer_cost_usd - o.cost_usd, o.dearer_net_usd - o.net_usd, o.dearer_error_usd))
               as step (step, other, cost_usd, net_usd, error_usd)
         where (step.other is not null or step.step = 'last' and o.cheaper is null and o.dearer is null)
           and {filters d.decided_at d.tenant d.layer d.kind d.task_class d.agent d.chosen}) as steps
 cross join {days}
 group by layer, kind, task_class, chosen, step
 order by layer, kind, task_class, chosen, step

-- name: segments
select layer, kind, task_class, value_band, chosen,
       mode() within group (order by best) filter (where best <> chosen) as best,
       status, count(*) as decisions,
       sum(usd) / max(days) as usd_per_day,
       sum(usd - below_usd) / max(days) as low_usd_per_day,
       sum(usd + above_usd) / max(days) as high_usd_per_day,
       max(why) as why, max(needs_outcomes) as needs_outcomes, max(needs_exploration) as needs_exploration
  from {standing}
 cross join {days}
 group by layer, kind, task_class, value_band, chosen, status
 order by usd_per_day desc nulls last, decisions desc, kind, task_class, chosen, value_band
 limit {limit}

-- name: tasks_total
select count(*) as tasks,
       count(*) filter (where quality is not null) as with_outcome,
       count(*) filter (where value_usd is not null) as with_value,
       count(*) filter (where task_class is not null) as with_class,
       count(net_usd) as with_net,
       sum(net_usd) / max(days) as net_usd_per_day
  from ledger.tasks
 cross join {days}
 where {filters started_at tenant task_class agent}

-- name: decisions_by_status
select status, count(*) as decisions, sum(regret_usd) filter (where regret_low_usd > 0) as regret_usd
  from ledger.decisions
 where {filters decided_at tenant layer kind task_class agent chosen}
 group by status
 order by status

-- name: decision_filter_values
select dimension, value, decisions
  from (select dimension, value, sum(decisions) as decisions,
               row_number() over (partition by dimension order by sum(decisions) desc, value) as rank
          from (select kind, task_class, chosen, layer, agent, tenant, count(*) as decisions
                  from ledger.decisions
                 where {filters decided_at}
                 group by kind, task_class, chosen, layer, agent, tenant) as combinations
         cross join lateral (values ('kind', kind), ('task_class', task_class), ('chosen', chosen), ('layer', layer),
                                    ('agent', agent), ('tenant', tenant)) as d (dimension, value)
         group by dimension, value) as ranked
 where rank <= {limit}
 order by dimension, rank

-- name: layer_regret
select layer,
       sum(usd) / max(days) as usd_per_day,
       (sum(usd) - sqrt(sum(below_usd * below_usd))) / max(days) as low_usd_per_day,
       (sum(usd) + sqrt(sum(above_usd * above_usd))) / max(days) as high_usd_per_day,
       sum(decisions) as decisions, sum(appraised) as appraised
  from (select tenant, layer, task_class, sum(usd) as usd, sum(below_usd) as below_usd, sum(above_usd) as above_usd,
               count(*) as decisions, count(*) filter (where status = 'appraised') as appraised
          from {standing}
         group by tenant, layer, task_class) as classes
 cross join {days}
 group by layer
 order by layer

-- name: regret_by_band
select task_class, coalesce(nullif(value_band, ''), 'value not known') as kind,
       sum(usd) / max(days) as usd_per_day,
       (sum(usd) - sqrt(sum(below_usd * below_usd))) / max(days) as low_usd_per_day,
       (sum(usd) + sqrt(sum(above_usd * above_usd))) / max(days) as high_usd_per_day,
       sum(decisions) as decisions, sum(appraised) as appraised
  from (select tenant, task_class, value_band, sum(usd) as usd, sum(below_usd) as below_usd, sum(above_usd) as above_usd,
               count(*) as decisions, count(*) filter (where status = 'appraised') as appraised
          from {standing}
         where kind = 'route'
         group by tenant, task_class, value_band) as bands
 cross join {days}
 group by task_class, kind
 order by usd_per_day desc nulls last, task_class, kind

-- name: flow_outcomes
select tenant, task_class,
       sum(cost_usd * quality::numeric) as well_usd,
       sum(cost_usd * (1 - quality::numeric)) as wrong_usd,
       sum(cost_usd) filter (where quality is null) as unknown_usd
  from ledger.tasks
 where {filters started_at tenant task_class agent}
 group by tenant, task_class
 order by tenant, task_class

-- name: decisions
select decided_at, tenant, layer, kind, task_class, agent, chosen, best, status,
       regret_usd, regret_low_usd, regret_high_usd, value_usd, cost_usd, latency_usd, risk_usd, net_usd,
       propensity, n, method, why, trace_id, span_id, decision_id
  from ledger.decisions
 where {filters decided_at tenant layer kind task_class agent chosen verdict}
 order by {decision order}, decision_id
 limit {limit}

-- name: decision_neighbours
select n.decided_at, n.tenant, n.chosen, n.best, n.status, n.regret_usd, n.regret_low_usd, n.regret_high_usd, n.trace_id, n.decision_id
  from ledger.decisions d
  join ledger.decisions n on n.tenant = d.tenant and n.kind = d.kind and coalesce(n.task_class, '') = coalesce(d.task_class, '') and n.chosen = d.chosen
   and n.decision_id <> d.decision_id and n.decided_at between d.decided_at - interval '2 days' and d.decided_at + interval '2 days'
 where d.decision_id = {decision_id} and {filters - d.tenant}
 order by abs(date_part('epoch', n.decided_at - d.decided_at)), n.decision_id
 limit 12

-- name: trace_task
select tenant, task_class, value_usd, quality, outcome_source, cost_usd, latency_s, risk_usd, net_usd, settled_at
  from ledger.tasks
 where trace_id = {trace_id} and {filters - tenant}
 order by tenant

-- name: calls
select started_at, tenant, layer, use, agent, task_class, provider, model, operation, status, reason,
       input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
       cost_usd, claimed_cost_usd, latency_ms, dialect, service, trace_id, span_id
  from ledger.calls
 where {filters started_at tenant layer use model agent task_class status}
 order by {order}, trace_id, span_id
 limit {limit}

-- name: layer_realised
select d.layer, count(*) as tasks, sum(t.earned_usd) / max(days) as value_usd, sum(t.cost_usd) / max(days) as cost_usd,
       sum(t.latency_usd) / max(days) as latency_usd, sum(t.provision_usd) / max(days) as risk_usd, sum(t.net_usd) / max(days) as net_usd
  from (select tenant, layer, coalesce(task_class, '') as task_class from ledger.segments group by 1, 2, 3
        union
        select victim, 'supply', null from ledger.externalities group by victim) d
  join ledger.tasks t on t.tenant = d.tenant and coalesce(t.task_class, '') = coalesce(d.task_class, t.task_class, '')
 cross join {days}
 where t.net_usd is not null and {filters t.started_at t.tenant d.layer t.task_class t.agent}
 group by d.layer
 order by d.layer

-- name: layer_terms
select standing.layer, sum(d.value_usd) / max(days) as value_usd, sum(d.cost_usd) / max(days) as cost_usd,
       sum(d.latency_usd) / max(days) as latency_usd, sum(d.risk_usd) / max(days) as risk_usd
  from {standing}
  join ledger.decisions d on d.tenant = standing.tenant and d.decision_id = standing.decision_id
 cross join {days}
 where stands
 group by standing.layer
 order by standing.layer
