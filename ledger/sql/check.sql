-- name: trial_balance
-- Commodities whose debits and credits differ, by the balances and by the transfers themselves; an empty answer is the invariant.
select t.tenant || ' ' || b.book || ' ' || c.commodity
  from pigou.balance b join pigou.tenant t using (tenant_id) join pigou.commodity c using (commodity_id)
 group by t.tenant, b.book, c.commodity
having sum(b.debit_quantity) <> sum(b.credit_quantity) or sum(b.debit_usd) <> sum(b.credit_usd) or sum(b.unpriced_quantity) <> 0

-- name: trial_balance_checked
select count(*) from (select distinct tenant_id, book, commodity_id from pigou.balance) x

-- name: balances_are_sums
-- Balances that are not the sum of their transfers.
with leg as (
    select x.tenant_id, l.account_id, x.book, x.commodity_id, x.posted_on as day,
           sum(x.quantity) filter (where l.sign > 0) as dq, sum(x.quantity) filter (where l.sign < 0) as cq,
           sum(x.amount_usd) filter (where l.sign > 0) as du, sum(x.amount_usd) filter (where l.sign < 0) as cu,
           sum(l.sign * x.quantity) filter (where x.amount_usd is null) as uq
      from pigou.transfer x
     cross join lateral (values (1, x.debit_account_id), (-1, x.credit_account_id)) l (sign, account_id)
     group by x.tenant_id, l.account_id, x.book, x.commodity_id, x.posted_on
),
kept as (
    select tenant_id, account_id, book, commodity_id, day, sum(debit_quantity) as dq, sum(credit_quantity) as cq,
           sum(debit_usd) as du, sum(credit_usd) as cu, sum(unpriced_quantity) as uq
      from pigou.balance group by tenant_id, account_id, book, commodity_id, day
)
select format('tenant %s account %s %s commodity %s day %s', tenant_id, account_id, book, commodity_id, day)
  from leg full join kept using (tenant_id, account_id, book, commodity_id, day)
 where coalesce(leg.dq, 0) <> coalesce(kept.dq, 0) or coalesce(leg.cq, 0) <> coalesce(kept.cq, 0)
    or coalesce(leg.du, 0) <> coalesce(kept.du, 0) or coalesce(leg.cu, 0) <> coalesce(kept.cu, 0)
    or coalesce(leg.uq, 0) <> coalesce(kept.uq, 0)

-- name: balances_are_sums_checked
select count(*) from pigou.balance

-- name: one_live_entry
-- Calls whose live entries are not exactly one (none, for duplicates), or not the one the call names.
with live as (
    select e.tenant_id, e.trace_id, e.span_id, e.occurred_at, count(*) as n, (array_agg(e.entry_id))[1] as entry_id
      from pigou.entry e
     where e.kind in ('call', 'adjustment')
       and not exists (select from pigou.entry r
                        where r.tenant_id = e.tenant_id and r.reverses = e.entry_id and r.occurred_at = e.occurred_at)
     group by e.tenant_id, e.trace_id, e.span_id, e.occurred_at
)
select format('tenant %s trace %s span %s: %s with %s live entries', c.tenant_id, encode(c.trace_id, 'hex'), encode(c.span_id, 'hex'),
              c.status, coalesce(l.n, 0))
  from pigou.call c
  left join live l on l.tenant_id = c.tenant_id and l.trace_id = c.trace_id and l.span_id = c.span_id and l.occurred_at = c.started_at
 where coalesce(l.n, 0) <> case c.status when 'duplicate' then 0 else 1 end
    or c.entry_id is distinct from l.entry_id

-- name: one_live_entry_checked
select count(*) from pigou.call

-- name: no_orphans
-- Entries of no call, transfers of no entry or on unopened accounts, commodities or rates, calls of no record. Entries without a
-- span are of whole traces; those are the tasks'.
select format('entry %s of tenant %s belongs to no call', e.entry_id, e.tenant_id)
  from pigou.entry e
 where e.kind in ('call', 'adjustment', 'reversal') and (e.span_id is not null or e.kind <> 'reversal')
   and not exists (select from pigou.call c where c.tenant_id = e.tenant_id and c.trace_id = e.trace_id
                      and c.span_id = e.span_id and c.started_at = e.occurred_at)
