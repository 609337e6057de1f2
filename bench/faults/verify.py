"""Compares a database with what a load says must be in it, span by span, text by text and call by call, and checks the books."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import NamedTuple

import msgspec
import psycopg

from bench.faults.workload import Expected, SpanKey
from ledger import check
from ledger.database import connect
from ledger.queries import queries

_SQL = queries("bench.faults", "verify")


class Findings(msgspec.Struct):
    """What is not as it must be, one line for each fault found."""

    lost: list[str] = []
    doubled: list[str] = []
    wrong: list[str] = []
    checks: list[str] = []

    @property
    def all(self) -> list[str]:
        """Every line, the gravest first."""
        return [*self.lost, *self.doubled, *self.wrong, *self.checks]


class _Call(NamedTuple):
    calls: int
    status: str | None
    cost_usd: Decimal | None
    entries: int
    leaves: dict[str, int]
    amount_usd: Decimal | None


def verify(dsn: str, sent: Mapping[SpanKey, Expected], acknowledged: AbstractSet[SpanKey]) -> Findings:
    """What is lost, doubled or wrong, given all spans that may be there and those that must be.

    A span that may be there and need not (its export was never acknowledged) may be there once, and then with its right amounts.
    A span that is not in `sent` at all must not be there: its export was refused.
    """
    findings = Findings()
    with connect(dsn, "owner") as connection:
        records = {(row[0], row[1], row[2]): (row[3], row[4]) for row in connection.execute(_SQL["records"])}
        texts = {(row[0], row[1], row[2]): (row[3], row[4]) for row in connection.execute(_SQL["texts"])}
        calls = {(row[0], row[1], row[2]): _Call(*row[3:]) for row in connection.execute(_SQL["calls"])}
        conflicts, rejections = connection.execute(_SQL["refusals"]).fetchone() or (0, 0)
        results = check.run(connection)
    for key in sorted(acknowledged - records.keys()):
        findings.lost.append(f"{_shown(key)} was acknowledged and is not recorded")
    for key, (times, started_us) in records.items():
        expected = sent.get(key)
        if times > 1:
            findings.doubled.append(f"{_shown(key)} is recorded {times} times")
        if expected is None:
            findings.wrong.append(f"{_shown(key)} is recorded although its export was refused")
            continue
        if started_us != expected.started_us:
            findings.wrong.append(f"{_shown(key)} began at {expected.started_us} µs and is recorded at {started_us}")
        _compare_text(findings, key, expected, texts.get(key))
        _compare_call(findings, key, expected, calls.get(key))
    for key in texts.keys() - records.keys():
        findings.wrong.append(f"{_shown(key)} has text and no record")
    for key in calls.keys() - records.keys():
        findings.wrong.append(f"{_shown(key)} has a call or an entry and no record")
    if conflicts or rejections:
        findings.wrong.append(f"{conflicts} conflicts and {rejections} rejections of a load that has neither")
    findings.checks += [f"check {r.name}: {r.violations} found, {'; '.join(r.examples)}" for r in results if not r.ok]
    return findings


def missing(connection: psycopg.Connection, acknowledged: AbstractSet[SpanKey]) -> int:
    """How many spans that must be there are not there yet."""
    present = {(row[0], row[1], row[2]) for row in connection.execute(_SQL["present"])}
    return len(acknowledged - present)


def _compare_text(findings: Findings, key: SpanKey, expected: Expected, text: tuple[int, str | None] | None) -> None:
    if text is None:
        findings.lost.append(f"{_shown(key)} is recorded without its text")
    elif text[0] > 1:
        findings.doubled.append(f"the text of {_shown(key)} is kept {text[0]} times")
    elif text[1] != expected.text:
        findings.wrong.append(f"the text of {_shown(key)} is {text[1]!r}, not {expected.text!r}")


def _compare_call(findings: Findings, key: SpanKey, expected: Expected, call: _Call | None) -> None:
    if expected.leaves is None:
        if call is not None:
            findings.wrong.append(f"{_shown(key)} is no call and is booked as one")
        return
    if call is None or call.entries == 0 or call.calls == 0:
        findings.lost.append(f"the call {_shown(key)} is recorded and has no live entry")
        return
    if call.entries > 1 or call.calls > 1:
        findings.doubled.append(f"the call {_shown(key)} has {call.entries} live entries and {call.calls} calls")
        return
    told = (call.status, call.leaves, call.amount_usd, call.cost_usd)
    if told != ("booked", expected.leaves, expected.cost_usd, expected.cost_usd):
        findings.wrong.append(f"the call {_shown(key)} says {told}, not {expected.leaves} for {expected.cost_usd} USD")


def _shown(key: SpanKey) -> str:
    tenant, trace_id, span_id = key
    return f"span {span_id.hex()} of trace {trace_id.hex()} ({tenant})"
