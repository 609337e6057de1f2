"""Numbers as people read them: every one with its unit, as many digits as help, and never a zero for what is not known."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

UNKNOWN = "not known"
OPTIONS = {  # what some kinds of decision are between; telemetry and books have the bare words
    "confirm": {
        "none": "no confirmation",
        "self": "the agent's own check",
        "human": "a person's yes",
        "multi_party": "several people's yes",
    },
    "delegate": {"alone": "working alone", "delegate": "handing on"},
    "defer": {"proceed": "going ahead", "ask": "asking first"},
    "cache": {"prefix": "cached and read", "churn": "cached, not read", "none": "not cached"},
    "reuse": {"reuse": "a stored answer", "work": "work of its own"},
}
THIN_SPACE = "\N{NARROW NO-BREAK SPACE}"

Number: TypeAlias = int | float | Decimal


def number(value: object) -> Number | None:
    """A database value as a number, or None when it is unknown. Raises: TypeError for anything that is not a number."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError(f"a number expected, {type(value).__name__} came")
    return value


def usd(value: object) -> str:
    """Dollars: cents, below one dollar three significant digits (`$0.00412`) without closing zeros, `not known` for None."""
    amount = number(value)
    if amount is None:
        return UNKNOWN
    amount = Decimal(str(amount))
    sign, size = ("−", -amount) if amount < 0 else ("", amount)
    if size == 0:
        return "$0"
    if size >= Decimal("0.9995"):
        return f"{sign}${size:,.2f}"
    if size < Decimal("0.0000001"):
        return f"{sign}<$0.0000001"
    decimals = min(7, 2 - size.adjusted())
    whole, _, part = f"{size:.{decimals}f}".partition(".")
    return f"{sign}${whole}.{part.rstrip('0'):0<2}"


def usd_estimate(value: object, low: object, high: object) -> str:
    """Estimated dollars with the digits that their interval supports: `$410` for 412.37 within 360 to 471."""
    amount, a, b = number(value), number(low), number(high)
    if amount is None or a is None or b is None or b <= a:
        return usd(value)
    return _to_the_unit(amount, _unit(a, b))


def usd_interval(low: object, high: object) -> str:
    """An interval in dollars as people say it: `$360 to $470`; `not known` where an end is not."""
    a, b = number(low), number(high)
    if a is None or b is None:
        return UNKNOWN
    if b <= a:
        return usd(a)
    first, last = (_to_the_unit(end, _unit(a, b)) for end in (a, b))
    return first if first == last else f"{first} to {last}"


def tokens(value: object) -> str:
    """Tokens in thousands, millions or billions (`12.3 M`), without the word; `not known` for None."""
    amount = number(value)
    if amount is None:
        return UNKNOWN
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if abs(amount) >= size * Decimal("0.9995"):
            return f"{_three_digits(float(amount) / size)}{THIN_SPACE}{letter}"
    return f"{amount:,.0f}"


def count(value: object, noun: str, plural: str | None = None) -> str:
    """A whole number with its noun: `1 call`, `2,140 calls`."""
    amount = number(value)
    if amount is None:
        return f"{UNKNOWN} {plural or noun + 's'}"
    return f"{amount:,.0f} {noun if amount == 1 else plural or noun + 's'}"


def share(part: object, whole: object) -> str:
    """One number as a percentage of another; `–` when the whole is nothing or either is unknown."""
    a, b = number(part), number(whole)
    if a is None or b is None or b == 0:
        return "–"
    percent = float(a) / float(b) * 100
    if 0 < percent < 1:
        return f"<{THIN_SPACE}1{THIN_SPACE}%"
    if 99 < percent < 100:
        return f">{THIN_SPACE}99{THIN_SPACE}%"
    return f"{percent:,.0f}{THIN_SPACE}%"


def duration(value_ms: object) -> str:
    """Milliseconds in the unit that reads best: `840 ms`, `3.42 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`."""
    amount = number(value_ms)
    if amount is None:
        return UNKNOWN
    milliseconds = float(amount)
    if milliseconds < 1000:
        return f"{_three_digits(milliseconds)}{THIN_SPACE}ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{_three_digits(seconds)}{THIN_SPACE}s"
    for size, letter, smaller, small_letter in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            return f"{seconds // size:.0f}{THIN_SPACE}{letter} {seconds % size // smaller:.0f}{THIN_SPACE}{small_letter}"
    raise AssertionError("unreachable: a minute or more has a unit")


def size(value: object) -> str:
    """Bytes in kB, MB or GB (decimal)."""
    amount = number(value)
    if amount is None:
        return UNKNOWN
    for unit_size, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if amount >= unit_size:
            return f"{_three_digits(float(amount) / unit_size)}{THIN_SPACE}{unit}"
    return f"{amount:,.0f}{THIN_SPACE}B"


def option(kind: object, name: object) -> str:
    """An option of a decision in words: what some kinds count, and what others are between."""
    if str(name) in OPTIONS.get(str(kind), {}):
        return OPTIONS[str(kind)][str(name)]
    units = {"verify": ("check", "checks"), "update": ("version late", "versions late")}.get(str(kind))
    if units is None or not str(name)[:1].isdigit():
        return str(name)
    return f"{'no' if name == '0' else name} {units[0] if name in ('0', '1') else units[1]}"


def moment(value: object) -> str:
    """A point in time in UTC, to the second: `2026-03-14 09:26:53`."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else UNKNOWN


def day(value: datetime) -> str:
    """A day in UTC as people say it: `14 Mar 2026`."""
    return f"{value.astimezone(UTC):%-d %b %Y}"


def day_of_year(value: datetime) -> str:
    """A day in UTC of which the year is plain: `14 Mar`."""
    return f"{value.astimezone(UTC):%-d %b}"


def minutes_ago(minute: datetime, now: datetime) -> str:
    """How long ago a minute was, in one unit: `less than two minutes ago`, `14 min ago`, `3 h ago`."""
    return f"{lasting(now - minute)} ago"


def lasting(passed: timedelta) -> str:
    """A length of time in one unit: `less than two minutes`, `14 min`, `3 h`, `5 d`."""
    for span, letter in ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min")):
        if passed >= max(span, timedelta(minutes=2)):
            return f"{passed // span}{THIN_SPACE}{letter}"
    return "less than two minutes"


def _unit(low: Number, high: Number) -> int:
    """The decimal place of the second digit of an interval's width: nothing beyond it is known.

    Never finer than cents from a dollar up, three digits below it, and seven places.
    """
    size = max(abs(Decimal(str(low))), abs(Decimal(str(high)))).adjusted()
    return max((Decimal(str(high)) - Decimal(str(low))).adjusted() - 1, min(-2, size - 2), -7)


def _to_the_unit(amount: Number, place: int) -> str:
    """Dollars rounded to a decimal place, with no digit beyond it."""
    rounded = Decimal(str(amount)).quantize(Decimal(1).scaleb(place))
    if rounded == 0:
        return "$0"
    return f"{'−' if rounded < 0 else ''}${abs(rounded):,.{max(-place, 0)}f}"


def _three_digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:,.0f}"
    if value >= 9.995:
        return f"{value:.1f}".removesuffix(".0")
    text = f"{value:.2f}"
    return text.rstrip("0").rstrip(".")
