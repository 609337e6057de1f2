-- What decisions and tasks sum to by day, so that no page sums single ones. Reasons: docs/architecture.md.

-- ── decisions ────────────────────────────────────────────────────────────────────────────────────────

-- Finds the decisions of a comparison's day too.
drop index pigou.decision_comparison;
create index decision_comparison on pigou.decision (tenant_id, comparison, decided_at);

-- Those that lost most are listed first.
create index appraisal_lost on pigou.appraisal (regret_usd) where regret_usd > 0;

-- One row per decision of a time, with all that is summed of it. Regret and the terms of eq. 1 (the best option's less the chosen one's)
-- only where the interval of the regret excludes zero. Steps of eq. 2: from the next cheaper option whose cost is known to the chosen one,
-- and from there to the next dearer; …_judged_usd is the step's cost where its net is known.
-- A plain function, so that PostgreSQL puts its body into the query that calls it. The last two repeat the time where it is one for all rows
-- (PostgreSQL does not infer it of the second table); where it differs from row to row, they would keep it from doing so.
create function pigou.judged(since timestamptz, until timestamptz, appraised_since timestamptz, appraised_until timestamptz)
returns table (tenant_id integer, day date, comparison bigint, segment smallint, status text, layer text, kind text, task_class text, agent text,
               chosen text, best text, cheaper text, dearer text, is_clear boolean, regret_usd numeric, below_usd numeric, above_usd numeric,
               value_usd numeric, cost_usd numeric, latency_usd numeric, risk_usd numeric,
               last_cost_usd numeric, last_worth_usd numeric, last_error_usd numeric, last_judged_usd numeric,
               next_cost_usd numeric, next_worth_usd numeric, next_error_usd numeric, next_judged_usd numeric)
language sql stable parallel safe as $$
    select d.tenant_id, (d.decided_at at time zone 'UTC')::date, d.comparison, a.segment, a.status, d.layer, d.kind, d.task_class, d.agent,
           d.options[d.chosen], d.options[a.best], s.cheaper, s.dearer, c.is_clear,
           case when c.is_clear then a.regret_usd end,
           case when c.is_clear then a.regret_usd - a.regret_low_usd end,
           case when c.is_clear then a.regret_high_usd - a.regret_usd end,
           case when c.is_clear then (a.option_value[a.best] - a.option_value[d.chosen])::numeric end,
           case when c.is_clear then (a.option_cost[a.best] - a.option_cost[d.chosen])::numeric end,
           case when c.is_clear then (a.option_latency[a.best] - a.option_latency[d.chosen])::numeric end,
           case when c.is_clear then (a.option_risk[a.best] - a.option_risk[d.chosen])::numeric end,
           s.last_cost_usd, s.last_cost_usd + s.last_net_usd, s.last_error_usd, case when s.last_net_usd is not null then s.last_cost_usd end,
           s.next_cost_usd, s.next_cost_usd + s.next_net_usd, s.next_error_usd, case when s.next_net_usd is not null then s.next_cost_usd end
      from pigou.decision d
      left join pigou.appraisal a
        on a.tenant_id = d.tenant_id and a.decision_id = d.decision_id and a.decided_at = d.decided_at
       and a.decided_at >= appraised_since and a.decided_at < appraised_until
     cross join lateral (select coalesce(a.regret_low_usd > 0, false) as is_clear) c
      left join lateral (
           select w.*
             from (select o.place, lag(o.option) over by_cost as cheaper, o.cost - lag(o.cost) over by_cost as last_cost_usd,
                          o.net - lag(o.net) over by_cost as last_net_usd, lag(o.error) over by_cost as last_error_usd,
                          lead(o.option) over by_cost as dearer, lead(o.cost) over by_cost - o.cost as next_cost_usd,
                          lead(o.net) over by_cost - o.net as next_net_usd, lead(o.error) over by_cost as next_error_usd
                     from (select x.place, x.option, x.cost::numeric, x.net::numeric, x.error::numeric
                             from unnest(d.options, a.option_cost, a.option_net, a.option_error)
                                  with ordinality x (option, cost, net, error, place)
                            where x.cost is not null) o
                   window by_cost as (order by o.cost, o.option)) w
            where w.place = d.chosen) s on a.decision_id is not null
     where d.decided_at >= since and d.decided_at < until