union all
select format('transfer %s/%s of tenant %s belongs to no entry', x.entry_id, x.line, x.tenant_id)
  from pigou.transfer x
 where not exists (select from pigou.entry e where e.tenant_id = x.tenant_id and e.entry_id = x.entry_id
                      and e.occurred_at = x.occurred_at and e.posted_on = x.posted_on)
union all
select format('transfer %s/%s of tenant %s is on an account, commodity or rate that does not exist', x.entry_id, x.line, x.tenant_id)
  from pigou.transfer x
 where not exists (select from pigou.account a where a.tenant_id = x.tenant_id and a.account_id = x.debit_account_id)
    or not exists (select from pigou.account a where a.tenant_id = x.tenant_id and a.account_id = x.credit_account_id)
    or not exists (select from pigou.commodity c where c.commodity_id = x.commodity_id)
    or (x.rate_id is not null and not exists (select from pigou.rate r where r.rate_id = x.rate_id))
union all
select format('call %s of trace %s of tenant %s has no record', encode(c.span_id, 'hex'), encode(c.trace_id, 'hex'), c.tenant_id)
  from pigou.call c
 where not exists (select from pigou.record r where r.tenant_id = c.tenant_id and r.trace_id = c.trace_id
                      and r.span_id = c.span_id and r.started_at = c.started_at)
   -- Records go when they began and came before their retention; calls stay.
   and greatest(c.started_at, c.recorded_at) >= (select kept_since from pigou.retention where kind = 'records')

-- name: no_orphans_checked
select (select count(*) from pigou.entry) + (select count(*) from pigou.transfer)

-- name: texts_of_records
-- Text of no record, or of one that does not say so; and records whose text is missing before it may have gone.
select format('text of span %s of trace %s of tenant %s is of no record', encode(x.span_id, 'hex'), encode(x.trace_id, 'hex'), x.tenant_id)
  from pigou.kept_text x
  left join pigou.record r on r.tenant_id = x.tenant_id and r.started_at = x.started_at and r.trace_id = x.trace_id and r.span_id = x.span_id
 where r.attributes is null or not r.attributes ? 'pigou.content_kept'
union all
select format('text of span %s of trace %s of tenant %s is missing', encode(r.span_id, 'hex'), encode(r.trace_id, 'hex'), r.tenant_id)
  from pigou.record r
  left join pigou.kept_text x on x.tenant_id = r.tenant_id and x.started_at = r.started_at and x.trace_id = r.trace_id and x.span_id = r.span_id
 where r.attributes ? 'pigou.content_kept' and x.span_id is null
   and greatest(r.started_at, r.recorded_at) >= (select kept_since from pigou.retention where kind = 'texts')

-- name: texts_of_records_checked
select count(*) from pigou.kept_text

-- name: calls_equal_books
-- Calls whose cost or quantities are not what their live entry moved.
with moved as (
    select c.tenant_id, c.trace_id, c.span_id, c.started_at,
           case when bool_and(x.amount_usd is not null) then sum(x.amount_usd) end as usd,
           coalesce(jsonb_object_agg(m.commodity, x.quantity::numeric) filter (where m.commodity <> 'requests'), '{}') as leaves
      from pigou.call c
      join pigou.transfer x on x.tenant_id = c.tenant_id and x.entry_id = c.entry_id and x.occurred_at = c.started_at
      join pigou.commodity m using (commodity_id)
     group by c.tenant_id, c.trace_id, c.span_id, c.started_at
)
select format('call %s of trace %s of tenant %s: cost %s, books %s', encode(c.span_id, 'hex'), encode(c.trace_id, 'hex'),
              c.tenant_id, c.cost_usd, m.usd)
  from pigou.call c
  join moved m using (tenant_id, trace_id, span_id, started_at)
 where c.status in ('booked', 'unpriced')
   and ((c.status = 'booked' and c.cost_usd is distinct from m.usd)
     or (select coalesce(jsonb_object_agg(k, v::numeric), '{}') from jsonb_each_text(c.leaves) l (k, v)
          where v::numeric > 0 and k <> 'requests') <> m.leaves)

