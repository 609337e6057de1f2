-- name: spend_total
-- What was spent, on how many calls and tokens, and how much of it has no price yet.
select sum(cost_usd) as cost_usd,
       coalesce(sum(calls), 0) as calls,
       coalesce(sum(input_tokens), 0) + coalesce(sum(cache_read_tokens), 0) + coalesce(sum(cache_write_tokens), 0)
         + coalesce(sum(output_tokens), 0) + coalesce(sum(reasoning_tokens), 0) as tokens,
       coalesce(sum(input_tokens), 0) + coalesce(sum(cache_read_tokens), 0) + coalesce(sum(cache_write_tokens), 0) as whole_input_tokens,
       sum(cache_read_tokens) as cache_read_tokens,
       coalesce(sum(unpriced_calls), 0) as unpriced_calls,
       coalesce(sum(unpriced_tokens), 0) as unpriced_tokens,
       coalesce(sum(suspense_calls), 0) as suspense_calls,
       count(distinct tenant) as tenants
  from {spend}
 where {filters - tenant layer use model agent task_class};

-- name: spend_extent
-- The first and the last hour with calls.
select (select min(hour) from ledger.spend_hourly
         where hour >= first_at and hour < first_at + interval '1 day' and {filters hour tenant layer use model agent task_class}) as first_hour,
       (select max(hour) from ledger.spend_hourly
         where hour >= last_at and hour < last_at + interval '1 day' and {filters hour tenant layer use model agent task_class}) as last_hour
  from (select min(hour) as first_at, max(hour) as last_at
          from {spend}
         where {filters - tenant layer use model agent task_class}) as days;

-- name: spend_before
-- What was spent in the window of the same length just before, and since when the books know anything.
select sum(cost_usd) as cost_usd,
       (select min(first_hour) from ledger.extent) as books_since
  from {spend}
 where {filters - tenant layer use model agent task_class};

-- name: dearest_model
-- The model that cost most.
select model, sum(cost_usd) as cost_usd
  from {spend}
 where {filters - tenant layer use model agent task_class}
 group by model
having sum(cost_usd) > 0
 order by cost_usd desc, model
 limit 1;

-- name: spend_over_time
-- Dollars per {bucket word} (UTC) by {dimension}.
select date_trunc({bucket}, hour, 'UTC') as bucket,
       {dimension} as series,
       sum(cost_usd) as cost_usd,
       sum(calls) as calls,
       sum(unpriced_calls) as unpriced_calls
  from {spend}
 where {filters - tenant layer use model agent task_class}
 group by 1, 2
 order by 1, 2;

-- name: spend_over_minutes
-- Dollars per minute (UTC) by {dimension}.
select minute as bucket,
       {dimension} as series,
       sum(cost_usd) as cost_usd,
       sum(calls) as calls,
       sum(unpriced_calls) as unpriced_calls
  from ledger.spend_minutely
 where {filters minute tenant layer use model agent task_class}
 group by 1, 2
 order by 1, 2;

-- name: spend_by_dimension
-- The same dollars along every dimension; of each, the {limit} values that cost most.
select dimension, value, cost_usd, calls, tokens, unpriced_calls, suspense_calls, total_cost_usd, total_values
  from (select dimension, value,
               sum(cost_usd) as cost_usd,
               sum(calls) as calls,
               sum(coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
                 + coalesce(output_tokens, 0) + coalesce(reasoning_tokens, 0)) as tokens,
               sum(unpriced_calls) as unpriced_calls,
               sum(suspense_calls) as suspense_calls,
               sum(sum(cost_usd)) over of_dimension as total_cost_usd,
               count(*) over of_dimension as total_values,
               row_number() over (of_dimension order by sum(cost_usd) desc nulls last, sum(calls) desc, value) as rank
          from (select layer, use, model, agent, task_class, tenant, sum(cost_usd) as cost_usd, sum(calls) as calls,
                       sum(input_tokens) as input_tokens, sum(cache_read_tokens) as cache_read_tokens,
                       sum(cache_write_tokens) as cache_write_tokens, sum(output_tokens) as output_tokens,
                       sum(reasoning_tokens) as reasoning_tokens, sum(unpriced_calls) as unpriced_calls,
                       sum(suspense_calls) as suspense_calls
                  from {spend}
                 where {filters - tenant layer use model agent task_class}
                 group by layer, use, model, agent, task_class, tenant) as combinations
         cross join lateral (values ('layer', layer), ('use', use), ('model', model), ('agent', agent),
                                    ('task_class', task_class), ('tenant', tenant)) as d (dimension, value)
         group by dimension, value
        window of_dimension as (partition by dimension)) as ranked
 where rank <= {limit}
 order by dimension, rank;

-- name: spend_cross
-- Dollars, calls and tokens of every combination of {dimensions}, dearest first.
select {dimensions},
       sum(cost_usd) as cost_usd,
       sum(calls) as calls,
       sum(input_tokens) as input_tokens,
       sum(cache_read_tokens) as cache_read_tokens,
       sum(cache_write_tokens) as cache_write_tokens,
       sum(output_tokens) as output_tokens,
       sum(reasoning_tokens) as reasoning_tokens,
       sum(unpriced_calls) as unpriced_calls,
       sum(suspense_calls) as suspense_calls
  from {spend}
 where {filters - tenant layer use model agent task_class}
 group by {dimensions}
 order by cost_usd desc nulls last, calls desc, {dimensions}
 limit {limit};

-- name: tokens_over_time
-- Tokens per {bucket word} (UTC) by kind; the five kinds do not overlap.
select date_trunc({bucket}, hour, 'UTC') as bucket,
       sum(input_tokens) as input_tokens,
       sum(cache_read_tokens) as cache_read_tokens,
       sum(cache_write_tokens) as cache_write_tokens,
       sum(output_tokens) as output_tokens,
       sum(reasoning_tokens) as reasoning_tokens
  from {spend}
 where {filters - tenant layer use model agent task_class}
 group by 1
 order by 1;

-- name: tokens_over_minutes
-- Tokens per minute (UTC) by kind; the five kinds do not overlap.
select minute as bucket,
       sum(input_tokens) as input_tokens,
       sum(cache_read_tokens) as cache_read_tokens,
       sum(cache_write_tokens) as cache_write_tokens,
       sum(output_tokens) as output_tokens,
       sum(reasoning_tokens) as reasoning_tokens
  from ledger.spend_minutely
 where {filters minute tenant layer use model agent task_class}
 group by 1
 order by 1;

-- name: books_extent
-- From when to when the books hold calls at all.
select min(first_hour) as first_hour, max(last_hour) as last_hour, (select coalesce(sum(calls), 0) from ledger.spend_daily) as calls
  from ledger.extent;

-- name: filter_values
-- Values to filter by that occur in this window, the most used first.
select dimension, value, calls
  from (select dimension, value, sum(calls) as calls,
               row_number() over (partition by dimension order by sum(calls) desc, value) as rank
          from (select layer, use, model, agent, task_class, tenant, sum(calls) as calls
                  from {spend}
                 group by layer, use, model, agent, task_class, tenant) as combinations
         cross join lateral (values ('layer', layer), ('use', use), ('model', model), ('agent', agent),
                                    ('task_class', task_class), ('tenant', tenant)) as d (dimension, value)
         group by dimension, value) as ranked
 where rank <= {limit}
 order by dimension, rank;
