"""Posting: arrivals become records, calls, entries, transfers and balances in one database transaction.

The line: open tenants → lock them → what is known of these traces → resolve → write records → stage calls → post per tenant.
Every statement of the hot path names one tenant. Nothing here commits: the caller's transaction does, and then acknowledges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import orjson
import psycopg
from psycopg import sql

from ledger.accounts import UNPRICED, UNREADABLE, AccountBook, expense_account, payable_account
from ledger.arrivals import RECORD_COLUMNS, Arrivals, Key, NewCall, NewRecord, Posted
from ledger.commodities import COMMODITY_BY_NAME
from ledger.copy_text import at, record_line
from ledger.known import Known, member_of, related
from ledger.queries import queries
from ledger.resolve import Verdict, resolve

_SQL = queries("ledger", "post")

_COPY_RECORD = sql.SQL("copy pigou.record (tenant_id, " + RECORD_COLUMNS + ") from stdin")
_CALL_COLUMNS = (
    "tenant_id, trace_id, span_id, started_at, ended_at, status, reason, problem, dialect, confidence, operation, provider,"
    " model,"
    " rate_provider, rate_model, service_tier, layer, layer_source, use, use_source, agent, task_class, conversation_id, user_id,"
    " service, leaves, total_input_tokens, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,"
    " claimed_cost_usd, response_id, keys, strength, copy_of_trace_id, copy_of_span_id, expense_account_id, payable_account_id,"
    " revision, recorded_at, action"
)
_COPY_CONTROL = sql.SQL(
    "copy pigou.control_total (tenant_id, trace_id, span_id, started_at, name, dialect, input_tokens, output_tokens, cost_usd)"
    " from stdin"
)
_COPY_CALL = sql.SQL("copy stage_call (" + _CALL_COLUMNS + ") from stdin")


class Plan(msgspec.Struct):
    """What one tenant's arrivals will change."""

    arrivals: Arrivals
    tenant_id: int
    posted: Posted
    records: list[NewRecord]
    verdicts: dict[Key, Verdict]
    known: dict[Key, Known]


def post(connection: psycopg.Connection, batch: Sequence[Arrivals], slot: int, accounts: AccountBook) -> list[Posted]:
    """Post the arrivals of several tenants within the caller's transaction.

    `slot` spreads the balances of concurrent writers over rows. `accounts` caches account ids across transactions.
    """
    by_tenant: dict[str, list[Arrivals]] = {}
    for arrivals in batch:
        by_tenant.setdefault(arrivals.tenant, []).append(arrivals)
    ids = open_tenants(connection, sorted(by_tenant))
    lock_tenants(connection, ids.values())
    prepare_stage(connection)
    arrived = {ids[tenant]: _merge(group) for tenant, group in sorted(by_tenant.items(), key=lambda item: ids[item[0]])}
    known = related(connection, arrived)
    plans = [_plan(connection, arrivals, tenant_id, known[tenant_id]) for tenant_id, arrivals in arrived.items()]
    _write_resources(connection, plans)
    _copy_records(connection, plans)
    for plan in plans:
        _stage_known(connection, plan)
    _copy_calls(connection, plans, accounts)
    _copy_controls(connection, plans)
    _post_plans(connection, plans, slot, accounts)
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


def _merge(group: list[Arrivals]) -> Arrivals:
    """Several arrivals of one tenant as one. Of two records with one key the first stands, and with it what was read from it."""
    first, *rest = group
    for other in rest:
        there = {(record.trace_id, record.span_id) for record in first.records}
        first = Arrivals(
            tenant=first.tenant,
            signal=first.signal,
            records=first.records + other.records,
            calls=first.calls | {key: call for key, call in other.calls.items() if key not in there},
            controls=first.controls | {key: control for key, control in other.controls.items() if key not in there},
            points=first.points + other.points,
            resources=first.resources | other.resources,
            rejections=first.rejections + other.rejections,
            requests=first.requests + other.requests,
            size_bytes=first.size_bytes + other.size_bytes,
        )
    return first