$$;

-- What sums are told apart by, once per tenant; key_id is a hash of the rest.
create table pigou.regret_key (
    tenant_id  integer not null,
    key_id     uuid not null,
    comparison bigint not null,
    segment    smallint,                              -- null, as the status: not appraised
    status     text,
    layer      text not null,
    kind       text not null,
    task_class text,
    agent      text,
    chosen     text not null,
    best       text,
    cheaper    text,
    dearer     text,
    primary key (tenant_id, key_id)
);

-- Sums over the decisions of a day, as pigou.judged has them; a sum of nothing is null.
create table pigou.regret_day (
    tenant_id       integer not null,
    day             date not null,
    comparison      bigint not null,
    key_id          uuid not null,
    decisions       integer not null,
    clear           integer not null,                 -- of them, those whose regret's interval excludes zero
    regret_usd      numeric,
    below_usd       numeric,
    above_usd       numeric,
    value_usd       numeric,
    cost_usd        numeric,
    latency_usd     numeric,
    risk_usd        numeric,
    last_cost_usd   numeric,
    last_worth_usd  numeric,
    last_error_usd  numeric,
    last_judged_usd numeric,
    next_cost_usd   numeric,
    next_worth_usd  numeric,
    next_error_usd  numeric,
    next_judged_usd numeric,
    primary key (tenant_id, day, comparison, key_id)
);

-- Sums the decisions of some comparisons' days anew, in place of what was summed of them before: what is thought of a comparison is
-- written as a whole, and its days with it. Those who write decisions or appraisals take turns (analyzers/appraise.py).
create function pigou.sum_regret(tenants integer[], comparisons bigint[], days date[]) returns void
language plpgsql security definer set search_path = pigou, pg_temp as $do$
begin
    delete from pigou.regret_day r
     using unnest(tenants, comparisons, days) t (tenant_id, comparison, day)
     where r.tenant_id = t.tenant_id and r.day = t.day and r.comparison = t.comparison;
    -- Planned each time: how many days there are decides how they are best read.
    execute $sql$
with summed as materialized (
    select j.tenant_id, j.day, j.comparison, j.segment, j.status, j.layer, j.kind, j.task_class, j.agent, j.chosen, j.best, j.cheaper, j.dearer,
           count(*) as decisions, count(*) filter (where j.is_clear) as clear, sum(j.regret_usd) as regret_usd, sum(j.below_usd) as below_usd,
           sum(j.above_usd) as above_usd, sum(j.value_usd) as value_usd, sum(j.cost_usd) as cost_usd, sum(j.latency_usd) as latency_usd,
           sum(j.risk_usd) as risk_usd, sum(j.last_cost_usd) as last_cost_usd, sum(j.last_worth_usd) as last_worth_usd,
           sum(j.last_error_usd) as last_error_usd, sum(j.last_judged_usd) as last_judged_usd, sum(j.next_cost_usd) as next_cost_usd,
           sum(j.next_worth_usd) as next_worth_usd, sum(j.next_error_usd) as next_error_usd, sum(j.next_judged_usd) as next_judged_usd
      from unnest($1, $2, $3) t (tenant_id, comparison, day)
     cross join lateral pigou.judged(t.day::timestamp at time zone 'UTC', (t.day + 1)::timestamp at time zone 'UTC', '-infinity', 'infinity') j
     where j.tenant_id = t.tenant_id and j.comparison = t.comparison
     group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
),
keyed as materialized (
    select *, encode(substring(sha256(convert_to(
                  row(comparison, segment, status, layer, kind, task_class, agent, chosen, best, cheaper, dearer)::text, 'UTF8'))
                  from 1 for 16), 'hex')::uuid as key_id
      from summed
),
keys as (
    insert into pigou.regret_key (tenant_id, key_id, comparison, segment, status, layer, kind, task_class, agent, chosen, best, cheaper, dearer)
    select distinct on (tenant_id, key_id) tenant_id, key_id, comparison, segment, status, layer, kind, task_class, agent, chosen, best,
           cheaper, dearer
      from keyed d
     where not exists (select from pigou.regret_key k where k.tenant_id = d.tenant_id and k.key_id = d.key_id)
    on conflict do nothing
)
insert into pigou.regret_day (tenant_id, day, comparison, key_id, decisions, clear, regret_usd, below_usd, above_usd, value_usd, cost_usd, latency_usd,
                              risk_usd, last_cost_usd, last_worth_usd, last_error_usd, last_judged_usd, next_cost_usd, next_worth_usd,
                              next_error_usd, next_judged_usd)
