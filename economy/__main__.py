"""`python -m economy`: play the fortnight through a collector, write the truth beside it, and go on live if asked."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import Progress

from economy.emit import EmissionError
from economy.play import EconomySettings, live, play, this_hour


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; exit 0, 1 when the collector or the truth file failed, 2 for bad arguments."""
    parser = _parser()
    options = parser.parse_args(arguments)
    out, err = Console(), Console(stderr=True)
    try:
        settings = EconomySettings(
            endpoint=options.endpoint,
            protocol=options.protocol,
            seed=options.seed,
            until=options.until or this_hour(),
            days=options.days,
            tasks_per_day=options.tasks_per_day,
            headers=_credential() | {name.lower(): value for name, value in options.header},
        )
    except ValueError as problem:
        parser.error(str(problem))
    try:
        if not options.only_live:
            _play(settings, options.truth, out)
        if options.live is not None:
            _live(settings, options.live, out)
    except (EmissionError, OSError) as problem:
        err.print(f"economy: {problem}", markup=False, soft_wrap=True)
        return 1
    return 0


def _play(settings: EconomySettings, truth_path: Path | None, out: Console) -> None:
    with Progress(console=out, transient=True) as progress:
        bar = progress.add_task("emitting", total=None)
        truth = play(settings, lambda done, total: progress.update(bar, completed=done, total=total))
    counted = ", ".join(f"{count} {name}" for name, count in truth.counts.items())
    out.print(f"played {settings.days:g} days until {settings.until.isoformat()}: {counted}", markup=False, soft_wrap=True)
    if truth_path is not None:
        rows_path = truth.write(truth_path)
        out.print(f"truth in {truth_path} and {rows_path}", markup=False, soft_wrap=True)


def _live(settings: EconomySettings, rate_per_minute: float, out: Console) -> None:
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    out.print(f"live at {rate_per_minute:g} tasks a minute, until stopped", markup=False)
    spans = live(settings, rate_per_minute, stop)
    out.print(f"stopped after {spans} spans", markup=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m economy", description="Play a seeded fleet of agents through OTLP.")
    parser.add_argument("--endpoint", default="http://127.0.0.1:4318", metavar="URL", help="base URL of the collector")
    parser.add_argument("--protocol", default="http/protobuf", choices=("http/protobuf", "grpc"))
    parser.add_argument("--header", action="append", default=[], type=_header, metavar="NAME=VALUE", help="sent with each export")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--until", type=_moment, metavar="TIME", help="end of the period, ISO 8601 with zone (default: this hour)"
    )
    parser.add_argument("--days", type=float, default=14.0)
    parser.add_argument("--tasks-per-day", type=int, default=900, metavar="N")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="where to write the truth")
    parser.add_argument("--live", type=_rate, metavar="RATE", help="then go on in real time, RATE tasks a minute")
    parser.add_argument("--only-live", action="store_true", help="with --live: without the period before")
    return parser


def _credential() -> dict[str, str]:
    """What shows the collector a credential; nothing where PIGOU_TOKEN names none, and the SDK's own variables hold."""
    token = os.environ.get("PIGOU_TOKEN")
    return {"authorization": f"Bearer {token}"} if token else {}


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO 8601 time") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no time zone; write for example {text}Z")
    return moment


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.0 < rate <= 6_000.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate above 0 and at most 6000 tasks a minute")
    return rate


if __name__ == "__main__":
    sys.exit(main())
