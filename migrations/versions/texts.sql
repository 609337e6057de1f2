-- Text that the operator keeps stands in a table of its own and goes before its record; deliveries that are over go, too.
-- Text that came before this stays in the attributes of its record and goes with it: to move it would be to write every record again.

-- ── text ─────────────────────────────────────────────────────────────────────────────────────────────

-- The content of one record, where it is kept: posted with the record or not at all, and never without one.
create table pigou.kept_text (
    tenant_id   integer not null,
    trace_id    bytea not null,
    span_id     bytea not null,
    started_at  timestamptz not null,
    attributes  jsonb,                                -- those that hold content
    events      jsonb,                                -- of each event that holds content its place among the record's, its name and that
    body        jsonb,                                -- of a log record
    recorded_at timestamptz not null default now(),
    primary key (tenant_id, started_at, trace_id, span_id),
    constraint kept_text_holds_some check (num_nonnulls(attributes, events, body) > 0)
) partition by range (started_at);
create index kept_text_arrival on pigou.kept_text using brin (recorded_at);
create table pigou.kept_text_default partition of pigou.kept_text default;
grant select, insert on pigou.kept_text to pigou_writer;

-- ── kinds ────────────────────────────────────────────────────────────────────────────────────────────

alter table pigou.retention drop constraint retention_kind_is_known;
alter table pigou.retention add constraint retention_kind_is_known
    check (kind in ('records', 'metrics', 'minutes', 'rejections', 'texts', 'deliveries'));
insert into pigou.retention (kind, keep_days)
select 'texts', least(30, r.keep_days) from pigou.retention r where r.kind = 'records'
union all
select 'deliveries', 90;

create or replace function pigou.retained() returns table (kind text, tables text[]) language sql immutable as $$
    values ('records', array['record', 'control_total', 'call_key']), ('metrics', array['metric_point']),
           ('minutes', array['spend_minute', 'ingest_minute']), ('rejections', array['rejection']), ('texts', array['kept_text'])
$$;

-- Months of which something was dropped, so that who misses it can be told when it went.
create table pigou.month_dropped (
    kind       text not null,
    month      date not null,
    dropped_at timestamptz not null,
    primary key (kind, month)
);

-- Drops the months that ended before their retention, and answers what went. A record is kept that long after it came, too, and so is its
-- text: a month in which late records came stays until these are old. Text is never kept longer than records are. A month whose records
-- went is shut: what would come again could not be told from what is booked already, so that the database refuses it (the collector tells
-- the sender). The bound is the table's, not the caller's, so that the running roles may call it.
create or replace function pigou.drop_expired() returns table (kind text, dropped text)
language plpgsql security definer set search_path = pigou, pg_temp set lock_timeout = '3s' as $$
declare
    step record; part record; bound timestamptz; expired text; found boolean; taken text;
