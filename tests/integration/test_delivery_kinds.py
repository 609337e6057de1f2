"""Each kind of channel against a real receiver of its kind on loopback: Slack's limits, SMTP with STARTTLS, TLS, login, OTLP."""

from __future__ import annotations

import email
import email.policy
import ssl
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from ledger.alerts import act
from tests.books import one, rows, run, serving
from tests.integration.delivering import SECRET, channel, deliver, hurry, open_alert, resolve, state, states
from tests.receivers import Answer, Mailbox, Receiver, mailing, receiving

LONG = "<http://x|&>" * 1000


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


# ── Slack ────────────────────────────────────────────────────────────────────────────────────────────


def within_limits(document: dict[str, Any]) -> bool:
    """What Slack takes: 50 blocks, 150 characters in a header, 3,000 in a section, some 12,000 in all."""
    texts = [(block["type"], (block.get("text") or block["elements"][0])["text"]) for block in document["blocks"]]
    limits = {"header": 150, "section": 3000, "context": 3000}
    return (
        len(texts) <= 50
        and all(0 < len(text) <= limits[kind] for kind, text in texts)
        and sum(len(text) for _, text in texts) < 12_000
        and 0 < len(document["text"]) <= 4000
    )


def test_slack(writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver) -> None:
    state(writer, channel(kind="slack", url="env:SLACK", page="http://127.0.0.1:4320"))
    number = open_alert(writer, subject="<calls> & more")
    secrets = {"SLACK": f"{receiver.url}/services/T0/B0/x"}
    [outcome] = deliver(writer, secrets)
    assert outcome.answer == "200 ok"
    [got] = receiver.got
    assert got.path == "/services/T0/B0/x"
    assert within_limits(got.json)
    assert got.json["blocks"][0] == {
        "type": "header",
        "text": {"type": "plain_text", "text": "warning opened: unpriced_share <calls> & more of acme"},
    }
    assert got.json["text"] == "warning opened: unpriced_share &lt;calls&gt; &amp; more of acme"
    section = got.json["blocks"][1]["text"]["text"]
    assert section.startswith("three of sixty have no price\n_To mend it:_ give one")
    assert f"<http://127.0.0.1:4320/alerts?tenant=acme&amp;alert={number}|alert {number}>" in section
    assert one(writer, "select message_key::text from ledger.deliveries") in got.json["blocks"][-1]["elements"][0]["text"]
    resolve(writer, number)
    paced = "select next_at - last_sent_at >= interval '0.99 seconds' from ledger.channels"
    assert one(writer, paced)  # one message a second
    hurry(owner)
    deliver(writer, secrets)
    assert "_ann:_ priced" in receiver.got[1].json["blocks"][1]["text"]["text"]


def test_much_at_once_stays_within_slacks_limits(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver
) -> None:
    state(writer, channel(kind="slack", url="env:SLACK", page="http://127.0.0.1:4320"))
    for subject in range(25):
        open_alert(writer, subject=f"{subject} {LONG}"[:900])
    longer = "jsonb_build_object('message', %s::text, 'mend', %s::text, 'note', %s::text)"
    run(owner, f"update pigou.delivery set said = said || {longer}", LONG, LONG, LONG)
    for _ in range(3):
        deliver(writer, {"SLACK": receiver.url})
        hurry(owner)
    assert [len(got.json["blocks"]) - 2 for got in receiver.taken] == [10, 10, 5]
    assert all(within_limits(got.json) for got in receiver.taken)
    texts = [block["text"]["text"] for got in receiver.taken for block in got.json["blocks"] if block["type"] == "section"]
    assert all(not text.rstrip("…").endswith(("&", "&a", "&am", "&l", "&lt", "&g", "&gt")) for text in texts)


# ── e-mail ───────────────────────────────────────────────────────────────────────────────────────────

MAIL: dict[str, Any] = {"kind": "email", "host": "127.0.0.1", "from": "pigou@books.example", "to": ["ops@books.example"]}


