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
        key="over_routing",
        mode="over_routing",
        decision="route",
        tenant="globex",
        agent="support",
        task_class="support.faq",
        difficulties=DIFFICULTIES,
        onset=0.35,
        forced="claude-sonnet-4-6",
        inequality="V·ΔQ < ΔC for the chosen model against the next cheaper one (eq. 1, 4)",
        cause="The tenant's router was switched to its largest model by default.",
        counterfactual="The best model of the menu for the same request.",
    ),
    Fault(
        key="under_routing",
        mode="under_routing",
        decision="route",
        tenant="acme",
        agent="coder",
        task_class="code.fix_test",
        difficulties=("medium", "hard"),
        onset=0.30,
        forced="gpt-4.1-mini",
        inequality="V·ΔQ − ρ·ΔR ≫ ΔC is left on the table by the cheapest model (eq. 1, 4)",
        cause="The tenant's router minimises cost for everything but easy tests.",
        counterfactual="The best model of the menu for the same request.",
    ),
    Fault(
        key="over_delegation",
        mode="over_delegation",
        decision="confirm",
        tenant="initech",
        agent="support",
        task_class="support.refund",
        difficulties=DIFFICULTIES,
        onset=0.20,
        forced=False,
        inequality="∂R/∂a > V·∂p/∂a: acting without asking adds more expected loss than it saves (eq. 7)",
        cause="A sub-agent executes irreversible refunds without asking anybody.",
        counterfactual="The same refund with a person's confirmation first.",
    ),
    Fault(
        key="under_verification",
        mode="under_verification",
        decision="verify",
        tenant="globex",
        agent="coder",
        task_class="code.fix_test",
        difficulties=DIFFICULTIES,
        onset=0.25,
        forced=0,
        inequality="V·ΔQ_v − ρ·ΔR_v − ΔC_v > 0 while verify tokens are 0 (eq. 1, 8)",
        cause="The pipeline commits without running the tests.",
        counterfactual="The best number of verification passes for the same task.",
    ),
    Fault(
        key="serving_congestion",
        mode="serving_congestion",
        decision="schedule",
        tenant="initech",
        agent="research",
        task_class="research.report",
        difficulties=DIFFICULTIES,
        onset=0.50,
        forced="office",
        inequality="λ·ΔL imposed on other requests is not in the price paid, which is flat (eq. 2, 9)",
        cause="Long-context reports were moved from the night to office hours on the shared engine.",
        counterfactual="The same reports in the night slots they had before; their deadline is a day.",
    ),
    Fault(
        key="stale_rollouts",
        mode="stale_rollouts",
        decision="staleness",
        tenant=TRAINING.tenant,
        agent="trainer",
        task_class=None,
        difficulties=(),
        onset=0.45,
        forced=TRAINING.queue_stale,
        inequality="δ·A > g(s) at the margin: updates consume rollouts of policies many versions old (eq. 11)",
        cause="The rollout queue was deepened, so that batches wait for many updates before they are consumed.",
        counterfactual="The same updates on rollouts one version old.",
    ),
    Fault(
        key="cache_never_repaid",
        mode="cache_misuse",
        decision="cache",
        tenant="globex",
        agent="research",
        task_class="research.brief",
        difficulties=DIFFICULTIES,
        onset=0.15,
        forced="churn",
        inequality="expected savings of a cache write (0 reads) < its cost (eq. 10)",
        cause="A time stamp at the head of the prompt makes every prefix new: it is written each time and never read.",
        counterfactual="A stable prefix, written once and read by the task's later calls.",
    ),
    Fault(
        key="cache_missed_hits",
        mode="cache_misuse",
        decision="cache",
        tenant="initech",
        agent="coder",
        task_class="code.fix_test",
        difficulties=DIFFICULTIES,
        onset=0.40,
        forced="none",
        inequality="the cost of writing a prefix < the saving by the reads that follow, yet it is not written (eq. 10)",
        cause="Caching was switched off: the same prefix is paid in full by every call of a task.",
        counterfactual="The prefix is written once and read by the task's later calls.",
    ),
    Fault(
        key="cache_reuse_across_values",
        mode="cache_misuse",
        decision="reuse",
        tenant="initech",
        agent="support",
        task_class="support.incident",
        difficulties=DIFFICULTIES,
        onset=0.55,
        forced=True,
        inequality="V·ΔQ lost by reuse > ΔC + λ·ΔL saved, since V differs from the task the answer was stored for (eq. 1, 10)",
        cause="Answers stored for frequent questions are reused for incidents.",
        counterfactual="The incident is worked on instead of answered from the cache.",
    ),
)


def active_faults(tenant: str, task_class: str, difficulty: Difficulty, fraction: float) -> list[Fault]:
    """Faults that apply to a task at this fraction of the played period."""
    return [fault for fault in FAULTS if fault.onset <= fraction and fault.covers(tenant, task_class, difficulty)]


def fault_by_key(key: str) -> Fault:
    """The fault of that key. Raises: KeyError when there is none."""
    return {fault.key: fault for fault in FAULTS}[key]


def night_slot_s(office_slot_s: int) -> int:
    """The night slot a report of this office slot had before, in seconds after midnight."""
    return REPORT_SLOTS_NIGHT_S[REPORT_SLOTS_OFFICE_S.index(office_slot_s)]
