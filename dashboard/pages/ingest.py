"""Ingest health: what arrives, what is turned away, what contradicts itself."""

from datetime import datetime, timedelta
from typing import Any, cast

from dash import html

from dashboard import formats
from dashboard.components.marks import fact, graph, series_row
from dashboard.components.onboarding import onboarding
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.door import is_named
from dashboard.figures import Figure
from dashboard.figures.spend import records_over_time
from dashboard.filters import Window, describe
from dashboard.frame import Frame
from dashboard.pages.page import Page
from dashboard.queries import bucket_of


def health(view: View) -> Children:
    """One sentence on arrival and its figures, by the collector's clock."""
    total = view.ask("ingest_total").only()
    last = cast("datetime | None", total["last_minute"])
    if last is None:
        ever = view.ask("books_extent").only()["calls"]
        return (
            [html.H1(f"Nothing arrived {describe(view.filters, view.now)}.", className="headline")]
            if ever
            else onboarding(view.endpoint, needs_token=is_named())
        )
    lost = cast(int, total["rejected"])
    said = f"{formats.count(total['records'], 'record')} arrived {describe(view.filters, view.now)}"
    said += f", the last {formats.minutes_ago(last, view.now)}"
    said += f"; {formats.count(lost, 'record')} rejected." if lost else "; none was rejected."
    return [
        html.H1(said, className="headline"),
        html.Div(
            [
                fact(f"{total['requests']:,}", "requests", "sum(requests) of ledger.ingest_hourly"),
                fact(formats.size(total["bytes"]), "received", "sum(bytes) of ledger.ingest_hourly"),
                fact(f"{total['duplicates']:,}", "sent again, booked once", "sum(duplicates) of ledger.ingest_hourly"),
                fact(f"{total['rejected']:,}", "records rejected", "sum(rejected) of ledger.ingest_hourly", act=lost > 0),
                fact(
                    f"{total['conflicts']:,}",
                    "conflicts: same key, other content",
                    "sum(conflicts) of ledger.ingest_hourly",
                    act=cast(int, total["conflicts"]) > 0,
                ),
            ],
            className="facts",
        ),
    ]


def arrivals(view: View) -> Children:
    """Records over time by signal."""
    window = view.window
    if window.since is None or window.until is None:
        last = cast("datetime | None", view.ask("ingest_total").only()["last_minute"])
        if last is None:
            return [nothing("Nothing arrived in this time.")]
        window = Window(last - timedelta(days=30), last + timedelta(hours=1))
    bucket = bucket_of(window)
    frame = view.ask("ingest_over_minutes") if bucket == "minute" else None
    if frame is None or not len(frame):
        bucket = "hour" if bucket == "minute" else bucket
        frame = view.ask("ingest_over_time", bucket=bucket)
    if not len(frame):
        return [nothing("Nothing arrived in this time.")]
    figure = records_over_time(frame, window, bucket, key=view.filters.search())
    drawing = graph("records_over_time", figure, 240, f"Records received per {bucket} by signal.")
    return [html.Div([drawing, html.Div(_signals(figure, frame), className="beside")], className="graph-beside")]


def _signals(figure: Figure, frame: Frame) -> Children:
    """The signals in the figure's shades, with how many records each brought."""
    rows: Children = []
    for trace in cast("list[dict[str, Any]]", figure["data"]):
        records = sum(cast(int, row["records"]) for row in frame if row["signal"] == trace["name"])
        rows.append(series_row(trace["marker"]["color"], f"{trace['name']}s", f"{records:,}", "records"))
    return rows


def rejections(view: View) -> Children:
    """Why records were turned away."""
    frame = view.ask("rejections_by_code")
    if not len(frame):
        return [nothing("No record was turned away.")]
    columns = (
        Column("code", "Code", width=190),
        Column("stage", "Stage", width=90),
        Column("signal", "Signal", width=90),
        Column("records", "Records", "count", 100),
        Column("example", "Last example", grow=1, width=320),
        Column("last_at", "Last, UTC", "time", 172),
        Column("tenant", "Tenant", width=110),
    )
    return [table("rejections", columns, frame, row_key=("tenant", "stage", "code", "signal"))]


def conflicts(view: View) -> Children:
    """Records that came again with other content; what was first booked stays."""
    frame = view.ask("conflicts")
    if not len(frame):
        return [nothing("No record came twice with different content.")]
    columns = (
        Column("recorded_at", "Recorded, UTC", "link", 170),
        Column("tenant", "Tenant", width=130),
        Column("trace_id", "Trace", grow=1, width=280),
        Column("span_id", "Span", grow=1, width=160),
    )
    return [table("conflicts", columns, frame, row_key=("tenant", "trace_id", "span_id", "recorded_at"))]


def weak_matches(view: View) -> Children:
    """Calls that look like copies of each other but share no identity."""
    frame = view.ask("weak_matches")
    if not len(frame):
        return [nothing("No two calls of a trace look like copies of each other.")]
    columns = (
        Column("trace_id", "Trace", "link", 290),
        Column("model", "Model", grow=1, width=160),
        Column("input_tokens", "Input, tokens", "tokens", 120),
        Column("output_tokens", "Output, tokens", "tokens", 125),
        Column("span_id", "Span", width=160),
        Column("other_span_id", "Looks like", width=160),
        Column("tenant", "Tenant", width=110),
    )
    return [table("weak_matches", columns, frame, row_key=("tenant", "trace_id", "span_id", "other_span_id"))]


PAGE = Page(
    path="/ingest",
    name="ingest",
    label="Ingest",
    key="i",
    panels=(
        Panel("health", "", health, skeleton_px=90),
        Panel("arrivals", "Arrivals", arrivals, skeleton_px=240),
        Panel("rejections", "Rejected records", rejections, table="rejections_by_code", skeleton_px=160),
        Panel(
            "conflicts",
            "Conflicts",
            conflicts,
            "What was said first stays booked: mend the sender, which exports spans before they end or gives an id twice.",
            table="conflicts",
            skeleton_px=120,
        ),
        Panel(
            "weak_matches",
            "Possible copies",
            weak_matches,
            "Of all time; both are booked.",
            table="weak_matches",
            skeleton_px=120,
        ),
    ),
)
