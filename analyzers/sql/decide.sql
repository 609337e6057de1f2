-- name: changed_tasks
-- Tasks of a tenant that were settled since decisions were last derived, oldest first.
select trace_id, settled_at from pigou.task
 where tenant_id = %(tenant_id)s and settled_at >= %(since)s
 order by settled_at, trace_id

-- name: tenants_with_tasks
-- Tenants that have tasks, and through which settlement their decisions were derived.
select t.tenant_id, t.tenant, s.value::timestamptz
  from pigou.tenant t
  left join pigou.setting s on s.setting = 'decided_through:' || t.tenant_id::text
 where exists (select from pigou.task k where k.tenant_id = t.tenant_id)
 order by t.tenant_id

-- name: mark_decided
-- Decisions were derived of every task settled through this time.
insert into pigou.setting (setting, value) values ('decided_through:' || %(tenant_id)s::text, %(through)s::timestamptz::text)
on conflict (setting) do update set value = excluded.value

-- name: take_tasks
-- The tasks that decisions are now derived of. Where records are past their retention nothing can be seen anew: what was derived stands.
create temp table taken on commit drop as
select t.trace_id, t.root_span_id, t.started_at, t.ended_at, t.task_class, t.agent
  from pigou.task t
 where t.tenant_id = %(tenant_id)s and t.trace_id = any (%(trace_ids)s)
   and exists (select from pigou.record r
                where r.tenant_id = t.tenant_id and r.trace_id = t.trace_id and r.started_at = t.started_at)

-- name: take_spans
-- Their spans, with what decisions are read from; one look at the records for all kinds.
create temp table span on commit drop as
select r.trace_id, r.span_id, r.parent_span_id, r.started_at, r.ended_at, r.signal, r.role, r.name, r.use, r.layer, r.agent, r.status_code,
       coalesce(r.attributes->>'gen_ai.tool.name', r.attributes->>'tool.name', substring(r.name from '^execute_tool (.+)$'), r.name) as tool,
       r.attributes->'allocation.route.candidates' as candidates,
       r.attributes->>'allocation.route.chosen' as route_chosen,
       r.attributes->'allocation.route.propensity' as route_propensity,
       r.attributes->'allocation.route.predicted_quality' as predicted,
       case when r.name like '%%.model_routing' then r.attributes->>'decision_model' end as decision_model,
       r.attributes->>'allocation.action.class' as action_class,
       r.attributes->>'allocation.action.confirmation' as confirmation,
       r.attributes->>'allocation.engine' as engine,
       coalesce(r.attributes->'gen_ai.usage.prompt_tokens', r.attributes->'gen_ai.usage.input_tokens') as prompt_tokens,
       r.attributes->'allocation.engine.queue_s' as queue_s,
       r.attributes->'allocation.engine.batch' as batch,
       r.attributes->'allocation.spec.proposed' as proposed,
       r.attributes->>'allocation.cache.key' as cache_key,
       r.attributes->'allocation.policy.version' as policy_version,
       r.attributes->'allocation.policy.trained_version' as trained_version
  from taken t
  join pigou.record r on r.tenant_id = %(tenant_id)s and r.trace_id = t.trace_id
 where r.started_at >= (select min(started_at) - interval '1 day' from taken)
   and r.started_at <= (select max(ended_at) + interval '1 day' from taken)

