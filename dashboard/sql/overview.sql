-- name: findings_by_day
-- What the findings that count lost on each day, summed.
select x.day, sum(x.usd) as usd
  from ledger.findings f
 cross join lateral jsonb_to_recordset(f.evidence -> 'days') as x (day timestamptz, usd numeric)
 where f.status in ('open', 'acknowledged') and {overlap f.opened_at f.resolved_at}
   and {filters x.day f.tenant f.mode f.layer f.task_class f.agent}
 group by x.day
 order by x.day;

-- name: flow
-- Where dollars went: by tenant, layer, use and class of tasks.
select tenant, layer, use, task_class, sum(cost_usd) as cost_usd
  from {spend}
 where {filters - tenant layer agent task_class}
 group by tenant, layer, use, task_class
having sum(cost_usd) > 0
 order by cost_usd desc, tenant, layer, use, task_class;

-- name: flow_outcomes
-- How the tasks of each class went, in dollars of their cost. A task that is half a success counts half.
select tenant, task_class,
       sum(well_usd) as well_usd, sum(wrong_usd) as wrong_usd, sum(unknown_usd) as unknown_usd
  from {tasks}
 where {filters - tenant task_class agent}
 group by tenant, task_class
 order by tenant, task_class;

-- name: budgets_in_force
-- Budgets of whole tenants in their present period: what a tenant's dollars flow from.
select tenant, budget, period, amount_usd, spent_usd
  from ledger.budgets
 where layer is null and use is null and agent is null and model is null and task_class is null and {filters - tenant}
 order by tenant, amount_usd desc, budget;

-- name: spend_priced
-- Of all tokens, how many have a price, a layer and a use.
select coalesce(sum(tokens), 0) as tokens,
       coalesce(sum(tokens), 0) - coalesce(sum(unpriced_tokens), 0) as priced_tokens,
       coalesce(sum(tokens) filter (where layer is not null and use is not null), 0) as classified_tokens
  from (select layer, use, unpriced_tokens,
               coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
                 + coalesce(output_tokens, 0) + coalesce(reasoning_tokens, 0) as tokens
          from {spend}
         where {filters - tenant layer agent task_class}) as counted;
