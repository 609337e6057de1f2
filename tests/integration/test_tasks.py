"""Settlement over the books: when traces become tasks, what they come to, and what the shadow book says of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from analyzers.pipeline import run_round
from analyzers.tasks import Settled, settle
from analyzers.tasks.judge import ROOTLESS_FACTOR
from analyzers.tasks.prices import GRACE_S
from ledger import check
from ledger.outcomes import Outcome, share, tell
from ledger.periods import close
from ledger.price_policies import add_policies, stated_policy
from ledger.task_class_rules import NewRule, add_rule, remove_rule
from tests.books import AT, agent, chat, export, log, one, plain, price, rows, tool
from tests.desk import Collector, collecting

RISKY: dict[str, Any] = {
    "allocation__action__class": "deploy", "allocation__risk__probability": 0.1, "allocation__risk__loss_usd": 50,
}  # fmt: skip
PRICES = {"task_class": "*", "lambda_usd_per_s": "0.01", "rho": "2", "grace_s": "0"}


@pytest.fixture
def collector(dsn: str, writer: psycopg.Connection) -> Iterator[Collector]:
    price(writer)
    with collecting(dsn) as running:
        yield running


def policy(writer: psycopg.Connection, **cells: str) -> None:
    add_policies(writer, cells.pop("tenant", None), [stated_policy(cells)], "test")


def task(reader: psycopg.Connection, columns: str, trace: int = 1) -> Any:
    return one(reader, f"select {columns} from ledger.tasks where trace_id = %s", f"{trace:032x}")


def shadow(reader: psycopg.Connection) -> dict[str, Decimal]:
    """What stands on the accounts of the shadow book, in USD, debit positive; nought is left out."""
    found = rows(reader, "select account, sum(amount_usd) from ledger.balances where book = 'shadow' group by account")
    return {account: usd.normalize() for account, usd in found if usd}


def sound(owner: psycopg.Connection) -> bool:
    """Whether `pigou check` finds nothing."""
    return [result for result in check.run(owner) if not result.ok] == []


def fixed(trace: int = 1, **more: Any) -> Any:
    """An agent's task of 10 seconds with one call of 0.0003 USD, worth 20."""
    root = agent(trace, 1, name="fixer", task="code.fix", allocation__task__value_usd=20.0, **more)
    return export(root, chat(trace, 2, 1, at=1), tool(trace, 3, 1, at=2))


# ── when ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_trace_is_settled_when_its_root_ended_and_it_was_quiet(
    collector: Collector, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    collector.book(fixed())
    assert settle(writer) == Settled(traces=0, changed=0)  # its last span came a moment ago
    assert one(reader, "select count(*) from ledger.tasks") == 0
    assert one(writer, "select round(extract(epoch from due_at - seen_at)) from pigou.task_due") == GRACE_S
    policy(writer, **PRICES)
    writer.execute("update pigou.task_due set due_at = '-infinity'")
    assert settle(writer) == Settled(traces=1, changed=1)
    assert task(reader, "settled_by, task_class, class_source, cost_usd, latency_s, calls, revision") == (
        "ended", "code.fix", "explicit", Decimal("0.0003"), 10.0, 1, 0,
    )  # fmt: skip
    assert one(writer, "select count(*) from pigou.task_due") == 0


def test_when_nothing_more_is_on_its_way_quiet_is_counted_from_the_end_not_from_the_arrival(
    collector: Collector, writer: psycopg.Connection
) -> None:
    collector.book(fixed())  # recorded long ago, sent just now
    moment = datetime.now(UTC) - AT
    collector.book(export(agent(2, 1, at=moment.total_seconds() - 20, name="fixer", task="code.fix")))
    assert settle(writer).changed == 0
    assert settle(writer, is_all=True) == Settled(traces=2, changed=1)  # the other has ended for seconds only
    assert rows(writer, "select due_at > now() from pigou.task_due") == [(True,)]


