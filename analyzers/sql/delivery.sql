-- name: take
-- A channel through which something is to be sent now, taken for a while: nobody else works on it meanwhile. Those that work come first.
with due as (
    select s.tenant_id, s.channel
      from pigou.channel_state s
     where (s.tenant_id, s.channel) in (select d.tenant_id, d.channel from pigou.channel_due d where d.due_at <= clock_timestamp())
       and coalesce(s.taken_until, '-infinity') <= clock_timestamp() and s.next_at <= clock_timestamp()
     order by s.failures, s.next_at, s.tenant_id, s.channel
     limit 1
       for update of s skip locked
)
update pigou.channel_state s
   set taken_by = %(taken_by)s, taken_until = clock_timestamp() + make_interval(secs => %(taken_for_s)s)
  from due
 where s.tenant_id = due.tenant_id and s.channel = due.channel
returning s.tenant_id, s.channel

-- name: message_due
-- The oldest message of a channel that is to be sent, or sent again.
select message_id from pigou.delivery_message
 where tenant_id = %(tenant_id)s and channel = %(channel)s and state = 'waiting' and next_at <= clock_timestamp()
 order by message_id limit 1

-- name: make_message
-- A message of what waits, oldest first and all of one kind; nothing when nothing does.
with waiting as materialized (
    select * from pigou.delivery_waiting where channel_tenant_id = %(tenant_id)s and channel = %(channel)s
),
due as (
    select w.*, first_value(w.kind) over (order by w.turn, w.tenant_id, w.alert_id, w.event_id) as first_kind
      from waiting w
     where w.kind is not null
       and w.turn + case w.kind when 'events' then %(group_for)s::interval else interval '0' end <= clock_timestamp()
),
chosen as materialized (
    select * from due where kind = first_kind order by turn, tenant_id, alert_id, event_id limit %(events_max)s
),
made as (
    insert into pigou.delivery_message (tenant_id, channel, message_id, kind)
    select %(tenant_id)s, %(channel)s,
           (select coalesce(max(m.message_id), 0) + 1 from pigou.delivery_message m
             where m.tenant_id = %(tenant_id)s and m.channel = %(channel)s),
           (select kind from chosen limit 1)
     where exists (select from chosen)
    returning message_id
)
update pigou.delivery d
   set message_id = made.message_id
  from made, chosen c
 where d.tenant_id = c.tenant_id and d.alert_id = c.alert_id and d.event_id = c.event_id
   and d.channel_tenant_id = c.channel_tenant_id and d.channel = c.channel
returning d.message_id

-- name: begin_attempt
-- The message is tried now, once more.
update pigou.delivery_message set attempts = attempts + 1, tried_at = clock_timestamp()
 where tenant_id = %(tenant_id)s and channel = %(channel)s and message_id = %(message_id)s
returning message_key, kind, made_at, attempts

-- name: said
-- The events of a message, in the order in which they are told.
select d.said
  from (select *, max(made_at) over (partition by tenant_id, alert_id order by event_id) as turn from pigou.delivery
         where channel_tenant_id = %(tenant_id)s and channel = %(channel)s and message_id = %(message_id)s) d
 order by d.turn, d.tenant_id, d.alert_id, d.event_id

-- name: standing
-- What stands open, to be repeated; and that it is being repeated.
with repeated as (
    update pigou.channel_state set repeated_at = clock_timestamp() where tenant_id = %(tenant_id)s and channel = %(channel)s
)
select pigou.alert_said(a) from pigou.standing_alerts(%(tenant_id)s, %(channel)s) a order by a.tenant_id, a.alert_id

-- name: installation
-- What keys of events begin with.
select value from pigou.setting where setting = 'installation'

-- name: hold_channel
-- Whether the channel is still ours, held until what came of it is written; how often it failed in a row, and how often this message did.
select s.failures, m.attempts
  from pigou.channel_state s
  left join pigou.delivery_message m on m.tenant_id = s.tenant_id and m.channel = s.channel and m.message_id = %(message_id)s
 where s.tenant_id = %(tenant_id)s and s.channel = %(channel)s and s.taken_by = %(taken_by)s
   for update of s

-- name: channel_worked
-- The channel works, and is free again once its pace allows.
update pigou.channel_state
   set taken_by = null, taken_until = null, failures = 0, failing_since = null, last_sent_at = clock_timestamp(),
       next_at = clock_timestamp() + make_interval(secs => %(pace_s)s)
 where tenant_id = %(tenant_id)s and channel = %(channel)s

-- name: channel_failed
-- The channel does not work, and is left alone for a while.
update pigou.channel_state
   set taken_by = null, taken_until = null, failures = failures + 1, failing_since = coalesce(failing_since, clock_timestamp()),
       last_error = %(answer)s, last_error_at = clock_timestamp(), next_at = clock_timestamp() + make_interval(secs => %(delay_s)s)
 where tenant_id = %(tenant_id)s and channel = %(channel)s

-- name: channel_refused
-- The channel works and did not take what it was sent.
update pigou.channel_state
   set taken_by = null, taken_until = null, failures = 0, failing_since = null, last_error = %(answer)s, last_error_at = clock_timestamp(),
       next_at = clock_timestamp() + make_interval(secs => %(pace_s)s)
 where tenant_id = %(tenant_id)s and channel = %(channel)s

