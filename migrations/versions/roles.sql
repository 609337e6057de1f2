-- Three roles. The owner migrates; the writer runs (collector, analyzers) and cannot change books; the reader is for people.
do $$
begin
    if not exists (select from pg_roles where rolname = 'pigou_owner') then create role pigou_owner nologin; end if;
    if not exists (select from pg_roles where rolname = 'pigou_writer') then create role pigou_writer login; end if;
    if not exists (select from pg_roles where rolname = 'pigou_reader') then create role pigou_reader login; end if;
    execute format('grant pigou_owner, pigou_writer, pigou_reader to %I', current_user);
    execute format('grant temporary on database %I to pigou_writer', current_database());
end $$;

grant usage on schema pigou, ledger to pigou_writer;
grant usage on schema ledger to pigou_reader;

grant select, insert on all tables in schema pigou to pigou_writer;
grant update on pigou.tenant, pigou.balance, pigou.call, pigou.control_total, pigou.ingest_minute, pigou.setting to pigou_writer;
grant delete on pigou.use_rule, pigou.call_key to pigou_writer;
grant maintain on pigou.rate to pigou_writer;          -- to analyze it after a load
revoke all on pigou.alembic_version from pigou_writer;

-- Default partitions are reached through their parents only.
revoke all on pigou.record_default, pigou.call_default, pigou.entry_default, pigou.transfer_default from pigou_writer;
revoke all on function pigou.ensure_month(date) from public;
grant execute on function pigou.ensure_month(date), pigou.entry_id(text, bytea, bytea, text, integer, timestamptz),
    pigou.unit_rate(numeric, integer),
    pigou.rate_of(integer, text, text, text, text, smallint, text, bigint, timestamptz, timestamptz) to pigou_writer;