def mails(mailbox: Mailbox) -> list[EmailMessage]:
    read = [email.message_from_bytes(envelope.original_content or b"", policy=email.policy.default) for envelope in mailbox.got]
    return [mail for mail in read if isinstance(mail, EmailMessage)]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # the server does not see that it has TLS already
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail(writer: psycopg.Connection, authority: trustme.CA, ca_file: str, security: str) -> None:
    with mailing(authority, tls=security == "tls", login=("pigou", "horse")) as mailbox:
        login: dict[str, Any] = {"user": "pigou", "password": "env:PASSWORD"}
        state(writer, channel(port=mailbox.port, security=security, ca_file=ca_file, **MAIL, **login))
        number = open_alert(writer, subject="Überlauf\nX-Evil: 1")
        assert [outcome.result for outcome in deliver(writer, {"PASSWORD": "horse"}, within_s=10)] == ["sent"]
        act(writer, number, "noted", who="ann", note="seen", tenant="acme")
        resolve(writer, number)
        deliver(writer, {"PASSWORD": "horse"}, within_s=10)
        assert mailbox.logins == [("pigou", "horse")] * 2
        assert mailbox.secured == [security == "starttls"] * 2  # it does not see that it has TLS from the start
        opened, resolved = mails(mailbox)
        assert opened["subject"] == "[Pigou] warning opened: unpriced_share Überlauf X-Evil: 1 of acme"
        assert "x-evil" not in {name.lower() for name in opened}
        assert (opened["to"], opened["auto-submitted"]) == ("ops@books.example", "auto-generated")
        assert opened["references"] == resolved["references"]
        said = opened.get_content().replace("\r\n", "\n")
        assert "three of sixty have no price\nTo mend it: give one" in said
        assert "ann: priced" in resolved.get_content()
        key = one(writer, "select message_key::text from ledger.deliveries where event = 'opened'")
        assert opened["message-id"] == f"<{key}@books.example>"


def test_mail_that_is_not_taken(
    writer: psycopg.Connection, owner: psycopg.Connection, authority: trustme.CA, ca_file: str
) -> None:
    """For a while, for ever, by one of two recipients, with a wrong password, without trust, and by nobody."""
    with mailing(authority) as mailbox:
        two: dict[str, Any] = MAIL | {"to": ["ops@books.example", "gone@books.example"]}
        state(writer, channel(port=mailbox.port, ca_file=ca_file, **two))
        mailbox.refused = {"gone@books.example"}
        mailbox.replies = ["451 later", "554 looks like spam"]
        open_alert(writer)
        said: list[tuple[str, str]] = []
        for _ in range(3):
            said += [(outcome.result, outcome.answer) for outcome in deliver(writer, {}, within_s=10)]
            hurry(owner)
        assert said == [
            ("failed", "451 later"), ("refused", "554 looks like spam"),
            ("sent", "not to gone@books.example: 550 nobody of that name"),
        ]  # fmt: skip
        assert [envelope.rcpt_tos for envelope in mailbox.got] == [["ops@books.example"]]
        assert mailbox.secured == [True]
        mailbox.refused.add("ops@books.example")
        open_alert(writer, subject="other")
        [outcome] = deliver(writer, {}, within_s=10)
        assert (outcome.result, outcome.answer.count("550 nobody")) == ("refused", 2)
        state(writer, channel(port=mailbox.port, **two))  # nobody vouches for it
        [outcome] = deliver(writer, {}, within_s=10)
        assert outcome.result == "failed"
        assert "CERTIFICATE_VERIFY_FAILED" in outcome.answer
    hurry(owner)
    assert [outcome.result for outcome in deliver(writer, {}, within_s=10)] == ["failed"]


