-- name: lock_appraising
-- Of several that would appraise one database one works at a time.
select pg_advisory_lock(hashtextextended('pigou.appraise', 0))

-- name: unlock_appraising
-- Let the next one appraise.
select pg_advisory_unlock(hashtextextended('pigou.appraise', 0))

-- name: tenants_with_decisions
-- Tenants that have decisions.
select t.tenant_id, t.tenant from pigou.tenant t
 where exists (select from pigou.decision d where d.tenant_id = t.tenant_id)
 order by t.tenant_id

-- name: comparisons
-- The decisions of a tenant that are compared with each other, as they and their outcomes are now, beside what they were when that was
-- last done.
select d.comparison, d.layer, d.kind, d.task_class, d.options, d.feature_names, d.assignment, d.decisions, d.has_menu,
       concat_ws(' ', d.decisions, d.derived_at, d.settled_at, d.first_at, d.last_at) as fingerprint, c.fingerprint as former
  from (select d.comparison, min(d.layer) as layer, min(d.kind) as kind, min(d.task_class) as task_class,
               any_value(d.options) as options, any_value(d.feature_names) as feature_names,
               min(d.assignment) as assignment, count(*) as decisions, bool_and(d.propensities is not null) as has_menu,
               extract(epoch from max(d.derived_at)) as derived_at, extract(epoch from max(t.settled_at)) as settled_at,
               extract(epoch from min(d.decided_at)) as first_at, extract(epoch from max(d.decided_at)) as last_at
          from pigou.decision d
          join pigou.task t on t.tenant_id = d.tenant_id and t.trace_id = d.trace_id
         where d.tenant_id = %(tenant_id)s and d.decided_at >= %(since)s and d.decided_at < %(until)s
         group by d.comparison) d
  left join pigou.comparison c on c.tenant_id = %(tenant_id)s and c.comparison = d.comparison
 order by d.kind, d.task_class nulls first, d.comparison

-- name: begin_run
-- A run of appraising begins.
insert into pigou.appraisal_run (tenant_id, run_id, method, seed, since, until)
select %(tenant_id)s, coalesce(max(run_id), 0) + 1, %(method)s, %(seed)s, %(since)s, %(until)s
  from pigou.appraisal_run where tenant_id = %(tenant_id)s
returning run_id

-- name: tell_run
-- How far a run got.
update pigou.appraisal_run
   set decisions = coalesce(decisions, 0) + %(decisions)s,
       state = jsonb_build_object('done', coalesce((state->>'done')::integer, 0) + 1, 'of', %(of)s::integer)
 where tenant_id = %(tenant_id)s and run_id = %(run_id)s

-- name: end_run
-- A run has ended; there may have been nothing to do.
update pigou.appraisal_run set ended_at = clock_timestamp(), decisions = coalesce(decisions, 0)
 where tenant_id = %(tenant_id)s and run_id = %(run_id)s

-- name: forget_comparisons
-- What was thought of comparisons that no decision is of any more.
with gone as (
    delete from pigou.comparison c
     where c.tenant_id = %(tenant_id)s
       and not exists (select from pigou.decision d where d.tenant_id = c.tenant_id and d.comparison = c.comparison)
    returning c.comparison
),
quiet as (
    delete from pigou.latency_effect l using gone g where l.tenant_id = %(tenant_id)s and l.comparison = g.comparison
)
delete from pigou.segment s using gone g where s.tenant_id = %(tenant_id)s and s.comparison = g.comparison

-- name: write_comparison
-- A comparison was appraised: as it was then, and how.
insert into pigou.comparison (tenant_id, comparison, layer, kind, task_class, options, assignment, run_id, fingerprint, method, n)
values (%(tenant_id)s, %(comparison)s, %(layer)s, %(kind)s, %(task_class)s, %(options)s, %(assignment)s, %(run_id)s, %(fingerprint)s,
        %(method)s, %(n)s)
on conflict (tenant_id, comparison) do update
   set run_id = excluded.run_id, fingerprint = excluded.fingerprint, method = excluded.method, n = excluded.n, appraised_at = now()

-- name: forget_segments
-- The segments of a comparison that is being appraised again.
delete from pigou.segment where tenant_id = %(tenant_id)s and comparison = %(comparison)s

-- name: forget_latency_effects
-- What was said of the seconds of a comparison that is being appraised again.
delete from pigou.latency_effect where tenant_id = %(tenant_id)s and comparison = %(comparison)s

