-- What senders claim that calls cost, summed beside what the books charge for the same calls, so that no page reads calls for it.
-- Kept as the other roll-ups are, by triggers on pigou.call; a statement that touches no claim pays one look at what it touched.

create table pigou.claim_day (
    tenant_id       integer not null,
    day             date not null,
    dialect         text not null,
    provider        text not null,                    -- '' where none is named, since a key knows no null; 150 characters at most
    model           text not null,
    calls           bigint not null,
    differing_calls bigint not null,
    claimed_usd     numeric not null,                 -- a sender may claim anything, which must stop no posting
    cost_usd        numeric not null,
    primary key (tenant_id, day, dialect, provider, model)
) with (fillfactor = 60);
grant select on pigou.claim_day to pigou_writer;

-- The largest differences are single calls; few calls carry a claim that differs, and only these are in the index.
create index call_claim_differs on pigou.call (started_at)
 where status = 'booked' and claimed_cost_usd is not null and claimed_cost_usd <> cost_usd;

do $do$
declare
    step record;
    statement constant text := $sql$
insert into pigou.claim_day as d (tenant_id, day, dialect, provider, model, calls, differing_calls, claimed_usd, cost_usd)
select tenant_id, (started_at at time zone 'UTC')::date, dialect, left(coalesce(provider, ''), 150),
       left(coalesce(model, ''), 150),
       sum(sign), coalesce(sum(sign) filter (where claimed_cost_usd <> cost_usd), 0), sum(sign * claimed_cost_usd), sum(sign * cost_usd)
  from (%s) changed
 where status = 'booked' and claimed_cost_usd is not null
 group by 1, 2, 3, 4, 5
on conflict (tenant_id, day, dialect, provider, model) do update
   set calls = d.calls + excluded.calls, differing_calls = d.differing_calls + excluded.differing_calls,
       claimed_usd = d.claimed_usd + excluded.claimed_usd, cost_usd = d.cost_usd + excluded.cost_usd
$sql$;
begin
    execute format(statement, 'select 1 as sign, c.* from pigou.call c');
    for step in
        values ('insert', 'new table as arrived', 'select from arrived where claimed_cost_usd is not null',
                'select 1 as sign, a.* from arrived a'),
               ('update', 'old table as gone new table as arrived',
                'select from arrived where claimed_cost_usd is not null union all select from gone where claimed_cost_usd is not null',
                'select 1 as sign, a.* from arrived a union all select -1, g.* from gone g'),
               ('delete', 'old table as gone', 'select from gone where claimed_cost_usd is not null', 'select -1 as sign, g.* from gone g')
    loop
        execute format($sql$
create function pigou.roll_up_claims_on_%1$s() returns trigger
language plpgsql security definer set search_path = pigou, pg_temp as $body$
begin
    if exists (%2$s) then
        %3$s;
    end if;
    return null;
end $body$$sql$, step.column1, step.column3, format(statement, step.column4));
        execute format('create trigger claim_is_rolled_up_on_%1$s after %1$s on pigou.call referencing %2$s
            for each statement execute function pigou.roll_up_claims_on_%1$s()', step.column1, step.column2);
    end loop;
end $do$;
revoke all on function pigou.roll_up_claims_on_insert(), pigou.roll_up_claims_on_update(), pigou.roll_up_claims_on_delete() from public;
