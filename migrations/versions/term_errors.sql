-- How sure each term of eq. 1 is. Reasons: docs/appraisal.md.

alter table pigou.segment
    add column change_errors jsonb not null default '{}',  -- standard errors of `changes`, in USD, by term
    add column option_errors jsonb not null default '{}';  -- by term, a list in the order of the options: standard error of an option's mean
                                                           -- against the chosen one's, per unit of the term's price; null: not known

-- The next appraisal finds these comparisons changed, and does them again.
update pigou.comparison set fingerprint = '';
