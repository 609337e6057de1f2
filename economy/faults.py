"""The injected misallocations: which decision goes wrong, in which segment, from when, and by which inequality.

Everything outside these segments follows the best option of eq. 1 but for a stated share of exploration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from economy.parameters import DIFFICULTIES, REPORT_SLOTS_NIGHT_S, REPORT_SLOTS_OFFICE_S, TRAINING, Difficulty

DecisionKind: TypeAlias = Literal["route", "verify", "confirm", "cache", "reuse", "schedule", "staleness"]
Mode: TypeAlias = Literal[
    "over_routing",
    "under_routing",
    "over_delegation",
    "under_verification",
    "serving_congestion",
    "stale_rollouts",
    "cache_misuse",
]
MODES: tuple[Mode, ...] = (
    "over_routing",
    "under_routing",
    "over_delegation",
    "under_verification",
    "serving_congestion",
    "stale_rollouts",
    "cache_misuse",
)


@dataclass(frozen=True)
class Fault:
    """One misallocation: in its segment and from its onset the decision is `forced` instead of optimal.

    `onset` is a fraction of the played period. `task_class` is None for the training loop, which serves no task.
    """

    key: str
    mode: Mode
    decision: DecisionKind
    tenant: str
    agent: str
    task_class: str | None
    difficulties: tuple[Difficulty, ...]
    onset: float
    forced: str | int | bool
    inequality: str
    cause: str
    counterfactual: str

    def covers(self, tenant: str, task_class: str, difficulty: Difficulty) -> bool:
        """Whether a task belongs to the segment, whatever its time."""
        return tenant == self.tenant and task_class == self.task_class and difficulty in self.difficulties


FAULTS: tuple[Fault, ...] = (
    Fault(
        "over_routing", "over_routing", "route", "globex", "support", "support.faq", DIFFICULTIES, 0.35,
        "claude-sonnet-4-6",
        "V·ΔQ < ΔC for the chosen model against the next cheaper one (eq. 1, 4)",
        "The tenant's router was switched to its largest model by default.",
        "The best model of the menu for the same request.",
    ),
    Fault(
        "under_routing", "under_routing", "route", "acme", "coder", "code.fix_test", ("medium", "hard"), 0.30,
        "gpt-4.1-mini",
        "V·ΔQ − ρ·ΔR ≫ ΔC is left on the table by the cheapest model (eq. 1, 4)",
        "The tenant's router minimises cost for everything but easy tests.",
        "The best model of the menu for the same request.",
    ),
    Fault(
        "over_delegation", "over_delegation", "confirm", "initech", "support", "support.refund", DIFFICULTIES, 0.20,
        False,
        "∂R/∂a > V·∂p/∂a: acting without asking adds more expected loss than it saves (eq. 7)",
        "A sub-agent executes irreversible refunds without asking anybody.",
        "The same refund with a person's confirmation first.",
    ),
    Fault(
        "under_verification", "under_verification", "verify", "globex", "coder", "code.fix_test", DIFFICULTIES, 0.25,
        0,
        "V·ΔQ_v − ρ·ΔR_v − ΔC_v > 0 while verify tokens are 0 (eq. 1, 8)",
        "The pipeline commits without running the tests.",
        "The best number of verification passes for the same task.",
    ),
    Fault(
        "serving_congestion", "serving_congestion", "schedule", "initech", "research", "research.report", DIFFICULTIES,
        0.50, "office",
        "λ·ΔL imposed on other requests is not in the price paid, which is flat (eq. 2, 9)",
        "Long-context reports were moved from the night to office hours on the shared engine.",
        "The same reports in the night slots they had before; their deadline is a day.",
    ),
    Fault(
        "stale_rollouts", "stale_rollouts", "staleness", TRAINING.tenant, "trainer", None, (), 0.45,
        TRAINING.queue_stale,
        "δ·A > g(s) at the margin: updates consume rollouts of policies many versions old (eq. 11)",
        "The rollout queue was deepened, so that batches wait for many updates before they are consumed.",
        "The same updates on rollouts one version old.",
    ),
    Fault(
        "cache_never_repaid", "cache_misuse", "cache", "globex", "research", "research.brief", DIFFICULTIES, 0.15,
        "churn",
        "expected savings of a cache write (0 reads) < its cost (eq. 10)",
        "A time stamp at the head of the prompt makes every prefix new: it is written each time and never read.",
        "A stable prefix, written once and read by the task's later calls.",
    ),
    Fault(
        "cache_missed_hits", "cache_misuse", "cache", "initech", "coder", "code.fix_test", DIFFICULTIES, 0.40,
        "none",
        "the cost of writing a prefix < the saving by the reads that follow, yet it is not written (eq. 10)",
        "Caching was switched off: the same prefix is paid in full by every call of a task.",
        "The prefix is written once and read by the task's later calls.",
    ),
    Fault(
        "cache_reuse_across_values", "cache_misuse", "reuse", "initech", "support", "support.incident", DIFFICULTIES,
        0.55, True,
        "V·ΔQ lost by reuse > ΔC + λ·ΔL saved, since V differs from the task the answer was stored for (eq. 1, 10)",
        "Answers stored for frequent questions are reused for incidents.",
        "The incident is worked on instead of answered from the cache.",
    ),
)  # fmt: skip


def active_faults(tenant: str, task_class: str, difficulty: Difficulty, fraction: float) -> list[Fault]:
    """Faults that apply to a task at this fraction of the played period."""
    return [
        fault
        for fault in FAULTS
        if fault.onset <= fraction and fault.covers(tenant, task_class, difficulty)
    ]


def fault_by_key(key: str) -> Fault:
    """The fault of that key. Raises: KeyError when there is none."""
    return {fault.key: fault for fault in FAULTS}[key]


def night_slot_s(office_slot_s: int) -> int:
    """The night slot a report of this office slot had before, in seconds after midnight."""
    return REPORT_SLOTS_NIGHT_S[REPORT_SLOTS_OFFICE_S.index(office_slot_s)]
