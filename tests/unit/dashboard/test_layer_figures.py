"""Team production and the vectors of layers as functions of frames."""

from __future__ import annotations

import math
from typing import Any, cast

import plotly.graph_objects as go
import pytest

from dashboard import theme
from dashboard.figures import Figure, production, vector
from dashboard.frame import Frame

HOSTILE = "<b>\u202e"
PRODUCED = (
    "tenant",
    "task_class",
    "use",
    "tasks",
    "usd_per_task",
    "net_per_usd",
    "net_low",
    "net_high",
    "settled_by",
    "equal_p",
    "complements",
)
REALISED = ("layer", "tasks", "value_usd", "cost_usd", "latency_usd", "risk_usd", "net_usd")
TERMS = ("layer", "value_usd", "cost_usd", "latency_usd", "risk_usd")
REGRET = ("layer", "usd_per_day", "low_usd_per_day", "high_usd_per_day")
FOUND = ("layer", "mode", "usd_per_day", "below_usd", "above_usd")


def read(figure: Figure) -> dict[str, Any]:
    """The figure as plotly understands it. Raises: ValueError when any part of it is not valid."""
    return cast("dict[str, Any]", go.Figure(figure).to_dict())


# ── production ───────────────────────────────────────────────────────────────────────────────────────


def of_use(use: str, net: tuple[float, float, float] | None, **other: object) -> tuple[object, ...]:
    limits = dict(zip(("net_per_usd", "net_low", "net_high"), net or (None, None, None), strict=True))
    row: dict[str, object] = {"tenant": "acme", "task_class": HOSTILE, "use": use, "tasks": 300, "usd_per_task": 0.01}
    row |= {"settled_by": None, "equal_p": 0.04, "complements": {}, **limits, **other}
    return tuple(row[name] for name in PRODUCED)


@pytest.mark.parametrize(
    ("net", "verdict"),
    [((18.0, 5.0, 32.0), "starved"), ((-3.0, -9.0, -0.1), "bloated"), ((2.0, -1.0, 5.0), "fits"), (None, "unknown")],
)
def test_a_use_is_judged_by_whether_its_next_dollar_is_clear_of_a_dollar(
    net: tuple[float, float, float] | None, verdict: str
) -> None:
    (made,) = production.classes_of(Frame(PRODUCED, (of_use("verify", net),)))
    assert made.uses[0].verdict == verdict
    assert made.is_known == (net is not None)


def test_bars_begin_at_the_dollar_that_is_spent() -> None:
    made = production.classes_of(Frame(PRODUCED, (of_use("verify", (18.0, 5.0, 32.0)), of_use("act", (0.0, -1.0, 1.0)))))
    figure = read(production.production(made, "k"))
    act, verify = figure["data"]
    one = math.asinh(1) / math.log(10)
    assert (verify["base"], act["base"]) == ([one], [one])
    assert verify["base"][0] + verify["x"][0] == pytest.approx(math.asinh(19) / math.log(10))
    assert act["x"] == pytest.approx([0.0]), "it brings the dollar back: no bar is left"
    assert verify["base"][0] + verify["x"][0] - verify["error_x"]["arrayminus"][0] == pytest.approx(math.asinh(6) / math.log(10))
    assert (verify["marker"]["color"], act["marker"]["color"]) == (theme.ACCENT, theme.COMPUTE)
    assert HOSTILE not in str(figure)
    low, high = figure["layout"]["xaxis"]["range"]
    assert low < math.asinh(-0.0)
    assert high > math.asinh(33) / math.log(10)


def test_classes_that_are_known_come_first_and_pairs_are_told_by_their_intervals() -> None:
    sure, unsure = {"low": 0.01, "high": 0.2}, {"low": -0.1, "high": 0.2}
    rows = (
        of_use("act", None, task_class="a", usd_per_task=9.0, settled_by="state it", equal_p=None),
        of_use("read", (1.0, -1.0, 2.0), task_class="b", complements={"verify": sure, "act": unsure}),
        of_use("verify", (1.0, -1.0, 2.0), task_class="b", complements={"read": sure}),
        of_use("plan", (1.0, -1.0, 2.0), task_class="b", complements={"act": {"low": -0.4, "high": -0.1}}),
    )
    first, second = production.classes_of(Frame(PRODUCED, rows))
    assert (first.task_class, first.together, first.instead) == ("b", ("read and verify",), ("plan and act",))
    assert [use.use for use in first.uses] == ["read", "plan", "verify"]
    assert (second.task_class, second.is_known, second.settled_by) == ("a", False, "state it")


# ── the vectors of layers ────────────────────────────────────────────────────────────────────────────


def test_a_layers_vector_is_what_was_realised_and_what_would_have_been_better() -> None:
    demand, action, supply, capital = vector.vectors_of(
        Frame(REALISED, (("demand", 12, 100.0, 20.0, 3.0, 5.0, 72.0), ("supply", 9, 50.0, 9.0, 8.0, 1.0, 32.0))),
        Frame(TERMS, (("demand", 6.0, -2.0, 0.5, None),)),
        Frame(REGRET, (("demand", 7.5, 5.5, 10.5), ("action", None, None, None))),
        Frame(FOUND, (("supply", "serving_congestion", 4.0, 1.0, 2.0), ("capital", "stale_rollouts", 3.0, 0.5, 0.5))),
    )
    assert (demand.realised["net_usd"], demand.changes["value_usd"].usd, demand.changes["cost_usd"].usd) == (72.0, 6.0, -2.0)
    assert "risk_usd" not in demand.changes, "what is not known changes nothing"
    assert demand.gain == vector.Change(7.5, 5.5, 10.5)
    assert action.is_empty
    assert supply.changes["latency_usd"] == vector.Change(-4.0, -6.0, -3.0), "less delay: its limits change places"
    assert supply.gain == vector.Change(4.0, 3.0, 6.0)
    assert (capital.tasks, capital.changes["value_usd"]) == (0, vector.Change(3.0, 2.5, 3.5))


def test_losses_of_decisions_and_others_add_up_and_their_errors_in_squares() -> None:
    *_, capital = vector.vectors_of(
        Frame(REALISED, ()),
        Frame(TERMS, (("capital", 40.0, -4.0, 0.0, 0.0),)),
        Frame(REGRET, (("capital", 44.0, 41.0, 47.0),)),
        Frame(FOUND, (("capital", "stale_rollouts", 8.0, 4.0, 4.0),)),
    )
    assert capital.changes["value_usd"] == vector.Change(48.0), "of decisions' terms no limits are known"
    assert capital.gain == vector.Change(52.0, 47.0, 57.0)
