"""Posting: arrivals become records, calls, entries, transfers and balances in one database transaction.

The line: open tenants → lock them → what is known of these traces → resolve → write records, calls and their entries → sums.
Every statement of the hot path names one tenant. Nothing here commits: the caller's transaction does, and then acknowledges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import orjson
import psycopg
from psycopg import sql

from ledger.accounts import UNPRICED, UNREADABLE
from ledger.arrivals import Arrivals, Key, Posted, ReadyCall, ReadyRecord, Verdict
from ledger.call_entries import CALL_DECIDED, ENTRY_COLUMNS, TRANSFER_COLUMNS, sums_of
from ledger.copy_binary import CALL_COLUMNS, HEADER, KEPT_TEXT_COLUMNS, RECORD_COLUMNS, TRAILER, columns_of
from ledger.copy_text import CONTROL_COLUMNS, at
from ledger.draft import KEY_COLUMNS, Draft, draft_of, early_drafts
from ledger.known import Known, Search, search_on
from ledger.memory import WriterMemory
from ledger.queries import queries
from ledger.resolve import member_of, resolve
from ledger.terms import kind_of

_SQL = queries("ledger", "post")

_COPY_RECORD = sql.SQL("copy pigou.record (tenant_id, " + RECORD_COLUMNS + ") from stdin (format binary)")
_COPY_TEXT = sql.SQL("copy pigou.kept_text (tenant_id, " + KEPT_TEXT_COLUMNS + ") from stdin (format binary)")
_COPY_CALL = sql.SQL("copy pigou.call (" + CALL_DECIDED + ", " + CALL_COLUMNS + ") from stdin (format binary)")
_COPY_ENTRY = sql.SQL("copy pigou.entry (" + ENTRY_COLUMNS + ") from stdin (format binary)")
_COPY_TRANSFER = sql.SQL("copy pigou.transfer (" + TRANSFER_COLUMNS + ") from stdin (format binary)")
_COPY_KEY = sql.SQL("copy pigou.call_key (" + KEY_COLUMNS + ") from stdin (format binary)")
_COPY_CONTROL = sql.SQL("copy pigou.control_total (tenant_id, " + CONTROL_COLUMNS + ") from stdin")


class Plan(msgspec.Struct):
    """What one tenant's arrivals will change."""

    arrivals: Arrivals
    tenant_id: int
    closed_through: int | None
    posted: Posted
    drafts: list[Draft]
    """Made before already; empty: `records` are to be drafted by `verdicts`."""
    records: list[ReadyRecord]
    """Those; else none."""
    verdicts: dict[Key, Verdict]
    known: dict[Key, Known]

    def verdict_of(self, record: ReadyRecord, _: ReadyCall) -> Verdict:
        """What becomes of a new call."""
        return self.verdicts[record.trace_id, record.span_id]


def post(connection: psycopg.Connection, batch: Sequence[Arrivals], slot: int, memory: WriterMemory) -> list[Posted]:
    """Post the arrivals of several tenants within the caller's transaction.

    `slot` spreads the balances of concurrent writers over rows. `memory` is the writer's own, told by the caller whether the
    transaction was committed.
    """
    by_tenant: dict[str, list[Arrivals]] = {}
    for arrivals in batch:
        by_tenant.setdefault(arrivals.tenant, []).append(arrivals)
    ids = memory.tenant_ids(by_tenant)
    if ids is None:
        ids = open_tenants(connection, sorted(by_tenant))
        memory.opened(ids)
    plans = _plans(connection, by_tenant, ids, memory)
    _write_resources(connection, plans, memory)
    changed = [plan for plan in plans if plan.known and _stage_known(connection, plan)]
    for plan in plans:
        if not plan.drafts:
            plan.drafts.append(_draft(connection, plan, memory))
        _count_calls(plan)
    drafts = [draft for plan in plans for draft in plan.drafts]
    _copy_binary(connection, _COPY_RECORD, [draft.records for draft in drafts])
    _copy_binary(connection, _COPY_TEXT, [draft.texts for draft in drafts])
    _copy(connection, _COPY_CONTROL, [draft.controls for draft in drafts])
    _copy_binary(connection, _COPY_CALL, [draft.calls for draft in drafts])
    _copy_binary(connection, _COPY_ENTRY, [draft.entries for draft in drafts])
    _copy_binary(connection, _COPY_TRANSFER, [draft.transfers for draft in drafts])
    _copy_binary(connection, _COPY_KEY, [draft.call_keys for draft in drafts])
    for plan in changed:
        _post_changes(connection, plan, slot, memory)
    _add_sums(connection, plans, slot)
    return [plan.posted for plan in plans]


