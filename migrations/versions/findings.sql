-- Findings: where dollars are lost by the rule of allocation, since when, and what became of it. Opinions with intervals, never booked.
-- Reasons: docs/findings.md.

-- From how many dollars a day on a loss is worth a finding. Never edited: a change is a row of a higher revision, and a tenant's own
-- wins over tenant 0's, which is for all.
create table pigou.materiality (
    tenant_id   integer not null,
    revision    integer not null,
    usd_per_day numeric not null,
    source      text not null,                        -- who or what stated it
    recorded_at timestamptz not null default now(),
    primary key (tenant_id, revision),
    constraint materiality_is_positive check (usd_per_day > 0 and usd_per_day < 'Infinity'::numeric)
);
insert into pigou.materiality (tenant_id, revision, usd_per_day, source) values (0, 1, 0.50, 'pigou');

create trigger materiality_is_append_only before update or delete or truncate on pigou.materiality
    for each statement execute function pigou.refuse_change();

-- When a mode last looked at a tenant, and what came of it.
create table pigou.detection (
    tenant_id integer not null,
    mode      text not null,
    looked_at timestamptz not null,
    since     timestamptz not null,                   -- what was looked at: from then
    until     timestamptz not null,                   -- … to before then
    took_s    double precision not null,
    places    integer not null,                       -- looked at
    opened    integer not null,                       -- findings that opened by it
    resolved  integer not null,
    problem   text,                                   -- why it could not look; null: it could
    primary key (tenant_id, mode)
);

-- The latest look at each place, whether it is a finding or not.
create table pigou.look (
    tenant_id    integer not null,
    mode         text not null,
    segment      text not null,                       -- the place in words: the same from look to look
    layer        text not null,
    kind         text not null,                       -- what is decided there, or engine, trainer
    task_class   text,
    subject      text not null,                       -- the option, engine, policy or action class
    agent        text,
    band         text not null,                       -- of value; '': all
    looked_at    timestamptz not null,
    since        timestamptz not null,
    until        timestamptz not null,
    n            bigint not null,
    tasks        bigint not null,
    status       text not null,
    usd_per_day  numeric,
    low          numeric,
    high         numeric,
    is_discovery boolean not null,                    -- it stands after the false discoveries among all are controlled
    materiality_usd_per_day numeric not null,         -- what it was held against
    sentence     text not null,
    change       text not null,
    inequality   text not null,
    method       text not null,
    evidence     jsonb not null,                      -- terms, weaknesses, examples, days, detail
    primary key (tenant_id, mode, segment),
    constraint look_status_is_known check (status in ('appraised', 'not_enough_evidence', 'not_identified')),
    constraint look_has_dollars_when_appraised check
        (num_nulls(usd_per_day, low, high) = case status when 'appraised' then 0 else 3 end)
);

-- One row per time that something was wrong at a place. Of one place at most one is not resolved.
create table pigou.finding (
    tenant_id    integer not null,
    finding_id   integer not null,
    mode         text not null,
    segment      text not null,
    layer        text not null,
    kind         text not null,
    task_class   text,
    subject      text not null,
    agent        text,
    band         text not null,
    status       text not null,
    opened_at    timestamptz not null,
    seen_at      timestamptz not null,                -- when it was last found wrong
    looked_at    timestamptz not null,                -- when it was last looked at
    quiet_since  timestamptz,                         -- right again since; null: still wrong
    quiet        integer not null default 0,          -- looks in a row that found it right
    resolved_at  timestamptz,
    resolution   text,                                -- right again, or gone: nothing happens there any more
    since        timestamptz not null,                -- of what was last found wrong, as everything below
    until        timestamptz not null,
    usd_per_day  numeric not null,
    low          numeric not null,
    high         numeric not null,
    n            bigint not null,
    tasks        bigint not null,
    told_usd_per_day numeric not null,                -- what was last told: it grew when it is twice that
    materiality_usd_per_day numeric not null,         -- what it was held against
    sentence     text not null,
    change       text not null,
    inequality   text not null,
    method       text not null,
    evidence     jsonb not null,
    former_finding_id integer,                        -- the finding before it at the same place
    primary key (tenant_id, finding_id),
    constraint finding_status_is_known check (status in ('open', 'acknowledged', 'resolved')),
    constraint finding_resolved_has_a_time_and_a_reason check
        ((status = 'resolved') = (resolved_at is not null) and (status = 'resolved') = (resolution is not null)),
    constraint finding_resolution_is_known check (resolution in ('right again', 'gone'))
);
create unique index finding_is_open_once on pigou.finding (tenant_id, mode, segment) where status <> 'resolved';
create index finding_of_place on pigou.finding (tenant_id, mode, segment, finding_id);

-- What happened to findings: by a look, or by a person.
create table pigou.finding_event (
    tenant_id   integer not null,
    finding_id  integer not null,
    event_id    integer not null,
    at          timestamptz not null,
    event       text not null,
    who         text,                                 -- null: a look
    note        text,
    usd_per_day numeric,
    low         numeric,
    high        numeric,
    primary key (tenant_id, finding_id, event_id),
    constraint finding_event_is_known check (event in ('opened', 'reopened', 'grew', 'acknowledged', 'noted', 'resolved'))
);

create trigger finding_event_is_append_only before update or delete or truncate on pigou.finding_event
    for each statement execute function pigou.refuse_change();

-- What has grown is told again, even if somebody has acknowledged less.
alter table pigou.alert_rule add column grown_by numeric  -- told again when the value is so many times what was last told; null: never
    constraint alert_rule_growth_is_more check (grown_by > 1);
alter table pigou.alert add column told_value numeric;    -- as last told; null: before this was kept
alter table pigou.alert_event drop constraint alert_event_is_known;
alter table pigou.alert_event add constraint alert_event_is_known check
    (event in ('opened', 'reopened', 'told again', 'grew', 'escalated', 'acknowledged', 'muted', 'unmuted', 'noted', 'resolved'));

-- misallocation: dollars a day of each finding, which has its own evidence and hysteresis. spend_anomaly: by how many times its usual
-- spread spend is above what is usual; evidence: weeks of its past.
insert into pigou.alert_rule (tenant_id, rule, revision, open_at, close_at, evidence_min, open_evaluations, open_for, close_evaluations,
                              close_for, stay_for, renotify_every, is_on, source, severity, grown_by)
values (0, 'misallocation', 1, 0, 0, 1, 1, '0', 1, '0', '0', '7 days', true, 'pigou', 'warning', 2),
       (0, 'spend_anomaly', 1, 6, 3, 4, 1, '0', 3, '1 hour', '6 hours', '1 day', true, 'pigou', 'warning', null);

grant select, insert on pigou.materiality, pigou.detection, pigou.look, pigou.finding, pigou.finding_event to pigou_writer;
grant update on pigou.detection, pigou.look, pigou.finding to pigou_writer;
grant delete on pigou.look to pigou_writer;
