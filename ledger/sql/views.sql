-- The SQL contract: schema `ledger`, stable and documented in docs/sql.md. Every view carries `tenant`.
-- Each sum is defined once, here. Amounts are USD; unknown is null.

create or replace view ledger.accounts as
select t.tenant, a.account, a.kind, a.opened_at
  from pigou.account a join pigou.tenant t using (tenant_id);

create or replace view ledger.commodities as
select commodity, unit, direction, kind from pigou.commodity;

create or replace view ledger.rates as
select case when r.tenant_id = 0 then null else t.tenant end as tenant,   -- null: the list price
       r.provider, r.model, c.commodity, r.service_tier, r.context_above, r.daily_from, r.daily_until,
       lower(r.valid) as valid_from, upper(r.valid) as valid_until,
       r.price_usd, r.per, pigou.unit_rate(r.price_usd, r.per) as rate_usd, r.basis, r.source, r.revision, r.recorded_at, r.rate_id
  from pigou.rate r join pigou.commodity c using (commodity_id) left join pigou.tenant t using (tenant_id);

create or replace view ledger.entries as
select t.tenant, e.entry_id, e.kind, e.source, e.occurred_at, e.recorded_at, e.posted_on,
       encode(e.trace_id, 'hex') as trace_id, encode(e.span_id, 'hex') as span_id, e.reverses, e.reason
  from pigou.entry e join pigou.tenant t using (tenant_id);

create or replace view ledger.postings as
select t.tenant, x.entry_id, x.line, x.book, a.account, c.commodity,
       leg.sign * x.quantity as quantity, x.rate_usd, leg.sign * x.amount_usd as amount_usd,
       x.occurred_at, e.recorded_at, x.posted_on, e.kind,
       encode(e.trace_id, 'hex') as trace_id, encode(e.span_id, 'hex') as span_id, x.rate_id
  from pigou.transfer x
  join pigou.entry e on e.tenant_id = x.tenant_id and e.entry_id = x.entry_id and e.occurred_at = x.occurred_at
  cross join lateral (values (1, x.debit_account_id), (-1, x.credit_account_id)) leg (sign, account_id)
  join pigou.account a on a.tenant_id = x.tenant_id and a.account_id = leg.account_id
  join pigou.commodity c on c.commodity_id = x.commodity_id
  join pigou.tenant t on t.tenant_id = x.tenant_id;

-- The postings on an account and all below it, of what occurred in a time, the latest entries first: as many as asked for, and perhaps some
-- more. `posted`: of that day of the books only. Read from the end of the entries, of those days on which balances say that the account
-- moved (of days that are closed it is not known on which of them); of ever more days at once, until there are enough. What occurs in the
-- last half of a millisecond has an id of the next one, so that days begin that much earlier here.
create or replace function ledger.account_postings(of_account text, of_book text, since timestamptz, until timestamptz, posted date,
                                                   tenants text[], as_many bigint)
returns setof ledger.postings
language plpgsql stable security definer set search_path = pigou, pg_temp set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_variable
declare
    ends timestamptz; begins timestamptz; as_far integer := 1; enough bigint := as_many; came bigint;
    tenant_ids integer[]; runs tstzrange[];
begin
    select array_agg(m.tenant_id), array_agg(r.run) into tenant_ids, runs
      from (select d.tenant_id,
                   range_agg(tstzrange(case when d.day > d.closed_through + 1 or d.closed_through is null
                                            then d.day::timestamp at time zone 'UTC' else '1970-01-01 00:00Z' end, (d.day + 1)::timestamp at time zone 'UTC'))
                     * tstzmultirange(tstzrange(since, until)) as days
              from (select distinct t.tenant_id, c.closed_through, b.day
                      from tenant t
                     cross join lateral (select max(e.closed_through) as closed_through from period_event e   -- it may be open again
                                          where e.tenant_id = t.tenant_id) c
                      join account a on a.tenant_id = t.tenant_id and (a.account = of_account or starts_with(a.account, of_account || ':'))
                      join balance b on b.tenant_id = a.tenant_id and b.account_id = a.account_id and b.book = of_book
                     where ledger.is_among(t.tenant, tenants) and b.day = coalesce(posted, b.day) and b.day >= (since at time zone 'UTC')::date) d
             group by d.tenant_id) m
     cross join lateral unnest(m.days) r (run);
    ends := 'infinity';
    loop
        select max(least(upper(r), ends)) into ends from unnest(runs) r where lower(r) < ends;
        exit when ends is null or enough <= 0;
        begins := date_trunc('day', ends - interval '1 microsecond', 'UTC') - make_interval(days => as_far - 1, secs => 0.0005);
        return query
        with latest as materialized (
            select l.*
              from unnest(tenant_ids, runs) r (tenant_id, run)
             cross join lateral (select array_agg(a.account_id) as account_ids from account a
                                  where a.tenant_id = r.tenant_id and (a.account = of_account or starts_with(a.account, of_account || ':'))) a
             cross join lateral (
                   select x.*, a.account_ids from transfer x
                    where x.tenant_id = r.tenant_id
                      and x.occurred_at >= greatest(lower(r.run), begins) and x.occurred_at < least(upper(r.run), ends)
                      and x.entry_id >= pigou.entries_at(greatest(lower(r.run), begins))
                      and x.entry_id < pigou.entries_at(least(upper(r.run), ends) + interval '2 milliseconds')
                      and x.book = of_book and (x.debit_account_id = any (a.account_ids) or x.credit_account_id = any (a.account_ids))
                      and x.posted_on = coalesce(posted, x.posted_on)
                    order by x.entry_id desc fetch first (enough) rows with ties) l
             where r.run && tstzrange(begins, ends)
             order by l.entry_id desc fetch first (enough) rows with ties
        )
        select t.tenant, x.entry_id, x.line, x.book, n.account, c.commodity, leg.sign * x.quantity, x.rate_usd, leg.sign * x.amount_usd,
               x.occurred_at, e.recorded_at, x.posted_on, e.kind, encode(e.trace_id, 'hex'), encode(e.span_id, 'hex'), x.rate_id
          from latest x
          join tenant t on t.tenant_id = x.tenant_id
         cross join lateral (values (1, x.debit_account_id), (-1, x.credit_account_id)) leg (sign, account_id)
          join account n on n.tenant_id = x.tenant_id and n.account_id = leg.account_id
          join commodity c on c.commodity_id = x.commodity_id
          join entry e on e.tenant_id = x.tenant_id and e.entry_id = x.entry_id and e.occurred_at = x.occurred_at
         where leg.account_id = any (x.account_ids);
        get diagnostics came = row_count;
        enough := enough - came;
        ends := begins;
        as_far := as_far * 2;
    end loop;
end $$;

-- Summed by id before names are joined: a day has many rows, an account one name.
create or replace view ledger.balances as
select t.tenant, b.book, a.account, a.kind, c.commodity, b.day, b.quantity, b.amount_usd, b.unpriced_quantity
  from (select tenant_id, account_id, book, commodity_id, day,
               sum(debit_quantity - credit_quantity) as quantity,
               sum(debit_usd - credit_usd) as amount_usd,
               sum(unpriced_quantity) as unpriced_quantity
          from pigou.balance group by tenant_id, account_id, book, commodity_id, day) b
  join pigou.account a on a.tenant_id = b.tenant_id and a.account_id = b.account_id
  join pigou.commodity c on c.commodity_id = b.commodity_id
  join pigou.tenant t on t.tenant_id = b.tenant_id
 where b.quantity <> 0 or b.amount_usd <> 0 or b.unpriced_quantity <> 0;

-- What the days of a period cost beside those of a former one (first days included, ends not), and the difference as effects that sum to it,
-- within each tenant: price (this period's quantity at the change of what a unit cost), volume (the former cost times the growth of all
-- quantities of a unit), mix (the rest: what moved between models and kinds of tokens, with what is new and what is gone).
-- A plain function, so that PostgreSQL puts its body into the query that calls it.
create or replace function ledger.bill(since date, until date, former_since date, former_until date)
returns table (tenant text, provider text, model text, commodity text, quantity numeric, amount_usd numeric, former_quantity numeric,
               former_usd numeric, change_usd numeric, price_usd numeric, volume_usd numeric, mix_usd numeric)
language sql stable parallel safe as $$
    with line as (
        select b.tenant, split_part(b.account, ':', 4) as provider, split_part(b.account, ':', 5) as model, b.commodity,
               coalesce(sum(b.quantity) filter (where b.day >= since and b.day < until), 0) as quantity,
               coalesce(sum(b.amount_usd) filter (where b.day >= since and b.day < until), 0) as amount_usd,
               coalesce(sum(b.quantity) filter (where b.day >= former_since and b.day < former_until), 0) as former_quantity,
               coalesce(sum(b.amount_usd) filter (where b.day >= former_since and b.day < former_until), 0) as former_usd
          from ledger.balances b
         where b.book = 'cash' and b.kind = 'expense'
           and ((b.day >= since and b.day < until) or (b.day >= former_since and b.day < former_until))
         group by 1, 2, 3, 4
    ),
    grown as (
        select l.*, sum(l.quantity) over unit as whole, sum(l.former_quantity) over unit as former_whole
          from line l join ledger.commodities c using (commodity)
        window unit as (partition by l.tenant, c.unit)
    ),
    told as (
        select g.*,
               case when g.former_quantity > 0 and g.quantity > 0
                    then g.amount_usd - round(g.quantity * g.former_usd / g.former_quantity, 12) else 0 end as price_usd,
               case when g.former_whole > 0 then round(g.former_usd * (g.whole / g.former_whole - 1), 12) else 0 end as volume_usd
          from grown g
    )
    select t.tenant, t.provider, t.model, t.commodity, t.quantity, t.amount_usd, t.former_quantity, t.former_usd,
           t.amount_usd - t.former_usd, t.price_usd, t.volume_usd, t.amount_usd - t.former_usd - t.price_usd - t.volume_usd
      from told t
     where t.quantity <> 0 or t.amount_usd <> 0 or t.former_quantity <> 0 or t.former_usd <> 0
$$;

-- Which commodities ever moved on each account: what balances would say at many times the cost.
create or replace view ledger.account_commodities as
select t.tenant, b.book, a.account, a.kind, c.commodity
  from (select distinct tenant_id, account_id, book, commodity_id from pigou.balance) b
  join pigou.account a on a.tenant_id = b.tenant_id and a.account_id = b.account_id
  join pigou.commodity c on c.commodity_id = b.commodity_id
  join pigou.tenant t on t.tenant_id = b.tenant_id;

-- What was paid for and is used later: the premium of a call's cache writes, or a batch of rollouts (span_id is null). Capitalised is what it
-- cost, depreciated what was used up, written off what came to nothing; carrying is what is left, until ends_at if nothing else comes.
create or replace view ledger.assets as
select t.tenant, a.kind, a.item, encode(a.trace_id, 'hex') as trace_id, encode(a.span_id, 'hex') as span_id, a.since, a.tokens,
       a.capitalised_usd, a.depreciated_usd, a.written_off_usd,
       a.capitalised_usd - a.depreciated_usd - a.written_off_usd as carrying_usd, a.ends_at, a.why
  from pigou.asset a join pigou.tenant t using (tenant_id);

-- What became of each asset, step by step: when, how much, by which call, update or batch, and in which entry.
create or replace view ledger.asset_entries as
select t.tenant, a.kind, a.item, encode(a.trace_id, 'hex') as asset_trace_id, encode(a.span_id, 'hex') as asset_span_id,
       e.step, e.at, e.usd as amount_usd, encode(e.trace_id, 'hex') as trace_id, encode(e.span_id, 'hex') as span_id, e.entry_id, e.revision
  from pigou.asset_entry e
  join pigou.asset a on a.tenant_id = e.tenant_id and a.asset_id = e.asset_id
  join pigou.tenant t on t.tenant_id = e.tenant_id
 where e.entry_id is not null;

-- Assets by item and day of the books, from the balances of the accrual book: what was capitalised, depreciated and written off on the day.
create or replace view ledger.assets_daily as
select b.tenant, split_part(b.account, ':', 3) as kind, regexp_replace(b.account, '^([^:]*:){3}', '') as item, b.day,
       coalesce(-sum(b.amount_usd) filter (where starts_with(b.account, 'expenses:capitalised:')), 0) as capitalised_usd,
       coalesce(sum(b.amount_usd) filter (where starts_with(b.account, 'expenses:depreciation:')), 0) as depreciated_usd,
       coalesce(sum(b.amount_usd) filter (where starts_with(b.account, 'expenses:written_off:')), 0) as written_off_usd
  from ledger.balances b
 where b.book = 'accrual' and b.kind = 'expense'
 group by 1, 2, 3, 4;

-- Debits minus credits over all accounts: every figure of this view is 0, or the books are wrong.
create or replace view ledger.trial_balance as
select t.tenant, b.book, c.commodity, b.debit_quantity, b.credit_quantity, b.debit_quantity - b.credit_quantity as quantity,
       b.debit_usd, b.credit_usd, b.debit_usd - b.credit_usd as amount_usd
  from (select tenant_id, book, commodity_id, sum(debit_quantity) as debit_quantity, sum(credit_quantity) as credit_quantity,
               sum(debit_usd) as debit_usd, sum(credit_usd) as credit_usd
          from pigou.balance group by tenant_id, book, commodity_id) b
  join pigou.commodity c on c.commodity_id = b.commodity_id
  join pigou.tenant t on t.tenant_id = b.tenant_id;

