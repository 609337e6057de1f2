"""Asking a collector with a credential and without, over HTTP, and every route that there is to ask."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from collector.app import build_app
from collector.pipeline import Pipeline
from collector.settings import CollectorSettings
from ledger import credentials
from ledger.credentials import RIGHTS, Right
from ledger.database import connect
from tests.books import Served, request

PROTOBUF = "application/x-protobuf"
OTLP = ("/v1/traces", "/v1/logs", "/v1/metrics")
SOON_S = 10.0


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def reason(self) -> str:
        """Why something was refused, as the API says it."""
        return json.loads(self.body)["detail"]


def ask(
    served: Served,
    method: str,
    path: str,
    token: str | None = None,
    body: object = None,
    content_type: str = "application/json",
) -> Reply:
    """Ask with a token, or without one; bytes are sent as they are, all else as JSON."""
    connection = http.client.HTTPConnection(served.http, timeout=60)
    try:
        headers = {"Content-Type": content_type} | ({"Authorization": f"Bearer {token}"} if token else {})
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, path, sent, headers)
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def send(served: Served, token: str | None, *spans: Any, tenant: str | None = None) -> Reply:
    """Export spans in protobuf."""
    return ask(served, "POST", "/v1/traces", token, request(*spans, tenant=tenant).SerializeToString(), PROTOBUF)


def make(dsn: str, name: str, *may: Right, tenant: str | None = None, until: datetime | None = None) -> str:
    """A credential's token."""
    with connect(dsn, "owner") as owner:
        return credentials.create(owner, name, may or RIGHTS, tenant=tenant, valid_until=until, who="test")


def revoke(dsn: str, name: str, *, is_last: bool = False) -> None:
    """Let it in no more."""
    with connect(dsn, "owner") as owner:
        credentials.revoke(owner, name, who="test", is_last=is_last)


def comes(served: Served, token: str | None, status: int) -> None:
    """Wait until whoever shows this token is answered so."""
    deadline = time.monotonic() + SOON_S
    while (found := ask(served, "GET", "/v1/rules", token).status) != status:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


NOWHERE = "/{path:path}"
"""Where nothing is: what is answered there is tested by itself."""


def routes() -> list[tuple[str, str]]:
    """Method and path of everything that a collector answers, documented or not."""
    settings = CollectorSettings("host=nowhere", workers=0)
    app = build_app(Pipeline(settings), settings)
    found = [(method, path) for path, methods in flat(app.routes) for method in methods if path != NOWHERE]
    assert len(found) > 35
    return sorted(found)


def flat(listed: Sequence[Any]) -> Iterator[tuple[str, set[str]]]:
    """Path and methods of routes, and of those that they include."""
    for route in listed:
        if (router := getattr(route, "original_router", None)) is not None:
            yield from flat(router.routes)
        else:
            yield route.path, route.methods


def filled(path: str) -> str:
    """A path with something in each of its places."""
    for place in ("budget", "rule", "channel", "hold_id"):
        path = path.replace("{" + place + "}", "unpriced_share")
    for place in ("alert_id", "finding_id", "view_id", "test_id", "number"):
        path = path.replace("{" + place + "}", "1")
    assert "{" not in path, "say what stands in its place"
    return path


@contextmanager
def away(dsn: str) -> Generator[None]:
    """Nobody can connect to the database, and who was connected no longer is."""
    with psycopg.connect(dsn.replace("/pigou_test?", "/postgres?"), autocommit=True) as server:
        server.execute("alter database pigou_test with allow_connections false")
        server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'pigou_test'")
        try:
            yield
        finally:
            server.execute("alter database pigou_test with allow_connections true")
