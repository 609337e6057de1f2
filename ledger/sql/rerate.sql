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
-- Booked calls one of whose kinds has a rate of the tenant's own that was recorded after the call was booked.
select distinct c.trace_id, c.span_id, c.started_at
  from pigou.rate r
  join pigou.call c
    on c.tenant_id = r.tenant_id and c.status = 'booked' and c.started_at >= %(since)s and r.valid @> c.started_at
   and ((c.rate_model = r.model and c.rate_provider = r.provider) or (c.model = r.model and c.provider = r.provider))
  join pigou.transfer x
    on x.tenant_id = c.tenant_id and x.entry_id = c.entry_id and x.occurred_at = c.started_at and x.commodity_id = r.commodity_id
  join lateral pigou.rate_of(c.tenant_id, c.provider, c.model, c.rate_provider, c.rate_model, r.commodity_id,
                             c.service_tier, c.total_input_tokens, c.started_at, 'infinity') n on n.rate_id <> x.rate_id
 where r.tenant_id = %(tenant_id)s
 order by c.started_at
 limit %(limit)s

-- name: still_unpriced
select count(*) from pigou.call where tenant_id = %(tenant_id)s and status = 'unpriced' and started_at >= %(since)s
