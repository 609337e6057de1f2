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
