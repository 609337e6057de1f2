"""The waterfall of one trace: spans in the order of their tree, each with its place in time and its money.

Drawn as rows of a grid that only renders what is in sight, so that thousands of spans scroll as smoothly as ten.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import cast

from dashboard.frame import Frame

_SMALLEST_PERCENT = 0.15  # a bar narrower than this could not be seen


@dataclass(frozen=True, slots=True)
class Bar:
    """One span of the waterfall; its percentages are of the trace's time.

    `cost_below_usd` is its own cost with that of everything under it, None where none of it has a price.
    """

    row: int
    depth: int
    left_percent: float
    width_percent: float
    cost_below_usd: Decimal | None
    children: int
    detached: bool  # its parent never arrived
    span: dict[str, object]


def waterfall(frame: Frame) -> list[Bar]:
    """The spans of `trace_spans` in the order of their tree, siblings by time. Linear in the number of spans.

    A span whose parent is not in the frame stands at the top, marked as detached; spans that are each other's parents too.
    """
    spans = list(frame)
    if not spans:
        return []
    begun = min(cast(datetime, span["started_at"]) for span in spans)
    # What was only said of the trace later, such as an outcome, would press everything else into a corner.
    drawn = [span for span in spans if span["signal"] != "log"] or spans
    lasted = max(cast(datetime, span["ended_at"]) for span in drawn) - begun
    children = _children(spans)
    order = list(_in_tree_order(spans, children))
    below = _cost_below(spans, order)
    return [
        Bar(
            row=row,
            depth=depth,
            left_percent=_percent(cast(datetime, spans[index]["started_at"]) - begun, lasted),
            width_percent=max(
                _percent(cast(datetime, spans[index]["ended_at"]) - cast(datetime, spans[index]["started_at"]), lasted),
                _SMALLEST_PERCENT,
            ),
            cost_below_usd=below[index],
            children=len(children.get(index, ())),
            detached=depth == 0 and spans[index]["parent_span_id"] is not None,
            span=spans[index],
        )
        for row, (index, depth, _) in enumerate(order)
    ]


def _children(spans: list[dict[str, object]]) -> dict[int, list[int]]:
    """Indices of each span's children by its own index; the key None of the trees' roots is -1."""
    place: dict[object, int] = {}
    for index, span in enumerate(spans):
        place.setdefault(span["span_id"], index)
    children: dict[int, list[int]] = {}
    for index, span in enumerate(spans):
        parent = place.get(span["parent_span_id"], -1)
        children.setdefault(-1 if parent == index else parent, []).append(index)
    return children


def _in_tree_order(spans: list[dict[str, object]], children: dict[int, list[int]]) -> Iterator[tuple[int, int, int]]:
    """Index, depth and parent's index of every span, parents first.

    What hangs on no root (a circle) follows as roots of its own.
    """
    seen = [False] * len(spans)
    for start in (*children.get(-1, ()), *range(len(spans))):
        waiting = [(start, 0, -1)]
        while waiting:
            index, depth, parent = waiting.pop()
            if seen[index]:
                continue
            seen[index] = True
            yield index, depth, parent
            waiting.extend((child, depth + 1, index) for child in reversed(children.get(index, ())))


def _cost_below(spans: list[dict[str, object]], order: list[tuple[int, int, int]]) -> list[Decimal | None]:
    """Each span's cost with all spans under it; None where nothing under it has a price."""
    below = [cast("Decimal | None", span["cost_usd"]) for span in spans]
    for index, _, parent in reversed(order):
        cost, above = below[index], below[parent] if parent >= 0 else None
        if parent >= 0 and cost is not None:
            below[parent] = cost + (above or 0)
    return below


def _percent(part: timedelta, whole: timedelta) -> float:
    """A share of the time drawn; what is beyond it stands at its end."""
    return round(max(0.0, min(part / whole, 1.0)) * 100, 3) if whole else 0.0
