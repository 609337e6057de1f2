-- name: bill
-- What was spent with each provider on each model in the days shown and in those before, and the difference as effects that sum to it,
-- within each tenant: price (this time's quantities at the change of what a unit cost), volume (the former bill times the growth of all
-- quantities of a unit), mix (the rest: what moved between models and kinds of tokens, with what is new and what is gone).
select provider, model, commodity, sum(quantity) as quantity, sum(amount_usd) as amount_usd, sum(former_quantity) as former_quantity,
       sum(former_usd) as former_usd, sum(change_usd) as change_usd, sum(price_usd) as price_usd, sum(volume_usd) as volume_usd,
       sum(mix_usd) as mix_usd, sum(amount_usd) / nullif(sum(quantity), 0) as unit_usd,
       sum(former_usd) / nullif(sum(former_quantity), 0) as former_unit_usd
  from ledger.bill({first day}, {end day}, {former first day}, {former end day})
 where {filters - tenant}
 group by provider, model, commodity
 order by abs(sum(change_usd)) desc, provider, model, commodity
 limit {limit};

-- name: bill_owed
-- What the same days added to what is owed to each provider: the other legs of the same transfers.
select account, -coalesce(sum(amount_usd), 0) as owed_usd
  from ledger.balances
 where book = 'cash' and account like 'liabilities:payable:%' and {this days} and {filters - tenant}
 group by account
 order by owed_usd desc, account;

-- name: bill_standing
-- Since when the books know anything, which calls of the days shown are in no sum, and for how many tenants these days are closed.
select (select min(first_hour) from ledger.extent where {filters - tenant}) as first_hour, s.unpriced_calls, s.suspense_calls, p.tenants,
       p.closed
  from (select coalesce(sum(unpriced_calls), 0)::bigint as unpriced_calls, coalesce(sum(suspense_calls), 0)::bigint as suspense_calls
          from ledger.spend_daily where {this days} and {filters - tenant}) s,
       (select count(*) as tenants, count(*) filter (where closed_through >= {end day} - 1) as closed
          from ledger.periods where {filters - tenant}) p;

-- name: bill_carried
-- What closed days set apart, of the days shown and of those before: what their calls cost by now, and what is posted to them, which is that
-- with what is brought from earlier days less what is carried to later ones.
select c.days, coalesce(sum(c.cost_usd), 0) as cost_usd, coalesce(sum(c.posted_usd), 0) as posted_usd,
       coalesce(sum(c.brought_usd), 0) as brought_usd, coalesce(sum(c.carried_usd), 0) as carried_usd
  from (select 'these days' as days, * from ledger.carried({first day}, {end day})
        union all
        select 'the days before', * from ledger.carried({former first day}, {former end day})) c
 where {filters - tenant}
 group by c.days
 order by c.days desc;

-- name: bill_months
-- What each month of the books cost, by provider and model.
select date_trunc('month', day)::date as month, split_part(account, ':', 4) as provider, split_part(account, ':', 5) as model,
       sum(amount_usd) as amount_usd
  from ledger.balances
 where book = 'cash' and kind = 'expense' and {filters - tenant}
 group by 1, 2, 3
having sum(amount_usd) <> 0
 order by 1, 4 desc, 2, 3
 limit {limit};
