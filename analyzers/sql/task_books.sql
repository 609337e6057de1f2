-- name: make_stage
-- Tasks to be written in this transaction; those that are no longer tasks have no content. Emptied by every commit.
create temporary table if not exists stage_task on commit delete rows as
select k.*, null::uuid as former_entry_id, null::timestamptz as former_entry_at, 0 as value_asset, 0 as value_income,
       0 as latency_expense, 0 as latency_owed, 0 as risk_expense, 0 as risk_reserve, 0 as losses
  from pigou.task k with no data;
create temporary table if not exists stage_line (
    entry_id uuid, line smallint, occurred_at timestamptz, posted_on date, commodity_id smallint, debit_account_id integer,
    credit_account_id integer, quantity numeric, rate_usd numeric
) on commit delete rows

-- name: open_day
-- The first day the tenant's books are open for. The period cannot be closed until this transaction ends.
select t.tenant, t.closed_through from pigou.tenant t where t.tenant_id = %(tenant_id)s for share

-- name: accounts
-- Ids of accounts that are open.
select account, account_id from pigou.account where tenant_id = %(tenant_id)s and account = any(%(names)s)

-- name: number_stage
-- Each staged task's revision, its former entry, and the entry that it gets if anything about it has a price. What was a task once
-- and was taken away goes on after the revisions it had.
update stage_task s
   set tenant_id = %(tenant_id)s, settled_at = now(), revision = n.revision,
       former_entry_id = k.entry_id, former_entry_at = k.entry_at,
       entry_id = pigou.entry_id(%(tenant)s, s.trace_id, '', 'settlement', n.revision, s.ended_at), entry_at = s.ended_at
  from stage_task o
  left join pigou.task k on k.tenant_id = %(tenant_id)s and k.trace_id = o.trace_id
 cross join lateral (
       select case when k.revision is not null then k.revision + 1
                   when not exists (select from pigou.entry e
                                     where e.tenant_id = %(tenant_id)s and e.occurred_at = o.ended_at
                                       and e.entry_id = pigou.entry_id(%(tenant)s, o.trace_id, '', 'settlement', 0, o.ended_at)) then 0
                   else (select min(r) from generate_series(1, 1000) r
                          where not exists (select from pigou.entry e
                                             where e.tenant_id = %(tenant_id)s and e.occurred_at = o.ended_at
                                               and e.entry_id = pigou.entry_id(%(tenant)s, o.trace_id, '', 'settlement', r, o.ended_at)))
              end as revision) n
 where o.trace_id = s.trace_id

-- name: stage_lines
-- What a settled task moves in the shadow book: its value at V, its latency at λ, its risk at ρ as a provision, and the end of that
-- provision once it is known how it went: released as far as nothing was lost, realised against the reserve, the rest borne. That nothing
-- was lost may be all that is known.
insert into stage_line
select s.entry_id, l.line, s.entry_at, greatest((s.entry_at at time zone 'UTC')::date, %(closed_through)s::date + 1), l.commodity_id,
       l.debit, l.credit, l.quantity, l.rate_usd
  from stage_task s
 cross join lateral (
       select round(s.quality::numeric, 12) as quality, round(s.latency_s::numeric, 12) as latency_s,
              coalesce(s.risk_usd, 0) as risk_usd, least(coalesce(s.risk_usd, 0), s.loss_usd) as realised_usd,
              s.quality is not null or s.settled_by = 'outcome' as is_known) n
 cross join lateral (values
       (1, %(quality)s::smallint, s.value_asset, s.value_income, n.quality, s.value_usd),
       (2, %(latency)s, s.latency_expense, s.latency_owed, n.latency_s, s.lambda_usd_per_s),
       (3, %(risk)s, s.risk_expense, s.risk_reserve, n.risk_usd, s.rho),
       (4, %(risk)s, s.risk_reserve, s.risk_expense, case when n.is_known then n.risk_usd - n.realised_usd end, s.rho),
       (5, %(risk)s, s.risk_reserve, s.losses, n.realised_usd, s.rho),
       (6, %(risk)s, s.risk_expense, s.losses, s.loss_usd - n.realised_usd, s.rho))
       l (line, commodity_id, debit, credit, quantity, rate_usd)
 where s.content_hash is not null and l.quantity > 0 and l.rate_usd is not null

-- name: drop_empty_entries
-- A task of which nothing has a price has no entry.
update stage_task s set entry_id = null, entry_at = null
 where not exists (select from stage_line l where l.entry_id = s.entry_id)

-- name: book_entries
-- The staged tasks' entries, and the reversals of those they had.
insert into pigou.entry (tenant_id, entry_id, kind, source, occurred_at, posted_on, trace_id, reverses, reason)
select %(tenant_id)s, s.entry_id, 'settlement', 'settle', s.entry_at,
       greatest((s.entry_at at time zone 'UTC')::date, %(closed_through)s::date + 1), s.trace_id, null,
       case when s.revision = 0 then 'settled' else 'settled again' end
  from stage_task s where s.entry_id is not null
union all
select %(tenant_id)s, pigou.entry_id(%(tenant)s, s.trace_id, '', 'settlement reversed', s.revision, s.former_entry_at), 'reversal', 'settle',
       s.former_entry_at, greatest((s.former_entry_at at time zone 'UTC')::date, %(closed_through)s::date + 1), s.trace_id,
       s.former_entry_id, case when s.content_hash is null then 'no task after all' else 'settled again' end
  from stage_task s where s.former_entry_id is not null

