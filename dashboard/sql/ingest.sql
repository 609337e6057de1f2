-- name: ingest_total
-- What the collector was sent and what became of it.
select coalesce(sum(requests), 0) as requests, coalesce(sum(records), 0) as records, coalesce(sum(duplicates), 0) as duplicates,
       coalesce(sum(rejected), 0) as rejected, coalesce(sum(conflicts), 0) as conflicts, coalesce(sum(bytes), 0) as bytes,
       max(last_minute) as last_minute
  from ledger.ingest_hourly
 where {filters hour tenant};

-- name: ingest_over_time
-- Records per {bucket word} (UTC) by signal, by the collector's clock.
select date_trunc({bucket}, hour, 'UTC') as bucket, signal, sum(records) as records
  from ledger.ingest_hourly
 where {filters hour tenant}
 group by 1, 2
 order by 1, 2;

-- name: ingest_over_minutes
-- Records per minute (UTC) by signal, by the collector's clock.
select minute as bucket, signal, sum(records) as records
  from ledger.ingest
 where {filters minute tenant}
 group by 1, 2
 order by 1, 2;

-- name: rejections_by_code
-- Why records were turned away, the most frequent first, with the last example of each.
select stage, code, signal, tenant, records, last_at,
       (select max(example) from ledger.rejections_hourly e
         where e.hour = date_trunc('hour', k.last_at, 'UTC') and e.last_at = k.last_at
           and e.stage = k.stage and e.code = k.code and e.signal = k.signal and e.tenant = k.tenant) as example
  from (select stage, code, signal, tenant, sum(records)::bigint as records, max(last_at) as last_at
          from ledger.rejections_hourly
         where {filters hour tenant}
         group by stage, code, signal, tenant
         order by records desc, stage, code, signal, tenant
         limit {limit}) as k
 order by records desc, stage, code, signal, tenant;

-- name: conflicts
-- Records that came again under the same key with other content; the first stays booked.
select recorded_at, tenant, trace_id, span_id
  from ledger.conflicts
 where {filters recorded_at tenant}
 order by recorded_at desc, trace_id, span_id
 limit {limit};

-- name: weak_matches
-- Calls of one trace that look alike but share no identity: both are booked, and one may be a copy. Of all time.
select tenant, trace_id, span_id, other_span_id, model, input_tokens, output_tokens
  from ledger.weak_matches
 where {filters - tenant}
 order by tenant, trace_id, span_id, other_span_id
 limit {limit};
