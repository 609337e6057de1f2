-- name: observe_caching
-- What became of the prompt that a task's calls share: read from the provider's cache (prefix), paid in full each time (none), or written
-- and never read (churn). Wants two calls of one model, or there was nothing to share.
insert into observed
select 'cache', 'capital', c.trace_id, coalesce(c.root_span_id, c.call_span_id), c.call_started_at, '',
       case when u.reads > 0 then 'prefix' when u.writes > 0 then 'churn' else 'none' end, null, null, null, null,
       array[c.log_prompt_tokens, -cos(2 * pi() * extract(epoch from c.started_at)::double precision / 86400)],
       array['log_prompt_tokens', 'daytime'], null,
       case when u.reported = 0 then '{"chosen": "no call of it reports a cache"}'::jsonb
            else '{"chosen": "from the tokens that its calls wrote to the cache and read from it"}' end
  from context c
 cross join lateral (
       select count(*) as calls, count(k.cache_read_tokens) + count(k.cache_write_tokens) as reported,
              coalesce(sum(k.cache_read_tokens), 0) as reads, coalesce(sum(k.cache_write_tokens), 0) as writes
         from used k
        where k.trace_id = c.trace_id and k.model = c.model and k.layer = 'action' and k.use is distinct from 'verify'
          and k.operation not like 'embed%%') u
 where u.calls > 1

-- name: observe_reuse
-- Whether a task was answered from a store. Of a task that was worked on nothing tells whether there was a stored answer.
insert into observed
select 'reuse', 'capital', c.trace_id, coalesce(s.span_id, c.root_span_id, c.call_span_id), coalesce(s.started_at, c.started_at), '',
       case when s.span_id is null then 'work' else 'reuse' end, null, null, null, null,
       array[-cos(2 * pi() * extract(epoch from c.started_at)::double precision / 86400)], array['daytime'], null,
       case when s.span_id is null then '{"chosen": "no stored answer was used", "availability": "nothing says whether one was stored"}'::jsonb
            else '{"chosen": "a stored answer, and no call"}' end
  from context c
  left join lateral (
       select b.span_id, b.started_at from span b
        where b.trace_id = c.trace_id and b.use = 'store' and b.cache_key is not null and c.call_span_id is null
        order by b.started_at limit 1) s on true
 where s.span_id is not null or c.call_span_id is not null

-- name: observe_updates
-- How many versions old the rollouts were that a policy was updated with.
insert into observed
select 'update', 'capital', s.trace_id, s.span_id, s.started_at, '',
       case when s.staleness < 1 then '0' when s.staleness < 2 then '1' when s.staleness < 4 then '2-3'
            when s.staleness < 8 then '4-7' else '8+' end,
       array['0', '1', '2-3', '4-7', '8+'], null, null, null, array[s.trained], array['version'], null,
       '{"chosen": "trained version less the version that generated"}'
  from (select b.trace_id, b.span_id, b.started_at, v.trained, v.trained - v.generated as staleness
          from span b
         cross join lateral (
               select pigou.number_of(b.trained_version, 1e15)::double precision as trained,
                      pigou.number_of(b.policy_version, 1e15)::double precision as generated) v) s
 where s.staleness >= 0
