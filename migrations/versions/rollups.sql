-- Roll-ups: what the pages sum, kept by the statements that change what is summed, so that no page reads raw rows.
-- A tenant's writers take turns (an advisory lock), so that two never meet on one row. Reasons: docs/architecture.md.

-- How long raw rows are kept, by kind; null: for ever. Retention moves kept_since only ahead, and drops what ends before it.
create table pigou.retention (
    kind       text primary key,
    keep_days  integer,
    kept_since timestamptz not null default '-infinity',
    constraint retention_kind_is_known check (kind in ('records', 'metrics', 'minutes', 'rejections')),
    constraint retention_is_positive check (keep_days > 0)
);
insert into pigou.retention (kind, keep_days)
values ('records', 90), ('metrics', 90), ('minutes', 30), ('rejections', 90);

-- What spend is told apart by, once per tenant; key_id is a hash of the six, of which any may be unknown.
create table pigou.spend_key (
    tenant_id  integer not null,
    key_id     uuid not null,
    provider   text,
    model      text,
    layer      text,
    use        text,
    agent      text,
    task_class text,
    primary key (tenant_id, key_id)
);

-- Sums over calls, one shape for three grains; a duplicate counts in duplicate_calls alone. A `…_known` counts the calls that reported the quantity:
-- where none did, the sum is unknown and not 0.
create table pigou.spend_hour (
    tenant_id          integer not null,
    hour               timestamptz not null,
    key_id             uuid not null,
    calls              integer not null,
    input_tokens       bigint not null,
    input_known        integer not null,
    cache_read_tokens  bigint not null,
    cache_read_known   integer not null,
    cache_write_tokens bigint not null,
    cache_write_known  integer not null,
    output_tokens      bigint not null,
    output_known       integer not null,
    reasoning_tokens   bigint not null,
    reasoning_known    integer not null,
    cost_usd           numeric(38, 12) not null,
    cost_known         integer not null,
    unpriced_calls     integer not null,
    unpriced_tokens    bigint not null,
    suspense_calls     integer not null,
    duplicate_calls    integer not null,
    primary key (tenant_id, hour, key_id)
) with (fillfactor = 80);
create table pigou.spend_day (like pigou.spend_hour including storage, primary key (tenant_id, hour, key_id)) with (fillfactor = 60);
alter table pigou.spend_day rename hour to day;
alter table pigou.spend_day alter day type date using (day at time zone 'UTC')::date;
create table pigou.spend_minute (like pigou.spend_hour including storage, primary key (tenant_id, hour, key_id)) partition by range (hour);
alter table pigou.spend_minute rename hour to minute;
create table pigou.spend_minute_default partition of pigou.spend_minute default;

-- How layer and use came to be known.
create table pigou.coverage_day (
    tenant_id    integer not null,
    day          date not null,
    layer_source text not null,
    use_source   text not null,
    calls        integer not null,
    tokens       bigint not null,
    cost_usd     numeric(38, 12) not null,
    cost_known   integer not null,
    primary key (tenant_id, day, layer_source, use_source)
) with (fillfactor = 60);

-- What waits for a mend, told apart by what mends it; as spend_key and spend_hour.
create table pigou.suspense_key (
    tenant_id     integer not null,
    key_id        uuid not null,
    status        text not null,
    reason        text,
    provider      text,
    model         text,
    service_tier  text not null,
    rate_provider text,
    rate_model    text,
    dialect       text not null,
    primary key (tenant_id, key_id)
);
create table pigou.suspense_hour (
    tenant_id    integer not null,
    hour         timestamptz not null,
    key_id       uuid not null,
    calls        integer not null,
    tokens       bigint not null,
    tokens_known integer not null,
    primary key (tenant_id, hour, key_id)
) with (fillfactor = 80);

-- How many parents' own totals agree with what was booked under them.
alter table pigou.control_total add column status text not null generated always as (
    case when checked_at is null then 'unchecked'
         when input_tokens is distinct from booked_input_tokens and input_tokens is not null then 'differs'
         when output_tokens is distinct from booked_output_tokens and output_tokens is not null then 'differs'
         else 'equal' end) stored;
