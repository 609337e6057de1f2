-- name: cacheable_calls
-- Calls whose prompts a provider's cache could hold, in order of time: what they read and wrote of it, at which rates, and who else
-- sent the same; of the latest `calls_max`. Rates are those of the call's own transfers; of a kind that it did not use, the one that
-- held. Null: not known, as keys are of a call
-- whose record is past its retention. `only_cached`: of those only that read or wrote a cache.
select encode(c.trace_id, 'hex'), encode(c.span_id, 'hex'), extract(epoch from c.started_at)::double precision,
       coalesce(c.agent, ''), coalesce(c.task_class, k.task_class, ''), coalesce(c.layer, ''), c.use is not distinct from 'verify',
       coalesce(r.attributes->>'gen_ai.request.model', c.model), coalesce(c.conversation_id, encode(c.trace_id, 'hex')),
       concat_ws('|', c.provider, c.model, r.attributes->>'server.address'),
       c.service || '|' || c.dialect,
       coalesce(c.input_tokens, 0)::double precision, c.cache_read_tokens::double precision, c.cache_write_tokens::double precision,
       coalesce(c.output_tokens, 0)::double precision + coalesce(c.reasoning_tokens, 0)::double precision,
       coalesce(x.input_rate, i.rate_usd)::double precision, coalesce(x.read_rate, d.rate_usd)::double precision,
       coalesce(x.write_rate, w.rate_usd)::double precision,
       coalesce((c.leaves->>'cache_write_1h_tokens')::numeric, 0) > 0,
       case jsonb_typeof(r.attributes->'allocation.cache.key')
            when 'array' then array(select jsonb_array_elements_text(r.attributes->'allocation.cache.key'))
            when 'string' then array[r.attributes->>'allocation.cache.key'] end,
       k.value_usd::double precision
  from (select *
          from pigou.call
         where tenant_id = %(tenant_id)s and started_at >= %(since)s and started_at < %(until)s and status = 'booked'
           and operation not like 'embed%%' and layer is distinct from 'supply'
           and coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) > 0
           and (not %(only_cached)s or coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) > 0)
         order by started_at desc
         limit %(calls_max)s) c
  left join pigou.record r on r.tenant_id = c.tenant_id and r.trace_id = c.trace_id and r.span_id = c.span_id and r.started_at = c.started_at
  left join pigou.task k on k.tenant_id = c.tenant_id and k.trace_id = c.trace_id
  left join lateral (
       select max(t.rate_usd) filter (where t.commodity_id = 1) as input_rate,
              sum(t.amount_usd) filter (where m.kind = 'cache_read') / nullif(sum(t.quantity) filter (where m.kind = 'cache_read'), 0)
                  as read_rate,
              sum(t.amount_usd) filter (where m.kind = 'cache_write') / nullif(sum(t.quantity) filter (where m.kind = 'cache_write'), 0)
                  as write_rate
         from pigou.transfer t join pigou.commodity m using (commodity_id)
        where t.tenant_id = c.tenant_id and t.entry_id = c.entry_id and t.occurred_at = c.started_at) x on true
  left join lateral pigou.rate_of(c.tenant_id, c.provider, c.model, c.rate_provider, c.rate_model, 1::smallint, c.service_tier,
                                  c.total_input_tokens, c.started_at, 'infinity') i on x.input_rate is null
  left join lateral pigou.rate_of(c.tenant_id, c.provider, c.model, c.rate_provider, c.rate_model, 2::smallint, c.service_tier,
                                  c.total_input_tokens, c.started_at, 'infinity') d on x.read_rate is null
  left join lateral pigou.rate_of(c.tenant_id, c.provider, c.model, c.rate_provider, c.rate_model, 3::smallint, c.service_tier,
                                  c.total_input_tokens, c.started_at, 'infinity') w on x.write_rate is null
 order by c.started_at, c.span_id