-- name: forget_outside
-- Appraisals of a comparison's decisions outside of the period that it is now appraised over: its segments are of that period alone.
delete from pigou.appraisal a using pigou.decision d
 where d.tenant_id = %(tenant_id)s and d.comparison = %(comparison)s and (d.decided_at < %(since)s or d.decided_at >= %(until)s)
   and a.tenant_id = %(tenant_id)s and a.decision_id = d.decision_id and a.decided_at = d.decided_at

-- name: write_segment
-- A segment of a comparison, and what was lost in it.
insert into pigou.segment (tenant_id, comparison, segment, label, value_band, value_low_usd, value_high_usd, chosen, best, n, tasks, regret_usd,
                           regret_low_usd, regret_high_usd, standard_error, degrees, changes, change_errors, option_errors, downstream_usd, downstream_low_usd,
                           downstream_high_usd, materiality_usd, most_usd, together, status, why, needs_outcomes, needs_exploration, learning,
                           intended)
values (%(tenant_id)s, %(comparison)s, %(segment)s, %(label)s, %(value_band)s, %(value_low_usd)s, %(value_high_usd)s, %(chosen)s, %(best)s,
        %(n)s, %(tasks)s, %(regret_usd)s, %(regret_low_usd)s, %(regret_high_usd)s, %(standard_error)s, %(degrees)s, %(changes)s,
        %(change_errors)s, %(option_errors)s,
        %(downstream_usd)s, %(downstream_low_usd)s, %(downstream_high_usd)s, %(materiality_usd)s, %(most_usd)s, %(together)s, %(status)s,
        %(why)s, %(needs_outcomes)s, %(needs_exploration)s, %(learning)s, %(intended)s)

-- name: write_latency_effect
-- How much later a quantile comes under one option of a comparison.
insert into pigou.latency_effect (tenant_id, comparison, option, base, share, base_s, later_s, later_low_s, later_high_s, n, tasks, status, why,
                                  needs_outcomes, needs_exploration)
values (%(tenant_id)s, %(comparison)s, %(option)s, %(base)s, %(share)s, %(base_s)s, %(later_s)s, %(later_low_s)s, %(later_high_s)s, %(n)s,
        %(tasks)s, %(status)s, %(why)s, %(needs_outcomes)s, %(needs_exploration)s)

-- name: latency_effects
-- The latency effects of a tenant that have a number.
select comparison, option, share, later_s, later_low_s, later_high_s, n, tasks
  from pigou.latency_effect
 where tenant_id = %(tenant_id)s and later_s is not null
 order by comparison, option, share

-- name: write_latency_discoveries
-- Which latency effects stand among all, and how sure.
update pigou.latency_effect l
   set is_discovery = x.is_discovery, adjusted_p = x.adjusted_p
  from unnest(%(comparisons)s::bigint[], %(options)s::text[], %(shares)s::float8[], %(discoveries)s::boolean[], %(adjusted)s::float8[])
       x (comparison, option, share, is_discovery, adjusted_p)
 where l.tenant_id = %(tenant_id)s and l.comparison = x.comparison and l.option = x.option and l.share = x.share
   and (l.is_discovery, l.adjusted_p) is distinct from (x.is_discovery, x.adjusted_p)

-- name: siblings
-- The segments of a tenant that can lend to each other or borrow, with what makes them siblings.
select c.kind, c.options, s.chosen, s.comparison, s.segment, s.regret_usd::float8, s.standard_error, s.regret_low_usd::float8,
       s.regret_high_usd::float8, s.n, s.tasks, s.status, s.why, s.materiality_usd::float8, s.together
  from pigou.segment s
  join pigou.comparison c on c.tenant_id = s.tenant_id and c.comparison = s.comparison
 where s.tenant_id = %(tenant_id)s and s.status <> 'not_identified' and s.materiality_usd > 0
 order by c.kind, c.options, s.chosen, s.comparison, s.segment

-- name: write_borrowed
-- What each segment borrows from its siblings; nothing of those that are not named.
update pigou.segment s
   set pooled_usd = x.usd, pooled_low_usd = x.low_usd, pooled_high_usd = x.high_usd, pooled_own = x.own, pooled_segments = x.segments,
       pooled_sets = x.sets
  from pigou.segment k
  left join (select comparison, segment, round(usd::numeric, 9) as usd, round(low_usd::numeric, 9) as low_usd,
                    round(high_usd::numeric, 9) as high_usd, own, segments, sets
               from unnest(%(comparisons)s::bigint[], %(segments)s::smallint[], %(usds)s::float8[], %(low_usds)s::float8[],
                           %(high_usds)s::float8[], %(owns)s::float8[], %(counts)s::integer[], %(sets)s::integer[])
                    u (comparison, segment, usd, low_usd, high_usd, own, segments, sets)) x
    on x.comparison = k.comparison and x.segment = k.segment
 where s.tenant_id = %(tenant_id)s and k.tenant_id = s.tenant_id and k.comparison = s.comparison and k.segment = s.segment
   and (s.pooled_usd, s.pooled_low_usd, s.pooled_high_usd, s.pooled_own, s.pooled_segments, s.pooled_sets)
       is distinct from (x.usd, x.low_usd, x.high_usd, x.own, x.segments, x.sets)

