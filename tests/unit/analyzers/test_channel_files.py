"""Files of channels: what is read, and how each fault is named with its line and field."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from analyzers.delivery.channel_files import read_channels
from analyzers.delivery.outbox import delay
from analyzers.delivery.secret import SecretAbsent, reveal
from analyzers.delivery.webhook import key_of
from ledger.channels import Alertmanager, ChannelError, Email, Otlp, Slack, Webhook
from tests.tidy.tree import ROOT

HOOK = "- {name: ops, kind: webhook, url: 'https://ops.example/x', secret: 'env:OPS_SECRET'"


def written(folder: Path, text: str) -> Path:
    path = folder / "channels.yaml"
    path.write_text(text)
    return path


def test_all_kinds(tmp_path: Path) -> None:
    """The file that the documentation shows."""
    page = (ROOT / "docs" / "alerts.md").read_text()
    channels = read_channels(written(tmp_path, page.partition("```yaml\n")[2].partition("```")[0]))
    assert [type(channel.settings) for channel in channels] == [Webhook, Slack, Email, Alertmanager, Otlp]
    assert len({channel.name for channel in channels}) == 5
    assert any(channel.escalate_after == timedelta(minutes=30) for channel in channels)


def test_what_is_left_out(tmp_path: Path) -> None:
    [channel] = read_channels(written(tmp_path, f"channels:\n{HOOK}}}\n"))
    assert (channel.kind, channel.tenant, channel.rules, channel.severity) == ("webhook", None, None, "info")
    assert (channel.group_for, channel.give_up_after, channel.escalate_after) == (timedelta(seconds=5), timedelta(days=3), None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no list of channels; begin with `channels:`"),
        ("channels: {a: 1}\n", "is no list of channels"),
        ("- a\n", "is no list of channels"),
        ("channels: []\n", "holds no channels"),
        ("channels:\n- ops\n", "line 2: is no channel"),
        ("channels:\n  - name: [\n", "line 3: is no YAML"),
        ("channels:\n- {name: ops}\n", "line 2: kind is missing; it is webhook, slack, email"),
        ("channels:\n- {name: ops, kind: pigeon}\n", "line 2: Invalid value 'pigeon'"),
        (f"channels:\n{HOOK}, sceret: x}}\n", "line 2: Object contains unknown field `sceret`"),
        (f"channels:\n{HOOK}}}\n{HOOK}}}\n", "line 3: channel ops stands in line 2 too"),
        (f"channels:\n{HOOK}, severity: grave}}\n", "line 2: Invalid enum value 'grave' - at `$.severity`"),
        (f"channels:\n{HOOK}, group_for: soon}}\n", "'soon' is no length of time"),
        (f"channels:\n{HOOK}, give_up_after: 0d}}\n", "give_up_after and escalate_after are longer than nothing"),
        (f"channels:\n{HOOK}, escalate_after: 0m}}\n", "give_up_after and escalate_after are longer than nothing"),
        (f"channels:\n{HOOK}, tenant: acme, tenants: [beta]}}\n", "a channel of one tenant has no list of tenants"),
        (
            f"channels:\n{HOOK}, headers: {{authorization: 'Bearer x'}}}}\n",
            "headers: authorization: say where the secret is read from",
        ),
        (f"channels:\n{HOOK}, headers: {{'a b': 'env:X'}}}}\n", "'a b' is no name of a header"),
        (f"channels:\n{HOOK}, page: 'books.example'}}\n", "page: 'books.example' is no address"),
        (
            "channels:\n- {name: o, kind: webhook, url: 'https://x/', secret: s3cret}\n",
            "secret: say where the secret is read from",
        ),
        ("channels:\n- {name: o, kind: webhook, url: 'ftp://x/', secret: 'env:S'}\n", "'ftp://x/' is no address"),
        ("channels:\n- {name: o, kind: webhook, url: 'https://a:b@x/', secret: 'env:S'}\n", "no user and password in an address"),
        ("channels:\n- {name: o, kind: webhook, url: 'https://x:99999/', secret: 'env:S'}\n", "is no address"),
        ("channels:\n- {name: o, kind: slack, url: 'https://hooks.slack.example/x'}\n", "url: say where the secret is read from"),
        ("channels:\n- {name: o o, kind: slack, url: 'env:S'}\n", "line 2: Expected `str` matching regex"),
        ("channels:\n- {name: o, kind: email, host: h, from: a@b, to: []}\n", "Expected `array` of length >= 1"),
        ("channels:\n- {name: o, kind: email, host: h, from: nobody, to: [a@b]}\n", "'nobody' is no mail address"),
        ("channels:\n- {name: o, kind: email, host: h, from: a@b, to: [a@b], user: u}\n", "user and password go together"),
        (
            "channels:\n- {name: o, kind: email, host: h, from: a@b, to: [a@b], user: u, password: 'env:P', security: none}\n",
            "a password is not sent in clear",
        ),
        ("channels:\n- {name: o, kind: alertmanager, url: 'http://x', repeat_every_s: 0}\n", "Expected `int` >= 1"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ChannelError) as refused:
        read_channels(written(tmp_path, text))
    assert said in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ChannelError, match="cannot be read"):
        read_channels(tmp_path / "none.yaml")


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────


def test_secrets_are_read_where_the_channel_says(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("horse\n")
    (tmp_path / "empty").write_text("\n")
    assert reveal("env:A", {"A": "x"}) == "x"
    assert reveal(f"file:{tmp_path}/secret", {}) == "horse"
    assert reveal("https://x/", {}) == "https://x/"
    for reference, said in (
        ("env:A", "the environment has no A"),
        (f"file:{tmp_path}/empty", "is empty"),
        ("file:/none/x", "No such"),
    ):
        with pytest.raises(SecretAbsent, match=said):
            reveal(reference, {})


def test_keys_of_webhooks() -> None:
    assert key_of("plain") == b"plain"
    assert key_of("whsec_aG9yc2U=") == b"horse"
    with pytest.raises(SecretAbsent, match="no base64"):
        key_of("whsec_ä")


# ── delays ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("failures", "least", "most"), [(1, 2.5, 5), (2, 5, 10), (5, 40, 80), (9, 640, 1280), (10, 900, 1800), (1000, 900, 1800)]
)
def test_delays_double_up_to_half_an_hour(failures: int, least: float, most: float) -> None:
    delays = [delay(failures, None) for _ in range(200)]
    assert least <= min(delays) < max(delays) <= most


def test_delays_are_no_shorter_than_the_receiver_asks() -> None:
    assert delay(1, 3000.0) == 3000
    assert delay(1, 1e9) == 6 * 3600
    assert delay(10, 1.0) >= 900
