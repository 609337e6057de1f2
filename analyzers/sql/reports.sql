-- name: tenants
-- The tenants to report on: one by name, or all.
select tenant_id, tenant from pigou.tenant where tenant_id > 0 and (%(tenant)s::text is null or tenant = %(tenant)s) order by tenant

-- name: spent_by_use
-- What the latest tasks of a tenant within a time spent on each use, null while a call of them is unpriced, with what came of them, what
-- they were worth, and what was known when it was decided how often to verify. Acting includes what was delegated. What a task verified
-- without tokens is not in it. A task's calls begin after it, but for clocks that differ by an hour.
with spent as (
    select c.trace_id,
           sum(c.cost_usd) filter (where c.use = 'read')::float8 as read, sum(c.cost_usd) filter (where c.use = 'plan')::float8 as plan,
           sum(c.cost_usd) filter (where c.use in ('act', 'delegate'))::float8 as act,
           sum(c.cost_usd) filter (where c.use = 'verify')::float8 as verify, bool_and(c.cost_usd is not null) as is_priced
      from pigou.call c
     where c.tenant_id = %(tenant_id)s and c.status <> 'duplicate' and c.started_at >= %(since)s::timestamptz - interval '1 hour'
     group by c.trace_id
)
select hashtextextended(encode(k.trace_id, 'hex'), 0) as task, coalesce(k.task_class, '') as task_class, k.quality, k.value_usd::float8,
       k.rho::float8, k.risk_usd::float8, k.loss_usd::float8,
       case when x.is_priced then coalesce(x.read, 0) end as read, case when x.is_priced then coalesce(x.plan, 0) end as plan,
       case when x.is_priced then coalesce(x.act, 0) end as act, case when x.is_priced then coalesce(x.verify, 0) end as verify,
       coalesce(d.feature_names, '{}') as names, coalesce(d.features, '{}') as features
  from pigou.task k
  join spent x on x.trace_id = k.trace_id
  left join pigou.decision d on d.tenant_id = k.tenant_id and d.trace_id = k.trace_id and d.kind = 'verify'
 where k.tenant_id = %(tenant_id)s and k.started_at >= %(since)s and k.started_at < %(until)s
 order by k.started_at desc, k.trace_id
 limit %(most)s

-- name: stated_assignments
-- What the operator states of how some kinds are decided in each class of a tenant's tasks; a class's own word wins over that of all, a
-- tenant's own over everybody's.
select n.kind, k.task_class,
       (select a.assignment from pigou.assignment a
         where a.tenant_id in (0, %(tenant_id)s) and a.kind = n.kind and a.task_class in ('*', k.task_class)
         order by a.tenant_id desc, (a.task_class = '*') limit 1) as assignment
  from (select distinct coalesce(task_class, '') as task_class from pigou.task where tenant_id = %(tenant_id)s) k
 cross join unnest(%(kinds)s::text[]) n (kind)

-- name: own_costs
-- What a request cost on average on each model that was routed to, by comparison: of the route's own calls, or of the task where these
-- are not told apart.
select d.comparison, d.options[d.chosen] as option, avg(coalesce(d.own_cost_usd, t.cost_usd))::float8 as cost_usd
  from pigou.decision d
  join pigou.task t on t.tenant_id = d.tenant_id and t.trace_id = d.trace_id
 where d.tenant_id = %(tenant_id)s and d.kind = 'route' and coalesce(d.own_cost_usd, t.cost_usd) is not null
 group by 1, 2
 order by 1, 2

-- name: route_segments
-- What routes lost by class, model and value band, as appraised.
select s.comparison, coalesce(c.task_class, '') as task_class, s.value_band, coalesce(s.value_low_usd, 0)::float8 as low_usd, s.chosen, s.n,
       s.tasks, s.regret_usd::float8, s.standard_error, s.regret_low_usd::float8, s.regret_high_usd::float8, s.status, s.why
  from pigou.segment s
  join pigou.comparison c on c.tenant_id = s.tenant_id and c.comparison = s.comparison
 where s.tenant_id = %(tenant_id)s and c.kind = 'route'
 order by s.comparison, s.segment

