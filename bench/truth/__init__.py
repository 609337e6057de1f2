"""Estimators against economies whose truth is known: `python -m bench truth NAME [OPTIONS]`, each printing one table."""

from __future__ import annotations

import importlib
import sys

_NAMES = (
    "effects",
    "routing",
    "economies",
    "bands",
    "demo",
    "findings",
    "duals",
    "modes",
    "congestion",
    "cache",
    "rollouts",
    "live",
    "plays",
    "pieces",
)


def main() -> int:
    """Run the named comparison with the remaining arguments; its exit code is ours."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in _NAMES:
        print(f"name what to compare with the truth: {', '.join(_NAMES)}", file=sys.stderr)
        return 2
    del sys.argv[1]
    return importlib.import_module(f"bench.truth.{name}").main()
