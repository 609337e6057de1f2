"""Who is let in: the decision itself, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ledger.credentials import ANYBODY, RIGHTS, Credential, Known, Refused, Right, admit, bearer, hash_of, known_of, tenant_of

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
AGENT = Credential(hash_of("agent's"), "agent", "acme", ("ingest",))
PERSON = Credential(hash_of("person's"), "person", None, ("read", "operate"))
GUEST = Credential(hash_of("guest's"), "guest", None, ("read",), NOW)
KNOWN = known_of([AGENT, PERSON, GUEST])


@pytest.mark.parametrize(
    ("token", "right", "found"),
    [
        ("agent's", "ingest", AGENT),
        ("person's", "read", PERSON),
        ("person's", "operate", PERSON),
        ("agent's", "read", "forbidden"),
        ("agent's", "operate", "forbidden"),
        ("person's", "ingest", "forbidden"),
        ("guest's", "read", "nobody"),
        ("another's", "read", "nobody"),
        ("", "read", "nobody"),
        (None, "read", "nobody"),
    ],
)
def test_who_is_let_in(token: str | None, right: Right, found: Credential | str) -> None:
    said = admit(KNOWN, token, right, NOW)
    assert said == found if isinstance(found, Credential) else isinstance(said, Refused) and said.kind == found


def test_a_credential_lets_in_until_its_time_is_over() -> None:
    assert admit(KNOWN, "guest's", "read", NOW - timedelta(microseconds=1)) == GUEST
    assert admit(KNOWN, "guest's", "read", NOW) == Refused("nobody", "the credential guest was valid until 2026-11-27 12:00 UTC")


def test_one_whose_time_is_over_opens_nothing() -> None:
    assert isinstance(admit(known_of([GUEST]), None, "read", NOW), Refused)


@pytest.mark.parametrize("right", RIGHTS)
def test_anybody_is_let_in_while_there_is_no_credential_and_nobody_while_that_is_not_known(right: Right) -> None:
    assert admit(known_of([]), None, right, NOW) is ANYBODY
    assert admit(known_of([]), "any", right, NOW) is ANYBODY
    said = admit(None, "any", right, NOW)
    assert isinstance(said, Refused)
    assert said.kind == "unknown"


def test_a_hash_that_only_begins_alike_is_another() -> None:
    alike = Credential(AGENT.token_hash[:8] + bytes(24), "alike", None, RIGHTS)
    known = Known(True, {AGENT.token_hash[:8].hex(): alike})
    assert isinstance(admit(known, "agent's", "ingest", NOW), Refused)


def test_nobody_shows_a_hash_for_a_token() -> None:
    assert isinstance(admit(KNOWN, AGENT.token_hash.hex(), "ingest", NOW), Refused)
    assert isinstance(admit(KNOWN, AGENT.token_hash.decode("latin-1"), "ingest", NOW), Refused)


@pytest.mark.parametrize(
    ("credential", "named", "whose"),
    [
        (AGENT, None, "acme"),
        (AGENT, "acme", "acme"),
        (PERSON, None, None),
        (PERSON, "globex", "globex"),
        (ANYBODY, "acme", "acme"),
    ],
)
def test_whose_rows_are_asked_for(credential: Credential, named: str | None, whose: str | None) -> None:
    assert tenant_of(credential, named) == whose


@pytest.mark.parametrize("named", ["globex", "Acme", "acme ", ""])
def test_a_tenants_credential_is_for_no_other(named: str) -> None:
    assert tenant_of(AGENT, named) == Refused("forbidden", f"the credential agent is of tenant acme, not of {named}")


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer t", "t"), ("bearer  t ", "t"), ("BEARER t", "t"), (None, None), ("", None), ("t", None), ("Basic t", None),
        ("Bearer", None), ("Bearer ", None),
    ],
)  # fmt: skip
def test_the_token_of_a_header(header: str | None, token: str | None) -> None:
    assert bearer(header) == token
