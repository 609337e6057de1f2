"""What drafts are made from, in whichever process: tenants' ids, their last closed days, and the terms of their calls.

One writer remembers it (ledger/memory.py) and tells the processes that read for it what they have not heard yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec

from ledger.terms import CallKind, KnownTerms, LeafTerms, Rate, Terms

ToldRate: TypeAlias = tuple[int, str, int | None, int | None, int, int, int]
"""A rate without what follows from its text: whole numbers of any size do not travel."""
ToldLeaf: TypeAlias = tuple[int, str, list[ToldRate]]
ToldTerms: TypeAlias = tuple[int, CallKind, int, int, int, int, list[ToldLeaf], ToldLeaf | None]
"""The tenant, the kind of call, its four accounts, its leaves, and its fee per request."""


class Basis(Protocol):
    """What a draft is made from. May be asked from any thread; `edition` before the rest."""

    @property
    def edition(self) -> int:
        """Changes whenever what was remembered before may not hold any more; no two writers have the same."""
        ...

    @property
    def tenants(self) -> Mapping[str, int]:
        """Ids by name."""
        ...

    @property
    def closed_through(self) -> Mapping[int, int | None]:
        """The last closed day by tenant, in days since 1970."""
        ...

    def terms_of(self, tenant_id: int) -> Mapping[CallKind, Terms]:
        """The terms of a tenant's calls."""
        ...


class News(msgspec.Struct, tag=True):
    """What a process has not been told yet of its writer's memory; with a new edition it forgets what it was told before."""

    edition: int
    tenants: list[tuple[str, int]]
    closed_through: list[tuple[int, int | None]]
    terms: list[ToldTerms]


class ToldBasis:
    """A basis as it was told."""

    def __init__(self) -> None:
        self.edition = -1
        self.tenants: dict[str, int] = {}
        self.closed_through: dict[int, int | None] = {}
        self._terms: dict[int, KnownTerms] = {}

    def take(self, news: News) -> None:
        """Know this too."""
        if news.edition != self.edition:
            self.tenants, self.closed_through, self._terms = {}, {}, {}
            self.edition = news.edition
        self.tenants.update(news.tenants)
        self.closed_through.update(news.closed_through)
        for tenant_id, kind, expense, payable, unpriced, unreadable, leaves, fee in news.terms:
            terms = Terms(expense, payable, unpriced, unreadable, tuple(map(_leaf, leaves)), None if fee is None else _leaf(fee))
            self._terms.setdefault(tenant_id, {})[tuple(kind)] = terms

    def terms_of(self, tenant_id: int) -> Mapping[CallKind, Terms]:
        """The terms of a tenant's calls."""
        return self._terms.get(tenant_id, {})


def told_terms(remembered: Sequence[tuple[int, CallKind, Terms]]) -> list[ToldTerms]:
    """Terms as they are told."""
    return [
        (
            tenant_id, kind, terms.expense, terms.payable, terms.unpriced, terms.unreadable,
            [_told_leaf(leaf) for leaf in terms.leaves], None if terms.fee is None else _told_leaf(terms.fee),
        )
        for tenant_id, kind, terms in remembered
    ]  # fmt: skip


def _told_leaf(leaf: LeafTerms) -> ToldLeaf:
    return leaf.commodity_id, leaf.commodity, [rate.as_read() for rate in leaf.rates]


def _leaf(told: ToldLeaf) -> LeafTerms:
    commodity_id, commodity, rates = told
    return LeafTerms(commodity_id, commodity, tuple(Rate.read(*rate) for rate in rates))