-- name: calls_equal_books_checked
select count(*) from pigou.call where status in ('booked', 'unpriced')

-- name: reversals_mirror
-- Reversals whose lines are not their entry's with debit and credit exchanged.
select format('reversal %s of tenant %s does not mirror %s', e.entry_id, e.tenant_id, e.reverses)
  from pigou.entry e
 where e.kind = 'reversal'
   and exists (
       (select line, book, commodity_id, credit_account_id, debit_account_id, quantity, amount_usd from pigou.transfer x
         where x.tenant_id = e.tenant_id and x.entry_id = e.entry_id and x.occurred_at = e.occurred_at
        except
        select line, book, commodity_id, debit_account_id, credit_account_id, quantity, amount_usd from pigou.transfer x
         where x.tenant_id = e.tenant_id and x.entry_id = e.reverses and x.occurred_at = e.occurred_at)
       union all
       (select line, book, commodity_id, debit_account_id, credit_account_id, quantity, amount_usd from pigou.transfer x
         where x.tenant_id = e.tenant_id and x.entry_id = e.reverses and x.occurred_at = e.occurred_at
        except
        select line, book, commodity_id, credit_account_id, debit_account_id, quantity, amount_usd from pigou.transfer x
         where x.tenant_id = e.tenant_id and x.entry_id = e.entry_id and x.occurred_at = e.occurred_at))

-- name: reversals_mirror_checked
select count(*) from pigou.entry where kind = 'reversal'

-- name: prices_are_rates
-- Priced lines whose rate is not the one of the rate they name.
select format('transfer %s/%s of tenant %s: rate %s, price book %s', x.entry_id, x.line, x.tenant_id, x.rate_usd, pigou.unit_rate(r.price_usd, r.per))
  from pigou.transfer x join pigou.rate r using (rate_id)
 where x.rate_usd <> pigou.unit_rate(r.price_usd, r.per) or x.commodity_id <> r.commodity_id

-- name: prices_are_rates_checked
select count(*) from pigou.transfer where rate_id is not null

-- name: one_live_settlement
-- Tasks whose live settlement entries are not exactly the one that the task names, and live ones of no task.
with live as (
    select e.tenant_id, e.trace_id, e.entry_id, e.occurred_at
      from pigou.entry e
     where e.kind = 'settlement'
       and not exists (select from pigou.entry r
                        where r.tenant_id = e.tenant_id and r.reverses = e.entry_id and r.occurred_at = e.occurred_at)
),
counted as (
    select tenant_id, trace_id, count(*) as n, (array_agg(entry_id))[1] as entry_id, (array_agg(occurred_at))[1] as occurred_at
      from live group by tenant_id, trace_id
)
select format('task %s of tenant %s: %s live settlement entries', encode(trace_id, 'hex'), tenant_id, coalesce(l.n, 0))
  from pigou.task k full join counted l using (tenant_id, trace_id)
 where coalesce(l.n, 0) > 1 or k.entry_id is distinct from l.entry_id or k.entry_at is distinct from l.occurred_at

-- name: one_live_settlement_checked
select count(*) from pigou.task

-- name: tasks_equal_books
-- Tasks whose value, latency or risk is not what their live entry moved. A price of the task's that is unknown moved nothing.
with moved as (
    select k.tenant_id, k.trace_id, coalesce(sum(x.amount_usd) filter (where x.line = 1), 0) as value_usd,
           coalesce(sum(x.amount_usd) filter (where x.line = 2), 0) as latency_usd,
           coalesce(sum(x.amount_usd) filter (where x.line = 3), 0) as risk_usd,
           coalesce(sum(x.quantity) filter (where x.line in (5, 6)), 0) as lost_usd
      from pigou.task k
      left join pigou.transfer x on x.tenant_id = k.tenant_id and x.entry_id = k.entry_id and x.occurred_at = k.entry_at
     group by k.tenant_id, k.trace_id
)
select format('task %s of tenant %s: books %s of value, %s of latency, %s of risk, %s lost', encode(k.trace_id, 'hex'), k.tenant_id,
              m.value_usd, m.latency_usd, m.risk_usd, m.lost_usd)
  from pigou.task k join moved m using (tenant_id, trace_id)
 where m.value_usd <> coalesce(round(round(k.quality::numeric, 12) * k.value_usd, 12), 0)
    or m.latency_usd <> coalesce(round(round(k.latency_s::numeric, 12) * k.lambda_usd_per_s, 12), 0)
    or m.risk_usd <> coalesce(round(k.risk_usd * k.rho, 12), 0)
    or m.lost_usd <> case when k.rho is null then 0 else k.loss_usd end