-- One row per model call as one record reports it. Only booked calls have a cost; duplicates are kept as evidence and book nothing.
create or replace view ledger.calls as
select t.tenant, encode(c.trace_id, 'hex') as trace_id, encode(c.span_id, 'hex') as span_id,
       c.started_at, c.ended_at,
       (extract(epoch from c.ended_at - c.started_at) * 1000)::double precision as latency_ms,
       c.provider, c.model, c.layer, c.use, c.agent, c.task_class,
       c.input_tokens, c.cache_read_tokens, c.cache_write_tokens, c.output_tokens, c.reasoning_tokens,
       c.cost_usd, c.claimed_cost_usd, c.status, c.dialect, c.reason, c.confidence, c.operation,
       c.layer_source, c.use_source, c.service, c.service_tier, c.conversation_id, c.user_id, c.response_id,
       c.leaves, c.total_input_tokens, c.rate_provider, c.rate_model,
       encode(c.copy_of_trace_id, 'hex') as copy_of_trace_id, encode(c.copy_of_span_id, 'hex') as copy_of_span_id,
       c.entry_id, c.recorded_at
  from pigou.call c join pigou.tenant t using (tenant_id);

-- The calls of one trace, found by its id through the index; `ledger.calls where trace_id = …` would read every call.
create or replace function ledger.trace_calls(trace_id text) returns setof ledger.calls
language sql stable security definer set search_path = pigou, pg_temp as $$
    select t.tenant, encode(c.trace_id, 'hex') as trace_id, encode(c.span_id, 'hex') as span_id,
           c.started_at, c.ended_at,
           (extract(epoch from c.ended_at - c.started_at) * 1000)::double precision as latency_ms,
           c.provider, c.model, c.layer, c.use, c.agent, c.task_class,
           c.input_tokens, c.cache_read_tokens, c.cache_write_tokens, c.output_tokens, c.reasoning_tokens,
           c.cost_usd, c.claimed_cost_usd, c.status, c.dialect, c.reason, c.confidence, c.operation,
           c.layer_source, c.use_source, c.service, c.service_tier, c.conversation_id, c.user_id, c.response_id,
           c.leaves, c.total_input_tokens, c.rate_provider, c.rate_model,
           encode(c.copy_of_trace_id, 'hex') as copy_of_trace_id, encode(c.copy_of_span_id, 'hex') as copy_of_span_id,
           c.entry_id, c.recorded_at
      from tenant t
      join call c on c.tenant_id = t.tenant_id
           and c.trace_id = case when trace_calls.trace_id ~ '^([0-9a-fA-F]{2})+$' then decode(trace_calls.trace_id, 'hex') end
     order by c.started_at, c.span_id
$$;

-- The calls of a time that name an id: their trace, conversation, user, the provider's answer, or the id that a gateway or a request gave
-- it. All of them in each of the latest traces, as many as asked for by when they first name it, and perhaps some more. Found through
-- indexes: days are gone through from the last one, ever more at once, until there are enough. Answers whose keys are past the retention
-- of records are looked for call by call.
create or replace function ledger.calls_named(id text, since timestamptz, until timestamptz, tenants text[], as_many bigint)
returns table (tenant text, trace_id text, span_id text, started_at timestamptz, named_by text, agent text, task_class text, status text,
               cost_usd numeric)
language plpgsql stable security definer set search_path = pigou, pg_temp as $$
#variable_conflict use_column
declare
    sought    constant text := id;
    trace     constant bytea := case when id ~ '^([0-9a-fA-F]{2})+$' then decode(id, 'hex') end;
    spoken    constant text[] := array['response:' || id, 'gateway:' || id, 'request:' || id];
    asked     constant integer[] := array(select t.tenant_id from tenant t where ledger.is_among(t.tenant, tenants));
    keyed     constant timestamptz := coalesce((select r.kept_since from retention r where r.kind = 'records'), '-infinity');
    begins    timestamptz; ends timestamptz; at timestamptz;
    last_day  date; first_day date; as_far integer := 1;
    direct_tenants integer[]; direct_traces bytea[];
    tenant_ids integer[] := '{}'; trace_ids bytea[] := '{}';
    found record;
begin
    select coalesce(array_agg(d.tenant_id), '{}'), coalesce(array_agg(d.trace_id), '{}') into direct_tenants, direct_traces
      from (select c.tenant_id, c.trace_id from call c where c.tenant_id = any (asked) and c.trace_id = trace
             union
            select k.tenant_id, k.trace_id from call_key k
             where k.tenant_id = any (asked) and hashtext(k.key) = any (array(select hashtext(s) from unnest(spoken) s)) and k.key = any (spoken)
             union
            select c.tenant_id, c.trace_id from call c
             where c.tenant_id = any (asked) and hashtext(c.response_id) = hashtext(sought) and c.response_id = sought
               and length(c.response_id) not between 13 and 491
             union
            select c.tenant_id, c.trace_id from call c
             where c.tenant_id = any (asked) and c.started_at >= since and c.started_at < least(until, keyed)
               and (c.response_id = sought or c.keys && spoken)) d;

    select case when count(x.first_at) > 0 then greatest(min(x.first_at), since) end, least(max(x.last_at) + interval '1 microsecond', until)
      into begins, ends    -- where there are no calls, there are no days to go through
      from unnest(asked) a (tenant_id)
     cross join lateral (select (select min(c.started_at) from call c where c.tenant_id = a.tenant_id) as first_at,
                                (select max(c.started_at) from call c where c.tenant_id = a.tenant_id) as last_at) x;
    last_day := (ends at time zone 'UTC')::date;
    while ends > begins and cardinality(trace_ids) < as_many loop
        first_day := greatest(last_day - as_far + 1, (begins at time zone 'UTC')::date);
        at := greatest(first_day::timestamp at time zone 'UTC', begins);
        with days as (select array(select (last_day - n) from generate_series(0, last_day - first_day) n) as asked_days),
        hit as (
            select c.tenant_id, c.trace_id, c.started_at from call c
             where c.tenant_id = any (asked) and (c.started_at at time zone interval '0')::date = any ((select asked_days from days)::date[])
               and hashtext(c.conversation_id) = hashtext(sought) and c.conversation_id = sought and c.started_at >= at and c.started_at < ends
             union all
            select c.tenant_id, c.trace_id, c.started_at from call c
             where c.tenant_id = any (asked) and (c.started_at at time zone interval '0')::date = any ((select asked_days from days)::date[])
               and hashtext(c.user_id) = hashtext(sought) and c.user_id = sought and c.started_at >= at and c.started_at < ends
        ),
        begun as (
            select h.tenant_id, h.trace_id, min(h.started_at) as first_at from hit h
             where not exists (select from unnest(direct_tenants, direct_traces) d (tenant_id, trace_id)
                                where d.tenant_id = h.tenant_id and d.trace_id = h.trace_id)
             group by h.tenant_id, h.trace_id order by first_at desc, h.trace_id, h.tenant_id offset 0
        )
        select coalesce(array_agg(b.tenant_id), '{}') as tenant_ids, coalesce(array_agg(b.trace_id), '{}') as trace_ids into found
          from (select b.tenant_id, b.trace_id from begun b   -- those that name it before these days are met later
                 where (select count(*) from (select from call e
                                               where e.tenant_id = b.tenant_id and e.trace_id = b.trace_id
                                                 and e.started_at >= begins and e.started_at < at
                                                 and (e.conversation_id = sought or e.user_id = sought) limit 1) earlier) = 0
                 order by b.first_at desc, b.trace_id, b.tenant_id limit as_many) b;
        tenant_ids := tenant_ids || found.tenant_ids;
        trace_ids := trace_ids || found.trace_ids;
        ends := at;
        last_day := first_day - 1;
        as_far := as_far * 2;
    end loop;

    return query
    select t.tenant, encode(c.trace_id, 'hex'), encode(c.span_id, 'hex'), c.started_at,
           case when c.trace_id = trace then 'trace' when c.conversation_id = sought then 'conversation' when c.user_id = sought then 'user'
                when c.response_id = sought or spoken[1] = any (c.keys) then 'answer' when spoken[2] = any (c.keys) then 'gateway' else 'request' end,
           c.agent, c.task_class, c.status, c.cost_usd
      from unnest(direct_tenants || tenant_ids, direct_traces || trace_ids) f (tenant_id, trace_id)
      join tenant t on t.tenant_id = f.tenant_id
      join call c on c.tenant_id = f.tenant_id and c.trace_id = f.trace_id
     where c.started_at >= since and c.started_at < until
       and (c.trace_id = trace or c.conversation_id = sought or c.user_id = sought or c.response_id = sought or c.keys && spoken);
end $$;

-- Spend by hour, from what the posting sums: duplicates are not in it, and what no call reported is null.
create or replace view ledger.spend_hourly as
select t.tenant, s.hour, k.provider, k.model, k.layer, k.use, k.agent, k.task_class,
       s.calls::bigint as calls,
       case when s.input_known > 0 then s.input_tokens end as input_tokens,
       case when s.cache_read_known > 0 then s.cache_read_tokens end as cache_read_tokens,
       case when s.cache_write_known > 0 then s.cache_write_tokens end as cache_write_tokens,
       case when s.output_known > 0 then s.output_tokens end as output_tokens,
       case when s.reasoning_known > 0 then s.reasoning_tokens end as reasoning_tokens,
       case when s.cost_known > 0 then s.cost_usd::numeric end as cost_usd,
       s.unpriced_calls::bigint as unpriced_calls,
       case when s.unpriced_calls > 0 then s.unpriced_tokens end as unpriced_tokens,
       s.suspense_calls::bigint as suspense_calls
  from pigou.spend_hour s
  join pigou.spend_key k on k.tenant_id = s.tenant_id and k.key_id = s.key_id
  join pigou.tenant t on t.tenant_id = s.tenant_id
 where s.calls > 0;

-- The same by day (UTC).
create or replace view ledger.spend_daily as
select t.tenant, s.day, k.provider, k.model, k.layer, k.use, k.agent, k.task_class,
       s.calls::bigint as calls,
       case when s.input_known > 0 then s.input_tokens end as input_tokens,
       case when s.cache_read_known > 0 then s.cache_read_tokens end as cache_read_tokens,
       case when s.cache_write_known > 0 then s.cache_write_tokens end as cache_write_tokens,
       case when s.output_known > 0 then s.output_tokens end as output_tokens,
       case when s.reasoning_known > 0 then s.reasoning_tokens end as reasoning_tokens,
       case when s.cost_known > 0 then s.cost_usd::numeric end as cost_usd,
       s.unpriced_calls::bigint as unpriced_calls,
       case when s.unpriced_calls > 0 then s.unpriced_tokens end as unpriced_tokens,
       s.suspense_calls::bigint as suspense_calls
  from pigou.spend_day s
  join pigou.spend_key k on k.tenant_id = s.tenant_id and k.key_id = s.key_id
  join pigou.tenant t on t.tenant_id = s.tenant_id
 where s.calls > 0;

-- By tenant, what the calls of some days cost by now and what is posted to these days, which differ by what came for days that were closed
-- already: posted = cost + brought - carried. Brought: of calls before these days, what is posted to them or later; carried: of calls
-- before their end, what is posted after it. Sums by day tell both, since nothing is posted to a day before its own.
create or replace function ledger.carried(since date, until date)
returns table (tenant text, cost_usd numeric, posted_usd numeric, brought_usd numeric, carried_usd numeric)
language sql stable parallel safe as $$
    select m.tenant, coalesce(sum(m.cost_usd) filter (where m.day >= since), 0), coalesce(sum(m.posted_usd) filter (where m.day >= since), 0),
           coalesce(sum(m.cost_usd - m.posted_usd) filter (where m.day < since), 0), sum(m.cost_usd - m.posted_usd)
      from (select d.tenant, d.day, d.cost_usd, 0 as posted_usd from ledger.spend_daily d where d.day < until and d.cost_usd is not null
            union all
            select b.tenant, b.day, 0, b.amount_usd from ledger.balances b where b.day < until and b.book = 'cash' and b.kind = 'expense') m
     group by m.tenant
$$;

-- What is spent of earlier days than it is posted to, since these were closed when it came, by model and commodity: late calls, and what
-- corrections took back and booked again.
create or replace view ledger.posted_late as
select t.tenant, s.posted_on, s.day, split_part(a.account, ':', 4) as provider, split_part(a.account, ':', 5) as model, c.commodity,
       sum(s.quantity) as quantity, sum(s.amount_usd) as amount_usd
  from (select e.tenant_id, e.posted_on, (e.occurred_at at time zone 'UTC')::date as day, leg.account_id, x.commodity_id,
               sum(leg.sign * x.quantity) as quantity, sum(leg.sign * x.amount_usd) as amount_usd
          from pigou.entry e
          join pigou.transfer x on x.tenant_id = e.tenant_id and x.entry_id = e.entry_id and x.occurred_at = e.occurred_at and x.book = 'cash'
         cross join lateral (values (1, x.debit_account_id), (-1, x.credit_account_id)) leg (sign, account_id)
         where e.posted_on > (e.occurred_at at time zone 'UTC')::date
         group by 1, 2, 3, 4, 5) s
  join pigou.account a on a.tenant_id = s.tenant_id and a.account_id = s.account_id and a.kind = 'expense'
  join pigou.commodity c on c.commodity_id = s.commodity_id
  join pigou.tenant t on t.tenant_id = s.tenant_id
 group by 1, 2, 3, 4, 5, 6
having sum(s.quantity) <> 0 or sum(s.amount_usd) <> 0;

