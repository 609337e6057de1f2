"""Spend against what is usual at its time of the week: anomalies, and where a budget's pace leads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import LiteralString

import psycopg
import pytest

from analyzers.alerts import evaluate
from ledger.budgets import Terms, set_budget
from ledger.post import open_tenants
from tests.books import one, rows

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BURST = datetime(2026, 11, 19, 9, tzinfo=UTC)  # a Thursday
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)

KEY = """
insert into pigou.spend_key (tenant_id, key_id, layer, agent) values (%(tenant_id)s, gen_random_uuid(), %(layer)s, %(agent)s)
"""
HOURS = """
insert into pigou.spend_hour
select k.tenant_id, h.hour, k.key_id, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
       5.0 * case when extract(isodow from h.hour) > 5 then 0.1
                  when extract(hour from h.hour) between 8 and 17 then 1 else 0.2 end
         * (1 + 0.1 * sin(extract(epoch from h.hour) / 7919)) * case when h.hour >= %(burst)s then 3 else 1 end,
       1, 0, 0, 0, 0
  from pigou.spend_key k cross join generate_series(%(since)s::timestamptz, %(until)s::timestamptz, '1 hour') h (hour)
 where k.agent = %(agent)s
"""
FEW_DEAR_CALLS = """
insert into pigou.spend_hour
select k.tenant_id, h.hour, k.key_id, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
       (0.05 + 0.6 * dear.calls) * case when h.hour >= %(burst)s then 5 else 1 end, 1, 0, 0, 0, 0
  from pigou.spend_key k cross join generate_series(%(since)s::timestamptz, %(until)s::timestamptz, '1 hour') h (hour)
 cross join lateral (select count(*) as calls from generate_series(1, 8) n
                      where ('x' || left(md5(extract(epoch from h.hour) || '/' || n), 4))::bit(16)::integer < 0.05 * 65536) dear
 where k.agent = %(agent)s
"""
SPENT = """
insert into pigou.budget_spend (tenant_id, budget, revision, period_from, spent_usd, calls, unpriced_calls, suspense_calls)
values (%s, 'b', 1, %s, %s, 1000, 0, 0)
"""


def spend(
    owner: psycopg.Connection, agent: str, layer: str, since: datetime, until: datetime, hours: LiteralString = HOURS
) -> int:
    """Office hours, quiet weekends and a tenth of noise; three times as much from the burst on."""
    tenant_id = open_tenants(owner, ["acme"])["acme"]
    of = {"tenant_id": tenant_id, "agent": agent, "layer": layer}
    owner.execute(KEY, of)
    owner.execute(hours, {**of, "since": since, "until": until, "burst": BURST})
    return tenant_id


def test_spend_that_is_not_usual_at_that_time(writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    spend(owner, "old", "action", BURST - 60 * DAY, BURST + 6 * HOUR)
    spend(owner, "new", "demand", BURST - 20 * DAY, BURST + 6 * HOUR)
    anomalies = "select subject, state from ledger.alerts where rule = 'spend_anomaly' order by subject"
    for hours in range(-72, 1, 9):
        evaluate(writer, BURST + hours * HOUR)
    assert rows(writer, anomalies) == []
    evaluate(writer, BURST + HOUR + timedelta(minutes=5))
    assert rows(writer, anomalies) == [("agent old, past hour", "open"), ("layer action, past hour", "open")]
    message, mend = rows(writer, "select message, mend from ledger.alerts where subject = 'agent old, past hour'")[0]
    assert message.startswith("agent old of acme spent ")
    assert "in the hour before 2026-11-19 10:00; at this time of the week" in message
    query = mend.partition('pigou sql "')[2].rstrip('"')
    assert {row[0] for row in rows(writer, query)} == {"old", "new"}
    evaluate(writer, BURST + 6 * HOUR)
    assert ("agent old, past day", "open") in rows(writer, anomalies)
    assert not [subject for subject, _ in rows(writer, anomalies) if subject.startswith("agent new")], "three weeks are no past"


def test_few_dear_calls_are_not_unusual(writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    """A third of the hours has a call of 60 cents or two, the others cost five cents: none is unusual, a day of a burst is.

    By the median of the deviations, eight hours of this week were.
    """
    spend(owner, "old", "action", BURST - 60 * DAY, BURST + 24 * HOUR, FEW_DEAR_CALLS)
    anomalies = "select subject from ledger.alerts where rule = 'spend_anomaly' order by subject"
    for hours in range(-168, 1, 2):
        evaluate(writer, BURST + hours * HOUR)
    assert rows(writer, anomalies) == []
    evaluate(writer, BURST + 24 * HOUR)
    assert ("agent old, past day",) in rows(writer, anomalies)


def test_a_budget_is_paced_by_the_hours_of_the_week(writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    """On Wednesday evening more than the time's share is spent, as always: the weekend is to come."""
    evening = MONDAY + 2 * DAY + 18 * HOUR
    tenant_id = spend(owner, "old", "action", MONDAY - 30 * DAY, MONDAY + 7 * DAY)
    share = "select ledger.usual_share('acme', %s, %s, %s)"
    usual = one(writer, share, MONDAY, evening, MONDAY + 7 * DAY)
    day, weekend = 10 + 0.2 * 14, 24 * 0.1
    weights = {"passed": 2 * day + 10 + 0.2 * 8, "all": 5 * day + 2 * weekend}
    even = 0.1 * weights["all"] / 168
    expected = (weights["passed"] + even * 66) / (weights["all"] + even * 168)
    assert float(usual) == pytest.approx(expected, rel=0.02)
    assert one(writer, share, MONDAY, MONDAY, MONDAY + 7 * DAY) == 0
    assert one(writer, share, MONDAY, MONDAY + 7 * DAY, MONDAY + 7 * DAY) == 1
    assert one(writer, share, MONDAY - 20 * DAY, MONDAY - 17 * DAY, MONDAY - 13 * DAY) is None, "less than two weeks are known"
    assert one(writer, share, MONDAY - 60 * DAY, MONDAY, MONDAY + 60 * DAY) is None, "weeks even out"
    assert one(writer, share, MONDAY, evening, None) is None
    set_budget(writer, "acme", "b", Terms(amount_usd=Decimal(100), period="week", valid_from=MONDAY - 7 * DAY), "test")
    owner.execute(SPENT, (tenant_id, MONDAY, Decimal(55)))
    paced = "select rule from ledger.alerts where rule = 'budget_pace'"
    for minutes in range(4):
        evaluate(writer, evening + timedelta(minutes=2 * minutes))
    assert 55 / float(usual) < 120 < 55 / (66 / 168), "by time alone it would be overspent"
    assert rows(writer, paced) == []
    owner.execute("update pigou.budget_spend set spent_usd = 90")
    for minutes in range(4):
        evaluate(writer, evening + timedelta(minutes=20 + 2 * minutes))
    assert rows(writer, paced) == [("budget_pace",)]