-- name: tasks_equal_books_checked
select count(*) from pigou.task where entry_id is not null

-- name: assets_equal_books
-- Assets whose steps do not sum to what they say, steps whose entries are not live or moved something else, and live entries of no step.
select format('asset %s of tenant %s: %s capitalised, %s depreciated, %s written off; its steps say %s, %s, %s', a.asset_id, a.tenant_id,
              a.capitalised_usd, a.depreciated_usd, a.written_off_usd, s.capitalised, s.depreciated, s.written_off)
  from pigou.asset a
  left join (
       select tenant_id, asset_id, sum(usd) filter (where step = 'capitalised') as capitalised,
              sum(usd) filter (where step = 'depreciated') as depreciated, sum(usd) filter (where step = 'written off') as written_off
         from pigou.asset_entry where entry_id is not null group by tenant_id, asset_id) s using (tenant_id, asset_id)
 where s.capitalised is distinct from a.capitalised_usd or coalesce(s.depreciated, 0) <> a.depreciated_usd
    or coalesce(s.written_off, 0) <> a.written_off_usd
union all
select format('step %s of asset %s of tenant %s is not what its entry moved', e.step, e.asset_id, e.tenant_id)
  from pigou.asset_entry e
  left join pigou.entry n
    on n.tenant_id = e.tenant_id and n.entry_id = e.entry_id and n.occurred_at = e.entry_at and n.kind = 'capital'
  left join pigou.transfer x on x.tenant_id = e.tenant_id and x.entry_id = e.entry_id and x.occurred_at = e.entry_at
 where e.entry_id is not null
   and (n.entry_id is null or x.amount_usd is distinct from e.usd or x.book <> 'accrual' or e.at <> e.entry_at
        or x.debit_account_id <> e.debit_account_id or x.credit_account_id <> e.credit_account_id
        or not exists (select from pigou.asset a where a.tenant_id = e.tenant_id and a.asset_id = e.asset_id)
        or exists (select from pigou.entry r where r.tenant_id = e.tenant_id and r.reverses = e.entry_id and r.occurred_at = e.entry_at))
union all
select format('entry %s of tenant %s is of no asset', n.entry_id, n.tenant_id)
  from pigou.entry n
 where n.kind = 'capital'
   and not exists (select from pigou.asset_entry e where e.tenant_id = n.tenant_id and e.entry_id = n.entry_id)
   and not exists (select from pigou.entry r where r.tenant_id = n.tenant_id and r.reverses = n.entry_id and r.occurred_at = n.occurred_at)

-- name: assets_equal_books_checked
select count(*) from pigou.asset

-- name: assets_are_sums
-- Accounts of the accrual book on which something else stands than their assets say: what is left of them, what was capitalised, depreciated
-- and written off; assets below nothing; calls that are capitalised twice, as a cache's write and as part of a batch.
with stands as (
    select b.tenant_id, n.account, sum(b.debit_usd - b.credit_usd) as usd
      from pigou.balance b join pigou.account n using (tenant_id, account_id)
     where b.book = 'accrual'
     group by b.tenant_id, n.account
),
carried as (
    select a.tenant_id, l.level || a.kind || ':' || a.item as account, sum(l.usd) as usd
      from pigou.asset a
     cross join lateral (values
           ('assets:', a.capitalised_usd - a.depreciated_usd - a.written_off_usd), ('expenses:capitalised:', -a.capitalised_usd),
           ('expenses:depreciation:', a.depreciated_usd), ('expenses:written_off:', a.written_off_usd)) l (level, usd)
     group by a.tenant_id, l.level, a.kind, a.item
)
select format('%s of tenant %s: %s stands on it, its assets say %s', account, tenant_id, stands.usd, carried.usd)
  from stands full join carried using (tenant_id, account)
 where coalesce(stands.usd, 0) <> coalesce(carried.usd, 0) or (stands.usd < 0 and starts_with(account, 'assets:'))