def open_tenants(connection: psycopg.Connection, names: Sequence[str]) -> dict[str, int]:
    """Ids of tenants by name; unknown names are added."""
    ids = dict(connection.execute(_SQL["tenants"], {"names": list(names)}).fetchall())
    if len(ids) < len(set(names)):
        # The next statement must begin after whoever holds the lock has committed, or it would not see what they added.
        connection.execute(_SQL["lock_tenant_names"])
        ids |= dict(connection.execute(_SQL["add_tenants"], {"names": list(names)}).fetchall())
        ids |= dict(connection.execute(_SQL["tenants"], {"names": list(names)}).fetchall())
    return ids


def lock_tenants(connection: psycopg.Connection, tenant_ids: Iterable[int]) -> None:
    """Become the only writer of these tenants' books until the transaction ends."""
    connection.execute(_SQL["lock_tenants"], {"tenant_ids": sorted(tenant_ids)})


def prepare_stage(connection: psycopg.Connection) -> None:
    """Have an empty stage for calls; it lives as long as the connection and is emptied by every commit."""
    connection.execute(_SQL["make_stage"])


def post_staged(
    connection: psycopg.Connection,
    tenant_id: int,
    slot: int,
    unpriced_account_id: int,
    unreadable_account_id: int,
) -> psycopg.Cursor[tuple[str, int]]:
    """Run the posting statement over what is staged for one tenant; its rows are the calls written, by status."""
    return connection.execute(
        _SQL["post_tenant"],
        {
            "tenant_id": tenant_id,
            "slot": slot,
            "unpriced_account_id": unpriced_account_id,
            "unreadable_account_id": unreadable_account_id,
        },
    )


# ── what is known, and what follows ──────────────────────────────────────────────────────────────────


def _plans(
    connection: psycopg.Connection, by_tenant: Mapping[str, Sequence[Arrivals]], ids: Mapping[str, int], memory: WriterMemory
) -> list[Plan]:
    """Lock the tenants, look up what is known of their arrivals, and decide, in one exchange with the database."""
    groups = {ids[tenant]: by_tenant[tenant] for tenant in sorted(by_tenant, key=ids.__getitem__)}
    searches = {tenant_id: Search(group, tenant_id) for tenant_id, group in groups.items()}
    with connection.pipeline():
        lock_tenants(connection, groups)
        tenants = connection.execute(_SQL["tenants_locked"], {"tenant_ids": list(groups)})
        newest = connection.execute(_SQL["newest_rate"])
        for search in searches.values():
            search.ask(connection)
    search_on(connection, searches.values())
    closed: dict[int, int | None] = dict(tenants.fetchall())
    row = newest.fetchone()
    memory.terms.refresh(row[0] if row else 0)
    memory.closed(closed)
    return [
        _drafted(group, tenant_id, closed[tenant_id], searches[tenant_id].known, memory)
        or _plan(connection, group, tenant_id, closed[tenant_id], searches[tenant_id].known)
        for tenant_id, group in groups.items()
    ]


def _drafted(
    group: Sequence[Arrivals], tenant_id: int, closed_through: int | None, known: dict[Key, Known], memory: WriterMemory
) -> Plan | None:
    """The plan that was drafted with the exports themselves, where all that it supposed is so."""
    early = None if known else early_drafts(group)
    if early is None or not all(draft.holds(memory, tenant_id, closed_through) for draft in early):
        return None
    arrivals = _merge(group)
    records = sum(len(arrivals.records) for arrivals in group)
    posted = Posted(arrivals.tenant, records, rejected=len(arrivals.rejections))
    return Plan(arrivals, tenant_id, closed_through, posted, [draft.draft for draft in early], [], {}, known)


