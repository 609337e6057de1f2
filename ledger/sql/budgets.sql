-- name: newest_revision
-- The newest revision of a tenant's budget, and where the period of a kind began that holds now.
select b.revision, b.period, b.time_zone, b.layer, b.use, b.agent, b.model, b.task_class, b.amount_usd,
       lower(b.valid) as valid_from, upper(b.valid) as valid_until
  from pigou.budget b
 where b.tenant_id = %(tenant_id)s and b.budget = %(budget)s
 order by b.revision desc limit 1

-- name: has_time_zone
-- Whether the server knows a zone of this name.
select exists (select from pg_timezone_names where name = %(time_zone)s)

-- name: period_began
-- Where the period of a kind began that holds now; for the whole validity, now.
select case %(period)s when 'total' then now() else date_trunc(%(period)s, now(), %(time_zone)s) end

-- name: add_revision
-- A further revision of a budget.
insert into pigou.budget (tenant_id, budget, revision, period, time_zone, layer, use, agent, model, task_class, amount_usd, valid, source)
values (%(tenant_id)s, %(budget)s, %(revision)s, %(period)s, %(time_zone)s, %(layer)s, %(use)s, %(agent)s, %(model)s, %(task_class)s,
        %(amount_usd)s, tstzrange(%(valid_from)s, %(valid_until)s), %(source)s)

-- name: count_spend
-- What a new revision's calls cost that are there already. From then on the statement that writes calls counts them.
insert into pigou.budget_spend (tenant_id, budget, revision, period_from, calls, spent_usd, unpriced_calls, suspense_calls)
select b.tenant_id, b.budget, b.revision, pigou.period_start(b.period, c.started_at, b.time_zone, b.valid),
       count(*), coalesce(sum(c.cost_usd), 0),
       count(*) filter (where c.status = 'unpriced'), count(*) filter (where c.status = 'suspense')
  from pigou.budget b
  join pigou.call c
    on c.tenant_id = b.tenant_id and c.started_at >= %(valid_from)s and b.valid @> c.started_at and c.status <> 'duplicate'
   and (b.layer is null or b.layer = c.layer) and (b.use is null or b.use = c.use) and (b.agent is null or b.agent = c.agent)
   and (b.model is null or b.model = c.model) and (b.task_class is null or b.task_class = c.task_class)
 where b.tenant_id = %(tenant_id)s and b.budget = %(budget)s and b.revision = %(revision)s
 group by 1, 2, 3, 4

-- name: unheard_scopes
-- Which names of a revision's scope no call of the tenant has, beside those that calls have; no row while the tenant has no calls.
select s.scope, s.word, coalesce(array_agg(distinct k.known) filter (where k.known is not null), '{}')
  from pigou.budget b
 cross join lateral (values ('agent', b.agent), ('model', b.model), ('task_class', b.task_class)) s (scope, word)
 cross join lateral (select case s.scope when 'agent' then x.agent when 'model' then x.model else x.task_class end as known
                       from pigou.spend_key x where x.tenant_id = b.tenant_id) k
 where b.tenant_id = %(tenant_id)s and b.budget = %(budget)s and b.revision = %(revision)s and s.word is not null
 group by s.scope, s.word
having not coalesce(bool_or(k.known = s.word), false)
 order by s.scope

-- name: tenant_of
-- Id of a tenant, by name.
select tenant_id from pigou.tenant where tenant = %(tenant)s

-- name: hold
-- Hold an amount of a budget if there is room for it; one statement, one transaction.
select outcome, state, expires_at, period_from, period_until, amount_usd, spent_usd, held_usd, left_usd, unpriced_calls
  from pigou.hold(%(tenant_id)s, %(budget)s, %(hold_id)s, %(amount_usd)s, make_interval(secs => %(ttl_s)s))

-- name: release
-- Give a live hold back; answers no row when there is none.
update pigou.budget_hold set state = 'released', ended_at = clock_timestamp()
 where tenant_id = %(tenant_id)s and budget = %(budget)s and hold_id = %(hold_id)s and state = 'held'
returning state, amount_usd

-- name: hold_state
-- What became of a hold.
select state, amount_usd from pigou.budget_hold where tenant_id = %(tenant_id)s and budget = %(budget)s and hold_id = %(hold_id)s

-- name: expire_holds
-- Holds whose time is over. They have not counted since; this writes it down. A hold that somebody is changing is left to a later time.
with late as (
    select tenant_id, budget, hold_id from pigou.budget_hold
     where state = 'held' and expires_at <= now()
       for update skip locked
)
update pigou.budget_hold h set state = 'expired', ended_at = now()
  from late l
 where h.tenant_id = l.tenant_id and h.budget = l.budget and h.hold_id = l.hold_id

-- name: midnight
-- When a day begins in a time zone.
select %(day)s::date::timestamp at time zone %(time_zone)s;
