-- name: calls
-- Model calls, one row each, as the books hold them.
select started_at, tenant, layer, use, agent, task_class, provider, model, operation, status, reason,
       input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
       cost_usd, claimed_cost_usd, latency_ms, dialect, service, trace_id, span_id
  from ledger.calls
 where {filters started_at tenant layer use model agent task_class status}
   and started_at >= coalesce((   -- the newest lie after it: so many came in the hours since
           select max(hour)
             from (select hour, sum(sum(calls)) over (order by hour desc) as newer
                     from ledger.statuses_hourly
                    where {newest first} and {filters hour tenant layer use model agent task_class status}
                      and hour >= coalesce((
                              select max(day)::timestamp at time zone 'UTC'
                                from (select day, sum(sum(calls)) over (order by day desc) as newer
                                        from ledger.statuses_daily
                                       where day >= {first day} and day < {last day}
                                         and {filters - tenant layer use model agent task_class status}
                                       group by day) as days
                               where newer >= {limit or null}), '-infinity')
                    group by hour) as hours
            where newer >= {limit or null}), '-infinity')
 order by {order}, trace_id, span_id
 limit {limit};

-- name: calls_by_status
-- How many calls there are of each status, and what they cost.
select status, sum(calls)::bigint as calls, sum(cost_usd) as cost_usd
  from {statuses}
 where {filters - tenant layer use model agent task_class}
 group by status
 order by status;
