"""What a collector tells Prometheus of itself, read by Prometheus' own parser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from collector.settings import CollectorSettings
from tests.books import Served, chat, request, serving
from tests.doors import PROTOBUF, ask, away, make

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "watching.md"


@pytest.fixture
def served(dsn: str) -> Iterator[Served]:
    """A collector without a spool."""
    with serving(dsn) as collector:
        yield collector


def told(served: Served, token: str | None = None) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    reply = ask(served, "GET", "/metrics", token)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(reply.body.decode())
        for sample in family.samples
    }


def send(served: Served, body: bytes, path: str = "/v1/traces", content_type: str = PROTOBUF) -> int:
    """The status of one export."""
    return ask(served, "POST", path, body=body, content_type=content_type).status


def test_exports_and_records_are_counted_by_what_became_of_them(served: Served) -> None:
    good = request(chat(1, 1), chat(1, 2))
    bad = request(chat(1, 3), chat(1, 4))
    bad.resource_spans[0].scope_spans[0].spans[1].trace_id = b""
    assert [send(served, each.SerializeToString()) for each in (good, good, bad)] == [200, 200, 200]
    assert send(served, b"\xff") == 400
    assert send(served, b"{}", content_type="text/csv") == 415
    assert send(served, b"", "/v1/logs") == 200
    found = told(served)
    assert found["pigou_exports_total", "stored", "span"] == 3
    assert found["pigou_exports_total", "undecodable", "span"] == 1
    assert found["pigou_exports_total", "unsupported", "span"] == 1
    assert found["pigou_exports_total", "stored", "log"] == 1
    assert found["pigou_records_total", "span"] == 5
    assert found["pigou_records_rejected_total", "span"] == 1
    assert found["pigou_export_seconds_count", "span"] == 4
    assert found["pigou_commit_seconds_count",] >= 1
    assert (found["pigou_storing",], found["pigou_database_answers",], found["pigou_inbox_exports",]) == (1, 1, 0)
    assert found["pigou_inbox_limit_bytes",] == CollectorSettings("").queue_limit_bytes
    assert "pigou_spool_exports" not in {name for name, *_ in found}


def test_what_waits_on_disk_is_told(dsn: str, tmp_path: Path) -> None:
    with serving(dsn, spool=tmp_path) as served, away(dsn):
        assert send(served, request(chat(1, 1)).SerializeToString()) == 200
        found = told(served)
    assert (found["pigou_storing",], found["pigou_database_answers",]) == (1, 0)
    assert (found["pigou_exports_total", "stored", "span"], found["pigou_spool_exports",]) == (1, 1)
    assert 0 < found["pigou_spool_bytes",] < found["pigou_spool_limit_bytes",]
    assert ("pigou_records_total", "span") not in found, "it is not in the books yet"


def test_it_wants_a_credential_for_all_tenants_that_may_read(dsn: str) -> None:
    reader, of_one, sender = make(dsn, "reader", "read"), make(dsn, "one", "read", tenant="acme"), make(dsn, "sender", "ingest")
    with serving(dsn) as served:
        assert ask(served, "POST", "/v1/traces", body=b"", content_type=PROTOBUF).status == 401
        assert [ask(served, "GET", "/metrics", token).status for token in (None, of_one, sender)] == [401, 403, 403]
        assert told(served, reader)["pigou_exports_total", "unauthenticated", "span"] == 1


def test_the_document_names_them_all(dsn: str, tmp_path: Path) -> None:
    with serving(dsn, spool=tmp_path) as served:
        assert send(served, request(chat(1, 1)).SerializeToString()) == 200
        shown = {re.sub(r"_(bucket|count|sum)$", "", name) for name, *_ in told(served)}
    documented = re.findall(r"^\| `(pigou_\w+)", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(documented) == sorted(shown)
