"""What can be asked of the economy, and how a wrong wish is refused."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from economy.__main__ import main
from economy.play import EconomySettings, live, this_hour


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": "http/json"}, "protocol"),
        ({"until": datetime(2026, 11, 20)}, "time zone"),  # noqa: DTZ001 (that is what is refused)
        ({"until": datetime(2026, 11, 20, 1, 1, 1, 5, UTC)}, "whole seconds"),
        ({"days": 0.0}, "days"),
        ({"days": float("nan")}, "days"),
        ({"days": 1_000.0}, "days"),
        ({"tasks_per_day": 0}, "tasks_per_day"),
    ],
)
def test_settings_that_cannot_be_played_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EconomySettings(**changes)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_a_live_rate_must_be_positive(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        live(EconomySettings(), rate, threading.Event())


def test_the_default_end_is_this_hour() -> None:
    until = EconomySettings().until
    assert (until.minute, until.second, until.microsecond) == (0, 0, 0)
    assert abs((this_hour() - until).total_seconds()) <= 3_600


@pytest.mark.parametrize(
    "arguments",
    [
        ["--until", "yesterday"],
        ["--until", "2026-11-20T10:00:00"],
        ["--days", "-3"],
        ["--live", "0"],
        ["--header", "nothing"],
        ["--protocol", "carrier-pigeon"],
        ["--tasks-per-day", "0"],
    ],
)
def test_wrong_arguments_exit_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("python -m economy: error:")
