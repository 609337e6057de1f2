-- name: lock_autonomy
-- One adopts at a time, until its transaction ends.
select pg_advisory_xact_lock(hashtextextended('pigou.autonomy', 0))

-- name: adopt
-- What is stated takes the place of what held, of one tenant or (null) of all of them: further revisions of what differs, and of what is no
-- longer stated an empty one.
with held as (
    select distinct on (tenant_id, action_class, task_class) tenant_id, action_class, task_class, revision, confirmation
      from pigou.autonomy_requirement
     where %(tenant_id)s::integer is null or tenant_id = %(tenant_id)s::integer
     order by tenant_id, action_class, task_class, revision desc
)
insert into pigou.autonomy_requirement (tenant_id, action_class, task_class, revision, confirmation, source)
select tenant_id, action_class, task_class, coalesce(h.revision, 0) + 1, s.confirmation, %(source)s
  from held h
  full join jsonb_to_recordset(%(stated)s::jsonb) s (tenant_id integer, action_class text, task_class text, confirmation text)
       using (tenant_id, action_class, task_class)
 where s.confirmation is distinct from h.confirmation
returning confirmation

-- name: adopted
-- What is required now, by tenant (null: of all).
select distinct on (r.tenant_id, r.action_class, r.task_class)
       case when r.tenant_id <> 0 then t.tenant end, r.action_class, r.task_class, r.confirmation
  from pigou.autonomy_requirement r
  left join pigou.tenant t using (tenant_id)
 order by r.tenant_id, r.action_class, r.task_class, r.revision desc

-- name: strangers
-- Of the classes of action that a schedule names, those that no rule of uses gives and nobody was seen to do.
select name from unnest(%(action_classes)s::text[]) name
 where not exists (select from pigou.use_rule where action_class = name)
   and not exists (select from ledger.looks l
                    where l.mode = 'over_delegation'
                      and l.evidence -> 'detail' -> 'schedule' @> jsonb_build_array(jsonb_build_object('action_class', name)))
 order by name
