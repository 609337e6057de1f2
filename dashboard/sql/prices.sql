-- name: price_history
-- The prices of each class over time: each row held from `since` until the next one, null: it holds now.
select tenant, task_class, begun as since, ended as until, v_usd, lambda_usd_per_s, rho, source
  from (select p.*, lower(p.valid) as begun, upper(p.valid) as ended from ledger.price_vector p) as held
 where {overlap begun ended} and {filters - tenant}
 order by tenant, task_class, since
 limit {limit};

-- name: price_limits
-- The limits that prices are solved from, with what the period left of each: a slack one has no price.
select v.tenant, x.name, x.kind, x."limit" as limit_set, x.used, x.slack, x.price, x.is_binding, string_agg(v.task_class, ', ' order by v.task_class) as classes
  from ledger.price_vector v
 cross join lateral jsonb_to_recordset(v.constraints)
       as x (name text, kind text, "limit" numeric, used numeric, slack numeric, price numeric, is_binding boolean)
 where upper_inf(v.valid) and {filters - v.tenant}
 group by v.tenant, x.name, x.kind, x."limit", x.used, x.slack, x.price, x.is_binding
 order by x.is_binding desc, x.slack, v.tenant, x.name;

-- name: price_periods
-- What the prices of each tenant were solved over last: its classes with what they took and what is stated, and its limits.
select tenant, solved_at, since, until, period_s, tasks, decisions, classes, limits, constraints, left_out, method,
       together
  from ledger.price_periods
 where {filters - tenant}
 order by tenant;

-- name: price_alternatives
-- What each option of a tenant's decisions would have brought and taken, once as estimated and once for each draw of tasks.
select comparison, place, task_class, kind, option, v_bands, chosen, quality, cost_usd, latency_s, loss_usd, quality_draws, cost_draws,
       latency_draws, loss_draws, alike
  from ledger.price_alternatives
 where tenant = {whose}
 order by comparison, place;

-- name: capacities_waiting
-- Capacities of engines that are stated and were not priced yet.
select c.engine, c.resource, c.per_s
  from ledger.engine_capacities c
 where c.is_in_force and c.per_s is not null
   and not exists (select from ledger.clearing_prices p where p.engine = c.engine and p.resource = c.resource and p.is_in_force)
 order by c.engine, c.resource
 limit {limit};

-- name: clearing
-- The prices at which what tenants take of an engine fits its stated capacity, in dollars for a million units, and what each takes at them.
select engine, resource, tenant, usd_per_unit * 1000000 as usd_per_million, usd_low * 1000000 as low, usd_high * 1000000 as high, agrees,
       why, capacity_per_s, is_moved, was_per_s, free_per_s, takes_per_s, pays_usd_per_day, cleared_at
  from ledger.clearing_prices
 where is_in_force and {filters - tenant}
 order by engine, resource, tenant
 limit {limit};
