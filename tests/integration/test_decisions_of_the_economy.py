"""Decisions derived from the telemetry of a small economy, against what the economy says it decided."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analyzers.decisions.derive import derive
from economy.play import EconomySettings, play
from ledger.database import connect
from tests.books import cloned, rows, serving
from tests.settled import settle_all

UNTIL = datetime(2026, 11, 20, 18, tzinfo=UTC)
Row = dict[str, Any]


@pytest.fixture(scope="module")
def played(server: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Row], list[Row]]]:
    """What the economy says of its decisions, and what was derived."""
    with cloned(server, template, "pigou_economy") as dsn:
        with serving(dsn) as served:
            truth = play(EconomySettings(f"http://{served.http}", seed=3, until=UNTIL, days=3.0, tasks_per_day=80))
        path = truth.write(Path(tmp_path_factory.mktemp("truth")) / "truth.json")
        told = [json.loads(line) for line in path.read_text().splitlines()]
        with connect(dsn, "writer") as writer, connect(dsn, "reader") as reader:
            settle_all(writer)
            derive(writer)
            names = (
                "tenant",
                "kind",
                "trace_id",
                "span_id",
                "task_class",
                "chosen",
                "options",
                "propensity",
                "assignment",
                "context",
            )
            query = f"select {', '.join(names)} from ledger.decisions"
            found: list[Row] = [dict[str, Any](zip(names, row, strict=True)) for row in rows(reader, query)]
        yield told, found


def of_kind(decisions: list[Row], name: str, kind: str) -> dict[str, Row]:
    """By trace."""
    return {row["trace_id"]: row for row in decisions if row[name] == kind}


def test_routes_are_the_ones_that_were_taken(played: tuple[list[Row], list[Row]]) -> None:
    told, found = of_kind(played[0], "decision", "route"), of_kind(played[1], "kind", "route")
    assert len(told) > 100
    assert found.keys() == told.keys()
    for trace, truth in told.items():
        route = found[trace]
        assert (route["tenant"], route["task_class"], route["chosen"]) == (truth["tenant"], truth["task_class"], truth["chosen"])
        assert (route["span_id"], sorted(route["options"])) == (truth["span_id"], sorted(truth["options"]))
        assert (route["propensity"], route["assignment"]) == (pytest.approx(truth["propensity"]), "logged")


def test_a_harder_task_shows_in_what_was_known_before(played: tuple[list[Row], list[Row]]) -> None:
    told, found = of_kind(played[0], "decision", "route"), of_kind(played[1], "kind", "route")
    for task_class in ("code.fix_test", "support.faq"):
        prompts: dict[str, list[float]] = {}
        for trace, truth in told.items():
            if truth["task_class"] == task_class:
                prompts.setdefault(truth["difficulty"], []).append(found[trace]["context"]["log_prompt_tokens"])
        means = [sum(prompts[level]) / len(prompts[level]) for level in ("easy", "medium", "hard")]
        assert means == sorted(means)
        assert min(prompts["hard"]) > max(prompts["easy"])


def test_verification_is_counted_right_in_every_task(played: tuple[list[Row], list[Row]]) -> None:
    told, found = of_kind(played[0], "decision", "verify"), of_kind(played[1], "kind", "verify")
    assert found.keys() == told.keys()
    assert {trace: row["chosen"] for trace, row in found.items()} == {trace: row["chosen"] for trace, row in told.items()}
    assert set(Counter(row["chosen"] for row in told.values())) == {"0", "1", "2"}


def test_confirmations_are_the_ones_that_were_given(played: tuple[list[Row], list[Row]]) -> None:
    told, found = of_kind(played[0], "decision", "confirm"), of_kind(played[1], "kind", "confirm")
    both = found.keys() & told.keys()
    assert {trace: found[trace]["chosen"] for trace in both} == {trace: told[trace]["chosen"] for trace in both}
    assert len(both) > 10
    # A tenant that never chose otherwise has shown no alternative.
    seen = {(row["tenant"], row["task_class"]) for row in found.values()}
    assert found.keys() == {trace for trace, row in told.items() if (row["tenant"], row["task_class"]) in seen}


def test_reuse_is_found_where_it_was_done(played: tuple[list[Row], list[Row]]) -> None:
    told, found = of_kind(played[0], "decision", "reuse"), of_kind(played[1], "kind", "reuse")
    reused = {trace for trace, row in told.items() if row["chosen"] == "reuse"}
    assert len(reused) > 5
    assert {trace for trace, row in found.items() if row["chosen"] == "reuse"} == reused


def test_caching_is_told_by_its_tokens_where_a_fault_forced_it(played: tuple[list[Row], list[Row]]) -> None:
    told, found = of_kind(played[0], "decision", "cache"), of_kind(played[1], "kind", "cache")
    faulty = {trace: row for trace, row in told.items() if row["fault"]}
    assert len(faulty) > 2
    for trace, truth in faulty.items():
        if trace in found:  # a model whose provider does not bill writes shows no churn
            churns = truth["chosen"] == "churn" and found[trace]["chosen"] == "churn"
            assert churns or found[trace]["chosen"] == "none"


def test_updates_have_their_staleness(played: tuple[list[Row], list[Row]]) -> None:
    chosen = Counter(row["chosen"] for row in played[1] if row["kind"] == "update")
    assert chosen["1"] > 5
    assert chosen["8+"] > 1
