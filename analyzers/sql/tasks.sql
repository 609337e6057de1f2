-- name: lock
-- One settler at a time, until the transaction ends. Posting does not wait for it.
select pg_advisory_xact_lock(hashtextextended('pigou.settle', 0))

-- name: horizon
-- Where the last look ended, where the first one would begin, and up to when everything is here: transactions that are still
-- writing are dated with their beginning, and one that began a moment ago may not have come to its lock yet.
select (select value::timestamptz from pigou.setting where setting = 'settled_seen') as seen,
       (select min(created_at) from pigou.tenant where tenant_id <> 0) as first, pigou.writing_since() as here,
       least(%(grace_s)s, (select min(grace_s) from pigou.price_policy)) as grace_s

-- name: mark
-- How far has been looked.
insert into pigou.setting (setting, value) values (%(setting)s, %(value)s::text)
on conflict (setting) do update set value = excluded.value

-- name: touch
-- Traces in which something came or was booked again: they are due when they have been quiet for the shortest time that is waited.
insert into pigou.task_due as d (tenant_id, trace_id, seen_at, due_at, first_at, last_at)
select tenant_id, trace_id, max(seen_at), max(seen_at) + make_interval(secs => %(grace_s)s), min(first_at), max(last_at)
  from (select tenant_id, trace_id, max(recorded_at) as seen_at, min(started_at) as first_at, max(started_at) as last_at
          from pigou.record where recorded_at >= %(since)s and recorded_at < %(until)s
         group by tenant_id, trace_id
        union all
        select tenant_id, trace_id, max(recorded_at), min(occurred_at), max(occurred_at)
          from pigou.entry
         where recorded_at >= %(since)s and recorded_at < %(until)s and span_id is not null and trace_id is not null
         group by tenant_id, trace_id) came
 group by tenant_id, trace_id
on conflict (tenant_id, trace_id) do update
   set seen_at = greatest(d.seen_at, excluded.seen_at), due_at = excluded.due_at,
       first_at = least(d.first_at, excluded.first_at), last_at = greatest(d.last_at, excluded.last_at)
 where d.seen_at < excluded.seen_at or d.first_at is null or excluded.first_at < d.first_at or excluded.last_at > d.last_at

-- name: telling
-- Records that came and may say something of an outcome.
select tenant_id, trace_id, span_id, parent_span_id, signal, name, role, use, ended_at, recorded_at,
       attributes::text, events::text, links::text
  from pigou.record
 where recorded_at >= %(since)s and recorded_at < %(until)s
   and (attributes ?| %(keys)s or name = any(%(names)s) or attributes @> '{"openinference.span.kind": "EVALUATOR"}'
        or (events is not null and events @? '$[*] ? (@.name == "gen_ai.evaluation.result" || @.name == "allocation.incident")'))

-- name: refuse
-- What was said of outcomes and cannot be taken, with the reason; the same record is refused once.
insert into pigou.rejection (tenant_id, rejection_id, recorded_at, signal, stage, code, detail)
select * from unnest(%(tenant_ids)s::integer[], %(rejection_ids)s::uuid[], %(recorded_ats)s::timestamptz[], %(signals)s::text[],
                     array_fill('settle'::text, array[cardinality(%(codes)s::text[])]), %(codes)s::text[], %(details)s::text[])
on conflict do nothing

-- name: told_since
-- Traces of which an outcome was told from outside; those that records tell are known when they are read.
select distinct tenant_id, trace_id from pigou.outcome
 where recorded_at >= %(since)s and recorded_at < %(until)s and source = 'feedback'

-- name: due_now
-- Traces to be looked at without waiting: an outcome came, or what they are judged by has changed.
insert into pigou.task_due as d (tenant_id, trace_id, seen_at, due_at, first_at, last_at)
select distinct %(tenant_id)s, trace_id, '-infinity'::timestamptz, '-infinity'::timestamptz, null::timestamptz, null::timestamptz
  from unnest(%(trace_ids)s::bytea[]) trace_id
on conflict (tenant_id, trace_id) do update set due_at = '-infinity' where d.due_at > '-infinity'

-- name: due_in_period
-- All traces that began in a period, to be looked at again.
insert into pigou.task_due as d (tenant_id, trace_id, seen_at, due_at, first_at, last_at)
select tenant_id, trace_id, max(recorded_at), '-infinity', min(started_at), max(started_at)
  from pigou.record where started_at >= %(since)s and started_at < %(until)s
 group by tenant_id, trace_id