-- name: take_calls
-- Their calls, each once, as the client reports it rather than a gateway or the engine: what it was for is the client's to say. A call that was booked
-- in another trace is of this task all the same, with the cost that was booked there.
create temp table used on commit drop as
select distinct on (c.trace_id, c.call_trace_id, c.call_span_id)
       c.trace_id, c.span_id, c.started_at, c.ended_at, c.operation, c.model, c.layer, c.use, false as is_of_agent, c.agent, c.prompt_tokens,
       c.cache_read_tokens, c.cache_write_tokens,
       coalesce(max(c.cost_usd) over (partition by c.trace_id, c.call_trace_id, c.call_span_id), o.cost_usd) as cost_usd
  from (select k.trace_id, k.span_id, k.started_at, k.ended_at, k.operation, k.model, k.layer, k.use, k.agent, k.cost_usd, k.status,
               coalesce(k.total_input_tokens, k.input_tokens) as prompt_tokens, k.cache_read_tokens, k.cache_write_tokens,
               coalesce(k.copy_of_trace_id, k.trace_id) as call_trace_id, coalesce(k.copy_of_span_id, k.span_id) as call_span_id
          from taken t
          join pigou.call k on k.tenant_id = %(tenant_id)s and k.trace_id = t.trace_id
         where k.started_at >= (select min(started_at) - interval '1 day' from taken)
           and k.started_at <= (select max(ended_at) + interval '1 day' from taken)
           -- A trace without an agent whose call an agent reports elsewhere is a copy that lost its way, not a task.
           and (t.agent is not null
                or (k.status <> 'duplicate' or k.copy_of_trace_id = k.trace_id)
                   and not exists (
                       select from unnest(k.keys) y (key)
                         join pigou.call_key s on s.tenant_id = %(tenant_id)s and hashtext(s.key) = hashtext(y.key) and s.key = y.key
                              and s.trace_id <> k.trace_id
                         join pigou.call e on e.tenant_id = %(tenant_id)s and e.trace_id = s.trace_id and e.span_id = s.span_id
                        where e.agent is not null))) c
  left join pigou.call o on c.call_trace_id <> c.trace_id and o.tenant_id = %(tenant_id)s
        and o.trace_id = c.call_trace_id and o.span_id = c.call_span_id
 order by c.trace_id, c.call_trace_id, c.call_span_id, (c.layer is not distinct from 'supply'), c.started_at,
          (c.status = 'duplicate')

-- name: index_taken
-- So that each kind's statement finds a task's spans and calls.
create index on span (trace_id, started_at);
create index on used (trace_id, started_at);
create index on taken (trace_id);
analyze taken;
analyze span;
analyze used;
create temp table observed (
    kind text, layer text, trace_id bytea, span_id bytea, decided_at timestamptz, subject text, chosen text, options text[],
    propensity double precision, propensities double precision[], predicted_quality double precision[],
    features double precision[], feature_names text[], own_cost_usd numeric, provenance jsonb) on commit drop

-- name: take_uses_of_agents
-- A call of whose use its own record tells nothing serves what the agent around it does: OTel names the agent on its own span alone. It
-- is the innermost span of that agent which holds the call in time. The task's own agent does the task, whatever it is called. The books keep what
-- the call was booked under.
update used u set use = a.use, is_of_agent = true
  from (select distinct on (c.trace_id, c.span_id) c.trace_id, c.span_id, s.use
          from used c
          join taken t on t.trace_id = c.trace_id and t.agent is distinct from c.agent
          join span s on s.trace_id = c.trace_id and s.agent = c.agent and s.role in ('agent', 'control')
                     and s.started_at <= c.started_at and s.ended_at >= c.ended_at
         where c.use is null and c.layer is not distinct from 'action'
         order by c.trace_id, c.span_id, s.started_at desc, s.ended_at, s.span_id) a
 where a.trace_id = u.trace_id and a.span_id = u.span_id and a.use is not null

-- name: take_context
-- What was known of a task early on: the prompt of its first own call, the model that call was sent to and how long it took, and what a
-- router predicted.
create temp table context on commit drop as
select t.trace_id, t.root_span_id, t.started_at, t.ended_at, t.task_class, t.agent,
       f.span_id as call_span_id, f.started_at as call_started_at, f.ended_at as call_ended_at, f.model,
       ln(1 + f.prompt_tokens)::double precision as log_prompt_tokens,
       extract(epoch from f.ended_at - f.started_at)::double precision as first_call_s,
       q.predicted_quality
  from taken t
  left join lateral (
       select u.span_id, u.started_at, u.ended_at, u.model, u.prompt_tokens
         from used u
        where u.trace_id = t.trace_id and u.layer is not distinct from 'action' and u.use is distinct from 'verify'
          and u.use is distinct from 'route' and u.operation not like 'embed%%'
        order by (u.agent is distinct from t.agent and t.agent is not null), u.started_at, u.span_id limit 1) f on true
  left join lateral (
       select pigou.number_of(s.predicted->(p.place::integer - 1), 1)::double precision as predicted_quality
         from span s
        cross join lateral jsonb_array_elements_text(s.candidates) with ordinality p (option, place)
        where s.trace_id = t.trace_id and jsonb_typeof(s.candidates) = 'array' and jsonb_typeof(s.predicted) = 'array'
          and p.option = s.route_chosen and pigou.number_of(s.predicted->(p.place::integer - 1), 1) is not null
        order by s.started_at limit 1) q on true

