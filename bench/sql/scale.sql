-- name: clone_calls
-- The calls of one tenant once more, as if they had come %(back)s earlier, with records, entries, transfers and balances: what a
-- collector would have written, but for the records' attributes.
with taken as materialized (
    select c.*, t.tenant, sha256(c.trace_id || int4send(%(copy)s)) as hash, c.started_at - %(back)s::interval as at
      from pigou.call c join pigou.tenant t using (tenant_id)
     where c.tenant_id = %(tenant_id)s and c.started_at >= %(since)s and c.status = 'booked'
),
made as materialized (
    select taken.*, substring(hash from 1 for 16) as new_trace_id, (at at time zone 'UTC')::date as posted_on,
           pigou.entry_id(tenant, substring(hash from 1 for 16), span_id, 'call', 0, at) as new_entry_id
      from taken
),
records as (
    insert into pigou.record (tenant_id, trace_id, span_id, started_at, ended_at, signal, role, name, kind, status_code, service,
                              scope_name, resource_id, attributes, content_hash)
    select m.tenant_id, m.new_trace_id, m.span_id, m.at, m.ended_at - %(back)s::interval, 'span', 'call', 'chat', 3, 0, m.service,
           'pigou.bench', r.resource_id, '{}', substring(m.hash from 17 for 16)
      from made m cross join (select resource_id from pigou.resource where tenant_id = %(tenant_id)s limit 1) r
),
calls as (
    insert into pigou.call (
           tenant_id, trace_id, span_id, started_at, ended_at, status, reason, problem, dialect, confidence, operation, provider, model,
           rate_provider, rate_model, service_tier, layer, layer_source, use, use_source, agent, task_class, conversation_id, user_id,
           service, leaves, total_input_tokens, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
           cost_usd, claimed_cost_usd, response_id, keys, strength, entry_id, expense_account_id, payable_account_id, revision)
    select tenant_id, new_trace_id, span_id, at, ended_at - %(back)s::interval, status, reason, problem, dialect, confidence, operation,
           provider, model, rate_provider, rate_model, service_tier, layer, layer_source, use, use_source, agent, task_class,
           conversation_id, user_id, service, leaves, total_input_tokens, input_tokens, cache_read_tokens, cache_write_tokens,
           output_tokens, reasoning_tokens, cost_usd, claimed_cost_usd, encode(hash, 'hex'), array['response:' || encode(hash, 'hex')],
           strength, new_entry_id, expense_account_id, payable_account_id, revision
      from made
),
keys as (
    insert into pigou.call_key (tenant_id, key, trace_id, span_id, started_at)
    select tenant_id, 'response:' || encode(hash, 'hex'), new_trace_id, span_id, at from made
),
entries as (
    insert into pigou.entry (tenant_id, entry_id, kind, source, occurred_at, posted_on, trace_id, span_id)
    select tenant_id, new_entry_id, 'call', dialect, at, posted_on, new_trace_id, span_id from made
),
transfers as (
    insert into pigou.transfer (tenant_id, entry_id, line, occurred_at, posted_on, book, commodity_id, debit_account_id,
                                credit_account_id, quantity, rate_id, rate_usd, amount_usd)
    select x.tenant_id, m.new_entry_id, x.line, m.at, m.posted_on, x.book, x.commodity_id, x.debit_account_id, x.credit_account_id,
           x.quantity, x.rate_id, x.rate_usd, x.amount_usd
      from made m
      join pigou.transfer x on x.tenant_id = m.tenant_id and x.entry_id = m.entry_id and x.occurred_at = m.started_at
    returning posted_on, book, commodity_id, debit_account_id, credit_account_id, quantity, amount_usd
)
insert into pigou.balance as b (tenant_id, account_id, book, commodity_id, day, slot, debit_quantity, credit_quantity, debit_usd,
                                credit_usd)
select %(tenant_id)s, leg.account_id, x.book, x.commodity_id, x.posted_on, 0,
       coalesce(sum(x.quantity) filter (where leg.sign > 0), 0), coalesce(sum(x.quantity) filter (where leg.sign < 0), 0),
       coalesce(sum(x.amount_usd) filter (where leg.sign > 0), 0), coalesce(sum(x.amount_usd) filter (where leg.sign < 0), 0)
  from transfers x
 cross join lateral (values (1, x.debit_account_id), (-1, x.credit_account_id)) leg (sign, account_id)
 group by leg.account_id, x.book, x.commodity_id, x.posted_on
