-- name: begin
-- One evaluates at a time, until its transaction ends; and what time it is.
select clock_timestamp() from (select pg_advisory_xact_lock(hashtextextended('pigou.alerts', 0))) locked

-- name: due
-- Rules whose last evaluation is long enough ago, or later than now: a clock was set back.
select v.rule
  from unnest(%(rules)s::text[], %(every_s)s::integer[]) v (rule, every_s)
  left join pigou.setting s on s.setting = 'alerts_evaluated ' || v.rule
 where s.value is null or s.value::timestamptz + make_interval(secs => v.every_s) <= %(now)s or s.value::timestamptz > %(now)s

-- name: mark
-- When rules were evaluated last.
insert into pigou.setting (setting, value)
select 'alerts_evaluated ' || rule, %(now)s::text from unnest(%(rules)s::text[]) rule
on conflict (setting) do update set value = excluded.value

-- name: rules
-- The thresholds in force per tenant: its own newest revision, else the newest for all.
select t.tenant_id, r.rule, r.open_at, r.close_at, r.evidence_min, r.open_evaluations, r.open_for, r.close_evaluations, r.close_for,
       r.stay_for, r.renotify_every, r.is_on, r.severity, r.grown_by
  from pigou.tenant t
 cross join lateral pigou.alert_rules_of(t.tenant_id) r
 where t.tenant_id <> 0 and r.rule = any(%(rules)s::text[])

-- name: pending
-- What was wrong at the last look and is no alert yet.
select tenant_id, rule, subject, since, evaluations from pigou.alert_pending where rule = any(%(rules)s::text[])

-- name: unresolved
-- The alerts that are not resolved, held until the evaluation is written.
select tenant_id, rule, subject, alert_id, state, opened_at, last_seen_at, quiet_since, quiet, muted_until, notified_at, notifications,
       evaluations, value, threshold, message, mend, severity, told_value
  from pigou.alert where state <> 'resolved' and rule = any(%(rules)s::text[])
 order by tenant_id, alert_id
   for update

-- name: keep_pending
-- What is wrong and not yet for long enough.
insert into pigou.alert_pending (tenant_id, rule, subject, since, evaluations)
select tenant_id, rule, subject, since, evaluations
  from jsonb_to_recordset(%(rows)s::jsonb) x (tenant_id integer, rule text, subject text, since timestamptz, evaluations integer)
on conflict (tenant_id, rule, subject) do update set since = excluded.since, evaluations = excluded.evaluations

-- name: drop_pending
-- What is right again, or an alert by now.
delete from pigou.alert_pending p
 using jsonb_to_recordset(%(rows)s::jsonb) x (tenant_id integer, rule text, subject text)
 where p.tenant_id = x.tenant_id and p.rule = x.rule and p.subject = x.subject

-- name: keep_alerts
-- What became of alerts that were open.
update pigou.alert a
   set state = x.state, last_seen_at = x.last_seen_at, quiet_since = x.quiet_since, quiet = x.quiet, muted_until = x.muted_until,
       notified_at = x.notified_at, notifications = x.notifications, evaluations = x.evaluations, value = x.value,
       threshold = x.threshold, message = x.message, mend = x.mend, severity = x.severity, resolved_at = x.resolved_at,
       told_value = x.told_value
  from jsonb_to_recordset(%(rows)s::jsonb) x (
       tenant_id integer, alert_id integer, state text, last_seen_at timestamptz, quiet_since timestamptz, quiet integer,
       muted_until timestamptz, notified_at timestamptz, notifications integer, evaluations bigint, value numeric, threshold numeric,
       message text, mend text, severity text, resolved_at timestamptz, told_value numeric)
 where a.tenant_id = x.tenant_id and a.alert_id = x.alert_id

-- name: add_events
-- What the clock did to alerts.
insert into pigou.alert_event (tenant_id, alert_id, event_id, at, event, is_to_be_told, note, value)
select x.tenant_id, x.alert_id, (select max(e.event_id) + 1 from pigou.alert_event e where e.tenant_id = x.tenant_id and e.alert_id = x.alert_id),
       x.at, x.event, x.is_to_be_told, x.note, x.value
  from jsonb_to_recordset(%(rows)s::jsonb) x (
       tenant_id integer, alert_id integer, at timestamptz, event text, is_to_be_told boolean, note text, value numeric)

