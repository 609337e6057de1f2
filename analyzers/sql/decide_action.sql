-- name: take_passes
-- Verification: outermost spans that verify. A pass often shows as a tool and a call; the larger count is the number of passes.
create temp table pass on commit drop as
select s.trace_id, s.span_id, case s.role when 'control' then 'agent' else s.role end as role, s.started_at, s.ended_at, u.cost_usd
  from span s
  left join used u on u.trace_id = s.trace_id and u.span_id = s.span_id
  left join span p on p.trace_id = s.trace_id and p.span_id = s.parent_span_id and p.use = 'verify'
 where s.use = 'verify' and p.span_id is null and (s.role in ('tool', 'agent', 'control') or (s.role = 'call' and u.span_id is not null))

-- name: take_actions
-- What was done to the world: tools whose class is stated, or follows from their names by the table of uses. Reading and drafting are free.
create temp table action on commit drop as
with named as (
    select distinct s.tool,
           trim('_' from regexp_replace(lower(regexp_replace(regexp_replace(s.tool, '([a-z0-9])([A-Z])', '\1_\2', 'g'),
                                                             '([A-Z])([A-Z][a-z])', '\1_\2', 'g')), '[^a-z0-9]+', '_', 'g')) as words
      from span s
     where s.use = 'act' and s.role in ('tool', 'agent') and s.action_class is null
),
classed as materialized (
    select n.tool, (select u.action_class from pigou.use_rule u
                     where u.tenant_id = 0 and u.field = 'tool' and n.words ~* ('(?<![a-z0-9])(?:' || u.pattern || ')(?![a-z0-9])')
                     order by u.ordinal limit 1) as action_class
      from named n
)
select s.trace_id, s.span_id, s.started_at, coalesce(s.action_class, k.action_class) as action_class,
       s.action_class is null as is_inferred, s.confirmation,
       lag(s.started_at, 1, '-infinity') over (partition by s.trace_id order by s.started_at, s.span_id) as former_at
  from span s
  left join classed k on k.tool = s.tool and s.action_class is null
 where s.role in ('tool', 'agent', 'control') and (s.use = 'act' or s.action_class is not null)
   and (coalesce(s.action_class, k.action_class) not in ('read', 'draft', 'execute')
        or (coalesce(s.action_class, k.action_class) is not null and s.confirmation is not null))

-- name: index_steps
-- So that a task's passes and actions are found.
create index on pass (trace_id);
create index on action (trace_id);
analyze pass;
analyze action

-- name: observe_verification
-- How often a task was verified: 0, 1, or 2 times and more. None is a decision too, but nobody sees when it is taken: so the context is
-- what was known when work began, and failures since are not in it. How long the first call took is, as no check moves it: where an
-- engine is crowded most of a task's waiting is told by it.
insert into observed
select 'verify', 'action', c.trace_id, coalesce(c.root_span_id, c.call_span_id), coalesce(v.first_at, w.last_at), '',
       least(coalesce(v.passes, 0), 2)::text, array['0', '1', '2'], null, null, null,
       array[c.log_prompt_tokens, -cos(2 * pi() * extract(epoch from c.started_at)::double precision / 86400), c.predicted_quality,
             case when c.call_ended_at <= coalesce(v.first_at, w.last_at) then c.first_call_s end],
       array['log_prompt_tokens', 'daytime', 'predicted_quality', 'first_call_s'], v.cost_usd,
       '{"chosen": "the passes of verification that were seen"}'
  from context c
  left join lateral (
       select greatest(count(*) filter (where p.role = 'call'), count(*) filter (where p.role = 'tool'),
                       count(*) filter (where p.role = 'agent')) as passes,
              min(p.started_at) as first_at,
              case when bool_and(p.cost_usd is not null) filter (where p.role = 'call') then sum(p.cost_usd) end as cost_usd
         from pass p where p.trace_id = c.trace_id having count(*) > 0) v on true
 cross join lateral (
       select coalesce(max(u.ended_at), c.ended_at) as last_at from used u
        where u.trace_id = c.trace_id and u.layer = 'action' and u.use is distinct from 'verify') w
 where c.call_span_id is not null

