"""What strikes in each kind of fault, at moments that the round's seed draws."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.faults.proxy import Place
from bench.faults.sender import CONNECTIONS

if TYPE_CHECKING:
    from bench.faults.rounds import Round

_HOUR_S = 3600
_COPY_BYTES_MAX = 200_000
_ANSWER_BYTES_MAX = 4_000
_SOON_S = 10.0


class NotCounted(Exception):
    """The fault could not be made to happen; the round proves nothing about it."""


def nothing(_: Round) -> str:
    """The load itself is the fault."""
    return ""


def kill_worker(r: Round) -> str:
    """kill -9 of one to three processes below the collector."""
    killed = 0
    for share in r.moments(r.draw.randint(1, 3)):
        r.await_moment(share)
        deadline = time.monotonic() + 2.0
        while not (workers := r.collector.workers()) and time.monotonic() < deadline and not r.load_ended:
            time.sleep(0.005)
        if workers:
            r.draw.choice(workers).kill()
            killed += 1
    if not killed:
        raise NotCounted("the collector had no worker process under load")
    return ""


def kill_collector(r: Round) -> str:
    """kill -9 of the collector, one to three times; it is started again as the supervisor would."""
    for share in r.moments(r.draw.randint(1, 3)):
        r.await_moment(share)
        r.collector.kill()
        r.collector.wait_until_ready()
    return ""


def restart_collector(r: Round) -> str:
    """SIGTERM to the collector under load, as an upgrade does."""
    for share in r.moments(r.draw.randint(1, 2)):
        r.await_moment(share)
        r.collector.restart()
        r.pause(0.0, 0.5)
        r.collector.wait_until_ready()
    return ""


def kill_backend(r: Round) -> str:
    """kill -9 of one backend: PostgreSQL ends all others and recovers."""
    struck = 0
    for share in r.moments(r.draw.randint(1, 2)):
        r.await_moment(share)
        struck += r.server.kill_backend(r.database, r.draw)
        r.server.start()
    if not struck:
        raise NotCounted("there was no backend of the collector to kill")
    return ""


def kill_postgres(r: Round) -> str:
    """kill -9 of the postmaster, started again after a pause."""
    r.await_moment(r.draw.uniform(0.1, 0.6))
    r.server.kill()
    r.pause(0.0, 2.0)
    r.server.start()
    return ""


def stop_postgres(r: Round) -> str:
    """PostgreSQL stopped for some seconds, fast or immediately."""
    mode: Literal["fast", "immediate"] = r.draw.choice(("fast", "immediate"))
    r.await_moment(r.draw.uniform(0.05, 0.3))
    r.server.stop(mode)
    r.pause(r.outage_s * 0.8, r.outage_s * 1.2)
    r.server.start()
    return mode


def freeze_postgres(r: Round) -> str:
    """PostgreSQL is there and does not answer (SIGSTOP to all its processes)."""
    r.await_moment(r.draw.uniform(0.05, 0.3))
    r.server.freeze()
    r.pause(r.outage_s * 0.8, r.outage_s * 1.2)
    r.server.thaw()
    return ""


def kill_both(r: Round) -> str:
    """The collector is killed while PostgreSQL is away: what it acknowledged meanwhile must be on its disk."""
    r.await_moment(r.draw.uniform(0.05, 0.2))
    r.server.stop("immediate")
    r.pause(r.outage_s * 0.2, r.outage_s * 0.8)
    r.collector.kill()
    r.pause(0.0, r.outage_s * 0.4)
    r.server.start()
    return ""


def fill_spool(r: Round) -> str:
    """PostgreSQL is away for longer than the spool has room: then the answer is 503, and nothing more is acknowledged."""
    limit = r.kind.spool_limit_bytes if r.collector.spool is not None else 0
    stopped_at = _outlast(r)
    largest = max(len(sent.export.body) for sending in r.sendings for sent in sending.sent if not sent.export.broken)
    taken = sum(
        len(sent.export.body)
        for sending in r.sendings
        for sent in sending.sent
        if sent.acknowledged_at is not None and sent.acknowledged_at > stopped_at
    )
    # What each connection had under way, or sent until PostgreSQL had its signal, may have been committed before.
    allowed = (limit or 0) + 2 * CONNECTIONS * largest
    if taken > allowed:
        r.findings.wrong.append(f"{taken} bytes were acknowledged while PostgreSQL was away; the spool may hold {limit}")
    held = _size_bytes(r.collector.spool)
    if held > (limit or 0):
        r.findings.wrong.append(f"the spool takes {held} bytes of disk and may take {limit}")
    r.server.start()
    return f"{taken / 1024:.0f} KiB taken" if limit else "no spool"


def fill_disk(r: Round) -> str:
    """The spool's disk is full while PostgreSQL is away: the answer is 503, and what was acknowledged before is kept."""
    if r.collector.spool is None:
        raise NotCounted("the collector has no spool")
    _outlast(r)
    r.server.start()
    return r.kind.full_disk or ""


def cut_connection(r: Round) -> str:
    """The connection to PostgreSQL is cut three to six times: inside a COPY, inside an answer, or before that of a COMMIT."""
    if r.proxy is None:
        raise NotCounted("there is no proxy")
    places: Counter[str] = Counter()
    for share in r.moments(r.draw.randint(3, 6)):
        r.await_moment(share)
        place: Place = r.draw.choice(("copy", "copy", "answer", "commit"))
        size = r.draw.randrange(1, _COPY_BYTES_MAX if place == "copy" else _ANSWER_BYTES_MAX)
        if not r.load_ended and r.proxy.cut(place, size, _SOON_S):
            places[place] += 1
    if not places:
        raise NotCounted("nothing more passed the proxy")
    return ", ".join(f"{times} in {place}" for place, times in sorted(places.items()))


def jump_clock(r: Round) -> str:
    """The collector's own clock jumps by minutes to days, forth and back, beside those of the spans' emitters."""
    if r.clock is None:
        return "spans only: no C compiler for the collector's own clock"
    for share in r.moments(4):
        r.await_moment(share)
        r.clock.jump(r.draw.choice((-1, 1)) * r.draw.randint(60, 72 * _HOUR_S))
    return "spans and collector"


def way_to_fill_a_disk() -> Literal["tmpfs", "file limit"]:
    """A small file system of its own where we may mount one; otherwise a limit on the size of the collector's files."""
    if os.geteuid() != 0:
        return "file limit"
    with tempfile.TemporaryDirectory(prefix="pigou-faults-") as name:
        if not mount(Path(name), 64 * 1024):
            return "file limit"
        unmount(Path(name))
    return "tmpfs"


def mount(folder: Path, size_bytes: int) -> bool:
    """Mount a small file system; False when that is not allowed."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def unmount(folder: Path) -> None:
    """Take it away again, as soon as nobody uses it any more."""
    subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


def _outlast(r: Round) -> float:
    """Stop PostgreSQL until the collector says 503, and somewhat longer; answers when it was stopped (monotonic seconds)."""
    r.await_moment(r.draw.uniform(0.05, 0.2))
    before = _said_later(r)
    stopped_at = time.monotonic()
    r.server.stop(r.draw.choice(("fast", "immediate")))
    if not r.wait_until(lambda: _said_later(r) > before, 60.0):
        r.findings.wrong.append("503 never came, although PostgreSQL was away for longer than the spool has room")
    r.pause(0.5, r.outage_s * 0.5)
    return stopped_at


def _size_bytes(folder: Path | None) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder else 0


def _said_later(r: Round) -> int:
    return sum(sending.answers["503"] for sending in r.sendings)
