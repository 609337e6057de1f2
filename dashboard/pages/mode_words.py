"""The seven failure modes in words, for somebody who has not read the manual."""

MODES = {
    "over_routing": ("Over-routing", "A dearer model is taken where a cheaper one would do as well."),
    "under_routing": ("Under-routing", "The cheapest model is taken where a better one would be worth far more than it costs."),
    "over_delegation": ("Over-delegation", "An agent acts on its own where asking first would cost less than it prevents."),
    "under_verification": ("Under-verification", "Nothing is checked where a check would pay for itself."),
    "serving_congestion": ("Serving congestion", "Requests hold up those of others and do not pay for the delay."),
    "stale_rollouts": ("Stale rollouts", "Training goes on with rollouts of versions that are long gone."),
    "cache_misuse": (
        "Cache misuse",
        "Prefixes are cached and not read, or read and not cached; or answers are reused where they do not fit.",
    ),
}


def mode_name(mode: object) -> str:
    """What a mode is called."""
    return MODES.get(str(mode), (str(mode), ""))[0]
