"""The supply layer: how engines serve, what a unit more of them costs others, who delays whom, whether drafting pays (eq. 9)."""

from typing import cast

from dash import html
from dash.development.base_component import Component

from dashboard import formats, theme
from dashboard.components.marks import graph, series_row
from dashboard.components.panel import Children, View, nothing
from dashboard.components.table import Column, table
from dashboard.figures import layers as figures
from dashboard.frame import Frame

Row = dict[str, object]
_SPANS = (
    "Let engines export their request spans with the times of queue, prefill and decode"
    " (vLLM: --otlp-traces-endpoint; others: allocation.engine.*, docs/telemetry.md)."
)
_WAITS = (
    "Means are of the requests that tell each. What 95 % waited at most is told of the latest fortnight, rounded up to the next"
    " of 1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3 and 8, from 1 ms to 1,000 s."
)


def serving(view: View) -> Children:
    """Each engine's requests and times, and its queue by hour."""
    frame = view.ask("engines", limit=None)
    if not len(frame):
        return [nothing(f"No engine tells how it serves in this time. {_SPANS}")]
    columns = (
        Column("engine", "Engine", width=150, grow=1),
        Column("requests", "Requests", "count", 100),
        Column("queue_ms", "In the queue, mean", "duration", 150),
        Column("longest_ms", "in its worst hour", "duration", 140, tooltip="mean of the hour in which requests waited longest"),
        Column("prefill_ms", "Prefill, mean", "duration", 120),
        Column("decode_ms", "Decode, mean", "duration", 120),
        Column("kv_tokens", "Context held, tokens", "tokens", 150),
        Column("batch", "Sequences at once", "quantity", 150),
        Column("accepted", "Drafts accepted", "share", 130),
    )
    engines = list(dict.fromkeys(str(row["engine"]) for row in frame))
    rows = [_engine(engine, [row for row in frame if str(row["engine"]) == engine]) for engine in engines]
    drawing = graph("waiting", figures.waiting(frame, view.filters.search()), figures.WAITING_PX, "Seconds in the queue by hour.")
    return [table("engines", columns, rows, row_key=("engine",)), drawing, html.P(_WAITS, className="note")]


def _engine(engine: str, hours: list[Row]) -> Row:
    """An engine's means over the requests that tell each, from its hours' means."""

    def mean(column: str, known: str) -> float | None:
        told = [(float(formats.number(row[column]) or 0), int(formats.number(row[known]) or 0)) for row in hours if row[known]]
        weight = sum(n for _, n in told)
        return sum(value * n for value, n in told) / weight if weight else None

    queues = [float(formats.number(row["queue_s"]) or 0) for row in hours if row["queue_s"] is not None]
    batch = mean("batch", "batch_known")
    return {
        "engine": engine, "requests": sum(int(formats.number(row["requests"]) or 0) for row in hours),
        "queue_ms": _ms(mean("queue_s", "queue_known")), "longest_ms": _ms(max(queues, default=None)),
        "prefill_ms": _ms(mean("prefill_s", "prefill_known")), "decode_ms": _ms(mean("decode_s", "decode_known")),
        "kv_tokens": mean("kv_tokens", "kv_known"), "batch": None if batch is None else round(batch, 1),
        "accepted": _accepted(hours),
    }  # fmt: skip


def _accepted(hours: list[Row]) -> str:
    """The share of drafts accepted, where anybody tells of drafts."""
    told = [row for row in hours if row["drafted"] is not None]
    drafted, accepted = (sum(float(formats.number(row[name]) or 0) for row in told) for name in ("drafted", "accepted"))
    return "none made" if told and not drafted else formats.share(accepted, drafted)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def engines(view: View) -> Children:
    """The shadow prices of prefill, decode and KV by hour."""
    frame = view.ask("engine_prices")
    if not len(frame):
        return [nothing(f"No engine that tells its times is shared in this time. {_SPANS}")]
    names = list(dict.fromkeys(str(row["engine"]) for row in frame))[: figures.LINES_SHOWN]
    figure = figures.engine_lines(frame, view.filters.search())
    drawing = graph("engine_prices", figure, figures.ENGINES_PX, "Shadow prices of prefill, decode and KV by hour.")
    named = [series_row(theme.SERIES[place], name, "", "") for place, name in enumerate(names)]
    return [html.Div([drawing, html.Div(named, className="beside")], className="graph-beside")]


