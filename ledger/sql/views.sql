-- The SQL contract: schema `ledger`, stable and documented in docs/sql.md. Every view carries `tenant`.
-- Each sum is defined once, here. Amounts are USD; unknown is null.

create or replace view ledger.accounts as
select t.tenant, a.account, a.kind, a.opened_at
  from pigou.account a join pigou.tenant t using (tenant_id);

create or replace view ledger.commodities as
select commodity, unit, direction, kind from pigou.commodity;

create or replace view ledger.rates as
select case when r.tenant_id = 0 then null else t.tenant end as tenant,   -- null: the list price
       r.provider, r.model, c.commodity, r.service_tier, r.context_above, r.daily_from, r.daily_until,
       lower(r.valid) as valid_from, upper(r.valid) as valid_until,
       r.price_usd, r.per, pigou.unit_rate(r.price_usd, r.per) as rate_usd, r.basis, r.source, r.revision, r.recorded_at, r.rate_id
  from pigou.rate r join pigou.commodity c using (commodity_id) left join pigou.tenant t using (tenant_id);

create or replace view ledger.entries as
select t.tenant, e.entry_id, e.kind, e.source, e.occurred_at, e.recorded_at, e.posted_on,
       encode(e.trace_id, 'hex') as trace_id, encode(e.span_id, 'hex') as span_id, e.reverses, e.reason
  from pigou.entry e join pigou.tenant t using (tenant_id);

create or replace view ledger.postings as
select t.tenant, x.entry_id, x.line, x.book, a.account, c.commodity,
       leg.sign * x.quantity as quantity, x.rate_usd, leg.sign * x.amount_usd as amount_usd,
       x.occurred_at, e.recorded_at, x.posted_on, e.kind,
       encode(e.trace_id, 'hex') as trace_id, encode(e.span_id, 'hex') as span_id, x.rate_id
  from pigou.transfer x
  join pigou.entry e on e.tenant_id = x.tenant_id and e.entry_id = x.entry_id and e.occurred_at = x.occurred_at
  cross join lateral (values (1, x.debit_account_id), (-1, x.credit_account_id)) leg (sign, account_id)
  join pigou.account a on a.tenant_id = x.tenant_id and a.account_id = leg.account_id
  join pigou.commodity c on c.commodity_id = x.commodity_id
  join pigou.tenant t on t.tenant_id = x.tenant_id;

create or replace view ledger.balances as
select t.tenant, b.book, a.account, a.kind, c.commodity, b.day,
       sum(b.debit_quantity - b.credit_quantity) as quantity,
       sum(b.debit_usd - b.credit_usd) as amount_usd,
       sum(b.unpriced_quantity) as unpriced_quantity
  from pigou.balance b
  join pigou.account a on a.tenant_id = b.tenant_id and a.account_id = b.account_id
  join pigou.commodity c on c.commodity_id = b.commodity_id
  join pigou.tenant t on t.tenant_id = b.tenant_id
 group by t.tenant, b.book, a.account, a.kind, c.commodity, b.day
having sum(b.debit_quantity - b.credit_quantity) <> 0 or sum(b.debit_usd - b.credit_usd) <> 0 or sum(b.unpriced_quantity) <> 0;

-- Debits minus credits over all accounts: every figure of this view is 0, or the books are wrong.
create or replace view ledger.trial_balance as
select t.tenant, b.book, c.commodity,
       sum(b.debit_quantity) as debit_quantity, sum(b.credit_quantity) as credit_quantity,
       sum(b.debit_quantity - b.credit_quantity) as quantity,
       sum(b.debit_usd) as debit_usd, sum(b.credit_usd) as credit_usd,
       sum(b.debit_usd - b.credit_usd) as amount_usd
  from pigou.balance b
  join pigou.commodity c on c.commodity_id = b.commodity_id
  join pigou.tenant t on t.tenant_id = b.tenant_id
 group by t.tenant, b.book, c.commodity;