-- name: book_transfers
-- Their transfers and the balances, which equal the sums of transfers at every commit.
with moved as (
    insert into pigou.transfer (tenant_id, entry_id, line, occurred_at, posted_on, book, commodity_id, debit_account_id,
                                credit_account_id, quantity, rate_usd, amount_usd)
    select %(tenant_id)s, l.entry_id, l.line, l.occurred_at, l.posted_on, 'shadow', l.commodity_id, l.debit_account_id,
           l.credit_account_id, l.quantity, l.rate_usd, round(l.quantity * l.rate_usd, 12)
      from stage_line l
    union all
    select %(tenant_id)s, pigou.entry_id(%(tenant)s, s.trace_id, '', 'settlement reversed', s.revision, s.former_entry_at), x.line,
           x.occurred_at, greatest((s.former_entry_at at time zone 'UTC')::date, %(closed_through)s::date + 1), x.book, x.commodity_id,
           x.credit_account_id, x.debit_account_id, x.quantity, x.rate_usd, x.amount_usd
      from stage_task s
      join pigou.transfer x on x.tenant_id = %(tenant_id)s and x.entry_id = s.former_entry_id and x.occurred_at = s.former_entry_at
    returning posted_on, commodity_id, debit_account_id, credit_account_id, quantity, amount_usd
)
insert into pigou.balance as b (tenant_id, account_id, book, commodity_id, day, slot, debit_quantity, credit_quantity, debit_usd, credit_usd)
select %(tenant_id)s, leg.account_id, 'shadow', m.commodity_id, m.posted_on, %(slot)s,
       coalesce(sum(m.quantity) filter (where leg.sign > 0), 0), coalesce(sum(m.quantity) filter (where leg.sign < 0), 0),
       coalesce(sum(m.amount_usd) filter (where leg.sign > 0), 0), coalesce(sum(m.amount_usd) filter (where leg.sign < 0), 0)
  from moved m
 cross join lateral (values (1, m.debit_account_id), (-1, m.credit_account_id)) leg (sign, account_id)
 group by leg.account_id, m.commodity_id, m.posted_on
on conflict (tenant_id, account_id, book, commodity_id, day, slot) do update
   set debit_quantity = b.debit_quantity + excluded.debit_quantity, credit_quantity = b.credit_quantity + excluded.credit_quantity,
       debit_usd = b.debit_usd + excluded.debit_usd, credit_usd = b.credit_usd + excluded.credit_usd

-- name: forget_decisions
-- What was decided in tasks that are none any more, and what was thought of it.
with gone as (
    delete from pigou.decision d using stage_task s
     where d.tenant_id = %(tenant_id)s and d.trace_id = s.trace_id and s.content_hash is null
    returning d.decision_id, d.decided_at
)
delete from pigou.appraisal a using gone g
 where a.tenant_id = %(tenant_id)s and a.decision_id = g.decision_id and a.decided_at = g.decided_at

-- name: drop_former
-- Tasks that are none any more.
delete from pigou.task k using stage_task s
 where k.tenant_id = %(tenant_id)s and k.trace_id = s.trace_id and s.content_hash is null

-- name: write_tasks
-- The staged tasks, each in the place of what it was before.
insert into pigou.task (tenant_id, trace_id,
       root_span_id, started_at, ended_at, settled_at, revision, settled_by, agent, root_name, conversation_id, task_class,
       class_source, value_usd, value_source, lambda_usd_per_s, rho, price_source, deadline_s, deadline_source, quality,
       outcome_source, outcome_id, cost_usd, latency_s, late_s, risk_usd, loss_usd, calls, unpriced_calls, spans, problems,
       entry_id, entry_at, content_hash)
select tenant_id, trace_id,
       root_span_id, started_at, ended_at, settled_at, revision, settled_by, agent, root_name, conversation_id, task_class,
       class_source, value_usd, value_source, lambda_usd_per_s, rho, price_source, deadline_s, deadline_source, quality,
       outcome_source, outcome_id, cost_usd, latency_s, late_s, risk_usd, loss_usd, calls, unpriced_calls, spans, problems,
       entry_id, entry_at, content_hash
  from stage_task where content_hash is not null
on conflict (tenant_id, trace_id) do update
   set root_span_id = excluded.root_span_id, started_at = excluded.started_at, ended_at = excluded.ended_at,
       settled_at = excluded.settled_at, revision = excluded.revision, settled_by = excluded.settled_by,
       agent = excluded.agent, root_name = excluded.root_name, conversation_id = excluded.conversation_id,
       task_class = excluded.task_class, class_source = excluded.class_source, value_usd = excluded.value_usd,
       value_source = excluded.value_source, lambda_usd_per_s = excluded.lambda_usd_per_s, rho = excluded.rho,
       price_source = excluded.price_source, deadline_s = excluded.deadline_s, deadline_source = excluded.deadline_source,
       quality = excluded.quality, outcome_source = excluded.outcome_source, outcome_id = excluded.outcome_id,
       cost_usd = excluded.cost_usd, latency_s = excluded.latency_s, late_s = excluded.late_s, risk_usd = excluded.risk_usd,
       loss_usd = excluded.loss_usd, calls = excluded.calls, unpriced_calls = excluded.unpriced_calls, spans = excluded.spans,
       problems = excluded.problems, entry_id = excluded.entry_id, entry_at = excluded.entry_at,
       content_hash = excluded.content_hash
