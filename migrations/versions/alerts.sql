-- Alerts: what is wrong now, since when, and what became of it. Reasons: docs/architecture.md.

-- Thresholds by rule. Never edited: a change is a row of a higher revision, and a tenant's own wins over tenant 0's, which is for all.
create table pigou.alert_rule (
    tenant_id        integer not null,
    rule             text not null,
    revision         integer not null,
    open_at          numeric not null,                -- a value from here on is wrong
    close_at         numeric not null,                -- a value below this is right again; between them nothing changes
    evidence_min     bigint not null,                 -- how much must have been looked at for a value to count
    open_evaluations integer not null,                -- how often in a row it must be wrong, and
    open_for         interval not null,               -- … for how long, before an alert opens
    close_evaluations integer not null,               -- how often in a row it must be right, and
    close_for        interval not null,               -- … for how long, before it resolves, and
    stay_for         interval not null,               -- … how long after opening at the earliest
    renotify_every   interval not null,               -- how often an open alert is told again
    is_on            boolean not null,
    source           text not null,                   -- who or what stated it
    recorded_at      timestamptz not null default now(),
    primary key (tenant_id, rule, revision),
    constraint alert_rule_closes_below_where_it_opens check (close_at <= open_at),
    constraint alert_rule_thresholds_are_numbers check (open_at < 'Infinity'::numeric and close_at > '-Infinity'::numeric),
    constraint alert_rule_counts_are_positive check (open_evaluations > 0 and close_evaluations > 0 and evidence_min >= 0),
    constraint alert_rule_times_are_not_negative check
        (open_for >= interval '0' and close_for >= interval '0' and stay_for >= interval '0' and renotify_every > interval '0')
);

create trigger alert_rule_is_append_only before update or delete or truncate on pigou.alert_rule
    for each statement execute function pigou.refuse_change();

insert into pigou.alert_rule (tenant_id, rule, revision, open_at, close_at, evidence_min, open_evaluations, open_for, close_evaluations,
                              close_for, stay_for, renotify_every, is_on, source)
select 0, rule, 1, open_at, close_at, evidence_min, open_evaluations, '0', 3, close_for::interval, '1 day', renotify_every::interval, true, 'pigou'
  from (values ('budget_overrun',     1.00, 1.00,   1, 1, '0',      '1 day'),
               ('budget_pace',        1.20, 1.05,  50, 3, '1 hour', '1 day'),
               ('unpriced_share',     0.02, 0.01,  50, 3, '1 hour', '1 day'),
               ('suspense_share',     0.02, 0.01,  50, 3, '1 hour', '1 day'),
               ('control_difference', 0.05, 0.02,  20, 3, '1 hour', '1 day'),
               ('ingest_silence',     6.00, 1.00, 100, 3, '0',      '4 hours'),
               ('books_check',        1.00, 1.00,   0, 2, '0',      '4 hours'))
       v (rule, open_at, close_at, evidence_min, open_evaluations, close_for, renotify_every);

-- One row per time that something was wrong. Of one subject at most one is not resolved.
create table pigou.alert (
    tenant_id     integer not null,
    alert_id      integer not null,
    rule          text not null,
    subject       text not null,                      -- what of the tenant's: a budget, a service, …
    state         text not null,
    opened_at     timestamptz not null,
    last_seen_at  timestamptz not null,               -- when it was last found wrong
    quiet_since   timestamptz,                        -- right again since; null: still wrong
    quiet         integer not null default 0,         -- evaluations in a row that found it right
    resolved_at   timestamptz,
    muted_until   timestamptz,
    notified_at   timestamptz not null,
    notifications integer not null,
    evaluations   bigint not null,
    value         numeric not null,                   -- as last found wrong
    threshold     numeric not null,
    message       text not null,                      -- what and where
    mend          text not null,
    former_alert_id integer,                          -- the alert before it of the same subject
    primary key (tenant_id, alert_id),
    constraint alert_state_is_known check (state in ('open', 'acknowledged', 'muted', 'resolved')),
    constraint alert_resolved_has_a_time check ((state = 'resolved') = (resolved_at is not null)),
    constraint alert_muted_has_an_end check (state <> 'muted' or muted_until is not null)
);
create unique index alert_is_open_once on pigou.alert (tenant_id, rule, subject) where state <> 'resolved';
create index alert_of_subject on pigou.alert (tenant_id, rule, subject, alert_id);

-- What is wrong and not yet for long enough to be an alert.
create table pigou.alert_pending (
    tenant_id  integer not null,
    rule       text not null,
    subject    text not null,
    since      timestamptz not null,
    evaluations integer not null,
    primary key (tenant_id, rule, subject)
);

-- What happened to alerts: by the clock, or by a person. Whoever delivers notifications reads those that are to be told.
create table pigou.alert_event (
    tenant_id integer not null,
    alert_id  integer not null,
    event_id  integer not null,
    at        timestamptz not null,
    event     text not null,
    is_to_be_told boolean not null,
    who       text,                                   -- null: the clock
    note      text,
    value     numeric,
    primary key (tenant_id, alert_id, event_id),
    constraint alert_event_is_known check
        (event in ('opened', 'reopened', 'told again', 'acknowledged', 'muted', 'unmuted', 'resolved'))
);

create trigger alert_event_is_append_only before update or delete or truncate on pigou.alert_event
    for each statement execute function pigou.refuse_change();

-- In which five minutes something arrived from a service: its rhythm, which tells silence from rest.
create table pigou.arrival (
    tenant_id  integer not null,
    service    text not null,
    arrived_at timestamptz not null,                  -- the beginning of the five minutes
    primary key (tenant_id, service, arrived_at)
);

create table pigou.arrival_service (
    tenant_id integer not null,
    service   text not null,
    first_at  timestamptz not null,
    last_at   timestamptz not null,
    primary key (tenant_id, service)
);

grant select, insert on pigou.alert_rule, pigou.alert, pigou.alert_pending, pigou.alert_event, pigou.arrival, pigou.arrival_service to pigou_writer;
grant update on pigou.alert, pigou.alert_pending, pigou.arrival_service to pigou_writer;
grant delete on pigou.alert_pending, pigou.arrival to pigou_writer;
