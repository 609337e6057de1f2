-- The adopted schedule of autonomy, and what was done with less confirmation than it requires. Reasons: docs/modes.md.

-- Of confirmations, from the most autonomy (1) to the least; null: none of them.
create function pigou.confirmation_rank(confirmation text) returns integer language sql immutable strict parallel safe
    return array_position(array['none', 'self', 'human', 'multi_party'], confirmation);

-- The class of action that a tool's name tells, by the table of uses; null: no rule with a class knows it.
create function pigou.action_class_of(tool text) returns text language sql stable as $$
    select u.action_class from pigou.use_rule u
     where u.tenant_id = 0 and u.field = 'tool'
       and trim('_' from regexp_replace(lower(regexp_replace(regexp_replace(tool, '([a-z0-9])([A-Z])', '\1_\2', 'g'),
                                                             '([A-Z])([A-Z][a-z])', '\1_\2', 'g')), '[^a-z0-9]+', '_', 'g'))
           ~* ('(?<![a-z0-9])(?:' || u.pattern || ')(?![a-z0-9])')
     order by u.ordinal limit 1
$$;

-- Who must confirm a class of action at least. Never edited: of one tenant and both classes the highest revision is in force.
create table pigou.autonomy_requirement (
    tenant_id    integer not null,                    -- 0: of all
    action_class text not null,
    task_class   text not null,                       -- '*': in all
    revision     integer not null,
    confirmation text,                                -- null: taken off
    source       text not null,                       -- who or what stated it
    recorded_at  timestamptz not null default now(),  -- it holds of what is done from then on
    primary key (tenant_id, action_class, task_class, revision),
    constraint autonomy_requirement_is_known check (confirmation is null or pigou.confirmation_rank(confirmation) is not null)
);

create trigger autonomy_requirement_is_append_only before update or delete or truncate on pigou.autonomy_requirement
    for each statement execute function pigou.refuse_change();

-- What was required of an action when it was done: a tenant's own statement before those of all, one of its class of tasks before those of
-- all classes.
create function pigou.required_confirmation(of_tenant_id integer, of_action_class text, of_task_class text, at timestamptz) returns text
language sql stable as $$
    select h.confirmation
      from (select distinct on (r.tenant_id, r.task_class) r.tenant_id, r.task_class, r.confirmation
              from pigou.autonomy_requirement r
             where r.tenant_id in (0, of_tenant_id) and r.action_class = of_action_class and r.task_class in ('*', of_task_class)
               and r.recorded_at <= at
             order by r.tenant_id, r.task_class, r.revision desc) h
     where h.confirmation is not null
     order by h.tenant_id desc, h.task_class = '*'
     limit 1
$$;

-- Actions of settled tasks that were done with less confirmation, or do not state theirs.
create table pigou.autonomy_breach (
    tenant_id    integer not null,
    trace_id     bytea not null,
    span_id      bytea not null,
    done_at      timestamptz not null,
    action_class text not null,
    task_class   text,
    confirmation text,                                -- null: not stated
    required     text not null,
    noted_at     timestamptz not null,
    primary key (tenant_id, trace_id, span_id)
);
create index autonomy_breach_time on pigou.autonomy_breach (tenant_id, done_at);

-- autonomy_breach: actions of the past day; one is enough.
insert into pigou.alert_rule (tenant_id, rule, revision, open_at, close_at, evidence_min, open_evaluations, open_for, close_evaluations,
                              close_for, stay_for, renotify_every, is_on, source, severity, grown_by)
values (0, 'autonomy_breach', 1, 1, 1, 1, 1, '0', 3, '0', '1 day', '1 day', true, 'pigou', 'warning', 2);

grant select, insert on pigou.autonomy_requirement, pigou.autonomy_breach to pigou_writer;
grant update, delete on pigou.autonomy_breach to pigou_writer;