-- name: segments
-- What was lost in each segment of a tenant's comparisons, as appraised.
select s.comparison, s.segment, c.layer, c.kind, coalesce(c.task_class, '') as task_class, s.value_band, s.n, s.tasks, s.regret_usd::float8,
       s.standard_error, s.regret_low_usd::float8, s.regret_high_usd::float8, s.status, s.why,
       coalesce((s.changes->>'cost')::float8, 0) as cost_usd,
       s.most_usd::float8, s.downstream_usd::float8, s.downstream_low_usd::float8, s.downstream_high_usd::float8
  from pigou.segment s
  join pigou.comparison c on c.tenant_id = s.tenant_id and c.comparison = s.comparison
 where s.tenant_id = %(tenant_id)s
 order by s.comparison, s.segment

-- name: appraised_decisions
-- Every appraised decision of a tenant, as far as the sum of a period needs it.
select a.comparison, a.segment, hashtextextended(encode(d.trace_id, 'hex'), 0) as task, extract(epoch from d.decided_at)::float8 as decided_at,
       d.chosen - 1 as chosen, coalesce(a.best - 1, -1) as best, coalesce(a.regret_usd::float8, 'NaN') as regret_usd, a.pull,
       coalesce(d.propensity < 0.5 * (select max(p) from unnest(d.propensities) p), false) as is_explored,
       d.decided_at >= %(since)s and d.decided_at < %(until)s as is_counted
  from pigou.decision d
  join pigou.appraisal a on a.tenant_id = d.tenant_id and a.decision_id = d.decision_id and a.decided_at = d.decided_at
 where d.tenant_id = %(tenant_id)s
 order by a.comparison, d.decided_at, d.decision_id

-- name: tenants_to_produce
-- The tenants whose production is not what it was: tasks were settled, or somebody stated how doses are decided, since it was measured. With
-- the last hour with calls, after which there is nothing to look at.
select t.tenant_id, t.tenant, (select max(s.hour) + interval '1 hour' from pigou.spend_hour s where s.tenant_id = t.tenant_id) as last_at
  from pigou.tenant t
  left join lateral (select min(p.measured_at) as measured_at from pigou.production p where p.tenant_id = t.tenant_id) p on true
 where t.tenant_id > 0
   and (exists (select from pigou.task k where k.tenant_id = t.tenant_id and k.settled_at > coalesce(p.measured_at, '-infinity'))
        or exists (select from pigou.assignment a
                    where a.tenant_id in (0, t.tenant_id) and a.kind = %(kind)s and a.recorded_at > p.measured_at))
 order by t.tenant_id

-- name: lock_production
-- One run measures a tenant's production at a time.
select pg_advisory_xact_lock(hashtextextended('pigou.production', %(tenant_id)s))

-- name: forget_production
-- What was known of a tenant's classes before.
delete from pigou.production where tenant_id = %(tenant_id)s

-- name: write_production
-- What the next dollar of one use brings in one class.
insert into pigou.production (tenant_id, task_class, use, since, until, tasks, assignment, usd_per_task, quality_per_dollar, quality_low,
                              quality_high, net_per_usd, net_low, net_high, status, why, complements, equal_p, form, settled_by, measured_at)
values (%(tenant_id)s, %(task_class)s, %(use)s, %(since)s, %(until)s, %(tasks)s, %(assignment)s, %(usd_per_task)s, %(quality_per_dollar)s,
        %(quality_low)s, %(quality_high)s, %(net_per_usd)s, %(net_low)s, %(net_high)s, %(status)s, %(why)s, %(complements)s, %(equal_p)s,
        %(form)s, %(settled_by)s, %(measured_at)s)

