"""What single pages fill into their statements: an account, two periods, the rows and columns of a table."""

from collections.abc import Callable
from datetime import UTC, datetime, time

from psycopg import sql

from dashboard.address import GROUPINGS, MEASURES
from dashboard.filters import DIMENSIONS, Filters, Window
from ledger import bill

TOP = "10"
STEPS_MOST = 62  # steps of time side by side
CROSS = "model,tenant"
_MEASURES = {"cost": "sum(cost_usd)", "calls": "sum(calls)", "tokens": "sum(tokens)"}


def own_pieces(filters: Filters, span: Window, now: datetime) -> dict[str, Callable[[], str]]:
    """The pieces by name; each is made only when a statement names it."""
    days = span.whole_days(filters.place)
    rows, columns = (filters.asked.get("cross") or CROSS).split(",")
    return {
        "now": lambda: _literal(f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"),
        "first day": lambda: _day(days.since, "-infinity"),
        "end day": lambda: _day(days.until, "infinity"),
        "this days": lambda: _days(days),
        "former first day": lambda: _day(before.since if (before := former(days)) else None, "infinity"),
        "former end day": lambda: _day(before.until if (before := former(days)) else None, "infinity"),
        "account": lambda: _account(filters.asked.get("account")),
        "book": lambda: _literal(filters.asked.get("book", "cash")),
        "entry": lambda: _literal(filters.asked.get("entry")),
        "whole account": lambda: _literal(filters.asked.get("account")),
        "day or null": lambda: f"date {_literal(filters.asked['day'])}" if "day" in filters.asked else "null",
        "named model": lambda: _model(filters.asked.get("priced")),
        "measure word": lambda: MEASURES[filters.asked.get("of", "cost")],
        "rows": GROUPINGS[rows].lower,
        "columns": GROUPINGS[columns].lower,
        "row value": lambda: _grouped(rows),
        "column value": lambda: _grouped(columns),
        "row order": lambda: _order("row", rows, filters),
        "column order": lambda: _order("col", columns, filters),
        "row top": lambda: _top(rows, filters),
        "column top": lambda: _top(columns, filters),
    }


def former(days: Window) -> Window | None:
    """The days of the books that such days are compared with, as `pigou bill` compares them. None where these have no length."""
    if days.since is None or days.until is None:
        return None
    before = bill.former(bill.Days(days.since.date(), days.until.date()))
    return Window(*(datetime.combine(day, time.min, UTC) for day in before))


def is_time(grouping: str) -> bool:
    """Whether it is a step of time."""
    return grouping in ("day", "week", "month")


def _account(account: str | None) -> str:
    if account is None:
        return "true"
    return f"(account = {_literal(account)} or starts_with(account, {_literal(account + ':')}))"


def _model(model: str | None) -> str:
    if model:
        return f"model like {_literal('%' + _escaped(model.lower()) + '%')}"
    spent_on = "model in (select lower(model) from ledger.spend_daily group by model)"
    used = "commodity in (select commodity from ledger.account_commodities where book = 'cash')"
    return f"(tenant is not null or ({spent_on} and {used}))"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _grouped(name: str) -> str:
    if is_time(name):
        return f"to_char(date_trunc('{name}', hour, 'UTC') at time zone 'UTC', 'YYYY-MM-DD')"
    if name not in (*DIMENSIONS, "provider"):
        raise KeyError(name)
    return name


def _order(column: str, grouping: str, filters: Filters) -> str:
    return column if is_time(grouping) else f"{_MEASURES[filters.asked.get('of', 'cost')]} desc nulls last, {column}"


def _top(grouping: str, filters: Filters) -> str:
    return str(STEPS_MOST if is_time(grouping) else int(filters.asked.get("top", TOP)))


def _days(window: Window) -> str:
    return f"(day >= {_day(window.since, '-infinity')} and day < {_day(window.until, 'infinity')})"


def _day(at: datetime | None, open_end: str) -> str:
    return f"date '{open_end if at is None else f'{at.astimezone(UTC):%Y-%m-%d}'}'"


def _literal(value: object) -> str:
    return sql.Literal(value).as_string(None)