def _merge(group: Sequence[Arrivals]) -> Arrivals:
    """Several arrivals of one tenant as one, but for their records."""
    if len(group) == 1:
        return group[0]
    merged = Arrivals(group[0].tenant, group[0].signal)
    merged.points = [point for arrivals in group for point in arrivals.points]
    merged.rejections = [rejection for arrivals in group for rejection in arrivals.rejections]
    for arrivals in group:
        merged.resources = merged.resources | arrivals.resources
        merged.requests += arrivals.requests
        merged.size_bytes += arrivals.size_bytes
    return merged


def _plan(
    connection: psycopg.Connection,
    group: Sequence[Arrivals],
    tenant_id: int,
    closed_through: int | None,
    known: dict[Key, Known],
) -> Plan:
    """What arrived, held against what is known; of two records with one key the first stands."""
    arrivals = _merge(group)
    posted = Posted(arrivals.tenant, rejected=len(arrivals.rejections))
    fresh: dict[Key, ReadyRecord] = {}
    for each in group:
        each.conflicts = []  # it may be posted again after a deadlock
    for origin, record in ((each, record) for each in group for record in each.records):
        key = (record.trace_id, record.span_id)
        there = known.get(key)
        earlier_hash = there.content_hash if there else fresh[key].content_hash if key in fresh else None
        if earlier_hash is None:
            fresh[key] = record
        elif earlier_hash == record.content_hash:
            posted.duplicates += 1
        else:
            posted.conflicts += 1
            origin.conflicts.append(key)
            _keep_conflict(connection, tenant_id, record)
    posted.records = len(fresh)
    members = [there.member for there in known.values()]
    members += [member_of(record) for record in fresh.values()]
    return Plan(arrivals, tenant_id, closed_through, posted, [], list(fresh.values()), resolve(members), known)


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────


def _copy(connection: psycopg.Connection, statement: sql.SQL, parts: Iterable[memoryview]) -> None:
    lines = b"".join(parts)
    if lines:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(memoryview(lines))


def _copy_binary(connection: psycopg.Connection, statement: sql.SQL, parts: Iterable[memoryview]) -> None:
    rows = b"".join(parts)
    if rows:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(HEADER)
            copy.write(memoryview(rows))  # it is sent in pieces, which need not be copies
            copy.write(TRAILER)


def _write_resources(connection: psycopg.Connection, plans: Sequence[Plan], memory: WriterMemory) -> None:
    rows = [
        {"tenant_id": plan.tenant_id, "resource_id": resource_id, "attributes": plan.arrivals.resources[resource_id]}
        for plan in plans
        if plan.posted.records or plan.arrivals.points
        for resource_id in memory.new_resources(plan.tenant_id, plan.arrivals.resources)
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_SQL["keep_resource"], rows)


def _draft(connection: psycopg.Connection, plan: Plan, memory: WriterMemory) -> Draft:
    """The rows of what is new, by what was decided about it."""
    kinds = [kind_of(record.call) for record in plan.records if record.call is not None]
    terms = memory.terms.of(connection, plan.tenant_id, kinds)
    return draft_of(plan.arrivals.tenant, plan.tenant_id, plan.closed_through, plan.records, terms, plan.verdict_of)


def _count_calls(plan: Plan) -> None:
    calls = plan.posted.calls = dict[str, int]()
    for draft in plan.drafts:
        for status, count in draft.written.items():
            calls[status] = calls.get(status, 0) + count


def _add_sums(connection: psycopg.Connection, plans: Sequence[Plan], slot: int) -> None:
    """Tenant by tenant; the statements follow each other without waiting for answers in between."""
    with connection.pipeline():
        for plan in plans:
            if plan.arrivals.points:
                _write_points(connection, plan)
            for rejection in plan.arrivals.rejections:
                connection.execute(_SQL["keep_rejection"], {"tenant_id": plan.tenant_id, **msgspec.structs.asdict(rejection)})
            counts = {
                "tenant_id": plan.tenant_id, "slot": slot, "signal": plan.arrivals.signal, "requests": plan.arrivals.requests,
                "records": plan.posted.records, "duplicates": plan.posted.duplicates, "rejected": plan.posted.rejected,
                "conflicts": plan.posted.conflicts, "bytes": plan.arrivals.size_bytes,
            }  # fmt: skip
            connection.execute(
                _SQL["post_sums"], counts | sums_of([draft.moved for draft in plan.drafts])._asdict(), prepare=True
            )


