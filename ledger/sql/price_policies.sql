-- name: lock_policies
-- One writer at a time revises the price policy, until its transaction ends.
select pg_advisory_xact_lock(hashtextextended('pigou.price_policy', 0))

-- name: next_revision
-- The revision after the last of a class.
select coalesce(max(revision), 0) + 1 from pigou.price_policy where tenant_id = %(tenant_id)s and task_class = %(task_class)s

-- name: newest_revision
-- What the last revision of a class says.
select v_usd, lambda_usd_per_s, rho, deadline_s::numeric, grace_s::numeric, case when isfinite(lower(valid)) then lower(valid) end,
       case when isfinite(upper(valid)) then upper(valid) end, outcome_sources, lambda_is_dual, rho_is_dual
  from pigou.price_policy p
 where tenant_id = %(tenant_id)s and task_class = %(task_class)s
   and revision = (select max(revision) from pigou.price_policy n where n.tenant_id = p.tenant_id and n.task_class = p.task_class)

-- name: add_policy
-- One statement.
insert into pigou.price_policy (tenant_id, task_class, revision, valid, v_usd, lambda_usd_per_s, rho, deadline_s, grace_s,
                                outcome_sources, lambda_is_dual, rho_is_dual, source)
values (%(tenant_id)s, %(task_class)s, %(revision)s, tstzrange(%(valid_from)s, %(valid_until)s), %(v_usd)s, %(lambda_usd_per_s)s, %(rho)s,
        %(deadline_s)s, %(grace_s)s, %(outcome_sources)s, %(lambda_is_dual)s, %(rho_is_dual)s, %(source)s)
