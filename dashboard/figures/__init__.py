"""Figures as pure functions: a frame in, a plotly figure out.

A figure is the plain `{"data": …, "layout": …}` that plotly draws, not a `graph_objects.Figure`: the same picture without loading
plotly's Python classes into the page's process (11 MB and a third of a second, measured). The tests read every figure with
`graph_objects`, which refuses what is not valid.

Text, grid and background take their colours from the style sheet, so that dark and light need no second figure.
"""

from dashboard.figures.paper import Figure

__all__ = ["Figure"]