create table pigou.control_hour (
    tenant_id integer not null,
    hour      timestamptz not null,
    status    text not null,
    parents   integer not null,
    primary key (tenant_id, hour, status)
) with (fillfactor = 80);

-- The collector's health by hour, and why records were turned away.
create table pigou.ingest_hour (
    tenant_id  integer not null,
    hour       timestamptz not null,
    signal     text not null,
    requests   bigint not null,
    records    bigint not null,
    duplicates bigint not null,
    rejected   bigint not null,
    conflicts  bigint not null,
    bytes      bigint not null,
    last_minute timestamptz not null,
    primary key (tenant_id, hour, signal)
) with (fillfactor = 60);
create table pigou.rejection_hour (
    tenant_id integer not null,
    hour      timestamptz not null,
    signal    text not null,
    stage     text not null,
    code      text not null,
    records   bigint not null,
    last_at   timestamptz not null,
    example   text not null,                          -- the last one's detail
    primary key (tenant_id, hour, signal, stage, code)
) with (fillfactor = 60);

-- Calls of one trace that look like copies of each other but share no strong identity; found by the clock.
create table pigou.weak_match (
    tenant_id     integer not null,
    trace_id      bytea not null,
    span_id       bytea not null,
    other_span_id bytea not null,
    started_at    timestamptz not null,
    model         text not null,
    input_tokens  bigint not null,
    output_tokens bigint not null,
    primary key (tenant_id, trace_id, span_id, other_span_id)
);

-- ── partitions ───────────────────────────────────────────────────────────────────────────────────────

-- As before, for every partitioned table of the schema, by the column it is partitioned by.
create or replace function pigou.ensure_month(month date) returns boolean
language plpgsql security definer set search_path = pigou, pg_temp as $$
declare
    first timestamptz := date_trunc('month', month)::timestamp at time zone 'UTC';
    next  timestamptz := (date_trunc('month', month) + interval '1 month')::timestamp at time zone 'UTC';
    whole record; part text; held boolean; made boolean := false;
begin
    if first < date_trunc('month', now()) - interval '24 months' or first > date_trunc('month', now()) + interval '2 months' then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('pigou.ensure_month', 0));
    for whole in
        select c.relname as parent, a.attname as at
          from pg_partitioned_table p
          join pg_class c on c.oid = p.partrelid
          join pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
         where c.relnamespace = 'pigou'::regnamespace
         order by c.relname
    loop
        part := whole.parent || '_' || to_char(month, 'YYYYMM');
        continue when to_regclass('pigou.' || part) is not null;
        execute format('select exists (select from pigou.%I where %I >= %L and %I < %L)',
                       whole.parent || '_default', whole.at, first, whole.at, next) into held;
        continue when held;
        execute format('create table pigou.%I partition of pigou.%I for values from (%L) to (%L)', part, whole.parent, first, next);
        if whole.parent in ('entry', 'transfer') then
            execute format('create trigger %I before truncate on pigou.%I for each statement execute function pigou.refuse_change()',
                whole.parent || '_is_append_only', part);
        end if;
        made := true;
    end loop;
    return made;
end $$;
-- Months that the other tables have partitions for; before the calls there are summed, which fills the default partition.
select pigou.ensure_month(to_date(right(relname, 6), 'YYYYMM')) from pg_class
 where relnamespace = 'pigou'::regnamespace and relname ~ '^call_\d{6}$' order by relname;

-- ── kept by triggers on pigou.call ───────────────────────────────────────────────────────────────────

-- One statement for all grains, over `source`: calls with a sign, +1 as they are and −1 as they were.
create function pigou.spend_statement(source text) returns text language plpgsql as $do$
declare
    measures constant text[] := array['calls', 'input_tokens', 'input_known', 'cache_read_tokens', 'cache_read_known',
        'cache_write_tokens', 'cache_write_known', 'output_tokens', 'output_known', 'reasoning_tokens', 'reasoning_known',
        'cost_usd', 'cost_known', 'unpriced_calls', 'unpriced_tokens', 'suspense_calls', 'duplicate_calls'];
    names  constant text := array_to_string(measures, ', ');
    summed constant text := (select string_agg(format('sum(%1$s)', m), ', ' order by n) from unnest(measures) with ordinality x (m, n));
    added  constant text := (select string_agg(format('%1$s = r.%1$s + excluded.%1$s', m), ', ' order by n)
                               from unnest(measures) with ordinality x (m, n));
