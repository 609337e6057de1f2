-- The spine: reference tables, books, calls, records. Reasons for each shape: docs/architecture.md.
-- Tables of a tenant carry tenant_id first in every key, so that they can be distributed by it (Citus).

create extension if not exists btree_gist;
create schema if not exists pigou;
create schema if not exists ledger;

-- ── reference tables ─────────────────────────────────────────────────────────────────────────────────

create table pigou.tenant (
    tenant_id      integer primary key,
    tenant         text not null constraint tenant_name_is_unique unique,
    closed_through date,                              -- last day of the last closed period; null: nothing is closed
    created_at     timestamptz not null default now(),
    constraint tenant_name_is_not_empty check (tenant <> '')
);

create table pigou.commodity (
    commodity_id smallint primary key,
    commodity    text not null constraint commodity_name_is_unique unique,
    unit         text not null,                       -- token, request, search, second, page, character, usd, quality
    direction    text,                                -- input, output or null
    kind         text not null                        -- fresh, cache_read, cache_write, plain, reasoning, fee, latency, risk, quality
);

-- Prices with their history. A rate is never edited: a correction is a row of a higher revision.
-- tenant_id 0 is the list price; any other tenant's row is its own (negotiated) price and wins over the list.
create table pigou.rate (
    rate_id       bigint generated always as identity constraint rate_id_is_unique unique,
    tenant_id     integer not null,
    provider      text not null,
    model         text not null,
    commodity_id  smallint not null references pigou.commodity,
    service_tier  text not null default 'standard',
    context_above bigint not null default 0,          -- applies when the call's whole input is above this many tokens
    daily_from    time not null default '00:00',      -- part of the day (UTC) it applies to; from = until means all day
    daily_until   time not null default '00:00',
    revision      integer not null default 1,
    valid         tstzrange not null,
    price_usd     numeric not null,
    per           integer not null,                   -- price_usd buys this many units
    basis         text not null,                      -- listed, inherits <commodity>, stated
    source        text not null,                      -- where the price came from, with its version or file
    recorded_at   timestamptz not null default now(),
    line          text not null generated always as    -- what a call's line asks for, in one indexed value
        (provider || '|' || model || '|' || commodity_id::text || '|' || service_tier) stored,
    constraint rate_validity_does_not_overlap primary key
        (tenant_id, provider, model, commodity_id, service_tier, context_above, daily_from, revision, valid without overlaps),
    constraint rate_price_is_not_negative check (price_usd >= 0 and price_usd < 'Infinity'::numeric),  -- NaN is above it
    constraint rate_per_is_positive check (per > 0),
    constraint rate_validity_is_not_empty check (not isempty(valid))
);
create index rate_lookup on pigou.rate (line, tenant_id);

-- Which price sources were loaded, so that loading again is a no-op.
create table pigou.price_source (
    source       text not null,
    version      text not null,
    content_hash text not null,
    rates        integer not null,                    -- rows it added
    loaded_at    timestamptz not null default now(),
    primary key (source, version, content_hash)
);

-- Marks of the installation itself, such as the hash of the views last applied.
create table pigou.setting (
    setting text primary key,
    value   text not null
);

-- USD per unit of a price for `per` units, with all its digits.
create function pigou.unit_rate(price_usd numeric, per integer) returns numeric language sql immutable parallel safe as $$
    select trim_scale(round(price_usd, 30) / per)
$$;

-- The one rate of one line, or none. A tenant's own rate wins over the list, one for the reported name over one for the resolved,
-- the highest context tier that applies over lower ones, a part of the day over the whole day, a later revision over an earlier.
-- `as_of` asks what was known at a time.
-- A single stable select, so that PostgreSQL inlines it into the join of whoever calls it. It asks by `line` and by the ends of the
-- validity, which only `rate_lookup` can answer: the temporal key's GiST index would take a hundred times as long.
create function pigou.rate_of(
    of_tenant_id integer, reported_provider text, reported_model text, of_provider text, of_model text,
    of_commodity_id smallint, of_service_tier text, whole_input_tokens bigint, at timestamptz, as_of timestamptz)
