-- name: trace_summary
-- One trace: its root, its length (of its spans: an outcome may be told much later), its calls and their cost.
select tenant,
       min(started_at) as started_at,
       max(ended_at) as ended_at,
       extract(epoch from coalesce(max(ended_at) filter (where signal <> 'log'), max(ended_at)) - min(started_at)) * 1000 as latency_ms,
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
-- The spans of one trace; a cost stands only on the calls that are booked, so the column sums to the trace's cost. What an action may lose is
-- what it states: probability times loss.
select s.span_id, s.parent_span_id, s.signal, s.role, s.name, s.service, s.status_code, s.layer, s.use, s.agent,
       s.started_at, s.ended_at, s.latency_ms, s.call_status, s.model, s.total_tokens, s.cost_usd,
       case when left(s.attributes ->> 'allocation.risk.loss_usd', 99) ~ '^\d+(\.\d+)?$'
             and left(s.attributes ->> 'allocation.risk.probability', 99) ~ '^[01](\.\d+)?$'
            then left(s.attributes ->> 'allocation.risk.probability', 99)::numeric * left(s.attributes ->> 'allocation.risk.loss_usd', 99)::numeric
       end as risk_usd,
       d.decision_id, d.kind, d.chosen, d.regret_usd, s.tenant
  from ledger.trace_spans({trace_id}) s
  left join (select distinct on (tenant, span_id) tenant, span_id, decision_id, kind, chosen, regret_usd
               from ledger.decisions
              where decision_id in (select decision_id from ledger.trace_decisions({trace_id}))
              order by tenant, span_id, decided_at, decision_id) d on d.tenant = s.tenant and d.span_id = s.span_id
 where {filters - s.tenant}
 order by s.started_at, s.ended_at desc, s.span_id
 limit {limit};

-- name: trace_span
-- One span with everything it said.
select tenant, span_id, parent_span_id, signal, role, name, service, scope_name, started_at, ended_at, latency_ms,
       status_code, status_message, layer, use, agent, task_class, call_status, model, total_tokens, cost_usd, attributes
  from ledger.trace_spans({trace_id})
 where span_id = {span_id} and {filters - tenant}
 order by started_at
 limit 1;

-- name: trace_text
-- What is kept of one span's text.
select attributes, events, body
  from ledger.texts
 where tenant = {tenant} and started_at = {started_at} and trace_id = {trace_id} and span_id = {span_id};

-- name: trace_text_gone
-- For how long text is kept, and when that of one span's month was dropped if it was all at once.
select r.keep_days, d.dropped_at
  from ledger.retention r
  left join ledger.months_dropped d on d.kind = r.kind and d.month = (date_trunc('month', {started_at}, 'UTC') at time zone 'UTC')::date
 where r.kind = 'texts';

-- name: trace_call
-- What the books made of one span's call.
select provider, model, operation, status, reason, dialect, confidence, layer_source, use_source, service_tier,
       input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_usd, claimed_cost_usd,
       copy_of_trace_id, copy_of_span_id, entry_id, response_id
  from ledger.calls
 where tenant = {tenant} and started_at = {started_at} and trace_id = {trace_id} and span_id = {span_id};

-- name: trace_findings
-- Findings that have one trace among the cases they rest on.
select distinct f.tenant, f.finding_id, f.mode, f.sentence, f.usd_per_day, f.low, f.high, f.status
  from ledger.finding_examples e
  join ledger.findings f on f.tenant = e.tenant and f.finding_id = e.finding_id
 where e.trace_id = {trace_id} and {filters - e.tenant}
 order by f.usd_per_day desc, f.finding_id;