begin
    return format($sql$
with changed as (%1$s),
moved as (
    select tenant_id, date_trunc('minute', started_at, 'UTC') as minute, provider, model, layer, use, agent, task_class,
           layer_source, use_source,
           sum(counted) as calls,
           coalesce(sum(counted * input_tokens), 0) as input_tokens,
           coalesce(sum(counted) filter (where input_tokens is not null), 0) as input_known,
           coalesce(sum(counted * cache_read_tokens), 0) as cache_read_tokens,
           coalesce(sum(counted) filter (where cache_read_tokens is not null), 0) as cache_read_known,
           coalesce(sum(counted * cache_write_tokens), 0) as cache_write_tokens,
           coalesce(sum(counted) filter (where cache_write_tokens is not null), 0) as cache_write_known,
           coalesce(sum(counted * output_tokens), 0) as output_tokens,
           coalesce(sum(counted) filter (where output_tokens is not null), 0) as output_known,
           coalesce(sum(counted * reasoning_tokens), 0) as reasoning_tokens,
           coalesce(sum(counted) filter (where reasoning_tokens is not null), 0) as reasoning_known,
           coalesce(sum(counted * cost_usd), 0) as cost_usd,
           coalesce(sum(counted) filter (where cost_usd is not null), 0) as cost_known,
           coalesce(sum(sign) filter (where status = 'unpriced'), 0) as unpriced_calls,
           coalesce(sum(sign * whole_tokens) filter (where status = 'unpriced'), 0) as unpriced_tokens,
           coalesce(sum(sign) filter (where status = 'suspense'), 0) as suspense_calls,
           coalesce(sum(sign) filter (where status = 'duplicate'), 0) as duplicate_calls,
           sum(counted * whole_tokens) as tokens
      from changed
     cross join lateral (select case when status = 'duplicate' then 0 else sign end as counted,
                                coalesce(total_input_tokens, input_tokens, 0) + coalesce(output_tokens, 0)
                              + coalesce(reasoning_tokens, 0) as whole_tokens) c
     group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
),
keyed as materialized (
    select *, encode(substring(sha256(convert_to(row(provider, model, layer, use, agent, task_class)::text, 'UTF8'))
                               from 1 for 16), 'hex')::uuid as key_id
      from moved
     where (%2$s, tokens) <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
),
keys as (
    insert into pigou.spend_key (tenant_id, key_id, provider, model, layer, use, agent, task_class)
    select distinct on (tenant_id, key_id) tenant_id, key_id, provider, model, layer, use, agent, task_class
      from keyed d
     where not exists (select from pigou.spend_key k where k.tenant_id = d.tenant_id and k.key_id = d.key_id)
    on conflict do nothing
),
minutes as (
    insert into pigou.spend_minute as r (tenant_id, minute, key_id, %2$s)
    select tenant_id, minute, key_id, %3$s
      from keyed
     where minute >= (select kept_since from pigou.retention where kind = 'minutes')
     group by tenant_id, minute, key_id
    on conflict (tenant_id, minute, key_id) do update set %4$s
),
hours as (
    insert into pigou.spend_hour as r (tenant_id, hour, key_id, %2$s)
    select tenant_id, date_trunc('hour', minute, 'UTC'), key_id, %3$s
      from keyed group by 1, 2, 3
    on conflict (tenant_id, hour, key_id) do update set %4$s
),
days as (
    insert into pigou.spend_day as r (tenant_id, day, key_id, %2$s)
    select tenant_id, (minute at time zone 'UTC')::date, key_id, %3$s
      from keyed group by 1, 2, 3
    on conflict (tenant_id, day, key_id) do update set %4$s
)
insert into pigou.coverage_day as r (tenant_id, day, layer_source, use_source, calls, tokens, cost_usd, cost_known)
select tenant_id, (minute at time zone 'UTC')::date, layer_source, use_source, sum(calls), sum(tokens), sum(cost_usd), sum(cost_known)
  from keyed group by 1, 2, 3, 4
on conflict (tenant_id, day, layer_source, use_source) do update
   set calls = r.calls + excluded.calls, tokens = r.tokens + excluded.tokens,
       cost_usd = r.cost_usd + excluded.cost_usd, cost_known = r.cost_known + excluded.cost_known
$sql$, source, names, summed, added);
end $do$;