-- The same by minute, for as long as minutes are kept (pigou retention show).
create or replace view ledger.spend_minutely as
select t.tenant, s.minute, k.provider, k.model, k.layer, k.use, k.agent, k.task_class,
       s.calls::bigint as calls,
       case when s.input_known > 0 then s.input_tokens end as input_tokens,
       case when s.cache_read_known > 0 then s.cache_read_tokens end as cache_read_tokens,
       case when s.cache_write_known > 0 then s.cache_write_tokens end as cache_write_tokens,
       case when s.output_known > 0 then s.output_tokens end as output_tokens,
       case when s.reasoning_known > 0 then s.reasoning_tokens end as reasoning_tokens,
       case when s.cost_known > 0 then s.cost_usd::numeric end as cost_usd,
       s.unpriced_calls::bigint as unpriced_calls,
       case when s.unpriced_calls > 0 then s.unpriced_tokens end as unpriced_tokens,
       s.suspense_calls::bigint as suspense_calls
  from pigou.spend_minute s
  join pigou.spend_key k on k.tenant_id = s.tenant_id and k.key_id = s.key_id
  join pigou.tenant t on t.tenant_id = s.tenant_id
 where s.calls > 0 and s.minute >= (select kept_since from pigou.retention where kind = 'minutes');

-- Spend between two times on whole hours: whole days from the days' sums, the rest from the hours'. `hour` is where a row begins.
-- A plain function, so that PostgreSQL puts its body into the query that calls it.
create or replace function ledger.spend(since timestamptz, until timestamptz) returns setof ledger.spend_hourly
language sql stable parallel safe as $$
    select tenant, day::timestamp at time zone 'UTC', provider, model, layer, use, agent, task_class, calls, input_tokens,
           cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_usd, unpriced_calls, unpriced_tokens, suspense_calls
      from ledger.spend_daily
     where day >= (date_trunc('day', since + interval '1 day' - interval '1 microsecond', 'UTC') at time zone 'UTC')::date
       and day < (date_trunc('day', until, 'UTC') at time zone 'UTC')::date
    union all
    select tenant, hour, provider, model, layer, use, agent, task_class, calls, input_tokens,
           cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_usd, unpriced_calls, unpriced_tokens, suspense_calls
      from ledger.spend_hourly
     where hour >= since
       and hour < least(date_trunc('day', since + interval '1 day' - interval '1 microsecond', 'UTC'), until)
    union all
    select tenant, hour, provider, model, layer, use, agent, task_class, calls, input_tokens,
           cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_usd, unpriced_calls, unpriced_tokens, suspense_calls
      from ledger.spend_hourly
     where hour >= greatest(date_trunc('day', since + interval '1 day' - interval '1 microsecond', 'UTC'), date_trunc('day', until, 'UTC'))
       and hour < until
$$;

-- The first and the last hour of each tenant's calls.
create or replace view ledger.extent as
select t.tenant, f.hour as first_hour, l.hour as last_hour
  from pigou.tenant t
 cross join lateral (select hour from pigou.spend_hour s where s.tenant_id = t.tenant_id and s.calls > 0 order by hour limit 1) f
 cross join lateral (select hour from pigou.spend_hour s where s.tenant_id = t.tenant_id and s.calls > 0 order by hour desc limit 1) l;

-- Calls of every status by hour, duplicates included.
create or replace view ledger.statuses_hourly as
select t.tenant, s.hour, k.provider, k.model, k.layer, k.use, k.agent, k.task_class, v.status, v.calls::bigint as calls,
       case when v.status = 'booked' and s.cost_known > 0 then s.cost_usd::numeric end as cost_usd
  from pigou.spend_hour s
  join pigou.spend_key k on k.tenant_id = s.tenant_id and k.key_id = s.key_id
  join pigou.tenant t on t.tenant_id = s.tenant_id
 cross join lateral (values ('booked', s.calls - s.unpriced_calls - s.suspense_calls), ('unpriced', s.unpriced_calls),
                            ('suspense', s.suspense_calls), ('duplicate', s.duplicate_calls)) v (status, calls)
 where v.calls > 0;

-- The same by day (UTC).
create or replace view ledger.statuses_daily as
select t.tenant, s.day, k.provider, k.model, k.layer, k.use, k.agent, k.task_class, v.status, v.calls::bigint as calls,
       case when v.status = 'booked' and s.cost_known > 0 then s.cost_usd::numeric end as cost_usd
  from pigou.spend_day s
  join pigou.spend_key k on k.tenant_id = s.tenant_id and k.key_id = s.key_id
  join pigou.tenant t on t.tenant_id = s.tenant_id
 cross join lateral (values ('booked', s.calls - s.unpriced_calls - s.suspense_calls), ('unpriced', s.unpriced_calls),
                            ('suspense', s.suspense_calls), ('duplicate', s.duplicate_calls)) v (status, calls)
 where v.calls > 0;

-- Calls of every status between two times on whole hours, as ledger.spend.
create or replace function ledger.statuses(since timestamptz, until timestamptz) returns setof ledger.statuses_hourly
language sql stable parallel safe as $$
    select tenant, day::timestamp at time zone 'UTC', provider, model, layer, use, agent, task_class, status, calls, cost_usd
      from ledger.statuses_daily
     where day >= (date_trunc('day', since + interval '1 day' - interval '1 microsecond', 'UTC') at time zone 'UTC')::date
       and day < (date_trunc('day', until, 'UTC') at time zone 'UTC')::date
    union all
    select tenant, hour, provider, model, layer, use, agent, task_class, status, calls, cost_usd
      from ledger.statuses_hourly
     where hour >= since
       and hour < least(date_trunc('day', since + interval '1 day' - interval '1 microsecond', 'UTC'), until)
    union all
    select tenant, hour, provider, model, layer, use, agent, task_class, status, calls, cost_usd
      from ledger.statuses_hourly
     where hour >= greatest(date_trunc('day', since + interval '1 day' - interval '1 microsecond', 'UTC'), date_trunc('day', until, 'UTC'))
       and hour < until
$$;

create or replace view ledger.spans as
select t.tenant, encode(r.trace_id, 'hex') as trace_id, encode(r.span_id, 'hex') as span_id,
       encode(r.parent_span_id, 'hex') as parent_span_id, r.signal, r.role, r.name, r.service, r.scope_name, r.scope_version,
       r.started_at, r.ended_at,
       (extract(epoch from r.ended_at - r.started_at) * 1000)::double precision as latency_ms,
       r.status_code, r.status_message, r.layer, r.use,
       coalesce(c.agent, r.agent) as agent, coalesce(c.task_class, r.task_class) as task_class,
       r.attributes, r.events, r.links, s.attributes as resource_attributes,
       c.status as call_status, c.model,
       case when c.status is not null then
           coalesce(c.total_input_tokens, c.input_tokens, 0) + coalesce(c.output_tokens, 0) + coalesce(c.reasoning_tokens, 0)
       end as total_tokens,
       c.cost_usd, r.recorded_at
  from pigou.record r
  join pigou.tenant t using (tenant_id)
  left join pigou.call c
    on c.tenant_id = r.tenant_id and c.trace_id = r.trace_id and c.span_id = r.span_id and c.started_at = r.started_at
  left join pigou.resource s on s.tenant_id = r.tenant_id and s.resource_id = r.resource_id;

-- One trace, found by its id through the index.
create or replace function ledger.trace_spans(trace_id text) returns setof ledger.spans
language sql stable security definer set search_path = pigou, pg_temp as $$
    select t.tenant, encode(r.trace_id, 'hex'), encode(r.span_id, 'hex'), encode(r.parent_span_id, 'hex'), r.signal, r.role,
           r.name, r.service, r.scope_name, r.scope_version, r.started_at, r.ended_at,
           (extract(epoch from r.ended_at - r.started_at) * 1000)::double precision, r.status_code, r.status_message,
           r.layer, r.use, coalesce(c.agent, r.agent), coalesce(c.task_class, r.task_class),
           r.attributes, r.events, r.links, s.attributes, c.status, c.model,
           case when c.status is not null then
               coalesce(c.total_input_tokens, c.input_tokens, 0) + coalesce(c.output_tokens, 0) + coalesce(c.reasoning_tokens, 0)
           end,
           c.cost_usd, r.recorded_at
      from tenant t
      join record r on r.tenant_id = t.tenant_id
           and r.trace_id = case when trace_spans.trace_id ~ '^([0-9a-fA-F]{2})+$' then decode(trace_spans.trace_id, 'hex') end
      left join call c on c.tenant_id = r.tenant_id and c.trace_id = r.trace_id and c.span_id = r.span_id and c.started_at = r.started_at
      left join resource s on s.tenant_id = r.tenant_id and s.resource_id = r.resource_id
     order by r.started_at, r.ended_at desc
$$;

-- Text that is kept, one row per record that has some. It goes before its record: see ledger.retention.
create or replace view ledger.texts as
select t.tenant, encode(x.trace_id, 'hex') as trace_id, encode(x.span_id, 'hex') as span_id, x.started_at, x.attributes, x.events, x.body,
       x.recorded_at
  from pigou.kept_text x join pigou.tenant t using (tenant_id);

-- That of one trace, found through the index of its records.
create or replace function ledger.trace_texts(trace_id text) returns setof ledger.texts
language sql stable security definer set search_path = pigou, pg_temp as $$
    select t.tenant, encode(x.trace_id, 'hex'), encode(x.span_id, 'hex'), x.started_at, x.attributes, x.events, x.body, x.recorded_at
      from tenant t
      join record r on r.tenant_id = t.tenant_id
           and r.trace_id = case when trace_texts.trace_id ~ '^([0-9a-fA-F]{2})+$' then decode(trace_texts.trace_id, 'hex') end
      join kept_text x on x.tenant_id = r.tenant_id and x.started_at = r.started_at and x.trace_id = r.trace_id and x.span_id = r.span_id
     order by x.started_at, x.span_id
$$;

-- How long what is not kept for ever is kept, and before when it may be gone.
create or replace view ledger.retention as
select kind, case when kind = 'texts' then least(keep_days, (select o.keep_days from pigou.retention o where o.kind = 'records')) else keep_days end as keep_days,
       nullif(kept_since, '-infinity') as gone_before
  from pigou.retention;

-- Months that retention dropped something of, and when it did so last.
create or replace view ledger.months_dropped as
select kind, month, dropped_at from pigou.month_dropped;

create or replace view ledger.traces as
select s.tenant, s.trace_id, min(s.started_at) as started_at, max(s.ended_at) as ended_at,
       (extract(epoch from max(s.ended_at) - min(s.started_at)) * 1000)::double precision as latency_ms,
       (array_agg(s.name order by (s.parent_span_id is not null), s.started_at))[1] as root_name,
       (array_agg(s.service order by (s.parent_span_id is not null), s.started_at))[1] as service,
       (array_agg(s.agent order by (s.parent_span_id is not null), s.started_at) filter (where s.agent is not null))[1] as agent,
       (array_agg(s.task_class order by s.started_at) filter (where s.task_class is not null))[1] as task_class,
       count(*) as spans,
       count(*) filter (where s.call_status <> 'duplicate') as calls,
       sum(s.cost_usd) as cost_usd,
       count(*) filter (where s.call_status = 'unpriced') as unpriced_calls
  from ledger.spans s
 group by s.tenant, s.trace_id;

-- What waits for a mend, and the mend. Times are the hours of the first and of the last call that waits.
create or replace view ledger.suspense as
select t.tenant,
       case k.status when 'unpriced' then 'suspense:unpriced' else 'suspense:unreadable' end as account,
       k.reason, k.provider, k.model, k.service_tier, w.calls, w.tokens, w.first_at, w.last_at,
       case k.status
           when 'unpriced' then 'give a price: ' || (
                select string_agg(format('pigou rates add --tenant %s --provider %s --model %s --commodity %s%s --usd PRICE',
                                         quote_literal(t.tenant), quote_literal(coalesce(k.rate_provider, 'unknown')),
                                         quote_literal(coalesce(k.rate_model, k.model, 'unknown')), m.commodity,
                                         case when k.service_tier <> 'standard' then ' --tier ' || quote_literal(k.service_tier) else '' end),
                                  '; ' order by m.position)
                  from regexp_split_to_table(substring(k.reason from '^no rate for (.*)$'), ', ') with ordinality m (commodity, position))
           else 'correct the instrumentation (' || k.dialect || '): ' || coalesce(k.reason, 'usage could not be read')
       end as mend
  from (select tenant_id, key_id, sum(calls) as calls,
               case when sum(tokens_known) > 0 then sum(tokens)::bigint end as tokens,
               min(hour) as first_at, max(hour) as last_at
          from pigou.suspense_hour where calls > 0 group by tenant_id, key_id) w
  join pigou.suspense_key k on k.tenant_id = w.tenant_id and k.key_id = w.key_id
  join pigou.tenant t on t.tenant_id = w.tenant_id;

create or replace view ledger.control_totals as
select t.tenant, encode(k.trace_id, 'hex') as trace_id, encode(k.span_id, 'hex') as span_id, k.started_at, k.name, k.dialect,
       k.input_tokens, k.booked_input_tokens, k.output_tokens, k.booked_output_tokens, k.cost_usd, k.booked_cost_usd, k.booked_calls,
       k.booked_input_tokens - k.input_tokens as input_difference,
       k.booked_output_tokens - k.output_tokens as output_difference,
       k.status, k.checked_at,
       case when k.booked_cost_is_whole then k.booked_cost_usd - k.cost_usd end as cost_difference_usd
  from pigou.control_total k join pigou.tenant t using (tenant_id);

-- How many of them there are of each status, by hour.
create or replace view ledger.control_totals_hourly as
select t.tenant, k.hour, k.status, k.parents
  from pigou.control_hour k join pigou.tenant t using (tenant_id)
 where k.parents > 0;

-- What senders say that booked calls cost, beside what the books charge for the same calls, by day (UTC) they began in.
create or replace view ledger.claims_daily as
select t.tenant, c.day, c.dialect, nullif(c.provider, '') as provider, nullif(c.model, '') as model, c.calls, c.differing_calls,
       c.claimed_usd, c.cost_usd, c.claimed_usd - c.cost_usd as difference_usd
  from pigou.claim_day c join pigou.tenant t using (tenant_id)
 where c.calls > 0;

