"""A bill beside the one before: how price, volume and mix lead from one to the other."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from dashboard import formats, theme
from dashboard.figures.paper import Figure, paper
from dashboard.frame import Frame

EFFECTS = ("price_usd", "volume_usd", "mix_usd")
_SUMMED = ("amount_usd", "former_usd", "change_usd", *EFFECTS)
_UP, _DOWN = theme.SERIES[0], theme.SERIES[2]


@dataclass(frozen=True, slots=True)
class Bill:
    """Two sums in USD, and the effects that lead from the former to this one, exactly."""

    amount_usd: Decimal
    former_usd: Decimal
    change_usd: Decimal
    price_usd: Decimal
    volume_usd: Decimal
    mix_usd: Decimal


def whole_bill(rows: Iterable[dict[str, object]]) -> Bill:
    """The sums of lines of `bill`."""
    lines = list(rows)
    return Bill(*(sum((cast(Decimal, row[name]) for row in lines), Decimal(0)) for name in _SUMMED))


def by_model(frame: Frame) -> list[dict[str, object]]:
    """The lines of `bill` summed by provider and model, the largest change first."""
    groups: dict[tuple[str, str], list[dict[str, object]]] = {}
    for row in frame:
        groups.setdefault((str(row["provider"]), str(row["model"])), []).append(row)
    summed: list[dict[str, object]] = []
    for (provider, model), rows in groups.items():
        bill = whole_bill(rows)
        sums = {name: getattr(bill, name) for name in _SUMMED}
        note = "new" if not bill.former_usd and bill.amount_usd else "gone" if bill.former_usd and not bill.amount_usd else ""
        summed.append({"provider": provider, "model": model, **sums, "note": note})
    return sorted(summed, key=lambda row: (-abs(cast(Decimal, row["change_usd"])), str(row["model"]), str(row["provider"])))


def bridge(bill: Bill, before: str, now: str, key: str) -> Figure:
    """From the former bill to this one: what each effect added or took. `before` and `now` name the two periods."""
    steps: list[tuple[str, Decimal, Decimal, str]] = [(before, Decimal(0), bill.former_usd, theme.COMPUTE)]
    level = bill.former_usd
    for label, usd in (("Price", bill.price_usd), ("Volume", bill.volume_usd), ("Mix", bill.mix_usd)):
        steps.append((label, level, usd, _UP if usd >= 0 else _DOWN))
        level += usd
    steps.append((now, Decimal(0), bill.amount_usd, theme.COMPUTE))
    said = [formats.usd(usd) if base == 0 and color == theme.COMPUTE else _signed(usd) for _, base, usd, color in steps]
    trace: dict[str, object] = {
        "type": "bar",
        "x": [label for label, _, _, _ in steps],
        "y": [float(usd) for _, _, usd, _ in steps],
        "base": [float(base) for _, base, _, _ in steps],
        "text": said,
        "textposition": "outside",
        "textfont": {"size": 12},
        "constraintext": "none",
        "cliponaxis": False,
        "marker": {"color": [color for _, _, _, color in steps], "line": {"width": 0}},
        "hovertemplate": "%{x}<br>%{text}<extra></extra>",
        "width": 0.62,
    }
    layout = paper(key)
    edges = [float(end) for _, base, usd, _ in steps[1:-1] for end in (base, base + usd)] or [0.0]
    ends = [float(bill.former_usd), float(bill.amount_usd), *edges]
    layout["yaxis"] = _axis(min(ends), max(ends))
    layout["xaxis"] = {"type": "category", "showgrid": False, "zeroline": False, "showline": False, "fixedrange": True}
    layout["margin"] = {"l": 8, "r": 8, "t": 30, "b": 36}
    return {"data": [trace], "layout": layout}


def _axis(low: float, high: float) -> dict[str, object]:
    """Dollars from zero up, unless a step goes below it."""
    room = (high - min(low, 0.0)) * 0.12 or 1.0
    return {
        "range": [min(low, 0.0) - (room if low < 0 else 0.0), high + room], "tickprefix": "$", "separatethousands": True,
        "nticks": 5, "fixedrange": True, "zeroline": False, "showline": False, "automargin": True,
    }  # fmt: skip


def _signed(usd: Decimal) -> str:
    return f"+{formats.usd(usd)}" if usd > 0 else formats.usd(usd)