select tenant_id, day, comparison, key_id, decisions, clear, regret_usd, below_usd, above_usd, value_usd, cost_usd, latency_usd,
       risk_usd, last_cost_usd, last_worth_usd, last_error_usd, last_judged_usd, next_cost_usd, next_worth_usd,
       next_error_usd, next_judged_usd
  from keyed$sql$ using tenants, comparisons, days;
end $do$;

create function pigou.roll_up_decisions() returns trigger
language plpgsql security definer set search_path = pigou, pg_temp as $$
declare
    tenants integer[]; comparisons bigint[]; days date[];
begin
    if tg_op = 'INSERT' then
        select array_agg(tenant_id), array_agg(comparison), array_agg(day) into tenants, comparisons, days
          from (select distinct tenant_id, comparison, (decided_at at time zone 'UTC')::date as day from arrived) t;
    elsif tg_op = 'DELETE' then
        select array_agg(tenant_id), array_agg(comparison), array_agg(day) into tenants, comparisons, days
          from (select distinct tenant_id, comparison, (decided_at at time zone 'UTC')::date as day from gone) t;
    else
        select array_agg(tenant_id), array_agg(comparison), array_agg(day) into tenants, comparisons, days
          from (select tenant_id, comparison, (decided_at at time zone 'UTC')::date as day from arrived
                union
                select tenant_id, comparison, (decided_at at time zone 'UTC')::date from gone) t;
    end if;
    if tenants is not null then
        perform pigou.sum_regret(tenants, comparisons, days);
    end if;
    return null;
end $$;

do $do$
declare summed text;
begin
    foreach summed in array array['decision', 'appraisal'] loop
        execute format($sql$
create trigger %1$s_is_rolled_up_on_insert after insert on pigou.%1$s
    referencing new table as arrived for each statement execute function pigou.roll_up_decisions();
create trigger %1$s_is_rolled_up_on_update after update on pigou.%1$s
    referencing old table as gone new table as arrived for each statement execute function pigou.roll_up_decisions();
create trigger %1$s_is_rolled_up_on_delete after delete on pigou.%1$s
    referencing old table as gone for each statement execute function pigou.roll_up_decisions()$sql$, summed);
    end loop;
end $do$;

select pigou.sum_regret(array_agg(tenant_id), array_agg(comparison), array_agg(day))
  from (select distinct tenant_id, comparison, (decided_at at time zone 'UTC')::date as day from pigou.decision) t
having count(*) > 0;

-- ── tasks ────────────────────────────────────────────────────────────────────────────────────────────

-- Sums over the tasks that began on a day. net_usd is eq. 1 for what was done; well_usd and wrong_usd split the cost of a task by its quality.
-- A `…_known` counts those of which the sum is: where it is of none, the sum is unknown and not 0.
create table pigou.task_day (
    tenant_id     integer not null,
    day           date not null,
    place         text[] not null,                    -- class of tasks and agent, either of which may be unknown
    tasks         integer not null,
    with_outcome  integer not null,
    with_value    integer not null,
    net_known     integer not null,
    net_usd       numeric not null,
    earned_usd    numeric not null,                   -- the terms of net_usd: V·Q, C, λ·L and ρ·R
    cost_usd      numeric not null,
    latency_usd   numeric not null,
    provision_usd numeric not null,
    went_known    integer not null,
    well_usd      numeric not null,
    wrong_usd     numeric not null,
    unknown_known integer not null,
    unknown_usd   numeric not null,                   -- cost of those without an outcome
    primary key (tenant_id, day, place)
) with (fillfactor = 70);

