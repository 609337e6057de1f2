-- name: tenants
-- Whom to look at: what is material for each, the last hour with calls (of who makes none, a trainer, with tasks), after which there is nothing
-- to look at, and whether that is of late: its calls are, or its tasks were settled since (telemetry of long ago that is loaded now).
select t.tenant_id, t.tenant, m.usd_per_day, l.last_at,
       coalesce(l.last_at > n.since, false)
       or exists (select from pigou.task k where k.tenant_id = t.tenant_id and k.settled_at > n.since) as is_of_late
  from pigou.tenant t
 cross join (select %(now)s::timestamptz - %(looks_back)s::interval as since) n
 cross join lateral (
       select coalesce((select max(s.hour) from pigou.spend_hour s where s.tenant_id = t.tenant_id),
                       (select date_trunc('hour', max(k.started_at)) from pigou.task k where k.tenant_id = t.tenant_id)) + interval '1 hour'
              as last_at) l
 cross join lateral (
       select usd_per_day from pigou.materiality where tenant_id in (0, t.tenant_id)
        order by tenant_id desc, revision desc limit 1) m
 where t.tenant_id <> 0
 order by t.tenant_id

-- name: now
-- The database's clock.
select clock_timestamp()

-- name: begin
-- One writes findings at a time, until its transaction ends; and what time it is.
select clock_timestamp() from (select pg_advisory_xact_lock(hashtextextended('pigou.detect', 0))) locked

-- name: seen_to
-- Before when everything that was written can be seen: transactions are dated with their beginning.
select pigou.writing_since() - %(margin)s

-- name: looked
-- Up to when each mode saw what is written of a tenant (null: it could not look, or not yet by this rule), when, and how long it took.
select mode, case when problem is null then seen_to end, looked_at, took_s from pigou.detection where tenant_id = %(tenant_id)s

-- name: news
-- When what looks at a tenant rest on last changed, since a time: its appraisals, how long it waited for others and whether they are found
-- to be in the way; its records, entries (of assets aside, which follow from these) and tasks; what engines served to anybody, or what
-- their seconds are worth; what is material.
select 'appraised', greatest(
           (select max(c.appraised_at) from pigou.comparison c where c.tenant_id = %(tenant_id)s),
           (select max(h.measured_at) from pigou.held_up h where h.tenant_id = %(tenant_id)s),
           (select max(greatest(f.opened_at, f.resolved_at)) from pigou.finding f where f.mode = 'serving_congestion'))
 union all
select 'written', greatest(
           (select max(r.recorded_at) from pigou.record r where r.tenant_id = %(tenant_id)s and r.recorded_at >= %(since)s),
           (select max(e.recorded_at) from pigou.entry e where e.tenant_id = %(tenant_id)s and e.recorded_at >= %(since)s
               and e.source <> 'capitalise'),
           (select max(t.settled_at) from pigou.task t where t.tenant_id = %(tenant_id)s and t.settled_at >= %(since)s))
 union all
select 'served', greatest(
           (select max(r.recorded_at) from pigou.record r
             where r.recorded_at >= %(since)s and r.role = 'call'
               and (r.attributes ? 'allocation.engine.decode_s' or r.attributes ? 'gen_ai.latency.time_in_model_decode')),
           (select max(p.valid_from) from pigou.price_vector p where p.valid_from >= %(since)s))
 union all
select 'stated', (select max(m.recorded_at) from pigou.materiality m where m.tenant_id in (0, %(tenant_id)s))

-- name: put_looks
-- The latest look at each place.
insert into pigou.look (tenant_id, mode, segment, layer, kind, task_class, subject, agent, band, looked_at, since, until, n, tasks,
                        status, usd_per_day, low, high, is_discovery, materiality_usd_per_day, sentence, change, inequality, method,
                        evidence)
select %(tenant_id)s, %(mode)s, x.segment, x.layer, x.kind, x.task_class, x.subject, x.agent, x.band, %(now)s, x.since, x.until, x.n,
       x.tasks, x.status, x.usd_per_day, x.low, x.high, x.is_discovery, x.materiality_usd_per_day, x.sentence, x.change,
       x.inequality, x.method, x.evidence
  from jsonb_to_recordset(%(rows)s::jsonb) x (
       segment text, layer text, kind text, task_class text, subject text, agent text, band text, since timestamptz,
       until timestamptz, n bigint, tasks bigint, status text, usd_per_day numeric, low numeric, high numeric, is_discovery boolean,
       materiality_usd_per_day numeric, sentence text, change text, inequality text, method text, evidence jsonb)
