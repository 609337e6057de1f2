-- name: lock
-- One at a time makes assets.
select pg_advisory_lock(hashtextextended('pigou.capitalise', 0))

-- name: unlock
-- The next may.
select pg_advisory_unlock(hashtextextended('pigou.capitalise', 0))

-- name: touch
-- Days of which something came since the last look: calls that were booked or reversed, and with them the day before, whose writes they
-- may have read; updates, which consume rollouts. How far was looked is noted beside it: what may still be on its way is looked at again.
with seen as materialized (
    select coalesce((select value::timestamptz from pigou.setting where setting = 'capitalised_seen'),
                    (select min(created_at) from pigou.tenant where tenant_id <> 0), now()) as since
),
came as materialized (
    select e.tenant_id, (e.occurred_at at time zone 'UTC')::date as day
      from pigou.entry e
     where e.recorded_at >= (select since from seen) and e.span_id is not null
     group by 1, 2
),
marked as (
    insert into pigou.setting (setting, value) values ('capitalised_seen', %(seen_to)s::text)
    on conflict (setting) do update set value = excluded.value
)
insert into pigou.asset_due (tenant_id, kind, day)
select tenant_id, 'cache', day - back from came cross join generate_series(0, 1) back
 union
select tenant_id, 'rollouts', min(day) from came group by tenant_id
 union
select r.tenant_id, 'rollouts', min((r.started_at at time zone 'UTC')::date)
  from pigou.record r
 where r.recorded_at >= (select since from seen) and r.use = 'update'
 group by r.tenant_id
on conflict do nothing

-- name: touch_ended
-- Days of assets whose life is over.
insert into pigou.asset_due (tenant_id, kind, day)
select distinct tenant_id, kind, (since at time zone 'UTC')::date from pigou.asset where ends_at < %(known_to)s
on conflict do nothing

-- name: due
-- What is to be made again, the latest days first: those of caches one by one, those of a tenant's rollouts together.
select tenant_id, kind, array_agg(day order by day)
  from pigou.asset_due
 group by tenant_id, kind, case when kind = 'cache' then day end
 order by max(day) desc, tenant_id, kind

-- name: done
-- That it was.
delete from pigou.asset_due where tenant_id = %(tenant_id)s and kind = %(kind)s and day = any (%(days)s)

-- name: has_written
-- Whether any call of a day reports that it wrote to a cache, or has assets that say so.
select exists (select from pigou.spend_day where tenant_id = %(tenant_id)s and day = %(day)s and cache_write_tokens > 0)
    or exists (select from pigou.asset where tenant_id = %(tenant_id)s and since >= %(since)s and since < %(until)s and kind = 'cache')

-- name: cache_money
-- What the books say of booked calls that read or wrote a cache: what the writes cost beyond fresh input, and what the reads saved. Of a
-- call without fresh input, the rate that held. Null: not known.
select encode(c.trace_id, 'hex'), encode(c.span_id, 'hex'), c.started_at, coalesce(c.provider, ''), coalesce(c.model, ''),
       round(x.write_usd - x.written * coalesce(x.input_rate, i.rate_usd), 12), round(x.read * coalesce(x.input_rate, i.rate_usd) - x.read_usd, 12),
       c.use is not distinct from 'rollout'
  from pigou.call c
 cross join lateral (
       select max(t.rate_usd) filter (where t.commodity_id = 1) as input_rate,
              sum(t.quantity) filter (where m.kind = 'cache_read') as read, sum(t.amount_usd) filter (where m.kind = 'cache_read') as read_usd,
              sum(t.quantity) filter (where m.kind = 'cache_write') as written, sum(t.amount_usd) filter (where m.kind = 'cache_write') as write_usd
         from pigou.transfer t join pigou.commodity m using (commodity_id)
        where t.tenant_id = c.tenant_id and t.entry_id = c.entry_id and t.occurred_at = c.started_at) x
  left join lateral pigou.rate_of(c.tenant_id, c.provider, c.model, c.rate_provider, c.rate_model, 1::smallint, c.service_tier,
                                  c.total_input_tokens, c.started_at, 'infinity') i on x.input_rate is null
 where c.tenant_id = %(tenant_id)s and c.started_at >= %(since)s and c.started_at < %(until)s and c.status = 'booked'
   and coalesce(c.cache_read_tokens, 0) + coalesce(c.cache_write_tokens, 0) > 0

-- name: has_rollouts
-- Whether a tenant ever generated rollouts.
select exists (select from pigou.spend_key where tenant_id = %(tenant_id)s and use = 'rollout')
    or exists (select from pigou.asset where tenant_id = %(tenant_id)s and kind = 'rollouts')

-- name: rollouts_since
-- What is looked at: four weeks to the tenant's last hour with calls, as the mode does, and what still waits from before.
select least(w.last_at - %(looks_back)s, (select min(a.since) from pigou.asset a
                                           where a.tenant_id = %(tenant_id)s and a.kind = 'rollouts' and a.ends_at is not null)),
       w.last_at - %(looks_back)s, w.last_at
  from (select least(coalesce(max(s.hour) + interval '1 hour', now()), now()) as last_at
          from pigou.spend_hour s where s.tenant_id = %(tenant_id)s) w

-- name: batches
-- Batches of rollouts of which any call began since a time, whole: what they took, and whose they are.
select c.trace_id, coalesce(min(c.agent), min(c.service), ''), min(c.started_at), max(c.ended_at),
       sum(coalesce(c.total_input_tokens, c.input_tokens, 0) + coalesce(c.output_tokens, 0) + coalesce(c.reasoning_tokens, 0)),
       sum(c.cost_usd)
  from (select distinct trace_id from pigou.call
         where tenant_id = %(tenant_id)s and started_at >= %(since)s and use = 'rollout' and status = 'booked') b
  join pigou.call c on c.tenant_id = %(tenant_id)s and c.trace_id = b.trace_id and c.use = 'rollout' and c.status = 'booked'
 group by c.trace_id
 order by min(c.started_at), c.trace_id

-- name: consumptions
-- Which update consumed which batch, by its links, in order of time; and, of updates whose records are past their retention, by what was booked.
select l->>'trace_id', r.started_at, r.trace_id, r.span_id
  from pigou.record r
 cross join jsonb_array_elements(case when jsonb_typeof(r.links) = 'array' then r.links else '[]' end) l
 where r.tenant_id = %(tenant_id)s and r.use = 'update' and r.started_at >= %(since)s
 union all
select encode(a.trace_id, 'hex'), e.at, e.trace_id, e.span_id
  from pigou.asset a
  join pigou.asset_entry e on e.tenant_id = a.tenant_id and e.asset_id = a.asset_id and e.entry_id is not null
 where a.tenant_id = %(tenant_id)s and a.kind = 'rollouts' and a.since >= %(since)s and e.step <> 'capitalised' and e.span_id is not null
   and not exists (select from pigou.record r where r.tenant_id = e.tenant_id and r.trace_id = e.trace_id and r.span_id = e.span_id)
 order by 2, 4

-- name: verdicts
-- Which updates were booked as past the point, and which as not.
select e.trace_id, e.span_id, bool_or(e.step = 'written off')
  from pigou.asset a
  join pigou.asset_entry e on e.tenant_id = a.tenant_id and e.asset_id = a.asset_id and e.entry_id is not null
 where a.tenant_id = %(tenant_id)s and a.kind = 'rollouts' and a.since >= %(since)s and e.step <> 'capitalised' and e.span_id is not null
 group by e.trace_id, e.span_id