def test_an_outcome_settles_at_once_and_late_spans_settle_again(
    collector: Collector, writer: psycopg.Connection, owner: psycopg.Connection
) -> None:
    collector.book(fixed(allocation__outcome=0.5))
    assert settle(writer).changed == 1
    assert task(owner, "settled_by, quality, outcome_source, cost_usd") == ("outcome", 0.5, "attribute", Decimal("0.0003"))
    settled_at = task(owner, "settled_at")
    assert settle(writer).changed == 0  # nothing came: nothing is written
    assert task(owner, "settled_at") == settled_at
    collector.book(export(chat(1, 4, 1, at=3)))
    assert settle(writer).changed == 0  # until it has been quiet again
    policy(writer, task_class="*", grace_s="0")
    assert settle(writer).changed == 1
    assert task(owner, "cost_usd, calls, revision") == (Decimal("0.0006"), 2, 1)
    collector.book(export(chat(1, 4, 1, at=3)))  # a repetition
    assert settle(writer).changed == 0


def test_a_trace_without_its_root_is_waited_for_longer(collector: Collector, writer: psycopg.Connection) -> None:
    policy(writer, **{**PRICES, "grace_s": "10"})
    collector.book(export(chat(1, 2, 9)), fixed(2))
    writer.execute("update pigou.setting set value = value")
    settle(writer)
    writer.execute("update pigou.task_due set due_at = now()")
    settle(writer)
    waits = "select round(extract(epoch from due_at - seen_at)) from pigou.task_due order by trace_id"
    assert rows(writer, waits) == [(10 * ROOTLESS_FACTOR,), (10,)]


