"""The price vector from the books: policy, duals over the period's alternatives, slackness, intervals and history."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from allocation.duals import solve
from allocation.errors import AllocationError
from allocation.prices import find_prices
from allocation.problem import Constraint, problem
from allocation.what_if import Supposed, suppose
from analyzers.prices.refresh import refresh_prices
from analyzers.prices.vector import look
from ledger.budgets import Terms, set_budget
from ledger.errors import PriceError, UnknownTenant
from ledger.price_vector import Limits, constrain, read_prices
from tests.books import one, rows
from tests.decided import COST_USD, LATENCY_S, decide

N = 400


def state_policy(owner: psycopg.Connection, tenant_id: int, task_class: str, **prices: float) -> None:
    owner.execute(
        "insert into pigou.price_policy (tenant_id, task_class, revision, valid, v_usd, lambda_usd_per_s, rho, source)"
        " select %(tenant_id)s, %(task_class)s, coalesce(max(revision), 0) + 1, '(,)', %(v_usd)s, %(lambda_usd_per_s)s, %(rho)s,"
        "       'test'"
        "   from pigou.price_policy where tenant_id = %(tenant_id)s and task_class = %(task_class)s",
        {"v_usd": None, "lambda_usd_per_s": None, "rho": None, **prices, "tenant_id": tenant_id, "task_class": task_class},
    )


def vector(reader: psycopg.Connection, task_class: str = "code.fix", tenant: str = "default") -> dict[str, Any]:
    """The prices of a class that hold now, as the view says them."""
    cursor = reader.execute(
        "select * from ledger.price_vector where tenant = %s and task_class = %s and upper_inf(valid)", (tenant, task_class)
    )
    [row] = cursor.fetchall()
    return dict(zip([column.name for column in cursor.description or ()], row, strict=True))


def test_what_is_stated_is_the_price(owner: psycopg.Connection, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    tenant_id = decide(owner, 20)
    state_policy(owner, tenant_id, "*", lambda_usd_per_s=0.002, rho=1)
    state_policy(owner, tenant_id, "code.*", v_usd=7)
    assert refresh_prices(writer) == 3
    found = vector(reader)
    assert (found["v_usd"], found["lambda_usd_per_s"], found["rho"], found["source"]) == (7, Decimal("0.002"), 1, "policy")
    assert (found["v_source"], found["lambda_source"], found["rho_source"]) == ("policy", "policy", "policy")
    assert (found["constraint"], found["slack"], found["budget_worth"], found["status"]) == (None, None, 1, "stated")
    assert (found["v_low_usd"], found["v_high_usd"]) == (7, 7)
    every = vector(reader, "*")
    assert (every["v_usd"], every["rho"]) == (None, 1)
    assert vector(reader, "code.*")["v_usd"] == 7
    assert refresh_prices(writer) == 0


def test_without_policy_v_is_what_tasks_state(
    owner: psycopg.Connection, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    decide(owner, 30, v_usd=2.5)
    refresh_prices(writer)
    found = vector(reader)
    assert (found["v_usd"], found["v_source"], found["lambda_usd_per_s"], found["lambda_source"]) == (
        Decimal("2.5"),
        "tasks",
        None,
        "none",
    )
    assert rows(reader, "select task_class from ledger.price_vector") == [("code.fix",)]


def test_a_slack_sla_has_no_price(owner: psycopg.Connection, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    decide(owner, N)
    constrain(writer, "default", "*", Limits(latency_s=Decimal(20)), "test")
    refresh_prices(writer)
    found = vector(reader)
    assert (found["lambda_usd_per_s"], found["lambda_source"], found["source"]) == (0, "dual", "dual")
    assert (found["constraint"], found["lambda_low"], found["lambda_high"]) == ("latency_sla *", 0, 0)
    assert found["slack"] > 9
    [told] = found["constraints"]
    assert (told["kind"], told["limit"], told["is_binding"], told["price"]) == ("latency_sla", 20, False, 0)
    assert told["used"] + told["slack"] == pytest.approx(20)


def test_a_tight_sla_is_priced_by_what_it_costs_to_keep(
    owner: psycopg.Connection, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    """With V = 0.5 the cheap option is best; each second saved by the frontier costs ΔC − V·ΔQ over the 6 s between them."""
    decide(owner, N, v_usd=0.5)
    constrain(writer, "default", "code.fix", Limits(latency_s=Decimal(7)), "test")
    refresh_prices(writer)
    found = vector(reader)
    cheap_q, frontier_q = quality_by_option(owner)
    expected = (COST_USD[1] - COST_USD[0] - 0.5 * (frontier_q - cheap_q)) / (LATENCY_S[0] - LATENCY_S[1])
    assert float(found["lambda_usd_per_s"]) == pytest.approx(expected, abs=1e-6)
    assert found["lambda_low"] < found["lambda_usd_per_s"] < found["lambda_high"]
    assert (found["constraint"], found["slack"]) == ("latency_sla code.fix", 0)
    assert found["lambda_source"] == "dual"


def quality_by_option(owner: psycopg.Connection) -> tuple[float, float]:
    """Mean quality of each option, by a plain comparison: routes were drawn by a fair coin."""
    found = rows(
        owner,
        "select avg(quality) from pigou.decision d join pigou.task t using (tenant_id, trace_id) group by chosen order by chosen",
    )
    return found[0][0], found[1][0]


def test_a_binding_budget_divides_v(owner: psycopg.Connection, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    """Ten days of a month's budget; the dual is that of the same programme written down directly."""
    decide(owner, N)
    set_budget(
        writer,
        "default",
        "team",
        Terms(amount_usd=Decimal(240), period="month", valid_from=datetime(2026, 1, 1, tzinfo=UTC)),
        "test",
    )
    refresh_prices(writer)
    found = vector(reader)
    period_s = one(owner, "select extract(epoch from period_until - period_from)::float8 from ledger.budgets")
    cheap_q, frontier_q = quality_by_option(owner)
    limit = 240 * 10 * 86_400 / period_s
    by_hand = solve(
        problem(
            [[2 * cheap_q, 2 * frontier_q]], [COST_USD], 0.0, 0.0, [Constraint("b", "compute_budget", limit)], count=[float(N)]
        )
    )
    assert by_hand.prices[0].budget_worth > 1
    assert float(found["budget_worth"]) == pytest.approx(by_hand.prices[0].budget_worth, abs=1e-6)
    assert float(found["v_usd"]) == pytest.approx(2 / by_hand.prices[0].budget_worth, abs=1e-6)
    assert (found["v_stated_usd"], found["v_source"], found["source"], found["constraint"]) == (2, "dual", "dual", "budget team")
    assert found["budget_worth_low"] <= found["budget_worth"] <= found["budget_worth_high"]


