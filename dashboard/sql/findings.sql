-- name: findings_total
-- What the findings that count (neither dismissed nor resolved) lose a day, with its interval. Within one class of tasks errors are added
-- up; those of different classes are of different tasks, and independent.
select sum(usd_per_day) as usd_per_day,
       sum(usd_per_day) - sqrt(sum(below_usd * below_usd)) as low,
       sum(usd_per_day) + sqrt(sum(above_usd * above_usd)) as high,
       coalesce(sum(findings), 0) as findings,
       coalesce(sum(new_findings), 0) as new_findings,
       sum(new_usd_per_day) as new_usd_per_day
  from (select tenant, task_class, sum(usd_per_day) as usd_per_day, sum(usd_per_day - low) as below_usd, sum(high - usd_per_day) as above_usd,
               count(*) as findings,
               count(*) filter (where opened_at >= {week ago}) as new_findings,
               sum(usd_per_day) filter (where opened_at >= {week ago}) as new_usd_per_day
          from ledger.findings
         where status in ('open', 'acknowledged') and {overlap opened_at resolved_at} and {filters - tenant mode layer task_class agent}
         group by tenant, task_class) as classes;

-- name: findings
-- Findings whose time reaches into the window, those that lose most first.
select tenant, finding_id, mode, sentence, usd_per_day, low, high, status, since, unclear_since, opened_at, change, layer, kind, task_class, agent, subject, band,
       n, tasks, looked_at, resolved_at, alert_id, evidence -> 'days' as days, dismissed_at, dismissed_by, dismissed_as, dismissed_note,
       dismissed_until, dismissed_until_usd_per_day
  from ledger.findings
 where {overlap opened_at resolved_at}
   and {filters - tenant mode layer task_class agent standing_status}
 order by usd_per_day desc, tenant, finding_id
 limit {limit};

-- name: findings_by_status
-- How many findings of the window stand in which state.
select status, count(*) as findings, sum(usd_per_day) as usd_per_day
  from ledger.findings
 where {overlap opened_at resolved_at}
   and {filters - tenant mode layer task_class agent}
 group by status
 order by status;

-- name: findings_by_mode
-- The failure modes with what their findings lose a day; errors are added up within a class of tasks, as in the total.
select mode, sum(usd_per_day) as usd_per_day,
       sum(usd_per_day) - sqrt(sum(below_usd * below_usd)) as low,
       sum(usd_per_day) + sqrt(sum(above_usd * above_usd)) as high,
       sum(findings) as findings
  from (select mode, tenant, task_class, sum(usd_per_day) as usd_per_day, sum(usd_per_day - low) as below_usd,
               sum(high - usd_per_day) as above_usd, count(*) as findings
          from ledger.findings
         where status in ('open', 'acknowledged') and {overlap opened_at resolved_at} and {filters - tenant mode layer task_class agent}
         group by mode, tenant, task_class) as classes
 group by mode
 order by usd_per_day desc, mode;

-- name: looks_by_mode
-- How many places each mode looked at, how many of them could be judged, and when.
select mode, count(*) as places, count(*) filter (where status = 'appraised') as appraised,
       count(*) filter (where status = 'not_enough_evidence') as not_enough_evidence,
       count(*) filter (where status = 'not_identified') as not_identified, max(looked_at) as looked_at
  from ledger.looks
 where {filters - tenant mode layer task_class agent}
 group by mode
 order by mode;

-- name: modes_that_looked
-- Modes that looked, whether or not there was a place to look at.
select mode, max(looked_at) as looked_at
  from ledger.detections
 where problem is null and {filters - tenant mode}
 group by mode
 order by mode;

-- name: looks
-- The latest look at every place: what was looked at and is right, and what could not be judged.
select tenant, mode, sentence, status, usd_per_day, low, high, is_discovery, materiality_usd_per_day, n, tasks, looked_at, segment, finding_id
  from ledger.looks
 where {filters - tenant mode layer task_class agent}
 order by case status when 'appraised' then 1 when 'not_enough_evidence' then 2 else 3 end, usd_per_day desc nulls last, mode, tenant, segment
 limit {limit};

