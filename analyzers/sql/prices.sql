-- name: lock_pricing
-- Of several that would write a tenant's prices one works at a time.
select pg_advisory_xact_lock(hashtextextended('pigou.prices', %(tenant_id)s))

-- name: tenants_to_price
-- Tenants whose prices are to be looked at, with a hash of what is stated about them and of how prices are solved: one of these
-- changed, or the last look is an hour old and tasks were settled since, or it is asked for.
select t.tenant_id, t.tenant, i.inputs
  from pigou.tenant t
 cross join lateral (
       select md5(concat_ws('|', %(method)s::text,
           (select string_agg(p::text, ',' order by p.tenant_id, p.task_class, p.revision, p.valid)
              from pigou.price_policy p where p.tenant_id in (0, t.tenant_id)),
           (select string_agg(c::text, ',' order by c.task_class, c.revision)
              from pigou.price_constraint c where c.tenant_id = t.tenant_id),
           (select string_agg(b::text, ',' order by b.budget, b.revision) from pigou.budget b where b.tenant_id = t.tenant_id))) as inputs) i
  left join lateral (select s.inputs, s.solved_at from pigou.price_solution s
                      where s.tenant_id = t.tenant_id order by s.solution_id desc limit 1) s on true
 where t.tenant_id <> 0 and (%(tenant)s::text is null or t.tenant = %(tenant)s)
   and case when %(now)s then true
            when s.inputs is null then exists (select from pigou.task k where k.tenant_id = t.tenant_id)
                                    or exists (select from pigou.price_policy p where p.tenant_id = t.tenant_id)
                                    or exists (select from pigou.price_constraint c where c.tenant_id = t.tenant_id)
            when s.inputs <> i.inputs then true
            else s.solved_at < now() - interval '1 hour'
                 and exists (select from pigou.task k where k.tenant_id = t.tenant_id and k.settled_at > s.solved_at) end
 order by t.tenant_id

-- name: extent
-- When a tenant's last task began, and its first within so many days before.
select min(k.started_at), l.last
  from (select max(started_at) as last from pigou.task where tenant_id = %(tenant_id)s) l
  join pigou.task k on k.tenant_id = %(tenant_id)s and k.started_at >= l.last - make_interval(days => %(days)s)
 group by l.last

-- name: class_totals
-- What the tasks of a period took, by class. Expected losses where actions state them, else realised ones.
select coalesce(task_class, ''), count(*), count(cost_usd), coalesce(sum(cost_usd), 0)::float8, sum(latency_s),
       count(risk_usd) filter (where risk_usd is not null) + count(*) filter (where loss_usd > 0),
       sum(coalesce(risk_usd, loss_usd))::float8,
       count(value_usd) filter (where value_source = 'explicit'), avg(value_usd) filter (where value_source = 'explicit'),
       stddev_samp(value_usd) filter (where value_source = 'explicit')
  from pigou.task
 where tenant_id = %(tenant_id)s and started_at >= %(since)s and started_at <= %(until)s
 group by 1 order by 1

-- name: constraints_in_force
-- The limits on latency and losses that a tenant states now.
select distinct on (task_class) task_class, latency_s::float8, risk_usd_per_day::float8
  from pigou.price_constraint where tenant_id = %(tenant_id)s
 order by task_class, revision desc

-- name: budgets_in_force
-- The tenant's budgets of the period that holds now, and whether they are of compute as a whole or of one class of tasks.
select budget, task_class, amount_usd::float8, extract(epoch from period_until - period_from)::float8,
       layer is null and use is null and agent is null and model is null
  from pigou.budgets_at(now(), %(tenant_id)s) order by budget

