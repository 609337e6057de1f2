-- name: alert_finding
-- The finding that one alert tells of, as it stands; of several at its place the one of the alert's time.
select f.*
  from ledger.alerts a
  join ledger.findings f
    on f.tenant = a.tenant and f.mode || ': ' || f.segment = a.subject and f.opened_at <= coalesce(a.resolved_at, 'infinity')
 where a.rule = 'misallocation' and a.alert_id = {alert_id} and {filters - a.tenant}
 order by f.tenant, f.finding_id desc
 limit 1;

-- name: alert_terms
-- The terms of the inequality behind one alert, in dollars a day with their intervals.
select f.tenant, x.place, x.name, x.usd_per_day, x.low, x.high
  from (select f.tenant, f.evidence
          from ledger.alerts a
          join ledger.findings f
            on f.tenant = a.tenant and f.mode || ': ' || f.segment = a.subject and f.opened_at <= coalesce(a.resolved_at, 'infinity')
         where a.rule = 'misallocation' and a.alert_id = {alert_id} and {filters - a.tenant}
         order by f.tenant, f.finding_id desc
         limit 1) as f
 cross join lateral rows from (
       jsonb_to_recordset(f.evidence -> 'terms') as (name text, usd_per_day numeric, low numeric, high numeric)
       ) with ordinality x (name, usd_per_day, low, high, place)
 order by x.place;

-- name: alert_cases
-- Decisions and traces behind one alert, those that lost most first.
select e.tenant, e.usd, e.decision_id, e.trace_id, e.span_id, e.example
  from ledger.alerts a
  join ledger.finding_examples e on e.tenant = a.tenant and e.mode || ': ' || e.segment = a.subject
 where a.rule = 'misallocation' and a.alert_id = {alert_id} and {filters - a.tenant}
   and e.finding_id = (select max(f.finding_id) from ledger.findings f
                        where f.tenant = a.tenant and f.mode || ': ' || f.segment = a.subject
                          and f.opened_at <= coalesce(a.resolved_at, 'infinity'))
 order by e.example
 limit {limit};

-- name: alert_budget
-- What was spent of one alert's budget by hour, added up over the period in which it was last found wrong.
select h.hour, sum(sum(coalesce(h.cost_usd, 0))) over (order by h.hour) as spent_usd, b.amount_usd as limit_usd, b.period_from, b.period_until
  from ledger.alerts a
  join lateral (
       select p.* from ledger.budget_periods p
        where p.tenant = a.tenant and p.budget = a.subject and p.period_from <= a.last_seen_at
          and a.last_seen_at < coalesce(p.period_until, 'infinity')
        order by p.revision desc limit 1) b on true
  join ledger.spend_hourly h
    on h.tenant = a.tenant and h.hour >= date_trunc('hour', b.period_from, 'UTC') and h.hour < coalesce(b.period_until, 'infinity')
   and (b.layer is null or h.layer = b.layer) and (b.use is null or h.use = b.use) and (b.agent is null or h.agent = b.agent)
   and (b.model is null or h.model = b.model) and (b.task_class is null or h.task_class = b.task_class)
 where a.rule in ('budget_overrun', 'budget_pace') and a.alert_id = {alert_id} and {filters - a.tenant}
 group by h.hour, b.amount_usd, b.period_from, b.period_until
 order by h.hour;

-- name: alert_share
-- The share that one alert is about, of the 24 hours before each hour, from a week before it opened.
select hour, part / nullif(whole, 0) as share, whole as looked_at, threshold as limit_share
  from (select hour, opened_at, threshold, sum(part) over day as part, sum(whole) over day as whole
          from (select h.hour, a.opened_at, a.threshold, sum(h.calls) as whole,
                       sum(case a.rule when 'unpriced_share' then h.unpriced_calls else h.suspense_calls end) as part
                  from ledger.alerts a
                  join ledger.spend_hourly h
                    on h.tenant = a.tenant and h.hour >= a.opened_at - interval '8 days' and h.hour <= coalesce(a.resolved_at, 'infinity')
                 where a.rule in ('unpriced_share', 'suspense_share') and a.alert_id = {alert_id} and {filters - a.tenant}
                 group by h.hour, a.opened_at, a.threshold
                 union all
                select k.hour, a.opened_at, a.threshold, sum(k.parents), coalesce(sum(k.parents) filter (where k.status = 'differs'), 0)
                  from ledger.alerts a
                  join ledger.control_totals_hourly k
                    on k.tenant = a.tenant and k.hour >= a.opened_at - interval '8 days' and k.hour <= coalesce(a.resolved_at, 'infinity')
                 where a.rule = 'control_difference' and k.status <> 'unchecked' and a.alert_id = {alert_id} and {filters - a.tenant}
                 group by k.hour, a.opened_at, a.threshold) as hours
        window day as (order by hour range between interval '1 day' preceding and current row)) as shares
 where hour >= opened_at - interval '7 days'
 order by hour;

-- name: alert_spend
-- The spend that one alert is about, at the same hour of each of 35 days, and what is usual at that time of the week: the median of the
-- weeks before. The limit is where the alert opens: so many spreads above what is usual.
select d.day, d.usd, u.usd as usual_usd, case when d.days_ago = 0 and d.value > 0 then u.usd + d.threshold * (d.usd - u.usd) / d.value end as limit_usd
  from (select t.tenant, t.kind, t.name, t.length, t.at, t.value, t.threshold, n.days_ago, t.at - n.days_ago * interval '1 day' as day,
               coalesce(sum(h.cost_usd), 0) as usd
          from (select a.tenant, a.value, a.threshold, date_trunc('hour', a.last_seen_at, 'UTC') as at, split_part(a.subject, ' ', 1) as kind,
                       regexp_replace(a.subject, '^\S+ (.*), past (hour|day)$', '\1') as name,
                       case when a.subject like '%, past hour' then interval '1 hour' else interval '1 day' end as length
                  from ledger.alerts a
                 where a.rule = 'spend_anomaly' and a.alert_id = {alert_id} and {filters - a.tenant}) as t
         cross join lateral generate_series(0, 35) as n (days_ago)
          left join ledger.spend_hourly h
            on h.tenant = t.tenant and case t.kind when 'layer' then h.layer else h.agent end = t.name
           and h.hour >= t.at - n.days_ago * interval '1 day' - t.length and h.hour < t.at - n.days_ago * interval '1 day'
         where t.at - n.days_ago * interval '1 day' > (select min(e.first_hour) from ledger.extent e where e.tenant = t.tenant)
         group by 1, 2, 3, 4, 5, 6, 7, 8) as d
 cross join lateral (
       select (percentile_cont(0.5) within group (order by w.usd::float8))::numeric as usd
         from (select coalesce(sum(h.cost_usd), 0) as usd
                 from (values (1), (2), (3), (4), (5)) as k (weeks_ago)
                 left join ledger.spend_hourly h
                   on h.tenant = d.tenant and case d.kind when 'layer' then h.layer else h.agent end = d.name
                  and h.hour >= d.day - k.weeks_ago * interval '7 days' - d.length and h.hour < d.day - k.weeks_ago * interval '7 days'
                where d.day - k.weeks_ago * interval '7 days' > (select min(e.first_hour) from ledger.extent e where e.tenant = d.tenant)
                group by k.weeks_ago) as w) as u
 order by d.day;
