"""The demo's economy, played through a real collector and settled: each task is what the economy says it is.

What is expected is counted from the play itself, span by span and event by event, not by our own code.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources
from typing import Any

import psycopg
import pytest

from analyzers.tasks import settle
from economy.agents import Run
from economy.cache import Tokens
from economy.classes import CLASSES
from economy.completions import LAMBDA_USD_PER_S, TASK_CLASS
from economy.parameters import RHO
from economy.play import EconomySettings, play
from economy.schedule import Schedule, schedule
from economy.spans import leaves, sold_cost_usd
from ledger import check
from ledger.database import connect
from ledger.price_policies import add_policies, read_policies, stated_policy
from ledger.rates import import_rates
from tests.books import cloned, one, rows, serving
from tests.conftest import WHOLE_LIST

SEED, DAYS, PER_DAY = 3, 0.75, 160
UNTIL = datetime(2026, 11, 20, 18, tzinfo=UTC)


@dataclass
class Expected:
    """What the play says of one trace."""

    run: Run | None = None
    cost_usd: Decimal | None = Decimal(0)
    risk_usd: Decimal = Decimal(0)
    loss_usd: Decimal = Decimal(0)
    quality: float | None = None
    tenants: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def template(server: str) -> str:
    """The whole list: the economy buys from many."""
    assert server
    return WHOLE_LIST


def expected_of(planned: Schedule) -> dict[str, Expected]:
    traces: dict[str, Expected] = defaultdict(Expected)
    for span in planned.recorder.spans:
        found, told = traces[f"{span.trace_id:032x}"], span.attributes
        found.tenants.add(span.tenant)
        if "gen_ai.response.id" in told and span.service != "gateway":
            found.cost_usd = plus(found.cost_usd, cost_of(told))
        if "allocation.risk.probability" in told:
            found.risk_usd += exact(told["allocation.risk.probability"]) * exact(told["allocation.risk.loss_usd"])
        if "allocation.outcome" in told:
            found.quality = float(str(told["allocation.outcome"]))
    for event in planned.recorder.events:
        found = traces[f"{event.trace_id:032x}"]
        if event.name == "allocation.incident":
            found.loss_usd += exact(event.attributes["allocation.risk.loss_usd"])
        if event.name == "gen_ai.evaluation.result":
            found.quality = float(str(event.attributes["allocation.outcome"]))
    for run in planned.runs:
        if run.root is not None:
            traces[f"{run.root.trace_id:032x}"].run = run
    return traces


def cost_of(told: Any) -> Decimal | None:
    read, written = (told.get(f"gen_ai.usage.cache_{kind}.input_tokens", 0) for kind in ("read", "write"))
    reasoning = told.get("gen_ai.usage.reasoning.output_tokens", 0)
    tokens = Tokens(
        fresh=told["gen_ai.usage.input_tokens"] - read - written, cache_read=read, cache_write=written, reasoning=reasoning,
        output=told.get("gen_ai.usage.output_tokens", 0) - reasoning,
    )  # fmt: skip
    return sold_cost_usd(told["gen_ai.response.model"], leaves(tokens))


def plus(one_usd: Decimal | None, other_usd: Decimal | None) -> Decimal | None:
    return None if one_usd is None or other_usd is None else one_usd + other_usd


def exact(value: object) -> Decimal:
    return Decimal(str(value))


@pytest.fixture(scope="module")
def played(server: str, template: str) -> Iterator[tuple[psycopg.Connection, dict[str, Expected], Schedule]]:
    with cloned(server, template, "pigou_test_tasks_of_the_economy") as dsn, connect(dsn, "owner") as owner:
        with resources.as_file(resources.files("economy")) as folder:
            import_rates(owner, folder / "rates.yaml")
            add_policies(owner, None, read_policies(folder / "policy.yaml"), "policy.yaml")
        add_policies(owner, None, [stated_policy({"task_class": "*", "grace_s": "0"})], "test")
        with serving(dsn) as collector:
            play(EconomySettings(f"http://{collector.http}", seed=SEED, until=UNTIL, days=DAYS, tasks_per_day=PER_DAY))
        with connect(dsn, "writer") as writer:
            settle(writer)
        planned = schedule(SEED, UNTIL, DAYS, PER_DAY)
        yield owner, expected_of(planned), planned


Played = tuple[psycopg.Connection, dict[str, Expected], Schedule]


def test_every_task_is_what_the_economy_says(played: Played) -> None:
    owner, expected, planned = played
    columns = "trace_id, tenant, task_class, value_usd, deadline_s, quality, cost_usd, latency_s, risk_usd, loss_usd"
    found = {row[0]: row[1:] for row in rows(owner, f"select {columns} from ledger.tasks")}
    assert len(planned.runs) > 60
    for trace_id, wanted in expected.items():
        if wanted.run is None:
            continue
        run, cell = wanted.run, wanted.run.task.cell
        tenant, task_class, value, deadline, quality, cost, latency, risk, loss = found[trace_id]
        assert (tenant, task_class, value, deadline) == (
            run.task.tenant, cell.task_class, exact(cell.value_usd), CLASSES[cell.task_class].deadline_s,
        )  # fmt: skip
        assert quality == wanted.quality
        assert cost == wanted.cost_usd
        assert latency == pytest.approx(run.ended_s - run.task.at_s, abs=1e-5)
        assert (risk, loss) == (wanted.risk_usd, wanted.loss_usd)
    assert {row[4] for row in found.values()} > {None, 1.0}  # some are known and some are not
    assert any(wanted.loss_usd for wanted in expected.values())
    assert any(wanted.cost_usd is None for wanted in expected.values())


def test_what_is_a_task_and_what_is_an_echo(played: Played) -> None:
    owner, expected, planned = played
    copies = {f"{s.trace_id:032x}" for s in planned.recorder.spans if s.service == "gateway" and s.parent_id is None}
    assert copies
    found = {trace_id for (trace_id,) in rows(owner, "select trace_id from ledger.tasks")}
    assert found == set(expected) - copies
    assert one(owner, "select count(*) from ledger.tasks where class_source <> 'explicit'") == len(
        {f"{update.trace_id:032x}" for update in planned.updates} | {
            f"{s.trace_id:032x}" for s in planned.recorder.spans if s.service == "trainer"
        }
    )  # fmt: skip


def test_costs_of_tasks_sum_to_the_books(played: Played) -> None:
    owner, _, _ = played
    tasks = "select tenant, sum(calls), sum(unpriced_calls) from ledger.tasks group by tenant order by 1"
    calls = "select tenant, count(*), count(*) filter (where status = 'unpriced') from ledger.calls where status <> 'duplicate'"
    assert rows(owner, tasks) == rows(owner, f"{calls} group by tenant order by 1")


def test_the_shadow_book_is_value_latency_and_risk_of_the_economy(played: Played) -> None:
    owner, expected, _ = played
    runs = [(wanted, wanted.run) for wanted in expected.values() if wanted.run is not None]
    earned = sum(exact(wanted.quality) * exact(run.task.cell.value_usd) for wanted, run in runs if wanted.quality is not None)
    open_risk = sum(wanted.risk_usd for wanted, _ in runs if wanted.quality is None and not wanted.loss_usd)
    lost = sum(wanted.loss_usd for wanted, _ in runs)
    stands = dict(
        rows(
            owner,
            "select split_part(account, ':', 1) || ':' || split_part(account, ':', 2), sum(amount_usd) from ledger.balances"
            " where book = 'shadow' group by 1",
        )
    )
    assert stands["income:value"] == -earned
    assert stands["liabilities:risk_reserve"] == -RHO_EXACT * open_risk
    assert stands["liabilities:losses"] == -RHO_EXACT * lost
    assert stands["expenses:risk"] == RHO_EXACT * (open_risk + lost)
    waited = sum((run.ended_s - run.task.at_s) * run.task.cell.kind.lambda_usd_per_s for _, run in runs)
    latency = one(
        owner,
        "select coalesce(sum(amount_usd), 0) from ledger.balances where book = 'shadow' and account like 'expenses:latency:%%'"
        " and account not like '%%code.complete'",
    )
    assert float(latency) == pytest.approx(waited, rel=1e-6)
    assert [result for result in check.run(owner) if not result.ok] == []


RHO_EXACT = exact(RHO)


def test_the_policy_that_comes_with_it_is_the_economys() -> None:
    with resources.as_file(resources.files("economy")) as folder:
        stated = {policy.task_class: policy for policy in read_policies(folder / "policy.yaml")}
    assert stated["*"].rho == RHO_EXACT
    assert {name: float(policy.lambda_usd_per_s or 0) for name, policy in stated.items() if name != "*"} == {
        **{kind.name: kind.lambda_usd_per_s for kind in CLASSES.values()}, TASK_CLASS: LAMBDA_USD_PER_S,
    }  # fmt: skip
    assert {name: float(policy.deadline_s) for name, policy in stated.items() if policy.deadline_s} == {
        kind.name: kind.deadline_s for kind in CLASSES.values()
    }


def test_what_the_engine_served_is_summed_as_it_says(played: Played) -> None:
    owner, _, planned = played
    wanted: dict[str, list[Decimal]] = defaultdict(list)
    for span in planned.recorder.spans:
        if "allocation.engine" in span.attributes:
            wanted[span.tenant].append(round(exact(span.attributes["allocation.engine.queue_s"]), 12))
    columns = "count(distinct engine), sum(requests), sum(queue_known), sum(queue_s), max(queue_max_s)"
    found = {row[0]: row[1:] for row in rows(owner, f"select tenant, {columns} from ledger.serving_hourly group by tenant")}
    assert found == {tenant: (1, len(waits), len(waits), sum(waits), max(waits)) for tenant, waits in wanted.items()}
    assert dict(rows(owner, "select tenant, sum(requests) from ledger.queues_hourly group by tenant")) == {
        tenant: len(waits) for tenant, waits in wanted.items()
    }
    assert len(wanted) == 3
    assert check.one(owner, "rollups_are_sums").examples == []