create function pigou.suspense_statement(source text) returns text language sql as $do$
    select format($sql$
with changed as (%1$s),
moved as (
    select tenant_id, date_trunc('hour', started_at, 'UTC') as hour,
           status, reason, provider, model, service_tier, rate_provider, rate_model, dialect,
           sum(sign) as calls,
           coalesce(sum(sign * (coalesce(total_input_tokens, input_tokens, 0) + coalesce(output_tokens, 0)
                                + coalesce(reasoning_tokens, 0))) filter (where leaves <> '{}'), 0) as tokens,
           coalesce(sum(sign) filter (where leaves <> '{}'), 0) as tokens_known
      from changed
     where status in ('unpriced', 'suspense')
     group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
),
keyed as materialized (
    select *, encode(substring(sha256(convert_to(
                  row(status, reason, provider, model, service_tier, rate_provider, rate_model, dialect)::text, 'UTF8'))
                  from 1 for 16), 'hex')::uuid as key_id
      from moved
     where (calls, tokens, tokens_known) <> (0, 0, 0)
),
keys as (
    insert into pigou.suspense_key (tenant_id, key_id, status, reason, provider, model, service_tier, rate_provider, rate_model, dialect)
    select distinct on (tenant_id, key_id) tenant_id, key_id, status, reason, provider, model, service_tier, rate_provider, rate_model, dialect
      from keyed d
     where not exists (select from pigou.suspense_key k where k.tenant_id = d.tenant_id and k.key_id = d.key_id)
    on conflict do nothing
)
insert into pigou.suspense_hour as r (tenant_id, hour, key_id, calls, tokens, tokens_known)
select tenant_id, hour, key_id, calls, tokens, tokens_known from keyed
on conflict (tenant_id, hour, key_id) do update
   set calls = r.calls + excluded.calls, tokens = r.tokens + excluded.tokens, tokens_known = r.tokens_known + excluded.tokens_known
$sql$, source)
$do$;

-- What calls are already there is summed by the same statements; then they become the triggers' bodies.
-- The owner's rights: nobody else writes a roll-up but through what it sums.
do $do$
declare
    step record;
