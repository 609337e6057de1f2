-- Who closed the books of a tenant, and who opened them again; who said how long things are kept. Reasons: docs/architecture.md.

create table pigou.period_event (
    tenant_id      integer not null references pigou.tenant,
    event_id       integer not null,
    event          text not null,
    closed_through date not null,                     -- the last closed day from then on
    at             timestamptz,                       -- null, as `who`: closed before this was kept
    who            text,
    note           text,
    primary key (tenant_id, event_id),
    constraint period_event_is_known check (event in ('closed', 'reopened')),
    constraint period_event_is_of_somebody check ((at is null) = (who is null)),
    constraint period_is_reopened_for_a_reason check (event = 'closed' or note is not null)
);

insert into pigou.period_event (tenant_id, event_id, event, closed_through)
select tenant_id, 1, 'closed', closed_through from pigou.tenant where closed_through is not null;

create trigger period_event_is_append_only before update or delete or truncate on pigou.period_event
    for each statement execute function pigou.refuse_change();

-- The day that postings are held against is the one of the last event, and changes with it only.
create function pigou.refuse_untold_closing() returns trigger language plpgsql as $$
begin
    if new.closed_through is distinct from
       (select e.closed_through from pigou.period_event e where e.tenant_id = new.tenant_id order by e.event_id desc limit 1) then
        raise exception 'period of tenant %: nobody said that it is closed through %', new.tenant, new.closed_through
            using errcode = 'check_violation', constraint = 'period_is_closed_by_somebody', hint = 'Use `pigou periods close`.';
    end if;
    return new;
end $$;
create trigger period_is_closed_by_somebody before update of closed_through on pigou.tenant
    for each row when (new.closed_through is distinct from old.closed_through) execute function pigou.refuse_untold_closing();

-- How long each kind was to be kept, and who said so. Never edited; pigou.retention has what holds.
create table pigou.retention_revision (
    kind        text not null,
    revision    integer not null,
    keep_days   integer,                              -- null: for ever
    source      text not null,                        -- who or what stated it
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (kind, revision)
);

create trigger retention_revision_is_append_only before update or delete or truncate on pigou.retention_revision
    for each statement execute function pigou.refuse_change();

-- From when on something holds, in words; null: always.
create function pigou.valid_in_words(valid tstzrange) returns text language sql stable parallel safe as $$
    select nullif(concat_ws(' ', 'from ' || to_char(nullif(lower(valid), '-infinity') at time zone 'UTC', 'YYYY-MM-DD HH24:MI'),
                                 'until ' || to_char(nullif(upper(valid), 'infinity') at time zone 'UTC', 'YYYY-MM-DD HH24:MI')), '')
$$;

grant select, insert on pigou.period_event to pigou_writer;
