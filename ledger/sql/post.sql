-- name: tenants_locked
-- What posting needs to know of tenants once they are locked: the last closed day, in days since 1970.
select tenant_id, closed_through - date '1970-01-01' from pigou.tenant where tenant_id = any(%(tenant_ids)s::integer[])

-- name: newest_rate
-- The rate that was added last.
select coalesce(max(rate_id), 0) from pigou.rate

-- name: lock_tenants
-- One writer at a time per tenant, always in ascending order, until the transaction ends.
select pg_advisory_xact_lock(1885956981, tenant_id) from unnest(%(tenant_ids)s::integer[]) tenant_id order by tenant_id

-- name: tenants
-- Ids of tenants by name.
select tenant, tenant_id from pigou.tenant where tenant = any(%(names)s::text[])

-- name: lock_tenant_names
-- One writer at a time adds tenants, until its transaction ends.
select pg_advisory_xact_lock(1885956980)

-- name: add_tenants
-- Tenants of these names that are not there yet.
insert into pigou.tenant (tenant_id, tenant)
select (select coalesce(max(tenant_id), 0) from pigou.tenant) + row_number() over (order by name), name
  from (select distinct name from unnest(%(names)s::text[]) name) asked
 where not exists (select from pigou.tenant t where t.tenant = asked.name)
returning tenant, tenant_id

-- name: open_accounts
-- Ids of accounts by name; unknown ones are opened. Runs under the tenant's lock.
with asked as (select account, kind from unnest(%(accounts)s::text[], %(kinds)s::text[]) a (account, kind)),
opened as (
    insert into pigou.account (tenant_id, account_id, account, kind)
    select %(tenant_id)s,
           (select coalesce(max(account_id), 0) from pigou.account where tenant_id = %(tenant_id)s) + row_number() over (order by account),
           account, kind
      from asked
     where not exists (select from pigou.account a where a.tenant_id = %(tenant_id)s and a.account = asked.account)
    returning account, account_id
)
select account, account_id from opened
union all
select a.account, a.account_id from pigou.account a
 where a.tenant_id = %(tenant_id)s and a.account in (select account from asked)

-- name: rates_of_lines
-- Every rate that `pigou.rate_of` could choose for some lines, in its order of preference.
select a.place::integer, r.rate_id, pigou.unit_rate(r.price_usd, r.per)::text,
       case when isfinite(lower(r.valid)) then (extract(epoch from lower(r.valid)) * 1000000)::bigint end,
       case when isfinite(upper(r.valid)) then (extract(epoch from upper(r.valid)) * 1000000)::bigint end,
       r.context_above, (extract(epoch from r.daily_from) * 1000000)::bigint, (extract(epoch from r.daily_until) * 1000000)::bigint
  from unnest(%(reported_providers)s::text[], %(reported_models)s::text[], %(providers)s::text[], %(models)s::text[],
              %(tiers)s::text[], %(commodities)s::smallint[]) with ordinality
       a (reported_provider, reported_model, provider, model, tier, commodity_id, place)
 cross join lateral (
       select distinct name from unnest(array[
              a.provider || '|' || a.model, a.provider || '|' || lower(a.reported_model),
              lower(a.reported_provider) || '|' || a.model, lower(a.reported_provider) || '|' || lower(a.reported_model)]) name) n
  join pigou.rate r on r.line = n.name || '|' || a.commodity_id::text || '|' || a.tier
   and (r.tenant_id = %(tenant_id)s or (r.tenant_id = 0 and r.model = a.model and r.provider = a.provider))
 order by a.place, r.tenant_id desc, (r.model <> a.model) desc, (r.provider <> a.provider) desc,
          r.context_above desc, (r.daily_from = r.daily_until), r.revision desc

