-- name: create_export
-- The one table of a spool's file (SQLite). The body stands last, so that what is asked about rows need not read it.
create table export (
    id integer primary key autoincrement,
    received_at integer not null,
    signal text not null,
    encoding text not null,
    compression text not null,
    credential_tenant text,
    checksum blob not null,
    body blob not null
);

-- name: begin_ids
-- Ids go on where the file before ended: they are given once, and tell whether acknowledged exports are missing.
insert into sqlite_sequence (name, seq) values ('export', ?);

-- name: last_id
-- The last id that was given in this file.
select seq from sqlite_sequence where name = 'export';

-- name: append
-- One export; nothing happens when its id is there already, as may be while intact rows are moved to a new file.
insert or ignore into export (id, received_at, signal, encoding, compression, credential_tenant, checksum, body)
values (?, ?, ?, ?, ?, ?, ?, ?);

-- name: rows_after
-- Exports in the order of their arrival, after an id.
select id, received_at, signal, encoding, compression, credential_tenant, checksum, body from export where id > ? order by id;

-- name: row
-- One export, found without its neighbours.
select id, received_at, signal, encoding, compression, credential_tenant, checksum, body from export where id = ?;

-- name: ids_up
-- The ids after one, ascending.
select id from export where id > ? order by id;

-- name: ids_down
-- The ids before one, descending.
select id from export where id < ? order by id desc;

-- name: body_bytes
-- Size of one export's body.
select length(body) from export where id = ?;

-- name: remove
-- Take one export away.
delete from export where id = ?;

-- name: held
-- How many exports there are, and the bytes of their bodies.
select count(*), coalesce(sum(length(body)), 0) from export;

-- name: received
-- Ids and times of receipt, oldest first.
select id, received_at from export order by id;

-- name: schema
-- What the file says that it holds, and on which page each table begins.
select type, name, rootpage, sql from sqlite_schema;
