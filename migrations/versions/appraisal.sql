-- Appraisal: what tasks were worth, what was decided in them, and what each decision brought. Reasons: docs/architecture.md.
-- Nothing here is a book. What was told (outcome, price_policy) is append-only; what is derived from it (task, decision, appraisal)
-- is made again whenever what it is derived from has changed, and says by which method.

-- ── told ─────────────────────────────────────────────────────────────────────────────────────────────

-- How well a task went, as somebody or something said; of a task, a step of it, or an incident that followed.
create table pigou.outcome (
    tenant_id   integer not null,
    outcome_id  uuid not null,                        -- hash of source and key: the same word said twice is one row
    trace_id    bytea not null,
    span_id     bytea,                                -- null: the whole task
    source      text not null,                        -- attribute, evaluation, score, feedback, test, incident
    name        text not null,                        -- of the measure: outcome, an evaluation's name, a test's
    quality     double precision,                     -- in [0, 1]; null where only a loss is told
    loss_usd    numeric(38, 12),                      -- realised by an incident
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    detail      jsonb not null default '{}',          -- what else was said: label, explanation, who
    primary key (tenant_id, outcome_id),
    constraint outcome_source_is_known check (source in ('attribute', 'evaluation', 'score', 'feedback', 'test', 'incident')),
    constraint outcome_quality_is_a_share check (quality >= 0 and quality <= 1),
    constraint outcome_loss_is_a_number check (loss_usd >= 0 and loss_usd < 'Infinity'::numeric),
    constraint outcome_says_something check (quality is not null or loss_usd is not null)
);
create index outcome_trace on pigou.outcome (tenant_id, trace_id);
create index outcome_arrival on pigou.outcome using brin (recorded_at);

-- Outcomes told of a response or a conversation, until the trace that it is of is known. Then they become rows of outcome.
create table pigou.outcome_waiting (
    tenant_id   integer not null,
    outcome_id  uuid not null,
    subject     text not null,                        -- response, conversation
    subject_id  text not null,
    name        text not null,
    quality     double precision,
    loss_usd    numeric(38, 12),
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    sought_at   timestamptz,                          -- when its trace was last looked for
    source      text not null,
    detail      jsonb not null default '{}',
    primary key (tenant_id, outcome_id),
    constraint outcome_waiting_subject_is_known check (subject in ('response', 'conversation'))
);

-- Prices that somebody states: V, λ, ρ and the deadline by task class, and which outcomes count. Never edited: a change is a further
-- revision. Of several that match, the class named in full wins over a prefix with a star, and that over '*'; a tenant's own over tenant 0's.
create table pigou.price_policy (
    tenant_id        integer not null,                -- 0: for every tenant
    task_class       text not null,                   -- a class, a prefix such as 'code.*', or '*'
    revision         integer not null,
    valid            tstzrange not null,
    v_usd            numeric,                         -- USD for quality 1 against 0; null: says nothing of it
    lambda_usd_per_s numeric,                         -- USD per second
    rho              numeric,                         -- USD per USD of expected loss; 1: risk-neutral
    deadline_s       double precision,
    grace_s          double precision,                -- quiet for this long: the trace is ended
    outcome_sources  text[],                          -- which count, the first that is there wins; 'root_status' may stand last
    source           text not null,                   -- who or what stated it
    recorded_at      timestamptz not null default now(),
    constraint price_policy_does_not_overlap primary key (tenant_id, task_class, revision, valid without overlaps),
    constraint price_policy_prices_are_numbers check
        (v_usd >= 0 and v_usd < 'Infinity'::numeric and lambda_usd_per_s >= 0 and lambda_usd_per_s < 'Infinity'::numeric
         and rho >= 0 and rho < 'Infinity'::numeric),
    constraint price_policy_times_are_numbers check
        (deadline_s > 0 and deadline_s < 'Infinity'::float8 and grace_s >= 0 and grace_s < 'Infinity'::float8)
);

-- Which class a task has that does not say so; edited by the operator. Lower ordinal is tried first.
create table pigou.task_class_rule (
    tenant_id   integer not null,                     -- 0: for every tenant
    ordinal     integer not null,
    field       text not null,                        -- agent, name, service, operation, tool, user
    pattern     text not null,                        -- regular expression, case-insensitive, found anywhere in it
    task_class  text not null,
    recorded_at timestamptz not null default now(),
    primary key (tenant_id, ordinal)
);

-- ── derived ──────────────────────────────────────────────────────────────────────────────────────────

