"""The schedule of autonomy that is adopted: its revisions, and the alert of what is done with less confirmation from then on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analyzers.alerts import evaluate
from analyzers.modes.autonomy_adopted import Adopted, adopt, adopted
from analyzers.modes.autonomy_policy import AutonomyError, Required
from analyzers.tasks import settle
from cli.main import main
from dashboard.books import Books
from dashboard.components.panel import View
from dashboard.filters import parse
from dashboard.pages import layer_autonomy
from ledger.price_policies import add_policies, stated_policy
from ledger.task_class_rules import NewRule, add_rule, remove_rule
from tests.books import AT, agent, export, price, rows, tool
from tests.desk import Collector, collecting
from tests.typed import Typed

BREACHES = "select action_class, task_class, confirmation, required from ledger.autonomy_breaches order by done_at, span_id"
ALERTS = "select subject, state, value from ledger.alerts where rule = 'autonomy_breach' order by alert_id"


@pytest.fixture
def collector(dsn: str, writer: psycopg.Connection) -> Iterator[Collector]:
    price(writer)
    add_policies(writer, None, [stated_policy({"task_class": "*", "grace_s": "0"})], "test")
    with collecting(dsn) as running:
        yield running


def soon() -> float:
    """Seconds from `AT` to a minute from now: after what is adopted meanwhile."""
    return (datetime.now(UTC) - AT).total_seconds() + 60


def acted(
    trace: int, *stated: str | None, action_class: str = "transfer", task: str = "refund", at: float | None = None
) -> list[Span]:
    """A task with an action for each confirmation; None states none."""
    begins = soon() if at is None else at
    actions: list[Span] = []
    for n, confirmation in enumerate(stated):
        one = tool(trace, n + 2, 1, name="pay", at=begins + n)
        named: dict[str, Any] = {"action.class": action_class} | ({"action.confirmation": confirmation} if confirmation else {})
        for name, value in named.items():
            one.attributes.add(key=f"allocation.{name}").value.string_value = value
        actions.append(one)
    return [agent(trace, 1, task=task, at=begins), *actions]


def look(writer: psycopg.Connection, minutes: float = 1) -> None:
    """Settle, and let the alerts be looked at so long from now."""
    settle(writer)
    evaluate(writer, datetime.now(UTC) + timedelta(minutes=minutes))


def requires(confirmation: Any, action_class: str = "transfer", task_class: str = "*", tenant: str | None = None) -> Required:
    return Required(tenant, action_class, task_class, confirmation, "file.yaml, line 1")


def test_what_is_done_with_less_confirmation_is_an_alert(collector: Collector, writer: psycopg.Connection) -> None:
    collector.book(export(*acted(1, "none", at=soon() - 3600)))  # before it was adopted
    assert adopt(writer, None, [requires("human")], "test") == Adopted(1, 0)
    collector.book(
        export(*acted(2, "none", "human", "multi_party", None, "aloud")), export(*acted(3, "none", action_class="draft"))
    )
    look(writer)
    assert rows(writer, BREACHES) == [("transfer", "refund", said, "human") for said in ("none", None, None)]
    assert rows(writer, ALERTS) == [("transfer in refund", "open", 3)]
    message, mend = rows(writer, "select message, mend from ledger.alerts where rule = 'autonomy_breach'")[0]
    assert message.startswith(
        "default did transfer in refund 3 times in the past day with less confirmation than the adopted schedule requires "
        "(human), of which 2 without stating any; the last at "
    )
    assert message.endswith(f" in trace {2:032x}")
    assert mend == "pigou autonomy breaches --tenant 'default'"
    look(writer, minutes=10)  # nothing new: nothing twice
    assert rows(writer, ALERTS) == [("transfer in refund", "open", 3)]
    for hours in (25, 26, 27):
        look(writer, minutes=60 * hours)
    assert rows(writer, ALERTS) == [("transfer in refund", "resolved", 3)]


def test_nobody_is_alerted_where_nothing_is_adopted(collector: Collector, writer: psycopg.Connection) -> None:
    collector.book(export(*acted(1, "none")))
    look(writer)
    assert (rows(writer, BREACHES), rows(writer, ALERTS)) == ([], [])


def test_the_narrowest_statement_holds(collector: Collector, writer: psycopg.Connection) -> None:
    stated = [
        requires("human"), requires("none", task_class="refund"), requires("self", tenant="default", task_class="gift"),
        requires("multi_party", task_class="gift"),
    ]  # fmt: skip
    adopt(writer, None, stated, "test")
    tasks = (("refund", 1), ("gift", 2), ("other", 3))
    collector.book(*(export(*acted(n, "none", "self", task=task)) for task, n in tasks))
    look(writer)
    assert rows(writer, BREACHES) == [
        ("transfer", "gift", "none", "self"), ("transfer", "other", "none", "human"), ("transfer", "other", "self", "human"),
    ]  # fmt: skip


def test_a_task_that_turns_out_to_be_another_is_looked_at_again(collector: Collector, writer: psycopg.Connection) -> None:
    adopt(writer, None, [requires("human", task_class="gift")], "test")
    spans = acted(1, "none")
    del spans[0].attributes[:]  # its class is told by a rule
    collector.book(export(*spans))
    place = add_rule(writer, None, NewRule("name", ".", "gift"))
    look(writer)
    assert rows(writer, BREACHES) == [("transfer", "gift", "none", "human")]
    remove_rule(writer, None, place)
    look(writer, minutes=2)
    assert rows(writer, BREACHES) == []


def test_the_class_of_an_action_may_be_told_by_its_name(collector: Collector, writer: psycopg.Connection) -> None:
    adopt(writer, None, [requires("human", "deploy"), requires("human", "transfer")], "test")
    begins = soon()
    collector.book(export(agent(1, 1, task="release", at=begins), tool(1, 2, 1, name="deployService", at=begins)))
    look(writer)
    assert rows(writer, BREACHES) == [("deploy", "release", None, "human")]


def test_a_schedule_takes_the_place_of_the_one_before(writer: psycopg.Connection) -> None:
    first = [requires("human"), requires("multi_party", "deploy", tenant="acme"), requires("self", "commit", tenant="beta")]
    assert adopt(writer, None, first, "one") == Adopted(3, 0)
    assert adopt(writer, None, first, "again") == Adopted(0, 0)
    assert adopt(writer, "acme", [requires("human", "deploy"), requires("self", "send", "mail")], "two") == Adopted(2, 0)
    held = {(one.tenant, one.action_class, one.task_class): one.confirmation for one in adopted(writer)}
    assert held == {
        (None, "transfer", "*"): "human", ("acme", "deploy", "*"): "human", ("acme", "send", "mail"): "self",
        ("beta", "commit", "*"): "self",
    }  # fmt: skip
    assert adopt(writer, None, [requires("human")], "three") == Adopted(0, 3)
    assert [(one.tenant, one.action_class) for one in adopted(writer)] == [(None, "transfer")]
    revisions = (
        "select revision, confirmation, is_in_force from ledger.autonomy_requirements where action_class = 'deploy' order by 1"
    )
    assert rows(writer, revisions) == [(1, "multi_party", False), (2, "human", False), (3, None, False)]
    with pytest.raises(AutonomyError, match="is acme, not beta"):
        adopt(writer, "beta", [requires("human", tenant="acme")], "four")


def test_the_commands(
    dsn: str, collector: Collector, writer: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("PIGOU_DATABASE_URL", dsn)

    def pigou(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["autonomy", *arguments])
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    assert pigou("check")[::2] == (2, "pigou: no schedule is adopted; name a file, or `pigou autonomy export` one and adopt it\n")
    file = tmp_path / "autonomy.yaml"
    file.write_text("- {action_class: transfer, confirmation: human, why: money}\n- {action_class: draft, confirmation: none}\n")
    assert pigou("adopt", str(file)) == (0, "adopted: 2 statements say something new, 0 as before, 0 taken off\n", "")
    assert pigou("adopt", str(file)) == (0, "adopted: 0 statements say something new, 2 as before, 0 taken off\n", "")
    code, out, _ = pigou("list", "--format", "csv")
    assert (code, [line.split(",")[:5] for line in out.splitlines()[1:]]) == (
        0, [["", "draft", "*", "none", "1"], ["", "transfer", "*", "human", "1"]],
    )  # fmt: skip
    collector.book(export(*acted(1, "none", "human")))
    look(writer)
    code, out, _ = pigou("breaches", "--tenant", "default", "--format", "csv")
    assert (code, [line.split(",")[2:7] for line in out.splitlines()[1:]]) == (
        0, [["transfer", "refund", "none", "human", f"{1:032x}"]],
    )  # fmt: skip
    code, _, err = pigou("check", "--until", f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}")
    assert (code, err.startswith("pigou: 1 actions were done with less confirmation than the adopted schedule requires")) == (
        1,
        True,
    )
    file.write_text("- {action_class: transfer, confirmation: never}\n")
    assert pigou("adopt", str(file))[0] == 2


def test_the_page_shows_what_is_required_and_what_was_done_against_it(
    dsn: str, collector: Collector, writer: psycopg.Connection
) -> None:
    """Each action counts once, at the narrowest statement that covers it, and only from when that was adopted."""
    books = Books(dsn)
    view = View(books, parse("?range=7d"), datetime.now(UTC) + timedelta(hours=1), "/layers", "")
    try:
        assert "No schedule is adopted" in str(layer_autonomy.adopted(view))
        adopt(writer, None, [requires("human"), requires("multi_party", task_class="refund")], "ann, by hand")
        collector.book(export(*acted(1, "none", "human")))
        collector.book(export(*acted(2, None)))
        look(writer)
        told = [(row["task_class"], row["breaches"], row["unstated"], row["source"]) for row in view.ask("autonomy_adopted")]
        assert told == [("refund", 3, 1, "ann, by hand"), ("*", 0, 0, "ann, by hand")]
        assert "3 actions in the time shown were done with less confirmation" in str(layer_autonomy.adopted(view))
        assert {str(row["trace_id"]) for row in view.ask("autonomy_breaches")} == {f"{1:032x}", f"{2:032x}"}
        assert "not stated" in str(layer_autonomy.breaches(view))
    finally:
        books.close()


def test_names_that_nobody_has_met_are_said(pigou: Typed, writer: psycopg.Connection, tmp_path: Path) -> None:
    """A slip in a tenant or a class is a rule that never holds of anything: the one is refused, the other taken and said."""
    price(writer, {}, tenant="acme")
    file = tmp_path / "autonomy.yaml"
    file.write_text(
        "- {action_class: transfre, confirmation: human}\n- {action_class: transfer, confirmation: human, tenant: acmee}\n"
        "- {action_class: deploy, confirmation: human, tenant: acme}\n"
    )
    said = "pigou: there is no tenant 'acmee'; did you mean acme? --new-tenant opens it, if it is meant\n"
    assert pigou("autonomy", "adopt", str(file)) == (2, "", said)
    code, out, err = pigou("autonomy", "adopt", str(file), "--new-tenant")
    assert (code, out) == (0, "adopted: 3 statements say something new, 0 as before, 0 taken off\n")
    assert [line.partition(" yet")[0] for line in err.splitlines()] == ["pigou: nothing is known of action class transfre"]
