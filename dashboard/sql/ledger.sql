-- name: trial_balance
-- Debits minus credits of every book and commodity; anything but zero means the books are wrong.
select tenant, book, commodity, debit_quantity, credit_quantity, quantity, debit_usd, credit_usd, amount_usd
  from ledger.trial_balance
 where {filters - tenant}
 order by abs(coalesce(amount_usd, 0)) + abs(coalesce(quantity, 0)) desc, tenant, book <> 'cash', book, commodity;

-- name: account_balances
-- What stood on each account before the days shown, what moved on them, and what stands at their end; a debit is positive.
select tenant, book, account,
       coalesce(sum(amount_usd) filter (where day < {first day}), 0) as opening_usd,
       coalesce(sum(amount_usd) filter (where day >= {first day}), 0) as moved_usd,
       coalesce(sum(amount_usd), 0) as closing_usd,
       coalesce(sum(unpriced_quantity), 0) as unpriced_quantity
  from ledger.balances
 where day < {end day} and {filters - tenant}
 group by tenant, book, account
 order by book <> 'cash', book, account, tenant
 limit {limit};

-- name: statement_total
-- What stood on the account and those below it before the days shown, what moved, and what stands at their end.
select coalesce(sum(amount_usd) filter (where day < {first day}), 0) as opening_usd,
       coalesce(sum(amount_usd) filter (where day >= {first day}), 0) as moved_usd,
       coalesce(sum(amount_usd), 0) as closing_usd,
       coalesce(sum(unpriced_quantity), 0) as unpriced_quantity,
       count(distinct account) as accounts
  from ledger.balances
 where {account} and book = {book} and day < {end day} and {filters - tenant};

-- name: statement_days
-- What moved each day, and what stood on the account and those below it at the day's end.
select day, moved_usd, moves,
       sum(moved_usd) over (order by day)
         + (select coalesce(sum(amount_usd), 0) from ledger.balances
             where {account} and book = {book} and day < {first day} and {filters - tenant}) as balance_usd
  from (select day, coalesce(sum(amount_usd), 0) as moved_usd, count(*) as moves
          from ledger.balances
         where {account} and book = {book} and day >= {first day} and day < {end day} and {filters - tenant}
         group by day) as days
 order by day
 limit {limit};

-- name: statement_commodities
-- What moved, by account and commodity.
select {book} as book, account, commodity, sum(quantity) as quantity, coalesce(sum(amount_usd), 0) as amount_usd,
       sum(unpriced_quantity) as unpriced_quantity
  from ledger.balances
 where {account} and book = {book} and day >= {first day} and day < {end day} and {filters - tenant}
 group by account, commodity
 order by abs(coalesce(sum(amount_usd), 0)) desc, account, commodity
 limit {limit};

-- name: statement_entries
-- Single postings on the account and those below it, of what occurred in the time shown, the latest first.
select occurred_at, kind, account, commodity, quantity, rate_usd, amount_usd, posted_on, tenant, entry_id, trace_id
  from ledger.account_postings({whole account}, {book}, {bounds}, {day or null}, {asked tenant}, {limit or many})
 order by entry_id desc, commodity, account, quantity, tenant
 limit {limit};

-- name: entry
-- One entry, and those of the same moment and span that reverse it or take its place.
select o.tenant, o.entry_id, o.kind, o.source, o.occurred_at, o.recorded_at, o.posted_on, o.trace_id, o.span_id, o.reverses, o.reason
  from ledger.entries as one
  join ledger.entries as o
    on o.tenant = one.tenant and o.occurred_at = one.occurred_at
   and (o.entry_id = one.entry_id or (o.trace_id = one.trace_id and o.span_id is not distinct from one.span_id))
   and o.entry_id between (substr({entry}, 1, 13) || '-0000-0000-000000000000')::uuid
                      and (substr({entry}, 1, 13) || '-ffff-ffff-ffffffffffff')::uuid
 where one.entry_id = {entry}::uuid and {filters - one.tenant}
 order by o.recorded_at, o.entry_id
 limit {limit};

