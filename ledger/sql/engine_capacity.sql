-- name: lock_capacities
-- Of several that would state a capacity one works at a time.
select pg_advisory_xact_lock(hashtextextended('pigou.engine_capacity', 0))

-- name: add_capacity
-- A further revision of what an engine can do.
insert into pigou.engine_capacity (engine, resource, revision, per_s, source)
select %(engine)s, %(resource)s, coalesce(max(revision), 0) + 1, %(per_s)s, %(source)s
  from pigou.engine_capacity where engine = %(engine)s and resource = %(resource)s
returning revision

-- name: newest_capacity
-- What is stated now.
select per_s from pigou.engine_capacity
 where engine = %(engine)s and resource = %(resource)s
 order by revision desc limit 1

-- name: clearing_in_force
-- The clearing prices of an engine that hold, with what each tenant, or one, takes at them.
select resource, cleared_at, since, until, capacity_per_s, usd_per_unit, usd_low, usd_high, dual_low_usd, dual_high_usd, groped_usd, agrees,
       why, tenant, is_moved, was_per_s, free_per_s, takes_per_s, least_per_s, most_per_s, pays_usd_per_day
  from ledger.clearing_prices
 where engine = %(engine)s and is_in_force and (%(tenant)s::text is null or tenant = %(tenant)s)
 order by resource, tenant

-- name: tenant_is_there
-- Whether there is such a tenant.
select exists (select from pigou.tenant where tenant = %(tenant)s)
