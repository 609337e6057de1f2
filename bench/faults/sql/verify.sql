-- name: records
-- Every record there is, and how often.
select t.tenant, r.trace_id, r.span_id, count(*), (extract(epoch from min(r.started_at)) * 1000000)::bigint
  from pigou.record r join pigou.tenant t using (tenant_id)
 group by t.tenant, r.trace_id, r.span_id

-- name: texts
-- Every text that is kept, and how often.
select t.tenant, x.trace_id, x.span_id, count(*), min(x.attributes ->> 'gen_ai.input.messages')
  from pigou.kept_text x join pigou.tenant t using (tenant_id)
 group by t.tenant, x.trace_id, x.span_id

-- name: calls
-- Every call there is, how often, and the live entries that name it: a live entry is not a reversal and was not reversed.
with moved as (
    select x.tenant_id, x.entry_id, sum(x.amount_usd) as amount_usd,
           jsonb_object_agg(c.commodity, x.quantity::bigint) filter (where x.quantity <> 0) as leaves
      from pigou.transfer x join pigou.commodity c using (commodity_id)
     group by x.tenant_id, x.entry_id
),
live as (
    select e.tenant_id, e.trace_id, e.span_id, count(*) as entries,
           sum(m.amount_usd) as amount_usd, (array_agg(m.leaves))[1] as leaves
      from pigou.entry e left join moved m using (tenant_id, entry_id)
     where e.kind <> 'reversal'
       and not exists (select from pigou.entry r where r.tenant_id = e.tenant_id and r.reverses = e.entry_id)
     group by e.tenant_id, e.trace_id, e.span_id
),
called as (
    select tenant_id, trace_id, span_id, count(*) as calls, min(status) as status, sum(cost_usd) as cost_usd
      from pigou.call group by tenant_id, trace_id, span_id
)
select t.tenant, coalesce(c.trace_id, l.trace_id), coalesce(c.span_id, l.span_id), coalesce(c.calls, 0), c.status, c.cost_usd,
       coalesce(l.entries, 0), coalesce(l.leaves, '{}'), l.amount_usd
  from called c
  full join live l on l.tenant_id = c.tenant_id and l.trace_id = c.trace_id and l.span_id = c.span_id
  join pigou.tenant t on t.tenant_id = coalesce(c.tenant_id, l.tenant_id)

-- name: refusals
-- What was kept aside: nothing of the load contradicts itself or is unreadable, so that there must be none.
select (select count(*) from pigou.conflict), (select count(*) from pigou.rejection)

-- name: present
-- The keys of all records.
select t.tenant, r.trace_id, r.span_id from pigou.record r join pigou.tenant t using (tenant_id)