on conflict (tenant_id, account_id, book, commodity_id, day, slot) do update
   set debit_quantity = b.debit_quantity + excluded.debit_quantity, credit_quantity = b.credit_quantity + excluded.credit_quantity,
       debit_usd = b.debit_usd + excluded.debit_usd, credit_usd = b.credit_usd + excluded.credit_usd


-- name: make_tasks
-- A settled task of each trace of one tenant since %(since)s. What it is worth is one of three values; how it went, and what it cost, follows
-- from which model answered and how often that was verified, which two bytes of the trace's id tell.
insert into pigou.task (tenant_id, trace_id, root_span_id, started_at, ended_at, settled_at, revision, settled_by, agent, task_class,
                        class_source, value_usd, value_source, lambda_usd_per_s, rho, price_source, deadline_source, quality,
                        outcome_source, cost_usd, latency_s, risk_usd, loss_usd, calls, unpriced_calls, spans, problems, content_hash)
select c.tenant_id, c.trace_id, substring(c.trace_id from 1 for 8), c.started_at, c.ended_at, now(), 0, 'ended', c.agent,
       'class-' || get_byte(c.trace_id, 2) %% 8, 'explicit', x.v_usd, 'explicit', 0.0005, 1, 'policy', 'none',
       case when get_byte(c.trace_id, 4) %% 10 > 0 then (random() < 0.9 - 0.1 * x.model - 0.1 * (x.passes = 0)::integer)::integer end,
       case when get_byte(c.trace_id, 4) %% 10 > 0 then 'attribute' end,
       round((0.64 / power(4, x.model) + 0.02 * x.passes + 0.01 * random())::numeric, 6), 20 + 30 * random(), 0, 0, c.calls, 0, 12, '{}', c.trace_id
  from (select tenant_id, trace_id, min(started_at) as started_at, max(ended_at) as ended_at, min(agent) as agent, count(*) as calls
          from pigou.call where tenant_id = %(tenant_id)s and started_at >= %(since)s and status = 'booked'
         group by tenant_id, trace_id) c
 cross join lateral (select (array[0.2, 1, 10])[1 + get_byte(c.trace_id, 3) %% 3] as v_usd, get_byte(c.trace_id, 0) %% 3 as model,
                            get_byte(c.trace_id, 1) %% 3 as passes) x
on conflict do nothing

-- name: make_decisions
-- Two decisions of each of these tasks, as deriving writes them: a logged route, and how often to verify, of which the context tells all.
insert into pigou.decision (tenant_id, decision_id, decided_at, trace_id, span_id, layer, kind, task_class, agent, options, chosen,
                            propensity, assignment, features, feature_names, own_cost_usd, provenance, comparison)
select t.tenant_id, pigou.entry_id('bench', t.trace_id, t.root_span_id, k.kind, 0, t.started_at + k.after), t.started_at + k.after,
       t.trace_id, t.root_span_id, k.layer, k.kind, t.task_class, t.agent, k.options, 1 + get_byte(t.trace_id, k.byte) %% 3,
       case when k.kind = 'route' then 1.0 / 3 end, k.assignment,
       array[8 + 2 * random(), -cos(2 * pi() * extract(epoch from t.started_at)::double precision / 86400), random()], k.features,
       t.cost_usd / 2, '{"chosen": "made"}', pigou.comparison_of(k.kind, t.task_class, k.options, k.features, k.assignment, false)
  from pigou.task t
 cross join (values ('route', 'demand', array['large', 'medium', 'small'], interval '1 second', 0, 'logged',
                     array['log_prompt_tokens', 'daytime', 'predicted_quality']),
                    ('verify', 'action', array['0', '1', '2'], interval '2 seconds', 1, 'recorded',
                     array['log_prompt_tokens', 'daytime', 'difficulty'])) k (kind, layer, options, after, byte, assignment, features)
 where t.tenant_id = %(tenant_id)s and t.started_at >= %(since)s

-- name: clone_tasks
-- The tasks of one tenant once more, of the traces that clone_calls makes.
insert into pigou.task (tenant_id, trace_id, root_span_id, started_at, ended_at, settled_at, revision, settled_by, agent, task_class,
                        class_source, value_usd, value_source, lambda_usd_per_s, rho, price_source, deadline_source, quality,
                        outcome_source, cost_usd, latency_s, risk_usd, loss_usd, calls, unpriced_calls, spans, problems, content_hash)