def test_lines_of_a_log_are_no_task_unless_they_tell_a_call(
    collector: Collector, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    policy(writer, **PRICES)
    usage: dict[str, Any] = {"input_tokens": 100, "output_tokens": 10, "model": "m1", "request_id": "q1"}
    collector.book(export(log("claude_code.user_prompt", 5), log("claude_code.api_request", 6, duration_ms=2000, at=4, **usage)))
    collector.book(export(plain(7, 1, name="job")))
    settle(writer)
    assert rows(reader, "select trace_id, latency_s, settled_by, root_span_id from ledger.tasks order by 1") == [
        (f"{6:032x}", 2.0, "quiet", None), (f"{7:032x}", 1.0, "ended", f"{1:016x}"),
    ]  # fmt: skip


def test_the_echo_of_another_traces_call_is_no_task(
    collector: Collector, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    policy(writer, **PRICES)
    collector.book(export(chat(2, 1, id="r1", at=1), scope="litellm"))
    settle(writer)
    assert rows(reader, "select trace_id, calls from ledger.tasks") == [(f"{2:032x}", 1)]
    collector.book(export(agent(1, 1), chat(1, 2, 1, id="r1", at=1, cached=4)))  # the call itself: what came first was a copy
    settle(writer)
    assert rows(reader, "select trace_id, calls from ledger.tasks") == [(f"{1:032x}", 1)]


# ── what it comes to ─────────────────────────────────────────────────────────────────────────────────


def test_cost_is_unknown_while_a_call_has_no_price(
    collector: Collector, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    policy(writer, **PRICES, v_usd="5")
    collector.book(export(agent(1, 1, allocation__outcome=1), chat(1, 2, 1), chat(1, 3, 1, model="m2")))
    settle(writer)
    assert task(reader, "cost_usd, unpriced_calls, net_usd, unknown") == (None, 1, None, ["cost_usd"])
    price(writer, model="m2")
    assert run_round(writer).settled_tasks == 1
    assert task(reader, "cost_usd, unpriced_calls, unknown") == (Decimal("0.0006"), 0, [])


def test_the_extent_is_the_roots_whatever_clocks_and_events_say(
    collector: Collector, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    collector.book(fixed(allocation__task__deadline_s=4.0), export(chat(1, 5, 1, at=-500), plain(1, 6, 1, at=9_000)))
    collector.book(export(log("gen_ai.evaluation.result", 1, 1, at=3_000, gen_ai__evaluation__score__value=1)))
    settle(writer)
    assert task(reader, "started_at, latency_s, late_s, deadline_source") == (AT, 10.0, 6.0, "explicit")


def test_what_cannot_be_taken_is_said(collector: Collector, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    policy(writer, **PRICES, v_usd="3")
    risk: dict[str, Any] = {
        "allocation__action__class": "deploy",
        "allocation__risk__probability": 1.5,
        "allocation__risk__loss_usd": 10,
    }
    collector.book(
        export(agent(1, 1, allocation__task__value_usd="much", allocation__task__deadline_s=-1), plain(1, 2, 1, **risk)),
        export(log("gen_ai.evaluation.result", 1, 1, gen_ai__evaluation__name="stars", gen_ai__evaluation__score__value=4.0)),
    )
    done = settle(writer)
    assert (done.refused, settle(writer).refused) == (1, 0)
    assert task(reader, "value_usd, value_source, deadline_s, risk_usd, quality, unknown, problems") == (
        3, "policy", None, None, None, ["quality", "risk_usd"],
        ["allocation.task.value_usd 'much' is no amount of USD", "allocation.task.deadline_s '-1' is no number of seconds",
         "1 actions state a risk that is no probability in [0, 1] of a loss in USD"],
    )  # fmt: skip
    [(stage, code, detail)] = rows(reader, "select stage, code, detail from ledger.rejections")
    assert (stage, code) == ("settle", "outcome_out_of_range")
    assert "'stars' of trace 00000000000000000000000000000001" in detail
    assert detail.endswith("4 is not in [0, 1]; scale it before it is sent")


def test_a_consequential_action_without_a_stated_risk_leaves_it_unknown(
    collector: Collector, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    policy(writer, **PRICES)
    collector.book(
        export(agent(1, 1), plain(1, 2, 1, allocation__action__class="draft")),
        export(agent(2, 1), plain(2, 2, 1, allocation__action__class="transfer")),
        export(agent(3, 1), plain(3, 2, 1, allocation__action__class="draft", allocation__action__reversible=False)),
    )
    settle(writer)
    assert rows(reader, "select risk_usd from ledger.tasks order by trace_id") == [(0,), (None,), (None,)]


def test_classes_by_rule_and_by_cluster_follow_the_table(
    collector: Collector, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    policy(writer, **PRICES)
    for trace, name in enumerate(("fix issue 4711", "fix issue 4712", "Nightly 3f2b8c1d9e"), start=1):
        collector.book(export(agent(trace, 1, name="coder", input=None), chat(trace, 2, 1)))
        collector.book(export(plain(trace + 10, 1, name=name)))
    settle(writer)
    assert rows(reader, "select task_class, class_source, count(*) from ledger.tasks group by 1, 2 order by 1") == [
        ("agents/fix issue #", "clustered", 2), ("agents/nightly #", "clustered", 1), ("coder", "clustered", 3),
    ]  # fmt: skip
    place = add_rule(writer, None, NewRule("name", "nightly|issue", "batch.job"))
    assert settle(writer).changed == 3
    assert one(reader, "select count(*) from ledger.tasks where task_class = 'batch.job' and class_source = 'rule'") == 3
    remove_rule(writer, None, place)
    assert settle(writer).changed == 3
    assert settle(writer).changed == 0


# ── outcomes ─────────────────────────────────────────────────────────────────────────────────────────


def feedback(key: str, subject: Any, subject_id: str, quality: float | None, loss: str | None = None) -> Outcome:
    loss_usd = None if loss is None else Decimal(loss)
    return Outcome(
        "feedback",
        key,
        subject,
        subject_id,
        None,
        "thumbs",
        None if quality is None else share(quality),
        loss_usd,
        AT + timedelta(hours=1),
    )


def test_an_outcome_told_before_its_trace_is_used_once_it_comes(
    collector: Collector, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    told = [
        feedback("a", "trace", f"{1:032x}", 0.25),
        feedback("b", "response", "r2", 1.0),
        feedback("c", "conversation", "s3", 0.0),
    ]
    assert tell(writer, "default", told) == ["taken", "waiting", "waiting"]
    assert tell(writer, "default", told) == ["known", "known", "known"]
    assert tell(writer, "default", [feedback("a", "trace", f"{1:032x}", 0.5)]) == ["conflict"]
    settle(writer)
    assert rows(reader, "select status, count(*) from ledger.outcomes group by 1 order by 1") == [("early", 1), ("waiting", 2)]
    policy(writer, **PRICES)
    collector.book(fixed(1), export(agent(2, 1), chat(2, 2, 1, id="r2")), export(chat(3, 1, gen_ai__conversation__id="s3")))
    settle(writer)
    assert rows(reader, "select quality, outcome_source from ledger.tasks order by trace_id") == [
        (0.25, "feedback"), (1.0, "feedback"), (0.0, "feedback"),
    ]  # fmt: skip
    assert tell(writer, "default", told) == ["known", "known", "known"]
    assert one(reader, "select count(*) from ledger.outcomes where status = 'counts'") == 3


def test_policy_says_which_outcome_counts(collector: Collector, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    def told(name: str, score: float, at: float) -> Any:
        more: dict[str, Any] = {"gen_ai__evaluation__name": name, "gen_ai__evaluation__score__value": score}
        return log("gen_ai.evaluation.result", 1, 1, at=at, **more)

    collector.book(fixed(), export(told("grade", 0.75, 20), told("toxicity", 0.9, 40), told("style", 0.5, 30)))
    settle(writer)
    assert task(reader, "quality, outcome_source") == (0.5, "evaluation")  # the last that is not of something bad
    policy(writer, task_class="code.*", outcome_sources="feedback evaluation:grade root_status")
    settle(writer)
    assert task(reader, "quality") == 0.75
    policy(writer, task_class="code.fix", outcome_sources="root_status")
    settle(writer)
    assert task(reader, "quality, outcome_source, outcome_id, settled_by") == (1.0, "root_status", None, "ended")


def test_a_price_that_policy_leaves_to_its_dual_is_the_vectors(
    collector: Collector, writer: psycopg.Connection, owner: psycopg.Connection
) -> None:
    policy(writer, **{**PRICES, "lambda_usd_per_s": "dual"})
    collector.book(fixed())
    settle(writer)
    told = "lambda_usd_per_s, latency_usd, rho, price_source"
    assert task(owner, told) == (None, None, 2, "policy")  # nothing was solved yet
    solved(owner, "code.*", 1, AT - timedelta(days=1), Decimal("0.02"))
    solved(owner, "code.*", 2, AT + timedelta(hours=1), Decimal(0))
    tell(writer, "default", [feedback("a", "trace", f"{1:032x}", 0.5)])
    settle(writer)
    assert task(owner, told) == (Decimal("0.02"), Decimal("0.2"), 2, "dual")
    assert shadow(owner)["expenses:latency:code.fix"] == Decimal("0.2")
    assert one(owner, "select lambda_is_dual from ledger.price_policies")
    assert sound(owner)


def solved(owner: psycopg.Connection, task_class: str, revision: int, since: datetime, lam: Decimal) -> None:
    """A row of the price vector as a look leaves it, of a look at that time."""
    owner.execute(
        "insert into pigou.price_vector (tenant_id, task_class, revision, solution_id, valid_from, v_source, budget_worth,"
        "                                lambda_usd_per_s, lambda_source, rho_source, source, constraints, why)"
        " select tenant_id, %s, %s, 1, %s, 'none', 1, %s, 'dual', 'none', 'dual', '[]', '' from pigou.tenant"
        "  where tenant = 'default'",
        (task_class, revision, since, lam),
    )


# ── the shadow book ──────────────────────────────────────────────────────────────────────────────────


def test_value_latency_and_risk_are_booked_and_a_provision_is_released_or_realised(
    collector: Collector, writer: psycopg.Connection, owner: psycopg.Connection
) -> None:
    policy(writer, **PRICES)
    collector.book(fixed(), export(plain(1, 4, 1, **RISKY)))
    settle(writer)  # how it went is not known: the risk is provided for
    latency = {"expenses:latency:code.fix": Decimal("0.1"), "liabilities:latency:code.fix": Decimal("-0.1")}
    assert shadow(owner) == {**latency, "expenses:risk:code.fix": 10, "liabilities:risk_reserve:code.fix": -10}
    tell(writer, "default", [feedback("a", "trace", f"{1:032x}", 0.5)])
    settle(writer)  # it went well enough: released
    value = {"assets:value:code.fix": 10, "income:value:code.fix": -10}
    assert shadow(owner) == {**latency, **value}
    assert task(owner, "net_usd, earned_usd, latency_usd, provision_usd") == (
        10 - Decimal("0.0003") - Decimal("0.1") - 10, 10, Decimal("0.1"), 10,
    )  # fmt: skip
    collector.book(export(log("allocation.incident", 1, 4, at=900, allocation__risk__loss_usd=3)))
    settle(writer)  # a loss within the provision of 5: at ρ = 2
    assert shadow(owner) == {**latency, **value, "expenses:risk:code.fix": 6, "liabilities:losses:code.fix": -6}
    collector.book(export(log("allocation.incident", 1, 4, at=950, allocation__risk__loss_usd=40)))
    settle(writer)  # and beyond it
    assert shadow(owner) == {**latency, **value, "expenses:risk:code.fix": 86, "liabilities:losses:code.fix": -86}
    assert task(owner, "loss_usd, risk_usd, revision") == (43, 5, 3)
    kinds = rows(
        owner, "select kind, count(*) from ledger.entries where trace_id is not null and span_id is null group by 1 order by 1"
    )
    assert kinds == [("reversal", 3), ("settlement", 4)]
    assert sound(owner)


def test_an_incident_told_by_a_linked_span_of_another_trace(
    collector: Collector, writer: psycopg.Connection, owner: psycopg.Connection
) -> None:
    policy(writer, **PRICES)
    incident = plain(9, 1, name="allocation.incident", at=5_000, allocation__risk__loss_usd=7)
    link = incident.links.add()
    link.trace_id, link.span_id = (1).to_bytes(16, "big"), (4).to_bytes(8, "big")
    collector.book(export(incident))
    settle(writer)
    collector.book(fixed(), export(plain(1, 4, 1, **RISKY)))
    settle(writer)
    assert task(owner, "loss_usd, settled_by") == (7, "outcome")


def test_what_has_no_price_is_not_booked(collector: Collector, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    policy(writer, task_class="*", grace_s="0")
    collector.book(export(agent(1, 1, allocation__outcome=1), chat(1, 2, 1), plain(1, 4, 1, **RISKY)))
    settle(writer)
    assert shadow(owner) == {}
    assert task(owner, "entry_id, unknown") == (None, ["value_usd", "lambda_usd_per_s", "rho"])
    policy(writer, task_class="*", v_usd="4")  # given later, for the time before too
    assert settle(writer).changed == 1
    assert shadow(owner) == {"assets:value:clustered": 4, "income:value:clustered": -4}
    assert sound(owner)


def test_a_trace_that_turns_out_to_be_a_copy_is_taken_back(
    collector: Collector, writer: psycopg.Connection, owner: psycopg.Connection
) -> None:
    policy(writer, **PRICES)
    collector.book(export(chat(2, 1, id="r1", at=1), scope="litellm"))
    settle(writer)
    assert shadow(owner) != {}
    collector.book(export(chat(1, 2, id="r1", at=1, cached=4)))
    settle(writer)
    assert rows(owner, "select trace_id from ledger.tasks") == [(f"{1:032x}",)]
    collector.book(export(chat(2, 1, id="r1", at=2, cached=4, reasoning=1, written=5), scope="litellm"), export(plain(2, 3)))
    settle(writer)
    assert one(owner, "select count(*) from ledger.tasks") == 2
    assert sound(owner)


def test_what_belongs_to_a_closed_period_is_posted_to_the_first_open_day(
    collector: Collector, writer: psycopg.Connection, owner: psycopg.Connection
) -> None:
    policy(writer, **PRICES)
    collector.book(fixed(allocation__outcome=1))
    settle(writer)
    close(writer, "default", AT.date(), who="ann")
    tell(writer, "default", [feedback("a", "trace", f"{1:032x}", 0.5)])
    policy(writer, task_class="*", outcome_sources="feedback")
    settle(writer)
    days = "select distinct kind, posted_on from ledger.entries where span_id is null order by 1, 2"
    later = AT.date() + timedelta(days=1)
    assert rows(owner, days) == [("reversal", later), ("settlement", AT.date()), ("settlement", later)]
    assert sound(owner)
