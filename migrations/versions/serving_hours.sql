-- What engines served, summed by hour, so that no page reads single requests for it. Reasons: docs/architecture.md.

-- ── what a request tells ─────────────────────────────────────────────────────────────────────────────

-- A request as an engine served it, by its own span: which engine (its service where it names none and tells its times; 150 characters at
-- most, as keys are short), and what it says. What is no number from 0 to a trillion is not told. A plain function, so that PostgreSQL puts
-- its body into the query that calls it; parsed here, since readers do not see this schema.
create function pigou.as_served(attributes jsonb, service text)
returns table (engine text, queue_s numeric, prefill_s numeric, decode_s numeric, kv_tokens numeric, batch numeric, drafted numeric,
               accepted numeric)
language sql immutable parallel safe begin atomic
    select left(coalesce(n.engine, case when coalesce(n.queue_s, n.prefill_s, n.decode_s) is not null then service end), 150), n.queue_s,
           n.prefill_s, n.decode_s, n.kv_tokens, n.batch, n.drafted, n.accepted
      from (select nullif(t.engine, '') as engine,
                   case when jsonb_typeof(t.queue_s) = 'number' and t.queue_s::numeric between 0 and 1e12 then round(t.queue_s::numeric, 12) end as queue_s,
                   case when jsonb_typeof(t.prefill_s) = 'number' and t.prefill_s::numeric between 0 and 1e12 then round(t.prefill_s::numeric, 12) end as prefill_s,
                   case when jsonb_typeof(t.decode_s) = 'number' and t.decode_s::numeric between 0 and 1e12 then round(t.decode_s::numeric, 12) end as decode_s,
                   case when jsonb_typeof(t.kv_tokens) = 'number' and t.kv_tokens::numeric between 0 and 1e12 then round(t.kv_tokens::numeric, 12) end as kv_tokens,
                   case when jsonb_typeof(t.batch) = 'number' and t.batch::numeric between 0 and 1e12 then round(t.batch::numeric, 12) end as batch,
                   case when jsonb_typeof(t.drafted) = 'number' and t.drafted::numeric between 0 and 1e12 then round(t.drafted::numeric, 12) end as drafted,
                   case when jsonb_typeof(t.accepted) = 'number' and t.accepted::numeric between 0 and 1e12 then round(t.accepted::numeric, 12) end as accepted
              from (select attributes->>'allocation.engine' as engine,
                           coalesce(attributes->'allocation.engine.queue_s', attributes->'gen_ai.latency.time_in_queue') as queue_s,
                           coalesce(attributes->'allocation.engine.prefill_s', attributes->'gen_ai.latency.time_in_model_prefill') as prefill_s,
                           coalesce(attributes->'allocation.engine.decode_s', attributes->'gen_ai.latency.time_in_model_decode') as decode_s,
                           attributes->'allocation.engine.kv_tokens' as kv_tokens, attributes->'allocation.engine.batch' as batch,
                           attributes->'allocation.spec.proposed' as drafted, attributes->'allocation.spec.accepted' as accepted
                    offset 0) t    -- each is looked up once, however often it is used
            offset 0) n;
end;

-- ── sums ─────────────────────────────────────────────────────────────────────────────────────────────

-- Sums over the requests that began in an hour. A `…_known` counts those that told the quantity: where none did, the sum is unknown and
-- not 0.
create table pigou.serving_hour (
    tenant_id     integer not null,
    hour          timestamptz not null,
    engine        text not null,
    task_class    text not null,                      -- '' where none is told, since a key knows no null; 150 characters at most
    requests      integer not null,
    queue_known   integer not null,
    queue_s       numeric not null,
    queue_max_s   numeric,
    prefill_known integer not null,
    prefill_s     numeric not null,
    decode_known  integer not null,
    decode_s      numeric not null,
    kv_known      integer not null,
    kv_tokens     numeric not null,
    batch_known   integer not null,
    batch         numeric not null,
    drafts_known  integer not null,                   -- those that tell both of what follows
    drafted       numeric not null,
    accepted      numeric not null,
    primary key (tenant_id, hour, engine, task_class)
) with (fillfactor = 80);

-- How many of them waited how long: between the edge `wait` and the next one. Percentiles cannot be had from sums.
create table pigou.queue_hour (
    tenant_id  integer not null,
    hour       timestamptz not null,
    engine     text not null,
    task_class text not null,
    wait       smallint not null,
    requests   integer not null,
    primary key (tenant_id, hour, engine, task_class, wait)
) with (fillfactor = 80);

