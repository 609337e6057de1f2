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
       count(distinct tenant) as tenants,
       min(hour) as first_hour,
       max(hour) as last_hour
  from ledger.spend_hourly
 where {filters hour tenant layer use model agent task_class};

-- name: spend_before
-- What was spent in the window of the same length just before, and since when the books know anything.
select sum(cost_usd) as cost_usd,
       (select min(hour) from ledger.spend_hourly) as books_since
  from ledger.spend_hourly
 where {filters hour tenant layer use model agent task_class};

-- name: dearest_model
-- The model that cost most.
select model, sum(cost_usd) as cost_usd
  from ledger.spend_hourly
 where {filters hour tenant layer use model agent task_class}
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
  from ledger.spend_hourly
 where {filters hour tenant layer use model agent task_class}
 group by 1, 2
 order by 1, 2;

-- name: spend_over_minutes
-- Dollars per minute (UTC) by {dimension}.
select date_trunc('minute', started_at, 'UTC') as bucket,
       {dimension} as series,
       sum(cost_usd) as cost_usd,
       count(*) as calls,
       count(*) filter (where status = 'unpriced') as unpriced_calls
  from ledger.calls
 where status <> 'duplicate' and {filters started_at tenant layer use model agent task_class}
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
          from ledger.spend_hourly
         cross join lateral (values ('layer', layer), ('use', use), ('model', model), ('agent', agent),
                                    ('task_class', task_class), ('tenant', tenant)) as d (dimension, value)
         where {filters hour tenant layer use model agent task_class}
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
  from ledger.spend_hourly
 where {filters hour tenant layer use model agent task_class}
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
  from ledger.spend_hourly
 where {filters hour tenant layer use model agent task_class}
 group by 1
 order by 1;

-- name: tokens_over_minutes
-- Tokens per minute (UTC) by kind; the five kinds do not overlap.
select date_trunc('minute', started_at, 'UTC') as bucket,
       sum(input_tokens) as input_tokens,
       sum(cache_read_tokens) as cache_read_tokens,
       sum(cache_write_tokens) as cache_write_tokens,
       sum(output_tokens) as output_tokens,
       sum(reasoning_tokens) as reasoning_tokens
  from ledger.calls
 where status <> 'duplicate' and {filters started_at tenant layer use model agent task_class}
 group by 1
 order by 1;

-- name: books_extent
-- From when to when the books hold calls at all.
select min(hour) as first_hour, max(hour) as last_hour, coalesce(sum(calls), 0) as calls
  from ledger.spend_hourly;

-- name: filter_values
-- Values to filter by that occur in this window, the most used first.
select dimension, value, calls
  from (select dimension, value, sum(calls) as calls,
               row_number() over (partition by dimension order by sum(calls) desc, value) as rank
          from ledger.spend_hourly
         cross join lateral (values ('layer', layer), ('use', use), ('model', model), ('agent', agent),
                                    ('task_class', task_class), ('tenant', tenant)) as d (dimension, value)
         where {filters hour}
         group by dimension, value) as ranked
 where rank <= {limit}
 order by dimension, rank;