union all
select format('call %s of trace %s of tenant %s is capitalised as a cache write and with its batch', encode(a.span_id, 'hex'),
              encode(a.trace_id, 'hex'), a.tenant_id)
  from pigou.asset a
  join pigou.asset b on b.tenant_id = a.tenant_id and b.kind = 'rollouts' and b.trace_id = a.trace_id
  join pigou.call c on c.tenant_id = a.tenant_id and c.trace_id = a.trace_id and c.span_id = a.span_id and c.use = 'rollout'
 where a.kind = 'cache'

-- name: assets_are_sums_checked
select count(*) from (select distinct tenant_id, kind, item from pigou.asset) items

-- name: control_totals
-- Parents whose own totals differ from what was booked under them. Reported, not a fault of the books.
select case when status = 'differs'
            then format('%s %s span %s (%s): says %s in, %s out; booked %s in, %s out', tenant, trace_id, span_id, name,
                        input_tokens, output_tokens, booked_input_tokens, booked_output_tokens)
            else format('%s %s span %s (%s): says %s USD; booked %s USD', tenant, trace_id, span_id, name, cost_usd, booked_cost_usd) end
  from ledger.control_totals where status in ('differs', 'cost differs')
 order by status desc

-- name: control_totals_checked
select count(*) from pigou.control_total where checked_at is not null

-- name: budgets_are_sums
-- Budgets whose spend is not the sum of the calls in their scope, per revision that is counted and period.
with said as (
    select b.tenant_id, b.budget, b.revision, pigou.period_start(b.period, c.started_at, b.time_zone, b.valid) as period_from,
           count(*) as calls, coalesce(sum(c.cost_usd), 0) as spent_usd,
           count(*) filter (where c.status = 'unpriced') as unpriced, count(*) filter (where c.status = 'suspense') as suspense
      from pigou.budget_counted b
      join pigou.call c
        on c.tenant_id = b.tenant_id and b.valid @> c.started_at and c.status <> 'duplicate'
       and (b.layer is null or b.layer = c.layer) and (b.use is null or b.use = c.use) and (b.agent is null or b.agent = c.agent)
       and (b.model is null or b.model = c.model) and (b.task_class is null or b.task_class = c.task_class)
     group by 1, 2, 3, 4
),
kept as (
    select s.* from pigou.budget_spend s join pigou.budget_counted b using (tenant_id, budget, revision)
)
select format('budget %s of tenant %s, revision %s, period from %s: %s in %s calls, calls say %s in %s', budget, tenant_id, revision,
              period_from, kept.spent_usd, kept.calls, said.spent_usd, said.calls)
  from said full join kept using (tenant_id, budget, revision, period_from)
 where coalesce(said.calls, 0) <> coalesce(kept.calls, 0) or coalesce(said.spent_usd, 0) <> coalesce(kept.spent_usd, 0)
    or coalesce(said.unpriced, 0) <> coalesce(kept.unpriced_calls, 0) or coalesce(said.suspense, 0) <> coalesce(kept.suspense_calls, 0)

-- name: budgets_are_sums_checked
select count(*) from pigou.budget_spend