returns table (rate_id bigint, rate_usd numeric) language sql stable as $$
    select r.rate_id, pigou.unit_rate(r.price_usd, r.per)
      from pigou.rate r
     where r.line = any (array[
               of_provider || '|' || of_model || '|' || of_commodity_id::text || '|' || of_service_tier,
               of_provider || '|' || lower(reported_model) || '|' || of_commodity_id::text || '|' || of_service_tier,
               lower(reported_provider) || '|' || of_model || '|' || of_commodity_id::text || '|' || of_service_tier,
               lower(reported_provider) || '|' || lower(reported_model) || '|' || of_commodity_id::text || '|' || of_service_tier])
       and (r.tenant_id = of_tenant_id or (r.tenant_id = 0 and r.model = of_model and r.provider = of_provider))
       and coalesce(lower(r.valid), '-infinity') <= at and at < coalesce(upper(r.valid), 'infinity') and r.recorded_at <= as_of
       and (r.context_above = 0 or r.context_above < whole_input_tokens)
       and (r.daily_from = r.daily_until
         or case when r.daily_from < r.daily_until
                 then (at at time zone 'UTC')::time >= r.daily_from and (at at time zone 'UTC')::time < r.daily_until
                 else (at at time zone 'UTC')::time >= r.daily_from or (at at time zone 'UTC')::time < r.daily_until end)
     order by r.tenant_id desc, (r.model <> of_model) desc, (r.provider <> of_provider) desc,
              r.context_above desc, (r.daily_from = r.daily_until), r.revision desc
     limit 1
$$;

-- How use and layer are inferred from names; edited by the operator. Lower ordinal is tried first.
create table pigou.use_rule (
    tenant_id    integer not null,                    -- 0: for every tenant
    ordinal      integer not null,
    field        text not null,                       -- operation, tool, agent, name, scope, kind
    pattern      text not null,                       -- regular expression, case-insensitive
    layer        text not null,
    use          text not null,
    action_class text,
    recorded_at  timestamptz not null default now(),
    primary key (tenant_id, ordinal)
);

-- ── books (append-only) ──────────────────────────────────────────────────────────────────────────────

create table pigou.account (
    tenant_id  integer not null references pigou.tenant,
    account_id integer not null,
    account    text not null,
    kind       text not null,
    opened_at  timestamptz not null default now(),
    primary key (tenant_id, account_id),
    constraint account_name_is_unique unique (tenant_id, account),
    constraint account_kind_is_known check (kind in ('asset', 'expense', 'liability', 'income', 'suspense'))
);

create table pigou.entry (
    tenant_id   integer not null,
    entry_id    uuid not null,
    kind        text not null,
    source      text not null,                        -- the dialect or command that caused it
    occurred_at timestamptz not null,                 -- the world's clock
    recorded_at timestamptz not null default now(),   -- ours
    posted_on   date not null,                        -- the day of the books: occurred_at's, or the first open one
    trace_id    bytea,
    span_id     bytea,
    reverses    uuid,
    reason      text,
    primary key (tenant_id, entry_id, occurred_at),
    constraint entry_kind_is_known check (kind in ('call', 'reversal', 'adjustment', 'capital', 'settlement', 'invoice')),
    constraint reversal_names_its_entry check ((kind = 'reversal') = (reverses is not null)),
    constraint entry_has_a_reason_when_it_corrects check (kind = 'call' or reason is not null)
) partition by range (occurred_at);
create unique index entry_is_reversed_once on pigou.entry (tenant_id, reverses, occurred_at) where reverses is not null;

create index entry_recorded on pigou.entry using brin (recorded_at);

