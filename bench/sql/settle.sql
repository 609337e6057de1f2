-- name: tenant
insert into pigou.tenant (tenant_id, tenant, created_at) values (1, 'bench', now() - interval '1 hour')

-- name: policy
insert into pigou.price_policy (tenant_id, task_class, revision, valid, v_usd, lambda_usd_per_s, rho, source)
values (0, '*', 1, '(,)', 5, 0.001, 1, 'bench')

-- name: traces
-- Roots with a class, a value and mostly an outcome, and an action with its risk, as the demo's agents tell them.
insert into pigou.record (tenant_id, trace_id, span_id, started_at, ended_at, parent_span_id, signal, role, name, kind, status_code,
                          service, scope_name, resource_id, agent, task_class, layer, use, attributes, content_hash, recorded_at)
select 1, substring(sha256(int4send(t)) from 1 for 16), int8send(s.n), began + s.n * interval '1 second', began + (s.n + s.seconds) * interval '1 second',
       case when s.n > 1 then int8send(1) end, 'span', s.role, s.name, 1, 0, 'agents', 'bench', gen_random_uuid(), 'coder',
       case when s.n = 1 then 'class.' || t %% 20 end, 'action', s.use, s.attributes || jsonb_build_object('gen_ai.conversation.id', 'conv-' || t),
       int8send(t), now() - interval '2 minutes'
  from generate_series(%(first)s::int, %(last)s::int) t
 cross join lateral (select now() - interval '1 hour' - t %% 40000 * interval '20 seconds' as began) b
 cross join lateral (values
       (1, 60, 'control', 'invoke_agent coder', null, jsonb_build_object('gen_ai.operation.name', 'invoke_agent', 'allocation.task.value_usd', 10 + t %% 7,
           'allocation.task.deadline_s', 90, 'task.difficulty', 'hard') || case when t %% 10 < 8 then jsonb_build_object('allocation.outcome', (t %% 5) / 4.0) else '{}' end),
       (2, 1, 'tool', 'execute_tool run_tests', 'verify', '{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "run_tests"}'),
       (3, 1, 'tool', 'execute_tool commit', 'act', '{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "commit", "allocation.action.class": "commit",
           "allocation.action.reversible": true, "allocation.risk.probability": 0.02, "allocation.risk.loss_usd": 50}')) s (n, seconds, role, name, use, attributes)

-- name: calls
-- Ten calls a trace: their records and the calls themselves, without entries.
with made as (
    select t, c.n, substring(sha256(int4send(t)) from 1 for 16) as trace_id, int8send(c.n) as span_id,
           now() - interval '1 hour' - t %% 40000 * interval '20 seconds' + c.n * interval '2 seconds' as at
      from generate_series(%(first)s::int, %(last)s::int) t cross join generate_series(11, 20) c (n)
),
records as (
    insert into pigou.record (tenant_id, trace_id, span_id, started_at, ended_at, parent_span_id, signal, role, name, kind, status_code,
                              service, scope_name, resource_id, agent, layer, use, attributes, content_hash, recorded_at)
    select 1, trace_id, span_id, at, at + interval '1 second', int8send(1), 'span', 'call', 'chat m1', 3, 0, 'agents', 'bench', gen_random_uuid(), 'coder',
           'action', 'act', jsonb_build_object('gen_ai.operation.name', 'chat', 'gen_ai.provider.name', 'acme', 'gen_ai.request.model', 'm1',
           'gen_ai.response.model', 'm1', 'gen_ai.response.id', 'resp_' || t || '_' || n, 'gen_ai.agent.name', 'coder', 'gen_ai.conversation.id', 'conv-' || t,
           'gen_ai.usage.input_tokens', 1200 + n, 'gen_ai.usage.output_tokens', 120 + n, 'gen_ai.usage.cache_read.input_tokens', 600), int8send(t),
           now() - interval '2 minutes'
      from made
)
insert into pigou.call (tenant_id, trace_id, span_id, started_at, ended_at, status, dialect, confidence, operation, provider, model, layer, layer_source, use,
                        use_source, agent, conversation_id, service, leaves, cost_usd, strength)
select 1, trace_id, span_id, at, at + interval '1 second', 'booked', 'bench', 'explicit', 'chat', 'acme', 'm1', 'action', 'explicit', 'act', 'explicit', 'coder',
       'conv-' || t, 'agents', '{"input_tokens": 1200}', 0.0042, 31
  from made

-- name: settled
select count(*), count(quality), count(entry_id), sum(calls) from pigou.task
