"""What a finding rests on, in words and tables at the terminal."""

from __future__ import annotations

import pytest

from cli.finding_evidence import Part, parts_of

ROUTED: dict[str, object] = {
    "chosen": "large", "best": "small", "chosen_cost_usd": 0.0876, "best_cost_usd": 0.011,
    "onset": {"share_before": 0.0407, "share_since": 0.9007},
    "segments": [
        {"n": 548, "band": "below 1 USD", "best": "small", "status": "appraised", "low_usd": 27.14, "high_usd": 50.51,
         "regret_usd": 39.64, "is_discovery": True},
        {"n": 350, "band": "1 USD and more", "best": None, "status": "not_enough_evidence", "low_usd": None, "high_usd": None,
         "regret_usd": None, "is_discovery": False},
    ],
    "frontier": [{"scale": None, "quality": 0.9227, "cost_usd": 0.05727}, {"scale": 1.0, "quality": 0.9083, "cost_usd": 0.009}],
    "menu": {
        "why": "", "types": [{"type": "below 1 USD", "option": "small"}], "full_prices_usd": {"large": 0.1094, "small": 0.0264},
        "offers": [{"option": "small", "quality": 0.9013, "price_usd": 0.3605}],
        "would_choose_otherwise_at_full_prices": ["below 1 USD would take nothing"],
    },
}  # fmt: skip


def told(mode: str, detail: dict[str, object]) -> dict[str, Part]:
    """The parts by how they begin."""
    return {part.said: part for part in parts_of(mode, detail)}


def test_a_route_tells_segments_frontier_and_menu() -> None:
    parts = told("over_routing", ROUTED)
    compared = parts["large against what else was tried, by what the task was worth"]
    assert compared.rows == (
        ("below 1 USD", "small", "548", "39.64", "27.14", "50.51", "stands"),
        ("1 USD and more", None, "350", None, None, None, "not enough evidence"),
    )
    assert "large was taken in 4.1 % of these cases before, and in 90.1 % since" in parts
    assert "a task costs 0.0876 USD with large, 0.011 USD with small" in parts
    assert parts["what the router could reach, a task"].rows == (
        ("as it is today", "0.9227", "0.05727", None), ("eq. 4 at 1 times V", "0.9083", "0.009", None)
    )  # fmt: skip
    assert parts["a menu from which users would choose so by themselves (eq. 5)"].rows == (
        ("small", "below 1 USD", "0.9013", "0.0264", "0.3605"), ("large", "nobody", None, "0.1094", None)
    )  # fmt: skip
    assert "at full prices alone below 1 USD would take nothing" in parts


def test_an_engine_tells_who_waits_what_is_left_later_and_drafting() -> None:
    parts = told(
        "serving_congestion",
        {
            "victims": {"own": {"faq": {"usd_per_day": 1.5, "delay_s_per_day": 893.7}}, "other_tenants": {"usd_per_day": 6.25}},
            "if_later": [{"hours": 3, "usd_per_day": 6.5}],
            "fingerprint": {"p": 0.002, "low": 0.04, "high": 0.05, "verdict": "found", "windows": 1927,
                            "s_per_thousand_tokens": 0.044},
            "speculation": {"answer": "drafting pays below 4,000 tokens", "acceptance": [[18044.0, 0.62, 735], [1, 2]],
                            "break_even": 0.45, "off_from_tokens": 4000.0, "low": 3500.0, "high": None, "saved_share": 0.12},
        },
    )  # fmt: skip
    assert parts["who waits for these requests"].rows == (("own faq", "893.7", "1.5"), ("all other tenants", None, "6.25"))
    assert parts["what would be left if they came later"].rows == (("3", "6.5"),)
    assert any("0.044 (0.04 to 0.05) s longer" in said for said in parts)
    assert parts["drafting ahead: drafting pays below 4,000 tokens"].rows == (("18044", "0.62", "735"),)
    assert parts["when drafting pays"].rows == (("0.45", "4000", "3500", None, "0.12"),)
    answered = {"speculation": {"answer": "a draft's time is not known", "acceptance": [[18044.0, 0.62, 735]]}}
    assert list(told("serving_congestion", answered)) == ["drafting ahead: a draft's time is not known"]


