"""Appraisals on the clock: started when tasks were settled, one at a time, in a process that is ended with the clock."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest

from analyzers import freshness
from analyzers.appraising import Appraising, run_line
from analyzers.detect import MODES, detect
from analyzers.freshness import AGAIN_AFTER, GRACE
from analyzers.modes.look import Look, LookAt, Mode, Window
from ledger.findings import set_materiality
from ledger.queries import queries
from tests.books import one, rows
from tests.integration.test_appraise import make
from tests.looked import look_of

MARK = "select value from pigou.setting where setting = 'appraised_from'"


def until_it_ended(appraising: Appraising, writer: psycopg.Connection) -> None:
    """Turn until the appraisal under way is over; no second one may be started meanwhile."""
    deadline_s = time.monotonic() + 300
    while appraising.is_under_way:
        assert not appraising.turn(writer)
        assert time.monotonic() < deadline_s, "the appraisal does not end"
        time.sleep(0.05)


def test_what_was_settled_is_appraised_once(dsn: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    assert not Appraising(dsn, dict(os.environ)).turn(writer)
    make(owner, 40)
    appraising = Appraising(dsn, dict(os.environ))
    assert appraising.turn(writer)
    until_it_ended(appraising, writer)
    assert one(writer, MARK)
    assert not appraising.turn(writer)
    assert not Appraising(dsn, dict(os.environ)).turn(writer)
    owner.execute("update pigou.task set settled_at = clock_timestamp() where ctid in (select ctid from pigou.task limit 1)")
    assert not appraising.turn(writer), "it rests for a while"
    again = Appraising(dsn, dict(os.environ))
    assert again.turn(writer)
    until_it_ended(again, writer)


def test_what_is_found_is_told_in_one_go(
    writer: psycopg.Connection, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the evidence to the alert there is no pause but that before the run, which `analyzers/pace.py` bounds."""
    make(owner, 40)
    mode: Mode = "over_routing"
    monkeypatch.setitem(MODES, mode, lambda _connection, _tenant_id, _window: [look_of(4)])
    run_line(writer)
    told = "select a.rule, a.state, f.mode from ledger.alerts a join ledger.findings f using (tenant, alert_id)"
    assert set(rows(writer, told)) == {("misallocation", "open", mode)}
    assert rows(writer, "select count(*) from pigou.setting where setting = 'capitalised_seen'") == [(1,)]
    assert not Appraising("", {}).turn(writer), "nothing is due any more"
    owner.execute("update pigou.setting set value = '2020-01-01' where setting = 'detected_from'")
    assert is_due(writer), "nobody has looked since"


def is_due(writer: psycopg.Connection) -> bool:
    row = writer.execute(
        queries("analyzers", "appraise")["appraisal_is_due"], {"again_after": AGAIN_AFTER, "grace": GRACE}
    ).fetchone()
    return row == (True,)


def test_what_nothing_came_for_is_left_for_a_while(
    writer: psycopg.Connection, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changed is looked at first, what took least before the rest; a finding is told before the looks after it."""
    make(owner, 40)
    monkeypatch.setattr(freshness, "MARGIN", timedelta(0))
    looked: list[Mode] = []
    told: list[list[Mode]] = []

    def looks(mode: Mode, usd: float = 0.0) -> LookAt:
        def look_at(_connection: psycopg.Connection, _tenant_id: int, _window: Window) -> list[Look]:
            looked.append(mode)
            return [replace(look_of(usd), mode=mode)] if usd else []

        return look_at

    def run(*, is_all: bool = False) -> list[Mode]:
        looked.clear()
        owner.execute("update pigou.detection set took_s = 0 where took_s not in (1, 9)")  # however slow the machine is
        detect(writer, modes=modes, only_due=True, is_all=is_all, opened=lambda _books: told.append(list(looked)))
        return list(dict.fromkeys(looked))  # of two tenants

    modes: dict[Mode, LookAt] = {"cache_misuse": looks("cache_misuse"), "over_routing": looks("over_routing", 4)}
    assert sorted(run()) == ["cache_misuse", "over_routing"]
    assert [seen[-1] for seen in told] == ["over_routing"] * 2
    assert run() == []
    owner.execute("update pigou.task set settled_at = clock_timestamp() where ctid in (select ctid from pigou.task limit 1)")
    assert run() == ["cache_misuse"], "routes are looked at when they are appraised anew"
    owner.execute("update pigou.detection set took_s = case mode when 'cache_misuse' then 9 else 1 end")
    set_materiality(writer, Decimal(3), None, "test")
    owner.execute("update pigou.setting set value = '2020-01-01' where setting = 'detected_from'")
    assert run() == [], "both have just been taken, and took long"
    assert is_due(writer), "what rests is not forgotten"
    assert run(is_all=True) == ["cache_misuse", "over_routing"], (
        "without a next run nothing rests, and what one finds others may ask for"
    )
    owner.execute("update pigou.detection set took_s = case mode when 'cache_misuse' then 9 else 1 end")
    set_materiality(writer, Decimal(2), None, "test")
    assert run() == []
    owner.execute("update pigou.detection set looked_at = looked_at - interval '1 minute'")
    assert run() == ["over_routing", "cache_misuse"], "what is soon done first"
    owner.execute("insert into pigou.setting (setting, value) values ('appraised_from', clock_timestamp()::text)")
    assert run() == []
    assert not is_due(writer)
    owner.execute("update pigou.detection set looked_at = looked_at - interval '7 hours' where mode = 'over_routing'")
    assert run() == ["over_routing"], "time has passed"
    owner.execute("update pigou.detection set looked_at = looked_at - interval '7 hours'")
    assert is_due(writer), "findings end with time"


def test_the_one_under_way_ends_with_the_clock(dsn: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    make(owner, 40)
    appraising = Appraising(dsn, dict(os.environ))
    assert appraising.turn(writer)
    appraising.stop()
    assert not appraising.is_under_way
    again = Appraising(dsn, dict(os.environ))
    assert again.turn(writer), "what was broken off is due again"
    until_it_ended(again, writer)
    assert one(writer, MARK)
