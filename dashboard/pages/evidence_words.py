"""Parts of a look's evidence as pages say them: it is JSON that a mode wrote, so anything of it may be missing."""

from typing import cast

from dash import html

from dashboard import formats

Detail = dict[str, object]


def mapping(value: object) -> Detail:
    """A JSON object, empty where there is none."""
    return cast(Detail, value) if isinstance(value, dict) else {}


def rows_of(value: object, *needed: str) -> list[Detail]:
    """The objects of a JSON list that have all the fields needed; none where there is no list."""
    found = [mapping(one) for one in cast("list[object]", value)] if isinstance(value, list) else []
    return [one for one in found if all(one.get(name) is not None for name in needed)]


def number(value: object) -> float | None:
    """A JSON number, or None."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def estimate(value: object, low: object, high: object) -> tuple[str, str]:
    """Dollars with the digits their interval supports, and the interval."""
    return formats.usd_estimate(value, low, high), formats.usd_interval(low, high)


def usd_of(of: Detail, value: str = "value") -> str:
    """An estimate in dollars with its interval in one phrase; why it is not known where it is not."""
    usd, low, high = (number(of.get(name)) for name in (value, "low", "high"))
    if usd is None:
        return str(of.get("why") or formats.UNKNOWN)
    if low is None or high is None:
        return formats.usd(usd)
    return f"{formats.usd_estimate(usd, low, high)} ({formats.usd_interval(low, high)})"


def plain(value: object, digits: int = 3) -> str:
    """A number without a unit, to some digits."""
    amount = number(value)
    return formats.UNKNOWN if amount is None else f"{amount:,.{digits}g}"


def between(low: object, high: object, digits: int = 3) -> str:
    """An interval of numbers without a unit."""
    a, b = number(low), number(high)
    return formats.UNKNOWN if a is None or b is None else f"{a:,.{digits}g} to {b:,.{digits}g}"


def of_task(band: object) -> str:
    """A value band, or that the value is not known."""
    return str(band) or "value not known"


def heading(said: str) -> html.H3:
    """The name of a part of the evidence."""
    return html.H3(said, className="part")
