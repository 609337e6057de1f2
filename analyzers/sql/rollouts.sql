-- name: policy_updates
-- Updates of policies: how many versions old the rollouts were that they consumed, what they gained, and what a unit of that is worth,
-- as the update or the price policy of its task says. Null: nobody says.
select encode(r.trace_id, 'hex'), encode(r.span_id, 'hex'), extract(epoch from r.started_at)::double precision,
       coalesce(r.agent, r.service, ''), coalesce(r.attributes->>'allocation.training.method', ''),
       u.trained - u.generated, u.trained, u.gain, u.capability, u.ratio, u.kl,
       coalesce(pigou.number_of(r.attributes->'allocation.task.value_usd', 1e15), k.value_usd)::double precision,
       array(select l->>'trace_id' from jsonb_array_elements(case when jsonb_typeof(r.links) = 'array' then r.links else '[]' end) l),
       (select sum(c.cost_usd) from pigou.call c where c.tenant_id = r.tenant_id and c.trace_id = r.trace_id and c.status = 'booked')
           ::double precision, u.error
  from pigou.record r
  left join pigou.task k on k.tenant_id = r.tenant_id and k.trace_id = r.trace_id
 cross join lateral (
       select max(v.number) filter (where v.name = 'generated') as generated, max(v.number) filter (where v.name = 'trained') as trained,
              max(v.number) filter (where v.name = 'gain') as gain, max(v.number) filter (where v.name = 'capability') as capability,
              max(v.number) filter (where v.name = 'ratio') as ratio, max(v.number) filter (where v.name = 'kl') as kl,
              max(v.number) filter (where v.name = 'error') as error
         from (select n.name, case when jsonb_typeof(n.said) = 'number' and abs(n.said::numeric) <= 1e15
                                   then n.said::double precision end as number
                 from (values ('generated', r.attributes->'allocation.policy.version'),
                              ('trained', r.attributes->'allocation.policy.trained_version'),
                              ('gain', r.attributes->'allocation.training.gain'),
                              ('capability', r.attributes->'allocation.training.capability'),
                              ('ratio', r.attributes->'allocation.training.importance_ratio'),
                              ('kl', r.attributes->'allocation.training.kl'),
                              ('error', r.attributes->'allocation.training.gain_error')) n (name, said)) v) u
 where r.tenant_id = %(tenant_id)s and r.use = 'update' and r.started_at >= %(since)s and r.started_at < %(until)s
   and u.trained >= u.generated
 order by r.started_at, r.span_id

-- name: updates_without_lag
-- Updates of policies that say something of training, and not how many versions old their rollouts were, by trainer.
select coalesce(r.agent, r.service, '') as trainer, count(*)
  from pigou.record r
 cross join lateral (select r.attributes->'allocation.policy.version' as generated, r.attributes->'allocation.policy.trained_version' as trained) v
 where r.tenant_id = %(tenant_id)s and r.use = 'update' and r.started_at >= %(since)s and r.started_at < %(until)s
   and r.attributes ?| array['allocation.training.gain', 'allocation.policy.version', 'allocation.policy.trained_version']
   and case when jsonb_typeof(v.generated) = 'number' and jsonb_typeof(v.trained) = 'number' then v.trained::numeric < v.generated::numeric
            else true end
 group by 1
 order by 1

-- name: batch_spend
-- What batches of rollouts took, by use: tokens, and USD (null while a call of it has no price).
select encode(c.trace_id, 'hex'), c.use,
       sum(coalesce(c.total_input_tokens, c.input_tokens, 0) + coalesce(c.output_tokens, 0) + coalesce(c.reasoning_tokens, 0))::double precision,
       case when bool_and(c.cost_usd is not null) then sum(c.cost_usd) end::double precision
  from pigou.call c
 where c.tenant_id = %(tenant_id)s and c.trace_id = any (%(trace_ids)s) and c.status <> 'duplicate' and c.use in ('rollout', 'reward', 'update')
 group by c.trace_id, c.use
 order by 1, 2
