"""Named SQL with its parameters filled in: the very text that is run is the text that a page shows.

The statements stand in `sql/*.sql` and read views of schema `ledger` only. In them, braces mark what a page fills in:
`{filters hour tenant model}` becomes the conditions of the view's time column (`-` for none) and of those dimensions,
`{overlap begun ended}` those of lives between two columns that reach into the window, `{asked tenant}` the values that a
dimension is narrowed to, `{name}` a quoted literal, `{days}` a row with the days of the window that the books know, and a few
names (`dimension`, `order`…) a piece that is checked against a fixed list. `{spend}`, `{statuses}`, `{regret}` and `{tasks}`
are the sums that answer for the window: what was spent, decided or settled is never summed from single rows.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from psycopg import sql

from dashboard.address import AGES
from dashboard.filters import ALERT_STATES, DIMENSIONS, FINDING_STATES, SORTS, STATUSES, VERDICTS, Filters, Window
from dashboard.pieces import own_pieces
from ledger.queries import queries

FILES = (
    "spend", "calls", "trace", "ledger", "ingest", "allocation", "decisions", "alerts", "findings", "overview", "prices", "find",
    "layers", "layer_panels", "vector", "alert_evidence", "settings", "bill", "explore", "budgets", "credentials", "beside",
)  # fmt: skip
ROWS_SHOWN = 1000
BUCKETS = ("minute", "hour", "day", "week", "month")
_PLACE = re.compile(r"\{([a-z_. -]+)\}")


@dataclass(frozen=True, slots=True)
class Statement:
    """One query ready to run: its name, its text without any parameter left open, and the steps of time it sums by.

    `is_of_appraisals` says that its answer stays the same until the version of the appraisals is another one.
    """

    name: str
    text: str
    bucket: str = "day"
    is_of_appraisals: bool = False


def statement(
    name: str,
    filters: Filters,
    now: datetime,
    *,
    bucket: str = "day",
    limit: int | None = ROWS_SHOWN,
    window: Window | None = None,
    values: Mapping[str, str | datetime] | None = None,
) -> Statement:
    """Fill in a named query for one view of the books.

    `window` replaces the view's own time range; `values` are further literals the query names. `limit` None means no limit.
    Raises: KeyError when there is no such query, or it asks for a value that was not given.
    """
    span = window or filters.window(now)
    pieces: dict[str, Callable[[], str]] = {
        "bucket": lambda: _literal(_known(bucket, BUCKETS)),
        "bucket word": lambda: _known(bucket, BUCKETS),
        "dimension": lambda: _known(filters.by[0], DIMENSIONS),
        "dimensions": lambda: ", ".join(_known(name, DIMENSIONS) for name in filters.by),
        "order": lambda: _order(filters.sort if filters.sort.removeprefix("-") in SORTS else "-started_at"),
        "decision order": lambda: _order(filters.decision_sort),
        "days": lambda: _days(span),
        "week ago": lambda: _literal(
            (now - timedelta(days=7)).replace(minute=0, second=0, microsecond=0)
        ),  # the same for all who ask
        "newest first": lambda: "true" if _order(filters.sort) == "started_at desc nulls last" else "false",
        "last day": lambda: "date 'infinity'" if span.until is None else _bound("day", span.until),
        "most regret first": lambda: "true" if filters.decision_sort == "-regret_usd" else "false",
        "limit lost": lambda: "0" if filters.decision_sort != "-regret_usd" else "null" if limit is None else str(int(limit)),
        "bounds": lambda: ", ".join(_bounds(span)),
        "limit or null": lambda: "null" if limit is None else str(int(limit)),
        "limit or many": lambda: str(2**62) if limit is None else str(int(limit)),
        "spend": lambda: _rolled_up("spend", span, bucket),
        "statuses": lambda: _rolled_up("statuses", span, bucket),
        "regret": lambda: _by_day("regret", "regret", span),
        "tasks": lambda: _by_day("tasks_between", "tasks", span),
        "limit": lambda: "all" if limit is None else str(int(limit)),
        "age": lambda: _age(filters.asked.get("age"), now),
        "sought": lambda: _literal(filters.sought or ""),
    }

    def fill(place: re.Match[str]) -> str:
        asked = place[1]
        if asked.startswith("filters "):
            return _conditions(filters, span, *asked.split()[1:])
        if asked.startswith("asked "):
            return ", ".join(_asked(filters, dimension) for dimension in asked.split()[1:])
        if asked.startswith("overlap "):
            return _overlap(span, *asked.split()[1:])
        return pieces[asked]() if asked in pieces else _literal((values or {})[asked])

    pieces |= own_pieces(filters, span, now)
    pieces["standing"] = lambda: "(" + _PLACE.sub(fill, _without_purpose(named()["standing"])) + ") as standing"
    text = named()[name]
    of_appraisals = "{regret}" in text or "{tasks}" in text
    return Statement(name, f"-- {name}: " + _PLACE.sub(fill, text).removeprefix("-- "), bucket, of_appraisals)


@cache
def named() -> dict[str, str]:
    """Every query of the dashboard by name. Raises: KeyError when two files use one name."""
    every: dict[str, str] = {}
    for file in FILES:
        for name, text in queries("dashboard", file).items():
            if name in every:
                raise KeyError(f"two queries are named {name}")
            every[name] = text
    return every


def bucket_of(window: Window, extent: timedelta | None = None) -> str:
    """The step of a time axis that gives between a handful and some 120 bars."""
    length = window.until - window.since if window.since and window.until else extent
    if length is None:
        return "day"
    if length <= timedelta(hours=3):
        return "minute"
    if length <= timedelta(days=3):
        return "hour"
    if length <= timedelta(days=120):
        return "day"
    return "week" if length <= timedelta(days=800) else "month"


def _without_purpose(text: str) -> str:
    """A query without the comment above it, to stand within another."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