def test_a_limit_that_cannot_be_kept_has_no_price(
    owner: psycopg.Connection, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    decide(owner, N)
    constrain(writer, "default", "code.fix", Limits(latency_s=Decimal(1), risk_usd_per_day=Decimal(100)), "test")
    refresh_prices(writer)
    found = vector(reader)
    assert (found["lambda_usd_per_s"], found["lambda_source"], found["status"]) == (None, "dual", "infeasible")
    assert "latency_sla code.fix allows" in found["why"]
    assert (found["rho"], found["rho_source"], found["constraint"]) == (0, "dual", "risk_envelope code.fix")


def test_a_risk_envelope_is_kept_by_a_price_of_risk(
    owner: psycopg.Connection, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    decide(owner, N, v_usd=0.5)
    constrain(writer, "default", "code.*", Limits(risk_usd_per_day=Decimal("4")), "test")
    refresh_prices(writer)
    found = vector(reader)
    cheap_q, frontier_q = quality_by_option(owner)
    assert float(found["rho"]) == pytest.approx((0.4 - 0.5 * (frontier_q - cheap_q)) / 0.15, abs=1e-6)
    assert (found["rho_source"], found["lambda_source"]) == ("dual", "none")


def test_where_no_alternative_is_known_only_slackness_is(
    owner: psycopg.Connection, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    decide(owner, 40)
    owner.execute("update pigou.decision set assignment = 'unknown', propensity = null, propensities = null")
    constrain(writer, "default", "code.fix", Limits(latency_s=Decimal(20)), "test")
    refresh_prices(writer)
    assert vector(reader)["lambda_usd_per_s"] == 0
    constrain(writer, "default", "code.fix", Limits(latency_s=Decimal(5)), "test")
    refresh_prices(writer)
    assert vector(reader)["lambda_usd_per_s"] is None
    assert rows(owner, "select left_out->0->>1 from pigou.price_solution") == [("what moved the choice was not recorded",)] * 2


def test_history_is_kept_and_cannot_be_changed(
    owner: psycopg.Connection, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    decide(owner, N, v_usd=0.5)
    for seconds in ("7", "20"):
        constrain(writer, "default", "code.fix", Limits(latency_s=Decimal(seconds)), "test")
        assert refresh_prices(writer) == 1
    history = rows(
        reader,
        "select lambda_usd_per_s > 0, upper_inf(valid) from ledger.price_vector where task_class = 'code.fix' order by revision",
    )
    assert history == [(True, False), (False, True)]
    chained = rows(
        reader,
        "select upper(valid) = lead(lower(valid)) over (order by revision) from ledger.price_vector order by revision",
    )
    assert chained[0] == (True,)
    for table in ("price_vector", "price_constraint", "price_solution", "engine_price"):
        with pytest.raises(psycopg.Error):
            owner.execute(f"delete from pigou.{table}".encode())
    assert rows(reader, "select revision, latency_s, is_in_force from ledger.price_constraints order by revision") == [
        (1, 7, False), (2, 20, True),
    ]  # fmt: skip


def test_a_price_that_nobody_states_any_more_ends(
    owner: psycopg.Connection, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    decide(owner, N, v_usd=None)
    constrain(writer, "default", "code.fix", Limits(latency_s=Decimal(20)), "test")
    refresh_prices(writer)
    assert read_prices(writer, "default").of("code.fix") is not None
    constrain(writer, "default", "code.fix", Limits(lifted=frozenset({"latency_s"})), "test")
    refresh_prices(writer)
    assert read_prices(writer, "default").of("code.fix") is None
    assert rows(reader, "select count(*) filter (where upper_inf(valid)), count(*) from ledger.price_vector") == [(0, 1)]


def test_equal_data_and_seed_give_equal_prices(owner: psycopg.Connection, writer: psycopg.Connection) -> None:
    tenant_id = decide(owner, N, v_usd=0.5)
    constrain(writer, "default", "code.fix", Limits(latency_s=Decimal(7)), "test")
    first, second, third = (look(writer, tenant_id, seed=seed).found.rows for seed in (3, 3, 4))
    assert first == second
    assert first[1].lam.value == third[1].lam.value
    assert first[1].lam.low != third[1].lam.low


def test_intervals_cover_what_they_are_of(owner: psycopg.Connection, writer: psycopg.Connection) -> None:
    """λ's truth is known: ΔC − V·ΔQ over 6 s with ΔQ = 0.3. Of a dozen samples of tasks most intervals hold it."""
    truth = (0.4 - 0.5 * 0.3) / 6
    held = 0
    for seed in range(12):
        tenant_id = decide(owner, 150, v_usd=0.5, tenant=f"t{seed}", seed=seed + 1)
        looked = look(writer, tenant_id, seed=seed, replicates=60)
        found = find_prices(suppose(looked.period, Supposed("latency_sla", "*", 7.0)))
        [row] = [row for row in found.rows if row.task_class == "code.fix"]
        assert row.lam.low is not None
        assert row.lam.high is not None
        held += row.lam.low <= truth <= row.lam.high
    assert held >= 9


@pytest.mark.parametrize(
    ("task_class", "limits", "said"),
    [
        ("", Limits(latency_s=Decimal(1)), "is no task class"),
        ("a*b", Limits(latency_s=Decimal(1)), "is no task class"),
        ("a\0", Limits(latency_s=Decimal(1)), "is no task class"),
        ("a", Limits(latency_s=Decimal(0)), "an SLA of 0 s"),
        ("a", Limits(latency_s=Decimal("NaN")), "an SLA of NaN s"),
        ("a", Limits(latency_s=Decimal("1e400")), "give a number of seconds above 0, 1,000,000,000 at most"),
        ("a", Limits(risk_usd_per_day=Decimal("1e10")), "give USD, 0 to 1,000,000,000"),
        ("a", Limits(risk_usd_per_day=Decimal(-1)), "a risk envelope of -1 USD a day"),
    ],
)
def test_what_cannot_be_a_limit(writer: psycopg.Connection, task_class: str, limits: Limits, said: str) -> None:
    with pytest.raises(PriceError, match=said):
        constrain(writer, "default", task_class, limits, "test")


def test_a_look_that_fails_is_written_down_and_not_tried_again(
    owner: psycopg.Connection, writer: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(owner, 40)
    constrain(writer, "default", "code.fix", Limits(latency_s=Decimal(7)), "test")

    def gives_up(*_: object, **__: object) -> None:
        raise AllocationError("HiGHS gave up: time limit")

    monkeypatch.setattr("allocation.duals.minimise_each", gives_up)
    assert refresh_prices(writer) == 0
    assert rows(owner, "select status, why from pigou.price_solution") == [("failed", "HiGHS gave up: time limit")]
    assert refresh_prices(writer) == 0
    assert one(owner, "select count(*) from pigou.price_solution") == 1
    with pytest.raises(PriceError, match="the prices of default cannot be found: HiGHS gave up"):
        refresh_prices(writer, "default", now=True)


def test_a_tenant_that_is_not_there(writer: psycopg.Connection) -> None:
    with pytest.raises(UnknownTenant, match="nobody"):
        refresh_prices(writer, "nobody", now=True)
