-- name: standing
-- The regret of each decision that stands: where its interval excludes zero, and its segment's does although many were looked at.
-- It is 0 where a decision was judged and that is not so, and nothing where it could not be judged.
select d.tenant, d.decision_id, d.layer, d.kind, d.task_class, d.agent, d.chosen, d.best, d.value_band, d.status, d.why,
       s.needs_outcomes, s.needs_exploration,
       case when stands then d.regret_usd when d.status = 'appraised' then 0 end as usd,
       case when stands then d.regret_usd - d.regret_low_usd when d.status = 'appraised' then 0 end as below_usd,
       case when stands then d.regret_high_usd - d.regret_usd when d.status = 'appraised' then 0 end as above_usd,
       stands
  from ledger.decisions d
  left join ledger.segments s on s.tenant = d.tenant and s.comparison = d.comparison and s.segment_number = d.segment_number
 cross join lateral (values (coalesce(d.status = 'appraised' and d.regret_low_usd > 0 and s.is_discovery, false))) as c (stands)
 where {filters d.decided_at d.tenant d.layer d.kind d.task_class d.agent d.chosen};

-- name: regret_total
-- What better options would have brought a day, with its interval, and how many decisions could be judged.
-- Within one class of tasks errors are added up; those of different classes are of different tasks, and independent.
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
 cross join {days};

-- name: regret_by_place
-- The places that lose most a day: who chose what in which class of tasks, and what would have been better.
select layer, kind, task_class, chosen,
       mode() within group (order by best) as best,
       sum(usd) / max(days) as usd_per_day,
       count(*) as decisions
  from {standing}
 cross join {days}
 where stands
 group by layer, kind, task_class, chosen
 order by usd_per_day desc, kind, task_class, chosen
 limit {limit};

-- name: regret_by_kind
-- What better options would have brought a day, by kind of decision; no number where none could be judged.
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
 order by usd_per_day desc nulls last, kind;

-- name: regret_by_class_and_kind
-- What better options would have brought a day, by class of tasks and kind of decision; no number where none could be judged.
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
 order by usd_per_day desc nulls last, task_class, kind;

-- name: regret_by_term
-- The same dollars by term of the equation: what the best option has over the chosen one, where there is a better one.
-- A decision's terms are those of its own options; its regret is its part of what its segment lost, so they may differ a little.
select sum(d.value_usd) / max(days) as value_usd_per_day,
       -sum(d.cost_usd) / max(days) as cost_usd_per_day,
       -sum(d.latency_usd) / max(days) as latency_usd_per_day,
       -sum(d.risk_usd) / max(days) as risk_usd_per_day
  from {standing}
  join ledger.decisions d on d.tenant = standing.tenant and d.decision_id = standing.decision_id
 cross join {days}
 where stands;

-- name: equimarginal
-- What a dollar buys: (V·ΔQ − λ·ΔL − ρ·ΔR) / ΔC of the last step taken, from the next cheaper option to the chosen one, and of the next
-- step not taken, from the chosen option to the next dearer one. The errors of one place's decisions are added up. A place where no
-- other option's cost is known has one row without a figure.
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
 order by layer, kind, task_class, chosen, step;

-- name: segments
-- The groups that decisions were judged in: the regret that stands a day, and what would settle those that stay open.
select layer, kind, task_class, value_band, chosen,
       mode() within group (order by best) as best,
       status, count(*) as decisions,
       sum(usd) / max(days) as usd_per_day,
       sum(usd - below_usd) / max(days) as low_usd_per_day,
       sum(usd + above_usd) / max(days) as high_usd_per_day,
       max(why) as why, max(needs_outcomes) as needs_outcomes, max(needs_exploration) as needs_exploration
  from {standing}
 cross join {days}
 group by layer, kind, task_class, value_band, chosen, status
 order by usd_per_day desc nulls last, decisions desc, kind, task_class, chosen, value_band
 limit {limit};

-- name: tasks_total
-- How many tasks were settled, of how many the outcome and the value are known, and the net value they brought a day.
select count(*) as tasks,
       count(*) filter (where quality is not null) as with_outcome,
       count(*) filter (where value_usd is not null) as with_value,
       count(*) filter (where task_class is not null) as with_class,
       count(net_usd) as with_net,
       sum(net_usd) / max(days) as net_usd_per_day
  from ledger.tasks
 cross join {days}
 where {filters started_at tenant task_class agent};

-- name: spend_per_day
-- What was spent a day on the tenants, agents and classes of tasks shown.
select sum(cost_usd) / max(days) as usd_per_day
  from {spend}
 cross join {days}
 where {filters - tenant agent task_class};

-- name: price_vector
-- The prices in force: V, λ and ρ, each as stated by policy or solved as the dual of a constraint; a slack constraint has price 0.
select tenant, task_class, v_usd, v_low_usd, v_high_usd, v_source,
       lambda_usd_per_s, lambda_low, lambda_high, lambda_source, rho, rho_low, rho_high, rho_source, "constraint", slack, budget_worth, why
  from ledger.price_vector
 where upper_inf(valid) and {filters - tenant}
 order by tenant, task_class
 limit {limit};
