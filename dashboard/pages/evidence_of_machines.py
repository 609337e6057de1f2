"""Evidence of findings about shared engines, training and caches."""

from typing import cast

from dash import html

from dashboard import formats
from dashboard.components.marks import graph
from dashboard.components.panel import Children, View
from dashboard.components.plain_table import plain_table
from dashboard.figures import layers
from dashboard.figures.evidence import LATER_PX, if_later
from dashboard.frame import Frame
from dashboard.pages.evidence_of_choices import downstream
from dashboard.pages.evidence_words import Detail, between, heading, mapping, number, plain, rows_of


def congestion(view: View, detail: Detail) -> Children:
    """Who waits, what would be left if the requests came later, and a test that knows nothing of the replay."""
    victims = mapping(detail.get("victims"))
    waiting = [(f"own {name}", mapping(of)) for name, of in mapping(victims.get("own")).items()]
    waiting.append(("all other tenants", mapping(victims.get("other_tenants"))))
    waiting.sort(key=lambda one: -(number(one[1].get("usd_per_day")) or 0.0))
    said: Children = [
        plain_table(
            "Who waits for these requests",
            ["Whose requests wait", "Seconds a day", "Worth to them, USD a day"],
            [
                [name, plain(of.get("delay_s_per_day"), 4), formats.usd(number(of.get("usd_per_day")))]
                for name, of in waiting
                if of
            ],
        )
    ]
    task = number(detail.get("usd_per_task"))
    if task is not None:
        said.append(html.P(f"One of these tasks costs others {formats.usd(task)} on average: what it would have to be charged."))
    hours = rows_of(detail.get("if_later"), "hours", "usd_per_day")
    if hours:
        figure = if_later(hours, view.filters.search())
        said += [
            heading("What would be left of it if they came later"),
            graph("finding_later", figure, LATER_PX, f"USD a day by hours later, 1 to {len(hours)}."),
        ]
    return [*said, *_fingerprint(mapping(detail.get("fingerprint"))), *_engine(detail)]


def _fingerprint(found: Detail) -> Children:
    if not found:
        return []
    slope = f"{plain(found.get('s_per_thousand_tokens'))} s ({between(found.get('low'), found.get('high'))})"
    words = f"Shorter requests of others take {slope} longer for every thousand tokens of these in the same five minutes"
    verdict = (
        "so the delay shows without any model of the engine" if found.get("verdict") == "found" else "which is not enough to tell"
    )
    why = f" ({found['why']})" if found.get("why") else ""
    return [
        heading("The same, told from latencies alone"),
        html.P(f"{words}, {verdict}{why}: {plain(found.get('windows'), 6)} windows, p = {plain(found.get('p'), 2)}."),
    ]


def _engine(detail: Detail) -> Children:
    engine, drafting = mapping(detail.get("engine")), mapping(detail.get("speculation"))
    if not engine:
        return []
    step, more = number(engine.get("step_s")), number(engine.get("step_per_sequence_s"))
    words = f"The engine, fitted to {plain(engine.get('requests'), 9)} requests: a decode step takes {_ms(step)}"
    words += f", and {_ms(more)} more for each request that is served beside" if more else ""
    misfit = number(engine.get("misfit"))
    words += f"; the fit is {misfit:.1%} off.".replace("%", " %") if misfit is not None else "."
    said: Children = [heading("The engine"), html.P(words)]
    if drafting.get("answer"):
        answer = str(drafting["answer"])
        said.append(html.P(f"Drafting ahead: {answer}.", className="note"))
    return said


def _ms(seconds: float | None) -> str:
    return formats.duration(None if seconds is None else seconds * 1000)


