"""The capital layer: what caches keep, lose and pay back, whom they serve, what training makes of its tokens (eq. 10 to 12)."""

from decimal import Decimal
from typing import cast

from dash import html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.marks import fact, graph, known_or
from dashboard.components.panel import Children, View, nothing
from dashboard.components.table import Column, table
from dashboard.figures import layers as figures

Row = dict[str, object]
_CACHED = (
    "Report the tokens that caches were written and read (gen_ai.usage.cache_*),"
    " and allocation.cache.key on calls that share a prefix."
)
_PLACES_SHOWN = 12
_TRAINED = "State lag, gain and version on the spans of updates (allocation.training.*, docs/telemetry.md): then it is judged."


def caches(view: View) -> Children:
    """Tokens written and read, by model."""
    frame = view.ask("cache_by_model")
    if not len(frame):
        return [nothing(f"No call reports tokens of a cache in this time. {_CACHED}")]
    columns = (
        Column("model", "Model", width=190, grow=1),
        Column("cache_write_tokens", "Written, tokens", "tokens", 140),
        Column("cache_read_tokens", "Read, tokens", "tokens", 140),
        Column("per_written", "Read per written", "quantity", 140),
        Column("hit_rate", "Of its input read from cache", "share", 200),
        Column("calls", "Calls", "count", 90),
    )
    rows = [
        {
            **row,
            "per_written": _ratio(row["cache_read_tokens"], row["cache_write_tokens"]),
            "hit_rate": formats.share(row["cache_read_tokens"], row["whole_input_tokens"]),
        }
        for row in frame
    ]
    days = graph(
        "cache_by_day", figures.cache_by_day(view.ask("cache_by_day"), view.filters.search()), figures.STOCK_PX, "By day."
    )
    return [table("cache_by_model", columns, rows, row_key=("model",)), days]


def _ratio(part: object, whole: object) -> float | None:
    a, b = formats.number(part), formats.number(whole)
    return None if a is None or not b else round(float(a) / float(b), 2)


def writes(view: View) -> Children:
    """Unpaid writes and what is written off, by place."""
    frame = view.ask("cache_writes")
    if not len(frame):
        return [nothing(f"No place that writes to a cache is known yet. {_CACHED}")]
    columns = (
        Column("task_class", "Task class", width=160, grow=1),
        Column("agent", "Agent", width=120),
        Column("written_off_usd", "Written off, USD", "usd", 130),
        Column("unpaid", "Writes not paid back", "count", 160),
        Column("closed", "of closed writes", "count", 130),
        Column("reads_per_write", "Reads a write", "quantity", 120),
        Column("break_even_reads", "Reads that pay it", "quantity", 140),
        Column("hit_said", "Hit rate", "share", 90),
        Column("tenant", "Tenant", width=100),
    )
    rows = [{**row, "hit_said": formats.share(row["hit_rate"], 1)} for row in frame]
    return [table("cache_writes", columns, rows, row_key=("tenant", "task_class", "agent"))]


def assets(view: View) -> Children:
    """What stands in the books for caches and rollouts, and what became of it."""
    frame = view.ask("assets")
    if not len(frame):
        return [
            nothing(f"Nothing was capitalised yet: no write to a cache cost more than fresh input, and no rollouts. {_CACHED}")
        ]
    columns = (
        Column("account", "Asset", "account", grow=2, width=250),
        Column("capitalised_usd", "Capitalised, USD", "usd", 130),
        Column("depreciated_usd", "Used up, USD", "usd", 120),
        Column("written_off_usd", "Written off, USD", "usd", 130),
        Column("carrying_usd", "Left at the end, USD", "usd", 150),
        Column("tenant", "Tenant", width=100),
    )
    total: dict[str, object] = {"account": "Sum"}
    for name in ("capitalised_usd", "depreciated_usd", "written_off_usd", "carrying_usd"):
        total[name] = sum((cast("Decimal", row[name]) for row in frame), Decimal(0))
    explained = (
        "A write to a cache costs a premium: reads that save as much use it up; what no read saved by the end of its lifetime is"
        " written off. Rollouts are used up by the update that learns from them, or written off when it learns less than fades"
        " meanwhile. All of it was billed when it was paid: these amounts are beside the bill and do not change it."
    )
    grid = table(
        "assets", columns, frame, row_key=("tenant", "account"), opens="account", total=total if len(frame) > 1 else None
    )
    return [grid, html.P(explained, className="note")]