-- The edges of waits, in seconds: ten a decade, from a millisecond to a thousand seconds.
create function pigou.queue_edges() returns numeric[] language sql immutable parallel safe as $$
    select array_agg(trim_scale(step * 10::numeric ^ decade) order by decade, step)
      from unnest(array[1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8]) step cross join generate_series(-3, 3) decade
     where decade < 3 or step = 1
$$;

-- Adds requests to the sums; posting is done by one writer per tenant, so that two never meet on a row. Records never change, copies
-- are not kept twice, and retention drops whole months without a trigger: nothing is ever taken off.
do $do$
declare
    statement constant text := $sql$
with told as materialized (
    select r.tenant_id, date_trunc('hour', r.started_at, 'UTC') as hour, s.engine,
           left(coalesce(r.task_class, ''), 150) as task_class, s.queue_s, s.prefill_s, s.decode_s, s.kv_tokens, s.batch, s.drafted, s.accepted
      from %s r cross join lateral pigou.as_served(r.attributes, r.service) s
     where r.layer = 'supply' and r.role = 'call' and s.engine is not null
),
queues as (
    insert into pigou.queue_hour as q (tenant_id, hour, engine, task_class, wait, requests)
    select tenant_id, hour, engine, task_class, width_bucket(queue_s, pigou.queue_edges()), count(*)
      from told where queue_s is not null group by 1, 2, 3, 4, 5
    on conflict (tenant_id, hour, engine, task_class, wait) do update set requests = q.requests + excluded.requests
)
insert into pigou.serving_hour as h (tenant_id, hour, engine, task_class, requests, queue_known, queue_s, queue_max_s, prefill_known,
                                     prefill_s, decode_known, decode_s, kv_known, kv_tokens, batch_known, batch, drafts_known, drafted, accepted)
select tenant_id, hour, engine, task_class, count(*), count(queue_s), coalesce(sum(queue_s), 0), max(queue_s),
       count(prefill_s), coalesce(sum(prefill_s), 0), count(decode_s), coalesce(sum(decode_s), 0), count(kv_tokens),
       coalesce(sum(kv_tokens), 0), count(batch), coalesce(sum(batch), 0), count(*) filter (where drafted is not null and accepted is not null),
       coalesce(sum(drafted) filter (where accepted is not null), 0), coalesce(sum(accepted) filter (where drafted is not null), 0)
  from told
 group by 1, 2, 3, 4
on conflict (tenant_id, hour, engine, task_class) do update
   set requests = h.requests + excluded.requests, queue_known = h.queue_known + excluded.queue_known, queue_s = h.queue_s + excluded.queue_s,
       queue_max_s = greatest(h.queue_max_s, excluded.queue_max_s), prefill_known = h.prefill_known + excluded.prefill_known,
       prefill_s = h.prefill_s + excluded.prefill_s, decode_known = h.decode_known + excluded.decode_known,
       decode_s = h.decode_s + excluded.decode_s, kv_known = h.kv_known + excluded.kv_known, kv_tokens = h.kv_tokens + excluded.kv_tokens,
       batch_known = h.batch_known + excluded.batch_known, batch = h.batch + excluded.batch,
       drafts_known = h.drafts_known + excluded.drafts_known, drafted = h.drafted + excluded.drafted, accepted = h.accepted + excluded.accepted
$sql$;
begin
    -- The record of a call is written before it, in the same transaction; it is found by its key, whatever the planner thinks of how
    -- many there are. The trigger stands on calls, whose rows other roll-ups look at anyway, so that no other record pays for it.
    execute format($sql$
create function pigou.sum_served() returns trigger
language plpgsql security definer set search_path = pigou, pg_temp set enable_seqscan = off as $body$
begin
    if exists (select from arrived where layer = 'supply') then
        %s;
    end if;
    return null;
end $body$$sql$, format(statement, $sql$(select x.*
              from arrived a
             cross join lateral (
                   select * from pigou.record
                    where tenant_id = a.tenant_id and started_at = a.started_at and trace_id = a.trace_id and span_id = a.span_id
                   offset 0) x
             where a.layer = 'supply')$sql$));
    create trigger request_is_summed after insert on pigou.call
        referencing new table as arrived for each statement execute function pigou.sum_served();
    -- What is already there. The trigger keeps posting out until this is over, so that nothing is left out or summed twice.
    execute format(statement, 'pigou.record');
end $do$;

-- ── rights ───────────────────────────────────────────────────────────────────────────────────────────

-- Nobody writes a sum but through what it sums.
grant select on pigou.serving_hour, pigou.queue_hour to pigou_writer;
revoke all on function pigou.sum_served() from public;