select t.tenant_id, substring(sha256(t.trace_id || int4send(%(copy)s)) from 1 for 16), t.root_span_id, t.started_at - %(back)s::interval,
       t.ended_at - %(back)s::interval, t.settled_at, 0, t.settled_by, t.agent, t.task_class, t.class_source, t.value_usd, t.value_source,
       t.lambda_usd_per_s, t.rho, t.price_source, t.deadline_source, t.quality, t.outcome_source, t.cost_usd, t.latency_s, t.risk_usd,
       t.loss_usd, t.calls, t.unpriced_calls, t.spans, t.problems, t.content_hash
  from pigou.task t
 where t.tenant_id = %(tenant_id)s and t.started_at >= %(since)s

-- name: clone_decisions
-- The decisions of these tasks once more.
insert into pigou.decision (tenant_id, decision_id, decided_at, trace_id, span_id, layer, kind, task_class, agent, options, chosen, propensity,
                            propensities, predicted_quality, assignment, features, feature_names, own_cost_usd, provenance, comparison)
select d.tenant_id, m.decision_id, m.at, m.trace_id, d.span_id, d.layer, d.kind, d.task_class, d.agent, d.options, d.chosen, d.propensity,
       d.propensities, d.predicted_quality, d.assignment, d.features, d.feature_names, d.own_cost_usd, d.provenance, d.comparison
  from pigou.decision d
 cross join lateral (select pigou.entry_id('bench', x.trace_id, d.span_id, d.kind, 0, x.at) as decision_id, x.*
                       from (values (substring(sha256(d.trace_id || int4send(%(copy)s)) from 1 for 16), d.decided_at - %(back)s::interval))
                            x (trace_id, at)) m
 where d.tenant_id = %(tenant_id)s and d.decided_at >= %(since)s

-- name: clone_appraisals
-- What is thought of them, in the same segments.
insert into pigou.appraisal (tenant_id, decision_id, decided_at, comparison, segment, run_id, option_value, option_cost, option_latency, option_risk,
                             option_net, option_error, best, regret_usd, regret_low_usd, regret_high_usd, pull, status)
select a.tenant_id, pigou.entry_id('bench', x.trace_id, d.span_id, d.kind, 0, x.at), x.at, a.comparison, a.segment, a.run_id, a.option_value,
       a.option_cost, a.option_latency, a.option_risk, a.option_net, a.option_error, a.best, a.regret_usd, a.regret_low_usd,
       a.regret_high_usd, a.pull, a.status
  from pigou.decision d
  join pigou.appraisal a on a.tenant_id = d.tenant_id and a.decision_id = d.decision_id and a.decided_at = d.decided_at
 cross join lateral (values (substring(sha256(d.trace_id || int4send(%(copy)s)) from 1 for 16), d.decided_at - %(back)s::interval)) x (trace_id, at)
 where d.tenant_id = %(tenant_id)s and d.decided_at >= %(since)s and a.decided_at >= %(since)s

-- name: clone_findings
-- The findings of one tenant once more, as ones that were resolved before.
insert into pigou.finding (tenant_id, finding_id, mode, segment, layer, kind, task_class, subject, agent, band, status, opened_at, seen_at,
                           looked_at, quiet_since, quiet, resolved_at, resolution, since, until, usd_per_day, low, high, n, tasks,
                           told_usd_per_day, materiality_usd_per_day, sentence, change, inequality, method, evidence)
select f.tenant_id, (select max(finding_id) from pigou.finding where tenant_id = %(tenant_id)s) + (row_number() over (order by f.finding_id))::integer,
       f.mode, f.segment, f.layer, f.kind, f.task_class, f.subject, f.agent, f.band, 'resolved', f.opened_at - %(back)s::interval,
       f.seen_at - %(back)s::interval, f.looked_at - %(back)s::interval, f.looked_at - %(back)s::interval, 3, f.looked_at - %(back)s::interval,
       'right again', f.since - %(back)s::interval, f.until - %(back)s::interval, f.usd_per_day, f.low, f.high, f.n, f.tasks,
       f.told_usd_per_day, f.materiality_usd_per_day, f.sentence, f.change, f.inequality, f.method, f.evidence
  from pigou.finding f
 where f.tenant_id = %(tenant_id)s and f.status <> 'resolved'
