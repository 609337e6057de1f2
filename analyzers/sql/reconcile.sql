-- name: touched
-- Traces with control totals that were never compared, or touched since a time: a record came, or a call's entry was posted or reversed, or
-- that of a call of which they hold a copy.
with touched as materialized (
    select tenant_id, trace_id from pigou.record where recorded_at >= %(since)s
    union
    select tenant_id, trace_id from pigou.entry where recorded_at >= %(since)s and trace_id is not null and span_id is not null
    union
    select tenant_id, trace_id from pigou.control_total where checked_at is null
),
with_copies as (
    select tenant_id, trace_id from touched
    union
    select t.tenant_id, c.trace_id
      from touched t
     cross join lateral (
           select trace_id from pigou.call
            where tenant_id = t.tenant_id and copy_of_trace_id = t.trace_id and copy_of_trace_id <> trace_id
           offset 0) c  -- looked for one by one, in an index of few, and never by reading all calls
)
select distinct k.tenant_id, k.trace_id
  from pigou.control_total k join with_copies using (tenant_id, trace_id)
 order by k.tenant_id, k.trace_id

-- name: reconcile
-- The control totals of some traces of a tenant, compared with what was booked below them, and that of a response which was fetched with
-- the call that it answers. A duplicate below a parent counts as the copy that was booked for it, wherever that stands; each booked call
-- counts once.
with recursive shape as materialized (
    select trace_id, span_id, parent_span_id
      from pigou.record where tenant_id = %(tenant_id)s and trace_id = any(%(trace_ids)s) and parent_span_id is not null
),
control as materialized (
    select trace_id, span_id, started_at
      from pigou.control_total where tenant_id = %(tenant_id)s and trace_id = any(%(trace_ids)s)
),
below as (
    select trace_id, span_id as control_id, started_at, span_id from control
    union
    select b.trace_id, b.control_id, b.started_at, r.span_id
      from below b join shape r on r.trace_id = b.trace_id and r.parent_span_id = b.span_id
),
reported as materialized (
    select trace_id, span_id, coalesce(copy_of_trace_id, trace_id) as call_trace_id, coalesce(copy_of_span_id, span_id) as call_span_id
      from pigou.call where tenant_id = %(tenant_id)s and trace_id = any(%(trace_ids)s)
),
fetched as (
    select t.trace_id, t.span_id, t.started_at, 'response:' || (r.attributes->>'gen_ai.response.id') as key
      from control t
      join pigou.record r on r.tenant_id = %(tenant_id)s and r.trace_id = t.trace_id and r.span_id = t.span_id and r.started_at = t.started_at
     where r.attributes->>'gen_ai.operation.name' = 'fetch_response'
),
booked as (
    select b.trace_id, b.control_id, b.started_at, c.call_trace_id, c.call_span_id
      from below b join reported c on c.trace_id = b.trace_id and c.span_id = b.span_id
    union
    select f.trace_id, f.span_id, f.started_at, coalesce(c.copy_of_trace_id, c.trace_id), coalesce(c.copy_of_span_id, c.span_id)
      from fetched f
      join pigou.call_key k on k.tenant_id = %(tenant_id)s and hashtext(k.key) = hashtext(f.key) and k.key = f.key
      join pigou.call c on c.tenant_id = %(tenant_id)s and c.trace_id = k.trace_id and c.span_id = k.span_id
),
summed as materialized (  -- else it may be computed again for each control total
    select b.trace_id, b.control_id, b.started_at, count(*) as calls,
           sum(coalesce(c.total_input_tokens, c.input_tokens))::bigint as input_tokens,
           sum(case when c.output_tokens is not null or c.reasoning_tokens is not null
                    then coalesce(c.output_tokens, 0) + coalesce(c.reasoning_tokens, 0) end)::bigint as output_tokens,
           sum(c.cost_usd) as cost_usd, bool_and(c.cost_usd is not null) as is_whole
      from booked b
      join pigou.call c on c.tenant_id = %(tenant_id)s and c.trace_id = b.call_trace_id and c.span_id = b.call_span_id
     where c.status <> 'duplicate'
     group by b.trace_id, b.control_id, b.started_at
)
update pigou.control_total k
   set booked_input_tokens = coalesce(s.input_tokens, 0), booked_output_tokens = coalesce(s.output_tokens, 0),
       booked_cost_usd = case when s.calls is null then 0 else s.cost_usd end, booked_cost_is_whole = coalesce(s.is_whole, true),
       booked_calls = coalesce(s.calls, 0), checked_at = now()
  from control t
  left join summed s on s.trace_id = t.trace_id and s.control_id = t.span_id and s.started_at = t.started_at
 where k.tenant_id = %(tenant_id)s and k.trace_id = t.trace_id and k.span_id = t.span_id and k.started_at = t.started_at

