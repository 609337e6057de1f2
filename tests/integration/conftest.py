"""Fixtures of the integration tests beside those of all tests."""

from __future__ import annotations

import pytest

from cli.main import main
from tests.typed import Typed


@pytest.fixture
def pigou(dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Run a command on this test's database; answers exit code, output and errors."""
    monkeypatch.setenv("PIGOU_DATABASE_URL", dsn)

    def typed(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return typed
