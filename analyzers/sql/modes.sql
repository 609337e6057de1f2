-- name: tenant_of
-- The name of a tenant.
select tenant from pigou.tenant where tenant_id = %(tenant_id)s

-- name: segments_of_kinds
-- The appraised segments of a tenant's decisions of some kinds, and what is said of them without what was chosen to learn.
select s.comparison, s.segment, c.layer, c.kind, c.task_class, c.options, c.assignment, c.method, s.value_band as band,
       s.value_low_usd::float8 as v_low_usd, s.chosen, s.best, s.n, s.tasks, s.regret_usd::float8, s.regret_low_usd::float8 as low_usd,
       s.regret_high_usd::float8 as high_usd, s.changes, s.change_errors,
       s.downstream_usd::float8, s.downstream_low_usd::float8, s.downstream_high_usd::float8, s.materiality_usd::float8, s.status, s.why,
       s.needs_outcomes, s.needs_exploration, coalesce(s.is_intended_discovery, false) as is_discovery, s.intended
  from pigou.segment s
  join pigou.comparison c on c.tenant_id = s.tenant_id and c.comparison = s.comparison
 where s.tenant_id = %(tenant_id)s and c.kind = any (%(kinds)s)
 order by c.kind, c.task_class nulls first, s.comparison, s.segment

-- name: flow_of_kinds
-- Appraised decisions of some kinds in a window, counted by time, segment, what they are about and what would have been better. Explored is what was
-- taken with less than the probability that chance would give it. For confirmations the action's class is what they are about.
select a.comparison, a.segment,
       coalesce(case when d.kind = 'confirm' then
           (select r.attributes->>'allocation.action.class' from pigou.record r
             where r.tenant_id = d.tenant_id and r.trace_id = d.trace_id and r.span_id = d.span_id and r.started_at = d.decided_at) end, '') as subject,
       coalesce(a.best - 1, -1) as best, coalesce(d.propensity < 1.0 / cardinality(d.options), false) as is_explored,
       floor(extract(epoch from d.decided_at - %(since)s::timestamptz) / %(bin_s)s)::integer as bin,
       count(*) as n, sum(a.regret_usd)::float8 as usd, extract(epoch from min(d.decided_at))::float8 as first_s
  from pigou.decision d
  join pigou.appraisal a on a.tenant_id = d.tenant_id and a.decision_id = d.decision_id and a.decided_at = d.decided_at
 where d.tenant_id = %(tenant_id)s and d.kind = any (%(kinds)s) and d.decided_at >= %(since)s and d.decided_at < %(until)s
 group by 1, 2, 3, 4, 5, 6
 order by 1, 2, 3, 4, 5, 6

-- name: option_means
-- What each option is thought to bring and take on average, by segment, over those decisions appraised in a window in which it had a chance;
-- quality where V is known.
select a.comparison, a.segment, o.place - 1 as place, count(a.option_net[o.place]) as n,
       avg(a.option_value[o.place] / nullif(t.value_usd, 0)::float8) as quality,
       avg(a.option_cost[o.place]) as cost_usd,
       avg(a.option_latency[o.place]) as latency_usd,
       avg(a.option_risk[o.place]) as risk_usd,
       avg(a.option_net[o.place]) as net_usd, avg(t.value_usd)::float8 as v_usd
  from pigou.decision d
  join pigou.appraisal a on a.tenant_id = d.tenant_id and a.decision_id = d.decision_id and a.decided_at = d.decided_at
  join pigou.task t on t.tenant_id = d.tenant_id and t.trace_id = d.trace_id
 cross join lateral generate_subscripts(a.option_net, 1) o (place)
 where d.tenant_id = %(tenant_id)s and d.kind = any (%(kinds)s) and d.decided_at >= %(since)s and d.decided_at < %(until)s
 group by 1, 2, 3
 order by 1, 2, 3

-- name: option_costs
-- What a task cost on average where an option was taken, as its calls say; null while none of them is priced.
select d.comparison, d.chosen - 1 as place, avg(t.cost_usd)::float8 as cost_usd
  from pigou.decision d
  join pigou.task t on t.tenant_id = d.tenant_id and t.trace_id = d.trace_id
 where d.tenant_id = %(tenant_id)s and d.kind = any (%(kinds)s) and d.decided_at >= %(since)s and d.decided_at < %(until)s
 group by 1, 2
 order by 1, 2