-- name: index_context
-- So that each kind's statement finds a task's context.
create index on context (trace_id);
analyze context

-- name: tell_uses_of_agents
-- Which decisions rest on what calls were for as the agents around them say.
update observed o set provenance = o.provenance || '{"use": "of calls that tell none, that of the agent around them"}'
 where o.kind in ('route', 'verify', 'cache') and exists (select from used u where u.trace_id = o.trace_id and u.is_of_agent)

-- name: see_options
-- What was chosen where no menu is stated is an option from now on; answers how many options are new.
insert into pigou.menu (tenant_id, kind, task_class, agent, subject, option, is_applied)
select distinct %(tenant_id)s, o.kind, coalesce(c.task_class, ''), coalesce(c.agent, ''), o.subject, o.chosen, %(is_first)s
  from observed o join context c using (trace_id)
 where o.options is null
on conflict do nothing

-- name: index_observed
-- So that the decisions of a task are found; without figures of it PostgreSQL would look at all of them for each.
create index on observed (trace_id);
analyze observed

-- name: derive
-- Decisions with their options: stated ones, or the menu; where there is but one there was no choice. The model that a task was sent to
-- is part of the context of what was decided later in it, and so is what a decision is about where such decisions are about several things:
-- the class of an action, or the model that was served.
create temp table derived on commit drop as
with menus as materialized (
    select kind, task_class, agent, subject, array_agg(option order by option) as options
      from pigou.menu where tenant_id = %(tenant_id)s
     group by kind, task_class, agent, subject
     -- To confirm oneself is to verify, which is a decision of its own.
    having count(*) > 1 and (kind <> 'confirm' or bool_or(option in ('human', 'multi_party')))
),
about as materialized (
    select kind, task_class, agent, array_agg(subject order by subject) as subjects
      from menus where subject <> ''
     group by kind, task_class, agent
    having count(*) > 1
),
routed as materialized (
    select c.trace_id, c.model, coalesce(
               (select o.options from observed o where o.trace_id = c.trace_id and o.kind = 'route' and o.options is not null
                 order by o.decided_at limit 1),
               m.options) as models
      from context c
      left join menus m on m.kind = 'route' and m.subject = '' and m.task_class = coalesce(c.task_class, '')
                       and m.agent = coalesce(c.agent, '')
     where exists (select from observed o where o.trace_id = c.trace_id and o.kind in ('verify', 'confirm', 'delegate', 'defer'))
),
menued as (
    select o.*, c.task_class, c.agent, coalesce(o.options, m.options) as menu,
           case when o.options is null then o.provenance || '{"options": "all that were chosen in such decisions"}' else o.provenance end
               as told
      from observed o
      join context c using (trace_id)
      left join menus m on o.options is null and m.kind = o.kind and m.subject = o.subject
                       and m.task_class = coalesce(c.task_class, '') and m.agent = coalesce(c.agent, '')
)
select d.kind, d.layer, d.trace_id, d.span_id, d.decided_at, d.task_class, d.agent, d.menu as options,
       array_position(d.menu, d.chosen)::smallint as chosen, d.propensity, d.propensities, d.predicted_quality,
       case when d.propensity is not null then 'logged' else coalesce(a.assignment, 'unknown') end as assignment,
       d.features || coalesce(x.indicators, '{}') || coalesce(y.indicators, '{}') as features,
       d.feature_names || coalesce(x.names, '{}') || coalesce(y.names, '{}') as feature_names,
       d.own_cost_usd, d.told as provenance,
       pigou.entry_id(%(tenant)s, d.trace_id, d.span_id, d.kind, 0, d.decided_at) as decision_id
  from menued d
  left join routed r on r.trace_id = d.trace_id and d.kind in ('verify', 'confirm', 'delegate', 'defer')
  left join lateral (
       select array_agg((r.model = p.option)::integer::double precision order by p.place) as indicators,
              array_agg('model ' || p.option order by p.place) as names
         from unnest(r.models) with ordinality p (option, place)
        where p.place > 1 and r.model is not null) x on true
  left join about b on b.kind = d.kind and b.task_class = coalesce(d.task_class, '') and b.agent = coalesce(d.agent, '') and d.subject <> ''
  left join lateral (
       select array_agg((d.subject = p.subject)::integer::double precision order by p.place) as indicators,
              array_agg(case d.kind when 'confirm' then 'action ' else 'model ' end || p.subject order by p.place) as names
         from unnest(b.subjects) with ordinality p (subject, place)
        where p.place > 1) y on true
  left join lateral (
       select a.assignment from pigou.assignment a
        where a.tenant_id in (0, %(tenant_id)s) and a.kind = d.kind and a.task_class in ('*', coalesce(d.task_class, ''))
        order by a.tenant_id desc, (a.task_class = '*') limit 1) a on true
 where cardinality(d.menu) > 1

