"""What a finding rests on beside its terms, as words and tables: what was compared, and what only its failure mode knows.

It is JSON that a mode wrote, so anything of it may be missing: what is missing is left out. Amounts are rounded for reading;
`--format json` has all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

Detail: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows under heads, below a line that says what they are; without rows, the line alone."""

    said: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    words: int = 1
    """So many columns are words, from the left; the others are numbers."""


def parts_of(mode: str, detail: Detail) -> list[Part]:
    """The parts of a finding's evidence, in the order in which they are read."""
    return [*_compared(detail), *_OF_MODE.get(mode, _nothing)(detail)]


def _compared(detail: Detail) -> list[Part]:
    rows = [
        (_text(one, "band"), _text(one, "best"), *_numbers(one, "n", "regret_usd", "low_usd", "high_usd"),
         _verdict(one))
        for one in _rows(detail, "segments")
    ]  # fmt: skip
    columns = ("tasks worth", "better would be", "decisions", "lost_usd", "low", "high", "verdict")
    chosen = _option(detail.get("chosen"))
    parts = _table(f"{chosen} against what else was tried, by what the task was worth", columns, rows, words=2)
    onset = _of(detail, "onset")
    before, since = _number(onset.get("share_before")), _number(onset.get("share_since"))
    if before is not None and since is not None:
        parts.append(Part(f"{chosen} was taken in {_share(before)} of these cases before, and in {_share(since)} since"))
    return parts


def _verdict(segment: Detail) -> str:
    if segment.get("is_discovery"):
        return "stands"
    return "may be chance" if segment.get("status") == "appraised" else str(segment.get("status")).replace("_", " ")


def _option(name: object) -> str:
    """An option by its name, and a number of checks as what it is."""
    return f"{name} checks" if str(name).isdigit() else str(name)


def _routing(detail: Detail) -> list[Part]:
    own, other = _number(detail.get("chosen_cost_usd")), _number(detail.get("best_cost_usd"))
    parts: list[Part] = []
    if own is not None and other is not None:
        words = f"a task costs {own:.4g} USD with {detail.get('chosen')}, {other:.4g} USD with {detail.get('best')}"
        parts.append(Part(words))
    points = [
        ("as it is today" if one.get("scale") is None else f"eq. 4 at {_short(one.get('scale'))} times V",
         *_numbers(one, "quality", "cost_usd", "risk_usd"))
        for one in _rows(detail, "frontier")
    ]  # fmt: skip
    parts += _table("what the router could reach, a task", ("router", "quality", "cost_usd", "risk_usd"), points)
    return [*parts, *_menu(_of(detail, "menu"))]


def _menu(menu: Detail) -> list[Part]:
    offers = {one.get("option"): one for one in _rows(menu, "offers")}
    types = _rows(menu, "types")
    rows = [
        (name, ", ".join(str(one.get("type")) for one in types if one.get("option") == name) or "nobody",
         *_numbers(offers.get(name, {}), "quality"), _short(price), *_numbers(offers.get(name, {}), "price_usd"))
        for name, price in sorted(_of(menu, "full_prices_usd").items(), key=lambda one: _number(one[1]) or 0.0)
    ]  # fmt: skip
    columns = ("model", "meant for tasks worth", "quality", "full price_usd", "menu price_usd")
    parts = _table("a menu from which users would choose so by themselves (eq. 5)", columns, rows, words=2)
    if menu.get("why"):
        parts.append(Part(f"there is no such menu: {menu['why']}"))
    parts += [Part(f"at full prices alone {one}") for one in _items(menu, "would_choose_otherwise_at_full_prices")]
    return parts


