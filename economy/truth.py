"""The truth beside the telemetry: what was wrong, where, since when, and what it cost, from the structural model."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from economy import completions
from economy.appraisal import Appraisal
from economy.classes import CLASSES
from economy.congestion import Imposed
from economy.decisions import OPTION_FIELDS, Decision, decisions
from economy.faults import FAULTS, Fault, fault_by_key
from economy.parameters import ENGINE, MODELS, RHO, TRAINING
from economy.schedule import Schedule
from economy.spans import Recorder, sold_cost_usd
from economy.tasks import DAY_S

FORMAT = "pigou-economy-truth/1"
LAYERS = {
    "route": "demand",
    "verify": "action",
    "confirm": "action",
    "schedule": "supply",
    "staleness": "capital",
    "cache": "capital",
    "reuse": "capital",
}


@dataclass(frozen=True)
class Truth:
    """The truth of one period: a document, one row per decision, and how much of everything was planned.

    `write` puts the document at the given path and the rows beside it, as JSON lines in `<stem>.decisions.jsonl`.
    """

    document: dict[str, object]
    rows: list[dict[str, object]]
    counts: dict[str, int]

    def write(self, path: Path) -> Path:
        """Write both files; returns the path of the rows. Raises: OSError when a file cannot be written."""
        rows_path = path.with_name(f"{path.stem}.decisions.jsonl")
        path.write_text(json.dumps(self.document, indent=1) + "\n", encoding="utf-8")
        lines = (json.dumps(row, separators=(",", ":")) for row in self.rows)
        rows_path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return rows_path


@dataclass
class Consequences:
    """Sums of best minus actual over decisions: what taking the best option would have changed.

    Signs: `quality` and `value_usd` positive when the best option is better; `cost_usd`, `latency_s`, `latency_usd`,
    `risk_usd` positive when the best option costs, waits or risks more. `net_usd` is the money lost.
    """

    decisions: int = 0
    quality: float = 0.0
    value_usd: float = 0.0
    cost_usd: float = 0.0
    latency_s: float = 0.0
    latency_usd: float = 0.0
    risk_usd: float = 0.0
    net_usd: float = 0.0

    def add(self, best: Appraisal, actual: Appraisal) -> None:
        """Count one decision."""
        latency_s = best.latency_s - actual.latency_s
        self.decisions += 1
        self.quality += best.quality - actual.quality
        self.value_usd += best.value_usd * (best.quality - actual.quality)
        self.cost_usd += best.cost_usd - actual.cost_usd
        self.latency_s += latency_s
        self.latency_usd += best.lambda_usd_per_s * latency_s
        self.risk_usd += RHO * (best.risk_usd - actual.risk_usd)
        self.net_usd += best.net_usd - actual.net_usd


def tell(schedule: Schedule, seed: int, tasks_per_day: int) -> Truth:
    """The truth of a schedule."""
    made = [decision for run in schedule.runs for decision in decisions(run)]
    recorder, counts = schedule.recorder, _counts(schedule, made)
    document: dict[str, object] = {
        "format": FORMAT,
        "seed": seed,
        "starts_at": schedule.starts_at.isoformat(),
        "until": (schedule.starts_at + timedelta(days=schedule.days)).isoformat(),
        "days": schedule.days,
        "tasks_per_day": tasks_per_day,
        "option_fields": list(OPTION_FIELDS),
        "price_vector": _price_vector(),
        "models": _models(),
        "misallocations": [_misallocation(fault, schedule, made) for fault in FAULTS],
        "exploration": _exploration(made),
        "control_totals_wrong": [_hex(asdict(wrong)) for wrong in recorder.wrong_totals],
        "reported_twice": [_hex(asdict(copy)) for copy in recorder.copies],
        "unpriced_models": [name for name, model in MODELS.items() if not model.is_priced],
        "sold": _sold(recorder),
        "counts": counts,
    }
    rows = [decision.row(recorder.when(decision.span.start_s)) for decision in made]
    rows += [_update_row(schedule, index) for index in range(len(schedule.updates))]
    return Truth(document, rows, counts)


def _misallocation(fault: Fault, schedule: Schedule, made: Sequence[Decision]) -> dict[str, object]:
    """One injected misallocation: its segment, the inequality it violates, and what it lost.

    It begins with the first decision that it turns wrong: a scheduler that is changed on a Saturday does nothing before Monday.
    """
    if fault.decision == "schedule":
        lost, detail = _congestion(schedule.imposed, schedule)
        wrong_s = [visitor.visits[0][0].at_s for visitor in schedule.imposing]
    elif fault.decision == "staleness":
        lost, detail = _staleness(schedule)
        wrong_s = [update.at_s for update in schedule.updates if update.is_stale]
    else:
        affected = [decision for decision in made if decision.fault == fault.key]
        lost, detail = _segment(affected)
        wrong_s = [decision.span.start_s for decision in affected]
    onset_s = max(fault.onset * schedule.period_s, min(wrong_s, default=0.0))
    lasted_days = (schedule.period_s - onset_s) / DAY_S
    return {
        "key": fault.key,
        "mode": fault.mode,
        "layer": LAYERS[fault.decision],
        "decision": fault.decision,
        "segment": {
            "tenant": fault.tenant,
            "agent": fault.agent,
            "task_class": fault.task_class,
            "difficulties": list(fault.difficulties),
        },
        "onset": _at(schedule, onset_s),
        "ends": _at(schedule, schedule.period_s),
        "inequality": fault.inequality,
        "cause": fault.cause,
        "counterfactual": fault.counterfactual,
        "forced": fault.forced,
        "best_minus_actual": _rounded(lost),
        "usd_lost": round(lost.net_usd, 6),
        "usd_per_day": round(lost.net_usd / lasted_days, 6),
        **detail,
    }


def _segment(affected: Sequence[Decision]) -> tuple[Consequences, dict[str, object]]:
    """Sums over forced decisions; by difficulty and value; and what each other option would have changed."""
    total = Consequences()
    cells: dict[tuple[str, float, str, str], Consequences] = defaultdict(Consequences)
    others: dict[str, Consequences] = defaultdict(Consequences)
    for decision in affected:
        cell, actual = decision.run.task.cell, decision.options[decision.chosen]
        best = decision.options[decision.best]
        total.add(best, actual)
        cells[(cell.difficulty, cell.value_usd, decision.chosen, decision.best)].add(best, actual)
        for name, option in decision.options.items():
            if name != decision.chosen:
                others[name].add(option, actual)
    by_cell = [
        {"difficulty": difficulty, "value_usd": value, "chosen": chosen, "best": best, **_rounded(sums)}
        for (difficulty, value, chosen, best), sums in sorted(cells.items())
    ]
    alternatives = {name: _rounded(sums) for name, sums in sorted(others.items())}
    return total, {"by_cell": by_cell, "alternatives_minus_actual": alternatives}


def _congestion(imposed: Iterable[Imposed], schedule: Schedule) -> tuple[Consequences, dict[str, object]]:
    """Delay the reports imposed on everybody else, and its price per report, against the flat price paid for it: nothing."""
    total = Consequences()
    by_day: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    by_victim: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for one in imposed:
        day = _at(schedule, one.visitor.visits[0][0].at_s)[:10]
        for sums in (by_day[day], by_victim[(one.visitor.tenant, one.visitor.task_class)]):
            sums[0] += 1
            sums[1] += one.delay_s
            sums[2] += one.usd
        total.decisions += abs(one.delay_s) > 1e-6
        total.latency_s -= one.delay_s
        total.latency_usd -= one.usd
    total.net_usd = -total.latency_usd
    reports = len(schedule.imposing)
    return total, {
        "engine": ENGINE.name,
        "reports": reports,
        "external_usd_per_report": round(total.net_usd / reports, 6) if reports else None,
        "paid_for_delay_usd": 0.0,
        "by_day": [{"day": day, **_delay(sums)} for day, sums in sorted(by_day.items())],
        "by_victim": [
            {"tenant": tenant, "task_class": name, **_delay(sums)} for (tenant, name), sums in sorted(by_victim.items())
        ],
    }


def _delay(sums: Sequence[float]) -> dict[str, float]:
    return {"visitors": int(sums[0]), "delay_s": round(sums[1], 3), "delay_usd": round(sums[2], 6)}


def _staleness(schedule: Schedule) -> tuple[Consequences, dict[str, object]]:
    """Capability lost per update against a batch one version old, at the value of capability."""
    total = Consequences()
    by_staleness: dict[int, int] = defaultdict(int)
    capability, counterfactual = TRAINING.capability_start, TRAINING.capability_start
    for update in schedule.updates:
        lost = update.counterfactual_gain - update.gain if update.is_stale else 0.0
        capability += update.gain - TRAINING.depreciation * capability
        counterfactual += update.gain + lost - TRAINING.depreciation * counterfactual
        if update.is_stale:
            by_staleness[update.staleness] += 1
            total.decisions += 1
            total.quality += lost
            total.value_usd += TRAINING.value_usd * lost
            total.net_usd += TRAINING.value_usd * lost
    return total, {
        "value_usd_per_unit": TRAINING.value_usd,
        "depreciation_per_update": TRAINING.depreciation,
        "staleness_zero_gain": TRAINING.staleness_zero,
        "updates_by_staleness": {str(staleness): n for staleness, n in sorted(by_staleness.items())},
        "capability_at_end": round(capability, 6),
        "capability_at_end_counterfactual": round(counterfactual, 6),
    }


def _update_row(schedule: Schedule, index: int) -> dict[str, object]:
    update = schedule.updates[index]
    lost = TRAINING.value_usd * (update.counterfactual_gain - update.gain) if update.is_stale else 0.0
    return {
        "decision": "staleness",
        "trace_id": f"{update.trace_id:032x}",
        "span_id": f"{update.span_id:016x}",
        "at": schedule.recorder.when(update.at_s),
        "tenant": TRAINING.tenant,
        "agent": "trainer",
        "chosen": str(update.staleness),
        "best": str(TRAINING.queue_fresh) if update.is_stale else str(update.staleness),
        "fault": fault_by_key("stale_rollouts").key if update.is_stale else None,
        "regret_usd": round(lost, 6),
        "gain": update.gain,
        "measured_gain": round(update.measured_gain, 6),
        "counterfactual_gain": update.counterfactual_gain,
    }


def _exploration(made: Sequence[Decision]) -> dict[str, object]:
    """What exploring cost outside the misallocations: the price of being able to learn."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for decision in made:
        if decision.explored and decision.fault is None:
            sums[decision.kind][0] += 1
            sums[decision.kind][1] += decision.regret_usd
    return {kind: {"decisions": int(n), "usd_lost": round(usd, 6)} for kind, (n, usd) in sorted(sums.items())}


