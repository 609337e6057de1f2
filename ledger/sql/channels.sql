-- name: lock_channels
-- One states channels at a time, until its transaction ends.
select pg_advisory_xact_lock(hashtextextended('pigou.channel', 0))

-- name: newest_revision
-- A channel as it was stated last.
select revision, kind, settings, rules, tenants, severity_min, escalate_after, group_for, give_up_after, is_on, is_paused
  from pigou.channel where tenant_id = %(tenant_id)s and channel = %(channel)s
 order by revision desc limit 1

-- name: add_revision
-- A further revision of a channel.
insert into pigou.channel (tenant_id, channel, revision, kind, settings, rules, tenants, severity_min, escalate_after, group_for,
                           give_up_after, is_on, is_paused, source)
values (%(tenant_id)s, %(channel)s, %(revision)s, %(kind)s, %(settings)s, %(rules)s, %(tenants)s, %(severity_min)s, %(escalate_after)s,
        %(group_for)s, %(give_up_after)s, %(is_on)s, %(is_paused)s, %(source)s)

-- name: try_anew
-- A channel that was stated anew is tried at once, whatever became of it before.
insert into pigou.channel_state as s (tenant_id, channel) values (%(tenant_id)s, %(channel)s)
on conflict (tenant_id, channel) do update set next_at = '-infinity', failures = 0, failing_since = null

-- name: messages_anew
-- And so are its messages.
update pigou.delivery_message set next_at = '-infinity'
 where tenant_id = %(tenant_id)s and channel = %(channel)s and state = 'waiting'

-- name: send_again
-- What was given up waits again, with as much patience as if it had just happened, and is told after what waits already. Answers how many
-- events.
update pigou.delivery
   set state = 'waiting', message_id = null, settled_at = null, why = %(why)s, made_at = clock_timestamp()
 where channel_tenant_id = %(tenant_id)s and channel = %(channel)s and state = 'dead'

-- name: known_rules
-- The rules that there are.
select array_agg(distinct rule order by rule) from pigou.alert_rule

-- name: tenant_id
-- A tenant's number.
select tenant_id from pigou.tenant where tenant = %(tenant)s and tenant_id <> 0

-- name: channel
-- A channel as it is in force.
select nullif(c.tenant_id, 0) as own_tenant_id, t.tenant, c.channel, c.kind, c.settings, c.rules, c.tenants, c.severity_min, c.escalate_after,
       c.group_for, c.give_up_after, c.is_on
  from pigou.channel c left join pigou.tenant t on t.tenant_id = c.tenant_id and c.tenant_id <> 0
 where c.tenant_id = %(tenant_id)s and c.channel = %(channel)s
 order by c.revision desc limit 1

-- name: drop_orphans
-- What waits for a channel that was removed; nobody works on it meanwhile.
with gone as materialized (
    select s.tenant_id, s.channel
      from pigou.channel_state s
     where not (select c.is_on from pigou.channel c where c.tenant_id = s.tenant_id and c.channel = s.channel
                 order by c.revision desc limit 1)
     order by s.tenant_id, s.channel
       for update of s
),
messages as (
    update pigou.delivery_message m set state = 'dropped', settled_at = clock_timestamp(), answer = 'the channel was removed'
      from gone g where m.tenant_id = g.tenant_id and m.channel = g.channel and m.state = 'waiting'
)
update pigou.delivery d set state = 'dropped', settled_at = clock_timestamp(), why = 'the channel was removed'
  from gone g where d.channel_tenant_id = g.tenant_id and d.channel = g.channel and d.state = 'waiting'

-- name: ask_test
-- A test that whoever delivers is to send.
insert into pigou.channel_test (tenant_id, channel, test_id, who)
select %(tenant_id)s, %(channel)s, coalesce(max(test_id), 0) + 1, %(who)s
  from pigou.channel_test where tenant_id = %(tenant_id)s and channel = %(channel)s
returning test_id

-- name: show_test
-- What came of a test.
select * from ledger.channel_tests
 where channel = %(channel)s and test_id = %(test_id)s and tenant is not distinct from %(tenant)s::text

-- name: list_channels
-- The channels in force: a tenant's with those of all, or every one.
select * from ledger.channels where %(tenant)s::text is null or tenant is null or tenant = %(tenant)s
 order by tenant nulls first, channel
