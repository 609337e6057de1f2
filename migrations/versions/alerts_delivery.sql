-- Delivery of alerts: who hears of them, what was told, and what could not be. Reasons: docs/alerts.md.

create function pigou.severity_rank(severity text) returns integer language sql immutable parallel safe as $$
    select array_position(array['info', 'warning', 'critical'], severity)
$$;

alter table pigou.alert_rule add column severity text not null default 'warning'
    constraint alert_rule_severity_is_known check (pigou.severity_rank(severity) is not null);
-- A column that was not there is filled; nothing that was stated changes.
alter table pigou.alert_rule disable trigger alert_rule_is_append_only;
update pigou.alert_rule set severity = 'critical' where rule in ('budget_overrun', 'ingest_silence', 'books_check');
alter table pigou.alert_rule enable trigger alert_rule_is_append_only;
alter table pigou.alert add column severity text not null default 'warning'
    constraint alert_severity_is_known check (pigou.severity_rank(severity) is not null);
update pigou.alert set severity = 'critical' where rule in ('budget_overrun', 'ingest_silence', 'books_check');

alter table pigou.alert_event drop constraint alert_event_is_known;
alter table pigou.alert_event add constraint alert_event_is_known check
    (event in ('opened', 'reopened', 'told again', 'escalated', 'acknowledged', 'muted', 'unmuted', 'noted', 'resolved'));

-- Minutes that something has waited to be told through a channel that fails; evidence: attempts.
insert into pigou.alert_rule (tenant_id, rule, revision, open_at, close_at, evidence_min, open_evaluations, open_for, close_evaluations,
                              close_for, stay_for, renotify_every, is_on, source, severity)
values (0, 'delivery', 1, 10, 5, 3, 1, '0', 2, '0', '1 hour', '4 hours', true, 'pigou', 'critical');

-- Keys of events, which receivers tell repetitions by, begin with what no other installation has.
insert into pigou.setting (setting, value) values ('installation', gen_random_uuid()::text);

-- Who hears of alerts, and how. Never edited: a change is a row of a higher revision. Of secrets only where they are read from.
create table pigou.channel (
    tenant_id      integer not null,                  -- 0: hears of every tenant, or of those in `tenants`
    channel        text not null,
    revision       integer not null,
    kind           text not null,
    settings       jsonb not null,                    -- where and how, by kind
    rules          text[],                            -- null: any
    tenants        text[],                            -- null: any
    severity_min   text not null,
    escalate_after interval,                          -- hears only of what nobody has acknowledged for so long
    group_for      interval not null,                 -- waits so long, so that what comes together is told together
    give_up_after  interval not null,
    is_on          boolean not null,
    source         text not null,                     -- who or what stated it
    recorded_at    timestamptz not null default now(),
    primary key (tenant_id, channel, revision),
    constraint channel_kind_is_known check (kind in ('webhook', 'slack', 'email', 'alertmanager', 'otlp')),
    constraint channel_severity_is_known check (pigou.severity_rank(severity_min) is not null),
    constraint channel_times_are_not_negative check
        (group_for >= interval '0' and give_up_after > interval '0' and (escalate_after is null or escalate_after > interval '0'))
);

create trigger channel_is_append_only before update or delete or truncate on pigou.channel
    for each statement execute function pigou.refuse_change();

-- How delivery through a channel goes. One process at a time works on a channel: whoever took it, until then.
create table pigou.channel_state (
    tenant_id     integer not null,
    channel       text not null,
    taken_by      text,
    taken_until   timestamptz,
    next_at       timestamptz not null default '-infinity',  -- not tried before
    failures      integer not null default 0,         -- in a row
    failing_since timestamptz,                        -- null: it works, or was never tried
    last_error    text,
    last_error_at timestamptz,
    last_sent_at  timestamptz,
    repeated_at   timestamptz,                        -- alertmanager: when what stands open was last repeated
    primary key (tenant_id, channel)
);

-- What is sent in one piece; a repetition sends the same again, under the same key.
create table pigou.delivery_message (
    tenant_id   integer not null,                     -- the channel's
    channel     text not null,
    message_id  bigint not null,
    message_key uuid not null default gen_random_uuid(),
    kind        text not null,
    made_at     timestamptz not null default clock_timestamp(),
    state       text not null default 'waiting',
    attempts    integer not null default 0,           -- begun
    tried_at    timestamptz,
    next_at     timestamptz not null default '-infinity',
    settled_at  timestamptz,
    answer      text,                                 -- what the receiver, or the network, said last
    primary key (tenant_id, channel, message_id),
    constraint delivery_message_kind_is_known check (kind in ('events', 'summary')),
    constraint delivery_message_state_is_known check (state in ('waiting', 'sent', 'dead', 'dropped'))
);
create index delivery_message_waits on pigou.delivery_message (tenant_id, channel, next_at) where state = 'waiting';