-- name: detection_problems
-- Modes that could not look, and why.
select mode, tenant, looked_at, problem
  from ledger.detections
 where problem is not null and {filters - tenant mode}
 order by mode, tenant;

-- name: finding
-- One finding with all that is to be said of it.
select f.*
  from ledger.findings f
 where f.finding_id = {finding_id} and {filters - f.tenant}
 order by f.tenant;

-- name: finding_terms
-- The terms of one finding's inequality, in dollars a day with their intervals.
select f.tenant, x.place, x.name, x.usd_per_day, x.low, x.high
  from ledger.findings f
 cross join lateral rows from (
       jsonb_to_recordset(f.evidence -> 'terms') as (name text, usd_per_day numeric, low numeric, high numeric)
       ) with ordinality x (name, usd_per_day, low, high, place)
 where f.finding_id = {finding_id} and {filters - f.tenant}
 order by f.tenant, x.place;

-- name: finding_segments
-- What one finding about choices compared: by what tasks were worth, what would be better and what was lost in all, with its interval.
select f.tenant, x.band, x.best, x.n, x.regret_usd, x.low_usd, x.high_usd, x.status, x.is_discovery, x.why
  from ledger.findings f
 cross join lateral rows from (
       jsonb_to_recordset(f.evidence -> 'detail' -> 'segments')
           as (band text, best text, n bigint, regret_usd numeric, low_usd numeric, high_usd numeric, status text, is_discovery boolean, why text)
       ) with ordinality x (band, best, n, regret_usd, low_usd, high_usd, status, is_discovery, why, place)
 where f.finding_id = {finding_id} and {filters - f.tenant}
 order by f.tenant, x.place;

-- name: finding_days
-- What one finding lost by day, with its interval.
select f.tenant, x.day, x.usd, x.low, x.high
  from ledger.findings f
 cross join lateral jsonb_to_recordset(f.evidence -> 'days') as x (day timestamptz, usd numeric, low numeric, high numeric)
 where f.finding_id = {finding_id} and {filters - f.tenant}
 order by f.tenant, x.day;

-- name: finding_examples
-- Cases of one finding to look at, the dearest first, with what was decided in each.
select e.tenant, e.usd, d.decided_at, d.kind, d.chosen, d.best, e.trace_id, e.decision_id, e.span_id, e.example
  from ledger.finding_examples e
  left join ledger.decisions d on d.tenant = e.tenant and d.decision_id = e.decision_id
 where e.finding_id = {finding_id} and {filters - e.tenant}
 order by e.tenant, e.usd desc nulls last, e.example;

-- name: finding_events
-- What happened to one finding, the newest first.
select at, tenant, event, who, note, usd_per_day, low, high, event_id
  from ledger.finding_events
 where finding_id = {finding_id} and {filters - tenant}
 order by at desc, event_id desc
 limit {limit};

-- name: finding_filter_values
-- Values to filter findings and looks by, the most frequent first.
select dimension, value, looks
  from (select dimension, value, sum(looks) as looks,
               row_number() over (partition by dimension order by sum(looks) desc, value) as rank
          from (select mode, layer, task_class, agent, tenant, count(*) as looks
                  from (select mode, layer, task_class, agent, tenant from ledger.looks
                         union all
                        select mode, layer, task_class, agent, tenant from ledger.findings where {overlap opened_at resolved_at}) as seen
                 group by mode, layer, task_class, agent, tenant) as combinations
         cross join lateral (values ('mode', mode), ('layer', layer), ('task_class', task_class), ('agent', agent),
                                    ('tenant', tenant)) as d (dimension, value)
         group by dimension, value) as ranked
 where rank <= {limit}
 order by dimension, rank;
