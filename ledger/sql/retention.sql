-- name: keep
-- How long a kind is kept from now on; null: for ever.
update pigou.retention set keep_days = %(days)s where kind = %(kind)s

-- name: shown
-- Every kind with its bound and its months.
select r.kind, r.keep_days, nullif(r.kept_since, '-infinity') as gone_before, p.months, p.bytes
  from pigou.retention r
  join pigou.retained() x on x.kind = r.kind
 cross join lateral (
       select count(*) filter (where c.relname !~ '_default$') as months, sum(pg_total_relation_size(c.oid))::bigint as bytes
         from unnest(x.tables) t (parent)
         join pg_inherits i on i.inhparent = to_regclass('pigou.' || t.parent)
         join pg_class c on c.oid = i.inhrelid) p
 order by r.kind

-- name: drop_expired
-- Drops the months that ended before their retention.
select kind, dropped from pigou.drop_expired()

-- name: mark_day
-- Takes today's turn; no row when it was taken.
insert into pigou.setting (setting, value) values ('retained_on', current_date::text)
on conflict (setting) do update set value = excluded.value where pigou.setting.value <> excluded.value
returning value

-- name: strays
-- How many rows wait in each default partition.
select parent, strays from pigou.strays()
