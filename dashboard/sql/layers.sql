-- name: layer_spend
-- What each layer took, and how many calls.
select layer, sum(cost_usd) as cost_usd, sum(calls) as calls
  from {spend}
 where {filters - tenant agent task_class}
 group by layer
 order by cost_usd desc nulls last, layer;

-- name: layer_regret
-- What better options would have brought a day in each layer, and how many of its decisions could be judged.
select layer,
       sum(usd) / max(days) as usd_per_day,
       (sum(usd) - sqrt(sum(below_usd * below_usd))) / max(days) as low_usd_per_day,
       (sum(usd) + sqrt(sum(above_usd * above_usd))) / max(days) as high_usd_per_day,
       sum(decisions) as decisions, sum(appraised) as appraised
  from (select tenant, layer, task_class, sum(usd) as usd, sum(below_usd) as below_usd, sum(above_usd) as above_usd,
               sum(decisions) as decisions, coalesce(sum(decisions) filter (where status = 'appraised'), 0) as appraised
          from {regret}
         where {filters - tenant layer kind task_class agent chosen}
         group by tenant, layer, task_class) as classes
 cross join {days}
 group by layer
 order by layer;

-- name: regret_by_band
-- What better models would have brought a day, by class of tasks and what these were worth; no number where none could be judged.
select task_class, coalesce(nullif(value_band, ''), 'value not known') as kind,
       sum(usd) / max(days) as usd_per_day,
       (sum(usd) - sqrt(sum(below_usd * below_usd))) / max(days) as low_usd_per_day,
       (sum(usd) + sqrt(sum(above_usd * above_usd))) / max(days) as high_usd_per_day,
       sum(decisions) as decisions, sum(appraised) as appraised
  from (select tenant, task_class, value_band, sum(usd) as usd, sum(below_usd) as below_usd, sum(above_usd) as above_usd,
               sum(decisions) as decisions, coalesce(sum(decisions) filter (where status = 'appraised'), 0) as appraised
          from {regret}
         where kind = 'route' and {filters - tenant layer kind task_class agent chosen}
         group by tenant, task_class, value_band) as bands
 cross join {days}
 group by task_class, kind
 order by usd_per_day desc nulls last, task_class, kind;

-- name: frontier
-- What a router could reach: mean quality, cost and risk of the router as it is (scale null) and of eq. 4 at multiples of V.
select distinct l.tenant, l.task_class, x.scale, x.quality, x.cost_usd, x.risk_usd
  from ledger.looks l
 cross join lateral jsonb_to_recordset(l.evidence -> 'detail' -> 'frontier')
       as x (scale numeric, quality numeric, cost_usd numeric, risk_usd numeric)
 where l.layer = 'demand' and jsonb_typeof(l.evidence -> 'detail' -> 'frontier') = 'array' and {filters - l.tenant l.task_class}
 order by l.tenant, l.task_class, x.cost_usd;

-- name: autonomy_adopted
-- Who must confirm which class of action at least, who stated it, and what was done in the time shown with less confirmation than was required.
with breach as (
    select tenant, action_class, task_class, required, done_at, confirmation
      from ledger.autonomy_breaches where {filters done_at tenant task_class}
)
select r.action_class, r.task_class, r.tenant, r.confirmation, count(b.done_at) as breaches,
       count(b.done_at) filter (where b.confirmation is null) as unstated, r.recorded_at, r.source, r.revision
  from ledger.autonomy_requirements r
  left join breach b
    on b.action_class = r.action_class and (r.tenant is null or b.tenant = r.tenant) and r.task_class in ('*', b.task_class)
   and b.done_at >= r.recorded_at
   and not exists (select from ledger.autonomy_requirements n                     -- of what covers an action the narrowest holds
                    where n.is_in_force and n.action_class = r.action_class
                      and (n.tenant is null or n.tenant = b.tenant) and n.task_class in ('*', b.task_class)
                      and (n.tenant is not null, n.task_class <> '*') > (r.tenant is not null, r.task_class <> '*'))
 where r.is_in_force and (r.tenant is null or {filters - r.tenant})
 group by r.action_class, r.task_class, r.tenant, r.confirmation, r.recorded_at, r.source, r.revision
 order by breaches desc, r.action_class, r.task_class, r.tenant nulls first
 limit {limit};

-- name: autonomy_breaches
-- Actions in the time shown that were done with less confirmation than was required of them then, or do not state theirs, the newest first.
select done_at as started_at, tenant, action_class, task_class, confirmation, required, noted_at, trace_id, span_id
  from ledger.autonomy_breaches
 where {filters done_at tenant task_class}
 order by done_at desc, tenant, trace_id, span_id
 limit {limit};

