"""A collector broken on purpose: it says 200 where it should say that it could not store what it was sent."""

import sys

from collector import answers
from collector.__main__ import main

answers.HTTP_STATUS["unavailable"] = 200

if __name__ == "__main__":
    sys.exit(main())
