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


_TESTS = Verification(
    model="claude-haiku-4-5", tool="run_tests", tool_s=25.0, input_tokens=6_000, output_tokens=300, repair=(0.0, 0.55, 0.60)
)
_REVIEW = Verification(
    model="claude-haiku-4-5", tool="lint", tool_s=6.0, input_tokens=4_000, output_tokens=200, repair=(0.0, 0.02, 0.03)
)
_POLICY = Verification(
    model="gpt-4.1-mini", tool=None, tool_s=0.0, input_tokens=2_500, output_tokens=120, repair=(0.0, 0.35, 0.38)
)
_ECHO = Verification(model="gpt-4.1-mini", tool=None, tool_s=0.0, input_tokens=2_500, output_tokens=120, repair=(0.0, 0.02, 0.03))
_CITATIONS = Verification(
    model="gpt-4.1-mini", tool="check_citations", tool_s=4.0, input_tokens=9_000, output_tokens=300, repair=(0.0, 0.30, 0.32)
)

CLASSES: dict[str, TaskClass] = {
    task_class.name: task_class
    for task_class in (
        TaskClass(
            name="code.fix_test",
            agent="coder",
            values=((3.0, 0.5), (8.0, 0.35), (30.0, 0.15)),
            lambda_usd_per_s=0.0005,
            deadline_s=1_800.0,
            menu=CODER,
            calls=3,
            prefix_tokens=14_000,
            fresh_tokens=5_000,
            output_tokens=1_200,
            quality=_quality("0.930 0.940 0.942", "0.740 0.860 0.875", "0.400 0.600 0.740"),
            verification=_TESTS,
            reads=("grep_repo", "read_file", "read_file"),
            drafts=("edit_file",),
            action=Action(
                tool="git_commit",
                action_class="commit",
                reversible=True,
                confirmation="self",
                incident_probability=0.40,
                loss_usd=5.0,
            ),
            delegation=Delegation(
                agent="explorer", model="gpt-4.1-mini", input_tokens=8_000, output_tokens=400, difficulties=("hard",)
            ),
        ),
        TaskClass(
            name="code.review",
            agent="coder",
            values=((1.0, 0.6), (2.5, 0.4)),
            lambda_usd_per_s=0.0,
            deadline_s=7_200.0,
            menu=CODER,
            calls=2,
            prefix_tokens=9_000,
            fresh_tokens=4_000,
            output_tokens=500,
            quality=_quality("0.950 0.955 0.957", "0.910 0.925 0.930", "0.820 0.880 0.890"),
            verification=_REVIEW,
            reads=("read_diff",),
            drafts=("draft_comment",),
        ),
        TaskClass(
            name="code.deploy",
            agent="coder",
            values=((12.0, 0.7), (40.0, 0.3)),
            lambda_usd_per_s=0.0005,
            deadline_s=3_600.0,
            menu=CODER,
            calls=2,
            prefix_tokens=8_000,
            fresh_tokens=4_000,
            output_tokens=600,
            quality=_quality("0.960 0.975 0.978", "0.900 0.945 0.955", "0.780 0.880 0.920"),
            verification=_TESTS,
            reads=("read_changelog",),
            drafts=(),
            action=Action(
                tool="deploy_service",
                action_class="deploy",
                reversible=False,
                confirmation="multi_party",
                incident_probability=0.40,
                loss_usd=150.0,
                catch=0.90,
                wait_s=240.0,
                abandoned=0.005,
            ),
        ),
        TaskClass(
            name="support.faq",
            agent="support",
            values=((0.4, 0.6), (0.8, 0.4)),
            lambda_usd_per_s=0.002,
            deadline_s=30.0,
            menu=SUPPORT,
            calls=2,
            prefix_tokens=16_000,
            fresh_tokens=2_500,
            output_tokens=220,
            quality=_quality("0.957 0.960 0.968", "0.912 0.915 0.935", "0.770 0.860 0.880"),
            verification=_ECHO,
            reads=("search_help_centre",),
        ),
        TaskClass(
            name="support.refund",
            agent="support",
            values=((4.0, 0.7), (10.0, 0.3)),
            lambda_usd_per_s=0.002,
            deadline_s=600.0,
            menu=SUPPORT,
            calls=2,
            prefix_tokens=6_000,
            fresh_tokens=2_000,
            output_tokens=300,
            quality=_quality("0.950 0.960 0.975", "0.880 0.910 0.945", "0.750 0.820 0.890"),
            verification=_POLICY,
            reads=("lookup_order",),
            drafts=(),
            action=Action(
                tool="transfer_refund",
                action_class="transfer",
                reversible=False,
                confirmation="human",
                incident_probability=0.90,
                loss_usd=45.0,
                catch=0.95,
                wait_s=120.0,
                abandoned=0.01,
            ),
            delegation=Delegation(
                agent="refund-runner",
                model="gpt-4.1-mini",
                input_tokens=1_800,
                output_tokens=90,
                difficulties=("easy", "medium", "hard"),
            ),
        ),
        TaskClass(
            name="support.incident",
            agent="support",
            values=((8.0, 0.7), (20.0, 0.3)),
            lambda_usd_per_s=0.002,
            deadline_s=300.0,
            menu=SUPPORT,
            calls=3,
            prefix_tokens=9_000,
            fresh_tokens=3_000,
            output_tokens=500,
            quality=_quality("0.850 0.880 0.940", "0.760 0.800 0.900", "0.580 0.650 0.800"),
            verification=_POLICY,
            reads=("search_runbook", "read_status"),
        ),
        TaskClass(
            name="research.brief",
            agent="research",
            values=((6.0, 0.7), (15.0, 0.3)),
            lambda_usd_per_s=0.0,
            deadline_s=14_400.0,
            menu=RESEARCH,
            calls=2,
            prefix_tokens=24_000,
            fresh_tokens=6_000,
            output_tokens=1_500,
            quality=_quality("0.900 0.910 0.945", "0.740 0.790 0.890", "0.560 0.640 0.790"),
            verification=_CITATIONS,
            reads=("search_library", "read_source"),
            embeds=True,
        ),
        TaskClass(
            name="research.report",
            agent="research",
            values=((5.0, 1.0),),
            lambda_usd_per_s=0.0,
            deadline_s=86_400.0,
            menu=REPORT,
            calls=4,
            prefix_tokens=70_000,
            fresh_tokens=6_000,
            output_tokens=2_200,
            quality=_quality("0.900 0.903 0.930", "0.860 0.864 0.905", "0.820 0.825 0.880"),
            verification=_CITATIONS,
            reads=("search_library",),
            embeds=True,
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
        "code.fix_test": 16, "code.review": 8, "code.deploy": 4, "support.faq": 42, "support.refund": 8,
        "support.incident": 3, "research.brief": 14,
    },
    "initech": {
        "code.fix_test": 14, "code.review": 8, "code.deploy": 3, "support.faq": 16, "support.refund": 16,
        "support.incident": 12, "research.brief": 5,
    },
}  # fmt: skip
REPORT_TENANT = "initech"
