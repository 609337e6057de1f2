"""New calls as rows of the books: each call's entry and transfers, and what they add to the balances.

This is the posting statement (`post_tenant` in ledger/sql/post.sql) for calls that nothing is known of yet, which is nearly all
of them: what it would join and sum in the database is joined and summed here, and written by COPY. A test posts the same calls
both ways and compares. Both legs of a movement stay one row, and the table's own constraint checks each amount again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct
from typing import NamedTuple, TypeAlias

from ledger.arrivals import ReadyCall, ReadyRecord, Verdict
from ledger.commodities import COMMODITY_BY_NAME
from ledger.copy_binary import EPOCH_DAY, EPOCH_US, numeric_field, pico_field, text_field, whole_field
from ledger.copy_binary import NULL as NULL_FIELD
from ledger.copy_text import NULL, text, texts
from ledger.terms import REQUESTS, LeafTerms, Rate, Terms

ENTRY_COLUMNS = "tenant_id, entry_id, kind, posted_on, trace_id, span_id, occurred_at, source"
TRANSFER_COLUMNS = (
    "tenant_id, entry_id, line, occurred_at, posted_on, book, commodity_id, debit_account_id, credit_account_id, quantity,"
    " rate_id, rate_usd, amount_usd"
)

# Rows begin with the number of their columns; each column with its length.
_ENTRY = Struct(">h" + "ii" + "i16s" + "i4s" + "ii" + "i16s" + "i8s" + "iq")
_TRANSFER = Struct(">h" + "ii" + "i16s" + "ih" + "iq" + "ii" + "i4s" + "ih" + "ii" + "ii")
_ID = Struct(">iq")

_DAY_US = 86_400_000_000
_PICO = 10**12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_COPY = f"{NULL}\t{NULL}"
_UNPRICED = 3 * NULL_FIELD
_ONE_REQUEST = LeafTerms(COMMODITY_BY_NAME[REQUESTS].commodity_id, REQUESTS, ())


Moved: TypeAlias = dict[tuple[int, int, int, int], list[int]]
"""(debit account, credit account, commodity, day): quantity, picodollars, unpriced quantity."""


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


class CallEntries:
    """Rows of one tenant's new calls for COPY: calls as lines (ledger/copy_text.py), entries and transfers in binary."""

    def __init__(self, tenant: str, tenant_id: int, closed_through: int | None) -> None:
        """`closed_through` is the last closed day, in days since 1970; what is older is posted on the day after it."""
        self.calls: list[bytes] = []
        self.entries: list[bytes] = []
        self.transfers: list[bytes] = []
        self.written: dict[str, int] = {}
        """Calls by status."""
        self._tenant = tenant.encode()
        self._tenant_id = tenant_id
        self._first_open_day = 0 if closed_through is None else closed_through + 1
        self.moved: Moved = {}

    def add(self, record: ReadyRecord, call: ReadyCall, verdict: Verdict, terms: Terms) -> None:
        """Book one call, or keep it as the duplicate that the verdict says it is."""
        if verdict.copy_of is not None:
            trace_id, span_id = verdict.copy_of
            copy = f"\\\\x{trace_id.hex()}\t\\\\x{span_id.hex()}"
            self._call(call, "duplicate", verdict.reason, verdict, copy, NULL, NULL, terms, 0)
            return
        day = max(record.started_us // _DAY_US, self._first_open_day)
        entry = self._entry_id(record)
        entry_id, at = entry.hex(), record.started_us - EPOCH_US
        ids = (16, record.trace_id, 8, record.span_id, 8, at)
        row = _ENTRY.pack(8, 4, self._tenant_id, 16, entry, 4, b"call", 4, day - EPOCH_DAY, *ids)
        self.entries += (row, _source(call.dialect))
        if not call.leaves:
            self._move(entry, at, day, _ONE_REQUEST, 1, None, terms.unreadable, terms.payable)
            self._call(call, "suspense", call.problem, verdict, _NO_COPY, NULL, entry_id, terms, 1)
            return
        lines = _priced(record, call, terms)
        missing = [leaf for leaf, _, rate in lines if rate is None]
        debit = terms.unpriced if missing else terms.expense
        cost = 0
        for leaf, quantity, rate in lines:
            cost += self._move(entry, at, day, leaf, quantity, rate, debit, terms.payable)
        if missing:
            missing.sort(key=lambda leaf: leaf.commodity_id)
            reason = "no rate for " + ", ".join([leaf.commodity for leaf in missing])
            self._call(call, "unpriced", reason, verdict, _NO_COPY, NULL, entry_id, terms, 1)
        else:
            self._call(call, "booked", None, verdict, _NO_COPY, _usd(cost), entry_id, terms, 1)

    def _move(
        self, entry: bytes, at: int, day: int, leaf: LeafTerms, quantity: int, rate: Rate | None, debit: int, credit: int
    ) -> int:
        """One line of an entry; answers its amount in picodollars, 0 where it is unknown."""
        commodity_id = leaf.commodity_id
        if rate is None:
            amount = 0
            self.transfers += (self._transfer(entry, at, day, commodity_id, debit, credit), whole_field(quantity), _UNPRICED)
        else:
            amount = rate.amount(quantity)
            priced = (_rate(rate.rate_id, rate.digits, rate.places), pico_field(amount))
            self.transfers += (self._transfer(entry, at, day, commodity_id, debit, credit), whole_field(quantity), *priced)
        key = (debit, credit, commodity_id, day)
        moved = self.moved.get(key)
        if moved is None:
            moved = self.moved[key] = [0, 0, 0]
        moved[0] += quantity
        moved[1] += amount
        if rate is None:
            moved[2] += quantity
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
        terms: Terms,
        revision: int,
    ) -> None:
        decided = (
            f"{self._tenant_id}\t{status}\t{text(reason)}\t{texts(verdict.agent, verdict.task_class)}\t{copy}\t{cost}\t"
            f"{entry_id}\t{terms.expense}\t{terms.payable}\t{revision}\t"
        )
        self.calls += (decided.encode(), call.line)
        self.written[status] = self.written.get(status, 0) + 1

    def _transfer(self, entry: bytes, at: int, day: int, commodity_id: int, debit: int, credit: int) -> bytes:
        """A transfer up to its quantity. Its line is its commodity: an entry has one of each."""
        when = (8, at, 4, day - EPOCH_DAY, 4, b"cash")
        return _TRANSFER.pack(13, 4, self._tenant_id, 16, entry, 2, commodity_id, *when, 2, commodity_id, 4, debit, 4, credit)

    def _entry_id(self, record: ReadyRecord) -> bytes:
        """The same as `pigou.entry_id` gives for a call's first entry."""
        ms = (record.started_us + 500) // 1000
        told = self._tenant + record.trace_id + record.span_id + b"call\0\0\0\0"
        return (ms & 0xFFFFFFFFFFFF).to_bytes(6, "big") + hashlib.sha256(told).digest()[:10]


