-- name: bill
-- What was spent with each provider on each model in the days shown and in those before, and the difference as effects that sum to it:
-- price (this time's quantities at the change of what a unit cost), volume (the former bill times the growth of all quantities of a
-- unit), mix (the rest: what moved between models and kinds of tokens, with what is new and what is gone).
with line as (
    select tenant, split_part(account, ':', 4) as provider, split_part(account, ':', 5) as model, commodity,
           coalesce(sum(quantity) filter (where {this days}), 0) as quantity,
           coalesce(sum(amount_usd) filter (where {this days}), 0) as amount_usd,
           coalesce(sum(quantity) filter (where {former days}), 0) as former_quantity,
           coalesce(sum(amount_usd) filter (where {former days}), 0) as former_usd
      from ledger.balances
     where book = 'cash' and kind = 'expense' and ({this days} or {former days}) and {filters - tenant}
     group by 1, 2, 3, 4
),
part as (
    select provider, model, commodity, unit, sum(quantity) as quantity, sum(amount_usd) as amount_usd,
           sum(former_quantity) as former_quantity, sum(former_usd) as former_usd
      from line join ledger.commodities using (commodity)
     group by 1, 2, 3, 4
),
grown as (
    select part.*, sum(quantity) over (partition by unit) as whole, sum(former_quantity) over (partition by unit) as former_whole
      from part
),
told as (
    select grown.*,
           case when former_quantity > 0 and quantity > 0
                then amount_usd - round(quantity * former_usd / former_quantity, 12) else 0 end as price_usd,
           case when former_whole > 0 then round(former_usd * (whole / former_whole - 1), 12) else 0 end as volume_usd
      from grown
)
select provider, model, commodity, quantity, amount_usd, former_quantity, former_usd, amount_usd - former_usd as change_usd,
       price_usd, volume_usd, amount_usd - former_usd - price_usd - volume_usd as mix_usd,
       amount_usd / nullif(quantity, 0) as unit_usd, former_usd / nullif(former_quantity, 0) as former_unit_usd
  from told
 where quantity <> 0 or amount_usd <> 0 or former_quantity <> 0 or former_usd <> 0
 order by abs(amount_usd - former_usd) desc, provider, model, commodity
 limit {limit};

-- name: bill_owed
-- What the same days added to what is owed to each provider: the other legs of the same transfers.
select account, -coalesce(sum(amount_usd), 0) as owed_usd
  from ledger.balances
 where book = 'cash' and account like 'liabilities:payable:%' and {this days} and {filters - tenant}
 group by account
 order by owed_usd desc, account;

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