-- name: traces_posted
-- Traces in which a call's entry was posted or reversed since a time.
select distinct tenant_id, trace_id from pigou.entry
 where recorded_at >= %(since)s and trace_id is not null and span_id is not null
 order by tenant_id, trace_id

-- name: find_weak_matches
-- Calls of these traces that look like copies of each other but share no strong identity: same model and tokens, overlapping in time.
-- Of those alike only such are paired as overlap with a neighbour: a trace may hold thousands of equal calls, one after the other.
with alike as materialized (
    select c.trace_id, c.span_id, c.started_at, c.ended_at, c.model, c.total_input_tokens as input_tokens,
           coalesce(c.output_tokens, 0) + coalesce(c.reasoning_tokens, 0) as output_tokens,
           max(c.ended_at) over (likeness rows between unbounded preceding and 1 preceding) as latest_end, lead(c.started_at) over likeness as next_start
      from pigou.call c
     where c.tenant_id = %(tenant_id)s and c.trace_id = any(%(trace_ids)s) and c.status in ('booked', 'unpriced')
       and c.model is not null and c.total_input_tokens is not null
    window likeness as (partition by c.trace_id, c.model, c.total_input_tokens, coalesce(c.output_tokens, 0) + coalesce(c.reasoning_tokens, 0)
                            order by c.started_at, c.span_id)
),
near as materialized (
    select *, row(trace_id, model, input_tokens, output_tokens)::text as likeness
      from alike where latest_end > started_at or next_start < ended_at
),
found as materialized (
    select a.trace_id, a.span_id, b.span_id as other_span_id, a.started_at, a.model, a.input_tokens, a.output_tokens
      from near a
      join near b on b.likeness = a.likeness and b.span_id > a.span_id and b.started_at < a.ended_at and a.started_at < b.ended_at
),
resolved as (
    delete from pigou.weak_match w
     where w.tenant_id = %(tenant_id)s and w.trace_id = any(%(trace_ids)s)
       and not exists (select from found f where f.trace_id = w.trace_id and f.span_id = w.span_id and f.other_span_id = w.other_span_id)
)
insert into pigou.weak_match (tenant_id, trace_id, span_id, other_span_id, started_at, model, input_tokens, output_tokens)
select %(tenant_id)s, trace_id, span_id, other_span_id, started_at, model, input_tokens, output_tokens from found
on conflict do nothing

-- name: mark
-- Where the last complete run began.
insert into pigou.setting (setting, value) values (%(setting)s, %(since)s::text)
on conflict (setting) do update set value = excluded.value

-- name: since
-- Where the next run begins: a little before the last one did, since a transaction may commit later than it began.
select coalesce((select value::timestamptz - interval '20 seconds' from pigou.setting where setting = %(setting)s), to_timestamp(0)), now()

-- name: newest_rate
-- The newest rate, and the newest that every tenant's books were compared with.
select coalesce(max(r.rate_id), 0), coalesce((select value::bigint from pigou.setting where setting = 'rerated_through'), 0)
  from pigou.rate r

-- name: tenants_to_rerate
-- Tenants whose calls wait for a price; every tenant after a rate was added.
select tenant_id from pigou.tenant t
 where tenant_id <> 0 and (%(every)s or exists (select from pigou.call c where c.tenant_id = t.tenant_id and c.status = 'unpriced'))
 order by tenant_id

-- name: mark_rerated
-- Every tenant's books were compared with the rates up to this one.
insert into pigou.setting (setting, value) values ('rerated_through', %(rate_id)s::text)
on conflict (setting) do update set value = excluded.value
