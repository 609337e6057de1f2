-- What cache writes and rollouts cost, capitalised, depreciated and written off in the book `accrual`. Reasons:
-- docs/decisions/0022-assets-in-a-book-of-their-own.md.

-- A wider check; the scan that proves it again reads the transfers once.
alter table pigou.transfer drop constraint transfer_book_is_known;
alter table pigou.transfer add constraint transfer_book_is_known check (book in ('cash', 'shadow', 'accrual'));

-- What was paid for and is used later: the premium of one call's cache writes, or one batch of rollouts. Not a book: it follows its entries.
create table pigou.asset (
    tenant_id       integer not null,
    asset_id        uuid not null,                    -- hash of kind, trace and span
    kind            text not null,
    item            text not null,                    -- last levels of its accounts: provider and model, or the run
    trace_id        bytea not null,
    span_id         bytea,                            -- the call that wrote; null for a batch, which is a whole trace
    since           timestamptz not null,
    tokens          numeric(38, 12) not null,         -- written, or generated
    capitalised_usd numeric(38, 12) not null,
    depreciated_usd numeric(38, 12) not null,
    written_off_usd numeric(38, 12) not null,
    ends_at         timestamptz,                      -- what is left then is written off, if nothing else comes; null: nothing is left
    why             text not null,
    primary key (tenant_id, asset_id),
    constraint asset_kind_is_known check (kind in ('cache', 'rollouts')),
    constraint asset_is_never_negative check
        (depreciated_usd >= 0 and written_off_usd >= 0 and depreciated_usd + written_off_usd <= capitalised_usd)
);
create index asset_since on pigou.asset (tenant_id, since);
create index asset_open on pigou.asset (tenant_id, ends_at) where ends_at is not null;

-- What became of an asset, step by step, with the one live entry of each step; without one, the step was taken back.
create table pigou.asset_entry (
    tenant_id         integer not null,
    asset_id          uuid not null,
    asset_entry_id    uuid not null,                  -- hash of the asset, the step and what caused it
    step              text not null,
    at                timestamptz not null,
    trace_id          bytea not null,                 -- the call, batch or update that caused it
    span_id           bytea,
    usd               numeric(38, 12) not null,
    debit_account_id  integer not null,
    credit_account_id integer not null,
    revision          integer not null,               -- how many entries it has had before this one
    entry_id          uuid,
    entry_at          timestamptz,
    primary key (tenant_id, asset_id, asset_entry_id),
    constraint asset_step_is_known check (step in ('capitalised', 'depreciated', 'written off')),
    constraint asset_entry_is_positive check (usd > 0)
);

-- Days (UTC) whose assets are to be made again from what is known now.
create table pigou.asset_due (
    tenant_id integer not null,
    kind      text not null,
    day       date not null,
    primary key (tenant_id, kind, day)
);

grant select, insert, update, delete on pigou.asset, pigou.asset_entry, pigou.asset_due to pigou_writer;
