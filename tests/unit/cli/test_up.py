"""What `pigou up` tells its parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import up
from cli.home import Home
from cli.main import main


@pytest.mark.parametrize(
    ("arguments", "told"),
    [([], []), (["--keep-content"], ["--keep-content"]), (["--redact", "--keep-content"], ["--keep-content", "--redact"])],
)
def test_the_collector_is_told_what_becomes_of_text(
    arguments: list[str], told: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr(up, "run", lambda *_args, content, **_named: given.append(content))
    with pytest.raises(SystemExit):
        main(["up", "--home", str(tmp_path), *arguments])
    assert given == [told]
    arguments_given = up.parts_of(up.Addresses("127.0.0.1", 1, 2, 3), "dsn", Home(tmp_path), content=given[0])[0].arguments
    assert arguments_given is not None
    assert list(arguments_given[arguments_given.index("--spool") + 2 :]) == told
