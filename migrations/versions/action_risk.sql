-- What was done to the world, and what it risks by class of action. Opinions, never booked. Reasons: docs/reports.md.

-- What a tenant did in a time that is an action of a class: stated on its span, else told by the tool's name.
create function pigou.actions_between(of_tenant_id integer, since timestamptz, until timestamptz)
returns table (trace_id bytea, action_class text, is_reversible boolean, confirmation text, probability double precision, worst_usd double precision)
language sql stable as $$
    with named as (
        select distinct coalesce(r.attributes->>'gen_ai.tool.name', r.attributes->>'tool.name', substring(r.name from '^execute_tool (.+)$'), r.name) as tool
          from pigou.record r
         where r.tenant_id = of_tenant_id and r.started_at >= since and r.started_at < until and r.use = 'act'
           and r.role in ('tool', 'agent') and not r.attributes ? 'allocation.action.class'
    ),
    classed as materialized (
        select n.tool, pigou.action_class_of(n.tool) as action_class
          from named n
    )
    select r.trace_id, coalesce(r.attributes->>'allocation.action.class', k.action_class),
           case r.attributes->>'allocation.action.reversible' when 'true' then true when 'false' then false end,
           case when r.attributes->>'allocation.action.confirmation' in ('none', 'self', 'human', 'multi_party')
                then r.attributes->>'allocation.action.confirmation' end,
           pigou.number_of(r.attributes->'allocation.risk.probability', 1)::float8,
           pigou.number_of(r.attributes->'allocation.risk.loss_usd', 1e12)::float8
      from pigou.record r
      left join classed k on not r.attributes ? 'allocation.action.class'
           and k.tool = coalesce(r.attributes->>'gen_ai.tool.name', r.attributes->>'tool.name', substring(r.name from '^execute_tool (.+)$'), r.name)
     where r.tenant_id = of_tenant_id and r.started_at >= since and r.started_at < until and r.role in ('tool', 'agent', 'control')
       and (r.use = 'act' or r.attributes ? 'allocation.action.class')
       and coalesce(r.attributes->>'allocation.action.class', k.action_class) is not null
$$;

-- How often tasks that did a class of action went wrong, what that cost, and the mean of the worst.
create table pigou.action_risk (
    tenant_id       integer not null,
    action_class    text not null,
    task_class      text not null,                    -- '*': all of several, '': none
    since           timestamptz not null,             -- of the actions looked at
    until           timestamptz not null,
    actions         bigint not null,
    tasks           bigint not null,                  -- that did any
    told            bigint not null,                  -- of these, whose outcome somebody told
    incidents       bigint not null,                  -- of these, with a loss
    is_reversible   boolean,                          -- null: not stated
    worst_case_usd  numeric,                          -- that a task's actions may lose, as stated; null: not stated
    stated_usd      numeric,                          -- expected loss per task as its actions state it; null: none does
    rate            double precision,                 -- incidents per task; null: nobody tells
    rate_low        double precision,
    rate_high       double precision,
    pooled_rate     double precision,                 -- the same drawn towards other classes of tasks; null: too few of them
    pooled_low      double precision,
    pooled_high     double precision,
    loss_usd        numeric,                          -- expected per task; null: not known
    loss_low_usd    numeric,
    loss_high_usd   numeric,
    tail_usd        numeric,                          -- mean of the worst twentieth of tasks; null: not known
    tail_low_usd    numeric,
    tail_high_usd   numeric,
    is_tail         boolean not null,                 -- rare and of high consequence, so that the tail is what counts
    rho             double precision,                 -- USD per USD, mean of the tasks; null: nobody states it
    risk_usd        numeric,                          -- ρ times the expected loss or the tail; null: not known
    risk_low_usd    numeric,
    risk_high_usd   numeric,
    status          text not null,                    -- of what counts: identified, not_enough_evidence
    why             text not null,
    needs_outcomes  bigint,                           -- so many more such tasks would bring a number
    measured_at     timestamptz not null,
    primary key (tenant_id, action_class, task_class),
    constraint action_risk_status_is_known check (status in ('identified', 'not_enough_evidence')),
    constraint action_risk_is_whole check (num_nulls(rate, rate_low, rate_high) in (0, 3) and num_nulls(risk_usd, risk_low_usd, risk_high_usd) in (0, 3))
);

grant select, insert, update, delete on pigou.action_risk to pigou_writer;
