"""Channels in the database: stated with revisions, paused, resumed and removed by one. Nothing is edited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ledger.channels import Channel, ChannelError, UnknownChannel, read_settings
from ledger.post import open_tenants
from ledger.queries import queries

_SQL = queries("ledger", "channels")
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
    """Tell nothing through a channel any more; what waits is dropped, as `ledger.deliveries` says. Raises UnknownChannel."""
    with connection.transaction():
        _change(connection, name, tenant, source, is_on=False)
        drop_orphans(connection)


def pause_channel(connection: psycopg.Connection, name: str, tenant: str | None, source: str, *, is_paused: bool) -> None:
    """Tell nothing of what happens until it is resumed (`is_paused` False); what waits, waits on.

    Saying it twice changes nothing. Raises UnknownChannel.
    """
    with connection.transaction():
        tenant_id = _change(connection, name, tenant, source, is_paused=is_paused)
        if not is_paused:
            _try_anew(connection, tenant_id, name)


def send_again(connection: psycopg.Connection, name: str, tenant: str | None, source: str) -> int:
    """Have everything that was given up sent through a channel after all, from now on; answers how many events.

    An event has the key that it had, so that a receiver that remembers keys sees it once. Raises UnknownChannel.
    """
    with connection.transaction():
        connection.execute(_SQL["lock_channels"])
        tenant_id, _ = find_channel(connection, name, tenant)
        _try_anew(connection, tenant_id, name)
        asked = {"tenant_id": tenant_id, "channel": name, "why": f"given up before; sent again by {source}"}
        return connection.execute(_SQL["send_again"], asked).rowcount


def ask_test(connection: psycopg.Connection, name: str, tenant: str | None, who: str) -> int:
    """Ask whoever delivers for a test of a channel; answers its number, by which its outcome is found. Raises UnknownChannel."""
    with connection.transaction():
        connection.execute(_SQL["lock_channels"])
        tenant_id, _ = find_channel(connection, name, tenant)
        asked = connection.execute(_SQL["ask_test"], {"tenant_id": tenant_id, "channel": name, "who": who}).fetchone()
    if asked is None:
        raise RuntimeError("the database did not number the test")
    return asked[0]


def show_test(connection: psycopg.Connection, name: str, tenant: str | None, test_id: int) -> dict[str, Any]:
    """What came of a test, as `ledger.channel_tests` has it. Raises UnknownChannel."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_SQL["show_test"], {"tenant": tenant, "channel": name, "test_id": test_id}).fetchone()
    if row is None:
        raise UnknownChannel(f"there is no test {test_id} of channel {name}", "ask for one")
    return row


def list_channels(connection: psycopg.Connection, tenant: str | None) -> list[dict[str, Any]]:
    """The channels in force, as `ledger.channels` has them: a tenant's with those of all, or without one every one."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL["list_channels"], {"tenant": tenant}).fetchall()


def load_channel(connection: psycopg.Connection, tenant_id: int, channel: str) -> Channel | None:
    """A channel as it is in force; None when it was removed."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_SQL["channel"], {"tenant_id": tenant_id, "channel": channel}).fetchone()
    if row is None or not row["is_on"]:
        return None
    return Channel(
        name=row["channel"], tenant=row["tenant"], settings=read_settings({"kind": row["kind"], **row["settings"]}),
        rules=row["rules"], tenants=row["tenants"], severity=row["severity_min"], escalate_after=row["escalate_after"],
        group_for=row["group_for"], give_up_after=row["give_up_after"],
    )  # fmt: skip


def drop_orphans(connection: psycopg.Connection) -> int:
    """Settle what waits for channels that were removed; answers how many events."""
    return connection.execute(_SQL["drop_orphans"]).rowcount


def find_channel(connection: psycopg.Connection, name: str, tenant: str | None) -> tuple[int, Channel]:
    """A channel in force, with whose it is: the tenant's, or without one that of all. Raises UnknownChannel."""
    row = connection.execute(_SQL["tenant_id"], {"tenant": tenant}).fetchone() if tenant else (_FOR_ALL,)
    channel = load_channel(connection, row[0], name) if row else None
    if row is None or channel is None:
        whose = f"tenant {tenant} has no channel" if tenant else "there is no channel of all tenants named"
        raise UnknownChannel(f"{whose} {name}", "see `pigou channels list`; --tenant says whose")
    return row[0], channel


def _state(connection: psycopg.Connection, tenant_id: int, columns: dict[str, Any], source: str) -> str:
    before = _newest(connection, tenant_id, columns["channel"])
    stated = {name: value for name, value in columns.items() if name != "channel"} | {"is_on": True}
    if before is not None and all(before[name] == value for name, value in stated.items()):
        return "unchanged"
    revision = before["revision"] + 1 if before else 1
    is_paused = before is not None and before["is_on"] and before["is_paused"]
    row = {**columns, "is_on": True, "is_paused": is_paused, "settings": Jsonb(columns["settings"])}
    connection.execute(_SQL["add_revision"], {**row, "tenant_id": tenant_id, "revision": revision, "source": source})
    _try_anew(connection, tenant_id, columns["channel"])
    return "changed" if before is not None and before["is_on"] else "added"


def _change(connection: psycopg.Connection, name: str, tenant: str | None, source: str, **columns: bool) -> int:
    """A further revision with other columns, unless they are as they were; answers whose it is."""
    connection.execute(_SQL["lock_channels"])
    tenant_id, _ = find_channel(connection, name, tenant)
    newest = _newest(connection, tenant_id, name)
    if newest is None:
        raise RuntimeError("a channel that was found is gone")
    if any(newest[column] != value for column, value in columns.items()):
        row = {**newest, **columns, "revision": newest["revision"] + 1, "settings": Jsonb(newest["settings"])}
        connection.execute(_SQL["add_revision"], {**row, "tenant_id": tenant_id, "channel": name, "source": source})
    return tenant_id


def _try_anew(connection: psycopg.Connection, tenant_id: int, channel: str) -> None:
    for query in ("try_anew", "messages_anew"):
        connection.execute(_SQL[query], {"tenant_id": tenant_id, "channel": channel})


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
            raise ChannelError(
                f"channel {channel.name}: there is no rule {unknown[0]!r}", f"the rules are {', '.join(known)}", "rules"
            )
