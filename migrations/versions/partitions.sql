-- All tables of volume are partitioned by month, and what need not be kept for ever goes by dropping months. Nothing is deleted.
-- Books (entry, transfer), calls and roll-ups are never dropped: retention knows only the tables named in pigou.retained.

-- ── tables that were not partitioned yet ─────────────────────────────────────────────────────────────

create function pigou.partition_table(name text, at text, key text) returns void language plpgsql as $$
declare
    columns text := (select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
                      where attrelid = ('pigou.' || name)::regclass and attnum > 0 and not attisdropped and attgenerated = '');
    granted record;
begin
    execute format('alter table pigou.%1$I rename to %1$s_before', name);
    execute format('alter table pigou.%1$s_before drop constraint %1$s_pkey', name);
    execute format('create table pigou.%1$I (like pigou.%1$s_before including defaults including generated, primary key (%2$s)) partition by range (%3$I)',
                   name, key, at);
    execute format('create table pigou.%1$s_default partition of pigou.%1$I default', name);
    for granted in
        select privilege_type as privilege from pg_class, aclexplode(relacl) g
         where pg_class.oid = format('pigou.%s_before', name)::regclass and g.grantee = 'pigou_writer'::regrole
    loop
        execute format('grant %s on pigou.%I to pigou_writer', granted.privilege, name);
    end loop;
    execute format('insert into pigou.%1$I (%2$s) select %2$s from pigou.%1$s_before', name, columns);
    execute format('drop table pigou.%1$s_before', name);
end $$;

select pigou.partition_table('control_total', 'started_at', 'tenant_id, trace_id, span_id, started_at'),
       pigou.partition_table('call_key', 'started_at', 'tenant_id, key, trace_id, span_id, started_at'),
       pigou.partition_table('metric_point', 'at', 'tenant_id, name, series_id, at'),
       pigou.partition_table('ingest_minute', 'minute', 'tenant_id, minute, signal, slot'),
       pigou.partition_table('rejection', 'recorded_at', 'tenant_id, rejection_id, recorded_at');
drop function pigou.partition_table(text, text, text);

create index control_total_unchecked on pigou.control_total (tenant_id, trace_id) where checked_at is null;
create index control_total_differs on pigou.control_total (started_at) where status = 'differs';
create trigger control_total_is_rolled_up_on_insert after insert on pigou.control_total
    referencing new table as arrived for each statement execute function pigou.roll_up_control_totals();
create trigger control_total_is_rolled_up_on_update after update on pigou.control_total
    referencing old table as gone new table as arrived for each statement execute function pigou.roll_up_control_totals();
create trigger control_total_is_rolled_up_on_delete after delete on pigou.control_total
    referencing old table as gone for each statement execute function pigou.roll_up_control_totals();
create trigger ingest_is_rolled_up_on_insert after insert on pigou.ingest_minute
    referencing new table as arrived for each statement execute function pigou.roll_up_ingest();
create trigger ingest_is_rolled_up_on_update after update on pigou.ingest_minute
    referencing old table as gone new table as arrived for each statement execute function pigou.roll_up_ingest();
create trigger rejection_is_rolled_up after insert on pigou.rejection
    referencing new table as arrived for each statement execute function pigou.roll_up_rejections();

-- ── months ───────────────────────────────────────────────────────────────────────────────────────────

-- The partitioned tables and the column each is partitioned by. Those of arrival hold nothing older than the day it was written.
create view pigou.partitioned as
select c.relname::text as parent, a.attname::text as at, c.relname in ('ingest_minute', 'rejection') as by_arrival
  from pg_partitioned_table p
  join pg_class c on c.oid = p.partrelid
  join pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
 where c.relnamespace = 'pigou'::regnamespace;

-- Gives a table an empty default partition; what the old one held is answered as a table that stands alone.
create function pigou.take_default(parent text) returns text language plpgsql as $$
declare
    refusal text := (select pg_get_constraintdef(oid) from pg_constraint
                      where conrelid = format('pigou.%s_default', parent)::regclass and conname = 'record_is_past_retention');