-- name: dearest_decisions
-- Of some segments the decisions since a time that lost most and were not explored.
select encode(d.trace_id, 'hex') as trace_id, encode(d.span_id, 'hex') as span_id, d.decision_id::text, a.regret_usd::float8
  from pigou.decision d
  join pigou.appraisal a on a.tenant_id = d.tenant_id and a.decision_id = d.decision_id and a.decided_at = d.decided_at
  join unnest(%(comparisons)s::bigint[], %(segments)s::smallint[]) x (comparison, segment)
       on x.comparison = a.comparison and x.segment = a.segment
 where d.tenant_id = %(tenant_id)s and d.decided_at >= %(since)s and d.decided_at < %(until)s and a.regret_usd > 0
   and not coalesce(d.propensity < 1.0 / cardinality(d.options), false)
   and (%(subject)s::text is null
        or exists (select from pigou.record r
                    where r.tenant_id = d.tenant_id and r.trace_id = d.trace_id and r.span_id = d.span_id and r.started_at = d.decided_at
                      and coalesce(r.attributes->>'allocation.action.class', '') = %(subject)s))
 order by a.regret_usd desc, d.decided_at, d.decision_id
 limit 5

-- name: decisions_behind
-- Of some spans of traces the decision of a kind that brought each about: the one at the span, else the last before it, else the first.
select distinct on (x.trace_id) encode(x.trace_id, 'hex') as trace_id, d.decision_id::text
  from unnest(%(traces)s::bytea[], %(spans)s::bytea[]) x (trace_id, span_id)
  join pigou.decision d on d.tenant_id = %(tenant_id)s and d.trace_id = x.trace_id and d.kind = %(kind)s
  left join pigou.record r on r.tenant_id = %(tenant_id)s and r.trace_id = x.trace_id and r.span_id = x.span_id
 order by x.trace_id, d.span_id is not distinct from x.span_id desc, coalesce(d.decided_at <= r.started_at, false) desc,
          case when d.decided_at <= r.started_at then r.started_at - d.decided_at end nulls last, d.decided_at, d.decision_id

-- name: route_terms
-- The terms of every option of the latest decisions of a comparison, with what their tasks are worth.
select d.chosen - 1, t.value_usd::float8, a.option_value, a.option_cost, a.option_latency, a.option_risk
  from pigou.decision d
  join pigou.appraisal a on a.tenant_id = d.tenant_id and a.decision_id = d.decision_id and a.decided_at = d.decided_at
  join pigou.task t on t.tenant_id = d.tenant_id and t.trace_id = d.trace_id
 where d.tenant_id = %(tenant_id)s and a.comparison = any (%(comparisons)s) and d.decided_at >= %(since)s and d.decided_at < %(until)s
   and t.value_usd > 0
 order by d.decided_at desc, d.decision_id
 limit %(most)s

-- name: doses_of_class
-- What a class's tasks spent on each use, as far as it is priced, with their outcome, what they are worth, and what was known when it was
-- decided how often to verify.
select t.quality, t.value_usd::float8, coalesce(x.read, 0), coalesce(x.plan, 0), coalesce(x.act, 0), coalesce(x.verify, 0), x.is_priced,
       hashtextextended(encode(t.trace_id, 'hex'), 0), d.features, d.assignment
  from pigou.decision d
  join pigou.task t on t.tenant_id = d.tenant_id and t.trace_id = d.trace_id
 cross join lateral (
       select sum(c.cost_usd) filter (where c.use = 'read')::float8 as read, sum(c.cost_usd) filter (where c.use = 'plan')::float8 as plan,
              sum(c.cost_usd) filter (where c.use in ('act', 'delegate'))::float8 as act,
              sum(c.cost_usd) filter (where c.use = 'verify')::float8 as verify, bool_and(c.cost_usd is not null) as is_priced
         from pigou.call c
        where c.tenant_id = d.tenant_id and c.trace_id = d.trace_id and c.status <> 'duplicate') x
 where d.tenant_id = %(tenant_id)s and d.comparison = any (%(comparisons)s) and d.kind = 'verify' and d.decided_at >= %(since)s
   and d.decided_at < %(until)s and t.quality is not null
 order by d.decided_at, d.decision_id
 limit %(most)s

-- name: checks_of_classes
-- Verifications in a window by class of tasks, and how many of them said that something was wrong: by their status, by a verdict on
-- their span or beneath it, or by a test's result or exit code. Tools' spans seldom name the class, so it is that of the task.
with verdicts as (
    select distinct e.trace_id, e.parent_span_id
      from pigou.record e
     where e.tenant_id = %(tenant_id)s and e.started_at >= %(since)s and e.started_at < %(until)s and e.parent_span_id is not null
       and e.attributes->>'gen_ai.evaluation.score.label' in ('fail', 'failed', 'incorrect')
)
select coalesce(k.task_class, r.task_class, '') as task_class, count(*) as checks,
       count(*) filter (where r.status_code = 2 or v.trace_id is not null
                           or r.attributes->>'gen_ai.evaluation.score.label' in ('fail', 'failed', 'incorrect')
                           or exists (select from pigou.outcome o
                                       where o.tenant_id = r.tenant_id and o.trace_id = r.trace_id and o.span_id = r.span_id
                                         and o.source in ('test', 'evaluation', 'score') and o.quality < 0.5)) as failed
  from pigou.record r
  left join pigou.task k on k.tenant_id = r.tenant_id and k.trace_id = r.trace_id
  left join verdicts v on v.trace_id = r.trace_id and v.parent_span_id = r.span_id
 where r.tenant_id = %(tenant_id)s and r.use = 'verify' and r.role in ('tool', 'call') and r.started_at >= %(since)s and r.started_at < %(until)s
 group by 1
 order by 1