-- How much of the tokens is classified explicitly, by inference, or not at all.
create or replace view ledger.coverage as
select t.tenant, d.dimension, d.source, sum(c.calls) as calls, sum(c.tokens)::bigint as tokens,
       case when sum(c.cost_known) > 0 then sum(c.cost_usd) end as cost_usd
  from pigou.coverage_day c join pigou.tenant t using (tenant_id)
  cross join lateral (values ('layer', c.layer_source), ('use', c.use_source)) d (dimension, source)
 where c.calls > 0
 group by t.tenant, d.dimension, d.source;

create or replace view ledger.ingest as
select t.tenant, i.minute, i.signal, sum(i.requests)::bigint as requests, sum(i.records)::bigint as records,
       sum(i.duplicates)::bigint as duplicates, sum(i.rejected)::bigint as rejected, sum(i.conflicts)::bigint as conflicts,
       sum(i.bytes)::bigint as bytes
  from pigou.ingest_minute i join pigou.tenant t using (tenant_id)
 group by t.tenant, i.minute, i.signal;

-- The same by hour, kept for as long as the books.
create or replace view ledger.ingest_hourly as
select t.tenant, i.hour, i.signal, i.requests, i.records, i.duplicates, i.rejected, i.conflicts, i.bytes, i.last_minute
  from pigou.ingest_hour i join pigou.tenant t using (tenant_id);

create or replace view ledger.rejections as
select t.tenant, j.recorded_at, j.signal, j.stage, j.code, j.detail
  from pigou.rejection j join pigou.tenant t using (tenant_id);

-- How many there were by hour and reason, with the last one's detail; kept for as long as the books.
create or replace view ledger.rejections_hourly as
select t.tenant, j.hour, j.signal, j.stage, j.code, j.records, j.last_at, j.example
  from pigou.rejection_hour j join pigou.tenant t using (tenant_id);

create or replace view ledger.conflicts as
select t.tenant, encode(x.trace_id, 'hex') as trace_id, encode(x.span_id, 'hex') as span_id, x.recorded_at, x.record
  from pigou.conflict x join pigou.tenant t using (tenant_id);

-- Calls of one trace that look like copies of each other but share no strong identity: same model and tokens, overlapping in time.
-- Found by the clock in the traces that were touched.
create or replace view ledger.weak_matches as
select t.tenant, encode(w.trace_id, 'hex') as trace_id, encode(w.span_id, 'hex') as span_id,
       encode(w.other_span_id, 'hex') as other_span_id, w.model, w.input_tokens, w.output_tokens
  from pigou.weak_match w join pigou.tenant t using (tenant_id);

create or replace view ledger.metric_points as
select t.tenant, m.name, m.at, m.unit, m.kind, m.value, m.detail, m.attributes, s.attributes as resource_attributes
  from pigou.metric_point m join pigou.tenant t using (tenant_id)
  left join pigou.resource s on s.tenant_id = m.tenant_id and s.resource_id = m.resource_id;

-- How far books are closed, and who closed or reopened them last.
create or replace view ledger.periods as
select t.tenant, t.closed_through, e.event, e.at, e.who, e.note
  from pigou.tenant t
  left join lateral (select * from pigou.period_event x where x.tenant_id = t.tenant_id order by x.event_id desc limit 1) e on true;

create or replace view ledger.period_events as
select t.tenant, e.event_id, e.at, e.event, e.closed_through, e.who, e.note
  from pigou.period_event e join pigou.tenant t using (tenant_id);

create or replace view ledger.use_rules as
select case when u.tenant_id = 0 then null else t.tenant end as tenant, u.ordinal, u.field, u.pattern, u.layer, u.use, u.action_class
  from pigou.use_rule u left join pigou.tenant t using (tenant_id);

-- How much of what is usually spent between two times is spent by `at`: by a tenant's spend in each hour of the week, over the whole
-- weeks before, five at most. Null when fewer than two are known, or over more than ten weeks, in which weeks even out.
create or replace function ledger.usual_share(of_tenant text, since timestamptz, at timestamptz, until timestamptz) returns numeric
language sql stable parallel safe as $$
    with known as (
        select least(5, floor(extract(epoch from date_trunc('hour', at, 'UTC') - min(e.first_hour)) / 604800)::integer) as weeks
          from ledger.extent e where e.tenant = of_tenant
    ),
    profile as (
        select (extract(epoch from h.hour) / 3600)::bigint % 168 as slot, sum(h.cost_usd) as usd
          from known k
          join ledger.spend_hourly h
            on h.tenant = of_tenant and h.hour < date_trunc('hour', at, 'UTC')
           and h.hour >= date_trunc('hour', at, 'UTC') - k.weeks * interval '7 days'
         where k.weeks >= 2 and until - since <= interval '70 days'
         group by 1
    ),
    hours as (                                                -- no hour is without weight: a tenth of it is spread evenly
        select p.hour, coalesce(s.usd, 0) + 0.1 * (select sum(usd) from profile) / 168 as usd
          from generate_series(date_trunc('hour', since, 'UTC'), until - interval '1 microsecond', '1 hour') p (hour)
          left join profile s on s.slot = (extract(epoch from p.hour) / 3600)::bigint % 168
         where exists (select from profile where usd > 0)
    ),
    parts as (
        select usd * extract(epoch from least(hour + interval '1 hour', until) - greatest(hour, since)) as usd,
               usd * greatest(0, extract(epoch from least(hour + interval '1 hour', until, at) - greatest(hour, since))) as spent_usd
          from hours
    )
    select sum(spent_usd) / nullif(sum(usd), 0) from parts
$$;

-- Every budget in force, and where it stands in the period that holds now. pace and forecast_usd are a simple run rate; usual_forecast_usd
-- knows the hours of the week.
create or replace view ledger.budgets as
select t.tenant, b.budget, b.revision, b.period, b.time_zone, b.layer, b.use, b.agent, b.model, b.task_class,
       b.period_from, b.period_until, b.amount_usd, b.spent_usd, b.held_usd, b.amount_usd - b.spent_usd - b.held_usd as left_usd,
       b.calls, b.unpriced_calls, b.suspense_calls,
       round(b.spent_usd / b.amount_usd, 6) as spent_share, round(e.elapsed_share, 6) as elapsed_share,
       round(b.spent_usd / b.amount_usd / nullif(e.elapsed_share, 0), 6) as pace,
       round(b.spent_usd / nullif(e.elapsed_share, 0), 12) as forecast_usd,
       lower(b.valid) as valid_from, upper(b.valid) as valid_until,
       round(u.share, 6) as usual_share, round(b.spent_usd / nullif(u.share, 0), 12) as usual_forecast_usd
  from pigou.budgets_at(now()) b
  join pigou.tenant t using (tenant_id)
 cross join lateral (select extract(epoch from now() - b.period_from) / extract(epoch from b.period_until - b.period_from)
                            as elapsed_share) e
 cross join lateral (select ledger.usual_share(t.tenant, b.period_from, now(), b.period_until) as share) u;

-- What was spent in each period, by revision: a later revision leaves what was reported of an earlier one as it was.
create or replace view ledger.budget_periods as
select t.tenant, s.budget, s.revision, b.period, b.time_zone, b.layer, b.use, b.agent, b.model, b.task_class, s.period_from,
       pigou.period_end(b.period, s.period_from, b.time_zone, b.valid) as period_until,
       b.amount_usd, s.spent_usd, s.calls, s.unpriced_calls, s.suspense_calls, b.source, b.recorded_at
  from pigou.budget_spend s
  join pigou.budget b on b.tenant_id = s.tenant_id and b.budget = s.budget and b.revision = s.revision
  join pigou.tenant t on t.tenant_id = s.tenant_id;

create or replace view ledger.budget_holds as
select t.tenant, h.budget, h.hold_id, h.amount_usd, h.held_at, h.expires_at,
       case when h.state = 'held' and h.expires_at <= now() then 'expired' else h.state end as state, h.ended_at,
       encode(coalesce(o.trace_id, h.call_trace_id), 'hex') as trace_id, encode(coalesce(o.span_id, h.call_span_id), 'hex') as span_id,
       coalesce(o.cost_usd, c.cost_usd) as cost_usd
  from pigou.budget_hold h
  join pigou.tenant t using (tenant_id)
  left join pigou.call c on c.tenant_id = h.tenant_id and c.trace_id = h.call_trace_id and c.span_id = h.call_span_id
  left join pigou.call o                                     -- another record of the call took its place since
    on c.status = 'duplicate' and o.tenant_id = c.tenant_id and o.trace_id = c.copy_of_trace_id and o.span_id = c.copy_of_span_id;

-- Alerts, resolved ones too. quiet_since: right again since then, and not yet for long enough to be resolved.
create or replace view ledger.alerts as
select t.tenant, a.alert_id, a.rule, a.subject, a.state, a.opened_at, a.last_seen_at, a.quiet_since, a.resolved_at, a.muted_until,
       a.notified_at, a.notifications, a.evaluations, a.value, a.threshold, a.message, a.mend, a.former_alert_id, a.severity, a.told_value,
       case when a.rule = 'misallocation' then split_part(a.subject, ': ', 1) end as mode   -- of a finding's alert
  from pigou.alert a join pigou.tenant t using (tenant_id);

create or replace view ledger.alert_events as
select t.tenant, e.alert_id, e.event_id, e.at, a.rule, a.subject, e.event, e.is_to_be_told, e.who, e.note, e.value
  from pigou.alert_event e
  join pigou.alert a on a.tenant_id = e.tenant_id and a.alert_id = e.alert_id
  join pigou.tenant t on t.tenant_id = e.tenant_id;

-- Thresholds with their history; of one tenant and rule the highest revision is in force.
create or replace view ledger.alert_rules as
select case when r.tenant_id = 0 then null else t.tenant end as tenant,   -- null: for all who have none of their own
       r.rule, r.revision, r.open_at, r.close_at, r.evidence_min, r.open_evaluations, r.open_for, r.close_evaluations, r.close_for,
       r.stay_for, r.renotify_every, r.is_on, r.source, r.recorded_at, r.severity, r.grown_by, r.is_withdrawn,
       not r.is_withdrawn and r.revision = max(r.revision) over (partition by r.tenant_id, r.rule) as is_in_force
  from pigou.alert_rule r left join pigou.tenant t using (tenant_id);

-- Settled traces: what each was worth, cost, and how long it took. value_usd is V; net_usd is eq. 1 for what was done, V·Q − C − λ·L − ρ·R,
-- null while a term of it is unknown, which `unknown` names. A term is nought without a price when there is nothing to price.
create or replace view ledger.tasks as
select t.tenant, encode(k.trace_id, 'hex') as trace_id, k.task_class, k.started_at, k.settled_at, k.value_usd, k.quality, k.outcome_source,
       k.cost_usd, k.latency_s, k.risk_usd,
       round(n.earned_usd - k.cost_usd - n.latency_usd - n.provision_usd, 12) as net_usd,
       n.earned_usd, n.latency_usd, n.provision_usd, k.loss_usd,
       array_remove(array[case when k.value_usd is null and n.earned_usd is null then 'value_usd' end, case when k.quality is null then 'quality' end,
                          case when k.cost_usd is null then 'cost_usd' end,
                          case when n.latency_usd is null then 'lambda_usd_per_s' end,
                          case when k.risk_usd is null then 'risk_usd' when n.provision_usd is null then 'rho' end], null) as unknown,
       k.lambda_usd_per_s, k.rho, k.price_source, k.value_source, k.deadline_s, k.deadline_source, k.late_s, k.class_source, k.agent,
       k.root_name, k.conversation_id, encode(k.root_span_id, 'hex') as root_span_id, k.ended_at, k.settled_by, k.revision, k.calls,
       k.unpriced_calls, k.spans, k.problems, k.outcome_id, k.entry_id
  from pigou.task k
  join pigou.tenant t using (tenant_id)
 cross join lateral (
       select case when k.quality = 0 then 0 else round(k.value_usd * k.quality::numeric, 12) end as earned_usd,
              case when k.latency_s = 0 then 0 else round(k.lambda_usd_per_s * k.latency_s::numeric, 12) end as latency_usd,
              case when k.risk_usd = 0 then 0 else round(k.rho * k.risk_usd, 12) end as provision_usd) n;

-- Tasks summed by the day (UTC) that they began on. well_usd and wrong_usd split their cost by quality; a task that is half a success counts half.
create or replace view ledger.tasks_daily as
select t.tenant, d.day, d.place[1] as task_class, d.place[2] as agent, d.tasks, d.with_outcome, d.with_value,
       d.net_known as with_net, case when d.net_known > 0 then d.net_usd end as net_usd,
       case when d.net_known > 0 then d.earned_usd end as earned_usd, case when d.net_known > 0 then d.cost_usd end as cost_usd,
       case when d.net_known > 0 then d.latency_usd end as latency_usd, case when d.net_known > 0 then d.provision_usd end as provision_usd,
       case when d.went_known > 0 then d.well_usd end as well_usd, case when d.went_known > 0 then d.wrong_usd end as wrong_usd,
       case when d.unknown_known > 0 then d.unknown_usd end as unknown_usd
  from pigou.task_day d join pigou.tenant t using (tenant_id)
 where d.tasks > 0;

-- The same of single tasks, for the hours of a time that begins or ends within a day.
create or replace function ledger.tasks_within(since timestamptz, until timestamptz) returns setof ledger.tasks_daily
language sql stable security definer set search_path = pigou, pg_temp as $$
    select k.tenant, (k.started_at at time zone 'UTC')::date, k.task_class, k.agent, 1, (k.quality is not null)::integer,
           (k.value_usd is not null)::integer, (k.net_usd is not null)::integer, k.net_usd,
           case when k.net_usd is not null then k.earned_usd end, case when k.net_usd is not null then k.cost_usd end,
           case when k.net_usd is not null then k.latency_usd end, case when k.net_usd is not null then k.provision_usd end,
           k.cost_usd * k.quality::numeric,
           k.cost_usd * (1 - k.quality::numeric), case when k.quality is null then k.cost_usd end
      from tenant t
      join ledger.tasks k on k.tenant = t.tenant and k.started_at >= since and k.started_at < until
     where since < until
