"""The kinds of task the fleet works on: value, tokens, quality of each model, what checking and asking achieve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from economy.parameters import Difficulty

CODER = ("gpt-4.1-mini", "claude-sonnet-4-6", "claude-opus-4-6")
SUPPORT = ("fleet-32b", "gpt-4.1-mini", "claude-sonnet-4-6")
RESEARCH = ("gemini-2.5-flash", "claude-haiku-4-5", "claude-sonnet-4-6")
REPORT = ("fleet-32b", "gemini-2.5-flash", "claude-sonnet-4-6")


@dataclass(frozen=True)
class Action:
    """What a task does to the world when its work is done.

    A wrong result that is acted on causes an incident with `incident_probability` and a mean loss of `loss_usd`. Asking a
    person first (`asks`) catches the share `catch` of wrong results, waits `wait_s`, and loses the share `abandoned` of
    good ones because nobody answers in time. `confirmation` is what a careful agent uses.
    """

    tool: str
    action_class: str
    reversible: bool
    confirmation: Literal["self", "human", "multi_party"]
    incident_probability: float
    loss_usd: float
    catch: float = 0.0
    wait_s: float = 0.0
    abandoned: float = 0.0

    @property
    def asks(self) -> bool:
        """Whether asking a person is one of the options."""
        return self.confirmation != "self"


@dataclass(frozen=True)
class Verification:
    """A check that can be run 0, 1 or 2 times. `repair[n]` is the share of failures that n passes turn into successes."""

    model: str
    tool: str | None
    tool_s: float
    input_tokens: int
    output_tokens: int
    repair: tuple[float, float, float]


@dataclass(frozen=True)
class Delegation:
    """A sub-agent that is called for the given difficulties: one model call and some reading tools."""

    agent: str
    model: str
    input_tokens: int
    output_tokens: int
    difficulties: tuple[Difficulty, ...]


@dataclass(frozen=True)
class TaskClass:
    """One kind of task.

    `values` are (V in USD for quality 1 against 0, share); `lambda_usd_per_s` is the price of a second of waiting, 0 where
    the deadline does not bind. Each of the `calls` model calls sees the shared prefix, fresh tokens, and answers.
    `quality[difficulty]` is the probability of success before any check, by position in `menu`.
    """

    name: str
    agent: str
    values: tuple[tuple[float, float], ...]
    lambda_usd_per_s: float
    deadline_s: float
    menu: tuple[str, ...]
    calls: int
    prefix_tokens: int
    fresh_tokens: int
    output_tokens: int
    quality: dict[Difficulty, tuple[float, ...]]
    verification: Verification
    reads: tuple[str, ...]
    drafts: tuple[str, ...] = ()
    action: Action | None = None
    delegation: Delegation | None = None
    embeds: bool = False


def _quality(easy: str, medium: str, hard: str) -> dict[Difficulty, tuple[float, ...]]:
    rows = (tuple(float(q) for q in row.split()) for row in (easy, medium, hard))
    return dict(zip(("easy", "medium", "hard"), rows, strict=True))


_TESTS = Verification("claude-haiku-4-5", "run_tests", 25.0, 6_000, 300, (0.0, 0.55, 0.60))
_REVIEW = Verification("claude-haiku-4-5", "lint", 6.0, 4_000, 200, (0.0, 0.02, 0.03))
_POLICY = Verification("gpt-4.1-mini", None, 0.0, 2_500, 120, (0.0, 0.35, 0.38))
_ECHO = Verification("gpt-4.1-mini", None, 0.0, 2_500, 120, (0.0, 0.02, 0.03))
_CITATIONS = Verification("gpt-4.1-mini", "check_citations", 4.0, 9_000, 300, (0.0, 0.30, 0.32))

CLASSES: dict[str, TaskClass] = {
    task_class.name: task_class
    for task_class in (
        TaskClass(
            "code.fix_test", "coder", ((3.0, 0.5), (8.0, 0.35), (30.0, 0.15)), 0.0005, 1_800.0, CODER,
            3, 14_000, 5_000, 1_200,
            _quality("0.930 0.940 0.942", "0.740 0.860 0.875", "0.400 0.600 0.740"),
            _TESTS, ("grep_repo", "read_file", "read_file"), ("edit_file",),
            Action("git_commit", "commit", True, "self", 0.40, 5.0),
            Delegation("explorer", "gpt-4.1-mini", 8_000, 400, ("hard",)),
        ),
        TaskClass(
            "code.review", "coder", ((1.0, 0.6), (2.5, 0.4)), 0.0, 7_200.0, CODER,
            2, 9_000, 4_000, 500,
            _quality("0.950 0.955 0.957", "0.910 0.925 0.930", "0.820 0.880 0.890"),
            _REVIEW, ("read_diff",), ("draft_comment",),
        ),
        TaskClass(
            "code.deploy", "coder", ((12.0, 0.7), (40.0, 0.3)), 0.0005, 3_600.0, CODER,
            2, 8_000, 4_000, 600,
            _quality("0.960 0.975 0.978", "0.900 0.945 0.955", "0.780 0.880 0.920"),
            _TESTS, ("read_changelog",), (),
            Action("deploy_service", "deploy", False, "multi_party", 0.40, 150.0, 0.90, 240.0, 0.005),
        ),
        TaskClass(
            "support.faq", "support", ((0.4, 0.6), (0.8, 0.4)), 0.002, 30.0, SUPPORT,
            2, 10_000, 1_500, 220,
            _quality("0.957 0.960 0.968", "0.912 0.915 0.935", "0.770 0.860 0.880"),
            _ECHO, ("search_help_centre",),
        ),
        TaskClass(
            "support.refund", "support", ((4.0, 0.7), (10.0, 0.3)), 0.002, 600.0, SUPPORT,
            2, 6_000, 2_000, 300,
            _quality("0.950 0.960 0.975", "0.880 0.910 0.945", "0.750 0.820 0.890"),
            _POLICY, ("lookup_order",), (),
            Action("transfer_refund", "transfer", False, "human", 0.90, 45.0, 0.95, 120.0, 0.01),
            Delegation("refund-runner", "gpt-4.1-mini", 1_800, 90, ("easy", "medium", "hard")),
        ),
        TaskClass(
            "support.incident", "support", ((8.0, 0.7), (20.0, 0.3)), 0.002, 300.0, SUPPORT,
            3, 9_000, 3_000, 500,
            _quality("0.850 0.880 0.940", "0.760 0.800 0.900", "0.580 0.650 0.800"),
            _POLICY, ("search_runbook", "read_status"),
        ),
        TaskClass(
            "research.brief", "research", ((6.0, 0.7), (15.0, 0.3)), 0.0, 14_400.0, RESEARCH,
            2, 24_000, 6_000, 1_500,
            _quality("0.900 0.910 0.945", "0.740 0.790 0.890", "0.560 0.640 0.790"),
            _CITATIONS, ("search_library", "read_source"), embeds=True,
        ),
        TaskClass(
            "research.report", "research", ((5.0, 1.0),), 0.0, 86_400.0, REPORT,
            4, 70_000, 6_000, 2_200,
            _quality("0.900 0.903 0.930", "0.860 0.864 0.905", "0.820 0.825 0.880"),
            _CITATIONS, ("search_library",), embeds=True,
        ),
    )
}

# Relative arrivals by tenant and class. Reports come in bursts of their own (parameters.REPORT_*), from one tenant.
MIX: dict[str, dict[str, float]] = {
    "acme": {
        "code.fix_test": 22, "code.review": 10, "code.deploy": 5, "support.faq": 30, "support.refund": 9,
        "support.incident": 4, "research.brief": 8,
    },
    "globex": {
        "code.fix_test": 16, "code.review": 8, "code.deploy": 4, "support.faq": 30, "support.refund": 8,
        "support.incident": 3, "research.brief": 14,
    },
    "initech": {
        "code.fix_test": 14, "code.review": 8, "code.deploy": 3, "support.faq": 16, "support.refund": 16,
        "support.incident": 12, "research.brief": 5,
    },
}  # fmt: skip
REPORT_TENANT = "initech"
