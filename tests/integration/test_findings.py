"""Findings in the books: what a detection writes, who is told, what people do, and what the commands and the API say."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest

from analyzers.alerts import evaluate
from analyzers.detect import detect
from analyzers.modes.look import Look, Place, Window
from ledger import alerts
from ledger.findings import FindingError, UnknownFinding, act, set_materiality
from ledger.post import open_tenants
from tests.books import Served, one, rows, serving
from tests.looked import BEGAN, DECISION, TRACE, found, look_of
from tests.typed import Typed

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SEGMENT = "support.faq, support, route large, below 3 USD"


def events(connection: psycopg.Connection, finding: int = 1) -> list[tuple[Any, ...]]:
    return rows(
        connection, "select at, event, who, note from ledger.finding_events where finding_id = %s order by event_id", finding
    )


# ── what a detection writes ──────────────────────────────────────────────────────────────────────────


def test_a_finding_opens_goes_on_resolves_and_opens_again(writer: psycopg.Connection) -> None:
    other = Place("demand", "route", "code.review", "small")
    assert found(writer, [look_of(4), look_of(None, other)])[:3] == (2, 1, 0)
    [row] = rows(
        writer,
        "select tenant, finding_id, mode, segment, opened_at, usd_per_day, low, high, status, since, materiality_usd_per_day,"
        " former_finding_id, evidence from ledger.findings",
    )
    usd = (4, Decimal("3.5"), Decimal("4.5"))
    assert row[:12] == ("acme", 1, "over_routing", SEGMENT, BEGAN, *usd, "open", BEGAN - 10 * DAY, Decimal("0.5"), None)
    assert row[12]["weaknesses"] == ["difficulty is not recorded"]
    assert row[12]["terms"][1] == {"name": "V·ΔQ", "usd_per_day": None, "low": None, "high": None}
    assert row[12]["detail"] == {"frontier": [1.0, None]}
    assert rows(writer, "select trace_id, decision_id::text, usd from ledger.finding_examples order by example") == [
        (TRACE, DECISION, Decimal("0.25")),
        ("ff" * 16, None, None),
    ]
    assert rows(writer, "select segment, status, finding_id, sentence from ledger.looks order by segment") == [
        ("code.review, route small", "not_enough_evidence", None, "needs 40 more outcomes"),
        (SEGMENT, "appraised", 1, "frequent questions go to the largest model."),
    ]
    assert found(writer, [look_of(4.2, n=300)], BEGAN + HOUR)[:3] == (1, 0, 0)
    assert rows(writer, "select usd_per_day, n, seen_at - opened_at from ledger.findings") == [(Decimal("4.2"), 300, HOUR)]
    assert one(writer, "select count(*) from ledger.looks") == 1
    found(writer, [look_of(None)], BEGAN + 2 * HOUR)
    assert rows(writer, "select usd_per_day, n, looked_at - opened_at from ledger.findings") == [(Decimal("4.2"), 300, 2 * HOUR)]
    found(writer, [look_of(9, n=400)], BEGAN + 3 * HOUR)
    assert found(writer, [look_of(0, half=0.1)], BEGAN + 25 * HOUR)[:3] == (1, 0, 1)
    assert rows(writer, "select status, resolution, usd_per_day, quiet_since from ledger.findings") == [
        ("resolved", "right again", 9, BEGAN + 25 * HOUR)
    ]
    assert found(writer, [look_of(5)], BEGAN + 26 * HOUR)[:3] == (1, 1, 0)
    assert [(at - BEGAN, event, note) for at, event, _, note in events(writer)] == [
        (0 * HOUR, "opened", None), (3 * HOUR, "grew", None), (25 * HOUR, "resolved", "right again")
    ]  # fmt: skip
    assert rows(writer, "select finding_id, former_finding_id from ledger.findings where status = 'open'") == [(2, 1)]
    assert [event for _, event, _, _ in events(writer, 2)] == ["reopened"]


def test_what_could_not_be_judged_for_a_day_says_so(writer: psycopg.Connection) -> None:
    unclear = "select status, unclear_since, unclear_why, usd_per_day from ledger.findings"
    found(writer, [look_of(4)])
    found(writer, [look_of(None)], BEGAN + HOUR)
    assert rows(writer, unclear) == [("open", None, None, 4)]
    found(writer, [look_of(None)], BEGAN + 25 * HOUR)
    assert rows(writer, unclear) == [("open", BEGAN + HOUR, "needs 40 more outcomes", 4)]
    found(writer, [], BEGAN + 26 * HOUR)
    assert rows(writer, unclear) == [("open", BEGAN + HOUR, "Nothing was there to look at.", 4)]
    found(writer, [look_of(4)], BEGAN + 27 * HOUR)
    assert rows(writer, unclear) == [("open", None, None, 4)]


def test_a_mode_that_fails_is_recorded_and_stops_no_other(writer: psycopg.Connection) -> None:
    tenants = open_tenants(writer, ["acme", "beta"])
    windows: list[Window] = []

    def works(_connection: psycopg.Connection, _tenant_id: int, window: Window) -> list[Look]:
        windows.append(window)
        return [look_of(4)]

    def fails(connection: psycopg.Connection, tenant_id: int, _window: Window) -> list[Look]:
        if tenant_id == tenants["acme"]:
            connection.execute("select 1 / 0")
        return [look_of(4)]  # of another mode than it is asked for

    detected = detect(writer, modes={"under_routing": fails, "over_routing": works}, now=BEGAN)
    assert (detected.places, detected.opened) == (2, 2)
    assert [(owner, mode, why.partition(":")[0]) for owner, mode, why in detected.problems] == [
        ("acme", "under_routing", "DivisionByZero"), ("beta", "under_routing", "Refused")
    ]  # fmt: skip
    assert set(windows) == {Window(BEGAN - 28 * DAY, BEGAN)}
    seen = "select tenant, mode, places, opened, problem is null from ledger.detections order by 1, 2"
    assert rows(writer, seen) == [
        ("acme", "over_routing", 1, 1, True), ("acme", "under_routing", 0, 0, False),
        ("beta", "over_routing", 1, 1, True), ("beta", "under_routing", 0, 0, False),
    ]  # fmt: skip
    assert rows(writer, "select tenant, finding_id from ledger.findings order by 1") == [("acme", 1), ("beta", 1)]
    detect(writer, BEGAN - DAY, BEGAN, modes={"over_routing": works}, now=BEGAN)
    assert windows[-1] == Window(BEGAN - DAY, BEGAN)
    assert detect(writer, BEGAN + DAY, modes={"over_routing": works}, now=BEGAN).places == 0, "nothing is there to look at yet"


def test_materiality_is_each_tenants_own(writer: psycopg.Connection) -> None:
    assert set_materiality(writer, Decimal(3), None, "test") == 2
    assert set_materiality(writer, Decimal(5), "acme", "test") == 1
    found(writer, [look_of(4)])
    found(writer, [look_of(4)], tenant="beta")
    assert rows(writer, "select tenant, materiality_usd_per_day from ledger.findings") == [("beta", 3)]
    assert rows(writer, "select materiality_usd_per_day, finding_id from ledger.looks where tenant = 'acme'") == [(5, None)]
    for wrong in ("0", "-1", "NaN", "Infinity"):
        with pytest.raises(FindingError, match="is not material"):
            set_materiality(writer, Decimal(wrong), None, "test")
    in_force = "select tenant, revision, usd_per_day from ledger.materiality where is_in_force order by tenant nulls first"
    assert rows(writer, in_force) == [(None, 2, 3), ("acme", 1, 5)]


def test_history_is_append_only(writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    found(writer, [look_of(4)])
    for table in ("finding_event", "materiality"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            writer.execute(f"delete from pigou.{table}".encode())
        with pytest.raises(psycopg.Error, match="append-only"):
            owner.execute(f"delete from pigou.{table}".encode())


# ── who is told ──────────────────────────────────────────────────────────────────────────────────────


def told(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return rows(connection, "select event, value from ledger.alert_events where is_to_be_told order by event_id")


def test_an_alert_tells_of_a_finding(writer: psycopg.Connection) -> None:
    """At once, of growth even if somebody has acknowledged less, and that it is right again."""
    found(writer, [look_of(4)])
    evaluate(writer, BEGAN + timedelta(seconds=5))
    [alert] = rows(writer, "select rule, subject, state, value, opened_at, message, mend from ledger.alerts")
    assert alert[:5] == ("misallocation", f"over_routing: {SEGMENT}", "open", 4, BEGAN + timedelta(seconds=5))
    assert alert[5] == ("frequent questions go to the largest model; acme: $4.00 a day ($3.50 to $4.50, 95 %) since 2026-11-10")
    assert alert[6] == "route them to the middle model; see pigou findings show 1 --tenant 'acme'"
    assert one(writer, "select alert_id from ledger.findings") == 1
    assert act(writer, 1, "acknowledged", who="ann", note="on it") == "acme"
    assert rows(writer, "select f.status, a.state from ledger.findings f, ledger.alerts a") == [("acknowledged", "acknowledged")]
    found(writer, [look_of(7.9)], BEGAN + HOUR)
    evaluate(writer, BEGAN + 40 * DAY)
    assert told(writer) == [("opened", 4)], "acknowledged: not told again"
    found(writer, [look_of(8)], BEGAN + 2 * HOUR)
    evaluate(writer, BEGAN + 41 * DAY)
    assert rows(writer, "select f.status, a.state, a.told_value from ledger.findings f, ledger.alerts a") == [("open", "open", 8)]
    found(writer, [look_of(0, half=0.1)], BEGAN + 2 * DAY)
    evaluate(writer, BEGAN + 42 * DAY)
    assert told(writer) == [("opened", 4), ("grew", 8), ("resolved", 8)]
    assert rows(writer, "select state from ledger.alerts") == [("resolved",)]
    assert one(writer, "select alert_id from ledger.findings") is None


def test_what_people_do(writer: psycopg.Connection) -> None:
    found(writer, [look_of(4)])
    found(writer, [look_of(4)], tenant="beta")
    with pytest.raises(FindingError, match="several tenants have a finding 1: acme, beta"):
        act(writer, 1, "acknowledged", who="ann")
    act(writer, 1, "acknowledged", who="ann", tenant="acme")
    act(writer, 1, "noted", who="bo", note="since the release", tenant="acme")
    with pytest.raises(FindingError, match="a note says something"):
        act(writer, 1, "noted", who="bo", note=" ", tenant="acme")
    with pytest.raises(UnknownFinding, match="there is no finding 2 of acme"):
        act(writer, 2, "acknowledged", who="ann", tenant="acme")
    kept = rows(writer, "select event, who, note, usd_per_day from ledger.finding_events where tenant = 'acme' order by event_id")
    assert kept == [("opened", None, None, 4), ("acknowledged", "ann", None, 4), ("noted", "bo", "since the release", 4)]
    found(writer, [look_of(0, half=0.1)], BEGAN + 2 * DAY)
    with pytest.raises(FindingError, match="finding 1 of acme is resolved already"):
        act(writer, 1, "acknowledged", who="ann", tenant="acme")


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_commands(pigou: Typed, writer: psycopg.Connection, tmp_path: Path) -> None:
    found(
        writer,
        [
            look_of(4),
            look_of(0.8, Place("demand", "route", "code.review", "large")),
            look_of(None, Place("demand", "route", None, "x")),
        ],
    )
    detect(writer, modes={"cache_misuse": lambda _connection, _tenant_id, _window: [look_of(4)]}, now=BEGAN)
    code, out, err = pigou("findings", "list", "--format", "json")
    assert (code, [row["usd_per_day"] for row in json.loads(out)]) == (0, [4.0, 0.8])
    assert "cache_misuse cannot look at acme: Refused" in err
    assert json.loads(pigou("findings", "list", "--mode", "stale_rollouts", "--format", "json")[1]) == []
    code, out, err = pigou("findings", "show", "1")
    assert (code, out.splitlines()[:2]) == (
        0,
        [f"acme over_routing: {SEGMENT} (open)", "frequent questions go to the largest model."],
    )
    for said in (
        "4.00 USD a day, 95 % interval 3.50 to 4.50, since 2026-11-10 12:00; material from 0.50 on",
        "ΔC: 5.0000 USD a day (4.5000 to 5.5000)", "V·ΔQ: not known", "weakness: difficulty is not recorded", TRACE,
    ):  # fmt: skip
        assert said in out
    assert "not enough evidence" not in out
    assert json.loads(pigou("findings", "show", "1", "--format", "json")[1])[0]["evidence"]["detail"] == {"frontier": [1.0, None]}
    assert pigou("findings", "ack", "1", "--who", "ann", "--note", "on it") == (0, "acme: finding 1 acknowledged\n", "")
    assert pigou("findings", "note", "1", "since the release")[0] == 0
    history = json.loads(pigou("findings", "history", "1", "--format", "json")[1])
    assert [(row["event"], row["note"]) for row in history] == [
        ("opened", None), ("acknowledged", "on it"), ("noted", "since the release")
    ]  # fmt: skip
    assert len(json.loads(pigou("findings", "looks", "--format", "json")[1])) == 3
    found(writer, [look_of(None)], BEGAN + HOUR)
    found(writer, [look_of(None)], BEGAN + 25 * HOUR)
    unclear = (
        "not enough evidence since 2026-11-20 13:00 to say whether it goes on (last found wrong 2026-11-20 12:00): needs 40 more"
    )
    assert unclear in pigou("findings", "show", "1")[1]
    listed = next(row for row in json.loads(pigou("findings", "list", "--format", "json")[1]) if row["finding_id"] == 1)
    assert listed["unclear_since"].startswith("2026-11-20T13:00")
    assert pigou("findings", "materiality", "--usd-per-day", "2", "--tenant", "acme")[1] == "2 USD a day for acme: revision 1\n"
    stated = json.loads(pigou("findings", "materiality", "--format", "json")[1])
    assert [(row["tenant"], row["usd_per_day"]) for row in stated] == [(None, 0.5), ("acme", 2)]
    for wrong, said in (
        (("show", "9"), "there is no finding 9"),
        (("ack", "9"), "there is no finding 9"),
        (("materiality", "--usd-per-day", "0"), "is not material"),
        (("materiality", "--usd-per-day", "much"), "is no number"),
        (("compare", "--truth", str(tmp_path / "gone")), "cannot be read"),
    ):
        code, out, err = pigou("findings", *wrong)
        assert (code, out, said in err) == (2, "", True), err


def injected(key: str, tenant: str, task_class: str | None, usd: float, mode: str = "over_routing") -> dict[str, Any]:
    place = {"tenant": tenant, "agent": "support", "task_class": task_class, "difficulties": []}
    onset = "2026-11-10T00:00:00+00:00"
    return {
        "key": key,
        "mode": mode,
        "layer": "demand",
        "decision": "route",
        "segment": place,
        "onset": onset,
        "usd_per_day": usd,
        "forced": 1,
    }


def test_found_against_injected(pigou: Typed, writer: psycopg.Connection, tmp_path: Path) -> None:
    halves = [
        look_of(3, half=0.3),
        look_of(4, Place("demand", "route", "support.faq", "large", None, "3 USD and more"), half=0.4),
    ]
    another = look_of(2, Place("demand", "route", "code.review", "small"))
    unknown = look_of(None, Place("demand", "route", "support.refund", "large"))
    farther = look_of(1, Place("demand", "cascade", "support.faq", "large"))
    found(writer, [*halves, another, farther, unknown])
    truth = tmp_path / "truth.json"
    wrong = [
        injected("faq", "acme", "support.faq", 8),
        injected("refund", "acme", "support.refund", 3),
        injected("far", "beta", None, 1),
    ]
    truth.write_text(json.dumps({"format": "pigou-economy-truth/1", "misallocations": wrong, "seed": 1}))
    code, out, _ = pigou("findings", "compare", "--truth", str(truth), "--format", "json")
    assert code == 0
    faq, refund, far, other, last = json.loads(out)
    columns = ("injected", "usd_per_day", "found_usd_per_day", "low", "high", "off_by")
    assert [faq[name] for name in columns] == ["faq", 8, 7, 6.5, 7.5, "-12%"]
    assert (refund["found_usd_per_day"], refund["found"]) == (
        None,
        "none; looked at: not enough evidence",
    )
    assert far["found"] == "none; not looked at"
    assert [other[name] for name in columns] == [None, None, 2, 1.5, 2.5, None]
    assert last["found"] == "4: support.faq, cascade large", "less near than the two"
    assert "none (over_routing)" in pigou("findings", "compare", "--truth", str(truth))[1]
    assert "1 of 3 injected misallocations found, 2 other findings" in pigou("findings", "compare", "--truth", str(truth))[1]
    truth.write_text(json.dumps({"format": "another", "misallocations": []}))
    code, _, err = pigou("findings", "compare", "--truth", str(truth))
    assert (code, "is no truth of an economy" in err) == (2, True)


# ── over HTTP ────────────────────────────────────────────────────────────────────────────────────────

ANN = {"who": "ann", "tenant": "acme"}


@pytest.fixture
def served(dsn: str) -> Iterator[Served]:
    with serving(dsn) as collector:
        yield collector


def ask(served: Served, method: str, path: str, body: object = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(served.http, timeout=60)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_over_http(served: Served, writer: psycopg.Connection) -> None:
    found(writer, [look_of(4), look_of(3, Place("demand", "route", "code.review", "large"))])
    evaluate(writer, BEGAN + timedelta(seconds=5))
    status, listed = ask(served, "GET", "/v1/findings?tenant=acme")
    assert (status, [each["finding_id"] for each in listed["findings"]], listed["next_before"]) == (200, [2, 1], None)
    assert (listed["findings"][1]["usd_per_day"], listed["findings"][1]["alert_id"]) == ("4", 2)
    assert ask(served, "GET", "/v1/findings?tenant=acme&limit=1")[1]["next_before"] == 2
    assert ask(served, "GET", "/v1/findings?tenant=acme&mode=cache_misuse&status=resolved")[1]["findings"] == []
    assert ask(served, "GET", "/v1/findings") == (200, {"findings": [], "next_before": None})
    status, shown = ask(served, "POST", "/v1/findings/1/acknowledge", ANN | {"note": "on it"})
    assert (status, shown["finding"]["status"], shown["events"][-1]["note"]) == (200, "acknowledged", "on it")
    assert [event["event"] for event in shown["events"]] == ["opened", "acknowledged"]
    assert ask(served, "POST", "/v1/findings/1/note", ANN | {"note": "later"})[1]["events"][-1]["event"] == "noted"
    described = ask(served, "GET", "/openapi.json")[1]
    for path, at in (("/v1/findings", "?tenant=acme"), ("/v1/findings/{finding_id}", "/1?tenant=acme")):
        schema = described["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": described["components"]}
        jsonschema.validate(ask(served, "GET", f"/v1/findings{at}")[1], whole, jsonschema.Draft202012Validator)
    for method, path, body, status, said in (
        ("GET", "/v1/findings/1", None, 404, "there is no finding 1 of default"),
        ("POST", "/v1/findings/7/acknowledge", ANN, 404, "there is no finding 7 of acme"),
        ("POST", "/v1/findings/1/note", ANN | {"note": "  "}, 422, "a note says something"),
        ("POST", "/v1/findings/1/note", ANN, 422, "note"),
        ("POST", "/v1/findings/1/acknowledge", {"tenant": "acme"}, 422, "who"),
        ("GET", "/v1/findings?mode=thrift", None, 422, "mode"),
        ("GET", "/v1/findings?status=closed", None, 422, "status"),
    ):
        answered, answer = ask(served, method, path, body)
        assert (answered, said in answer["detail"]) == (status, True), answer


def test_what_people_do_with_the_alert_of_a_finding(writer: psycopg.Connection) -> None:
    """Acknowledging it acknowledges the finding; resolving it by hand does not make it right."""
    found(writer, [look_of(4)])
    evaluate(writer, BEGAN + timedelta(seconds=5))
    alerts.act(writer, 1, "acknowledged", who="ann", note="on it")
    assert [(event, who, note) for _, event, who, note in events(writer)][1:] == [("acknowledged", "ann", "on it")]
    act(writer, 1, "acknowledged", who="bo")
    assert [who for _, _, who, _ in events(writer)] == [None, "ann", "bo"]
    alerts.act(writer, 1, "reopened", who="cy", note="not mine")
    assert one(writer, "select status from ledger.findings") == "open"
    assert [(event, who, note) for _, event, who, note in events(writer)][-1] == ("reopened", "cy", "not mine")
    alerts.act(writer, 1, "acknowledged", who="ann")
    alerts.act(writer, 1, "resolved", who="ann")
    assert one(writer, "select status from ledger.findings") == "acknowledged"
    evaluate(writer, BEGAN + timedelta(seconds=15))
    assert rows(writer, "select alert_id, state from ledger.alerts order by 1") == [(1, "resolved"), (2, "open")]
