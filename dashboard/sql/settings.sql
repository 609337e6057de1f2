-- name: alert_rule
-- One rule in force: a tenant's own where it has one, else that for all.
select r.*
  from ledger.alert_rules r
 where r.is_in_force and r.rule = {rule} and (r.tenant is null or r.tenant = {tenant})
 order by r.tenant nulls last
 limit 1;

-- name: rule_names
-- The rules that there are.
select distinct rule from ledger.alert_rules order by rule;

-- name: rule_history
-- Every revision of one rule for one tenant, or for all, the newest first.
select recorded_at, source, revision, is_on, is_withdrawn, severity, open_at, close_at, evidence_min, open_for, close_for, stay_for, renotify_every,
       grown_by
  from ledger.alert_rules
 where rule = {rule} and coalesce(tenant, '') = {tenant}
 order by revision desc
 limit {limit};

-- name: alert_channel
-- One channel as it is in force.
select *
  from ledger.channels
 where channel = {channel} and coalesce(tenant, '') = {tenant};

-- name: channel_history
-- Every revision of one channel, the newest first.
select recorded_at, source, revision, state, kind, severity_min, rules, tenants, escalate_after, group_for, give_up_after
  from ledger.channel_revisions
 where channel = {channel} and coalesce(tenant, '') = {tenant}
 order by revision desc
 limit {limit};

-- name: channel_tests
-- Tests of one channel, the newest first.
select asked_at, who, answered_at, result, answer, test_id
  from ledger.channel_tests
 where channel = {channel} and coalesce(tenant, '') = {tenant}
 order by test_id desc
 limit {limit};

-- name: saved_views
-- Views that people saved.
select view_id, name, address, made_by, made_at
  from ledger.saved_views
 order by lower(name), view_id;