-- name: traces_known
-- What is already recorded of some traces, and of those that hold a call of one of these identities: the shape of each, and its
-- calls as evidence. The times choose partitions and nothing else: said with an `or` (which is never true), no plan made while the
-- tables were empty takes them for the way to the rows, through the key that begins with the time. And `is true` keeps that key from
-- being gone through for the text of an identity, which its hash finds.
select r.trace_id, r.span_id, r.parent_span_id, (extract(epoch from r.started_at) * 1000000)::bigint,
       r.role, r.agent, r.task_class, r.content_hash,
       c.status, c.keys, c.strength, c.leaves, c.response_id, c.agent, c.task_class, c.copy_of_trace_id, c.copy_of_span_id,
       c.reason, (extract(epoch from r.ended_at) * 1000000)::bigint, r.scope_name
  from pigou.record r
  left join lateral (
       select * from pigou.call c
        where c.tenant_id = r.tenant_id and c.trace_id = r.trace_id and c.span_id = r.span_id and c.started_at = r.started_at
        limit 1) c on true  -- one by one, whatever the planner thinks of tables that were empty
 where r.tenant_id = %(tenant_id)s
   and r.trace_id = any(array(
       select unnest(%(trace_ids)s::bytea[])
        union
       select k.trace_id from pigou.call_key k
        where k.tenant_id = %(tenant_id)s and hashtext(k.key) = any(array(select hashtext(key) from unnest(%(keys)s::text[]) key))
          and (k.key = any(%(keys)s::text[])) is true
          and (k.started_at between %(since)s and %(until)s or k.started_at = %(never)s)))
   and (r.started_at between %(since)s and %(until)s or r.started_at = %(never)s)

-- name: make_stage
-- What is to be done with calls in this transaction: book them, or reverse their live entry.
create temporary table if not exists stage_call (
    like pigou.call, action text not null, entry_reason text, reverses uuid
) on commit delete rows

-- name: stage_existing
-- Calls already known, staged to be reversed or booked again.
insert into stage_call
select c.tenant_id, c.trace_id, c.span_id, c.started_at, c.ended_at,
       case when a.action = 'book' then case when c.leaves = '{}' then 'suspense' else 'booked' end else a.status end,
       case when a.action = 'book' then c.problem else a.reason end, c.problem,
       c.dialect, c.confidence, c.operation, c.provider, c.model, c.rate_provider, c.rate_model, c.service_tier,
       c.layer, c.layer_source, c.use, c.use_source, c.agent, c.task_class, c.conversation_id, c.user_id, c.service,
       c.leaves, c.total_input_tokens, c.input_tokens, c.cache_read_tokens, c.cache_write_tokens, c.output_tokens,
       c.reasoning_tokens, null, c.claimed_cost_usd, c.response_id, c.keys, c.strength, a.copy_of_trace_id, a.copy_of_span_id,
       null, c.expense_account_id, c.payable_account_id, c.revision, c.recorded_at,
       a.action, a.reason, case when a.action = 'reverse' then c.entry_id end
  from unnest(%(actions)s::text[], %(statuses)s::text[], %(reasons)s::text[], %(trace_ids)s::bytea[], %(span_ids)s::bytea[],
              %(copy_trace_ids)s::bytea[], %(copy_span_ids)s::bytea[])
       a (action, status, reason, trace_id, span_id, copy_of_trace_id, copy_of_span_id)
  join pigou.call c on c.tenant_id = %(tenant_id)s and c.trace_id = a.trace_id and c.span_id = a.span_id
 where a.action <> 'reverse' or c.entry_id is not null

-- name: inherit
-- Agent and task class that calls take from ancestors which arrived later; and whose copy a duplicate now is, and why.
update pigou.call c
   set agent = v.agent, task_class = v.task_class,
       reason = case when c.status = 'duplicate' then v.reason else c.reason end,
       copy_of_trace_id = case when c.status = 'duplicate' then v.copy_of_trace_id end,
       copy_of_span_id = case when c.status = 'duplicate' then v.copy_of_span_id end
  from unnest(%(trace_ids)s::bytea[], %(span_ids)s::bytea[], %(agents)s::text[], %(task_classes)s::text[],
              %(reasons)s::text[], %(copy_trace_ids)s::bytea[], %(copy_span_ids)s::bytea[])
       v (trace_id, span_id, agent, task_class, reason, copy_of_trace_id, copy_of_span_id)
 where c.tenant_id = %(tenant_id)s and c.trace_id = v.trace_id and c.span_id = v.span_id

