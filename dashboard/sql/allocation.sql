-- name: appraisal_version
-- Changes whenever what is summed of decisions and tasks may have changed.
select ledger.appraisal_version() as version;

-- name: regret_total
-- What better options would have brought a day, with its interval, and how many decisions could be judged. Regret stands where a decision's
-- interval excludes zero, and its segment's does although many were looked at; it is 0 where that is not so, and nothing where a decision
-- could not be judged.
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
               sum(decisions) as decisions,
               sum(decisions) filter (where status = 'appraised') as appraised,
               sum(decisions) filter (where status = 'not_enough_evidence') as not_enough_evidence,
               sum(decisions) filter (where status = 'not_identified') as not_identified,
               sum(decisions) filter (where status is null) as unappraised,
               sum(standing) as better
          from {regret}
         where {filters - tenant layer kind task_class agent chosen}
         group by tenant, task_class) as classes
 cross join {days};

-- name: regret_by_place
-- The places that lose most a day: who chose what in which class of tasks, and what would have been better.
select layer, kind, task_class, chosen,
       (array_agg(best order by standing desc, best) filter (where best is not null))[1] as best,
       sum(usd) / max(days) as usd_per_day,
       sum(standing)::bigint as decisions
  from (select layer, kind, task_class, chosen, best, sum(usd) as usd, sum(standing) as standing
          from {regret}
         where standing > 0 and {filters - tenant layer kind task_class agent chosen}
         group by layer, kind, task_class, chosen, best) as places
 cross join {days}
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
               sum(standing) as better
          from {regret}
         where {filters - tenant layer kind task_class agent chosen}
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
               sum(decisions) as decisions,
               coalesce(sum(decisions) filter (where status = 'appraised'), 0) as appraised
          from {regret}
         where {filters - tenant layer kind task_class agent chosen}
         group by tenant, kind, task_class) as classes
 cross join {days}
 group by task_class, kind
 order by usd_per_day desc nulls last, task_class, kind;

-- name: regret_by_term
-- The same dollars by term of the equation: what the best option has over the chosen one, where there is a better one.
-- A decision's terms are those of its own options; its regret is its part of what its segment lost, so they may differ a little.
select sum(value_usd) / max(days) as value_usd_per_day,
       -sum(cost_usd) / max(days) as cost_usd_per_day,
       -sum(latency_usd) / max(days) as latency_usd_per_day,
       -sum(risk_usd) / max(days) as risk_usd_per_day
  from {regret}
 cross join {days}
 where {filters - tenant layer kind task_class agent chosen};

-- name: equimarginal
-- What a dollar buys: (V·ΔQ − λ·ΔL − ρ·ΔR) / ΔC of the last step taken, from the next cheaper option to the chosen one, and of the next
-- step not taken, from the chosen option to the next dearer one. The errors of one place's decisions are added up. A place where no
-- other option's cost is known has one row without a figure.
select layer, kind, task_class, chosen, step,
       (array_agg(other order by decisions desc, other) filter (where other is not null))[1] as other,
       sum(decisions)::bigint as decisions,
       sum(cost_usd) / max(days) as cost_usd_per_day,
       sum(worth_usd) / nullif(sum(judged_usd), 0) as worth,
       (sum(worth_usd) - 1.959964 * sum(error_usd)) / nullif(sum(judged_usd), 0) as worth_low,
       (sum(worth_usd) + 1.959964 * sum(error_usd)) / nullif(sum(judged_usd), 0) as worth_high,
       max(why) as why
  from (select layer, kind, task_class, chosen, step, other, sum(decisions) as decisions, sum(step.cost_usd) as cost_usd,
               sum(worth_usd) as worth_usd, sum(error_usd) as error_usd, sum(judged_usd) as judged_usd, max(why) as why
          from {regret}
         cross join lateral (values
               ('last', cheaper, last_cost_usd, last_worth_usd, last_error_usd, last_judged_usd),
               ('next', dearer, next_cost_usd, next_worth_usd, next_error_usd, next_judged_usd))
               as step (step, other, cost_usd, worth_usd, error_usd, judged_usd)
         where (other is not null or step = 'last' and cheaper is null and dearer is null)
           and {filters - tenant layer kind task_class agent chosen}
         group by layer, kind, task_class, chosen, step, other) as steps
 cross join {days}
 group by layer, kind, task_class, chosen, step
 order by layer, kind, task_class, chosen, step;

-- name: segments
-- The groups that decisions were judged in: the regret that stands a day, and what would settle those that stay open.
select layer, kind, task_class, value_band, chosen,
       (array_agg(best order by decisions desc, best) filter (where best <> chosen))[1] as best,
       status, sum(decisions)::bigint as decisions,
       sum(usd) / max(days) as usd_per_day,
       sum(usd - below_usd) / max(days) as low_usd_per_day,
       sum(usd + above_usd) / max(days) as high_usd_per_day,
       max(why) as why, max(needs_outcomes) as needs_outcomes, max(needs_exploration) as needs_exploration
  from (select layer, kind, task_class, value_band, chosen, best, status, sum(decisions) as decisions, sum(usd) as usd,
               sum(below_usd) as below_usd, sum(above_usd) as above_usd, max(why) as why, max(needs_outcomes) as needs_outcomes,
               max(needs_exploration) as needs_exploration
          from {regret}
         where {filters - tenant layer kind task_class agent chosen}
         group by layer, kind, task_class, value_band, chosen, best, status) as options
 cross join {days}
 group by layer, kind, task_class, value_band, chosen, status
 order by usd_per_day desc nulls last, decisions desc, kind, task_class, chosen, value_band
 limit {limit};

-- name: tasks_total
-- How many tasks were settled, of how many the outcome and the value are known, and the net value they brought a day.
select coalesce(sum(tasks), 0) as tasks,
       coalesce(sum(with_outcome), 0) as with_outcome,
       coalesce(sum(with_value), 0) as with_value,
       coalesce(sum(tasks) filter (where task_class is not null), 0) as with_class,
       coalesce(sum(with_net), 0) as with_net,
       sum(net_usd) / max(days) as net_usd_per_day
  from {tasks}
 cross join {days}
 where {filters - tenant task_class agent};

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
