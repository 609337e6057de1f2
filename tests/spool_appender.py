"""`python -m tests.spool_appender FOLDER SEED FIRST`: appends exports until it is killed, and says which are acknowledged.

Export number n of a seed is the same in every process, so that who killed this one knows what must be there.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from collector.export import Export
from collector.spool import Spool


def numbered(seed: int, number: int) -> Export:
    """The export with a number: from nothing to some hundred kilobytes."""
    luck = random.Random(f"{seed} {number}")
    body = number.to_bytes(8, "big") + luck.randbytes(luck.choice((0, 30, 4_000, 40_000, 200_000)))
    return Export(luck.choice(("span", "log", "metric")), body, "protobuf", "identity", luck.choice((None, "acme")))


def main() -> None:
    """Append groups of one to five for ever; after each, print the number of its last export."""
    folder, seed, number = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    spool, luck = Spool(folder), random.Random(f"{seed} from {number}")
    while True:
        group = [numbered(seed, number + n) for n in range(luck.randint(1, 5))]
        spool.append(group)
        number += len(group)
        sys.stdout.write(f"{number - 1}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
