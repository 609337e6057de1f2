-- The tasks whose decisions are chosen together, of what prices were solved over. Reasons: docs/price-vector.md.

alter table pigou.price_solution
    add column together jsonb not null default '[]';              -- groups of tasks that are alike: class, tasks, V, options chosen

alter table pigou.price_alternative
    add column alike double precision not null default 1;         -- of a task's decisions how many one's effect speaks for already
