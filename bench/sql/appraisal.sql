-- name: make_tasks
-- Settled tasks of one tenant over the month before now, of several classes, each with a difficulty that its prompt tells.
insert into pigou.task (tenant_id, trace_id, root_span_id, started_at, ended_at, settled_at, revision, settled_by, agent, task_class,
                        class_source, value_usd, value_source, lambda_usd_per_s, rho, price_source, deadline_source, quality,
                        outcome_source, cost_usd, latency_s, risk_usd, loss_usd, calls, unpriced_calls, spans, problems, content_hash)
select %(tenant_id)s, m.trace_id, substring(m.trace_id from 1 for 8), m.at, m.at + interval '1 minute', now(), 0, 'ended', 'worker',
       'class-' || m.place %% %(classes)s, 'explicit', m.v_usd, 'explicit', 0.0005, 1, 'policy', 'none',
       (random() < 0.5 + 0.2 * m.model + 0.1 * m.passes - 0.4 * m.difficulty)::integer,
       'attribute', round((0.01 * power(4, m.model) * (0.5 + m.difficulty) + 0.005 * m.passes)::numeric, 6), 20 + 30 * random(),
       0, 0, 4, 0, 8, '{}', m.trace_id
  from (select g.place, decode(md5(concat_ws(' ', %(tenant_id)s, g.place)), 'hex') as trace_id,
               date_trunc('hour', now()) - interval '30 days' * random() as at, random() as difficulty,
               (array[1, 3, 10])[1 + floor(3 * random())::integer] as v_usd, floor(3 * random())::integer as model,
               floor(3 * random())::integer as passes
          from generate_series(1, %(tasks)s) g (place)) m

-- name: make_decisions
-- Three decisions of each task, as deriving writes them: a logged route, a verification and a way of caching of which the context tells all.
insert into pigou.decision (tenant_id, decision_id, decided_at, trace_id, span_id, layer, kind, task_class, agent, options, chosen,
                            propensity, assignment, features, feature_names, own_cost_usd, provenance, comparison)
select t.tenant_id, pigou.entry_id('bench', t.trace_id, t.root_span_id, k.kind, 0, t.started_at + k.after), t.started_at + k.after,
       t.trace_id, t.root_span_id, k.layer, k.kind, t.task_class, t.agent, k.options, 1 + floor(3 * random())::integer,
       case when k.kind = 'route' then 1.0 / 3 end, case when k.kind = 'route' then 'logged' else 'recorded' end,
       array[8 + 2 * random(), -cos(2 * pi() * extract(epoch from t.started_at)::double precision / 86400), random()], k.features,
       t.cost_usd / 2, '{"chosen": "made"}',
       pigou.comparison_of(k.kind, t.task_class, k.options, k.features, case when k.kind = 'route' then 'logged' else 'recorded' end, false)
  from pigou.task t
 cross join (values ('route', 'demand', array['large', 'medium', 'small'], interval '1 second'),
                    ('verify', 'action', array['0', '1', '2'], interval '20 seconds'),
                    ('cache', 'capital', array['churn', 'none', 'prefix'], interval '2 seconds')) c (kind, layer, options, after)
 cross join lateral (select c.*, array['log_prompt_tokens', 'daytime', 'predicted_quality'] as features) k
 where t.tenant_id = %(tenant_id)s
