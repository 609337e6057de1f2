-- Up to when a mode saw what is written of a tenant, so that looks that nothing came for since are not taken again; and how long tasks
-- waited on shared engines because of others. Reasons: docs/findings.md, docs/modes.md.

alter table pigou.detection add column seen_to timestamptz;       -- what was written before then was seen; null: not known

-- How much later a task's answers came from an engine because of another class's requests there (its own tenant's among them). An
-- estimate of the replay, measured again until the day is over; delays that nobody would notice are left out.
create table pigou.held_up (
    tenant_id         integer not null,               -- whose task it is
    trace_id          bytea not null,
    engine            text not null,
    culprit_tenant_id integer not null,
    task_class        text not null,                  -- the culprit's; '': none
    came_at           timestamptz not null,           -- the task's first request that was delayed
    delay_s           double precision not null,
    measured_at       timestamptz not null default now(),
    primary key (tenant_id, trace_id, engine, culprit_tenant_id, task_class)
);
create index held_up_at on pigou.held_up (tenant_id, engine, came_at);

grant select, insert, delete on pigou.held_up to pigou_writer;