begin
    perform pg_advisory_xact_lock(hashtextextended('pigou.ensure_month', 0));
    for step in
        select r.kind, x.tables, now() - make_interval(days => k.days) as bound
          from pigou.retention r
          join pigou.retained() x on x.kind = r.kind
         cross join lateral (
               select case when r.kind = 'texts' then least(r.keep_days, (select o.keep_days from pigou.retention o where o.kind = 'records'))
                           else r.keep_days end as days) k
         where k.days is not null order by r.kind
    loop
        kind := step.kind;
        -- Minutes are summed only where their whole month is kept.
        bound := case when kind = 'minutes' then date_trunc('month', step.bound, 'UTC') else step.bound end;
        update pigou.retention r set kept_since = greatest(r.kept_since, bound) where r.kind = step.kind;
        for part in
            select t.parent, c.relname as name, right(c.relname, 6) as month
              from unnest(step.tables) with ordinality t (parent, place)
              join pg_inherits i on i.inhparent = ('pigou.' || t.parent)::regclass
              join pg_class c on c.oid = i.inhrelid
             where c.relname = t.parent || '_' || right(c.relname, 6) and right(c.relname, 6) ~ '^\d{6}$'
               and (to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month')::timestamp at time zone 'UTC' <= bound
             order by t.place, c.relname
        loop
            found := false;
            if part.parent in ('record', 'kept_text') then
                execute format('select exists (select from pigou.%I where recorded_at >= %L)', part.name, bound) into found;
            elsif kind = 'records' then
                found := to_regclass('pigou.record_' || part.month) is not null
                     and not exists (select from pg_constraint where conrelid = to_regclass('pigou.record_' || part.month)
                                        and conname = 'record_is_past_retention');
            end if;
            continue when found;
            continue when part.parent = 'record'
                      and exists (select from pg_constraint where conrelid = format('pigou.%I', part.name)::regclass
                                     and conname = 'record_is_past_retention');
            execute format('select exists (select from pigou.%I)', part.name) into found;
            if found then
                insert into pigou.month_dropped as m (kind, month, dropped_at) values (step.kind, to_date(part.month, 'YYYYMM'), now())
                on conflict on constraint month_dropped_pkey do update set dropped_at = excluded.dropped_at;
            end if;
            execute format('drop table pigou.%I', part.name);
            if part.parent = 'record' then
                execute format('create table pigou.%I partition of pigou.record (constraint record_is_past_retention check (false))
                    for values from (%L) to (%L)', part.name, to_date(part.month, 'YYYYMM')::timestamp at time zone 'UTC',
                    (to_date(part.month, 'YYYYMM') + interval '1 month')::timestamp at time zone 'UTC');
            end if;
            dropped := part.name;
            return next;
        end loop;
        for part in select v.parent, v.at from pigou.partitioned v where v.parent = any (step.tables) order by 1 loop
            expired := format('%I < %L', part.at, bound)
                    || case when part.parent in ('record', 'kept_text') then format(' and recorded_at < %L', bound) else '' end;
            execute format('select exists (select from pigou.%I where %s)', part.parent || '_default', expired) into found;
            continue when not found;
            taken := pigou.take_default(part.parent);
            execute format('insert into pigou.%1$I (%2$s) select %2$s from pigou.%3$I where not (%4$s)',
                           part.parent || '_default', pigou.columns_of(part.parent), taken, expired);
            execute format('drop table pigou.%I', taken);
            if part.parent = 'record' then
                execute 'alter table pigou.record_default drop constraint if exists record_is_past_retention';
                execute format('alter table pigou.record_default add constraint record_is_past_retention check (started_at >= %L) not valid', bound);
            end if;
            dropped := part.parent || '_default';
            return next;
        end loop;
    end loop;
end $$;

-- ── deliveries ───────────────────────────────────────────────────────────────────────────────────────

create index delivery_message_settled on pigou.delivery_message (settled_at) where state <> 'waiting';
create index delivery_settled on pigou.delivery (settled_at) where state <> 'waiting';

-- Deletes deliveries that were settled before their retention, the oldest first, then messages of which none is left, and answers how many
-- rows went: so many of each at most, so that no lock is held for long. What waits is never deleted. Of an alert that is not resolved the last
-- delivery through each channel stays, since it says that the channel hears of the alert; of each channel the last message stays, so that no
-- number comes again. The bound is the table's, not the caller's.
create function pigou.delete_deliveries(at_most integer) returns bigint
language plpgsql security definer set search_path = pigou, pg_temp as $$
declare
    bound timestamptz := (select now() - make_interval(days => r.keep_days) from retention r where r.kind = 'deliveries');
    deliveries bigint; messages bigint;
begin
    if bound is null then
        return 0;
    end if;
    update retention r set kept_since = greatest(r.kept_since, bound) where r.kind = 'deliveries';
    with old as (
        select d.tenant_id, d.alert_id, d.event_id, d.channel_tenant_id, d.channel
          from delivery d
         where d.state <> 'waiting' and d.settled_at < bound
           and (exists (select from alert a where a.tenant_id = d.tenant_id and a.alert_id = d.alert_id and a.state = 'resolved')
                or exists (select from delivery n
                            where n.tenant_id = d.tenant_id and n.alert_id = d.alert_id and n.event_id > d.event_id
                              and n.channel_tenant_id = d.channel_tenant_id and n.channel = d.channel))
         order by d.settled_at limit at_most
           for update of d skip locked
    )
    delete from delivery d using old o
     where d.tenant_id = o.tenant_id and d.alert_id = o.alert_id and d.event_id = o.event_id
       and d.channel_tenant_id = o.channel_tenant_id and d.channel = o.channel;
    get diagnostics deliveries = row_count;
    with old as (
        select m.tenant_id, m.channel, m.message_id
          from delivery_message m
         where m.state <> 'waiting' and m.settled_at < bound
           and (select count(*) from (select from delivery d      -- looked up message by message: a join would read all deliveries each time
                                       where d.channel_tenant_id = m.tenant_id and d.channel = m.channel and d.message_id = m.message_id
                                       limit 1) left_of_it) = 0
           and exists (select from delivery_message n
                        where n.tenant_id = m.tenant_id and n.channel = m.channel and n.message_id > m.message_id)
         order by m.settled_at limit at_most
           for update of m skip locked
    )
    delete from delivery_message m using old o
     where m.tenant_id = o.tenant_id and m.channel = o.channel and m.message_id = o.message_id;
    get diagnostics messages = row_count;
    return deliveries + messages;
end $$;

revoke all on function pigou.delete_deliveries(integer) from public;
grant execute on function pigou.delete_deliveries(integer) to pigou_writer;