-- name: post_tenant
-- The posting statement: entries, transfers, balances and calls of one tenant from what is staged. Pricing is the join with `rate`.
-- The stage has no statistics; the `case` keeps the planner from taking one tenant's share of it for a handful of rows.
with staged as materialized (
    select s.*, t.tenant,
           greatest((s.started_at at time zone 'UTC')::date, t.closed_through + 1) as posted_on,
           case s.action when 'reverse' then pigou.entry_id(t.tenant, s.trace_id, s.span_id, 'reversal', s.revision - 1, s.started_at)
                         when 'book' then pigou.entry_id(t.tenant, s.trace_id, s.span_id, 'call', s.revision, s.started_at) end as new_entry_id
      from stage_call s cross join pigou.tenant t
     where case when s.tenant_id = %(tenant_id)s then true end and t.tenant_id = %(tenant_id)s
),
leaf as materialized (
    select s.*, l.commodity, l.quantity
      from staged s
     cross join lateral (
           select key, value::numeric from jsonb_each_text(s.leaves)
            union all
           select 'requests', 1 where not s.leaves ? 'requests') l (commodity, quantity)
     where s.action = 'book' and s.status = 'booked' and l.quantity > 0
),
used as materialized (
    select l.new_entry_id, l.started_at, l.posted_on, l.expense_account_id, l.payable_account_id,
           c.commodity_id, l.commodity, l.quantity, r.rate_id, r.rate_usd,
           bool_and(r.rate_usd is not null) over (partition by l.new_entry_id) as priced
      from leaf l
      join pigou.commodity c on c.commodity = l.commodity
      left join lateral pigou.rate_of(l.tenant_id, l.provider, l.model, l.rate_provider, l.rate_model, c.commodity_id,
                                      l.service_tier, l.total_input_tokens, l.started_at, 'infinity') r on true
     where r.rate_id is not null or l.commodity <> 'requests' or l.leaves ? 'requests'
),
judged as (
    select new_entry_id, bool_and(priced) as priced, sum(round(quantity * rate_usd, 12)) as cost_usd,
           'no rate for ' || string_agg(commodity, ', ' order by commodity_id) filter (where rate_usd is null) as missing
      from used group by new_entry_id
),
line as (
    select u.new_entry_id as entry_id, u.commodity_id as line, u.started_at, u.posted_on, 'cash' as book, u.commodity_id,
           case when u.priced then u.expense_account_id else %(unpriced_account_id)s end as debit_account_id,
           u.payable_account_id as credit_account_id,
           u.quantity, u.rate_id, u.rate_usd, round(u.quantity * u.rate_usd, 12) as amount_usd
      from used u
    union all
    select s.new_entry_id, c.commodity_id, s.started_at, s.posted_on, 'cash', c.commodity_id,
           %(unreadable_account_id)s, s.payable_account_id, 1, null, null, null
      from staged s join pigou.commodity c on c.commodity = 'requests'
     where s.action = 'book' and s.status = 'suspense'
    union all
    select s.new_entry_id, x.line, s.started_at, s.posted_on, x.book, x.commodity_id, x.credit_account_id, x.debit_account_id,
           x.quantity, x.rate_id, x.rate_usd, x.amount_usd
      from staged s
      join pigou.transfer x on x.tenant_id = s.tenant_id and x.entry_id = s.reverses and x.occurred_at = s.started_at
     where s.action = 'reverse'
),
entries as (
    insert into pigou.entry (tenant_id, entry_id, kind, source, occurred_at, posted_on, trace_id, span_id, reverses, reason)
    select s.tenant_id, s.new_entry_id,
           case when s.action = 'reverse' then 'reversal' when s.revision = 0 then 'call' else 'adjustment' end,
           s.dialect, s.started_at, s.posted_on, s.trace_id, s.span_id, s.reverses,
           case when s.action = 'reverse' or s.revision > 0 then coalesce(s.entry_reason, 'booked again') end
      from staged s where s.new_entry_id is not null
),
transfers as (
    insert into pigou.transfer (tenant_id, entry_id, line, occurred_at, posted_on, book, commodity_id,
                                debit_account_id, credit_account_id, quantity, rate_id, rate_usd, amount_usd)
    select %(tenant_id)s, entry_id, line, started_at, posted_on, book, commodity_id,
           debit_account_id, credit_account_id, quantity, rate_id, rate_usd, amount_usd
      from line
    returning posted_on, book, commodity_id, debit_account_id, credit_account_id, quantity, amount_usd
),
balances as (
    insert into pigou.balance as b (tenant_id, account_id, book, commodity_id, day, slot,
                                    debit_quantity, credit_quantity, debit_usd, credit_usd, unpriced_quantity)
    select %(tenant_id)s, leg.account_id, x.book, x.commodity_id, x.posted_on, %(slot)s,
           coalesce(sum(x.quantity) filter (where leg.sign > 0), 0), coalesce(sum(x.quantity) filter (where leg.sign < 0), 0),
           coalesce(sum(x.amount_usd) filter (where leg.sign > 0), 0), coalesce(sum(x.amount_usd) filter (where leg.sign < 0), 0),
           coalesce(sum(leg.sign * x.quantity) filter (where x.amount_usd is null), 0)
      from transfers x
     cross join lateral (values (1, x.debit_account_id), (-1, x.credit_account_id)) leg (sign, account_id)
     group by leg.account_id, x.book, x.commodity_id, x.posted_on
     order by leg.account_id, x.book, x.commodity_id, x.posted_on
    on conflict (tenant_id, account_id, book, commodity_id, day, slot) do update
       set debit_quantity = b.debit_quantity + excluded.debit_quantity,
           credit_quantity = b.credit_quantity + excluded.credit_quantity,
           debit_usd = b.debit_usd + excluded.debit_usd,
           credit_usd = b.credit_usd + excluded.credit_usd,
           unpriced_quantity = b.unpriced_quantity + excluded.unpriced_quantity
),
final as (
    select distinct on (s.trace_id, s.span_id) s.*, j.priced, j.cost_usd as priced_cost_usd, j.missing
      from staged s left join judged j using (new_entry_id)
     order by s.trace_id, s.span_id, (s.action = 'book') desc
),
calls as (
    insert into pigou.call as c (
           tenant_id, trace_id, span_id, started_at, ended_at, status, reason, problem, dialect, confidence, operation, provider, model,
           rate_provider, rate_model, service_tier, layer, layer_source, use, use_source, agent, task_class, conversation_id, user_id,
           service, leaves, total_input_tokens, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
           cost_usd, claimed_cost_usd, response_id, keys, strength, copy_of_trace_id, copy_of_span_id, entry_id,
           expense_account_id, payable_account_id, revision)
    select tenant_id, trace_id, span_id, started_at, ended_at,
           case when action = 'book' and status = 'booked' and not coalesce(priced, true) then 'unpriced' else status end,
           case when action = 'book' and status = 'booked' then missing else reason end, problem,
           dialect, confidence, operation, provider, model,
           rate_provider, rate_model, service_tier, layer, layer_source, use, use_source, agent, task_class, conversation_id, user_id,
           service, leaves, total_input_tokens, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
           case when action = 'book' and status = 'booked' and coalesce(priced, true) then coalesce(priced_cost_usd, 0) end,
           claimed_cost_usd, response_id, keys, strength, copy_of_trace_id, copy_of_span_id,
           case when action = 'book' then new_entry_id end,
           expense_account_id, payable_account_id, revision + case when action = 'book' then 1 else 0 end
      from final
    on conflict (tenant_id, trace_id, span_id, started_at) do update
       set status = excluded.status, reason = excluded.reason, cost_usd = excluded.cost_usd, entry_id = excluded.entry_id,
           agent = excluded.agent, task_class = excluded.task_class,
           copy_of_trace_id = excluded.copy_of_trace_id, copy_of_span_id = excluded.copy_of_span_id, revision = excluded.revision
    returning c.status
)
select status, count(*) from calls group by status

