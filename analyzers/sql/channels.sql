-- name: lock_channels
-- One states channels at a time, until its transaction ends.
select pg_advisory_xact_lock(hashtextextended('pigou.channel', 0))

-- name: newest_revision
-- A channel as it was stated last.
select revision, kind, settings, rules, tenants, severity_min, escalate_after, group_for, give_up_after, is_on
  from pigou.channel where tenant_id = %(tenant_id)s and channel = %(channel)s
 order by revision desc limit 1

-- name: add_revision
-- A further revision of a channel.
insert into pigou.channel (tenant_id, channel, revision, kind, settings, rules, tenants, severity_min, escalate_after, group_for,
                           give_up_after, is_on, source)
values (%(tenant_id)s, %(channel)s, %(revision)s, %(kind)s, %(settings)s, %(rules)s, %(tenants)s, %(severity_min)s, %(escalate_after)s,
        %(group_for)s, %(give_up_after)s, %(is_on)s, %(source)s)

-- name: try_anew
-- A channel that was stated anew is tried at once, whatever became of it before.
insert into pigou.channel_state as s (tenant_id, channel) values (%(tenant_id)s, %(channel)s)
on conflict (tenant_id, channel) do update set next_at = '-infinity', failures = 0, failing_since = null

-- name: messages_anew
-- And so are its messages.
update pigou.delivery_message set next_at = '-infinity'
 where tenant_id = %(tenant_id)s and channel = %(channel)s and state = 'waiting'

-- name: known_rules
-- The rules that there are.
select array_agg(distinct rule order by rule) from pigou.alert_rule

-- name: tenant_id
-- A tenant's number.
select tenant_id from pigou.tenant where tenant = %(tenant)s and tenant_id <> 0
