"""Several tenants on one engine: out of the books, the price on paper, kept on the clock and served."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from analyzers.prices.clearing import Asked, find_clearing
from analyzers.prices.keep_clearing import engines_due, refresh_clearing
from analyzers.prices.refresh import refresh_prices
from ledger.database import connect
from ledger.engine_capacity import state_capacity
from ledger.errors import PriceError
from tests.books import cloned, rows, serving
from tests.engine_market import ACME, ENGINE, GLOBEX, MUTE, TASKS, TOKENS, VAGUE, per_s, tell_market, worth_usd
from tests.integration.test_budget_api import ask
from tests.typed import Typed

HALF = TASKS * TOKENS / 2


@pytest.fixture(scope="module")
def dsn(server: str, template: str) -> Iterator[str]:
    """A day of three tenants whose prices were looked at; tests that state a capacity come last."""
    with cloned(server, template, "pigou_clearing") as dsn:
        with connect(dsn, "writer") as writer:
            tell_market(dsn, writer)
            refresh_prices(writer)
        yield dsn


def test_the_price_is_that_on_paper(writer: psycopg.Connection) -> None:
    """At three quarters of what is wanted the one who gains least by the engine is indifferent, and gives way."""
    answer = find_clearing(writer, Asked(ENGINE, "decode", per_s(3 * HALF)))
    found = answer.cleared
    assert found is not None, answer.why
    assert (found.clears, found.agrees, answer.requests, answer.untold) == (True, True, TASKS, 0)
    expected = worth_usd(GLOBEX) / TOKENS
    assert found.price.value == pytest.approx(expected, rel=1e-6)
    assert found.groped == pytest.approx(expected, rel=1e-6)
    assert (found.low, found.high) == (pytest.approx(expected, rel=1e-6), pytest.approx(expected, rel=1e-6))
    acme, globex = found.takings
    assert [acme.tenant, globex.tenant] == [ACME, GLOBEX]
    assert (acme.was, acme.free, acme.takes) == tuple(pytest.approx(per_s(n)) for n in (HALF, 2 * HALF, 2 * HALF))
    assert (globex.was, globex.free, globex.takes) == tuple(pytest.approx(per_s(n)) for n in (HALF, 2 * HALF, HALF))
    assert (globex.least, globex.most) == (pytest.approx(0.0, abs=1e-9), pytest.approx(per_s(2 * HALF)))
    assert globex.pays_usd_per_day == pytest.approx(expected * HALF, rel=1e-6)
    own = next(one for one in found.moved if (one.tenant, one.option) == (GLOBEX, "own"))
    assert (own.was, own.free, own.takes) == tuple(pytest.approx(n) for n in (12, 24, 12))


@pytest.mark.parametrize(
    ("tokens", "usd"),
    [(4 * HALF + 1, 0.0), (1.5 * HALF, worth_usd(ACME) / TOKENS)],
    ids=["slack", "the one who gains most is left"],
)
def test_less_or_more_of_it(writer: psycopg.Connection, tokens: float, usd: float) -> None:
    found = find_clearing(writer, Asked(ENGINE, "decode", per_s(tokens)), draws=5).cleared
    assert found is not None
    assert found.agrees
    assert (found.price.value, found.groped) == (pytest.approx(usd, rel=1e-6), pytest.approx(usd, rel=1e-6))
    assert found.is_slack == (usd == 0)


def test_what_moves_together_may_have_no_price(writer: psycopg.Connection) -> None:
    """The half of a tenant that was routed elsewhere comes or stays away as a whole."""
    found = find_clearing(writer, Asked(ENGINE, "decode", per_s(2.5 * HALF), whole=True), draws=0).cleared
    assert found is not None
    assert not found.clears
    assert found.why.startswith("no clearing price: at ")


def test_only_those_who_are_named_are_moved(writer: psycopg.Connection) -> None:
    found = find_clearing(writer, Asked(ENGINE, "decode", per_s(1.5 * HALF), movers=(GLOBEX,)), draws=0).cleared
    assert found is not None
    assert found.price.value == pytest.approx(worth_usd(GLOBEX) / TOKENS, rel=1e-6)
    takes = {one.tenant: one.takes for one in found.takings}
    assert takes == {ACME: pytest.approx(per_s(HALF)), GLOBEX: pytest.approx(per_s(HALF / 2))}
    answer = find_clearing(writer, Asked(ENGINE, "decode", per_s(0.5 * HALF), movers=(GLOBEX,)), draws=0)
    assert answer.cleared is None
    assert answer.why.startswith("what cannot be moved takes 0.138889 units a second of a capacity of 0.0694444")


def test_what_is_not_known_is_not_nothing(writer: psycopg.Connection) -> None:
    """The engine serves this model, and says nothing of these calls."""
    answer = find_clearing(writer, Asked(ENGINE, "decode", 1.0, movers=(MUTE,)))
    assert answer.cleared is None
    assert answer.why == (
        "nobody's decisions could be moved: mute: route of fix (far, own): of 12 tasks that took own, 0 tell what they took of"
        " the engine; mute: all its decisions: it has no decision with known alternatives"
    )
    uses = {(one.tenant, one.use.option): one.use for one in answer.uses}
    assert (uses[MUTE, "own"].mean, uses[MUTE, "own"].known, uses[MUTE, "far"].mean) == (None, 0, 0.0)
    assert (uses[ACME, "own"].mean, uses[ACME, "own"].error, uses[GLOBEX, "far"].mean) == (TOKENS, 0.0, 0.0)


def test_an_engine_that_does_not_tell_is_not_cleared(writer: psycopg.Connection) -> None:
    answer = find_clearing(writer, Asked(VAGUE, "decode", 1.0))
    assert (answer.cleared, answer.untold) == (None, 12)
    assert answer.why == "12 of 12 requests do not tell how many decode tokens they took"


@pytest.mark.parametrize(("resource", "units"), [("prefill", 50.0), ("kv", 4_000.0)])
def test_other_units(writer: psycopg.Connection, resource: Any, units: float) -> None:
    answer = find_clearing(writer, Asked(ENGINE, resource, per_s(1.5 * TASKS * units)), draws=0)
    assert answer.cleared is not None
    assert answer.cleared.price.value == pytest.approx(worth_usd(GLOBEX) / units, rel=1e-6)


def test_the_busiest_hour_is_no_limit_that_anybody_states(pigou: Typed) -> None:
    code, out, error = pigou("prices", "clear", ENGINE, "--busiest", "--format", "json")
    assert code == 0, error
    told: dict[str, Any] = json.loads(out)
    assert (code, told["capacity_source"], told["capacity_per_s"]) == (0, "busiest hour", pytest.approx(2 * TOKENS / 3600))
    assert "what it delivered in its busiest hour" in told["says"][0]
    assert (told["clears"], told["price_usd_per_unit"]["value"]) == (True, 0.0)


def test_it_is_typed(pigou: Typed, reader: psycopg.Connection) -> None:
    code, out, said = pigou("prices", "clear", ENGINE, "--capacity", str(per_s(3 * HALF)))
    assert code == 0
    assert f"decode of {ENGINE}, 2026-" in out
    assert "It clears at 100 USD a million decode tokens, 95 %: 100 to 100." in out
    assert "the joint programme agrees" in out
    assert GLOBEX in out
    assert "mute: left as it was: route of fix (far, own): of 12 tasks that took own, 0 tell" in said
    assert pigou("prices", "clear", ENGINE, "--capacity", str(per_s(3 * HALF))) == (code, out, said)
    nights = json.loads(pigou("prices", "clear", ENGINE, "--capacity", "9", "--hours", "22-4", "--format", "json")[1])
    assert nights["requests"] == TASKS // 4
    assert rows(reader, "select from ledger.clearing_prices") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((ENGINE,), "nobody states how many decode tokens engine"),
        (("no such",), "engine 'no such' tells of no request"),
        ((ENGINE, "--capacity", "0"), "a capacity of 0.0 a second"),
        ((ENGINE, "--capacity", "nan"), "a capacity of nan a second"),
        ((ENGINE, "--capacity", "5", "--busiest"), "two capacities"),
        ((ENGINE, "--capacity", "5", "--hours", "9"), "--hours '9' are no hours"),
        ((ENGINE, "--capacity", "5", "--tenant", "nobody"), "there is no tenant 'nobody'"),
        ((ENGINE, "--capacity", "5", "--until", "2020-01-01"), "no time lies from"),
    ],
)
def test_what_cannot_be_asked(pigou: Typed, arguments: tuple[str, ...], said: str) -> None:
    code, out, error = pigou("prices", "clear", *arguments)
    assert (code, out, said in error) == (2, "", True), error


def test_what_cannot_be_stated(pigou: Typed) -> None:
    for arguments, said in (
        (("e",), "a capacity is stated once"),
        (("e", "--per-s", "1", "--per-hour", "2"), "a capacity is stated once"),
        (("e", "--per-s", "x"), "--per-s 'x' is no number"),
        (("e", "--per-s", "-1"), "a capacity of -1 a second"),
        (("a\nb", "--per-s", "1"), "is no engine's name"),
    ):
        code, _, error = pigou("prices", "capacity", *arguments)
        assert (code, said in error) == (2, True), error


def test_an_unknown_engine_raises(writer: psycopg.Connection) -> None:
    with pytest.raises(PriceError, match="tells of no request"):
        find_clearing(writer, Asked("'; drop table pigou.task; --", "decode", 1.0))


# ── from here on a capacity is stated ────────────────────────────────────────────────────────────────


def test_a_stated_capacity_is_cleared_on_the_clock_and_served(
    dsn: str, pigou: Typed, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    stated = pigou("prices", "capacity", ENGINE, "--per-hour", str(3 * HALF / 24))
    assert stated[1].startswith(f"{ENGINE}: capacity for decode stated, revision 1")
    state_capacity(writer, "silent", "kv", Decimal(1), "test")
    assert engines_due(writer) == [(ENGINE, "decode"), ("silent", "kv")]
    assert refresh_clearing(writer) == 1  # of the other nothing can be told
    assert engines_due(writer) == []
    found = rows(
        reader,
        "select tenant, round(usd_per_unit, 9), round(dual_high_usd, 9), agrees, why, is_moved, round(takes_per_s::numeric, 6),"
        "       pays_usd_per_day, is_in_force from ledger.clearing_prices order by tenant",
    )
    usd = Decimal("0.0001")
    assert [row[:7] for row in found] == [
        (ACME, usd, usd, True, None, True, Decimal("0.277778")), (GLOBEX, usd, usd, True, None, True, Decimal("0.138889"))
    ]  # fmt: skip
    assert [(float(row[7]), row[8]) for row in found] == [(pytest.approx(2.4), True), (pytest.approx(1.2), True)]
    told = json.loads(pigou("prices", "clear", ENGINE, "--format", "json")[1])
    assert (told["capacity_source"], told["price_usd_per_unit"]["value"]) == ("stated", pytest.approx(1e-4))
    with serving(dsn) as served:
        status, answer = ask(served, "/v1/prices/clearing?" + urlencode({"engine": ENGINE}), method="GET")
        assert (status, answer["why"], [one["resource"] for one in answer["markets"]]) == (200, "", ["decode"])
        [market] = answer["markets"]
        assert (market["price_usd"], market["agrees"], market["why"]) == (pytest.approx(1e-4), True, "")
        assert market["as_right"] == {"low": pytest.approx(1e-4), "high": pytest.approx(1e-4)}
        assert [one["tenant"] for one in market["tenants"]] == [ACME, GLOBEX]
        _, answer = ask(served, "/v1/prices/clearing?" + urlencode({"engine": ENGINE, "tenant": GLOBEX}), method="GET")
        assert [[one["tenant"] for one in market["tenants"]] for market in answer["markets"]] == [[GLOBEX]]
        status, answer = ask(served, "/v1/prices/clearing?engine=silent", method="GET")
        assert (status, answer["markets"]) == (200, [])
        assert answer["why"].startswith("no capacity of such an engine is stated, or it was not cleared yet")
        for query, code in (("engine=a&tenant=nobody", 404), ("engine=a%00", 422), ("tenant=acme", 422)):
            assert ask(served, f"/v1/prices/clearing?{query}", method="GET")[0] == code


def test_a_capacity_that_is_taken_off_has_no_price(pigou: Typed, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    state_capacity(writer, ENGINE, "decode", Decimal(1), "test")
    assert pigou("prices", "capacity", ENGINE, "--per-s", "none")[0] == 0
    refresh_clearing(writer)
    assert rows(reader, "select from ledger.clearing_prices where is_in_force") == []
    listed = json.loads(pigou("prices", "capacities", "--history", "--format", "json")[1])
    mine = [(one["engine"], one["per_s"]) for one in listed if one["engine"] == ENGINE]
    assert mine[-1] == (ENGINE, None)
    assert [one["engine"] for one in json.loads(pigou("prices", "capacities", "--format", "json")[1])] == ["silent"]
