-- name: find
-- A finding by its number, with the alert that tells of it; without a tenant, if the number is only one tenant's. Not held: the alert is
-- held first, by all who act on both.
select f.tenant_id, t.tenant, f.status,
       (select a.alert_id from pigou.alert a
         where a.tenant_id = f.tenant_id and a.rule = 'misallocation' and a.subject = f.mode || ': ' || f.segment
           and a.state <> 'resolved')
  from pigou.finding f join pigou.tenant t using (tenant_id)
 where f.finding_id = %(number)s and (%(tenant)s::text is null or t.tenant = %(tenant)s)

-- name: acknowledge
-- Somebody looks after it.
update pigou.finding set status = 'acknowledged'
 where tenant_id = %(tenant_id)s and finding_id = %(finding_id)s and status <> 'resolved'

-- name: record_act
-- Who did it, when and why, and what was lost then.
insert into pigou.finding_event (tenant_id, finding_id, event_id, at, event, who, note, usd_per_day, low, high)
select f.tenant_id, f.finding_id,
       (select max(e.event_id) + 1 from pigou.finding_event e where e.tenant_id = f.tenant_id and e.finding_id = f.finding_id),
       clock_timestamp(), %(event)s, %(who)s, %(note)s, f.usd_per_day, f.low, f.high
  from pigou.finding f where f.tenant_id = %(tenant_id)s and f.finding_id = %(finding_id)s

-- name: lost
-- What a finding loses now, its row held until what is said of it is written.
select usd_per_day from pigou.finding where tenant_id = %(tenant_id)s and finding_id = %(finding_id)s for update

-- name: is_dismissed
-- The finding, held, if the dismissal of its place holds.
select f.finding_id
  from pigou.finding f
 where f.tenant_id = %(tenant_id)s and f.finding_id = %(finding_id)s
   and exists (select from pigou.dismissal_at(f.tenant_id, f.mode, f.segment, clock_timestamp()))
   for update of f

-- name: add_dismissal
-- A further revision of what is said of a finding's place.
insert into pigou.dismissal (tenant_id, mode, segment, revision, event, at, finding_id, ground, until_at, until_usd_per_day, who, note)
select f.tenant_id, f.mode, f.segment,
       (select coalesce(max(d.revision), 0) + 1 from pigou.dismissal d
         where d.tenant_id = f.tenant_id and d.mode = f.mode and d.segment = f.segment),
       %(event)s, clock_timestamp(), f.finding_id, %(ground)s, %(until)s, %(until_usd_per_day)s, %(who)s, %(note)s
  from pigou.finding f where f.tenant_id = %(tenant_id)s and f.finding_id = %(finding_id)s

-- name: lock_materiality
-- One states materiality at a time, until its transaction ends.
select pg_advisory_xact_lock(hashtextextended('pigou.materiality', 0))

-- name: add_materiality
-- A further revision of what is material.
insert into pigou.materiality (tenant_id, revision, usd_per_day, source)
select %(tenant_id)s, coalesce(max(revision), 0) + 1, %(usd_per_day)s, %(source)s
  from pigou.materiality where tenant_id = %(tenant_id)s
returning revision

-- name: listed
-- A tenant's findings of some statuses, newest first.
select * from ledger.findings
 where tenant = %(tenant)s and status = any(%(statuses)s) and (%(mode)s::text is null or mode = %(mode)s)
   and (%(before)s::integer is null or finding_id < %(before)s)
 order by finding_id desc limit %(limit)s

-- name: shown
-- One finding.
select * from ledger.findings where tenant = %(tenant)s and finding_id = %(number)s

-- name: history
-- What happened to a finding, in order.
select event_id, at, event, who, note, usd_per_day, low, high from ledger.finding_events
 where tenant = %(tenant)s and finding_id = %(number)s order by event_id

-- name: owners
-- Who has a finding of that number.
select null, tenant from ledger.findings where finding_id = %(number)s and (%(tenant)s::text is null or tenant = %(tenant)s) order by tenant
