"""Menus from which users choose for themselves: incentive compatibility (eq. 5), information rents, a menu that is compatible.

    V_k·q_{m(k)} − p_{m(k)} ≥ V_k·q_{m(k')} − p_{m(k')}   for all types k, k'                                   (5)

A type is a kind of user, told apart by V only; V is theirs to know. The price p of an option is what the user pays for it; at its
full price C + λ·L + ρ·R every type chooses for itself what eq. 1 would have chosen for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from allocation.errors import AllocationError

_TOLERANCE = 1e-9  # of the amounts compared: what rounding may make of equals


@dataclass(frozen=True, slots=True)
class Offer:
    """An option of a menu as a user sees it: its quality in [0, 1] and what it costs the user."""

    option: str
    quality: float
    price_usd: float


@dataclass(frozen=True, slots=True)
class UserType:
    """A kind of user: V in USD for quality 1 against 0, and the option meant for it."""

    name: str
    v_usd: float
    option: str


@dataclass(frozen=True, slots=True)
class Envy:
    """A type that gains by taking another option of the menu: a violation of eq. 5. `option` None: it gains by taking none."""

    user_type: str
    meant: str
    option: str | None
    gain_usd: float


@dataclass(frozen=True, slots=True)
class Compatibility:
    """Whether every type is best off with the option meant for it. `surplus_usd` is each type's V·q − p with that option."""

    envies: tuple[Envy, ...]
    surplus_usd: Mapping[str, float]

    @property
    def is_compatible(self) -> bool:
        """No type gains by choosing another option of the menu (eq. 5)."""
        return not any(envy.option is not None for envy in self.envies)

    @property
    def all_take_part(self) -> bool:
        """No type is better off with nothing at all."""
        return not any(envy.option is None for envy in self.envies)


def check(offers: Sequence[Offer], types: Sequence[UserType]) -> Compatibility:
    """Eq. 5 for every type, and whether each takes part at all. What is offered can be taken, whether or not it is meant for
    somebody. Raises: AllocationError on a name that is not there."""
    by_name = {offer.option: offer for offer in offers}
    for one in types:
        if one.option not in by_name:
            raise AllocationError(f"type {one.name!r} is meant to take {one.option!r}, which the menu does not offer")
    envies: list[Envy] = []
    surplus: dict[str, float] = {}
    for one in types:
        own = _surplus(one, by_name[one.option])
        surplus[one.name] = own
        scale = _TOLERANCE * max(1.0, abs(one.v_usd), abs(own))
        others = [(_surplus(one, offer), offer.option) for offer in offers if offer.option != one.option]
        gain, option = max(((other - own, option) for other, option in others), default=(0.0, None))
        if option is not None and gain > scale:
            envies.append(Envy(one.name, one.option, option, gain))
        if own < -scale:
            envies.append(Envy(one.name, one.option, None, -own))
    return Compatibility(tuple(envies), surplus)


def self_selected(offers: Sequence[Offer], v_usd: float) -> Offer | None:
    """The option that a user of this V takes; None when all of them leave it with less than nothing. Of equals the cheaper."""
    best = min(offers, key=lambda offer: (offer.price_usd - v_usd * offer.quality, offer.price_usd), default=None)
    return best if best is not None and v_usd * best.quality >= best.price_usd else None


def information_rents(qualities: Mapping[str, float], types: Sequence[UserType]) -> dict[str, float]:
    """The least surplus in USD that each type must be left, since it could pass itself off as the type below.

    rent_1 = 0, rent_k = rent_{k−1} + (V_k − V_{k−1})·q_{m(k−1)}, types in the order of V.
    Raises: AllocationError when a higher V is meant to get a lower quality: then no prices make the menu compatible.
    """
    ordered = sorted(types, key=lambda one: (one.v_usd, qualities[one.option]))
    rents: dict[str, float] = {}
    for place, one in enumerate(ordered):
        if place == 0:
            rents[one.name] = 0.0
            continue
        below = ordered[place - 1]
        if qualities[one.option] < qualities[below.option] - _TOLERANCE:
            raise AllocationError(
                f"type {one.name!r} has the higher V and is meant to get less quality than {below.name!r}:"
                " no prices make such a menu compatible",
                "give the higher V at least the quality of the lower",
            )
        rents[one.name] = rents[below.name] + (one.v_usd - below.v_usd) * qualities[below.option]
    return rents


def screening_menu(qualities: Mapping[str, float], types: Sequence[UserType]) -> tuple[Offer, ...]:
    """The dearest prices at which every type still takes what is meant for it: p = V_k·q − rent_k. Compatible by construction.

    Raises: AllocationError as `information_rents` does.
    """
    rents = information_rents(qualities, types)
    prices: dict[str, float] = {}
    for one in sorted(types, key=lambda one: one.v_usd):
        price = one.v_usd * qualities[one.option] - rents[one.name]
        prices[one.option] = min(price, prices.get(one.option, price))
    return tuple(Offer(option, qualities[option], price) for option, price in prices.items())


def _surplus(one: UserType, offer: Offer) -> float:
    return one.v_usd * offer.quality - offer.price_usd
