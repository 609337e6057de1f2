-- name: clone_calls
-- The calls of one tenant once more, as if they had come %(back)s earlier, with records, entries, transfers and balances: what a
-- collector would have written, but for the records' attributes.
with taken as materialized (
    select c.*, t.tenant, sha256(c.trace_id || int4send(%(copy)s)) as hash, c.started_at - %(back)s::interval as at
      from pigou.call c join pigou.tenant t using (tenant_id)
     where c.tenant_id = %(tenant_id)s and c.started_at >= %(since)s and c.status = 'booked'
),
made as materialized (
    select taken.*, substring(hash from 1 for 16) as new_trace_id, (at at time zone 'UTC')::date as posted_on,
           pigou.entry_id(tenant, substring(hash from 1 for 16), span_id, 'call', 0, at) as new_entry_id
      from taken
),
records as (
    insert into pigou.record (tenant_id, trace_id, span_id, started_at, ended_at, signal, role, name, kind, status_code, service,
                              scope_name, resource_id, attributes, content_hash)
    select m.tenant_id, m.new_trace_id, m.span_id, m.at, m.ended_at - %(back)s::interval, 'span', 'call', 'chat', 3, 0, m.service,
           'pigou.bench', r.resource_id, '{}', substring(m.hash from 17 for 16)
      from made m cross join (select resource_id from pigou.resource where tenant_id = %(tenant_id)s limit 1) r
),
calls as (
    insert into pigou.call (
           tenant_id, trace_id, span_id, started_at, ended_at, status, reason, problem, dialect, confidence, operation, provider, model,
           rate_provider, rate_model, service_tier, layer, layer_source, use, use_source, agent, task_class, conversation_id, user_id,
           service, leaves, total_input_tokens, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
           cost_usd, claimed_cost_usd, response_id, keys, strength, entry_id, expense_account_id, payable_account_id, revision)
    select tenant_id, new_trace_id, span_id, at, ended_at - %(back)s::interval, status, reason, problem, dialect, confidence, operation,
           provider, model, rate_provider, rate_model, service_tier, layer, layer_source, use, use_source, agent, task_class,
           conversation_id, user_id, service, leaves, total_input_tokens, input_tokens, cache_read_tokens, cache_write_tokens,
           output_tokens, reasoning_tokens, cost_usd, claimed_cost_usd, encode(hash, 'hex'), array['response:' || encode(hash, 'hex')],
           strength, new_entry_id, expense_account_id, payable_account_id, revision
      from made
),
keys as (
    insert into pigou.call_key (tenant_id, key, trace_id, span_id, started_at)
    select tenant_id, 'response:' || encode(hash, 'hex'), new_trace_id, span_id, at from made
),
entries as (
    insert into pigou.entry (tenant_id, entry_id, kind, source, occurred_at, posted_on, trace_id, span_id)
    select tenant_id, new_entry_id, 'call', dialect, at, posted_on, new_trace_id, span_id from made
),
transfers as (
    insert into pigou.transfer (tenant_id, entry_id, line, occurred_at, posted_on, book, commodity_id, debit_account_id,
                                credit_account_id, quantity, rate_id, rate_usd, amount_usd)
    select x.tenant_id, m.new_entry_id, x.line, m.at, m.posted_on, x.book, x.commodity_id, x.debit_account_id, x.credit_account_id,
           x.quantity, x.rate_id, x.rate_usd, x.amount_usd
      from made m
      join pigou.transfer x on x.tenant_id = m.tenant_id and x.entry_id = m.entry_id and x.occurred_at = m.started_at
    returning posted_on, book, commodity_id, debit_account_id, credit_account_id, quantity, amount_usd
)
insert into pigou.balance as b (tenant_id, account_id, book, commodity_id, day, slot, debit_quantity, credit_quantity, debit_usd,
                                credit_usd)
select %(tenant_id)s, leg.account_id, x.book, x.commodity_id, x.posted_on, 0,
       coalesce(sum(x.quantity) filter (where leg.sign > 0), 0), coalesce(sum(x.quantity) filter (where leg.sign < 0), 0),
       coalesce(sum(x.amount_usd) filter (where leg.sign > 0), 0), coalesce(sum(x.amount_usd) filter (where leg.sign < 0), 0)
  from transfers x
 cross join lateral (values (1, x.debit_account_id), (-1, x.credit_account_id)) leg (sign, account_id)
 group by leg.account_id, x.book, x.commodity_id, x.posted_on
on conflict (tenant_id, account_id, book, commodity_id, day, slot) do update
   set debit_quantity = b.debit_quantity + excluded.debit_quantity, credit_quantity = b.credit_quantity + excluded.credit_quantity,
       debit_usd = b.debit_usd + excluded.debit_usd, credit_usd = b.credit_usd + excluded.credit_usd