-- name: forget_decisions
-- Decisions of the taken tasks that are not what they were, and what was thought of them.
with gone as (
    delete from pigou.decision d using taken t
     where d.tenant_id = %(tenant_id)s and d.trace_id = t.trace_id
       and not exists (
           select from derived x
            where x.decision_id = d.decision_id and x.decided_at = d.decided_at
              and (x.kind, x.layer, x.span_id, x.task_class, x.agent, x.options, x.chosen, x.propensity, x.propensities,
                   x.predicted_quality, x.assignment, x.features, x.feature_names, x.own_cost_usd, x.provenance)
                  is not distinct from
                  (d.kind, d.layer, d.span_id, d.task_class, d.agent, d.options, d.chosen, d.propensity, d.propensities,
                   d.predicted_quality, d.assignment, d.features, d.feature_names, d.own_cost_usd, d.provenance))
    returning d.decision_id, d.decided_at
)
delete from pigou.appraisal a using gone g
 where a.tenant_id = %(tenant_id)s and a.decision_id = g.decision_id and a.decided_at = g.decided_at

-- name: write_decisions
-- The decisions that are new or not what they were.
insert into pigou.decision (tenant_id, decision_id, decided_at, trace_id, span_id, layer, kind, task_class, agent, options, chosen,
                            propensity, propensities, predicted_quality, assignment, features, feature_names, own_cost_usd,
                            provenance, comparison)
select %(tenant_id)s, decision_id, decided_at, trace_id, span_id, layer, kind, task_class, agent, options, chosen, propensity, propensities,
       predicted_quality, assignment, features, feature_names, own_cost_usd, provenance,
       pigou.comparison_of(kind, task_class, options, feature_names, assignment, propensities is not null)
  from derived
on conflict do nothing

-- name: tasks_of_grown_menus
-- Tasks whose decisions have options that were not known when these were derived.
select distinct t.trace_id
  from pigou.menu m
  join pigou.task t on t.tenant_id = m.tenant_id and coalesce(t.task_class, '') = m.task_class and coalesce(t.agent, '') = m.agent
 where m.tenant_id = %(tenant_id)s and not m.is_applied
 order by t.trace_id

-- name: mark_menus
-- Every task was looked at again since these options were first seen.
update pigou.menu set is_applied = true where tenant_id = %(tenant_id)s and not is_applied

-- name: tasks_of_assignment
-- Tasks that have decisions of a kind, for when how they are assigned was stated anew.
select distinct trace_id from pigou.decision
 where tenant_id = %(tenant_id)s and kind = %(kind)s and (%(task_class)s = '*' or coalesce(task_class, '') = %(task_class)s)
 order by trace_id

-- name: state_assignment
-- What the operator knows of how a kind of decision is made.
insert into pigou.assignment (tenant_id, kind, task_class, assignment, source)
values (%(tenant_id)s, %(kind)s, %(task_class)s, %(assignment)s, %(source)s)
on conflict (tenant_id, kind, task_class) do update
   set assignment = excluded.assignment, source = excluded.source, recorded_at = now()
