-- name: ingest_total
-- What the collector was sent and what became of it.
select coalesce(sum(requests), 0) as requests, coalesce(sum(records), 0) as records, coalesce(sum(duplicates), 0) as duplicates,
       coalesce(sum(rejected), 0) as rejected, coalesce(sum(conflicts), 0) as conflicts, coalesce(sum(bytes), 0) as bytes,
       max(minute) as last_minute
  from ledger.ingest
 where {filters minute tenant};

-- name: ingest_over_time
-- Records per {bucket word} (UTC) by signal, by the collector's clock.
select date_trunc({bucket}, minute, 'UTC') as bucket, signal, sum(records) as records
  from ledger.ingest
 where {filters minute tenant}
 group by 1, 2
 order by 1, 2;

-- name: rejections_by_code
-- Why records were turned away, the most frequent first, with the last example of each.
select stage, code, signal, tenant, count(*) as records, max(recorded_at) as last_at,
       (array_agg(detail order by recorded_at desc))[1] as example
  from ledger.rejections
 where {filters recorded_at tenant}
 group by stage, code, signal, tenant
 order by records desc, stage, code, signal, tenant
 limit {limit};

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
