-- name: engines_of
-- The engines that served a tenant's requests and said how, within a time: when first and last, and when the last of it was recorded.
select coalesce(r.attributes->>'allocation.engine', r.service) as engine, min(r.started_at), max(r.started_at), max(r.recorded_at)
  from pigou.record r
 where r.tenant_id = %(tenant_id)s and r.started_at >= %(since)s and r.started_at < %(until)s and r.role = 'call'
   and (r.attributes ? 'allocation.engine.decode_s' or r.attributes ? 'gen_ai.latency.time_in_model_decode')
   and coalesce(r.attributes->>'allocation.engine', r.service) is not null
 group by 1 order by 1

-- name: tenants_served
-- All tenants: an engine is shared, so that whom it served must be asked of each.
select tenant_id, tenant from pigou.tenant where tenant_id <> 0 order by tenant_id

-- name: served
-- Requests of a tenant as an engine served them, by its own spans. Fresh prompt tokens are the caller's word where it is a call of
-- ours, since engines do not tell what their prefix cache held. λ is what the task was settled with, if it was.
select r.trace_id, r.span_id, coalesce(k.task_class, r.task_class, ''), extract(epoch from r.started_at)::float8,
       x.queue_s, x.prefill_s, x.decode_s, coalesce(x.kv_tokens, c.total_input_tokens + x.output_tokens)::float8, x.batch,
       coalesce(p.input_tokens, c.input_tokens)::float8, coalesce(c.total_input_tokens, c.input_tokens)::float8,
       x.output_tokens::float8, x.proposed, x.accepted, k.lambda_usd_per_s::float8, k.deadline_s,
       k.trace_id is not null
  from pigou.record r
  left join pigou.call c on c.tenant_id = r.tenant_id and c.trace_id = r.trace_id and c.span_id = r.span_id and c.started_at = r.started_at
  left join pigou.task k on k.tenant_id = r.tenant_id and k.trace_id = r.trace_id
  left join lateral (select input_tokens from pigou.call p
                      where p.tenant_id = r.tenant_id and p.trace_id = r.trace_id and p.span_id = r.parent_span_id limit 1) p on true
 cross join lateral (
       select max(v.number) filter (where v.name = 'queue_s') as queue_s, max(v.number) filter (where v.name = 'prefill_s') as prefill_s,
              max(v.number) filter (where v.name = 'decode_s') as decode_s, max(v.number) filter (where v.name = 'kv_tokens') as kv_tokens,
              max(v.number) filter (where v.name = 'batch') as batch, max(v.number) filter (where v.name = 'proposed') as proposed,
              max(v.number) filter (where v.name = 'accepted') as accepted,
              nullif(coalesce(c.output_tokens, 0) + coalesce(c.reasoning_tokens, 0), 0) as output_tokens
         from (select n.name, case when jsonb_typeof(n.said) = 'number' and abs(n.said::numeric) <= 1e12
                                   then n.said::float8 end as number
                 from (values ('queue_s', coalesce(r.attributes->'allocation.engine.queue_s', r.attributes->'gen_ai.latency.time_in_queue')),
                              ('prefill_s', coalesce(r.attributes->'allocation.engine.prefill_s',
                                                     r.attributes->'gen_ai.latency.time_in_model_prefill')),
                              ('decode_s', coalesce(r.attributes->'allocation.engine.decode_s',
                                                    r.attributes->'gen_ai.latency.time_in_model_decode')),
                              ('kv_tokens', r.attributes->'allocation.engine.kv_tokens'), ('batch', r.attributes->'allocation.engine.batch'),
                              ('proposed', r.attributes->'allocation.spec.proposed'),
                              ('accepted', r.attributes->'allocation.spec.accepted')) n (name, said)) v) x
 where r.tenant_id = %(tenant_id)s and r.started_at >= %(since)s and r.started_at < %(until)s and r.role = 'call'
   and coalesce(r.attributes->>'allocation.engine', r.service) = %(engine)s
   and x.queue_s >= 0 and x.prefill_s >= 0 and x.decode_s >= 0
 order by r.started_at desc
 limit %(limit)s

-- name: solved_lambdas
-- The prices of a second that were solved for limits on latency and hold now, by class: 0 where the limit is slack.
select task_class, lambda_usd_per_s::float8
  from (select distinct on (task_class) task_class, lambda_usd_per_s, lambda_source
          from pigou.price_vector where tenant_id = %(tenant_id)s
         order by task_class, revision desc) held
 where lambda_source = 'dual' and lambda_usd_per_s is not null

-- name: pressure
-- How long queues were, how full the KV cache was and how many prompt tokens the prefix cache held, by what an engine's own metrics
-- say, where it sends any: vLLM, SGLang and TGI. Counters are cumulative, and begin anew with their engine. Whose requests they were no
-- metric tells.
with told (name, tells) as (values
    ('vllm:num_requests_waiting', 'waiting'), ('vllm:num_requests_running', 'running'),
    ('vllm:kv_cache_usage_perc', 'kv_share'), ('vllm:gpu_cache_usage_perc', 'kv_share'),
    ('vllm:prefix_cache_queries_total', 'looked_up'), ('vllm:prefix_cache_hits_total', 'held'),
    ('vllm:prefix_cache_queries', 'looked_up'), ('vllm:prefix_cache_hits', 'held'),
    ('vllm:gpu_prefix_cache_queries_total', 'looked_up'), ('vllm:gpu_prefix_cache_hits_total', 'held'),
    ('vllm:gpu_prefix_cache_queries', 'looked_up'), ('vllm:gpu_prefix_cache_hits', 'held'),
    ('vllm:gpu_prefix_cache_hit_rate', 'held_share'),
    ('sglang:num_queue_reqs', 'waiting'), ('sglang:num_running_reqs', 'running'), ('sglang:token_usage', 'kv_share'),
    ('sglang:cache_hit_rate', 'held_share'),
    ('tgi_queue_size', 'waiting'), ('tgi_batch_current_size', 'running')),