def hits(view: View) -> Children:
    """Hit rates by what tasks are worth, by place."""
    frame = view.ask("hits_by_value", limit=None)
    if not len(frame):
        return [nothing(f"Whose prompts the cache serves is not known yet. {_CACHED} And state what tasks are worth (V).")]
    places: dict[tuple[str, str, str], list[Row]] = {}
    for row in frame:
        key = tuple(known_or(cast("str | None", row[name])) for name in ("task_class", "agent", "tenant"))
        places.setdefault((key[0], key[1], key[2]), []).append(row)
    saved = {key: sum(float(formats.number(row["saved_usd"]) or 0) for row in rows) for key, rows in places.items()}
    more = len(places) - _PLACES_SHOWN
    rest = f" The {_PLACES_SHOWN} places that saved most, of {len(places)}; the CSV has every one." if more > 0 else ""
    body = [
        html.Tr(
            [html.Th([task_class, html.Small(f"{agent}, {tenant}")], scope="row"), *map(_hit, places[task_class, agent, tenant])]
        )
        for task_class, agent, tenant in sorted(places, key=lambda key: (-saved[key], key))[:_PLACES_SHOWN]
    ]
    return [
        html.Div(html.Table(html.Tbody(body), className="heat"), className="scrolls", tabIndex=0),
        html.P(
            f"Share of the input read from the cache; V of the tasks: dollars saved, net of what writing cost.{rest}",
            className="note",
        ),
    ]


def _hit(row: Row) -> Component:
    low, high = row["low_usd"], row["high_usd"]
    worth = formats.usd(low) if low == high else f"{formats.usd(low)} to {formats.usd(high)}"
    rate = float(formats.number(row["hit_rate"]) or 0)
    saved = round(float(formats.number(row["saved_usd"]) or 0), 4)
    small = html.Small(f"V {worth.removesuffix('.00')}: {formats.usd(saved)} saved")
    title = f"{formats.count(row['calls'], 'call')} of tasks worth {worth}, saved {formats.usd(saved)}"
    shade = cast("dict[str, object]", {"--strength": f"{rate * 100:.1f}%"})
    return html.Td(html.Span([formats.share(rate, 1), small], className="cell", title=title), className="shaded", style=shade)


def depreciation(view: View) -> Children:
    """δ of what providers' caches hold."""
    frame = view.ask("depreciation", limit=None)
    if not len(frame):
        return [nothing(f"How fast caches lose what they hold is not known yet. {_CACHED}")]
    columns = (
        Column("provider", "Provider", width=140, grow=1),
        Column("tenant", "Tenant", width=120),
        Column("delta", "Lost in an hour (δ)", "share", 150),
        Column("interval", "95 %", "share", 150),
        Column("kept", "Seen to be kept for", width=170, tooltip="as long as anything was seen to be found again"),
        Column("n", "Prefixes sent again", "count", 160),
    )
    rows = [
        {
            "provider": row["provider"],
            "tenant": row["tenant"],
            "n": row["n"],
            "delta": formats.share(row["per_hour"], 1),
            "interval": f"{formats.share(row['low'], 1)} to {formats.share(row['high'], 1)}",
            "kept": _kept(row["lifetime_s"]),
        }
        for row in frame
    ]
    wide = "An interval from 0 to all says that too few prefixes were sent again to tell."
    return [table("depreciation", columns, rows, row_key=("tenant", "provider")), html.P(wide, className="note")]


def _kept(lifetime_s: object) -> str:
    seconds = formats.number(lifetime_s)
    return "no end seen" if seconds is None else formats.duration(float(seconds) * 1000)


def rollouts(view: View) -> Children:
    """Gain of updates by the age of their rollouts."""
    trainers = [_trainer(row) for row in view.ask("trainers", limit=None)]
    frame = view.ask("rollouts_by_lag", limit=None)
    if not len(frame):
        return [*trainers, nothing(f"What rollouts teach by their age is not known yet. {_TRAINED}")]
    figure = figures.gain_by_lag(frame, view.filters.search())
    return [
        *trainers,
        graph("rollouts", figure, figures.ROLLOUTS_PX, "Gain of an update by how many versions old its rollouts were."),
    ]