begin
    execute format('alter table pigou.%1$I detach partition pigou.%1$s_default', parent);
    execute format('alter table pigou.%1$s_default rename to %1$s_taken', parent);
    execute format('create table pigou.%1$s_default partition of pigou.%1$I default', parent);
    if parent in ('entry', 'transfer') then
        execute format('create trigger %1$s_is_append_only before truncate on pigou.%1$s_default
            for each statement execute function pigou.refuse_change()', parent);
    end if;
    if refusal is not null then
        execute format('alter table pigou.%s_default add constraint record_is_past_retention %s', parent, refusal);
    end if;
    return parent || '_taken';
end $$;

-- Columns that a row is copied by: all but those that are computed.
create function pigou.columns_of(name text) returns text language sql stable as $$
    select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
     where attrelid = ('pigou.' || name)::regclass and attnum > 0 and not attisdropped and attgenerated = ''
$$;

-- Makes the month's partitions of all tables of volume; answers whether it made any. Rows of that month that had to wait in a default
-- partition (it was too far away when they came) move into it; they are copied past the triggers, since nothing about them changes.
-- Months outside two years back and two months ahead are not worth a partition.
create or replace function pigou.ensure_month(month date) returns boolean
language plpgsql security definer set search_path = pigou, pg_temp as $$
declare
    first timestamptz := date_trunc('month', month)::timestamp at time zone 'UTC';
    next  timestamptz := (date_trunc('month', month) + interval '1 month')::timestamp at time zone 'UTC';
    whole record; part text; taken text; columns text; held boolean; made boolean := false;
begin
    if first < date_trunc('month', now()) - interval '24 months' or first > date_trunc('month', now()) + interval '2 months' then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('pigou.ensure_month', 0));
    for whole in
        select v.parent, v.at from pigou.partitioned v
         where to_regclass(format('pigou.%s_%s', v.parent, to_char(month, 'YYYYMM'))) is null
           and (not v.by_arrival or next > now())
           and (v.parent <> 'spend_minute' or next > (select kept_since from pigou.retention where kind = 'minutes'))
         order by v.parent
    loop
        part := whole.parent || '_' || to_char(month, 'YYYYMM');
        execute format('select exists (select from pigou.%I where %I >= %L and %I < %L)',
                       whole.parent || '_default', whole.at, first, whole.at, next) into held;
        if held then
            taken := pigou.take_default(whole.parent);
        end if;
        execute format('create table pigou.%I partition of pigou.%I for values from (%L) to (%L)', part, whole.parent, first, next);
        if whole.parent in ('entry', 'transfer') then
            execute format('create trigger %I before truncate on pigou.%I for each statement execute function pigou.refuse_change()',
                whole.parent || '_is_append_only', part);
        end if;
        if held then
            columns := pigou.columns_of(whole.parent);
            execute format('insert into pigou.%1$I (%2$s) select %2$s from pigou.%3$I where %4$I >= %5$L and %4$I < %6$L',
                           part, columns, taken, whole.at, first, next);
            execute format('insert into pigou.%1$I (%2$s) select %2$s from pigou.%3$I where %4$I < %5$L or %4$I >= %6$L',
                           whole.parent || '_default', columns, taken, whole.at, first, next);
            execute format('drop table pigou.%I', taken);
        end if;
        made := true;
    end loop;
    return made;
end $$;

-- Rows in default partitions: of times too far from now for a partition of their own.
create function pigou.strays() returns table (parent text, strays bigint)
language plpgsql security definer set search_path = pigou, pg_temp as $$
begin
    for parent in select v.parent from pigou.partitioned v order by 1 loop
        execute format('select count(*) from pigou.%I', parent || '_default') into strays;
        return next;
    end loop;
end $$;

-- The months that are there, the current one and the next.
select pigou.ensure_month(month::date)
  from (select to_date(right(relname, 6), 'YYYYMM') from pg_class where relnamespace = 'pigou'::regnamespace and relname ~ '^call_\d{6}$'
        union
        select (date_trunc('month', now()) + make_interval(months => m))::date from generate_series(0, 1) m
        union
        select date_trunc('month', at)::date from pigou.metric_point) there (month)
 order by 1;

-- ── retention ────────────────────────────────────────────────────────────────────────────────────────

-- What each kind of retention may drop. Nothing else is ever dropped; kinds of one row go together, month by month.
create function pigou.retained() returns table (kind text, tables text[]) language sql immutable as $$
    values ('records', array['record', 'control_total', 'call_key']), ('metrics', array['metric_point']),
           ('minutes', array['spend_minute', 'ingest_minute']), ('rejections', array['rejection'])
$$;

-- Drops the months that ended before their retention, and answers what went. A record is kept that long after it came, too: a month
-- in which late records came stays until these are old. A month whose records went is shut: what would come again could not be told
-- from what is booked already, so that the database refuses it (the collector tells the sender). The bound is the table's, not the caller's, so that the running roles may call it.
create function pigou.drop_expired() returns table (kind text, dropped text)
language plpgsql security definer set search_path = pigou, pg_temp set lock_timeout = '3s' as $$
declare
    step record; part record; bound timestamptz; expired text; found boolean; taken text;
begin
    perform pg_advisory_xact_lock(hashtextextended('pigou.ensure_month', 0));
    for step in
        select r.kind, x.tables, now() - make_interval(days => r.keep_days) as bound
          from pigou.retention r join pigou.retained() x on x.kind = r.kind
         where r.keep_days is not null order by r.kind
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
            if part.parent = 'record' then
                execute format('select exists (select from pigou.%I where recorded_at >= %L)', part.name, bound) into found;
            elsif kind = 'records' then
                found := to_regclass('pigou.record_' || part.month) is not null
                     and not exists (select from pg_constraint where conrelid = to_regclass('pigou.record_' || part.month)
                                        and conname = 'record_is_past_retention');
            end if;
            continue when found;
            if part.parent = 'record' then
                continue when exists (select from pg_constraint where conrelid = format('pigou.%I', part.name)::regclass
                                         and conname = 'record_is_past_retention');
                execute format('drop table pigou.%I', part.name);
                execute format('create table pigou.%I partition of pigou.record (constraint record_is_past_retention check (false))
                    for values from (%L) to (%L)', part.name, to_date(part.month, 'YYYYMM')::timestamp at time zone 'UTC',
                    (to_date(part.month, 'YYYYMM') + interval '1 month')::timestamp at time zone 'UTC');
            else
                execute format('drop table pigou.%I', part.name);
            end if;
            dropped := part.name;
            return next;
        end loop;
        for part in select v.parent, v.at from pigou.partitioned v where v.parent = any (step.tables) order by 1 loop
            expired := format('%I < %L', part.at, bound) || case when part.parent = 'record' then format(' and recorded_at < %L', bound) else '' end;
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

revoke all on function pigou.take_default(text), pigou.strays(), pigou.drop_expired() from public;
grant execute on function pigou.strays(), pigou.drop_expired() to pigou_writer;
