-- Calls by the ids that they name, so that looking for one reads no other. The day comes before the hash of the id: ids are random, and an
-- index that begins with them is written everywhere at once (docs/decisions/0015-keys-in-order-of-time.md); whoever looks goes through the
-- days. (`interval '0'` is UTC without its name, which would be looked up for every row.) Equal keys share their text, and whoever looks
-- compares the id itself. Answers of providers are found by their keys (pigou.call_key); those that have no such key are few, and have an
-- index of their own.
create index call_conversation on pigou.call (tenant_id, ((started_at at time zone interval '0')::date), hashtext(conversation_id))
 where conversation_id is not null;
create index call_user on pigou.call (tenant_id, ((started_at at time zone interval '0')::date), hashtext(user_id)) where user_id is not null;
create index call_keyless_response on pigou.call (tenant_id, hashtext(response_id)) where length(response_id) not between 13 and 491;

-- The least id that an entry of this millisecond can have (see pigou.entry_id).
create function pigou.entries_at(at timestamptz) returns uuid language sql immutable parallel safe as $$
    select (lpad(to_hex(case when at > '1970-01-01 00:00Z'
                             then (extract(epoch from least(at, '9999-01-01 00:00Z')) * 1000)::bigint else 0 end), 12, '0')
            || repeat('0', 20))::uuid
$$;
