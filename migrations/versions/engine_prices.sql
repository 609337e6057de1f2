-- What requests on shared engines cost others: prices by hour, and delays imposed by day. Opinions, never booked. Reasons: docs/modes.md.

-- On how many probes a price rests; null for prices that were put there by others.
alter table pigou.engine_price add column probes integer;

-- Delay that requests of a tenant's class of tasks imposed on requests of a tenant (the same one's other classes among them), by the day
-- on which the victims came. A day is measured again until it is over.
create table pigou.externality (
    tenant_id        integer not null,                -- the culprit's
    engine           text not null,
    day              date not null,
    task_class       text not null,                   -- the culprit's; '': none
    victim_tenant_id integer not null,
    requests         bigint not null,                 -- of the victim, that were delayed
    delay_s          double precision not null,
    usd              numeric not null,                -- at the victims' λ; of those that have one
    usd_low          numeric not null,
    usd_high         numeric not null,
    unpriced_s       double precision not null,       -- of the delay, of victims without λ
    measured_at      timestamptz not null default now(),
    primary key (tenant_id, engine, day, task_class, victim_tenant_id)
);

grant select, insert, update on pigou.externality to pigou_writer;
