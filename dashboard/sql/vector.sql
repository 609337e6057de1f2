-- name: findings_trend
-- What the findings that count lost on each of the seven days before today, and of the seven before those, on average. A day's loss
-- is its finding's times how often it happened, so that each day has the relative error of its finding; errors are added up as in the total.
select sum(latest) / 7 as latest_usd_per_day, sum(former) / max(former_days) as former_usd_per_day,
       sum(latest / 7 - former / former_days) as change_usd_per_day,
       sum(latest / 7 - former / former_days) - sqrt(sum(below_usd * below_usd)) as low,
       sum(latest / 7 - former / former_days) + sqrt(sum(above_usd * above_usd)) as high, max(former_days) as former_days
  from (select tenant, task_class, max(former_days) as former_days, sum(latest) as latest, sum(former) as former,
               sum((usd_per_day - low) / nullif(usd_per_day, 0) * abs(latest / 7 - former / former_days)) as below_usd,
               sum((high - usd_per_day) / nullif(usd_per_day, 0) * abs(latest / 7 - former / former_days)) as above_usd
          from (select f.tenant, f.task_class, f.usd_per_day, f.low, f.high, t.former_days,
                       coalesce(sum(x.usd) filter (where x.day >= t.turn), 0) as latest, coalesce(sum(x.usd) filter (where x.day < t.turn), 0) as former
                  from ledger.findings f
                 cross join (select date_trunc('day', {week ago}) as turn,
                                    greatest(least(date_part('epoch', date_trunc('day', {week ago}) - min(first_hour))::numeric / 86400, 7), 0.001) as former_days
                               from ledger.extent) t
                  left join lateral jsonb_to_recordset(f.evidence -> 'days') as x (day timestamptz, usd numeric)
                    on x.day >= t.turn - interval '7 days' and x.day < t.turn + interval '7 days'
                 where f.status in ('open', 'acknowledged') and {filters - f.tenant f.mode f.layer f.task_class f.agent}
                 group by f.tenant, f.finding_id, f.task_class, f.usd_per_day, f.low, f.high, t.former_days) as each
         group by tenant, task_class) as classes;

-- name: layer_realised
-- What the tasks of those classes brought and took a day in which each layer decides: value, compute, latency and expected loss in dollars.
-- Counted are tasks of which all of it is known. Engines serve whole tenants, so that to supply all tasks of those count who were delayed.
select d.layer, sum(tasks.with_net) as tasks, sum(tasks.earned_usd) / max(days) as value_usd, sum(tasks.cost_usd) / max(days) as cost_usd,
       sum(tasks.latency_usd) / max(days) as latency_usd, sum(tasks.provision_usd) / max(days) as risk_usd, sum(tasks.net_usd) / max(days) as net_usd
  from (select tenant, layer, coalesce(task_class, '') as task_class from ledger.segments group by 1, 2, 3
        union
        select victim, 'supply', null from ledger.externalities group by victim) d
  join {tasks} on tasks.tenant = d.tenant and coalesce(tasks.task_class, '') = coalesce(d.task_class, tasks.task_class, '')
 cross join {days}
 where tasks.with_net > 0 and {filters - tasks.tenant d.layer tasks.task_class tasks.agent}
 group by d.layer
 order by d.layer;

-- name: layer_terms
-- What better options would have changed a day in each layer, by term of the equation, where regret stands.
select layer, sum(value_usd) / max(days) as value_usd, sum(cost_usd) / max(days) as cost_usd,
       sum(latency_usd) / max(days) as latency_usd, sum(risk_usd) / max(days) as risk_usd
  from {regret}
 cross join {days}
 where standing > 0 and {filters - tenant layer kind task_class agent chosen}
 group by layer
 order by layer;

-- name: layer_found
-- What is lost a day where no single decision tells it: delays that requests impose on others, capability that old rollouts cost. From the days
-- of findings that count, with the relative error of each.
select layer, mode, sum(usd) / max(days) as usd_per_day, sum(usd * (usd_per_day - low) / nullif(usd_per_day, 0)) / max(days) as below_usd,
       sum(usd * (high - usd_per_day) / nullif(usd_per_day, 0)) / max(days) as above_usd
  from (select f.layer, f.mode, f.usd_per_day, f.low, f.high, sum(x.usd) as usd
          from ledger.findings f
         cross join lateral jsonb_to_recordset(f.evidence -> 'days') as x (day timestamptz, usd numeric)
         where f.status in ('open', 'acknowledged') and f.mode in ('serving_congestion', 'stale_rollouts') and x.day >= f.since - interval '1 day'
           and {filters x.day f.tenant f.layer f.task_class f.agent}
         group by f.layer, f.mode, f.tenant, f.finding_id, f.usd_per_day, f.low, f.high) as found
 cross join {days}
 group by layer, mode
 order by layer, mode;

-- name: layer_findings
-- What the findings of each layer lose a day, with its interval; errors are added up within a class of tasks, as in the total.
select layer, sum(usd_per_day) as usd_per_day, sum(usd_per_day) - sqrt(sum(below_usd * below_usd)) as low,
       sum(usd_per_day) + sqrt(sum(above_usd * above_usd)) as high, sum(findings) as findings
  from (select layer, tenant, task_class, sum(usd_per_day) as usd_per_day, sum(usd_per_day - low) as below_usd, sum(high - usd_per_day) as above_usd,
               count(*) as findings
          from ledger.findings
         where status in ('open', 'acknowledged') and {overlap opened_at resolved_at} and {filters - tenant task_class agent}
         group by layer, tenant, task_class) as classes
 group by layer
 order by layer;

-- name: flow_external
-- What classes of tasks cost others in delay on shared engines, at these others' price of a second: in nobody's bill.
select tenant, nullif(task_class, '') as task_class, sum(usd) as usd
  from ledger.externalities
 where {filters day tenant task_class}
 group by tenant, task_class
having sum(usd) > 0
 order by usd desc, tenant, task_class;
