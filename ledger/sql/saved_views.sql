-- name: lock_views
-- One saves, renames or removes at a time, until its transaction ends.
select pg_advisory_xact_lock(hashtextextended('pigou.saved_view', 0))

-- name: names
-- How the views are called.
select view_id, name from ledger.saved_views

-- name: add_view
-- A view, with the next number.
insert into pigou.saved_view (view_id, revision, name, address, who)
select coalesce(max(view_id), 0) + 1, 1, %(name)s, %(address)s, %(who)s from pigou.saved_view
returning view_id

-- name: revise_view
-- A further revision of a view that is not removed: its name, or that it is removed.
insert into pigou.saved_view (view_id, revision, name, address, who, is_removed)
select v.view_id, v.revision + 1, coalesce(%(name)s, v.name), v.address, %(who)s, %(is_removed)s
  from (select * from pigou.saved_view where view_id = %(view_id)s order by revision desc limit 1) v
 where not v.is_removed

-- name: list_views
-- The views by name.
select * from ledger.saved_views order by lower(name), view_id
