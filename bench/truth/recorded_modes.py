"""What recorded attempts and runs of others honestly say of verifying and of acting unasked: within tasks, or not at all.

There is no truth here to compare with. Beside what a plain comparison would conclude stands what the estimators say: a contrast
within tasks, so that what makes a task hard cancels, or that it is not known.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analyzers.effects import observational
from analyzers.effects.estimate import Estimate, Floats, Ints
from analyzers.effects.scores import contrast

HEADER = ("| question | runs | tasks | plain comparison | within tasks | what can be said |", "|---|---|---|---|---|---|")
_WRITES = frozenset(
    {"book_reservation", "cancel_reservation", "send_certificate", "update_reservation_baggages", "update_reservation_flights",
     "update_reservation_passengers"}
)  # fmt: skip
_YES = re.compile(r"\b(yes|yeah|yep|confirm\w*|proceed|go ahead|sounds good|that works|agree)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Question:
    """Whether having done something goes with a better outcome: shapes (n,) each, one run or attempt a row."""

    asked: str
    done: Ints
    outcome: Floats
    tasks: Ints


def rows(folder: Path) -> list[str]:
    """The table's rows; a file that is absent is left out, and said to be."""
    questions = [*_attempts(folder / "verification" / "aider_swe_bench_attempts.csv"),
                 *_airline(folder / "delegation" / "tau_bench_gpt4o_airline.jsonl.gz"),
                 *_chains(folder / "delegation" / "mas_sim_otel")]  # fmt: skip
    return [row(question) for question in questions]


def row(question: Question) -> str:
    """One question, answered both ways."""
    within = compared(question)
    cells = [question.asked, f"{len(question.done)}", f"{len(np.unique(question.tasks))}", _told(plain(question)), _told(within)]
    return "| " + " | ".join([*cells, verdict(plain(question), within)]) + " |"


def plain(question: Question) -> Estimate:
    """Difference of means between all that did and all that did not, as if they were alike: the naive conclusion."""
    n = len(question.done)
    if len(np.unique(question.done)) < 2:
        return compared(question)
    alike = observational.doubly_robust(
        question.done, question.outcome, None, options=2, assignment="recorded", clusters=np.arange(n)
    )
    return contrast(alike.scores, 1, 0)


def compared(question: Question) -> Estimate:
    """The same difference inside tasks that were run both ways."""
    return contrast(observational.within_tasks(question.done, question.outcome, question.tasks, options=2), 1, 0)


def verdict(naive: Estimate, within: Estimate) -> str:
    """What is left of the naive conclusion."""
    if within.value is None:
        return f"nothing: {within.why}"
    if within.excludes(0.0):
        alike = naive.value is not None and naive.value * within.value > 0
        return "it holds within tasks too" if alike else "the opposite holds within tasks"
    if naive.excludes(0.0):
        return "not shown: tasks differ, and within them the interval holds no difference"
    return "not enough to say"


def _told(of: Estimate) -> str:
    return "–" if of.value is None else f"{of.value:+.2f} ({of.low:+.2f} … {of.high:+.2f})"


def _attempts(path: Path) -> Iterator[Question]:
    """Attempts at issues: whether the tests at hand passed, and what hidden tests said in the end, once for an issue."""
    if not path.is_file():
        _absent(path)
        return
    with path.open(newline="", encoding="utf-8") as file:
        attempts = list(csv.DictReader(file))
    last = list({one["instance_id"]: one for one in attempts if one["chosen"] == "1"}.values())
    final = [one for one in last if one["test_outcome"]]
    yield _asked("a passing check: is the issue resolved more often?", final, "test_outcome", "resolved_final")
    tested = [one for one in attempts if one["test_outcome"] and one["edited_a_gold"]]
    yield _asked("a passing check: was the right file edited?", tested, "test_outcome", "edited_a_gold")
    several = [{**one, "several": str(int(one["n_attempts"]) > 1)} for one in last]
    yield _asked("several attempts with checks between: is the issue resolved more often?", several, "several", "resolved_final")


def _asked(asked: str, attempts: Sequence[dict[str, str]], done: str, outcome: str) -> Question:
    return Question(
        asked,
        np.array([one[done] == "True" for one in attempts], dtype=np.int64),
        np.array([one[outcome] in ("True", "1") for one in attempts], dtype=np.float64),
        np.unique([one["instance_id"] for one in attempts], return_inverse=True)[1].astype(np.int64),
    )


def _airline(path: Path) -> Iterator[Question]:
    """Runs of an airline's agent, each task four times: whether every write followed a yes of the user's."""
    if not path.is_file():
        _absent(path)
        return
    with gzip.open(path, "rt", encoding="utf-8") as file:
        runs = [json.loads(line) for line in file]
    wrote = [(asked, run) for run in runs if (asked := _confirmed(run["traj"])) is not None]
    yield Question(
        "every write after the user's yes: does the run succeed more often?",
        np.array([asked for asked, _ in wrote], dtype=np.int64),
        np.array([run["reward"] for _, run in wrote], dtype=np.float64),
        np.array([run["task_id"] for _, run in wrote], dtype=np.int64),
    )
    yield Question(
        "acting at all: does the run succeed more often?",
        np.array([_confirmed(run["traj"]) is not None for run in runs], dtype=np.int64),
        np.array([run["reward"] for run in runs], dtype=np.float64),
        np.array([run["task_id"] for run in runs], dtype=np.int64),
    )


def _confirmed(messages: Sequence[dict[str, Any]]) -> bool | None:
    """Whether the user's last word before each write was a yes; None without a write."""
    said, found = "", list[bool]()
    for message in messages:
        if message["role"] == "user":
            said = str(message["content"])
        for call in message.get("tool_calls") or ():
            if call["function"]["name"] in _WRITES:
                found.append(_YES.search(said) is not None)
    return all(found) if found else None


def _chains(folder: Path) -> Iterator[Question]:
    """Runs of several agents: whether work was handed on more than once."""
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files:
        _absent(folder)
        return
    runs = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    hands = [sum(event["name"] == "task_delegated" for span in run["spans"] for event in span.get("events", ())) for run in runs]
    most = float(np.median(hands))
    yield Question(
        "more hand-offs than usual: does the run succeed more often?",
        np.array([count > most for count in hands], dtype=np.int64),
        np.array([run["status"] == "SUCCESS" for run in runs], dtype=np.float64),
        np.unique([run["task_id"] for run in runs], return_inverse=True)[1].astype(np.int64),
    )


def _absent(path: Path) -> None:
    print(f"{path}: absent, left out", file=sys.stderr)
