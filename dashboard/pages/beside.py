"""What is said beside regret: how much later options let tasks end, what small segments borrow, and what actions risk."""

from typing import cast

from dash import html

from dashboard import formats
from dashboard.components.appraisal_help import needed
from dashboard.components.marks import known_or
from dashboard.components.panel import Children, View, nothing
from dashboard.components.table import Column, table

Row = dict[str, object]
_QUANTILES = ("median", "slow")


def latency(view: View) -> Children:
    """How much later the median and the slowest twentieth come, by use and in each class of tasks."""
    sets = view.ask("latency_effects")
    if not len(sets):
        return [nothing("No appraised choice could move how long its tasks take.")]
    uses = [_by_use(row) for row in view.ask("latency_by_use")]
    return [
        html.P(
            "Seconds by which the median of tasks, and their 95th percentile, would come later had the option always been taken;"
            " below 0: sooner (95 %). Tasks are weighted to be like all, so that hard ones do not count against who got them.",
            className="note",
        ),
        html.H3("By use"),
        table("latency_by_use", _USES, uses, row_key=("kind", "tenant", "option", "base")),
        html.H3("In each class of tasks"),
        table("latency_effects", _SETS, [_by_set(row) for row in sets], row_key=("set", "option")),
    ]


_USES = (
    Column("kind", "Use", width=90),
    Column("said", "Option", grow=1, width=240),
    Column("median", "Median later", width=190),
    Column("slow", "95th percentile later", width=190),
    Column("decisions", "Decisions", "count", 100),
    Column("known", "Classes known", width=120, tooltip="of how many classes of tasks the median is known, of how many"),
    Column("tenant", "Tenant", width=100),
)
_SETS = (
    Column("task_class", "Task class", width=140, pinned=True),
    Column("tenant", "Tenant", width=90),
    Column("kind", "Use", width=80),
    Column("said", "Option", grow=1, width=300),
    Column("median", "Median later", width=200),
    Column("median_verdict", "Verdict", width=220),
    Column("slow", "95th percentile later", width=200),
    Column("slow_verdict", "Verdict", width=220),
    Column("n", "Decisions", "count", 96),
    Column("why", "Why", grow=2, width=240),
)


def _by_use(row: Row) -> Row:
    return {
        **{name: row[name] for name in ("kind", "tenant", "option", "base", "decisions")},
        "said": _against(row),
        **{of: _later(row, of) for of in _QUANTILES},
        "known": f"{row['median_sets']} of {row['of_sets']}",
    }


def _by_set(row: Row) -> Row:
    return {
        **{name: row[name] for name in ("set", "task_class", "kind", "tenant", "option", "n", "why")},
        "said": _against(row),
        **{of: _later(row, of) for of in _QUANTILES},
        **{f"{of}_verdict": _verdict(row, of) for of in _QUANTILES},
    }


def _against(row: Row) -> str:
    option, base = (formats.option(row["kind"], row[name]) for name in ("option", "base"))
    return f"{option} against {base}"


def _later(row: Row, of: str) -> str:
    value, low, high = (formats.number(row[f"{of}{end}_s"]) for end in ("", "_low", "_high"))
    if value is None or low is None or high is None:
        return formats.UNKNOWN
    places = 1 if max(abs(low), abs(high)) >= 10 else 2
    first, last = (f"{end:.{places}f}".replace("-", "−") for end in (low, high))
    return f"{value:+.{places}f}".replace("-", "−") + f"{formats.THIN_SPACE}s ({first} to {last})"


def _verdict(row: Row, of: str) -> str:
    """Whether it stands among all, what it is by its own interval, or what would settle it."""
    status = row[f"{of}_status"]
    if status != "identified":
        needs = needed(row[f"{of}_outcomes"], row[f"{of}_exploration"])
        return f"needs {needs}" if needs else str(status).replace("_", " ")
    low, high = (float(formats.number(row[f"{of}_{end}_s"]) or 0) for end in ("low", "high"))
    if low <= 0 <= high:
        return "alike"
    word = "later" if low > 0 else "sooner"
    return word if row[f"{of}_stands"] else f"{word}, taken alone"


