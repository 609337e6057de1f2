-- name: regret_curve
-- What each class's router lost by day and in sum, tries to learn included, with the limit that its intervals set to the sum.
select distinct l.tenant, l.task_class, x.day, x.usd, x.cumulative_usd, x.cumulative_high_usd
  from ledger.looks l
 cross join lateral jsonb_to_recordset(l.evidence -> 'detail' -> 'regret_curve')
       as x (day date, usd numeric, cumulative_usd numeric, cumulative_high_usd numeric)
 where l.layer = 'demand' and jsonb_typeof(l.evidence -> 'detail' -> 'regret_curve') = 'array' and {filters - l.tenant l.task_class}
 order by l.tenant, l.task_class, x.day;

-- name: menus
-- Would users choose for themselves what is meant for them (eq. 5)? A type of users for each value band: the option eq. 1 means for it, what
-- that costs in full, the dearest price at which it still takes it, and the rent it must be left since nobody can see its V.
select l.tenant, l.task_class, x.place, x.type, x.v_usd, x.option,
       (m.menu -> 'full_prices_usd' ->> x.option)::numeric as full_price_usd,
       (jsonb_path_query_first(m.menu, '$.offers[*] ? (@.option == $option).price_usd', jsonb_build_object('option', x.option)) #>> array[]::text[])::numeric
           as menu_price_usd,
       (m.menu -> 'information_rents_usd' ->> x.type)::numeric as rent_usd,
       m.menu -> 'would_choose_otherwise_at_full_prices' as envies, m.menu ->> 'why' as why
  from (select distinct on (tenant, task_class) * from ledger.looks
         where layer = 'demand' and jsonb_typeof(evidence -> 'detail' -> 'menu') = 'object' and {filters - tenant task_class}
         order by tenant, task_class, looked_at desc, segment) l
 cross join lateral (values (l.evidence -> 'detail' -> 'menu')) m (menu)
  left join lateral rows from (jsonb_to_recordset(m.menu -> 'types') as (type text, v_usd numeric, option text))
       with ordinality x (type, v_usd, option, place) on true
 order by l.tenant, l.task_class, x.place;

-- name: production
-- What one more dollar of reading, planning, acting and verifying brings in each class of tasks: equal where money is spent well (eq. 8).
select tenant, task_class, use, tasks, usd_per_task, net_per_usd, net_low, net_high, status, why, settled_by, equal_p, complements,
       assignment, since, until
  from ledger.production
 where usd_per_task is not null and {filters - tenant task_class}
 order by tenant, task_class, use;

-- name: hand_offs
-- Work handed on to other agents, against working alone: what it brings and takes a day, as far as it is known.
select tenant, task_class, subject as chosen, n as hand_offs, status, usd_per_day, low, high, is_discovery, sentence, change,
       (jsonb_path_query_first(evidence, '$.terms[*] ? (@.name == "V·ΔQ").usd_per_day') #>> array[]::text[])::numeric as value_usd,
       (jsonb_path_query_first(evidence, '$.terms[*] ? (@.name == "ΔC").usd_per_day') #>> array[]::text[])::numeric as cost_usd,
       (jsonb_path_query_first(evidence, '$.terms[*] ? (@.name == "λ·ΔL").usd_per_day') #>> array[]::text[])::numeric as latency_usd,
       (jsonb_path_query_first(evidence, '$.terms[*] ? (@.name == "ρ·ΔR").usd_per_day') #>> array[]::text[])::numeric as risk_usd
  from ledger.looks
 where mode = 'over_delegation' and kind = 'delegate' and {filters - tenant task_class}
 order by usd_per_day desc nulls last, n desc, tenant, task_class;

-- name: checks
-- Verification by class of tasks: how often work was checked, how many checks failed, and what more or fewer passes would bring a day.
select l.tenant, l.task_class, l.subject, l.n, l.status, l.usd_per_day, l.low, l.high, l.is_discovery,
       coalesce((l.evidence -> 'detail' ->> 'reverse')::boolean, l.subject like '%, too many') as is_too_many,
       nullif(l.evidence -> 'detail' ->> 'best', '') as best, l.sentence,
       (l.evidence -> 'detail' -> 'checks' ->> 'passes')::bigint as checks, (l.evidence -> 'detail' -> 'checks' ->> 'failed')::bigint as failed
  from ledger.looks l
 where l.mode = 'under_verification' and {filters - l.tenant l.task_class}
 order by l.tenant, l.task_class, l.subject;

-- name: engines
-- How shared engines served, by hour, as their own spans tell it: waiting, prefill and decode, context held, drafts accepted; means of the
-- requests that tell each. queue_p95_s: nineteen of twenty waited no longer, to the next edge of ledger.queues_hourly; of the last fortnight.
with served as (
    select engine, hour, sum(requests) as requests, sum(queue_known) as queue_known, sum(queue_s) as queue_s, max(queue_max_s) as queue_max_s,
           sum(prefill_known) as prefill_known, sum(prefill_s) as prefill_s, sum(decode_known) as decode_known, sum(decode_s) as decode_s,
           sum(kv_known) as kv_known, sum(kv_tokens) as kv_tokens, sum(batch_known) as batch_known, sum(batch) as batch,
           sum(spec_proposed) as drafted, sum(spec_accepted) as accepted
      from ledger.serving_hourly
     where {filters hour tenant task_class}
     group by engine, hour
), queued as (
    select engine, hour, below_s, sum(sum(requests)) over (partition by engine, hour order by below_s) as so_far,
           sum(sum(requests)) over (partition by engine, hour) as told
      from ledger.queues_hourly
     where {filters hour tenant task_class} and hour > (select max(hour) from served) - interval '14 days'
     group by engine, hour, below_s
), most as (
    select engine, hour, min(coalesce(below_s, 'infinity')) as below_s from queued where so_far >= 0.95 * told group by engine, hour
)
select s.engine, s.hour, s.requests, s.queue_known, s.queue_s / nullif(s.queue_known, 0) as queue_s,
       case when m.below_s is not null then least(s.queue_max_s, m.below_s) end as queue_p95_s,
       s.prefill_known, s.prefill_s / nullif(s.prefill_known, 0) as prefill_s, s.decode_known, s.decode_s / nullif(s.decode_known, 0) as decode_s,
       s.kv_known, s.kv_tokens / nullif(s.kv_known, 0) as kv_tokens, s.batch_known, s.batch / nullif(s.batch_known, 0) as batch,
       s.drafted, s.accepted
  from served s
  left join most m on m.engine = s.engine and m.hour = s.hour
 order by s.engine, s.hour;

-- name: drafting
-- Speculative decoding as make or buy, by the length of the context: which share of drafts is accepted, and from where on it does not pay.
select distinct l.tenant, l.subject as engine, x.place, (x.band ->> 0)::numeric as context_tokens, (x.band ->> 1)::numeric as accepted_share,
       (x.band ->> 2)::numeric as requests, s.answer, s.break_even, s.off_from_tokens, s.low, s.high, s.saved_share
  from ledger.looks l
 cross join lateral jsonb_to_record(l.evidence -> 'detail' -> 'speculation')
       as s (answer text, break_even numeric, off_from_tokens numeric, low numeric, high numeric, saved_share numeric, acceptance jsonb)
 cross join lateral jsonb_array_elements(s.acceptance) with ordinality x (band, place)
 where l.mode = 'serving_congestion' and jsonb_typeof(l.evidence -> 'detail' -> 'speculation') = 'object' and {filters - l.tenant}
 order by l.subject, l.tenant, x.place;

-- name: hits_by_value
-- Whose prompts the cache serves: the share of input that was read from it, and what that saved net of writing, by what tasks are worth.
select distinct l.tenant, l.task_class, l.agent, x.low_usd, x.high_usd, x.calls, x.hit_rate, x.saved_usd
  from ledger.looks l
 cross join lateral jsonb_to_recordset(l.evidence -> 'detail' -> 'hit_rate_by_value')
       as x (low_usd numeric, high_usd numeric, calls bigint, hit_rate numeric, saved_usd numeric)
 where l.mode = 'cache_misuse' and jsonb_typeof(l.evidence -> 'detail' -> 'hit_rate_by_value') = 'array' and {filters - l.tenant l.task_class l.agent}
 order by l.tenant, l.task_class, l.agent, x.low_usd;

-- name: depreciation
-- How fast what is stored in providers' caches is lost (δ of eq. 10): the share lost an hour, and the lifetime that was seen.
select l.tenant, x.provider, max((x.life -> 'per_hour' ->> 0)::numeric) as per_hour, max((x.life -> 'per_hour' ->> 1)::numeric) as low,
       max((x.life -> 'per_hour' ->> 2)::numeric) as high, max((x.life ->> 'n')::bigint) as n,
       max((x.life -> 'lifetime_s' ->> 0)::numeric) as lifetime_s
  from ledger.looks l
 cross join lateral jsonb_each(l.evidence -> 'detail' -> 'depreciation') x (provider, life)
 where l.mode = 'cache_misuse' and jsonb_typeof(l.evidence -> 'detail' -> 'depreciation') = 'object' and {filters - l.tenant l.task_class l.agent}
 group by l.tenant, x.provider
 order by l.tenant, x.provider;

-- name: assets
-- What was paid for and is used later, by account: what was capitalised, used up and written off on the days shown, and what is left at their
-- end. These are amounts of the accrual book, beside the bill and not in it.
select tenant, 'accrual' as book, 'assets:' || kind || ':' || item as account,
       coalesce(sum(capitalised_usd) filter (where day >= {first day}), 0) as capitalised_usd,
       coalesce(sum(depreciated_usd) filter (where day >= {first day}), 0) as depreciated_usd,
       coalesce(sum(written_off_usd) filter (where day >= {first day}), 0) as written_off_usd,
       sum(capitalised_usd - depreciated_usd - written_off_usd) as carrying_usd
  from ledger.assets_daily
 where day < {end day} and {filters - tenant}
 group by tenant, kind, item
 order by capitalised_usd desc, account, tenant
 limit {limit};

-- name: trainers
-- What became of rollouts, by trainer: how fast what they teach fades, what was lost by their age, what was spent past the point at which
-- they teach less than fades meanwhile.
select tenant, agent as trainer, n as updates, status, usd_per_day, low, high, sentence,
       (evidence -> 'detail' ->> 'reference_lag')::numeric as usual_lag, (evidence -> 'detail' ->> 'past_the_point')::bigint as past_the_point,
       (evidence -> 'detail' ->> 'spent_past_the_point_usd_per_day')::numeric as written_off_usd_per_day,
       (evidence -> 'detail' -> 'capability_lost' ->> 0)::numeric as lost, (evidence -> 'detail' -> 'capability_lost' ->> 1)::numeric as lost_low,
       (evidence -> 'detail' -> 'capability_lost' ->> 2)::numeric as lost_high,
       (evidence -> 'detail' -> 'delta' ->> 0)::numeric as delta, (evidence -> 'detail' -> 'delta' ->> 1)::numeric as delta_low,
       (evidence -> 'detail' -> 'delta' ->> 2)::numeric as delta_high
  from ledger.looks
 where mode = 'stale_rollouts' and {filters - tenant agent}
 order by tenant, agent;

-- name: capability_per_token
-- What a million tokens more of rollout, reward and update add to capability, and what a dollar of each does: equal where it is spent well
-- (eq. 12).
select l.tenant, l.agent as trainer, x.use, x.gain, x.low, x.high, x.usd as usd_per_million, x.gain_per_usd
  from ledger.looks l
 cross join lateral jsonb_to_recordset(l.evidence -> 'detail' -> 'marginals')
       as x (use text, gain numeric, low numeric, high numeric, usd numeric, gain_per_usd numeric)
 where l.mode = 'stale_rollouts' and jsonb_typeof(l.evidence -> 'detail' -> 'marginals') = 'array' and {filters - l.tenant l.agent}
 order by l.tenant, l.agent, x.use;

-- name: portfolio
-- Ways of training as assets: what their updates gain on average, and at which variance.
select l.tenant, l.agent as trainer, nullif(x.method, '') as method, x.updates, x.gain, x.variance, x.is_efficient
  from ledger.looks l
 cross join lateral jsonb_to_recordset(l.evidence -> 'detail' -> 'frontier')
       as x (method text, updates bigint, gain numeric, variance numeric, is_efficient boolean)
 where l.mode = 'stale_rollouts' and jsonb_typeof(l.evidence -> 'detail' -> 'frontier') = 'array' and {filters - l.tenant l.agent}
 order by l.tenant, l.agent, x.variance;

-- name: route_segments
-- What a request lost by which model answered it, by what its task was worth: decisions that were judged together, over all that was
-- appraised. The upper limit is the bound.
select tenant, task_class, value_band, value_low_usd, value_high_usd, chosen, nullif(best, '') as best, n, regret_usd / n as usd_each,
       regret_low_usd / n as low, regret_high_usd / n as high, status, is_discovery
  from ledger.segments
 where kind = 'route' and n > 0 and value_band <> '' and {filters - tenant task_class chosen}
 order by tenant, task_class, value_low_usd nulls first, chosen;

-- name: cache_by_day
-- Tokens written to caches and read from them, by day: what is invested, and what comes back.
select day, sum(cache_write_tokens) as cache_write_tokens, sum(cache_read_tokens) as cache_read_tokens
  from ledger.spend_daily
 where {filters day tenant agent task_class}
 group by day
having sum(coalesce(cache_write_tokens, 0) + coalesce(cache_read_tokens, 0)) > 0
 order by day;
