"""What is said at the terminal: results on standard output, remarks on standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def say(line: str) -> None:
    """One line of result, written at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def remark(line: str) -> None:
    """One line beside the result, written at once."""
    sys.stderr.write(f"pigou: {one_line(line)}\n")
    sys.stderr.flush()


def one_line(text: str) -> str:
    """The text with line breaks and runs of blanks made single blanks."""
    return " ".join(text.split())


def nearest(word: str, known: Sequence[str]) -> str:
    """`; did you mean a, b?`, or nothing when no known word is near."""
    import difflib

    near = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    return f"did you mean {', '.join(near)}?" if near else ""
