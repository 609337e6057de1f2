"""The live bench's own parts; what it measures is a matter of minutes and of the machine, and no test."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.truth.live import Kept, answering, bits, main, post


def test_what_was_sent_is_put_in_again_bit_by_bit() -> None:
    kept = [Kept(at_s, "/v1/traces", {}, b"") for at_s in (0.0, 7.0, 4.9, 5.1, 30.0)]
    assert [[one.at_s for one in bit] for bit in bits(kept, 5.0)] == [[0.0, 4.9], [5.1, 7.0], [30.0]]
    assert bits([]) == []


def test_a_relay_passes_on_what_it_gets_and_what_is_answered() -> None:
    got: list[tuple[str, str | None, bytes]] = []

    def answer(path: str, headers: dict[str, str], body: bytes) -> int:
        got.append((path, headers.get("Content-Type"), body))
        return 503 if body == b"full" else 200

    with answering(answer) as address:
        port = urlsplit(address).port
        assert port is not None
        assert [post(port, "/v1/traces", {"Content-Type": "x"}, body) for body in (b"one", b"full")] == [200, 503]
    assert got == [("/v1/traces", "x", b"one"), ("/v1/traces", "x", b"full")]


def test_a_home_that_was_not_played_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["live", "--home", str(tmp_path)])
    assert main() == 2
    assert "holds no demo: play one with `pigou demo --home" in capsys.readouterr().err