# ── what is known, and what follows ──────────────────────────────────────────────────────────────────


def _plan(connection: psycopg.Connection, arrivals: Arrivals, tenant_id: int, known: dict[Key, Known]) -> Plan:
    posted = Posted(arrivals.tenant, rejected=len(arrivals.rejections))
    fresh: dict[Key, NewRecord] = {}
    for record in arrivals.records:
        key = (record.trace_id, record.span_id)
        there = known.get(key)
        earlier_hash = there.content_hash if there else fresh[key].content_hash if key in fresh else None
        if earlier_hash is None:
            fresh[key] = record
        elif earlier_hash == record.content_hash:
            posted.duplicates += 1
        else:
            posted.conflicts += 1
            _keep_conflict(connection, tenant_id, record)
    posted.records = len(fresh)
    members = [there.member for there in known.values()]
    members += [member_of(record, arrivals.calls.get(key)) for key, record in fresh.items()]
    return Plan(arrivals, tenant_id, posted, list(fresh.values()), resolve(members), known)


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────


def _write_resources(connection: psycopg.Connection, plans: Sequence[Plan]) -> None:
    rows = [
        {"tenant_id": plan.tenant_id, "resource_id": resource_id, "attributes": attributes}
        for plan in plans
        if plan.records or plan.arrivals.points
        for resource_id, attributes in plan.arrivals.resources.items()
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_SQL["keep_resource"], rows)


def _copy_records(connection: psycopg.Connection, plans: Sequence[Plan]) -> None:
    if not any(plan.records for plan in plans):
        return
    with connection.cursor() as cursor, cursor.copy(_COPY_RECORD) as copy:
        for plan in plans:
            copy.write("".join(f"{plan.tenant_id}\t{record.line or record_line(record)}\n" for record in plan.records))


def _copy_calls(connection: psycopg.Connection, plans: Sequence[Plan], accounts: AccountBook) -> None:
    rows: list[tuple[Any, ...]] = []
    for plan in plans:
        if plan.arrivals.calls or plan.known:
            wanted = {name for call in plan.arrivals.calls.values() for name in _accounts_of(call)}
            accounts.open(connection, plan.tenant_id, wanted)
        for record in plan.records:
            key = (record.trace_id, record.span_id)
            call = plan.arrivals.calls.get(key)
            if call is not None:
                rows.append(_call_row(plan, record, call, plan.verdicts[key], accounts))
    if rows:
        with connection.cursor() as cursor, cursor.copy(_COPY_CALL) as copy:
            for row in rows:
                copy.write_row(row)


def _accounts_of(call: NewCall) -> tuple[str, str]:
    return (
        expense_account(call.layer, call.use, call.rate_provider, call.rate_model),
        payable_account(call.rate_provider),
    )


def _call_row(plan: Plan, record: NewRecord, call: NewCall, verdict: Verdict, accounts: AccountBook) -> tuple[Any, ...]:
    expense, payable = _accounts_of(call)
    leaves = call.leaves
    sums = _by_kind(leaves)
    duplicate = verdict.copy_of is not None
    copy_trace, copy_span = verdict.copy_of or (None, None)
    return (
        plan.tenant_id, record.trace_id, record.span_id, at(record.started_us), at(record.ended_us),
        "duplicate" if duplicate else "booked" if leaves else "suspense",
        verdict.reason if duplicate else call.problem, call.problem,
        call.dialect, call.confidence, call.operation, call.provider, call.model, call.rate_provider, call.rate_model,
        call.service_tier, call.layer, call.layer_source, call.use, call.use_source, verdict.agent, verdict.task_class,
        call.conversation_id, call.user_id, record.service, orjson.dumps(leaves).decode(), call.total_input_tokens,
        sums.get("fresh"), sums.get("cache_read"), sums.get("cache_write"), sums.get("plain"), sums.get("reasoning"),
        call.claimed_cost_usd, call.response_id, _text_array(call.keys), call.strength, copy_trace, copy_span,
        accounts.id_of(plan.tenant_id, expense), accounts.id_of(plan.tenant_id, payable),
        0, "now", "keep" if duplicate else "book",
    )  # fmt: skip