-- name: post_sums
-- What the new transfers of one tenant add to its balances, and the collector's own health by minute and writer.
with balances as (
    insert into pigou.balance as b (tenant_id, account_id, book, commodity_id, day, slot,
                                    debit_quantity, credit_quantity, debit_usd, credit_usd, unpriced_quantity)
    select %(tenant_id)s, account_id, 'cash', commodity_id, day, %(slot)s, debit_quantity, credit_quantity, debit_usd, credit_usd,
           unpriced_quantity
      from unnest(%(account_ids)s::integer[], %(commodity_ids)s::smallint[], %(days)s::date[], %(debit_quantities)s::numeric[],
                  %(credit_quantities)s::numeric[], %(debit_usd)s::numeric[], %(credit_usd)s::numeric[],
                  %(unpriced_quantities)s::numeric[])
           a (account_id, commodity_id, day, debit_quantity, credit_quantity, debit_usd, credit_usd, unpriced_quantity)
    on conflict (tenant_id, account_id, book, commodity_id, day, slot) do update
       set debit_quantity = b.debit_quantity + excluded.debit_quantity,
           credit_quantity = b.credit_quantity + excluded.credit_quantity,
           debit_usd = b.debit_usd + excluded.debit_usd,
           credit_usd = b.credit_usd + excluded.credit_usd,
           unpriced_quantity = b.unpriced_quantity + excluded.unpriced_quantity
)
insert into pigou.ingest_minute as i (tenant_id, minute, signal, slot, requests, records, duplicates, rejected, conflicts, bytes)
values (%(tenant_id)s, date_trunc('minute', now()), %(signal)s, %(slot)s, %(requests)s, %(records)s, %(duplicates)s, %(rejected)s, %(conflicts)s, %(bytes)s)
on conflict (tenant_id, minute, signal, slot) do update
   set requests = i.requests + excluded.requests, records = i.records + excluded.records,
       duplicates = i.duplicates + excluded.duplicates, rejected = i.rejected + excluded.rejected,
       conflicts = i.conflicts + excluded.conflicts, bytes = i.bytes + excluded.bytes

-- name: keep_conflict
-- The same key with other content: kept beside what was booked.
insert into pigou.conflict (tenant_id, trace_id, span_id, content_hash, record)
values (%(tenant_id)s, %(trace_id)s, %(span_id)s, %(content_hash)s, %(record)s) on conflict do nothing

-- name: keep_rejection
-- A record that could not be booked, and why.
insert into pigou.rejection (tenant_id, rejection_id, signal, stage, code, detail)
values (%(tenant_id)s, gen_random_uuid(), %(signal)s, %(stage)s, %(code)s, %(detail)s)

-- name: keep_resource
-- Resource attributes once, however many records share them.
insert into pigou.resource (tenant_id, resource_id, attributes)
values (%(tenant_id)s, %(resource_id)s, %(attributes)s) on conflict do nothing

-- name: keep_point
-- A metric data point, as it came.
insert into pigou.metric_point (tenant_id, name, at, series_id, unit, kind, value, detail, attributes, resource_id)
values (%(tenant_id)s, %(name)s, %(at)s, %(series_id)s, %(unit)s, %(kind)s, %(value)s, %(detail_json)s, %(attributes_json)s, %(resource_id)s)
on conflict do nothing