-- name: entry_transfers
-- The transfers of one entry: what moved from which account to which, at which rate.
select d.line, d.book, d.commodity, d.quantity, d.rate_usd, d.amount_usd, d.account as debit, c.account as credit, r.source as rate_source,
       d.rate_id
  from ledger.postings d
  join ledger.postings c on c.tenant = d.tenant and c.entry_id = d.entry_id and c.line = d.line and c.quantity = -d.quantity
  left join ledger.rates r on r.rate_id = d.rate_id
 where d.entry_id = {entry}::uuid and c.entry_id = {entry}::uuid and d.quantity > 0 and {filters - d.tenant}
 order by d.line
 limit {limit};

-- name: claims_total
-- What senders say that calls cost and what the books charge for them, by whom it is said and by model.
select dialect, provider, model, sum(calls) as calls, sum(differing_calls) as differing_calls, sum(claimed_usd) as claimed_usd,
       sum(cost_usd) as cost_usd, sum(difference_usd) as difference_usd
  from ledger.claims_daily
 where {filters day tenant}
 group by dialect, provider, model
 order by abs(sum(difference_usd)) desc, dialect, provider, model
 limit {limit};

-- name: claims
-- Calls whose sender states another cost than the books, the largest difference first.
select started_at, tenant, provider, model, dialect, claimed_cost_usd, cost_usd, claimed_cost_usd - cost_usd as difference_usd,
       trace_id, span_id
  from ledger.calls
 where claimed_cost_usd is not null and status = 'booked' and claimed_cost_usd <> cost_usd
   and {filters started_at tenant model}
 order by abs(claimed_cost_usd - cost_usd) desc, started_at, trace_id, span_id
 limit {limit};

-- name: suspense
-- Calls that wait for a price or for readable counts, with what mends each; of all time, until mended.
select account, reason, tenant, provider, model, service_tier, calls, tokens, first_at, last_at, mend
  from ledger.suspense
 where {filters - tenant model}
 order by tokens desc nulls last, calls desc, tenant, account, provider, model
 limit {limit};

-- name: control_totals_by_status
-- How many parents that state a total agree with what was booked below them.
select status, sum(parents) as parents
  from ledger.control_totals_hourly
 where {filters hour tenant}
 group by status
 order by status;

-- name: control_total_differences
-- Parents whose stated total is not what was booked below them.
select started_at, tenant, name, dialect,
       input_tokens, booked_input_tokens, output_tokens, booked_output_tokens, cost_usd, booked_cost_usd, trace_id, span_id
  from ledger.control_totals
 where status in ('differs', 'cost differs') and {filters started_at tenant}
 order by started_at desc, trace_id, span_id
 limit {limit};

-- name: coverage
-- How layer and use came to be known: stated by the sender, inferred from names, or not at all. Of all time.
select dimension, source, sum(calls) as calls, sum(tokens) as tokens, sum(cost_usd) as cost_usd
  from ledger.coverage
 where {filters - tenant}
 group by dimension, source
 order by dimension, source;

-- name: priceable
-- What a price can be given to: what waits for one, with what is missing, and what is spent on, with what it uses.
select true as is_waiting, tenant, coalesce(provider, 'unknown') as provider, coalesce(model, 'unknown') as model, service_tier,
       sum(calls) as calls, string_agg(distinct substring(reason from '^no rate for (.*)$'), ', ') as commodities
  from ledger.suspense
 where account = 'suspense:unpriced' and {filters - tenant}
 group by tenant, 3, 4, service_tier
union all
select false, tenant, split_part(account, ':', 4), split_part(account, ':', 5), 'standard', null,
       string_agg(distinct commodity, ', ')
  from ledger.account_commodities
 where kind = 'expense' and book = 'cash' and split_part(account, ':', 5) <> '' and {filters - tenant}
 group by tenant, 3, 4
 order by 1 desc, 6 desc nulls last, 2, 3, 4
 limit {limit};

-- name: rates
-- The price book of the models that are spent on, or of those by a name, with its history: what holds, held and will hold.
select provider, model, commodity, service_tier, context_above, price_usd, per, valid_from, valid_until, tenant, basis, source,
       revision, recorded_at, rate_id,
       (valid_from is null or valid_from <= now()) and (valid_until is null or valid_until > now()) as holds
  from ledger.rates
 where {named model}
   and (tenant is null or {filters - tenant})
 order by provider, model, service_tier, commodity, context_above, valid_from nulls first, revision, tenant nulls first, rate_id
 limit {limit};
