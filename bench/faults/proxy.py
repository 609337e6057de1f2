"""A unix socket in front of PostgreSQL's that cuts the connection at a chosen byte, in mid-COPY or of an answer."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Literal, TypeAlias

Place: TypeAlias = Literal["copy", "answer", "commit"]
"""Inside the data of a COPY on its way to the server; inside what the server answers; or after a COMMIT has passed and before
its answer has, so that the client cannot know whether it was done."""

_SOCKET = ".s.PGSQL.5432"
_COPY_DATA = ord("d")
_COMMIT = b"COMMIT"


class _Frames:
    """The messages of PostgreSQL's protocol in what a client sends: a type byte, then a length that counts itself."""

    def __init__(self) -> None:
        self._head = b"\0"  # the first message of a connection has no type byte
        self._left = 0

    def copy_bytes(self, data: bytes) -> list[int]:
        """The positions in `data` that lie inside the payload of a CopyData message, as [start, end, start, end, …]."""
        spans: list[int] = []
        position = 0
        while position < len(data):
            if self._left:
                taken = min(self._left, len(data) - position)
                if self._head[0] == _COPY_DATA:
                    spans += [position, position + taken]
                self._left -= taken
                position += taken
                if not self._left:
                    self._head = b""
                continue
            taken = min(5 - len(self._head), len(data) - position)
            self._head += data[position : position + taken]
            position += taken
            if len(self._head) == 5:
                self._left = int.from_bytes(self._head[1:5], "big") - 4
                if not self._left:
                    self._head = b""
        return spans


class Proxy:
    """Forwards every connection to the server's socket; `cut` lets the next bytes of a kind through and then cuts one of them."""

    def __init__(self, folder: Path, upstream: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.cuts = 0
        self._upstream = str(upstream / _SOCKET)
        self._lock = threading.Lock()
        self._armed: tuple[Place, int] | None = None
        self._happened = threading.Event()
        self._open: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / _SOCKET))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self, place: Place, after_bytes: int, within_s: float) -> bool:
        """Cut a connection after so many further bytes of this kind; False when they do not come in time."""
        self._happened.clear()
        with self._lock:
            self._armed = (place, after_bytes)
        happened = self._happened.wait(within_s)
        with self._lock:
            self._armed = None
        return happened

    def close(self) -> None:
        """Close every connection and the socket."""
        # A thread that waits in accept is only woken by a connection.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            still_open = list(self._open)
        for end in still_open:
            _shut(end)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._upstream)
            except OSError:  # the server is away: so is this connection
                client.close()
                server.close()
                continue
            with self._lock:
                self._open |= {client, server}
            for pumped in (("copy", client, server), ("answer", server, client)):
                thread = threading.Thread(target=self._pump, args=pumped, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pump(self, place: Literal["copy", "answer"], source: socket.socket, target: socket.socket) -> None:
        frames = _Frames()
        try:
            while data := source.recv(65536):
                if place == "copy" and _COMMIT in data:
                    self._commit_passes()
                spans = frames.copy_bytes(data) if place == "copy" else [0, len(data)]
                end = self._end_of(place, spans)
                if end is not None:
                    target.sendall(data[:end])
                    _shut(source)
                    _shut(target)
                    self._happened.set()
                    return
                target.sendall(data)
        except OSError:
            return
        finally:
            _shut(target)
            with self._lock:
                self._open.discard(source)
            source.close()

    def _commit_passes(self) -> None:
        with self._lock:
            if self._armed is not None and self._armed[0] == "commit":
                self._armed = ("answer", 0)

    def _end_of(self, place: Place, spans: list[int]) -> int | None:
        """Where in the data to cut, if the cut that was asked for falls into it."""
        with self._lock:
            if self._armed is None or self._armed[0] != place:
                return None
            left = self._armed[1]
            for start, end in zip(spans[::2], spans[1::2], strict=True):
                if end - start > left:
                    self._armed = None
                    self.cuts += 1
                    return start + left
                left -= end - start
            self._armed = (place, left)
        return None


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
