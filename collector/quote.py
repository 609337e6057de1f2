"""A quote: eq. 1 on a menu at the prices that hold, what users would choose of it, and what the prices say to each layer.

Pure: the request and the price vector in, the answer out. The prices of the request win over those of the vector; those that
neither knows refuse the options that need them, by name.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from allocation import menu
from allocation.errors import AllocationError
from allocation.rule import Option, Prices, Terms, choose, crossovers
from collector.advice import Advice, UsedPrice, UsedPrices, advise
from collector.faults import NO_NUL
from ledger.price_vector import Vector

OPTIONS_MAX = 64
USERS_MAX = 64

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]
# Strict: `false` and text would be numbers to Pydantic.
_Price = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False, le=1e15)]
_Share = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1)]
_Amount = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e15, le=1e15)]


class MenuOption(BaseModel):
    """One option of the menu, such as a model. What is left out is not known."""

    model_config = ConfigDict(extra="forbid")

    option: Name
    quality: _Share | None = Field(None, description="Expected quality Q of the outcome.")
    cost_usd: _Amount | None = Field(None, description="Expected cost C in USD.")
    latency_s: _Amount | None = Field(None, description="Expected latency L in seconds.")
    risk_usd: _Amount | None = Field(None, description="Expected loss R in USD: probability of a wrong action × what it costs.")
    price_usd: _Amount | None = Field(None, description="What a user pays for it; by default its full price C + λ·L + ρ·R.")


class MenuUser(BaseModel):
    """A kind of user, told apart by what a task is worth to them."""

    model_config = ConfigDict(extra="forbid")

    user: Name
    v_usd: _Price = Field(description="V in USD for quality 1 against 0.")
    option: Name | None = Field(None, description="The option meant for them; by default what eq. 1 chooses.")


class QuoteRequest(BaseModel):
    """A menu, whose tasks it is for, and prices that are known better than by the price vector."""

    model_config = ConfigDict(extra="forbid")

    options: list[MenuOption] = Field(min_length=1, max_length=OPTIONS_MAX)
    users: list[MenuUser] = Field(default_factory=list[MenuUser], max_length=USERS_MAX)
    tenant: Name | None = Field(None, description="Whose prices.")
    task_class: Name | None = Field(None, description="Whose prices, within the tenant's.")
    v_usd: _Price | None = Field(None, description="V of this task as users state it, in place of its class's.")
    lambda_usd_per_s: _Price | None = Field(None, description="λ in dollars of compute, as GET /v1/prices answers it.")
    rho: _Price | None = Field(None, description="ρ in dollars of compute, as GET /v1/prices answers it.")

    @model_validator(mode="after")
    def _names_are_distinct(self) -> QuoteRequest:
        for names in ([one.option for one in self.options], [one.user for one in self.users]):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{', '.join(map(repr, twice))} is named more than once")
        unknown = sorted({one.option for one in self.users if one.option} - {one.option for one in self.options})
        if unknown:
            raise ValueError(f"users are meant to take {', '.join(map(repr, unknown))}, which is not on the menu")
        return self


class OptionTerms(BaseModel):
    """An option's terms of eq. 1 and its surplus, in dollars of compute."""

    option: str
    value_usd: float
    cost_usd: float
    latency_usd: float
    risk_usd: float
    surplus_usd: float


class RefusedOption(BaseModel):
    """An option that could not be compared, and what of it is not known."""

    option: str
    why: str


class MenuCrossover(BaseModel):
    """The value V* of a task, as users state it, from which `above` is better than `below`."""

    below: str
    above: str
    v_usd: float


class UserChoice(BaseModel):
    """What a kind of user is meant to take, takes by itself at the menu's prices (null: nothing), and gains by what is meant."""

    user: str
    v_usd: float
    best: str | None = Field(description="What eq. 1 chooses for them.")
    meant: str | None
    chooses: str | None
    surplus_usd: float | None


class UserEnvy(BaseModel):
    """A user who gains by taking another option of the menu than the one meant (null: none at all): a violation of eq. 5."""

    user: str
    meant: str
    option: str | None
    gain_usd: float


class ScreeningOffer(BaseModel):
    """An option of a menu that is compatible, at the highest price that keeps it so."""

    option: str
    price_usd: float


class MenuAnswer(BaseModel):
    """Whether users choose what is meant for them (eq. 5), the rents that this leaves them, and a menu that is compatible; null
    where nobody could be checked."""

    is_incentive_compatible: bool | None
    all_take_part: bool | None
    users: list[UserChoice]
    envies: list[UserEnvy]
    information_rents_usd: dict[str, float] | None
    compatible_menu: list[ScreeningOffer] | None
    why: str


class QuoteAnswer(BaseModel):
    """i*, every option's surplus, the crossovers V*, the check of the menu, and one sentence for each layer."""

    tenant: str
    task_class: str | None
    best: str | None
    is_worth_it: bool | None = Field(description="Whether the best option brings more than it takes; null: not known.")
    prices: UsedPrices
    options: list[OptionTerms]
    refused: list[RefusedOption]
    crossovers: list[MenuCrossover]
    menu: MenuAnswer | None
    advice: Advice


