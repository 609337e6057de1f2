-- What prices were solved over, so that it can be solved again under other limits. Reasons: docs/price-vector.md.

alter table pigou.price_solution
    add column period_s double precision not null default 0,      -- how long the period is
    add column classes  jsonb not null default '[]',              -- what its tasks took and what policy states, by class and by pattern
    add column limits   jsonb not null default '[]';              -- what is stated: name, kind, pattern, amount, the budget's period

-- The decisions of a tenant's last look with what each option would have brought and taken. Opinions, never booked: those of the look
-- before are forgotten.
create table pigou.price_alternative (
    tenant_id     integer not null,
    comparison    integer not null,                   -- decisions that are compared with each other, in the order they were solved in
    place         integer not null,                   -- of the option among those of its comparison
    solution_id   integer not null,
    task_class    text not null,                      -- '': none
    kind          text not null,
    option        text not null,
    v_usd         numeric[] not null,                 -- V of each band of decisions
    chosen        double precision[] not null,        -- of each band, how many decisions took this option
    quality       double precision not null,
    cost_usd      numeric not null,
    latency_s     double precision not null,
    loss_usd      numeric not null,
    quality_draws double precision[] not null,        -- the same with tasks drawn anew, once for each replicate
    cost_draws    double precision[] not null,
    latency_draws double precision[] not null,
    loss_draws    double precision[] not null,
    primary key (tenant_id, comparison, place)
);

grant select, insert, delete on pigou.price_alternative to pigou_writer;
