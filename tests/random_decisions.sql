-- name: fill
-- Decisions of some days in which everything may be unknown, in segments of which half are discoveries, and tasks.
select setseed(0.42);
insert into pigou.comparison (tenant_id, comparison, layer, kind, task_class, options, assignment, run_id, fingerprint, method, n)
select t.tenant_id, c, (array['demand', 'action', 'supply'])[1 + c % 3], (array['route', 'verify', 'serve'])[1 + c % 3],
       (array['a', 'b', null])[1 + c / 3 % 3], array['x', 'y', 'z'], 'logged', 1, '', 'by hand', 1
  from pigou.tenant t cross join generate_series(1, 6) c where t.tenant_id > 0;
insert into pigou.segment (tenant_id, comparison, segment, label, value_band, chosen, best, n, tasks, changes, materiality_usd, status, why,
                           needs_outcomes, needs_exploration, is_discovery)
select tenant_id, comparison, s, '', (array['', 'below 5 USD'])[1 + s % 2], 'x', 'y', 1, 1, '{}', 0.01, 'appraised', 'because ' || s, s, 0.5,
       random() < 0.5
  from pigou.comparison cross join generate_series(0, 2) s;
insert into pigou.decision (tenant_id, decision_id, decided_at, trace_id, span_id, layer, kind, task_class, agent, options, chosen, assignment,
                            features, feature_names, provenance, comparison)
select tenant_id, gen_random_uuid(), timestamptz '2026-11-14Z' + random() * interval '6 days 15 hours', int8send(x), int8send(x), layer, kind,
       task_class, case when random() < 0.7 then 'agent ' || floor(3 * random()) end, options, 1 + floor(3 * random())::integer, 'unknown',
       '{}', '{}', '{}', comparison
  from pigou.comparison cross join generate_series(1, 30) x;
insert into pigou.task (tenant_id, trace_id, started_at, ended_at, settled_at, revision, settled_by, agent, task_class, class_source, value_usd,
                        value_source, lambda_usd_per_s, rho, price_source, deadline_source, quality, cost_usd, latency_s, risk_usd, loss_usd,
                        calls, unpriced_calls, spans, problems, content_hash)
select t.tenant_id, int8send(n), timestamptz '2026-11-14Z' + random() * interval '6 days 15 hours', now(), now(), 0, 'ended',
       case when random() < 0.7 then 'agent ' || floor(3 * random()) end, (array['a', 'b', null])[1 + floor(3 * random())], 'none',
       case when random() < 0.8 then random() end, 'none', case when random() < 0.9 then 0.001 end, case when random() < 0.9 then 1.5 end, 'none',
       'none', case when random() < 0.8 then round(random()::numeric, 1) end, case when random() < 0.9 then random() end, 10 * random(),
       case when random() < 0.5 then 0 else random() end, 0, 1, 0, 1, '{}', ''
  from pigou.tenant t cross join generate_series(1, 80) n where t.tenant_id > 0

-- name: appraise
-- Opinions of two thirds of them: terms that may be unknown, equal costs among them, intervals that exclude zero or do not.
insert into pigou.appraisal (tenant_id, decision_id, decided_at, comparison, segment, run_id, option_value, option_cost, option_latency,
                             option_risk, option_net, option_error, best, regret_usd, regret_low_usd, regret_high_usd, pull, status)
select d.tenant_id, d.decision_id, d.decided_at, d.comparison, floor(3 * random()), 1, v.value, v.cost, v.latency, v.risk, v.net, v.error,
       case when random() < 0.8 then 1 + floor(3 * random()) end, r.usd, r.usd - r.half, r.usd + r.half, 0, r.status
  from pigou.decision d
 cross join lateral (
       select array_agg(random()) as value, array_agg(random() + place / 10.0) as latency, array_agg(random() / 7 + place) as risk,
              array_agg(case when random() < 0.8 then round((random() + place / 9.0)::numeric, 1)::float8 end) as cost,
              array_agg(case when random() < 0.7 then random() - 0.5 end) as net,
              array_agg(case when random() < 0.9 then random() / 3 end) as error
         from generate_series(1, 3) place where d.decision_id is not null) v
 cross join lateral (
       select case when s.status <> 'not_identified' then u.usd end as usd, case when s.status <> 'not_identified' then u.half end as half, s.status
         from (select random()::numeric(38, 12) as usd, random()::numeric(38, 12) as half where d.decision_id is not null) u
        cross join (select (array['appraised', 'appraised', 'not_enough_evidence', 'not_identified'])[1 + floor(4 * random())] as status
                     where d.decision_id is not null) s) r
 where random() < 0.67
on conflict (tenant_id, decision_id, decided_at) do update
   set segment = excluded.segment, best = excluded.best, status = excluded.status, regret_usd = excluded.regret_usd,
       regret_low_usd = excluded.regret_low_usd, regret_high_usd = excluded.regret_high_usd, option_cost = excluded.option_cost,
       option_net = excluded.option_net
