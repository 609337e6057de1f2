"""The collector's own clock, made to jump while it runs: a shim before the C library that adds an offset read from a file.

It needs a C compiler and no privileges. A time namespace moves only the monotonic clocks and setting the machine's clock would
move everybody's; a replaced `time.time` would miss what C code asks. The monotonic clocks are left alone, as they are by NTP.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

_SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *offset_s;

__attribute__((constructor)) static void map_offset(void) {
    const char *path = getenv("BENCH_CLOCK_OFFSET");
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) return;
    void *page = mmap(NULL, sizeof(long long), PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) offset_s = page;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    int failed = (int)syscall(SYS_clock_gettime, clock, at);
    if (!failed && offset_s && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += *offset_s;
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    at->tv_sec = precise.tv_sec;
    at->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (at) *at = precise.tv_sec;
    return precise.tv_sec;
}
"""


class Clock:
    """A wall clock that processes started with `environment` see; `jump` moves it for all of them at once."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._offset = folder / "offset"
        self._offset.write_bytes(struct.pack("q", 0))
        self._library = folder / "clock.so"
        compiler = shutil.which("cc")
        if compiler is None:
            raise FileNotFoundError("no C compiler")
        command = [compiler, "-shared", "-fPIC", "-O1", "-xc", "-", "-o", str(self._library)]
        subprocess.run(command, input=_SHIM.encode(), check=True, capture_output=True, timeout=60)

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process see this clock."""
        return {"LD_PRELOAD": str(self._library), "BENCH_CLOCK_OFFSET": str(self._offset)}

    def jump(self, offset_s: int) -> None:
        """Set the clock so many seconds ahead of the real one, or behind it."""
        with self._offset.open("r+b") as file:
            file.write(struct.pack("q", offset_s))


def is_available() -> bool:
    """Whether a clock can be made on this machine."""
    return shutil.which("cc") is not None