-- The statement that adds `source` to the sums: tasks with a sign, +1 as they are and −1 as they were.
create function pigou.task_sums(source text) returns text language sql immutable as $do$
    select format($sql$
insert into pigou.task_day as r (tenant_id, day, place, tasks, with_outcome, with_value, net_known, net_usd, earned_usd, cost_usd,
                                 latency_usd, provision_usd, went_known, well_usd, wrong_usd, unknown_known, unknown_usd)
select tenant_id, day, place, sum(sign), sum(sign * (quality is not null)::integer), sum(sign * (value_usd is not null)::integer),
       sum(sign * (net_usd is not null)::integer), coalesce(sum(sign * net_usd), 0),
       coalesce(sum(sign * earned_usd) filter (where net_usd is not null), 0), coalesce(sum(sign * cost_usd) filter (where net_usd is not null), 0),
       coalesce(sum(sign * latency_usd) filter (where net_usd is not null), 0),
       coalesce(sum(sign * provision_usd) filter (where net_usd is not null), 0),
       sum(sign * (quality is not null and cost_usd is not null)::integer), coalesce(sum(sign * cost_usd * quality::numeric), 0),
       coalesce(sum(sign * cost_usd * (1 - quality::numeric)), 0),
       sum(sign * (quality is null and cost_usd is not null)::integer), coalesce(sum(sign * cost_usd) filter (where quality is null), 0)
  from (select k.*, n.*, (k.started_at at time zone 'UTC')::date as day, array[k.task_class, k.agent] as place,
               round(n.earned_usd - k.cost_usd - n.latency_usd - n.provision_usd, 12) as net_usd
          from (%s) k
         cross join lateral (                              -- as ledger.tasks has them
               select case when k.quality = 0 then 0 else round(k.value_usd * k.quality::numeric, 12) end as earned_usd,
                      case when k.latency_s = 0 then 0 else round(k.lambda_usd_per_s * k.latency_s::numeric, 12) end as latency_usd,
                      case when k.risk_usd = 0 then 0 else round(k.rho * k.risk_usd, 12) end as provision_usd) n) valued
 group by tenant_id, day, place
on conflict (tenant_id, day, place) do update
   set tasks = r.tasks + excluded.tasks, with_outcome = r.with_outcome + excluded.with_outcome, with_value = r.with_value + excluded.with_value,
       net_known = r.net_known + excluded.net_known, net_usd = r.net_usd + excluded.net_usd, earned_usd = r.earned_usd + excluded.earned_usd, cost_usd = r.cost_usd + excluded.cost_usd,
       latency_usd = r.latency_usd + excluded.latency_usd, provision_usd = r.provision_usd + excluded.provision_usd,
       went_known = r.went_known + excluded.went_known,
       well_usd = r.well_usd + excluded.well_usd, wrong_usd = r.wrong_usd + excluded.wrong_usd,
       unknown_known = r.unknown_known + excluded.unknown_known, unknown_usd = r.unknown_usd + excluded.unknown_usd
$sql$, source)
$do$;

create function pigou.roll_up_tasks() returns trigger
language plpgsql security definer set search_path = pigou, pg_temp as $$
begin
    execute pigou.task_sums(case tg_op
        when 'INSERT' then 'select 1 as sign, a.* from arrived a'
        when 'DELETE' then 'select -1 as sign, g.* from gone g'
        else 'select 1 as sign, a.* from arrived a union all select -1, g.* from gone g' end);
    return null;
end $$;
create trigger task_is_rolled_up_on_insert after insert on pigou.task
    referencing new table as arrived for each statement execute function pigou.roll_up_tasks();
create trigger task_is_rolled_up_on_update after update on pigou.task
    referencing old table as gone new table as arrived for each statement execute function pigou.roll_up_tasks();
create trigger task_is_rolled_up_on_delete after delete on pigou.task
    referencing old table as gone for each statement execute function pigou.roll_up_tasks();

do $do$ begin execute pigou.task_sums('select 1 as sign, k.* from pigou.task k'); end $do$;

-- ── requests of engines ──────────────────────────────────────────────────────────────────────────────

-- A page and the analyzers look at these alone; of all other records it holds none.
create index record_served on pigou.record (tenant_id, started_at) where layer = 'supply' and role = 'call';

-- ── rights ───────────────────────────────────────────────────────────────────────────────────────────

-- Nobody writes a sum but through what it sums.
grant select on pigou.regret_key, pigou.regret_day, pigou.task_day to pigou_writer;
revoke all on function pigou.sum_regret(integer[], bigint[], date[]), pigou.roll_up_decisions(), pigou.roll_up_tasks() from public;