$$;

-- As ledger.decided_through, of when tasks began.
create or replace function ledger.begun_through(until timestamptz) returns date
language sql stable security definer set search_path = pigou, pg_temp as $$
    select d.day + (until > d.day::timestamp at time zone 'UTC' and not exists (
                        select from tenant t
                         where exists (select from task k
                                        where k.tenant_id = t.tenant_id and k.started_at >= until
                                          and k.started_at < (d.day + 1)::timestamp at time zone 'UTC')))::integer
      from (select (until at time zone 'UTC')::date as day) d
$$;

-- Tasks that began between two times on whole hours: whole days from the days' sums, the rest one by one.
create or replace function ledger.tasks_between(since timestamptz, until timestamptz) returns setof ledger.tasks_daily
language sql stable as $$
    select * from ledger.tasks_daily
     where day >= (date_trunc('day', since + interval '1 day' - interval '1 microsecond', 'UTC') at time zone 'UTC')::date
       and day < (date_trunc('day', until + interval '1 day' - interval '1 microsecond', 'UTC') at time zone 'UTC')::date
       and day < (select ledger.begun_through(until))
    union all
    select * from ledger.tasks_within(since, least(date_trunc('day', since + interval '1 day' - interval '1 microsecond', 'UTC'), until))
    union all
    select * from ledger.tasks_within(greatest(date_trunc('day', since + interval '1 day' - interval '1 microsecond', 'UTC'),
                                               (select ledger.begun_through(until))::timestamp at time zone 'UTC'), until)
$$;

-- The tasks of one trace, found by its id through the index: whose, and when they began.
create or replace function ledger.trace_tasks(trace_id text) returns table (tenant text, started_at timestamptz)
language sql stable security definer rows 1 set search_path = pigou, pg_temp as $$
    select t.tenant, k.started_at
      from tenant t
      join task k on k.tenant_id = t.tenant_id
           and k.trace_id = case when trace_tasks.trace_id ~ '^([0-9a-fA-F]{2})+$' then decode(trace_tasks.trace_id, 'hex') end
$$;

-- What was said of how tasks went. status: counts (the task's quality is this one's), kept (another counts, or it tells a loss),
-- early (its trace is not settled yet), waiting (its trace is not known yet).
create or replace view ledger.outcomes as
select t.tenant, encode(o.trace_id, 'hex') as trace_id, encode(o.span_id, 'hex') as span_id, o.source, o.name, o.quality, o.loss_usd,
       o.occurred_at, o.recorded_at,
       case when k.outcome_id = o.outcome_id then 'counts' when k.trace_id is null then 'early' else 'kept' end as status,
       o.detail, o.outcome_id
  from pigou.outcome o
  join pigou.tenant t using (tenant_id)
  left join pigou.task k on k.tenant_id = o.tenant_id and k.trace_id = o.trace_id
union all
select t.tenant, null, null, w.source, w.name, w.quality, w.loss_usd, w.occurred_at, w.recorded_at, 'waiting',
       w.detail || jsonb_build_object(w.subject, w.subject_id), w.outcome_id
  from pigou.outcome_waiting w join pigou.tenant t using (tenant_id);

-- What is stated of V, λ, ρ, deadlines and outcomes by task class, with its history; of one tenant and class the highest revision
-- that is valid at a time holds.
create or replace view ledger.price_policies as
select case when p.tenant_id = 0 then null else t.tenant end as tenant,   -- null: for all tenants
       p.task_class, p.revision, lower(p.valid) as valid_from, upper(p.valid) as valid_until, p.v_usd, p.lambda_usd_per_s, p.rho,
       p.deadline_s, p.grace_s, p.outcome_sources, p.source, p.recorded_at, p.lambda_is_dual, p.rho_is_dual
  from pigou.price_policy p left join pigou.tenant t using (tenant_id);

create or replace view ledger.task_class_rules as
select case when r.tenant_id = 0 then null else t.tenant end as tenant,   -- null: for all tenants
       r.ordinal, r.field, r.pattern, r.task_class, r.recorded_at
  from pigou.task_class_rule r left join pigou.tenant t using (tenant_id);

-- What was decided, and what is thought of it. Terms are of eq. 1, the best option's less the chosen one's: what the best would have
-- changed. status is null until it is appraised; best and the terms are null where the best option is not known.
create or replace view ledger.decisions as
select t.tenant, d.decision_id, encode(d.trace_id, 'hex') as trace_id, encode(d.span_id, 'hex') as span_id, d.decided_at, d.layer, d.kind,
       d.task_class, d.options[d.chosen] as chosen, d.options[a.best] as best, d.propensity,
       (a.option_value[a.best] - a.option_value[d.chosen])::numeric as value_usd,
       (a.option_cost[a.best] - a.option_cost[d.chosen])::numeric as cost_usd,
       (a.option_latency[a.best] - a.option_latency[d.chosen])::numeric as latency_usd,
       (a.option_risk[a.best] - a.option_risk[d.chosen])::numeric as risk_usd,
       (a.option_net[a.best] - a.option_net[d.chosen])::numeric as net_usd,
       a.regret_usd, a.regret_low_usd, a.regret_high_usd, c.method, s.n, a.status,
       d.agent, s.value_band, s.label as segment, s.why, a.pull::numeric as pull_usd, d.options, d.assignment, d.own_cost_usd,
       (select jsonb_object_agg(x.feature, x.value) from unnest(d.feature_names, d.features) x (feature, value)) as context,
       d.provenance, d.derived_at, c.appraised_at, a.run_id, d.comparison, a.segment as segment_number
  from pigou.decision d
  join pigou.tenant t using (tenant_id)
  left join pigou.appraisal a on a.tenant_id = d.tenant_id and a.decision_id = d.decision_id and a.decided_at = d.decided_at
  left join pigou.comparison c on c.tenant_id = a.tenant_id and c.comparison = a.comparison
  left join pigou.segment s on s.tenant_id = a.tenant_id and s.comparison = a.comparison and s.segment = a.segment;

-- The decisions of one trace, found by its id through the index.
create or replace function ledger.trace_decisions(trace_id text) returns table (decision_id uuid, decided_at timestamptz, kind text)
language sql stable security definer set search_path = pigou, pg_temp as $$
    select d.decision_id, d.decided_at, d.kind
      from tenant t
      join decision d on d.tenant_id = t.tenant_id
           and d.trace_id = case when trace_decisions.trace_id ~ '^([0-9a-fA-F]{2})+$' then decode(trace_decisions.trace_id, 'hex') end
     order by d.decided_at, d.kind
$$;

-- Decisions summed by day (UTC), with what is thought of them. usd is regret that stands: where a decision's interval excludes zero, and its
-- segment's does although many were looked at; 0 where it was judged and that is not so, null where it could not be judged. Terms of eq. 1 are
-- summed over `standing` decisions only. Steps of eq. 2 are those from the next cheaper option to the chosen one (last_…) and from there to the
-- next dearer one (next_…): what they cost, that with what they brought net, the net's error, and the cost of those whose net is known.
create or replace view ledger.regret_daily as
select t.tenant, r.day, k.layer, k.kind, k.task_class, k.agent, k.chosen, k.best, s.value_band, k.status, s.why, s.needs_outcomes, s.needs_exploration,
       r.decisions, r.clear, r.regret_usd, case when c.stands then r.clear else 0 end as standing,
       case when k.status = 'appraised' then case when c.stands then coalesce(r.regret_usd, 0) else 0 end end as usd,
       case when k.status = 'appraised' then case when c.stands then coalesce(r.below_usd, 0) else 0 end end as below_usd,
       case when k.status = 'appraised' then case when c.stands then coalesce(r.above_usd, 0) else 0 end end as above_usd,
       case when c.stands then r.value_usd end as value_usd, case when c.stands then r.cost_usd end as cost_usd,
       case when c.stands then r.latency_usd end as latency_usd, case when c.stands then r.risk_usd end as risk_usd,
       k.cheaper, r.last_cost_usd, r.last_worth_usd, r.last_error_usd, r.last_judged_usd,
       k.dearer, r.next_cost_usd, r.next_worth_usd, r.next_error_usd, r.next_judged_usd
  from pigou.regret_day r
  join pigou.regret_key k on k.tenant_id = r.tenant_id and k.key_id = r.key_id
  join pigou.tenant t on t.tenant_id = r.tenant_id
  left join pigou.segment s on s.tenant_id = k.tenant_id and s.comparison = k.comparison and s.segment = k.segment
 cross join lateral (select coalesce(k.status = 'appraised' and s.is_discovery, false) as stands) c;

-- The same of single decisions, for the hours of a time that begins or ends within a day.
create or replace function ledger.regret_within(since timestamptz, until timestamptz) returns setof ledger.regret_daily
language sql stable security definer set search_path = pigou, pg_temp as $$
    select t.tenant, j.day, j.layer, j.kind, j.task_class, j.agent, j.chosen, j.best, s.value_band, j.status, s.why, s.needs_outcomes, s.needs_exploration,
           1, j.is_clear::integer, j.regret_usd, (c.stands and j.is_clear)::integer,
           case when j.status = 'appraised' then case when c.stands then coalesce(j.regret_usd, 0) else 0 end end,
           case when j.status = 'appraised' then case when c.stands then coalesce(j.below_usd, 0) else 0 end end,
           case when j.status = 'appraised' then case when c.stands then coalesce(j.above_usd, 0) else 0 end end,
           case when c.stands then j.value_usd end, case when c.stands then j.cost_usd end, case when c.stands then j.latency_usd end,
           case when c.stands then j.risk_usd end,
           j.cheaper, j.last_cost_usd, j.last_worth_usd, j.last_error_usd, j.last_judged_usd,
           j.dearer, j.next_cost_usd, j.next_worth_usd, j.next_error_usd, j.next_judged_usd
      from judged(since, until, since, until) j
      join tenant t on t.tenant_id = j.tenant_id
      left join segment s on s.tenant_id = j.tenant_id and s.comparison = j.comparison and s.segment = j.segment
     cross join lateral (select coalesce(j.status = 'appraised' and s.is_discovery, false) as stands) c
     where since < until
$$;

-- Through which day the sums by day hold what was decided before a time, and nothing that came after it: as a rule that is the day which is
-- running, of whose hours to come nothing is known. Answers the first day that they do not.
create or replace function ledger.decided_through(until timestamptz) returns date
language sql stable security definer set search_path = pigou, pg_temp as $$
    select d.day + (until > d.day::timestamp at time zone 'UTC' and not exists (
                        select from tenant t
                         where exists (select from decision x
                                        where x.tenant_id = t.tenant_id and x.decided_at >= until
                                          and x.decided_at < (d.day + 1)::timestamp at time zone 'UTC')))::integer
      from (select (until at time zone 'UTC')::date as day) d
$$;

-- What was decided between two times on whole hours, and what is thought of it: whole days from the days' sums, the rest one by one.
-- A plain function, so that PostgreSQL puts its body into the query that calls it.
create or replace function ledger.regret(since timestamptz, until timestamptz) returns setof ledger.regret_daily
language sql stable as $$
    select * from ledger.regret_daily
     where day >= (date_trunc('day', since + interval '1 day' - interval '1 microsecond', 'UTC') at time zone 'UTC')::date
       and day < (date_trunc('day', until + interval '1 day' - interval '1 microsecond', 'UTC') at time zone 'UTC')::date   -- the planner knows it
       and day < (select ledger.decided_through(until))
    union all
    select * from ledger.regret_within(since, least(date_trunc('day', since + interval '1 day' - interval '1 microsecond', 'UTC'), until))
    union all
    select * from ledger.regret_within(greatest(date_trunc('day', since + interval '1 day' - interval '1 microsecond', 'UTC'),
                                                (select ledger.decided_through(until))::timestamp at time zone 'UTC'), until)
$$;

-- Whether a value is among those asked for: null asks for all, and null among them for what is not known.
create or replace function ledger.is_among(value text, asked text[]) returns boolean
language sql immutable parallel safe as $$
    select asked is null or coalesce(value = any (asked), false) or value is null and array_position(asked, null) is not null
$$;

-- The decisions of a time that lost most, as many as asked for and those only that lost anything: which they are. Found through an index on
-- what was lost, and looked at one by one until there are enough; the arrays are as for ledger.is_among.
create or replace function ledger.decisions_lost(
    since timestamptz, until timestamptz, as_many bigint,
    tenants text[], layers text[], kinds text[], task_classes text[], agents text[], chosens text[], statuses text[])
returns table (tenant text, decision_id uuid, decided_at timestamptz)
language sql stable security definer set search_path = pigou, pg_temp as $$
    select t.tenant, a.decision_id, a.decided_at
      from appraisal a
     cross join lateral (
           select t.tenant from tenant t where t.tenant_id = a.tenant_id and ledger.is_among(t.tenant, tenants) offset 0) t
     cross join lateral (
           select from decision d
            where d.tenant_id = a.tenant_id and d.decision_id = a.decision_id and d.decided_at = a.decided_at
              and ledger.is_among(d.layer, layers) and ledger.is_among(d.kind, kinds) and ledger.is_among(d.task_class, task_classes)
              and ledger.is_among(d.agent, agents) and ledger.is_among(d.options[d.chosen], chosens) offset 0) d
     where a.regret_usd > 0 and a.decided_at >= since and a.decided_at < until and ledger.is_among(a.status, statuses)
     order by a.regret_usd desc, a.decision_id
     limit as_many
