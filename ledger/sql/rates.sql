-- name: lock_price_book
-- One writer of prices at a time, so that revisions follow each other.
select pg_advisory_xact_lock(hashtextextended('pigou.rate', 0));

-- name: price_source_is_loaded
-- Whether this very list is in the price book already.
select exists (select from pigou.price_source where source = %s and version = %s and content_hash = %s);

-- name: mark_price_source
-- Remember that a list was loaded.
insert into pigou.price_source (source, version, content_hash, rates) values (%s, %s, %s, %s);

-- name: held_list_rates
-- The price list as held, with superseded rows.
select provider, model, commodity_id, service_tier, context_above, daily_from, daily_until, revision,
       lower(valid), upper(valid), price_usd, per
  from pigou.rate
 where tenant_id = %s;

-- name: copy_rates
-- Rows into the price book, from the list or from people.
copy pigou.rate (tenant_id, provider, model, commodity_id, service_tier, context_above, daily_from, daily_until, revision, valid,
                 price_usd, per, basis, source)
from stdin;

-- name: held_stated_rates
-- A tenant's own rates of some models, to find what a new one supersedes.
select provider, model, commodity_id, service_tier, context_above, daily_from, daily_until, revision, lower(valid), upper(valid)
  from pigou.rate
 where tenant_id = %(tenant_id)s and model = any(%(models)s);

-- name: list_rates
-- Rates as held, the tenants' own before the list.
select tenant, provider, model, commodity, service_tier, context_above, daily_from, daily_until, valid_from, valid_until,
       price_usd, per, basis, source, revision, recorded_at
  from ledger.rates
 where (tenant = %(tenant)s::text or (tenant is null and %(with_list)s) or (%(tenant)s::text is null and tenant is not null))
   and (%(provider)s::text is null or provider = %(provider)s)
   and (%(model)s::text is null or model like %(model)s)
   and (%(commodity)s::text is null or commodity = %(commodity)s)
   and (%(service_tier)s::text is null or service_tier = %(service_tier)s)
   and (%(at)s::timestamptz is null
        or (coalesce(valid_from <= %(at)s, true) and coalesce(valid_until > %(at)s, true)))
 order by tenant nulls last, provider, model, service_tier, commodity, context_above, daily_from, valid_from nulls first, revision;

-- name: show_rates
-- The rate of every commodity that a call would find, by the lookup that posting uses.
select c.commodity, v.price_usd, v.per, f.rate_usd, v.service_tier, v.context_above, v.daily_from, v.daily_until,
       v.basis, v.tenant, v.source, v.revision, v.valid_from, v.valid_until
  from pigou.commodity c
  left join pigou.tenant t on t.tenant = %(tenant)s::text
 cross join lateral pigou.rate_of(coalesce(t.tenant_id, 0), %(reported_provider)s, %(reported_model)s, %(provider)s, %(model)s,
                                  c.commodity_id, %(service_tier)s, %(total_input_tokens)s, %(at)s, %(known_at)s) f
  join ledger.rates v on v.rate_id = f.rate_id
 order by c.commodity_id;