-- name: period_comparisons
-- The decisions of a tenant's period that are compared with each other, in the columns that `comparison_of` reads.
select c.comparison, f.layer, f.kind, f.task_class, f.options, f.feature_names, f.assignment, c.decisions, c.has_menu, '' as fingerprint
  from (select d.comparison, count(*) as decisions, bool_and(d.propensities is not null) as has_menu
          from pigou.decision d
          join pigou.task t on t.tenant_id = d.tenant_id and t.trace_id = d.trace_id
         where d.tenant_id = %(tenant_id)s and d.decided_at >= %(since)s and d.decided_at < %(until)s
         group by d.comparison) c
 cross join lateral (select d.layer, d.kind, d.task_class, d.options, d.feature_names, d.assignment
                       from pigou.decision d
                      where d.tenant_id = %(tenant_id)s and d.comparison = c.comparison
                        and d.decided_at >= %(since)s and d.decided_at < %(until)s
                      limit 1) f
 order by f.kind, f.task_class nulls first, c.comparison

-- name: newest_rows
-- The last revision of the prices of every class of a tenant.
select distinct on (task_class) task_class, revision, v_usd, v_low_usd, v_high_usd, v_stated_usd, v_source, budget_worth, budget_worth_low,
       budget_worth_high, lambda_usd_per_s, lambda_low, lambda_high, lambda_source, rho, rho_low, rho_high, rho_source, source,
       constraints, why
  from pigou.price_vector where tenant_id = %(tenant_id)s
 order by task_class, revision desc

-- name: add_solution
-- A look at a tenant's prices.
insert into pigou.price_solution (tenant_id, solution_id, since, until, seed, method, tasks, decisions, inputs, status, why, constraints,
                                  left_out, period_s, classes, limits, together)
select %(tenant_id)s, coalesce(max(solution_id), 0) + 1, %(since)s, %(until)s, %(seed)s, %(method)s, %(tasks)s, %(decisions)s, %(inputs)s,
       %(status)s, %(why)s, %(constraints)s, %(left_out)s, %(period_s)s, %(classes)s, %(limits)s, %(together)s
  from pigou.price_solution where tenant_id = %(tenant_id)s
returning solution_id

-- name: add_failure
-- A look that ended in an error: the prices stay as they are, and it is not tried again before something changes.
insert into pigou.price_solution (tenant_id, solution_id, since, until, seed, method, tasks, decisions, inputs, status, why, constraints,
                                  left_out)
select %(tenant_id)s, coalesce(max(solution_id), 0) + 1, now(), now(), %(seed)s, %(method)s, 0, 0, %(inputs)s, 'failed', %(why)s, '[]', '[]'
  from pigou.price_solution where tenant_id = %(tenant_id)s

-- name: add_vector
-- A further revision of a class's prices.
insert into pigou.price_vector (tenant_id, task_class, revision, solution_id, valid_from, v_usd, v_low_usd, v_high_usd, v_stated_usd,
                                v_source, budget_worth, budget_worth_low, budget_worth_high, lambda_usd_per_s, lambda_low, lambda_high,
                                lambda_source, rho, rho_low, rho_high, rho_source, source, constraints, why)
values (%(tenant_id)s, %(task_class)s, %(revision)s, %(solution_id)s, clock_timestamp(), %(v_usd)s, %(v_low_usd)s, %(v_high_usd)s,
        %(v_stated_usd)s, %(v_source)s, %(budget_worth)s, %(budget_worth_low)s, %(budget_worth_high)s, %(lambda_usd_per_s)s,
        %(lambda_low)s, %(lambda_high)s, %(lambda_source)s, %(rho)s, %(rho_low)s, %(rho_high)s, %(rho_source)s, %(source)s,
        %(constraints)s, %(why)s)

-- name: forget_alternatives
-- Only those of the last look are kept.
delete from pigou.price_alternative where tenant_id = %(tenant_id)s

-- name: add_alternative
-- An option of the decisions that a look was solved over.
insert into pigou.price_alternative (tenant_id, comparison, place, solution_id, task_class, kind, option, v_bands, chosen, quality, cost_usd,
                                     latency_s, loss_usd, quality_draws, cost_draws, latency_draws, loss_draws, alike)
values (%(tenant_id)s, %(comparison)s, %(place)s, %(solution_id)s, %(task_class)s, %(kind)s, %(option)s, %(v_bands)s, %(chosen)s, %(quality)s,
        %(cost_usd)s, %(latency_s)s, %(loss_usd)s, %(quality_draws)s, %(cost_draws)s, %(latency_draws)s, %(loss_draws)s,
        %(alike)s)
