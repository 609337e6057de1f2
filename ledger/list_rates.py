"""List prices with their history, as genai-prices knows them, turned into rates that a plain join can find.

genai-prices keeps prices as rules (the last condition that holds wins, a variant overrides single prices, a count without a
price of its own is billed with the count it is part of). Here each rule is worked out once, by asking the library itself for
every period, time of day and tier, and the answer is written down as rows: provider × model × commodity × service tier × context
tier × time of day × validity. A row whose price was taken over from another commodity says so in `basis`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from genai_prices.data_units import unit_data
from genai_prices.types import ModelInfo, ModelPrice, Provider, StartDateConstraint, TieredPrices, TimeOfDateConstraint
from genai_prices.units import UnitRegistry

from ledger.commodities import COMMODITY_BY_NAME

STANDARD = "standard"
ALL_DAY = (time(0), time(0))
"""A daily window from midnight to midnight: the whole day."""

Window: TypeAlias = tuple[time, time]


class ListRate(NamedTuple):
    """One list price. `valid_from` and `valid_until` are UTC midnights; None is open. `price_usd` buys `per` units.

    `listed_by` is the provider whose list it stands in: another one than `provider` where genai-prices falls back to it.
    """

    provider: str
    model: str
    commodity_id: int
    service_tier: str
    context_above: int
    daily_from: time
    daily_until: time
    valid_from: datetime | None
    valid_until: datetime | None
    price_usd: Decimal
    per: int
    basis: str
    listed_by: str


class Offer(NamedTuple):
    """A model under the name it has in the price book, and the provider whose list has its price."""

    provider: Provider
    name: str
    model: ModelInfo
    listed_by: Provider


def list_rates(providers: Sequence[Provider]) -> Iterator[ListRate]:
    """Every list price of these providers, disjoint in (key, validity)."""
    inheritables = {p.id: _REPORTED_EVERYWHERE | _reported_keys(p) for p in providers}
    for offer in offers(providers):
        inheritable = inheritables[offer.provider.id]
        for tier, context in _tiers(offer).items():
            yield from _rates_of_tier(offer, tier, context, inheritable)


def offers(providers: Sequence[Provider]) -> Iterator[Offer]:
    """What each provider sells: its own models, then those of the providers its list falls back to (Azure sells OpenAI's).

    A fallback model whose id the provider uses for a model of its own is named `<owner>/<id>`.
    """
    by_id = {p.id: p for p in providers}
    for provider in providers:
        names = {model.id.lower() for model in provider.models}
        for model in provider.models:
            yield Offer(provider, model.id.lower(), model, provider)
        for owner in (by_id[i] for i in provider.fallback_model_providers or () if i in by_id):
            for model in owner.models:
                name = offer_name(provider, owner, model, names)
                if name not in names:
                    names.add(name)
                    yield Offer(provider, name, model, owner)


def offer_name(provider: Provider, owner: Provider, model: ModelInfo, own_names: set[str] | frozenset[str]) -> str:
    """The price book's name for a model that `provider` sells out of `owner`'s list."""
    name = model.id.lower()
    return name if owner is provider or name not in own_names else f"{owner.id}/{name}"


# ── service tiers ────────────────────────────────────────────────────────────────────────────────────

# Request properties that are service tiers as providers report them in a response. Others (a route, a kind of search) keep
# their name: a call is priced with them only if its record says so.
_TIER_PROPERTIES = ("service_tier", "processing", "speed")
_STANDARD_NAMES = frozenset({"", "default", "auto", "standard", "standard_only", "on_demand", "none", "null"})


def service_tier(reported: str | None) -> str:
    """The price book's name of a service tier as a provider reports it; what providers call the ordinary tier is `standard`."""
    name = (reported or "").strip().lower()
    return STANDARD if name in _STANDARD_NAMES else name


def _tiers(offer: Offer) -> dict[str, dict[str, str]]:
    """Service tiers of a model and the request context that selects each. A list that is only fallen back to has no variants."""
    tiers: dict[str, dict[str, str]] = {STANDARD: {}}
    if offer.listed_by is offer.provider:
        for variant in offer.model.price_variants or ():
            name = _tier_name(variant.when)
            if tiers.setdefault(name, variant.when) != variant.when and name != STANDARD:
                tiers.setdefault("+".join(f"{k}={v}" for k, v in sorted(variant.when.items())), variant.when)
    return tiers


def _tier_name(when: Mapping[str, str]) -> str:
    [(key, value), *more] = sorted(when.items())
    if key in _TIER_PROPERTIES and not more:
        return service_tier(value)
    return "+".join(f"{k}={v}" for k, v in sorted(when.items())).lower()


# ── periods and times of day ─────────────────────────────────────────────────────────────────────────

Cell: TypeAlias = tuple[int, Window]
"""(number of the period, daily window)."""


def _rates_of_tier(offer: Offer, tier: str, context: dict[str, str], inheritable: frozenset[str]) -> Iterator[ListRate]:
    model = offer.model
    starts = [datetime.combine(day, time(0), UTC) for day in _start_dates(model)]
    edges: list[datetime | None] = [None, *starts, None]
    runs: dict[tuple[int, int, Window], list[tuple[int, _Price]]] = {}
    for period in range(len(edges) - 1):
        opens = edges[period] or (edges[1] or datetime(2000, 1, 1, tzinfo=UTC)) - timedelta(days=1)
        for window, prices in _windows(model, opens, context):
            for (commodity_id, above), price in _expand(prices, inheritable).items():
                runs.setdefault((commodity_id, above, window), []).append((period, price))
    for (commodity_id, above, window), run in runs.items():
        for first, last, price in _merge(run):
            yield ListRate(
                offer.provider.id, offer.name, commodity_id, tier, above, *window, edges[first], edges[last + 1],
                price.usd, price.per, price.basis, offer.listed_by.id,
            )  # fmt: skip


def _start_dates(model: ModelInfo) -> list[date]:
    conditions = [c.constraint for c in model.prices] if isinstance(model.prices, list) else []
    conditions += [v.constraint for v in model.price_variants or ()]
    return sorted({c.start_date for c in conditions if isinstance(c, StartDateConstraint)})


def _windows(model: ModelInfo, day: datetime, context: dict[str, str]) -> Iterator[tuple[Window, _TierPrices]]:
    """Prices of one day by daily window: the all-day price first, then the windows that differ from it."""
    limits = _daily_limits(model)
    if not limits:
        if (prices := _prices_at(model, day, context)) is not None:
            yield ALL_DAY, prices
        return
    times = sorted({edge for window in limits for edge in window})
    spans = list(zip(times, [*times[1:], times[0]], strict=True))
    usual = next((start for start, _ in spans if not any(_holds(w, start) for w in limits)), times[0])
    all_day = _prices_at(model, datetime.combine(day.date(), usual, UTC), context)
    if all_day is not None:
        yield ALL_DAY, all_day
    merged: list[tuple[Window, _TierPrices]] = []
    for start, end in spans:
        prices = _prices_at(model, datetime.combine(day.date(), start, UTC), context)
        if prices is None or (all_day is not None and prices == all_day):
            continue
        if merged and merged[-1][0][1] == start and merged[-1][1] == prices:
            merged[-1] = ((merged[-1][0][0], end), prices)
        else:
            merged.append(((start, end), prices))
    yield from merged


def _daily_limits(model: ModelInfo) -> list[Window]:
    conditions = [c.constraint for c in model.prices] if isinstance(model.prices, list) else []
    conditions += [v.constraint for v in model.price_variants or ()]
    return [(_utc(c.start_time), _utc(c.end_time)) for c in conditions if isinstance(c, TimeOfDateConstraint)]


def _utc(moment: time) -> time:
    if moment.tzinfo is None:
        return moment
    return datetime.combine(date(2000, 1, 2), moment).astimezone(UTC).time()


def _holds(window: Window, moment: time) -> bool:
    start, end = window
    return start <= moment < end if start < end else moment >= start or moment < end


def _merge(run: list[tuple[int, _Price]]) -> Iterator[tuple[int, int, _Price]]:
    """Neighbouring periods at one price, as (first period, last period, price)."""
    first, last, price = run[0][0], run[0][0], run[0][1]
    for period, following in run[1:]:
        if period == last + 1 and following == price:
            last = period
            continue
        yield first, last, price
        first, last, price = period, period, following
    yield first, last, price


# ── prices of one moment ─────────────────────────────────────────────────────────────────────────────


class _Price(NamedTuple):
    usd: Decimal
    per: int
    basis: str


@dataclass(frozen=True, slots=True)
class _TierPrices:
    """Prices by genai-prices' price key; `of_standard` are those that a service tier takes over from the standard one."""

    prices: dict[str, Decimal | TieredPrices]
    of_standard: frozenset[str]


def _prices_at(model: ModelInfo, moment: datetime, context: dict[str, str]) -> _TierPrices | None:
    """What the library charges at a moment, or None for a service tier that the list does not have then."""
    standard = model.get_prices(moment)
    if not context:
        return _TierPrices(_stated(standard) or _free(model), frozenset())
    variants = [
        v for v in model.price_variants or () if v.when == context and (v.constraint is None or v.constraint.active(moment))
    ]
    own = {key for v in variants for key in _stated(v.prices)}
    if not own:
        return None
    prices = _stated(model.get_prices(moment, context))
    return _TierPrices(prices, frozenset(prices.keys() - own))


def _stated(prices: ModelPrice) -> dict[str, Decimal | TieredPrices]:
    return {key: price for key, price in vars(prices).items() if price is not None}


def _free(model: ModelInfo) -> dict[str, Decimal | TieredPrices]:
    """An empty list entry says nothing about the price, unless the model's very name does: `…:free` costs nothing."""
    return {"input_mtok": Decimal(0), "output_mtok": Decimal(0)} if model.id.endswith(":free") else {}


def _expand(prices: _TierPrices, inheritable: frozenset[str]) -> dict[tuple[int, int], _Price]:
    """Price of every commodity and context tier, own or taken over: {(commodity_id, context_above): price}."""
    expanded: dict[tuple[int, int], _Price] = {}
    known = {_UNIT_BY_PRICE[key]: key for key in prices.prices if key in _UNIT_BY_PRICE}
    for usage_key, payer in _payers(frozenset(known), inheritable).items():
        commodity_id = COMMODITY_BY_NAME[usage_key].commodity_id
        basis = "listed" if payer == usage_key else f"inherits {payer}"
        if known[payer] in prices.of_standard:
            basis = f"inherits {payer} of {STANDARD}"
        price, per = prices.prices[known[payer]], _UNITS[payer].per
        if isinstance(price, TieredPrices):
            expanded[commodity_id, 0] = _Price(price.base, per, basis)
            for step in price.tiers:
                expanded[commodity_id, step.start] = _Price(step.price, per, basis)
        else:
            expanded[commodity_id, 0] = _Price(price, per, basis)
    return expanded


# ── which price pays for which commodity ─────────────────────────────────────────────────────────────

_REGISTRY = UnitRegistry(unit_data)
_UNITS = _REGISTRY.units
_UNIT_BY_PRICE = {unit.price_key: unit.usage_key for unit in _UNITS.values() if unit.usage_key in COMMODITY_BY_NAME}

# Kinds of tokens that telemetry tells apart whoever the provider is. A provider's other kinds are those its own API reports.
_REPORTED_EVERYWHERE = frozenset({
    "cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_reasoning_tokens",
    "input_audio_tokens", "output_audio_tokens", "input_image_tokens", "input_video_tokens",
})  # fmt: skip


def unknown_price_keys(providers: Iterable[Provider]) -> set[str]:
    """Prices in the list for which there is no commodity (a newer library may sell new things); they are left out."""
    keys: set[str] = set()
    for model in (model for provider in providers for model in provider.models):
        sets = [model.prices] if isinstance(model.prices, ModelPrice) else [c.prices for c in model.prices]
        for prices in sets + [v.prices for v in model.price_variants or ()]:
            keys |= _stated(prices).keys() - _UNIT_BY_PRICE.keys()
    return keys


def _reported_keys(provider: Provider) -> frozenset[str]:
    return frozenset(m.dest for extractor in provider.extractors or () for m in extractor.mappings)


@lru_cache(maxsize=4096)
def _payers(priced: frozenset[str], inheritable: frozenset[str]) -> dict[str, str]:
    """Who pays for each commodity: itself where it is priced, else the nearest priced count that it is part of.

    Nothing is said of a commodity that is part of no priced count, or of two that are equally near: it has no price.
    """
    payers: dict[str, str] = {}
    for usage_key in priced | inheritable:
        if usage_key in priced:
            payers[usage_key] = usage_key
            continue
        if usage_key not in _UNITS or usage_key not in COMMODITY_BY_NAME:
            continue
        wider = _REGISTRY.ancestor_usage_keys(usage_key) & priced
        nearest = [k for k in wider if not any(_is_part(other, k) for other in wider if other != k)]
        if len(nearest) == 1:
            payers[usage_key] = nearest[0]
    return payers


def _is_part(part: str, whole: str) -> bool:
    return _UNITS[whole].dimensions.items() <= _UNITS[part].dimensions.items()
