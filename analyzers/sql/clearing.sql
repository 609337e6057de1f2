-- name: market_tenants
-- All tenants, with the last look at the prices of each that has any: whoever an engine served shares it.
select t.tenant_id, t.tenant, p.since, p.until
  from pigou.tenant t
  left join ledger.price_periods p on p.tenant = t.tenant
 where t.tenant_id <> 0
 order by t.tenant

-- name: make_served
-- Calls that engines say they served, each once however many report it, with what it took of the engine that is asked of.
create temp table served (
    tenant_id integer, call_trace_id bytea, call_span_id bytea, is_ours boolean, started_at timestamptz, units double precision
) on commit drop

-- name: take_served
-- Those of a tenant. Fresh prompt tokens are the caller's word where it is a call of ours, since engines do not tell what their prefix cache held.
insert into served
select %(tenant_id)s, coalesce(c.copy_of_trace_id, r.trace_id) as call_trace_id, coalesce(c.copy_of_span_id, r.span_id) as call_span_id,
       bool_or(x.engine = %(engine)s) as is_ours, min(r.started_at) as started_at,
       max(case %(resource)s when 'prefill' then coalesce(p.input_tokens, c.input_tokens)::float8
                             when 'decode' then x.output_tokens
                             else coalesce(x.kv_tokens, c.total_input_tokens + x.output_tokens) * (x.prefill_s + x.decode_s) end)
           filter (where x.engine = %(engine)s) as units
  from pigou.record r
  left join pigou.call c on c.tenant_id = r.tenant_id and c.trace_id = r.trace_id and c.span_id = r.span_id and c.started_at = r.started_at
  left join lateral (select input_tokens from pigou.call p
                      where p.tenant_id = r.tenant_id and p.trace_id = r.trace_id and p.span_id = r.parent_span_id limit 1) p on true
 cross join lateral (
       select coalesce(r.attributes->>'allocation.engine', r.service) as engine,
              nullif(coalesce(c.output_tokens, 0) + coalesce(c.reasoning_tokens, 0), 0)::float8 as output_tokens,
              max(v.number) filter (where v.name = 'kv_tokens') as kv_tokens, max(v.number) filter (where v.name = 'prefill_s') as prefill_s,
              max(v.number) filter (where v.name = 'decode_s') as decode_s
         from (select n.name, case when jsonb_typeof(n.said) = 'number' and abs(n.said::numeric) <= 1e12
                                   then n.said::float8 end as number
                 from (values ('prefill_s', coalesce(r.attributes->'allocation.engine.prefill_s',
                                                     r.attributes->'gen_ai.latency.time_in_model_prefill')),
                              ('decode_s', coalesce(r.attributes->'allocation.engine.decode_s',
                                                    r.attributes->'gen_ai.latency.time_in_model_decode')),
                              ('kv_tokens', r.attributes->'allocation.engine.kv_tokens')) n (name, said)) v
        where v.number >= 0) x
 where r.tenant_id = %(tenant_id)s and r.started_at >= %(since)s and r.started_at < %(until)s and r.role = 'call'
   and (r.attributes ? 'allocation.engine' or r.attributes ? 'allocation.engine.decode_s'
        or r.attributes ? 'gen_ai.latency.time_in_model_decode')
 group by 2, 3

-- name: index_served
-- Once all are there.
create index on served (tenant_id, call_trace_id, call_span_id);
analyze served

-- name: served_by_hour
-- What requests of a tenant took of the engine in a window, by hour, with how many of them tell it.
select date_trunc('hour', started_at, 'UTC'), count(*), count(units), coalesce(sum(units), 0)
  from served
 where tenant_id = %(tenant_id)s and is_ours and started_at >= %(since)s and started_at < %(until)s
   and (extract(hour from started_at at time zone 'UTC')::integer - %(first_hour)s + 24) %% 24 < %(hours)s
 group by 1 order by 1

-- name: served_models
-- The models of the calls that the engine served, by all the names that it and its callers have for them.
select distinct k.model
  from served s
  join pigou.call k on k.tenant_id = %(tenant_id)s and k.started_at >= %(since)s and k.started_at < %(until)s
   and coalesce(k.copy_of_trace_id, k.trace_id) = s.call_trace_id and coalesce(k.copy_of_span_id, k.span_id) = s.call_span_id
 where s.tenant_id = %(tenant_id)s and s.is_ours and k.model is not null
 order by 1

-- name: window_tasks
-- How many tasks of each class began in a window.
select coalesce(task_class, ''), count(*)::float8
  from pigou.task
 where tenant_id = %(tenant_id)s and started_at >= %(since)s and started_at < %(until)s
   and (extract(hour from started_at at time zone 'UTC')::integer - %(first_hour)s + 24) %% 24 < %(hours)s
 group by 1 order by 1