-- Both legs of a movement in one row: an unbalanced book cannot be written.
create table pigou.transfer (
    tenant_id         integer not null,
    entry_id          uuid not null,
    line              smallint not null,
    occurred_at       timestamptz not null,
    posted_on         date not null,
    book              text not null,
    commodity_id      smallint not null,
    debit_account_id  integer not null,
    credit_account_id integer not null,
    quantity          numeric(38, 12) not null,
    rate_id           bigint,
    rate_usd          numeric,                        -- USD per unit; null while no price is known
    amount_usd        numeric(38, 12),                -- quantity × rate_usd, exact; null while no price is known
    primary key (tenant_id, entry_id, line, occurred_at),
    constraint transfer_book_is_known check (book in ('cash', 'shadow')),
    constraint transfer_moves_between_two_accounts check (debit_account_id <> credit_account_id),
    constraint transfer_quantity_is_not_negative check (quantity >= 0 and quantity <> 'NaN'::numeric),
    constraint transfer_rate_is_a_number check (rate_usd >= 0 and rate_usd < 'Infinity'::numeric),
    constraint transfer_amount_is_quantity_times_rate check
        (case when rate_usd is null or amount_usd is null then rate_usd is null and amount_usd is null
              else amount_usd = round(quantity * rate_usd, 12) end),
    constraint transfer_commodity_exists foreign key (commodity_id) references pigou.commodity not enforced,
    constraint transfer_debit_account_is_open foreign key (tenant_id, debit_account_id) references pigou.account not enforced,
    constraint transfer_credit_account_is_open foreign key (tenant_id, credit_account_id) references pigou.account not enforced
) partition by range (occurred_at);

-- Kept by the posting statement; equal to the sums of transfers at every commit. `slot` spreads concurrent writers.
create table pigou.balance (
    tenant_id         integer not null,
    account_id        integer not null,
    book              text not null,
    commodity_id      smallint not null,
    day               date not null,
    slot              smallint not null,
    debit_quantity    numeric(38, 12) not null default 0,
    credit_quantity   numeric(38, 12) not null default 0,
    debit_usd         numeric(38, 12) not null default 0,
    credit_usd        numeric(38, 12) not null default 0,
    unpriced_quantity numeric(38, 12) not null default 0,  -- debit − credit of quantities whose amount is unknown
    primary key (tenant_id, account_id, book, commodity_id, day, slot)
);

-- ── what arrived ─────────────────────────────────────────────────────────────────────────────────────

create table pigou.resource (
    tenant_id   integer not null,
    resource_id uuid not null,                        -- hash of the attributes
    attributes  jsonb not null,
    primary key (tenant_id, resource_id)
);

-- Spans and log records as received, one row each, whatever is made of them.
create table pigou.record (
    tenant_id      integer not null,
    trace_id       bytea not null,
    span_id        bytea not null,
    started_at     timestamptz not null,
    ended_at       timestamptz not null,
    parent_span_id bytea,
    signal         text not null,                     -- span, log
    role           text not null,                     -- call, control, tool, agent, plain
    name           text not null,
    kind           smallint not null,
    status_code    smallint not null,
    status_message text,
    service        text,
    scope_name     text,
    scope_version  text,
    resource_id    uuid not null,
    agent          text,
    task_class     text,
    layer          text,
    use            text,
    attributes     jsonb not null,
    events         jsonb,
    links          jsonb,
    content_hash   bytea not null,
    recorded_at    timestamptz not null default now(),
    primary key (tenant_id, trace_id, span_id, started_at)
) partition by range (started_at);
create index record_arrival on pigou.record using brin (recorded_at);

-- One row per model call as read from one record. Not a book: status, agent and live entry follow what arrives later.
create table pigou.call (
    tenant_id           integer not null,
    trace_id            bytea not null,
    span_id             bytea not null,
    started_at          timestamptz not null,
    ended_at            timestamptz not null,
    status              text not null,
    reason              text,                         -- why it is unpriced, in suspense or a duplicate
    problem             text,                         -- why its usage cannot be read, whatever became of it
    dialect             text not null,
    confidence          text not null,                -- how sure the reading of the counts is: explicit, inferred, low
    operation           text not null,
    provider            text,                         -- as reported
    model               text,                         -- as reported (response model, else request model)
    rate_provider       text,                         -- the price book's names for them
    rate_model          text,
    service_tier        text not null default 'standard',
    layer               text,
    layer_source        text not null,                -- explicit, inferred, none
    use                 text,
    use_source          text not null,
    agent               text,
    task_class          text,
    conversation_id     text,
    user_id             text,
    service             text,
    leaves              jsonb not null,               -- disjoint quantities by commodity
    total_input_tokens  bigint,
    input_tokens        bigint,
    cache_read_tokens   bigint,
    cache_write_tokens  bigint,
    output_tokens       bigint,
    reasoning_tokens    bigint,
    cost_usd            numeric(38, 12),
    claimed_cost_usd    numeric,
    response_id         text,
    keys                text[] not null default '{}', -- strong identities shared by copies of one call
    strength            integer not null,             -- of its evidence; the strongest copy is booked
    copy_of_trace_id    bytea,
    copy_of_span_id     bytea,
    entry_id            uuid,                         -- its live entry
    expense_account_id  integer,
    payable_account_id  integer,
    revision            integer not null default 0,   -- how many entries it has had before the live one
    recorded_at         timestamptz not null default now(),
    primary key (tenant_id, trace_id, span_id, started_at),
    constraint call_status_is_known check (status in ('booked', 'unpriced', 'suspense', 'duplicate'))
) partition by range (started_at);
create index call_time on pigou.call (tenant_id, started_at);
create index call_trace on pigou.call ((encode(trace_id, 'hex')));
create index call_unsettled on pigou.call (tenant_id, status) where status in ('unpriced', 'suspense');