$$;

-- The decisions of one kind and class of tasks, chosen alike, closest in time to one of them: some on either side, within two days.
create or replace function ledger.decisions_near(of_decision uuid, on_each_side integer)
returns table (tenant text, decision_id uuid, decided_at timestamptz, away_s double precision)
language sql stable security definer rows 10 set search_path = pigou, pg_temp as $$
    select t.tenant, n.decision_id, n.decided_at, abs(extract(epoch from n.decided_at - d.decided_at))::double precision
      from decision d
      join tenant t on t.tenant_id = d.tenant_id
     cross join lateral (
           (select b.decision_id, b.decided_at from decision b
             where b.tenant_id = d.tenant_id and b.kind = d.kind and b.task_class is not distinct from d.task_class
               and b.options[b.chosen] = d.options[d.chosen] and b.decision_id <> d.decision_id
               and b.decided_at < d.decided_at and b.decided_at >= d.decided_at - interval '2 days'
             order by b.decided_at desc, b.decision_id limit on_each_side)
            union all
           (select a.decision_id, a.decided_at from decision a
             where a.tenant_id = d.tenant_id and a.kind = d.kind and a.task_class is not distinct from d.task_class
               and a.options[a.chosen] = d.options[d.chosen] and a.decision_id <> d.decision_id
               and a.decided_at >= d.decided_at and a.decided_at <= d.decided_at + interval '2 days'
             order by a.decided_at, a.decision_id limit on_each_side)) n
     where d.decision_id = of_decision
$$;

-- The decisions of one kind of a time, found through the comparisons of that kind.
create or replace function ledger.decisions_of(of_kind text, since timestamptz, until timestamptz)
returns table (tenant text, decision_id uuid, decided_at timestamptz)
language sql stable security definer set search_path = pigou, pg_temp as $$
    select t.tenant, d.decision_id, d.decided_at
      from comparison c
      join tenant t on t.tenant_id = c.tenant_id
     cross join lateral (select d.decision_id, d.decided_at from decision d
                          where d.tenant_id = c.tenant_id and d.comparison = c.comparison and d.decided_at >= since and d.decided_at < until) d
     where c.kind = of_kind
$$;

-- The options of decisions, each with its terms of eq. 1. error_usd is the standard error of its net against the chosen one's, and
-- …_error_usd are those of its terms: what is not known per unit of price, at the task's prices.
create or replace view ledger.decision_options as
select t.tenant, d.decision_id, encode(d.trace_id, 'hex') as trace_id, d.decided_at, d.kind, d.task_class, o.place::integer as place, o.option,
       o.place = d.chosen as is_chosen, o.place = a.best as is_best,
       coalesce(d.propensities[o.place], case when o.place = d.chosen then d.propensity end) as propensity,
       d.predicted_quality[o.place] as predicted_quality,
       a.option_value[o.place]::numeric as value_usd, a.option_cost[o.place]::numeric as cost_usd,
       a.option_latency[o.place]::numeric as latency_usd, a.option_risk[o.place]::numeric as risk_usd,
       a.option_net[o.place]::numeric as net_usd, a.option_error[o.place]::numeric as error_usd, a.status,
       abs(k.value_usd) * (s.option_errors->'quality'->>(o.place::integer - 1))::numeric as value_error_usd,
       (s.option_errors->'cost'->>(o.place::integer - 1))::numeric as cost_error_usd,
       k.lambda_usd_per_s * (s.option_errors->'latency'->>(o.place::integer - 1))::numeric as latency_error_usd,
       k.rho * (s.option_errors->'risk'->>(o.place::integer - 1))::numeric as risk_error_usd
  from pigou.decision d
  join pigou.tenant t using (tenant_id)
 cross join lateral unnest(d.options) with ordinality o (option, place)
  left join pigou.appraisal a on a.tenant_id = d.tenant_id and a.decision_id = d.decision_id and a.decided_at = d.decided_at
  left join pigou.segment s on s.tenant_id = a.tenant_id and s.comparison = a.comparison and s.segment = a.segment
  left join pigou.task k on k.tenant_id = d.tenant_id and k.trace_id = d.trace_id;

-- What was lost, by what was chosen on tasks of one class and value. The interval is the estimator's, of the sum. needs_… say what would
-- settle it; is_discovery, whether it stands although many segments were looked at.
create or replace view ledger.segments as
select t.tenant, c.layer, c.kind, c.task_class, s.chosen, s.value_band, s.n, s.regret_usd, s.regret_low_usd, s.regret_high_usd, s.status,
       s.best, s.is_discovery, s.adjusted_p, s.why, s.needs_outcomes, s.needs_exploration, s.materiality_usd, s.tasks,
       s.standard_error::numeric as error_usd, (s.changes->>'quality')::numeric as value_usd, -(s.changes->>'cost')::numeric as cost_usd,
       -(s.changes->>'latency')::numeric as latency_usd, -(s.changes->>'risk')::numeric as risk_usd,
       s.downstream_usd, s.downstream_low_usd, s.downstream_high_usd, s.value_low_usd, s.value_high_usd, s.label as segment,
       c.assignment, c.options, c.method, c.appraised_at, c.run_id, c.comparison, s.segment as segment_number,
       (s.change_errors->>'quality')::numeric as value_error_usd, (s.change_errors->>'cost')::numeric as cost_error_usd,
       (s.change_errors->>'latency')::numeric as latency_error_usd, (s.change_errors->>'risk')::numeric as risk_error_usd,
       s.pooled_usd, s.pooled_low_usd, s.pooled_high_usd, s.pooled_own, s.pooled_segments, s.pooled_sets
  from pigou.segment s
  join pigou.comparison c on c.tenant_id = s.tenant_id and c.comparison = s.comparison
  join pigou.tenant t on t.tenant_id = s.tenant_id;

-- How much later the median and the 95th percentile of the tasks' seconds would come had one option always been chosen instead of the
-- one that was chosen most, over all decisions of a comparison. The interval is of this row alone; is_discovery, whether it stands
-- although many were looked at.
create or replace view ledger.latency_effects as
select t.tenant, c.layer, c.kind, c.task_class, l.option, l.base, l.share, l.base_s, l.later_s, l.later_low_s, l.later_high_s, l.n, l.tasks,
       l.status, nullif(l.why, '') as why, l.needs_outcomes, l.needs_exploration, l.is_discovery, l.adjusted_p, c.assignment, c.options,
       c.method, c.appraised_at, c.comparison
  from pigou.latency_effect l
  join pigou.comparison c on c.tenant_id = l.tenant_id and c.comparison = l.comparison
  join pigou.tenant t on t.tenant_id = l.tenant_id;

-- The same by use: mean over the comparisons of a kind that offer the same two options, weighted by their decisions; their tasks are others,
-- so that the distances of limits add up as squares. The base is the one of the two that is so in sets of more decisions. n: decisions of
-- the sets that have a number, of decisions in all.
create or replace view ledger.latency_by_use as
select tenant, layer, kind, option, base, share, count(later_s) as sets, count(*) as of_sets,
       coalesce(sum(n) filter (where later_s is not null), 0)::bigint as n, sum(n)::bigint as decisions,
       sum(n * base_s) / sum(n) filter (where later_s is not null) as base_s,
       sum(n * later_s) / sum(n) filter (where later_s is not null) as later_s,
       sum(n * later_s) / sum(n) filter (where later_s is not null)
       - sqrt(sum((n * below_s) ^ 2)) / sum(n) filter (where later_s is not null) as later_low_s,
       sum(n * later_s) / sum(n) filter (where later_s is not null)
       + sqrt(sum((n * above_s) ^ 2)) / sum(n) filter (where later_s is not null) as later_high_s,
       count(*) filter (where is_discovery) as standing
  from (select tenant, layer, kind, share, n, is_discovery,
               case when turns then base else option end as option, case when turns then option else base end as base,
               case when turns then base_s + later_s else base_s end as base_s, case when turns then -later_s else later_s end as later_s,
               case when turns then later_high_s - later_s else later_s - later_low_s end as below_s,
               case when turns then later_s - later_low_s else later_high_s - later_s end as above_s
          from (select e.*, (base = least(option, base))
                            <> (2 * coalesce(sum(n) filter (where base < option) over pair, 0) >= sum(n) over pair) as turns
                  from ledger.latency_effects e
                window pair as (partition by tenant, layer, kind, share, least(option, base), greatest(option, base))) as told) as turned
 group by tenant, layer, kind, option, base, share;

-- Another text whenever tasks were settled, decisions derived or appraised, or calls came of a further hour: while it is the same, so is what
-- ledger.regret and ledger.tasks_between answer. Cheap to ask.
create or replace function ledger.appraisal_version() returns text
language sql stable security definer set search_path = pigou, pg_temp as $$
    select concat_ws(' ', (select max(settled_at) from task),
                     (select string_agg(value, ' ' order by setting) from setting where setting ^@ 'decided_through:'),
                     (select string_agg(concat_ws(' ', r.run_id, r.ended_at, r.state), ' ' order by t.tenant_id)
                        from tenant t
                       cross join lateral (select x.* from appraisal_run x where x.tenant_id = t.tenant_id order by x.run_id desc limit 1) r),
                     (select string_agg(concat_ws(' ', e.first_hour, e.last_hour), ' ' order by e.tenant) from ledger.extent e))
$$;

create or replace view ledger.appraisal_runs as
select t.tenant, r.run_id, r.method, r.seed, r.since, r.until, r.started_at, r.ended_at, r.decisions, r.state
  from pigou.appraisal_run r join pigou.tenant t using (tenant_id);

-- How much of each use went into a task: the doses of eq. 8. Tools without tokens are not among them.
create or replace view ledger.doses as
select t.tenant, encode(k.trace_id, 'hex') as trace_id, k.task_class, k.agent, c.layer, c.use, count(*) as calls,
       sum(coalesce(c.total_input_tokens, c.input_tokens, 0) + coalesce(c.output_tokens, 0) + coalesce(c.reasoning_tokens, 0))::bigint as tokens,
       case when bool_and(c.cost_usd is not null) then sum(c.cost_usd) end as cost_usd, k.quality, k.started_at
  from pigou.task k
  join pigou.tenant t on t.tenant_id = k.tenant_id
  join pigou.call c on c.tenant_id = k.tenant_id and c.trace_id = k.trace_id and c.status <> 'duplicate'
 group by t.tenant, k.tenant_id, k.trace_id, k.task_class, k.agent, k.quality, k.started_at, c.layer, c.use;

-- How engines served requests, as their own spans tell it.
create or replace view ledger.serving as
select t.tenant, encode(r.trace_id, 'hex') as trace_id, encode(r.span_id, 'hex') as span_id, r.started_at, r.task_class,
       s.engine, c.model, s.queue_s::double precision as queue_s, s.prefill_s::double precision as prefill_s,
       s.decode_s::double precision as decode_s, s.kv_tokens::double precision as kv_tokens, s.batch::double precision as batch,
       s.drafted::double precision as spec_proposed, s.accepted::double precision as spec_accepted,
       coalesce(c.total_input_tokens, c.input_tokens) as prompt_tokens
  from pigou.record r
  join pigou.tenant t using (tenant_id)
  left join pigou.call c on c.tenant_id = r.tenant_id and c.trace_id = r.trace_id and c.span_id = r.span_id and c.started_at = r.started_at
 cross join lateral pigou.as_served(r.attributes, r.service) s
 where r.layer = 'supply' and r.role = 'call';

-- The same by hour, kept with the requests: sums over those that told the quantity, and how many these were.
create or replace view ledger.serving_hourly as
select t.tenant, h.hour, h.engine, nullif(h.task_class, '') as task_class, h.requests,
       h.queue_known, case when h.queue_known > 0 then h.queue_s end as queue_s, h.queue_max_s,
       h.prefill_known, case when h.prefill_known > 0 then h.prefill_s end as prefill_s,
       h.decode_known, case when h.decode_known > 0 then h.decode_s end as decode_s,
       h.kv_known, case when h.kv_known > 0 then h.kv_tokens end as kv_tokens,
       h.batch_known, case when h.batch_known > 0 then h.batch end as batch,
       h.drafts_known, case when h.drafts_known > 0 then h.drafted end as spec_proposed,
       case when h.drafts_known > 0 then h.accepted end as spec_accepted
  from pigou.serving_hour h
  join pigou.tenant t on t.tenant_id = h.tenant_id;

-- How many of those requests waited how long: from_s and longer, and less than below_s.
create or replace view ledger.queues_hourly as
select t.tenant, q.hour, q.engine, nullif(q.task_class, '') as task_class, e.from_s, e.below_s, q.requests
  from pigou.queue_hour q
  join pigou.tenant t on t.tenant_id = q.tenant_id
  join (select place - 1 as wait, edge as from_s, lead(edge) over (order by place) as below_s
          from unnest(0 || pigou.queue_edges()) with ordinality x (edge, place)) e on e.wait = q.wait;

-- Shadow prices of shared engines by hour: what one unit more would have cost others in delay, at their λ.
create or replace view ledger.engine_prices as
select t.tenant, p.engine, p.valid_from as hour,
       max(p.price) filter (where p.resource = 'prefill') as prefill_usd_per_token,
       max(p.price_low) filter (where p.resource = 'prefill') as prefill_low,
       max(p.price_high) filter (where p.resource = 'prefill') as prefill_high,
       max(p.price) filter (where p.resource = 'decode') as decode_usd_per_token,
       max(p.price_low) filter (where p.resource = 'decode') as decode_low,
       max(p.price_high) filter (where p.resource = 'decode') as decode_high,
       max(p.price) filter (where p.resource = 'kv') as kv_usd_per_token_s,
       max(p.price_low) filter (where p.resource = 'kv') as kv_low,
       max(p.price_high) filter (where p.resource = 'kv') as kv_high,
       max(p.probes) as n, max(p.source) as source
  from pigou.engine_price p join pigou.tenant t using (tenant_id)
 group by t.tenant, p.tenant_id, p.engine, p.valid_from;

