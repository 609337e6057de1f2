-- A segment's decisions that were chosen to learn lose on purpose. What is lost by the others is estimated by itself.

alter table pigou.segment
    add column learning integer not null default 0,   -- its decisions that were chosen to learn, with less than the probability of chance
    add column intended jsonb,                        -- the segment without these: numbers by the names of its columns; null: none of them, or all
    add column is_intended_discovery boolean;         -- whether that is a finding among all of the tenant's; null while nothing says
