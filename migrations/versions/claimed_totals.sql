-- What a parent says that its calls cost is compared too, once all calls below it have a price: prices are the sender's own, so that such a
-- difference has a word of its own, and rounding is none. Of what was compared before nobody knows whether it was whole: it stays as it is.
alter table pigou.control_total add column booked_cost_is_whole boolean;  -- whether each call below has a price; null: not asked yet
drop index pigou.control_total_differs;
alter table pigou.control_total alter column status set expression as (
    case when checked_at is null then 'unchecked'
         when input_tokens is distinct from booked_input_tokens and input_tokens is not null then 'differs'
         when output_tokens is distinct from booked_output_tokens and output_tokens is not null then 'differs'
         when booked_cost_is_whole and abs(booked_cost_usd - cost_usd) > greatest(cost_usd / 1000, 0.000001) then 'cost differs'
         else 'equal' end);
create index control_total_differs on pigou.control_total (started_at) where status in ('differs', 'cost differs');
