"""The truth about single decisions: every option's expected consequences, the one taken, the best one, and the loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from economy.agents import Run
from economy.appraisal import (
    Appraisal,
    best_of,
    cache_options,
    confirm_options,
    reuse_options,
    route_options,
    verify_options,
)
from economy.faults import DecisionKind, fault_by_key
from economy.spans import PlannedSpan


@dataclass(frozen=True)
class Decision:
    """One decision with all its options. `fault` is the injected misallocation that forced it, if one did.

    `propensity` is None where none is logged. `regret_usd` is net(best) − net(chosen), 0 for a best choice.
    """

    kind: DecisionKind
    run: Run
    span: PlannedSpan
    options: dict[str, Appraisal]
    chosen: str
    best: str
    propensity: float | None
    explored: bool
    fault: str | None

    @property
    def regret_usd(self) -> float:
        """Expected USD lost by the decision."""
        return self.options[self.best].net_usd - self.options[self.chosen].net_usd

    def row(self, when: str) -> dict[str, object]:
        """The decision as one line of the truth."""
        task = self.run.task
        return {
            "decision": self.kind,
            "trace_id": f"{self.span.trace_id:032x}",
            "span_id": f"{self.span.span_id:016x}",
            "at": when,
            "tenant": task.tenant,
            "agent": task.agent,
            "task_class": task.cell.task_class,
            "difficulty": task.cell.difficulty,
            "value_usd": task.cell.value_usd,
            "chosen": self.chosen,
            "best": self.best,
            "propensity": self.propensity,
            "explored": self.explored,
            "fault": self.fault,
            "regret_usd": round(self.regret_usd, 6),
            "options": {name: option_row(option) for name, option in self.options.items()},
        }


OPTION_FIELDS = ("quality", "cost_usd", "latency_s", "risk_usd", "net_usd")


def option_row(option: Appraisal) -> list[float]:
    """Expected consequences of one option, in the order of `OPTION_FIELDS`."""
    return [round(float(getattr(option, field)), 6) for field in OPTION_FIELDS]


def decisions(run: Run) -> Iterator[Decision]:
    """The decisions of one finished task: reuse where there was a stored answer; otherwise route, verify, ask, cache.

    Cache decisions are listed where a fault forced them; elsewhere the prefix is always cached, which is best.
    """
    cell, choice, root = run.task.cell, run.decided.choice, run.root
    if root is None:
        return
    if run.task.stored_answer:
        yield _decision("reuse", run, root, reuse_options(cell, choice), "reuse" if run.reused else "work")
    if run.reused or run.route_span is None:
        return
    yield _decision("route", run, run.route_span, route_options(cell, choice), choice.model)
    yield _decision("verify", run, run.verify_span or root, verify_options(cell, choice), str(choice.verify))
    asking = confirm_options(cell, choice)
    if asking and cell.kind.action is not None:
        chosen = cell.kind.action.confirmation if choice.confirm else "none"
        yield _decision("confirm", run, run.action_span or root, asking, chosen)
    if "cache" in run.forced:
        yield _decision("cache", run, root, cache_options(cell, choice), choice.caching)


def _decision(kind: DecisionKind, run: Run, span: PlannedSpan, options: dict[str, Appraisal], chosen: str) -> Decision:
    best = best_of(options)
    explored = kind in run.decided.explored
    key = run.forced.get(kind)
    forced = key is not None and not explored and (kind != "reuse" or chosen == "reuse")
    propensity = round(run.decided.propensity, 6) if kind == "route" else None
    fault = fault_by_key(key).key if key is not None and forced else None
    return Decision(kind, run, span, options, chosen, best, propensity, explored, fault)
