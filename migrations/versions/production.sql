-- What the next dollar of each use brings in each class of a tenant's tasks (eq. 8 and 2). Opinions, never booked: written anew when tasks
-- were settled or somebody stated how doses are decided. Reasons: docs/reports.md.
create table pigou.production (
    tenant_id       integer not null,
    task_class      text not null,                    -- '': none
    use             text not null,                    -- read, plan, act, verify
    since           timestamptz not null,             -- of the tasks looked at
    until           timestamptz not null,
    tasks           bigint not null,
    assignment      text not null,                    -- how doses are decided, as stated: recorded, unknown
    usd_per_task    numeric,                          -- null: no task with an outcome whose calls are all priced
    quality_per_dollar numeric,                          -- what one dollar more adds to a task's quality; null: not known
    quality_low     numeric,
    quality_high    numeric,
    net_per_usd     numeric,                          -- V·∂Q/∂$ − 1, in USD per USD; null: not known
    net_low         numeric,
    net_high        numeric,
    status          text not null,                    -- of the net: identified, not_identified, not_enough_evidence
    why             text not null,
    complements     jsonb not null,                   -- by other use: value, low, high; above 0: each makes the other worth more
    equal_p         double precision,                 -- of all margins being equal; null: no question
    form            text not null,
    settled_by      text not null,                    -- what would make the class known; '': nothing is wanted
    measured_at     timestamptz not null,
    primary key (tenant_id, task_class, use),
    constraint production_status_is_known check (status in ('identified', 'not_identified', 'not_enough_evidence')),
    constraint production_net_is_whole check (num_nulls(net_per_usd, net_low, net_high) in (0, 3))
);

grant select, insert, update, delete on pigou.production to pigou_writer;
