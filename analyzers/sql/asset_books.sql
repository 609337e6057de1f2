-- name: make_stage
-- Assets as they should be, what became of them, and live steps that should not be; emptied by every commit.
create temporary table if not exists stage_asset on commit delete rows as select * from pigou.asset with no data;
create temporary table if not exists stage_asset_entry on commit delete rows as select e.*, ''::text as reason from pigou.asset_entry e with no data;
create temporary table if not exists stage_former on commit delete rows as select * from pigou.asset_entry with no data

-- name: open_day
-- The first day the tenant's books are open for. The period cannot be closed until this transaction ends.
select t.tenant, t.closed_through from pigou.tenant t where t.tenant_id = %(tenant_id)s for share

-- name: accounts
-- Ids of accounts that are open.
select account, account_id from pigou.account where tenant_id = %(tenant_id)s and account = any (%(names)s)

-- name: find_former
-- Live steps, of the staged assets and of those that are there for the same time, that are not as they should be.
insert into stage_former
select f.*
  from (select asset_id from stage_asset
         union
        select asset_id from pigou.asset
         where tenant_id = %(tenant_id)s and kind = %(kind)s and since >= %(since)s and since < %(until)s) a
  join pigou.asset_entry f on f.tenant_id = %(tenant_id)s and f.asset_id = a.asset_id and f.entry_id is not null
 where not exists (
       select from stage_asset_entry s
        where s.asset_id = f.asset_id and s.asset_entry_id = f.asset_entry_id and s.usd = f.usd and s.at = f.at
          and s.debit_account_id = f.debit_account_id and s.credit_account_id = f.credit_account_id)

-- name: drop_booked
-- Steps that are booked as they should be.
delete from stage_asset_entry s
 using pigou.asset_entry f
 where f.tenant_id = %(tenant_id)s and f.asset_id = s.asset_id and f.asset_entry_id = s.asset_entry_id and f.entry_id is not null
   and not exists (select from stage_former x where x.asset_id = s.asset_id and x.asset_entry_id = s.asset_entry_id)

-- name: number_stage
-- The other steps' revisions, which go on from those they had, and their entries.
update stage_asset_entry s
   set tenant_id = %(tenant_id)s, revision = n.revision, entry_at = s.at,
       entry_id = pigou.entry_id(%(tenant)s, uuid_send(s.asset_id), uuid_send(s.asset_entry_id), 'capital', n.revision, s.at)
  from (select o.asset_id, o.asset_entry_id, coalesce(f.revision + 1, 0) as revision
          from stage_asset_entry o
          left join pigou.asset_entry f
            on f.tenant_id = %(tenant_id)s and f.asset_id = o.asset_id and f.asset_entry_id = o.asset_entry_id) n
 where n.asset_id = s.asset_id and n.asset_entry_id = s.asset_entry_id

-- name: book_entries
-- Their entries, and the reversals of those that should not be. They name a trace and no span, for they are no call's own.
insert into pigou.entry (tenant_id, entry_id, kind, source, occurred_at, posted_on, trace_id, reverses, reason)
select %(tenant_id)s, s.entry_id, 'capital', 'capitalise', s.at,
       greatest((s.at at time zone 'UTC')::date, %(closed_through)s::date + 1), s.trace_id, null,
       s.step || ': ' || s.reason || coalesce(', span ' || encode(s.span_id, 'hex'), '')
  from stage_asset_entry s
 union all
select %(tenant_id)s, pigou.entry_id(%(tenant)s, uuid_send(f.asset_id), uuid_send(f.asset_entry_id), 'capital reversed', f.revision, f.entry_at),
       'reversal', 'capitalise', f.entry_at, greatest((f.entry_at at time zone 'UTC')::date, %(closed_through)s::date + 1), f.trace_id,
       f.entry_id, f.step || ': what is known of it has changed'
  from stage_former f

