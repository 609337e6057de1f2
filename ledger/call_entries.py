"""New calls as rows of the books: each call's entry and transfers, and what they add to the balances.

This is the posting statement (`post_tenant` in ledger/sql/post.sql) for calls that nothing is known of yet, which is nearly all
of them: what it would join and sum in the database is joined and summed here, and written by COPY. A test posts the same calls
both ways and compares. Both legs of a movement stay one row, and the table's own constraint checks each amount again.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from ledger.accounts import TenantAccounts
from ledger.arrivals import ReadyCall, ReadyRecord, Verdict
from ledger.commodities import COMMODITY_BY_NAME
from ledger.copy_text import NULL, at, text
from ledger.rate_book import REQUESTS, Rate, RateBook, line_of

ENTRY_COLUMNS = "tenant_id, entry_id, kind, source, occurred_at, posted_on, trace_id, span_id"
TRANSFER_COLUMNS = (
    "tenant_id, entry_id, line, occurred_at, posted_on, book, commodity_id, debit_account_id, credit_account_id, quantity,"
    " rate_id, rate_usd, amount_usd"
)

_DAY_US = 86_400_000_000
_PICO = 10**12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COMMODITY_ID = {name: commodity.commodity_id for name, commodity in COMMODITY_BY_NAME.items()}
_NAME_OF = {commodity.commodity_id: name for name, commodity in COMMODITY_BY_NAME.items()}


class Sums(NamedTuple):
    """What the new transfers add to the balances, as PostgreSQL writes arrays: one element a balance."""

    account_ids: str
    commodity_ids: str
    days: str
    debit_quantities: str
    credit_quantities: str
    debit_usd: str
    credit_usd: str
    unpriced_quantities: str


class _Price(NamedTuple):
    """One leaf of a call and its rate, if there is one."""

    commodity_id: int
    quantity: int
    rate: Rate | None


class CallEntries:
    """Rows of one tenant's new calls. Lines are for COPY, in the order of the columns named here and in ledger/copy_text.py."""

    def __init__(
        self, tenant: str, tenant_id: int, closed_through: int | None, accounts: TenantAccounts, rates: RateBook
    ) -> None:
        """`closed_through` is the last closed day, in days since 1970; what is older is posted on the day after it."""
        self.calls: list[bytes] = []
        self.entries: list[str] = []
        self.transfers: list[str] = []
        self.written: dict[str, int] = {}
        """Calls by status."""
        self._tenant = tenant.encode()
        self._tenant_id = tenant_id
        self._first_open_day = 0 if closed_through is None else closed_through + 1
        self._accounts = accounts
        self._rates = rates
        # (account, commodity, day) → debit and credit quantity, debit and credit picodollars, unpriced quantity
        self._sums: dict[tuple[int, int, int], list[int]] = {}

    def add(self, record: ReadyRecord, call: ReadyCall, verdict: Verdict) -> None:
        """Book one call, or keep it as the duplicate that the verdict says it is."""
        expense, payable = self._accounts.of_call(call)
        if verdict.copy_of is not None:
            trace_id, span_id = verdict.copy_of
            copy = f"\\\\x{trace_id.hex()}\t\\\\x{span_id.hex()}"
            self._call(call, "duplicate", verdict.reason, verdict, copy, NULL, NULL, expense, payable, 0)
            return
        entry_id = self._entry_id(record)
        day = max(record.started_us // _DAY_US, self._first_open_day)
        occurred_at = at(record.started_us)
        self.entries.append(
            f"{self._tenant_id}\t{entry_id}\tcall\t{call.dialect}\t{occurred_at}\t{_date(day)}\t"
            f"\\\\x{record.trace_id.hex()}\t\\\\x{record.span_id.hex()}\n"
        )
        if not call.leaves:
            self._transfer(entry_id, occurred_at, day, _Price(REQUESTS, 1, None), self._accounts.unreadable, payable)
            status, reason, cost = "suspense", call.problem, NULL
        else:
            prices, missing = self._prices(record, call)
            debit = self._accounts.unpriced if missing else expense
            total = sum([self._transfer(entry_id, occurred_at, day, price, debit, payable) for price in prices])
            status, reason, cost = ("unpriced", missing, NULL) if missing else ("booked", None, _usd(total))
        self._call(call, status, reason, verdict, f"{NULL}\t{NULL}", cost, entry_id, expense, payable, 1)

    def sums(self) -> Sums:
        """What the transfers add to the balances, in the order of the balances' key."""
        keys = sorted(self._sums)
        rows = [self._sums[key] for key in keys]
        return Sums(
            _array([str(account) for account, _, _ in keys]),
            _array([str(commodity) for _, commodity, _ in keys]),
            _array([_date(day) for _, _, day in keys]),
            _array([str(row[0]) for row in rows]),
            _array([str(row[1]) for row in rows]),
            _array([_usd(row[2]) for row in rows]),
            _array([_usd(row[3]) for row in rows]),
            _array([str(row[4]) for row in rows]),
        )

    def _prices(self, record: ReadyRecord, call: ReadyCall) -> tuple[list[_Price], str | None]:
        """The call's leaves with their rates, and what has none. A fee per request is charged where there is a rate for it."""
        line, at_us, whole = line_of(call), record.started_us, call.total_input_tokens
        rate_of, tenant_id = self._rates.rate_of, self._tenant_id
        prices: list[_Price] = []
        missing: list[int] = []
        for leaf, quantity in call.leaves.items():
            if quantity > 0:
                commodity_id = _COMMODITY_ID[leaf]
                rate = rate_of(tenant_id, line, commodity_id, at_us, whole)
                if rate is None:
                    missing.append(commodity_id)
                prices.append(_Price(commodity_id, quantity, rate))
        if "requests" not in call.leaves:
            fee = rate_of(tenant_id, line, REQUESTS, at_us, whole)
            if fee is not None:
                prices.append(_Price(REQUESTS, 1, fee))
        if not missing:
            return prices, None
        return prices, "no rate for " + ", ".join([_NAME_OF[commodity_id] for commodity_id in sorted(missing)])

    def _transfer(self, entry_id: str, occurred_at: str, day: int, price: _Price, debit: int, credit: int) -> int:
        """One line of an entry; answers its amount in picodollars, 0 where it is unknown."""
        commodity_id, quantity, rate = price
        if rate is None:
            amount, priced = 0, f"{NULL}\t{NULL}\t{NULL}"
        else:
            amount = rate.amount(quantity)
            priced = f"{rate.rate_id}\t{rate.rate_usd}\t{_usd(amount)}"
        self.transfers.append(
            f"{self._tenant_id}\t{entry_id}\t{commodity_id}\t{occurred_at}\t{_date(day)}\tcash\t{commodity_id}\t"
            f"{debit}\t{credit}\t{quantity}\t{priced}\n"
        )
        unpriced = quantity if rate is None else 0
        debited = self._sums.get((debit, commodity_id, day))
        if debited is None:
            debited = self._sums[debit, commodity_id, day] = [0, 0, 0, 0, 0]
        debited[0] += quantity
        debited[2] += amount
        debited[4] += unpriced
        credited = self._sums.get((credit, commodity_id, day))
        if credited is None:
            credited = self._sums[credit, commodity_id, day] = [0, 0, 0, 0, 0]
        credited[1] += quantity
        credited[3] += amount
        credited[4] -= unpriced
        return amount

    def _call(
        self,
        call: ReadyCall,
        status: str,
        reason: str | None,
        verdict: Verdict,
        copy: str,
        cost: str,
        entry_id: str,
        expense: int,
        payable: int,
        revision: int,
    ) -> None:
        decided = (
            f"{self._tenant_id}\t{status}\t{text(reason)}\t{text(verdict.agent)}\t{text(verdict.task_class)}\t{copy}\t{cost}\t"
            f"{entry_id}\t{expense}\t{payable}\t{revision}\t"
        )
        self.calls += (decided.encode(), call.line)
        self.written[status] = self.written.get(status, 0) + 1

    def _entry_id(self, record: ReadyRecord) -> str:
        """The same as `pigou.entry_id` gives for a call's first entry."""
        ms = (record.started_us + 500) // 1000
        told = self._tenant + record.trace_id + record.span_id + b"call\0\0\0\0"
        return f"{ms & 0xFFFFFFFFFFFF:012x}{hashlib.sha256(told).hexdigest()[:20]}"


def _usd(picodollars: int) -> str:
    return f"{picodollars // _PICO}.{picodollars % _PICO:012d}"


@lru_cache(maxsize=4096)
def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")


def _array(elements: list[str]) -> str:
    return "{" + ",".join(elements) + "}"
