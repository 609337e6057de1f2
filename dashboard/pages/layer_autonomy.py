"""The schedule of autonomy that is adopted: who must confirm what, who stated it, and what was done against it."""

from typing import cast

from dash import html

from dashboard import formats
from dashboard.components.marks import known_or, sentence
from dashboard.components.panel import Children, View, nothing
from dashboard.components.table import Column, table
from dashboard.pages.layer_action import CONFIRMATIONS

Row = dict[str, object]
_ALL = "all"


def adopted(view: View) -> Children:
    """Who must confirm which class of action at least, since when, and by whose statement."""
    frame = view.ask("autonomy_adopted")
    if not len(frame):
        how = ["Write the one above down, change it and adopt it: ", html.Code("pigou autonomy export schedule.yaml"), ", then "]
        return [
            nothing("No schedule is adopted: nobody is told when an action is done with less confirmation than it should have."),
            html.P([*how, html.Code("pigou autonomy adopt schedule.yaml"), "."]),
        ]
    rows = [
        {
            **row,
            "tenant": row["tenant"] or _ALL,
            "task_class": _ALL if row["task_class"] == "*" else row["task_class"],
            "confirmation": CONFIRMATIONS.get(str(row["confirmation"]), row["confirmation"]),
        }
        for row in frame
    ]
    columns = (
        Column("action_class", "Action", width=120),
        Column("task_class", "Task class", width=150, grow=1),
        Column("tenant", "Tenant", width=90),
        Column("confirmation", "Must be confirmed by, at least", width=210),
        Column("breaches", "Done with less", "count", 120, tooltip="actions in the time shown; of what was done since then"),
        Column("unstated", "Not stated", "count", 100, tooltip="of them, those that do not say who confirmed them"),
        Column("recorded_at", "Holds since, UTC", "time", 162),
        Column("source", "Stated by", width=260, grow=2),
        Column("revision", "Revision", "count", 90),
    )
    return [_told(rows), table("autonomy_adopted", columns, rows, row_key=("tenant", "action_class", "task_class"))]


def _told(rows: list[Row]) -> html.Ul:
    breaches = sum(cast(int, row["breaches"]) for row in rows)
    if not breaches:
        said = "In the time shown nothing was done with less confirmation than was required when it was done."
    else:
        said = f"{formats.count(breaches, 'action')} in the time shown {'was' if breaches == 1 else 'were'} done with less "
        said += "confirmation than was required then, or did not state theirs."
    return html.Ul([sentence([said], act=breaches > 0)], className="sentences")


def breaches(view: View) -> Children:
    """The actions that were done against what was required of them, the newest first; a click opens the trace."""
    frame = view.ask("autonomy_breaches")
    if not len(frame):
        return [nothing("None in the time shown. Only what was done after a schedule was adopted is held against it.")]
    rows = [
        {
            **row,
            "task_class": known_or(cast("str | None", row["task_class"])),
            "confirmation": CONFIRMATIONS.get(str(row["confirmation"]), "not stated"),
            "required": CONFIRMATIONS.get(str(row["required"]), row["required"]),
        }
        for row in frame
    ]
    columns = (
        Column("started_at", "Done, UTC", "link", 162, pinned=True),
        Column("action_class", "Action", width=120),
        Column("task_class", "Task class", width=150, grow=1),
        Column("tenant", "Tenant", width=100),
        Column("confirmation", "Confirmed by", width=180),
        Column("required", "Was required", width=180),
        Column("noted_at", "Noted, UTC", "time", 162),
    )
    return [table("autonomy_breaches", columns, rows, row_key=("tenant", "trace_id", "span_id"), opens="trace")]