-- Traces in which something happened since they were last settled, and when they are to be settled if nothing more happens.
create table pigou.task_due (
    tenant_id integer not null,
    trace_id  bytea not null,
    seen_at   timestamptz not null,                   -- when its last record came
    due_at    timestamptz not null,
    first_at  timestamptz,                            -- between which times its records are to be looked for; null: nowhere yet
    last_at   timestamptz,
    primary key (tenant_id, trace_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
create index task_due_time on pigou.task_due (tenant_id, due_at, first_at);   -- what is near in time is near on disk

-- A trace that is settled: its root ended and it was quiet for a while, or an outcome arrived. One row, made again when it changes.
create table pigou.task (
    tenant_id        integer not null,
    trace_id         bytea not null,
    root_span_id     bytea,
    started_at       timestamptz not null,
    ended_at         timestamptz not null,
    settled_at       timestamptz not null,            -- when it was last settled
    revision         integer not null,                -- how often it was settled before
    settled_by       text not null,                   -- ended, quiet, outcome
    agent            text,
    root_name        text,
    conversation_id  text,
    task_class       text,                            -- null: nothing says
    class_source     text not null,                   -- explicit, rule, clustered, none
    value_usd        numeric(38, 12),                 -- V
    value_source     text not null,                   -- explicit, policy, none
    lambda_usd_per_s numeric,
    rho              numeric,
    price_source     text not null,                   -- of λ and ρ: policy, none
    deadline_s       double precision,
    deadline_source  text not null,                   -- explicit, policy, none
    quality          double precision,                -- Q in [0, 1]
    outcome_source   text,                            -- which source it is of
    outcome_id       uuid,
    cost_usd         numeric(38, 12),                 -- of its booked calls; null while one of them is unpriced
    latency_s        double precision not null,       -- of its roots, from the first start to the last end
    late_s           double precision,                -- beyond the deadline; 0 when met, null without one
    risk_usd         numeric(38, 12),                 -- expected loss of its actions: Σ probability × loss; null while one does not say
    loss_usd         numeric(38, 12) not null,        -- realised by incidents
    calls            integer not null,
    unpriced_calls   integer not null,                -- of them, those without a cost
    spans            integer not null,
    problems         text[] not null,                 -- what it states and cannot be taken
    entry_id         uuid,                            -- its live entry in the shadow book; null: nothing about it has a price
    entry_at         timestamptz,
    content_hash     bytea not null,                  -- of all it was derived from: equal means that nothing is to be done
    primary key (tenant_id, trace_id),
    constraint task_settled_by_is_known check (settled_by in ('ended', 'quiet', 'outcome')),
    constraint task_class_source_is_known check (class_source in ('explicit', 'rule', 'clustered', 'none')),
    constraint task_entry_has_its_time check ((entry_id is null) = (entry_at is null))
);
create index task_time on pigou.task (tenant_id, started_at);
create index task_settled on pigou.task (settled_at);
create index task_conversation on pigou.task (tenant_id, conversation_id) where conversation_id is not null;

-- Since when transactions are under way that may still write for a tenant: what they write is dated with their beginning. Whoever
-- looks for what came since a time looks again from here. Runs as the owner, who sees when others' transactions began.
create function pigou.writing_since() returns timestamptz
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select least(now(), min(a.xact_start))
      from pg_locks l join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.classid = 1885956981 and l.database = (select oid from pg_database where datname = current_database())
       and a.pid <> pg_backend_pid()
$$;
-- A number between 0 and a maximum that telemetry states, as a number or as text; null if it is none.
create function pigou.number_of(stated jsonb, maximum numeric) returns numeric language sql immutable parallel safe as $$
    select case jsonb_typeof(stated)
               when 'number' then case when stated::numeric between 0 and maximum then round(stated::numeric, 12) end
               when 'string' then case when stated #>> '{}' ~ '^\s*\d{1,20}(\.\d{1,20})?\s*$'
                                       then case when (stated #>> '{}')::numeric <= maximum then round((stated #>> '{}')::numeric, 12) end end
           end
$$;
grant execute on function pigou.number_of(jsonb, numeric) to pigou_writer;

revoke all on function pigou.writing_since() from public;
grant execute on function pigou.writing_since() to pigou_writer;

-- A choice set: what could have been chosen, what was, and what was known before. Facts, explicit or inferred, each saying which.
create table pigou.decision (
    tenant_id          integer not null,
    decision_id        uuid not null,                 -- time, then a hash of tenant, trace, span and kind
    decided_at         timestamptz not null,
    trace_id           bytea not null,
    span_id            bytea not null,
    layer              text not null,                 -- demand, action, supply, capital
    kind               text not null,                 -- route, verify, confirm, delegate, defer, serve, cache, reuse, update
    task_class         text,
    agent              text,
    options            text[] not null,               -- alternatives in a fixed order, the chosen one among them
    chosen             smallint not null,             -- its place in options, from 1
    propensity         double precision,              -- probability of the chosen option, where it was logged
    propensities       double precision[],            -- of every option, where they were logged
    predicted_quality  double precision[],            -- q̂ of every option, where it was logged
    assignment         text not null,                 -- how it was chosen: logged (propensities), recorded (the context tells), unknown
    features           double precision[] not null,   -- context known before the choice, as named in feature_names; null: not known
    feature_names      text[] not null,
    own_cost_usd       numeric(38, 12),               -- of the calls that are this decision's own
    provenance         jsonb not null,                -- field → how it was inferred; explicit ones are left out
    comparison         bigint not null,               -- which decisions it is compared with: see pigou.comparison_of
    derived_at         timestamptz not null default now(),
    primary key (tenant_id, decision_id, decided_at),
    constraint decision_chose_one_of_its_options check (chosen between 1 and cardinality(options)),
    constraint decision_had_alternatives check (cardinality(options) > 1),
    constraint decision_propensity_is_a_probability check (propensity > 0 and propensity <= 1),
    constraint decision_layer_is_known check (layer in ('demand', 'action', 'supply', 'capital')),
    constraint decision_assignment_is_known check (assignment in ('logged', 'recorded', 'unknown')),
    constraint decision_logged_has_its_propensity check (assignment <> 'logged' or propensity is not null)
) partition by range (decided_at);
create index decision_time on pigou.decision (tenant_id, decided_at);
create index decision_trace on pigou.decision (tenant_id, trace_id);
create index decision_comparison on pigou.decision (tenant_id, comparison);

-- Which decisions are compared with each other: those of one kind, class of tasks, menu, context and way of being assigned.
create function pigou.comparison_of(
    kind text, task_class text, options text[], feature_names text[], assignment text, has_propensities boolean)
returns bigint language sql stable parallel safe as $$
    select hashtextextended(concat_ws(chr(31), kind, coalesce(task_class, chr(30)), array_to_string(options, chr(30)),
                                      array_to_string(feature_names, chr(30)), assignment, has_propensities::text), 0)
$$;

-- What was ever chosen in a kind of decision that states no menu: the menu that it is given. Grows, so that it does not depend on
-- the order in which tasks came.
create table pigou.menu (
    tenant_id  integer not null,
    kind       text not null,
    task_class text not null,                         -- '' where nothing says
    agent      text not null,
    subject    text not null,                         -- what within them: an action class, a model, or ''
    option     text not null,
    is_applied boolean not null,                      -- whether older tasks were looked at again since it was first seen
    seen_at    timestamptz not null default now(),
    primary key (tenant_id, kind, task_class, agent, subject, option)
);

-- What the operator knows of how a kind of decision is made: 'recorded' says that the context tells all that moved it.
create table pigou.assignment (
    tenant_id   integer not null,                     -- 0: for every tenant
    kind        text not null,
    task_class  text not null,                        -- '*': for every class
    assignment  text not null,
    source      text not null,
    recorded_at timestamptz not null default now(),
    primary key (tenant_id, kind, task_class),
    constraint assignment_is_known check (assignment in ('recorded', 'unknown'))
);

-- One appraising of a period: by which method, seed and code.
create table pigou.appraisal_run (
    tenant_id    integer not null,
    run_id       integer not null,
    method       text not null,                       -- version of the method: a change of it makes other numbers
    seed         bigint not null,
    since        timestamptz not null,
    until        timestamptz not null,
    started_at   timestamptz not null default now(),
    ended_at     timestamptz,
    decisions    bigint,                              -- appraised by it; what had not changed is not among them
    state        jsonb not null default '{}',         -- how far it got: what is done need not be done again
    primary key (tenant_id, run_id)
);

-- Decisions that were compared with each other, what they were when that was last done, and how it was done.
create table pigou.comparison (
    tenant_id    integer not null,
    comparison   bigint not null,
    layer        text not null,
    kind         text not null,
    task_class   text,
    options      text[] not null,
    assignment   text not null,
    run_id       integer not null,
    fingerprint  text not null,                       -- of method, seed, decisions and outcomes: equal means that nothing is to be done
    method       text not null,                       -- of estimation
    n            integer not null,
    appraised_at timestamptz not null default now(),
    primary key (tenant_id, comparison)
);

-- A part of a comparison that effects were estimated in, and what was lost in it. Amounts in USD, NULL where unknown.
create table pigou.segment (
    tenant_id           integer not null,
    comparison          bigint not null,
    segment             smallint not null,
    label               text not null,
    value_band          text not null,                -- tasks worth this much; '' where V is not known
    value_low_usd       numeric,
    value_high_usd      numeric,                      -- null: no limit
    chosen              text not null,                -- '' for whatever was chosen
    best                text not null,                -- what would have gained most over them; '' where nothing would
    n                   integer not null,             -- decisions
    tasks               integer not null,
    regret_usd          numeric(38, 12),
    regret_low_usd      numeric(38, 12),
    regret_high_usd     numeric(38, 12),
    standard_error      double precision,             -- of the regret, in USD
    degrees             double precision,             -- degrees of freedom of that; null: so many that it does not matter
    changes             jsonb not null,               -- what the best would have changed in V·Q, C, λ·L and ρ·R, in USD
    downstream_usd      numeric(38, 12),              -- ΔC of the whole tasks less that of the decisions' own calls
    downstream_low_usd  numeric(38, 12),
    downstream_high_usd numeric(38, 12),
    materiality_usd     numeric(38, 12) not null,     -- what is worth knowing
    status              text not null,
    why                 text not null,
    needs_outcomes      integer,                      -- so many more outcomes at today's mix would settle it,
    needs_exploration   double precision,             -- or this share of random choices
    is_discovery        boolean not null default false, -- whether it stands after false discoveries among all segments are controlled
    adjusted_p          double precision,
    primary key (tenant_id, comparison, segment),
    constraint segment_status_is_known check (status in ('appraised', 'not_enough_evidence', 'not_identified')),
    constraint segment_regret_has_its_interval check (num_nulls(regret_usd, regret_low_usd, regret_high_usd) in (0, 3))
);

-- What is thought of a decision: each option's terms of eq. 1 against the chosen one, and what was lost. Opinions, never booked.
-- Arrays stand in the order of decision.options; amounts in USD, NULL where unknown.
create table pigou.appraisal (
    tenant_id       integer not null,
    decision_id     uuid not null,
    decided_at      timestamptz not null,
    comparison      bigint not null,
    segment         smallint not null,                -- the segment its effects were estimated in
    run_id          integer not null,
    option_value    double precision[] not null,      -- V·Q of each option
    option_cost     double precision[] not null,      -- C; ΔC is an option's less the chosen one's
    option_latency  double precision[] not null,      -- λ·L
    option_risk     double precision[] not null,      -- ρ·R
    option_net      double precision[] not null,
    option_error    double precision[] not null,      -- standard error of an option's net against the chosen one's
    best            smallint,                         -- its place in options, from 1; null: not known
    regret_usd      numeric(38, 12),
    regret_low_usd  numeric(38, 12),
    regret_high_usd numeric(38, 12),
    pull            double precision not null,        -- its part in the error of sums over whole comparisons: squares of tasks' sums add up
    status          text not null,
    primary key (tenant_id, decision_id, decided_at),
    constraint appraisal_status_is_known check (status in ('appraised', 'not_enough_evidence', 'not_identified')),
    constraint appraisal_regret_has_its_interval check (num_nulls(regret_usd, regret_low_usd, regret_high_usd) in (0, 3)),
    constraint appraisal_is_not_a_number_when_not_identified check (status <> 'not_identified' or regret_usd is null)
) partition by range (decided_at);

create table pigou.decision_default  partition of pigou.decision default;
create table pigou.appraisal_default partition of pigou.appraisal default;
-- The months of the calls that are there, the current one and the next.
select pigou.ensure_month(month::date)
  from (select to_date(right(relname, 6), 'YYYYMM') from pg_class where relnamespace = 'pigou'::regnamespace and relname ~ '^call_\d{6}$'
        union
        select (date_trunc('month', now()) + make_interval(months => m))::date from generate_series(0, 1) m) there (month)
 order by 1;

create trigger outcome_is_append_only before update or delete or truncate on pigou.outcome
    for each statement execute function pigou.refuse_change();
create trigger price_policy_is_append_only before update or delete or truncate on pigou.price_policy
    for each statement execute function pigou.refuse_change();

grant select, insert on pigou.outcome, pigou.outcome_waiting, pigou.price_policy, pigou.task_class_rule, pigou.task_due, pigou.task
    to pigou_writer;
grant update on pigou.outcome_waiting, pigou.task_due, pigou.task to pigou_writer;
grant delete on pigou.outcome_waiting, pigou.task_class_rule, pigou.task_due, pigou.task to pigou_writer;
grant select, insert, delete on pigou.decision to pigou_writer;
grant select, insert, update on pigou.menu, pigou.appraisal_run to pigou_writer;
grant select, insert, update, delete on pigou.assignment, pigou.comparison, pigou.segment, pigou.appraisal to pigou_writer;
