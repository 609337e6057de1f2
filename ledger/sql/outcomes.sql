-- name: keep_outcomes
-- What was told of traces. The trace of every outcome that had not been told before is answered.
insert into pigou.outcome (tenant_id, outcome_id, trace_id, span_id, source, name, quality, loss_usd, occurred_at, detail)
select distinct on (o.outcome_id) %(tenant_id)s, o.outcome_id, o.trace_id, o.span_id, o.source, o.name, o.quality, o.loss_usd,
       o.occurred_at, o.detail
  from unnest(%(outcome_ids)s::uuid[], %(trace_ids)s::bytea[], %(span_ids)s::bytea[], %(sources)s::text[], %(names)s::text[],
              %(qualitys)s::float8[], %(loss_usds)s::numeric[], %(occurred_ats)s::timestamptz[], %(details)s::jsonb[])
       o (outcome_id, trace_id, span_id, source, name, quality, loss_usd, occurred_at, detail)
on conflict (tenant_id, outcome_id) do nothing
returning trace_id

-- name: keep_waiting
-- What was told of responses and conversations, unless it was told before, whether its trace was found since or not.
insert into pigou.outcome_waiting (tenant_id, outcome_id, subject, subject_id, source, name, quality, loss_usd, occurred_at, detail)
select distinct on (o.outcome_id) %(tenant_id)s, o.outcome_id, o.subject, o.subject_id, o.source, o.name, o.quality, o.loss_usd,
       o.occurred_at, o.detail
  from unnest(%(outcome_ids)s::uuid[], %(subjects)s::text[], %(subject_ids)s::text[], %(sources)s::text[], %(names)s::text[],
              %(qualitys)s::float8[], %(loss_usds)s::numeric[], %(occurred_ats)s::timestamptz[], %(details)s::jsonb[])
       o (outcome_id, subject, subject_id, source, name, quality, loss_usd, occurred_at, detail)
 where not exists (select from pigou.outcome k where k.tenant_id = %(tenant_id)s and k.outcome_id = o.outcome_id)
on conflict (tenant_id, outcome_id) do nothing
