-- name: statement
-- An account and what stands below it: opening balance, postings with the running balance, closing balance.
with posted as materialized (
    select posted_on, occurred_at, kind, account, commodity, quantity, amount_usd, entry_id, line, trace_id
      from ledger.postings
     where tenant = %(tenant)s and book = %(book)s
       and (account = %(account)s or starts_with(account, %(account)s || ':'))
       and posted_on <= %(until)s and recorded_at <= %(known_at)s
), opening as (
    select coalesce(sum(amount_usd), 0) as amount_usd from posted where posted_on < %(since)s
), lines as (
    select p.*,
           o.amount_usd + coalesce(sum(p.amount_usd) over (order by p.posted_on, p.occurred_at, p.entry_id, p.line, p.account), 0)
               as balance_usd
      from posted p cross join opening o
     where p.posted_on >= %(since)s
)
select posted_on, occurred_at, kind, account, commodity, quantity, amount_usd, balance_usd, entry_id, trace_id
  from (select 0 as part, nullif(%(since)s, '-infinity'::date) as posted_on, null::timestamptz as occurred_at,
               'opening balance' as kind, null as account, null as commodity, null::numeric as quantity,
               null::numeric as amount_usd, amount_usd as balance_usd, null::uuid as entry_id, null::smallint as line,
               null as trace_id
          from opening
        union all
        select 1, posted_on, occurred_at, kind, account, commodity, quantity, amount_usd, balance_usd, entry_id, line, trace_id
          from lines
        union all
        select 2, nullif(%(until)s, 'infinity'::date), null, 'closing balance', null, null, null,
               null, o.amount_usd + coalesce((select sum(amount_usd) from lines), 0), null, null, null
          from opening o) s
 order by part, s.posted_on, s.occurred_at, s.entry_id, s.line, s.account;

-- name: statement_by_day
-- The same with one line per day and commodity.
with posted as materialized (
    select posted_on, commodity, sum(quantity) as quantity, sum(amount_usd) as amount_usd, count(*) as postings
      from ledger.postings
     where tenant = %(tenant)s and book = %(book)s
       and (account = %(account)s or starts_with(account, %(account)s || ':'))
       and posted_on <= %(until)s and recorded_at <= %(known_at)s
     group by posted_on, commodity
), opening as (
    select coalesce(sum(amount_usd), 0) as amount_usd from posted where posted_on < %(since)s
), lines as (
    select p.*, o.amount_usd + coalesce(sum(p.amount_usd) over (order by p.posted_on, p.commodity), 0) as balance_usd
      from posted p cross join opening o
     where p.posted_on >= %(since)s
)
select posted_on, kind, commodity, postings, quantity, amount_usd, balance_usd
  from (select 0 as part, nullif(%(since)s, '-infinity'::date) as posted_on, 'opening balance' as kind, null as commodity,
               null::bigint as postings, null::numeric as quantity, null::numeric as amount_usd, amount_usd as balance_usd
          from opening
        union all
        select 1, posted_on, 'postings', commodity, postings, quantity, amount_usd, balance_usd from lines
        union all
        select 2, nullif(%(until)s, 'infinity'::date), 'closing balance', null, null, null, null,
               o.amount_usd + coalesce((select sum(amount_usd) from lines), 0)
          from opening o) s
 order by part, s.posted_on, s.commodity;

-- name: accounts_matching
-- Whose books have the account, or accounts below it.
select distinct tenant from ledger.accounts
 where (%(tenant)s::text is null or tenant = %(tenant)s)
   and (account = %(account)s or starts_with(account, %(account)s || ':'))
 order by tenant;

-- name: account_names
-- Every account and every level above one.
select distinct array_to_string((string_to_array(a.account, ':'))[1:n], ':') as account
  from ledger.accounts a
  cross join generate_series(1, array_length(string_to_array(a.account, ':'), 1)) n
 where %(tenant)s::text is null or a.tenant = %(tenant)s
 order by account;

-- name: trial_balance
-- Each account's balance on its side, and the totals, which must be equal per tenant and book.
select tenant, book, coalesce(account, 'total') as account, debit_usd, credit_usd, unpriced_quantity
  from (select tenant, book, account,
               sum(greatest(amount_usd, 0)) as debit_usd, sum(greatest(-amount_usd, 0)) as credit_usd,
               sum(abs(unpriced_quantity)) as unpriced_quantity
          from (select tenant, book, account, sum(amount_usd) as amount_usd, sum(unpriced_quantity) as unpriced_quantity
                  from ledger.balances
                 where (%(tenant)s::text is null or tenant = %(tenant)s) and day <= %(as_of)s
                 group by tenant, book, account) each_account
         group by grouping sets ((tenant, book, account), (tenant, book))) both_sides
 order by tenant, book, both_sides.account is null, both_sides.account;

-- name: trial_balance_known_at
-- The same from the postings recorded by a moment: what the books said then.
select tenant, book, coalesce(account, 'total') as account, debit_usd, credit_usd, unpriced_quantity
  from (select tenant, book, account,
               sum(greatest(amount_usd, 0)) as debit_usd, sum(greatest(-amount_usd, 0)) as credit_usd,
               sum(abs(unpriced_quantity)) as unpriced_quantity
          from (select tenant, book, account, coalesce(sum(amount_usd), 0) as amount_usd,
                       coalesce(sum(quantity) filter (where amount_usd is null), 0) as unpriced_quantity
                  from ledger.postings
                 where (%(tenant)s::text is null or tenant = %(tenant)s)
                   and posted_on <= %(as_of)s and recorded_at <= %(known_at)s
                 group by tenant, book, account) each_account
         group by grouping sets ((tenant, book, account), (tenant, book))) both_sides
 order by tenant, book, both_sides.account is null, both_sides.account;

-- name: unbalanced
-- Tenants, books and commodities whose trial balance is not zero; an empty answer is the invariant.
select tenant, book, commodity, quantity, amount_usd from ledger.trial_balance
 where (%(tenant)s::text is null or tenant = %(tenant)s) and (quantity <> 0 or amount_usd <> 0);

-- name: chart
-- Accounts with what stands on them.
select a.tenant, a.account, a.kind, coalesce(sum(b.amount_usd), 0) as balance_usd,
       coalesce(sum(b.unpriced_quantity), 0) as unpriced_quantity, a.opened_at
  from ledger.accounts a left join ledger.balances b using (tenant, account)
 where %(tenant)s::text is null or a.tenant = %(tenant)s
 group by a.tenant, a.account, a.kind, a.opened_at
 order by a.tenant, a.account;

-- name: assets
-- What was paid for and is used later, by item: what was capitalised, depreciated and written off in the days, and what is left at their end.
select tenant, kind, item, coalesce(sum(capitalised_usd) filter (where day >= %(since)s), 0) as capitalised_usd,
       coalesce(sum(depreciated_usd) filter (where day >= %(since)s), 0) as depreciated_usd,
       coalesce(sum(written_off_usd) filter (where day >= %(since)s), 0) as written_off_usd,
       sum(capitalised_usd - depreciated_usd - written_off_usd) as carrying_usd
  from ledger.assets_daily
 where (%(tenant)s::text is null or tenant = %(tenant)s) and day <= %(until)s
 group by tenant, kind, item
 order by tenant, kind, item;