-- Who delayed whom on a shared engine, by the day on which the victims came: a class of tasks of one tenant, and all that another (or the
-- same one, in its other classes) asked for.
create or replace view ledger.externalities as
select t.tenant, x.engine, x.day, x.task_class, v.tenant as victim, x.requests, x.delay_s, x.usd, x.usd_low, x.usd_high, x.unpriced_s,
       x.measured_at
  from pigou.externality x
  join pigou.tenant t using (tenant_id)
  join pigou.tenant v on v.tenant_id = x.victim_tenant_id
 where x.requests > 0;

-- What engines can do in a second, as it is stated, with its history; of an engine and unit the highest revision is in force.
create or replace view ledger.engine_capacities as
select c.engine, c.resource, c.per_s, c.revision, c.source, c.recorded_at,
       c.revision = max(c.revision) over (partition by c.engine, c.resource) as is_in_force
  from pigou.engine_capacity c;

-- The prices at which what tenants take of an engine fits its capacity, with what each takes at them and pays. For operators: it names tenants beside each other.
create or replace view ledger.clearing_prices as
select t.tenant, p.engine, p.resource, p.cleared_at, p.since, p.until, p.capacity_per_s, p.price as usd_per_unit, p.price_low as usd_low,
       p.price_high as usd_high, p.dual_low as dual_low_usd, p.dual_high as dual_high_usd, p.groped as groped_usd, p.agrees,
       nullif(p.why, '') as why, p.is_moved, p.was_per_s, p.free_per_s, p.takes_per_s, p.least_per_s, p.most_per_s, p.pays_usd_per_day,
       p.left_out, p.seed,
       p.cleared_at = max(p.cleared_at) over (partition by p.engine, p.resource)
       and exists (select from ledger.engine_capacities c
                    where c.engine = p.engine and c.resource = p.resource and c.is_in_force and c.per_s is not null) as is_in_force
  from pigou.clearing_price p join pigou.tenant t using (tenant_id);

-- What the next dollar of reading, planning, acting and verifying brings in each class of tasks (eq. 8 and 2).
create or replace view ledger.production as
select t.tenant, nullif(p.task_class, '') as task_class, p.use, p.tasks, p.usd_per_task, p.quality_per_dollar, p.quality_low, p.quality_high,
       p.net_per_usd, p.net_low, p.net_high, p.status, nullif(p.why, '') as why, p.assignment, p.complements, p.equal_p, p.form,
       nullif(p.settled_by, '') as settled_by, p.since, p.until, p.measured_at
  from pigou.production p
  join pigou.tenant t using (tenant_id);

-- What actions risk by their class, per task that did any, over four weeks: how often something was lost, what that costs on average and in
-- the worst twentieth, and ρ times what counts of the two. task_class '*': all of several.
create or replace view ledger.action_risks as
select t.tenant, r.action_class, nullif(r.task_class, '') as task_class, r.is_reversible, r.actions, r.tasks, r.told, r.incidents,
       r.rate, r.rate_low, r.rate_high, r.pooled_rate, r.pooled_low, r.pooled_high, r.loss_usd, r.loss_low_usd, r.loss_high_usd,
       r.tail_usd, r.tail_low_usd, r.tail_high_usd, r.is_tail, r.rho, r.risk_usd, r.risk_low_usd, r.risk_high_usd, r.worst_case_usd,
       r.stated_usd, r.status, nullif(r.why, '') as why, r.needs_outcomes, r.since, r.until, r.measured_at
  from pigou.action_risk r
  join pigou.tenant t using (tenant_id);

-- What the operator knows of how decisions are made.
create or replace view ledger.assignments as
select case when a.tenant_id = 0 then null else t.tenant end as tenant,   -- null: for all tenants
       a.kind, a.task_class, a.assignment, a.source, a.recorded_at
  from pigou.assignment a left join pigou.tenant t using (tenant_id);

-- The price vector with its history: prices that hold now have an open `valid`. Of a class without a row of its own those of the longest
-- prefix hold that matches it, and at last those of '*'. `constraint` and `slack` are of the tightest of its constraints.
create or replace view ledger.price_vector as
select t.tenant, p.task_class, p.v_usd, p.lambda_usd_per_s, p.rho, p.source, c.name as "constraint", c.slack,
       tstzrange(p.valid_from, p.valid_until) as valid,
       p.v_low_usd, p.v_high_usd, p.v_stated_usd, p.v_source, p.budget_worth, p.budget_worth_low, p.budget_worth_high,
       p.lambda_low, p.lambda_high, p.lambda_source, p.rho_low, p.rho_high, p.rho_source, p.constraints, p.why,
       p.revision, s.since, s.until, s.tasks, s.decisions, s.status, s.method, s.seed
  from (select v.*, lead(v.valid_from) over (partition by v.tenant_id, v.task_class order by v.revision) as valid_until
          from pigou.price_vector v) p
  join pigou.tenant t using (tenant_id)
  join pigou.price_solution s on s.tenant_id = p.tenant_id and s.solution_id = p.solution_id
  left join lateral (select k->>'name' as name, (k->>'slack')::numeric as slack
                       from jsonb_array_elements(p.constraints) k
                      order by (k->>'relative_slack')::numeric, k->>'name' limit 1) c on true
 where p.source <> 'none';

-- What the prices that hold were solved over: the last look of each tenant at its tasks and at what is stated.
create or replace view ledger.price_periods as
select distinct on (s.tenant_id)
       t.tenant, s.solved_at, s.since, s.until, s.period_s, s.tasks, s.decisions, s.status, s.why, s.classes, s.limits, s.constraints,
       s.left_out, s.method, s.seed, s.together
  from pigou.price_solution s join pigou.tenant t using (tenant_id)
 where s.status <> 'failed' and s.period_s > 0
 order by s.tenant_id, s.solution_id desc;

-- The decisions of that look, with what each option would have brought and taken: estimates, and the same with tasks drawn anew.
create or replace view ledger.price_alternatives as
select t.tenant, a.comparison, a.place, nullif(a.task_class, '') as task_class, a.kind, a.option, s.decisions, a.quality, a.cost_usd,
       a.latency_s, a.loss_usd, a.v_bands, a.chosen, a.quality_draws, a.cost_draws, a.latency_draws, a.loss_draws, a.alike
  from pigou.price_alternative a
  join pigou.tenant t using (tenant_id)
 cross join lateral (select sum(n) as decisions from unnest(a.chosen) n) s;

-- Who must confirm a class of action at least, with its history; it holds of what is done from recorded_at on.
create or replace view ledger.autonomy_requirements as
select case when r.tenant_id = 0 then null else t.tenant end as tenant,   -- null: of all
       r.action_class, r.task_class, r.revision, r.confirmation, r.source, r.recorded_at,
       r.confirmation is not null
         and r.revision = max(r.revision) over (partition by r.tenant_id, r.action_class, r.task_class) as is_in_force
  from pigou.autonomy_requirement r left join pigou.tenant t using (tenant_id);

-- Actions of settled tasks that were done with less confirmation than was required of them, or do not state theirs.
create or replace view ledger.autonomy_breaches as
select t.tenant, b.done_at, encode(b.trace_id, 'hex') as trace_id, encode(b.span_id, 'hex') as span_id, b.action_class, b.task_class,
       b.confirmation, b.required, b.noted_at
  from pigou.autonomy_breach b join pigou.tenant t using (tenant_id);

-- Limits on latency and expected losses, with their history; of one tenant and class the highest revision is in force.
create or replace view ledger.price_constraints as
select t.tenant, c.task_class, c.revision, c.latency_s, c.risk_usd_per_day, c.source, c.recorded_at,
       c.revision = max(c.revision) over (partition by c.tenant_id, c.task_class) as is_in_force
  from pigou.price_constraint c join pigou.tenant t using (tenant_id);

-- Who hears of alerts, with how delivery through each goes. Removed ones are not shown.
create or replace view ledger.channels as
select case when c.tenant_id = 0 then null else t.tenant end as tenant, c.channel, c.kind, c.revision, c.settings, c.rules, c.tenants,
       c.severity_min, c.escalate_after, c.group_for, c.give_up_after,
       case when c.is_paused then 'paused' when s.failing_since is not null then 'failing' when s.last_sent_at is null then 'not yet used' else 'working' end as state,
       s.failing_since, s.failures, s.last_error, s.last_error_at, s.last_sent_at, nullif(s.next_at, '-infinity') as next_at,
       w.waiting, w.oldest_at, w.dead, c.source, c.recorded_at, c.is_paused,
       x.asked_at as tested_at, x.who as tested_by, x.result as test_result, x.answer as test_answer
  from (select distinct on (tenant_id, channel) * from pigou.channel order by tenant_id, channel, revision desc) c
  join pigou.channel_state s on s.tenant_id = c.tenant_id and s.channel = c.channel
  left join pigou.tenant t on t.tenant_id = c.tenant_id
 cross join lateral (select count(*) filter (where d.state = 'waiting') as waiting, min(d.made_at) filter (where d.state = 'waiting') as oldest_at,
                            count(*) filter (where d.state = 'dead') as dead
                       from pigou.delivery d
                      where d.channel_tenant_id = c.tenant_id and d.channel = c.channel) w
  left join lateral (select * from pigou.channel_test k where k.tenant_id = c.tenant_id and k.channel = c.channel
                      order by k.test_id desc limit 1) x on true
 where c.is_on;

-- Every revision of every channel, removed ones too.
create or replace view ledger.channel_revisions as
select case when c.tenant_id = 0 then null else t.tenant end as tenant, c.channel, c.revision, c.kind, c.settings, c.rules, c.tenants,
       c.severity_min, c.escalate_after, c.group_for, c.give_up_after,
       case when not c.is_on then 'removed' when c.is_paused then 'paused' else 'on' end as state, c.source, c.recorded_at
  from pigou.channel c left join pigou.tenant t on t.tenant_id = c.tenant_id;

-- Tests of channels that somebody asked for, and what was answered.
create or replace view ledger.channel_tests as
select case when k.tenant_id = 0 then null else t.tenant end as tenant, k.channel, k.test_id, k.who, k.asked_at, k.answered_at, k.result,
       k.answer
  from pigou.channel_test k left join pigou.tenant t on t.tenant_id = k.tenant_id;

-- Views of the page that people saved, as they are called now.
create or replace view ledger.saved_views as
select v.view_id, v.name, v.address, v.who, v.at, f.who as made_by, f.at as made_at
  from (select distinct on (view_id) * from pigou.saved_view order by view_id, revision desc) v
  join pigou.saved_view f on f.view_id = v.view_id and f.revision = 1
 where not v.is_removed;

-- One row per event and channel that was to hear of it.
create or replace view ledger.deliveries as
select t.tenant, d.alert_id, d.event_id, a.rule, a.subject, e.event, d.channel, d.channel_tenant_id = 0 as is_for_all,
       case when d.state = 'waiting' and d.is_withheld and d.message_id is null then 'withheld' else d.state end as state,
       d.made_at, m.attempts, m.tried_at, case when d.state = 'waiting' then nullif(m.next_at, '-infinity') end as next_at, d.settled_at,
       m.message_key, m.kind as message_kind, coalesce(m.answer, d.why) as answer
  from pigou.delivery d
  join pigou.tenant t on t.tenant_id = d.tenant_id
  join pigou.alert a on a.tenant_id = d.tenant_id and a.alert_id = d.alert_id
  join pigou.alert_event e on e.tenant_id = d.tenant_id and e.alert_id = d.alert_id and e.event_id = d.event_id
  left join pigou.delivery_message m on m.tenant_id = d.channel_tenant_id and m.channel = d.channel and m.message_id = d.message_id;

-- Times in which nothing is told of some alerts, over ones too.
create or replace view ledger.maintenance as
select case when m.tenant_id = 0 then null else t.tenant end as tenant, m.maintenance_id, m.rule, m.subject, m.begins_at, m.ends_at,
       case when now() >= least(m.ends_at, m.ended_at) then 'over' when now() < m.begins_at then 'planned' else 'going on' end as state,
       m.who, m.note, m.recorded_at, m.ended_at, m.ended_by
  from pigou.maintenance m left join pigou.tenant t on t.tenant_id = m.tenant_id;

-- Where dollars are lost, since when, and what became of it; resolved ones too, as they were last found wrong. alert_id: the alert that
-- tells of it, while that is not resolved. status `dismissed`: somebody said that it is intended or not worth its mending, and that holds.
-- unclear_since: no look since then had evidence enough to say anything; unclear_why: what the latest says of that.
create or replace view ledger.findings as
select t.tenant, f.finding_id, f.mode, f.segment, f.opened_at, f.usd_per_day, f.low, f.high, f.evidence,
       case when f.status <> 'resolved' and d.event is not null then 'dismissed' else f.status end as status,
       f.sentence, f.change, f.layer, f.kind, f.task_class, f.agent, f.subject, f.band, f.since, f.until, f.n, f.tasks,
       f.materiality_usd_per_day, f.inequality, f.method, f.seen_at, f.looked_at, f.quiet_since, f.resolved_at, f.resolution,
       f.told_usd_per_day, f.former_finding_id, a.alert_id,
       d.at as dismissed_at, d.who as dismissed_by, d.ground as dismissed_as, d.note as dismissed_note, d.until_at as dismissed_until,
       d.until_usd_per_day as dismissed_until_usd_per_day,
       case when f.is_unclear and f.status <> 'resolved' then f.unsaid_since end as unclear_since,
       case when f.is_unclear and f.status <> 'resolved' then coalesce(l.sentence, 'Nothing was there to look at.') end as unclear_why
  from pigou.finding f
  join pigou.tenant t on t.tenant_id = f.tenant_id
  left join pigou.look l
    on l.tenant_id = f.tenant_id and l.mode = f.mode and l.segment = f.segment and f.is_unclear
  left join lateral (select * from pigou.dismissal x
                      where x.tenant_id = f.tenant_id and x.mode = f.mode and x.segment = f.segment
                      order by x.revision desc limit 1) d
    on f.status <> 'resolved' and d.event = 'dismissed' and (d.until_at is null or d.until_at > now())
  left join pigou.alert a
    on a.tenant_id = f.tenant_id and a.rule = 'misallocation' and a.subject = f.mode || ': ' || f.segment
   and a.state <> 'resolved' and f.status <> 'resolved';

