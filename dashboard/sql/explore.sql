-- name: spend_pivot
-- {measure word} by {rows} and {columns}: the largest of each by themselves, all others together under the rank after the last.
with cell as (
    select {row value} as row, {column value} as col,
           sum(cost_usd) as cost_usd, sum(calls) as calls, sum(unpriced_calls) as unpriced_calls,
           sum(coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
             + coalesce(output_tokens, 0) + coalesce(reasoning_tokens, 0)) as tokens
      from {spend}
     where {filters - tenant layer use model agent task_class}
     group by 1, 2
),
ranked_row as (
    select row, row_number() over (order by {row order}) as rank, count(*) over () as of
      from cell group by row
),
ranked_col as (
    select col, row_number() over (order by {column order}) as rank, count(*) over () as of
      from cell group by col
)
select least(r.rank, {row top} + 1) as row_rank, case when r.rank <= {row top} then cell.row end as row, r.of as rows,
       r.rank > {row top} as row_is_rest,
       least(c.rank, {column top} + 1) as column_rank, case when c.rank <= {column top} then cell.col end as "column", c.of as columns,
       c.rank > {column top} as column_is_rest,
       sum(cost_usd) as cost_usd, sum(calls) as calls, sum(tokens) as tokens, sum(unpriced_calls) as unpriced_calls
  from cell
  join ranked_row r on r.row is not distinct from cell.row
  join ranked_col c on c.col is not distinct from cell.col
 group by 1, 2, 3, 4, 5, 6, 7, 8
 order by 1, 5;
