"""`python -m collector`: one collector process, until it is told to stop."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import sys
import threading
from pathlib import Path

import uvicorn
import uvloop
from fastapi import FastAPI

from collector.app import build_app
from collector.errors import CollectorError
from collector.grpc_server import start_grpc
from collector.pipeline import Pipeline
from collector.settings import MIB, CollectorSettings
from ledger.errors import LedgerError
from ledger.tenants import DEFAULT_TENANT

log = logging.getLogger("pigou.collector")

_GRACE_S = 20
_IDLE_S = 75
"""How long a connection may rest. By default exporters send spans every 5 s and metrics every 60 s; an export that is on its
way when its connection is closed fails, and not every exporter tries again."""


def main() -> int:
    """Serve until SIGTERM or SIGINT, post what was received, exit 0. Exit 2 when it cannot start."""
    settings = _settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    threading.excepthook = _end
    # What is loaded by now lives as long as the process, and spans make no cycles: collecting often would only cost time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    # The posting thread waits for the database some forty times a group: not 5 ms more each time for the one that reads.
    sys.setswitchinterval(0.0003)
    try:
        pipeline = Pipeline(settings)
        pipeline.start()
    except (LedgerError, CollectorError) as error:
        print(f"collector: {error}", file=sys.stderr)
        return 2
    try:
        uvloop.run(_serve(pipeline, settings))
    except OSError as error:
        print(f"collector: {error}", file=sys.stderr)
        return 2
    finally:
        pipeline.stop(_GRACE_S)
    return 0


async def _serve(pipeline: Pipeline, settings: CollectorSettings) -> None:
    grpc_server, grpc_port = await start_grpc(pipeline, settings)
    server = uvicorn.Server(http_config(build_app(pipeline, settings), settings))
    print(
        f"collector: OTLP/HTTP on {settings.host}:{settings.http_port}, OTLP/gRPC on {settings.host}:{grpc_port}",
        flush=True,
    )
    try:
        await server.serve()
    finally:
        await grpc_server.stop(_GRACE_S)


def http_config(app: FastAPI, settings: CollectorSettings) -> uvicorn.Config:
    """How the collector's HTTP side is served."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.http_port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )


def _settings() -> CollectorSettings:
    parser = argparse.ArgumentParser(prog="python -m collector", description="Pigou's collector: OTLP in, books out.")
    parser.add_argument("--dsn", default=os.environ.get("PIGOU_DATABASE_URL"), help="database, default PIGOU_DATABASE_URL")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--http-port", type=int, default=4318)
    parser.add_argument("--grpc-port", type=int, default=4317)
    parser.add_argument("--slot", type=int, default=0, help="which balance rows this writer adds to")
    parser.add_argument("--workers", type=int, help="processes that read exports under load, default one per processor")
    parser.add_argument("--spool", type=Path, help="folder that keeps exports while the database is away; default: refuse them")
    parser.add_argument("--spool-limit-bytes", type=int, default=1024 * MIB, help="largest size of the spool, default 1 GiB")
    parser.add_argument("--keep-content", action="store_true", help="store prompt and completion text")
    parser.add_argument("--redact", action="store_true", help="replace credentials in all values, and e-mail addresses in text")
    parser.add_argument("--default-tenant", default=DEFAULT_TENANT)
    arguments = parser.parse_args()
    if not arguments.dsn:
        parser.error("no database: give --dsn or set PIGOU_DATABASE_URL")
    return CollectorSettings(**vars(arguments))


def _end(failure: threading.ExceptHookArgs) -> None:
    """A thread that ended by a fault of ours leaves a collector that answers nobody: end it, so that it is started again.

    What was acknowledged is in the books or in the spool.
    """
    log.critical("thread %s ended", failure.thread and failure.thread.name, exc_info=failure.exc_value)
    os._exit(70)


def _leave(*_: object) -> None:
    """uvicorn ends its serving at a signal and then raises it again; we still have exports to post, and leave in order."""
    sys.exit(0)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    sys.exit(main())