-- One row per event and channel that is to hear of it, made in the transaction that makes the event.
create table pigou.delivery (
    tenant_id         integer not null,               -- the alert's
    alert_id          integer not null,
    event_id          integer not null,
    channel_tenant_id integer not null,
    channel           text not null,
    made_at           timestamptz not null,
    is_withheld       boolean not null,               -- happened during maintenance: told in a summary after it
    said              jsonb not null,                 -- the alert as it was then
    state             text not null default 'waiting',
    message_id        bigint,                         -- the message it went into
    settled_at        timestamptz,
    why               text,                           -- of what ended without a message
    primary key (tenant_id, alert_id, event_id, channel_tenant_id, channel),
    constraint delivery_state_is_known check (state in ('waiting', 'sent', 'dead', 'dropped'))
);
create index delivery_waits on pigou.delivery (channel_tenant_id, channel, tenant_id, alert_id, event_id) where state = 'waiting';
create index delivery_of_message on pigou.delivery (channel_tenant_id, channel, message_id) where message_id is not null;
create index delivery_died on pigou.delivery (tenant_id, settled_at) where state = 'dead';

-- Times in which nothing is told of some alerts. Ended early by a person, never edited otherwise.
create table pigou.maintenance (
    tenant_id      integer not null,                  -- 0: of every tenant
    maintenance_id integer not null,
    rule           text,                              -- null: any
    subject        text,                              -- null: any
    begins_at      timestamptz not null,
    ends_at        timestamptz not null,
    who            text not null,
    note           text,
    recorded_at    timestamptz not null default now(),
    ended_at       timestamptz,
    ended_by       text,
    primary key (tenant_id, maintenance_id),
    constraint maintenance_ends_after_it_begins check (ends_at > begins_at),
    constraint maintenance_was_ended_by_somebody check ((ended_at is null) = (ended_by is null))
);

create function pigou.is_maintained(of_tenant_id integer, of_rule text, of_subject text, at timestamptz) returns boolean
language sql stable as $$
    select exists (select from pigou.maintenance m
                    where m.tenant_id in (0, of_tenant_id) and (m.rule is null or m.rule = of_rule)
                      and (m.subject is null or m.subject = of_subject)
                      and m.begins_at <= at and at < least(m.ends_at, m.ended_at))
$$;

-- The channels that hear of such an alert. A channel is not told of itself that it fails.
create function pigou.channels_hearing(of_tenant_id integer, of_rule text, of_subject text, of_severity text) returns setof pigou.channel
language sql stable as $$
    select c.*
      from (select distinct on (tenant_id, channel) * from pigou.channel
             where tenant_id in (0, of_tenant_id) order by tenant_id, channel, revision desc) c
     where c.is_on and (c.rules is null or of_rule = any (c.rules))
       and (c.tenants is null or (select t.tenant from pigou.tenant t where t.tenant_id = of_tenant_id) = any (c.tenants))
       and pigou.severity_rank(of_severity) >= pigou.severity_rank(c.severity_min)
       and not (of_rule = 'delivery' and of_subject = c.channel)
$$;

-- Since when an open alert waits for somebody to acknowledge it.
create function pigou.unacknowledged_since(of_tenant_id integer, of_alert_id integer) returns timestamptz language sql stable as $$
    select max(e.at) from pigou.alert_event e
     where e.tenant_id = of_tenant_id and e.alert_id = of_alert_id and e.event in ('opened', 'reopened', 'unmuted')
$$;

create function pigou.was_made_for(of_tenant_id integer, of_alert_id integer, of_channel_tenant_id integer, of_channel text) returns boolean
language sql stable as $$
    select exists (select from pigou.delivery d
                    where d.tenant_id = of_tenant_id and d.alert_id = of_alert_id
                      and d.channel_tenant_id = of_channel_tenant_id and d.channel = of_channel)
$$;

-- An alert as receivers are told of it. Amounts are text, so that no digit is lost.
create function pigou.alert_said(a pigou.alert) returns jsonb language sql stable as $$
    select jsonb_build_object(
        'tenant', (select t.tenant from pigou.tenant t where t.tenant_id = a.tenant_id), 'alert_id', a.alert_id, 'rule', a.rule,
        'subject', a.subject, 'severity', a.severity, 'state', a.state, 'opened_at', a.opened_at, 'resolved_at', a.resolved_at,
        'value', trim_scale(a.value)::text, 'threshold', trim_scale(a.threshold)::text, 'message', a.message, 'mend', a.mend,
        'notifications', a.notifications)
$$;