on conflict (tenant_id, trace_id) do update
   set due_at = '-infinity', seen_at = greatest(d.seen_at, excluded.seen_at),
       first_at = least(d.first_at, excluded.first_at), last_at = greatest(d.last_at, excluded.last_at)

-- name: due_of_tenant
-- All tasks of a tenant, since the rules or prices they were judged by have changed.
insert into pigou.task_due as d (tenant_id, trace_id, seen_at, due_at, first_at, last_at)
select tenant_id, trace_id, '-infinity', '-infinity', started_at, ended_at from pigou.task where tenant_id = %(tenant_id)s
on conflict (tenant_id, trace_id) do update set due_at = '-infinity'

-- name: rules_by_tenant
-- What each tenant's tasks are judged by, as one mark, and the mark they were judged by.
select t.tenant_id, p.mark, (select value from pigou.setting where setting = 'settled_by_rules_of_' || t.tenant_id)
  from pigou.tenant t
 cross join lateral (
       select md5(concat(
                  (select string_agg(md5(p::text), ',' order by p.tenant_id, p.task_class, p.revision, p.valid)
                     from pigou.price_policy p where p.tenant_id in (0, t.tenant_id)),
                  '|', (select string_agg(md5(concat_ws('|', r.tenant_id, r.ordinal, r.field, r.pattern, r.task_class)), ',' order by r.tenant_id, r.ordinal)
                     from pigou.task_class_rule r where r.tenant_id in (0, t.tenant_id)))) as mark) p
 where t.tenant_id <> 0
 order by t.tenant_id

-- name: price_statements
-- The price policy that concerns a tenant.
select tenant_id <> 0, task_class, revision, case when isfinite(lower(valid)) then lower(valid) end,
       case when isfinite(upper(valid)) then upper(valid) end, v_usd, lambda_usd_per_s, rho, deadline_s, grace_s, outcome_sources,
       lambda_is_dual, rho_is_dual
  from pigou.price_policy where tenant_id in (0, %(tenant_id)s) and not isempty(valid)

-- name: solved_prices
-- What the price vector said of the tenant's classes and when: λ and ρ where they were duals.
select task_class, valid_from, until, case lambda_source when 'dual' then lambda_usd_per_s end, case rho_source when 'dual' then rho end
  from (select v.*, lead(valid_from) over (partition by task_class order by revision) as until
          from pigou.price_vector v where tenant_id = %(tenant_id)s) v
 where source <> 'none'

-- name: class_rules
-- The rules that tell a tenant's tasks apart, its own first.
select (row_number() over (order by (tenant_id = 0), ordinal))::integer, field, pattern, task_class
  from pigou.task_class_rule where tenant_id in (0, %(tenant_id)s)

-- name: due
-- The tenant's traces that are due, the longest first and in the order in which they came, and where in time their records are.
select d.trace_id, case when isfinite(d.seen_at) then d.seen_at end, d.first_at, d.last_at, now()
  from pigou.task_due d
 where d.tenant_id = %(tenant_id)s and d.due_at <= now()
 order by d.due_at, d.first_at
 limit %(limit)s

-- name: due_since_they_ended
-- Traces whose last record began before now are looked at at once, whenever they arrived.
update pigou.task_due set due_at = now() where due_at > now() and last_at <= now()

-- name: tenants_due
-- Tenants with traces that are due, and how many.
select tenant_id, count(*) from pigou.task_due where due_at <= now() group by tenant_id order by tenant_id

-- name: already
-- What some traces were settled as before.
select trace_id, content_hash, started_at, ended_at
  from pigou.task where tenant_id = %(tenant_id)s and trace_id = any(%(trace_ids)s::bytea[])

-- name: said
-- The outcomes of some traces.
select trace_id, outcome_id, span_id, source, name, quality, loss_usd, occurred_at, detail ->> 'kind'
  from pigou.outcome where tenant_id = %(tenant_id)s and trace_id = any(%(trace_ids)s::bytea[])

