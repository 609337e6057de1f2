-- Who may send, read and act. Of a token, 256 random bits, only its SHA-256 is kept: so many bits cannot be guessed from it.
create table pigou.credential (
    token_hash  bytea primary key,
    name        text not null,
    tenant_id   integer references pigou.tenant,      -- null: all tenants
    may         text[] not null,
    valid_until timestamptz,                          -- null: until it is revoked
    created_at  timestamptz not null default now(),
    created_by  text not null,
    revoked_at  timestamptz,
    revoked_by  text,
    constraint credential_hash_is_sha256 check (octet_length(token_hash) = 32),
    constraint credential_may_something_known check (cardinality(may) > 0 and may <@ array['ingest', 'read', 'operate']),
    constraint credential_revoked_by_somebody check ((revoked_at is null) = (revoked_by is null))
);
create unique index credential_name_once on pigou.credential (name) where revoked_at is null;

-- A credential changes once: it is revoked.
create function pigou.refuse_credential_change() returns trigger language plpgsql as $$
begin
    if old.revoked_at is not null or new.revoked_at is null
       or (new.token_hash, new.name, new.tenant_id, new.may, new.valid_until, new.created_at, new.created_by)
          is distinct from (old.token_hash, old.name, old.tenant_id, old.may, old.valid_until, old.created_at, old.created_by) then
        raise exception 'credential %: it may only be revoked, once', old.name using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger credential_is_only_revoked before update on pigou.credential
    for each row execute function pigou.refuse_credential_change();
create trigger credential_is_kept before delete or truncate on pigou.credential
    for each statement execute function pigou.refuse_change();

-- Whoever runs asks for them; the owner alone makes and revokes them.
grant select on pigou.credential to pigou_writer;