-- name: open_alerts
-- New alerts with their first events; each knows the one before it of the same subject.
with opened as (
    insert into pigou.alert (tenant_id, alert_id, rule, subject, state, opened_at, last_seen_at, notified_at, notifications, evaluations,
                             value, threshold, message, mend, severity, told_value, former_alert_id)
    select x.tenant_id,
           (select coalesce(max(a.alert_id), 0) from pigou.alert a where a.tenant_id = x.tenant_id)
             + row_number() over (partition by x.tenant_id order by x.rule, x.subject),
           x.rule, x.subject, x.state, x.opened_at, x.last_seen_at, x.notified_at, x.notifications, x.evaluations,
           x.value, x.threshold, x.message, x.mend, x.severity, x.told_value,
           (select max(a.alert_id) from pigou.alert a where a.tenant_id = x.tenant_id and a.rule = x.rule and a.subject = x.subject)
      from jsonb_to_recordset(%(rows)s::jsonb) x (
           tenant_id integer, rule text, subject text, state text, opened_at timestamptz, last_seen_at timestamptz,
           notified_at timestamptz, notifications integer, evaluations bigint, value numeric, threshold numeric, message text, mend text,
           severity text, told_value numeric)
    returning tenant_id, alert_id, opened_at, value, former_alert_id
)
insert into pigou.alert_event (tenant_id, alert_id, event_id, at, event, is_to_be_told, value)
select tenant_id, alert_id, 1, opened_at, case when former_alert_id is null then 'opened' else 'reopened' end, true, value from opened

-- name: note_arrivals
-- In which five minutes something arrived from a service, since a little before the last time this was asked. Noting twice changes nothing.
with mark as (
    select coalesce((select value::timestamptz - interval '20 seconds' from pigou.setting where setting = 'arrivals_noted'),
                    %(now)s::timestamptz - interval '1 day') as since
),
came as materialized (
    select tenant_id, coalesce(service, '') as service, date_bin('5 minutes', recorded_at, 'epoch') as arrived_at,
           min(recorded_at) as first_at, max(recorded_at) as last_at
      from pigou.record where recorded_at >= (select since from mark) and recorded_at <= %(now)s
     group by 1, 2, 3
),
noted as (
    insert into pigou.arrival (tenant_id, service, arrived_at) select tenant_id, service, arrived_at from came on conflict do nothing
),
services as (
    insert into pigou.arrival_service as s (tenant_id, service, first_at, last_at)
    select tenant_id, service, min(first_at), max(last_at) from came group by 1, 2 order by 1, 2
    on conflict (tenant_id, service) do update set last_at = greatest(s.last_at, excluded.last_at)
)
insert into pigou.setting (setting, value) values ('arrivals_noted', %(now)s::text)
on conflict (setting) do update set value = excluded.value

-- name: forget_arrivals
-- Arrivals of more weeks ago than a rhythm is made of.
delete from pigou.arrival where arrived_at < %(now)s::timestamptz - interval '32 days'

-- name: note_breaches
-- Actions with less confirmation than the schedule adopted when they were done requires, or without any stated, of tasks settled since a
-- little before the last time this was asked; a task that is settled again is looked at again.
with mark as (
    select coalesce((select least(value::timestamptz, %(now)s) - interval '2 minutes' from pigou.setting where setting = 'breaches_noted'),
                    %(now)s::timestamptz - interval '1 day') as since
),
settled as materialized (
    select t.tenant_id, t.trace_id, t.task_class from pigou.task t
     where t.settled_at >= (select since from mark)
       and exists (select from pigou.autonomy_requirement r where r.tenant_id in (0, t.tenant_id))
),
done as (
    select s.tenant_id, s.trace_id, r.span_id, r.started_at, s.task_class,
           coalesce(r.attributes->>'allocation.action.class',
                    case when r.role <> 'control'
                         then pigou.action_class_of(coalesce(r.attributes->>'gen_ai.tool.name', r.attributes->>'tool.name',
                                                             substring(r.name from '^execute_tool (.+)$'), r.name)) end) as action_class,
           r.attributes->>'allocation.action.confirmation' as confirmation
      from settled s
      join pigou.record r on r.tenant_id = s.tenant_id and r.trace_id = s.trace_id
     where r.role in ('tool', 'agent', 'control') and (r.use = 'act' or r.attributes ? 'allocation.action.class')
),
breach as materialized (
    select d.tenant_id, d.trace_id, d.span_id, d.started_at, d.action_class, d.task_class,
           case when pigou.confirmation_rank(d.confirmation) is not null then d.confirmation end as confirmation, q.required
      from done d
     cross join lateral (select pigou.required_confirmation(d.tenant_id, d.action_class, d.task_class, d.started_at) as required) q
     where q.required <> 'none' and coalesce(pigou.confirmation_rank(d.confirmation), 0) < pigou.confirmation_rank(q.required)
),
none_after_all as (
    delete from pigou.autonomy_breach b using settled s
     where b.tenant_id = s.tenant_id and b.trace_id = s.trace_id
       and not exists (select from breach n where n.tenant_id = b.tenant_id and n.trace_id = b.trace_id and n.span_id = b.span_id)
),
noted as (
    insert into pigou.autonomy_breach as b (tenant_id, trace_id, span_id, done_at, action_class, task_class, confirmation, required, noted_at)
    select tenant_id, trace_id, span_id, started_at, action_class, task_class, confirmation, required, %(now)s from breach
    on conflict (tenant_id, trace_id, span_id) do update set task_class = excluded.task_class, required = excluded.required
     where (b.task_class, b.required) is distinct from (excluded.task_class, excluded.required)
)
insert into pigou.setting (setting, value) values ('breaches_noted', %(now)s::text)
on conflict (setting) do update set value = excluded.value
