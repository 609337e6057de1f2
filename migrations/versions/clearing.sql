-- What engines can do in a second, and the prices at which what tenants take of them fits it. Reasons: docs/price-vector.md.

-- Stated by whoever runs the engine, for all its tenants together. Never edited: a change is a further revision.
create table pigou.engine_capacity (
    engine      text not null,
    resource    text not null,
    revision    integer not null,
    per_s       numeric,                              -- units a second; null: taken off
    source      text not null,                        -- who or what stated it
    recorded_at timestamptz not null default now(),
    primary key (engine, resource, revision),
    constraint engine_capacity_resource_is_known check (resource in ('prefill', 'decode', 'kv')),
    constraint engine_capacity_is_a_number check (per_s > 0 and per_s < 'Infinity'::numeric)
);

-- A tenant in the market of an engine, each time that it was cleared: the price, the same for everybody, and what the tenant takes at it.
-- Opinions, never booked. Append-only: what was served can be looked up.
create table pigou.clearing_price (
    tenant_id       integer not null,
    engine          text not null,
    resource        text not null,
    cleared_at      timestamptz not null,
    since           timestamptz not null,             -- the window that it is of
    until           timestamptz not null,
    capacity_per_s  numeric not null,                 -- as it was stated
    price           numeric,                          -- USD a unit; null: nothing can be told
    price_low       numeric,                          -- 95 %, estimates drawn anew
    price_high      numeric,                          -- null beside a price: without limit
    dual_low        numeric,                          -- every price between is as right
    dual_high       numeric,
    groped          numeric,                          -- where tâtonnement came to
    agrees          boolean,                          -- whether that lies between
    why             text not null,                    -- why there is no price
    is_moved        boolean not null,                 -- whether any decision of the tenant can be moved
    was_per_s       numeric not null,        -- units a second
    free_per_s      numeric,                 -- if it cost nothing
    takes_per_s     numeric,                 -- at the price
    least_per_s     numeric,                 -- the same, ties decided either way
    most_per_s      numeric,
    pays_usd_per_day numeric,
    left_out        jsonb not null,                   -- of this tenant: what could not be taken into account, and why
    seed            bigint not null,
    primary key (tenant_id, engine, resource, cleared_at)
);

create trigger engine_capacity_is_append_only before update or delete or truncate on pigou.engine_capacity
    for each statement execute function pigou.refuse_change();
create trigger clearing_price_is_append_only before update or delete or truncate on pigou.clearing_price
    for each statement execute function pigou.refuse_change();

grant select, insert on pigou.engine_capacity, pigou.clearing_price to pigou_writer;
