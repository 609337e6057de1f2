"""The tables can be distributed by tenant: keys begin with it, references stay inside it.

Read from the database's own catalog, not from the text of the migrations.
"""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

# The same everywhere, so every machine would hold a copy: they belong to no tenant, or to all.
REFERENCE_TABLES = [
    "tenant",
    "commodity",
    "rate",
    "use_rule",
    "price_source",
    "setting",
    "retention",
    "retention_revision",
    "month_dropped",
    "saved_view",
    "engine_capacity",
    "credential",
    "alembic_version",
]

KEYS_THAT_DO_NOT_BEGIN_WITH_THE_TENANT = """
    select concat(t.relname, ': ', i.relname, ' (', (
               select string_agg(coalesce(a.attname, 'an expression'), ', ' order by k.place)
                 from unnest(x.indkey::smallint[]) with ordinality as k (attnum, place)
                 left join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attnum and k.attnum > 0), ')')
      from pg_index x
      join pg_class t on t.oid = x.indrelid
      join pg_class i on i.oid = x.indexrelid
      left join pg_attribute first on first.attrelid = t.oid and first.attnum = x.indkey[0]
     where t.relnamespace = 'pigou'::regnamespace and t.relname <> all (%(reference)s)
       and (x.indisunique or x.indisexclusion) and first.attname is distinct from 'tenant_id'
     order by 1
"""

TABLES_WITHOUT_A_PRIMARY_KEY = """
    select t.relname
      from pg_class t
     where t.relnamespace = 'pigou'::regnamespace and t.relkind in ('r', 'p') and t.relname <> all (%(reference)s)
       and not exists (select from pg_constraint c where c.conrelid = t.oid and c.contype = 'p')
     order by 1
"""

IDENTITIES_OF_A_TENANTS_TABLE = """
    select concat(t.relname, '.', a.attname)
      from pg_attribute a
      join pg_class t on t.oid = a.attrelid
      left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
     where t.relnamespace = 'pigou'::regnamespace and t.relkind in ('r', 'p') and t.relname <> all (%(reference)s)
       and a.attnum > 0 and not a.attisdropped
       and (a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) like '%%nextval(%%')
     order by 1
"""

REFERENCES_THAT_LEAVE_THE_TENANT = """
    select concat(t.relname, ': ', c.conname)
      from pg_constraint c
      join pg_class t on t.oid = c.conrelid
      join pg_class target on target.oid = c.confrelid
     where c.contype = 'f' and t.relnamespace = 'pigou'::regnamespace
       and target.relname <> all (%(reference)s)
       and not exists (select from unnest(c.conkey) k join pg_attribute a on a.attrelid = t.oid and a.attnum = k
                        where a.attname = 'tenant_id')
     order by 1
"""

MONEY_THAT_IS_NOT_EXACT = """
    select concat(table_schema, '.', table_name, '.', column_name, ' is ', data_type)
      from information_schema.columns
     where table_schema in ('pigou', 'ledger') and column_name ~ '(^|_)usd($|_)' and udt_name not in ('numeric', '_numeric')
     order by 1
"""


def rows(connection: psycopg.Connection, query: str) -> list[str]:
    """The first column of a catalog query."""
    return [row[0] for row in connection.execute(sql.SQL(query), {"reference": REFERENCE_TABLES})]  # pyright: ignore[reportArgumentType]


def test_keys_begin_with_the_tenant(owner: psycopg.Connection) -> None:
    assert rows(owner, KEYS_THAT_DO_NOT_BEGIN_WITH_THE_TENANT) == []


def test_every_table_of_a_tenant_has_a_primary_key(owner: psycopg.Connection) -> None:
    assert rows(owner, TABLES_WITHOUT_A_PRIMARY_KEY) == []


def test_no_global_identity_in_a_tenants_table(owner: psycopg.Connection) -> None:
    assert rows(owner, IDENTITIES_OF_A_TENANTS_TABLE) == []


def test_references_stay_inside_the_tenant(owner: psycopg.Connection) -> None:
    assert rows(owner, REFERENCES_THAT_LEAVE_THE_TENANT) == []


def test_money_is_exact(owner: psycopg.Connection) -> None:
    assert rows(owner, MONEY_THAT_IS_NOT_EXACT) == []


def test_the_reference_tables_exist(owner: psycopg.Connection) -> None:
    named = owner.execute(
        "select relname from pg_class where relnamespace = 'pigou'::regnamespace and relname = any (%s)",
        [REFERENCE_TABLES],
    ).fetchall()
    assert sorted(name for (name,) in named) == sorted(REFERENCE_TABLES)


@pytest.mark.parametrize(
    ("query", "definition", "found"),
    [
        (
            KEYS_THAT_DO_NOT_BEGIN_WITH_THE_TENANT,
            "(tenant_id integer, name text, constraint by_name primary key (name, tenant_id))",
            ["offender: by_name (name, tenant_id)"],
        ),
        (
            KEYS_THAT_DO_NOT_BEGIN_WITH_THE_TENANT,
            "(tenant_id integer primary key, name text constraint one_name unique)",
            ["offender: one_name (name)"],
        ),
        (TABLES_WITHOUT_A_PRIMARY_KEY, "(tenant_id integer)", ["offender"]),
        (
            IDENTITIES_OF_A_TENANTS_TABLE,
            "(tenant_id integer, id bigint generated always as identity, n bigserial, primary key (tenant_id, id))",
            ["offender.id", "offender.n"],
        ),
        (
            REFERENCES_THAT_LEAVE_THE_TENANT,
            "(tenant_id integer primary key, a int, b int, constraint elsewhere foreign key (a, b) references pigou.account)",
            ["offender: elsewhere"],
        ),
        (
            MONEY_THAT_IS_NOT_EXACT,
            "(tenant_id integer primary key, cost_usd double precision)",
            ["pigou.offender.cost_usd is double precision"],
        ),
    ],
)
def test_offenders_are_found(owner: psycopg.Connection, query: str, definition: str, found: list[str]) -> None:
    owner.execute(sql.SQL("create table pigou.offender " + definition))  # pyright: ignore[reportArgumentType]
    assert rows(owner, query) == found
