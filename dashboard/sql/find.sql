-- name: found
-- Traces of the window that a call names by this id: its trace, conversation, user or the provider's answer.
select min(started_at) as started_at, tenant, trace_id,
       case when bool_or(trace_id = {q}) then 'trace' when bool_or(conversation_id = {q}) then 'conversation'
            when bool_or(user_id = {q}) then 'user' else 'answer' end as found_by,
       min(agent) as agent, min(task_class) as task_class,
       count(*) filter (where status <> 'duplicate') as calls, sum(cost_usd) as cost_usd
  from ledger.calls
 where {filters started_at tenant}
   and (conversation_id = {q} or user_id = {q} or response_id = {q} or trace_id = {q})
 group by tenant, trace_id
 order by started_at desc, trace_id
 limit {limit};
