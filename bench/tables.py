"""Tables of figures in the documents, each written by the benchmark that measured them."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cli.postgres import binary

PERFORMANCE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


def replace_section(path: Path, name: str, markdown: str) -> None:
    """Put `markdown` between the lines `<!-- name:begin -->` and `<!-- name:end -->` of a document, for what stood there.

    Raises ValueError when the document does not hold the two markers once each, in this order.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    text = path.read_text(encoding="utf-8")
    section = re.compile(rf"(?<={re.escape(begin)}\n).*?(?={re.escape(end)}$)", re.DOTALL | re.MULTILINE)
    if text.count(begin) != 1 or text.count(end) != 1 or not section.search(text):
        raise ValueError(f"{path} has no section {name!r}: put the lines {begin} and {end} where its figures shall stand")
    path.write_text(section.sub(lambda _: f"\n{markdown.strip()}\n\n", text), encoding="utf-8")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures and stand to the right."""
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def machine() -> str:
    """When and where the figures were measured, in one line."""
    postgres = subprocess.run([binary("postgres"), "--version"], check=True, capture_output=True, text=True).stdout.split()[2]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {cores} cores ({platform.machine()}, {platform.system()}) under a"
        f" load of {machine_load():.1f} already, PostgreSQL {postgres}, Python {platform.python_version()}."
    )


def machine_load() -> float:
    """How many processes wanted a core, on average over the last minute."""
    return os.getloadavg()[0]