on conflict (tenant_id, mode, segment) do update
   set layer = excluded.layer, kind = excluded.kind, task_class = excluded.task_class, subject = excluded.subject,
       agent = excluded.agent, band = excluded.band, looked_at = excluded.looked_at, since = excluded.since, until = excluded.until,
       n = excluded.n, tasks = excluded.tasks, status = excluded.status, usd_per_day = excluded.usd_per_day, low = excluded.low,
       high = excluded.high, is_discovery = excluded.is_discovery, materiality_usd_per_day = excluded.materiality_usd_per_day,
       sentence = excluded.sentence, change = excluded.change, inequality = excluded.inequality, method = excluded.method,
       evidence = excluded.evidence

-- name: forget_looks
-- Places that there was nothing to look at any more.
delete from pigou.look where tenant_id = %(tenant_id)s and mode = %(mode)s and looked_at <> %(now)s

-- name: standing
-- The findings that are not resolved, held until what becomes of them is written.
select segment, finding_id, status, opened_at, seen_at, looked_at, until, told_usd_per_day::float8 as told_usd_per_day, quiet_since,
       quiet, unsaid_since, is_unclear
  from pigou.finding where tenant_id = %(tenant_id)s and mode = %(mode)s and status <> 'resolved'
 order by finding_id
   for update

-- name: keep_findings
-- What became of findings that were there; what was found wrong now is told as this look tells it.
update pigou.finding f
   set status = x.status, seen_at = x.seen_at, looked_at = x.looked_at, quiet_since = x.quiet_since, quiet = x.quiet,
       unsaid_since = x.unsaid_since, is_unclear = x.is_unclear, resolved_at = x.resolved_at, resolution = x.resolution, told_usd_per_day = x.told_usd_per_day,
       since = w.since, until = w.until, usd_per_day = w.usd_per_day, low = w.low, high = w.high, n = w.n, tasks = w.tasks,
       materiality_usd_per_day = w.materiality_usd_per_day, sentence = w.sentence, change = w.change, inequality = w.inequality,
       method = w.method, evidence = w.evidence
  from jsonb_to_recordset(%(rows)s::jsonb) x (
       finding_id integer, segment text, status text, seen_at timestamptz, looked_at timestamptz, quiet_since timestamptz,
       quiet integer, unsaid_since timestamptz, is_unclear boolean, resolved_at timestamptz, resolution text, told_usd_per_day numeric)
  join pigou.finding k on k.tenant_id = %(tenant_id)s and k.finding_id = x.finding_id
  left join pigou.look l
    on l.tenant_id = %(tenant_id)s and l.mode = %(mode)s and l.segment = x.segment and x.seen_at = %(now)s
 cross join lateral (
       select coalesce(l.since, k.since) as since, coalesce(l.until, k.until) as until,
              coalesce(l.usd_per_day, k.usd_per_day) as usd_per_day, coalesce(l.low, k.low) as low, coalesce(l.high, k.high) as high,
              coalesce(l.n, k.n) as n, coalesce(l.tasks, k.tasks) as tasks,
              coalesce(l.materiality_usd_per_day, k.materiality_usd_per_day) as materiality_usd_per_day,
              coalesce(l.sentence, k.sentence) as sentence, coalesce(l.change, k.change) as change,
              coalesce(l.inequality, k.inequality) as inequality, coalesce(l.method, k.method) as method,
              coalesce(l.evidence, k.evidence) as evidence) w
 where f.tenant_id = %(tenant_id)s and f.finding_id = x.finding_id

-- name: add_events
-- What a look did to findings that were there.
insert into pigou.finding_event (tenant_id, finding_id, event_id, at, event, note, usd_per_day, low, high)
select %(tenant_id)s, x.finding_id,
       (select max(e.event_id) + 1 from pigou.finding_event e where e.tenant_id = %(tenant_id)s and e.finding_id = x.finding_id),
       %(now)s, x.event, x.note, x.usd_per_day, x.low, x.high
  from jsonb_to_recordset(%(rows)s::jsonb) x (
       finding_id integer, event text, note text, usd_per_day numeric, low numeric, high numeric)

