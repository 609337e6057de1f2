"""`pigou sql` and a name that is not there: it says the one that may be meant."""

from __future__ import annotations

import psycopg
import pytest

from tests.books import price
from tests.typed import Typed


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select * from calls", '"calls"; write ledger.calls\n'),
        ('select * from "Calls"', "; write ledger.calls\n"),
        ("select 1,\n 2 from ledger.cals", "; did you mean ledger.calls, "),
        ("select cost from ledger.calls", "; did you mean cost_usd?\n"),
        (
            "select zzz from Ledger.period_events",
            "; ledger.period_events has tenant, event_id, at, event, closed_through, who, note\n",
        ),
        ("select * from pigou.call", "; the views of schema ledger are what is read (docs/sql.md)\n"),
        ("select c.cost_us from ledger.calls c", 'hint: Perhaps you meant to reference the column "c.cost_usd".\n'),
        ("select nothing(1)", "; hint: No function matches"),
        ("selec 1", '"selec 1"\n'),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_one_that_is(
    pigou: Typed, writer: psycopg.Connection, query: str, said: str
) -> None:
    price(writer, tenant="acme")
    code, out, err = pigou("sql", query)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
