"""What one writer remembers between its transactions: ids that were committed, and rates. Nothing in it goes stale unseen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ledger.basis import News, told_terms
from ledger.terms import CallKind, Terms, TermsBook

_REMEMBERED_MAX = 50_000


class Told(NamedTuple):
    """How much of a writer's memory a process has been told: the edition, and how many tenants, closings and terms of it."""

    edition: int = -1
    tenants: int = 0
    closings: int = 0
    terms: int = 0


class WriterMemory:
    """Tenants, resources and accounts are only ever added, so what was committed once stays true; for rates see TermsBook."""

    def __init__(self) -> None:
        self.tenants: dict[str, int] = {}
        self.terms = TermsBook()
        self.closed_through: dict[int, int | None] = {}
        """The last closed day of tenants, in days since 1970, as it was when they were posted to last."""
        self._added_tenants: list[tuple[str, int]] = []
        self._closings: list[tuple[int, int | None]] = []
        self._new_tenants: dict[str, int] = {}
        self._resources: set[tuple[int, str]] = set()
        self._new_resources: set[tuple[int, str]] = set()

    @property
    def edition(self) -> int:
        """See `TermsBook.edition`."""
        return self.terms.edition

    def terms_of(self, tenant_id: int) -> Mapping[CallKind, Terms]:
        """The terms of a tenant that are remembered."""
        return self.terms.known(tenant_id)

    def news(self, told: Told) -> tuple[News | None, Told]:
        """What a process that was told so much has not been told yet, and how much it has been told then. For any thread."""
        edition = self.terms.edition
        tenants, closings, terms = self._added_tenants, self._closings, self.terms.added
        if told.edition != edition:
            told = Told(edition)
        elif told == (edition, len(tenants), len(closings), len(terms)):
            return None, told
        news = News(edition, tenants[told.tenants :], closings[told.closings :], told_terms(terms[told.terms :]))
        return news, Told(
            edition, told.tenants + len(news.tenants), told.closings + len(news.closed_through), told.terms + len(news.terms)
        )

    def closed(self, through: Mapping[int, int | None]) -> None:
        """The last closed days of tenants are these now."""
        for tenant_id, day in through.items():
            if tenant_id not in self.closed_through or self.closed_through[tenant_id] != day:
                self.closed_through[tenant_id] = day
                self._closings.append((tenant_id, day))

    def tenant_ids(self, names: Iterable[str]) -> dict[str, int] | None:
        """Ids of the tenants of these names, or None when one of them is not remembered."""
        known = self.tenants
        try:
            return {name: known[name] for name in names}
        except KeyError:
            return None

    def opened(self, tenants: dict[str, int]) -> None:
        """These tenants exist once the transaction is committed."""
        self._new_tenants |= tenants

    def new_resources(self, tenant_id: int, resource_ids: Iterable[str]) -> list[str]:
        """Those of some resources that are not remembered; they will be once the transaction is committed."""
        new = [r for r in resource_ids if (tenant_id, r) not in self._resources]
        self._new_resources.update((tenant_id, r) for r in new)
        return new

    def committed(self) -> None:
        """The transaction was committed: keep what it made."""
        self._added_tenants += [pair for pair in self._new_tenants.items() if pair[0] not in self.tenants]
        self.tenants |= self._new_tenants
        self._resources |= self._new_resources
        if len(self._resources) > _REMEMBERED_MAX:
            self._resources.clear()
        if max(len(self.tenants), len(self._closings)) > _REMEMBERED_MAX:
            self.tenants, self.closed_through = {}, {}
            self._added_tenants, self._closings = [], []
            self.terms.forget()
        self.terms.committed()
        self._forget_new()

    def rolled_back(self) -> None:
        """The transaction was not committed: forget what it made."""
        self.terms.rolled_back()
        self._forget_new()

    def _forget_new(self) -> None:
        self._new_tenants.clear()
        self._new_resources.clear()