def externalities(view: View) -> Children:
    """Tenant × tenant: what the rows' requests cost the columns in delay."""
    frame = view.ask("externalities", limit=None)
    if not len(frame):
        return [nothing(f"Nobody is seen to delay anybody. {_SPANS}")]
    return [
        html.Div(_matrix(frame), className="scrolls", tabIndex=0),
        html.P("Rows delay columns; on the diagonal a tenant delays its own other classes.", className="note"),
    ]


def _matrix(frame: Frame) -> Component:
    causes = list(dict.fromkeys(str(row["tenant"]) for row in frame))
    victims = sorted({str(row["victim"]) for row in frame})
    cells = {(str(row["tenant"]), str(row["victim"])): row for row in frame}
    most = max((float(formats.number(row["usd_per_day"]) or 0) for row in frame), default=0.0) or 1.0
    head = html.Thead(html.Tr([html.Th("Delays", scope="col"), *(html.Th(name, scope="col") for name in victims)]))
    body = [
        html.Tr([html.Th(cause, scope="row"), *(_cost(cells.get((cause, victim)), most) for victim in victims)])
        for cause in causes
    ]
    return html.Table([head, html.Tbody(body)], className="heat")


def _cost(row: Row | None, most: float) -> Component:
    if row is None:
        return html.Td("")
    usd, low, high = row["usd_per_day"], row["low_usd_per_day"], row["high_usd_per_day"]
    seconds = formats.duration(float(formats.number(row["delay_s_per_day"]) or 0) * 1000)
    if usd is None:
        return html.Td(html.Span(seconds, className="cell", title="nobody states what a second is worth"), className="hatched")
    share = max(float(formats.number(usd) or 0), 0) / most
    title = f"{formats.usd_interval(low, high)} a day (95 %); {seconds} a day"
    shade = cast("dict[str, object]", {"--strength": f"{share * 100:.1f}%"})
    return html.Td(
        html.Span(formats.usd_estimate(usd, low, high), className="cell", title=title), className="shaded", style=shade
    )


def drafting(view: View) -> Children:
    """Speculative decoding as make or buy, by the length of the context."""
    frame = view.ask("drafting", limit=None)
    if not len(frame):
        need = (
            "It is judged where an engine in whose queue others wait says how many tokens it drafted and how many were accepted"
        )
        return [nothing(f"Whether drafting pays is not known. {need} (allocation.spec.proposed, allocation.spec.accepted).")]
    drawing = graph("drafting", figures.drafting(frame, view.filters.search()), figures.DRAFTING_PX, "Drafts accepted by length.")
    firsts = {str(row["engine"]): row for row in frame if row["place"] == 1}
    said = [
        html.Li(_answer(engine, row), className="act" if row["off_from_tokens"] is not None else "")
        for engine, row in firsts.items()
    ]
    return [html.Ul(said, className="sentences"), drawing]


def _answer(engine: str, row: Row) -> str:
    if row["off_from_tokens"] is None:
        return f"{engine}: {row['answer']}."
    low, high = (formats.tokens(row[name]) if row[name] is not None else "beyond what was seen" for name in ("low", "high"))
    saved = f"; that saves {formats.share(row['saved_share'], 1)} of their decoding" if row["saved_share"] is not None else ""
    length = formats.tokens(row["off_from_tokens"])
    return f"{engine}: turn drafting off for contexts of {length} tokens and more ({low} to {high}){saved}."