-- Called while the alert's row is held, so that an alert's deliveries are made in the order of its events. What escalates is told to
-- the channels whose time has come; from then on they hear of the alert like others.
create function pigou.make_deliveries() returns trigger language plpgsql as $$
begin
    insert into pigou.delivery (tenant_id, alert_id, event_id, channel_tenant_id, channel, made_at, is_withheld, said)
    select e.tenant_id, e.alert_id, e.event_id, c.tenant_id, c.channel, clock_timestamp(),
           pigou.is_maintained(a.tenant_id, a.rule, a.subject, e.at),
           pigou.alert_said(a) || jsonb_build_object('event_id', e.event_id, 'event', e.event, 'at', e.at, 'who', e.who, 'note', e.note)
      from added e
      join pigou.alert a on a.tenant_id = e.tenant_id and a.alert_id = e.alert_id
     cross join lateral pigou.channels_hearing(a.tenant_id, a.rule, a.subject, a.severity) c
     where e.is_to_be_told
       and case when c.escalate_after is null then e.event <> 'escalated'
                when e.event = 'escalated' then
                    pigou.unacknowledged_since(e.tenant_id, e.alert_id) + c.escalate_after <= e.at
                    and not pigou.was_made_for(e.tenant_id, e.alert_id, c.tenant_id, c.channel)
                else pigou.was_made_for(e.tenant_id, e.alert_id, c.tenant_id, c.channel) end;
    return null;
end $$;

create trigger alert_event_is_delivered after insert on pigou.alert_event
    referencing new table as added for each statement execute function pigou.make_deliveries();

-- What can go into a message now: not during maintenance, and not while an earlier event of the alert is on its way through the
-- channel. `kind` is null where events of the other kind come first; `turn` orders, and never turns an alert's events round.
create view pigou.delivery_waiting as
select w.channel_tenant_id, w.channel, w.tenant_id, w.alert_id, w.event_id,
       max(w.made_at) over alert_so_far as turn,
       case when bool_and(w.is_withheld) over alert_so_far then 'summary'
            when not bool_or(w.is_withheld) over alert_so_far then 'events' end as kind
  from pigou.delivery w
  join pigou.alert a on a.tenant_id = w.tenant_id and a.alert_id = w.alert_id
 where w.state = 'waiting' and w.message_id is null
   and not pigou.is_maintained(a.tenant_id, a.rule, a.subject, clock_timestamp())
   and not exists (select from pigou.delivery o
                    where o.channel_tenant_id = w.channel_tenant_id and o.channel = w.channel and o.tenant_id = w.tenant_id
                      and o.alert_id = w.alert_id and o.state = 'waiting' and o.message_id is not null)
window alert_so_far as (partition by w.channel_tenant_id, w.channel, w.tenant_id, w.alert_id order by w.event_id);

-- What a channel that is told of states rather than of events holds to be open: alerts it hears of that are not resolved, muted or under
-- maintenance.
create function pigou.standing_alerts(of_tenant_id integer, of_channel text) returns setof pigou.alert language sql stable as $$
    select a.*
      from pigou.alert a
     cross join lateral pigou.channels_hearing(a.tenant_id, a.rule, a.subject, a.severity) c
     where a.state in ('open', 'acknowledged') and (of_tenant_id = 0 or a.tenant_id = of_tenant_id)
       and c.tenant_id = of_tenant_id and c.channel = of_channel
       and (c.escalate_after is null or pigou.was_made_for(a.tenant_id, a.alert_id, c.tenant_id, c.channel))
       and not pigou.is_maintained(a.tenant_id, a.rule, a.subject, clock_timestamp())
$$;

-- Channels with the earliest time at which there is something to send through them; null: there is nothing.
create view pigou.channel_due as
select s.tenant_id, s.channel, greatest(s.next_at, s.taken_until, d.at) as due_at
  from pigou.channel_state s
 cross join lateral (select * from pigou.channel c where c.tenant_id = s.tenant_id and c.channel = s.channel
                      order by c.revision desc limit 1) c
 cross join lateral (
       select min(m.next_at) as at from pigou.delivery_message m
        where m.tenant_id = s.tenant_id and m.channel = s.channel and m.state = 'waiting'
       union all
       select min(case when w.kind = 'summary' then w.turn else w.turn + c.group_for end) from pigou.delivery_waiting w
        where w.channel_tenant_id = s.tenant_id and w.channel = s.channel and w.kind is not null
       union all
       select coalesce(s.repeated_at + make_interval(secs => (c.settings ->> 'repeat_every_s')::integer), '-infinity')
        where c.kind = 'alertmanager' and exists (select from pigou.standing_alerts(s.tenant_id, s.channel))) d
 where c.is_on and d.at is not null;

grant select, insert on pigou.channel, pigou.channel_state, pigou.delivery_message, pigou.delivery, pigou.maintenance to pigou_writer;
grant update on pigou.channel_state, pigou.delivery_message, pigou.delivery to pigou_writer;
grant update (ended_at, ended_by) on pigou.maintenance to pigou_writer;
grant select on pigou.delivery_waiting, pigou.channel_due to pigou_writer;