-- One row per model call as one record reports it. Only booked calls have a cost; duplicates are kept as evidence and book nothing.
create or replace view ledger.calls as
select t.tenant, encode(c.trace_id, 'hex') as trace_id, encode(c.span_id, 'hex') as span_id,
       c.started_at, c.ended_at,
       (extract(epoch from c.ended_at - c.started_at) * 1000)::double precision as latency_ms,
       c.provider, c.model, c.layer, c.use, c.agent, c.task_class,
       c.input_tokens, c.cache_read_tokens, c.cache_write_tokens, c.output_tokens, c.reasoning_tokens,
       c.cost_usd, c.claimed_cost_usd, c.status, c.dialect, c.reason, c.confidence, c.operation,
       c.layer_source, c.use_source, c.service, c.service_tier, c.conversation_id, c.user_id, c.response_id,
       c.leaves, c.total_input_tokens, c.rate_provider, c.rate_model,
       encode(c.copy_of_trace_id, 'hex') as copy_of_trace_id, encode(c.copy_of_span_id, 'hex') as copy_of_span_id,
       c.entry_id, c.recorded_at
  from pigou.call c join pigou.tenant t using (tenant_id);

create or replace view ledger.spend_hourly as
select t.tenant, date_trunc('hour', c.started_at, 'UTC') as hour,
       c.provider, c.model, c.layer, c.use, c.agent, c.task_class,
       count(*) as calls,
       sum(c.input_tokens)::bigint as input_tokens, sum(c.cache_read_tokens)::bigint as cache_read_tokens,
       sum(c.cache_write_tokens)::bigint as cache_write_tokens, sum(c.output_tokens)::bigint as output_tokens,
       sum(c.reasoning_tokens)::bigint as reasoning_tokens,
       sum(c.cost_usd) as cost_usd,
       count(*) filter (where c.status = 'unpriced') as unpriced_calls,
       sum(coalesce(c.total_input_tokens, c.input_tokens, 0) + coalesce(c.output_tokens, 0) + coalesce(c.reasoning_tokens, 0))
           filter (where c.status = 'unpriced')::bigint as unpriced_tokens,
       count(*) filter (where c.status = 'suspense') as suspense_calls
  from pigou.call c join pigou.tenant t using (tenant_id)
 where c.status <> 'duplicate'
 group by t.tenant, date_trunc('hour', c.started_at, 'UTC'), c.provider, c.model, c.layer, c.use, c.agent, c.task_class;

create or replace view ledger.spans as
select t.tenant, encode(r.trace_id, 'hex') as trace_id, encode(r.span_id, 'hex') as span_id,
       encode(r.parent_span_id, 'hex') as parent_span_id, r.signal, r.role, r.name, r.service, r.scope_name, r.scope_version,
       r.started_at, r.ended_at,
       (extract(epoch from r.ended_at - r.started_at) * 1000)::double precision as latency_ms,
       r.status_code, r.status_message, r.layer, r.use,
       coalesce(c.agent, r.agent) as agent, coalesce(c.task_class, r.task_class) as task_class,
       r.attributes, r.events, r.links, s.attributes as resource_attributes,
       c.status as call_status, c.model,
       case when c.status is not null then
           coalesce(c.total_input_tokens, c.input_tokens, 0) + coalesce(c.output_tokens, 0) + coalesce(c.reasoning_tokens, 0)
       end as total_tokens,
       c.cost_usd, r.recorded_at
  from pigou.record r
  join pigou.tenant t using (tenant_id)
  left join pigou.call c
    on c.tenant_id = r.tenant_id and c.trace_id = r.trace_id and c.span_id = r.span_id and c.started_at = r.started_at
  left join pigou.resource s on s.tenant_id = r.tenant_id and s.resource_id = r.resource_id;

