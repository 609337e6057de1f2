"""The inside of a supervised part: `python -m cli.part MODULE`, started by cli/supervise.py.

Its imports are done at once, while the database starts. Then one line of JSON on standard input gives the
part its arguments (not on the command line, where an address with its password would show) and it runs as
`python -m MODULE`. Standard input stays open as a lifeline: when it closes, whoever started the part is gone
and the part ends itself.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import runpy
import signal
import sys
import threading
import time

LIFELINE = 0  # standard input
GRACE_S = 8.0


def main() -> None:
    """Import, wait for the arguments, watch the lifeline, run the module."""
    module = sys.argv[1]
    _import(module)
    line = _read_line()
    if not line:
        return
    threading.Thread(target=_end_with_supervisor, name="lifeline", daemon=True).start()
    sys.argv = [module, *json.loads(line)]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _import(module: str) -> None:
    """Load what the module needs; the module itself is run afresh later, as the main one."""
    found = importlib.util.find_spec(module)
    main_module = f"{module}.__main__" if found and found.submodule_search_locations else module
    with contextlib.suppress(ImportError):  # it comes again when the module is run, and is then reported
        importlib.import_module(main_module)
    sys.modules.pop(main_module, None)


def _read_line() -> bytes:
    """One line, unbuffered: what follows it must stay unread, for the lifeline."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(LIFELINE, 1)
        if not byte:
            return b""
        line += byte
    return line


def _end_with_supervisor() -> None:
    while os.read(LIFELINE, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
