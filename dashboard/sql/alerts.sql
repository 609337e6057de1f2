-- name: alerts
-- Alerts whose time reaches into the window, the gravest first and the newest of these first.
select tenant, alert_id, severity, state, message, rule, subject, opened_at, value, threshold, resolved_at, muted_until,
       notifications, last_seen_at
  from ledger.alerts
 where {overlap opened_at resolved_at}
   and {filters - tenant rule severity state}
 order by case severity when 'critical' then 1 when 'warning' then 2 else 3 end, opened_at desc, tenant, alert_id desc
 limit {limit};

-- name: alerts_by_state
-- How many alerts of the window stand in which state, how many of them are critical, and since when the oldest is.
select state, count(*) as alerts, count(*) filter (where severity = 'critical') as critical, min(opened_at) as oldest_at
  from ledger.alerts
 where {overlap opened_at resolved_at}
   and {filters - tenant rule severity}
 group by state
 order by state;

-- name: alert
-- One alert, with who did the last thing of it.
select a.tenant, a.alert_id, a.rule, a.subject, a.severity, a.state, a.message, a.mend, a.opened_at, a.last_seen_at, a.quiet_since,
       a.resolved_at, a.muted_until, a.notified_at, a.notifications, a.evaluations, a.value, a.threshold, a.former_alert_id
  from ledger.alerts a
 where a.alert_id = {alert_id} and {filters - a.tenant}
 order by a.tenant;

-- name: alert_history
-- What happened to one alert, the newest first.
select at, tenant, event, who, note, value, is_to_be_told, event_id
  from ledger.alert_events
 where alert_id = {alert_id} and {filters - tenant}
 order by at desc, event_id desc
 limit {limit};

-- name: alert_deliveries
-- Who was told of one alert, and what came of it.
select made_at, tenant, channel, event, state, attempts, settled_at, answer, event_id
  from ledger.deliveries
 where alert_id = {alert_id} and {filters - tenant}
 order by made_at desc, channel, event_id
 limit {limit};

-- name: alert_rules
-- When alerts open and resolve: the thresholds in force, those for all and tenants' own.
select rule, tenant, is_on, severity, open_at, close_at, evidence_min, open_for, close_for, renotify_every, source, revision
  from (select r.*, row_number() over (partition by r.rule, r.tenant order by r.revision desc) as newest from ledger.alert_rules r) as ranked
 where newest = 1 and {filters - rule}
 order by rule, tenant nulls first
 limit {limit};

-- name: alert_channels
-- Who is told of alerts, and whether it is taken.
select channel, tenant, kind, severity_min, rules, tenants, state, failing_since, waiting, dead, last_sent_at, last_error
  from ledger.channels
 order by tenant nulls first, channel
 limit {limit};

-- name: alert_filter_values
-- Values to filter alerts by, the most frequent first.
select dimension, value, alerts
  from (select dimension, value, sum(alerts) as alerts,
               row_number() over (partition by dimension order by sum(alerts) desc, value) as rank
          from (select rule, severity, tenant, count(*) as alerts
                  from ledger.alerts
                 where {overlap opened_at resolved_at}
                 group by rule, severity, tenant) as combinations
         cross join lateral (values ('rule', rule), ('severity', severity), ('tenant', tenant)) as d (dimension, value)
         group by dimension, value) as ranked
 where rank <= {limit}
 order by dimension, rank;
