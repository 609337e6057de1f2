"""How single values of an address are read; each reader answers None for what it cannot read."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# What a table of spend can be told apart by: the dimensions, who is paid, and steps of time.
GROUPINGS = {
    "layer": "Layer", "use": "Use", "model": "Model", "agent": "Agent", "task_class": "Task class", "tenant": "Tenant",
    "provider": "Provider", "day": "Day", "week": "Week", "month": "Month",
}  # fmt: skip
MEASURES = {"cost": "Dollars", "calls": "Calls", "tokens": "Tokens"}
AGES = {  # how long alerts have been open: name, words, and whether it is since or before so long ago
    "new": ("opened in the past 24 hours", timedelta(hours=24), True),
    "1d": ("older than a day", timedelta(days=1), False),
    "7d": ("older than a week", timedelta(days=7), False),
    "30d": ("older than 30 days", timedelta(days=30), False),
}
LIMITS = ("compute_budget", "latency_sla", "risk_envelope")
SOUGHT_MOST = 256  # characters of an id, or of words, that are looked for
ACCOUNT_LONGEST = 800  # characters of an account's name


def whole_hour(at: datetime) -> datetime:
    """The hour that a time falls in."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def moment(value: str) -> datetime | None:
    """A time of the URL on its whole hour; without an offset it is UTC. None when it cannot be read."""
    try:
        at = datetime.fromisoformat(value.replace(" ", "+"))
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return whole_hour(at) if 1970 < at.year < 9000 else None


def _zone(value: str) -> dict[str, Any] | None:
    """A time zone by its name, such as Europe/Berlin; None when it is not known."""
    try:
        return {"zone": ZoneInfo(value).key}
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def text(value: str) -> str | None:
    """A value of a dimension; None where it is empty, which means that nothing is attributed."""
    return value.replace("\0", "") or None


def _identity(value: str) -> dict[str, Any] | None:
    """The id of a decision as the database writes it, or the number of a finding; None when it is neither."""
    number = _number(value)
    if number is not None:
        return {"finding": number}
    try:
        return {"decision": str(UUID(value))}
    except ValueError:
        return None


def _sought(value: str) -> dict[str, Any] | None:
    sought = value.replace("\0", "").strip()[:SOUGHT_MOST]
    return {"sought": sought} if sought else None


def _alert(value: str) -> dict[str, Any] | None:
    number = _number(value)
    return None if number is None else {"alert": number}


def _number(value: str) -> int | None:
    """A number as the books give them to alerts and findings: from 1, and of at most nine digits."""
    return int(value) or None if value.isascii() and value.isdigit() and len(value) < 10 else None


def _one_of(*known: str) -> Callable[[str], str | None]:
    return lambda value: value if value in known else None


def _pair(value: str) -> str | None:
    """Two different things to tell spend apart by: the rows and the columns of a table."""
    names = value.split(",")
    return value if len(names) == 2 and names[0] != names[1] and set(names) <= GROUPINGS.keys() else None


def _day(value: str) -> str | None:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return None


def _named(value: str) -> str | None:
    return value.replace("\0", "")[:ACCOUNT_LONGEST] or None


def _entry(value: str) -> str | None:
    try:
        return str(UUID(value))
    except ValueError:
        return None


def _limit(value: str) -> str | None:
    """A kind of limit and whom it is for: `latency_sla:support.faq`, `compute_budget:*`."""
    kind, _, pattern = value.replace("\0", "")[:ACCOUNT_LONGEST].partition(":")
    return f"{kind}:{pattern}" if kind in LIMITS and pattern else None


def _level(value: str) -> str | None:
    try:
        level = float(value)
    except ValueError:
        return None
    return f"{level:.6g}" if 0 <= level < 1e12 else None


def _span(value: str) -> str | None:
    """The id of a span, 16 hex digits."""
    return value.lower() if re.fullmatch(r"[0-9a-fA-F]{16}", value) else None


# What single pages ask beside time and filters, by its name in the address: a reader of its value, None where it cannot be read.
ASKED: dict[str, Callable[[str], str | None]] = {
    "account": _named,
    "book": _one_of("cash", "shadow", "accrual"),
    "day": _day,
    "entry": _entry,
    "cross": _pair,
    "of": _one_of(*MEASURES),
    "top": _one_of("5", "10", "20", "50"),
    "former": _one_of("1"),
    "provider": _named,
    "priced": _named,
    "span": _span,
    "age": _one_of(*AGES),
    "channel": _named,
    "whose": _named,
    "limit": _limit,
    "level": _level,
}
# What of an address names one thing.
SINGLE: dict[str, Callable[[str], dict[str, Any] | None]] = {
    "id": _identity,
    "alert": _alert,
    "q": _sought,
    "tz": _zone,
    "live": lambda value: {"live": value == "1"},
}
