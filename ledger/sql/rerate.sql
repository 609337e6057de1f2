-- name: unpriced_now_priced
-- Calls that wait for a price, all of whose kinds have one now.
select c.trace_id, c.span_id
  from pigou.call c
 where c.tenant_id = %(tenant_id)s and c.status = 'unpriced' and c.started_at >= %(since)s
   and not exists (
       select from jsonb_each_text(c.leaves) l (commodity, quantity)
         join pigou.commodity m on m.commodity = l.commodity
         left join lateral pigou.rate_of(c.tenant_id, c.provider, c.model, c.rate_provider, c.rate_model, m.commodity_id,
                                         c.service_tier, c.total_input_tokens, c.started_at, 'infinity') r on true
        where l.quantity::numeric > 0 and r.rate_id is null)
 order by c.started_at
 limit %(limit)s

-- name: booked_at_superseded
-- Booked calls one of whose kinds would be charged at another rate now than it was: a rate of the tenant's own, or of the list, that
-- was recorded after the call was (a minute allows for transactions that commit later than they began). A fee per request that
-- did not exist before counts as another rate too. Names are joined as values, so that thousands of new rates are hashed, not looped over.
with newer as materialized (
    select r.* from pigou.rate r join pigou.tenant t on t.tenant_id = %(tenant_id)s
     where r.tenant_id = t.tenant_id or (r.tenant_id = 0 and r.recorded_at > t.created_at - interval '1 minute')
)
select distinct c.trace_id, c.span_id, c.started_at
  from pigou.call c
 cross join lateral (select c.rate_provider union all select lower(c.provider) where lower(c.provider) is distinct from c.rate_provider) p (name)
 cross join lateral (select c.rate_model union all select lower(c.model) where lower(c.model) is distinct from c.rate_model) k (name)
  join newer r on r.provider = p.name and r.model = k.name and r.valid @> c.started_at
              and (r.tenant_id <> 0 or r.recorded_at > c.recorded_at - interval '1 minute')
  join pigou.commodity m on m.commodity_id = r.commodity_id
  left join pigou.transfer x
    on x.tenant_id = c.tenant_id and x.entry_id = c.entry_id and x.occurred_at = c.started_at and x.commodity_id = r.commodity_id
  join lateral pigou.rate_of(c.tenant_id, c.provider, c.model, c.rate_provider, c.rate_model, r.commodity_id,
                             c.service_tier, c.total_input_tokens, c.started_at, 'infinity') n on n.rate_id is distinct from x.rate_id
 where c.tenant_id = %(tenant_id)s and c.status = 'booked' and c.started_at >= %(since)s
   and (x.rate_id is not null or m.commodity = 'requests')
 order by c.started_at
 limit %(limit)s

-- name: still_unpriced
-- How many calls still wait for a price.
select count(*) from pigou.call where tenant_id = %(tenant_id)s and status = 'unpriced' and started_at >= %(since)s

-- name: would_be_booked_again
-- What the rates that this very transaction added would change: calls that would be booked at one of them, what they cost as the
-- books stand and would cost then, and how many that wait would still wait for a price of something else.
with newer as materialized (
    select r.* from pigou.rate r where r.tenant_id = %(tenant_id)s and r.recorded_at = now()
),
touched as materialized (
    select distinct c.trace_id, c.span_id, c.started_at
      from pigou.call c
     cross join lateral (select c.rate_provider union all select lower(c.provider) where lower(c.provider) is distinct from c.rate_provider) p (name)
     cross join lateral (select c.rate_model union all select lower(c.model) where lower(c.model) is distinct from c.rate_model) k (name)
      join newer r on r.provider = p.name and r.model = k.name and r.valid @> c.started_at
     where c.tenant_id = %(tenant_id)s and c.status in ('booked', 'unpriced')
),
priced as (
    select c.status, c.started_at, c.cost_usd, bool_and(n.rate_id is not null) as is_priced,
           bool_or(n.rate_id in (select rate_id from newer)) as is_changed, sum(round(l.quantity * n.rate_usd, 12)) as new_usd
      from touched t
      join pigou.call c on c.tenant_id = %(tenant_id)s and c.trace_id = t.trace_id and c.span_id = t.span_id and c.started_at = t.started_at
     cross join lateral (
           select key, value::numeric from jsonb_each_text(c.leaves)
            union all
           select 'requests', 1 where not c.leaves ? 'requests') l (commodity, quantity)
      join pigou.commodity m on m.commodity = l.commodity
      left join lateral pigou.rate_of(c.tenant_id, c.provider, c.model, c.rate_provider, c.rate_model, m.commodity_id,
                                      c.service_tier, c.total_input_tokens, c.started_at, 'infinity') n on true
     where l.quantity > 0 and (n.rate_id is not null or l.commodity <> 'requests' or c.leaves ? 'requests')
     group by c.trace_id, c.span_id, c.started_at, c.status, c.cost_usd
)
select count(*) filter (where is_priced and is_changed) as calls,
       count(*) filter (where is_priced and is_changed and status = 'unpriced') as unpriced_calls,
       coalesce(sum(cost_usd) filter (where is_priced and is_changed), 0) as cost_before_usd,
       coalesce(sum(new_usd) filter (where is_priced and is_changed), 0) as cost_after_usd,
       min(started_at) filter (where is_priced and is_changed) as first_at,
       max(started_at) filter (where is_priced and is_changed) as last_at,
       count(*) filter (where not is_priced) as still_unpriced
  from priced