begin
    execute pigou.spend_statement('select 1 as sign, c.* from pigou.call c');
    execute pigou.suspense_statement('select 1 as sign, c.* from pigou.call c');
    for step in
        values ('insert', 'new table as arrived', 'select from arrived', 'select 1 as sign, a.* from arrived a'),
               ('update', 'old table as gone new table as arrived', 'select from arrived',
                'select 1 as sign, a.* from arrived a union all select -1, g.* from gone g'),
               ('delete', 'old table as gone', 'select from gone', 'select -1 as sign, g.* from gone g')
    loop
        execute format($sql$
create function pigou.roll_up_calls_on_%1$s() returns trigger
language plpgsql security definer set search_path = pigou, pg_temp as $body$
begin
    if exists (%2$s) then
        %4$s;
    end if;
    if exists (%2$s where status in ('unpriced', 'suspense')%3$s) then
        %5$s;
    end if;
    return null;
end $body$$sql$,
            step.column1, step.column3,
            case when step.column1 = 'update' then ' union all select from gone where status in (''unpriced'', ''suspense'')' else '' end,
            pigou.spend_statement(step.column4), pigou.suspense_statement(step.column4));
        execute format('create trigger call_is_rolled_up_on_%1$s after %1$s on pigou.call referencing %2$s
            for each statement execute function pigou.roll_up_calls_on_%1$s()', step.column1, step.column2);
    end loop;
end $do$;
drop function pigou.spend_statement(text), pigou.suspense_statement(text);

-- ── and on the rest ──────────────────────────────────────────────────────────────────────────────────

create function pigou.roll_up_control_totals() returns trigger
language plpgsql security definer set search_path = pigou, pg_temp as $$
begin
    if tg_op = 'INSERT' then
        insert into pigou.control_hour as r (tenant_id, hour, status, parents)
        select tenant_id, date_trunc('hour', started_at, 'UTC'), status, count(*) from arrived group by 1, 2, 3
        on conflict (tenant_id, hour, status) do update set parents = r.parents + excluded.parents;
    elsif tg_op = 'UPDATE' then
        insert into pigou.control_hour as r (tenant_id, hour, status, parents)
        select tenant_id, date_trunc('hour', started_at, 'UTC'), status, sum(sign)
          from (select 1 as sign, a.tenant_id, a.started_at, a.status from arrived a
                union all select -1, g.tenant_id, g.started_at, g.status from gone g) changed
         group by 1, 2, 3 having sum(sign) <> 0
        on conflict (tenant_id, hour, status) do update set parents = r.parents + excluded.parents;
    else
        insert into pigou.control_hour as r (tenant_id, hour, status, parents)
        select tenant_id, date_trunc('hour', started_at, 'UTC'), status, -count(*) from gone group by 1, 2, 3
        on conflict (tenant_id, hour, status) do update set parents = r.parents + excluded.parents;
    end if;
    return null;
end $$;
create trigger control_total_is_rolled_up_on_insert after insert on pigou.control_total
    referencing new table as arrived for each statement execute function pigou.roll_up_control_totals();
create trigger control_total_is_rolled_up_on_update after update on pigou.control_total
    referencing old table as gone new table as arrived for each statement execute function pigou.roll_up_control_totals();
create trigger control_total_is_rolled_up_on_delete after delete on pigou.control_total
    referencing old table as gone for each statement execute function pigou.roll_up_control_totals();

create function pigou.roll_up_ingest() returns trigger
language plpgsql security definer set search_path = pigou, pg_temp as $$
begin
    if tg_op = 'INSERT' then
        insert into pigou.ingest_hour as r (tenant_id, hour, signal, requests, records, duplicates, rejected, conflicts, bytes, last_minute)
        select tenant_id, date_trunc('hour', minute, 'UTC'), signal,
               sum(requests), sum(records), sum(duplicates), sum(rejected), sum(conflicts), sum(bytes), max(minute)
          from arrived group by 1, 2, 3
        on conflict (tenant_id, hour, signal) do update
           set requests = r.requests + excluded.requests, records = r.records + excluded.records,
               duplicates = r.duplicates + excluded.duplicates, rejected = r.rejected + excluded.rejected,
               conflicts = r.conflicts + excluded.conflicts, bytes = r.bytes + excluded.bytes,
               last_minute = greatest(r.last_minute, excluded.last_minute);
    else
        update pigou.ingest_hour r
           set requests = r.requests + d.requests, records = r.records + d.records, duplicates = r.duplicates + d.duplicates,
               rejected = r.rejected + d.rejected, conflicts = r.conflicts + d.conflicts, bytes = r.bytes + d.bytes,
               last_minute = greatest(r.last_minute, d.last_minute)
          from (select tenant_id, date_trunc('hour', minute, 'UTC') as hour, signal, sum(sign * requests) as requests,
                       sum(sign * records) as records, sum(sign * duplicates) as duplicates, sum(sign * rejected) as rejected,
                       sum(sign * conflicts) as conflicts, sum(sign * bytes) as bytes, max(minute) as last_minute
                  from (select 1 as sign, a.* from arrived a union all select -1, g.* from gone g) changed
                 group by 1, 2, 3) d
         where r.tenant_id = d.tenant_id and r.hour = d.hour and r.signal = d.signal;
    end if;
    return null;
end $$;
create trigger ingest_is_rolled_up_on_insert after insert on pigou.ingest_minute
    referencing new table as arrived for each statement execute function pigou.roll_up_ingest();
create trigger ingest_is_rolled_up_on_update after update on pigou.ingest_minute
    referencing old table as gone new table as arrived for each statement execute function pigou.roll_up_ingest();

create function pigou.roll_up_rejections() returns trigger
language plpgsql security definer set search_path = pigou, pg_temp as $$
begin
    insert into pigou.rejection_hour as r (tenant_id, hour, signal, stage, code, records, last_at, example)
    select tenant_id, date_trunc('hour', recorded_at, 'UTC'), signal, stage, code, count(*), max(recorded_at),
           (array_agg(detail order by recorded_at desc))[1]
      from arrived group by 1, 2, 3, 4, 5
    on conflict (tenant_id, hour, signal, stage, code) do update
       set records = r.records + excluded.records, last_at = greatest(r.last_at, excluded.last_at),
           example = case when excluded.last_at >= r.last_at then excluded.example else r.example end;
    return null;
end $$;
create trigger rejection_is_rolled_up after insert on pigou.rejection
    referencing new table as arrived for each statement execute function pigou.roll_up_rejections();

insert into pigou.control_hour (tenant_id, hour, status, parents)
select tenant_id, date_trunc('hour', started_at, 'UTC'), status, count(*) from pigou.control_total group by 1, 2, 3;
insert into pigou.ingest_hour (tenant_id, hour, signal, requests, records, duplicates, rejected, conflicts, bytes, last_minute)
select tenant_id, date_trunc('hour', minute, 'UTC'), signal, sum(requests), sum(records), sum(duplicates), sum(rejected), sum(conflicts), sum(bytes), max(minute)
  from pigou.ingest_minute group by 1, 2, 3;
insert into pigou.rejection_hour (tenant_id, hour, signal, stage, code, records, last_at, example)
select tenant_id, date_trunc('hour', recorded_at, 'UTC'), signal, stage, code, count(*), max(recorded_at),
       (array_agg(detail order by recorded_at desc))[1]
  from pigou.rejection group by 1, 2, 3, 4, 5;
insert into pigou.weak_match (tenant_id, trace_id, span_id, other_span_id, started_at, model, input_tokens, output_tokens)
select a.tenant_id, a.trace_id, a.span_id, b.span_id, a.started_at, a.model, a.total_input_tokens,
       coalesce(a.output_tokens, 0) + coalesce(a.reasoning_tokens, 0)
  from pigou.call a
  join pigou.call b
    on b.tenant_id = a.tenant_id and b.trace_id = a.trace_id and b.span_id > a.span_id
   and b.model = a.model and b.total_input_tokens = a.total_input_tokens
   and coalesce(b.output_tokens, 0) + coalesce(b.reasoning_tokens, 0) = coalesce(a.output_tokens, 0) + coalesce(a.reasoning_tokens, 0)
   and b.started_at < a.ended_at and a.started_at < b.ended_at
 where a.status in ('booked', 'unpriced') and b.status in ('booked', 'unpriced');
insert into pigou.setting (setting, value) values ('weak_matches_since', now()::text);

-- What summarising pages read across tenants by time alone.
create index control_total_differs on pigou.control_total (started_at) where status = 'differs';
create index conflict_time on pigou.conflict (recorded_at);

-- ── rights ───────────────────────────────────────────────────────────────────────────────────────────

grant select on pigou.retention, pigou.spend_key, pigou.spend_minute, pigou.spend_hour, pigou.spend_day, pigou.coverage_day,
    pigou.suspense_key, pigou.suspense_hour, pigou.control_hour, pigou.ingest_hour, pigou.rejection_hour to pigou_writer;
grant select, insert, delete on pigou.weak_match to pigou_writer;
revoke all on function pigou.roll_up_calls_on_insert(), pigou.roll_up_calls_on_update(), pigou.roll_up_calls_on_delete(),
    pigou.roll_up_control_totals(), pigou.roll_up_ingest(), pigou.roll_up_rejections() from public;