-- name: autonomy
-- How actions are confirmed and how they should be, by class of action.
select distinct l.tenant, x.task_class, x.action_class, x.is_reversible, x.actions, x.now as confirmed_now, x.recommended, x.is_appraised,
       x.gain_usd, x.why, x.borne
  from ledger.looks l
 cross join lateral jsonb_to_recordset(l.evidence -> 'detail' -> 'schedule')
       as x (task_class text, action_class text, is_reversible boolean, actions bigint, now jsonb, recommended text, is_appraised boolean,
             gain_usd numeric, why text, borne jsonb)
 where l.mode = 'over_delegation' and jsonb_typeof(l.evidence -> 'detail' -> 'schedule') = 'array' and {filters - l.tenant}
 order by l.tenant, x.actions desc, x.action_class;

-- name: engine_prices
-- What one unit more of an engine would have cost others in delay, by hour: the same for every tenant that shares it.
select engine, hour,
       max(prefill_usd_per_token) as prefill_usd_per_token, max(prefill_low) as prefill_low, max(prefill_high) as prefill_high,
       max(decode_usd_per_token) as decode_usd_per_token, max(decode_low) as decode_low, max(decode_high) as decode_high,
       max(kv_usd_per_token_s) as kv_usd_per_token_s, max(kv_low) as kv_low, max(kv_high) as kv_high, max(n) as n
  from ledger.engine_prices
 where {filters hour tenant}
 group by engine, hour
 order by engine, hour
 limit {limit};

-- name: externalities
-- Who delayed whom on shared engines, in seconds and dollars a day.
select tenant, victim, sum(delay_s) / max(days) as delay_s_per_day, sum(usd) / max(days) as usd_per_day,
       (sum(usd) - sqrt(sum((usd - usd_low) ^ 2))) / max(days) as low_usd_per_day,
       (sum(usd) + sqrt(sum((usd_high - usd) ^ 2))) / max(days) as high_usd_per_day, sum(requests) as requests
  from ledger.externalities
 cross join {days}
 where {filters day tenant task_class}
 group by tenant, victim
 order by usd_per_day desc nulls last, tenant, victim;

-- name: cache_by_model
-- What was written to caches and read from them, by model.
select model, sum(cache_write_tokens) as cache_write_tokens, sum(cache_read_tokens) as cache_read_tokens,
       sum(coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)) as whole_input_tokens,
       sum(calls) as calls
  from {spend}
 where {filters - tenant agent task_class}
 group by model
having sum(coalesce(cache_write_tokens, 0) + coalesce(cache_read_tokens, 0)) > 0
 order by cache_write_tokens desc nulls last, model
 limit {limit};

-- name: cache_writes
-- What became of cache writes at each place that was looked at: paid back by reads, or not.
select distinct l.tenant, l.task_class, l.agent, x.closed, x.unpaid, x.premium_usd, x.saved_usd, x.written_off_usd,
       round(x.reads_per_write, 2) as reads_per_write, round(x.break_even_reads, 2) as break_even_reads,
       (l.evidence -> 'detail' ->> 'hit_rate')::numeric as hit_rate
  from ledger.looks l
 cross join lateral jsonb_to_record(l.evidence -> 'detail' -> 'writes')
       as x (closed bigint, unpaid bigint, premium_usd numeric, saved_usd numeric, written_off_usd numeric, reads_per_write numeric,
             break_even_reads numeric)
 where l.mode = 'cache_misuse' and jsonb_typeof(l.evidence -> 'detail' -> 'writes') = 'object' and {filters - l.tenant l.task_class l.agent}
 order by x.written_off_usd desc nulls last, l.tenant, l.task_class, l.agent
 limit {limit};

-- name: rollouts_by_lag
-- What updates gained by how many versions old their rollouts were.
select l.tenant, l.subject, x.lag, x.updates, x.gain, x.fitted, sqrt(x.variance / x.updates) as error
  from ledger.looks l
 cross join lateral jsonb_to_recordset(l.evidence -> 'detail' -> 'by_lag')
       as x (lag numeric, updates bigint, gain numeric, fitted numeric, variance numeric)
 where l.mode = 'stale_rollouts' and jsonb_typeof(l.evidence -> 'detail' -> 'by_lag') = 'array' and {filters - l.tenant}
 order by l.tenant, l.subject, x.lag;
