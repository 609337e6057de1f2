"""`pigou credentials` as it is typed: what it prints, and how it refuses."""

from __future__ import annotations

import csv
import io

import psycopg
import pytest

from cli.up import warn_of_open_doors
from ledger.credentials import read_credentials
from ledger.database import connect
from tests.books import one
from tests.typed import Typed

CREATE = ("credentials", "create")


def listed(pigou: Typed, *more: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(pigou("credentials", "list", "--format", "csv", *more)[1])))


def test_a_credential_is_made_listed_and_revoked(pigou: Typed, dsn: str) -> None:
    code, token, said = pigou(*CREATE, "router", "--tenant", "acme", "--may", "ingest", "--may", "read", "--who", "ann")
    assert code == 0
    assert said.splitlines() == [
        "pigou: router may ingest and read, for acme, from some seconds on; the token is shown only now, only its hash is kept",
        "pigou: it is the first: whoever sends, reads or looks at the page without one is refused from now on",
    ]
    assert token.startswith("pigou_")
    assert len(token.strip()) == len("pigou_") + 43  # 256 bits
    code, second, said = pigou(*CREATE, "agent", "--until", "2099-01-01")
    assert (code, said.splitlines()) == (
        0,
        ["pigou: agent may ingest, for all tenants, from some seconds on; the token is shown only now, only its hash is kept"],
    )
    assert second != token
    assert [(row["name"], row["tenant"], row["may"], row["state"], row["created_by"]) for row in listed(pigou)][1] == (
        "router", "acme", "ingest read", "valid", "ann",
    )  # fmt: skip
    assert [row["name"] for row in listed(pigou, "--tenant", "globex")] == ["agent"]
    assert token.strip() not in str(listed(pigou))
    assert pigou("credentials", "revoke", "router", "--who", "bob") == (0, "router: revoked\n", "")
    [row] = [row for row in listed(pigou) if row["name"] == "router"]
    assert (row["state"], row["revoked_by"]) == ("revoked", "bob")
    with connect(dsn, "writer") as writer:
        assert set(read_credentials(writer).credentials) != set()
        assert one(writer, "select count(*) from pigou.credential") == 2


def test_the_last_is_revoked_on_purpose_only(pigou: Typed, writer: psycopg.Connection) -> None:
    pigou(*CREATE, "only", "--until", "2099-01-01")
    code, _, said = pigou("credentials", "revoke", "only")
    what = "only is the last credential: without one everybody who reaches a port may do everything"
    assert (code, said) == (2, f"pigou: {what}; make another first, or say --last\n")
    assert read_credentials(writer).is_closed
    assert pigou("credentials", "revoke", "only", "--last") == (
        0,
        "only: revoked\n",
        "pigou: it was the last: everybody who reaches a port may do everything again\n",
    )
    assert not read_credentials(writer).is_closed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*CREATE, "no name"), "credential 'no name' is no name; use letters, digits, '.', '_' and '-', at most 100"),
        ((*CREATE, "old", "--until", "2020-01-01"), "2020-01-01 23:59 UTC is over; name a later time"),
        (("credentials", "revoke", "nobody"), "there is no credential nobody, or it was revoked; see `pigou credentials list`"),
    ],
)
def test_what_cannot_be_is_refused(pigou: Typed, writer: psycopg.Connection, arguments: tuple[str, ...], said: str) -> None:
    assert pigou(*arguments) == (2, "", f"pigou: {said}\n")
    assert not read_credentials(writer).is_closed


def test_what_it_may_do_is_one_of_three(pigou: Typed) -> None:
    code, _, said = pigou(*CREATE, "agent", "--may", "everything")
    assert code == 2
    assert "'everything' is not one of 'ingest', 'read', 'operate'" in said


def test_a_name_is_used_once_at_a_time(pigou: Typed) -> None:
    pigou(*CREATE, "agent")
    assert pigou(*CREATE, "agent")[2] == "pigou: there is a credential agent already; revoke it first, or choose another name\n"


@pytest.mark.parametrize(
    ("host", "is_open"), [("127.0.0.1", False), ("::1", False), ("localhost", False), ("0.0.0.0", True), ("::", True)]
)
def test_an_installation_that_others_reach_is_told_that_it_is_open(
    pigou: Typed, dsn: str, capsys: pytest.CaptureFixture[str], host: str, is_open: bool
) -> None:
    warn_of_open_doors(host, dsn)
    said = capsys.readouterr().err
    assert said.startswith(f"pigou: listening on {host} without any credential: whoever reaches") if is_open else said == ""
    pigou(*CREATE, "agent")
    warn_of_open_doors(host, dsn)
    assert capsys.readouterr().err == ""