-- One trace, found by its id through the index.
create or replace function ledger.trace_spans(trace_id text) returns setof ledger.spans
language sql stable security definer set search_path = pigou, pg_temp as $$
    select t.tenant, encode(r.trace_id, 'hex'), encode(r.span_id, 'hex'), encode(r.parent_span_id, 'hex'), r.signal, r.role,
           r.name, r.service, r.scope_name, r.scope_version, r.started_at, r.ended_at,
           (extract(epoch from r.ended_at - r.started_at) * 1000)::double precision, r.status_code, r.status_message,
           r.layer, r.use, coalesce(c.agent, r.agent), coalesce(c.task_class, r.task_class),
           r.attributes, r.events, r.links, s.attributes, c.status, c.model,
           case when c.status is not null then
               coalesce(c.total_input_tokens, c.input_tokens, 0) + coalesce(c.output_tokens, 0) + coalesce(c.reasoning_tokens, 0)
           end,
           c.cost_usd, r.recorded_at
      from tenant t
      join record r on r.tenant_id = t.tenant_id
           and r.trace_id = case when trace_spans.trace_id ~ '^([0-9a-fA-F]{2})+$' then decode(trace_spans.trace_id, 'hex') end
      left join call c on c.tenant_id = r.tenant_id and c.trace_id = r.trace_id and c.span_id = r.span_id and c.started_at = r.started_at
      left join resource s on s.tenant_id = r.tenant_id and s.resource_id = r.resource_id
     order by r.started_at, r.ended_at desc
$$;

create or replace view ledger.traces as
select s.tenant, s.trace_id, min(s.started_at) as started_at, max(s.ended_at) as ended_at,
       (extract(epoch from max(s.ended_at) - min(s.started_at)) * 1000)::double precision as latency_ms,
       (array_agg(s.name order by (s.parent_span_id is not null), s.started_at))[1] as root_name,
       (array_agg(s.service order by (s.parent_span_id is not null), s.started_at))[1] as service,
       (array_agg(s.agent order by (s.parent_span_id is not null), s.started_at) filter (where s.agent is not null))[1] as agent,
       (array_agg(s.task_class order by s.started_at) filter (where s.task_class is not null))[1] as task_class,
       count(*) as spans,
       count(*) filter (where s.call_status <> 'duplicate') as calls,
       sum(s.cost_usd) as cost_usd,
       count(*) filter (where s.call_status = 'unpriced') as unpriced_calls
  from ledger.spans s
 group by s.tenant, s.trace_id;

-- What waits for a mend, and the mend.
create or replace view ledger.suspense as
select t.tenant,
       case c.status when 'unpriced' then 'suspense:unpriced' else 'suspense:unreadable' end as account,
       c.reason, c.provider, c.model, c.service_tier, count(*) as calls,
       sum(case when c.leaves <> '{}' then coalesce(c.total_input_tokens, c.input_tokens, 0) + coalesce(c.output_tokens, 0)
                                           + coalesce(c.reasoning_tokens, 0) end)::bigint as tokens,
       min(c.started_at) as first_at, max(c.started_at) as last_at,
       case c.status
           when 'unpriced' then 'give a price: ' || (
                select string_agg(format('pigou rates add --tenant %s --provider %s --model %s --commodity %s%s --usd PRICE',
                                         quote_literal(t.tenant), quote_literal(coalesce(c.rate_provider, 'unknown')),
                                         quote_literal(coalesce(c.rate_model, c.model, 'unknown')), m.commodity,
                                         case when c.service_tier <> 'standard' then ' --tier ' || quote_literal(c.service_tier) else '' end),
                                  '; ' order by m.position)
                  from regexp_split_to_table(substring(c.reason from '^no rate for (.*)$'), ', ') with ordinality m (commodity, position))
           else 'correct the instrumentation (' || c.dialect || '): ' || coalesce(c.reason, 'usage could not be read')
       end as mend
  from pigou.call c join pigou.tenant t using (tenant_id)
 where c.status in ('unpriced', 'suspense')
 group by t.tenant, c.status, c.reason, c.provider, c.model, c.service_tier, c.rate_provider, c.rate_model, c.dialect;

create or replace view ledger.control_totals as
select t.tenant, encode(k.trace_id, 'hex') as trace_id, encode(k.span_id, 'hex') as span_id, k.started_at, k.name, k.dialect,
       k.input_tokens, k.booked_input_tokens, k.output_tokens, k.booked_output_tokens, k.cost_usd, k.booked_cost_usd, k.booked_calls,
       k.booked_input_tokens - k.input_tokens as input_difference,
       k.booked_output_tokens - k.output_tokens as output_difference,
       case when k.checked_at is null then 'unchecked'
            when k.input_tokens is distinct from k.booked_input_tokens and k.input_tokens is not null then 'differs'
            when k.output_tokens is distinct from k.booked_output_tokens and k.output_tokens is not null then 'differs'
            else 'equal' end as status,
       k.checked_at
  from pigou.control_total k join pigou.tenant t using (tenant_id);

