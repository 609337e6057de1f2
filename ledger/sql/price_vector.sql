-- name: version
-- The version of a tenant's price vector: the number of its last solution, and the time of its engines' last prices. A look at two indexes.
select t.tenant_id, (select max(s.solution_id) from pigou.price_solution s where s.tenant_id = t.tenant_id),
       (select max(e.valid_from) from pigou.engine_price e where e.tenant_id = t.tenant_id and e.valid_from <= now())
  from pigou.tenant t where t.tenant = %(tenant)s

-- name: in_force
-- The prices of a tenant that hold now, of every class and prefix.
select distinct on (v.task_class)
       v.task_class, v.v_usd, v.lambda_usd_per_s, v.rho, v.source, v.valid_from, v.v_low_usd, v.v_high_usd, v.v_stated_usd, v.v_source,
       v.budget_worth, v.budget_worth_low, v.budget_worth_high, v.lambda_low, v.lambda_high, v.lambda_source, v.rho_low, v.rho_high,
       v.rho_source, v.constraints, v.why, s.solved_at
  from pigou.price_vector v
  join pigou.price_solution s on s.tenant_id = v.tenant_id and s.solution_id = v.solution_id
 where v.tenant_id = %(tenant_id)s
 order by v.task_class, v.revision desc

-- name: engines_in_force
-- The shadow prices of a tenant's engines that hold now.
select distinct on (engine, resource) engine, resource, price, unit, price_low, price_high, valid_from
  from pigou.engine_price
 where tenant_id = %(tenant_id)s and valid_from <= now()
 order by engine, resource, valid_from desc

-- name: newest_constraint
-- The newest revision of a tenant's constraint on a class.
select revision, latency_s, risk_usd_per_day from pigou.price_constraint
 where tenant_id = %(tenant_id)s and task_class = %(task_class)s
 order by revision desc limit 1

-- name: add_constraint
-- A further revision of it.
insert into pigou.price_constraint (tenant_id, task_class, revision, latency_s, risk_usd_per_day, source)
values (%(tenant_id)s, %(task_class)s, %(revision)s, %(latency_s)s, %(risk_usd_per_day)s, %(source)s)
