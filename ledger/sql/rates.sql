-- name: lock_price_book
-- One writer of prices at a time, so that revisions follow each other.
select pg_advisory_xact_lock(hashtextextended('pigou.rate', 0));

-- name: price_source_is_loaded
select exists (select from pigou.price_source where source = %s and version = %s and content_hash = %s);

-- name: mark_price_source
insert into pigou.price_source (source, version, content_hash, rates) values (%s, %s, %s, %s);

-- name: held_list_rates
-- The price list as held, with superseded rows.
select provider, model, commodity_id, service_tier, context_above, daily_from, daily_until, revision,
       lower(valid), upper(valid), price_usd, per
  from pigou.rate
 where tenant_id = %s;

-- name: copy_rates
copy pigou.rate (tenant_id, provider, model, commodity_id, service_tier, context_above, daily_from, daily_until, revision, valid,
                 price_usd, per, basis, source)
from stdin;
