-- name: not_revoked
-- Those that let somebody in, now or until their time was over.
select c.token_hash, c.name, t.tenant, c.may, c.valid_until
  from pigou.credential c left join pigou.tenant t on t.tenant_id = c.tenant_id
 where c.revoked_at is null

-- name: lock
-- One makes or revokes at a time, until its transaction ends; whoever asks goes on.
lock table pigou.credential in share row exclusive mode

-- name: names
-- What those that were not revoked are called.
select name from pigou.credential where revoked_at is null

-- name: add
-- A credential, by what is kept of its token.
insert into pigou.credential (token_hash, name, tenant_id, may, valid_until, created_by)
values (%(token_hash)s, %(name)s, %(tenant_id)s, %(may)s, %(valid_until)s, %(who)s)

-- name: revoke
-- A credential lets nobody in any more.
update pigou.credential set revoked_at = clock_timestamp(), revoked_by = %(who)s where name = %(name)s and revoked_at is null