def _trainer(row: Row) -> Component:
    lost, low, high = (formats.number(row[name]) for name in ("lost", "lost_low", "lost_high"))
    said = formats.UNKNOWN if lost is None or low is None or high is None else f"{lost:.3g} ({low:.3g} to {high:.3g})"
    delta = formats.number(row["delta"])
    fades = formats.UNKNOWN if delta is None else f"{delta:.2%}"
    lost_usd = formats.usd_estimate(row["usd_per_day"], row["low"], row["high"])
    written_off = f"a day written off, on {row['past_the_point'] or 0:,} batches"
    facts = [
        fact(str(known_or(cast("str | None", row["trainer"]))), formats.count(row["updates"], "update"), "ledger.looks"),
        fact(lost_usd, _a_day(row), "usd_per_day of its look", act=bool(row["usd_per_day"])),
        fact(said, "capability lost by age (95 %)", "gain at the usual lag less that at the lag consumed"),
        fact(formats.usd(row["written_off_usd_per_day"]), written_off, "spent on batches that teach less than fades meanwhile"),
        fact(fades, "of capability fades a version (δ)", "told where updates state allocation.training.capability"),
    ]
    return html.Div(facts, className="facts")


def _a_day(row: Row) -> str:
    return "lost a day" if not row["usd_per_day"] else f"lost a day ({formats.usd_interval(row['low'], row['high'])})"


def portfolio(view: View) -> Children:
    """What tokens of each use add to capability, and ways of training as assets with gain and variance."""
    uses, ways = list(view.ask("capability_per_token", limit=None)), list(view.ask("portfolio", limit=None))
    if not uses and not ways:
        return [
            nothing(f"What training tokens bring is not known yet. {_TRAINED} Link updates to the batches that they consumed.")
        ]
    return [*_per_token(uses), *_ways(ways)]


def _per_token(uses: list[Row]) -> Children:
    if not uses:
        return [html.P("Tokens of rollout, reward and update never varied, or too few updates were seen.", className="note")]
    columns = (
        Column("use", "Use", width=110),
        Column("trainer", "Trainer", width=130, grow=1),
        Column("gain", "Capability for a million more", "quantity", 210),
        Column("interval", "95 %", width=190),
        Column("usd_per_million", "A million tokens cost, USD", "usd", 200),
        Column("gain_per_usd", "Capability for a dollar", "quantity", 180),
        Column("verdict", "So far", width=190, grow=1),
    )
    rows = [
        {
            **row,
            "gain": _rounded(row["gain"]),
            "gain_per_usd": _rounded(row["gain_per_usd"]),
            "interval": f"{_signed(row['low'])} to {_signed(row['high'])}",
            "verdict": _verdict(row),
        }
        for row in uses
    ]
    return [
        html.H3("Capability per token: a dollar of each should bring the same (eq. 12)"),
        table("capability_per_token", columns, rows, row_key=("tenant", "trainer", "use")),
    ]


def _verdict(row: Row) -> str:
    low, high = (float(formats.number(row[name]) or 0) for name in ("low", "high"))
    return "adds to it" if low > 0 else "takes from it" if high < 0 else "may be nothing"


def _ways(ways: list[Row]) -> Children:
    if not ways:
        return []
    heading = html.H3("Portfolio: what each way of training gains, and how surely")
    rows = [
        html.Tr(
            [
                html.Th(known_or(cast("str | None", way["method"])) if way["method"] else "way not stated", scope="row"),
                html.Td(_gain(way), className="number"),
                html.Td(f"{float(formats.number(way['variance']) or 0) ** 0.5:.3g}", className="number"),
                html.Td(formats.count(way["updates"], "update"), className="number"),
                html.Td("no other gains more at less variance" if way["is_efficient"] else "another gains more at less variance"),
            ]
        )
        for way in ways
    ]
    head = html.Thead(
        html.Tr([html.Th(name, scope="col") for name in ("Way", "Gain of an update (95 %)", "Its spread", "Seen", "")])
    )
    only = (
        [html.P("One way only: state allocation.training.method on updates to compare ways.", className="note")]
        if len(ways) == 1
        else []
    )
    return [heading, html.Div(html.Table([head, html.Tbody(rows)], className="options"), className="scrolls", tabIndex=0), *only]


def _gain(way: Row) -> str:
    low, high = _limits(way)
    return f"{_signed(way['gain'])} ({_signed(low)} to {_signed(high)})"


def _limits(way: Row) -> tuple[float, float]:
    gain, half = float(formats.number(way["gain"]) or 0), 1.96 * _error(way)
    return gain - half, gain + half


def _error(way: Row) -> float:
    return (float(formats.number(way["variance"]) or 0) / float(formats.number(way["updates"]) or 1)) ** 0.5


def _signed(value: object) -> str:
    rounded = _rounded(value)
    return formats.UNKNOWN if rounded is None else f"{rounded:g}".replace("-", "−", 1)


def _rounded(value: object) -> float | None:
    amount = formats.number(value)
    return None if amount is None else float(f"{float(amount):.3g}")