def rollouts(view: View, detail: Detail) -> Children:
    """What updates gained by the age of their rollouts, what was spent on those past the point, and what tokens bring."""
    lags = rows_of(detail.get("by_lag"), "lag", "updates", "gain", "fitted")
    said: Children = []
    if lags:
        frame = Frame(
            ("subject", "lag", "updates", "gain", "fitted"),
            tuple(("this trainer", *(number(row.get(name)) for name in ("lag", "updates", "gain", "fitted"))) for row in lags),
        )
        said += [
            heading("What an update gains by the age of its rollouts"),
            graph("finding_lags", layers.gain_by_lag(frame, view.filters.search()), layers.ROLLOUTS_PX, "Gain by versions old."),
            html.P(
                "Dots: means of updates. The line: the curve fitted to them, the trend over time held fixed.", className="note"
            ),
        ]
    lost = [number(end) for end in _list(detail.get("capability_lost"))]
    if len(lost) == 3:
        said.append(html.P(f"Capability lost since: {plain(lost[0])} ({between(lost[1], lost[2])}, 95 %)."))
    past, spent = number(detail.get("past_the_point")), number(detail.get("spent_past_the_point_usd_per_day"))
    if past is not None:
        words = f"{formats.count(past, 'update')} gained less than what faded meanwhile"
        said.append(html.P(f"{words}; {formats.usd(spent)} a day were spent on their batches."))
    margins = rows_of(detail.get("marginals"))
    if margins:
        rows = [
            [str(row.get("use")), formats.usd(number(row.get("usd"))), plain(row.get("gain_per_usd")),
             between(row.get("low"), row.get("high"))]
            for row in margins
        ]  # fmt: skip
        said += [
            heading("What a dollar more brings"),
            plain_table(
                "In gained capability, by what it is spent on", ["Spent on", "So far, USD", "Gain per USD", "95 % interval"], rows
            ),
        ]
    named = [row for row in rows_of(detail.get("frontier")) if row.get("method")]
    if named:
        rows = [
            [str(row["method"]), plain(row.get("gain")), plain(row.get("variance")), plain(row.get("updates"), 9)]
            for row in named
        ]
        said.append(plain_table("By method of training", ["Method", "Mean gain", "Variance", "Updates"], rows))
    return said


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def cache(_view: View, detail: Detail) -> Children:
    """What became of writes, why hits were missed, how often tasks of each value hit, and how long prefixes live."""
    said: Children = downstream(detail)
    causes = sorted(mapping(detail.get("causes")).items(), key=lambda one: -(number(one[1]) or 0.0))
    if causes:
        rows = [[_CAUSES.get(name, name), plain(calls, 9)] for name, calls in causes]
        said.append(plain_table("Why what was sent before was not read from the cache", ["Cause", "Calls"], rows))
    said += _writes(mapping(detail.get("writes")))
    bands = rows_of(detail.get("hit_rate_by_value"))
    if bands:
        rows = [
            [_worth(row), plain(row.get("calls"), 9), formats.share(number(row.get("hit_rate")), 1),
             formats.usd(number(row.get("saved_usd")))]
            for row in bands
        ]  # fmt: skip
        heads = ["Tasks worth, USD", "Calls", "Of their input read from cache", "Saved less premiums, USD"]
        said.append(plain_table("What the cache did, by what the task was worth", heads, rows))
    lives = [(name, mapping(of)) for name, of in mapping(detail.get("depreciation")).items()]
    if lives:
        rows = [[name, _range(of.get("per_hour")), plain(of.get("n"), 9)] for name, of in lives]
        heads = ["Provider", "Lost of what is stored, a hour (95 %)", "Prefixes sent again"]
        said.append(plain_table("How fast stored prefixes are lost", heads, rows))
    return said


_CAUSES = {
    "caching off": "caching is off for these calls",
    "prefix unstable": "the prompt begins with something that changes",
    "upstream switched": "the call went to another upstream",
    "upstream never caches": "the upstream does not cache",
    "expired just before": "the stored prefix had just expired",
}


def _writes(writes: Detail) -> Children:
    closed = number(writes.get("closed"))
    if not closed:
        return []
    unpaid, reads, needed = (plain(writes.get(name), 6) for name in ("unpaid", "reads_per_write", "break_even_reads"))
    premium, saved = (formats.usd(number(writes.get(name))) for name in ("premium_usd", "saved_usd"))
    return [
        html.P(
            [
                f"Of {formats.count(closed, 'write')} whose time is over, {unpaid} were not repaid by reads. In the whole time",
                f" looked at, premiums of {premium} were paid and {saved} saved by reading. A write is read {reads} times;",
                f" {needed} would pay it.",
            ]
        )
    ]


def _worth(band: Detail) -> str:
    low, high = number(band.get("low_usd")), number(band.get("high_usd"))
    if low is None:
        return "not known"
    return formats.usd(low) if high is None or high == low else f"{formats.usd(low)} to {formats.usd(high)}"


def _range(ends: object) -> str:
    found = [number(end) for end in _list(ends)]
    if len(found) != 3 or found[0] is None:
        return formats.UNKNOWN
    shares = [formats.share(end, 1) for end in found]
    return f"{shares[0]} ({shares[1]} to {shares[2]})"