def _verification(detail: Detail) -> list[Part]:
    rows = [
        (_text(band, "band"), _text(one, "option"), *_numbers(one, "quality", "cost_usd", "risk_usd", "net_usd", "n"))
        for band in _rows(detail, "strata")
        for one in _rows(band, "passes")
    ]
    columns = ("tasks worth", "checks", "quality", "cost_usd", "risk_usd", "net_usd", "decisions")
    parts = _table("what each number of checks brings, a task", columns, rows, words=2)
    margin = _of(detail, "marginal_product")
    net = _of(margin, "net_per_usd")
    if _number(net.get("value")) is not None:
        parts.append(Part(f"one dollar more of checking brings {_estimate(net)} USD beyond itself"))
    elif margin.get("why"):
        parts.append(Part(f"what one dollar more of checking brings is not known: {margin['why']}"))
    checks = _of(detail, "checks")
    if checks:
        failed, made = (_short(checks.get(name)) for name in ("failed", "passes"))
        parts.append(Part(f"{failed} of {made} checks in these tasks said that something was wrong"))
    return parts


def _delegation(detail: Detail) -> list[Part]:
    parts: list[Part] = []
    for row in _rows(detail, "schedule"):
        shares = sorted(_of(row, "now").items(), key=lambda one: -(_number(one[1]) or 0.0))
        now = ", ".join(f"{name} {_share(_number(share))}" for name, share in shares)
        rows = [
            (_text(one, "confirmation"), *_numbers(one, "actions"), *_numbers(mean, "value", "low", "high"),
             *_numbers(worst, "value"))
            for one in _rows(row, "borne")
            for mean, worst in [(_of(one, "expected_loss_usd"), _of(one, "worst_twentieth_usd"))]
        ]  # fmt: skip
        parts.append(Part(f"{row.get('action_class')}: now {now}; recommended {row.get('recommended')}: {row.get('why')}"))
        columns = ("confirmed by", "actions", "mean loss_usd", "low", "high", "worst twentieth_usd")
        parts += _table("what was lost with each confirmation, an action", columns, rows)
    return parts


def _congestion(detail: Detail) -> list[Part]:
    victims = _of(detail, "victims")
    waiting = {**{f"own {name}": _mapping(of) for name, of in _of(victims, "own").items()},
               "all other tenants": _of(victims, "other_tenants")}  # fmt: skip
    rows = [(name, *_numbers(of, "delay_s_per_day", "usd_per_day")) for name, of in waiting.items() if of]
    parts = _table("who waits for these requests", ("whose requests", "seconds a day", "usd_per_day"), rows)
    later = [_numbers(one, "hours", "usd_per_day") for one in _rows(detail, "if_later")]
    parts += _table("what would be left if they came later", ("hours later", "usd_per_day"), later, words=0)
    found = _of(detail, "fingerprint")
    if found.get("verdict"):
        slope = _estimate({**found, "value": found.get("s_per_thousand_tokens")})
        words = f"from latencies alone ({_short(found.get('windows'))} windows): shorter requests of others take {slope} s longer"
        parts.append(Part(f"{words} for each thousand tokens of these; {found['verdict']}, p = {_short(found.get('p'))}"))
    drafting = _of(detail, "speculation")
    bands = [tuple(_short(number) for number in _numbers_of(band)) for band in _items(drafting, "acceptance")]
    columns = ("context up to, tokens", "share of drafts accepted", "requests")
    told = f"drafting ahead: {drafting.get('answer') or 'what of it is accepted'}"
    parts += _table(told, columns, [band for band in bands if len(band) == len(columns)], words=0)
    return [*parts, *_drafting(drafting)]


def _drafting(speculation: Detail) -> list[Part]:
    """At which acceptance drafts pay, and from which context on they are better left off."""
    row = _numbers(speculation, "break_even", "off_from_tokens", "low", "high", "saved_share")
    columns = ("pays from a share accepted of", "off from, tokens", "low", "high", "decode time saved")
    return _table("when drafting pays", columns, [row] if row[0] is not None else [], words=0)


