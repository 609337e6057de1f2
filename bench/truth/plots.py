"""Pictures of the simulation for docs/methods.md. Needs matplotlib, which nothing else here does: `pip install --group bench`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.truth.effects import Row

_INK, _PALE, _WARN = "#1f4e79", "#9db8d2", "#b3541e"


def draw_plots(rows: Sequence[Row], folder: Path) -> None:
    """Coverage and bias of every case, and power, as SVG files in a folder."""
    mpl: Any = import_module("matplotlib")  # by name, so that type checking needs no matplotlib either
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "pigou", "svg.fonttype": "none", "font.size": 7, "font.family": "sans-serif"})
    answered = [row for row in rows if row.answered > 0.5 and row.case.kind in {"cover", "bound", "shown"}]
    _coverage(answered, folder / "effects-coverage.svg")
    _bias(answered, folder / "effects-bias.svg")
    _power([row for row in answered if row.case.kind == "cover"], folder / "effects-power.svg")


def _axes(height: float) -> tuple[Any, Any]:
    plt: Any = import_module("matplotlib.pyplot")
    figure, axes = plt.subplots(figsize=(7, height), layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _coverage(rows: Sequence[Row], path: Path) -> None:
    figure, axes = _axes(0.6 + 0.14 * len(rows))
    places = range(len(rows), 0, -1)
    axes.axvspan(93, 97, color="#e3ecf4", lw=0)
    axes.scatter([100 * row.naive for row in rows], places, s=9, marker="x", color=_WARN, label="comparison of means")
    colours = [_PALE if row.case.kind == "shown" else _INK for row in rows]
    axes.scatter([100 * row.coverage for row in rows], places, s=12, color=colours, label="this estimator")
    axes.set_yticks(list(places), [row.case.title for row in rows])
    axes.set_xlabel("95 % intervals that cover the truth, %")
    axes.legend(loc="lower left", frameon=False)
    _save(figure, path)


def _bias(rows: Sequence[Row], path: Path) -> None:
    figure, axes = _axes(0.6 + 0.14 * len(rows))
    places = range(len(rows), 0, -1)
    axes.axvline(0, color=_PALE, lw=1)
    axes.scatter([row.bias / row.width for row in rows], places, s=12, color=_INK)
    axes.set_yticks(list(places), [row.case.title for row in rows])
    axes.set_xlim(-0.6, 0.6)
    axes.set_xlabel("bias, in widths of the interval")
    _save(figure, path)


def _power(rows: Sequence[Row], path: Path) -> None:
    figure, axes = _axes(3.2)
    some = [row for row in rows if row.width > 0]
    axes.scatter([abs(row.case.truth()) / row.width for row in some], [100 * row.excluded for row in some], s=14, color=_INK)
    axes.axhline(5, color=_PALE, lw=1)
    axes.set_xlim(-0.02, 1.6)
    axes.set_xlabel("true effect, in widths of the interval")
    axes.set_ylabel("intervals that exclude zero, %")
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    plt: Any = import_module("matplotlib.pyplot")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
