-- name: credential
-- Whether a credential is wanted, and the one whose token has this hash, if there is one.
select k.is_closed, c.name, c.tenant, c.may, c.valid_until
  from (select count(*) > 0 as is_closed from ledger.credentials where state <> 'revoked') k
  left join ledger.credential_of(decode({token_hash}, 'hex')) c on true;