def test_mail_with_a_wrong_password_and_to_one_that_hangs(
    writer: psycopg.Connection, authority: trustme.CA, ca_file: str, receiver: Receiver
) -> None:
    with mailing(authority, login=("pigou", "horse")) as mailbox:
        state(writer, channel(port=mailbox.port, ca_file=ca_file, user="pigou", password="env:PASSWORD", **MAIL))
        open_alert(writer)
        [outcome] = deliver(writer, {"PASSWORD": "donkey"}, within_s=10)
        assert outcome.result == "failed"
        assert "SMTPAuthenticationError" in outcome.answer
    port = int(receiver.url.rpartition(":")[2])  # it waits for a request as we wait for a greeting
    state(writer, channel(port=port, **MAIL))
    assert [outcome.answer for outcome in deliver(writer, {}, within_s=0.5)] == ["no answer within 0.5 s"]


# ── OTLP ─────────────────────────────────────────────────────────────────────────────────────────────


def test_otlp_records(writer: psycopg.Connection, receiver: Receiver) -> None:
    state(writer, channel(kind="otlp", url=receiver.url, headers={"authorization": "env:TOKEN"}))
    number = open_alert(writer, severity="critical")
    receiver.answers = [Answer(body=b"")]
    assert [outcome.result for outcome in deliver(writer, {"TOKEN": "Bearer x"})] == ["sent"]
    [got] = receiver.got
    assert (got.path, got.headers["authorization"]) == ("/v1/logs", "Bearer x")
    [group] = ExportLogsServiceRequest.FromString(got.body).resource_logs
    [record] = group.scope_logs[0].log_records
    attributes = {one.key: one.value.string_value or one.value.int_value for one in record.attributes}
    assert (record.event_name, record.severity_number, record.body.string_value) == (
        "pigou.alert", 17, "three of sixty have no price",
    )  # fmt: skip
    assert attributes | {
        "tenant.id": "acme", "pigou.alert.id": number, "pigou.event": "opened", "pigou.alert.rule": "unpriced_share",
        "pigou.message.key": one(writer, "select message_key::text from ledger.deliveries"),
    } == attributes  # fmt: skip


def test_otlp_that_rejects(writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver) -> None:
    """What was rejected must not be sent again: it is dead at once. What answers something else is no OTLP endpoint."""
    state(writer, channel(kind="otlp", url=receiver.url))
    open_alert(writer)
    rejecting = ExportLogsServiceResponse()
    rejecting.partial_success.rejected_log_records, rejecting.partial_success.error_message = 1, "full"
    receiver.answers = [Answer(body=b"<html>hello</html>"), Answer(503), Answer(body=rejecting.SerializeToString())]
    said: list[tuple[str, str]] = []
    for _ in range(3):
        said += [(outcome.result, outcome.answer) for outcome in deliver(writer)]
        hurry(owner)
    assert said == [
        ("failed", "what answered is no OTLP endpoint: its answer is no ExportLogsServiceResponse"),
        ("failed", "503"),
        ("lost", "1 records rejected: full"),
    ]
    assert [row[3] for row in states(writer)] == ["dead"]
    assert deliver(writer) == []


def test_otlp_to_a_collector(dsn: str, writer: psycopg.Connection) -> None:
    """Our own, which takes them in as it takes anybody's."""
    with serving(dsn) as served:
        state(writer, channel(kind="otlp", url=f"http://{served.http}/v1/logs"))
        open_alert(writer)
        assert [outcome.result for outcome in deliver(writer, within_s=10)] == ["sent"]
    assert rows(writer, "select tenant, records, rejected from ledger.ingest where signal = 'log'") == [("acme", 1, 0)]


# ── over TLS ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_webhook_over_tls(writer: psycopg.Connection, owner: psycopg.Connection, authority: trustme.CA, ca_file: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with receiving(tls=context) as receiver:
        state(writer, channel(url=receiver.url, group_for=timedelta(0)))
        open_alert(writer)
        [outcome] = deliver(writer, {"OPS_SECRET": SECRET})
        assert outcome.result == "failed"
        assert "CERTIFICATE_VERIFY_FAILED" in outcome.answer
        state(writer, channel(url=receiver.url, ca_file=ca_file))
        assert [outcome.result for outcome in deliver(writer, {"OPS_SECRET": SECRET}, within_s=5)] == ["sent"]
