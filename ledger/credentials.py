"""Credentials: who may send, read and act, for all tenants or for one; and the decision whether somebody is let in.

As long as no credential was made, everybody who reaches a port is. From the first on nobody is without one, until the last is
revoked on purpose; one whose time is over lets nobody in and opens nothing. A token is 256 random bits, told once and kept
nowhere: the books hold its SHA-256, which so many bits cannot be guessed from, so that no slow hash is needed.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal, TypeAlias

import msgspec
import psycopg

from ledger.errors import CredentialError
from ledger.post import open_tenants
from ledger.queries import queries

_SQL = queries("ledger", "credentials")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FOUND_BY_BYTES = 8
_BEGINS = "pigou_"
"""What every token begins with, so that it is known for one where it must not be, and can be redacted."""

Right: TypeAlias = Literal["ingest", "read", "operate"]
RIGHTS: tuple[Right, ...] = ("ingest", "read", "operate")


class Credential(msgspec.Struct, frozen=True):
    """Somebody who is let in. `tenant` None: for all tenants; `valid_until` None: until it is revoked."""

    token_hash: bytes
    name: str
    tenant: str | None
    may: tuple[Right, ...]
    valid_until: datetime | None = None


ANYBODY = Credential(b"", "anybody", None, RIGHTS)
"""Who asks where no credential was made."""


class Known(msgspec.Struct, frozen=True):
    """What is known of the credentials: whether one is wanted, and those not revoked by the beginning of their hash."""

    is_closed: bool
    credentials: dict[str, Credential] = {}


class Refused(msgspec.Struct, frozen=True):
    """Why somebody is not let in. unknown: whether a credential is wanted is not known yet; nobody: none that is valid was shown;
    forbidden: it is valid, and not for this."""

    kind: Literal["unknown", "nobody", "forbidden"]
    reason: str


def admit(known: Known | None, token: str | None, right: Right, now: datetime) -> Credential | Refused:
    """Who shows this token, or why they are not let in to use the right. `known` None: nothing is known yet."""
    if known is None:
        return Refused("unknown", "whether a credential is wanted is not known until the database answers; try again")
    if not known.is_closed:
        return ANYBODY
    if token is None:
        return Refused("nobody", "a credential is wanted: send the header `Authorization: Bearer TOKEN`")
    shown = hash_of(token)
    found = known.credentials.get(_place(shown))
    if found is None or not hmac.compare_digest(found.token_hash, shown):
        return Refused("nobody", "there is no such credential, or it was revoked; `pigou credentials list` shows those there are")
    if found.valid_until is not None and found.valid_until <= now:
        return Refused("nobody", f"the credential {found.name} was valid until {found.valid_until:%Y-%m-%d %H:%M} UTC")
    if right not in found.may:
        may = " and ".join(found.may)
        return Refused("forbidden", f"the credential {found.name} may {may}; this wants one that may {right}")
    return found


def tenant_of(credential: Credential, named: str | None) -> str | Refused | None:
    """Whose rows somebody asks for who names this tenant, or none; None: all tenants'."""
    if credential.tenant is None:
        return named
    if named in (None, credential.tenant):
        return credential.tenant
    return Refused("forbidden", f"the credential {credential.name} is of tenant {credential.tenant}, not of {named}")


def bearer(header: str | None) -> str | None:
    """The token of an Authorization header; None where it has none."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def hash_of(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode("utf-8", "replace")).digest()


def known_of(rows: Sequence[Credential]) -> Known:
    """What is known where these are the credentials that were not revoked."""
    return Known(bool(rows), {_place(row.token_hash): row for row in rows})


def read_credentials(connection: psycopg.Connection) -> Known:
    """The credentials that were not revoked."""
    rows = connection.execute(_SQL["not_revoked"]).fetchall()
    return known_of([Credential(token_hash, name, tenant, tuple(may), until) for token_hash, name, tenant, may, until in rows])


def create(
    connection: psycopg.Connection, name: str, may: Sequence[Right], *, tenant: str | None, valid_until: datetime | None, who: str
) -> str:
    """Make a credential and answer its token, which nobody can be told again. A tenant that is not known yet is opened.

    Raises CredentialError when the name is none or in use, or its time is over already.
    """
    if not _NAME.fullmatch(name):
        raise CredentialError(f"credential {name!r} is no name", "use letters, digits, '.', '_' and '-', at most 100")
    if valid_until is not None and valid_until <= datetime.now(UTC):
        raise CredentialError(f"{valid_until:%Y-%m-%d %H:%M} UTC is over", "name a later time")
    token = _BEGINS + secrets.token_urlsafe(32)
    with connection.transaction():
        tenant_id = None if tenant is None else open_tenants(connection, [tenant])[tenant]
        stated = {
            "token_hash": hash_of(token), "name": name, "tenant_id": tenant_id, "valid_until": valid_until, "who": who,
            "may": list(may),
        }  # fmt: skip
        try:
            connection.execute(_SQL["add"], stated)
        except psycopg.errors.UniqueViolation as error:
            raise CredentialError(f"there is a credential {name} already", "revoke it first, or choose another name") from error
    return token


def revoke(connection: psycopg.Connection, name: str, *, who: str, is_last: bool = False) -> bool:
    """Revoke a credential; answers whether one is wanted any more. `is_last` allows that none is left.

    Raises CredentialError when there is no such credential, or it is the last one and may not be.
    """
    with connection.transaction():
        connection.execute(_SQL["lock"])  # of two at once one is the last
        standing = {row[0] for row in connection.execute(_SQL["names"]).fetchall()}
        if name not in standing:
            raise CredentialError(f"there is no credential {name}, or it was revoked", "see `pigou credentials list`")
        if standing == {name} and not is_last:
            raise CredentialError(
                f"{name} is the last credential: without one everybody who reaches a port may do everything",
                "make another first, or say --last",
            )
        connection.execute(_SQL["revoke"], {"name": name, "who": who})
    return standing != {name}


def _place(token_hash: bytes) -> str:
    """The beginning of a hash, by which it is found; the whole is compared in constant time."""
    return token_hash[:_FOUND_BY_BYTES].hex()
