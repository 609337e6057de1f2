-- name: keep_outcomes
-- What was told of traces. The trace of every outcome that had not been told before is answered.
insert into pigou.outcome (tenant_id, outcome_id, trace_id, span_id, source, name, quality, loss_usd, occurred_at, detail)
select distinct on (o.outcome_id) %(tenant_id)s, o.outcome_id, o.trace_id, o.span_id, o.source, o.name, o.quality, o.loss_usd,
       o.occurred_at, o.detail
  from json_to_recordset(%(rows)s::json) o (outcome_id uuid, trace_id bytea, span_id bytea, source text, name text,
                                            quality double precision, loss_usd numeric, occurred_at timestamptz, detail jsonb)
on conflict (tenant_id, outcome_id) do nothing
returning trace_id

-- name: keep_waiting
-- What was told of responses and conversations, unless it was told before, whether its trace was found since or not.
insert into pigou.outcome_waiting (tenant_id, outcome_id, subject, subject_id, source, name, quality, loss_usd, occurred_at, detail)
select distinct on (o.outcome_id) %(tenant_id)s, o.outcome_id, o.subject, o.subject_id, o.source, o.name, o.quality, o.loss_usd,
       o.occurred_at, o.detail
  from json_to_recordset(%(rows)s::json) o (outcome_id uuid, subject text, subject_id text, source text, name text,
                                            quality double precision, loss_usd numeric, occurred_at timestamptz, detail jsonb)
 where not exists (select from pigou.outcome k where k.tenant_id = %(tenant_id)s and k.outcome_id = o.outcome_id)
on conflict (tenant_id, outcome_id) do nothing

-- name: unknown_ids
-- Which of some outcomes were not told before.
select id from unnest(%(outcome_ids)s::uuid[]) id
 where not exists (select from pigou.outcome o where o.tenant_id = %(tenant_id)s and o.outcome_id = id)
   and not exists (select from pigou.outcome_waiting w where w.tenant_id = %(tenant_id)s and w.outcome_id = id)

-- name: stored
-- What is stored of some outcomes. Of one whose trace was found, what it was told of stands in its detail.
select outcome_id, quality::numeric, loss_usd, name,
       coalesce(detail ->> 'response', detail ->> 'conversation', encode(trace_id, 'hex')), span_id, occurred_at, detail ->> 'note',
       false
  from pigou.outcome where tenant_id = %(tenant_id)s and outcome_id = any(%(outcome_ids)s)
union all
select outcome_id, quality::numeric, loss_usd, name, subject_id, null, occurred_at, detail ->> 'note', true
  from pigou.outcome_waiting where tenant_id = %(tenant_id)s and outcome_id = any(%(outcome_ids)s)

-- name: past_retention
-- Which of some traces were settled as tasks whose records have gone since: they stay as they were settled.
select encode(t.trace_id, 'hex') from pigou.task t
 where t.tenant_id = %(tenant_id)s and t.trace_id = any(%(trace_ids)s::bytea[])
   and t.ended_at < (select kept_since from pigou.retention where kind = 'records')
   and not exists (select from pigou.record r where r.tenant_id = t.tenant_id and r.trace_id = t.trace_id)

-- name: show_writing
-- Lets pigou.writing_since know of this transaction, as posting does by its locks; it keeps nobody waiting.
select pg_advisory_xact_lock_shared(1885956981, 0)