-- name: actions
-- What was done to the world in a window, by class, reversibility, confirmation and class of tasks: how often, and each task's realised loss
-- (beside what one action may lose at worst, as it was stated).
with by_task as (
    select d.action_class, d.is_reversible, d.confirmation, t.task_class, d.trace_id, count(*) as actions, max(d.worst_usd) as worst_usd,
           any_value(t.loss_usd)::float8 as loss_usd
      from pigou.actions_between(%(tenant_id)s, %(since)s, %(until)s) d
      left join pigou.task t on t.tenant_id = %(tenant_id)s and t.trace_id = d.trace_id
     group by 1, 2, 3, 4, 5
)
select action_class, is_reversible, confirmation, task_class, sum(actions)::bigint as actions, max(worst_usd) as worst_usd,
       coalesce(array_agg(loss_usd order by trace_id) filter (where loss_usd is not null), '{}') as losses_usd
  from by_task
 group by 1, 2, 3, 4
 order by 1, 2, 3 nulls first, 4 nulls first

-- name: confirmed_options
-- What each confirmation is thought to bring and take on average in appraised decisions of a window, by action class and class of tasks.
select coalesce((select r.attributes->>'allocation.action.class' from pigou.record r
                  where r.tenant_id = d.tenant_id and r.trace_id = d.trace_id and r.span_id = d.span_id and r.started_at = d.decided_at), '')
           as action_class,
       d.task_class, d.options[o.place] as option, count(*) as n, count(*) filter (where a.status = 'appraised') as sure,
       avg(a.option_value[o.place] / nullif(t.value_usd, 0)::float8) as quality,
       avg(a.option_cost[o.place]) as cost_usd,
       avg(a.option_latency[o.place]) as latency_usd,
       avg(a.option_risk[o.place]) as risk_usd, avg(t.value_usd)::float8 as v_usd
  from pigou.decision d
  join pigou.appraisal a on a.tenant_id = d.tenant_id and a.decision_id = d.decision_id and a.decided_at = d.decided_at
  join pigou.task t on t.tenant_id = d.tenant_id and t.trace_id = d.trace_id
 cross join lateral generate_subscripts(a.option_net, 1) o (place)
 where d.tenant_id = %(tenant_id)s and d.kind = 'confirm' and d.decided_at >= %(since)s and d.decided_at < %(until)s
 group by 1, 2, 3
 order by 1, 2, 3

-- name: waits_of_options
-- What tasks waited at engines because of others who are found to be in the way there, at the tasks' λ: sums over decisions since a time, by
-- segment and option, with the engines. Explored is as in flow_of_kinds.
with held as (
    select h.trace_id, sum(h.delay_s) as delay_s, min(h.engine) as engine
      from pigou.held_up h
     where h.tenant_id = %(tenant_id)s and h.came_at >= %(since)s and h.came_at < %(until)s
       and exists (select from pigou.finding f
                    where f.tenant_id = h.culprit_tenant_id and f.mode = 'serving_congestion' and f.status <> 'resolved'
                      and f.subject = h.engine and coalesce(f.task_class, '') = h.task_class)
     group by h.trace_id
)
select a.comparison, a.segment, d.chosen - 1 as place, coalesce(d.propensity < 1.0 / cardinality(d.options), false) as is_explored,
       count(*) as n, coalesce(sum(h.delay_s * t.lambda_usd_per_s::float8), 0) as usd,
       coalesce(array_agg(distinct h.engine) filter (where h.engine is not null), '{}') as engines
  from pigou.decision d
  join pigou.appraisal a on a.tenant_id = d.tenant_id and a.decision_id = d.decision_id and a.decided_at = d.decided_at
  join pigou.task t on t.tenant_id = d.tenant_id and t.trace_id = d.trace_id
  left join held h on h.trace_id = d.trace_id
 where d.tenant_id = %(tenant_id)s and a.comparison = any (%(comparisons)s) and d.decided_at >= %(since)s and d.decided_at < %(until)s
   and (%(subject)s::text is null
        or exists (select from pigou.record r
                    where r.tenant_id = d.tenant_id and r.trace_id = d.trace_id and r.span_id = d.span_id and r.started_at = d.decided_at
                      and coalesce(r.attributes->>'allocation.action.class', '') = %(subject)s))
 group by 1, 2, 3, 4
 order by 1, 2, 3, 4

