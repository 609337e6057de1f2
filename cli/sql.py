"""`pigou dsn` and `pigou sql`: the books for any program, and a query at the terminal."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError
from cli.home import DATABASE_VARIABLE, connected, database_address, dsn_for_role, home_to_read
from cli.options import Format, FormatOption, HomeOption, RoleName
from cli.terminal import nearest, one_line, say

if TYPE_CHECKING:
    import psycopg

_COLUMNS = """
select c.relname, a.attname
  from pg_class c join pg_attribute a on a.attrelid = c.oid
 where c.relnamespace = 'ledger'::regnamespace and c.relkind = 'v' and a.attnum > 0
 order by c.relname, a.attnum"""
_CALLER_IS_WRONG = ("42", "25006", "22")  # SQLSTATE: syntax, names and privileges; read-only; values


def dsn(
    home: HomeOption = None,
    role: Annotated[RoleName, typer.Option("--role", help="Whose rights the address gives.")] = RoleName.READER,
) -> None:
    """Print the database's address for psql, BI tools and programs."""
    import os

    url = os.environ.get(DATABASE_VARIABLE)
    found = home_to_read(home)
    running = found.running()
    if not url and not running:
        raise CommandError(f"nothing runs on {found.path}", "start `pigou up`, or name another --home")
    say(dsn_for_role(url or (running.dsn if running else ""), role.value))


def sql(
    query: Annotated[str | None, typer.Argument(help="The query; - reads it from standard input.")] = None,
    home: HomeOption = None,
    chosen: FormatOption = Format.TABLE,
    file: Annotated[
        Path | None,
        typer.Option("--file", exists=True, dir_okay=False, metavar="FILE", help="A file with the query."),
    ] = None,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.001, metavar="SECONDS", help="How long a statement may run.")
    ] = 60.0,
) -> None:
    """Run a query on the books, read-only, and print its rows."""
    import psycopg

    text = _query(query, file)
    with (
        database_address("reader", home) as address,
        connected(dsn_for_role(address, "reader"), "reader", autocommit=False) as books,
    ):
        books.read_only = True
        books.execute("select set_config('statement_timeout', %s, true)", (f"{timeout_s * 1000:.0f}ms",))
        try:
            with books.cursor() as cursor:
                cursor.execute(text.encode())
                write(cursor, chosen)
        except psycopg.Error as error:
            code = error.sqlstate or ""
            exit_code = 2 if code.startswith(_CALLER_IS_WRONG) else 1
            raise CommandError(describe(error, text), _meant(books, error, text), exit_code=exit_code) from error


def write(cursor: psycopg.Cursor[tuple[object, ...]], chosen: Format) -> None:
    """The rows, as chosen."""
    from cli.rows import write_cursor

    write_cursor(cursor, chosen)


def describe(error: psycopg.Error, query: str) -> str:
    """PostgreSQL's complaint in one line: what, where in the query, and its hint."""
    diagnosis = error.diag
    line = diagnosis.message_primary or str(error)
    if diagnosis.message_detail:
        line += f" ({diagnosis.message_detail})"
    if diagnosis.statement_position:
        line += f", {_place(query, int(diagnosis.statement_position))}"
    if diagnosis.message_hint:
        line += f"; hint: {diagnosis.message_hint}"
    return one_line(line)


def _meant(books: psycopg.Connection, error: psycopg.Error, query: str) -> str:
    """Views or columns that a name may mean which is not there; empty where PostgreSQL says it itself, or nothing is near."""
    import psycopg

    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return "the views of schema ledger are what is read (docs/sql.md)"
    position = error.diag.statement_position
    if error.diag.message_hint or position is None:
        return ""
    of_table = isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName)
    if not of_table and not isinstance(error, psycopg.errors.UndefinedColumn):
        return ""
    named = re.match(r'[\w."]*', query[int(position) - 1 :])
    word = named[0].replace('"', "").rpartition(".")[2].lower() if named else ""
    books.rollback()
    columns: dict[str, list[str]] = {}
    for view, column in books.execute(_COLUMNS):
        columns.setdefault(view, []).append(column)
    if of_table:
        return f"write ledger.{word}" if word in columns else nearest(f"ledger.{word}", [f"ledger.{view}" for view in columns])
    asked = [view for view in columns if re.search(rf"\bledger\s*\.\s*{view}\b", query, re.IGNORECASE)]
    return nearest(word, sorted({column for view in asked for column in columns[view]})) or "; ".join(
        f"ledger.{view} has {', '.join(columns[view])}" for view in asked
    )


def _place(query: str, position: int) -> str:
    """`at line 2, column 8, near "…"`; position counts characters from 1."""
    before = query[: position - 1]
    line, column = before.count("\n") + 1, position - (before.rfind("\n") + 1)
    rest = query[position - 1 :].split("\n", maxsplit=1)[0].strip()
    near = f', near "{rest[:30]}"' if rest else ", at its end"
    return f"at column {column}{near}" if "\n" not in query.strip() else f"at line {line}, column {column}{near}"


def _query(query: str | None, file: Path | None) -> str:
    if (query is None) == (file is None):
        raise CommandError("give one query", 'as in pigou sql "select * from ledger.calls limit 5", or --file', exit_code=2)
    text = file.read_text() if file else sys.stdin.read() if query == "-" else query or ""
    if not text.strip():
        raise CommandError("the query is empty", "write one, or name a --file that holds one", exit_code=2)
    return text