# ── what was known already ───────────────────────────────────────────────────────────────────────────


def _stage_known(connection: psycopg.Connection, plan: Plan) -> bool:
    """What arrived may change what was booked before: another copy is stronger now, or an ancestor names the agent.

    Answers whether anything is to be reversed or booked again.
    """
    changes: list[tuple[str, str, str | None, Key, Key | None]] = []
    moved: list[tuple[Key, Verdict]] = []
    verdicts = plan.verdicts
    for key, there in plan.known.items():
        if there.status is None:
            continue
        verdict = verdicts[key]
        learnt = (verdict.agent, verdict.task_class, verdict.copy_of)
        is_told_why = there.status != "duplicate" or there.reason == verdict.reason
        if (there.agent, there.task_class, there.copy_of) != learnt or not is_told_why:
            moved.append((key, verdict))
        if verdict.copy_of is not None and there.status != "duplicate":
            changes.append(("reverse", "duplicate", verdict.reason, key, verdict.copy_of))
        elif verdict.copy_of is None and there.status == "duplicate":
            changes.append(("book", "booked", "its stronger copy turned out to be another call", key, None))
    if moved:
        _inherit(connection, plan.tenant_id, moved)
    if changes:
        prepare_stage(connection)
        connection.execute(
            _SQL["stage_existing"],
            {
                "tenant_id": plan.tenant_id,
                "actions": [c[0] for c in changes],
                "statuses": [c[1] for c in changes],
                "reasons": [c[2] for c in changes],
                "trace_ids": [c[3][0] for c in changes],
                "span_ids": [c[3][1] for c in changes],
                "copy_trace_ids": [c[4][0] if c[4] else None for c in changes],
                "copy_span_ids": [c[4][1] if c[4] else None for c in changes],
            },
        )
    return bool(changes)


def _post_changes(connection: psycopg.Connection, plan: Plan, slot: int, memory: WriterMemory) -> None:
    accounts = memory.terms.accounts.open(connection, plan.tenant_id)
    for status, calls in post_staged(connection, plan.tenant_id, slot, accounts[UNPRICED], accounts[UNREADABLE]):
        plan.posted.calls[status] = plan.posted.calls.get(status, 0) + calls


def _inherit(connection: psycopg.Connection, tenant_id: int, moved: Sequence[tuple[Key, Verdict]]) -> None:
    connection.execute(
        _SQL["inherit"],
        {
            "tenant_id": tenant_id,
            "trace_ids": [key[0] for key, _ in moved],
            "span_ids": [key[1] for key, _ in moved],
            "agents": [verdict.agent for _, verdict in moved],
            "task_classes": [verdict.task_class for _, verdict in moved],
            "reasons": [verdict.reason for _, verdict in moved],
            "copy_trace_ids": [verdict.copy_of[0] if verdict.copy_of else None for _, verdict in moved],
            "copy_span_ids": [verdict.copy_of[1] if verdict.copy_of else None for _, verdict in moved],
        },
    )


def _write_points(connection: psycopg.Connection, plan: Plan) -> None:
    rows = [
        {"tenant_id": plan.tenant_id, **msgspec.structs.asdict(point), "at": at(point.at_us)} for point in plan.arrivals.points
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_SQL["keep_point"], rows)
    plan.posted.records += len(rows)


def _keep_conflict(connection: psycopg.Connection, tenant_id: int, record: ReadyRecord) -> None:
    told = columns_of(record.row, RECORD_COLUMNS)
    kept: dict[str, object] = {name: told[name] for name in ("name", "started_at", "ended_at")}
    kept["attributes"] = orjson.loads(told["attributes"] or "null")
    connection.execute(
        _SQL["keep_conflict"],
        {
            "tenant_id": tenant_id,
            "trace_id": record.trace_id,
            "span_id": record.span_id,
            "content_hash": record.content_hash,
            "record": orjson.dumps(kept).decode(),
        },
    )
