-- Keys in the order of time. Trace ids are random: an index that begins with them is written everywhere at once, so that each new
-- row reads and dirties a page of its own once the index has outgrown the buffers. Rows that come together in time stand together
-- here, and what must be found by a random id has an index as small as can be. Reasons: docs/decisions/0015-keys-in-order-of-time.md.

alter table pigou.record drop constraint record_pkey;
alter table pigou.record add primary key (tenant_id, started_at, trace_id, span_id);
-- One entry holds all rows of a trace (equal keys share their text).
create index record_trace on pigou.record (tenant_id, trace_id);

alter table pigou.call drop constraint call_pkey;
alter table pigou.call add primary key (tenant_id, started_at, trace_id, span_id);
drop index pigou.call_time;  -- the key begins like it
create index call_trace on pigou.call (tenant_id, trace_id);

-- Twenty bytes instead of the key's text; whoever looks compares the text as well.
alter table pigou.call_key drop constraint call_key_pkey;
alter table pigou.call_key add primary key (tenant_id, started_at, trace_id, span_id, key);
create index call_key_hash on pigou.call_key (tenant_id, hashtext(key));
