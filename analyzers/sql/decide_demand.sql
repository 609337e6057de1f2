-- name: observe_stated_routes
-- Routing that states its menu (allocation.route.candidates). The prompt is that of the first call routed: it was there before its model
-- was chosen, although it is told later.
insert into observed
with stated as (
    select s.trace_id, s.span_id, s.started_at, s.route_chosen, s.candidates, s.predicted, s.route_propensity,
           lead(s.started_at, 1, 'infinity') over (partition by s.trace_id order by s.started_at, s.span_id) as next_at
      from span s
     where jsonb_typeof(s.candidates) = 'array' and s.route_chosen is not null
)
select 'route', 'demand', s.trace_id, s.span_id, s.started_at, '', s.route_chosen, m.options,
       nullif(p.propensity, 0), p.propensities, m.predicted,
       array[ln(1 + f.prompt_tokens)::double precision, -cos(2 * pi() * extract(epoch from s.started_at)::double precision / 86400),
             e.retries::double precision, (select avg(q) from unnest(m.predicted) q)],
       array['log_prompt_tokens', 'daytime', 'retries', 'predicted_quality'], f.cost_usd,
       jsonb_strip_nulls(jsonb_build_object(
           'options', case when not m.is_among then 'stated, and the chosen one, which was not among them' end,
           'log_prompt_tokens', 'of the first call routed: its prompt was there before'))
  from stated s
 cross join lateral (
       select array_agg(o.option order by o.option) as options,
              case when count(o.predicted) > 0 then array_agg(o.predicted order by o.option) end as predicted,
              case when count(o.propensity) > 0 then array_agg(o.propensity order by o.option) end as propensities,
              bool_and(o.is_stated) as is_among
         from (select distinct on (c.option) c.option, c.is_stated,
                      pigou.number_of(s.predicted->c.place, 1)::double precision as predicted,
                      pigou.number_of(s.route_propensity->c.place, 1)::double precision as propensity
                 from (select e.option, e.place::integer - 1 as place, true as is_stated
                         from jsonb_array_elements_text(s.candidates) with ordinality e (option, place)
                       union all
                       select s.route_chosen, null, false) c
                where c.option is not null
                order by c.option, c.is_stated desc, c.place) o) m
 cross join lateral (
       select case when jsonb_typeof(s.route_propensity) = 'array' then m.propensities[array_position(m.options, s.route_chosen)]
                   else pigou.number_of(s.route_propensity, 1)::double precision end as propensity,
              case when jsonb_typeof(s.route_propensity) = 'array' and not m.propensities && array[null::double precision]
                   then m.propensities end as propensities) p
  left join lateral (
       select (array_agg(u.prompt_tokens order by u.model is distinct from s.route_chosen, u.started_at, u.span_id))[1] as prompt_tokens,
              case when bool_and(u.cost_usd is not null) filter (where u.model = s.route_chosen)
                   then sum(u.cost_usd) filter (where u.model = s.route_chosen) end as cost_usd
         from used u
        where u.trace_id = s.trace_id and u.started_at >= s.started_at and u.started_at < s.next_at
          and u.use is distinct from 'route' and u.use is distinct from 'verify' and u.operation not like 'embed%%') f on true
 cross join lateral (
       select count(*) as retries from span b
        where b.trace_id = s.trace_id and b.status_code = 2 and b.role in ('call', 'tool') and b.ended_at <= s.started_at) e
 where cardinality(m.options) > 1

-- name: observe_routing_logs
-- Routing that a command-line agent logs (…model_routing): the model it decided on, without its alternatives.
insert into observed
select 'route', 'demand', s.trace_id, s.span_id, s.started_at, '', s.decision_model, null, null, null, null,
       array[ln(1 + f.prompt_tokens)::double precision, -cos(2 * pi() * extract(epoch from s.started_at)::double precision / 86400),
             e.retries::double precision],
       array['log_prompt_tokens', 'daytime', 'retries'], f.cost_usd,
       '{"log_prompt_tokens": "of the first call routed: its prompt was there before"}'
  from (select b.*, lead(b.started_at, 1, 'infinity') over (partition by b.trace_id order by b.started_at, b.span_id) as next_at
          from span b where b.decision_model is not null) s
  left join lateral (
       select (array_agg(u.prompt_tokens order by u.started_at, u.span_id))[1] as prompt_tokens,
              case when bool_and(u.cost_usd is not null) then sum(u.cost_usd) end as cost_usd
         from used u
        where u.trace_id = s.trace_id and u.started_at >= s.started_at and u.started_at < s.next_at and u.model = s.decision_model) f on true
 cross join lateral (
       select count(*) as retries from span b
        where b.trace_id = s.trace_id and b.status_code = 2 and b.role in ('call', 'tool') and b.ended_at <= s.started_at) e
 where not exists (select from observed o where o.trace_id = s.trace_id and o.kind = 'route')

-- name: observe_unstated_routes
-- The model of a task's first own call, where no router says anything.
insert into observed
select 'route', 'demand', c.trace_id, c.call_span_id, c.call_started_at, '', c.model, null, null, null, null,
       array[c.log_prompt_tokens, -cos(2 * pi() * extract(epoch from c.call_started_at)::double precision / 86400), e.retries::double precision],
       array['log_prompt_tokens', 'daytime', 'retries'],
       (select case when bool_and(u.cost_usd is not null) then sum(u.cost_usd) end
          from used u where u.trace_id = c.trace_id and u.model = c.model and u.use is distinct from 'verify'),
       '{"chosen": "the model of the first own call", "log_prompt_tokens": "of that call: its prompt was there before"}'
  from context c
 cross join lateral (
       select count(*) as retries from span b
        where b.trace_id = c.trace_id and b.status_code = 2 and b.role in ('call', 'tool') and b.ended_at <= c.call_started_at) e
 where c.model is not null and not exists (select from observed o where o.trace_id = c.trace_id and o.kind = 'route')
