-- What people do with findings, rules, channels and views from the page. Reasons: docs/findings.md, docs/alerts.md.

-- That a loss is intended, or not worth its mending: said of a place, so that it holds when the loss comes back as another finding. Never
-- edited: the row of the highest revision holds. A row `restored` (by a person) or `lapsed` (its time is over, or it grew) ends it.
create table pigou.dismissal (
    tenant_id   integer not null,
    mode        text not null,
    segment     text not null,
    revision    integer not null,
    event       text not null,
    at          timestamptz not null,
    finding_id  integer not null,                     -- the finding on whose occasion
    ground      text,                                 -- of a dismissal: intended, or not worth it
    until_at    timestamptz,                          -- null: for good
    until_usd_per_day numeric,                        -- until it loses so much; null: whatever it loses
    who         text,                                 -- null: a look
    note        text,
    primary key (tenant_id, mode, segment, revision),
    constraint dismissal_event_is_known check (event in ('dismissed', 'restored', 'lapsed')),
    constraint dismissal_has_a_ground check
        ((event = 'dismissed') = (ground is not null) and (event <> 'dismissed' or (who is not null and note is not null))),
    constraint dismissal_ground_is_known check (ground in ('intended', 'not worth it')),
    constraint dismissal_growth_is_money check (until_usd_per_day > 0 and until_usd_per_day < 'Infinity'::numeric)
);

create trigger dismissal_is_append_only before update or delete or truncate on pigou.dismissal
    for each statement execute function pigou.refuse_change();

-- The dismissal that holds of a place at a time; no row: none does.
create function pigou.dismissal_at(of_tenant_id integer, of_mode text, of_segment text, at timestamptz) returns setof pigou.dismissal
language sql stable as $$
    select d.*
      from (select * from pigou.dismissal x
             where x.tenant_id = of_tenant_id and x.mode = of_mode and x.segment = of_segment
             order by x.revision desc limit 1) d
     where d.event = 'dismissed' and (d.until_at is null or d.until_at > dismissal_at.at)
$$;

alter table pigou.finding_event drop constraint finding_event_is_known;
alter table pigou.finding_event add constraint finding_event_is_known check
    (event in ('opened', 'reopened', 'grew', 'acknowledged', 'noted', 'dismissed', 'restored', 'lapsed', 'resolved'));

-- A tenant's own thresholds may be withdrawn: from then on those for all hold again. Those for all may not.
alter table pigou.alert_rule add column is_withdrawn boolean not null default false
    constraint alert_rule_for_all_stays check (not is_withdrawn or tenant_id <> 0);

-- Thresholds in force of a tenant: its own newest revision, else the newest for all.
create function pigou.alert_rules_of(of_tenant_id integer) returns setof pigou.alert_rule language sql stable as $$
    select distinct on (n.rule) n.*
      from (select distinct on (r.tenant_id, r.rule) * from pigou.alert_rule r
             where r.tenant_id in (0, of_tenant_id) order by r.tenant_id, r.rule, r.revision desc) n
     where not n.is_withdrawn
     order by n.rule, n.tenant_id desc
$$;

-- A paused channel hears of nothing that happens meanwhile; what waited for it before waits on.
alter table pigou.channel add column is_paused boolean not null default false;

create or replace function pigou.channels_hearing(of_tenant_id integer, of_rule text, of_subject text, of_severity text)
returns setof pigou.channel language sql stable as $$
    select c.*
      from (select distinct on (tenant_id, channel) * from pigou.channel
             where tenant_id in (0, of_tenant_id) order by tenant_id, channel, revision desc) c
     where c.is_on and not c.is_paused and (c.rules is null or of_rule = any (c.rules))
       and (c.tenants is null or (select t.tenant from pigou.tenant t where t.tenant_id = of_tenant_id) = any (c.tenants))
       and pigou.severity_rank(of_severity) >= pigou.severity_rank(c.severity_min)
       and not (of_rule = 'delivery' and of_subject = c.channel)
$$;

create or replace view pigou.channel_due as
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
 where c.is_on and not c.is_paused and d.at is not null;

-- Tests of channels that somebody asked for. Whoever delivers sends them, with the secrets that it has, and writes what was answered.
create table pigou.channel_test (
    tenant_id   integer not null,                     -- the channel's
    channel     text not null,
    test_id     integer not null,
    who         text not null,
    asked_at    timestamptz not null default clock_timestamp(),
    taken_at    timestamptz,
    answered_at timestamptz,
    result      text,
    answer      text,                                 -- what the receiver, or the network, said
    primary key (tenant_id, channel, test_id),
    constraint channel_test_result_is_known check (result in ('sent', 'failed', 'refused', 'lost')),
    constraint channel_test_is_answered_whole check (num_nulls(answered_at, result, answer) in (0, 3))
);
create index channel_test_waits on pigou.channel_test (asked_at) where taken_at is null;

-- Views of the page that people saved, for everybody here. Never edited: the row of the highest revision holds.
create table pigou.saved_view (
    view_id    integer not null,
    revision   integer not null,
    name       text not null,
    address    text not null,                         -- path and query, as the browser has them
    who        text not null,
    at         timestamptz not null default clock_timestamp(),
    is_removed boolean not null default false,
    primary key (view_id, revision),
    constraint saved_view_name_is_short check (length(name) between 1 and 80),
    constraint saved_view_address_is_of_a_page check (address ~ '^/([^/\\]|$)' and length(address) <= 2000)
);

create trigger saved_view_is_append_only before update or delete or truncate on pigou.saved_view
    for each statement execute function pigou.refuse_change();

grant select, insert on pigou.dismissal, pigou.channel_test, pigou.saved_view to pigou_writer;
grant update on pigou.channel_test to pigou_writer;