def test_training_tells_gains_by_age_and_what_a_dollar_brings() -> None:
    parts = told(
        "stale_rollouts",
        {
            "by_lag": [{"lag": 1.0, "updates": 64, "gain": 0.002587, "fitted": 0.0025, "variance": None}],
            "capability_lost": [0.3844, 0.3558, 0.413], "past_the_point": 72, "spent_past_the_point_usd_per_day": None,
            "marginals": [{"use": "rollout", "usd": 0.5, "gain_per_usd": 0.04, "low": -0.05, "high": 0.06}],
            "frontier": [{"method": "", "gain": 1}, {"method": "grpo", "gain": 0.5, "updates": 3, "is_efficient": True}],
        },
    )  # fmt: skip
    assert parts["what an update gains by the age of its rollouts"].rows == (("1", "64", "0.002587", "0.0025", None),)
    assert "capability lost since: 0.3844 (0.3558 to 0.413)" in parts
    assert any(said.endswith("not known how many USD a day went into their batches") for said in parts)
    assert parts["what a dollar more brings"].rows == (("rollout", "0.5", "0.04", "-0.05", "0.06"),)
    assert parts["by method of training"].rows == (("grpo", "0.5", None, "3", "yes"),)


def test_checks_confirmations_and_caches_tell_theirs() -> None:
    checks = told(
        "under_verification",
        {
            "chosen": "0", "segments": [{"band": "", "n": 3, "status": "appraised"}],
            "strata": [{"band": "8 USD", "passes": [{"option": "1", "quality": 0.9, "net_usd": 2.5, "n": 127}]}],
            "checks": {"failed": 0, "passes": 570}, "marginal_product": {"net_per_usd": {"value": None}, "why": "no dose"},
        },
    )  # fmt: skip
    assert checks["0 checks against what else was tried, by what the task was worth"].rows[0][-1] == "may be chance"
    assert checks["what each number of checks brings, a task"].rows == (("8 USD", "1", "0.9", None, None, "2.5", "127"),)
    assert {"what one dollar more of checking brings is not known: no dose",
            "0 of 570 checks in these tasks said that something was wrong"} < set(checks)  # fmt: skip
    confirmed = told(
        "over_delegation",
        {"schedule": [{"action_class": "transfer", "now": {"human": 0.25, "none": 0.75}, "recommended": "human", "why": "eq. 6",
                       "borne": [{"confirmation": "none", "actions": 8, "expected_loss_usd": {"value": 1.5, "low": 1, "high": 2}}]
                       }]},
    )  # fmt: skip
    assert "transfer: now none 75.0 %, human 25.0 %; recommended human: eq. 6" in confirmed
    assert confirmed["what was lost with each confirmation, an action"].rows == (("none", "8", "1.5", "1", "2", None),)
    cached = told(
        "cache_misuse",
        {"causes": {"expired": 3, "caching off": 673}, "writes": {"closed": 4, "unpaid": 4},
         "hit_rate_by_value": [{"calls": 796, "low_usd": 6.0, "high_usd": 6.0, "hit_rate": 0.0, "saved_usd": -12.75}]},
    )  # fmt: skip
    assert cached["why what was sent before was not read from the cache"].rows == (("caching off", "673"), ("expired", "3"))
    assert cached["what the cache did, by what the task was worth"].rows == (("6", "6", "796", "0", "-12.75"),)


@pytest.mark.parametrize("mode", ["over_routing", "stale_rollouts", "serving_congestion", "cache_misuse", "of a later version"])
@pytest.mark.parametrize("detail", [{}, {"frontier": [1.0, None], "menu": [], "segments": "x", "by_lag": None, "victims": 3}])
def test_what_is_missing_or_of_another_shape_is_left_out(mode: str, detail: dict[str, object]) -> None:
    assert parts_of(mode, detail) == []