-- How much of the tokens is classified explicitly, by inference, or not at all.
create or replace view ledger.coverage as
select t.tenant, d.dimension, d.source, count(*) as calls,
       sum(coalesce(c.total_input_tokens, c.input_tokens, 0) + coalesce(c.output_tokens, 0) + coalesce(c.reasoning_tokens, 0))::bigint as tokens,
       sum(c.cost_usd) as cost_usd
  from pigou.call c join pigou.tenant t using (tenant_id)
  cross join lateral (values ('layer', c.layer_source), ('use', c.use_source)) d (dimension, source)
 where c.status <> 'duplicate'
 group by t.tenant, d.dimension, d.source;

create or replace view ledger.ingest as
select t.tenant, i.minute, i.signal, sum(i.requests)::bigint as requests, sum(i.records)::bigint as records,
       sum(i.duplicates)::bigint as duplicates, sum(i.rejected)::bigint as rejected, sum(i.conflicts)::bigint as conflicts,
       sum(i.bytes)::bigint as bytes
  from pigou.ingest_minute i join pigou.tenant t using (tenant_id)
 group by t.tenant, i.minute, i.signal;

create or replace view ledger.rejections as
select t.tenant, j.recorded_at, j.signal, j.stage, j.code, j.detail
  from pigou.rejection j join pigou.tenant t using (tenant_id);

create or replace view ledger.conflicts as
select t.tenant, encode(x.trace_id, 'hex') as trace_id, encode(x.span_id, 'hex') as span_id, x.recorded_at, x.record
  from pigou.conflict x join pigou.tenant t using (tenant_id);

-- Calls of one trace that look like copies of each other but share no strong identity: same model and tokens, overlapping in time.
create or replace view ledger.weak_matches as
select t.tenant, encode(a.trace_id, 'hex') as trace_id, encode(a.span_id, 'hex') as span_id, encode(b.span_id, 'hex') as other_span_id,
       a.model, a.total_input_tokens as input_tokens,
       coalesce(a.output_tokens, 0) + coalesce(a.reasoning_tokens, 0) as output_tokens
  from pigou.call a
  join pigou.call b
    on b.tenant_id = a.tenant_id and b.trace_id = a.trace_id and b.span_id > a.span_id
   and b.model = a.model and b.total_input_tokens = a.total_input_tokens
   and coalesce(b.output_tokens, 0) + coalesce(b.reasoning_tokens, 0) = coalesce(a.output_tokens, 0) + coalesce(a.reasoning_tokens, 0)
   and b.started_at < a.ended_at and a.started_at < b.ended_at
  join pigou.tenant t on t.tenant_id = a.tenant_id
 where a.status in ('booked', 'unpriced') and b.status in ('booked', 'unpriced');

create or replace view ledger.metric_points as
select t.tenant, m.name, m.at, m.unit, m.kind, m.value, m.detail, m.attributes, s.attributes as resource_attributes
  from pigou.metric_point m join pigou.tenant t using (tenant_id)
  left join pigou.resource s on s.tenant_id = m.tenant_id and s.resource_id = m.resource_id;

create or replace view ledger.periods as
select tenant, closed_through from pigou.tenant;

create or replace view ledger.use_rules as
select case when u.tenant_id = 0 then null else t.tenant end as tenant, u.ordinal, u.field, u.pattern, u.layer, u.use, u.action_class
  from pigou.use_rule u left join pigou.tenant t using (tenant_id);