-- name: book_transfers
-- Their transfers and the balances, which equal the sums of transfers at every commit.
with moved as (
    insert into pigou.transfer (tenant_id, entry_id, line, occurred_at, posted_on, book, commodity_id, debit_account_id,
                                credit_account_id, quantity, rate_usd, amount_usd)
    select %(tenant_id)s, s.entry_id, 1, s.at, greatest((s.at at time zone 'UTC')::date, %(closed_through)s::date + 1), 'accrual',
           %(commodity_id)s, s.debit_account_id, s.credit_account_id, s.usd, 1, s.usd
      from stage_asset_entry s
     union all
    select %(tenant_id)s, pigou.entry_id(%(tenant)s, uuid_send(f.asset_id), uuid_send(f.asset_entry_id), 'capital reversed', f.revision, f.entry_at),
           x.line, x.occurred_at, greatest((f.entry_at at time zone 'UTC')::date, %(closed_through)s::date + 1), x.book, x.commodity_id,
           x.credit_account_id, x.debit_account_id, x.quantity, x.rate_usd, x.amount_usd
      from stage_former f
      join pigou.transfer x on x.tenant_id = %(tenant_id)s and x.entry_id = f.entry_id and x.occurred_at = f.entry_at
    returning posted_on, commodity_id, debit_account_id, credit_account_id, quantity, amount_usd
)
insert into pigou.balance as b (tenant_id, account_id, book, commodity_id, day, slot, debit_quantity, credit_quantity, debit_usd, credit_usd)
select %(tenant_id)s, leg.account_id, 'accrual', m.commodity_id, m.posted_on, %(slot)s,
       coalesce(sum(m.quantity) filter (where leg.sign > 0), 0), coalesce(sum(m.quantity) filter (where leg.sign < 0), 0),
       coalesce(sum(m.amount_usd) filter (where leg.sign > 0), 0), coalesce(sum(m.amount_usd) filter (where leg.sign < 0), 0)
  from moved m
 cross join lateral (values (1, m.debit_account_id), (-1, m.credit_account_id)) leg (sign, account_id)
 group by leg.account_id, m.commodity_id, m.posted_on
on conflict (tenant_id, account_id, book, commodity_id, day, slot) do update
   set debit_quantity = b.debit_quantity + excluded.debit_quantity, credit_quantity = b.credit_quantity + excluded.credit_quantity,
       debit_usd = b.debit_usd + excluded.debit_usd, credit_usd = b.credit_usd + excluded.credit_usd

-- name: take_back
-- Steps that should not be have no live entry any more; their revisions are kept.
update pigou.asset_entry e set entry_id = null, entry_at = null
  from stage_former f
 where e.tenant_id = %(tenant_id)s and e.asset_id = f.asset_id and e.asset_entry_id = f.asset_entry_id

-- name: write_steps
-- The steps that were booked, each in the place of what it was before.
insert into pigou.asset_entry (tenant_id, asset_id, asset_entry_id, step, at, trace_id, span_id, usd, debit_account_id, credit_account_id,
                               revision, entry_id, entry_at)
select tenant_id, asset_id, asset_entry_id, step, at, trace_id, span_id, usd, debit_account_id, credit_account_id,
       revision, entry_id, entry_at
  from stage_asset_entry
on conflict (tenant_id, asset_id, asset_entry_id) do update
   set at = excluded.at, trace_id = excluded.trace_id, span_id = excluded.span_id, usd = excluded.usd,
       debit_account_id = excluded.debit_account_id, credit_account_id = excluded.credit_account_id, revision = excluded.revision,
       entry_id = excluded.entry_id, entry_at = excluded.entry_at

-- name: drop_gone
-- Assets that are none any more: their calls are no longer booked as they were.
delete from pigou.asset a
 where a.tenant_id = %(tenant_id)s and a.kind = %(kind)s and a.since >= %(since)s and a.since < %(until)s
   and not exists (select from stage_asset s where s.asset_id = a.asset_id)

-- name: write_assets
-- The assets, each in the place of what it was before, where anything about it has changed.
insert into pigou.asset as a (tenant_id, asset_id, kind, item, trace_id, span_id, since, tokens, capitalised_usd, depreciated_usd,
                              written_off_usd, ends_at, why)
select %(tenant_id)s, asset_id, %(kind)s, item, trace_id, span_id, since, tokens, capitalised_usd, depreciated_usd, written_off_usd, ends_at, why
  from stage_asset
on conflict (tenant_id, asset_id) do update
   set item = excluded.item, since = excluded.since, tokens = excluded.tokens, capitalised_usd = excluded.capitalised_usd,
       depreciated_usd = excluded.depreciated_usd, written_off_usd = excluded.written_off_usd, ends_at = excluded.ends_at,
       why = excluded.why
 where (a.item, a.since, a.tokens, a.capitalised_usd, a.depreciated_usd, a.written_off_usd, a.why) is distinct from
       (excluded.item, excluded.since, excluded.tokens, excluded.capitalised_usd, excluded.depreciated_usd, excluded.written_off_usd, excluded.why)
    or a.ends_at is distinct from excluded.ends_at