-- name: rollups_are_sums
-- Rolled-up spend, coverage, suspense, control totals, claims and service of engines that are not the sums over the calls, parents and
-- requests themselves.
with call as materialized (
    select c.*, c.status <> 'duplicate' as counts,
           coalesce(c.total_input_tokens, c.input_tokens, 0) + coalesce(c.output_tokens, 0) + coalesce(c.reasoning_tokens, 0) as whole_tokens
      from pigou.call c
),
served as materialized (
    select r.tenant_id, date_trunc('hour', r.started_at, 'UTC') as hour, array[s.engine, left(coalesce(r.task_class, ''), 150)] as place, s.*
      from pigou.record r cross join lateral pigou.as_served(r.attributes, r.service) s
     where r.layer = 'supply' and r.role = 'call' and s.engine is not null
       and date_trunc('hour', r.started_at, 'UTC') >= (select kept_since from pigou.retention where kind = 'records')
),
summed as (
    select g.grain, c.tenant_id, g.at, array[c.provider, c.model, c.layer, c.use, c.agent, c.task_class] as key,
           array[count(*) filter (where counts),
                 coalesce(sum(c.input_tokens) filter (where counts), 0), count(c.input_tokens) filter (where counts),
                 coalesce(sum(c.cache_read_tokens) filter (where counts), 0), count(c.cache_read_tokens) filter (where counts),
                 coalesce(sum(c.cache_write_tokens) filter (where counts), 0), count(c.cache_write_tokens) filter (where counts),
                 coalesce(sum(c.output_tokens) filter (where counts), 0), count(c.output_tokens) filter (where counts),
                 coalesce(sum(c.reasoning_tokens) filter (where counts), 0), count(c.reasoning_tokens) filter (where counts),
                 coalesce(sum(c.cost_usd) filter (where counts), 0), count(c.cost_usd) filter (where counts),
                 count(*) filter (where c.status = 'unpriced'), coalesce(sum(whole_tokens) filter (where c.status = 'unpriced'), 0),
                 count(*) filter (where c.status = 'suspense'), count(*) filter (where not counts)]::numeric[] as sums
      from call c
     cross join lateral (values ('minute', date_trunc('minute', c.started_at, 'UTC')), ('hour', date_trunc('hour', c.started_at, 'UTC')),
                                ('day', date_trunc('day', c.started_at, 'UTC'))) g (grain, at)
     where g.grain <> 'minute' or g.at >= (select kept_since from pigou.retention where kind = 'minutes')
     group by g.grain, c.tenant_id, g.at, c.provider, c.model, c.layer, c.use, c.agent, c.task_class
    union all
    select 'coverage', c.tenant_id, date_trunc('day', c.started_at, 'UTC'), array[c.layer_source, c.use_source],
           array[count(*), sum(whole_tokens), coalesce(sum(c.cost_usd), 0), count(c.cost_usd)]::numeric[]
      from call c where counts
     group by 1, 2, 3, c.layer_source, c.use_source
    union all
    select 'suspense', c.tenant_id, date_trunc('hour', c.started_at, 'UTC'),
           array[c.status, c.reason, c.provider, c.model, c.service_tier, c.rate_provider, c.rate_model, c.dialect],
           array[count(*), coalesce(sum(whole_tokens) filter (where c.leaves <> '{}'), 0), count(*) filter (where c.leaves <> '{}')]::numeric[]
      from call c where c.status in ('unpriced', 'suspense')
     group by 1, 2, 3, c.status, c.reason, c.provider, c.model, c.service_tier, c.rate_provider, c.rate_model, c.dialect
    union all
    select 'control', k.tenant_id, date_trunc('hour', k.started_at, 'UTC'), array[k.status], array[count(*)]::numeric[]
      from pigou.control_total k
     where k.started_at >= (select kept_since from pigou.retention where kind = 'records')
     group by 1, 2, 3, k.status
    union all
    select 'claims', c.tenant_id, date_trunc('day', c.started_at, 'UTC'),
           array[c.dialect, left(coalesce(c.provider, ''), 150), left(coalesce(c.model, ''), 150)],
           array[count(*), count(*) filter (where c.claimed_cost_usd <> c.cost_usd), sum(c.claimed_cost_usd), sum(c.cost_usd)]::numeric[]
      from call c where c.status = 'booked' and c.claimed_cost_usd is not null
     group by 1, 2, 3, 4
    union all
    select 'engines', s.tenant_id, s.hour, s.place,
           array[count(*), count(s.queue_s), coalesce(sum(s.queue_s), 0), coalesce(max(s.queue_s), -1), count(s.prefill_s), coalesce(sum(s.prefill_s), 0),
                 count(s.decode_s), coalesce(sum(s.decode_s), 0), count(s.kv_tokens), coalesce(sum(s.kv_tokens), 0), count(s.batch),
                 coalesce(sum(s.batch), 0), count(s.drafted + s.accepted), coalesce(sum(s.drafted) filter (where s.accepted is not null), 0),
                 coalesce(sum(s.accepted) filter (where s.drafted is not null), 0)]::numeric[]
      from served s
     group by 1, 2, 3, 4
    union all
    select 'queues', s.tenant_id, s.hour, s.place || width_bucket(s.queue_s, pigou.queue_edges())::text, array[count(*)]::numeric[]
      from served s where s.queue_s is not null
     group by 1, 2, 3, 4
),
spend as (
    select 'minute' as grain, s.* from pigou.spend_minute s
     where s.minute >= (select kept_since from pigou.retention where kind = 'minutes')
    union all
    select 'hour', s.* from pigou.spend_hour s
    union all
    select 'day', s.tenant_id, s.day::timestamp at time zone 'UTC', s.key_id, s.calls, s.input_tokens, s.input_known, s.cache_read_tokens,
           s.cache_read_known, s.cache_write_tokens, s.cache_write_known, s.output_tokens, s.output_known, s.reasoning_tokens,
           s.reasoning_known, s.cost_usd, s.cost_known, s.unpriced_calls, s.unpriced_tokens, s.suspense_calls, s.duplicate_calls
      from pigou.spend_day s
),
kept as (
    select s.grain, s.tenant_id, s.minute, array[k.provider, k.model, k.layer, k.use, k.agent, k.task_class],
           array[s.calls, s.input_tokens, s.input_known, s.cache_read_tokens, s.cache_read_known, s.cache_write_tokens,
                 s.cache_write_known, s.output_tokens, s.output_known, s.reasoning_tokens, s.reasoning_known, s.cost_usd, s.cost_known,
                 s.unpriced_calls, s.unpriced_tokens, s.suspense_calls, s.duplicate_calls]::numeric[] as sums
      from spend s join pigou.spend_key k on k.tenant_id = s.tenant_id and k.key_id = s.key_id
    union all
    select 'coverage', tenant_id, day::timestamp at time zone 'UTC', array[layer_source, use_source],
           array[calls, tokens, cost_usd, cost_known]::numeric[]
      from pigou.coverage_day
    union all
    select 'suspense', s.tenant_id, s.hour, array[k.status, k.reason, k.provider, k.model, k.service_tier, k.rate_provider, k.rate_model, k.dialect],
           array[s.calls, s.tokens, s.tokens_known]::numeric[]
      from pigou.suspense_hour s join pigou.suspense_key k on k.tenant_id = s.tenant_id and k.key_id = s.key_id
    union all
    select 'control', tenant_id, hour, array[status], array[parents]::numeric[]
      from pigou.control_hour where hour >= (select kept_since from pigou.retention where kind = 'records')
    union all
    select 'claims', tenant_id, day::timestamp at time zone 'UTC', array[dialect, provider, model],
           array[calls, differing_calls, claimed_usd, cost_usd]::numeric[]
      from pigou.claim_day
    union all
    select 'engines', tenant_id, hour, array[engine, task_class],
           array[requests, queue_known, queue_s, coalesce(queue_max_s, -1), prefill_known, prefill_s, decode_known, decode_s, kv_known, kv_tokens,
                 batch_known, batch, drafts_known, drafted, accepted]::numeric[]
      from pigou.serving_hour where hour >= (select kept_since from pigou.retention where kind = 'records')
    union all
    select 'queues', tenant_id, hour, array[engine, task_class, wait::text], array[requests]::numeric[]
      from pigou.queue_hour where hour >= (select kept_since from pigou.retention where kind = 'records')
)
select format('%s of tenant %s at %s, %s: %s', grain, tenant_id, at, key::text, side)
  from ((select *, 'in the calls only' as side from (select * from summed except all select * from kept) missing)
        union all
        (select *, 'in the roll-up only' from (select * from kept where 0 <> any (sums) except all select * from summed) extra)) wrong