-- Strong identities of calls: response id, gateway call id, request id. Finds copies across traces.
create table pigou.call_key (
    tenant_id  integer not null,
    key        text not null,
    trace_id   bytea not null,
    span_id    bytea not null,
    started_at timestamptz not null,
    primary key (tenant_id, key, trace_id, span_id)
);

-- What a parent span says its leaves used; compared with what was booked under it.
create table pigou.control_total (
    tenant_id     integer not null,
    trace_id      bytea not null,
    span_id       bytea not null,
    started_at    timestamptz not null,
    name          text not null,
    dialect       text not null,
    input_tokens  bigint,                             -- whole input, caches included
    output_tokens bigint,                             -- whole output, reasoning included
    cost_usd      numeric,
    booked_input_tokens  bigint,
    booked_output_tokens bigint,
    booked_cost_usd      numeric,
    booked_calls  integer,
    checked_at    timestamptz,
    primary key (tenant_id, trace_id, span_id, started_at)
);

create index control_total_unchecked on pigou.control_total (tenant_id, trace_id) where checked_at is null;

-- Same key, other content: kept and reported, never overwritten.
create table pigou.conflict (
    tenant_id    integer not null,
    trace_id     bytea not null,
    span_id      bytea not null,
    content_hash bytea not null,
    recorded_at  timestamptz not null default now(),
    record       jsonb not null,
    primary key (tenant_id, trace_id, span_id, content_hash)
);

-- Records that could not be booked, as values: stage, code, detail.
create table pigou.rejection (
    tenant_id    integer not null,
    rejection_id uuid not null,
    recorded_at  timestamptz not null default now(),
    signal       text not null,
    stage        text not null,                       -- decode, read, post
    code         text not null,
    detail       text not null,
    primary key (tenant_id, rejection_id)
);

create table pigou.metric_point (
    tenant_id   integer not null,
    name        text not null,
    at          timestamptz not null,
    series_id   uuid not null,                        -- hash of name, resource and attributes
    unit        text,
    kind        text not null,                        -- gauge, sum, histogram, exponential_histogram, summary
    value       double precision,                     -- gauge and sum
    detail      jsonb,                                -- buckets, count, sum of the others
    attributes  jsonb not null,
    resource_id uuid not null,
    primary key (tenant_id, name, series_id, at)
);

-- Ingest by minute and writer: the collector's own health.
create table pigou.ingest_minute (
    tenant_id  integer not null,
    minute     timestamptz not null,
    signal     text not null,
    slot       smallint not null,
    requests   bigint not null default 0,
    records    bigint not null default 0,
    duplicates bigint not null default 0,
    rejected   bigint not null default 0,
    conflicts  bigint not null default 0,
    bytes      bigint not null default 0,
    primary key (tenant_id, minute, signal, slot)
);

-- ── append-only, enforced ────────────────────────────────────────────────────────────────────────────

create function pigou.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: % refused', tg_table_name, tg_op
        using errcode = 'restrict_violation', hint = 'Correct it with a reversing entry, or a rate of a higher revision.';
end $$;

-- Statement triggers guard the parents; the row triggers are cloned to every partition and guard them when named directly.
create trigger entry_is_append_only before update or delete or truncate on pigou.entry
    for each statement execute function pigou.refuse_change();
