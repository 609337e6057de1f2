"""What a page is asked to show, as it stands in the URL: time range, filters, grouping, order, live or not.

The URL is the only state: a link shared is a view shared, and the browser's back button undoes a filter.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from urllib.parse import parse_qsl, quote, urlencode
from zoneinfo import ZoneInfo

from dashboard.address import ASKED, SINGLE, moment, text, whole_hour

DIMENSIONS = {
    "layer": "Layer",
    "use": "Use",
    "model": "Model",
    "agent": "Agent",
    "task_class": "Task class",
    "tenant": "Tenant",
}
# What decisions are told apart by; the pages of decisions filter by these.
DECISION_DIMENSIONS = {
    "kind": "Kind",
    "task_class": "Task class",
    "chosen": "Chosen",
    "layer": "Layer",
    "agent": "Agent",
    "tenant": "Tenant",
}
# What alerts are told apart by.
ALERT_DIMENSIONS = {
    "rule": "Rule",
    "severity": "Severity",
    "mode": "Mode",
    "tenant": "Tenant",
}
# What books are told apart by.
LEDGER_DIMENSIONS = {"tenant": "Tenant"}
# What findings are told apart by.
FINDING_DIMENSIONS = {
    "mode": "Mode",
    "layer": "Layer",
    "task_class": "Task class",
    "agent": "Agent",
    "tenant": "Tenant",
}
EVERY_DIMENSION = DIMENSIONS | DECISION_DIMENSIONS | ALERT_DIMENSIONS | FINDING_DIMENSIONS
RANGES = {
    "3h": ("Last 3 hours", timedelta(hours=3)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "14d": ("Last 14 days", timedelta(days=14)),
    "30d": ("Last 30 days", timedelta(days=30)),
    "90d": ("Last 90 days", timedelta(days=90)),
    "month": ("This month", None),
    "last_month": ("Last month", None),
    "all": ("All time", None),
}
MONTHS = {"month": 0, "last_month": -1}  # ranges of the calendar, by how many months they are away
RANGE = "14d"
STATUSES = ("booked", "unpriced", "suspense", "duplicate")
SORTS = ("started_at", "cost_usd", "latency_ms", "input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")
ALERT_STATES = ("open", "acknowledged", "muted", "resolved", "every")  # without one of them: what is not resolved
FINDING_STATES = ("open", "acknowledged", "dismissed", "resolved", "every")  # without one: open and acknowledged
VERDICTS = ("appraised", "not_enough_evidence", "not_identified")
DECISION_SORTS = ("regret_usd", "decided_at", "value_usd", "cost_usd", "latency_usd", "risk_usd", "net_usd", "propensity")
BY = ("use", "model", "layer")  # the first is what figures are shaded by: uses differ more than layers do
LIVE_SECONDS = 5
UTC_ZONE = "UTC"


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time on whole hours, UTC, end excluded; None on a side means no bound there."""

    since: datetime | None
    until: datetime | None

    def before(self) -> "Window | None":
        """The window of the same length just before this one, or None when this one has no length."""
        if self.since is None or self.until is None:
            return None
        return Window(self.since - (self.until - self.since), self.since)

    def whole_days(self, place: tzinfo = UTC) -> "Window":
        """The days that this window touches by the calendar of a place, as days of the books, which are kept by day of UTC."""
        since = self.since and _midnight(self.since.astimezone(place).date())
        until = self.until and _midnight((self.until - timedelta(microseconds=1)).astimezone(place).date() + timedelta(days=1))
        return Window(since, until)


