"""At which days modes look: where a tenant's calls end, of whenever they are, or where it is told."""

from __future__ import annotations

from datetime import timedelta

import psycopg

from analyzers.detect import detect
from analyzers.modes.look import Look, Window
from ledger.post import open_tenants
from tests.books import rows
from tests.looked import BEGAN, TRACE, found, look_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_what_is_looked_at_ends_with_the_calls(writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    """Of a tenant that stopped weeks ago nothing is looked at any more, and what was found there is gone."""
    found(writer, [look_of(4)])
    tenant_id = open_tenants(writer, ["acme"])["acme"]
    owner.execute("insert into pigou.spend_key (tenant_id, key_id) values (%s, gen_random_uuid())", [tenant_id])
    hour = """
        insert into pigou.spend_hour
        select k.tenant_id, %s, k.key_id, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0 from pigou.spend_key k"""
    owner.execute(hour, [BEGAN - HOUR])
    windows: list[Window] = []

    def looks_at(_connection: psycopg.Connection, _tenant_id: int, window: Window) -> list[Look]:
        windows.append(window)
        return [look_of(4)] if window.until == BEGAN else []

    for days in (3, 27, 29):
        detect(writer, modes={"over_routing": looks_at}, now=BEGAN + days * DAY)
    assert windows == [Window(BEGAN - 28 * DAY, BEGAN)] * 2 + [Window(BEGAN + DAY, BEGAN + 29 * DAY)]
    assert rows(writer, "select status, resolution from ledger.findings") == [("resolved", "gone")]


def test_what_is_loaded_of_long_ago_is_looked_at_where_it_ends(writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    tenant_id = open_tenants(writer, ["acme"])["acme"]
    owner.execute(
        "insert into pigou.task (tenant_id, trace_id, started_at, ended_at, settled_at, revision, settled_by, class_source,"
        " value_source, price_source, deadline_source, latency_s, loss_usd, calls, unpriced_calls, spans, problems, content_hash)"
        " values (%s, decode(%s, 'hex'), %s, %s, %s, 0, 'ended', 'none', 'none', 'none', 'none', 1, 0, 0, 0, 1, '{}', '')",
        [tenant_id, TRACE, BEGAN - 200 * DAY, BEGAN - 200 * DAY, BEGAN - HOUR],
    )
    last = BEGAN - 200 * DAY + HOUR
    windows: list[Window] = []

    def looks_at(_connection: psycopg.Connection, _tenant_id: int, window: Window) -> list[Look]:
        windows.append(window)
        return []

    detect(writer, modes={"over_routing": looks_at}, now=BEGAN)
    detect(writer, last - 7 * DAY, BEGAN, modes={"over_routing": looks_at}, now=BEGAN)
    detect(writer, modes={"over_routing": looks_at}, now=BEGAN + 28 * DAY)
    assert windows == [
        Window(last - 28 * DAY, last), Window(last - 7 * DAY, last), Window(BEGAN, BEGAN + 28 * DAY)
    ], "without a word for four weeks it is over"  # fmt: skip
    assert detect(writer, last + DAY, modes={"over_routing": looks_at}, now=BEGAN).places == 0
    assert len(windows) == 3