def _price_vector() -> list[dict[str, object]]:
    vector: list[dict[str, object]] = [
        {
            "task_class": kind.name,
            "v_usd": [value for value, _ in kind.values],
            "lambda_usd_per_s": kind.lambda_usd_per_s,
            "rho": RHO,
            "deadline_s": kind.deadline_s,
        }
        for kind in CLASSES.values()
    ]
    vector.append({"task_class": completions.TASK_CLASS, "lambda_usd_per_s": completions.LAMBDA_USD_PER_S, "rho": RHO})
    return vector


def _models() -> list[dict[str, object]]:
    return [
        {
            "model": model.name,
            "provider": model.provider,
            "usd_per_million": {
                kind: None if price is None else str(price)
                for kind, price in (
                    ("input", model.input),
                    ("cache_read", model.cache_read),
                    ("cache_write", model.cache_write),
                    ("output", model.output),
                )
            },
        }
        for model in MODELS.values()
    ]


def _sold(recorder: Recorder) -> list[dict[str, object]]:
    """Calls, disjoint leaves and exact cost by tenant and model: what the books must show."""
    counts: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for (tenant, model, leaf), count in recorder.sold.items():
        counts[(tenant, model)][leaf] = count
    rows: list[dict[str, object]] = []
    for (tenant, model), leaves in sorted(counts.items()):
        cost = sold_cost_usd(model, leaves)
        provider = MODELS[model].provider
        shown = None if cost is None else str(cost)
        rows.append({"tenant": tenant, "provider": provider, "model": model, **leaves, "cost_usd": shown})
    return rows


def _counts(schedule: Schedule, made: Sequence[Decision]) -> dict[str, int]:
    recorder = schedule.recorder
    return {
        "spans": len(recorder.spans),
        "events": len(recorder.events),
        "traces": len({span.trace_id for span in recorder.spans}),
        "tasks": len(schedule.runs),
        "decisions": len(made),
        "calls": sum(count for (_, _, leaf), count in recorder.sold.items() if leaf == "calls"),
        "updates": len(schedule.updates),
        "incidents": sum(event.name == "allocation.incident" for event in recorder.events),
    }


def _at(schedule: Schedule, at_s: float) -> str:
    return (schedule.starts_at + timedelta(seconds=at_s)).isoformat(timespec="seconds")


def _hex(record: dict[str, object]) -> dict[str, object]:
    widths = {"trace_id": 32, "span_id": 16, "copy_span_id": 16}
    return {key: f"{value:0{widths[key]}x}" if key in widths else value for key, value in record.items()}


def _rounded(sums: Consequences) -> dict[str, float]:
    return {key: value if isinstance(value, int) else round(value, 6) for key, value in asdict(sums).items()}
