-- name: found
-- Traces of the window that a call names by this id: its trace, conversation, user, the provider's answer, or a gateway's or request's id.
select min(started_at) as started_at, tenant, trace_id,
       case when bool_or(named_by = 'trace') then 'trace' when bool_or(named_by = 'conversation') then 'conversation'
            when bool_or(named_by = 'user') then 'user' when bool_or(named_by = 'answer') then 'answer'
            when bool_or(named_by = 'gateway') then 'gateway' else 'request' end as found_by,
       min(agent) as agent, min(task_class) as task_class,
       count(*) filter (where status <> 'duplicate') as calls, sum(cost_usd) as cost_usd
  from ledger.calls_named({q}, {bounds}, {asked tenant}, {limit or many})
 group by tenant, trace_id
 order by started_at desc, trace_id, tenant
 limit {limit};