-- Every budget in force, and where it stands in the period that holds now. Forecasts are a simple run rate.
create or replace view ledger.budgets as
select t.tenant, b.budget, b.revision, b.period, b.time_zone, b.layer, b.use, b.agent, b.model, b.task_class,
       b.period_from, b.period_until, b.amount_usd, b.spent_usd, b.held_usd, b.amount_usd - b.spent_usd - b.held_usd as left_usd,
       b.calls, b.unpriced_calls, b.suspense_calls,
       round(b.spent_usd / b.amount_usd, 6) as spent_share, round(e.elapsed_share, 6) as elapsed_share,
       round(b.spent_usd / b.amount_usd / nullif(e.elapsed_share, 0), 6) as pace,
       round(b.spent_usd / nullif(e.elapsed_share, 0), 12) as forecast_usd,
       lower(b.valid) as valid_from, upper(b.valid) as valid_until
  from pigou.budgets_at(now()) b
  join pigou.tenant t using (tenant_id)
 cross join lateral (select extract(epoch from now() - b.period_from) / extract(epoch from b.period_until - b.period_from)
                            as elapsed_share) e;

-- What was spent in each period, by revision: a later revision leaves what was reported of an earlier one as it was.
create or replace view ledger.budget_periods as
select t.tenant, s.budget, s.revision, b.period, b.time_zone, b.layer, b.use, b.agent, b.model, b.task_class, s.period_from,
       pigou.period_end(b.period, s.period_from, b.time_zone, b.valid) as period_until,
       b.amount_usd, s.spent_usd, s.calls, s.unpriced_calls, s.suspense_calls, b.source, b.recorded_at
  from pigou.budget_spend s
  join pigou.budget b on b.tenant_id = s.tenant_id and b.budget = s.budget and b.revision = s.revision
  join pigou.tenant t on t.tenant_id = s.tenant_id;

create or replace view ledger.budget_holds as
select t.tenant, h.budget, h.hold_id, h.amount_usd, h.held_at, h.expires_at,
       case when h.state = 'held' and h.expires_at <= now() then 'expired' else h.state end as state, h.ended_at,
       encode(coalesce(o.trace_id, h.call_trace_id), 'hex') as trace_id, encode(coalesce(o.span_id, h.call_span_id), 'hex') as span_id,
       coalesce(o.cost_usd, c.cost_usd) as cost_usd
  from pigou.budget_hold h
  join pigou.tenant t using (tenant_id)
  left join pigou.call c on c.tenant_id = h.tenant_id and c.trace_id = h.call_trace_id and c.span_id = h.call_span_id
  left join pigou.call o                                     -- another record of the call took its place since
    on c.status = 'duplicate' and o.tenant_id = c.tenant_id and o.trace_id = c.copy_of_trace_id and o.span_id = c.copy_of_span_id;

-- Alerts, resolved ones too. quiet_since: right again since then, and not yet for long enough to be resolved.
create or replace view ledger.alerts as
select t.tenant, a.alert_id, a.rule, a.subject, a.state, a.opened_at, a.last_seen_at, a.quiet_since, a.resolved_at, a.muted_until,
       a.notified_at, a.notifications, a.evaluations, a.value, a.threshold, a.message, a.mend, a.former_alert_id
  from pigou.alert a join pigou.tenant t using (tenant_id);

create or replace view ledger.alert_events as
select t.tenant, e.alert_id, e.event_id, e.at, a.rule, a.subject, e.event, e.is_to_be_told, e.who, e.note, e.value
  from pigou.alert_event e
  join pigou.alert a on a.tenant_id = e.tenant_id and a.alert_id = e.alert_id
  join pigou.tenant t on t.tenant_id = e.tenant_id;

-- Thresholds with their history; of one tenant and rule the highest revision is in force.
create or replace view ledger.alert_rules as
select case when r.tenant_id = 0 then null else t.tenant end as tenant,   -- null: for all who have none of their own
       r.rule, r.revision, r.open_at, r.close_at, r.evidence_min, r.open_evaluations, r.open_for, r.close_evaluations, r.close_for,
       r.stay_for, r.renotify_every, r.is_on, r.source, r.recorded_at
  from pigou.alert_rule r left join pigou.tenant t using (tenant_id);

grant select on all tables in schema ledger to pigou_reader, pigou_writer;
revoke all on function ledger.trace_spans(text) from public;
grant execute on function ledger.trace_spans(text) to pigou_reader, pigou_writer;
