-- name: latency_by_use
-- How much later the median and the 95th percentile of tasks' seconds come under each option than under the usual one, by use: mean over the
-- classes of tasks that offer both, weighted by decisions.
select kind, tenant, option, base, max(decisions) as decisions, max(of_sets) as of_sets,
       max(base_s) filter (where share = 0.5) as median_base_s, max(later_s) filter (where share = 0.5) as median_s,
       max(later_low_s) filter (where share = 0.5) as median_low_s, max(later_high_s) filter (where share = 0.5) as median_high_s,
       max(sets) filter (where share = 0.5) as median_sets, max(base_s) filter (where share = 0.95) as slow_base_s,
       max(later_s) filter (where share = 0.95) as slow_s, max(later_low_s) filter (where share = 0.95) as slow_low_s,
       max(later_high_s) filter (where share = 0.95) as slow_high_s, max(sets) filter (where share = 0.95) as slow_sets,
       sum(standing)::bigint as standing
  from ledger.latency_by_use
 where {filters - tenant layer kind}
 group by kind, tenant, option, base
 order by standing desc, max(sets) > 0 desc, kind, tenant, decisions desc, option, base
 limit {limit};

-- name: latency_effects
-- The same in each class of tasks, with what would settle it.
select kind, task_class, tenant, option, base, comparison::text as set, n,
       max(base_s) filter (where share = 0.5) as median_base_s, max(later_s) filter (where share = 0.5) as median_s,
       max(later_low_s) filter (where share = 0.5) as median_low_s, max(later_high_s) filter (where share = 0.5) as median_high_s,
       max(status) filter (where share = 0.5) as median_status, bool_or(is_discovery) filter (where share = 0.5) as median_stands,
       max(needs_outcomes) filter (where share = 0.5) as median_outcomes, max(needs_exploration) filter (where share = 0.5) as median_exploration,
       max(base_s) filter (where share = 0.95) as slow_base_s, max(later_s) filter (where share = 0.95) as slow_s,
       max(later_low_s) filter (where share = 0.95) as slow_low_s, max(later_high_s) filter (where share = 0.95) as slow_high_s,
       max(status) filter (where share = 0.95) as slow_status, bool_or(is_discovery) filter (where share = 0.95) as slow_stands,
       max(needs_outcomes) filter (where share = 0.95) as slow_outcomes, max(needs_exploration) filter (where share = 0.95) as slow_exploration,
       max(why) as why
  from ledger.latency_effects
 where {filters - tenant layer kind task_class}
 group by kind, task_class, tenant, option, base, comparison, n
 order by bool_or(is_discovery) desc, max(status) = 'not_identified', n desc, kind, task_class, option
 limit {limit};

-- name: borrowed
-- Segments that have not enough evidence of their own, with what their siblings lend them.
select kind, task_class, tenant, value_band, chosen, n, regret_usd, regret_low_usd, regret_high_usd, pooled_usd, pooled_low_usd,
       pooled_high_usd, pooled_own, pooled_segments, pooled_sets, needs_outcomes, needs_exploration, comparison::text as set, segment_number
  from ledger.segments
 where status = 'not_enough_evidence' and pooled_usd is not null and {filters - tenant layer kind task_class chosen}
 order by pooled_usd desc, n desc, kind, task_class, chosen, value_band
 limit {limit};

-- name: action_risks
-- What actions risk by their class, per task that did any: in all classes of tasks ("*"), then in each.
select action_class, task_class, tenant, is_reversible, tasks, told, incidents, rate, rate_low, rate_high, pooled_rate, pooled_low, pooled_high,
       loss_usd, loss_low_usd, loss_high_usd, tail_usd, tail_low_usd, tail_high_usd, is_tail, rho, risk_usd, risk_low_usd, risk_high_usd,
       worst_case_usd, stated_usd, status, why, needs_outcomes, since, until
  from ledger.action_risks
 where {filters - tenant task_class} or (task_class = '*' and {filters - tenant})
 order by tenant, action_class, task_class = '*' desc, tasks desc, task_class;