-- name: rollups_are_sums_checked
select (select count(*) from pigou.spend_minute) + (select count(*) from pigou.spend_hour) + (select count(*) from pigou.spend_day)
     + (select count(*) from pigou.coverage_day) + (select count(*) from pigou.suspense_hour) + (select count(*) from pigou.control_hour)
     + (select count(*) from pigou.claim_day) + (select count(*) from pigou.serving_hour) + (select count(*) from pigou.queue_hour)

-- name: sums_by_day
-- Sums of decisions and of tasks by day that are not what single ones sum to. Nets of tasks are those of ledger.tasks.
with summed as (
    select 'decisions' as what, j.tenant_id, j.day,
           array[j.comparison::text, j.segment::text, j.status, j.layer, j.kind, j.task_class, j.agent, j.chosen, j.best, j.cheaper, j.dearer] as key,
           array[count(*), count(*) filter (where j.is_clear),
                 sum(j.regret_usd), sum(j.below_usd), sum(j.above_usd), sum(j.value_usd), sum(j.cost_usd), sum(j.latency_usd),
                 sum(j.risk_usd), sum(j.last_cost_usd), sum(j.last_worth_usd), sum(j.last_error_usd), sum(j.last_judged_usd),
                 sum(j.next_cost_usd), sum(j.next_worth_usd), sum(j.next_error_usd), sum(j.next_judged_usd)] as sums
      from pigou.judged('-infinity', 'infinity', '-infinity', 'infinity') j
     group by j.tenant_id, j.day, j.comparison, j.segment, j.status, j.layer, j.kind, j.task_class, j.agent, j.chosen, j.best, j.cheaper, j.dearer
    union all
    select 'tasks', t.tenant_id, (k.started_at at time zone 'UTC')::date, array[k.task_class, k.agent],
           array[count(*), count(k.quality), count(k.value_usd), count(k.net_usd), coalesce(sum(k.net_usd), 0),
                 coalesce(sum(k.earned_usd) filter (where k.net_usd is not null), 0), coalesce(sum(k.cost_usd) filter (where k.net_usd is not null), 0),
                 coalesce(sum(k.latency_usd) filter (where k.net_usd is not null), 0),
                 coalesce(sum(k.provision_usd) filter (where k.net_usd is not null), 0),
                 count(*) filter (where k.quality is not null and k.cost_usd is not null), coalesce(sum(k.cost_usd * k.quality::numeric), 0),
                 coalesce(sum(k.cost_usd * (1 - k.quality::numeric)), 0), count(k.cost_usd) filter (where k.quality is null),
                 coalesce(sum(k.cost_usd) filter (where k.quality is null), 0)]
      from ledger.tasks k join pigou.tenant t on t.tenant = k.tenant
     group by t.tenant_id, 3, k.task_class, k.agent
),
kept as (
    select 'decisions' as what, r.tenant_id, r.day,
           array[k.comparison::text, k.segment::text, k.status, k.layer, k.kind, k.task_class, k.agent, k.chosen, k.best, k.cheaper, k.dearer] as key,
           array[r.decisions, r.clear, r.regret_usd, r.below_usd, r.above_usd, r.value_usd, r.cost_usd, r.latency_usd, r.risk_usd, r.last_cost_usd,
                 r.last_worth_usd, r.last_error_usd, r.last_judged_usd, r.next_cost_usd, r.next_worth_usd, r.next_error_usd,
                 r.next_judged_usd] as sums
      from pigou.regret_day r join pigou.regret_key k on k.tenant_id = r.tenant_id and k.key_id = r.key_id
    union all
    select 'tasks', tenant_id, day, place, array[tasks, with_outcome, with_value, net_known, net_usd, earned_usd, cost_usd,
                                              latency_usd, provision_usd, went_known, well_usd, wrong_usd, unknown_known, unknown_usd]
      from pigou.task_day where tasks <> 0
)
select format('%s of tenant %s on %s, %s: %s', what, tenant_id, day, key::text, side)
  from ((select *, 'single ones only' as side from (select * from summed except all select * from kept) missing)
        union all
        (select *, 'the sum only' from (select * from kept except all select * from summed) extra)) wrong

-- name: sums_by_day_checked
select (select count(*) from pigou.regret_day) + (select count(*) from pigou.task_day)
