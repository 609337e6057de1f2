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
