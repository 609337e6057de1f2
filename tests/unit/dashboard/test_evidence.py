"""What a finding rests on, said of each mode's evidence: words, tables and figures, and nothing that stops at what is missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import plotly.graph_objects as go
import pytest

from dashboard.books import Books
from dashboard.components.panel import Children, View
from dashboard.figures.evidence import if_later, regret_curve
from dashboard.filters import Filters
from dashboard.pages.evidence_of_choices import delegation, routing, verification
from dashboard.pages.evidence_of_machines import cache, congestion, rollouts
from dashboard.pages.evidence_words import Detail

HOSTILE = "<script>alert(2)</script>\u202e"
Told = Callable[[View, Detail], Children]
ESTIMATE = {"value": 2.3234, "low": 1.3132, "high": 4.0556, "status": "identified", "why": ""}
DETAILS: dict[Told, Detail] = {
    routing: {
        "best": "small", "chosen": HOSTILE, "chosen_cost_usd": 0.0868, "best_cost_usd": 0.0111,
        "downstream": {"usd_per_day": 0.5, "low": 0.1, "high": 0.9},
        "regret_curve": [
            {"day": f"2026-11-1{day}", "usd": 1.0, "cumulative_usd": 1.0 + day, "cumulative_high_usd": 2.0 + day}
            for day in range(3)
        ],
        "frontier": [{"scale": None, "quality": 0.92, "cost_usd": 0.05}, {"scale": 1.0, "quality": 0.91, "cost_usd": 0.01}],
        "menu": {
            "why": "", "types": [{"type": "below 1 USD", "v_usd": 0.4, "option": "small"}],
            "offers": [{"option": "small", "quality": 0.91, "price_usd": 0.36}], "full_prices_usd": {"small": 0.03, HOSTILE: 0.1},
            "would_choose_otherwise_at_full_prices": [],
        },
    },
    verification: {
        "strata": [{"band": "", "chosen": "0", "passes": [
            {"option": "0", "n": 200, "quality": 0.8, "cost_usd": 0.1, "risk_usd": 0.3, "net_usd": 2.0},
            {"option": "1", "n": 20, "quality": 0.99, "cost_usd": 0.1, "risk_usd": 0.0, "net_usd": 9.0},
            {"option": "2", "n": 200, "quality": 0.9, "cost_usd": 0.2, "risk_usd": 0.1, "net_usd": 2.5},
        ]}],
        "marginal_product": {"net_per_usd": ESTIMATE, "dollars_per_task": 0.004}, "checks": {"passes": 8, "failed": 3},
    },
    delegation: {
        "schedule": [{
            "action_class": HOSTILE, "now": {"none": 0.8, "human": 0.2}, "recommended": "human", "is_reversible": False,
            "why": "loss",
            "borne": [{"confirmation": "none", "actions": 552, "expected_loss_usd": ESTIMATE, "worst_twentieth_usd": None}],
        }],
    },
    congestion: {
        "victims": {"own": {HOSTILE: {"usd_per_day": 1.9, "delay_s_per_day": 958.0}},
                    "other_tenants": {"usd_per_day": 7.64, "delay_s_per_day": 5427.8}},
        "if_later": [{"hours": 1, "usd_per_day": 9.2}, {"hours": 2, "usd_per_day": 7.5}], "usd_per_task": 0.11,
        "fingerprint": {"verdict": "found", "s_per_thousand_tokens": 0.044, "low": 0.04, "high": 0.047, "p": 0.002,
                        "windows": 1969},
        "engine": {"requests": 10_016, "step_s": 0.03, "step_per_sequence_s": 0.0002, "misfit": 0.0007},
        "speculation": {"answer": "off from 8,000 tokens on"},
    },
    rollouts: {
        "by_lag": [{"lag": 1.0, "updates": 64, "gain": 0.0026, "fitted": 0.0025}], "capability_lost": [0.384, 0.356, 0.413],
        "past_the_point": 72, "spent_past_the_point_usd_per_day": 0.469,
        "marginals": [{"use": "rollout", "usd": 0.22, "gain_per_usd": 0.04, "low": -0.05, "high": 0.07}],
        "frontier": [{"method": HOSTILE, "gain": 0.1, "variance": 0.2, "updates": 3}],
    },
    cache: {
        "causes": {"caching off": 716, HOSTILE: 2},
        "writes": {"closed": 974, "unpaid": 974, "premium_usd": 17.19, "saved_usd": 0.0, "reads_per_write": 0.0,
                   "break_even_reads": 0.28},
        "hit_rate_by_value": [{"calls": 744, "low_usd": 6.0, "high_usd": 6.0, "hit_rate": 0.0, "saved_usd": -12.59}],
        "depreciation": {HOSTILE: {"n": 222, "per_hour": [0.1, 0.05, 0.2]}},
    },
}  # fmt: skip
WORDS: dict[Told, tuple[str, ...]] = {
    routing: ("$0.0868", "$0.50 ($0.10 to $0.90)", "below 1 USD", "$0.36"),
    verification: ("value not known", "2 checks", "$2.3 ($1.3 to $4.1)", "8 checks were made", "20 decisions"),
    delegation: ("without asking anybody in 80", "by a person in 20", "It cannot be undone", "$1.31 to $4.06"),
    congestion: ("all other tenants", "5,428", "$0.11", "0.044 s (0.04 to 0.047)", "1,969 windows"),
    rollouts: ("0.384 (0.356 to 0.413, 95 %)", "72 updates", "$0.469", "-0.05 to 0.07"),
    cache: ("caching is off", "974 writes", "$17.19", "10", "$6.00"),
}


def shown(told: Told, detail: Detail) -> str:
    """All that is said, as Dash would send it."""
    view = View(cast(Books, None), Filters(), datetime(2026, 11, 26, tzinfo=UTC), "/finding", "")
    return " ".join(str(part) for part in told(view, detail))


@pytest.mark.parametrize("told", DETAILS, ids=lambda told: told.__name__)
def test_each_modes_evidence_is_told_with_its_numbers(told: Told) -> None:
    said = shown(told, DETAILS[told]).replace("\N{NARROW NO-BREAK SPACE}", " ")
    for words in WORDS[told]:
        assert words in said
    assert "nan" not in said.lower().replace("finan", "").replace("tenan", "")


@pytest.mark.parametrize("told", DETAILS, ids=lambda told: told.__name__)
def test_what_is_missing_or_of_another_shape_is_left_out(told: Told) -> None:
    assert shown(told, {}) is not None
    for name in DETAILS[told]:
        assert shown(told, {**DETAILS[told], name: None}) is not None
        assert shown(told, {**DETAILS[told], name: [None, {}, "x"]}) is not None
        assert shown(told, {**DETAILS[told], name: {"x": None}}) is not None


def test_the_best_number_of_checks_is_one_that_is_known_of_as_many_tasks() -> None:
    (table,) = shown(verification, DETAILS[verification]).split("Strong(")[1:]
    assert table.startswith("'$2.50'"), "9.00 are over a tenth of the tasks only"


def test_the_figures_draw_what_was_lost_and_what_would_be_left() -> None:
    days = cast("list[dict[str, object]]", DETAILS[routing]["regret_curve"])
    limit, lost = read(regret_curve(days, "k"))
    assert (list(lost["y"]), list(limit["y"])) == ([1.0, 2.0, 3.0], [2.0, 3.0, 4.0])
    (bars,) = read(if_later(cast("list[dict[str, object]]", DETAILS[congestion]["if_later"]), "k"))
    assert (list(bars["x"]), list(bars["y"])) == ([1.0, 2.0], [9.2, 7.5])


def read(figure: Any) -> list[dict[str, Any]]:
    """The traces as plotly understands them. Raises: ValueError when any part is not valid."""
    return cast("list[dict[str, Any]]", go.Figure(figure).to_dict()["data"])