create or replace view ledger.finding_events as
select t.tenant, e.finding_id, e.event_id, e.at, f.mode, f.segment, e.event, e.who, e.note, e.usd_per_day, e.low, e.high
  from pigou.finding_event e
  join pigou.finding f on f.tenant_id = e.tenant_id and f.finding_id = e.finding_id
  join pigou.tenant t on t.tenant_id = e.tenant_id;

-- The latest look at each place, findings or not. finding_id: what it is part of, while that is not resolved.
create or replace view ledger.looks as
select t.tenant, l.mode, l.segment, l.looked_at, l.status, l.usd_per_day, l.low, l.high, l.is_discovery, l.sentence, l.change,
       l.layer, l.kind, l.task_class, l.agent, l.subject, l.band, l.since, l.until, l.n, l.tasks, l.materiality_usd_per_day,
       l.inequality, l.method, l.evidence, f.finding_id
  from pigou.look l
  join pigou.tenant t on t.tenant_id = l.tenant_id
  left join pigou.finding f
    on f.tenant_id = l.tenant_id and f.mode = l.mode and f.segment = l.segment and f.status <> 'resolved';

-- Cases of each finding to look at; usd is null where a case's own dollars are not known.
create or replace view ledger.finding_examples as
select t.tenant, f.finding_id, x.place as example, x.trace_id, x.decision_id, x.span_id, x.usd, f.mode, f.segment, f.status
  from pigou.finding f
  join pigou.tenant t on t.tenant_id = f.tenant_id
 cross join lateral rows from (
       jsonb_to_recordset(f.evidence -> 'examples') as (trace_id text, decision_id uuid, span_id text, usd numeric)
       ) with ordinality x (trace_id, decision_id, span_id, usd, place);

-- When each mode last looked, and what came of it. problem: why it could not look.
create or replace view ledger.detections as
select t.tenant, d.mode, d.looked_at, d.since, d.until, d.took_s, d.places, d.opened, d.resolved, d.problem
  from pigou.detection d join pigou.tenant t on t.tenant_id = d.tenant_id;

-- From how many dollars a day on a loss is a finding, with its history; a tenant's own wins over that for all.
create or replace view ledger.materiality as
select case when m.tenant_id = 0 then null else t.tenant end as tenant, m.revision, m.usd_per_day, m.source, m.recorded_at,
       m.revision = max(m.revision) over (partition by m.tenant_id) as is_in_force
  from pigou.materiality m left join pigou.tenant t on t.tenant_id = m.tenant_id;

-- Who may send, read and act, revoked ones too; what is kept of their tokens is not shown.
create or replace view ledger.credentials as
select t.tenant, c.name, c.may,
       case when c.revoked_at is not null then 'revoked' when c.valid_until <= now() then 'over' else 'valid' end as state,
       c.valid_until, c.created_at, c.created_by, c.revoked_at, c.revoked_by
  from pigou.credential c left join pigou.tenant t on t.tenant_id = c.tenant_id;

-- What people stated and did, one row each: who said what of whose books, and when. Outcomes and holds of budgets, which programs say by
-- the thousand, have views of their own. stated_by: null where it is not known.
create or replace view ledger.statements as
select case when s.tenant_id = 0 then null else t.tenant end as tenant, s.recorded_at, s.stated_by, s.kind, s.subject, s.summary, s.note
  from (select r.tenant_id, r.recorded_at, r.source as stated_by, 'rate' as kind,
               concat_ws(' ', r.provider, r.model, nullif(r.service_tier, 'standard'), c.commodity,
                         'above ' || nullif(r.context_above, 0) || ' input tokens',
                         case when r.daily_from <> r.daily_until
                              then format('%s to %s', left(r.daily_from::text, 5), left(r.daily_until::text, 5)) end) as subject,
               concat_ws(', ', format('%s USD for %s', trim_scale(r.price_usd), r.per), pigou.valid_in_words(r.valid),
                         'revision ' || nullif(r.revision, 1)) as summary,
               null as note
          from pigou.rate r join pigou.commodity c using (commodity_id)
         where r.tenant_id <> 0 and r.basis = 'stated'
        union all
        select p.tenant_id, p.recorded_at, p.source, 'price policy', p.task_class,
               coalesce(nullif(concat_ws(', ', 'V ' || trim_scale(p.v_usd) || ' USD',
                         case when p.lambda_is_dual then 'λ of the SLA' else 'λ ' || trim_scale(p.lambda_usd_per_s) || ' USD/s' end,
                         case when p.rho_is_dual then 'ρ of the envelope' else 'ρ ' || trim_scale(p.rho) end,
                         'deadline ' || p.deadline_s || ' s', 'grace ' || p.grace_s || ' s',
                         'outcomes of ' || array_to_string(p.outcome_sources, ', '), pigou.valid_in_words(p.valid)), ''), 'nothing'),
               null
          from pigou.price_policy p
        union all
        select c.tenant_id, c.recorded_at, c.source, 'limit', c.task_class,
               coalesce(nullif(concat_ws(', ', 'mean task within ' || trim_scale(c.latency_s) || ' s',
                         'expected loss within ' || trim_scale(c.risk_usd_per_day) || ' USD a day'), ''), 'taken off'), null
          from pigou.price_constraint c
        union all
        select b.tenant_id, b.recorded_at, b.source, 'budget', b.budget,
               concat_ws(', ', format('%s USD', trim_scale(b.amount_usd)),
                         case b.period when 'total' then 'in all' else format('a %s (%s)', b.period, b.time_zone) end,
                         'layer ' || b.layer, 'use ' || b.use, 'agent ' || b.agent, 'model ' || b.model, 'task class ' || b.task_class,
                         pigou.valid_in_words(b.valid), 'revision ' || nullif(b.revision, 1)), null
          from pigou.budget b
        union all
        select e.tenant_id, e.at, e.who, 'period', 'books', format('%s: closed through %s', e.event, e.closed_through), e.note
          from pigou.period_event e
        union all
        select a.tenant_id, a.recorded_at, a.source, 'assignment', format('%s in %s', a.kind, a.task_class), a.assignment, null
          from pigou.assignment a
        union all
        select m.tenant_id, m.recorded_at, m.source, 'materiality', 'findings', format('from %s USD a day', trim_scale(m.usd_per_day)), null
          from pigou.materiality m where m.source <> 'pigou'
        union all
        select r.tenant_id, r.recorded_at, r.source, 'autonomy', format('%s in %s', r.action_class, r.task_class),
               coalesce('confirmation: ' || r.confirmation, 'taken off'), null
          from pigou.autonomy_requirement r
        union all
        select r.tenant_id, r.recorded_at, r.source, 'alert rule', r.rule,
               case when r.is_withdrawn then 'withdrawn' when not r.is_on then 'off'
                    else format('opens at %s, closes at %s, %s', trim_scale(r.open_at), trim_scale(r.close_at), r.severity) end, null
          from pigou.alert_rule r where r.source <> 'pigou'
        union all
        select e.tenant_id, e.at, e.who, 'alert', format('%s %s: %s', a.alert_id, a.rule, a.subject), e.event, e.note
          from pigou.alert_event e
          join pigou.alert a on a.tenant_id = e.tenant_id and a.alert_id = e.alert_id
         where e.who is not null
           -- What is done to the alert of a finding is done to the finding in the same transaction, whose row says more.
           and not (a.rule = 'misallocation'
                    and exists (select from pigou.finding f
                                  join pigou.finding_event d on d.tenant_id = f.tenant_id and d.finding_id = f.finding_id
                                 where f.tenant_id = a.tenant_id and f.mode || ': ' || f.segment = a.subject
                                   and d.event = case e.event when 'resolved' then 'dismissed' else e.event end
                                   and d.who = e.who and d.at between e.at - interval '5 s' and e.at + interval '5 s'))
        union all
        select e.tenant_id, e.at, e.who, 'finding', format('%s %s: %s', f.finding_id, f.mode, f.segment), e.event, e.note
          from pigou.finding_event e
          join pigou.finding f on f.tenant_id = e.tenant_id and f.finding_id = e.finding_id
         where e.who is not null
        union all
        select c.tenant_id, c.recorded_at, c.source, 'channel', c.channel,
               case when not c.is_on then 'removed'
                    else concat_ws(', ', c.kind, c.severity_min || ' and above', 'rules ' || array_to_string(c.rules, ', '),
                                   'tenants ' || array_to_string(c.tenants, ', '), case when c.is_paused then 'paused' end) end, null
          from pigou.channel c
        union all
        select k.tenant_id, k.asked_at, k.who, 'channel test', k.channel, coalesce(k.result, 'not answered yet'), null
          from pigou.channel_test k
        union all
        select m.tenant_id, x.at, x.who, 'maintenance', coalesce(nullif(concat_ws(': ', m.rule, m.subject), ''), 'all alerts'),
               x.event || ': ' || pigou.valid_in_words(tstzrange(m.begins_at, m.ends_at)), x.note
          from pigou.maintenance m
         cross join lateral (values ('planned', m.recorded_at, m.who, m.note), ('ended', m.ended_at, m.ended_by, null)) x (event, at, who, note)
         where x.at is not null
        union all
        select c.tenant_id, x.at, x.who, 'credential', c.name,
               case x.event when 'made' then concat_ws(', ', 'may ' || array_to_string(c.may, ', '),
                                                        pigou.valid_in_words(tstzrange(null, c.valid_until))) else x.event end, null
          from pigou.credential c
         cross join lateral (values ('made', c.created_at, c.created_by), ('revoked', c.revoked_at, c.revoked_by)) x (event, at, who)
         where x.at is not null
        union all
        select 0, c.recorded_at, c.source, 'capacity', c.engine || ' ' || c.resource, coalesce(trim_scale(c.per_s) || ' a second', 'taken off'), null
          from pigou.engine_capacity c
        union all
        select 0, v.at, v.who, 'saved view', v.name, case when v.is_removed then 'removed' else v.address end, null
          from pigou.saved_view v
        union all
        select 0, r.recorded_at, r.source, 'retention', r.kind, coalesce('kept for ' || r.keep_days || ' days', 'kept for ever'), null
          from pigou.retention_revision r
        union all
        select r.tenant_id, r.recorded_at, null, 'task class rule', format('%s ~ %s', r.field, r.pattern), r.task_class, null
          from pigou.task_class_rule r) s
  left join pigou.tenant t using (tenant_id);

-- The credential of a token, by the hash that whoever was shown the token makes of it; no row: there is none, or it was revoked.
create or replace function ledger.credential_of(token_hash bytea)
returns table (name text, tenant text, may text[], valid_until timestamptz)
language sql stable security definer set search_path = pigou, pg_temp as $$
    select c.name, t.tenant, c.may, c.valid_until
      from credential c left join tenant t on t.tenant_id = c.tenant_id
     where c.token_hash = credential_of.token_hash and c.revoked_at is null
$$;

grant select on all tables in schema ledger to pigou_reader, pigou_writer;
revoke all on function ledger.calls_named(text, timestamptz, timestamptz, text[], bigint),
    ledger.account_postings(text, text, timestamptz, timestamptz, date, text[], bigint),
    ledger.appraisal_version(), ledger.trace_spans(text), ledger.trace_texts(text), ledger.trace_calls(text), ledger.trace_decisions(text), ledger.trace_tasks(text), ledger.decisions_near(uuid, integer),
    ledger.decisions_of(text, timestamptz, timestamptz), ledger.decisions_lost(timestamptz, timestamptz, bigint, text[], text[], text[], text[], text[], text[], text[]),
    ledger.regret_within(timestamptz, timestamptz),
    ledger.decided_through(timestamptz), ledger.tasks_within(timestamptz, timestamptz), ledger.begun_through(timestamptz), ledger.credential_of(bytea) from public;
grant execute on function ledger.calls_named(text, timestamptz, timestamptz, text[], bigint),
    ledger.account_postings(text, text, timestamptz, timestamptz, date, text[], bigint),
    ledger.appraisal_version(), ledger.trace_spans(text), ledger.trace_texts(text), ledger.trace_calls(text), ledger.trace_decisions(text), ledger.trace_tasks(text), ledger.decisions_near(uuid, integer),
    ledger.decisions_of(text, timestamptz, timestamptz), ledger.is_among(text, text[]), ledger.decisions_lost(timestamptz, timestamptz, bigint, text[], text[], text[], text[], text[], text[], text[]),
    ledger.spend(timestamptz, timestamptz),
    ledger.statuses(timestamptz, timestamptz), ledger.usual_share(text, timestamptz, timestamptz, timestamptz),
    ledger.regret(timestamptz, timestamptz), ledger.regret_within(timestamptz, timestamptz), ledger.decided_through(timestamptz),
    ledger.tasks_between(timestamptz, timestamptz), ledger.tasks_within(timestamptz, timestamptz), ledger.begun_through(timestamptz), ledger.credential_of(bytea)
    to pigou_reader, pigou_writer;