-- name: stated_checks
-- Tasks of a window whose checks said what they found, by class: how many, in how many hours, how often they were checked, in how many
-- a check found anything, what checking took in compute and in seconds at λ, and the most that one of them had at stake: V, and what its actions may
-- lose at worst, at ρ; and when each came. Null: not known of all of them. What a check says is the outcome told on its span or right beneath it.
with checked as materialized (
    select r.trace_id, r.span_id, r.parent_span_id, extract(epoch from r.ended_at - r.started_at)::float8 as seconds, r.status_code = 2 as is_error
      from pigou.record r
     where r.tenant_id = %(tenant_id)s and r.use = 'verify' and r.role in ('tool', 'call', 'agent', 'control')
       and r.started_at >= %(since)s and r.started_at < %(until)s
),
said_at as (
    select trace_id, span_id, span_id as check_id from checked
    union
    select r.trace_id, r.span_id, r.parent_span_id
      from pigou.record r
      join checked c on c.trace_id = r.trace_id and c.span_id = r.parent_span_id
     where r.tenant_id = %(tenant_id)s and r.started_at >= %(since)s and r.started_at < %(until)s
),
verdicts as (
    select s.trace_id, s.check_id, min(o.quality) as worst
      from said_at s
      join pigou.outcome o on o.tenant_id = %(tenant_id)s and o.trace_id = s.trace_id and o.span_id = s.span_id
     where o.source in ('test', 'evaluation', 'score') and o.quality is not null
     group by 1, 2
),
passes as materialized (
    select c.trace_id, count(*) filter (where p.span_id is null) as checks, sum(c.seconds) filter (where p.span_id is null) as seconds,
           count(v.worst) > 0 as is_stated, bool_or(c.is_error or coalesce(v.worst < 1, false)) as has_failed
      from checked c
      left join checked p on p.trace_id = c.trace_id and p.span_id = c.parent_span_id
      left join verdicts v on v.trace_id = c.trace_id and v.check_id = c.span_id
     group by 1
),
spent as (
    select c.trace_id, sum(c.cost_usd)::float8 as usd, bool_and(c.cost_usd is not null) as is_priced
      from pigou.call c
     where c.tenant_id = %(tenant_id)s and c.use = 'verify' and c.status <> 'duplicate' and c.trace_id in (select trace_id from passes)
     group by 1
),
exposed as (
    select d.trace_id, sum(d.worst_usd)::float8 as usd,
           bool_and(d.worst_usd is not null or d.action_class in ('read', 'draft') and d.is_reversible is distinct from false) as is_known
      from pigou.actions_between(%(tenant_id)s, %(since)s, %(until)s) d
     group by 1
),
each as (
    select coalesce(t.task_class, '') as task_class, t.trace_id, t.started_at, p.checks, p.has_failed,
           case when s.trace_id is null or s.is_priced then coalesce(s.usd, 0) end as cost_usd, p.seconds * t.lambda_usd_per_s::float8 as latency_usd,
           t.value_usd::float8 + case when not coalesce(e.is_known, true) then null
                                      when greatest(coalesce(e.usd, 0), t.loss_usd::float8) = 0 then 0
                                      else t.rho::float8 * greatest(coalesce(e.usd, 0), t.loss_usd::float8) end as at_stake_usd
      from passes p
      join pigou.task t on t.tenant_id = %(tenant_id)s and t.trace_id = p.trace_id
      left join spent s on s.trace_id = p.trace_id
      left join exposed e on e.trace_id = p.trace_id
     where p.is_stated
)
select task_class, count(*) as tasks, count(distinct date_bin('1 hour', started_at, 'epoch')) as hours, sum(checks)::bigint as checks,
       count(*) filter (where has_failed) as failed,
       case when count(cost_usd) = count(*) then sum(cost_usd) end as cost_usd,
       case when count(latency_usd) = count(*) then sum(latency_usd) end as latency_usd,
       case when count(at_stake_usd) = count(*) then max(at_stake_usd) end as at_stake_usd, min(started_at) as first_at,
       (array_agg(encode(trace_id, 'hex') order by cost_usd + coalesce(latency_usd, 0) desc nulls last, trace_id))[:5] as dearest,
       array_agg(extract(epoch from started_at)::float8 order by started_at, trace_id) as at_s
  from each
 group by 1
 order by 1
