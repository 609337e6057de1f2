-- name: trial_balance
-- Debits minus credits of every book and commodity; anything but zero means the books are wrong.
select tenant, book, commodity, quantity, amount_usd
  from ledger.trial_balance
 where {filters - tenant}
 order by abs(coalesce(amount_usd, 0)) + abs(coalesce(quantity, 0)) desc, tenant, book, commodity;

-- name: account_balances
-- What each account took in less what it gave, in its days inside the window.
select tenant, book, account, commodity,
       sum(quantity) as quantity,
       sum(amount_usd) as amount_usd,
       sum(unpriced_quantity) as unpriced_quantity
  from ledger.balances
 where {filters day tenant}
 group by tenant, book, account, commodity
 order by tenant, book, account, commodity
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
 where status = 'differs' and {filters started_at tenant}
 order by started_at desc, trace_id, span_id
 limit {limit};

-- name: coverage
-- How layer and use came to be known: stated by the sender, inferred from names, or not at all. Of all time.
select dimension, source, sum(calls) as calls, sum(tokens) as tokens, sum(cost_usd) as cost_usd
  from ledger.coverage
 where {filters - tenant}
 group by dimension, source
 order by dimension, source;
