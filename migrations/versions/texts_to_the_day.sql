-- Deletes text that is past its retention from months of which some is not: the oldest first, tenant by tenant in the order of the key, and so
-- much at most, so that no lock is held for long. A text is kept that long after it came, too. The bound is the table's, not the caller's.
create function pigou.delete_texts(at_most integer) returns bigint
language plpgsql security definer set search_path = pigou, pg_temp as $$
declare
    bound timestamptz := (select now() - make_interval(days => min(r.keep_days)) from retention r where r.kind in ('texts', 'records'));
    gone bigint;
begin
    if bound is null then
        return 0;
    end if;
    update retention r set kept_since = bound where r.kind = 'texts' and r.kept_since < bound;
    with old as (
        select k.tenant_id, k.started_at, k.trace_id, k.span_id
          from tenant t
         cross join lateral (select x.tenant_id, x.started_at, x.trace_id, x.span_id
                               from kept_text x
                              where x.tenant_id = t.tenant_id and x.started_at < bound and x.recorded_at < bound
                              order by x.started_at limit at_most) k
         limit at_most
    )
    delete from kept_text x using old o
     where x.tenant_id = o.tenant_id and x.started_at = o.started_at and x.trace_id = o.trace_id and x.span_id = o.span_id
       and x.started_at < bound;
    get diagnostics gone = row_count;
    return gone;
end $$;

revoke all on function pigou.delete_texts(integer) from public;
grant execute on function pigou.delete_texts(integer) to pigou_writer;