seen as (
    select coalesce(m.attributes->>'engine', '') as engine,
           coalesce(m.attributes->>'model_name', s.attributes->>'service.name', '') as model,
           t.tells, m.value, lag(m.value) over (partition by m.name, m.series_id order by m.at) as before
      from pigou.metric_point m
      join told t using (name)
      left join pigou.resource s on s.tenant_id = m.tenant_id and s.resource_id = m.resource_id
     where m.tenant_id = %(tenant_id)s and m.at >= %(since)s and m.at < %(until)s and m.value is not null)
select engine, model, tells, count(*), avg(value), percentile_cont(0.95) within group (order by value),
       sum(case when value >= before then value - before when value < before then value end)
  from seen
 group by engine, model, tells order by engine, model, tells

-- name: last_priced
-- The last hour of an engine that was priced for a tenant.
select max(valid_from) from pigou.engine_price
 where tenant_id = %(tenant_id)s and engine = %(engine)s and source = %(source)s

-- name: measured_to
-- What was written before then was there when an engine was last measured.
select value::timestamptz from pigou.setting where setting = 'engine_measured_' || %(engine)s

-- name: lock_measuring
-- One run writes of an engine at a time.
select pg_advisory_xact_lock(hashtextextended('pigou.engine_measured', hashtext(%(engine)s)))

-- name: mark_measured
-- That an engine is measured, with what was written before a time.
insert into pigou.setting (setting, value) values ('engine_measured_' || %(engine)s, %(seen_to)s::text)
on conflict (setting) do update set value = excluded.value

-- name: came_since
-- The earliest request of a tenant on an engine that was recorded since a time, or whose task was settled since then.
select least((select min(r.started_at) from pigou.record r
               where r.tenant_id = %(tenant_id)s and r.started_at >= %(since)s and r.started_at < %(until)s and r.role = 'call'
                 and r.recorded_at >= %(seen_to)s and coalesce(r.attributes->>'allocation.engine', r.service) = %(engine)s),
             (select min(r.started_at)
                from pigou.task t
                join pigou.record r on r.tenant_id = t.tenant_id and r.trace_id = t.trace_id and r.role = 'call'
                 and coalesce(r.attributes->>'allocation.engine', r.service) = %(engine)s
               where t.tenant_id = %(tenant_id)s and t.settled_at >= %(seen_to)s
                 and r.started_at >= %(since)s and r.started_at < %(until)s))

-- name: add_engine_price
-- A price of an hour that is over; what was said of it before stands.
insert into pigou.engine_price (tenant_id, engine, resource, valid_from, price, unit, price_low, price_high, probes, source)
values (%(tenant_id)s, %(engine)s, %(resource)s, %(valid_from)s, %(price)s, %(unit)s, %(price_low)s, %(price_high)s, %(probes)s, %(source)s)
on conflict (tenant_id, engine, resource, valid_from) do nothing

-- name: forget_externalities
-- What a tenant's classes imposed from a day on is measured again: what is not written anew is nothing.
update pigou.externality
   set requests = 0, delay_s = 0, usd = 0, usd_low = 0, usd_high = 0, unpriced_s = 0, measured_at = now()
 where tenant_id = %(tenant_id)s and engine = %(engine)s and day >= %(day)s and requests > 0

-- name: put_externality
-- What one class imposed on one tenant on a day, measured again.
insert into pigou.externality (tenant_id, engine, day, task_class, victim_tenant_id, requests, delay_s, usd, usd_low, usd_high, unpriced_s)
values (%(tenant_id)s, %(engine)s, %(day)s, %(task_class)s, %(victim_tenant_id)s, %(requests)s, %(delay_s)s, %(usd)s, %(usd_low)s,
        %(usd_high)s, %(unpriced_s)s)
on conflict (tenant_id, engine, day, task_class, victim_tenant_id) do update
   set requests = excluded.requests, delay_s = excluded.delay_s, usd = excluded.usd, usd_low = excluded.usd_low,
       usd_high = excluded.usd_high, unpriced_s = excluded.unpriced_s, measured_at = now()

-- name: forget_held_up
-- What was measured of a tenant's tasks on an engine from a time on, which is measured again, and what no look goes back to.
delete from pigou.held_up
 where tenant_id = %(tenant_id)s and engine = %(engine)s and (came_at >= %(since)s or came_at < %(gone)s)

-- name: put_held_up
-- How long tasks of a tenant waited on an engine because of others, by whose class of tasks.
insert into pigou.held_up (tenant_id, trace_id, engine, culprit_tenant_id, task_class, came_at, delay_s)
select %(tenant_id)s, decode(x.trace_id, 'hex'), %(engine)s, x.culprit_tenant_id, x.task_class, x.came_at, x.delay_s
  from unnest(%(trace_ids)s::text[], %(culprits)s::integer[], %(classes)s::text[], %(came)s::timestamptz[], %(delays)s::float8[])
       x (trace_id, culprit_tenant_id, task_class, came_at, delay_s)
on conflict (tenant_id, trace_id, engine, culprit_tenant_id, task_class) do nothing
