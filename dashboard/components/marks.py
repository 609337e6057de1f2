"""Small marks in text: figures with their unit, bars as wide as a share, swatches, links that filter."""

from collections.abc import Sequence

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats, theme
from dashboard.components.labelled import labelled
from dashboard.figures import Figure


def fact(said: str, label: str, source: str, act: bool = False) -> Component:
    """One figure with what it counts below it; under the pointer, where it comes from."""
    return html.Div(
        [html.Span(said, className="fact-number act" if act else "fact-number"), html.Span(label, className="fact-label")],
        className="fact",
        title=source,
    )


def sentence(parts: Sequence[Component | str], act: bool = False) -> Component:
    """One line of a list of findings; `act` marks the ones that somebody should do something about."""
    return html.Li(list(parts), className="act" if act else "")


def share_row(
    label: str,
    amount: str,
    share_of_all: str,
    width: float,
    href: str | None,
    title: str,
    color: str = theme.COMPUTE,
    muted: bool = False,
) -> Component:
    """A value of a dimension with its dollars as a thin bar; clicking it narrows the page to it. `width` is between 0 and 1."""
    inside = [
        html.Span(label, className="share-label"),
        html.Span(amount, className="share-amount"),
        html.Span(share_of_all, className="share-percent"),
        html.Span(
            html.Span(style={"width": f"{max(0.0, min(width, 1.0)) * 100:.2f}%", "background": color}), className="share-bar"
        ),
    ]
    name = "share-row muted" if muted else "share-row"
    if href is None:
        return html.Div(inside, className=name, title=title)
    return dcc.Link(inside, href=href, className=name, title=title)


def interval_bar(value: object, low: object, high: object, reach: float) -> Component:
    """A thin bar from 0 to a value, with a line over its interval; `reach` is the whole width, in the same unit."""
    usd, bottom, top = (float(formats.number(end) or 0) for end in (value, low, high))
    whole = reach or 1.0
    whisker = {"left": f"{max(bottom, 0) / whole * 100:.2f}%", "width": f"{max(top - max(bottom, 0), 0) / whole * 100:.2f}%"}
    bar = {"left": "0", "width": f"{max(usd, 0) / whole * 100:.2f}%"}
    return html.Span(
        [html.Span(className="net", style=bar), html.Span(className="whisker", style=whisker)], className="from-zero"
    )


def spark(values: Sequence[float | None], said: str, color: str | None = None) -> Component:
    """Small bars beside a sentence, one per step of time; `said` is for those who do not see them. Without a value: no bar."""
    most = max([*(value for value in values if value is not None), 1e-9])
    own = {"background": color} if color else {}
    bars = [
        html.Span(style={"visibility": "hidden"} if value is None else {"height": f"{max(value, 0) / most * 100:.0f}%", **own})
        for value in values
    ]
    return labelled(html.Span(bars, className="spark-bars", role="img", title=said), said)


def series_row(color: str, label: str, amount: str, share_of_all: str, title: str = "", href: str | None = None) -> Component:
    """A series of a figure beside it: its shade, name and sum, in place of a legend; a link where it can be narrowed to."""
    inside = [
        swatch(color),
        html.Span(label, className="share-label"),
        html.Span(amount, className="share-amount"),
        html.Span(share_of_all, className="share-percent"),
    ]
    if href is None:
        return html.Div(inside, className="series-row", title=title)
    return dcc.Link(inside, href=href, className="series-row", title=title)


def swatch(color: str) -> Component:
    """A small square of a series' colour, in place of a legend."""
    return html.Span(className="swatch", style={"background": color})


def graph(name: str, figure: Figure, height_px: int, said: str) -> Component:
    """A figure with a text for those who do not see it. Its height is fixed, so that nothing jumps when it is redrawn."""
    drawing = dcc.Graph(
        id={"type": "graph", "name": name},
        figure=figure,
        config={"displayModeBar": False, "responsive": True, "doubleClick": False, "showTips": False},
        style={"height": height_px},
    )
    room = {"minHeight": height_px}  # before the script that draws has come, too
    return labelled(html.Div(drawing, className="graph", role="img", style=room), said)


def help_on(term: str, explanation: str) -> Component:
    """A term whose meaning is shown when it is pointed at, touched or reached by the keyboard."""
    return dmc.Tooltip(
        html.Span(term, className="term", tabIndex=0),
        label=explanation,
        multiline=True,
        w=280,
        withArrow=True,
        events={"hover": True, "focus": True, "touch": True},
        boxWrapperProps={"style": {"display": "inline-block"}},  # within a sentence
    )


def with_code(sentence: str) -> list[Component | str]:
    """A sentence whose parts between backticks are commands."""
    return [html.Code(part) if odd % 2 else part for odd, part in enumerate(sentence.split("`"))]


def known_or(value: str | None) -> str:
    """A value of a dimension, or what its absence is called."""
    return value if value is not None else "not attributed"


def percent_of(part: object, whole: object) -> float:
    """A share between 0 and 1 for a bar's width; 0 where either is unknown."""
    a, b = formats.number(part), formats.number(whole)
    return float(a) / float(b) if a is not None and b else 0.0
