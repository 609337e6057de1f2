"""Channels in the database: stated with revisions, and removed by one. Nothing is edited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from analyzers.delivery.channel_files import ChannelError
from analyzers.delivery.channels import Channel
from analyzers.delivery.outbox import drop_orphans, load_channel
from ledger.post import open_tenants
from ledger.queries import queries

_SQL = queries("analyzers", "channels")
_FOR_ALL = 0


class Stated(msgspec.Struct, frozen=True):
    """How many channels a statement added, changed and found as they were."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


def state_channels(connection: psycopg.Connection, channels: Sequence[Channel], source: str) -> Stated:
    """State channels, all or none. One that says what it said before stays at its revision; those not named stay as they are.

    A tenant that is not known yet is opened. Raises ChannelError on a rule that there is not.
    """
    counts = {"added": 0, "changed": 0, "unchanged": 0}
    with connection.transaction():
        connection.execute(_SQL["lock_channels"])
        _refuse_unknown_rules(connection, channels)
        for channel in channels:
            tenant_id = open_tenants(connection, [channel.tenant])[channel.tenant] if channel.tenant else _FOR_ALL
            counts[_state(connection, tenant_id, _columns(channel), source)] += 1
    return Stated(**counts)


def remove_channel(connection: psycopg.Connection, name: str, tenant: str | None, source: str) -> None:
    """Tell nothing through a channel any more; what waits is dropped, as `ledger.deliveries` says. Raises ChannelError."""
    with connection.transaction():
        connection.execute(_SQL["lock_channels"])
        tenant_id, _ = find_channel(connection, name, tenant)
        newest = _newest(connection, tenant_id, name)
        if newest is None:
            raise RuntimeError("a channel that was found is gone")
        row = {**newest, "revision": newest["revision"] + 1, "settings": Jsonb(newest["settings"]), "is_on": False}
        connection.execute(_SQL["add_revision"], {**row, "tenant_id": tenant_id, "channel": name, "source": source})
        drop_orphans(connection)


def find_channel(connection: psycopg.Connection, name: str, tenant: str | None) -> tuple[int, Channel]:
    """A channel in force, with whose it is: the tenant's, or without one that of all. Raises ChannelError."""
    row = connection.execute(_SQL["tenant_id"], {"tenant": tenant}).fetchone() if tenant else (_FOR_ALL,)
    channel = load_channel(connection, row[0], name) if row else None
    if row is None or channel is None:
        whose = f"tenant {tenant} has no channel" if tenant else "there is no channel of all tenants named"
        raise ChannelError(f"{whose} {name}", "see `pigou channels list`; --tenant says whose")
    return row[0], channel


def _state(connection: psycopg.Connection, tenant_id: int, columns: dict[str, Any], source: str) -> str:
    before = _newest(connection, tenant_id, columns["channel"])
    stated = {name: value for name, value in columns.items() if name != "channel"} | {"is_on": True}
    if before is not None and all(before[name] == value for name, value in stated.items()):
        return "unchanged"
    revision = before["revision"] + 1 if before else 1
    row = {**columns, "is_on": True, "settings": Jsonb(columns["settings"])}
    connection.execute(_SQL["add_revision"], {**row, "tenant_id": tenant_id, "revision": revision, "source": source})
    for query in ("try_anew", "messages_anew"):
        connection.execute(_SQL[query], {"tenant_id": tenant_id, "channel": columns["channel"]})
    return "changed" if before is not None and before["is_on"] else "added"


def _columns(channel: Channel) -> dict[str, Any]:
    settings = msgspec.to_builtins(channel.settings)
    settings.pop("kind")
    return {
        "channel": channel.name, "kind": channel.kind, "settings": settings, "rules": channel.rules, "tenants": channel.tenants,
        "severity_min": channel.severity, "escalate_after": channel.escalate_after, "group_for": channel.group_for,
        "give_up_after": channel.give_up_after,
    }  # fmt: skip


def _newest(connection: psycopg.Connection, tenant_id: int, channel: str) -> dict[str, Any] | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL["newest_revision"], {"tenant_id": tenant_id, "channel": channel}).fetchone()


def _refuse_unknown_rules(connection: psycopg.Connection, channels: Sequence[Channel]) -> None:
    row = connection.execute(_SQL["known_rules"]).fetchone()
    known: list[str] = row[0] if row else []
    for channel in channels:
        unknown = [rule for rule in channel.rules or () if rule not in known]
        if unknown:
            raise ChannelError(f"channel {channel.name}: there is no rule {unknown[0]!r}", f"the rules are {', '.join(known)}")
