"""What one writer remembers between its transactions: ids that were committed, and rates. Nothing in it goes stale unseen."""

from __future__ import annotations

from collections.abc import Iterable

from ledger.terms import TermsBook

_REMEMBERED_MAX = 50_000


class WriterMemory:
    """Tenants, resources and accounts are only ever added, so what was committed once stays true; for rates see TermsBook."""

    def __init__(self) -> None:
        self.tenants: dict[str, int] = {}
        self.terms = TermsBook()
        self.closed_through: dict[int, int | None] = {}
        """The last closed day of tenants, in days since 1970, as it was when they were posted to last."""
        self._new_tenants: dict[str, int] = {}
        self._resources: set[tuple[int, str]] = set()
        self._new_resources: set[tuple[int, str]] = set()

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
        self.tenants |= self._new_tenants
        self._resources |= self._new_resources
        for remembered in (self.tenants, self._resources):
            if len(remembered) > _REMEMBERED_MAX:
                remembered.clear()
        self.terms.committed()
        self._forget_new()

    def rolled_back(self) -> None:
        """The transaction was not committed: forget what it made."""
        self.terms.rolled_back()
        self._forget_new()

    def _forget_new(self) -> None:
        self._new_tenants.clear()
        self._new_resources.clear()