def quote(asked: QuoteRequest, tenant: str, vector: Vector | None, now: datetime) -> QuoteAnswer:
    """The answer to a request at a tenant's prices. Raises: AllocationError when amounts are too large to be counted with."""
    used = _used(asked, vector, now)
    worth = used.budget_worth
    prices = Prices(used.v_usd.value, used.lambda_usd_per_s.value, used.rho.value)
    options = [Option(one.option, one.quality, one.cost_usd, one.latency_s, one.risk_usd) for one in asked.options]
    choice = choose(options, prices)
    found = crossovers(options, prices)
    return QuoteAnswer(
        tenant=tenant,
        task_class=asked.task_class,
        best=choice.best.option if choice.best is not None else None,
        is_worth_it=choice.worth_it,
        prices=used,
        options=[_terms(one) for one in choice.terms],
        refused=[RefusedOption(option=one.option, why=one.why) for one in choice.refused],
        crossovers=[MenuCrossover(below=one.below, above=one.above, v_usd=one.v_usd * worth) for one in found],
        menu=_menu(asked, options, prices, worth) if asked.users else None,
        advice=advise(asked.task_class, choice, found, used, vector),
    )


def _used(asked: QuoteRequest, vector: Vector | None, now: datetime) -> UsedPrices:
    worth = float(vector.budget_worth) if vector is not None else 1.0

    def priced(stated: float | None, known: Decimal | None, source: str) -> UsedPrice:
        if stated is not None:
            return UsedPrice(value=stated, source="request", age_s=None)
        if vector is None or known is None:
            return UsedPrice(value=None, source="none", age_s=None)
        age_s = max(0.0, (now - vector.valid_from).total_seconds())
        return UsedPrice.model_validate({"value": float(known), "source": source, "age_s": age_s})

    return UsedPrices(
        v_usd=priced(
            None if asked.v_usd is None else asked.v_usd / worth, vector and vector.v_usd, vector.v_source if vector else "none"
        ),
        lambda_usd_per_s=priced(
            asked.lambda_usd_per_s, vector and vector.lambda_usd_per_s, vector.lambda_source if vector else "none"
        ),
        rho=priced(asked.rho, vector and vector.rho, vector.rho_source if vector else "none"),
        budget_worth=worth,
    )


def _terms(one: Terms) -> OptionTerms:
    return OptionTerms(
        option=one.option, value_usd=one.value_usd, cost_usd=one.cost_usd, latency_usd=one.latency_usd, risk_usd=one.risk_usd,
        surplus_usd=one.surplus_usd,
    )  # fmt: skip


def _menu(asked: QuoteRequest, options: list[Option], prices: Prices, worth: float) -> MenuAnswer:
    """The menu as its users see it: in dollars of value, at its stated prices or else its full ones."""
    paid = {one.option: one.price_usd for one in asked.options}
    any_value = choose(options, Prices(0.0, prices.lambda_usd_per_s, prices.rho))
    full = {one.option: one.full_price_usd * worth for one in any_value.terms}
    offers: list[menu.Offer] = []
    for option in options:
        price = paid[option.name] if paid[option.name] is not None else full.get(option.name)
        if price is not None and option.quality is not None:
            offers.append(menu.Offer(option.name, option.quality, price))
    known = {offer.option for offer in offers}
    types: list[menu.UserType] = []
    choices: list[UserChoice] = []
    for user in asked.users:
        best = choose(options, Prices(user.v_usd / worth, prices.lambda_usd_per_s, prices.rho)).best
        meant = user.option or (best.option if best is not None else None)
        taken = menu.self_selected(offers, user.v_usd)
        surplus = None
        if meant is not None and meant in known:
            one = menu.UserType(user.user, user.v_usd, meant)
            types.append(one)
            surplus = menu.check(offers, [one]).surplus_usd[user.user]
        choices.append(
            UserChoice(
                user=user.user, v_usd=user.v_usd, best=best.option if best is not None else None, meant=meant,
                chooses=taken.option if taken is not None else None, surplus_usd=surplus,
            )
        )  # fmt: skip
    return _checked(offers, types, choices, len(asked.users))


def _checked(offers: list[menu.Offer], types: list[menu.UserType], choices: list[UserChoice], users: int) -> MenuAnswer:
    found = menu.check(offers, types)
    qualities = {offer.option: offer.quality for offer in offers}
    rents: dict[str, float] | None = None
    screening: list[ScreeningOffer] | None = None
    why = "" if len(types) == users else "users whose option has no known quality or price are left out of the check"
    try:
        rents = menu.information_rents(qualities, types)
        screening = [ScreeningOffer(option=one.option, price_usd=one.price_usd) for one in menu.screening_menu(qualities, types)]
    except AllocationError as error:
        why = "; ".join(part for part in (why, str(error)) if part)
    return MenuAnswer(
        is_incentive_compatible=found.is_compatible if types else None,
        all_take_part=found.all_take_part if types else None,
        users=choices,
        envies=[UserEnvy(user=e.user_type, meant=e.meant, option=e.option, gain_usd=e.gain_usd) for e in found.envies],
        information_rents_usd=rents,
        compatible_menu=screening,
        why=why,
    )
