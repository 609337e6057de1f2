"""What tenants have by number, such as their alerts and findings: found, listed, and shown with its history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from ledger.errors import LedgerError


@dataclass(frozen=True, slots=True)
class Numbered:
    """A kind of thing, with its statements: `find` (whose first columns are tenant_id and tenant), `listed`, `shown`, `history`.

    `wrong` is raised on what is ambiguous or says nothing, `unknown` on what there is not.
    """

    one: str
    queries: Mapping[str, LiteralString]
    wrong: type[LedgerError]
    unknown: type[LedgerError]

    def found(self, connection: psycopg.Connection, number: int, tenant: str | None, query: str = "find") -> tuple[Any, ...]:
        """The row of the one of this number. Without a tenant it must be one tenant's only."""
        rows = connection.execute(self.queries[query], {"number": number, "tenant": tenant}).fetchall()
        if len(rows) > 1:
            tenants = ", ".join(sorted(row[1] for row in rows))
            raise self.wrong(f"several tenants have {self.one} {number}: {tenants}", "name the tenant")
        if not rows:
            raise self._absent(number, tenant)
        return rows[0]

    def listed(self, connection: psycopg.Connection, **parameters: object) -> list[dict[str, Any]]:
        """Those that `listed` chooses, as the view has them."""
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(self.queries["listed"], parameters).fetchall()

    def shown(self, connection: psycopg.Connection, tenant: str, number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """A tenant's one of this number, and its history."""
        key = {"tenant": tenant, "number": number}
        with connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(self.queries["shown"], key).fetchone()
            if row is None:
                raise self._absent(number, tenant)
            return row, cursor.execute(self.queries["history"], key).fetchall()

    def refuse_resolved(self, number: int, owner: str, state: str, see: str) -> None:
        """What is resolved is over."""
        if state == "resolved":
            raise self.wrong(f"{self._noun} {number} of {owner} is resolved already", f"see `pigou {self._noun}s {see}`")

    def refuse_saying_nothing(self, note: str | None) -> None:
        """A note of blanks is none."""
        if not (note or "").strip():
            raise self.wrong("a note says something", "write what is to be known", "note")

    @property
    def _noun(self) -> str:
        return self.one.split()[1]

    def _absent(self, number: int, tenant: str | None) -> LedgerError:
        whose = f" of {tenant}" if tenant else ""
        return self.unknown(f"there is no {self._noun} {number}{whose}", f"see `pigou {self._noun}s list --all`")
