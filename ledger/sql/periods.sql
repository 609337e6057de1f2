-- name: record
-- Who closed or reopened, through which day, and why.
insert into pigou.period_event (tenant_id, event_id, event, closed_through, at, who, note)
select %(tenant_id)s, coalesce(max(event_id), 0) + 1, %(event)s, %(through)s, clock_timestamp(), %(who)s, %(note)s
  from pigou.period_event where tenant_id = %(tenant_id)s;

-- name: close_through
-- The day that postings are held against.
update pigou.tenant set closed_through = %(through)s where tenant_id = %(tenant_id)s;