-- name: option_uses
-- What whole tasks took of the engine where decisions took each option: the mean over decisions by inverse chance where chances are logged,
-- else the plain one, with its standard error by task, over tasks of which it is known. Not known is a task with a call that no engine says
-- it served although this one serves its model, or that names no model, or that this one served without telling how much.
with asked as (
    select distinct k.trace_id, coalesce(k.copy_of_trace_id, k.trace_id) as call_trace_id, coalesce(k.copy_of_span_id, k.span_id) as call_span_id,
           k.model
      from pigou.call k
     where k.tenant_id = %(tenant_id)s and k.started_at >= %(since)s - interval '1 day' and k.started_at < %(until)s + interval '1 day'),
task_use as (
    select t.trace_id, case when not coalesce(bool_or(case when a.call_span_id is null then false
                                                            when s.call_span_id is null then a.model is null or a.model = any (%(models)s)
                                                            else s.is_ours and s.units is null end), false)
                            then coalesce(sum(u.units), 0) end as units
      from pigou.task t
      left join (select trace_id, call_trace_id, call_span_id, max(model) as model from asked group by 1, 2, 3) a on a.trace_id = t.trace_id
      left join served s on s.tenant_id = t.tenant_id and s.call_trace_id = a.call_trace_id and s.call_span_id = a.call_span_id
     cross join lateral (select case when s.is_ours then s.units end as units) u
     where t.tenant_id = %(tenant_id)s and t.started_at >= %(since)s and t.started_at <= %(until)s
     group by t.trace_id),
chosen as (
    select coalesce(d.task_class, '') as task_class, d.kind, d.options[d.chosen] as option, d.trace_id, u.units,
           sum(case when d.assignment = 'logged' and d.propensity > 0 then 1 / d.propensity else 1 end)::float8 as weight
      from pigou.decision d
      join task_use u on u.trace_id = d.trace_id
     where d.tenant_id = %(tenant_id)s and d.decided_at >= %(since)s - interval '1 day' and d.decided_at < %(until)s + interval '1 day'
     group by 1, 2, 3, 4, 5),
means as (
    select task_class, kind, option, count(*) as tasks, count(units) as known,
           sum(weight * units) / sum(weight) filter (where units is not null) as mean,
           sum(weight) filter (where units is not null) as weight, sum(weight * weight) filter (where units is not null) as squares
      from chosen group by 1, 2, 3)
select m.task_class, m.kind, m.option, m.tasks, m.known, m.mean, e.error, m.weight * m.weight / m.squares as effective
  from means m
 cross join lateral (select sqrt(sum(c.weight * c.weight * (c.units - m.mean) * (c.units - m.mean))) / m.weight as error
                       from chosen c
                      where c.task_class = m.task_class and c.kind = m.kind and c.option = m.option and c.units is not null) e
 order by 1, 2, 3

-- name: capacities_due
-- Engines of stated capacity that are to be cleared: never yet, or stated anew since, or prices were looked at since, an hour later.
select c.engine, c.resource
  from (select distinct on (engine, resource) engine, resource, per_s, recorded_at
          from pigou.engine_capacity order by engine, resource, revision desc) c
  left join pigou.setting s on s.setting = concat('engine_cleared_', c.resource, '_', c.engine)
 where c.per_s is not null
   and (s.value is null or c.recorded_at > s.value::timestamptz
        or s.value::timestamptz < now() - interval '1 hour'
           and exists (select from pigou.price_solution p where p.solved_at > s.value::timestamptz))
 order by 1, 2

-- name: mark_cleared
-- That an engine is cleared, by what was there at a time.
insert into pigou.setting (setting, value) values (concat('engine_cleared_', %(resource)s::text, '_', %(engine)s::text), %(at)s::text)
on conflict (setting) do update set value = excluded.value

-- name: add_clearing
-- A tenant in a market that was cleared.
insert into pigou.clearing_price (tenant_id, engine, resource, cleared_at, since, until, capacity_per_s, price, price_low, price_high, dual_low,
                                  dual_high, groped, agrees, why, is_moved, was_per_s, free_per_s, takes_per_s, least_per_s, most_per_s,
                                  pays_usd_per_day, left_out, seed)
select tenant_id, %(engine)s, %(resource)s, %(cleared_at)s, %(since)s, %(until)s, %(capacity_per_s)s, %(price)s, %(price_low)s, %(price_high)s,
       %(dual_low)s, %(dual_high)s, %(groped)s, %(agrees)s, %(why)s, %(is_moved)s, %(was_per_s)s, %(free_per_s)s, %(takes_per_s)s, %(least_per_s)s,
       %(most_per_s)s, %(pays_usd_per_day)s, %(left_out)s, %(seed)s
  from pigou.tenant where tenant = %(tenant)s
