"""An engine's spans become looks, prices and externalities: out of the books, and without naming the victims."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest
from psycopg.types.json import Jsonb

from analyzers.modes.congestion.refresh import refresh_engine_prices
from analyzers.modes.look import Look, Window
from analyzers.modes.serving_congestion import look
from analyzers.reports.predictions import CLAIMS, check
from economy.engine import Arrival, Process, Service, serve
from economy.parameters import ENGINE, EngineParameters
from ledger.post import open_tenants
from ledger.price_policies import add_policies, stated_policy
from ledger.price_vector import read_prices
from tests.books import AT, chat, export, one, rows
from tests.desk import book
from tests.price_vectors import put_vector
from tests.settled import settle_all

PLAIN = replace(
    ENGINE, drafted=0, batch_max=16, kv_capacity_tokens=200_000, prefill_tokens_per_s=9_000.0, step_per_sequence_s=0.0006,
    step_per_kv_token_s=2.5e-7,
)  # fmt: skip
HOURS = 12
WINDOW = Window(AT - timedelta(days=7), AT + timedelta(hours=HOURS))
AMPLE = replace(PLAIN, prefill_tokens_per_s=1e7, step_s=1e-5, step_per_sequence_s=0.0, step_per_kv_token_s=0.0)


def once(arrival: Arrival, into: list[Service]) -> Process:
    """A process of one request."""
    into.append((yield arrival))


def traffic(
    engine: EngineParameters, busier: int = 0, quick_from: int = 0, heavy_at: tuple[int, ...] = (4, 8)
) -> dict[str, list[Any]]:
    """The spans of twelve hours, in order of arrival: `quick` asks for short answers from an hour on, `heavy` sends a dozen long
    reports in each of some hours.

    `busier`: how many more the engine says that it served at once than there are spans of.
    """
    rng = random.Random(3)
    begins_s, ends_s = quick_from * 3_600.0, HOURS * 3_600.0
    asked = [("quick", "chat", rng.uniform(begins_s, ends_s), rng.randint(500, 2_000), rng.randint(20, 80)) for _ in range(240)]
    asked += [
        ("heavy", "report", hour * 3_600.0 + rng.uniform(0, 200), rng.randint(60_000, 90_000), 600)
        for hour in heavy_at
        for _ in range(12)
    ]
    asked.sort(key=lambda row: row[2])
    arrivals = [Arrival(at_s, prompt, 0, output) for _, _, at_s, prompt, output in asked]
    served: list[list[Service]] = [[] for _ in asked]
    serve(engine, [once(arrival, into) for arrival, into in zip(arrivals, served, strict=True)])
    spans: dict[str, list[Any]] = {"quick": [], "heavy": []}
    for trace, (row, arrival, (service,)) in enumerate(zip(asked, arrivals, served, strict=True), 1):
        said: dict[str, Any] = {
            "layer": "supply", "task__class": row[1], "engine": "e1", "engine__queue_s": service.queue_s,
            "engine__prefill_s": service.prefill_s, "engine__decode_s": service.decode_s,
            "engine__kv_tokens": arrival.kv_tokens, "engine__batch": service.batch + busier,
        }  # fmt: skip
        attributes = {f"allocation__{name}": value for name, value in said.items()}
        spans[row[0]].append(
            chat(trace, 1, input=row[3], output=row[4], model="own", at=round(row[2], 6), seconds=service.latency_s, **attributes)
        )
    return spans


def tell(dsn: str, writer: psycopg.Connection, spans: dict[str, list[Any]]) -> None:
    """Spans come, and their tasks are settled."""
    for tenant, told in spans.items():
        book(dsn, [export(*told, tenant=tenant)])
    settle_all(writer)


def day(dsn: str, writer: psycopg.Connection, engine: EngineParameters, busier: int = 0) -> None:
    """All of it comes at once."""
    tell(dsn, writer, traffic(engine, busier))


def reports_may_wait(owner: psycopg.Connection) -> None:
    """A report may wait a day, and is worth nothing to have sooner."""
    owner.execute("update pigou.task set lambda_usd_per_s = 0, deadline_s = 86400 where task_class = 'report'")


def looks(writer: psycopg.Connection, tenant: str, window: Window = WINDOW) -> list[Look]:
    with writer.transaction():
        tenant_id = open_tenants(writer, [tenant])[tenant]
    return look(writer, tenant_id, window)


def test_who_is_in_the_way_is_found_priced_and_stored(
    dsn: str, writer: psycopg.Connection, owner: psycopg.Connection, reader: psycopg.Connection
) -> None:
    day(dsn, writer, PLAIN)
    reports_may_wait(owner)
    (heavy,) = looks(writer, "heavy")
    assert (heavy.place.segment, heavy.status, heavy.is_discovery) == ("report, engine e1", "appraised", True)
    assert heavy.usd_per_day is not None
    assert heavy.low is not None
    assert heavy.high is not None
    assert 0 < heavy.low < heavy.usd_per_day < heavy.high
    assert heavy.n == heavy.tasks == 24
    assert "make others wait" in heavy.sentence
    assert "hours later" in heavy.change
    assert "quick" not in repr(heavy)  # whom it holds up is not its business
    assert heavy.terms[0].usd_per_day == heavy.usd_per_day
    victims: Any = heavy.detail["victims"]
    assert victims["other_tenants"]["usd_per_day"] == pytest.approx(heavy.usd_per_day)
    assert sum(of.usd for of in heavy.days) == pytest.approx(
        heavy.usd_per_day * (WINDOW.until - heavy.since).total_seconds() / 86400
    )
    (quick,) = looks(writer, "quick")
    assert (quick.is_discovery, quick.usd_per_day, quick.change) == (False, 0.0, "Nothing.")  # those whom it delays can wait
    assert msgspec.json.encode([heavy, quick])  # as findings are stored: numbers are Python's
    assert looks(writer, "heavy") == [heavy]

    now = AT + timedelta(hours=HOURS, minutes=20)
    written = refresh_engine_prices(writer, now, is_all=True)
    assert refresh_engine_prices(writer, now) == 0
    hours = rows(
        reader,
        "select hour, prefill_usd_per_token, decode_usd_per_token, kv_usd_per_token_s, n from ledger.engine_prices"
        " where tenant = 'quick' order by hour",
    )
    assert [hour for hour, *_ in hours] == [AT + timedelta(hours=n) for n in range(HOURS)]
    assert hours[8][1] > 10 * hours[2][1]  # the second dozen of reports against a quiet hour
    assert all(price > 0 for price in hours[8][1:4])
    assert hours[0][4] == 24
    culprit, delay_s, usd = one(
        reader,
        "select tenant, sum(delay_s), sum(usd) from ledger.externalities where victim = 'quick' and task_class = 'report'"
        " group by 1",
    )
    assert culprit == "heavy"
    assert float(usd) == pytest.approx(0.0005 * delay_s)
    assert float(usd) == pytest.approx(sum(of.usd for of in heavy.days), rel=1e-6)
    assert written >= 2 * 3 * HOURS
    held = "select count(*), sum(h.delay_s) from pigou.held_up h join pigou.tenant t using (tenant_id)"
    tasks, waited_s = one(writer, held + " where t.tenant = 'quick' and h.task_class = 'report'")
    assert 0 < tasks < 240
    assert waited_s == pytest.approx(delay_s, abs=240 * 0.05)

    served = {price.resource: price for price in read_prices(writer, "quick").engines}
    assert {resource: (price.unit, price.valid_from) for resource, price in served.items()} == {
        "prefill": ("token", AT + timedelta(hours=HOURS - 1)),
        "decode": ("token", AT + timedelta(hours=HOURS - 1)),
        "kv": ("token second", AT + timedelta(hours=HOURS - 1)),
    }
    assert refresh_engine_prices(writer, now + timedelta(hours=1), is_all=True) > 0
    assert one(reader, "select count(*) from ledger.engine_prices where tenant = 'quick'") == HOURS + 1


def test_where_it_cannot_be_told_since_when_the_interval_holds_what_it_costs_since_then(
    dsn: str, writer: psycopg.Connection
) -> None:
    # Three hours of reports with nobody else there, four among others: seven hours are too few to show the change.
    tell(dsn, writer, traffic(PLAIN, quick_from=6, heavy_at=(0, 1, 3, 6, 7, 9, 11)))
    (heavy,) = looks(writer, "heavy")
    assert (heavy.since, heavy.is_discovery) == (AT, True)
    assert heavy.usd_per_day is not None
    assert heavy.low is not None
    assert heavy.high is not None
    usd, whole_days, days = sum(of.usd for of in heavy.days), HOURS / 24, (HOURS - 6) / 24
    assert heavy.usd_per_day == pytest.approx(usd / whole_days)
    assert heavy.low < usd / whole_days < usd / days < heavy.high
    assert f"from {AT:%Y-%m-%d %H:%M} to {AT + timedelta(hours=9):%Y-%m-%d %H:%M}" in heavy.weaknesses[-1]


IMPOSED = (
    "select tenant, day, task_class, victim, requests, delay_s, usd, usd_low, usd_high, unpriced_s from ledger.externalities"
    " order by 1, 2, 3, 4"
)
WAITED = "select tenant_id, trace_id, culprit_tenant_id, task_class, came_at, delay_s from pigou.held_up order by 1, 2, 3, 4"


def test_who_delayed_whom_is_what_it_would_be_had_nobody_looked_before(
    dsn: str, writer: psycopg.Connection, owner: psycopg.Connection, reader: psycopg.Connection
) -> None:
    spans, now = traffic(PLAIN), AT + timedelta(days=2)
    late = {"quick": spans["quick"][10:90:3] + spans["quick"][120:], "heavy": spans["heavy"][2:6] + spans["heavy"][12:]}
    tell(dsn, writer, {tenant: [span for span in told if span not in late[tenant]] for tenant, told in spans.items()})
    assert refresh_engine_prices(writer, now) > 0
    priced = one(reader, "select count(*), max(hour) from ledger.engine_prices where tenant = 'quick'")
    assert priced == (6, AT + timedelta(hours=5))  # the seventh may go on, and those after it are not idle: they are yet to come
    early = [rows(reader, IMPOSED), rows(writer, WAITED)]

    tell(dsn, writer, late)
    assert refresh_engine_prices(writer, now, is_all=True) > 0
    measured = [rows(reader, IMPOSED), rows(writer, WAITED)]
    assert measured != early
    hours = rows(reader, "select prefill_usd_per_token from ledger.engine_prices where tenant = 'quick' order by hour")
    assert hours[8][0] > 10 * hours[2][0]  # the second dozen of reports, against a quiet hour
    owner.execute("delete from pigou.setting where setting = 'engine_measured_e1'")
    owner.execute("delete from pigou.externality")
    owner.execute("delete from pigou.held_up")
    refresh_engine_prices(writer, now, is_all=True)
    assert [rows(reader, IMPOSED), rows(writer, WAITED)] == measured

    owner.execute("update pigou.task set task_class = 'brief', settled_at = now() where task_class = 'report'")
    refresh_engine_prices(writer, now, is_all=True)
    assert rows(reader, "select distinct task_class from ledger.externalities order by 1") == [("brief",), ("chat",)]


def test_where_there_is_room_nobody_is_accused(dsn: str, writer: psycopg.Connection) -> None:
    day(dsn, writer, AMPLE)
    (heavy,) = looks(writer, "heavy")
    assert (heavy.status, heavy.is_discovery) == ("appraised", False)
    assert "hardly in anybody's way" in heavy.sentence
    quick = one(writer, "select tenant_id from pigou.tenant where tenant = 'quick'")
    (crowding,) = [each for each in check(writer, quick, "quick", WINDOW, {}) if each.claim == CLAIMS[2]]
    assert (crowding.subject, crowding.prediction.statistic.n > 0) == ("e1", True)


def test_too_few_spans_and_unknown_prices_are_said(dsn: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    day(dsn, writer, PLAIN)
    owner.execute("update pigou.task set lambda_usd_per_s = null")
    (heavy,) = looks(writer, "heavy")
    assert (heavy.status, heavy.usd_per_day) == ("not_identified", None)
    assert "what a second is worth" in heavy.sentence
    (few,) = looks(writer, "quick", Window(AT, AT + timedelta(hours=1)))
    assert few.status == "not_enough_evidence"
    assert "60 are needed" in few.sentence
    assert looks(writer, "heavy", Window(AT - timedelta(days=9), AT - timedelta(days=8))) == []


def test_an_engine_of_which_only_a_sample_is_seen_is_not_judged(dsn: str, writer: psycopg.Connection) -> None:
    day(dsn, writer, PLAIN, busier=3)
    for look_at in looks(writer, "heavy") + looks(writer, "quick"):
        assert (look_at.status, look_at.usd_per_day) == ("not_identified", None)
        assert "only a sample is kept" in look_at.sentence


@pytest.mark.parametrize(
    ("waiting", "kv_share"),
    [
        ("vllm:num_requests_waiting", "vllm:kv_cache_usage_perc"),
        ("vllm:num_requests_waiting", "vllm:gpu_cache_usage_perc"),
        ("sglang:num_queue_reqs", "sglang:token_usage"),
    ],
)
def test_metrics_alone_tell_pressure_and_accuse_nobody(dsn: str, writer: psycopg.Connection, waiting: str, kv_share: str) -> None:
    with writer.transaction():
        tenant_id = open_tenants(writer, ["metered"])["metered"]
    for name, values in ((waiting, (2, 4)), (kv_share, (0.5, 0.9))):
        for minute, value in enumerate(values):
            writer.execute(
                "insert into pigou.metric_point (tenant_id, name, at, series_id, kind, value, attributes, resource_id)"
                " values (%s, %s, %s, gen_random_uuid(), 'gauge', %s, %s, gen_random_uuid())",
                (tenant_id, name, AT + timedelta(minutes=minute), value, Jsonb({"model_name": "m7", "engine": "0"})),
            )
    (found,) = looks(writer, "metered")
    assert (found.place.segment, found.status, found.n) == ("engine m7 0", "not_identified", 4)
    assert "3.0 requests wait on average and KV is 88 % full" in found.sentence
    assert "export its request spans" in found.change
    assert found.detail == {"waiting": 3.0, "kv_share": pytest.approx(0.88), "held_share": None, "points": 4}


@pytest.mark.parametrize(
    ("points", "held", "said"),
    [
        (
            {"vllm:prefix_cache_queries_total": (100, 500, 40, 140), "vllm:prefix_cache_hits_total": (90, 190, 10, 45)},
            145 / 540,
            "27 %",
        ),
        ({"sglang:cache_hit_rate": (0.5, 0.7)}, 0.6, "60 %"),
        ({"vllm:prefix_cache_queries": (7, 7), "vllm:prefix_cache_hits": (2, 2)}, None, "nothing is said of queue or KV"),
    ],
    ids=["counters, of which the engine began anew", "a rate", "nothing was looked up"],
)
def test_metrics_tell_what_the_prefix_cache_held(
    dsn: str, writer: psycopg.Connection, points: dict[str, tuple[float, ...]], held: float | None, said: str
) -> None:
    with writer.transaction():
        tenant_id = open_tenants(writer, ["metered"])["metered"]
    for name, values in points.items():
        series = uuid4()
        for minute, value in enumerate(values):
            writer.execute(
                "insert into pigou.metric_point (tenant_id, name, at, series_id, kind, value, attributes, resource_id)"
                " values (%s, %s, %s, %s, 'sum', %s, %s, gen_random_uuid())",
                (tenant_id, name, AT + timedelta(minutes=minute), series, value, Jsonb({"model_name": "m7"})),
            )
    (found,) = looks(writer, "metered")
    assert found.detail["held_share"] == (None if held is None else pytest.approx(held))
    assert said in found.sentence


def test_a_delay_is_worth_what_its_tasks_were_settled_with_whatever_is_solved_meanwhile(
    dsn: str, writer: psycopg.Connection, owner: psycopg.Connection
) -> None:
    day(dsn, writer, PLAIN)
    reports_may_wait(owner)
    before = looks(writer, "heavy")
    put_vector(writer, "quick", "ch*", lambda_usd_per_s=0, lambda_source="dual", source="dual")  # an SLA that is slack
    assert looks(writer, "heavy") == before

    owner.execute("delete from pigou.task where task_class = 'chat'")  # not settled yet
    add_policies(writer, None, [stated_policy({"task_class": "chat", "lambda_usd_per_s": "0.0005"})], "test")
    assert [each.usd_per_day for each in looks(writer, "heavy")] == [each.usd_per_day for each in before]


def test_lambda_is_the_dual_of_an_sla_where_nobody_states_one(
    dsn: str, writer: psycopg.Connection, owner: psycopg.Connection
) -> None:
    day(dsn, writer, PLAIN)
    owner.execute("update pigou.task set lambda_usd_per_s = null where task_class = 'chat'")
    put_vector(writer, "quick", "ch*", lambda_usd_per_s=0, lambda_source="dual", source="dual")
    (heavy,) = looks(writer, "heavy")
    assert heavy.usd_per_day == 0.0  # the SLA of whom it delays is slack: a second more costs them nothing
    put_vector(writer, "quick", "ch*", lambda_usd_per_s=Decimal("0.001"), lambda_source="dual", source="dual")
    (heavy,) = looks(writer, "heavy")
    assert heavy.usd_per_day is not None
    assert heavy.usd_per_day > 0