-- name: risks_of_actions
-- The settled tasks that did actions in a window, by class of action and of task: how many actions and tasks, of how many the outcome is
-- told, whether all that state it can be undone, the most that a task's actions may lose where all of them state it, what tasks state to
-- expect (and how many do), what was lost, and what a dollar of risk and the tasks are worth on average. A task's loss is of every class of
-- action that it did.
with by_task as (
    select d.action_class, d.trace_id, count(*) as actions, bool_and(d.is_reversible) as is_reversible,
           case when bool_and(d.worst_usd is not null) then sum(d.worst_usd) end as worst_usd, sum(d.probability * d.worst_usd) as stated_usd
      from pigou.actions_between(%(tenant_id)s, %(since)s, %(until)s) d
     group by 1, 2
)
select d.action_class, coalesce(k.task_class, '') as task_class, sum(d.actions)::bigint as actions, count(*) as tasks,
       count(*) filter (where k.quality is not null or k.loss_usd > 0) as told, bool_and(d.is_reversible) as is_reversible,
       max(d.worst_usd) as worst_usd, count(d.stated_usd) as stating, avg(d.stated_usd) as stated_usd,
       coalesce(array_agg(k.loss_usd::float8 order by k.loss_usd) filter (where k.loss_usd > 0), '{}') as losses_usd,
       avg(k.rho)::float8 as rho, avg(k.value_usd)::float8 as v_usd
  from by_task d
  join pigou.task k on k.tenant_id = %(tenant_id)s and k.trace_id = d.trace_id
 group by 1, 2
 order by 1, 2

-- name: tells_losses
-- Whether anybody ever told what a task of a tenant lost, be it nothing.
select exists (select from pigou.outcome o where o.tenant_id = %(tenant_id)s and o.loss_usd is not null)

-- name: tenants_to_weigh
-- The tenants whose actions were not weighed since tasks were settled, or not for so long. With the last hour with calls.
select t.tenant_id, t.tenant, (select max(s.hour) + interval '1 hour' from pigou.spend_hour s where s.tenant_id = t.tenant_id) as last_at
  from pigou.tenant t
  left join lateral (select s.value::timestamptz as weighed_at from pigou.setting s
                      where s.setting = 'risks_weighed:' || t.tenant_id::text) w on true
 where t.tenant_id > 0 and coalesce(w.weighed_at < %(at)s::timestamptz - %(again_after)s::interval, true)
   and exists (select from pigou.task k where k.tenant_id = t.tenant_id and k.settled_at > coalesce(w.weighed_at, '-infinity'))
 order by t.tenant_id

-- name: lock_risks
-- One run weighs a tenant's actions at a time.
select pg_advisory_xact_lock(hashtextextended('pigou.risks', %(tenant_id)s))

-- name: forget_risks
-- What a tenant's actions risked before.
delete from pigou.action_risk where tenant_id = %(tenant_id)s

-- name: write_risk
-- What one class of action risks in one class of tasks.
insert into pigou.action_risk (tenant_id, action_class, task_class, since, until, actions, tasks, told, incidents, is_reversible, worst_case_usd,
                               stated_usd, rate, rate_low, rate_high, pooled_rate, pooled_low, pooled_high, loss_usd, loss_low_usd,
                               loss_high_usd, tail_usd, tail_low_usd, tail_high_usd, is_tail, rho, risk_usd, risk_low_usd, risk_high_usd,
                               status, why, needs_outcomes, measured_at)
values (%(tenant_id)s, %(action_class)s, %(task_class)s, %(since)s, %(until)s, %(actions)s, %(tasks)s, %(told)s, %(incidents)s,
        %(is_reversible)s, %(worst_case_usd)s, %(stated_usd)s, %(rate)s, %(rate_low)s, %(rate_high)s, %(pooled_rate)s, %(pooled_low)s,
        %(pooled_high)s, %(loss_usd)s, %(loss_low_usd)s, %(loss_high_usd)s, %(tail_usd)s, %(tail_low_usd)s, %(tail_high_usd)s, %(is_tail)s,
        %(rho)s, %(risk_usd)s, %(risk_low_usd)s, %(risk_high_usd)s, %(status)s, %(why)s, %(needs_outcomes)s, %(measured_at)s)

-- name: mark_weighed
-- When a tenant's actions were weighed.
insert into pigou.setting (setting, value) values ('risks_weighed:' || %(tenant_id)s::text, %(at)s::timestamptz::text)
on conflict (setting) do update set value = excluded.value