-- name: facts
-- Traces as their records and calls tell them. A trace's extent is that of its outermost records: children on machines with other
-- clocks, and events that come later, do not make it longer. `place`: 0 a root, 1 a span whose parent never came, 2 a span inside
-- (outermost only where parents form a loop), 3 a call told by a log, 4 another log, or a span that only tells of an outcome. Who is
-- an orphan is looked up only where there is no root. The times choose partitions and nothing else: said with an `or` (which is never
-- true), they are not taken for the way to the rows.
with record as materialized (
    select r.trace_id, r.span_id, r.parent_span_id, n.is_span, r.role, r.name, r.service, r.status_code,
           r.started_at, r.ended_at, r.agent, r.task_class, n.tells,
           case when not n.is_span then case r.role when 'call' then 3 else 4 end when r.parent_span_id is null then 0 else 2 end as place,
           case when n.tells or r.role = 'tool' or r.parent_span_id is null then r.attributes end as attributes
      from pigou.record r
     cross join lateral (
           select (r.role <> 'call' or r.parent_span_id is null)
                  and r.attributes ?| array['allocation.risk.probability', 'allocation.risk.loss_usd', 'allocation.action.class',
                                            'allocation.action.reversible', 'allocation.task.value_usd', 'allocation.task.deadline_s'] as tells,
                  r.signal = 'span' and r.name not in ('allocation.incident', 'gen_ai.evaluation.result') as is_span) n
     where r.tenant_id = %(tenant_id)s and r.trace_id = any(%(trace_ids)s::bytea[])
       and (r.started_at between %(since)s and %(until)s or r.started_at = 'infinity')
),
counted as materialized (
    select trace_id, min(place) as top, count(*) filter (where is_span) as spans,
           count(*) filter (where is_span and role <> 'call') as other_spans
      from record group by trace_id
),
orphan as materialized (
    select r.trace_id, r.span_id
      from counted c
      join record r on r.trace_id = c.trace_id and r.place = 2
      left join record p on p.trace_id = r.trace_id and p.span_id = r.parent_span_id and p.is_span
     where c.top = 2 and p.span_id is null
),
outermost as materialized (
    select r.*, c.top from counted c join record r on r.trace_id = c.trace_id and r.place = c.top
     where c.top <> 2
    union all
    select r.*, 1 from orphan o join record r on r.trace_id = o.trace_id and r.span_id = o.span_id and r.place = 2
    union all
    select r.*, 2 from counted c join record r on r.trace_id = c.trace_id and r.place = 2
     where c.top = 2 and c.trace_id not in (select trace_id from orphan)
),
extent as (
    select trace_id, top, min(started_at) as started_at, max(ended_at) as ended_at from outermost group by trace_id, top
),
root as (
    select distinct on (trace_id) trace_id, span_id, is_span, name, service, status_code, agent, task_class, attributes
      from outermost order by trace_id, started_at, span_id
),
outermost_agent as (
    select distinct on (trace_id) trace_id, span_id, agent
      from record where is_span and role in ('agent', 'control') order by trace_id, started_at, ended_at desc, span_id
),
classed as (
    select distinct on (trace_id) trace_id, task_class
      from record where task_class is not null order by trace_id, place, started_at, span_id
),
valued as (
    select trace_id,
           (array_agg(attributes ->> 'allocation.task.value_usd' order by place, started_at, span_id)
              filter (where attributes ? 'allocation.task.value_usd'))[1] as value,
           (array_agg(attributes ->> 'allocation.task.deadline_s' order by place, started_at, span_id)
              filter (where attributes ? 'allocation.task.deadline_s'))[1] as deadline
      from record where tells group by trace_id
),
tooled as (
    select trace_id, array_agg(distinct coalesce(attributes ->> 'gen_ai.tool.name', attributes ->> 'tool.name', name)) as tools
      from record where role = 'tool' group by trace_id
),
risk as (
    select r.trace_id, sum(n.probability * n.loss_usd) as risk_usd,
           count(*) filter (where not n.is_stated and (n.class not in ('read', 'draft') or n.reversible = 'false')) as unstated,
           count(*) filter (where n.is_stated and (n.probability is null or n.loss_usd is null)) as bad
      from record r
     cross join lateral (
           select pigou.number_of(r.attributes -> 'allocation.risk.probability', 1) as probability,
                  pigou.number_of(r.attributes -> 'allocation.risk.loss_usd', 1e15) as loss_usd,
                  r.attributes ?| array['allocation.risk.probability', 'allocation.risk.loss_usd'] as is_stated,
                  r.attributes ->> 'allocation.action.class' as class, r.attributes ->> 'allocation.action.reversible' as reversible) n
     where r.tells and r.is_span
     group by r.trace_id
),
bought as (
    select c.trace_id, count(*) filter (where c.status <> 'duplicate') as calls,
           count(*) filter (where c.status in ('unpriced', 'suspense')) as unpriced_calls,
           count(*) filter (where c.status = 'duplicate') as copies,
           sum(c.cost_usd) filter (where c.status = 'booked') as cost_usd,
           min(c.conversation_id) as conversation_id, min(c.user_id) as user_id, min(c.agent) as agent
      from pigou.call c
     where c.tenant_id = %(tenant_id)s and c.trace_id = any(%(trace_ids)s::bytea[])
       and (c.started_at between %(since)s and %(until)s or c.started_at = 'infinity')
     group by c.trace_id
)
select c.trace_id, e.top, case when r.is_span then r.span_id end, r.status_code, a.span_id, e.started_at, e.ended_at,
       coalesce(r.task_class, k.task_class), coalesce(r.agent, a.agent, b.agent), r.name, r.service,
       r.attributes ->> 'gen_ai.operation.name', coalesce(t.tools, '{}'), b.user_id, b.conversation_id, v.value, v.deadline, c.spans,
       c.other_spans, coalesce(b.calls, 0), coalesce(b.unpriced_calls, 0), coalesce(b.copies, 0), coalesce(b.cost_usd, 0),
       x.risk_usd, coalesce(x.unstated, 0), coalesce(x.bad, 0)
  from counted c
  join extent e on e.trace_id = c.trace_id
  join root r on r.trace_id = c.trace_id
  left join outermost_agent a on a.trace_id = c.trace_id
  left join classed k on k.trace_id = c.trace_id
  left join valued v on v.trace_id = c.trace_id
  left join tooled t on t.trace_id = c.trace_id
  left join risk x on x.trace_id = c.trace_id
  left join bought b on b.trace_id = c.trace_id

