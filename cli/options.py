"""Options that several commands share."""

from __future__ import annotations

import getpass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer


def _keep_home(context: typer.Context, value: Path | None) -> Path | None:
    """Remember the home for the log of an unexpected error."""
    if context.obj is not None:
        context.obj["home"] = value
    return value


class RoleName(StrEnum):
    """Whose rights a connection has."""

    READER = "reader"
    WRITER = "writer"
    OWNER = "owner"


HomeOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="PIGOU_HOME",
        callback=_keep_home,
        show_default="pigou in the user's data folder",
        metavar="DIR",
        help="The installation's folder.",
    ),
]
TenantOption: TypeAlias = Annotated[
    str | None, typer.Option("--tenant", envvar="PIGOU_TENANT", metavar="NAME", help="Whose books.")
]
WhoOption: TypeAlias = Annotated[
    str | None, typer.Option("--who", metavar="NAME", help="Who does it; by default the user's name.")
]
OwnerOption: TypeAlias = Annotated[str, typer.Option("--tenant", envvar="PIGOU_TENANT", metavar="NAME", help="Whose books.")]
NewTenantOption: TypeAlias = Annotated[
    bool, typer.Option("--new-tenant", help="The tenant is meant, although it is nearly called as a known one: it is opened.")
]


class SignalName(StrEnum):
    """The signals of OpenTelemetry."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


class SeverityName(StrEnum):
    """How grave an alert is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


FormatOption: TypeAlias = Annotated[Format, typer.Option("--format", help="How rows are written.")]


def stated_by(who: str | None, how: str) -> str:
    """Who states something and by what, as it is kept beside it: `ann, pigou budgets set`; without a name, the user's."""
    return f"{who or getpass.getuser()}, {how}"


def parse_day(text: str) -> date:
    """A day as people type it: 2026-01-31, today, yesterday, 7d (days ago). UTC, as the books keep days."""
    today = datetime.now(UTC).date()
    words = {"today": 0, "yesterday": 1}
    if text in words:
        return today - timedelta(days=words[text])
    if text.endswith("d") and text[:-1].isdigit():
        return today - timedelta(days=int(text[:-1]))
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day; write 2026-01-31, today, yesterday or 7d") from None


def parse_duration(text: str) -> timedelta:
    """A length of time as people type it: 90s, 30m, 4h, 2d."""
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}.get(text[-1:])
    if unit is None or not text[:-1].isdigit() or len(text) > 7:
        raise typer.BadParameter(f"{text!r} is no length of time; write 90s, 30m, 4h or 2d")
    return timedelta(**{unit: int(text[:-1])})


def parse_time(text: str) -> datetime | date:
    """A moment as people type it, 2026-01-31T12:00 (UTC unless an offset is given), or a day."""
    try:
        if "T" in text or ":" in text:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a time; write 2026-01-31T12:00 or a day") from None
    return parse_day(text)


def parse_moment(text: str) -> datetime:
    """A moment as people type it; a day is meant at its end (UTC)."""
    at = parse_time(text)
    return at if isinstance(at, datetime) else datetime.combine(at, time.max, UTC)


def parse_beginning(text: str) -> datetime:
    """A moment as people type it; a day is meant at its beginning (UTC)."""
    at = parse_time(text)
    return at if isinstance(at, datetime) else datetime.combine(at, time.min, UTC)


SinceOption: TypeAlias = Annotated[
    date | None,
    typer.Option("--since", parser=parse_day, metavar="DAY", help="First day: 2026-01-31, today, 7d (ago)."),
]
UntilOption: TypeAlias = Annotated[
    date | None, typer.Option("--until", parser=parse_day, metavar="DAY", help="Last day, included.")
]