def _rollouts(detail: Detail) -> list[Part]:
    ages = [_numbers(one, "lag", "updates", "gain", "fitted", "variance") for one in _rows(detail, "by_lag")]
    columns = ("versions old", "updates", "gain", "fitted gain", "variance")
    parts = _table("what an update gains by the age of its rollouts", columns, ages, words=0)
    lost = _numbers_of(detail.get("capability_lost"))
    if len(lost) == _ESTIMATE:
        parts.append(Part(f"capability lost since: {_estimate(dict(zip(('value', 'low', 'high'), lost, strict=True)))}"))
    past = _short(detail.get("past_the_point"))
    if past is not None:
        spent = _short(detail.get("spent_past_the_point_usd_per_day")) or "not known how many"
        parts.append(Part(f"{past} updates gained less than what faded meanwhile; {spent} USD a day went into their batches"))
    rows = [(_text(one, "use"), *_numbers(one, "usd", "gain_per_usd", "low", "high")) for one in _rows(detail, "marginals")]
    parts += _table("what a dollar more brings", ("spent on", "usd", "gain_per_usd", "low", "high"), rows)
    methods = [
        (_text(one, "method"), *_numbers(one, "gain", "variance", "updates"), "yes" if one.get("is_efficient") else "no")
        for one in _rows(detail, "frontier")
        if one.get("method")
    ]
    return [*parts, *_table("by method of training", ("method", "mean gain", "variance", "updates", "efficient"), methods)]


_ESTIMATE = 3
"""A value and the two ends of its interval."""


def _cache(detail: Detail) -> list[Part]:
    causes = sorted(_of(detail, "causes").items(), key=lambda one: -(_number(one[1]) or 0.0))
    rows = [(name, _short(calls)) for name, calls in causes]
    parts = _table("why what was sent before was not read from the cache", ("cause", "calls"), rows)
    writes = _of(detail, "writes")
    if _number(writes.get("closed")):
        unpaid, closed, reads, needed, premium, saved = (
            _short(writes.get(name))
            for name in ("unpaid", "closed", "reads_per_write", "break_even_reads", "premium_usd", "saved_usd")
        )
        words = f"{unpaid} of {closed} writes whose time is over were not repaid: a write is read {reads} times, {needed} would"
        parts.append(Part(f"{words} pay it; premiums {premium} USD, saved {saved} USD"))
    bands = [_numbers(one, "low_usd", "high_usd", "calls", "hit_rate", "saved_usd") for one in _rows(detail, "hit_rate_by_value")]
    columns = ("tasks worth from_usd", "to_usd", "calls", "input read from cache", "saved_usd")
    return [*parts, *_table("what the cache did, by what the task was worth", columns, bands, words=0)]


def _nothing(_detail: Detail) -> list[Part]:
    return []


_OF_MODE: dict[str, Callable[[Detail], list[Part]]] = {
    "over_routing": _routing,
    "under_routing": _routing,
    "over_delegation": _delegation,
    "under_verification": _verification,
    "serving_congestion": _congestion,
    "stale_rollouts": _rollouts,
    "cache_misuse": _cache,
}


def _table(said: str, columns: tuple[str, ...], rows: Sequence[tuple[str | None, ...]], words: int = 1) -> list[Part]:
    return [Part(said, columns, tuple(rows), words)] if rows else []


def _mapping(value: object) -> Detail:
    return cast(Detail, value) if isinstance(value, dict) else {}


def _of(detail: Detail, name: str) -> Detail:
    return _mapping(detail.get(name))


def _items(detail: Detail, name: str) -> list[object]:
    found = detail.get(name)
    return cast("list[object]", found) if isinstance(found, list) else []


def _rows(detail: Detail, name: str) -> list[Detail]:
    return [one for one in map(_mapping, _items(detail, name)) if one]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _numbers_of(value: object) -> list[float | None]:
    return [_number(one) for one in cast("list[object]", value)] if isinstance(value, list) else []


def _short(value: object) -> str | None:
    """A number to four digits, and whole where it is."""
    number = _number(value)
    if number is None:
        return None
    return f"{number:.0f}" if number.is_integer() or abs(number) >= 10_000 else f"{number:.4g}"


def _share(share: float | None) -> str:
    return "an unknown share" if share is None else f"{share:.1%}".replace("%", " %")


def _numbers(detail: Detail, *names: str) -> tuple[str | None, ...]:
    return tuple(_short(detail.get(name)) for name in names)


def _text(detail: Detail, name: str) -> str | None:
    value = detail.get(name)
    return None if value in (None, "") else str(value)


def _estimate(of: Detail) -> str:
    value, low, high = _numbers(of, "value", "low", "high")
    return f"{value}" if low is None or high is None else f"{value} ({low} to {high})"
