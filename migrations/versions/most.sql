-- What sums over a period need of a segment beside its regret. Reasons: docs/reports.md.

-- The regret with each decision's best looking option taken at its word, in USD: too much on average, and so a ceiling for sums; null
-- where it is not known.
alter table pigou.segment add column most_usd numeric(38, 12);

-- The next appraisal finds these comparisons changed, and does them again.
update pigou.comparison set fingerprint = '';