def _by_kind(leaves: Mapping[str, int]) -> dict[str, int]:
    """Tokens by kind, over modalities and cache lifetimes; a kind of which nothing is reported is absent."""
    sums: dict[str, int] = {}
    for leaf, quantity in leaves.items():
        kind = COMMODITY_BY_NAME[leaf].kind
        sums[kind] = sums.get(kind, 0) + quantity
    return sums


def _text_array(texts: tuple[str, ...]) -> str:
    """Texts as PostgreSQL writes an array of them."""
    escaped = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in escaped) + "}"


def _stage_known(connection: psycopg.Connection, plan: Plan) -> None:
    """What arrived may change what was booked before: another copy is stronger now, or an ancestor names the agent."""
    changes: list[tuple[str, str, str | None, Key, Key | None]] = []
    moved: list[tuple[Key, Verdict]] = []
    for key, there in plan.known.items():
        if there.status is None:
            continue
        verdict = plan.verdicts[key]
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


def _copy_controls(connection: psycopg.Connection, plans: Sequence[Plan]) -> None:
    rows = [
        (plan.tenant_id, record.trace_id, record.span_id, at(record.started_us), record.name,
         control.dialect, control.input_tokens, control.output_tokens, control.cost_usd)
        for plan in plans
        if plan.arrivals.controls
        for record in plan.records
        if (control := plan.arrivals.controls.get((record.trace_id, record.span_id))) is not None
    ]  # fmt: skip
    if rows:
        with connection.cursor() as cursor, cursor.copy(_COPY_CONTROL) as copy:
            for row in rows:
                copy.write_row(row)


def _post_plans(connection: psycopg.Connection, plans: Sequence[Plan], slot: int, accounts: AccountBook) -> None:
    """Post tenant by tenant; the statements follow each other without waiting for answers in between."""
    written: list[tuple[Plan, psycopg.Cursor[tuple[str, int]]]] = []
    with connection.pipeline():
        for plan in plans:
            if plan.arrivals.calls or plan.known:
                unpriced, unreadable = (accounts.id_of(plan.tenant_id, name) for name in (UNPRICED, UNREADABLE))
                written.append((plan, post_staged(connection, plan.tenant_id, slot, unpriced, unreadable)))
                if any(call.keys for call in plan.arrivals.calls.values()):
                    connection.execute(_SQL["add_call_keys"], {"tenant_id": plan.tenant_id})
            _keep_rest(connection, plan, slot)
    for plan, cursor in written:
        plan.posted.calls = dict(cursor.fetchall())


def _keep_rest(connection: psycopg.Connection, plan: Plan, slot: int) -> None:
    arrivals, posted = plan.arrivals, plan.posted
    if arrivals.points:
        _write_points(connection, plan)
    for rejection in arrivals.rejections:
        connection.execute(_SQL["keep_rejection"], {"tenant_id": plan.tenant_id, **msgspec.structs.asdict(rejection)})
    connection.execute(
        _SQL["count_ingest"],
        {
            "tenant_id": plan.tenant_id, "signal": arrivals.signal, "slot": slot, "requests": arrivals.requests,
            "records": posted.records, "duplicates": posted.duplicates, "rejected": posted.rejected,
            "conflicts": posted.conflicts, "bytes": arrivals.size_bytes,
        },
    )  # fmt: skip


def _write_points(connection: psycopg.Connection, plan: Plan) -> None:
    rows = [
        {"tenant_id": plan.tenant_id, **msgspec.structs.asdict(point), "at": at(point.at_us)} for point in plan.arrivals.points
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_SQL["keep_point"], rows)
    plan.posted.records += len(rows)


def _keep_conflict(connection: psycopg.Connection, tenant_id: int, record: NewRecord) -> None:
    kept: Mapping[str, Any] = {
        "name": record.name,
        "started_at": at(record.started_us),
        "ended_at": at(record.ended_us),
        "attributes": orjson.loads(record.attributes_json),
    }
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
