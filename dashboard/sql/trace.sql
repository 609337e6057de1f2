-- name: trace_summary
-- One trace: its root, its length, its calls and their cost.
select tenant,
       min(started_at) as started_at,
       max(ended_at) as ended_at,
       extract(epoch from max(ended_at) - min(started_at)) * 1000 as latency_ms,
       (array_agg(name order by parent_span_id is not null, started_at))[1] as root_name,
       (array_agg(service order by parent_span_id is not null, started_at))[1] as service,
       min(task_class) as task_class,
       count(*) as spans,
       count(*) filter (where call_status <> 'duplicate') as calls,
       count(*) filter (where call_status = 'unpriced') as unpriced_calls,
       count(*) filter (where call_status = 'suspense') as suspense_calls,
       count(*) filter (where call_status = 'duplicate') as duplicate_calls,
       sum(total_tokens) filter (where call_status <> 'duplicate') as tokens,
       sum(cost_usd) as cost_usd
  from ledger.trace_spans({trace_id})
 where {filters - tenant}
 group by tenant
 order by tenant;

-- name: trace_spans
-- The spans of one trace; a cost stands only on the calls that are booked, so the column sums to the trace's cost.
select span_id, parent_span_id, signal, role, name, service, status_code, layer, use, agent,
       started_at, ended_at, latency_ms, call_status, model, total_tokens, cost_usd
  from ledger.trace_spans({trace_id})
 where {filters - tenant}
 order by started_at, ended_at desc, span_id
 limit {limit};

-- name: trace_span
-- One span with everything it said.
select tenant, span_id, parent_span_id, signal, role, name, service, scope_name, started_at, ended_at, latency_ms,
       status_code, status_message, layer, use, agent, task_class, call_status, model, total_tokens, cost_usd, attributes
  from ledger.trace_spans({trace_id})
 where span_id = {span_id} and {filters - tenant}
 order by started_at
 limit 1;

-- name: trace_call
-- What the books made of one span's call.
select provider, model, operation, status, reason, dialect, confidence, layer_source, use_source, service_tier,
       input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_usd, claimed_cost_usd,
       copy_of_trace_id, copy_of_span_id, entry_id, response_id
  from ledger.calls
 where tenant = {tenant} and started_at = {started_at} and trace_id = {trace_id} and span_id = {span_id};
