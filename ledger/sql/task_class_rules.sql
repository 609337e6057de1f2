-- name: lock_rules
-- One writer at a time edits the rules of task classes, until its transaction ends.
select pg_advisory_xact_lock(hashtextextended('pigou.task_class_rule', 0))

-- name: last_ordinal
-- The place of the last rule.
select coalesce(max(ordinal), 0) from pigou.task_class_rule where tenant_id = %(tenant_id)s

-- name: add_rule
-- A rule, unless its place is taken.
insert into pigou.task_class_rule (tenant_id, ordinal, field, pattern, task_class)
values (%(tenant_id)s, %(ordinal)s, %(field)s, %(pattern)s, %(task_class)s) on conflict do nothing

-- name: remove_rule
-- Take one away.
delete from pigou.task_class_rule where tenant_id = %(tenant_id)s and ordinal = %(ordinal)s
