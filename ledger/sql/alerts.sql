-- name: find
-- An alert by its number, held until what is done with it is written; without a tenant, if the number is only one tenant's.
select a.tenant_id, t.tenant, a.state from pigou.alert a join pigou.tenant t using (tenant_id)
 where a.alert_id = %(number)s and (%(tenant)s::text is null or t.tenant = %(tenant)s)
   for update of a

-- name: act
-- What a person makes of an alert that is not resolved.
update pigou.alert set state = %(state)s, muted_until = %(muted_until)s,
       resolved_at = case when %(state)s = 'resolved' then clock_timestamp() end
 where tenant_id = %(tenant_id)s and alert_id = %(alert_id)s

-- name: record_act
-- Who did it, when and why.
insert into pigou.alert_event (tenant_id, alert_id, event_id, at, event, is_to_be_told, who, note)
select %(tenant_id)s, %(alert_id)s, max(event_id) + 1, clock_timestamp(), %(event)s, %(event)s in ('resolved', 'reopened'), %(who)s, %(note)s
  from pigou.alert_event where tenant_id = %(tenant_id)s and alert_id = %(alert_id)s

-- name: act_on_finding
-- Whoever acknowledges or reopens the alert of a finding does it to the finding.
with acted as (
    update pigou.finding f set status = %(status)s
      from pigou.alert a
     where a.tenant_id = %(tenant_id)s and a.alert_id = %(alert_id)s and a.rule = 'misallocation'
       and f.tenant_id = a.tenant_id and f.status <> %(status)s and f.status <> 'resolved' and f.mode || ': ' || f.segment = a.subject
    returning f.tenant_id, f.finding_id, f.usd_per_day, f.low, f.high
)
insert into pigou.finding_event (tenant_id, finding_id, event_id, at, event, who, note, usd_per_day, low, high)
select k.tenant_id, k.finding_id,
       (select max(e.event_id) + 1 from pigou.finding_event e where e.tenant_id = k.tenant_id and e.finding_id = k.finding_id),
       clock_timestamp(), %(event)s, %(who)s, %(note)s, k.usd_per_day, k.low, k.high
  from acted k

-- name: lock_rule
-- One states thresholds at a time, until its transaction ends.
select pg_advisory_xact_lock(hashtextextended('pigou.alert_rule', 0))

-- name: rule_in_force
-- The thresholds a further revision starts from: those in force; whose they are; and the newest revision of the tenant's own.
select r.rule, r.open_at, r.close_at, r.evidence_min, r.open_evaluations, r.open_for, r.close_evaluations, r.close_for, r.stay_for,
       r.renotify_every, r.is_on, r.severity, r.grown_by, r.tenant_id as of_tenant_id,
       (select coalesce(max(o.revision), 0) from pigou.alert_rule o where o.tenant_id = %(tenant_id)s and o.rule = %(rule)s) as revision
  from pigou.alert_rules_of(%(tenant_id)s) r
 where r.rule = %(rule)s

-- name: add_rule
-- A further revision of a rule's thresholds.
insert into pigou.alert_rule (tenant_id, rule, revision, open_at, close_at, evidence_min, open_evaluations, open_for, close_evaluations,
                              close_for, stay_for, renotify_every, is_on, severity, grown_by, source, is_withdrawn)
values (%(tenant_id)s, %(rule)s, %(revision)s, %(open_at)s, %(close_at)s, %(evidence_min)s, %(open_evaluations)s, %(open_for)s,
        %(close_evaluations)s, %(close_for)s, %(stay_for)s, %(renotify_every)s, %(is_on)s, %(severity)s,
        %(grown_by)s, %(source)s, %(is_withdrawn)s)

-- name: listed
-- A tenant's alerts in some states, newest first.
select * from ledger.alerts
 where tenant = %(tenant)s and state = any(%(states)s) and (%(rule)s::text is null or rule = %(rule)s)
   and (%(before)s::integer is null or alert_id < %(before)s)
 order by alert_id desc limit %(limit)s

-- name: shown
-- One alert.
select * from ledger.alerts where tenant = %(tenant)s and alert_id = %(number)s

-- name: history
-- What happened to an alert, in order.
select event_id, at, event, is_to_be_told, who, note, value from ledger.alert_events
 where tenant = %(tenant)s and alert_id = %(number)s order by event_id

-- name: lock_maintenance
-- One plans at a time, until its transaction ends.
select pg_advisory_xact_lock(hashtextextended('pigou.maintenance', 0))

-- name: plan_maintenance
-- A time in which nothing is told, with the next number of its tenant.
insert into pigou.maintenance (tenant_id, maintenance_id, rule, subject, begins_at, ends_at, who, note)
select %(tenant_id)s, coalesce(max(maintenance_id), 0) + 1, %(rule)s, %(subject)s, %(begins_at)s, %(ends_at)s, %(who)s, %(note)s
  from pigou.maintenance where tenant_id = %(tenant_id)s
returning maintenance_id

-- name: list_maintenance
-- What is planned and goes on: of a tenant's alerts, which those of all cover too, or everybody's.
select * from ledger.maintenance
 where state <> 'over' and (%(tenant)s::text is null or tenant is null or tenant = %(tenant)s)
 order by begins_at, tenant nulls first, maintenance_id

-- name: end_maintenance
-- A maintenance that is not over ends now.
update pigou.maintenance m set ended_at = clock_timestamp(), ended_by = %(who)s
 where m.maintenance_id = %(number)s and m.ended_at is null and m.ends_at > clock_timestamp()
   and m.tenant_id = case when %(tenant)s::text is null then 0 else (select t.tenant_id from pigou.tenant t where t.tenant = %(tenant)s) end

-- name: tenant_id
-- A tenant's number.
select tenant_id from pigou.tenant where tenant = %(tenant)s and tenant_id <> 0

-- name: list_rules
-- The thresholds in force: those for all, and tenants' own.
select * from ledger.alert_rules where is_in_force and (%(tenant)s::text is null or tenant is null or tenant = %(tenant)s)
 order by rule, tenant nulls first
