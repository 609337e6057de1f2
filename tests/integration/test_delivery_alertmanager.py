"""A real Alertmanager, where the machine has one: what we send it opens, stays and ends there, and is told on by it."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger.alerts import act
from tests.books import run
from tests.integration.delivering import channel, deliver, open_alert, resolve, state
from tests.receivers import Receiver, free_port, receiving, wait_for

PROGRAM = shutil.which("alertmanager") or shutil.which("prometheus-alertmanager")
CONFIGURATION = """\
route: {receiver: hook, group_by: [alertname, subject], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers:
- name: hook
  webhook_configs: [{url: "%s/on", send_resolved: true}]
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def alertmanager(tmp_path: Path, receiver: Receiver) -> Iterator[str]:
    """Its address."""
    if PROGRAM is None:
        pytest.skip("no alertmanager on the PATH (Debian has it as prometheus-alertmanager)")
    (tmp_path / "am.yml").write_text(CONFIGURATION % receiver.url)
    port = free_port()
    command = [PROGRAM, f"--config.file={tmp_path}/am.yml", f"--storage.path={tmp_path}/data", "--cluster.listen-address="]
    command.append(f"--web.listen-address=127.0.0.1:{port}")
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(lambda: process.poll() is not None or answers(url))
            assert process.poll() is None, (tmp_path / "log").read_text()
            yield url
        finally:
            process.kill()


def answers(url: str) -> bool:
    try:
        return bool(get(f"{url}/api/v2/status"))
    except OSError:
        return False


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


def standing(url: str) -> dict[str, Any]:
    """What is open there, by subject."""
    return {alert["labels"]["subject"]: alert for alert in get(f"{url}/api/v2/alerts?active=true")}


def told_on(receiver: Receiver) -> set[tuple[str, str]]:
    """Subject and status of everything that it told on."""
    return {(alert["labels"]["subject"], alert["status"]) for got in receiver.taken for alert in got.json["alerts"]}


def test_alerts_open_stay_and_end_there(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver, alertmanager: str
) -> None:
    state(writer, channel("am", kind="alertmanager", url=alertmanager, page="http://127.0.0.1:4320"))
    number = open_alert(writer)
    muted = open_alert(writer, subject="other", severity="critical")
    assert {outcome.result for outcome in deliver(writer, within_s=10)} == {"sent"}
    found = standing(alertmanager)
    assert set(found) == {"calls", "other"}
    first = found["calls"]
    assert first["labels"] == {
        "alertname": "unpriced_share", "tenant": "acme", "subject": "calls", "severity": "warning", "source": "pigou",
    }  # fmt: skip
    assert first["generatorURL"] == f"http://127.0.0.1:4320/alerts?tenant=acme&alert={number}"
    assert first["annotations"]["description"] == "three of sixty have no price"
    ends_at = datetime.fromisoformat(first["endsAt"])
    assert timedelta(minutes=3) < ends_at - datetime.now(UTC) <= timedelta(minutes=4)
    wait_for(lambda: told_on(receiver) == {("calls", "firing"), ("other", "firing")})
    act(writer, muted, "muted", who="ann", tenant="acme", until=datetime.now(UTC) + timedelta(hours=1))
    run(owner, "update pigou.channel_state set repeated_at = repeated_at - interval '1 minute'")
    deliver(writer, within_s=10)
    again = standing(alertmanager)
    assert again["calls"]["fingerprint"] == first["fingerprint"]
    assert again["calls"]["startsAt"] == first["startsAt"]
    assert datetime.fromisoformat(again["calls"]["endsAt"]) > ends_at
    assert again["other"]["endsAt"] == found["other"]["endsAt"]  # not repeated: it ends there by itself
    resolve(writer, number)
    deliver(writer, within_s=10)
    assert set(standing(alertmanager)) == {"other"}
    wait_for(lambda: ("calls", "resolved") in told_on(receiver))
