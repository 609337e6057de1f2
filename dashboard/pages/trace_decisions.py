"""What a trace was worth as a task, and what was decided in it."""

from typing import cast

from dash import html

from dashboard import formats
from dashboard.components.marks import known_or
from dashboard.components.panel import Children, View, nothing
from dashboard.components.table import Column, table
from dashboard.components.terms import term
from dashboard.pages.allocation import VERDICT_WORDS

Row = dict[str, object]


def trace_decisions(view: View, trace_id: str) -> Children:
    """The task's vector in one sentence, and its decisions in the order of time."""
    tasks = list(view.ask("trace_task", values={"trace_id": trace_id}))
    frame = view.ask("trace_decisions", values={"trace_id": trace_id})
    if not tasks:
        return [nothing("This trace is not settled as a task yet; `pigou up` does so a while after its root has ended.")]
    said = [html.P(_worth(task), className="change") for task in tasks]
    if not len(frame):
        return [*said, nothing("No choice was seen in it.")]
    columns = (
        Column("decided_at", "Decided, UTC", "decision", 162),
        Column("kind", "Kind", width=90),
        Column("chosen", "Chosen", width=130, grow=1),
        Column("best", "Best", width=130, grow=1),
        Column("regret_usd", "Regret, USD", "usd", 112),
        Column("regret_low_usd", "from (95 %)", "usd", 105),
        Column("regret_high_usd", "to (95 %)", "usd", 105),
        Column("status_said", "Status", width=160),
        Column("layer", "Layer", width=90),
    )
    rows = [
        {
            **row,
            "status_said": VERDICT_WORDS[cast("str | None", row["status"])],
            **{name: formats.option(row["kind"], row[name]) for name in ("chosen", "best") if row[name] is not None},
        }
        for row in frame
    ]
    return [*said, table("trace_decisions", columns, rows, row_key=("tenant", "decision_id"), opens="decision")]


def _worth(task: Row) -> Children:
    quality = task["quality"]
    outcome = "outcome not known" if quality is None else f"outcome {cast(float, quality):.2f} by {task['outcome_source']}"
    latency = None if task["latency_s"] is None else cast(float, task["latency_s"]) * 1000
    return [
        f"A task of {known_or(cast('str | None', task['task_class']))}: {outcome}, ",
        term("V", "value"),
        f" {formats.usd(task['value_usd'])}, cost {formats.usd(task['cost_usd'])}, {formats.duration(latency)}, ",
        f"expected loss {formats.usd(task['risk_usd'])}; ",
        term("net"),
        f" {formats.usd(task['net_usd'])}.",
    ]
