-- What is said of decisions beside their regret: how much later options let tasks end, and what small segments borrow from their siblings.
-- Opinions, never booked. Reasons: docs/methods.md.

-- How much later a quantile of the tasks' seconds would come had one option always been chosen instead of the most frequent one.
create table pigou.latency_effect (
    tenant_id         integer not null,
    comparison        bigint not null,
    option            text not null,
    base              text not null,                    -- the option of most decisions
    share             double precision not null,        -- 0.5: the median; 0.95
    base_s            double precision,                 -- the quantile under the base; null: not known
    later_s           double precision,                 -- seconds; below 0: sooner; null: not known
    later_low_s       double precision,
    later_high_s      double precision,
    n                 integer not null,                 -- decisions
    tasks             integer not null,
    status            text not null,
    why               text not null,
    needs_outcomes    integer,                          -- so many more outcomes at today's mix would settle it,
    needs_exploration double precision,                 -- or this share of random choices
    adjusted_p        double precision,                 -- among all of the tenant's
    is_discovery      boolean not null default false,
    primary key (tenant_id, comparison, option, share),
    constraint latency_effect_status_is_known check (status in ('identified', 'not_enough_evidence', 'not_identified')),
    constraint latency_effect_has_its_interval check (num_nulls(later_s, later_low_s, later_high_s) in (0, 3))
);

alter table pigou.segment
    add column together double precision not null default 0, -- correlation of the regret's error with those of the same option in other bands
    add column pooled_usd numeric,                      -- the regret drawn towards those of its siblings; null: they lend nothing
    add column pooled_low_usd numeric,
    add column pooled_high_usd numeric,
    add column pooled_own double precision,             -- how much of it is the segment's own, 0 to 1
    add column pooled_segments integer,                 -- how many with a number it was pooled with, itself among them
    add column pooled_sets integer,                     -- of so many comparisons
    add constraint segment_pooled_is_whole
        check (num_nulls(pooled_usd, pooled_low_usd, pooled_high_usd, pooled_own, pooled_segments, pooled_sets) in (0, 6));

-- The next appraisal finds these comparisons changed, and does them again.
update pigou.comparison set fingerprint = '';

grant select, insert, update, delete on pigou.latency_effect to pigou_writer;