create trigger entry_row_is_append_only before update or delete on pigou.entry
    for each row execute function pigou.refuse_change();
create trigger transfer_is_append_only before update or delete or truncate on pigou.transfer
    for each statement execute function pigou.refuse_change();
create trigger transfer_row_is_append_only before update or delete on pigou.transfer
    for each row execute function pigou.refuse_change();
create trigger rate_is_append_only before update or delete or truncate on pigou.rate
    for each statement execute function pigou.refuse_change();
create trigger account_is_append_only before update or delete or truncate on pigou.account
    for each statement execute function pigou.refuse_change();

create function pigou.refuse_closed_period() returns trigger language plpgsql as $$
declare late record;
begin
    select t.tenant, t.closed_through, n.posted_on into late
      from posted n join pigou.tenant t using (tenant_id)
     where n.posted_on <= t.closed_through limit 1;
    if found then
        raise exception 'period of tenant % is closed through %: entry posted on % refused', late.tenant, late.closed_through, late.posted_on
            using errcode = 'check_violation', constraint = 'period_is_open', hint = 'Post it to the first open day.';
    end if;
    return null;
end $$;
create trigger period_is_open after insert on pigou.entry
    referencing new table as posted for each statement execute function pigou.refuse_closed_period();

-- ── identities and partitions ────────────────────────────────────────────────────────────────────────

-- An entry's key: 48 bits of when it occurred (so that indexes grow at their end), then a hash of what it is. The same call,
-- kind and revision give the same key on every machine and in every order of arrival.
create function pigou.entry_id(tenant text, trace_id bytea, span_id bytea, kind text, revision integer, occurred_at timestamptz)
returns uuid language sql immutable parallel safe as $$
    select encode(
        substring(int8send((extract(epoch from occurred_at) * 1000)::bigint) from 3 for 6)
        || substring(sha256(convert_to(tenant, 'UTF8') || trace_id || span_id || convert_to(kind, 'UTF8') || int4send(revision)) from 1 for 10),
        'hex')::uuid
$$;

create table pigou.record_default   partition of pigou.record default;
create table pigou.call_default     partition of pigou.call default;
create table pigou.entry_default    partition of pigou.entry default;
create table pigou.transfer_default partition of pigou.transfer default;
-- Truncating knows no rows, so that no trigger of the parents guards a partition that is named directly.
create trigger entry_is_append_only before truncate on pigou.entry_default
    for each statement execute function pigou.refuse_change();
create trigger transfer_is_append_only before truncate on pigou.transfer_default
    for each statement execute function pigou.refuse_change();

-- Makes the month's partitions of all four tables; answers whether it made any. A month that the default partition
-- already holds rows of stays there. Months outside two years back and two ahead are not worth a partition.
create function pigou.ensure_month(month date) returns boolean
language plpgsql security definer set search_path = pigou, pg_temp as $$
declare
    first date := date_trunc('month', month)::date;
    next  date := (date_trunc('month', month) + interval '1 month')::date;
    part  text; parent text; held boolean; made boolean := false;
begin
    if first < date_trunc('month', now()) - interval '24 months' or first > date_trunc('month', now()) + interval '2 months' then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('pigou.ensure_month', 0));
    foreach parent in array array['record', 'call', 'entry', 'transfer'] loop
        part := parent || '_' || to_char(first, 'YYYYMM');
        continue when to_regclass('pigou.' || part) is not null;
        execute format('select exists (select from pigou.%I where %I >= %L and %I < %L)', parent || '_default',
            case when parent in ('entry', 'transfer') then 'occurred_at' else 'started_at' end, first::timestamp at time zone 'UTC',
            case when parent in ('entry', 'transfer') then 'occurred_at' else 'started_at' end, next::timestamp at time zone 'UTC')
            into held;
        continue when held;
        execute format('create table pigou.%I partition of pigou.%I for values from (%L) to (%L)', part, parent,
            first::timestamp at time zone 'UTC', next::timestamp at time zone 'UTC');
        if parent in ('entry', 'transfer') then
            execute format('create trigger %I before truncate on pigou.%I for each statement execute function pigou.refuse_change()',
                parent || '_is_append_only', part);
        end if;
        made := true;
    end loop;
    return made;
end $$;
