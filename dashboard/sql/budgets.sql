-- name: forecasts
-- Every budget in force, and this month (UTC) of what is shown (budget null): what was spent, and what will be by the end. The rest is
-- what days like those to come cost on average over the last 28: days of the same weekday from two weeks on, else all days. The
-- interval (95 %) is the spread of those days about their average, for as many days as are left, widened for how few days are known.
with month as (
    select date_trunc('month', {now}::timestamptz, 'UTC') as month_from,
           date_trunc('month', {now}::timestamptz, 'UTC') + interval '1 month' as month_until
),
scope as (
    select tenant, budget, period, layer, use, agent, model, task_class, period_from, period_until, amount_usd, spent_usd, held_usd,
           unpriced_calls, usual_forecast_usd
      from ledger.budgets
     where {filters - tenant}
    union all
    select null, null, 'month', null, null, null, null, null, month_from, month_until, null, sum(d.cost_usd), null,
           coalesce(sum(d.unpriced_calls), 0), null
      from month
      left join ledger.spend_daily d
        on d.day >= (month_from at time zone 'UTC')::date and {filters - d.tenant d.layer d.use d.model d.agent d.task_class}
     group by month_from, month_until
),
begun as (
    select s.tenant, s.budget,
           greatest((select min(e.first_hour) from ledger.extent e
                      where case when s.budget is null then {filters - e.tenant} else e.tenant = s.tenant end),
                    {now}::timestamptz - interval '28 days') as since
      from scope s
),
known as (
    select s.tenant, s.budget, k.day::date as day, extract(dow from k.day) as dow, coalesce(sum(d.cost_usd), 0) as usd
      from scope s
      join begun b on b.tenant is not distinct from s.tenant and b.budget is not distinct from s.budget
     cross join lateral generate_series(
           date_trunc('day', b.since + interval '1 day' - interval '1 microsecond', 'UTC') at time zone 'UTC',
           (date_trunc('day', {now}::timestamptz, 'UTC') - interval '1 day') at time zone 'UTC', '1 day') k (day)
      left join ledger.spend_daily d
        on d.day = k.day::date
       and case when s.budget is null then {filters - d.tenant d.layer d.use d.model d.agent d.task_class}
                else d.tenant = s.tenant and (s.layer is null or d.layer = s.layer) and (s.use is null or d.use = s.use)
                 and (s.agent is null or d.agent = s.agent) and (s.model is null or d.model = s.model)
                 and (s.task_class is null or d.task_class = s.task_class) end
     group by 1, 2, 3, 4
),
averaged as (
    select tenant, budget, day, dow, usd, count(*) over whole as days,
           case when count(*) over whole >= 14 then avg(usd) over weekday else avg(usd) over whole end as expected_usd,
           case when count(*) over whole >= 14 then 7 else 1 end as averages
      from known
    window whole as (partition by tenant, budget), weekday as (partition by tenant, budget, dow)
),
spread as (
    select tenant, budget, max(days) as days, max(days) - max(averages) as freedom, avg(expected_usd) as mean_usd,
           max(averages) = 7 as is_by_weekday,
           sqrt(sum((usd - expected_usd) ^ 2) / nullif(max(days) - max(averages), 0)) as spread_usd
      from averaged group by tenant, budget
),
usual as (
    select distinct tenant, budget, dow, expected_usd from averaged
),
rest as (
    select s.tenant, s.budget, sum(part.share) as days_left,
           sum(part.share * coalesce(u.expected_usd, p.mean_usd)) as rest_usd
      from scope s
      join spread p on p.tenant is not distinct from s.tenant and p.budget is not distinct from s.budget
     cross join lateral generate_series(date_trunc('day', {now}::timestamptz, 'UTC'), s.period_until - interval '1 microsecond', '1 day') g (day)
     cross join lateral (select extract(epoch from least(g.day + interval '1 day', s.period_until) - greatest(g.day, {now}::timestamptz))
                                / 86400 as share) part
      left join usual u on u.tenant is not distinct from s.tenant and u.budget is not distinct from s.budget
           and u.dow = extract(dow from g.day at time zone 'UTC')
     group by s.tenant, s.budget
),
told as (
    select s.*, p.days, p.is_by_weekday, r.days_left, s.spent_usd + r.rest_usd as forecast_usd,
           (1.96 + 2.7 / nullif(p.freedom, 0)) * p.spread_usd * sqrt(r.days_left + r.days_left ^ 2 / p.days) as half_usd
      from scope s
      left join spread p on p.tenant is not distinct from s.tenant and p.budget is not distinct from s.budget
      left join rest r on r.tenant is not distinct from s.tenant and r.budget is not distinct from s.budget
)
select tenant, budget, period, period_from, period_until, layer, use, agent, model, task_class, amount_usd, spent_usd, held_usd,
       unpriced_calls, days as days_known, is_by_weekday, days_left, round(forecast_usd, 6) as forecast_usd,
       round(greatest(spent_usd, forecast_usd - half_usd), 6) as low_usd, round(forecast_usd + half_usd, 6) as high_usd,
       round(usual_forecast_usd, 6) as usual_forecast_usd,
       round(spent_usd / nullif(amount_usd, 0) / nullif(extract(epoch from {now}::timestamptz - period_from)
             / nullif(extract(epoch from period_until - period_from), 0), 0), 4) as pace
  from told
 order by budget is not null, amount_usd desc nulls last, tenant, budget
 limit {limit};

-- name: month_days
-- What each day of this month (UTC) cost so far.
select day, sum(cost_usd) as cost_usd
  from ledger.spend_daily
 where day >= (date_trunc('month', {now}::timestamptz, 'UTC') at time zone 'UTC')::date
   and {filters - tenant layer use model agent task_class}
 group by day
 order by day;

-- name: budget_history
-- What was spent of each budget in its periods, by revision, the latest first.
select tenant, budget, revision, period, period_from, period_until, amount_usd, spent_usd, amount_usd - spent_usd as left_usd,
       round(spent_usd / amount_usd, 6) as spent_share, calls, unpriced_calls, suspense_calls
  from ledger.budget_periods
 where {filters - tenant}
 order by period_from desc, tenant, budget, revision desc
 limit {limit};