def siblings(view: View) -> Children:
    """Segments without enough evidence, with their own interval and the one that their siblings lend."""
    frame = view.ask("borrowed")
    if not len(frame):
        return [nothing("No segment without enough evidence has siblings in three sets of decisions with the same options.")]
    columns = (
        Column("task_class", "Task class", width=150, pinned=True),
        Column("kind", "Kind", width=80),
        Column("value_band", "Tasks worth", width=150),
        Column("chosen", "Chosen", width=150, grow=1),
        Column("n", "Decisions", "count", 96),
        Column("own", "Regret, its own (95 %)", width=210),
        Column("pooled", "With its siblings (95 % of segments)", width=250),
        Column("share", "Its own part", "share", 105, tooltip="How much of the pooled number is the segment's own"),
        Column("of", "Siblings", width=190),
        Column("needs", "Its own needs", width=230, grow=1),
        Column("tenant", "Tenant", width=90),
    )
    rows = [
        {
            **{name: row[name] for name in ("set", "segment_number", "task_class", "kind", "value_band", "n", "tenant")},
            "chosen": formats.option(row["kind"], row["chosen"]),
            "own": _usd(row, "regret"),
            "pooled": _usd(row, "pooled"),
            "share": formats.share(row["pooled_own"], 1),
            "of": f"{formats.count(row['pooled_segments'], 'segment')} of {formats.count(row['pooled_sets'], 'set')}",
            "needs": needed(row["needs_outcomes"], row["needs_exploration"]),
        }
        for row in frame
    ]
    return [
        table("borrowed", columns, rows, row_key=("set", "segment_number")),
        html.P(
            "Siblings chose the same among the same options, in other classes of tasks or value bands. What they lend holds for"
            " 95 % of segments, not for each: nothing is a finding by it.",
            className="note",
        ),
    ]


def _usd(row: Row, name: str) -> str:
    value, low, high = (row[f"{name}{end}_usd"] for end in ("", "_low", "_high"))
    if value is None:
        return formats.UNKNOWN
    return f"{formats.usd_estimate(value, low, high)} ({formats.usd_interval(low, high)})"


def action_risks(view: View) -> Children:
    """How often tasks that did a class of action went wrong, what that costs, and the mean of the worst, at ρ."""
    frame = view.ask("action_risks", limit=None)
    if not len(frame):
        return [nothing("Not weighed yet (once an hour), or no settled task told a class of action (allocation.action.class).")]
    columns = (
        Column("action_class", "Action", width=110, pinned=True),
        Column("task_class", "Task class", width=140),
        Column("tenant", "Tenant", width=90),
        Column("tasks", "Tasks", "count", 80),
        Column("incidents", "Went wrong", "count", 100),
        Column("rate", "Rate (95 %)", width=170),
        Column("pooled", "With other classes", width=170, tooltip="Drawn towards other classes of tasks; holds for 95 % of them"),
        Column("loss", "Loss a task (95 %)", width=200),
        Column("tail", "Worst twentieth (95 %)", width=210, tooltip="CVaR: the mean loss of the worst twentieth of tasks"),
        Column(
            "risk", "Priced at ρ", width=210, tooltip="ρ times the loss, or times the worst twentieth where what is rare is grave"
        ),
        Column("counts", "By", width=130),
        Column("why", "What is not known", "sentence", 520, grow=2),
    )
    return [
        table("action_risks", columns, [_risk(row) for row in frame], row_key=("tenant", "action_class", "task_class")),
        html.P(
            "Of tasks that did any such action, in four weeks. A task's loss is of every class of action that it did. Where going"
            " wrong is rare, and cannot be undone or loses more than the task is worth, the mean of the worst counts, not the"
            " expectation.",
            className="note",
        ),
    ]


def _risk(row: Row) -> Row:
    every = row["task_class"] == "*"
    rho = formats.number(row["rho"])
    needs = needed(row["needs_outcomes"], None)
    said = [part for part in (cast("str | None", row["why"]), f"{needs} like these would do" if needs else None) if part]
    return {
        **{name: row[name] for name in ("tenant", "action_class", "tasks", "incidents")},
        "task_class": "all" if every else known_or(cast("str | None", row["task_class"])),
        "rate": _percent(row, "rate", "rate"),
        "pooled": "" if every or row["pooled_rate"] is None else _percent(row, "pooled_rate", "pooled"),
        "loss": _usd(row, "loss"),
        "tail": _usd(row, "tail"),
        "risk": _usd(row, "risk"),
        "counts": ("the worst" if row["is_tail"] else "expectation") + ("" if rho is None else f", ρ {rho:.3g}"),
        "why": "; ".join(said),
    }


def _percent(row: Row, name: str, limits: str) -> str:
    value, low, high = (formats.number(row[each]) for each in (name, f"{limits}_low", f"{limits}_high"))
    if value is None or low is None or high is None:
        return formats.UNKNOWN
    places = 1 if high >= 0.01 else 2
    said = [f"{float(each) * 100:.{places}f}" if each else "0" for each in (value, low, high)]
    return f"{said[0]}{formats.THIN_SPACE}% ({said[1]} to {said[2]})"