@dataclass(frozen=True, slots=True)
class Filters:
    """One view of the books.

    `where` keeps, per dimension, the values shown; None among them means "not attributed". `zone` is the time zone in which
    absolute ranges are chosen and said. `decision` is the id of the one shown, `alert` and `finding` the number of the one shown,
    `sought` an id that is looked for, `asked` what single pages ask beside all this, by its name in the address (ASKED).
    """

    range: str | None = RANGE
    since: datetime | None = None
    until: datetime | None = None
    zone: str = UTC_ZONE
    where: dict[str, tuple[str | None, ...]] = field(default_factory=dict[str, tuple[str | None, ...]])
    by: tuple[str, ...] = BY
    status: str | None = None
    sort: str = "-started_at"
    live: bool = False
    decision: str | None = None
    alert: int | None = None
    finding: int | None = None
    sought: str | None = None
    asked: dict[str, str] = field(default_factory=dict[str, str])
    problems: tuple[str, ...] = ()

    def window(self, now: datetime) -> Window:
        """The time span meant, with a relative range resolved at `now` and the running hour included.

        A range of days begins at midnight and counts the running day, so that no bar shows half a day but the last.
        """
        if self.range is None:
            return Window(self.since, self.until)
        if self.range in MONTHS:
            first = now.astimezone(self.place).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            since = _month_on(first, MONTHS[self.range]).astimezone(UTC)
            return Window(since, min(_month_on(first, MONTHS[self.range] + 1).astimezone(UTC), _next_hour(now)))
        length = RANGES[self.range][1]
        if length is None:
            return Window(None, None)
        until = _next_hour(now)
        since = until - length
        if length > timedelta(days=2):
            since = (
                (until - timedelta(microseconds=1)).replace(hour=0, minute=0, second=0, microsecond=0)
                - length
                + timedelta(days=1)
            )
        return Window(since, until)

    @property
    def place(self) -> tzinfo:
        """The time zone as Python knows it."""
        return UTC if self.zone == UTC_ZONE else ZoneInfo(self.zone)

    @property
    def zone_said(self) -> str:
        """The time zone after a time: `UTC`, `(Europe/Berlin)`."""
        return self.zone if self.zone == UTC_ZONE else f"({self.zone})"

    def book_days(self, now: datetime) -> "Filters":
        """The same view of whole days of the books: those of its dates, said in UTC."""
        return replace(self.between(self.window(now).whole_days(self.place)), zone=UTC_ZONE)

    @property
    def decision_sort(self) -> str:
        """The order of decisions: the one asked for where decisions have it, else the most regret first."""
        return self.sort if self.sort.removeprefix("-") in DECISION_SORTS else "-regret_usd"

    def within(self, dimensions: Collection[str]) -> "Filters":
        """The same view with only those filters that a page of these dimensions knows, and nothing of one page's own."""
        where = {name: kept for name, kept in self.where.items() if name in dimensions}
        return replace(
            self, where=where, status=None, sort="-started_at", decision=None, alert=None, finding=None, sought=None, asked={}
        )

    def frozen_at(self, now: datetime) -> "Filters":
        """The same view with its range made absolute, so that it answers the same when asked again."""
        window = self.window(now)
        return self if window.since is None else replace(self, range=None, since=window.since, until=window.until)

    def stepped(self, now: datetime, steps: int) -> Window | None:
        """The window so many periods on (or back): a month of the calendar by months, days by whole days, else by its length.

        None when it has no length.
        """
        window = self.window(now)
        if window.since is None or window.until is None:
            return None
        first = window.since.astimezone(self.place)
        if self.range in MONTHS or _is_month(window, first):
            return Window(_month_on(first, steps).astimezone(UTC), _month_on(first, steps + 1).astimezone(UTC))
        length = window.until - window.since
        if length > timedelta(days=2):
            length = timedelta(days=-(-length // timedelta(days=1)))
        since = window.since + steps * length
        return Window(since, since + length)

    def between(self, window: Window) -> "Filters":
        """The same view of another time."""
        return replace(self, range=None, since=window.since, until=window.until)

    def asking(self, **asked: str | None) -> "Filters":
        """The same view with some of a page's own questions answered otherwise; None leaves one out."""
        return replace(self, asked={name: value for name, value in {**self.asked, **asked}.items() if value})

    def grouped_first_by(self, dimension: str) -> "Filters":
        """The same view with one dimension first in its grouping: the one that figures are drawn by."""
        return replace(self, by=(dimension, *(name for name in self.by if name != dimension)))

    def only(self, dimension: str, value: str | None) -> "Filters":
        """The same view narrowed to one value of a dimension."""
        return replace(self, where={**self.where, dimension: (value,)})

    def without(self, dimension: str) -> "Filters":
        """The same view with no filter on a dimension."""
        return replace(self, where={name: kept for name, kept in self.where.items() if name != dimension})

    def search(self) -> str:
        """The query string of the URL that shows this view, `?` included; empty for the default view."""
        pairs: list[tuple[str, str]] = []
        if self.range is None:
            pairs += [(name, _iso(at, self.place)) for name, at in (("since", self.since), ("until", self.until)) if at]
        elif self.range != RANGE:
            pairs.append(("range", self.range))
        if self.zone != UTC_ZONE:
            pairs.append(("tz", self.zone))
        pairs += [(name, value or "") for name in EVERY_DIMENSION for value in self.where.get(name, ())]
        if self.by != BY:
            pairs.append(("by", ",".join(self.by)))
        if self.status:
            pairs.append(("status", self.status))
        if self.sort != "-started_at":
            pairs.append(("sort", self.sort))
        if self.decision:
            pairs.append(("id", self.decision))
        if self.finding and not self.decision:
            pairs.append(("id", str(self.finding)))
        if self.alert:
            pairs.append(("alert", str(self.alert)))
        if self.sought:
            pairs.append(("q", self.sought))
        pairs += [(name, self.asked[name]) for name in ASKED if name in self.asked]
        if self.live:
            pairs.append(("live", "1"))
        return "?" + urlencode(pairs, quote_via=quote, safe=":,") if pairs else ""


def parse(search: str | None) -> Filters:
    """Read a URL's query string. What is not understood is left out and named in `problems`; nothing is raised."""
    problems: list[str] = []
    where: dict[str, tuple[str | None, ...]] = {}
    filters = Filters()
    for name, value in parse_qsl((search or "").removeprefix("?"), keep_blank_values=True, errors="replace"):
        if name in EVERY_DIMENSION:
            where[name] = (*where.get(name, ()), text(value))
        elif name == "range" and value in RANGES:
            filters = replace(filters, range=value)
        elif name in ("since", "until") and (at := moment(value)):
            filters = replace(filters, **{name: at})
        elif name == "by" and (by := tuple(dict.fromkeys(part for part in value.split(",") if part in DIMENSIONS))):
            filters = replace(filters, by=by)
        elif name == "status" and value in (*STATUSES, *VERDICTS, *ALERT_STATES, *FINDING_STATES):
            filters = replace(filters, status=value)
        elif name == "sort" and value.removeprefix("-") in (*SORTS, *DECISION_SORTS):
            filters = replace(filters, sort=value)
        elif name in SINGLE and (one := SINGLE[name](value)):
            filters = replace(filters, **one)
        elif name in ASKED and (said := ASKED[name](value)):
            filters = replace(filters, asked={**filters.asked, name: said})
        else:
            problems.append(f"{name}={value}"[:80])
    if filters.since or filters.until:
        filters = replace(filters, range=None)
    if filters.since and filters.until and filters.since >= filters.until:
        problems.append("since is not before until")
        filters = replace(filters, range=RANGE, since=None, until=None)
    return replace(filters, where=where, problems=tuple(problems))


def describe(filters: Filters, now: datetime) -> str:
    """The range in words, as a part of a sentence: `over 14 days`, `from 3 Mar to 5 Mar 2026`, `in all`."""
    window = filters.window(now)
    if filters.range is not None:
        if filters.range in MONTHS and window.since:
            return f"in {window.since.astimezone(filters.place):%B %Y}{' so far' if filters.range == 'month' else ''}"
        length = RANGES[filters.range][1]
        if length is None:
            return "in all"
        if length < timedelta(days=2):
            return f"in the last {length // timedelta(hours=1)} hours"
        return f"over {length.days} days"
    if window.since and window.until:
        return f"from {_edge(window.since, filters)} to {_edge(window.until, filters, last=True)} {filters.zone_said}"
    if window.since:
        return f"since {_edge(window.since, filters)} {filters.zone_said}"
    return f"before {_edge(window.until, filters)} {filters.zone_said}" if window.until else "in all"


def span_said(filters: Filters, now: datetime) -> str:
    """A window in words by itself: `13–26 Nov 2026 UTC`, `November 2026`, `13 Mar 2026 10:00 to 14 Mar 2026 10:00 UTC`."""
    window = filters.window(now)
    if window.since and window.until:
        first = window.since.astimezone(filters.place)
        if _is_month(window, first):
            return f"{first:%B %Y}"
        end = window.until.astimezone(filters.place)
        if first.time() == end.time() == time.min:
            return f"{_days_said(first.date(), end.date() - timedelta(days=1))} {filters.zone_said}"
        return f"{_edge(window.since, filters)} to {_edge(window.until, filters, last=True)} {filters.zone_said}"
    return describe(filters, now)


def days(first: str, last: str, place: tzinfo = UTC) -> tuple[datetime, datetime]:
    """Two dates of a calendar in a time zone, last day included, as the bounds of a window on whole hours of UTC."""
    start = datetime.combine(date.fromisoformat(first[:10]), datetime.min.time(), place)
    end = datetime.combine(date.fromisoformat(last[:10]) + timedelta(days=1), datetime.min.time(), place)
    return whole_hour(start), whole_hour(end)


def _edge(at: datetime, filters: Filters, last: bool = False) -> str:
    """A bound in words of its zone; an end at midnight is its last day, since people count days from both ends."""
    local = at.astimezone(filters.place)
    if local.hour == 0 and local.minute == 0:
        return f"{local - timedelta(days=1) if last else local:%-d %b %Y}"
    return f"{local:%-d %b %Y %H:%M}"


def _is_month(window: Window, first: datetime) -> bool:
    """Whether a window, with its begin in its zone, is one month of the calendar there."""
    return first.day == 1 and first.time() == time.min and window.until == _month_on(first, 1)


def _days_said(first: date, last: date) -> str:
    """Days, the last included, without saying twice what they share."""
    if first == last:
        return f"{first:%-d %b %Y}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{last:%-d %b %Y}"
    return f"{first:%-d %b} to {last:%-d %b %Y}" if first.year == last.year else f"{first:%-d %b %Y} to {last:%-d %b %Y}"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _month_on(first: datetime, months: int) -> datetime:
    """The first of the month so many months on, at the same time of its place."""
    month = first.year * 12 + first.month - 1 + months
    return first.replace(year=month // 12, month=month % 12 + 1)


def _next_hour(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _iso(at: datetime, place: tzinfo = UTC) -> str:
    """A time as an address has it: with the offset of its zone, `Z` for none."""
    return at.astimezone(place).isoformat(timespec="minutes").replace("+00:00", "Z")
