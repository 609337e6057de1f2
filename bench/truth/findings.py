"""Which of the demo's misallocations its decisions give away, and how many dollars they are said to lose.

usage: python -m bench truth findings [--replications 500] [--seed 1] [--only WORDS] [--write]

Fortnights are played as `truth demo` plays them. A row is an injected fault that a decision of a task commits, over all value
bands: what was truly lost, the median of what the appraisal says, how often any of it is a finding (false discoveries controlled
within each tenant, as the line of appraisal does), and how often the dollars are within a quarter of the truth. `--only` picks
faults by words of their name. `--write` puts the table between the markers of docs/methods.md.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from threadpoolctl import threadpool_limits

from analyzers.attribution.segments import Segment, discoveries
from bench.truth.command import arguments, write
from bench.truth.demo import KINDS, Played, fortnight
from economy.classes import CLASSES
from economy.faults import FAULTS, Fault

_NEAR = 0.25
_PER_DAY = 900
_COLUMNS = ("misallocation", "replications", "lost", "said, median", "found", "within a quarter")


def main() -> int:
    """Play the fortnights and print the table."""
    options = arguments("findings", __doc__ or "")
    faults = [fault for fault in FAULTS if fault.decision in KINDS and options.only in fault.key.replace("_", " ")]
    rows: dict[str, list[tuple[float, float, bool]]] = defaultdict(list)
    with threadpool_limits(1):
        for replication in range(options.replications):
            strata = fortnight(_PER_DAY, KINDS, np.random.default_rng([options.seed, 0, replication]), replication)
            findings = _findings(strata)
            for fault in faults:
                rows[fault.key].append(_judged(fault, strata, findings))
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    for fault in faults:
        true, said, found = (np.array(column) for column in zip(*rows[fault.key], strict=True))
        near = np.abs(said - true) <= _NEAR * true
        cells = (fault.key.replace("_", " "), len(true), f"{true.mean():.3g} USD", f"{np.median(said):.3g} USD")
        lines.append("| " + " | ".join(map(str, (*cells, f"{found.mean():.0%}", f"{near.mean():.0%}"))) + " |")
    print(*lines, sep="\n")
    if options.write:
        write("findings", lines, options)
    return 0


def _findings(strata: list[Played]) -> dict[tuple[str, str, str], tuple[Segment, ...]]:
    """Each stratum's segments, told which are findings among all of its tenant's."""
    found: dict[tuple[str, str, str], tuple[Segment, ...]] = {}
    for tenant in {each.tenant for each in strata}:
        mine = [each for each in strata if each.tenant == tenant]
        told = iter(discoveries([segment for each in mine for segment in each.known.appraised.segments]))
        for each in mine:
            count = len(each.known.appraised.segments)
            found[tenant, each.kind, each.task_class] = tuple(next(told) for _ in range(count))
    return found


def _judged(
    fault: Fault, strata: list[Played], findings: dict[tuple[str, str, str], tuple[Segment, ...]]
) -> tuple[float, float, bool]:
    """What the decisions for the forced option truly lost, what is said, and whether any of it is a finding."""
    key = fault.tenant, fault.decision, fault.task_class or ""
    known = next(each.known for each in strata if (each.tenant, each.kind, each.task_class) == key)
    forced = _option(fault)
    true = said = 0.0
    for code, segment in enumerate(findings[key]):
        if segment.chosen == forced:
            inside = known.appraised.segment == code
            chosen = known.choices.chosen[inside][0]
            true += float((known.net[inside].max(axis=1) - known.net[inside, chosen]).sum())
            said += max(0.0, segment.regret.value or 0.0)
    return true, said, any(segment.discovery for segment in findings[key] if segment.chosen == forced)


def _option(fault: Fault) -> str:
    """What the forced decision is called among the options of its kind."""
    if fault.decision == "reuse":
        return "reuse"
    action = CLASSES[fault.task_class or ""].action
    if fault.decision == "confirm" and action is not None:
        return action.confirmation if fault.forced else "none"
    return str(fault.forced)
