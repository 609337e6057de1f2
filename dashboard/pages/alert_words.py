"""What alerts measure, in words: a bare number would not say whether it is a share, minutes or pieces."""

from collections.abc import Callable
from decimal import Decimal
from typing import cast

from dashboard import formats


def value_said(rule: object, value: object) -> str:
    """A value or threshold of a rule with its unit; `not known` for None."""
    number = formats.number(value)
    if number is None:
        return formats.UNKNOWN
    return _SAID.get(str(rule), _plain)(Decimal(str(number)))


def _share(value: Decimal) -> str:
    return f"{float(value) * 100:.3g}{formats.THIN_SPACE}%"


def _of_budget(word: str) -> Callable[[Decimal], str]:
    return lambda value: f"{value * 100:,.0f}{formats.THIN_SPACE}% {word}"


def _plain(value: Decimal) -> str:
    return f"{float(value):,.4g}"


def _counted(noun: str, plural: str | None = None) -> Callable[[Decimal], str]:
    return lambda value: formats.count(value, noun, plural) if value == value.to_integral_value() else f"{_plain(value)} {noun}s"


_SAID: dict[str, Callable[[Decimal], str]] = {
    "unpriced_share": _share,
    "suspense_share": _share,
    "control_difference": _share,
    "budget_overrun": _of_budget("spent"),
    "budget_pace": _of_budget("forecast"),
    "ingest_silence": lambda value: f"{_plain(value)} × 5{formats.THIN_SPACE}min",
    "books_check": _counted("commodity", "commodities"),
    "misallocation": lambda value: f"{formats.usd(value)} a day",
    "spend_anomaly": lambda value: f"{_plain(value)} × its usual spread",
    "delivery": _counted("minute"),
    "autonomy_breach": _counted("action"),
}


RULES = {
    "budget_overrun": "What is spent of a budget in its period, as a share of its amount. Evidence: calls.",
    "budget_pace": "What will be spent of a budget by its period's end if it goes on so, as a share of it. Evidence: calls.",
    "unpriced_share": "The share of a tenant's calls of the past day that have no price. Evidence: calls.",
    "suspense_share": "The share of a tenant's calls of the past day whose usage cannot be read. Evidence: calls.",
    "control_difference": "The share of control totals of the past day that differ from what was booked. Evidence: totals.",
    "ingest_silence": "Pieces of five minutes in which a service should have sent by its rhythm, and did not. Evidence: pieces.",
    "books_check": "Commodities whose debits and credits differ. Evidence: commodities.",
    "delivery": "Minutes that something has waited to be told through a channel that fails. Evidence: attempts.",
    "misallocation": "Dollars a day that a finding loses. It was held against what is material before it became a finding, so "
    "that 0 means: every finding. Evidence: cases.",
    "autonomy_breach": "Actions of the past day with less confirmation than the adopted schedule requires, or none stated. "
    "Evidence: actions.",
    "spend_anomaly": "How many of its usual spreads spend lies above what is usual at that time of the week. Evidence: weeks.",
}


def meant(rule: object) -> str:
    """What a rule looks at, without what its evidence is; its name where it is not known here."""
    return RULES.get(str(rule), str(rule)).partition(" Evidence: ")[0]


def evidence_said(rule: object, least: object) -> str:
    """How much a rule must have looked at, with what it counts: `50 calls`."""
    noun = RULES.get(str(rule), "").partition(" Evidence: ")[2].rstrip(".") or "cases"
    return formats.count(least, {"commodities": "commodity"}.get(noun, noun.removesuffix("s")), noun)


def for_all(tenant: object) -> str:
    """Whose a rule or channel is."""
    return "all" if tenant is None else cast(str, tenant)
