-- Budgets: what may be spent in a period, what was spent of it, and what is held for calls under way. Reasons: docs/architecture.md.

-- Never edited: a change is a row of a higher revision, and where validities overlap the higher one is in force.
create table pigou.budget (
    tenant_id   integer not null references pigou.tenant,
    budget      text not null,
    revision    integer not null,
    period      text not null,                        -- day, week (from Monday), month, or total: the whole validity
    time_zone   text not null,                        -- where the days of its periods begin
    layer       text,                                 -- null, here and below: any
    use         text,
    agent       text,
    model       text,                                 -- as calls report it
    task_class  text,
    amount_usd  numeric(38, 12) not null,
    valid       tstzrange not null,
    source      text not null,                        -- who or what stated it
    recorded_at timestamptz not null default now(),
    primary key (tenant_id, budget, revision),
    constraint budget_name_is_simple check (budget ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    constraint budget_period_is_known check (period in ('day', 'week', 'month', 'total')),
    constraint budget_amount_is_positive check (amount_usd > 0 and amount_usd < 'Infinity'::numeric),
    constraint budget_validity_has_a_beginning check (not isempty(valid) and lower(valid) > '-infinity' and lower_inc(valid)),
    constraint budget_validity_is_whole_minutes check
        (mod(extract(epoch from lower(valid)), 60) = 0 and coalesce(mod(extract(epoch from upper(valid)), 60) = 0, true))
);

create trigger budget_is_append_only before update or delete or truncate on pigou.budget
    for each statement execute function pigou.refuse_change();

-- What calls cost, by revision of a budget and period. Kept within the transaction that writes the calls (see `count_for_budgets`).
create table pigou.budget_spend (
    tenant_id      integer not null,
    budget         text not null,
    revision       integer not null,
    period_from    timestamptz not null,
    calls          bigint not null,
    spent_usd      numeric(38, 12) not null,
    unpriced_calls bigint not null,                   -- of the calls, those whose cost is not known: no price yet
    suspense_calls bigint not null,                   -- … or unreadable usage
    primary key (tenant_id, budget, revision, period_from)
);

-- Amounts set aside for calls under way. The caller gives the id, and with it asking twice is asking once.
create table pigou.budget_hold (
    tenant_id     integer not null,
    budget        text not null,
    hold_id       text not null,
    amount_usd    numeric(38, 12) not null,
    held_at       timestamptz not null,
    expires_at    timestamptz not null,
    state         text not null default 'held',
    ended_at      timestamptz,                        -- when it was no longer held
    call_trace_id bytea,                              -- of a settled hold: the call that settled it
    call_span_id  bytea,
    primary key (tenant_id, budget, hold_id),
    constraint hold_state_is_known check (state in ('held', 'settled', 'released', 'expired')),
    constraint hold_amount_is_positive check (amount_usd > 0 and amount_usd < 'Infinity'::numeric),
    constraint hold_ends_once check ((state = 'held') = (ended_at is null))
);
create index budget_hold_held on pigou.budget_hold (tenant_id, budget, expires_at) where state = 'held';

-- Finds the call of a hold. Few records carry one, and only these are in the index.
create index record_hold on pigou.record (tenant_id, (attributes ->> 'allocation.budget.hold'))
    where (attributes ->> 'allocation.budget.hold') is not null;

-- ── periods ──────────────────────────────────────────────────────────────────────────────────────────

-- Where the period of a moment begins: at a midnight of the zone, or where the budget itself begins.
create function pigou.period_start(period text, at timestamptz, time_zone text, valid tstzrange) returns timestamptz
language sql stable parallel safe as $$
    select case period when 'total' then lower(valid) else greatest(lower(valid), date_trunc(period, at, time_zone)) end
$$;

-- Where it ends: at the next such midnight by the calendar (a day may have 23 or 25 hours), or where the budget ends; null: never.
create function pigou.period_end(period text, at timestamptz, time_zone text, valid tstzrange) returns timestamptz
language sql stable parallel safe as $$
    select least(upper(valid), case when period <> 'total' then
               (date_trunc(period, at at time zone time_zone) + ('1 ' || period)::interval) at time zone time_zone end)
$$;

-- ── what was spent ───────────────────────────────────────────────────────────────────────────────────

-- Revisions that calls are counted for: all but those which a later one supersedes for all of their validity.
create view pigou.budget_counted as
select b.*
  from pigou.budget b
 where not exists (select from pigou.budget n where n.tenant_id = b.tenant_id and n.budget = b.budget
                      and n.revision > b.revision and n.valid @> b.valid);

-- Where calls belong: their sums by minute and by what budgets tell apart, against every budget that covers them. Validities are whole
-- minutes and periods begin at midnights, so that a minute is never divided.
create type pigou.call_sum as (
    tenant_id integer, minute timestamptz, layer text, use text, agent text, model text, task_class text,
    calls bigint, cost_usd numeric, unpriced bigint, suspense bigint
);
create function pigou.add_budget_spend(sums pigou.call_sum[]) returns void language sql as $$
    insert into pigou.budget_spend as s (tenant_id, budget, revision, period_from, calls, spent_usd, unpriced_calls, suspense_calls)
    select b.tenant_id, b.budget, b.revision, pigou.period_start(b.period, c.minute, b.time_zone, b.valid),
           sum(c.calls), sum(c.cost_usd), sum(c.unpriced), sum(c.suspense)
      from unnest(sums) c
      join pigou.budget_counted b
        on b.tenant_id = c.tenant_id and b.valid @> c.minute
       and (b.layer is null or b.layer = c.layer) and (b.use is null or b.use = c.use) and (b.agent is null or b.agent = c.agent)
       and (b.model is null or b.model = c.model) and (b.task_class is null or b.task_class = c.task_class)
     group by 1, 2, 3, 4
    having (sum(c.calls), sum(c.cost_usd), sum(c.unpriced), sum(c.suspense)) <> (0, 0, 0, 0)
     order by 1, 2, 3, 4
    on conflict (tenant_id, budget, revision, period_from) do update
       set calls = s.calls + excluded.calls, spent_usd = s.spent_usd + excluded.spent_usd,
           unpriced_calls = s.unpriced_calls + excluded.unpriced_calls, suspense_calls = s.suspense_calls + excluded.suspense_calls
$$;

-- Keep `budget_spend` with every statement that writes calls, whichever it is: what a call says now is added, what it said before is
-- taken off; and settle the holds whose calls are booked by it. So a call is never both spent and held, nor neither.
create function pigou.count_for_budgets() returns trigger language plpgsql as $$
begin
    if not exists (select from pigou.budget) then return null; end if;
    perform pigou.add_budget_spend(array(
        select row(tenant_id, date_trunc('minute', started_at), layer, use, agent, model, task_class, count(*), coalesce(sum(cost_usd), 0),
                   count(*) filter (where status = 'unpriced'), count(*) filter (where status = 'suspense'))::pigou.call_sum
          from arrived where status <> 'duplicate'
         group by tenant_id, date_trunc('minute', started_at), layer, use, agent, model, task_class));
    perform pigou.settle_holds(array(select distinct tenant_id from arrived));
    return null;
end $$;

create function pigou.count_again_for_budgets() returns trigger language plpgsql as $$
begin
    if not exists (select from pigou.budget) then return null; end if;
    perform pigou.add_budget_spend(array(
        select row(tenant_id, date_trunc('minute', started_at), layer, use, agent, model, task_class, sum(sign), coalesce(sum(sign * cost_usd), 0),
                   coalesce(sum(sign) filter (where status = 'unpriced'), 0), coalesce(sum(sign) filter (where status = 'suspense'), 0))::pigou.call_sum
          from (select 1 as sign, tenant_id, started_at, status, cost_usd, layer, use, agent, model, task_class from arrived
                union all
                select -1, tenant_id, started_at, status, cost_usd, layer, use, agent, model, task_class from departed) c
         where status <> 'duplicate'
         group by tenant_id, date_trunc('minute', started_at), layer, use, agent, model, task_class));
    perform pigou.settle_holds(array(select distinct tenant_id from arrived));
    return null;
end $$;

create trigger call_counts_for_budgets after insert on pigou.call
    referencing new table as arrived for each statement execute function pigou.count_for_budgets();
create trigger call_counts_again_for_budgets after update on pigou.call
    referencing old table as departed new table as arrived for each statement execute function pigou.count_again_for_budgets();

-- ── what is held, and what is left ───────────────────────────────────────────────────────────────────

-- The booked call that carries a hold, or none: its own record carries it, or a copy's. Calls begin after their holds; a day is
-- allowed for clocks that disagree.
create function pigou.call_of_hold(of_tenant_id integer, of_hold_id text, held_at timestamptz)
returns table (trace_id bytea, span_id bytea) language sql stable as $$
    select coalesce(o.trace_id, c.trace_id), coalesce(o.span_id, c.span_id)
      from pigou.record r
      join pigou.call c on c.tenant_id = r.tenant_id and c.trace_id = r.trace_id and c.span_id = r.span_id and c.started_at = r.started_at
      left join pigou.call o
        on c.status = 'duplicate' and o.tenant_id = c.tenant_id and o.trace_id = c.copy_of_trace_id and o.span_id = c.copy_of_span_id
     where r.tenant_id = of_tenant_id and r.attributes ->> 'allocation.budget.hold' = of_hold_id
       and r.started_at > held_at - interval '1 day'
       and coalesce(o.status, c.status) = 'booked'
     order by c.started_at
     limit 1
$$;

-- Settle the live holds of some tenants whose calls are booked.
create function pigou.settle_holds(of_tenant_ids integer[]) returns bigint language sql as $$
    with live as materialized (
        select tenant_id, budget, hold_id, held_at from pigou.budget_hold
         where state = 'held' and tenant_id = any(of_tenant_ids)
    ),
    called as materialized (
        select l.tenant_id, l.budget, l.hold_id, c.trace_id, c.span_id
          from live l cross join lateral pigou.call_of_hold(l.tenant_id, l.hold_id, l.held_at) c
    ),
    settled as (
        update pigou.budget_hold h
           set state = 'settled', ended_at = clock_timestamp(), call_trace_id = c.trace_id, call_span_id = c.span_id
          from called c
         where h.tenant_id = c.tenant_id and h.budget = c.budget and h.hold_id = c.hold_id and h.state = 'held'
        returning h.hold_id
    )
    select count(*) from settled
$$;

-- Every budget in force at a moment and where it stands in its period, or one tenant's, or one. Spent and held are seen in one
-- snapshot: a call that is counted in the one is no longer held in the other. A live hold counts in whatever period is asked about,
-- since its call may still begin in it.
create function pigou.budgets_at(at timestamptz, of_tenant_id integer default null, of_budget text default null)
returns table (
    tenant_id integer, budget text, revision integer, period text, time_zone text, layer text, use text, agent text, model text,
    task_class text, valid tstzrange, period_from timestamptz, period_until timestamptz, amount_usd numeric, spent_usd numeric,
    held_usd numeric, calls bigint, unpriced_calls bigint, suspense_calls bigint)
language sql stable security definer set search_path = pigou, pg_temp as $$
    select b.tenant_id, b.budget, b.revision, b.period, b.time_zone, b.layer, b.use, b.agent, b.model, b.task_class, b.valid,
           p.period_from, p.period_until, b.amount_usd, coalesce(s.spent_usd, 0), coalesce(h.held_usd, 0),
           coalesce(s.calls, 0), coalesce(s.unpriced_calls, 0), coalesce(s.suspense_calls, 0)
      from (select distinct on (i.tenant_id, i.budget) i.*
              from budget i
             where i.valid @> at and (of_tenant_id is null or i.tenant_id = of_tenant_id) and (of_budget is null or i.budget = of_budget)
             order by i.tenant_id, i.budget, i.revision desc) b
     cross join lateral (select period_start(b.period, at, b.time_zone, b.valid) as period_from,
                                period_end(b.period, at, b.time_zone, b.valid) as period_until) p
      left join budget_spend s
        on s.tenant_id = b.tenant_id and s.budget = b.budget and s.revision = b.revision and s.period_from = p.period_from
     cross join lateral (
           select sum(h.amount_usd) as held_usd
             from budget_hold h
            where h.tenant_id = b.tenant_id and h.budget = b.budget and h.state = 'held' and h.expires_at > at
              and not exists (select from call_of_hold(h.tenant_id, h.hold_id, h.held_at))) h
$$;

-- Hold an amount of a budget, if there is room for it: the check and the hold are one. Whoever asks for the same budget at the same
-- time waits until this transaction ends, and then sees what it did.
-- outcome: granted, refused (no room), conflict (the id is held with another amount), ended (the id was used), absent (no such budget).
create function pigou.hold(of_tenant_id integer, of_budget text, of_hold_id text, of_amount_usd numeric, for_time interval)
returns table (
    outcome text, state text, expires_at timestamptz, period_from timestamptz, period_until timestamptz, amount_usd numeric,
    spent_usd numeric, held_usd numeric, left_usd numeric, unpriced_calls bigint)
language plpgsql as $$
#variable_conflict use_column
declare at timestamptz; there pigou.budget_hold; stands record; answer text; until timestamptz;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'a hold cannot be granted in a transaction that is %', current_setting('transaction_isolation')
            using errcode = 'invalid_transaction_state', hint = 'What others held meanwhile would not be seen: use read committed.';
    end if;
    perform pg_advisory_xact_lock(hashtextextended(format('pigou.budget %s %s', of_tenant_id, of_budget), 0));
    at := clock_timestamp();   -- after the wait: what expired during it is free
    select * into there from pigou.budget_hold h where h.tenant_id = of_tenant_id and h.budget = of_budget and h.hold_id = of_hold_id;
    select * into stands from pigou.budgets_at(at, of_tenant_id, of_budget);
    if stands.budget is null then
        answer := 'absent';
    elsif there.hold_id is not null then
        answer := case when there.amount_usd <> of_amount_usd then 'conflict'
                       when there.state = 'held' and there.expires_at > at then 'granted'
                       else 'ended' end;
        until := there.expires_at;
    elsif exists (select from pigou.call_of_hold(of_tenant_id, of_hold_id, at)) then
        answer := 'ended';   -- its call was made before it asked
    elsif stands.spent_usd + stands.held_usd + of_amount_usd <= stands.amount_usd then
        answer := 'granted';
        until := at + for_time;
        insert into pigou.budget_hold (tenant_id, budget, hold_id, amount_usd, held_at, expires_at)
        values (of_tenant_id, of_budget, of_hold_id, of_amount_usd, at, until);
        stands.held_usd := stands.held_usd + of_amount_usd;
    else
        answer := 'refused';
    end if;
    return query select answer, case when there.hold_id is not null then there.state when answer = 'granted' then 'held' end, until,
                        stands.period_from, stands.period_until, stands.amount_usd, stands.spent_usd, stands.held_usd,
                        stands.amount_usd - stands.spent_usd - stands.held_usd, stands.unpriced_calls;
end $$;

grant select, insert on pigou.budget, pigou.budget_spend, pigou.budget_hold to pigou_writer;
grant select on pigou.budget_counted to pigou_writer;
grant update on pigou.budget_spend, pigou.budget_hold to pigou_writer;
revoke all on function pigou.budgets_at(timestamptz, integer, text), pigou.hold(integer, text, text, numeric, interval),
    pigou.call_of_hold(integer, text, timestamptz), pigou.settle_holds(integer[]), pigou.add_budget_spend(pigou.call_sum[]),
    pigou.count_for_budgets(), pigou.count_again_for_budgets() from public;
grant execute on function pigou.budgets_at(timestamptz, integer, text) to pigou_writer, pigou_reader;
grant execute on function pigou.hold(integer, text, text, numeric, interval), pigou.call_of_hold(integer, text, timestamptz),
    pigou.settle_holds(integer[]), pigou.add_budget_spend(pigou.call_sum[]) to pigou_writer;