-- name: release
-- The channel is free again; nothing is known of how it works.
update pigou.channel_state set taken_by = null, taken_until = null
 where tenant_id = %(tenant_id)s and channel = %(channel)s and taken_by = %(taken_by)s

-- name: settle_message
-- What came of a message, and of the events in it.
with settled as (
    update pigou.delivery_message set state = %(state)s, settled_at = clock_timestamp(), answer = %(answer)s
     where tenant_id = %(tenant_id)s and channel = %(channel)s and message_id = %(message_id)s
    returning message_id
)
update pigou.delivery d set state = %(state)s, settled_at = clock_timestamp()
  from settled s
 where d.channel_tenant_id = %(tenant_id)s and d.channel = %(channel)s and d.message_id = s.message_id

-- name: try_again
-- A message that was not taken is sent again later, unless what is in it has waited for too long while nothing worked: then it is dead.
update pigou.delivery_message m
   set answer = %(answer)s, next_at = clock_timestamp() + make_interval(secs => %(delay_s)s)
  from pigou.channel_state s
 where m.tenant_id = %(tenant_id)s and m.channel = %(channel)s and m.message_id = %(message_id)s
   and m.state = 'waiting' and s.tenant_id = m.tenant_id and s.channel = m.channel
returning clock_timestamp() - %(give_up_after)s::interval >= greatest(
       coalesce(s.failing_since, m.made_at),
       (select min(d.made_at) from pigou.delivery d
         where d.channel_tenant_id = m.tenant_id and d.channel = m.channel and d.message_id = m.message_id))

-- name: give_up
-- What waits behind the failures of a channel dies with as much patience as what was tried. Answers how many events.
update pigou.delivery d
   set state = 'dead', settled_at = clock_timestamp(), why = %(answer)s
  from pigou.channel_state s
 where d.channel_tenant_id = %(tenant_id)s and d.channel = %(channel)s and d.state = 'waiting' and d.message_id is null
   and not d.is_withheld
   and s.tenant_id = d.channel_tenant_id and s.channel = d.channel
   and greatest(d.made_at, s.failing_since) <= clock_timestamp() - %(give_up_after)s::interval and s.failing_since is not null

-- name: due_in
-- Seconds until something is to be sent, through whatever channel; null: nothing waits.
select case when count(*) > 0 then extract(epoch from greatest(min(due_at), clock_timestamp()) - clock_timestamp())::float8 end
  from pigou.channel_due

-- name: has_news
-- Whether something came to be told a moment ago, or somebody asked for a test.
select exists (select from pigou.delivery where state = 'waiting' and message_id is null and made_at > clock_timestamp() - interval '1 minute')
    or exists (select from pigou.channel_test where taken_at is null and asked_at > clock_timestamp() - interval '1 minute')

-- name: lock_open_alerts
-- Alerts that may escalate, held until it is written that they did; none when no channel waits for that.
select tenant_id, alert_id from pigou.alert
 where state = 'open' and quiet = 0 and exists (select from pigou.channel where escalate_after is not null)
 order by tenant_id, alert_id
   for update

-- name: escalate
-- Open alerts that nobody has acknowledged for as long as a channel waits: they are told through it, once. The trigger of deliveries
-- applies the same conditions.
insert into pigou.alert_event (tenant_id, alert_id, event_id, at, event, is_to_be_told, note, value)
select a.tenant_id, a.alert_id,
       (select max(e.event_id) + 1 from pigou.alert_event e where e.tenant_id = a.tenant_id and e.alert_id = a.alert_id),
       %(now)s, 'escalated', true, format('not acknowledged; told to %%s', string_agg(c.channel, ', ' order by c.channel)), a.value
  from pigou.alert a
 cross join lateral pigou.channels_hearing(a.tenant_id, a.rule, a.subject, a.severity) c
 where a.state = 'open' and a.quiet = 0 and c.escalate_after is not null
   and pigou.unacknowledged_since(a.tenant_id, a.alert_id) + c.escalate_after <= %(now)s
   and not pigou.was_made_for(a.tenant_id, a.alert_id, c.tenant_id, c.channel)
   and not pigou.is_maintained(a.tenant_id, a.rule, a.subject, %(now)s)
 group by a.tenant_id, a.alert_id, a.value

-- name: take_test
-- The oldest test of the past minute that nobody sends yet.
update pigou.channel_test k set taken_at = clock_timestamp()
  from (select w.tenant_id, w.channel, w.test_id from pigou.channel_test w
         where w.taken_at is null and w.asked_at > clock_timestamp() - interval '1 minute'
         order by w.asked_at limit 1 for update skip locked) due
 where k.tenant_id = due.tenant_id and k.channel = due.channel and k.test_id = due.test_id
returning k.tenant_id, k.channel, k.test_id

-- name: answer_test
-- What came of a test.
update pigou.channel_test set answered_at = clock_timestamp(), result = %(result)s, answer = %(answer)s
 where tenant_id = %(tenant_id)s and channel = %(channel)s and test_id = %(test_id)s
