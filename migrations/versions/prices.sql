-- The price vector: what a unit of quality, a second and a dollar of expected loss are priced at, by task class, with its history.
-- Reasons: docs/price-vector.md.

-- Limits on seconds and on expected losses, stated by class: their duals are λ and ρ. Never edited: a change is a further revision.
-- Of several that match a class, the one named in full wins over a prefix with a star, the longer prefix over the shorter, and any over '*'.
create table pigou.price_constraint (
    tenant_id        integer not null,
    task_class       text not null,                   -- a class, a prefix such as 'code.*', or '*'
    revision         integer not null,
    latency_s        numeric,                         -- the mean task may take this long; null: no SLA
    risk_usd_per_day numeric,                         -- expected loss that may be borne in a day; null: no envelope
    source           text not null,                   -- who or what stated it
    recorded_at      timestamptz not null default now(),
    primary key (tenant_id, task_class, revision),
    constraint price_constraint_limits_are_numbers check
        (latency_s > 0 and latency_s < 'Infinity'::numeric and risk_usd_per_day >= 0 and risk_usd_per_day < 'Infinity'::numeric)
);

-- One look at a tenant's prices: which period's decisions were solved over, and what became of each constraint. Its number is the
-- version of the tenant's price vector.
create table pigou.price_solution (
    tenant_id   integer not null,
    solution_id integer not null,
    solved_at   timestamptz not null default now(),
    since       timestamptz not null,
    until       timestamptz not null,
    seed        bigint not null,
    method      text not null,                        -- version of the method: a change of it makes other numbers
    tasks       bigint not null,
    decisions   bigint not null,                      -- with alternatives whose effects are known
    inputs      text not null,                        -- hash of what was stated: policy, constraints, budgets
    status      text not null,                        -- stated (nothing to solve), solved, infeasible (some limit cannot be kept), failed
    why         text not null,
    constraints jsonb not null,                       -- name, kind, limit, used, slack, multiplier of each
    left_out    jsonb not null,                       -- decisions that could not be used, and why
    primary key (tenant_id, solution_id),
    constraint price_solution_status_is_known check (status in ('stated', 'solved', 'infeasible', 'failed'))
);

-- The prices of a class from a time on, until its next revision. Append-only: what was served can be looked up.
create table pigou.price_vector (
    tenant_id         integer not null,
    task_class        text not null,                  -- a class, a prefix with a star, or '*': every class without a row of its own
    revision          integer not null,
    solution_id       integer not null,
    valid_from        timestamptz not null,
    v_usd             numeric,                        -- V in dollars of compute: what is stated, divided by budget_worth
    v_low_usd         numeric,
    v_high_usd        numeric,
    v_stated_usd      numeric,
    v_source          text not null,                  -- policy, tasks (mean of what they state), dual (divided by a budget's worth), none
    budget_worth      numeric not null,               -- dollars of value that the last dollar of compute brings; 1: no budget binds
    budget_worth_low  numeric,
    budget_worth_high numeric,
    lambda_usd_per_s  numeric,
    lambda_low        numeric,
    lambda_high       numeric,
    lambda_source     text not null,                  -- policy, dual, none
    rho               numeric,
    rho_low           numeric,
    rho_high          numeric,
    rho_source        text not null,
    source            text not null,                  -- dual if any of it is; none: the class has no prices any more
    constraints       jsonb not null,                 -- those that cover the class: name, price, slack, relative slack, whether it binds
    why               text not null,                  -- what is not known, and why
    primary key (tenant_id, task_class, revision),
    constraint price_vector_sources_are_known check
        (v_source in ('policy', 'tasks', 'dual', 'none') and lambda_source in ('policy', 'dual', 'none')
         and rho_source in ('policy', 'dual', 'none') and source in ('policy', 'dual', 'none')),
    constraint price_vector_prices_are_numbers check
        (v_usd >= 0 and v_usd < 'Infinity'::numeric and lambda_usd_per_s >= 0 and lambda_usd_per_s < 'Infinity'::numeric
         and rho >= 0 and rho < 'Infinity'::numeric and budget_worth >= 1 and budget_worth < 'Infinity'::numeric)
);
create index price_vector_solution on pigou.price_vector (tenant_id, solution_id);

-- Shadow prices of an engine's shared resources, from a time on until the next.
create table pigou.engine_price (
    tenant_id    integer not null,
    engine       text not null,
    resource     text not null,
    valid_from   timestamptz not null,
    price        numeric not null,                    -- USD per unit
    unit         text not null,                       -- such as token, or token second for KV
    price_low    numeric,
    price_high   numeric,
    capacity     numeric,                             -- units per second that the price clears
    source       text not null,
    primary key (tenant_id, engine, resource, valid_from),
    constraint engine_price_resource_is_known check (resource in ('prefill', 'decode', 'kv'))
);

create index engine_price_time on pigou.engine_price (tenant_id, valid_from);

create trigger price_constraint_is_append_only before update or delete or truncate on pigou.price_constraint
    for each statement execute function pigou.refuse_change();
create trigger price_solution_is_append_only before update or delete or truncate on pigou.price_solution
    for each statement execute function pigou.refuse_change();
create trigger price_vector_is_append_only before update or delete or truncate on pigou.price_vector
    for each statement execute function pigou.refuse_change();
create trigger engine_price_is_append_only before update or delete or truncate on pigou.engine_price
    for each statement execute function pigou.refuse_change();

grant select, insert on pigou.price_constraint, pigou.price_solution, pigou.price_vector, pigou.engine_price to pigou_writer;