-- name: done
-- Some traces are settled, or are no tasks.
delete from pigou.task_due where tenant_id = %(tenant_id)s and trace_id = any(%(trace_ids)s::bytea[])

-- name: postpone
-- Some traces are due later than they were thought to be.
update pigou.task_due d set due_at = v.due_at
  from unnest(%(trace_ids)s::bytea[], %(due_ats)s::timestamptz[]) v (trace_id, due_at)
 where d.tenant_id = %(tenant_id)s and d.trace_id = v.trace_id

-- name: now
-- The database's clock.
select now()

-- name: find_waiting
-- Outcomes that were told of a response or a conversation whose trace is known by now become outcomes of the trace: of a response
-- the trace where its call is booked; of a conversation the last task of it that began before the outcome was told, else its first.
-- Those come first that were not sought for longest: what waits for ever keeps nobody else waiting. Answers all that were sought, without a
-- trace those that go on waiting.
with sought as materialized (
    select w.* from pigou.outcome_waiting w
     where w.sought_at is null or %(every)s and w.sought_at < %(began)s
     order by w.sought_at nulls first, w.recorded_at limit %(limit)s for update
),
found as materialized (
    select s.*, coalesce(r.trace_id, v.trace_id) as trace_id, r.span_id
      from sought s
      left join lateral (
           select coalesce(c.copy_of_trace_id, c.trace_id) as trace_id, coalesce(c.copy_of_span_id, c.span_id) as span_id
             from pigou.call_key k
             join pigou.call c on c.tenant_id = k.tenant_id and c.trace_id = k.trace_id and c.span_id = k.span_id and c.started_at = k.started_at
            where s.subject = 'response' and k.tenant_id = s.tenant_id
              and hashtext(k.key) = hashtext('response:' || s.subject_id) and k.key = 'response:' || s.subject_id
            order by (c.status = 'duplicate'), c.started_at limit 1) r on true
      left join lateral (
           select t.trace_id from pigou.task t
            where s.subject = 'conversation' and t.tenant_id = s.tenant_id and t.conversation_id = s.subject_id
            order by (t.started_at > s.occurred_at), abs(extract(epoch from s.occurred_at - t.started_at)) limit 1) v on true
),
taken as (
    delete from pigou.outcome_waiting w using found f
     where w.tenant_id = f.tenant_id and w.outcome_id = f.outcome_id and f.trace_id is not null
),
looked as (
    update pigou.outcome_waiting w set sought_at = now() from found f
     where w.tenant_id = f.tenant_id and w.outcome_id = f.outcome_id and f.trace_id is null
),
kept as (
    insert into pigou.outcome (tenant_id, outcome_id, trace_id, span_id, source, name, quality, loss_usd, occurred_at, detail)
    select tenant_id, outcome_id, trace_id, case when source <> 'feedback' then span_id end, source, name, quality, loss_usd, occurred_at,
           detail || jsonb_build_object(subject, subject_id)
      from found where trace_id is not null
    on conflict do nothing
)
select tenant_id, trace_id from found
