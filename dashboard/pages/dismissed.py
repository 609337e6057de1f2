"""What a person said of a finding that is to be left as it is, in words."""

from dash import html

from dashboard import formats
from dashboard.components.panel import Children

Row = dict[str, object]


def until_said(row: Row) -> str:
    """Until when a dismissal holds."""
    limits: list[str] = []
    if row["dismissed_until"] is not None:
        limits.append(f"until {formats.moment(row['dismissed_until'])[:16]} UTC")
    if row["dismissed_until_usd_per_day"] is not None:
        limits.append(f"until it loses {formats.usd(row['dismissed_until_usd_per_day'])} a day")
    return " or ".join(limits) or "for good"


def dismissal_said(row: Row) -> Children:
    """Who left it as it is, what it is, until when, and why; nothing where nobody did."""
    if row["status"] != "dismissed":
        return []
    when = formats.moment(row["dismissed_at"])[:10]
    said = f"Dismissed by {row['dismissed_by']} on {when} as {row['dismissed_as']}, {until_said(row)}: "
    return [html.P([said, html.Q(str(row["dismissed_note"]), className="name")], className="change dismissal")]
