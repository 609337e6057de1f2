-- name: keep
-- How long a kind is kept from now on; null: for ever.
update pigou.retention set keep_days = %(days)s where kind = %(kind)s

-- name: record_keeping
-- Who said so.
insert into pigou.retention_revision (kind, revision, keep_days, source)
select %(kind)s, coalesce(max(revision), 0) + 1, %(days)s, %(source)s from pigou.retention_revision where kind = %(kind)s

-- name: shown
-- Every kind with its bound and its months; what goes row by row has none.
select r.kind, r.keep_days, nullif(r.kept_since, '-infinity') as gone_before, p.months, p.bytes
  from pigou.retention r
  join (select kind, tables from pigou.retained()
        union all
        select 'deliveries', array['delivery', 'delivery_message']) x on x.kind = r.kind
 cross join lateral (
       select case when bool_or(c.relkind = 'p') then count(*) filter (where c.relispartition and c.relname !~ '_default$') end as months,
              sum(pg_total_relation_size(c.oid))::bigint as bytes
         from unnest(x.tables) t (parent)
         join pg_class c on c.oid = to_regclass('pigou.' || t.parent)
                         or c.oid in (select inhrelid from pg_inherits where inhparent = to_regclass('pigou.' || t.parent))) p
 order by r.kind

-- name: drop_expired
-- Drops the months that ended before their retention.
select kind, dropped from pigou.drop_expired()

-- name: delete_deliveries
-- Deletes some deliveries that were settled before their retention; answers how many rows went.
select pigou.delete_deliveries(%(at_most)s)

-- name: delete_texts
-- Deletes some text that is past its retention in months of which some is not; answers how many rows went.
select pigou.delete_texts(%(at_most)s)

-- name: mark_day
-- Takes today's turn; no row when it was taken.
insert into pigou.setting (setting, value) values ('retained_on', current_date::text)
on conflict (setting) do update set value = excluded.value where pigou.setting.value <> excluded.value
returning value

-- name: strays
-- How many rows wait in each default partition.
select parent, strays from pigou.strays()
