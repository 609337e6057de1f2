-- One statement per rule, for all tenants: tenant, subject, value, how much was looked at, what it means, how to mend it.

-- name: budget_overrun
-- What is spent of each budget in the period that holds now, as a share of its amount.
select b.tenant_id, b.budget, b.spent_usd / b.amount_usd, b.calls,
       format('budget %%s of %%s: $%%s are spent of $%%s in the %%s that began %%s', b.budget, t.tenant, round(b.spent_usd, 2),
              round(b.amount_usd, 2), case b.period when 'total' then 'time' else b.period end,
              to_char(b.period_from at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')),
       format('see where it went: pigou budgets show %%s --tenant %%s; or raise it: pigou budgets set %%1$s --tenant %%2$s --amount USD',
              b.budget, quote_literal(t.tenant))
  from pigou.budgets_at(%(now)s) b join pigou.tenant t using (tenant_id)

-- name: budget_pace
-- What will be spent of each budget by its period's end if it goes on so, as a share of its amount: by the usual hours of the week where
-- they are known, else by time. A twentieth of the period must have passed; what is overrun already is the other rule's.
select b.tenant_id, b.budget, b.spent_usd / u.passed / b.amount_usd, b.calls,
       format('budget %%s of %%s: at this pace $%%s are spent by %%s, of $%%s', b.budget, t.tenant, round(b.spent_usd / u.passed, 2),
              to_char(b.period_until at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), round(b.amount_usd, 2)),
       format('spend less per day, or raise it: pigou budgets set %%s --tenant %%s --amount USD', b.budget, quote_literal(t.tenant))
  from pigou.budgets_at(%(now)s) b join pigou.tenant t using (tenant_id)
 cross join lateral (select extract(epoch from %(now)s - b.period_from) / extract(epoch from b.period_until - b.period_from) as elapsed) e
 cross join lateral (select coalesce(ledger.usual_share(t.tenant, b.period_from, %(now)s, b.period_until), e.elapsed) as passed) u
 where e.elapsed >= 0.05 and u.passed >= 0.05 and b.spent_usd < b.amount_usd

-- name: unpriced_share
-- The share of a tenant's calls of the past day that have no price.
select t.tenant_id, 'calls', s.unpriced::numeric / s.calls, s.calls,
       format('%%s of %%s calls of %%s in the past day have no price, so that their cost is unknown: %%s', s.unpriced, s.calls, t.tenant, s.models),
       format('pigou sql "select mend from ledger.suspense where tenant = %%s"', quote_literal(t.tenant))
  from pigou.tenant t
 cross join lateral (
       select sum(m.calls)::bigint as calls, sum(m.unpriced)::bigint as unpriced,
              string_agg(m.model, ', ' order by m.unpriced desc, m.model) filter (where m.place <= 3 and m.unpriced > 0) as models
         from (select coalesce(h.model, 'unknown') as model, sum(h.calls) as calls, sum(h.unpriced_calls) as unpriced,
                      row_number() over (order by sum(h.unpriced_calls) desc, coalesce(h.model, 'unknown')) as place
                 from ledger.spend_hourly h
                where h.tenant = t.tenant and h.hour >= date_trunc('hour', %(now)s - interval '1 day', 'UTC') and h.hour <= %(now)s
                group by 1) m) s
 where t.tenant_id <> 0 and s.calls > 0

-- name: suspense_share
-- The share of a tenant's calls of the past day whose usage cannot be read.
select t.tenant_id, 'calls', s.suspense::numeric / s.calls, s.calls,
       format('the usage of %%s of %%s calls of %%s in the past day cannot be read', s.suspense, s.calls, t.tenant),
       format('pigou sql "select reason, mend from ledger.suspense where tenant = %%s and account = ''suspense:unreadable''"',
              quote_literal(t.tenant))
  from pigou.tenant t
 cross join lateral (
       select sum(h.calls)::bigint as calls, sum(h.suspense_calls)::bigint as suspense
         from ledger.spend_hourly h
        where h.tenant = t.tenant and h.hour >= date_trunc('hour', %(now)s - interval '1 day', 'UTC') and h.hour <= %(now)s) s
 where t.tenant_id <> 0 and s.calls > 0

-- name: control_difference
-- The share of the control totals of the past day that differ from what was booked under them.
select t.tenant_id, 'control totals', s.differing::numeric / s.compared, s.compared,
       format('%%s of %%s parents of %%s in the past day say other totals than was booked under them', s.differing, s.compared, t.tenant),
       format('pigou sql "select * from ledger.control_totals where tenant = %%s and status = ''differs''"', quote_literal(t.tenant))
  from pigou.tenant t
 cross join lateral (
       select sum(k.parents)::bigint as compared, coalesce(sum(k.parents) filter (where k.status = 'differs'), 0)::bigint as differing
         from ledger.control_totals_hourly k
        where k.tenant = t.tenant and k.hour >= date_trunc('hour', %(now)s - interval '1 day', 'UTC') and k.hour <= %(now)s
          and k.status <> 'unchecked') s
 where s.compared > 0

-- name: ingest_silence
-- Five-minute pieces in which a service was expected and nothing came, since its last arrival (three days at most are looked at). How
-- much a piece is expected is the share of the four weeks before, as far as they are known, in which the same piece of the week had
-- something: who rests at night or at weekends is not expected then, and who was never there for a week not at all.
select s.tenant_id, s.service, m.missed, m.pieces,
       format('nothing arrived from service %%s of %%s since %%s; by its own rhythm of the past weeks %%s pieces of five minutes should have',
              case when s.service = '' then '(without a name)' else s.service end, t.tenant, date_trunc('second', s.last_at), round(m.missed, 1)),
       'see whether the service runs and where its exporter sends: pigou doctor; and pigou sql "select * from ledger.ingest"'
  from pigou.arrival_service s
  join pigou.tenant t using (tenant_id)
 cross join lateral (
       select coalesce(sum(e.expected), 0) as missed,
              (select count(*) from pigou.arrival a
                where a.tenant_id = s.tenant_id and a.service = s.service and a.arrived_at > %(now)s - interval '28 days') as pieces
         from generate_series(greatest(date_bin('5 minutes', s.last_at, 'epoch') + interval '5 minutes',
                                       date_bin('5 minutes', %(now)s - interval '3 days', 'epoch')),
                              %(now)s - interval '5 minutes', '5 minutes') p (piece)
        cross join lateral (
              select avg(case when a.arrived_at is null then 0 else 1 end) as expected
                from generate_series(1, 4) w (week)
                left join pigou.arrival a
                  on a.tenant_id = s.tenant_id and a.service = s.service and a.arrived_at = p.piece - w.week * interval '7 days'
               where p.piece - w.week * interval '7 days' >= s.first_at) e) m
 where s.last_at < %(now)s - interval '10 minutes'

-- name: books_check
-- Commodities whose debits and credits differ, by the balances.
select t.tenant_id, 'trial balance', count(*) filter (where b.quantity <> 0 or b.amount_usd <> 0), count(*),
       format('the books of %%s do not balance: %%s', t.tenant,
              string_agg(b.book || ' ' || b.commodity, ', ' order by b.book, b.commodity) filter (where b.quantity <> 0 or b.amount_usd <> 0)),
       'run `pigou check`, which names what differs, and restore the database from a backup that passes it'
  from ledger.trial_balance b join pigou.tenant t using (tenant)
 group by t.tenant_id, t.tenant

-- name: delivery
-- Minutes that the oldest thing has waited to be told through a channel that does not take it. What was given up in the past day has
-- waited until then, and counts as a day at least. A channel that only repeats what stands open counts while it fails.
select f.tenant_id, f.channel, extract(epoch from max(f.waited)) / 60, max(f.attempts)::bigint,
       format('%%s of %%s cannot be told through channel %%s since %%s: %%s', count(*) || case when count(*) = 1 then ' event' else ' events' end,
              t.tenant, f.channel, date_trunc('second', min(f.since)), coalesce(max(f.answer), 'no answer')),
       format('mend what the answer says, then: pigou channels test %%s%%s; and pigou channels list', f.channel, max(f.owner))
  from (select d.tenant_id, d.channel, greatest(d.made_at, coalesce(s.failing_since, m.made_at)) as since,
               case d.state when 'dead' then greatest(d.settled_at - d.made_at, interval '1 day')
                            else %(now)s - greatest(d.made_at, coalesce(s.failing_since, m.made_at)) end as waited,
               case d.state when 'dead' then 1000 else greatest(s.failures, m.attempts) end as attempts, coalesce(m.answer, d.why, s.last_error) as answer,
               case d.channel_tenant_id when 0 then '' else ' --tenant ' || quote_literal(d.said ->> 'tenant') end as owner
          from pigou.delivery d
          join pigou.channel_state s on s.tenant_id = d.channel_tenant_id and s.channel = d.channel
          left join pigou.delivery_message m
            on m.tenant_id = d.channel_tenant_id and m.channel = d.channel and m.message_id = d.message_id
         where (d.state = 'waiting' and (s.failing_since is not null or m.answer is not null)
                and not (select c.is_paused from pigou.channel c where c.tenant_id = s.tenant_id and c.channel = s.channel
                          order by c.revision desc limit 1))
            or (d.state = 'dead' and d.settled_at > %(now)s - interval '1 day')
        union all
        select a.tenant_id, s.channel, greatest(s.failing_since, a.opened_at), %(now)s - greatest(s.failing_since, a.opened_at), s.failures,
               s.last_error, case s.tenant_id when 0 then '' else ' --tenant ' || quote_literal(o.tenant) end
          from pigou.channel_state s
         cross join lateral (select c.kind, c.is_on and not c.is_paused as is_on from pigou.channel c
                              where c.tenant_id = s.tenant_id and c.channel = s.channel order by c.revision desc limit 1) c
         cross join lateral pigou.standing_alerts(s.tenant_id, s.channel) a
          join pigou.tenant o on o.tenant_id = a.tenant_id
         where s.failing_since is not null and c.kind = 'alertmanager' and c.is_on) f
  join pigou.tenant t on t.tenant_id = f.tenant_id
 group by f.tenant_id, f.channel, t.tenant

-- name: misallocation
-- Dollars a day of each finding that is neither resolved nor dismissed, and what is material for its tenant. It has had its evidence and
-- hysteresis where it was found.
select f.tenant_id, f.mode || ': ' || f.segment, f.usd_per_day, greatest(f.n, 1),
       format('%%s; %%s: $%%s a day ($%%s to $%%s, 95 %%%%) since %%s', regexp_replace(f.sentence, '[.\s]+$', ''), t.tenant,
              round(f.usd_per_day, 2), round(f.low, 2), round(f.high, 2), to_char(f.since at time zone 'UTC', 'YYYY-MM-DD')),
       format('%%s; see pigou findings show %%s --tenant %%s', regexp_replace(f.change, '[.\s]+$', ''), f.finding_id, quote_literal(t.tenant)),
       f.materiality_usd_per_day
  from pigou.finding f join pigou.tenant t using (tenant_id)
 where f.status <> 'resolved' and not exists (select from pigou.dismissal_at(f.tenant_id, f.mode, f.segment, %(now)s))

-- name: autonomy_breach
-- Actions of the past day that were done with less confirmation than the adopted schedule requires, or do not state theirs.
select b.tenant_id, b.action_class || coalesce(' in ' || b.task_class, ''), count(*), count(*),
       format('%%s did %%s%%s %%s in the past day with less confirmation than the adopted schedule requires (%%s)%%s; the last at %%s in trace %%s',
              t.tenant, b.action_class, coalesce(' in ' || b.task_class, ''), case count(*) when 1 then 'once' else count(*) || ' times' end,
              string_agg(distinct b.required, ', '),
              case when count(b.confirmation) < count(*) then format(', of which %%s without stating any', count(*) - count(b.confirmation)) else '' end,
              to_char(max(b.done_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'),
              (array_agg(encode(b.trace_id, 'hex') order by b.done_at desc))[1]),
       format('pigou autonomy breaches --tenant %%s', quote_literal(t.tenant))
  from pigou.autonomy_breach b join pigou.tenant t using (tenant_id)
 where b.done_at > %(now)s - interval '1 day'
 group by b.tenant_id, t.tenant, b.action_class, b.task_class

-- name: spend_anomaly
-- By how many of its usual spreads the spend of a layer or an agent, in the past whole hour and in the past 24, lies above what is usual
-- at that time of the week: the median of the five weeks before, as far as the subject goes back. The spread is told by the deviations of
-- the former days from the medians of their own weekdays: a normal spread leaves four fifths of them within 1.2816 of it. (A fifth of them
-- is nought, since one of five is its own median, so that their median would be too small, and the more so where few calls cost most.) An
-- hour's is at least the day's by the root of the hour's share of a day, as of calls that come by chance: in most hours of few dear calls
-- there is none of them. Both are a tenth of what is usual at least, and so much that an excess below what is material is none.
with age as materialized (
    select s.tenant_id, g.subject, (extract(epoch from date_trunc('hour', %(now)s, 'UTC') - s.hour) / 3600)::integer - 1 as hours_ago,
           sum(s.cost_usd)::float8 as usd
      from pigou.spend_hour s
      join pigou.spend_key k on k.tenant_id = s.tenant_id and k.key_id = s.key_id
     cross join lateral (values ('layer ' || k.layer), ('agent ' || k.agent)) g (subject)
     where s.hour >= date_trunc('hour', %(now)s, 'UTC') - interval '36 days' and s.hour < date_trunc('hour', %(now)s, 'UTC')
       and s.cost_known > 0 and g.subject is not null
     group by 1, 2, 3
),
seen as (
    select tenant_id, subject, max(hours_ago) + 1 as known_hours from age group by 1, 2
),
spent as (
    select tenant_id, subject, 24 as hours, hours_ago / 24 as days_ago, sum(usd) as usd from age group by 1, 2, 4
    union all
    select tenant_id, subject, 1, hours_ago / 24, usd from age where hours_ago %% 24 = 0
),
filled as (                                                  -- nothing spent on a day that is known is nought
    select s.tenant_id, s.subject, w.hours, d.days_ago, coalesce(p.usd, 0) as usd
      from seen s
     cross join (values (1), (24)) w (hours)
     cross join generate_series(0, 35) d (days_ago)
      left join spent p on p.tenant_id = s.tenant_id and p.subject = s.subject and p.hours = w.hours and p.days_ago = d.days_ago
     where d.days_ago = 0 or d.days_ago * 24 + w.hours <= s.known_hours
),
usual as (
    select tenant_id, subject, hours, days_ago %% 7 as weekday, count(*) as weeks, percentile_cont(0.5) within group (order by usd) as usd
      from filled where days_ago > 0 group by 1, 2, 3, 4
),
spread as (
    select f.tenant_id, f.subject, f.hours,
           percentile_cont(0.8) within group (order by abs(f.usd - u.usd) * sqrt(u.weeks / greatest(u.weeks - 1, 1)::float8)) / 1.2816 as usd
      from filled f
      join usual u on u.tenant_id = f.tenant_id and u.subject = f.subject and u.hours = f.hours and u.weekday = f.days_ago %% 7
     where f.days_ago > 0
     group by 1, 2, 3
)
select f.tenant_id, f.subject || case f.hours when 1 then ', past hour' else ', past day' end,
       round(((f.usd - u.usd) / s.usd)::numeric, 4), u.weeks,
       format('%%s of %%s spent %%s USD in the %%s before %%s; at this time of the week %%s is usual (spread %%s, by %%s weeks)', f.subject,
              t.tenant, round(f.usd::numeric, 2), case f.hours when 1 then 'hour' else '24 hours' end,
              to_char(date_trunc('hour', %(now)s, 'UTC') at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), round(u.usd::numeric, 2),
              round(s.usd::numeric, 2), u.weeks),
       format('see what it went to: pigou sql "select agent, use, model, sum(cost_usd) from ledger.spend_hourly where tenant = %%s'
              ' and hour >= ''%%s'' group by 1, 2, 3 order by 4 desc nulls last"', quote_literal(t.tenant),
              to_char((date_trunc('hour', %(now)s, 'UTC') - f.hours * interval '1 hour') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"'))
  from filled f
  join pigou.tenant t on t.tenant_id = f.tenant_id
  join usual u on u.tenant_id = f.tenant_id and u.subject = f.subject and u.hours = f.hours and u.weekday = 0
  join spread d on d.tenant_id = f.tenant_id and d.subject = f.subject and d.hours = f.hours
  join usual au on au.tenant_id = f.tenant_id and au.subject = f.subject and au.hours = 24 and au.weekday = 0
  join spread ad on ad.tenant_id = f.tenant_id and ad.subject = f.subject and ad.hours = 24
 cross join lateral (select usd_per_day::float8 as usd from pigou.materiality where tenant_id in (0, f.tenant_id)
                      order by tenant_id desc, revision desc limit 1) m
 cross join lateral (select greatest(least(u.usd / nullif(au.usd, 0), 1), f.hours / 24.0) as of_day) h
 cross join lateral (select greatest(d.usd, 0.1 * u.usd, m.usd / 6, ad.usd * sqrt(h.of_day)) as usd) s
 where f.days_ago = 0