-- name: lapse_dismissals
-- Dismissals of a mode's places whose time is over, or whose loss has grown to what was said: they end, and it is written why.
with over as materialized (
    select f.tenant_id, f.finding_id, f.mode, f.segment, d.revision, f.usd_per_day, f.low, f.high,
           case when d.until_at <= %(now)s then 'its time is over'
                else format('it loses %%s USD a day', round(f.usd_per_day, 2)) end as note
      from pigou.finding f
     cross join lateral (select * from pigou.dismissal x
                          where x.tenant_id = f.tenant_id and x.mode = f.mode and x.segment = f.segment
                          order by x.revision desc limit 1) d
     where f.tenant_id = %(tenant_id)s and f.mode = %(mode)s and f.status <> 'resolved' and d.event = 'dismissed'
       and (d.until_at <= %(now)s or f.usd_per_day >= d.until_usd_per_day)
),
ended as (
    insert into pigou.dismissal (tenant_id, mode, segment, revision, event, at, finding_id, note)
    select tenant_id, mode, segment, revision + 1, 'lapsed', %(now)s, finding_id, note from over
)
insert into pigou.finding_event (tenant_id, finding_id, event_id, at, event, note, usd_per_day, low, high)
select o.tenant_id, o.finding_id,
       (select max(e.event_id) + 1 from pigou.finding_event e where e.tenant_id = o.tenant_id and e.finding_id = o.finding_id),
       %(now)s, 'lapsed', o.note, o.usd_per_day, o.low, o.high
  from over o

-- name: open_findings
-- New findings with their first events; each knows the one before it at the same place.
with opened as (
    insert into pigou.finding (tenant_id, finding_id, mode, segment, layer, kind, task_class, subject, agent, band, status, opened_at,
                               seen_at, looked_at, since, until, usd_per_day, low, high, n, tasks, told_usd_per_day,
                               materiality_usd_per_day, sentence, change, inequality, method, evidence, former_finding_id)
    select l.tenant_id,
           (select coalesce(max(f.finding_id), 0) from pigou.finding f where f.tenant_id = l.tenant_id)
             + row_number() over (order by l.usd_per_day desc, l.segment),
           l.mode, l.segment, l.layer, l.kind, l.task_class, l.subject, l.agent, l.band, 'open', %(now)s, %(now)s, %(now)s, l.since,
           l.until, l.usd_per_day, l.low, l.high, l.n, l.tasks, l.usd_per_day, l.materiality_usd_per_day, l.sentence, l.change,
           l.inequality, l.method, l.evidence,
           (select max(f.finding_id) from pigou.finding f
             where f.tenant_id = l.tenant_id and f.mode = l.mode and f.segment = l.segment)
      from jsonb_to_recordset(%(rows)s::jsonb) x (segment text)
      join pigou.look l on l.tenant_id = %(tenant_id)s and l.mode = %(mode)s and l.segment = x.segment
    returning tenant_id, finding_id, usd_per_day, low, high, former_finding_id
)
insert into pigou.finding_event (tenant_id, finding_id, event_id, at, event, usd_per_day, low, high)
select tenant_id, finding_id, 1, %(now)s, case when former_finding_id is null then 'opened' else 'reopened' end, usd_per_day, low, high
  from opened

-- name: note_detection
-- That a mode has looked, what came of it, or why it could not.
insert into pigou.detection (tenant_id, mode, looked_at, since, until, took_s, places, opened, resolved, problem, seen_to)
values (%(tenant_id)s, %(mode)s, %(now)s, %(since)s, %(until)s, %(took_s)s, %(places)s, %(opened)s, %(resolved)s, %(problem)s, %(seen_to)s)
on conflict (tenant_id, mode) do update
   set looked_at = excluded.looked_at, since = excluded.since, until = excluded.until, took_s = excluded.took_s,
       places = excluded.places, opened = excluded.opened, resolved = excluded.resolved, problem = excluded.problem,
       seen_to = excluded.seen_to

-- name: mark_detected
-- When a detection began that looked at everything.
insert into pigou.setting (setting, value) values ('detected_from', %(began)s::text)
on conflict (setting) do update set value = excluded.value