def sums_of(moved: Iterable[Moved]) -> Sums:
    """What transfers add to the balances, in the order of the balances' key."""
    legs: dict[tuple[int, int, int], list[int]] = {}
    for lines in moved:
        for (debit, credit, commodity_id, day), (quantity, amount, unpriced) in lines.items():
            debited = legs.setdefault((debit, commodity_id, day), [0, 0, 0, 0, 0])
            debited[0] += quantity
            debited[2] += amount
            debited[4] += unpriced
            credited = legs.setdefault((credit, commodity_id, day), [0, 0, 0, 0, 0])
            credited[1] += quantity
            credited[3] += amount
            credited[4] -= unpriced
    keys = sorted(legs)
    rows = [legs[key] for key in keys]
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


def _priced(record: ReadyRecord, call: ReadyCall, terms: Terms) -> list[tuple[LeafTerms, int, Rate | None]]:
    """What a call used, with the rate of each; a fee per request is charged where there is a rate for it."""
    at_us, whole = record.started_us, call.total_input_tokens
    lines: list[tuple[LeafTerms, int, Rate | None]] = [
        (leaf, quantity, leaf.rate(at_us, whole))
        for leaf, quantity in zip(terms.leaves, call.leaves.values(), strict=True)
        if quantity > 0
    ]
    if terms.fee is not None:
        fee = terms.fee.rate(at_us, whole)
        if fee is not None:
            lines.append((terms.fee, 1, fee))
    return lines


@lru_cache(maxsize=4096)
def _rate(rate_id: int, digits: int, places: int) -> bytes:
    return _ID.pack(8, rate_id) + numeric_field(digits, places)


@lru_cache(maxsize=4096)
def _source(dialect: str) -> bytes:
    return text_field(dialect)


def _usd(picodollars: int) -> str:
    usd, fraction = divmod(picodollars, _PICO)
    return f"{usd}.{fraction:012d}"


@lru_cache(maxsize=4096)
def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")


def _array(elements: list[str]) -> str:
    return "{" + ",".join(elements) + "}"
