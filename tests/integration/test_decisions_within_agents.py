"""Calls that tell no use of their own, within agents that do: what decisions make of them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.books import agent, chat, plain, price, rows
from tests.integration.test_decisions import decided, decision


@pytest.mark.parametrize(
    ("said", "given"), [({}, {}), ({"allocation__use": "verify"}, {"name": "helper"})], ids=["by its name", "by its word"]
)
def test_a_call_that_tells_no_use_serves_what_the_agent_around_it_does(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection, said: dict[str, Any], given: dict[str, Any]
) -> None:
    """OTel names the agent on its own span. A reviewer's calls are not what a route sent to its model."""
    price(writer)
    for trace, model in ((1, "m1"), (2, "m2")):
        reviewer = agent(trace, 3, 1, at=4.0, seconds=4.0, **{"name": "reviewer", **given}, **said)
        spans = [
            agent(trace, 1, task="fix"), chat(trace, 2, 1, at=1.0, model=model), reviewer,
            plain(trace, 4, 3, name="step", at=4.5, seconds=3.0), chat(trace, 5, 4, at=5.0, model=model),
        ]  # fmt: skip
        decided(dsn, writer, *spans)
    route = decision(reader, "route")
    assert float(route["own_cost_usd"]) == pytest.approx((100 * 2 + 10 * 10) / 1e6), "of the fixer's call alone"
    assert route["provenance"]["use"] == "of calls that tell none, that of the agent around them"
    used = "select agent, use, use_source from ledger.calls where trace_id = %s order by started_at"
    agents = [("fixer", None, "none"), (given.get("name", "reviewer"), None, "none")]
    assert rows(reader, used, f"{1:032x}") == agents, "the books stay as they are"


def test_the_tasks_own_agent_does_the_task_whatever_it_is_called(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    for trace, model in ((1, "m1"), (2, "m2")):
        decided(dsn, writer, agent(trace, 1, name="reviewer", task="review"), chat(trace, 2, 1, at=1.0, model=model))
    route = decision(reader, "route")
    assert (route["chosen"], "use" in route["provenance"]) == ("m1", False)
