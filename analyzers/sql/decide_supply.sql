-- name: observe_serving
-- How an engine served a request: which engine, and whether it drafted tokens ahead. The menu is what served this model.
insert into observed
select 'serve', 'supply', s.trace_id, s.span_id, s.started_at, s.subject,
       s.engine || case when s.proposed > 0 then ' speculative' else ' plain' end, null, null, null, null,
       array[ln(1 + s.prompt_tokens), s.batch, s.queue_s, -cos(2 * pi() * extract(epoch from s.started_at)::double precision / 86400)],
       array['log_prompt_tokens', 'batch', 'queue_s', 'daytime'], s.cost_usd, '{}'
  from (select b.trace_id, b.span_id, b.started_at, b.engine, coalesce(c.model, '') as subject, c.cost_usd,
               pigou.number_of(b.proposed, 1e12) as proposed, pigou.number_of(b.prompt_tokens, 1e12)::double precision as prompt_tokens,
               pigou.number_of(b.batch, 1e12)::double precision as batch, pigou.number_of(b.queue_s, 1e12)::double precision as queue_s
          from span b
          left join pigou.call c on c.tenant_id = %(tenant_id)s and c.trace_id = b.trace_id and c.span_id = b.span_id
                and c.started_at = b.started_at
         where b.engine is not null and b.layer = 'supply') s
