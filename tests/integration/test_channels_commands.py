"""`pigou channels`, `pigou maintenance` and `pigou alerts note` as they are typed: what they print, and how they refuse."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from standardwebhooks import Webhook as Verifier

from tests.books import rows
from tests.integration.delivering import SECRET, deliver, open_alert, resolve
from tests.receivers import Answer, Receiver, receiving
from tests.typed import Typed


def table(output: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(output)))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def file(tmp_path: Path, receiver: Receiver) -> Path:
    path = tmp_path / "channels.yaml"
    path.write_text(
        "channels:\n"
        f"- {{name: ops, kind: webhook, url: '{receiver.url}', secret: 'env:OPS_SECRET', group_for: 0s}}\n"
        "- {name: team, kind: slack, tenant: acme, url: 'env:NO_SLACK', rules: [books_check], severity: warning}\n"
    )
    return path


def test_channels_are_imported_listed_and_removed(pigou: Typed, writer: psycopg.Connection, file: Path) -> None:
    assert pigou("channels", "import", str(file)) == (0, "channels: 2 added, 0 changed, 0 as before\n", "")
    assert pigou("channels", "import", str(file))[1] == "channels: 0 added, 0 changed, 2 as before\n"
    file.write_text(file.read_text().replace("severity: warning", "severity: critical"))
    assert pigou("channels", "import", str(file))[1] == "channels: 0 added, 1 changed, 1 as before\n"
    listed = table(pigou("channels", "list", "--format", "csv")[1])
    assert [(row["tenant"], row["channel"], row["kind"], row["severity_min"], row["revision"]) for row in listed] == [
        ("", "ops", "webhook", "info", "1"), ("acme", "team", "slack", "critical", "2"),
    ]  # fmt: skip
    assert {row["state"] for row in listed} == {"not yet used"}
    assert [row["channel"] for row in table(pigou("channels", "list", "--tenant", "beta", "--format", "csv")[1])] == ["ops"]
    assert pigou("channels", "remove", "team", "--tenant", "acme")[1] == "channel team of acme removed\n"
    assert [row["channel"] for row in table(pigou("channels", "list", "--format", "csv")[1])] == ["ops"]
    code, _, err = pigou("channels", "remove", "team", "--tenant", "acme")
    assert (code, err) == (2, "pigou: tenant acme has no channel team; see `pigou channels list`; --tenant says whose\n")
    assert pigou("channels", "import", str(file))[1] == "channels: 1 added, 0 changed, 1 as before\n"
    kept = rows(writer, "select revision, is_on from pigou.channel where channel = 'team' order by 1")
    assert kept == [(1, True), (2, True), (3, False), (4, True)]
    assert "OPS_SECRET" in rows(writer, "select settings::text from ledger.channels where channel = 'ops'")[0][0]


def test_a_channel_is_tried(pigou: Typed, monkeypatch: pytest.MonkeyPatch, receiver: Receiver, file: Path) -> None:
    pigou("channels", "import", str(file))
    monkeypatch.setenv("OPS_SECRET", SECRET)
    assert pigou("channels", "test", "ops") == (0, "channel ops took the test: 200 ok\n", "")
    assert Verifier(SECRET).verify(receiver.got[0].body, receiver.got[0].headers)["type"] == "pigou.alerts.test"
    receiver.answers = [Answer(403, body=b"who are you")]
    code, _, err = pigou("channels", "test", "ops")
    assert (code, err) == (
        1,
        "pigou: channel ops did not take the test: 403 who are you; mend that, or import the channel anew\n",
    )
    code, _, err = pigou("channels", "test", "team", "--tenant", "acme")
    assert (code, "the environment has no NO_SLACK" in err) == (1, True)
    assert pigou("channels", "test", "gone")[0] == 2


def test_deliveries_are_listed(pigou: Typed, writer: psycopg.Connection, receiver: Receiver, file: Path) -> None:
    pigou("channels", "import", str(file))
    number = open_alert(writer)
    receiver.answers = [Answer(503)]
    deliver(writer)
    [listed] = table(pigou("channels", "deliveries", "--format", "csv")[1])
    assert (listed["event"], listed["channel"], listed["state"], listed["attempts"], listed["answer"]) == (
        "opened", "ops", "waiting", "1", "503 ok",
    )  # fmt: skip
    assert pigou("alerts", "note", str(number), "seen", "--who", "ann")[1] == "acme: alert 1 noted\n"
    resolve(writer, number)
    assert len(table(pigou("channels", "deliveries", "--channel", "ops", "--format", "csv")[1])) == 2
    assert table(pigou("channels", "deliveries", "--tenant", "beta", "--all", "--format", "csv")[1]) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("channels:\n- {name: x, kind: slack, url: 'https://x'}\n", "line 2: url: say where the secret is read from"),
        (
            "channels:\n- {name: x, kind: slack, url: 'env:X', rules: [gone]}\n",
            "channel x: there is no rule 'gone'; the rules are",
        ),
    ],
)
def test_channels_that_cannot_be(pigou: Typed, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    code, out, err = pigou("channels", "import", str(tmp_path / "c.yaml"))
    assert (code, out, said in err, err.count("\n")) == (2, "", True, 1)
    assert pigou("channels", "import", str(tmp_path / "none.yaml"))[0] == 2


def test_a_rules_severity(pigou: Typed) -> None:
    assert pigou("alerts", "set", "unpriced_share", "--severity", "critical")[1] == "unpriced_share for all: revision 2\n"
    listed = {row["rule"]: row["severity"] for row in table(pigou("alerts", "rules", "--format", "csv")[1])}
    assert (listed["unpriced_share"], listed["suspense_share"], listed["delivery"]) == ("critical", "warning", "critical")
    assert pigou("alerts", "set", "unpriced_share", "--severity", "grave")[0] == 2


def test_maintenance(pigou: Typed, writer: psycopg.Connection) -> None:
    planned = (
        "maintenance",
        "plan",
        "--for",
        "2h",
        "--tenant",
        "acme",
        "--rule",
        "books_check",
        "--note",
        "moving",
        "--who",
        "ann",
        "--new-tenant",
    )
    code, out, _ = pigou(*planned)
    assert (code, out.startswith("maintenance 1 of acme, ")) == (0, True)
    assert pigou("maintenance", "plan", "--from", "2098-01-01", "--until", "2099-01-01T02:00+02:00", "--subject", "x")[1] == (
        "maintenance 1 of all tenants, 2098-01-01 00:00 to 2099-01-01 00:00 UTC\n"
    )
    listed = table(pigou("maintenance", "list", "--format", "csv")[1])
    assert [(row["tenant"], row["state"], row["rule"], row["subject"], row["note"]) for row in listed] == [
        ("acme", "going on", "books_check", "", "moving"), ("", "planned", "", "x", ""),
    ]  # fmt: skip
    assert pigou("maintenance", "end", "1", "--tenant", "acme", "--who", "bob")[1] == "maintenance 1 of acme ended\n"
    assert [row["tenant"] for row in table(pigou("maintenance", "list", "--format", "csv")[1])] == [""]
    ended = table(pigou("maintenance", "list", "--all", "--tenant", "acme", "--format", "csv")[1])
    assert [(row["state"], row["ended_by"]) for row in ended] == [("over", "bob"), ("planned", "")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan",), "when does it end? give one of --until and --for"),
        (("plan", "--for", "1h", "--until", "2099-01-01"), "when does it end?"),
        (("plan", "--until", "2020-01-01"), "maintenance ends after it begins, and in the time to come"),
        (("plan", "--for", "1h", "--rule", "x"), "there is no rule 'x'"),
        (("end", "9"), "there is no maintenance 9 of all tenants that is not over"),
    ],
)
def test_maintenance_that_cannot_be(pigou: Typed, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = pigou("maintenance", *arguments)
    assert (code, out, said in err, err.count("\n")) == (2, "", True, 1)
