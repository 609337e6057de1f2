-- name: alerts
-- Alerts whose time reaches into the window, the gravest first and the newest of these first.
select tenant, alert_id, severity, state, message, rule, subject, opened_at, value, threshold, resolved_at, muted_until,
       notifications, last_seen_at, mode
  from ledger.alerts
 where {overlap opened_at resolved_at}
   and {filters - tenant rule severity mode state}
   and {age}
   and strpos(lower(concat_ws(' ', message, subject, rule, tenant)), lower({sought})) > 0
 order by case severity when 'critical' then 1 when 'warning' then 2 else 3 end, opened_at desc, tenant, alert_id desc
 limit {limit};

-- name: alerts_by_state
-- How many alerts of the window stand in which state, how many of them are critical, and since when the oldest is.
select state, count(*) as alerts, count(*) filter (where severity = 'critical') as critical, min(opened_at) as oldest_at
  from ledger.alerts
 where {overlap opened_at resolved_at}
   and {filters - tenant rule severity mode}
   and {age}
   and strpos(lower(concat_ws(' ', message, subject, rule, tenant)), lower({sought})) > 0
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

-- name: alert_deliveries_gone
-- Whether one alert is so old that deliveries of it may be gone.
select exists (select from ledger.alerts a where a.alert_id = {alert_id} and {filters - a.tenant} and a.opened_at < r.gone_before) as are_gone
  from ledger.retention r
 where r.kind = 'deliveries';

-- name: alert_rules
-- When alerts open and resolve: the thresholds in force, those for all and tenants' own; and what is material, which findings are held
-- against.
select r.rule, r.tenant, r.is_on, r.severity, r.open_at, r.close_at, r.evidence_min, r.open_for, r.close_for, r.stay_for, r.renotify_every,
       r.grown_by, r.source, r.recorded_at, r.revision,
       case when r.rule = 'misallocation' then
            (select m.usd_per_day from ledger.materiality m
              where m.is_in_force and (m.tenant is null or m.tenant = r.tenant) order by m.tenant nulls last limit 1) end
         as material_usd_per_day
  from ledger.alert_rules r
 where r.is_in_force and {filters - r.rule}
 order by r.rule, r.tenant nulls first
 limit {limit};

-- name: alert_channels
-- Who is told of alerts, and whether it is taken.
select channel, tenant, kind, severity_min, rules, tenants, state, failing_since, waiting, dead, last_sent_at, last_error, tested_at,
       test_result, test_answer
  from ledger.channels
 order by tenant nulls first, channel
 limit {limit};

-- name: alert_filter_values
-- Values to filter alerts by, the most frequent first.
select dimension, value, alerts
  from (select dimension, value, sum(alerts) as alerts,
               row_number() over (partition by dimension order by sum(alerts) desc, value) as rank
          from (select rule, severity, tenant, mode, count(*) as alerts
                  from ledger.alerts
                 where {overlap opened_at resolved_at}
                 group by rule, severity, tenant, mode) as combinations
         cross join lateral (values ('rule', rule), ('severity', severity), ('tenant', tenant), ('mode', mode)) as d (dimension, value)
         where value is not null
         group by dimension, value) as ranked
 where rank <= {limit}
 order by dimension, rank;