-- name: segments
-- Every segment of a tenant with what its being a finding depends on.
select comparison, segment, regret_usd::float8, standard_error, regret_low_usd::float8, regret_high_usd::float8, degrees, n, tasks,
       materiality_usd::float8
  from pigou.segment
 where tenant_id = %(tenant_id)s and regret_usd is not null and standard_error is not null
 order by comparison, segment

-- name: intended_segments
-- The same of every segment without what was chosen to learn, as far as anything is left.
select s.comparison, s.segment, i.regret_usd, i.standard_error, i.regret_low_usd, i.regret_high_usd, i.degrees, i.n, i.tasks, i.materiality_usd
  from pigou.segment s
 cross join lateral (
       select s.regret_usd::float8, s.standard_error, s.regret_low_usd::float8, s.regret_high_usd::float8, s.degrees, s.n, s.tasks,
              s.materiality_usd::float8
        where s.intended is null
        union all
       select regret_usd, standard_error, regret_low_usd, regret_high_usd, degrees, n, tasks, materiality_usd
         from jsonb_to_record(s.intended) x (regret_usd float8, standard_error float8, regret_low_usd float8, regret_high_usd float8,
                                             degrees float8, n integer, tasks integer, materiality_usd float8)
        where s.intended is not null) i
 where s.tenant_id = %(tenant_id)s and s.learning < s.n and i.regret_usd is not null and i.standard_error is not null
 order by s.comparison, s.segment

-- name: write_discoveries
-- Which segments are findings among all, and how sure.
update pigou.segment s
   set is_discovery = x.is_discovery, adjusted_p = x.adjusted_p
  from unnest(%(comparisons)s::bigint[], %(segments)s::smallint[], %(discoveries)s::boolean[], %(adjusted)s::float8[])
       x (comparison, segment, is_discovery, adjusted_p)
 where s.tenant_id = %(tenant_id)s and s.comparison = x.comparison and s.segment = x.segment
   and (s.is_discovery, s.adjusted_p) is distinct from (x.is_discovery, x.adjusted_p)

-- name: write_intended_discoveries
-- Which segments are findings among all without what was chosen to learn.
update pigou.segment s
   set is_intended_discovery = x.is_discovery
  from unnest(%(comparisons)s::bigint[], %(segments)s::smallint[], %(discoveries)s::boolean[]) x (comparison, segment, is_discovery)
 where s.tenant_id = %(tenant_id)s and s.comparison = x.comparison and s.segment = x.segment
   and s.is_intended_discovery is distinct from x.is_discovery

-- name: months_staged
-- The months of the decisions whose appraisals are staged.
select date_trunc('month', decided_at) as month from appraisal_stage group by 1 order by 1

-- name: appraisal_is_due
-- Whether tasks were settled since the last appraisal of everything that came to its end began, or nobody has looked for findings since,
-- or for long at a place that is a finding, which ends when time has passed, or the life of an asset is over,
-- or assets are still to be made.
select exists (select from pigou.task where settled_at > coalesce(a.appraised_from, '-infinity'))
       or coalesce(a.appraised_from > coalesce(a.detected_from, '-infinity'), false)
       or exists (select from pigou.detection d join pigou.finding f on f.tenant_id = d.tenant_id and f.mode = d.mode
                   where f.status <> 'resolved' and d.looked_at < now() - %(again_after)s)
       or exists (select from pigou.asset where ends_at < now() - %(grace)s) or exists (select from pigou.asset_due)
  from (select max(value::timestamptz) filter (where setting = 'appraised_from') as appraised_from,
               max(value::timestamptz) filter (where setting = 'detected_from') as detected_from
          from pigou.setting where setting in ('appraised_from', 'detected_from')) a

-- name: now
-- The database's clock.
select clock_timestamp()

-- name: mark_appraised
-- When an appraisal of everything began that has come to its end.
insert into pigou.setting (setting, value) values ('appraised_from', %(began)s::text)
on conflict (setting) do update set value = excluded.value