-- name: observe_confirmation
-- Who confirmed an action before it was done.
insert into observed
select 'confirm', 'action', a.trace_id, a.span_id, a.started_at, a.action_class, coalesce(s.stated, d.inferred), null, null, null, null,
       array[c.log_prompt_tokens, -cos(2 * pi() * extract(epoch from c.started_at)::double precision / 86400), e.retries::double precision,
             c.predicted_quality, v.passes::double precision],
       array['log_prompt_tokens', 'daytime', 'retries', 'predicted_quality', 'passes_before'], null,
       jsonb_strip_nulls(jsonb_build_object(
           'chosen', case when s.stated is null then 'whether somebody was asked just before' end,
           'action_class', case when a.is_inferred then 'from the name of the tool' end))
  from action a
  join context c on c.trace_id = a.trace_id
 cross join lateral (select case when a.confirmation in ('none', 'self', 'human', 'multi_party') then a.confirmation end as stated) s
 cross join lateral (
       select case when exists (select from span b
                                 where b.trace_id = a.trace_id and b.use = 'defer' and b.ended_at <= a.started_at
                                   and b.started_at > a.former_at)
                   then 'human' else 'none' end as inferred) d
 cross join lateral (
       select greatest(count(*) filter (where p.role = 'call'), count(*) filter (where p.role = 'tool'),
                       count(*) filter (where p.role = 'agent')) as passes
         from pass p where p.trace_id = a.trace_id and p.ended_at <= a.started_at) v
 cross join lateral (
       select count(*) as retries from span b
        where b.trace_id = a.trace_id and b.status_code = 2 and b.role in ('call', 'tool') and b.ended_at <= a.started_at) e

-- name: observe_delegation
-- Whether a task was handed to another agent, in part or whole.
insert into observed
select 'delegate', 'action', c.trace_id, coalesce(c.root_span_id, c.call_span_id), coalesce(h.first_at, c.call_started_at, c.started_at), '',
       case when h.first_at is null then 'alone' else 'delegate' end, null, null, null, null,
       array[c.log_prompt_tokens, -cos(2 * pi() * extract(epoch from c.started_at)::double precision / 86400), c.predicted_quality],
       array['log_prompt_tokens', 'daytime', 'predicted_quality'],
       (select case when bool_and(u.cost_usd is not null) then sum(u.cost_usd) end
          from used u where u.trace_id = c.trace_id and u.agent = any (h.agents)),
       '{"chosen": "whether another agent worked on it"}'
  from context c
  left join lateral (
       select min(s.started_at) as first_at, array_agg(s.agent) filter (where s.agent is distinct from c.agent) as agents
         from span s
        where s.trace_id = c.trace_id and s.span_id is distinct from c.root_span_id
          and (s.use = 'delegate'
               or (s.role in ('agent', 'control') and s.agent <> c.agent and s.use is distinct from 'verify' and s.use is distinct from 'route'))
       having count(*) > 0) h on true
 where c.call_span_id is not null

-- name: observe_deferral
-- Whether a person was asked about the task itself; one who is asked before an action confirms that action.
insert into observed
select 'defer', 'action', c.trace_id, coalesce(c.root_span_id, c.call_span_id), coalesce(h.first_at, c.call_started_at), '',
       case when h.first_at is null then 'proceed' else 'ask' end, null, null, null, null,
       array[c.log_prompt_tokens, -cos(2 * pi() * extract(epoch from c.started_at)::double precision / 86400), c.predicted_quality],
       array['log_prompt_tokens', 'daytime', 'predicted_quality'], null, '{"chosen": "whether a person was asked"}'
  from context c
  left join lateral (
       select min(s.started_at) as first_at from span s
        where s.trace_id = c.trace_id and s.use = 'defer'
          and not exists (select from action a
                           where a.trace_id = s.trace_id and a.started_at >= s.ended_at and a.former_at < s.started_at)
       having count(*) > 0) h on true
 where c.call_span_id is not null
