"""`python -m bench [NAME] [OPTIONS]`: runs one benchmark, `ingest` when none is named."""

from __future__ import annotations

import importlib
import signal
import sys
from types import FrameType
from typing import NoReturn

_NAMES = ("ingest", "peers", "scale", "settle", "appraisal", "quote", "viewers", "soak", "faults", "fuzz", "truth")


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(143)


def main() -> int:
    """Run the named benchmark with the remaining arguments; its exit code is ours."""
    name = sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else "ingest"
    if name not in _NAMES:
        print(f"there is no benchmark {name!r}; there are: {', '.join(_NAMES)}", file=sys.stderr)
        return 2
    if sys.argv[1:2] == [name]:
        del sys.argv[1]
    signal.signal(signal.SIGTERM, _stop)  # or what was started would outlive us
    return importlib.import_module(f"bench.{name}").main()


if __name__ == "__main__":
    sys.exit(main())