def _rolled_up(name: str, window: Window, bucket: str) -> str:
    """Where sums over a window are read: whole days from the days' sums; by hour, when hours are drawn, from the hours'."""
    if bucket == "hour":
        return f"(select * from ledger.{name}_hourly where {_conditions(Filters(), window, 'hour')}) as {name}"  # noqa: S608 - our own names
    return _by_day(name, name, window)


def _by_day(function: str, name: str, window: Window) -> str:
    """Sums over a window by the function that has whole days of it from the days' sums."""
    return f"ledger.{function}({', '.join(_bounds(window))})" + ("" if name == function else f" as {name}")


def _bounds(window: Window) -> tuple[str, str]:
    """Both ends of a window as times, of which either may be infinite."""
    since = _bound("hour", window.since) if window.since else "'-infinity'"
    return since, _bound("hour", window.until) if window.until else "'infinity'"


def _days(window: Window) -> str:
    """The days of the window in which the books hold anything, at least one: what sums are divided by to be dollars a day."""
    first = "min(first_hour)" if window.since is None else f"greatest(min(first_hour), {_bound('hour', window.since)})"
    last = "max(last_hour) + interval '1 hour'"
    last = last if window.until is None else f"least({last}, {_bound('hour', window.until)})"
    return f"(select greatest(date_part('epoch', {last} - {first}) / 86400, 1) as days from ledger.extent) as shown"  # noqa: S608 - our own names


def _conditions(filters: Filters, window: Window, time_column: str, *dimensions: str) -> str:
    conditions: list[str] = []
    if time_column != "-":
        bounds = ((">=", window.since), ("<", window.until))
        conditions += [f"{time_column} {sign} {_bound(time_column, at)}" for sign, at in bounds if at is not None]
    for dimension in dimensions:
        if dimension in ("status", "verdict"):
            known = STATUSES if dimension == "status" else VERDICTS
            conditions += [f"status = {_literal(filters.status)}"] if filters.status in known else []
        elif dimension == "state":
            conditions += _in_state(filters.status)
        elif dimension == "standing_status":
            conditions.append(_standing_status(filters.status))
        elif kept := filters.where.get(dimension.rpartition(".")[2]):
            conditions.append(_among(dimension, kept))
    return "\n   and ".join(conditions) or "true"


def _asked(filters: Filters, dimension: str) -> str:
    """The values that a dimension is narrowed to as an array, for functions of `ledger`; null: all."""
    if dimension == "verdict":
        return f"array[{_literal(filters.status)}]" if filters.status in VERDICTS else "null"
    kept = filters.where.get(dimension)
    return f"array[{', '.join(map(_literal, kept))}]::text[]" if kept else "null"


def _in_state(state: str | None) -> list[str]:
    """Alerts in a state; those that are not resolved where none is asked for."""
    if state == "every":
        return []
    return [f"state = {_literal(state)}"] if state in ALERT_STATES else ["state <> 'resolved'"]


def _standing_status(status: str | None) -> str:
    """Findings in a state; those that count, neither dismissed nor resolved, where none is asked for."""
    if status == "every":
        return "true"
    return f"status = {_literal(status)}" if status in FINDING_STATES else "status in ('open', 'acknowledged')"


def _age(age: str | None, now: datetime) -> str:
    """Alerts that have been open for so long."""
    if age not in AGES:
        return "true"
    _, length, is_since = AGES[age]
    return f"opened_at {'>=' if is_since else '<'} timestamptz '{(now - length).astimezone(UTC):%Y-%m-%d %H:%M}Z'"


def _overlap(window: Window, begun: str, ended: str) -> str:
    """Conditions on lives that have not ended before the window, nor begun after it."""
    conditions = [] if window.until is None else [f"{begun} < {_bound(begun, window.until)}"]
    if window.since is not None:
        conditions.append(f"({ended} is null or {ended} >= {_bound(ended, window.since)})")
    return "\n   and ".join(conditions) or "true"


def _among(column: str, kept: tuple[str | None, ...]) -> str:
    known = [value for value in kept if value is not None]
    if not known:
        return f"{column} is null"
    one = f"{column} = {_literal(known[0])}" if len(known) == 1 else f"{column} in ({', '.join(map(_literal, known))})"
    return f"({one} or {column} is null)" if None in kept else one


def _bound(time_column: str, at: datetime) -> str:
    """A balance is kept by day, everything else by time."""
    if time_column == "day":
        return f"date '{at.astimezone(UTC):%Y-%m-%d}'"
    return f"timestamptz '{at.astimezone(UTC):%Y-%m-%d %H:%M}Z'"


def _order(sort: str) -> str:
    column = sort.removeprefix("-")
    return f"{column} desc nulls last" if sort.startswith("-") else f"{column} nulls last"


def _known(name: str, allowed: tuple[str, ...] | dict[str, str]) -> str:
    if name not in allowed:
        raise KeyError(f"{name} is not one of {', '.join(allowed)}")
    return name


def _literal(value: object) -> str:
    return sql.Literal(value).as_string(None)
